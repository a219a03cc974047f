"""Plot the answers to the four questions into a file that the user names."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..data.errors import StoreError, UsageError
from ..data.left_out import leave_out
from ..data.text import format_count
from ..parquet_store.layout import Store, safe_name
from ..sqlite import queries
from ..sqlite.cell_facts import cell_facts
from .curves import read_curves, read_measured, read_simulated
from .cycle_data import cycles_frame
from .draw.cells import draw_cell
from .draw.curves import CellCurves, draw_curves
from .draw.cycles import NAMED_CELLS, draw_cycles
from .draw.fleet_cycles import draw_fleet_cycles
from .draw.overview import draw_rmse
from .headings import cell_details
from .save import check_format, write_figure
from .styles import Style, read_styles

_log = logging.getLogger(__name__)
MOST_CELLS: Final = 12
"""Largest number of cells with a panel or a figure of their own."""

Row = Mapping[str, Any]


def plot_cycles(rows: Sequence[Row], path: Path) -> Path:
    """Plot capacity (A h), efficiency (%), resistance (mΩ), mean voltage (V) and temperature (°C) over cycles.

    Of more than eight cells, capacity, energy efficiency and resistance are drawn as lines or as bands.

    Args:
        rows: of the catalog's ``cycle_overview``.
        path: the file.

    Raises:
        UsageError: the file is no PNG, PDF or SVG.
    """
    check_format(path)
    cells = {str(row["cell_id"]) for row in rows}
    if len(cells) > NAMED_CELLS:
        return write_figure(draw_fleet_cycles(cycles_frame(rows)), path)
    return write_figure(draw_cycles(rows), path)


def plot_sets(results: Sequence[Row], path: Path) -> Path:
    """Plot the RMSE (mV) of every cell and parameter set; rows are of the catalog's ``results``."""
    return write_figure(draw_rmse(results), path)


def plot_comparison(store: Store, curves: Sequence[Row], select: str | None, path: Path) -> Iterator[Path]:
    """Plot measured and simulated voltage of a part of each cell's record, a file for each cell.

    Args:
        store: the store.
        curves: rows of the catalog's ``curves``; those of a cell follow each other.
        select: the part, such as ``cycle 2``; ``None`` = all.
        path: the file; of several cells, the name of each is added.

    Yields:
        The files, as they are written.

    Raises:
        UsageError: the file is no PNG, PDF or SVG, or there are too many cells.
    """
    check_format(path)
    cells = {cell: list(group) for cell, group in groupby(curves, lambda row: str(row["cell_id"]))}
    if len(cells) > MOST_CELLS:
        raise UsageError(
            f"{len(cells)} cells would be {len(cells)} figures; name at most {MOST_CELLS} with --cell, or draw all of "
            "them with kilocell curves --plot FILE"
        )
    with closing(queries.connect(store.catalog, everything=True)) as catalog:
        styles = read_styles(catalog)
        facts = {cell: cell_facts(catalog, cell) for cell in cells}
        whole = {(row["cell_id"], row["label"]): dict(row) for cell in cells for row in _simulations(catalog, cell)}
    for cell, of_cell in cells.items():
        file = path if len(cells) == 1 else path.with_name(f"{path.stem}_{safe_name(cell)}{path.suffix}")
        try:
            measured = read_measured(store, cell, select=select)
        except StoreError as error:
            if len(cells) == 1:
                raise
            leave_out(error)
            continue
        # Rows of ``curves`` have no error budget; those of ``simulations`` have.
        rows = [{**whole.get((row["cell_id"], row["label"]), {}), **dict(row)} for row in of_cell]
        simulated = read_curves(store, styles, rows, measured, (), select, more=True)
        details = cell_details(of_cell, select or "complete record", facts[cell])
        yield write_figure(draw_cell(cell, measured, simulated, details), file)


def _simulations(catalog: sqlite3.Connection, cell_id: str) -> list[sqlite3.Row]:
    return list(queries.simulations(catalog, cell_id=cell_id, status=None))


def plot_curves(store: Store, curves: Sequence[Row], select: str | None, path: Path) -> Path:
    """Plot measured and simulated voltage of cells, a panel each; of many, the best, the median and the worst ones.

    Args:
        store: the store.
        curves: rows of the catalog's ``curves``.
        select: only this part of each record; ``None`` = all.
        path: the file.

    Raises:
        UsageError: the file is no PNG, PDF or SVG.
        StoreError: no curve can be read.
    """
    check_format(path)
    cells: dict[str, list[Row]] = {}
    for row in curves:
        cells.setdefault(str(row["cell_id"]), []).append(row)
    with closing(queries.connect(store.catalog, everything=True)) as catalog:
        styles = read_styles(catalog)
    looks = styles.curves([(str(row["model"]), str(row["parameter_set"])) for row in curves])
    look_of = {id(row): look for row, look in zip(curves, looks, strict=True)}
    panels = []
    problem: Exception | None = None
    for cell in _best_median_worst(cells):
        try:
            of_cell = [(row, look_of[id(row)]) for row in cells[cell]]
            panels.append(_read_panel(store, cell, of_cell, select))
        except StoreError as error:
            problem = problem or error
            leave_out(error)
        except UsageError as error:
            problem = problem or error
            _log.warning("left out: %s", error)
    if not panels and problem is not None:
        raise problem
    heading = format_count(len(cells), "cell")
    if len(cells) > len(panels):
        heading = f"{len(panels)} of {heading}: the best, the median and the worst ones by RMSE"
    if select is not None:
        heading += f"; {select}"
    return write_figure(draw_curves(heading, panels), path)


def _read_panel(store: Store, cell: str, rows: Sequence[tuple[Row, Style]], select: str | None) -> CellCurves:
    measured = read_measured(store, cell, select=select)
    simulated = []
    for row, style in rows:
        try:
            simulated.append(read_simulated(store, row, measured, (), select, style=style))
        except StoreError as problem:
            leave_out(problem)
    known = [row["rmse_mv"] for row, _ in rows if row["rmse_mv"] is not None]
    rmse = "failed"
    if known:
        rmse = f"RMSE {min(known):.1f} mV" if len(known) == 1 else f"RMSE {min(known):.1f} to {max(known):.1f} mV"
    return CellCurves(cell, measured, simulated, rmse)


def _best_median_worst(cells: Mapping[str, Sequence[Row]]) -> list[str]:
    """Return at most twelve cells by rising RMSE: of more, the four best, the four in the middle, the four worst."""
    unknown = float("inf")

    def rmse(cell: str) -> float:
        return min((row["rmse_mv"] for row in cells[cell] if row["rmse_mv"] is not None), default=unknown)

    ordered = sorted(cells, key=rmse)
    if len(ordered) <= MOST_CELLS:
        return ordered
    third = MOST_CELLS // 3
    middle = (len(ordered) - third) // 2
    places = np.concatenate([np.arange(third), middle + np.arange(third), len(ordered) - third + np.arange(third)])
    return [ordered[place] for place in np.unique(places)]
