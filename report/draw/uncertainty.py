"""Draw how far to believe a fit: how wide each parameter's interval is, and which errors move together."""

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
from .fit_axes import parameter_label, scale_values, value_range
from .fit_style import BELIEF, Row, format_half_width, format_tick, format_value, half_width, short_name, verdict_colour
from .style import BLACK, BLUE, GREY, SHADE, WIDTH_INCH, displayable_name, house_style, put_heading, show_literally

CORRELATION_COLOURS: Final = "RdBu_r"
WORDS: Final = {
    "well": "well determined",
    "determined": "determined",
    "poorly": "poorly determined",
    "not": "not determined",
    "at": "at its bound",
}
LEAST_PERCENT: Final = 0.01
POOR_PERCENT: Final = 10.0
LINE_SIGNS: Final = 128
"""About as many signs of a note stand on the width."""

NOTE_LINES: Final = 8
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


@house_style()
def draw_uncertainty(
    heading: str,
    parameters: Sequence[Row],
    correlations: Mapping[tuple[str, str], float],
    notes: Sequence[str] = (),
    profiles: Profiles | None = None,
) -> Figure:
    """Draw a fit's 95 % intervals as shares of the values, the errors' correlations as a matrix, and profiles.

    Args:
        parameters: rows of ``fit_parameters``.
        correlations: by two parameters, each pair once; -1 to 1.
        notes: what else is said of the fit, below the panels.
        profiles: of the parameters whose profile likelihood is known.
    """
    count = max(len(parameters), 1)
    matrix = count > 1
    lines = _wrapped(notes)
    known = {row["parameter"]: points for row in parameters if (points := (profiles or {}).get(row["parameter"]))}
    heights = [0.6 + 0.5 * count, *([2.1 * count_panel_rows(known)] if known else [])]
    figure = Figure(figsize=(WIDTH_INCH, 0.9 + sum(heights) + 0.17 * len(lines)), layout="constrained")
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    top = grid[0].subgridspec(1, 2 if matrix else 1)
    widths = figure.add_subplot(top[0])
    _draw_widths(widths, parameters)
    if matrix:
        _draw_matrix(figure.add_subplot(top[1], sharey=widths), parameters, correlations)
    if known:
        draw_profiles(figure, grid[1], parameters, known)
    marks = [
        Line2D([], [], linestyle="none", marker="o", color=colour, label=WORDS[word])
        for word, colour in BELIEF.items()
        if any(str(row["verdict"] or "").split(" ")[0] == word for row in parameters)
    ]
    put_heading(figure, heading, [*marks, *(LEGEND if known else ())])
    if lines:
        show_literally(figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=7, color=GREY))
    return figure


def _wrapped(notes: Sequence[str]) -> list[str]:
    lines = [line for note in notes for line in wrap(displayable_name(note, 4000), LINE_SIGNS)]
    return lines if len(lines) <= NOTE_LINES else [*lines[: NOTE_LINES - 1], "… (all of it: kilocell sql)"]


def _draw_widths(axes: Axes, parameters: Sequence[Row]) -> None:
    """Half of each 95 % interval in percent of the value, on a logarithmic axis, in the colour of its verdict."""
    shares = [half_width(row) for row in parameters]
    known = [100 * max(share, LEAST_PERCENT / 100) for share in shares if share is not None and np.isfinite(share)]
    low, high = min([*known, 0.5]) / 2.0, min(max([*known, 20.0]) * 3.0, 3e4)
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.axvspan(POOR_PERCENT, high, color=SHADE, zorder=0)
    axes.text(high, 1.0, "poor ", transform=axes.get_xaxis_transform(), ha="right", va="bottom", fontsize=7, color=GREY)
    for number, (row, share) in enumerate(zip(parameters, shares, strict=True)):
        colour = verdict_colour(row)
        words = f"{format_value(row)}, {format_half_width(row)}"
        if share is None:
            axes.plot([low, high], [number] * 2, color=colour, linewidth=1.0, linestyle=(0, (1, 2)), zorder=1)
        else:
            width = min(max(100 * share, LEAST_PERCENT), high)
            axes.plot([low, width], [number] * 2, color=colour, linewidth=1.6, zorder=2)
            axes.plot(width, number, "o" if 100 * share < high else ">", color=colour, markersize=6, clip_on=False)
        show_literally(
            axes.text(0.01, number - 0.13, words, fontsize=7.2, va="bottom", transform=axes.get_yaxis_transform())
        )
    axes.set_yticks(
        range(len(parameters)),
        [
            short_name(row["parameter"], 22, 3) + f"  {n + 1}" * (len(parameters) > 1)
            for n, row in enumerate(parameters)
        ],
    )
    show_literally(*axes.get_yticklabels())
    axes.set_ylim(len(parameters) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(LogLocator(subs=(1,)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("Half of the 95 % interval (% of the value)")


def _draw_matrix(axes: Axes, parameters: Sequence[Row], correlations: Mapping[tuple[str, str], float]) -> None:
    """Correlations as numbers over their colour; where a parameter is at a bound there is none."""
    names = [str(row["parameter"]) for row in parameters]
    values: Floats = np.full((len(names), len(names)), np.nan)
    for (one, other), value in correlations.items():
        if one in names and other in names:
            values[names.index(one), names.index(other)] = values[names.index(other), names.index(one)] = value
    axes.imshow(values, cmap=CORRELATION_COLOURS, vmin=-1, vmax=1, aspect="auto")
    size = 8 if len(names) <= 8 else 6
    for row in range(len(names)):
        for column in range(len(names)):
            value = values[row, column]
            text = "–" if np.isnan(value) else f"{value:+.2f}".replace("0.", ".").replace("-", "−")
            colour = GREY if np.isnan(value) else "white" if abs(value) > 0.6 else BLACK
            if row != column:
                axes.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)
        axes.bar(row, 1.0, 1.0, row - 0.5, color=SHADE)
        axes.text(row, row, str(row + 1), ha="center", va="center", fontsize=size, color=GREY)
    axes.set_xticks(range(len(names)), [str(n + 1) for n in range(len(names))])
    axes.tick_params(length=0, labelleft=False)
    axes.spines[:].set_visible(False)
    for edge in range(1, len(names)):
        axes.axvline(edge - 0.5, color="white", linewidth=1.5)
        axes.axhline(edge - 0.5, color="white", linewidth=1.5)
    axes.set_xlabel("Correlation of the errors")


def count_panel_rows(profiles: Profiles) -> int:
    """How many rows of panels they need."""
    return -(-len(profiles) // _count_panels_across(len(profiles)))


def _count_panels_across(panels: int) -> int:
    """Panels side by side: three, but four are two by two."""
    return 2 if panels == 4 else min(panels, ACROSS)


def draw_profiles(figure: Figure, place: Any, parameters: Sequence[Row], profiles: Profiles) -> None:
    """Draw a panel for each profile, in the order of the parameters.

    Args:
        parameters: rows of ``fit_parameters``.
    """
    shown = [row for row in parameters if profiles.get(row["parameter"])]
    across = _count_panels_across(len(shown))
    grid = place.subgridspec(count_panel_rows(profiles), across)
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
    axes.set_xlabel(parameter_label(row, 30))
    show_literally(axes.xaxis.label)
    axes.set_title("\n".join(wrap(_describe_interval(first), TITLE_SIGNS)[:3]), fontsize=7, color=GREY)


def _describe_interval(first: Row) -> str:
    """The interval; where it is open, why."""
    if first["lower_95"] is None or first["upper_95"] is None:
        return str(first["verdict"] or "open")
    low, high = (format_tick(float(f"{first[side]:.3g}")) for side in ("lower_95", "upper_95"))
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
