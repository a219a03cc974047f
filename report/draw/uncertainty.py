"""Draw the uncertainty of a fit: confidence intervals, correlations and profile likelihoods of its parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from ...data.arrays import Floats
from ...data.verdict_words import verdict_kind
from ..units import typeset_units
from .fit_axes import parameter_label, scale_values, value_range
from .fit_style import (
    BELIEF,
    Row,
    format_half_width,
    format_tick,
    format_value,
    half_width_within_bounds,
    short_name,
    verdict_colour,
)
from .style import BLACK, BLUE, GREY, SHADE, WIDTH_INCH, displayable_name, house_style, put_heading, show_literally

CORRELATION_COLOURS: Final = "RdBu_r"
WORDS: Final = {
    "precise": "precise, model error not included",
    "at a bound": "at its bound",
}
"""Kind of a verdict to its text in the legend, where that is another."""

LEAST_PERCENT: Final = 0.01
"""Smallest half-width of an interval that is drawn, in percent; smaller ones are drawn here."""

POOR_PERCENT: Final = 10.0
"""Half-width of an interval from which a parameter is poorly determined, in percent; the panel is shaded there."""

LINE_SIGNS: Final = 128
"""About the number of characters of a note that fit on the width of a figure."""

NOTE_LINES: Final = 8
"""Largest number of lines of notes."""

ACROSS: Final = 3
"""Largest number of profiles side by side."""

TITLE_SIGNS: Final = 36
"""Number of characters of a line of a profile's title."""

LEAST_TOP: Final = 1.5
"""Smallest upper limit of the axis of the cost, in units of the 95 % level."""

MOST_TOP: Final = 4.0
"""Largest upper limit of the axis of the cost, in units of the 95 % level."""

LEGEND: Final = (
    Line2D([], [], color=BLUE, marker="o", markersize=3, label="profile"),
    Line2D([], [], color=GREY, linestyle=(0, (4, 2)), label="linear approximation"),
    Line2D([], [], color=BLACK, linewidth=0.8, label="95 % level"),
)
Profiles = Mapping[str, Sequence[Row]]
"""Parameter to the points of its profile by rising value: rows from ``fit_queries.profile_points``."""


@house_style()
def draw_uncertainty(
    heading: str,
    parameters: Sequence[Row],
    correlations: Mapping[tuple[str, str], float],
    notes: Sequence[str] = (),
    profiles: Profiles | None = None,
    details: str = "",
) -> Figure:
    """Draw half-widths of 95 % confidence intervals, a matrix of correlations, and profiles.

    Args:
        heading: of the figure.
        parameters: rows of the catalog's ``fit_parameters``.
        correlations: pair of parameters to their correlation (-1 to 1), each pair once.
        notes: about the fit, written below the panels.
        profiles: of the parameters with a profile likelihood; ``None`` = there are none.
        details: below the heading: model, parameter set, capacity, temperature, cycles.
    """
    count = max(len(parameters), 1)
    lines = _wrap_notes(notes)
    profiled = {}
    for row in parameters:
        points = (profiles or {}).get(row["parameter"])
        if points:
            profiled[row["parameter"]] = points
    heights = [0.6 + 0.5 * count]
    if profiled:
        heights.append(2.1 * count_panel_rows(profiled))
    figure = Figure(
        figsize=(WIDTH_INCH, (0.25 if details else 0.9) + sum(heights) + 0.17 * len(lines)), layout="constrained"
    )
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    top = grid[0].subgridspec(1, 1 if count == 1 else 2)
    widths = figure.add_subplot(top[0])
    _draw_widths(widths, parameters)
    if count > 1:
        _draw_matrix(figure.add_subplot(top[1], sharey=widths), parameters, correlations)
    if profiled:
        draw_profiles(figure, grid[1], parameters, profiled)
    put_heading(figure, heading, _legend(parameters, has_profiles=bool(profiled)), details)
    if lines:
        show_literally(figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=7, color=GREY))
    return figure


def _legend(parameters: Sequence[Row], *, has_profiles: bool) -> list[Line2D]:
    """Return the colours of the verdicts in the figure, and the lines of profiles."""
    kinds = {verdict_kind(row["verdict"]) for row in parameters}
    marks = [
        Line2D([], [], linestyle="none", marker="o", color=colour, label=WORDS.get(kind, kind))
        for kind, colour in BELIEF.items()
        if kind in kinds
    ]
    if any(half_width_within_bounds(row)[1] for row in parameters):
        marks.append(Line2D([], [], linestyle="none", marker=">", color=GREY, label="goes on beyond the bounds"))
    if has_profiles:
        marks += LEGEND
    return marks


def _wrap_notes(notes: Sequence[str]) -> list[str]:
    lines = [line for note in notes for line in wrap(displayable_name(typeset_units(note), 4000), LINE_SIGNS)]
    if len(lines) > NOTE_LINES:
        return [*lines[: NOTE_LINES - 1], "… (complete text: kilocell sql)"]
    return lines


def _draw_widths(axes: Axes, parameters: Sequence[Row]) -> None:
    """Draw the half-width of each 95 % confidence interval in percent of the value, in the colour of its verdict."""
    widths = [half_width_within_bounds(row) for row in parameters]
    low, high = _percent_range([share for share, _ in widths])
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.axvspan(POOR_PERCENT, high, color=SHADE, zorder=0)
    axes.text(
        high,
        1.0,
        "poorly determined ",
        transform=axes.get_xaxis_transform(),
        ha="right",
        va="bottom",
        fontsize=7,
        color=GREY,
    )
    for number, (row, (share, is_cut)) in enumerate(zip(parameters, widths, strict=True)):
        colour = verdict_colour(row)
        if share is None:
            axes.plot([low, high], [number] * 2, color=colour, linewidth=1.0, linestyle=(0, (1, 2)), zorder=1)
        else:
            width = min(max(100 * share, LEAST_PERCENT), high)
            marker = ">" if is_cut or 100 * share >= high else "o"
            axes.plot([low, width], [number] * 2, color=colour, linewidth=1.6, zorder=2)
            axes.plot(width, number, marker, color=colour, markersize=6, clip_on=False)
        value = f"{format_value(row)}, {format_half_width(row)}"
        show_literally(
            axes.text(0.01, number - 0.13, value, fontsize=7.2, va="bottom", transform=axes.get_yaxis_transform())
        )
    names = [short_name(row["parameter"], 22, 3) for row in parameters]
    if len(names) > 1:
        names = [f"{name}  {number}" for number, name in enumerate(names, 1)]
    axes.set_yticks(range(len(parameters)), names)
    show_literally(*axes.get_yticklabels())
    axes.set_ylim(len(parameters) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(LogLocator(subs=(1,)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("Half-width of the 95 % confidence interval\n(% of the value)")


def _percent_range(shares: Sequence[float | None]) -> tuple[float, float]:
    """Return the limits of the axis of half-widths in percent."""
    known = [100 * max(share, LEAST_PERCENT / 100) for share in shares if share is not None and np.isfinite(share)]
    low = min([*known, 0.5]) / 2.0
    high = min(max([*known, 20.0]) * 3.0, 3e4)
    return low, high


def _draw_matrix(axes: Axes, parameters: Sequence[Row], correlations: Mapping[tuple[str, str], float]) -> None:
    """Draw correlations as numbers and colours; a parameter at a bound has none."""
    names = [str(row["parameter"]) for row in parameters]
    values: Floats = np.full((len(names), len(names)), np.nan)
    for (one, other), value in correlations.items():
        if one in names and other in names:
            values[names.index(one), names.index(other)] = value
            values[names.index(other), names.index(one)] = value
    axes.imshow(values, cmap=CORRELATION_COLOURS, vmin=-1, vmax=1, aspect="auto")
    size = 8 if len(names) <= 8 else 6
    for row in range(len(names)):
        for column in range(len(names)):
            if row != column:
                text, colour = _format_correlation(values[row, column])
                axes.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)
        axes.bar(row, 1.0, 1.0, row - 0.5, color=SHADE)
        axes.text(row, row, str(row + 1), ha="center", va="center", fontsize=size, color=GREY)
    axes.set_xticks(range(len(names)), [str(number + 1) for number in range(len(names))])
    axes.tick_params(length=0, labelleft=False)
    axes.spines[:].set_visible(False)
    for edge in range(1, len(names)):
        axes.axvline(edge - 0.5, color="white", linewidth=1.5)
        axes.axhline(edge - 0.5, color="white", linewidth=1.5)
    axes.set_xlabel("Correlation of the parameters")


def _format_correlation(value: float) -> tuple[str, str]:
    """Return the text of a correlation (``+.93``), and its colour on the matrix."""
    if np.isnan(value):
        return "–", GREY
    text = f"{value:+.2f}".replace("0.", ".").replace("-", "−")
    return text, "white" if abs(value) > 0.6 else BLACK


def count_panel_rows(profiles: Profiles) -> int:
    """Return the number of rows of panels that profiles need."""
    return -(-len(profiles) // _count_panels_across(len(profiles)))


def _count_panels_across(panels: int) -> int:
    """Return the number of panels side by side: up to three, but four panels are two by two."""
    if panels == 4:
        return 2
    return min(panels, ACROSS)


def draw_profiles(figure: Figure, place: Any, parameters: Sequence[Row], profiles: Profiles) -> None:
    """Draw a panel for each profile, in the order of the parameters.

    Args:
        figure: gets the panels.
        place: a cell of the figure's grid.
        parameters: rows of the catalog's ``fit_parameters``.
        profiles: parameter to the points of its profile.
    """
    profiled = [row for row in parameters if profiles.get(row["parameter"])]
    across = _count_panels_across(len(profiled))
    grid = place.subgridspec(count_panel_rows(profiles), across)
    for number, row in enumerate(profiled):
        line, column = divmod(number, across)
        axes = figure.add_subplot(grid[line, column])
        _draw_profile(axes, row, profiles[row["parameter"]])
        if column == 0:
            axes.set_ylabel("Cost above minimum\n(95 % level = 1)")
        else:
            axes.tick_params(labelleft=False)


def _draw_profile(axes: Axes, row: Row, points: Sequence[Row]) -> None:
    """Draw the cost over the parameter's value; the shade is its 95 % confidence interval."""
    first = points[0]
    rise = first["level"] - first["best_cost"] or 1.0
    values = np.array([point["value"] for point in points], dtype=np.float64)
    costs = np.array([point["cost"] for point in points], dtype=np.float64)
    heights = (costs - first["best_cost"]) / rise
    top = float(np.clip(1.1 * heights.max(), LEAST_TOP, MOST_TOP))
    log = row["scale"] == "log"
    low, high = value_range([*values, row["value"]], log=log)
    lower = low if first["lower_95"] is None else first["lower_95"]
    upper = high if first["upper_95"] is None else first["upper_95"]
    axes.axvspan(lower, upper, color=SHADE, zorder=0)
    axes.axhline(1.0, color=BLACK, linewidth=0.8, zorder=1)
    _draw_parabola(axes, row, low, high)
    axes.plot(values, heights, "-o", color=BLUE, markersize=3, zorder=3)
    axes.plot(row["value"], 0.0, "D", color=BLACK, markersize=5, zorder=4)
    axes.set_ylim(-0.08 * top, top)
    scale_values(axes, low, high, log=log, bounds=(row["lower"], row["upper"]))
    axes.set_xlabel(parameter_label(row, 30))
    show_literally(axes.xaxis.label)
    axes.set_title("\n".join(wrap(_describe_interval(first), TITLE_SIGNS)[:3]), fontsize=7, color=GREY)


def _describe_interval(point: Row) -> str:
    """Return the limits of the 95 % confidence interval (CI) of a profile; if one is missing, the verdict."""
    if point["lower_95"] is None or point["upper_95"] is None:
        return str(point["verdict"] or "open")
    lower = format_tick(float(f"{point['lower_95']:.3g}"))
    upper = format_tick(float(f"{point['upper_95']:.3g}"))
    return f"95 % CI: {lower} to {upper}"


def _draw_parabola(axes: Axes, row: Row, low: float, high: float) -> None:
    """Draw the cost that the linear interval assumes: a parabola on the parameter's scale, 1 at the interval's ends."""
    if row["upper_95"] is None or not np.isfinite(row["upper_95"]):
        return
    if row["scale"] == "log":
        values = np.geomspace(low, high, 101)
        distance = np.log(values / row["value"])
        half = np.log(row["upper_95"] / row["value"])
    else:
        values = np.linspace(low, high, 101)
        distance = values - row["value"]
        half = row["upper_95"] - row["value"]
    if half > 0.0:
        axes.plot(values, (distance / half) ** 2, color=GREY, linestyle=(0, (4, 2)), linewidth=1.0, zorder=2)
