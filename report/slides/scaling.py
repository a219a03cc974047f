"""The page about scaling: the measured rate of the store's jobs, and what it means for more cells and cores."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ...sqlite import queries, slide_queries
from .content import Bar, Bars, Emphasis, Lines, Panel, Slide, Table, missing
from .words import amount, count, duration, size

CELLS: Final = (1_000, 10_000)
CORES: Final = (2, 16, 100)
STAGES: Final = {
    "split": "split files",
    "clean": "clean",
    "simulate": "simulate",
    "start": "fit: starts",
    "fit": "fit: intervals",
    "profile": "fit: profiles",
}
TITLE: Final = "Scaling"


@dataclass(frozen=True, slots=True)
class Rates:
    """The measured rates of a store.

    Args:
        cells: of the campaign.
        jobs: with a measured time.
        busy_second: sum of their durations; a job uses one core.
        second_per_cell: core seconds per cell of each kind of job: mean of a job × planned jobs / cells.
        not_measured: kinds of planned jobs of which none has ended.
        store_bytes: size of the store's folder; ``None`` = unknown.
        cleaned: cells whose cleaning has ended.
    """

    cells: int
    jobs: int
    busy_second: float
    second_per_cell: Mapping[str, float]
    not_measured: tuple[str, ...]
    store_bytes: int | None
    cleaned: int

    @property
    def bytes_per_cell(self) -> float | None:
        """Size of the store for each cleaned cell; ``None`` = unknown, or no cell is cleaned."""
        return None if self.store_bytes is None or not self.cleaned else self.store_bytes / self.cleaned

    @property
    def core_second_per_cell(self) -> float:
        """Core seconds of all jobs of a cell."""
        return sum(self.second_per_cell.values())

    def project(self, cells: int, cores: int) -> float:
        """Return the time in s for a number of cells, if all cores are always busy."""
        return cells * self.core_second_per_cell / cores


def read_rates(catalog: sqlite3.Connection, store_bytes: int | None) -> Rates | None:
    """Return the measured rates; ``None`` = no job has ended.

    Args:
        catalog: from ``queries.connect``.
        store_bytes: size of the store's folder; ``None`` = unknown.
    """
    measured = {row["kind"]: row for row in slide_queries.job_seconds(catalog)}
    cells = slide_queries.store_totals(catalog)["cells"]
    if not measured or not cells:
        return None
    planned: dict[str, int] = {}
    for row in queries.job_counts(catalog):
        if row["status"] != "skipped":
            planned[row["kind"]] = planned.get(row["kind"], 0) + row["count"]
    per_cell = {
        kind: measured[kind]["seconds"] / measured[kind]["jobs"] * planned.get(kind, measured[kind]["jobs"]) / cells
        for kind in STAGES
        if kind in measured
    }
    return Rates(
        cells,
        sum(row["jobs"] for row in measured.values()),
        sum(row["seconds"] for row in measured.values()),
        per_cell,
        tuple(STAGES[kind] for kind in STAGES if kind in planned and kind not in measured),
        store_bytes,
        measured["clean"]["cells"] if "clean" in measured else 0,
    )


def scaling(catalog: sqlite3.Connection, store_bytes: int | None) -> Slide:
    """Return the page; arguments as of :func:`read_rates`."""
    rates = read_rates(catalog, store_bytes)
    if rates is None:
        return missing(f"{TITLE}: no job has ended yet", "To measure the rate of this machine, run:", "kilocell run")
    each = f"{amount(rates.core_second_per_cell, 2)} core seconds"
    title = f"{TITLE}: {each} per cell"
    runs = slide_queries.run_rates(catalog)
    if runs and runs[0]["cells"] and runs[0]["span_second"]:
        took = duration(runs[0]["span_second"])
        title = f"{TITLE}: {count(runs[0]['cells'], 'cell')} in {took}, {each} each"
    bars = tuple(Bar(STAGES[kind], second, f"{amount(second, 2)} s") for kind, second in rates.second_per_cell.items())
    return Slide(
        title,
        (
            Panel("Measured: core seconds per cell", Bars(("stage", "core seconds per cell"), bars),
                  (0.6, 2.75, 5.2, 3.3)),
            Panel("Time and size of the store", _projection(catalog, rates), (6.2, 2.75, 6.53, 3.3)),
            Panel("", Lines(tuple(_assumptions(catalog, rates))), (0.6, 0.85, 12.13, 1.8)),
        ),
    )  # fmt: skip


def _projection(catalog: sqlite3.Connection, rates: Rates) -> Table:
    rows: list[tuple[str, ...]] = []
    emphasis: list[Emphasis] = []
    runs = slide_queries.run_rates(catalog)
    if runs and runs[0]["span_second"]:
        run = runs[0]
        busy = run["busy_second"] / run["span_second"]
        time = duration(run["span_second"])
        rows.append(("measured", f"{run['cells']:,}", f"{amount(busy, 2)} busy", time, size(rates.store_bytes)))
        emphasis.append("measured")
    for cells in CELLS:
        stored = None if rates.bytes_per_cell is None else rates.bytes_per_cell * cells
        for cores in CORES:
            rows.append(("projected", f"{cells:,}", f"{cores}", duration(rates.project(cells, cores)), size(stored)))
            emphasis.append("projected")
    return Table(("", "Cells", "Cores", "Time", "Store"), tuple(rows), tuple(emphasis))


def _assumptions(catalog: sqlite3.Connection, rates: Rates) -> list[str]:
    """Return sentences about what was measured, and what the projection assumes."""
    rate = rates.jobs / rates.busy_second if rates.busy_second > 0 else None
    lines = [f"Measured: {count(rates.jobs, 'job')}, {amount(rate, 2)} jobs per second and core"]
    runs = [run for run in slide_queries.run_rates(catalog) if run["span_second"]]
    fastest = max((run["jobs"] / run["span_second"] for run in runs), default=0.0)
    if fastest:
        lines[0] += f"; the fastest run: {amount(fastest, 2)} jobs per second"
        lines.append("Busy: mean number of jobs that ran at the same time")
    lines.append("Projected: the same work per cell, every core always busy, no start-up of workers")
    if rate is not None and fastest and rate * CORES[-1] > 2 * fastest:
        lines.append(
            f"{CORES[-1]} cores would finish {amount(rate * CORES[-1], 2)} jobs per second: not tested in this store"
        )
    waiting = sum(row["count"] for row in queries.job_counts(catalog) if row["status"] == "pending")
    if waiting:
        lines.append(f"{count(waiting, 'job')} of the plan not done yet: the sizes are of what is there")
    if rates.not_measured:
        lines.append(f"Not measured yet, so not included: {', '.join(rates.not_measured)}")
    return lines
