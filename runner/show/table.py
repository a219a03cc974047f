"""Tables, and the same rows as JSON.

On a terminal, :mod:`.rich_table` draws a table as wide as the terminal, with colours. In a file or pipe, a table is
plain text: one line for each row, and nothing is cut.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from textwrap import wrap
from typing import Any, Final

from ...data.text import printable_text
from .terminal import find_terminal

LINE_WIDTH: Final = 100
"""Characters of a line that a column of wrapped text fills in a file or pipe."""

LEAST_TEXT_WIDTH: Final = 36
"""Characters of a line of wrapped text, also where the columns before it are wide."""

GAP: Final = "  "
"""Between two columns."""


def table(
    headings: Sequence[str],
    rows: Sequence[Sequence[Any]],
    number: str = ".2f",
    right: Collection[int] = (),
    below: Sequence[str] = (),
) -> str:
    """Lay out rows under headings: numbers aligned to the right, texts to the left.

    Args:
        headings: one for each column.
        rows: values for each column; ``None`` is shown as ``–``.
        number: format of decimals. Those below 0.01 or from 1e5 on get four digits and an exponent instead.
        right: columns whose texts are aligned to the right, too: numbers with a sign or unit. They are never wrapped.
        below: a text under each row, indented; empty = none.
    """
    texts = [[_text(value, number) for value in row] for row in rows]
    aligned_right = [column in right or _is_numeric(rows, column) for column in range(len(headings))]
    notes = [printable_text(text) for text in below]
    terminal = find_terminal()
    if terminal is None:
        return _plain(headings, texts, aligned_right, notes)
    from .rich_table import lay_out

    return lay_out(headings, texts, aligned_right, notes, terminal)


def table_with_text(headings: Sequence[str], rows: Sequence[Sequence[Any]], right: Collection[int] = ()) -> str:
    """Lay out rows as :func:`table`, with a last column of long texts, which is wrapped everywhere.

    Args:
        headings, rows, right: as for :func:`table`.
    """
    if find_terminal() is not None:
        return table(headings, rows, right=right)
    before = table(headings[:-1], [row[:-1] for row in rows], right=right).split("\n")
    edge = max(width(line) for line in before)
    room = max(LINE_WIDTH - edge - len(GAP), LEAST_TEXT_WIDTH)
    texts = [wrap(_text(row[-1], ".2f"), room) or [""] for row in rows]
    longest = max([len(headings[-1]), *(len(part) for parts in texts for part in parts)])
    lines = [
        f"{_cell(before[0], edge, False)}{GAP}{headings[-1]}",
        f"{_cell(before[1], edge, False)}{GAP}{'─' * longest}",
    ]
    for line, parts in zip(before[2:], texts, strict=True):
        lines.append(f"{_cell(line, edge, False)}{GAP}{parts[0]}".rstrip())
        lines += [f"{' ' * edge}{GAP}{part}" for part in parts[1:]]
    return "\n".join(lines)


def table_to_json(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return rows as a JSON list of objects, one per line.

    Args:
        headings: the keys of each object.
        rows: a value for each key; what JSON does not know is written as text.
    """
    objects = [json.dumps(dict(zip(headings, row, strict=True)), ensure_ascii=False, default=str) for row in rows]
    return "[" + ",\n ".join(objects) + "]"


def dicts_to_json(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as :func:`table_to_json`.

    Args:
        rows: all with the same keys.
    """
    if not rows:
        return table_to_json((), ())
    return table_to_json(tuple(rows[0]), [tuple(row.values()) for row in rows])


def print_rows(headings: Sequence[str], rows: Sequence[Sequence[Any]], json_: bool, number: str = ".2f") -> None:
    """Print rows as a table, or as JSON.

    Args:
        headings, rows, number: as for :func:`table`.
        json_: print JSON.
    """
    if json_:
        print(table_to_json(headings, rows))
    else:
        print(table(headings, rows, number))


def width(text: str) -> int:
    """Return the columns that a text takes in a terminal: two for an East Asian wide character, none for an accent."""
    if text.isascii():
        return len(text)
    return sum(_character_width(character) for character in text)


def _character_width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _plain(
    headings: Sequence[str], texts: Sequence[Sequence[str]], aligned_right: Sequence[bool], below: Sequence[str]
) -> str:
    columns = zip(headings, *texts, strict=True)
    widths = [max(map(width, column)) for column in columns]
    lines = [_row(headings, widths, aligned_right), GAP.join("─" * each for each in widths)]
    for place, row in enumerate(texts):
        lines.append(_row(row, widths, aligned_right))
        if below and below[place]:
            lines.append(f"{GAP}{below[place]}")
    return "\n".join(line.rstrip() for line in lines)


def _is_numeric(rows: Sequence[Sequence[Any]], column: int) -> bool:
    """Tell whether a column has only numbers and missing values."""
    return bool(rows) and all(row[column] is None or isinstance(row[column], (int, float)) for row in rows)


def _text(value: Any, number: str) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        if value == 0 or 0.01 <= abs(value) < 1e5:
            return f"{value:{number}}"
        return f"{value:.4g}"
    return printable_text(" ".join(str(value).split()))


def _row(texts: Sequence[str], widths: Sequence[int], aligned_right: Sequence[bool]) -> str:
    return GAP.join(_cell(text, each, right) for text, each, right in zip(texts, widths, aligned_right, strict=True))


def _cell(text: str, wide: int, right: bool) -> str:
    if text.isascii():
        return text.rjust(wide) if right else text.ljust(wide)
    padding = " " * (wide - width(text))
    return padding + text if right else text + padding
