"""Plot all cells of a store at once: their RMSE, distributions, cells to look at, error budgets, and lives."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..data.errors import StoreError, UsageError
from ..data.left_out import leave_out
from ..data.text import format_count
from ..parquet_store.layout import Store
from ..sqlite import queries
from ..sqlite.cell_facts import cell_facts
from . import cycle_data, fleet_data
from .curves import read_measured, read_simulated
from .draw.cells import SimulatedCurve
from .draw.distributions import draw_budget, draw_distributions
from .draw.fleet_cycles import draw_fleet_cycles
from .draw.notable import NotablePanel, draw_notable
from .draw.overview import draw_records, draw_rmse
from .fleet_data import NotableCell
from .headings import cell_details, describe_cycles
from .save import save
from .select import select_simulations
from .styles import Styles, read_styles

OVERVIEW_RECORDS: Final = 12
"""Largest number of cells in the figure of measured voltages."""

MOST_CURVES: Final = 8
"""Largest number of simulations of a cell in the figure of the best, the median and the worst one: the best ones."""

WHOLE_CYCLES: Final = 3
"""Up to so many simulated cycles a cell is drawn with all of them; of more, one is."""

Row = Mapping[str, Any]


def plot_overview(store: Store, everything: bool = False) -> list[Path]:
    """Plot all cells: RMSE (mV), its distributions, three cells with their simulations, budgets, lives and records.

    Only what is drawn is read: the catalog, and the records and simulations of fifteen cells.

    Args:
        store: a store with cells.
        everything: also what is out of date or of an earlier campaign.

    Returns:
        Paths of ``overview_rmse`` and, where there is something to draw, of ``overview_distributions``,
        ``overview_cells`` (the best, the median and the worst), ``overview_budget``, ``overview_cycles`` and
        ``overview_voltage``, each in all formats.

    Raises:
        UsageError: the store has no cells.
    """
    with closing(queries.connect(store.catalog, everything=everything)) as catalog:
        rows = fleet_data.read_errors(catalog)
        if not rows:
            raise UsageError(f"the store {store.root} has no cells yet: `kilocell run` fills it")
        styles = read_styles(catalog)
        failures = fleet_data.failure_reasons(catalog)
        cycles = cycle_data.read_cycles(catalog)
    parts = fleet_data.budget_parts(rows)
    spread = [one for one in fleet_data.distributions(rows) if len(one.rmse_mv)]
    figures: dict[str, Callable[[], Figure | None]] = {"overview_rmse": lambda: draw_rmse(rows, styles)}
    if spread:
        figures["overview_distributions"] = lambda: draw_distributions(spread, styles)
        figures["overview_cells"] = lambda: _draw_notable(store, rows, styles, everything)
    if parts or failures:
        figures["overview_budget"] = lambda: draw_budget(rows, parts, failures)
    if cycles["cycle_count"].nunique() > 1:
        figures["overview_cycles"] = lambda: draw_fleet_cycles(cycles)
    figures["overview_voltage"] = lambda: _draw_records(store, rows)
    paths: list[Path] = []
    for name, draw in figures.items():
        figure = draw()
        if figure is not None:
            paths += save(store, figure, name)
    return paths


def _draw_records(store: Store, rows: Sequence[Row]) -> Figure | None:
    """Draw the measured voltage of up to twelve cells; ``None`` = no cell has a record."""
    cells = list(dict.fromkeys(str(row["cell_id"]) for row in rows))
    cleaned = [cell_id for cell_id in cells if store.cleaned(cell_id).is_file()]
    records = {}
    for cell_id in _spread(cleaned, OVERVIEW_RECORDS):
        try:
            records[cell_id] = read_measured(store, cell_id)
        except (StoreError, UsageError) as error:
            leave_out(error)
    return draw_records(records, len(cells)) if records else None


def _draw_notable(store: Store, rows: Sequence[Row], styles: Styles, everything: bool) -> Figure | None:
    """Draw the best, the median and the worst cell with their simulations; ``None`` = none can be read."""
    panels = []
    with closing(queries.connect(store.catalog, everything=everything)) as catalog:
        notable = fleet_data.best_median_worst(rows)
        for cell in notable:
            try:
                panels.append(_read_notable(store, catalog, cell, styles))
            except (StoreError, UsageError) as error:
                leave_out(error)
    if not panels:
        return None
    heading = f"Best, median and worst of {format_count(notable[0].cells, 'cell')} by RMSE"
    return draw_notable(heading if len(panels) > 1 else "Measured and simulated voltage", panels)


def _read_notable(store: Store, catalog: sqlite3.Connection, cell: NotableCell, styles: Styles) -> NotablePanel:
    """Read a cell and its simulations: all simulated cycles, or one of many."""
    simulations = select_simulations(catalog, cell.cell_id)
    known = [row for row in simulations if row["rmse_mv"] is not None]
    shown = sorted(known, key=lambda row: float(row["rmse_mv"]))[:MOST_CURVES]
    shown = [row for row in simulations if row in shown]
    cycles = _shown_cycles(catalog, cell.cell_id, str(min(shown, key=lambda row: row["rmse_mv"])["label"]))
    all_cycles = [int(row["cycle_count"]) for row in queries.cycles(catalog, cell.cell_id)]
    measured = read_measured(store, cell.cell_id, cycles)
    curves = _read_known(store, styles, shown, measured, cycles)
    details = cell_details(shown, describe_cycles(cycles, all_cycles), cell_facts(catalog, cell.cell_id))
    title = f"{cell.role.capitalize()}: {cell.cell_id}, smallest RMSE {cell.rmse_mv:.1f} mV"
    if cell.role == "median":
        title += f" (place {cell.place} of {cell.cells})"
    if len(known) > len(shown):
        title += f"; {len(shown)} of {len(known)} simulations"
    return NotablePanel(title, details, measured, curves)


def _read_known(
    store: Store, styles: Styles, rows: Sequence[Row | sqlite3.Row], measured: pd.DataFrame, cycles: Sequence[int]
) -> list[SimulatedCurve]:
    """Read the simulations of a cell; one that cannot be read is named in the log and left out."""
    looks = styles.curves([(str(row["model"]), str(row["parameter_set"])) for row in rows])
    curves = []
    for row, look in zip(rows, looks, strict=True):
        try:
            curves.append(read_simulated(store, row, measured, cycles, style=look))
        except (StoreError, UsageError) as error:
            leave_out(error)
    return curves


def _shown_cycles(catalog: sqlite3.Connection, cell_id: str, label: str) -> tuple[int, ...]:
    """Return the simulated cycles if they are few, else the one whose RMSE is the median of all."""
    rows = [
        (float(row["rmse_mv"]), int(row["cycle_count"]))
        for row in queries.comparisons(catalog, cell_id, label)
        if row["cycle_count"] and row["rmse_mv"] is not None
    ]
    cycles = sorted(cycle for _, cycle in rows)
    if not cycles or (len(cycles) <= WHOLE_CYCLES and cycles[-1] - cycles[0] < WHOLE_CYCLES):
        return tuple(cycles)
    return (sorted(rows)[(len(rows) - 1) // 2][1],)


def _spread(cells: list[str], most: int) -> list[str]:
    """Return at most ``most`` cells, evenly spread over their order."""
    places = np.linspace(0, len(cells) - 1, min(most, len(cells))).round().astype(int)
    return [cells[place] for place in places]
