"""Draw how far to believe a fit: how wide each parameter's interval is, and which errors move together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator
from numpy.typing import NDArray

from .draw_profiles import LEGEND, Profiles, draw_profiles, rows_of
from .fit_style import BELIEF, Row, colour_of, half_width, short_name, value_in_words, width_in_words
from .style import BLACK, GREY, SHADE, WIDTH_INCH, house_style, plain, put_heading, shown

COLOURS_OF_CORRELATION: Final = "RdBu_r"
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
    heights = [0.6 + 0.5 * count, *([2.1 * rows_of(known)] if known else [])]
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
        plain(figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=7, color=GREY))
    return figure


def _wrapped(notes: Sequence[str]) -> list[str]:
    lines = [line for note in notes for line in wrap(shown(note, 4000), LINE_SIGNS)]
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
        colour = colour_of(row)
        words = f"{value_in_words(row)}, {width_in_words(row)}"
        if share is None:
            axes.plot([low, high], [number] * 2, color=colour, linewidth=1.0, linestyle=(0, (1, 2)), zorder=1)
        else:
            width = min(max(100 * share, LEAST_PERCENT), high)
            axes.plot([low, width], [number] * 2, color=colour, linewidth=1.6, zorder=2)
            axes.plot(width, number, "o" if 100 * share < high else ">", color=colour, markersize=6, clip_on=False)
        plain(axes.text(0.01, number - 0.13, words, fontsize=7.2, va="bottom", transform=axes.get_yaxis_transform()))
    axes.set_yticks(
        range(len(parameters)),
        [
            short_name(row["parameter"], 22, 3) + f"  {n + 1}" * (len(parameters) > 1)
            for n, row in enumerate(parameters)
        ],
    )
    plain(*axes.get_yticklabels())
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
    values: NDArray[np.float64] = np.full((len(names), len(names)), np.nan)
    for (one, other), value in correlations.items():
        if one in names and other in names:
            values[names.index(one), names.index(other)] = values[names.index(other), names.index(one)] = value
    axes.imshow(values, cmap=COLOURS_OF_CORRELATION, vmin=-1, vmax=1, aspect="auto")
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
