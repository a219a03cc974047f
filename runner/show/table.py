"""Tables on the terminal, and the same rows as JSON."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from textwrap import wrap
from typing import Any

from ...data.text import printable_text

MAX_WIDTH = 60
"""Widest a column may be, in characters, unless a caller says otherwise."""

LINE_WIDTH = 100
"""Characters of a line that a column of wrapped text fills."""

LEAST_TEXT_WIDTH = 36
"""Characters of a line of wrapped text, also where the columns before it are wide."""


def table(
    headings: Sequence[str],
    rows: Sequence[Sequence[Any]],
    number: str = ".2f",
    widest: int = MAX_WIDTH,
    right: Collection[int] = (),
) -> str:
    """Lay out rows under headings: numbers aligned to the right, texts to the left, long texts cut with an ellipsis.

    Args:
        headings: one for each column.
        rows: values for each column; ``None`` is shown as ``–``.
        number: format of decimals. Those below 0.01 or from 1e5 on get four digits and an exponent instead.
        widest: characters from which on a text is cut.
        right: columns whose texts are aligned to the right, too: numbers with a sign or unit.
    """
    texts = [[_text(value, number) for value in row] for row in rows]
    widths = []
    aligned_right = []
    for column, heading in enumerate(headings):
        width = max([_width(heading), *(_width(row[column]) for row in texts)])
        widths.append(min(width, widest))
        aligned_right.append(column in right or _is_numeric(rows, column))
    lines = [_row(headings, widths, aligned_right), "  ".join("─" * width for width in widths)]
    lines += [_row(row, widths, aligned_right) for row in texts]
    return "\n".join(line.rstrip() for line in lines)


def table_with_text(
    headings: Sequence[str], rows: Sequence[Sequence[Any]], widest: int = MAX_WIDTH, right: Collection[int] = ()
) -> str:
    """Lay out rows as :func:`table`, with a last column of text that is wrapped, so that nothing of it is cut.

    Args:
        headings, rows, widest, right: as for :func:`table`; ``widest`` does not hold for the last column.
    """
    before = table(headings[:-1], [row[:-1] for row in rows], widest=widest, right=right).split("\n")
    edge = max(_width(line) for line in before)
    room = max(LINE_WIDTH - edge - 2, LEAST_TEXT_WIDTH)
    texts = [wrap(_text(row[-1], ".2f"), room) or [""] for row in rows]
    longest = max([len(headings[-1]), *(len(part) for parts in texts for part in parts)])
    lines = [f"{_cell(before[0], edge, False)}  {headings[-1]}", f"{_cell(before[1], edge, False)}  {'─' * longest}"]
    for line, parts in zip(before[2:], texts, strict=True):
        lines.append(f"{_cell(line, edge, False)}  {parts[0]}".rstrip())
        lines += [f"{' ' * edge}  {part}" for part in parts[1:]]
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


def _width(text: str) -> int:
    """Return the width of a text on the terminal; an East Asian wide character takes two columns."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _row(texts: Sequence[str], widths: Sequence[int], aligned_right: Sequence[bool]) -> str:
    cells = [_cell(text, width, right) for text, width, right in zip(texts, widths, aligned_right, strict=True)]
    return "  ".join(cells)


def _cell(text: str, width: int, right: bool) -> str:
    if _width(text) > width:
        while _width(text) > width - 1:
            text = text[:-1]
        text += "…"
    padding = " " * (width - _width(text))
    return padding + text if right else text + padding
