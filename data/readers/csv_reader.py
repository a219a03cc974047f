"""Reads CSV files of any layout into raw rows, block by block, and loses no row in silence."""

# pyarrow.compute makes its functions at import; no type checker sees them.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from .. import columns as c
from ..arrays import Floats, Integers, Mask
from ..convert import to_column_unit
from ..errors import ReadError
from ..settings import FileRange, SourceSettings
from .csv_header import prepare_blocks
from .csv_parse import parse_block
from .csv_values import clean_text, parse_datetimes, parse_durations, parse_numbers, to_unix_second
from .layout import Column, Layout, csv_layout
from .text_blocks import TextBlock, is_seekable, text_blocks

RANGE_BYTES: Final = 256 * 1024 * 1024
"""Size of the parts of a long file, unless another one is asked for: what a worker reads and sorts in memory."""

_NO_CELL: Final = ("", "nan", "NaN")


@dataclass(frozen=True, slots=True)
class RawBlock:
    """Some consecutive rows of a file.

    Args:
        frame: ``data.columns.RAW_COLUMNS``; ``source_row`` counts the file's rows from 0, ``source_index`` is 0.
        lines: each row's line in the file, from 1.
        unreadable: for voltage, current and the times that the file has, the column's name and where text stood.
        cells: each row's cell id, where a column holds it.
    """

    frame: pd.DataFrame
    lines: Integers
    unreadable: dict[str, tuple[str, Mask]]
    cells: pd.Categorical[str] | None = None


def raw_blocks(path: Path, settings: SourceSettings) -> Iterator[RawBlock]:
    """Read a CSV file's rows, in bounded memory.

    Delimiter (comma, semicolon, tab, bar, runs of spaces), decimal sign, encoding and header line are found; columns
    come from the settings, or are guessed when the settings name none. Text in a number column becomes NaN and is noted
    in ``unreadable``, as is a row with too few or too many fields. Times without zone are taken as UTC.

    Raises:
        ReadError: the file cannot be read; names file, line or column, and value.
    """
    yield from layout_blocks(path, csv_layout(path, settings))


def layout_blocks(path: Path, layout: Layout, part: FileRange | None = None) -> Iterator[RawBlock]:
    """Read the rows of a file whose layout is known, or of a part of it."""
    row = 0 if part is None else part.first_row
    cell = None if part is None else part.cell_before or None
    indices = [column.index for column in layout.columns] + ([] if layout.cell is None else [layout.cell])
    for text in _data_blocks(path, layout, part):
        parsed = parse_block(text, layout, indices)
        if len(parsed.lines):
            block = make_raw_block(parsed.arrays, parsed.lines, parsed.notes, layout, row, cell)
            if block.cells is not None:
                cell = str(block.cells[-1])
            row += len(block.frame)
            yield block


def survey(path: Path, layout: Layout, range_bytes: int) -> tuple[FileRange, ...]:
    """Find the cells in the file's id column, and parts of about ``range_bytes`` that can be read on their own.

    Nothing but that column is read. A file that cannot be read from its middle is one part.
    """
    if layout.cell is None:
        raise ValueError("the layout has no column with cell ids")
    only_cells = Layout(layout.header, (), layout.cell)
    least = range_bytes if is_seekable(path) and not layout.header.layers else path.stat().st_size
    parts = [FileRange(0, path.stat().st_size)]
    counts: Counter[str] = Counter()
    row, cell = 0, None
    for text in _data_blocks(path, only_cells):
        if text.offset - parts[-1].start >= least and counts:
            parts[-1] = replace(parts[-1], end=text.offset, cells=tuple(counts.items()))
            end = path.stat().st_size
            parts.append(FileRange(text.offset, end, text.first_line, row, (), cell or "", text.latin1))
            counts.clear()
        parsed = parse_block(text, only_cells, [layout.cell])
        if len(parsed.lines):
            cells, _ = _cells(parsed.arrays[layout.cell], path, cell)
            cell = str(cells[-1])
            row += len(cells)
            rows = np.bincount(cells.codes, minlength=len(cells.categories)).tolist()
            counts.update(dict(zip(cells.categories, rows, strict=True)))
    parts[-1] = replace(parts[-1], cells=tuple(counts.items()))
    return tuple(parts)


def column_cells(path: Path, layout: Layout) -> tuple[str, ...]:
    """Return the cell ids of the file's id column in order of appearance, reading nothing but that column."""
    return tuple(dict.fromkeys(cell for part in survey(path, layout, RANGE_BYTES) for cell, _ in part.cells))


def _data_blocks(path: Path, layout: Layout, part: FileRange | None = None) -> Iterator[TextBlock]:
    """Yield the lines beneath the header, block by block."""
    blocks = text_blocks(path) if part is None else text_blocks(path, part=part)
    for block in prepare_blocks(blocks, layout.header):
        skip = min(layout.header.lines - block.first_line + 1, block.lines)
        if skip > 0:
            block = replace(
                block,
                data=block.data.split(b"\n", skip)[-1],
                first_line=block.first_line + skip,
                lines=block.lines - skip,
            )
        if block.data:
            yield block


def make_raw_block(
    arrays: Mapping[int, pa.Array],
    lines: Integers,
    row_notes: Mapping[int, str],
    layout: Layout,
    first_row: int,
    previous: str | None,
) -> RawBlock:
    """Turn parsed columns into raw rows.

    Args:
        arrays: by a column's place in the file: float64, or text.
        row_notes: what was wrong with a row, by its place in the block.
        first_row: the first row's number in the file, from 0.
        previous: the cell of the row before, for rows that name none.
    """
    values: dict[str, list[Any]] = {}
    notes: dict[int, list[str]] = {row: [note] for row, note in row_notes.items()}
    unreadable: dict[str, tuple[str, Mask]] = {}
    for column in layout.columns:
        read, bad = _column_values(arrays[column.index], column, layout)
        values.setdefault(column.target, []).append(read)
        unreadable[column.target] = column.name, bad
        for row in np.flatnonzero(bad).tolist():
            text = str(arrays[column.index][row]).strip()
            notes.setdefault(row, []).append(f"{column.name}={text!r}")
    cells = None
    if layout.cell is not None:
        cells, blank = _cells(arrays[layout.cell], layout.header.path, previous)
        for row in np.flatnonzero(blank).tolist():
            notes.setdefault(row, []).append("cell_id missing")
    single = {target: _mean(arrays) for target, arrays in values.items()}
    return RawBlock(raw_frame(len(lines), single, notes, first_row), lines, unreadable, cells)


def _column_values(array: pa.Array, column: Column, layout: Layout) -> tuple[Any, Mask]:
    """Turn a column into numbers in the raw table's unit (or texts, for the state) and tell which are unreadable."""
    if column.kind == "text":
        texts = pc.fill_null(clean_text(array), "")
        return pd.array(texts.to_pandas(), dtype="str"), np.zeros(len(array), dtype=np.bool_)
    bad = np.zeros(len(array), dtype=np.bool_)
    if pa.types.is_floating(array.type):
        values: Floats = array.to_numpy(zero_copy_only=False)
    elif pa.types.is_timestamp(array.type):
        values = to_unix_second(array.to_numpy(zero_copy_only=False))
    else:
        texts = clean_text(array)
        try:
            values = _parse_texts(texts, column, layout.header.decimal)
        except ValueError as error:
            raise ReadError(f"{layout.header.path}: column {column.name!r}, unit {column.date!r}: {error}") from None
        bad = texts.is_valid().to_numpy(zero_copy_only=False) & np.isnan(values)
    try:
        return to_column_unit(values, column.target, column.unit), bad
    except ValueError as error:
        raise ReadError(f"{layout.header.path}: column {column.name!r}: {error}") from None


def _parse_texts(texts: pa.Array, column: Column, decimal: str) -> Floats:
    if column.kind == "datetime":
        return parse_datetimes(texts, column.date)
    return parse_durations(texts, decimal) if column.kind == "duration" else parse_numbers(texts, decimal)


def _mean(columns: Sequence[Any]) -> Any:
    """Return the one column, or the mean of what there is where several have one target (thermocouples)."""
    if len(columns) == 1 or columns[0].dtype != np.float64:
        return columns[0]
    stacked = np.stack(columns)
    given = np.isfinite(stacked)
    with np.errstate(invalid="ignore"):
        return np.where(given, stacked, 0.0).sum(axis=0) / given.sum(axis=0)


def _cells(texts: pa.Array, path: Path, previous: str | None) -> tuple[pd.Categorical[str], Mask]:
    """Return each row's cell id and which rows had none: these go to the cell before (at the start, the first)."""
    encoded = texts if pa.types.is_dictionary(texts.type) else texts.dictionary_encode()
    words = pc.utf8_trim_whitespace(encoded.dictionary).to_pylist()
    ids: dict[str, int] = {} if previous is None else {previous: 0}
    place = np.array([-1 if word in _NO_CELL else ids.setdefault(word, len(ids)) for word in words], dtype=np.int64)
    code = place[encoded.indices.to_numpy(zero_copy_only=False)]
    blank: Mask = code < 0
    if blank.any():
        if blank.all() and previous is None:
            raise ReadError(f"{path}: the column with cell ids is empty; name another one in the source's settings")
        last = np.maximum.accumulate(np.where(blank, -1, np.arange(len(code))))
        before = 0 if previous is not None else code[int(np.argmin(blank))]
        code = np.where(last < 0, before, code[np.maximum(last, 0)])
    seen, order = pd.factorize(code)
    known = list(ids)
    return pd.Categorical.from_codes(seen, pd.Index([known[k] for k in order])), blank


def raw_frame(rows: int, values: dict[str, Any], notes: dict[int, list[str]], first_row: int) -> pd.DataFrame:
    """Put values and notes into a raw table; columns without values are NaN, or "" where they hold text."""
    known = {
        **values,
        c.UNREADABLE: _texts(rows, {row: "; ".join(texts) for row, texts in notes.items()}),
        c.SOURCE_INDEX: np.zeros(rows, dtype=np.int32),
        c.SOURCE_ROW: np.arange(first_row, first_row + rows, dtype=np.int64),
    }
    columns = {
        name: known[name] if name in known else np.full(rows, np.nan) if dtype == "float64" else _texts(rows, {})
        for name, dtype in c.RAW_COLUMNS.items()
    }
    return pd.DataFrame(columns, copy=False)  # columns of their own can be taken out one by one


def _texts(rows: int, given: Mapping[int, str]) -> Any:
    """Return texts, nearly all of them empty, shape (rows,)."""
    if not given:
        dtype: Any = pd.StringDtype(na_value=np.nan)
        return dtype.__from_arrow__(pa.repeat(pa.scalar("", pa.large_string()), rows))
    texts = np.full(rows, "", dtype=object)
    texts[list(given)] = list(given.values())
    return pd.array(texts, dtype="str")
