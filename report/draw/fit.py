"""Draw what a fit changed: measured, default and fitted voltage, errors, errors by window, and its starts."""

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
from ..styles import Style
from .cells import (
    ROUND_STEPS,
    SimulatedCurve,
    curve_style,
    draw_error_curves,
    draw_voltages,
    rmse_mv,
)
from .errors import LAST_SECOND, format_millivolt
from .fit_axes import draw_noise, is_noise_visible, scale_rmse
from .fit_style import FIRST, Start, rank_starts, start_mark, start_name
from .record_lines import find_holes, find_rows, shade_cycles
from .style import BLACK, GREY, GRID, ORANGE, VERMILLION, WIDTH_INCH, bar_style, house_style, put_heading

STARTS_NAMED: Final = 12
"""Largest number of starts for which each has its number on the axis, and a failed one its reason."""

MARKS: Final[tuple[str, ...]] = (
    "best start",
    "same minimum",
    "ended elsewhere",
    "stopped early or not converged",
    "failed",
    "first guess",
)
"""Names of marks in the order of the legend."""

Windows = Mapping[str, tuple[float, float | None]]
"""Window after a step's start to its RMSE in mV, and to the RMSE in mV of the error's change since the step's start."""


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
    details: str = "",
) -> Figure:
    """Draw a fit: measured, default and fitted voltage, their errors, errors by window, and the end of each start.

    Args:
        heading: of the figure.
        measured: samples of the fitted cycles and of the held-out cycles.
        simulated: with the default parameters first (if they were simulated), with the fitted parameters last.
        starts: of the fit.
        noise_mv: noise of the measured voltage, the smallest possible RMSE; ``None`` = not known.
        held_out: cycles that were not fitted. They are shaded, and the legend has their RMSE.
        windows: part of the record (``fitted cycles``) to errors by window, in the order of ``simulated``.
        details: below the heading: parameter sets, capacity, temperature, cycles.
    """
    parts = {name: errors for name, errors in (windows or {}).items() if any(errors)}
    heights = [1.9, 1.0]
    if parts:
        heights.append(1.15)
    figure = Figure(figsize=(WIDTH_INCH, (0.2 if details else 0.75) + 1.35 * sum(heights)), layout="constrained")
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
    draw_error_curves(error, simulated, find_holes(measured), find_rows(measured))
    error.set_xlabel("Test time (h)")
    voltage.margins(x=0.01)
    ended = figure.add_subplot(top[:, 1])
    draw_waterfall(ended, starts, noise_mv)
    if parts:
        looks = [curve_style(curve, number) for number, curve in enumerate(simulated)]
        _draw_windows(figure, grid[2], parts, looks)
    figure.align_ylabels([voltage, error])
    put_heading(figure, heading, lines, details)
    marks = [Line2D([], [], linestyle="none", label="Starts:"), *unique(ended.get_lines())]
    figure.legend(handles=marks, loc="outside lower right", ncols=len(marks), fontsize=7, handlelength=1.4)
    return figure


def draw_waterfall(
    axes: Axes, starts: Sequence[Start], noise_mv: float | None = None, *, log: bool | None = None
) -> None:
    """Draw the RMSE (mV) of each start at its initial and final values, the best start first.

    Args:
        axes: panel.
        starts: of the fit; a failed one has a cross and its reason.
        noise_mv: noise of the measured voltage, a horizontal line; ``None`` = not known.
        log: whether the axis is logarithmic; ``None`` = if the RMSE spans more than a factor of ten.
    """
    order = rank_starts(starts)
    first = [np.nan if start.rmse_first_mv is None else start.rmse_first_mv for start in order]
    last = [np.nan if start.rmse_mv is None else start.rmse_mv for start in order]
    best = min((rmse for rmse in last if np.isfinite(rmse)), default=np.inf)
    on_axis = [*first, *last]
    if noise_mv is not None and is_noise_visible(noise_mv, best):
        on_axis.append(noise_mv)
    scale_rmse(axes, "y", on_axis, log=log)
    named = len(order) <= STARTS_NAMED
    for number, start in enumerate(order, 1):
        if start.rmse_mv is None:
            _draw_failed(axes, number, start, named=named)
            continue
        axes.vlines(number, last[number - 1], first[number - 1], color=GREY, linewidth=0.7)
        if start.rmse_first_mv is not None:
            axes.plot(number, start.rmse_first_mv, linestyle="none", label="first guess", **FIRST)
        axes.plot(number, start.rmse_mv, linestyle="none", label=start_name(start), zorder=3, **start_mark(start))
    draw_noise(axes, noise_mv, best)
    axes.set_xlim(0.4, max(len(order), 1) + 0.6)
    if named:
        axes.set_xticks(range(1, len(order) + 1), [str(start.number) for start in order])
        axes.set_xlabel("Start, best first")
    else:
        axes.set_xticks([], [])
        axes.set_xlabel(f"{format_count(len(order), 'start')}, best first")
    axes.set_ylabel("RMSE (mV)")


def unique(lines: Sequence[Line2D]) -> list[Line2D]:
    """Return the first line of each label, for a legend: first the labels in ``MARKS``, then the others in their order.

    Args:
        lines: lines of the panels; those without a label are left out.
    """
    by_label: dict[str, Line2D] = {}
    for line in lines:
        label = str(line.get_label())
        if not label.startswith("_"):
            by_label.setdefault(label, line)
    labels = [label for label in MARKS if label in by_label]
    labels += [label for label in by_label if label not in MARKS]
    return [by_label[label] for label in labels]


def _draw_failed(axes: Axes, number: int, start: Start, *, named: bool) -> None:
    """Draw a cross at the bottom of the panel, and the reason above it."""
    bottom = axes.get_xaxis_transform()
    axes.plot(number, 0.03, "x", transform=bottom, color=VERMILLION, markersize=5, markeredgewidth=1.4, label="failed")
    if named:
        axes.text(
            number, 0.07, start.failed, transform=bottom, rotation=90, ha="center", va="bottom", fontsize=7,
            color=VERMILLION, bbox={"color": "white", "alpha": 0.8, "pad": 0.5},
        )  # fmt: skip


def _shade_held_out(axes: Axes, frame: pd.DataFrame, held_out: Sequence[int], *, named: bool) -> None:
    """Shade the held-out cycles, and write ``held out`` in wide ones."""
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
    """Write the RMSE of the fitted and of the held-out cycles separately in the legend."""
    is_held_out = measured[c.CYCLE_COUNT].isin(held_out).to_numpy()
    if not is_held_out.any():
        return
    for line, curve in zip(lines, simulated, strict=True):
        name = str(line.get_label()).rsplit(":", 1)[0]
        rmse_fitted = rmse_mv(SimulatedCurve(curve.name, curve.frame[~is_held_out]))
        rmse_held_out = rmse_mv(SimulatedCurve(curve.name, curve.frame[is_held_out]))
        line.set_label(f"{name}: RMSE {rmse_fitted:.1f} mV, held out {rmse_held_out:.1f} mV")


def _draw_windows(figure: Figure, place: Any, parts: Mapping[str, Sequence[Windows]], looks: Sequence[Style]) -> None:
    """Draw the RMSE by window as bars in the colours of the simulations, a panel for each part of the record.

    A line on each bar is the RMSE of the error's change since the step's start.
    """
    grid = place.subgridspec(1, len(parts))
    shared: Axes | None = None
    for number, (part, windows) in enumerate(parts.items()):
        axes = figure.add_subplot(grid[number], sharey=shared)
        shared = axes
        width = 0.8 / len(looks)
        top = max(max(rmse, change or 0.0) for errors in windows for rmse, change in errors.values())
        for which, errors in enumerate(windows):
            shift = (which - (len(looks) - 1) / 2) * width
            for at, window in enumerate(LAST_SECOND):
                if window in errors:
                    _draw_bar(axes, at + shift, width, looks[which], errors[window], 0.17 * top)
        axes.set_xticks(range(len(LAST_SECOND)), [f"{name}\n{until}" for name, until in LAST_SECOND.items()])
        axes.set_xlim(-0.55, len(LAST_SECOND) - 0.45)
        axes.grid(axis="y", color=GRID, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=4, steps=ROUND_STEPS))
        axes.set_xlabel(f"Time since step start, {part}")
        if number:
            axes.tick_params(labelleft=False)
        else:
            axes.set_ylabel("RMSE (mV)\nline: error change\nsince step start")


def _draw_bar(axes: Axes, at: float, width: float, look: Style, error: tuple[float, float | None], room: float) -> None:
    """Draw a bar with its number; the number is above the line if the line would cross it.

    Args:
        axes: panel.
        at: middle of the bar.
        width: of the bar and its gap.
        look: style of the bar's simulation.
        error: RMSE in mV, and RMSE of the change in mV (the line).
        room: height reserved for the number, in mV.
    """
    height, change = error
    axes.bar(at, height, 0.92 * width, **bar_style(look))
    number_at = height
    if change is not None and height < change < height + room:
        number_at = change
    axes.text(at, number_at, format_millivolt(height), ha="center", va="bottom", fontsize=7)
    if change is not None:
        half = 0.46 * width
        axes.hlines(change, at - half, at + half, color="white", linewidth=2.6)
        axes.hlines(change, at - half, at + half, color=BLACK, linewidth=1.2)
