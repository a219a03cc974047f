"""Draw the voltage errors of a cell's simulations by window after a step's start, by step type and by cycle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
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
from ...data.error_budget import ErrorBudget, format_rmse
from ..styles import Style
from .envelope import envelope
from .ranges import error_range, mark_beyond
from .style import (
    BLACK,
    COLOURS,
    GREY,
    GRID,
    WIDTH_INCH,
    bar_style,
    displayable_name,
    dot_style,
    house_style,
    line_style,
    put_heading,
    show_literally,
)

Row = Mapping[str, Any]
BIAS_COLOURS: Final = "RdBu_r"
MAPS_ACROSS: Final = 4
"""Largest number of maps of step type and window side by side; more would be too small to read."""

MAPS: Final = 8
"""Largest number of simulations with a map; of more, those with the smallest RMSE have one."""

TALLEST: Final = 4.0
"""A simulation whose RMSE is more than this factor above the median of all does not set the axis of the bars."""

CYCLES_DRAWN: Final = 3
"""Smallest number of cycles for a panel with the RMSE over cycles."""

BARS_WITH_NUMBERS: Final = 16
"""Largest number of bars in a panel with a number on each."""

WIDE_BARS: Final = 12
"""Largest number of bars in a panel for numbers of the usual size; above, they are smaller and do not touch."""

CYCLES_WITH_DOTS: Final = 40
"""Largest number of cycles with a dot on each."""

LAST_SECOND: Final = {"ohmic": "to 2 s", "kinetic": "to 20 s", "diffusion": "to 120 s", "capacity": "later"}
"""End of each window after a step's start, in words."""


@dataclass(frozen=True, slots=True, eq=False)
class Errors:
    """Errors of one simulation.

    Args:
        name: its name in the legend.
        cycles: its rows of the catalog's ``comparisons``.
        steps: its rows of the catalog's ``step_comparisons`` for the complete record.
        style: of its bars and lines; ``None`` = by its place in the figure.
        budget: its error budget; ``None`` = it has none.
    """

    name: str
    cycles: Sequence[Row]
    steps: Sequence[Row]
    style: Style | None = None
    budget: ErrorBudget | None = None

    @property
    def rmse_mv(self) -> float | None:
        """RMSE of the complete record in mV; ``None`` = it has none."""
        return next((row["rmse_mv"] for row in self.cycles if row["cycle_count"] == 0), None)


@house_style()
def draw_errors(cell_id: str, errors: Sequence[Errors], details: str = "") -> Figure:
    """Draw the RMSE (mV) of a cell by window and by step type as bars, by both as maps, and over its cycles.

    Args:
        cell_id: the cell, for the heading.
        errors: of at least one simulation.
        details: below the heading: parameter sets, capacity, temperature, cycles.
    """
    styles = [each.style or Style(COLOURS[number % len(COLOURS)]) for number, each in enumerate(errors)]
    errors = [replace(each, style=style) for each, style in zip(errors, styles, strict=True)]
    step_types = _step_types(errors)
    has_cycles = max(len(each.cycles) - 1 for each in errors) >= CYCLES_DRAWN
    mapped = _choose_mapped(errors) if step_types else []
    map_rows = -(-len(mapped) // MAPS_ACROSS)
    heights = [2.0]
    if has_cycles:
        heights.append(1.9)
    if mapped:
        heights.append((0.9 + 0.28 * len(step_types)) * map_rows)
    height = 1.15 * sum(heights) + (0.25 if details else 0.9)
    figure = Figure(figsize=(WIDTH_INCH, height), layout="constrained")
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    _draw_both_bars(figure, grid[0], errors, step_types)
    if has_cycles:
        _draw_cycles(figure.add_subplot(grid[1]), errors)
    if mapped:
        _draw_maps(figure, grid[len(heights) - 1], mapped, step_types)
    if 0 < len(mapped) < len(errors):
        note = f"Maps: the {MAPS} of {len(errors)} simulations with the smallest RMSE; --model selects."
        figure.supxlabel(note, x=0.01, ha="left", fontsize=7, color=GREY)
    lines = [
        Line2D([], [], label=_label(each), **_with_dots(style, has_dots=True))
        for each, style in zip(errors, styles, strict=True)
    ]
    put_heading(figure, f"{displayable_name(cell_id)}: voltage error by time in step and step type", lines, details)
    return figure


def _with_dots(style: Style, *, has_dots: bool) -> dict[str, Any]:
    """Return how the RMSE over cycles is drawn: a line, with a dot on each cycle if they are few."""
    drawn = line_style(style)
    if has_dots:
        drawn |= {**dot_style(style), "linestyle": drawn["linestyle"], "markersize": 3.5}
    return drawn


def _choose_mapped(errors: Sequence[Errors]) -> list[Errors]:
    """Return the simulations with a map: all, or if they are too many, those with the smallest RMSE."""
    if len(errors) <= MAPS:
        return list(errors)
    rmse_mv = [float("inf") if each.rmse_mv is None else each.rmse_mv for each in errors]
    best = sorted(range(len(errors)), key=lambda at: rmse_mv[at])
    return [errors[at] for at in sorted(best[:MAPS])]


def format_millivolt(value: float) -> str:
    """Return a number of mV with two digits: ``23``, ``2.3``."""
    return f"{value:.0f}" if value >= 9.5 else f"{value:.1f}"


def _label(errors: Errors) -> str:
    """Return name and RMSE of the complete record for the legend."""
    name = displayable_name(errors.name)
    rmse_mv = errors.rmse_mv
    return name if rmse_mv is None else f"{name}: RMSE {format_rmse(rmse_mv, errors.budget)}"


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
    all_heights = []
    for each in errors:
        rmse = {row[column]: row["rmse_mv"] for row in each.steps if row[other] == ALL}
        all_heights.append(np.array([rmse.get(part, np.nan) for part in labels], dtype=np.float64))
    top = _find_top(errors)
    for number, (each, heights) in enumerate(zip(errors, all_heights, strict=True)):
        places: Floats = np.arange(len(labels), dtype=np.float64) + (number - (len(errors) - 1) / 2) * width
        style = each.style or Style(COLOURS[0])
        axes.bar(places, np.fmin(heights, top), 0.92 * width, **bar_style(style))
        if style.marker:
            foot = axes.get_xaxis_transform()
            axes.plot(places, np.full(len(places), 0.05), transform=foot, markersize=3.5, **dot_style(style))
        _mark_cut(axes, places, heights, top, style.colour)
        if len(errors) * len(labels) <= BARS_WITH_NUMBERS:
            size = 7.0 if len(errors) * len(labels) <= WIDE_BARS else 5.8
            _write_heights(axes, places, heights, size, top=top, above=0.08 * top if style.marker else 0.0)
    axes.set_ylim(0.0, 1.12 * top)
    axes.set_xticks(range(len(labels)), list(labels.values()))
    axes.set_xlim(-0.55, len(labels) - 0.45)
    axes.grid(axis="y", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)


def _find_top(errors: Sequence[Errors]) -> float:
    """Return the height of the tallest bar in mV; a simulation far above the others does not count."""
    tops = np.array(
        [max((row["rmse_mv"] for row in each.steps if ALL in (row["step_type"], row["window"])), default=0.0)
         for each in errors]
    )  # fmt: skip
    most = TALLEST * float(np.median(tops))
    near = tops[tops <= most]
    if len(near) == len(tops) or not len(near):
        return float(tops.max()) or 1.0
    return 1.25 * float(near.max()) or 1.0


def _mark_cut(axes: Axes, places: Floats, heights: Floats, top: float, colour: str) -> None:
    """Draw an arrow on each bar that goes on beyond the axis."""
    cut = heights > top
    if cut.any():
        axes.plot(places[cut], np.full(int(cut.sum()), top), "^", color=colour, markersize=5, zorder=3)


def _write_heights(
    axes: Axes, places: Iterable[float], heights: Iterable[float], size: float, *, top: float, above: float
) -> None:
    """Write the height (mV) of each bar above it.

    Args:
        axes: panel.
        places: of the bars.
        heights: of the bars in mV; missing values have no bar.
        size: of the font.
        top: where bars are cut; their number is above the arrow there.
        above: least height of a number, above the markers of the bars.
    """
    for place, height in zip(places, heights, strict=True):
        if np.isfinite(height):
            at = max(height, above) if height <= top else 1.03 * top
            axes.text(place, at, format_millivolt(height), ha="center", va="bottom", fontsize=size)


def _draw_cycles(axes: Axes, errors: Sequence[Errors]) -> None:
    """Draw the RMSE over cycles, a line for each simulation."""
    lines = []
    for each in errors:
        rows = [row for row in each.cycles if row["cycle_count"] > 0]
        cycles = np.array([row["cycle_count"] for row in rows], dtype=np.float64)
        rmse = np.array([row["rmse_mv"] for row in rows], dtype=np.float64)
        style = _with_dots(each.style or Style(COLOURS[0]), has_dots=len(rows) <= CYCLES_WITH_DOTS)
        lines += axes.plot(*envelope(cycles, rmse), **style)
    _, top = error_range([np.asarray(line.get_ydata(), dtype=np.float64) for line in lines])
    axes.set_ylim(0.0, top)
    mark_beyond(axes, lines, "mV")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("Cycle")
    axes.set_ylabel("RMSE (mV)")
    axes.grid(axis="y", color=GRID, linewidth=0.6)


def _draw_maps(figure: Figure, place: Any, errors: Sequence[Errors], step_types: Sequence[str]) -> None:
    """Draw a map of step type and window for each simulation, with one colour scale."""
    across = min(len(errors), MAPS_ACROSS)
    down = -(-len(errors) // across)
    grid = place.subgridspec(down, across)
    largest = max((abs(row["bias_mv"]) for each in errors for row in _rows_of_both(each)), default=1.0) or 1.0
    scale = Normalize(-largest, largest)
    panels = [figure.add_subplot(grid[divmod(number, across)]) for number in range(len(errors))]
    for number, (axes, each) in enumerate(zip(panels, errors, strict=True)):
        is_lowest = number + across >= len(errors)
        _draw_map(axes, each, step_types, scale, named=number % across == 0, windows_named=is_lowest, maps=across)
    bar = figure.colorbar(ScalarMappable(scale, BIAS_COLOURS), ax=panels, shrink=0.9, pad=0.02)
    bar.set_label("Colour: bias (mV), > 0: too high\nNumber: RMSE (mV)")


def _draw_map(
    axes: Axes,
    errors: Errors,
    step_types: Sequence[str],
    scale: Normalize,
    *,
    named: bool,
    windows_named: bool,
    maps: int,
) -> None:
    """Draw one map: RMSE of each step type in each window as a number, its bias as colour.

    Args:
        axes: panel.
        errors: of one simulation.
        step_types: rows of the map.
        scale: of the colours, in mV.
        named: write the step types.
        windows_named: write the windows.
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
    axes.set_xticks(range(len(windows)), names if windows_named else [], fontsize=6.3 if maps > 3 else 8)
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
