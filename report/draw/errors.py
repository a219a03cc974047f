"""Draw the voltage errors of a cell's simulations by window after a step's start, by step type and by cycle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ...data.arrays import Floats
from ...data.columns import ALL, STEP_TYPES, WINDOWS
from .style import (
    BLACK,
    COLOURS,
    GREY,
    MARKERS,
    WIDTH_INCH,
    displayable_name,
    house_style,
    put_heading,
    show_literally,
    simulated_style,
)

Row = Mapping[str, Any]
BIAS_COLOURS: Final = "RdBu_r"
MAPS: Final = 4
"""Largest number of simulations with a map of step type and window; more maps would be too small to read."""

CYCLES_DRAWN: Final = 3
"""Smallest number of cycles for a panel with the RMSE over cycles."""

BARS_WITH_NUMBERS: Final = 16
"""Largest number of bars in a panel with a number on each."""

WIDE_BARS: Final = 12
"""Largest number of bars in a panel for numbers of the usual size; above, they are smaller and do not touch."""

CYCLES_WITH_MARKERS: Final = 40
"""Largest number of cycles with a marker on each."""

LAST_SECOND: Final = {"ohmic": "to 2 s", "kinetic": "to 20 s", "diffusion": "to 120 s", "capacity": "later"}
"""End of each window after a step's start, in words."""


@dataclass(frozen=True, slots=True, eq=False)
class Errors:
    """Errors of one simulation.

    Args:
        name: its name in the legend.
        cycles: its rows of the catalog's ``comparisons``.
        steps: its rows of the catalog's ``step_comparisons`` for the complete record.
    """

    name: str
    cycles: Sequence[Row]
    steps: Sequence[Row]


@house_style()
def draw_errors(cell_id: str, errors: Sequence[Errors]) -> Figure:
    """Draw the RMSE (mV) of a cell by window and by step type as bars, by both as maps, and over its cycles.

    Args:
        cell_id: the cell, for the heading.
        errors: of at least one simulation.
    """
    step_types = _step_types(errors)
    has_cycles = max(len(each.cycles) - 1 for each in errors) >= CYCLES_DRAWN
    heights = [2.0]
    if has_cycles:
        heights.append(1.9)
    heights.append(0.9 + 0.28 * len(step_types))
    figure = Figure(figsize=(WIDTH_INCH, 0.9 + 1.15 * sum(heights)), layout="constrained")
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    _draw_both_bars(figure, grid[0], errors, step_types)
    if has_cycles:
        _draw_cycles(figure.add_subplot(grid[1]), errors)
    _draw_maps(figure, grid[len(heights) - 1], errors[:MAPS], step_types)
    lines = [
        Line2D([], [], color=COLOURS[number % len(COLOURS)], marker="s", linestyle="none", label=_label(each))
        for number, each in enumerate(errors)
    ]
    put_heading(figure, f"{displayable_name(cell_id)}: voltage error by time in step and step type", lines)
    return figure


def format_millivolt(value: float) -> str:
    """Return a number of mV with two digits: ``23``, ``2.3``."""
    return f"{value:.0f}" if value >= 9.5 else f"{value:.1f}"


def _label(errors: Errors) -> str:
    """Return name and RMSE of the complete record for the legend."""
    name = displayable_name(errors.name)
    for row in errors.cycles:
        if row["cycle_count"] == 0:
            return name if row["rmse_mv"] is None else f"{name}: {row['rmse_mv']:.1f} mV"
    return name


def _step_types(errors: Sequence[Errors]) -> list[str]:
    """Return the step types that occur, in the order of ``STEP_TYPES``."""
    occurring = {row["step_type"] for each in errors for row in each.steps}
    return [step_type for step_type in STEP_TYPES if step_type in occurring]


def _rows_of_both(errors: Errors) -> list[Row]:
    """Return the rows for one step type and one window."""
    return [row for row in errors.steps if ALL not in (row["step_type"], row["window"])]


def _draw_both_bars(figure: Figure, place: Any, errors: Sequence[Errors], step_types: Sequence[str]) -> None:
    """Draw two panels of bars with a shared RMSE axis: by window and by step type."""
    grid = place.subgridspec(1, 2, width_ratios=[len(WINDOWS), max(len(step_types), 2)])
    left = figure.add_subplot(grid[0])
    right = figure.add_subplot(grid[1], sharey=left)
    _draw_bars(left, errors, "window", {name: f"{name}\n{LAST_SECOND[name]}" for name in WINDOWS})
    _draw_bars(right, errors, "step_type", {step_type: step_type for step_type in step_types})
    left.set_ylabel("RMSE (mV)")
    left.set_xlabel("Time since step start")
    right.set_xlabel("Step type")
    right.tick_params(labelleft=False)


def _draw_bars(axes: Axes, errors: Sequence[Errors], column: str, labels: Mapping[str, str]) -> None:
    """Draw the RMSE as bars, one for each part and simulation; a part that does not occur stays empty.

    Args:
        axes: panel.
        errors: of the simulations.
        column: ``window`` or ``step_type``.
        labels: value of the column to its label.
    """
    other = "step_type" if column == "window" else "window"
    width = 0.8 / len(errors)
    for number, each in enumerate(errors):
        rmse = {row[column]: row["rmse_mv"] for row in each.steps if row[other] == ALL}
        places = np.arange(len(labels)) + (number - (len(errors) - 1) / 2) * width
        heights = [rmse.get(part, np.nan) for part in labels]
        axes.bar(places, heights, 0.92 * width, color=COLOURS[number % len(COLOURS)])
        if len(errors) * len(labels) <= BARS_WITH_NUMBERS:
            _write_heights(axes, places, heights, 7.0 if len(errors) * len(labels) <= WIDE_BARS else 5.8)
    axes.set_xticks(range(len(labels)), list(labels.values()))
    axes.set_xlim(-0.55, len(labels) - 0.45)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)


def _write_heights(axes: Axes, places: Iterable[float], heights: Sequence[float], size: float) -> None:
    """Write the height (mV) of each bar above it, in this font size."""
    for place, height in zip(places, heights, strict=True):
        if np.isfinite(height):
            axes.text(place, height, format_millivolt(height), ha="center", va="bottom", fontsize=size)


def _draw_cycles(axes: Axes, errors: Sequence[Errors]) -> None:
    """Draw the RMSE over cycles, a line for each simulation."""
    for number, each in enumerate(errors):
        rows = [row for row in each.cycles if row["cycle_count"] > 0]
        style = simulated_style(number)
        if len(rows) <= CYCLES_WITH_MARKERS:
            style |= {"marker": MARKERS[number % len(MARKERS)], "markersize": 3.5}
        axes.plot([row["cycle_count"] for row in rows], [row["rmse_mv"] for row in rows], **style)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("Cycle")
    axes.set_ylabel("RMSE (mV)")
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)


def _draw_maps(figure: Figure, place: Any, errors: Sequence[Errors], step_types: Sequence[str]) -> None:
    """Draw a map of step type and window for each simulation, with one colour scale."""
    grid = place.subgridspec(1, len(errors))
    largest = max((abs(row["bias_mv"]) for each in errors for row in _rows_of_both(each)), default=1.0) or 1.0
    scale = Normalize(-largest, largest)
    panels = [figure.add_subplot(grid[number]) for number in range(len(errors))]
    for number, (axes, each) in enumerate(zip(panels, errors, strict=True)):
        _draw_map(axes, each, step_types, scale, named=number == 0, maps=len(errors))
    bar = figure.colorbar(ScalarMappable(scale, BIAS_COLOURS), ax=panels, shrink=0.9, pad=0.02)
    bar.set_label("Colour: bias (mV), > 0: too high\nNumber: RMSE (mV)")


def _draw_map(
    axes: Axes, errors: Errors, step_types: Sequence[str], scale: Normalize, *, named: bool, maps: int
) -> None:
    """Draw one map: RMSE of each step type in each window as a number, its bias as colour.

    Args:
        axes: panel.
        errors: of one simulation.
        step_types: rows of the map.
        scale: of the colours, in mV.
        named: write the step types.
        maps: number of maps side by side.
    """
    windows = list(WINDOWS)
    bias: Floats = np.full((len(step_types), len(windows)), np.nan)
    for row in _rows_of_both(errors):
        line = step_types.index(row["step_type"])
        column = windows.index(row["window"])
        bias[line, column] = row["bias_mv"]
        is_dark = abs(row["bias_mv"]) > 0.6 * (scale.vmax or 1.0)
        colour = "white" if is_dark else BLACK
        text = format_millivolt(row["rmse_mv"])
        axes.text(column, line, text, ha="center", va="center", fontsize=8, color=colour)
    axes.imshow(bias, cmap=BIAS_COLOURS, norm=scale, aspect="auto")
    names = windows if maps == 1 else [_abbreviate(name) for name in windows]
    axes.set_xticks(range(len(windows)), names, fontsize=6.3 if maps > 3 else 8)
    axes.set_yticks(range(len(step_types)), list(step_types) if named else [])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for edge in range(1, len(windows)):
        axes.axvline(edge - 0.5, color="white", linewidth=1.5)
    for edge in range(1, len(step_types)):
        axes.axhline(edge - 0.5, color="white", linewidth=1.5)
    show_literally(axes.set_title(displayable_name(errors.name, 84 // maps), fontsize=8.5, color=GREY))


def _abbreviate(name: str) -> str:
    if len(name) <= 6:
        return name
    return f"{name[:5]}."
