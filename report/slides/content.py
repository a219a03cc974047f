"""What slides consist of: pages of panels. PDF and Markdown are made from the same objects, with the same numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ...data.arrays import Floats, Mask

Emphasis = Literal["measured", "projected"]


@dataclass(frozen=True, slots=True)
class Lines:
    """Sentences, one below the other.

    Args:
        lines: the sentences; one that starts with ``kilocell`` is a command.
    """

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar.

    Args:
        label: left of the bar.
        value: its length; ``None`` = unknown, no bar.
        text: right of the bar: the number, with its unit.
        colour: as ``#rrggbb``; "" = the usual one.
    """

    label: str
    value: float | None
    text: str
    colour: str = ""


@dataclass(frozen=True, slots=True)
class Bars:
    """Horizontal bars.

    Args:
        head: what labels and numbers are, for the header of a table.
        rows: from top to bottom.
        note: one line below; "" = none.
    """

    head: tuple[str, str]
    rows: tuple[Bar, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    Args:
        head: of the columns.
        rows: texts.
        emphasis: of each row: whether its numbers are measured or projected; empty = no difference.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    emphasis: tuple[Emphasis, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """A number before and after.

    Args:
        label: what changed.
        before, after: in the unit of the panel.
        text: both numbers with their unit.
        colour: as ``#rrggbb``.
    """

    label: str
    before: float
    after: float
    text: str
    colour: str


@dataclass(frozen=True, slots=True)
class Changes:
    """Numbers before and after, on one axis from 0.

    Args:
        head: what labels and numbers are.
        rows: from top to bottom.
        note: one line below; "" = none.
    """

    head: tuple[str, str]
    rows: tuple[Change, ...]
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """A stretch of a record before and after cleaning.

    Args:
        caption: which cell, and what cleaning changed there.
        quantity: with its unit, such as ``Voltage (V)``.
        time_hour: test time of the samples, shape (samples,).
        raw: the raw values of the samples, NaN where the file has none, shape (samples,).
        cleaned: the cleaned values, shape (samples,).
        is_row: which samples are rows of a file, and not inserted at a step's edge, shape (samples,).
        removed_hour, removed: time and raw value of quarantined rows, shape (rows,).
    """

    caption: str
    quantity: str
    time_hour: Floats
    raw: Floats
    cleaned: Floats
    is_row: Mask
    removed_hour: Floats
    removed: Floats


@dataclass(frozen=True, slots=True)
class Box:
    """A box of a drawing.

    Args:
        name: its heading.
        lines: below the heading.
        kind: a step that computes, something that is kept, or what the user gives.
        column, row: its place, from the left and from the top.
        span: number of columns that it covers.
    """

    name: str
    lines: tuple[str, ...]
    kind: Literal["given", "step", "kept"]
    column: int
    row: int
    span: int = 1


@dataclass(frozen=True, slots=True)
class Flow:
    """Boxes and arrows.

    Args:
        boxes: every box.
        arrows: names of two boxes, from and to, and a word beside the arrow ("" = none).
    """

    boxes: tuple[Box, ...]
    arrows: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Entity:
    """A table of the catalog in a diagram: its name, number of rows, and place from the left and from the top."""

    name: str
    rows: int
    column: int
    row: int


@dataclass(frozen=True, slots=True)
class Diagram:
    """An entity diagram.

    Args:
        entities: tables.
        links: names of two tables; many rows of the first refer to one of the second.
        note: one line below.
    """

    entities: tuple[Entity, ...]
    links: tuple[tuple[str, str], ...]
    note: str


Element = Lines | Bars | Table | Changes | Stretch | Flow | Diagram
Place = tuple[float, float, float, float]
"""Left, bottom, width and height on a page, in inch."""


@dataclass(frozen=True, slots=True)
class Panel:
    """A part of a page.

    Args:
        heading: above the element; "" = none.
        element: what it shows.
        place: in which part of the page, its heading included.
    """

    heading: str
    element: Element
    place: Place


@dataclass(frozen=True, slots=True)
class Slide:
    """One page.

    Args:
        title: what the page says, in one sentence.
        panels: in reading order.
    """

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Deck:
    """All pages.

    Args:
        name: of the campaign.
        date: of the last run, as 2026-11-30; "" = unknown.
        slides: at most six.
        warnings: what could not be read, for the user.
    """

    name: str
    date: str
    slides: tuple[Slide, ...]
    warnings: tuple[str, ...] = ()


LEFT = 0.6
BOTTOM = 0.85
WIDTH = 12.13
HEIGHT = 5.2
"""The part of a page (13.33 × 7.5 inch) below the title and above the foot."""

WHOLE: Place = (LEFT, BOTTOM, WIDTH, HEIGHT)


def missing(title: str, *lines: str) -> Slide:
    """Return a page without data, which says what to run."""
    return Slide(title, (Panel("", Lines(lines), WHOLE),))
