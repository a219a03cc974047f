"""Lines with too few or too many fields, found and squared so that a strict parser reads the rest at speed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .csv_header import Header, split_line
from .text_blocks import TextBlock, lines_of


@dataclass(frozen=True, slots=True)
class SquareBlock:
    """Lines with ``header.width`` fields each.

    Args:
        data: the lines, UTF-8; empty when ``fields`` holds them split already, as where values are quoted.
        lines: the number of each row's line in the file, from 1.
        notes: what was wrong with a row, by its place in the block.
    """

    data: bytes
    lines: NDArray[np.int64]
    notes: dict[int, str]
    fields: Sequence[Sequence[str]] | None = None


def square(block: TextBlock, header: Header) -> SquareBlock:
    """Give every line of a block the usual number of fields; blank lines are left out.

    A short line is filled with missing values, a long one keeps its first fields; both are noted, with what was cut.
    """
    if b'"' in block.data:
        return _split(block, header)
    data = np.frombuffer(block.data, np.uint8)
    ends = np.flatnonzero(data == ord("\n"))
    delimiters = np.flatnonzero(data == ord(header.delimiter))
    fields = np.diff(np.searchsorted(delimiters, ends), prepend=0) + 1
    numbers = np.arange(len(ends), dtype=np.int64) + block.first_line
    odd = np.flatnonzero(fields != header.width)
    if len(odd) == 0:
        return SquareBlock(block.data, numbers, {})
    starts = np.concatenate(([0], ends[:-1] + 1))
    pieces: list[bytes] = []
    notes: dict[int, str] = {}
    done, blank = 0, []
    for line in odd.tolist():
        pieces.append(block.data[done : starts[line]])
        text = block.data[starts[line] : ends[line]].decode()
        done = int(ends[line]) + 1
        if not text.strip():
            blank.append(line)
            continue
        row, note = _squared(text.split(header.delimiter), header)
        pieces.append(f"{header.delimiter.join(row)}\n".encode())
        if note:
            notes[line - len(blank)] = note
    pieces.append(block.data[done:])
    return SquareBlock(b"".join(pieces), np.delete(numbers, blank), notes)


def _split(block: TextBlock, header: Header) -> SquareBlock:
    """Split lines with quotes one by one: a quote that is never closed must not swallow the lines after it."""
    rows: list[list[str]] = []
    numbers: list[int] = []
    notes: dict[int, str] = {}
    for number, text in enumerate(lines_of(block), block.first_line):
        if not text.strip():
            continue
        row, note = _squared(split_line(text, header.delimiter), header)
        if note:
            notes[len(rows)] = note
        rows.append(row)
        numbers.append(number)
    return SquareBlock(b"", np.array(numbers, np.int64), notes, rows)


def _squared(row: list[str], header: Header) -> tuple[list[str], str]:
    """Fill or cut a row to the usual width; return it and what was wrong, "" if nothing is lost or missing."""
    missing = [""] * (header.width - len(row))
    if len(row) < len(header.names):
        return row + missing, f"row='{len(row)} fields instead of {len(header.names)}'"
    beyond = row[header.width :]
    if not any(field.strip() for field in beyond):
        return row[: header.width] + missing, ""
    cut = header.delimiter.join(beyond)
    return row[: header.width], f"row='{len(row)} fields instead of {header.width}, beyond them {cut}'"
