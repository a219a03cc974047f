"""What commands print of a store: jobs and failures, the end of a run, answers to SQL; and versions."""

from __future__ import annotations

import json
import math
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO, cast

from ...data.errors import KilocellError
from ...data.standing import CURRENT
from ...data.text import format_count, printable_text
from ...parquet_store.layout import Store
from ...sqlite import fit_queries, queries
from ...sqlite.standing_queries import waiting_jobs
from ...sqlite.user_select import select, tables_with_other_rows
from ..campaign.next_command import NextCommand, program, quoted, shown
from ..run import early
from .budget import HEADING, budget_notes, budget_text, has_budget
from .charge import charge_notes, guess_notes, is_uncertain, print_notes, uncertain_cells_text
from .failures import group_failures, kept_text, print_failures
from .open_catalog import command_of, open_catalog
from .states import state_notes, temperature_notes
from .table import dicts_to_json, print_rows, table
from .terminal import print_lines
from .versions import versions_text

if TYPE_CHECKING:
    import sqlite3

    from ..run.summary import RunSummary

RESULTS = {
    "cell": "cell_id",
    "rows": "rows",
    "cycles": "cycles",
    "findings": "findings",
    "model": "model",
    "parameter set": "parameter_set",
    "RMSE mV": "rmse_mv",
    "status": "status",
}
"""Columns of the table of results: heading, and column of the catalog's view."""

FOLDED = ("cell", "model", "parameter set", "RMSE mV", HEADING, "status")
"""Columns that come first in a terminal that is too narrow for all."""

TEMPERATURE = {"temperature RMSE K": "temperature_rmse_kelvin"}
"""Columns that the table has only where a thermal model was compared with a measured surface temperature."""

SELECTED = {"part": "selection"}
"""Columns that the table has only where a simulation is of a part of its record."""

UNCERTAIN = {"charge ± %": "charge_uncertainty_percent"}
"""Columns that the table has only where a charge is uncertain."""

STANDING = {"standing": "standing"}
"""The same where a result is out of date or of an earlier campaign."""

BUDGET_TEXT = "error_budget_text"
"""Key of the error budget as the table shows it."""

SKIPPED = "sql \"SELECT * FROM current_jobs WHERE status = 'skipped'\""
"""The command that lists skipped jobs."""

STATUS = ("stage", "status", "jobs")
MANY_ROWS = 60
"""Rows of a table up to which all are shown."""

REASONS_SHOWN = 20
"""Failed or skipped jobs up to which each has a line."""


def show_status(root: Path, json_: bool, everything: bool = False) -> None:
    """Print the number of jobs by stage and status, the last run, failed jobs, and cells with nothing to simulate.

    Args:
        root: the store's folder.
        json_: print JSON.
        everything: also what is out of date or of an earlier campaign.
    """
    with open_catalog(root, everything) as catalog:
        waiting = waiting_jobs(catalog)
        counts = queries.job_counts(catalog)
        failures = queries.failures(catalog)
        groups = group_failures(catalog)
        skipped = queries.skipped_for_content(catalog)
        next_command = command_of(root, catalog)
        uncertain = list(filter(is_uncertain, map(dict, queries.charge_uncertainty(catalog))))
        run = queries.last_run(catalog)
    if json_:
        status = {
            "jobs": [dict(row) for row in counts],
            "waiting": [dict(row) for row in waiting],
            "failures": [dict(row) for row in failures],
            "skipped": [dict(row) for row in skipped],
            "uncertain_charge": uncertain,
            "last_run": dict(run) if run is not None else None,
        }
        print(json.dumps(status, ensure_ascii=False, indent=1))
        return
    if counts:
        print(table(STATUS, [tuple(row) for row in counts]))
    else:
        print("no jobs yet")
    if run is not None:
        began = time.strftime("%Y-%m-%d %H:%M", time.localtime(run["started_unix_second"]))
        print(f"\nlast run {run['run_id']}: {run['status']}, started {began} on {run['host']} (process {run['pid']})")
    _print_waiting(waiting, next_command)
    print_failures(groups, next_command)
    print_nothing_to_simulate(skipped, next_command)
    print_notes(uncertain_cells_text(uncertain), versions_text(root))


def _print_waiting(waiting: Sequence[Any], command: NextCommand) -> None:
    """Print how many jobs the next run does, by kind and reason."""
    if waiting:
        print(f"\n{sum(row['count'] for row in waiting)} to run:")
    print_lines(printable_text(f"  {row['count']} {row['kind']}: {row['reason']}") for row in waiting[:REASONS_SHOWN])
    if len(waiting) > REASONS_SHOWN:
        print(f"  … to see all: {command.of('plan')}")


def show_select(
    root: Path, statement: str, json_: bool, everything: bool = False, timeout_second: float = math.inf
) -> None:
    """Print the answer to a SELECT on the catalog.

    Args:
        root: the store's folder.
        statement: one SELECT.
        json_: print JSON.
        everything: let the views also show what is out of date or of an earlier campaign.

    Raises:
        UsageError: the statement is wrong, or would write.
    """
    with open_catalog(root, everything) as catalog:
        headings, rows = select(catalog, statement, timeout_second)
        mixed = [] if everything else tables_with_other_rows(catalog, statement)
    if mixed:
        names = ", ".join(mixed)
        print(
            f"{names}: a table keeps what is out of date or of an earlier campaign, too; for what counts, add "
            f"WHERE standing = 'current', or read a view such as results or current_{mixed[0]}",
            file=sys.stderr,
        )
    print_rows(headings, rows, json_, ".6g")


def show_end(root: Path, summary: RunSummary, out: TextIO | None, *, json_: bool, plots: bool) -> None:
    """Draw the figures of a run, print its results, and, unless quiet, suggest what to type next.

    Args:
        root: the store's folder.
        summary: how the run ended.
        out: where progress goes; ``None`` = quiet, print results and errors only.
        json_: print the results as JSON; a failed job that has no result, such as a fit, has a row, too, with its kind
            and reason. If quiet, the reasons are also on stderr.
        plots: draw figures.
    """
    if plots and (summary.done or not any(Store(root).figures.glob("*.png"))):
        _draw_all(root, out)
    with closing(queries.connect(Store(root).catalog)) as catalog:
        rows = result_rows(catalog)
        failures = queries.failures(catalog)
        groups = group_failures(catalog)
        skipped = queries.skipped_for_content(catalog)
        next_command = command_of(root, catalog)
        if json_:
            print(results_json([*_with_codes(rows, failures), *_failed_elsewhere(rows, failures)]))
            if out is None:
                print_failures(groups, next_command, sys.stderr)
            return
        print(results_table(rows[:MANY_ROWS]))
        if len(rows) > MANY_ROWS:
            print(f"… and {len(rows) - MANY_ROWS} more: {program()} results --store {shown(root)}")
        fits = [fit for fit in fit_queries.fits(catalog) if fit["status"] == "done"]
        if fits:
            from .fits import print_fit_summary

            print_fit_summary(catalog, fits[:MANY_ROWS])
    print_failures(groups, next_command)
    if summary.kept:
        print(kept_text(summary.kept, summary.kept_skipped, next_command))
    print_nothing_to_simulate(skipped, next_command)
    notes = (charge_notes(rows), state_notes(rows), temperature_notes(rows), guess_notes(rows))
    print_notes(budget_notes(rows, brief=True), *notes)
    if out is not None:
        simulated = [str(row["cell_id"]) for row in rows if row["status"] == "done" and row["rmse_mv"] is not None]
        print(f"\n{_summary_text(summary)}")
        _print_next(root, simulated)


def _summary_text(summary: RunSummary) -> str:
    """Return how many jobs of a run were done, failed, skipped, or up to date already."""
    counts = [
        (summary.failed, "failed"),
        (summary.skipped, "skipped"),
        (summary.kept, "kept as failed"),
        (summary.kept_skipped, "kept as skipped"),
        (summary.left, "not run"),
        (summary.nothing, "with nothing to simulate"),
        (len(summary.refused), "fits refused" if len(summary.refused) > 1 else "fit refused"),
    ]
    others = [f"{number} {words}" for number, words in counts if number]
    if not summary.done and not others and summary.done_before:
        return f"nothing to do: {_all_jobs(summary.done_before)} up to date"
    if summary.done_before:
        others.append(f"{summary.done_before} were done before")
    return ", ".join([f"{format_count(summary.done, 'job')} done", *others])


def _all_jobs(number: int) -> str:
    return "the job is" if number == 1 else f"all {number} jobs are"


def _print_next(root: Path, cells: Sequence[str]) -> None:
    """Print where the store and its figures are, and which commands show more.

    Args:
        cells: those that have a finished simulation.
    """
    store = shown(root)
    print(f"store    {store}")
    if any(Store(root).figures.glob("*")):
        print(f"figures  {shown(root / 'figures')}")
    print("\nnext:")
    kilocell = program()
    if cells:
        cell = printable_text(quoted(cells[0]))
        print(f"  {kilocell} plot --store {store} --cell {cell} --cycles 1")
        print(f"  {kilocell} plot --store {store} --cell {cell} --cleaning")
        print(f'  {kilocell} sql --store {store} "SELECT cell_id, model, rmse_mv FROM results ORDER BY rmse_mv"')
    else:
        print(f"  {kilocell} findings --store {store}")
        print(f"  {kilocell} plot --store {store} --cleaning")
    print(f"  {kilocell} status --store {store}")


def _with_codes(rows: Sequence[Mapping[str, Any]], failures: Sequence[Any]) -> list[dict[str, Any]]:
    """Return results with the code of the reason of those that failed."""
    codes = {(row["cell_id"], row["label"]): row["reason_code"] for row in failures}
    return [{**row, "reason_code": codes.get((row["cell_id"], row["label"] or "clean"))} for row in rows]


def _failed_elsewhere(rows: Sequence[Mapping[str, Any]], failures: Sequence[Any]) -> list[dict[str, Any]]:
    """Return a row for each failed job that is neither a simulation nor the cleaning of a cell without one."""
    shown = {(row["cell_id"], row["label"] or "clean") for row in rows if row["status"] == "failed"}
    empty = dict.fromkeys(rows[0]) if rows else {}
    keys = ("cell_id", "label", "reason", "reason_code", "kind")
    return [
        {**empty, **{key: row[key] for key in keys}, "status": "failed"}
        for row in failures
        if (row["cell_id"], row["label"]) not in shown
    ]


def print_nothing_to_simulate(rows: Sequence[Any], command: NextCommand) -> None:
    """Print why each cell has nothing to simulate, once for all of its jobs.

    Args:
        command: completes the command that shows all.
        rows: skipped jobs, of :func:`kilocell.sqlite.queries.skipped_for_content`.
    """
    reasons = list(dict.fromkeys((row["cell_id"], row["reason"]) for row in rows))
    if reasons:
        print(f"\n{len(rows)} skipped (not an error):")
    print_lines(printable_text(f"  {cell_id}: {reason}") for cell_id, reason in reasons[:REASONS_SHOWN])
    if len(reasons) > REASONS_SHOWN:
        print(f"  … to see all: {command.of(SKIPPED)}")


def result_rows(connection: sqlite3.Connection, cells: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return the rows of :func:`kilocell.sqlite.queries.results`.

    Args:
        cells: only these; empty = all.
    """
    return [dict(row) for row in queries.results(connection) if not cells or row["cell_id"] in cells]


def results_json(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return results as JSON; the keys are the columns of the catalog's view."""
    return dicts_to_json(rows)


def results_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Lay out results as a table, with the error budget beside the RMSE, and other columns where these matter."""
    columns = dict(RESULTS)
    if any(has_budget(row) for row in rows):
        columns = {}
        for heading, column in RESULTS.items():
            columns[heading] = column
            if column == "rmse_mv":
                columns[HEADING] = BUDGET_TEXT
    if any(row["temperature_rmse_kelvin"] is not None for row in rows):
        columns |= TEMPERATURE
    if any(row["selection"] for row in rows):
        columns |= SELECTED
    if any(is_uncertain(row) for row in rows):
        columns |= UNCERTAIN
    if any(row["standing"] != CURRENT for row in rows):
        columns |= STANDING
    shown = [{**row, BUDGET_TEXT: budget_text(row)} for row in rows]
    right = [place for place, column in enumerate(columns.values()) if column == BUDGET_TEXT]
    return _laid_out(shown, columns, partial(table, right=right, folded=FOLDED))


def _laid_out(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], lay_out: Callable[..., str]) -> str:
    return lay_out(tuple(columns), [tuple(row[column] for column in columns.values()) for row in rows])


def _draw_all(root: Path, out: TextIO | None) -> None:
    early.say("drawing", "figures")
    from ...report import figures

    try:
        paths = list(figures.plot_all(Store(root)))
    except (KilocellError, OSError) as error:
        print(f"figures could not be drawn: {error}", file=sys.stderr)
        return
    if out is not None:
        out.write(f"figures    {format_count(len(paths), 'file')}\n\n")


def make_synthetic(folder: Path, cells: int, seed: int, layout: str, out: TextIO | None) -> None:
    """Make raw data of synthetic cells, and print what to do with it.

    Args:
        folder: where the files go.
        cells: number of cells.
        seed: the same seed gives the same data.
        layout: ``long`` (one file with a column of cell ids) or ``files`` (one file per cell).
        out: where progress goes; ``None`` = no progress.
    """
    from ...data.synthetic.generate import synthesize
    from ..run.task_progress import TaskProgress

    progress = TaskProgress(out)

    def show(done: int, total: int) -> None:
        progress.show("making cells", done, total, "cells")

    try:
        paths = synthesize(folder, cells, seed, cast(Literal["long", "files"], layout), show)
    finally:
        progress.close()
    tables = [path for path in paths if path.suffix == ".csv"]
    print(f"wrote {format_count(len(tables), 'CSV file')} and ground_truth.json to {folder}")
    print(f"next: kilocell init {shown(folder)} --out {shown(folder / 'campaign.toml')}")


def show_versions(json_: bool) -> None:
    """Print the versions of kilocell and of the packages that results depend on."""
    from ...data.installed import installed_version
    from ..run.run_campaign import RECORDED_VERSIONS

    headings = ("package", "version")
    rows = [("python", platform.python_version())]
    rows += [(name, installed_version(name)) for name in RECORDED_VERSIONS]
    print_rows(headings, rows, json_)
