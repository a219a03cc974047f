"""Ranges of voltage and error axes: one curve that runs away, or one spike, does not hide all others.

What is outside the range is not lost: a triangle at the edge marks it, and its value is written beside the edge.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ...data.arrays import Floats
from .style import GREY

MARGIN: Final = 0.04
"""Room above and below the curves, as a share of their range."""

SIMULATED_ROOM: Final = 0.25
"""How far simulations may extend the measured range of voltage on each side, as a share of it. Chosen, not measured."""

TAIL_PERCENT: Final = 0.5
"""Share of a curve's samples at each end of its distribution that do not set the range of an error axis."""

FAILED_TAIL_PERCENT: Final = 10.0
"""The same for failed simulations, which often run away before they end. They count only if all failed."""

FAR: Final = 0.5
"""An extreme is on the axis if it is at most this share of the others' range away from them. Chosen, not measured."""


def voltage_range(measured: Floats, simulated: Sequence[Floats], failed: Sequence[Floats] = ()) -> tuple[float, float]:
    """Return the range of a voltage axis: the measured one, a little extended for simulations, never for failed ones.

    Args:
        measured: voltage in V; missing values are ignored.
        simulated: of simulations that are complete, in V.
        failed: of simulations that failed, in V; they count only if there is nothing else.
    """
    low, high = _extremes([measured])
    if not np.isfinite(low):
        if any(np.isfinite(values).any() for values in simulated):
            return robust_range(simulated, start=None)
        return robust_range(failed, start=None, tail_percent=FAILED_TAIL_PERCENT)
    least, most = _extremes(simulated)
    most_room = SIMULATED_ROOM * (high - low)
    low = max(min(low, least), low - most_room)
    high = min(max(high, most), high + most_room)
    return _with_margin(low, high)


def error_range(simulated: Sequence[Floats], failed: Sequence[Floats] = ()) -> tuple[float, float]:
    """Return the range of an axis of errors; it includes 0.

    Args:
        simulated: errors of simulations that are complete, in any unit; missing values are ignored.
        failed: of simulations that failed; they count only if all did.
    """
    if any(np.isfinite(values).any() for values in simulated):
        return robust_range(simulated)
    return robust_range(failed, tail_percent=FAILED_TAIL_PERCENT)


def robust_range(
    curves: Sequence[Floats], start: float | None = 0.0, tail_percent: float = TAIL_PERCENT
) -> tuple[float, float]:
    """Return a range with nearly all samples of each curve, and with their extremes unless these are far away.

    Args:
        curves: values in any unit; missing values are ignored.
        start: a value that the range includes; ``None`` = none.
        tail_percent: share of samples at each end that may be outside.
    """
    known = [values[np.isfinite(values)] for values in curves]
    known = [values for values in known if len(values)]
    given = [] if start is None else [start]
    if not known:
        return _with_margin(*((start, start) if start is not None else (0.0, 1.0)))
    inner = np.array([np.percentile(values, [tail_percent, 100.0 - tail_percent]) for values in known])
    low = min([*given, float(inner[:, 0].min())])
    high = max([*given, float(inner[:, 1].max())])
    least, most = _extremes([*known, np.array(given)])
    room = FAR * (high - low)
    low = least if least >= low - room else low - room / 2
    high = most if most <= high + room else high + room / 2
    return _with_margin(low, high)


def mark_beyond(
    axes: Axes, lines: Sequence[Line2D], unit: str, *, crossed: Sequence[Line2D] = (), inside: bool = False
) -> None:
    """Mark what lines have outside the panel: a triangle of their colour at the edge, and the most extreme value.

    Args:
        axes: panel; its limits are set.
        lines: drawn in the panel.
        unit: of the values.
        crossed: those with a cross at their end, which is at the edge then; they need no triangle.
        inside: whether the value is written inside the panel, because there is no room beside it.
    """
    low, high = axes.get_ylim()
    for sign, edge, marker, place in ((1.0, high, "^", 1.0), (-1.0, low, "v", 0.0)):
        farthest: float | None = None
        for line in lines:
            values = np.asarray(line.get_ydata(), dtype=np.float64)
            if not np.isfinite(values).any():
                continue
            at = int(np.nanargmax(sign * values))
            if sign * values[at] <= sign * edge:
                continue
            if line not in crossed:
                time = float(np.asarray(line.get_xdata(), dtype=np.float64)[at])
                axes.plot(time, edge, marker, color=line.get_color(), markersize=5, clip_on=False, zorder=4)
            farthest = float(values[at]) if farthest is None else sign * max(sign * farthest, sign * float(values[at]))
        if farthest is not None:
            write_beside_edge(axes, "▲" if sign > 0 else "▼", farthest, place, unit, inside=inside)


def write_beside_edge(
    axes: Axes, arrow: str, value: float, place: float, unit: str = "", *, inside: bool = False
) -> None:
    """Write a value that is outside a panel beside its upper or lower edge.

    Args:
        axes: panel.
        arrow: where the value is.
        value: the most extreme one.
        place: 1 = upper edge, 0 = lower edge.
        unit: of the value.
        inside: write it inside the panel.
    """
    digits = 4 if abs(value) >= 100.0 else 3
    text = f"{arrow} {value:.{digits}g} {unit}".rstrip().replace("-", "−")
    at: dict[str, Any] = {"x": 1.005, "va": "center", "ha": "left"}
    if inside:
        at = {"x": 0.99, "va": "top" if place > 0.5 else "bottom", "ha": "right"}
        place = 0.97 if place > 0.5 else 0.03
        at["bbox"] = {"color": "white", "alpha": 0.8, "pad": 0.2}
    axes.text(y=place, s=text, transform=axes.transAxes, fontsize=7, color=GREY, zorder=5, **at)


def _extremes(curves: Sequence[Floats]) -> tuple[float, float]:
    """Return the smallest and the largest known value; infinite in the other direction if there is none."""
    known = [values[np.isfinite(values)] for values in curves]
    low = min((float(values.min()) for values in known if len(values)), default=np.inf)
    high = max((float(values.max()) for values in known if len(values)), default=-np.inf)
    return low, high


def _with_margin(low: float, high: float) -> tuple[float, float]:
    room = MARGIN * (high - low) or 0.05 * abs(high) or 1.0
    return low - room, high + room
