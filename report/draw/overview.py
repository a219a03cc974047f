"""Draw all cells of a store, from a few to thousands: their RMSE, and the measured voltage of some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from ...data import columns as c
from ...data.text import format_count
from .cells import draw_line, find_holes, find_rows
from .style import (
    BLACK,
    VERMILLION,
    WIDTH_INCH,
    displayable_name,
    house_style,
    marker_style,
    put_heading,
    show_literally,
    simulated_style,
)

NAMED_CELLS: Final = 40
"""Largest number of cells with a named line each; of more cells, the distribution is drawn."""

LOG_FROM: Final = 30.0
"""The RMSE axis is logarithmic if the RMSE spans more than this factor."""

COLUMNS: Final = ("cell_id", "model", "parameter_set", "rmse_mv", "status")
Row = Mapping[str, Any]
"""A row of the catalog's ``results`` with these columns; without a model, the cell was not simulated."""


def simulation_names(rows: Sequence[Row]) -> list[str]:
    """Return the names of the simulations (``SPMe, Chen2020``), in the order of their first row."""
    return list(dict.fromkeys(_name(row) for row in rows if row["model"] is not None))


@house_style()
def draw_rmse(rows: Sequence[Row]) -> Figure:
    """Draw the RMSE (mV) of every cell and simulation: up to 40 cells as dots, more cells as a distribution.

    If each cell has one parameter set, and they differ between cells, the simulations have the names of their models.

    Args:
        rows: of the catalog's ``results``.
    """
    rows = _drop_base_sets(rows)
    cells = {row["cell_id"] for row in rows}
    if len(cells) <= NAMED_CELLS:
        return _draw_dots(rows)
    return _draw_distribution(rows, len(cells))


@house_style()
def draw_records(records: Mapping[str, pd.DataFrame], cells: int) -> Figure:
    """Draw the measured voltage (V) of some cells over time (h), a small panel each, with one voltage axis.

    Args:
        records: cell_id to its partition (time, voltage, cycle_count and flags), in order; at least one.
        cells: number of cells in the store.
    """
    across = min(len(records), 3 if len(records) > 4 else 2)
    down = -(-len(records) // across)
    figure = Figure(figsize=(WIDTH_INCH, 0.7 + 1.5 * down), layout="constrained")
    panels = figure.subplots(down, across, sharey=True, squeeze=False).ravel()
    for axes, (cell_id, frame) in zip(panels, records.items(), strict=False):
        draw_line(axes, frame, c.VOLTAGE, find_holes(frame), rows=find_rows(frame), color=BLACK, linewidth=0.9)
        show_literally(axes.set_title(displayable_name(cell_id, 90 // across), fontsize=8.5))
        axes.margins(x=0.01)
    for axes in panels[len(records) :]:
        axes.set_visible(False)
    which = format_count(cells, "cell")
    if cells > len(records):
        which = f"{len(records)} of {which}"
    put_heading(figure, f"Measured voltage of {which}")
    figure.supxlabel("Test time (h)", fontsize=8.5)
    figure.supylabel("Voltage (V)", fontsize=8.5)
    return figure


def _drop_base_sets(rows: Sequence[Row]) -> Sequence[Row]:
    """Leave out the names of base parameter sets if each cell has one and they differ: they only repeat the cell.

    What a fit or variation adds to the name (``+diffusion``) is kept.
    """
    bases: dict[str, set[str]] = {}
    for row in rows:
        if row["model"] is not None:
            bases.setdefault(row["cell_id"], set()).add(row["parameter_set"].partition("+")[0])
    different_bases = set().union(*bases.values())
    if len(different_bases) < 2 or any(len(of_cell) > 1 for of_cell in bases.values()):
        return rows
    shortened = []
    for row in rows:
        _, plus, addition = (row["parameter_set"] or "").partition("+")
        shortened.append({**{key: row[key] for key in COLUMNS}, "parameter_set": plus + addition})
    return shortened


def _name(row: Row) -> str:
    return ", ".join(part for part in (row["model"], row["parameter_set"]) if part)


def _draw_dots(rows: Sequence[Row]) -> Figure:
    """Draw a line with dots for each cell, the best cell first; failures are written right of the axis."""
    cells = _best_first(rows)
    figure = Figure(figsize=(WIDTH_INCH, 1.3 + 0.24 * len(cells)), layout="constrained")
    axes: Axes = figure.subplots()
    for number, name in enumerate(simulation_names(rows)):
        done = [row for row in rows if _is_simulation(row, name) and row["rmse_mv"] is not None]
        rmse = [row["rmse_mv"] for row in done]
        places = [cells.index(row["cell_id"]) for row in done]
        axes.plot(rmse, places, markersize=5, alpha=0.9, label=displayable_name(name), **marker_style(number))
    for place, cell_id in enumerate(cells):
        what = _failures([row for row in rows if row["cell_id"] == cell_id])
        axes.text(1.01, place, what, transform=axes.get_yaxis_transform(), va="center", color=VERMILLION, fontsize=7.5)
    axes.set_yticks(range(len(cells)), [displayable_name(cell_id, 32) for cell_id in cells])
    show_literally(*axes.get_yticklabels())
    axes.set_ylim(len(cells) - 0.4, -0.6)
    axes.grid(axis="both", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    _scale_rmse(axes, rows)
    axes.set_ylabel("Cell, best first")
    put_heading(figure, "Simulated against measured voltage", axes.get_lines())
    return figure


def _draw_distribution(rows: Sequence[Row], cells: int) -> Figure:
    """Draw the share of all cells up to each RMSE. If simulations failed, their curve ends below 100 %."""
    figure = Figure(figsize=(WIDTH_INCH, 4.2), layout="constrained")
    axes: Axes = figure.subplots()
    for number, name in enumerate(simulation_names(rows)):
        of_name = [row for row in rows if _is_simulation(row, name)]
        rmse = np.sort(np.array([row["rmse_mv"] for row in of_name if row["rmse_mv"] is not None], dtype=np.float64))
        median = f"median {np.median(rmse):.1f} mV" if len(rmse) else "none finished"
        label = f"{displayable_name(name)}: {median}"
        failed = sum(row["status"] == "failed" for row in of_name)
        if failed:
            label += f", {failed} failed"
        share = 100 * np.arange(1, len(rmse) + 1) / cells
        axes.step(rmse, share, where="post", label=label, **simulated_style(number))
    axes.set_ylim(0, 101)
    axes.set_ylabel(f"Cells with at most this RMSE (% of {cells})")
    axes.grid(color="#dddddd", linewidth=0.6)
    _scale_rmse(axes, rows)
    heading = f"Simulated against measured voltage, {format_count(cells, 'cell')}"
    tried = {row["cell_id"] for row in rows if row["model"] is not None and row["status"] in ("done", "failed")}
    if len(tried) < cells:
        heading += f"; {cells - len(tried)} not simulated"
    put_heading(figure, heading, axes.get_lines())
    return figure


def _is_simulation(row: Row, name: str) -> bool:
    return row["model"] is not None and _name(row) == name


def _best_first(rows: Sequence[Row]) -> list[str]:
    """Return the cells by their smallest RMSE, then the cells without an RMSE by name."""
    best: dict[str, float] = {}
    for row in rows:
        rmse = float("inf") if row["rmse_mv"] is None else float(row["rmse_mv"])
        best[row["cell_id"]] = min(rmse, best.get(row["cell_id"], float("inf")))
    return sorted(best, key=lambda cell_id: (best[cell_id], cell_id))


def _failures(rows: Sequence[Row]) -> str:
    """Return what is missing of one cell: ``× DFN failed``, ``× all 3 failed``; "" = nothing."""
    failed = [row["model"] for row in rows if row["status"] == "failed" and row["model"] is not None]
    if len(failed) == len(rows) > 1:
        return f"× all {len(rows)} failed"
    if failed:
        return f"× {', '.join(dict.fromkeys(failed))} failed"
    is_cleaned = any(row.get("rows") is not None for row in rows)
    if not is_cleaned and any(row["status"] in ("failed", "skipped") for row in rows):
        return "× cleaning failed"
    if all(row["rmse_mv"] is None for row in rows):
        return "not simulated"
    return ""


def _scale_rmse(axes: Axes, rows: Sequence[Row]) -> None:
    """Scale the RMSE axis: from 0, or logarithmic if the RMSE spans more than a factor of 30."""
    rmse = [float(row["rmse_mv"]) for row in rows if row["rmse_mv"]]
    if rmse and max(rmse) > LOG_FROM * min(rmse):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_xlim(left=0, right=1.05 * max(rmse, default=1.0))
    axes.set_xlabel("RMSE of simulated voltage (mV)")
