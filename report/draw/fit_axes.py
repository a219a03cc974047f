"""Axes of the figures of fits: RMSE in mV, and a parameter's values on the scale that it was searched on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, NullLocator, StrMethodFormatter

from .fit_style import Row, format_tick, format_unit, short_name
from .style import BLACK, GREEN

LOG_FROM: Final = 10.0
"""RMSE that spans more than this factor gets a logarithmic axis."""

NOISE_NEAR: Final = 10.0
"""Noise is drawn as a line where the best RMSE is at most so many times as large; else it would fill the axis."""


def draw_noise(axes: Axes, noise_mv: float | None, best_mv: float) -> None:
    """Draw the noise of the measured voltage as a line; far below a logarithmic axis, tell it at the foot."""
    if not noise_mv:
        return
    if is_noise_visible(noise_mv, best_mv) or axes.get_yscale() == "linear":
        axes.axhline(noise_mv, color=GREEN, linewidth=1.0, linestyle=(0, (5, 1.5)), zorder=0.5, label="noise measured")
        return
    axes.text(0.02, 0.01, f"↓ noise {noise_mv:.2g} mV", transform=axes.transAxes, va="bottom", fontsize=7, color=GREEN)


def is_noise_visible(noise_mv: float | None, best_mv: float) -> bool:
    """Tell whether the noise is near enough to the best RMSE to be on the axis."""
    return bool(noise_mv and not best_mv > NOISE_NEAR * noise_mv)


def scale_rmse(axes: Axes, name: Literal["x", "y"], rmse_mv: Sequence[float], *, log: bool | None = None) -> None:
    """Scale one axis of RMSE (mV): from 0, or logarithmic where it spans more than a factor of ten (or as told)."""
    known = [value for value in rmse_mv if np.isfinite(value) and value > 0.0]
    span = max(known, default=1.0) / min(known, default=1.0)
    low, high = min(known, default=0.5), max(known, default=1.0)
    axis = axes.xaxis if name == "x" else axes.yaxis
    if not (span > LOG_FROM if log is None else log and bool(known)):
        axes.set(**{f"{name}lim": (0.0, 1.12 * high)})
        axis.set_major_locator(MaxNLocator(nbins=6, steps=(1, 2, 5, 10)))
        return
    axes.set(**{f"{name}scale": "log", f"{name}lim": (low / span**0.08 / 1.05, high * span**0.08 * 1.05)})
    axis.set_major_locator(
        MaxNLocator(nbins=5, steps=(1, 2, 5, 10)) if span < 4.0 else LogLocator(subs=(1, 2, 5) if span < 300 else (1,))
    )
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def value_range(values: Iterable[float], *, log: bool) -> tuple[float, float]:
    """The range of some values with a little room on both sides, on their scale."""
    known = np.array([value for value in values if np.isfinite(value) and (value > 0.0 or not log)], dtype=np.float64)
    placed = np.log(known) if log else known
    low, high = float(placed.min()), float(placed.max())
    room = 0.06 * (high - low) or (0.1 if log else 0.05 * abs(high) or 1.0)
    ends = np.array([low - room, high + room])
    first, last = np.exp(ends) if log else ends
    return float(first), float(last)


def scale_values(axes: Axes, low: float, high: float, *, log: bool, bounds: Iterable[float] = ()) -> None:
    """Give a parameter's values their own scale from ``low`` to ``high``; bounds in sight are dotted lines."""
    few = MaxNLocator(nbins=3, steps=(1, 2, 5, 10))
    if log:
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_minor_formatter(NullFormatter())
        decades = LogLocator(numticks=5) if high / low > 30.0 else LogLocator(subs=(1, 2, 5))
        axes.xaxis.set_major_locator(decades if high / low > 4.0 else few)
    else:
        axes.xaxis.set_major_locator(few)
    axes.xaxis.set_major_formatter(lambda value, _: format_tick(float(value)))
    axes.set_xlim(low, high)
    for bound in sorted(set(bounds)):
        if low < bound < high:
            axes.axvline(bound, color=BLACK, linewidth=1.0, linestyle=(0, (1, 1.2)), zorder=0.5)


def parameter_label(row: Row, width: int) -> str:
    """A parameter's name over lines of so many signs, and its unit below."""
    unit = format_unit(row)
    return short_name(row["parameter"], width, 3) + (f"\n({unit})" if unit else "")
