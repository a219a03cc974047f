"""A page of 13.33 × 7.5 inch, on which texts are measured before they are put: nothing overflows or overlaps."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyBboxPatch, Rectangle

from ..draw.style import displayable_name

PAGE: Final = (13.333, 7.5)
"""Width and height, in inch: 16:9, as presentation programs have it."""

POINTS_PER_INCH: Final = 72.0
LEAST: Final = 14.0
"""Smallest size of letters, in points: readable on a laptop at arm's length. Chosen, not measured."""

LARGE: Final = 18.0
BODY: Final = 16.0
HEADING: Final = 17.0
TITLES: Final = (27.0, 24.0, 21.0)
LINE: Final = 1.32
"""Distance of lines over the size of letters."""

ELLIPSIS: Final = "…"
Weight = Literal["normal", "bold"]
Align = Literal["left", "center", "right"]


@lru_cache(maxsize=8192)
def text_width(text: str, size: float, weight: Weight = "normal") -> float:
    """Return the width of a text on a page, in inch."""
    renderer: Any = _renderer()
    width, _, _ = renderer.get_text_width_height_descent(text, _font(size, weight), False)
    return float(width) / POINTS_PER_INCH


@lru_cache(maxsize=1)
def _renderer() -> Any:
    make: Any = RendererAgg
    return make(8, 8, POINTS_PER_INCH)


@lru_cache(maxsize=32)
def _font(size: float, weight: Weight) -> FontProperties:
    return FontProperties(family="DejaVu Sans", size=size, weight=weight)


def line_height(size: float) -> float:
    """Return the distance of lines, in inch."""
    return LINE * size / POINTS_PER_INCH


def legible(text: str) -> str:
    """Return a text with every word that the font cannot show replaced by its safe name."""
    return " ".join(displayable_name(word, len(word) + 80) for word in text.split())


def cut(text: str, width: float, size: float, weight: Weight = "normal") -> str:
    """Return a text that is at most ``width`` inch wide; a longer one ends with an ellipsis."""
    if text_width(text, size, weight) <= width:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if text_width(text[:middle].rstrip() + ELLIPSIS, size, weight) <= width:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + ELLIPSIS


def wrap(text: str, width: float, size: float, lines: int, weight: Weight = "normal") -> list[str]:
    """Return a text as at most this number of lines, each at most ``width`` inch wide.

    Args:
        text: words; one that is too long for a line is cut.
        width: inch.
        size: of the letters, in points.
        lines: largest number; if the text needs more, the last one ends with an ellipsis.
        weight: of the letters.
    """
    words = legible(text).split(" ")
    done: list[str] = []
    line = words[0]
    for number, word in enumerate(words[1:], 1):
        if text_width(f"{line} {word}", size, weight) <= width:
            line = f"{line} {word}"
            continue
        if len(done) + 1 == lines:
            line = " ".join([line, *words[number:]])
            break
        done.append(cut(line, width, size, weight))
        line = word
    return [*done, cut(line, width, size, weight)]


class Page:
    """A page: a figure with one set of axes whose units are inch, from the lower left corner."""

    def __init__(self) -> None:
        self.figure = Figure(figsize=PAGE)
        FigureCanvasAgg(self.figure)
        self.axes: Axes = self.figure.add_axes((0.0, 0.0, 1.0, 1.0))
        self.axes.set_axis_off()
        self.axes.set_xlim(0.0, PAGE[0])
        self.axes.set_ylim(0.0, PAGE[1])

    def put(
        self,
        text: str,
        at: tuple[float, float],
        size: float = BODY,
        *,
        weight: Weight = "normal",
        align: Align = "left",
        colour: str = "#1a1a1a",
        **more: Any,
    ) -> None:
        """Put one line of text; ``at`` is its side (by ``align``) and its middle in height."""
        self.axes.text(
            *at, text, fontsize=size, fontweight=weight, ha=align, color=colour, parse_math=False,
            **{"va": "center_baseline", **more},
        )  # fmt: skip

    def rectangle(self, place: tuple[float, float, float, float], colour: str, **more: Any) -> None:
        """Put a filled rectangle; ``place`` is left, bottom, width and height."""
        left, bottom, width, height = place
        self.axes.add_patch(Rectangle((left, bottom), width, height, **{"facecolor": colour, "linewidth": 0, **more}))

    def rounded(self, place: tuple[float, float, float, float], fill: str, edge: str, width: float = 1.5) -> None:
        """Put a box with round corners."""
        left, bottom, across, up = place
        self.axes.add_patch(
            FancyBboxPatch(
                (left, bottom), across, up, boxstyle="round,pad=0,rounding_size=0.09",
                facecolor=fill, edgecolor=edge, linewidth=width,
            )
        )  # fmt: skip

    def panel_axes(self, place: tuple[float, float, float, float]) -> Axes:
        """Return axes for a curve; ``place`` is left, bottom, width and height in inch."""
        left, bottom, width, height = place
        share = (left / PAGE[0], bottom / PAGE[1], width / PAGE[0], height / PAGE[1])
        axes: Axes = self.figure.add_axes(share)
        return axes
