"""Draw the starts of a fit: RMSE over evaluations, RMSE at the end, and parameter values between the bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .envelope import envelope
from .fit import draw_waterfall, unique
from .fit_axes import draw_noise
from .fit_style import (
    FIRST,
    Row,
    Start,
    draw_beyond,
    format_half_width,
    format_tick,
    format_value,
    interval_within_bounds,
    place_between_bounds,
    rank_starts,
    short_name,
    start_mark,
    start_name,
)
from .style import (
    BLACK,
    GREY,
    GRID,
    PURPLE,
    SHADE,
    VERMILLION,
    WIDTH_INCH,
    house_style,
    put_heading,
    show_literally,
)

CLOUD: Final = (-0.33, 0.17)
"""Vertical range of the starts in a parameter's row; the values of the bounds are written below it."""

SMALL: Final[dict[str, Any]] = {**FIRST, "markersize": 3}
BEYOND: Final = 0.028
"""Distance from the bounds of the mark of a default value outside them, as a share of the range between the bounds."""


@house_style()
def draw_starts(
    heading: str,
    starts: Sequence[Start],
    parameters: Sequence[Row],
    *,
    noise_mv: float | None = None,
    details: str = "",
) -> Figure:
    """Draw the starts of a fit: RMSE (mV) over evaluations and at the end, and parameter values between the bounds.

    Args:
        heading: of the figure.
        starts: of the fit.
        parameters: rows of the catalog's ``fit_parameters``.
        noise_mv: noise of the measured voltage in mV; ``None`` = not known.
        details: below the heading: model, parameter set, capacity, temperature, cycles.
    """
    row_inch = 0.62 if len(starts) > 4 else 0.5
    heights = [2.5, 0.35 + row_inch * max(len(parameters), 1)]
    figure = Figure(figsize=(WIDTH_INCH, (0.4 if details else 1.1) + sum(heights)), layout="constrained")
    grid = figure.add_gridspec(2, 1, height_ratios=heights)
    top = grid[0].subgridspec(1, 2, width_ratios=[1.5, 1.0])
    ended = figure.add_subplot(top[1])
    along = figure.add_subplot(top[0], sharey=ended)
    draw_waterfall(ended, starts, noise_mv, log=True)
    ended.set_ylabel("")
    ended.tick_params(labelleft=False)
    _draw_evaluations(along, starts, noise_mv)
    inside = figure.add_subplot(grid[1])
    _draw_parameters(inside, starts, parameters)
    put_heading(figure, heading, unique([*ended.get_lines(), *inside.get_lines(), *along.get_lines()]), details)
    return figure


def _draw_evaluations(axes: Axes, starts: Sequence[Start], noise_mv: float | None) -> None:
    """Draw the RMSE of the best point so far of each start over its evaluations, from its journal."""
    for start in reversed(rank_starts(starts)):
        if start.evaluations:
            _draw_evaluations_of_start(axes, start)
    draw_noise(axes, noise_mv, min((start.rmse_mv for start in starts if start.rmse_mv is not None), default=np.inf))
    if not any(start.evaluations for start in starts):
        axes.text(0.5, 0.5, "no evaluations recorded", transform=axes.transAxes, ha="center", color=GREY)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    axes.set_xlim(left=0.5)
    axes.set_xlabel("Evaluations of the model")
    axes.set_ylabel("RMSE of best point so far (mV)")
    axes.grid(axis="y", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)


def _draw_evaluations_of_start(axes: Axes, start: Start) -> None:
    """Draw one start. The best point is the one with the smallest cost; points without a solution have no cost."""
    cost = np.array([np.inf if evaluation.reason else evaluation.cost for evaluation in start.evaluations])
    rmse = np.array([evaluation.rmse_mv for evaluation in start.evaluations])
    number = np.array([evaluation.number for evaluation in start.evaluations], dtype=np.float64)
    is_better = cost < np.minimum.accumulate(np.concatenate([[np.inf], cost[:-1]]))
    best = np.maximum.accumulate(np.where(is_better, np.arange(len(cost)), 0))
    best_rmse = np.where(np.isfinite(cost[best]), rmse[best], np.nan)
    number += 1.0 - number[0]  # the axis begins at 1
    mark = start_mark(start)
    style: dict[str, Any] = {"color": mark["color"], "linewidth": 1.0, "linestyle": "-", "alpha": 0.75, "zorder": 2}
    if start.best:
        style |= {"linewidth": 1.6, "alpha": 1.0, "zorder": 3}
    if start.rmse_mv is None:
        style["linestyle"] = (0, (2, 2))
    axes.step(*envelope(number, best_rmse), where="post", **style)
    if np.isfinite(best_rmse[-1]):
        axes.plot(number[-1], best_rmse[-1], linestyle="none", zorder=4, **mark)
    no_solution = np.isinf(cost)
    if no_solution.any():
        axes.plot(
            number[no_solution], np.full(no_solution.sum(), 1.02), "|", color=VERMILLION, markersize=6,
            label="no solution", transform=axes.get_xaxis_transform(), clip_on=False,
        )  # fmt: skip


def _draw_parameters(axes: Axes, starts: Sequence[Start], parameters: Sequence[Row]) -> None:
    """Draw a row for each parameter from lower to upper bound: begin and end of each start, the best start first."""
    order = rank_starts([start for start in starts if start.values])
    offsets = np.linspace(*CLOUD, len(order)) if len(order) > 1 else np.zeros(1)
    for number, row in enumerate(parameters):
        axes.barh(number, 1.0, 0.86, color=SHADE, zorder=0)
        axes.vlines([0, 1], number - 0.43, number + 0.43, color=BLACK, linewidth=1.0)
        _draw_interval(axes, number, row, float(offsets[0]))
        _draw_default(axes, number, row)
        for start, offset in zip(order, offsets, strict=False):
            _draw_start(axes, number + float(offset), row, start)
        for at, bound, side in ((0.006, row["lower"], "left"), (0.994, row["upper"], "right")):
            axes.text(at, number + 0.42, format_tick(float(bound)), ha=side, va="bottom", fontsize=6.3, color=GREY)
        result = f"{format_value(row)}\n{format_half_width(row)}"
        show_literally(axes.text(1.06, number, result, va="center", fontsize=7.5, transform=axes.transData))
    axes.set_yticks(range(len(parameters)), [short_name(row["parameter"], 24, 3) for row in parameters])
    show_literally(*axes.get_yticklabels())
    axes.set_ylim(len(parameters) - 0.5, -0.5)
    axes.set_xlim(-0.05, 1.05)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1.0], ["lower\nbound", "", "middle", "", "upper\nbound"])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(f"Position between the bounds ({_describe_scale(parameters)})")


def _describe_scale(parameters: Sequence[Row]) -> str:
    scales = {row["scale"] for row in parameters}
    if len(scales) > 1:
        return "linear or logarithmic scale"
    return "logarithmic scale" if "log" in scales else "linear scale"


def _draw_start(axes: Axes, at: float, row: Row, start: Start) -> None:
    """Draw where a start began (hollow mark) and ended."""
    name = row["parameter"]
    ended = place_between_bounds(row, (start.values or {}).get(name))
    began = place_between_bounds(row, (start.first_values or {}).get(name))
    axes.plot([began, ended], [at, at], color=GREY, linewidth=0.5, alpha=0.6, zorder=1)
    axes.plot(began, at, linestyle="none", zorder=2, label="first guess", **SMALL)
    axes.plot(ended, at, linestyle="none", zorder=4 if start.best else 3, label=start_name(start), **start_mark(start))


def _draw_interval(axes: Axes, number: int, row: Row, offset: float) -> None:
    """Draw the part of the 95 % confidence interval that is between the bounds; an arrow says that it goes on."""
    interval = interval_within_bounds(row)
    if interval is None:
        return
    ends = np.clip([place_between_bounds(row, end) for end in (interval.lower, interval.upper)], 0.0, 1.0)
    axes.plot(
        ends, [number + offset] * 2, color=BLACK, linewidth=4.0, alpha=0.35, zorder=2, label="95 % confidence interval"
    )
    placed = replace(interval, lower=float(ends[0]), upper=float(ends[1]))
    draw_beyond(axes, placed, number + offset, "x", GREY, zorder=2.5)


def _draw_default(axes: Axes, number: int, row: Row) -> None:
    """Draw the default value as a line; outside the bounds, as an arrow beside the bound."""
    at = place_between_bounds(row, row["default_value"])
    if not np.isfinite(at):
        return
    if -1e-9 <= at <= 1.0 + 1e-9:
        axes.plot([at, at], [number - 0.43, number + 0.43], color=PURPLE, linewidth=1.2, zorder=1.5, label="default")
        return
    if at > 1.0:
        place = 1.0 + BEYOND
        marker = ">"
    else:
        place = -BEYOND
        marker = "<"
    axes.plot(place, number, marker, color=PURPLE, markersize=5, label="default, outside the bounds")
