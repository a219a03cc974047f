"""Parse blocks of lines of a CSV file: with pyarrow's strict parser, or line by line where that one fails."""

# pyarrow.compute defines its functions at import, where type checkers do not see them.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from ..arrays import Integers
from .csv_header import Header, split_line
from .csv_values import ISO, MISSING
from .layout import Layout
from .text_blocks import TextBlock, split_lines

_NULLS: Final = sorted({form for text in MISSING for form in (text, text.upper(), text.capitalize())} | {"NaN"})


@dataclass(frozen=True, slots=True)
class Parsed:
    """The parsed columns of a block.

    Args:
        arrays: columns by their place in the file, from 0.
        lines: line of each row in the file, from 1, shape (rows,).
        notes: what was wrong with a row, by its place in the block.
    """

    arrays: dict[int, pa.Array]
    lines: Integers
    notes: dict[int, str]


def parse_block(block: TextBlock, layout: Layout, indices: Sequence[int]) -> Parsed:
    """Parse columns of a block, as numbers or times if all their values are, otherwise as text.

    Args:
        block: lines of data, without the header.
        layout: columns of the file with their kinds.
        indices: places of the wanted columns in the file, from 0.
    """
    numbers: dict[int, pa.DataType] = {
        column.index: pa.float64() for column in layout.columns if column.kind == "number"
    }
    dates = [column.index for column in layout.columns if column.kind == "datetime" and column.date == ISO]
    typed = numbers | dict.fromkeys(dates, pa.timestamp("us"))
    if layout.cell is not None and layout.cell not in typed:
        typed[layout.cell] = pa.dictionary(pa.int32(), pa.string())
    # Nearly all blocks have no fault. Only if this fails, lines are checked one by one.
    arrays = _strict(block.data, layout, indices, typed, block.lines)
    if arrays is not None:
        return Parsed(arrays, np.arange(block.first_line, block.first_line + block.lines, dtype=np.int64), {})
    fixed = fix_width(block, layout.header)
    if fixed.fields is not None:
        arrays = {index: pa.array([row[index] for row in fixed.fields], pa.string()) for index in indices}
    elif len(fixed.lines):
        rows = len(fixed.lines)
        arrays = _strict(fixed.data, layout, indices, numbers, rows)
        if arrays is None:  # There is text among the numbers: read the block as text, and check each value later.
            arrays = _parsed_as(fixed.data, layout, indices, {})
    return Parsed(arrays or {}, fixed.lines, fixed.notes)


def _strict(
    data: bytes, layout: Layout, indices: Sequence[int], types: Mapping[int, pa.DataType], rows: int
) -> dict[int, pa.Array] | None:
    """Parse lines as columns of these types; ``None`` if a value has another type, or a row another width."""
    if not data:
        return None
    try:
        arrays = _parsed_as(data, layout, indices, types)
    except pa.ArrowInvalid:
        return None
    # Blank lines, and quoted fields of several lines, give fewer rows.
    if any(len(array) != rows for array in arrays.values()):
        return None
    for array in arrays.values():
        if pa.types.is_floating(array.type) and not _is_finite(array):
            return None
    return arrays


def _is_finite(array: pa.Array) -> bool:
    """Tell whether all numbers that are not missing are finite."""
    least_and_most = pc.min_max(array).as_py()
    return all(end is None or math.isfinite(end) for end in least_and_most.values())


def _parsed_as(
    data: bytes, layout: Layout, indices: Sequence[int], types: Mapping[int, pa.DataType]
) -> dict[int, pa.Array]:
    chosen = {str(index): types.get(index, pa.string()) for index in indices}
    table = pacsv.read_csv(
        pa.BufferReader(data),
        pacsv.ReadOptions(
            use_threads=False,
            block_size=len(data) + 1,
            column_names=[str(index) for index in range(layout.header.width)],
        ),
        pacsv.ParseOptions(delimiter=layout.header.delimiter, quote_char='"' if b'"' in data else False),
        pacsv.ConvertOptions(
            column_types=chosen,
            include_columns=list(chosen),
            null_values=_NULLS,
            strings_can_be_null=False,
            timestamp_parsers=[pacsv.ISO8601],
            decimal_point=layout.header.decimal,
        ),
    )
    return {int(name): table[name].chunk(0) for name in chosen}  # one block has one chunk


@dataclass(frozen=True, slots=True)
class FixedWidthBlock:
    """Lines with ``header.width`` fields each.

    Args:
        data: the lines in UTF-8; empty if ``fields`` has them already split, as for quoted values.
        lines: line of each row in the file, from 1, shape (rows,).
        notes: what was wrong with a row, by its place in the block.
        fields: the fields of each row; ``None`` if ``data`` has the lines.
    """

    data: bytes
    lines: Integers
    notes: dict[int, str]
    fields: Sequence[Sequence[str]] | None = None


def fix_width(block: TextBlock, header: Header) -> FixedWidthBlock:
    """Give every line of a block the usual number of fields, and remove blank lines.

    A short line is filled with missing values, a long one keeps its first fields. Both are noted.

    Args:
        block: lines of data, without the header.
        header: of the file; ``width`` is the number of fields.
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
        return FixedWidthBlock(block.data, numbers, {})
    starts = np.concatenate(([0], ends[:-1] + 1))
    pieces: list[bytes] = []
    notes: dict[int, str] = {}
    done = 0
    blank: list[int] = []
    for line in odd.tolist():
        pieces.append(block.data[done : starts[line]])
        text = block.data[starts[line] : ends[line]].decode()
        done = int(ends[line]) + 1
        if not text.strip():
            blank.append(line)
            continue
        row, note = _fit_row(text.split(header.delimiter), header)
        pieces.append(f"{header.delimiter.join(row)}\n".encode())
        if note:
            notes[line - len(blank)] = note
    pieces.append(block.data[done:])
    return FixedWidthBlock(b"".join(pieces), np.delete(numbers, blank), notes)


def _split(block: TextBlock, header: Header) -> FixedWidthBlock:
    """Split lines with quotes one by one, so that a quote that is never closed affects only its own line."""
    rows: list[list[str]] = []
    numbers: list[int] = []
    notes: dict[int, str] = {}
    for number, text in enumerate(split_lines(block), block.first_line):
        if not text.strip():
            continue
        row, note = _fit_row(split_line(text, header.delimiter), header)
        if note:
            notes[len(rows)] = note
        rows.append(row)
        numbers.append(number)
    return FixedWidthBlock(b"", np.array(numbers, np.int64), notes, rows)


def _fit_row(row: list[str], header: Header) -> tuple[list[str], str]:
    """Fill or cut a row to the usual width; return it, and what was wrong ("" if nothing is missing or removed)."""
    missing = [""] * (header.width - len(row))
    if len(row) < len(header.names):
        return row + missing, f"row='{len(row)} fields instead of {len(header.names)}'"
    beyond = row[header.width :]
    if not any(field.strip() for field in beyond):
        return row[: header.width] + missing, ""
    cut = header.delimiter.join(beyond)
    return row[: header.width], f"row='{len(row)} fields instead of {header.width}, beyond them {cut}'"
