"""Read from the catalog what a report shows, all at one state of the store."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ...data.run_state import Lock, current_run
from ...sqlite import fit_queries, queries, questions, report_queries
from ...sqlite.standing_queries import LastCampaign, count_earlier, last_campaign, waiting_jobs
from ..styles import Styles, read_styles

Row = dict[str, Any]
"""A row of the catalog: column to value."""


@dataclass(frozen=True, slots=True)
class Content:
    """Everything of the catalog that a report shows; rows as the functions of ``sqlite.queries`` return them."""

    campaign: LastCampaign | None
    runs: list[Row]
    versions: list[Row]
    job_times: list[Row]
    job_counts: list[Row]
    waiting: list[Row]
    earlier: dict[str, int]
    cells: list[Row]
    results: list[Row]
    reports: list[Row]
    charges: list[Row]
    rules: list[Row]
    findings: list[Row]
    cycles: list[Row]
    sources: list[Row]
    record_sources: list[Row]
    simulations: list[Row]
    windows: list[Row]
    fits: list[Row]
    fit_parameters: list[Row]
    parameter_sets: list[Row]
    unsuccessful: list[Row]
    styles: Styles


def read_content(catalog: sqlite3.Connection, lock: Lock) -> Content:
    """Read what a report shows.

    Args:
        catalog: from ``queries.connect``; it decides whether only what is current is shown.
        lock: on the store, which says whether a run is alive.
    """
    with queries.snapshot(catalog):
        return Content(
            campaign=last_campaign(catalog),
            runs=[current_run(dict(run), lock, time.time()) for run in report_queries.recent_runs(catalog)],
            versions=_dicts(report_queries.used_versions(catalog)),
            job_times=_dicts(report_queries.job_times(catalog)),
            job_counts=_dicts(queries.job_counts(catalog)),
            waiting=_dicts(waiting_jobs(catalog)),
            earlier=count_earlier(catalog),
            cells=_dicts(queries.cells(catalog)),
            results=_dicts(queries.results(catalog)),
            reports=_dicts(queries.clean_reports(catalog)),
            charges=_dicts(queries.charge_uncertainty(catalog)),
            rules=_dicts(queries.rules_by_cell(catalog)),
            findings=_dicts(queries.findings(catalog)),
            cycles=_dicts(queries.cycles(catalog)),
            sources=_dicts(queries.sources(catalog)),
            record_sources=_dicts(queries.record_sources(catalog)),
            simulations=_dicts(queries.simulations(catalog, status=None)),
            windows=_dicts(queries.errors_by(catalog, "window")),
            fits=_dicts(fit_queries.fits(catalog)),
            fit_parameters=_dicts(fit_queries.fit_parameters(catalog)),
            parameter_sets=_dicts(questions.model_parameter_sets(catalog)),
            unsuccessful=_dicts(report_queries.job_logs(catalog)),
            styles=read_styles(catalog),
        )


def group_by(rows: Iterable[Row], *columns: str) -> dict[Any, list[Row]]:
    """Return rows by the value of a column, or by a tuple of the values of several; orders are kept."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        key: Any = row[columns[0]] if len(columns) == 1 else tuple(row[column] for column in columns)
        groups.setdefault(key, []).append(row)
    return groups


def _dicts(rows: Iterable[sqlite3.Row]) -> list[Row]:
    return [dict(row) for row in rows]
