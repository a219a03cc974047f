"""Write slides as Markdown: the same sentences and numbers, for those who use a template of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from .content import Bars, Changes, Deck, Diagram, Element, Flow, Lines, Slide, Stretch, Table

_SPECIAL: Final = re.compile(r"([\\`*_\[\]<>|#$~])")


def to_markdown(deck: Deck) -> str:
    """Return a deck as Markdown: a heading of level 2 for each page, lists and tables."""
    parts = [f"# kilocell: {escape(deck.name)}"]
    if deck.date:
        parts.append(deck.date)
    for number, slide in enumerate(deck.slides, 1):
        parts.append("\n".join(_slide(slide, number)).rstrip())
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Return a text in which Markdown and HTML have no meaning, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split())).replace("&", "&amp;")


def _slide(slide: Slide, number: int) -> Iterator[str]:
    yield f"## {number}. {escape(slide.title)}"
    yield ""
    for panel in slide.panels:
        if panel.heading:
            yield f"### {escape(panel.heading)}"
            yield ""
        yield from _element(panel.element)
        yield ""


def _element(element: Element) -> Iterator[str]:
    match element:
        case Lines(lines):
            for line in lines:
                yield f"- {_code(line) if line.startswith('kilocell ') else escape(line)}"
        case Bars(head, rows, note):
            yield from _table(head, [(bar.label, bar.text) for bar in rows])
            yield from _note(note)
        case Changes(head, rows, note):
            yield from _table(head, [(change.label, change.text) for change in rows])
            yield from _note(note)
        case Table():
            yield from _table(element.head, element.rows)
        case Stretch():
            yield from _stretch(element)
        case Flow():
            yield from _flow(element)
        case Diagram():
            yield from _diagram(element)


def _note(note: str) -> Iterator[str]:
    if note:
        yield ""
        yield escape(note)


def _code(text: str) -> str:
    """Return a command as code, also if it has backticks."""
    text = " ".join(text.split())
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence}{text}{fence}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(escape(name) for name in head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(_cell(text) for text in row)} |"


def _cell(text: str) -> str:
    return _code(text).replace("|", "\\|") if text.startswith("kilocell ") else escape(text)


def _stretch(stretch: Stretch) -> Iterator[str]:
    start, end = stretch.time_hour[0], stretch.time_hour[-1]
    yield f"- {escape(stretch.caption)}"
    yield f"- {escape(stretch.quantity)}, test time {start:.4g} to {end:.4g} h: {len(stretch.time_hour)} samples"
    if len(stretch.removed):
        yield f"- quarantined rows: {len(stretch.removed)}"


def _flow(flow: Flow) -> Iterator[str]:
    for box in flow.boxes:
        yield f"- **{escape(box.name)}**: {escape(', '.join(box.lines))}"
    yield ""
    for start, end, word in flow.arrows:
        yield f"- {escape(start)} → {escape(end)}{f' ({escape(word)})' if word else ''}"


def _diagram(diagram: Diagram) -> Iterator[str]:
    yield from _table(("table", "rows"), [(entity.name, f"{entity.rows:,}") for entity in diagram.entities])
    yield ""
    for child, parent in diagram.links:
        yield f"- {escape(child)} → {escape(parent)}"
    yield from _note(diagram.note)
