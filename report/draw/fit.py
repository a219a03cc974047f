"""Draw what a fit did to the voltage: measured, default and fitted, errors, errors by window, and its starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ...data import columns as c
from ...data.convert import SECONDS_PER_HOUR
from ...data.text import format_count
from .cells import ROUND_STEPS, SimulatedCurve, draw_error_curves, draw_voltages, find_holes, rmse_mv, shade_cycles
from .errors import LAST_SECOND
from .fit_axes import draw_noise, is_noise_visible, scale_rmse
from .fit_style import FIRST, Start, rank_starts, start_mark, start_name
from .style import BLACK, COLOURS, GREY, ORANGE, VERMILLION, WIDTH_INCH, house_style, put_heading

STARTS_NAMED: Final = 12
"""Up to so many starts (and of those that failed, the reasons) are named one by one."""

Windows = Mapping[str, tuple[float, float | None]]
"""Of each window after a step's start: RMSE in mV, and RMSE of the error's change since the step began."""


@house_style()
def draw_fit(
    heading: str,
    measured: pd.DataFrame,
    simulated: Sequence[SimulatedCurve],
    starts: Sequence[Start],
    *,
    noise_mv: float | None = None,
    held_out: Sequence[int] = (),
    windows: Mapping[str, Sequence[Windows]] | None = None,
) -> Figure:
    """Draw a fit: measured, default and fitted voltage, their errors, errors by window, and where each start ended.

    Args:
        measured: samples of the fitted cycles and of those held out.
        simulated: the default first (where it was simulated), the fitted last.
        noise_mv: of the measured voltage; no fit gets below it.
        held_out: cycles that were not fitted; they are shaded, and have an RMSE of their own in the legend.
        windows: by the part of the record (``fitted cycles``), errors by window in the order of ``simulated``.
    """
    parts = {name: values for name, values in (windows or {}).items() if any(values)}
    heights = [1.9, 1.0, *([1.15] if parts else [])]
    figure = Figure(figsize=(WIDTH_INCH, 0.75 + 1.35 * sum(heights)), layout="constrained")
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    top = grid[:2].subgridspec(2, 2, width_ratios=[3.0, 1.0], height_ratios=heights[:2])
    voltage = figure.add_subplot(top[0, 0])
    error = figure.add_subplot(top[1, 0], sharex=voltage)
    for axes in (voltage, error):
        shade_cycles(axes, measured, named=axes is voltage)
        _shade_held_out(axes, measured, held_out, named=axes is voltage)
    lines = draw_voltages(voltage, measured, simulated)
    _label_held_out(lines[1:], measured, simulated, held_out)
    voltage.tick_params(labelbottom=False)
    draw_error_curves(error, simulated, find_holes(measured))
    error.set_xlabel("Test time (h)")
    voltage.margins(x=0.01)
    ended = figure.add_subplot(top[:, 1])
    draw_waterfall(ended, starts, noise_mv)
    if parts:
        _draw_windows(figure, grid[2], parts, len(simulated))
    figure.align_ylabels([voltage, error])
    put_heading(figure, heading, lines)
    marks = [Line2D([], [], linestyle="none", label="Starts:"), *unique(ended.get_lines())]
    figure.legend(handles=marks, loc="outside lower right", ncols=len(marks), fontsize=7, handlelength=1.4)
    return figure


def draw_waterfall(
    axes: Axes, starts: Sequence[Start], noise_mv: float | None = None, *, log: bool | None = None
) -> None:
    """Draw each start's RMSE (mV) at its first and its last values, best first; those that failed are named.

    Args:
        noise_mv: noise of the measured voltage, a line; ``None`` = not known.
        log: whether the axis is logarithmic; ``None`` = where the RMSE spans more than a factor of ten.
    """
    order = rank_starts(starts)
    first = [np.nan if start.rmse_first_mv is None else start.rmse_first_mv for start in order]
    last = [np.nan if start.rmse_mv is None else start.rmse_mv for start in order]
    best = min((rmse for rmse in last if np.isfinite(rmse)), default=np.inf)
    scale_rmse(axes, "y", [*first, *last, *([noise_mv or np.nan] if is_noise_visible(noise_mv, best) else [])], log=log)
    for number, start in enumerate(order, 1):
        if start.rmse_mv is None:
            _draw_failed(axes, number, start, named=len(order) <= STARTS_NAMED)
            continue
        axes.vlines(number, last[number - 1], first[number - 1], color=GREY, linewidth=0.7)
        if start.rmse_first_mv is not None:
            axes.plot(number, start.rmse_first_mv, linestyle="none", label="first guess", **FIRST)
        axes.plot(number, start.rmse_mv, linestyle="none", label=start_name(start), zorder=3, **start_mark(start))
    draw_noise(axes, noise_mv, best)
    axes.set_xlim(0.4, max(len(order), 1) + 0.6)
    named = len(order) <= STARTS_NAMED
    axes.set_xticks(range(1, len(order) + 1) if named else [], [str(start.number) for start in order] if named else [])
    axes.set_xlabel("Start, best first" if named else f"{format_count(len(order), 'start')}, best first")
    axes.set_ylabel("RMSE (mV)")


MARKS: Final = ("best start", "same minimum", "ended elsewhere", "stopped early", "failed", "first guess")


def unique(lines: Sequence[Line2D]) -> list[Line2D]:
    """The first line of each name, for a legend: where starts ended, then the others as they come."""
    named: dict[str, Line2D] = {}
    for line in lines:
        if not str(line.get_label()).startswith("_"):
            named.setdefault(str(line.get_label()), line)
    return [named[name] for name in (*(m for m in MARKS if m in named), *(n for n in named if n not in MARKS))]


def _draw_failed(axes: Axes, number: int, start: Start, *, named: bool) -> None:
    """A cross at the foot of the panel, with the reason above it."""
    foot = axes.get_xaxis_transform()
    axes.plot(number, 0.03, "x", transform=foot, color=VERMILLION, markersize=5, markeredgewidth=1.4, label="failed")
    if named:
        axes.text(
            number, 0.07, start.failed, transform=foot, rotation=90, ha="center", va="bottom", fontsize=7,
            color=VERMILLION, bbox={"color": "white", "alpha": 0.8, "pad": 0.5},
        )  # fmt: skip


def _shade_held_out(axes: Axes, frame: pd.DataFrame, held_out: Sequence[int], *, named: bool) -> None:
    time = frame[c.TEST_TIME].to_numpy(dtype=np.float64) / SECONDS_PER_HOUR
    inside = frame[c.CYCLE_COUNT].isin(held_out).to_numpy()
    edges = np.flatnonzero(np.diff(inside.astype(np.int8), prepend=0, append=0))
    for start, end in zip(edges[::2], edges[1::2] - 1, strict=True):
        axes.axvspan(time[start], time[end], color=ORANGE, alpha=0.13, linewidth=0, zorder=0.1)
        if named and time[end] - time[start] > 0.1 * (time[-1] - time[0]):
            axes.text(
                (time[start] + time[end]) / 2, 0.015, "held out", transform=axes.get_xaxis_transform(), ha="center",
                va="bottom", fontsize=7, color=GREY,
            )  # fmt: skip


def _label_held_out(
    lines: Sequence[Line2D], measured: pd.DataFrame, simulated: Sequence[SimulatedCurve], held_out: Sequence[int]
) -> None:
    """Tell the RMSE of the fitted cycles and of those held out apart in the legend."""
    apart = measured[c.CYCLE_COUNT].isin(held_out).to_numpy()
    if not apart.any():
        return
    for line, each in zip(lines, simulated, strict=True):
        name = str(line.get_label()).rsplit(":", 1)[0]
        fitted, kept = (rmse_mv(SimulatedCurve(each.name, each.frame[which])) for which in (~apart, apart))
        line.set_label(f"{name}: {fitted:.1f} mV, held out {kept:.1f} mV")


def _draw_windows(figure: Figure, place: Any, parts: Mapping[str, Sequence[Windows]], simulations: int) -> None:
    """RMSE by window as bars in the colours of the simulations; a line in each: of the error's change since then."""
    grid = place.subgridspec(1, len(parts))
    shared: Axes | None = None
    for number, (part, windows) in enumerate(parts.items()):
        axes = figure.add_subplot(grid[number], sharey=shared)
        width = 0.8 / simulations
        top = max(max(rmse, change or 0.0) for errors in windows for rmse, change in errors.values())
        for which, errors in enumerate(windows):
            shift = (which - (simulations - 1) / 2) * width
            for at, window in enumerate(LAST_SECOND):
                _draw_bar(axes, at + shift, width, COLOURS[which % len(COLOURS)], errors.get(window), 0.17 * top)
        axes.set_xticks(range(len(LAST_SECOND)), [f"{name}\n{until}" for name, until in LAST_SECOND.items()])
        axes.set_xlim(-0.55, len(LAST_SECOND) - 0.45)
        axes.grid(axis="y", color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=4, steps=ROUND_STEPS))
        axes.set_xlabel(f"Time since the step began, {part}")
        if number:
            axes.tick_params(labelleft=False)
        else:
            axes.set_ylabel("RMSE (mV)\nline: of the change")
        shared = axes


def _draw_bar(
    axes: Axes, at: float, width: float, colour: str, error: tuple[float, float | None] | None, room: float
) -> None:
    """A bar with its number, which stands above the line where that would strike it out."""
    if error is None:
        return
    height, change = error
    axes.bar(at, height, 0.92 * width, color=colour)
    text = f"{height:.0f}" if height >= 9.5 else f"{height:.1f}"
    above = change if change is not None and height < change < height + room else height
    axes.text(at, above, text, ha="center", va="bottom", fontsize=7)
    if change is not None:
        half = 0.46 * width
        axes.hlines(change, at - half, at + half, color="white", linewidth=2.6)
        axes.hlines(change, at - half, at + half, color=BLACK, linewidth=1.2)
