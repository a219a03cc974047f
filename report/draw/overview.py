"""Draw all cells of a store at once, five or a thousand of them: rows of the catalog in, Figure out."""

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
from .cells import draw_line, find_holes
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
"""Up to so many cells are named one by one; of more, the distribution is drawn."""

COLUMNS: Final = ("cell_id", "model", "parameter_set", "rmse_mv", "status")
Row = Mapping[str, Any]
"""A line of the catalog's ``results``: cell_id, model, parameter_set, rmse_mv, status; no model = cleaning failed."""


def simulation_names(rows: Sequence[Row]) -> list[str]:
    """Return the simulations' names (``SPMe, Chen2020``), in order of their first appearance."""
    return list(dict.fromkeys(_name(row) for row in rows if row["model"] is not None))


@house_style()
def draw_rmse(rows: Sequence[Row]) -> Figure:
    """Draw the RMSE (mV) of every cell and simulation: dots for named cells, for many cells their distribution.

    Where each cell has one parameter set, and not all the same, simulations are named by their model alone.
    """
    rows = _drop_own_sets(rows)
    cells = {row["cell_id"] for row in rows}
    return _draw_dots(rows) if len(cells) <= NAMED_CELLS else _draw_distribution(rows, len(cells))


@house_style()
def draw_records(records: Mapping[str, pd.DataFrame], cells: int) -> Figure:
    """Draw the measured voltage of some cells, one small panel each, all with one voltage scale.

    Args:
        records: partitions (time, voltage, cycle_count and flags suffice) by cell_id, in order; at least one.
        cells: how many cells the store has.
    """
    across = min(len(records), 3 if len(records) > 4 else 2)
    down = -(-len(records) // across)
    figure = Figure(figsize=(WIDTH_INCH, 0.7 + 1.5 * down), layout="constrained")
    panels = figure.subplots(down, across, sharey=True, squeeze=False).ravel()
    for axes, (cell_id, frame) in zip(panels, records.items(), strict=False):
        draw_line(axes, frame, c.VOLTAGE, find_holes(frame), color=BLACK, linewidth=0.9)
        show_literally(axes.set_title(displayable_name(cell_id, 90 // across), fontsize=8.5))
        axes.margins(x=0.01)
    for axes in panels[len(records) :]:
        axes.set_visible(False)
    some = f"{len(records)} of {cells} cells" if cells > len(records) else format_count(cells, "cell")
    put_heading(figure, f"Measured voltage of {some}")
    figure.supxlabel("Test time (h)", fontsize=8.5)
    figure.supylabel("Voltage (V)", fontsize=8.5)
    return figure


def _drop_own_sets(rows: Sequence[Row]) -> Sequence[Row]:
    """Leave out the names of base sets that say no more than which cell it is; what a fit or variation adds stays."""
    bases: dict[str, set[str]] = {}
    for row in rows:
        if row["model"] is not None:
            bases.setdefault(row["cell_id"], set()).add(row["parameter_set"].partition("+")[0])
    if len(set().union(*bases.values())) < 2 or any(len(own) > 1 for own in bases.values()):
        return rows
    return [
        {
            **{key: row[key] for key in COLUMNS},
            "parameter_set": "".join((row["parameter_set"] or "").partition("+")[1:]),
        }
        for row in rows
    ]


def _name(row: Row) -> str:
    return ", ".join(part for part in (row["model"], row["parameter_set"]) if part)


def _draw_dots(rows: Sequence[Row]) -> Figure:
    """One line a cell, the best cell at the top; what failed stands right of the axis."""
    cells, names = _best_first(rows), simulation_names(rows)
    figure = Figure(figsize=(WIDTH_INCH, 1.3 + 0.24 * len(cells)), layout="constrained")
    axes: Axes = figure.subplots()
    for number, name in enumerate(names):
        style = marker_style(number)
        done = [row for row in rows if _is_simulation(row, name) and row["rmse_mv"] is not None]
        places = [cells.index(row["cell_id"]) for row in done]
        axes.plot(
            [row["rmse_mv"] for row in done], places, markersize=5, alpha=0.9, label=displayable_name(name), **style
        )
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
    """Share of all cells whose RMSE is at most so much; a curve that stays below 100 % tells of failures."""
    figure = Figure(figsize=(WIDTH_INCH, 4.2), layout="constrained")
    axes: Axes = figure.subplots()
    for number, name in enumerate(simulation_names(rows)):
        mine = [row for row in rows if _is_simulation(row, name)]
        rmse = np.sort(np.array([row["rmse_mv"] for row in mine if row["rmse_mv"] is not None], dtype=np.float64))
        failed = sum(row["status"] == "failed" for row in mine)
        middle = f"median {np.median(rmse):.1f} mV" if len(rmse) else "none done"
        label = f"{displayable_name(name)}: {middle}" + (f", {failed} failed" if failed else "")
        share = 100 * np.arange(1, len(rmse) + 1) / cells
        axes.step(rmse, share, where="post", label=label, **simulated_style(number))
    axes.set_ylim(0, 101)
    axes.set_ylabel(f"Cells with at most this RMSE (% of {cells})")
    axes.grid(color="#dddddd", linewidth=0.6)
    _scale_rmse(axes, rows)
    tried = {row["cell_id"] for row in rows if row["model"] is not None and row["status"] in ("done", "failed")}
    note = f"; {cells - len(tried)} not simulated" if len(tried) < cells else ""
    put_heading(figure, f"Simulated against measured voltage, {format_count(cells, 'cell')}{note}", axes.get_lines())
    return figure


def _is_simulation(row: Row, name: str) -> bool:
    return row["model"] is not None and _name(row) == name


def _best_first(rows: Sequence[Row]) -> list[str]:
    """Cells by their smallest RMSE, then those without any by name."""
    best: dict[str, float] = {}
    for row in rows:
        rmse = float("inf") if row["rmse_mv"] is None else float(row["rmse_mv"])
        best[row["cell_id"]] = min(rmse, best.get(row["cell_id"], float("inf")))
    return sorted(best, key=lambda cell_id: (best[cell_id], cell_id))


def _failures(rows: Sequence[Row]) -> str:
    """What is missing of one cell, in words: ``× DFN failed``, ``× all 3 failed``; "" when all is done."""
    failed = [row["model"] for row in rows if row["status"] == "failed" and row["model"] is not None]
    if len(failed) == len(rows) > 1:
        return f"× all {len(rows)} failed"
    if failed:
        return f"× {', '.join(dict.fromkeys(failed))} failed"
    cleaned = any(row.get("rows") is not None for row in rows)
    if not cleaned and any(row["status"] in ("failed", "skipped") for row in rows):
        return "× cleaning failed"
    return "not simulated" if all(row["rmse_mv"] is None for row in rows) else ""


def _scale_rmse(axes: Axes, rows: Sequence[Row]) -> None:
    """RMSE from 0, or on a logarithmic axis when it spans more than a factor of 30."""
    rmse = [float(row["rmse_mv"]) for row in rows if row["rmse_mv"]]
    if rmse and max(rmse) > 30 * min(rmse):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_xlim(left=0, right=1.05 * max(rmse, default=1.0))
    axes.set_xlabel("RMSE of simulated voltage (mV)")
