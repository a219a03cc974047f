"""Axes of the figures of fits: RMSE in mV, and parameter values on the scale of their search."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import Locator, LogLocator, MaxNLocator, NullFormatter, NullLocator, StrMethodFormatter

from .fit_style import Row, format_tick, format_unit, short_name
from .style import BLACK, GREEN

LOG_FROM: Final = 10.0
"""An RMSE axis is logarithmic if the RMSE spans more than this factor."""

NOISE_NEAR: Final = 10.0
"""Largest best RMSE, in units of the noise, for which the noise is a line; otherwise it would need most of the axis."""

NOISE_TEXT_SHARE: Final = 0.13
"""Share of the RMSE axis that the text about the noise needs at its lower end."""

_STEPS: Final = (1, 2, 5, 10)
"""Distances between ticks, times a power of ten."""


def draw_noise(axes: Axes, noise_mv: float | None, best_mv: float) -> None:
    """Draw the noise of the measured voltage as a line; if it is far below a logarithmic axis, as text.

    Args:
        axes: panel with the RMSE (mV) on its y axis.
        noise_mv: noise of the measured voltage in mV; ``None`` = not known.
        best_mv: smallest RMSE in mV.
    """
    if not noise_mv:
        return
    if is_noise_visible(noise_mv, best_mv) or axes.get_yscale() == "linear":
        axes.axhline(noise_mv, color=GREEN, linewidth=1.0, linestyle=(0, (5, 1.5)), zorder=0.5, label="measured noise")
        return
    bottom, top = axes.get_ylim()
    if np.isfinite(best_mv) and 0.0 < best_mv < top:
        # Place the best RMSE above the text: log(best / bottom) is at least this share of log(top / bottom).
        lowest = (best_mv / top**NOISE_TEXT_SHARE) ** (1.0 / (1.0 - NOISE_TEXT_SHARE))
        axes.set_ylim(bottom=min(bottom, lowest))
    axes.text(0.02, 0.01, f"↓ noise {noise_mv:.2g} mV", transform=axes.transAxes, va="bottom", fontsize=7, color=GREEN)


def is_noise_visible(noise_mv: float | None, best_mv: float) -> bool:
    """Tell whether the noise is on the RMSE axis: known, and at least a tenth of the best RMSE.

    Args:
        noise_mv: noise of the measured voltage in mV; ``None`` = not known.
        best_mv: smallest RMSE in mV.
    """
    return bool(noise_mv and not best_mv > NOISE_NEAR * noise_mv)


def scale_rmse(axes: Axes, name: Literal["x", "y"], rmse_mv: Sequence[float], *, log: bool | None = None) -> None:
    """Scale an RMSE axis: linear from 0, or logarithmic.

    Args:
        axes: panel.
        name: which axis.
        rmse_mv: all values on the axis in mV; NaN and 0 are ignored.
        log: whether the axis is logarithmic; ``None`` = if the values span more than a factor of ten.
    """
    known = [value for value in rmse_mv if np.isfinite(value) and value > 0.0]
    span = max(known, default=1.0) / min(known, default=1.0)
    if log is None:
        log = span > LOG_FROM
    axis = axes.xaxis if name == "x" else axes.yaxis
    if not log or not known:
        axes.set(**{f"{name}lim": (0.0, 1.12 * max(known, default=1.0))})
        axis.set_major_locator(MaxNLocator(nbins=6, steps=_STEPS))
        return
    low = min(known) / span**0.08 / 1.05
    high = max(known) * span**0.08 * 1.05
    axes.set(**{f"{name}scale": "log", f"{name}lim": (low, high)})
    axis.set_major_locator(_log_ticks(span))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def _log_ticks(span: float) -> Locator:
    """Return ticks of a logarithmic axis whose values span this factor."""
    if span < 4.0:
        return MaxNLocator(nbins=5, steps=_STEPS)
    if span < 300:
        return LogLocator(subs=(1, 2, 5))
    return LogLocator(subs=(1,))


def value_range(values: Iterable[float], *, log: bool) -> tuple[float, float]:
    """Return the range of some values with a margin on both sides.

    Args:
        values: at least one finite value; infinite ones are ignored.
        log: whether the scale is logarithmic; then values must be positive, and others are ignored.
    """
    known = np.array([value for value in values if np.isfinite(value) and (value > 0.0 or not log)], dtype=np.float64)
    if log:
        known = np.log(known)
    low = float(known.min())
    high = float(known.max())
    room = 0.06 * (high - low)
    if room == 0.0:
        room = 0.1 if log else 0.05 * abs(high) or 1.0
    ends = np.array([low - room, high + room])
    if log:
        ends = np.exp(ends)
    return float(ends[0]), float(ends[1])


def scale_values(axes: Axes, low: float, high: float, *, log: bool, bounds: Iterable[float] = ()) -> None:
    """Scale the x axis for a parameter's values.

    Args:
        axes: panel.
        low: lower limit of the axis.
        high: upper limit of the axis.
        log: whether the axis is logarithmic.
        bounds: bounds of the search; those inside the limits are dotted lines.
    """
    few = MaxNLocator(nbins=3, steps=_STEPS)
    if log:
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_minor_formatter(NullFormatter())
    if log and high / low > 30.0:
        axes.xaxis.set_major_locator(LogLocator(numticks=5))
    elif log and high / low > 4.0:
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    else:
        axes.xaxis.set_major_locator(few)
    axes.xaxis.set_major_formatter(lambda value, _: format_tick(float(value)))
    axes.set_xlim(low, high)
    for bound in sorted(set(bounds)):
        if low < bound < high:
            axes.axvline(bound, color=BLACK, linewidth=1.0, linestyle=(0, (1, 1.2)), zorder=0.5)


def parameter_label(row: Row, width: int) -> str:
    """Return a parameter's name and, on the next line, its unit.

    Args:
        row: of the catalog's ``fit_parameters``.
        width: number of characters of a line; the name has at most three lines.
    """
    name = short_name(row["parameter"], width, 3)
    unit = format_unit(row)
    return f"{name}\n({unit})" if unit else name
