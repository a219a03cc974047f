"""Tables, and the same rows as JSON.

On a terminal, ``rich_table.py`` draws a table as wide as the terminal, with colours. In a file or pipe, a table is
plain text: one line for each row, and nothing is cut.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from textwrap import wrap
from typing import Any, Final

from ...data.text import printable_text
from .terminal import find_terminal

LINE_WIDTH: Final = 100
"""Characters of a line that a column of wrapped text fills in a file or pipe."""

LEAST_TEXT_WIDTH: Final = 36
"""Characters of a line of wrapped text, also where the columns before it are wide."""

Formats = tuple[tuple[str, str], ...]

GAP: Final = "  "
"""Between two columns."""


def table(
    headings: Sequence[str],
    rows: Sequence[Sequence[Any]],
    number: str = ".2f",
    right: Collection[int] = (),
    below: Sequence[str] = (),
    folded: Sequence[str] = (),
) -> str:
    """Lay out rows under headings: numbers aligned to the right, texts to the left.

    Args:
        headings: one for each column.
        rows: values for each column; ``None`` is shown as ``–``.
        number: format of decimals. Those below 0.01 or from 1e5 on get four digits and an exponent instead.
        right: columns whose texts are aligned to the right, too: numbers with a sign or unit. They are never wrapped.
        below: a text under each row, indented; empty = none.
        folded: headings of the columns that come first if a terminal is too narrow for one line; empty = as they are.
    """
    columns = list(zip(*rows, strict=True)) if rows else [() for _ in headings]
    texts = [_texts(column, number) for column in columns]
    aligned_right = [place in right or _is_numeric(column) for place, column in enumerate(columns)]
    notes = [printable_text(text) for text in below]
    terminal = find_terminal()
    if terminal is None:
        return _plain(headings, texts, aligned_right, notes)
    from .rich_table import lay_out

    return lay_out(headings, list(zip(*texts, strict=True)), aligned_right, notes, terminal, folded)


@cache
def number_format(column: str, formats: Formats) -> str | None:
    """Return the number format of a column of the catalog; ``None`` = it has none of its own.

    Args:
        column: its name, which ends with its unit.
        formats: pairs of the end of a name and a number format; the first that fits counts.
    """
    return next((each for ending, each in formats if column.endswith(ending)), None)


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
    encode = json.JSONEncoder(ensure_ascii=False, default=str).encode
    objects = [encode(dict(zip(headings, row, strict=True))) for row in rows]
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
    headings: Sequence[str], columns: Sequence[Sequence[str]], aligned_right: Sequence[bool], below: Sequence[str]
) -> str:
    """Lay out a table column by column: a store of many cells has thousands of rows."""
    padded = [
        _padded([heading, *texts], right)
        for heading, texts, right in zip(headings, columns, aligned_right, strict=True)
    ]
    first, *rest = [GAP.join(row).rstrip() for row in zip(*padded, strict=True)]
    lines = [first, GAP.join("─" * width(column[0]) for column in padded)]
    for place, line in enumerate(rest):
        lines.append(line)
        if below and below[place]:
            lines.append(f"{GAP}{below[place]}".rstrip())
    return "\n".join(lines)


def _is_numeric(column: Sequence[Any]) -> bool:
    """Tell whether a column has only numbers and missing values."""
    return bool(column) and all(value is None or isinstance(value, (int, float)) for value in column)


def _texts(column: Sequence[Any], number: str) -> list[str]:
    """Return the text of each value of a column; a text that stands in many rows is made once."""
    known: dict[str, str] = {}
    texts = []
    for value in column:
        if isinstance(value, str):
            if value not in known:
                known[value] = _text(value, number)
            texts.append(known[value])
        else:
            texts.append(_text(value, number))
    return texts


def _text(value: Any, number: str) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        if value == 0 or 0.01 <= abs(value) < 1e5:
            return f"{value:{number}}"
        return f"{value:.4g}"
    return printable_text(" ".join(str(value).split()))


def _padded(texts: Sequence[str], right: bool) -> list[str]:
    """Return the texts of a column, all as wide as the widest."""
    if "".join(texts).isascii():
        wide = max(map(len, texts))
        return [text.rjust(wide) for text in texts] if right else [text.ljust(wide) for text in texts]
    wide = max(map(width, texts))
    return [_cell(text, wide, right) for text in texts]


def _cell(text: str, wide: int, right: bool) -> str:
    if text.isascii():
        return text.rjust(wide) if right else text.ljust(wide)
    padding = " " * (wide - width(text))
    return padding + text if right else text + padding
