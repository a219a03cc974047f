"""Tables on the terminal, and the same rows as JSON."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Collection, Sequence
from typing import Any

MAX_WIDTH = 60


def table(
    headings: Sequence[str],
    rows: Sequence[Sequence[Any]],
    number: str = ".2f",
    widest: int = MAX_WIDTH,
    right: Collection[int] = (),
) -> str:
    """Lay out rows under headings: numbers to the right, texts to the left, long texts cut with an ellipsis.

    Args:
        number: how decimals are written; very small and very large ones get four digits and an exponent.
        widest: signs from which on a text is cut.
        right: columns whose texts stand to the right, as numbers with a sign or unit should.
    """
    texts = [[_text(value, number) for value in row] for row in rows]
    widths = [
        min(max([_width(heading), *(_width(row[i]) for row in texts)]), widest) for i, heading in enumerate(headings)
    ]
    numeric = [
        i in right or (bool(rows) and all(isinstance(row[i], (int, float)) or row[i] is None for row in rows))
        for i in range(len(headings))
    ]
    lines = [_row(headings, widths, numeric), "  ".join("─" * width for width in widths)]
    lines += [_row(row, widths, numeric) for row in texts]
    return "\n".join(line.rstrip() for line in lines)


def table_to_json(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Rows as a JSON list of objects, one line each."""
    objects = [json.dumps(dict(zip(headings, row, strict=True)), ensure_ascii=False, default=str) for row in rows]
    return "[" + ",\n ".join(objects) + "]"


def _text(value: Any, number: str) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:{number}}" if 0.01 <= abs(value) < 1e5 or value == 0 else f"{value:.4g}"
    return " ".join(str(value).split())


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


def _row(texts: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    return "  ".join(_cell(text, width, right) for text, width, right in zip(texts, widths, numeric, strict=True))


def _cell(text: str, width: int, right: bool) -> str:
    if _width(text) > width:
        while _width(text) > width - 1:
            text = text[:-1]
        text += "…"
    blank = " " * (width - _width(text))
    return blank + text if right else text + blank
