"""Draw a table on a terminal with rich: as wide as the terminal, long texts wrapped, numbers never.

All texts are data, which may hold anything: they are drawn as ``rich.text.Text``, so that rich reads no markup in them.
rich is imported when the first table is drawn.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from ...data.standing import CURRENT
from .terminal import Terminal

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

GAP: Final = 2
"""Characters between two columns."""

SOFT_WORD: Final = 24
"""Characters from which on a word is broken, rather than that the table is folded into blocks. Chosen, not measured."""

LEAST_WORD: Final = 10
"""Characters of a column of texts in the narrowest terminal. Chosen, not measured."""

KEY_SHARE: Final = 2 / 3
"""Largest part of a line that the columns take which each block repeats. Chosen, not measured."""

KEY_HEADINGS: Final = frozenset({"cycle", "start", "stretch", "step"})
"""Numbers that say what a row is about; if a table is folded, each block has them, like the texts before them."""

STYLES: Final = {
    "status": {"failed": "red", "error": "red", "pending": "yellow", "skipped": "yellow", "not converged": "yellow"},
    "severity": {"error": "red", "warning": "yellow"},
}
"""Styles of values by heading of their column."""

BEGINNINGS: Final = {"! ": "yellow", "? ": "yellow", "failed": "red"}
"""Styles of aligned numbers and of verdicts by their beginning."""

UNKNOWN: Final = "–"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Args:
        heading: its heading.
        texts: its values.
        is_right: it holds numbers, which are aligned to the right and never wrapped.
        natural: characters of its longest text or heading.
        soft: characters below which words would be broken.
        least: characters that it has at least.
    """

    heading: str
    texts: tuple[str, ...]
    is_right: bool
    natural: int
    soft: int
    least: int


def lay_out(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    aligned_right: Sequence[bool],
    below: Sequence[str],
    terminal: Terminal,
    folded: Sequence[str] = (),
) -> str:
    """Return a table that is at most as wide as the terminal.

    Args:
        headings: one for each column.
        rows: a text for each column, without line ends and control characters.
        aligned_right: whether a column holds numbers.
        below: a text under each row; empty = none.
        terminal: where the table goes.
        folded: headings of the columns that come first if the table has to be folded.

    Returns:
        Lines with ANSI codes if the terminal has colours. If the columns are too many for one line, the table comes in
        several blocks, which all begin with the columns that say what a row is about.
    """
    columns = [
        _measure(heading, tuple(row[place] for row in rows), right)
        for place, (heading, right) in enumerate(zip(headings, aligned_right, strict=True))
    ]
    if len(fold(columns, terminal.width)) > 1:
        columns.sort(key=lambda column: folded.index(column.heading) if column.heading in folded else len(folded))
    first, *others = fold(columns, terminal.width)
    drawn = [_draw(first, fit_widths(first, terminal.width), () if others else below, terminal)]
    for place, block in enumerate(others):
        notes = list(below) if place == len(others) - 1 else []
        shown, notes = _without_unknown(block, len(_keys(columns, terminal.width)), notes)
        drawn.append(_draw(shown, fit_widths(shown, terminal.width), notes, terminal))
    return "\n\n".join(drawn)


def fold(columns: Sequence[Column], room: int) -> list[list[Column]]:
    """Return the blocks of a table: one if all columns fit into a line.

    Args:
        columns: of the table.
        room: characters of a line.
    """
    if _sum([column.soft for column in columns]) <= room:
        return [list(columns)]
    keys = _keys(columns, room)
    blocks: list[list[Column]] = []
    block = list(keys)
    for column in columns[len(keys) :]:
        if len(block) > len(keys) and _sum([each.soft for each in (*block, column)]) > room:
            blocks.append(block)
            block = list(keys)
        block.append(column)
    return [*blocks, block]


def fit_widths(columns: Sequence[Column], room: int) -> list[int]:
    """Return the width of each column, so that a line has at most ``room`` characters if that is possible at all.

    First the headings of numbers are wrapped, then texts between words, then words are broken.
    """
    widths = [column.natural for column in columns]
    stages = (
        [column.soft if column.is_right else column.natural for column in columns],
        [column.soft for column in columns],
        [column.least for column in columns],
    )
    for floors in stages:
        while _sum(widths) > room:
            spare = [width - floor if width > floor else 0 for width, floor in zip(widths, floors, strict=True)]
            if not any(spare):
                break
            widest = max(range(len(widths)), key=lambda place: (spare[place] > 0, widths[place]))
            widths[widest] -= 1
    return widths


def _measure(heading: str, texts: tuple[str, ...], is_right: bool) -> Column:
    from rich.cells import cell_len

    longest = max((cell_len(text) for text in texts), default=0)
    heading_word = max((cell_len(word) for word in heading.split()), default=0)
    natural = max(cell_len(heading), longest)
    if is_right:
        needed = max(heading_word, longest)
        return Column(heading, texts, True, natural, needed, needed)
    word = max((cell_len(word) for text in texts for word in text.split()), default=0)
    soft = min(max(heading_word, min(word, SOFT_WORD)), natural)
    return Column(heading, texts, False, natural, soft, min(soft, LEAST_WORD))


def _keys(columns: Sequence[Column], room: int) -> list[Column]:
    """Return the first columns, which say what a row is about: texts and such numbers, as far as KEY_SHARE allows."""
    keys = [columns[0]]
    for column in columns[1:-1]:
        is_key = not column.is_right or column.heading in KEY_HEADINGS
        if not is_key or _sum([each.soft for each in (*keys, column)]) > KEY_SHARE * room:
            break
        keys.append(column)
    return keys


def _without_unknown(block: Sequence[Column], keys: int, below: Sequence[str]) -> tuple[list[Column], list[str]]:
    """Return a further block, and the texts below its rows, without rows of which it knows nothing."""
    rows = range(len(block[0].texts))
    kept = [
        row for row in rows if any(column.texts[row] != UNKNOWN for column in block[keys:]) or any(below[row : row + 1])
    ]
    columns = [_measure(one.heading, tuple(one.texts[row] for row in kept), one.is_right) for one in block]
    return columns, [below[row] for row in kept if below]


def _sum(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * max(len(widths) - 1, 0)


def _draw(columns: Sequence[Column], widths: Sequence[int], below: Sequence[str], terminal: Terminal) -> str:
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    stream = io.StringIO()
    console = Console(
        file=stream,
        width=max(terminal.width, _sum(widths)),
        force_terminal=terminal.has_colours,
        color_system="standard" if terminal.has_colours else None,
        no_color=False,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    console.print(_grid(columns, widths, [[Text(column.heading, style="bold") for column in columns]], "bottom"))
    console.print(Text("  ".join("─" * width for width in widths), style="dim"))
    lines = [[_styled(column, place) for column in columns] for place in range(len(columns[0].texts))]
    if not below:
        if lines:
            console.print(_grid(columns, widths, lines))
    else:
        for line, text in zip(lines, below, strict=True):
            console.print(_grid(columns, widths, [line]))
            if text:
                console.print(Padding(Text(text), (0, 0, 0, GAP)))
    return "\n".join(line.rstrip() for line in stream.getvalue().rstrip("\n").split("\n"))


def _grid(
    columns: Sequence[Column],
    widths: Sequence[int],
    rows: Sequence[Sequence[Text]],
    vertical: Literal["top", "bottom"] = "top",
) -> Table:
    from rich.table import Table

    grid = Table.grid(padding=(0, GAP, 0, 0), collapse_padding=True, pad_edge=False)
    for column, width in zip(columns, widths, strict=True):
        grid.add_column(
            width=width,
            justify="right" if column.is_right else "left",
            overflow="fold",
            vertical=vertical,
        )
    for row in rows:
        grid.add_row(*row)
    return grid


def _styled(column: Column, place: int) -> Text:
    from rich.text import Text

    text = column.texts[place]
    return Text(text, style=_style(column, text))


def _style(column: Column, text: str) -> str:
    if text == UNKNOWN:
        return "dim"
    if column.heading in STYLES:
        return STYLES[column.heading].get(text, "")
    if column.heading == "standing" and text != CURRENT:
        return "yellow"
    if column.is_right or column.heading == "verdict":
        for beginning, style in BEGINNINGS.items():
            if text.startswith(beginning):
                return style
    return ""
