"""Draw profile likelihoods: how the cost rises when a parameter is held and all others are fitted anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .fit_axes import label_of, scale_values, value_range
from .fit_style import Row, tick_in_words
from .style import BLACK, BLUE, GREY, SHADE, plain

ACROSS: Final = 3
TITLE_SIGNS: Final = 36
LEAST_TOP, MOST_TOP = 1.5, 4.0
"""How far the axis of the cost reaches at least and at most, in heights of the 95 % level."""
LEGEND: Final = (
    Line2D([], [], color=BLUE, marker="o", markersize=3, label="profile"),
    Line2D([], [], color=GREY, linestyle=(0, (4, 2)), label="linear interval"),
    Line2D([], [], color=BLACK, linewidth=0.8, label="95 % level"),
)

Profiles = Mapping[str, Sequence[Row]]
"""The points of each parameter's profile by rising value, rows as of ``fit_queries.profile_points``."""


def rows_of(profiles: Profiles) -> int:
    """How many rows of panels they need."""
    return -(-len(profiles) // _across(len(profiles)))


def _across(panels: int) -> int:
    """Panels side by side: three, but four are two by two."""
    return 2 if panels == 4 else min(panels, ACROSS)


def draw_profiles(figure: Figure, place: Any, parameters: Sequence[Row], profiles: Profiles) -> None:
    """Draw a panel for each profile, in the order of the parameters.

    Args:
        parameters: rows of ``fit_parameters``.
    """
    shown = [row for row in parameters if profiles.get(row["parameter"])]
    across = _across(len(shown))
    grid = place.subgridspec(rows_of(profiles), across)
    for number, row in enumerate(shown):
        axes = figure.add_subplot(grid[number // across, number % across])
        _draw_profile(axes, row, profiles[row["parameter"]])
        axes.set_ylabel("Cost above the best\n(95 % level = 1)" if number % across == 0 else "")
        axes.tick_params(labelleft=number % across == 0)


def _draw_profile(axes: Axes, row: Row, points: Sequence[Row]) -> None:
    """Cost over the parameter's value; the shade is its 95 % interval, dashes what the linear one would be."""
    first = points[0]
    rise = first["level"] - first["best_cost"]
    values = np.array([point["value"] for point in points], dtype=np.float64)
    heights = (np.array([point["cost"] for point in points], dtype=np.float64) - first["best_cost"]) / (rise or 1.0)
    top = float(np.clip(1.1 * heights.max(), LEAST_TOP, MOST_TOP))
    low, high = value_range([*values, row["value"]], log=row["scale"] == "log")
    axes.axvspan(
        low if first["lower_95"] is None else first["lower_95"],
        high if first["upper_95"] is None else first["upper_95"],
        color=SHADE,
        zorder=0,
    )
    axes.axhline(1.0, color=BLACK, linewidth=0.8, zorder=1)
    _draw_parabola(axes, row, low, high)
    axes.plot(values, heights, "-o", color=BLUE, markersize=3, zorder=3)
    axes.plot(row["value"], 0.0, "D", color=BLACK, markersize=5, zorder=4)
    axes.set_ylim(-0.08 * top, top)
    scale_values(axes, low, high, log=row["scale"] == "log", bounds=(row["lower"], row["upper"]))
    axes.set_xlabel(label_of(row, 30))
    plain(axes.xaxis.label)
    axes.set_title("\n".join(wrap(_in_words(first), TITLE_SIGNS)[:3]), fontsize=7, color=GREY)


def _in_words(first: Row) -> str:
    """The interval; where it is open, why."""
    if first["lower_95"] is None or first["upper_95"] is None:
        return str(first["verdict"] or "open")
    low, high = (tick_in_words(float(f"{first[side]:.3g}")) for side in ("lower_95", "upper_95"))
    return f"95 %: {low} to {high}"


def _draw_parabola(axes: Axes, row: Row, low: float, high: float) -> None:
    """The cost that the linear interval stands for: a parabola on the parameter's own scale, 1 at its ends."""
    if row["upper_95"] is None or not np.isfinite(row["upper_95"]):
        return
    log = row["scale"] == "log"
    at = np.geomspace(low, high, 101) if log else np.linspace(low, high, 101)
    away = np.log(at / row["value"]) if log else at - row["value"]
    half = np.log(row["upper_95"] / row["value"]) if log else row["upper_95"] - row["value"]
    if half > 0.0:
        axes.plot(at, (away / half) ** 2, color=GREY, linestyle=(0, (4, 2)), linewidth=1.0, zorder=2)
