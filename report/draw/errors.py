"""Draw errors by window, step type and cycle: rows of the catalog in, Figure out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
"""Up to so many simulations have a map of step type and window; more would be too small to read."""

CYCLES_DRAWN: Final = 3
"""From so many cycles on, the RMSE over cycles is drawn."""

LAST_SECOND: Final = {"ohmic": "to 2 s", "kinetic": "to 20 s", "diffusion": "to 120 s", "capacity": "later"}


@dataclass(frozen=True, slots=True, eq=False)
class Errors:
    """What is drawn of one simulation.

    Args:
        name: in the legend.
        cycles: its rows of ``comparisons``.
        steps: its rows of ``step_comparisons`` for the whole record.
    """

    name: str
    cycles: Sequence[Row]
    steps: Sequence[Row]


@house_style()
def draw_errors(cell_id: str, errors: Sequence[Errors]) -> Figure:
    """Draw a cell's RMSE by window and by step type as bars, both at once as maps, and over its cycles.

    Args:
        errors: of at least one simulation.
    """
    mapped = errors[:MAPS]
    cycles = max(len(each.cycles) - 1 for each in errors) >= CYCLES_DRAWN
    heights = [2.0, *([1.9] if cycles else []), 0.9 + 0.28 * len(_step_types(errors))]
    figure = Figure(figsize=(WIDTH_INCH, 0.9 + 1.15 * sum(heights)), layout="constrained")
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    bars = grid[0].subgridspec(1, 2, width_ratios=[len(WINDOWS), max(len(_step_types(errors)), 2)])
    left = figure.add_subplot(bars[0])
    right = figure.add_subplot(bars[1], sharey=left)
    windows = {name: f"{name}\n{LAST_SECOND[name]}" for name in WINDOWS}
    _draw_bars(left, errors, "window", windows)
    _draw_bars(right, errors, "step_type", {kind: kind for kind in _step_types(errors)})
    left.set_ylabel("RMSE (mV)")
    left.set_xlabel("Time since the step began")
    right.set_xlabel("Step type")
    right.tick_params(labelleft=False)
    if cycles:
        _draw_cycles(figure.add_subplot(grid[1]), errors)
    maps = grid[len(heights) - 1].subgridspec(1, len(mapped))
    largest = max((abs(row["bias_mv"]) for each in mapped for row in _both(each)), default=1.0) or 1.0
    scale = Normalize(-largest, largest)
    panels = [figure.add_subplot(maps[place]) for place in range(len(mapped))]
    for place, (axes, each) in enumerate(zip(panels, mapped, strict=True)):
        _draw_map(axes, each, _step_types(errors), scale, named=place == 0, maps=len(mapped))
    bar = figure.colorbar(ScalarMappable(scale, BIAS_COLOURS), ax=panels, shrink=0.9, pad=0.02)
    bar.set_label("Colour: bias (mV), > 0 too high\nNumber: RMSE (mV)")
    lines = [
        Line2D([], [], color=COLOURS[n % len(COLOURS)], marker="s", linestyle="none", label=_label(each))
        for n, each in enumerate(errors)
    ]
    put_heading(figure, f"{displayable_name(cell_id)}: where the error is", lines)
    return figure


def _label(errors: Errors) -> str:
    whole = next((row["rmse_mv"] for row in errors.cycles if row["cycle_count"] == 0), None)
    return displayable_name(errors.name) + ("" if whole is None else f": {whole:.1f} mV")


def _step_types(errors: Sequence[Errors]) -> list[str]:
    """The step types that there are, in their own order."""
    there = {row["step_type"] for each in errors for row in each.steps}
    return [kind for kind in STEP_TYPES if kind in there]


def _both(errors: Errors) -> list[Row]:
    return [row for row in errors.steps if ALL not in (row["step_type"], row["window"])]


def _draw_bars(axes: Axes, errors: Sequence[Errors], column: str, parts: Mapping[str, str]) -> None:
    """RMSE of each part, a bar for each simulation; what none of them has is an empty place."""
    other = "step_type" if column == "window" else "window"
    width = 0.8 / len(errors)
    for number, each in enumerate(errors):
        rmse = {row[column]: row["rmse_mv"] for row in each.steps if row[other] == ALL}
        places = np.arange(len(parts)) + (number - (len(errors) - 1) / 2) * width
        heights = [rmse.get(part, np.nan) for part in parts]
        axes.bar(places, heights, 0.92 * width, color=COLOURS[number % len(COLOURS)])
        if len(errors) * len(parts) <= 16:
            for place, height in zip(places, heights, strict=True):
                if np.isfinite(height):
                    axes.text(
                        place,
                        height,
                        f"{height:.0f}" if height >= 9.5 else f"{height:.1f}",
                        ha="center",
                        va="bottom",
                        fontsize=7,
                    )
    axes.set_xticks(range(len(parts)), list(parts.values()))
    axes.set_xlim(-0.55, len(parts) - 0.45)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)


def _draw_cycles(axes: Axes, errors: Sequence[Errors]) -> None:
    for number, each in enumerate(errors):
        rows = [row for row in each.cycles if row["cycle_count"] > 0]
        style = simulated_style(number)
        if len(rows) <= 40:
            style |= {"marker": MARKERS[number % len(MARKERS)], "markersize": 3.5}
        axes.plot([row["cycle_count"] for row in rows], [row["rmse_mv"] for row in rows], **style)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("Cycle")
    axes.set_ylabel("RMSE (mV)")
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)


def _draw_map(axes: Axes, errors: Errors, kinds: Sequence[str], scale: Normalize, *, named: bool, maps: int) -> None:
    """RMSE of each step type in each window as numbers, over the colour of the bias."""
    bias: Floats = np.full((len(kinds), len(WINDOWS)), np.nan)
    windows = list(WINDOWS)
    for row in _both(errors):
        place = kinds.index(row["step_type"]), windows.index(row["window"])
        bias[place] = row["bias_mv"]
        strong = abs(row["bias_mv"]) > 0.6 * (scale.vmax or 1.0)
        text = f"{row['rmse_mv']:.0f}" if row["rmse_mv"] >= 9.5 else f"{row['rmse_mv']:.1f}"
        axes.text(place[1], place[0], text, ha="center", va="center", fontsize=8, color="white" if strong else BLACK)
    axes.imshow(bias, cmap=BIAS_COLOURS, norm=scale, aspect="auto")
    short = windows if maps == 1 else [name[:5] + "." if len(name) > 6 else name for name in windows]
    axes.set_xticks(range(len(windows)), short, fontsize=6.3 if maps > 3 else 8)
    axes.set_yticks(range(len(kinds)), list(kinds) if named else [])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for edge in range(1, len(windows)):
        axes.axvline(edge - 0.5, color="white", linewidth=1.5)
    for edge in range(1, len(kinds)):
        axes.axhline(edge - 0.5, color="white", linewidth=1.5)
    show_literally(axes.set_title(displayable_name(errors.name, 84 // maps), fontsize=8.5, color=GREY))
