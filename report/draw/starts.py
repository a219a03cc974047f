"""Draw the starts of a fit: RMSE along their evaluations, where each ended, and their parameters within the bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .fit import draw_waterfall, unique
from .fit_axes import draw_noise
from .fit_style import (
    FIRST,
    Row,
    Start,
    format_half_width,
    format_tick,
    format_value,
    place_between_bounds,
    rank_starts,
    short_name,
    start_mark,
    start_name,
)
from .style import BLACK, GREY, PURPLE, SHADE, VERMILLION, WIDTH_INCH, house_style, put_heading, show_literally

CLOUD: Final = (-0.33, 0.17)
"""From where to where in a parameter's row its starts lie; the bounds' values stand below."""

SMALL: Final[dict[str, Any]] = {**FIRST, "markersize": 3}
BEYOND: Final = 0.028
"""Where a default beyond the bounds is marked, in widths of the bounds."""


@house_style()
def draw_starts(
    heading: str, starts: Sequence[Start], parameters: Sequence[Row], *, noise_mv: float | None = None
) -> Figure:
    """Draw a fit's starts: best RMSE along evaluations, RMSE at their ends, and each parameter within its bounds.

    Args:
        parameters: rows of ``fit_parameters``.
        noise_mv: of the measured voltage.
    """
    row_inch = 0.62 if len(starts) > 4 else 0.5
    heights = [2.5, 0.35 + row_inch * max(len(parameters), 1)]
    figure = Figure(figsize=(WIDTH_INCH, 1.1 + sum(heights)), layout="constrained")
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
    put_heading(figure, heading, unique([*ended.get_lines(), *inside.get_lines(), *along.get_lines()]))
    return figure


def _draw_evaluations(axes: Axes, starts: Sequence[Start], noise_mv: float | None) -> None:
    """RMSE of the best point so far of each start over its evaluations, from its journal."""
    for start in reversed(rank_starts(starts)):
        if not start.evaluations:
            continue
        cost = np.array([e.cost if not e.reason else np.inf for e in start.evaluations])
        rmse = np.array([e.rmse_mv for e in start.evaluations])
        at = np.array([e.number for e in start.evaluations], dtype=np.float64)
        better = cost < np.minimum.accumulate(np.concatenate([[np.inf], cost[:-1]]))
        best = np.maximum.accumulate(np.where(better, np.arange(len(cost)), 0))
        so_far = np.where(np.isfinite(cost[best]), rmse[best], np.nan)
        at += 1.0 - at[0] if at[0] != 1.0 else 0.0
        mark = start_mark(start)
        failed = start.rmse_mv is None
        axes.step(
            at, so_far, where="post", color=mark["color"], linewidth=1.6 if start.best else 1.0,
            linestyle=(0, (2, 2)) if failed else "-", alpha=1.0 if start.best else 0.75, zorder=3 if start.best else 2,
        )  # fmt: skip
        if np.isfinite(so_far[-1]):
            axes.plot(at[-1], so_far[-1], linestyle="none", zorder=4, **mark)
        lost = np.isinf(cost)
        if lost.any():
            axes.plot(
                at[lost], np.full(lost.sum(), 1.02), "|", color=VERMILLION, markersize=6, label="no solution there",
                transform=axes.get_xaxis_transform(), clip_on=False,
            )  # fmt: skip
    draw_noise(axes, noise_mv, min((start.rmse_mv for start in starts if start.rmse_mv is not None), default=np.inf))
    if not any(start.evaluations for start in starts):
        axes.text(0.5, 0.5, "no journals", transform=axes.transAxes, ha="center", color=GREY)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    axes.set_xlim(left=0.5)
    axes.set_xlabel("Evaluations of the model")
    axes.set_ylabel("RMSE of the best so far (mV)")
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)


def _draw_parameters(axes: Axes, starts: Sequence[Start], parameters: Sequence[Row]) -> None:
    """A row for each parameter between its bounds: where each start began and ended, the best on top."""
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
        words = f"{format_value(row)}\n{format_half_width(row)}"
        show_literally(axes.text(1.06, number, words, va="center", fontsize=7.5, transform=axes.transData))
    axes.set_yticks(range(len(parameters)), [short_name(row["parameter"], 24, 3) for row in parameters])
    show_literally(*axes.get_yticklabels())
    axes.set_ylim(len(parameters) - 0.5, -0.5)
    axes.set_xlim(-0.05, 1.05)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1.0], ["lower\nbound", "", "middle", "", "upper\nbound"])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    scales = {row["scale"] for row in parameters}
    kind = f"{'logarithmic' if 'log' in scales else 'linear'} scale" if len(scales) < 2 else "each on its own scale"
    axes.set_xlabel(f"Place within the bounds, {kind}")


def _draw_start(axes: Axes, at: float, row: Row, start: Start) -> None:
    """Where a start began (hollow) and ended."""
    name = row["parameter"]
    ended = place_between_bounds(row, (start.values or {}).get(name))
    began = place_between_bounds(row, (start.first_values or {}).get(name))
    axes.plot([began, ended], [at, at], color=GREY, linewidth=0.5, alpha=0.6, zorder=1)
    axes.plot(began, at, linestyle="none", zorder=2, label="first guess", **SMALL)
    axes.plot(ended, at, linestyle="none", zorder=4 if start.best else 3, label=start_name(start), **start_mark(start))


def _draw_interval(axes: Axes, number: int, row: Row, offset: float) -> None:
    """The 95 % interval as far as it lies within the bounds."""
    if row["lower_95"] is None or row["upper_95"] is None:
        return
    ends = np.clip([place_between_bounds(row, row["lower_95"]), place_between_bounds(row, row["upper_95"])], 0.0, 1.0)
    axes.plot(ends, [number + offset] * 2, color=BLACK, linewidth=4.0, alpha=0.35, zorder=2, label="95 % interval")


def _draw_default(axes: Axes, number: int, row: Row) -> None:
    """The set's own value; beyond the bounds it is an arrow at their end."""
    at = place_between_bounds(row, row["default_value"])
    if not np.isfinite(at):
        return
    inside = -1e-9 <= at <= 1.0 + 1e-9
    if inside:
        axes.plot([at, at], [number - 0.43, number + 0.43], color=PURPLE, linewidth=1.2, zorder=1.5, label="default")
        return
    side = 1.0 + BEYOND if at > 1.0 else -BEYOND
    marker = ">" if at > 1.0 else "<"
    axes.plot(side, number, marker, color=PURPLE, markersize=5, label="default, beyond the bounds")
