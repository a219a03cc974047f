"""Draw fitted parameters along a cell's life."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullFormatter, PercentFormatter
from numpy.typing import ArrayLike

from .fit_axes import scale_rmse
from .fit_style import draw_beyond, format_unit, interval_within_bounds, short_name
from .style import BLACK, BLUE, GREY, VERMILLION, WIDTH_INCH, displayable_name, house_style, put_heading, show_literally

Row = Mapping[str, Any]
DECADE: Final = 3.0
"""A parameter whose values span more than this factor has a logarithmic axis."""

LONGEST: Final = 44
"""Largest number of characters of a parameter's name in a panel's title."""


@house_style()
def draw_life(cell_id: str, chain: str, rows: Sequence[Row], links: Sequence[Row]) -> Figure:
    """Draw each parameter over the check-ups with its 95 % confidence interval, and the RMSE (mV).

    Args:
        cell_id: the cell, for the heading.
        chain: name of the chain, for the heading.
        rows: of the catalog's ``parameters_along_life``, by parameter and cycle.
        links: rows of ``fits`` of the chain; those without a result are marked in the panel of the RMSE.
    """
    parameters = [list(group) for _, group in groupby(rows, lambda row: row["parameter"])]
    lines = (len(parameters) + 1) // 2
    figure = Figure(figsize=(WIDTH_INCH, 0.8 + 1.7 * lines + 1.35), layout="constrained")
    grid = figure.add_gridspec(lines + 1, 2, height_ratios=[*[1.7] * lines, 1.1])
    below = figure.add_subplot(grid[lines, :])
    for number, of_parameter in enumerate(parameters):
        axes = figure.add_subplot(grid[number // 2, number % 2], sharex=below)
        _draw_parameter(axes, of_parameter)
    heading = f"{displayable_name(cell_id, 40)}, {displayable_name(chain, 30)}: parameters along life"
    put_heading(figure, heading, _draw_rmse(below, links))
    return figure


def _draw_parameter(axes: Axes, rows: Sequence[Row]) -> None:
    """Draw one parameter with 95 % confidence intervals: hollow at a bound, grey without an interval.

    An arrow says that the interval goes on beyond the bounds.
    """
    cycles = [row["chain_cycle"] for row in rows]
    values = [row["value"] for row in rows]
    axes.plot(cycles, values, color=BLUE, linewidth=0.8, alpha=0.5)
    for row in rows:
        colour = GREY
        interval = interval_within_bounds(row)
        if interval is not None:
            colour = BLUE
            lengths = [[row["value"] - interval.lower], [interval.upper - row["value"]]]
            axes.errorbar([row["chain_cycle"]], [row["value"]], yerr=lengths, color=BLUE, capsize=2.5, linewidth=1.0)
            draw_beyond(axes, interval, row["chain_cycle"], "y", BLUE)
        face = "white" if row["at_bound"] else colour
        axes.plot([row["chain_cycle"]], [row["value"]], "o", color=colour, markerfacecolor=face, markersize=4.5)
    if min(values) > 0.0 and max(values) > DECADE * min(values):
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
        if rows[0]["share_of_first"] is not None:
            _add_share_axis(axes, values[0])
    title = short_name(rows[0]["parameter"], LONGEST, 1)
    unit = format_unit(rows[0])
    if unit:
        title += f" ({unit})"
    show_literally(axes.set_title(title, fontsize=7.2, loc="left"))
    axes.tick_params(axis="x", labelsize=7)
    axes.margins(x=0.06, y=0.12)


def _add_share_axis(axes: Axes, first: float) -> None:
    """Add a second axis on the right: the value as a share of the value at the first check-up."""

    def share(value: ArrayLike) -> ArrayLike:
        return np.asarray(value, float) / first

    def value(share: ArrayLike) -> ArrayLike:
        return np.asarray(share, float) * first

    right = axes.secondary_yaxis("right", functions=(share, value))
    right.yaxis.set_major_formatter(PercentFormatter(1.0))
    right.tick_params(labelsize=7, colors=GREY)
    right.spines["right"].set_visible(False)


def _draw_rmse(axes: Axes, links: Sequence[Row]) -> list[Line2D]:
    """Draw the RMSE of each fit of the chain before and after, and a cross for a fit without a result."""
    lines: list[Line2D] = []
    done = [link for link in links if link["status"] == "done"]
    for column, label, colour, marker in (
        ("rmse_default_mv", "default parameters", GREY, "s"),
        ("rmse_mv", "fitted parameters", BLACK, "o"),
    ):
        known = [(link["chain_cycle"], link[column]) for link in done if link[column] is not None]
        if known:
            style: dict[str, Any] = {"color": colour, "marker": marker, "label": label}
            lines += axes.plot(*zip(*known, strict=True), markersize=4, linewidth=0.9, **style)
    failed = [link["chain_cycle"] for link in links if link["status"] in ("failed", "skipped")]
    if failed:
        base = axes.get_xaxis_transform()
        lines += axes.plot(failed, [0.05] * len(failed), "x", color=VERMILLION, transform=base, label="no result")
    rmse = [link[column] for link in done for column in ("rmse_default_mv", "rmse_mv") if link[column] is not None]
    scale_rmse(axes, "y", rmse, log=True)
    axes.set_ylabel("RMSE (mV)")
    axes.set_xlabel("Cycle")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return lines
