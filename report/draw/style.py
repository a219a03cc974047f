"""How every figure looks: a page's width, colours and dashes that survive colour blindness and a grey printer.

Colours are Okabe and Ito's (without yellow, too pale on white); a line's dashes differ too, so that no two
lines are told apart by hue alone.
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
"""Width of a printed page's text (178 mm): every figure has it, so that a font size is a font size."""

PNG_DPI: Final = 150
LEGEND_SIGNS: Final = 114
"""About as many signs of the legend's size as stand side by side on the width."""

LEGEND_HANDLE_SIGNS: Final = 8
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
"""Measured curves: dark and wider, so that they show under a simulation that lies on them."""

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
    "pdf.fonttype": 42,  # fonts as fonts: text in the PDF can be searched and edited
    "savefig.dpi": PNG_DPI,
}


@contextmanager
def house_style() -> Iterator[None]:
    """Apply the style within a ``with`` block (or to a function, as a decorator); what was set before comes back."""
    with matplotlib.rc_context(_RC):
        yield


def simulated_style(number: int) -> dict[str, Any]:
    """Return colour and dashes of the ``number``-th simulation of a figure (from 0); 30 differ."""
    return {"color": COLOURS[number % len(COLOURS)], "linestyle": DASHES[number % len(DASHES)], "linewidth": 1.2}


def marker_style(number: int) -> dict[str, Any]:
    """Return colour and marker of the ``number``-th simulation of a dot plot (from 0); 42 differ."""
    return {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)], "linestyle": "none"}


def displayable_name(text: str, length: int = 60) -> str:
    """Return a name as a figure can show it: shortened, and as its file's name where the font lacks a sign."""
    if any(ord(sign) not in _signs() for sign in text):
        text = safe_name(text)
    return text if len(text) <= length else f"{text[: length - 1]}…"


def show_literally(*texts: Text) -> None:
    """Show ``$``, ``_`` and ``\\`` in users' names as they are, not as mathematics."""
    for text in texts:
        text.set_parse_math(False)


def put_heading(figure: Figure, heading: str, lines: Sequence[Line2D] = ()) -> None:
    """Put heading and legend above the panels, where they cover no curve."""
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
def _signs() -> frozenset[int]:
    """Return the code points that the figures' font has, upright and bold."""
    fonts = (
        font_manager.findfont(font_manager.FontProperties(family="DejaVu Sans", weight=weight)) for weight in (400, 700)
    )
    upright, bold = (set(font_manager.get_font(font).get_charmap()) for font in fonts)
    return frozenset(upright & bold)
