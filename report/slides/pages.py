"""Draw slides as pages of a PDF."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, cast

from matplotlib.backends.backend_pdf import PdfPages

from ..draw.style import BLACK, GREY, house_style
from .content import Bars, Changes, Deck, Diagram, Flow, Lines, Panel, Place, Slide, Stretch, Table
from .drawings import draw_diagram, draw_flow, draw_stretch
from .elements import draw_bars, draw_changes, draw_lines, draw_table
from .page import HEADING, LEAST, PAGE, TITLES, Page, cut, legible, line_height, text_width

MARGIN: Final = 0.6
FOOT: Final = 0.42
"""Height of the middle of the foot, in inch."""

_DRAW: Final[dict[type, Callable[[Page, Any, Place], None]]] = {
    Lines: draw_lines,
    Bars: draw_bars,
    Table: draw_table,
    Changes: draw_changes,
    Stretch: draw_stretch,
    Flow: draw_flow,
    Diagram: draw_diagram,
}


@house_style()
def write_pdf(deck: Deck, path: Path) -> None:
    """Write the pages of a deck as a PDF. The same deck gives the same bytes."""
    metadata = {"Title": f"kilocell: {legible(deck.name)}", "Creator": "kilocell", "CreationDate": None}
    with PdfPages(path, metadata=cast(Any, metadata)) as pdf:
        for page in draw_pages(deck):
            pdf.savefig(page.figure)


@house_style()
def draw_pages(deck: Deck) -> Iterator[Page]:
    """Draw each page."""
    foot = " · ".join(filter(None, ("kilocell", legible(deck.name), deck.date)))
    return iter(
        [_draw_page(slide, foot, f"{number} / {len(deck.slides)}") for number, slide in enumerate(deck.slides, 1)]
    )


def _draw_page(slide: Slide, foot: str, number: str) -> Page:
    page = Page()
    width = PAGE[0] - 2 * MARGIN
    title = legible(slide.title)
    size = next((size for size in TITLES if text_width(title, size, "bold") <= width), TITLES[-1])
    page.put(cut(title, width, size, "bold"), (MARGIN, PAGE[1] - 0.72), size, weight="bold", colour=BLACK)
    page.rectangle((MARGIN, PAGE[1] - 1.12, width, 0.035), "#0072b2")
    number_width = text_width(number, LEAST)
    page.put(cut(foot, width - number_width - 0.3, LEAST), (MARGIN, FOOT), LEAST, colour=GREY)
    page.put(number, (PAGE[0] - MARGIN, FOOT), LEAST, align="right", colour=GREY)
    for panel in slide.panels:
        _draw_panel(page, panel)
    return page


def _draw_panel(page: Page, panel: Panel) -> None:
    left, bottom, width, height = panel.place
    if panel.heading:
        text = cut(legible(panel.heading), width, HEADING, "bold")
        page.put(text, (left, bottom + height - line_height(HEADING) / 2), HEADING, weight="bold", colour="#0072b2")
        height -= line_height(HEADING) + 0.08
    _DRAW[type(panel.element)](page, panel.element, (left, bottom, width, height))
