"""Style of all figures: width of a page, fonts, and how the styles of models and parameter sets look in Matplotlib.

The colours, dashes and markers themselves are in ``report/styles.py``. Lines differ in their dashes too, never only in
hue.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from textwrap import wrap
from typing import Any, Final

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.text import Text

from ...parquet_store.layout import safe_name
from ..styles import BLACK as BLACK
from ..styles import DASHES as DASH_LENGTHS
from ..styles import MARKERS as LINE_MARKERS
from ..styles import MEASURED_COLOUR, MODEL_COLOURS, Style

WIDTH_INCH: Final = 7.0
"""Width of the text on a printed page (178 mm). All figures have it, so font sizes are the same in print."""

PNG_DPI: Final = 150
LEGEND_SIGNS: Final = 114
"""About the number of characters of a legend that fit on the width of a figure."""

LEGEND_HANDLE_SIGNS: Final = 8
"""Width of a legend's line or mark, in characters."""

MARKS_ON_LINE: Final = 8
"""About the number of markers on a line, so that they tell parameter sets apart and do not hide the line."""

DETAIL_SIGNS: Final = 92
"""About the number of characters of a heading's details that fit on the width of a figure."""

STRIP_GAP_INCH: Final = 0.06
"""Distance between heading, details, legend and panels."""

PALE: Final = 0.45
"""Opacity of bars of parameter sets that have a marker."""

DETAIL: Final = "#444444"
GREY: Final = "#767676"
SHADE: Final = "#f0f0f0"
GRID: Final = "#dddddd"
PALE_GREY: Final = "#c4c4c4"
COLOURS: Final = MODEL_COLOURS
BLUE: Final = COLOURS[0]
VERMILLION: Final = COLOURS[1]
GREEN: Final = COLOURS[2]
PURPLE: Final = COLOURS[3]
ORANGE: Final = COLOURS[4]
SKY: Final = COLOURS[5]
DASHES: Final[tuple[Any, ...]] = tuple((0, lengths) if lengths else "-" for lengths in DASH_LENGTHS)
MARKERS: Final = LINE_MARKERS[1:]
MEASURED: Final[dict[str, Any]] = {"color": MEASURED_COLOUR, "linewidth": 1.8}
"""Style of measured curves: dark and wide, so they are visible under a simulation."""

_RC: Final[Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.titlesize": 9.5,
    "axes.labelsize": 8.5,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "legend.handlelength": 2.6,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.formatter.useoffset": False,
    "lines.linewidth": 1.2,
    "lines.solid_capstyle": "butt",
    "pdf.fonttype": 42,  # TrueType: text in the PDF can be searched and edited
    "savefig.dpi": PNG_DPI,
    "svg.hashsalt": "kilocell",  # the same figure gives the same SVG
}


@contextmanager
def house_style() -> Iterator[None]:
    """Apply the style in a ``with`` block, or to a function as a decorator; then restore Matplotlib's settings."""
    with matplotlib.rc_context(_RC):
        yield


def line_style(style: Style, points: int = 0) -> dict[str, Any]:
    """Return how Matplotlib draws a line of this style: colour, dashes, and about eight hollow markers.

    Args:
        style: from ``report/styles.py``.
        points: number of points of the line, to spread the markers; 0 = :func:`spread_markers` does it for the line.
    """
    dashes = (0, style.dashes) if style.dashes else "-"
    drawn: dict[str, Any] = {"color": style.colour, "linestyle": dashes, "linewidth": 1.2}
    if style.marker:
        drawn |= {
            "marker": style.marker, "markersize": 4.5, "markerfacecolor": "white", "markeredgewidth": 1.0,
        }  # fmt: skip
        if points > MARKS_ON_LINE:
            drawn["markevery"] = -(-points // MARKS_ON_LINE)
    return drawn


def dot_style(style: Style) -> dict[str, Any]:
    """Return how Matplotlib draws a dot of this style: filled without a marker of its own, hollow with one."""
    face = "white" if style.marker else style.colour
    return {
        "color": style.colour, "marker": style.marker or "o", "markerfacecolor": face, "linestyle": "none",
    }  # fmt: skip


def bar_style(style: Style) -> dict[str, Any]:
    """Return how Matplotlib draws a bar of this style: pale with an edge if the style has a marker, which is on it."""
    if not style.marker:
        return {"color": style.colour}
    return {"facecolor": to_rgba(style.colour, PALE), "edgecolor": style.colour, "linewidth": 0.8}


def spread_markers(line: Line2D, shift: float = 0.5, count: int = MARKS_ON_LINE) -> None:
    """Spread the markers of a line evenly over its x axis, whatever the distance of its points.

    Args:
        line: a line with its data; without a marker, nothing changes.
        shift: place of the first marker, in distances between markers; markers of other lines are elsewhere.
        count: number of markers.
    """
    if line.get_marker() in ("", "None", None):
        return
    known = np.flatnonzero(np.isfinite(np.asarray(line.get_ydata(), dtype=np.float64)))
    if not len(known):
        return
    x = np.asarray(line.get_xdata(), dtype=np.float64)[known]
    wanted = x[0] + (x[-1] - x[0]) * (np.arange(count) + shift % 1.0) / count
    places = np.minimum(np.searchsorted(x, wanted), len(x) - 1)
    line.set_markevery(np.unique(known[places]).tolist())


def numbered_style(number: int) -> dict[str, Any]:
    """Return colour and dashes of a line that is no model's and no set's; ``number`` from 0, the first 30 differ."""
    return {"color": COLOURS[number % len(COLOURS)], "linestyle": DASHES[number % len(DASHES)], "linewidth": 1.2}


def displayable_name(text: str, length: int = 60) -> str:
    """Return a name that a figure can show.

    Args:
        text: any text. If the font does not have one of its characters, its safe file name is used instead.
        length: largest number of characters; a longer name ends with an ellipsis.
    """
    if any(ord(character) not in _font_characters() for character in text):
        text = safe_name(text)
    if len(text) <= length:
        return text
    return f"{text[: length - 1]}…"


def show_literally(*texts: Text) -> None:
    """Show ``$``, ``_`` and ``\\`` in users' names as characters, not as mathematics."""
    for text in texts:
        text.set_parse_math(False)


def put_heading(figure: Figure, heading: str, lines: Sequence[Line2D] = (), details: str = "") -> None:
    """Put heading and legend above the panels, where they do not cover curves.

    With details, the figure grows by the height of all this, so that the panels keep their size.

    Args:
        figure: with constrained layout.
        heading: one or more lines.
        lines: of the legend; their labels are its texts.
        details: below the heading, such as parameter set, capacity and temperature.
    """
    if details:
        _put_above(figure, heading, details, lines)
        return
    if not lines:
        show_literally(figure.suptitle(heading, fontsize=10, fontweight="bold"))
        return
    legend = figure.legend(
        handles=list(lines),
        loc="outside upper center",
        ncols=_legend_columns(lines),
        title=heading,
        title_fontproperties={"size": 10, "weight": "bold"},
    )
    legend.get_title().set_multialignment("center")
    show_literally(legend.get_title(), *legend.get_texts())


def _legend_columns(lines: Sequence[Line2D]) -> int:
    longest = max((len(part) for line in lines for part in str(line.get_label()).split("\n")), default=0)
    return max(1, min(len(lines), 3, LEGEND_SIGNS // (longest + LEGEND_HANDLE_SIGNS)))


def _put_above(figure: Figure, heading: str, details: str, lines: Sequence[Line2D]) -> None:
    """Put heading, details and legend into a strip that is added above the panels."""
    width, height = figure.get_size_inches()
    artists: list[Any] = [
        figure.suptitle(heading, x=0.5, y=1.0, va="top", fontsize=10, fontweight="bold"),
        figure.text(
            0.5, 1.0, "\n".join(wrap(details, DETAIL_SIGNS)), ha="center", va="top", fontsize=8.5, color=DETAIL
        ),
    ]
    show_literally(*artists)
    if lines:
        legend = figure.legend(
            handles=list(lines), loc="upper center", ncols=_legend_columns(lines), borderaxespad=0.0, borderpad=0.1
        )
        show_literally(*legend.get_texts())
        artists.append(legend)
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    heights = [artist.get_window_extent(renderer).height / figure.dpi for artist in artists]
    strip = STRIP_GAP_INCH * (len(artists) + 1) + sum(heights)
    figure.set_size_inches(width, height + strip)
    top = height + strip - STRIP_GAP_INCH
    for artist, taken in zip(artists, heights, strict=True):
        artist.set_in_layout(False)
        if isinstance(artist, Legend):
            artist.set_bbox_to_anchor((0.5, top / (height + strip)), figure.transFigure)
        else:
            artist.set_y(top / (height + strip))
        top -= taken + STRIP_GAP_INCH
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(rect=(0.0, 0.0, 1.0, height / (height + strip)))


@cache
def _font_characters() -> frozenset[int]:
    """Return the code points that the figures' font has both in normal and in bold weight."""
    return _code_points(400) & _code_points(700)


def _code_points(weight: int) -> frozenset[int]:
    path = font_manager.findfont(font_manager.FontProperties(family="DejaVu Sans", weight=weight))
    return frozenset(font_manager.get_font(path).get_charmap())
