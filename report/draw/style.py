"""Style of all figures: width of a page, colours and dashes for colour-blind readers and grey printers.

Colours are those of Okabe and Ito without yellow, which is too pale on white. Lines differ in their dashes too, never
only in hue.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

import matplotlib
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from ...parquet_store.layout import safe_name

WIDTH_INCH: Final = 7.0
"""Width of the text on a printed page (178 mm). All figures have it, so font sizes are the same in print."""

PNG_DPI: Final = 150
LEGEND_SIGNS: Final = 114
"""About the number of characters of a legend that fit on the width of a figure."""

LEGEND_HANDLE_SIGNS: Final = 8
"""Width of a legend's line or mark, in characters."""

BLACK: Final = "#1a1a1a"
GREY: Final = "#767676"
SHADE: Final = "#f0f0f0"
BLUE: Final = "#0072b2"
VERMILLION: Final = "#d55e00"
GREEN: Final = "#009e73"
PURPLE: Final = "#cc79a7"
ORANGE: Final = "#e69f00"
SKY: Final = "#56b4e9"
COLOURS: Final = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
DASHES: Final = ("-", (0, (5, 1.5)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)), (0, (3, 1, 1, 1, 1, 1)))
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X")
MEASURED: Final[dict[str, Any]] = {"color": BLACK, "linewidth": 1.8}
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
}


@contextmanager
def house_style() -> Iterator[None]:
    """Apply the style in a ``with`` block, or to a function as a decorator; then restore Matplotlib's settings."""
    with matplotlib.rc_context(_RC):
        yield


def simulated_style(number: int) -> dict[str, Any]:
    """Return colour and dashes of a simulation's line; ``number`` counts from 0, the first 30 styles differ."""
    return {"color": COLOURS[number % len(COLOURS)], "linestyle": DASHES[number % len(DASHES)], "linewidth": 1.2}


def marker_style(number: int) -> dict[str, Any]:
    """Return colour and marker of a simulation's dots; ``number`` counts from 0, the first 42 styles differ."""
    return {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)], "linestyle": "none"}


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


def put_heading(figure: Figure, heading: str, lines: Sequence[Line2D] = ()) -> None:
    """Put heading and legend above the panels, where they do not cover curves.

    Args:
        figure: with constrained layout.
        heading: one or more lines.
        lines: of the legend; their labels are its texts.
    """
    if not lines:
        show_literally(figure.suptitle(heading, fontsize=10, fontweight="bold"))
        return
    longest = max(len(str(line.get_label())) for line in lines) + LEGEND_HANDLE_SIGNS
    legend = figure.legend(
        handles=list(lines),
        loc="outside upper center",
        ncols=max(1, min(len(lines), 3, LEGEND_SIGNS // longest)),
        title=heading,
        title_fontproperties={"size": 10, "weight": "bold"},
    )
    legend.get_title().set_multialignment("center")
    show_literally(legend.get_title(), *legend.get_texts())


@cache
def _font_characters() -> frozenset[int]:
    """Return the code points that the figures' font has both in normal and in bold weight."""
    return _code_points(400) & _code_points(700)


def _code_points(weight: int) -> frozenset[int]:
    path = font_manager.findfont(font_manager.FontProperties(family="DejaVu Sans", weight=weight))
    return frozenset(font_manager.get_font(path).get_charmap())
