"""Draw the tables of a catalog as an entity diagram, made from the catalog's own schema.

Every table is a box with the columns of its key and its references. Tables that belong to another one hang below it.
The views are listed below the first lanes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from ...sqlite.describe import Table
from .style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION, house_style, show_literally

WIDE_INCH: Final = 10.0
"""Width of the diagram on a page of the documents."""

LANES: Final[dict[str, tuple[str, ...]]] = {
    "Campaign, runs, raw data": ("campaigns", "runs", "jobs", "plan", "sources"),
    "Models, parameter sets": ("models", "parameter_sets", "cell_parameter_sets", "fitted_sets"),
    "Cleaning": ("clean_reports",),
    "Simulations": ("simulations",),
    "Fits": ("fits", "fit_starts", "fit_intervals"),
}
"""Columns of the diagram, and their tables that belong to no other. A table that is not here is in a lane "Other"."""

COLOURS: Final = (GREY, ORANGE, GREEN, BLUE, VERMILLION, PURPLE, SKY)
TOP: Final = "cells"
"""The table to which most others refer: a bar above all lanes."""

_LINE: Final = 1.0  # height of a line of text; all other lengths are in it
_PAD: Final = 0.28
_GAP: Final = 0.75
_INDENT: Final = 0.075  # of the width of a lane
_SIGNS: Final = 27  # characters that fit on the width of a box
_INCH_PER_LINE: Final = 0.135
_POINTS: Final = 6.6
_NOTE_LANES: Final = 2  # lanes above the notes
_NOTE_SIGNS: Final = 64
LEGEND: Final = (
    "Bold: a table. Black: its key, without the columns of the table it belongs to.",
    "→ refers to. Fork: many rows belong to one above, and are deleted with it.",
)


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class _Box:
    table: Table
    level: int
    lines: tuple[_Line, ...]
    top: float

    @property
    def bottom(self) -> float:
        return self.top + len(self.lines) * _LINE + 2 * _PAD


@house_style()
def draw_schema(
    tables: Sequence[Table],
    counts: Mapping[str, int] | None = None,
    size_inch: tuple[float, float] | None = None,
) -> Figure:
    """Draw an entity diagram.

    Args:
        tables: from :func:`kilocell.sqlite.describe.describe_schema`; of views only the names are shown.
        counts: number of rows of each table, shown in its box; ``None`` = not shown.
        size_inch: width and height of the figure; ``None`` = as high as it needs to be on a page.
    """
    known = [table for table in tables if not table.is_view]
    lanes = {name: list(_stack(roots, counts or {})) for name, roots in _fill_lanes(known).items()}
    notes = _notes([table.name for table in tables if table.is_view])
    note_top = max(boxes[-1].bottom for boxes in list(lanes.values())[:_NOTE_LANES]) + 1.2
    height = max(note_top + len(notes) * _LINE, *(boxes[-1].bottom for boxes in lanes.values())) + 0.6
    width_inch, height_inch = size_inch or (WIDE_INCH, height * _INCH_PER_LINE)
    figure = Figure(figsize=(width_inch, height_inch))
    axes = figure.add_axes((0.005, 0.005, 0.99, 0.99))
    axes.set(xlim=(0, len(lanes)), ylim=(height, 0))
    axes.set_axis_off()
    points = _POINTS * min(height_inch / (height * _INCH_PER_LINE), width_inch / (WIDE_INCH * len(lanes) / len(LANES)))
    top = next((table for table in known if table.name == TOP), None)
    if top is not None:
        _draw_top(axes, top, len(lanes), points, (counts or {}).get(TOP))
    for number, (name, boxes) in enumerate(lanes.items()):
        _draw_lane(axes, number, name, boxes, points)
    for place, line in enumerate(notes):
        y = height - 0.6 - (len(notes) - place - 0.5) * _LINE
        show_literally(axes.text(0.03, y, line, fontsize=points, color=GREY if line in LEGEND else BLACK, va="center"))
    return figure


def _notes(views: Sequence[str]) -> list[str]:
    """Return the lines of text below the first lanes: a legend and the names of the views."""
    asked = [name for name in views if not name.startswith("current_") and name != "extent"]
    if not asked:
        return list(LEGEND)
    return [*LEGEND, "", *wrap(f"Views: {', '.join(asked)}", _NOTE_SIGNS)]


def _fill_lanes(tables: Sequence[Table]) -> dict[str, list[tuple[Table, int]]]:
    """Return the tables of each lane with their level: 0, or one more than the table that they belong to."""
    children: dict[str, list[Table]] = {}
    for table in tables:
        children.setdefault(table.owner, []).append(table)

    def with_children(table: Table, level: int) -> Iterator[tuple[Table, int]]:
        yield table, level
        for child in children.get(table.name, []):
            yield from with_children(child, level + 1)

    lanes: dict[str, list[tuple[Table, int]]] = {name: [] for name in LANES}
    lane_of = {root: name for name, roots in LANES.items() for root in roots}
    for table in children.get("", []):
        if table.name != TOP:
            lane = lanes.setdefault(lane_of.get(table.name, "Other"), [])
            lane.extend(with_children(table, 0))
    return {name: lane for name, lane in lanes.items() if lane}


def _stack(tables: Sequence[tuple[Table, int]], counts: Mapping[str, int]) -> Iterator[_Box]:
    """Yield the boxes of a lane from top to bottom."""
    top = 5.6
    for table, level in tables:
        box = _Box(table, level, tuple(_lines(table, counts.get(table.name))), top)
        top = box.bottom + _GAP
        yield box


def _lines(table: Table, count: int | None) -> Iterator[_Line]:
    yield _Line(table.name, "name")
    owner = next((reference for reference in table.references if reference.owns), None)
    own_key = [name for name in table.key if owner is None or name not in owner.columns]
    text = ""
    for name in own_key:
        longer = f"{text}, {name}" if text else name
        if len(longer) > _SIGNS:
            yield _Line(text + ",", "key")
            longer = name
        text = longer
    if text:
        yield _Line(text, "key")
    others = sorted({reference.table for reference in table.references if not reference.owns})
    if others:
        yield from (_Line(f"→ {name}", "reference") for name in others)
    shown = {*table.key, *(name for reference in table.references for name in reference.columns)}
    rest = len([column for column in table.columns if column.name not in shown])
    more = f"{rest} more columns" if rest > 1 else "1 more column"
    rows = _rows(count)
    yield _Line(" · ".join(filter(None, (more if rest else "", rows))), "more")


def _rows(count: int | None) -> str:
    if count is None:
        return ""
    return "1 row" if count == 1 else f"{count:,} rows"


def _draw_top(axes: Axes, table: Table, lanes: int, points: float, count: int | None) -> None:
    """Draw the table of cells as a bar over all lanes."""
    _draw_frame(axes, 0.03, 0.25, lanes - 0.06, 2.3, BLACK)
    more = f"{len(table.columns) - len(table.key)} more columns"
    texts = (
        axes.text(lanes / 2, 0.95, table.name, ha="center", va="center", fontsize=1.35 * points, fontweight="bold"),
        axes.text(
            lanes / 2,
            1.9,
            " · ".join(filter(None, (", ".join(table.key), more, _rows(count)))),
            ha="center",
            va="center",
            fontsize=points,
            color=GREY,
        ),
    )
    show_literally(*texts)


def _draw_lane(axes: Axes, number: int, name: str, boxes: Sequence[_Box], points: float) -> None:
    """Draw the boxes of a lane, their title, and the lines from each table to those that belong to it."""
    colour = COLOURS[number % len(COLOURS)]
    left, right = number + 0.03, number + 0.97
    show_literally(axes.text(left, 4.2, name, fontsize=1.2 * points, fontweight="bold", color=colour, va="center"))
    axes.plot([left, right], [5.0, 5.0], color=colour, linewidth=1.2)
    trunks: dict[int, float] = {}
    for box in boxes:
        x = left + _INDENT * box.level
        _draw_frame(axes, x, box.top, right - x, box.bottom - box.top, colour)
        if box.level:
            stem, middle = x - 0.6 * _INDENT, box.top + _PAD + _LINE / 2
            axes.plot([stem, stem, x], [trunks[box.level - 1], middle, middle], color=colour, linewidth=0.9)
            axes.plot([x - 0.25 * _INDENT, x], [middle, middle - 0.25], color=colour, linewidth=0.9)
            axes.plot([x - 0.25 * _INDENT, x], [middle, middle + 0.25], color=colour, linewidth=0.9)
        trunks[box.level] = box.bottom
        _draw_lines(axes, box, x, points)


def _draw_lines(axes: Axes, box: _Box, left: float, points: float) -> None:
    styles: dict[str, dict[str, Any]] = {
        "name": {"fontweight": "bold", "fontsize": 1.1 * points, "color": BLACK},
        "key": {"fontsize": points, "color": BLACK},
        "reference": {"fontsize": points, "color": BLUE},
        "more": {"fontsize": 0.92 * points, "color": GREY},
    }
    for place, line in enumerate(box.lines):
        y = box.top + _PAD + (place + 0.5) * _LINE
        text = axes.text(left + 0.03, y, line.text, va="center", ha="left", **styles[line.kind])
        show_literally(text)


def _draw_frame(axes: Axes, left: float, top: float, width: float, height: float, colour: str) -> None:
    frame = FancyBboxPatch(
        (left, top), width, height, boxstyle="round,pad=0,rounding_size=0.02", facecolor="white", edgecolor=colour
    )
    frame.set_linewidth(0.9)
    axes.add_patch(frame)
