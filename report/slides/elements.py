"""Draw sentences, bars, tables and changes on a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..draw.style import BLACK, GREY, SHADE
from .content import Bars, Changes, Lines, Place, Table
from .page import BODY, LARGE, LEAST, Page, Weight, cut, legible, line_height, text_width, wrap

BAR_COLOUR: Final = "#4477aa"
MEASURED_FILL: Final = "#dcebf5"
CODE_FILL: Final = "#eeeeee"
GAP: Final = 0.14
"""Distance between a label and its bar, in inch."""

SIZES: Final = (LARGE, BODY, LEAST)
"""Sizes of sentences: the largest with which all of them fit."""

BAR_SHARE: Final = 0.6
LARGEST_STEP: Final = 0.58
"""Largest distance of two rows, in inch."""

CELL_LINES: Final = 2


def draw_lines(page: Page, lines: Lines, place: Place) -> None:
    """Draw sentences from the top down; what does not fit is cut."""
    left, bottom, width, height = place
    fitting = [size for size in SIZES if _needed(lines.lines, width, size) * line_height(size) <= height]
    size = fitting[0] if fitting else LEAST
    room = int(height / line_height(size) + 1e-6)
    y = bottom + height - line_height(size) / 2
    for number, line in enumerate(lines.lines):
        later = len(lines.lines) - number - 1
        is_command = line.startswith("kilocell ")
        for part in wrap(line, width - 0.2, size, max(1, room - later), "bold" if is_command else "normal"):
            if room <= 0:
                return
            _put_line(page, part, (left, y), size, is_command)
            y -= line_height(size)
            room -= 1


def _needed(lines: Sequence[str], width: float, size: float) -> int:
    return sum(len(wrap(line, width - 0.2, size, 99)) for line in lines)


def _put_line(page: Page, text: str, at: tuple[float, float], size: float, is_command: bool) -> None:
    weight: Weight = "normal"
    if is_command:
        weight = "bold"
        half = 0.45 * line_height(size)
        page.rectangle((at[0], at[1] - half, text_width(text, size, weight) + 0.2, 2 * half), CODE_FILL)
        at = (at[0] + 0.1, at[1])
    page.put(text, at, size, weight=weight)


def draw_bars(page: Page, bars: Bars, place: Place) -> None:
    """Draw horizontal bars: labels at the left, numbers at the right of each bar."""
    left, bottom, width, height = place
    size = LEAST
    if bars.note:
        page.put(cut(legible(bars.note), width, size), (left, bottom + line_height(size) / 2), size, colour=GREY)
        bottom += line_height(size)
        height -= line_height(size)
    if not bars.rows:
        return
    step = min(LARGEST_STEP, height / len(bars.rows))
    label_width = min(max(text_width(legible(row.label), size) for row in bars.rows), 0.5 * width)
    texts = [cut(legible(row.text), 0.4 * width, size) for row in bars.rows]
    start = left + label_width + GAP
    room = max(width - label_width - 2 * GAP - max(text_width(text, size) for text in texts), 0.0)
    longest = max((row.value or 0.0 for row in bars.rows), default=0.0) or 1.0
    for number, (row, text) in enumerate(zip(bars.rows, texts, strict=True)):
        y = bottom + height - step * (number + 0.5)
        page.put(cut(legible(row.label), label_width + 0.01, size), (start - GAP, y), size, align="right")
        length = room * max(row.value or 0.0, 0.0) / longest
        thick = min(BAR_SHARE * step, 0.3)
        page.rectangle((start, y - thick / 2, length, thick), row.colour or BAR_COLOUR)
        page.put(text, (start + length + 0.6 * GAP, y), size)


def draw_changes(page: Page, changes: Changes, place: Place) -> None:
    """Draw numbers before (open circle) and after (filled circle) on one axis from 0."""
    left, bottom, width, height = place
    size = LEAST
    note = "○ before   ● after" + (f"   {changes.note}" if changes.note else "")
    page.put(cut(note, width, size), (left, bottom + line_height(size) / 2), size, colour=GREY)
    bottom += line_height(size) + 0.08
    height -= line_height(size) + 0.08
    step = min(1.0, height / max(len(changes.rows), 1))
    texts = [legible(row.text) for row in changes.rows]
    text_room = max(text_width(text, size, "bold") for text in texts)
    room = width - text_room - 0.45
    longest = max(max(row.before, row.after) for row in changes.rows) or 1.0
    page.axes.plot([left + 0.1] * 2, [bottom, bottom + height], color=GREY, linewidth=0.8)
    for number, (row, text) in enumerate(zip(changes.rows, texts, strict=True)):
        middle = bottom + height - step * (number + 0.5)
        page.put(cut(legible(row.label), width, size), (left + 0.2, middle + 0.6 * line_height(size)), size)
        y = middle - 0.5 * line_height(size)
        x = [left + 0.1 + room * value / longest for value in (row.before, row.after)]
        page.axes.plot(x, [y, y], color=row.colour, linewidth=3.0, alpha=0.55, solid_capstyle="butt")
        page.axes.plot(x[0], y, "o", color=row.colour, markerfacecolor="white", markersize=9, markeredgewidth=2)
        page.axes.plot(x[1], y, "o", color=row.colour, markersize=9)
        page.put(text, (max(x) + 0.2, y), size, weight="bold")


def draw_table(page: Page, table: Table, place: Place) -> None:
    """Draw a table; cells are wrapped into two lines, then cut. Measured rows have a background."""
    left, bottom, width, height = place
    size = _table_size(table, width, height)
    widths = _column_widths(table, width, size)
    head_height = line_height(size) + 0.1
    step = min(LARGEST_STEP, (height - head_height) / max(len(table.rows), 1))
    lines = max(1, min(CELL_LINES, int(step / line_height(size) + 0.05)))
    top = bottom + height
    for column, name in enumerate(table.head):
        at = left + sum(widths[:column])
        page.put(cut(name, widths[column] - GAP, size, "bold"), (at, top - head_height / 2), size, weight="bold")
    page.axes.plot([left, left + width], [top - head_height] * 2, color=BLACK, linewidth=1.0)
    for number, row in enumerate(table.rows):
        y = top - head_height - step * (number + 0.5)
        is_measured = bool(table.emphasis) and table.emphasis[number] == "measured"
        if is_measured:
            page.rectangle((left, y - step / 2, width, step), MEASURED_FILL, zorder=0)
        elif number % 2 and not table.emphasis:
            page.rectangle((left, y - step / 2, width, step), SHADE, zorder=0)
        for column, text in enumerate(row):
            weight: Weight = "bold" if is_measured else "normal"
            parts = wrap(text, widths[column] - GAP, size, lines, weight)
            at = left + sum(widths[:column])
            for place_in_cell, part in enumerate(parts):
                shift = (len(parts) - 1) / 2 - place_in_cell
                page.put(part, (at + 0.03, y + shift * line_height(size)), size, weight=weight)


def _table_size(table: Table, width: float, height: float) -> float:
    """Return the largest size with which no cell has to be wrapped, else the smallest one."""
    for size in (BODY, LEAST):
        rows = len(table.rows) + 1
        if sum(_needed_widths(table, size)) <= width and rows * (line_height(size) + 0.05) + 0.1 <= height:
            return size
    return LEAST


def _needed_widths(table: Table, size: float) -> list[float]:
    """Return the width with which no text of a column has to be wrapped, in inch."""
    needed = [text_width(legible(name), size, "bold") for name in table.head]
    for number, row in enumerate(table.rows):
        weight: Weight = "bold" if table.emphasis and table.emphasis[number] == "measured" else "normal"
        needed = [max(one, text_width(legible(text), size, weight)) for one, text in zip(needed, row, strict=True)]
    return [one + 1.5 * GAP for one in needed]


def _column_widths(table: Table, width: float, size: float) -> list[float]:
    """Return the width of each column: as it needs, or if all do not fit, the widest ones less."""
    needed = _needed_widths(table, size)
    spare = width - sum(needed)
    if spare >= 0.0:
        return [one + spare / len(needed) for one in needed]
    level = max(needed)
    while sum(min(one, level) for one in needed) > width:
        level *= 0.98
    return [min(one, level) for one in needed]
