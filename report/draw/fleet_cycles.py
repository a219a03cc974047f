"""Draw capacity, energy efficiency and resistance of many cells over their cycles: bands, and the cells to look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from ...data.arrays import Floats
from ...data.text import format_count
from ..cycle_data import (
    LEAST_CELLS,
    QUANTITIES,
    NamedCell,
    comparable_resistance,
    cycle_quantiles,
    relative_to_first,
    worst_cells,
)
from .style import BLUE, GREY, GRID, ORANGE, PURPLE, VERMILLION, WIDTH_INCH, displayable_name, house_style, put_heading

SINGLE_LINES: Final = 20
"""Largest number of cells with a thin line each."""

BAND_COLOUR: Final = BLUE
NAMED_LOOKS: Final[tuple[dict[str, Any], ...]] = (
    {"color": VERMILLION, "linestyle": "-"},
    {"color": PURPLE, "linestyle": (0, (5, 1.5))},
    {"color": ORANGE, "linestyle": (0, (1, 1.2))},
)
RELATIVE: Final = ("capacity_ah", "resistance_mohm")
"""Quantities that are also drawn in % of each cell's first cycles."""

TAIL: Final = 0.01
"""Share of the values at each end that do not set the range of an axis, and this much of the range as room."""

ROOM: Final = 0.6


@house_style()
def draw_fleet_cycles(cycles: pd.DataFrame) -> Figure:
    """Draw capacity (A h), energy efficiency (%) and resistance (mΩ) of cells over their cycles.

    At each cycle that five cells have, bands show 5-95 % and 25-75 % of them, and a line the median. Up to twenty cells
    have a thin line each. The three cells that lost most of their capacity are named.

    Args:
        cycles: from ``cycle_data.read_cycles`` or ``cycles_frame``; at least one row.
    """
    cycles, second, left_out = comparable_resistance(cycles)
    quantities = [name for name in QUANTITIES if cycles[name].notna().any()]
    figure = Figure(figsize=(WIDTH_INCH, 1.2 + 1.95 * max(len(quantities), 1)), layout="constrained")
    grid = figure.subplots(max(len(quantities), 1), 2, sharex=True, squeeze=False)
    named = worst_cells(cycles, "capacity_ah", len(NAMED_LOOKS)) if len(_cells(cycles)) > 1 else []
    for line, quantity in enumerate(quantities):
        label = QUANTITIES[quantity]
        _draw_quantity(grid[line, 0], cycles, quantity, named)
        if quantity == "resistance_mohm":
            label = f"Resistance after {second:g} s (mΩ)"
            if left_out:
                note = f"{format_count(left_out, 'cell')} measured after another time: left out"
                grid[line, 0].set_title(note, fontsize=7, color=GREY, loc="left")
        grid[line, 0].set_ylabel(label)
        if quantity in RELATIVE:
            _draw_quantity(grid[line, 1], relative_to_first(cycles, quantity), quantity, named)
            grid[line, 1].set_ylabel(f"{label.split(' (')[0]}\n(% of the first cycles)")
        else:
            _draw_cells_with_cycle(grid[line, 1], cycles)
    for axes in grid[-1]:
        axes.set_xlabel("Cycle")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.align_ylabels(grid)
    first, last = int(cycles["cycle_count"].min()), int(cycles["cycle_count"].max())
    heading = f"{format_count(len(_cells(cycles)), 'cell')}, cycles {first} to {last}"
    put_heading(figure, heading, _legend(cycles, named))  # type: ignore[arg-type]
    return figure


def _cells(cycles: pd.DataFrame) -> list[str]:
    return [str(cell) for cell in cycles["cell_id"].unique()]


def _draw_quantity(axes: Axes, cycles: pd.DataFrame, quantity: str, named: Sequence[NamedCell]) -> None:
    """Draw one quantity: bands and median, or thin lines of few cells, and the named cells."""
    quantiles = cycle_quantiles(cycles, quantity)
    at = quantiles["cycle_count"].to_numpy()
    few = len(_cells(cycles)) <= SINGLE_LINES
    if not few:
        axes.fill_between(at, quantiles["q05"], quantiles["q95"], color=BAND_COLOUR, alpha=0.18, linewidth=0)
        axes.fill_between(at, quantiles["q25"], quantiles["q75"], color=BAND_COLOUR, alpha=0.35, linewidth=0)
        axes.plot(at, quantiles["median"], color=BAND_COLOUR, linewidth=1.6)
    else:
        for _, of_cell in cycles.groupby("cell_id", sort=False):
            _draw_line(axes, of_cell, quantity, {"color": GREY, "linewidth": 0.7, "alpha": 0.75})
    for cell, look in zip(named, NAMED_LOOKS, strict=False):
        _draw_line(axes, cycles[cycles["cell_id"] == cell.cell_id], quantity, {"linewidth": 1.1, **look})
    _limit(axes, cycles[quantity].to_numpy(dtype=np.float64))
    axes.grid(color=GRID, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.margins(x=0.02)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5))


def _draw_line(axes: Axes, of_cell: pd.DataFrame, quantity: str, look: dict[str, Any]) -> None:
    """Draw a cell's line; a cell of few cycles has dots."""
    if len(of_cell) <= 3:
        look = {**look, "marker": "o", "markersize": 2.5}
    axes.plot(of_cell["cycle_count"], of_cell[quantity], **look)


def _limit(axes: Axes, values: Floats) -> None:
    """Set the axis to nearly all values: one cycle that was cut short must not flatten all others."""
    known = values[np.isfinite(values)]
    if len(known) < 1 / TAIL:
        return
    low, high = np.percentile(known, [100 * TAIL, 100 - 100 * TAIL])
    room = ROOM * max(high - low, 0.02 * abs(high))
    low, high = max(float(known.min()), low - room), min(float(known.max()), high + room)
    edge = 0.06 * max(high - low, 0.01 * abs(high))
    axes.set_ylim(low - edge, high + edge)


def _draw_cells_with_cycle(axes: Axes, cycles: pd.DataFrame) -> None:
    """Draw how many cells have each cycle: the bands are of these."""
    counts = cycles.groupby("cycle_count")["cell_id"].nunique()
    axes.step(counts.index, counts.to_numpy(), where="mid", color=GREY, linewidth=1.2)
    axes.set_ylim(0, 1.12 * counts.max())
    axes.set_ylabel("Cells with this cycle")
    axes.grid(color=GRID, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))


def _legend(cycles: pd.DataFrame, named: Sequence[NamedCell]) -> list[Line2D | Patch]:
    handles: list[Line2D | Patch] = []
    if len(_cells(cycles)) <= SINGLE_LINES:
        handles.append(Line2D([], [], color=GREY, linewidth=0.9, label="each cell"))
    else:
        handles = [
            Patch(facecolor=BAND_COLOUR, alpha=0.22, label=f"5 to 95 % of the cells (at least {LEAST_CELLS})"),
            Patch(facecolor=BAND_COLOUR, alpha=0.5, label="25 to 75 %"),
            Line2D([], [], color=BAND_COLOUR, linewidth=1.6, label="median"),
        ]
    for cell, look in zip(named, NAMED_LOOKS, strict=False):
        handles.append(Line2D([], [], label=f"{displayable_name(cell.cell_id, 24)}: {cell.why} capacity", **look))
    return handles
