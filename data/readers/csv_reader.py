"""Read CSV files of any layout into raw rows, block by block; no row is dropped silently."""

# pyarrow.compute defines its functions at import, where type checkers do not see them.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from .. import columns as c
from ..arrays import Floats, Integers, Mask
from ..convert import to_column_unit
from ..errors import ReadError
from ..names import printable_id
from ..settings import FileRange, SourceSettings
from .csv_header import Header, prepare_blocks, split_line
from .csv_parse import Parsed, parse_block
from .csv_values import (
    clean_text,
    parse_datetimes,
    parse_durations,
    parse_numbers,
    to_unix_second,
    without_empty_dates,
)
from .cut_line import is_cut
from .layout import Column, Layout, csv_layout
from .text_blocks import TextBlock, is_seekable, split_lines, text_blocks

RANGE_BYTES: Final = 256 * 1024 * 1024
"""Default size of the parts of a long file (bytes); a worker reads and sorts one part in memory."""

BEFORE_BYTES: Final = 16 * 1024
"""Bytes before the last line of a file that show how its values are written."""

SWEEP_FREQUENCIES: Final = 3
"""Least number of different frequencies of a sweep; fewer may be the rate of the log. Chosen, not measured."""

_NO_CELL: Final = ("", "nan", "NaN")


@dataclass(frozen=True, slots=True)
class CellIds:
    """The cell id of each row.

    Args:
        codes: places in ``ids``, shape (rows,).
        ids: the different ids, in order of appearance.
    """

    codes: Integers
    ids: tuple[str, ...]

    @property
    def last(self) -> str:
        """The id of the last row; there is at least one row."""
        return self.ids[int(self.codes[-1])]

    def count_rows(self) -> dict[str, int]:
        """Return the number of rows of each cell."""
        return dict(zip(self.ids, np.bincount(self.codes, minlength=len(self.ids)).tolist(), strict=True))

    def are(self, cell_id: str) -> Mask:
        """Tell which rows are of a cell, shape (rows,)."""
        mask: Mask = np.array([one == cell_id for one in self.ids])[self.codes]
        return mask


@dataclass(frozen=True, slots=True)
class RawBlock:
    """Some consecutive rows of a file.

    Args:
        columns: those of ``data.columns.RAW_COLUMNS`` that the file has, and ``source_row``, which counts the rows of
            the file from 0; ``unreadable`` only where a value could not be read.
        lines: line of each row in the file, from 1, shape (rows,).
        unreadable: for each raw column that the file has: name of its column, and the rows with text instead of a
            number, shape (rows,).
        cells: cell id of each row; ``None`` if no column has it.
    """

    columns: dict[str, Any]
    lines: Integers
    unreadable: dict[str, tuple[str, Mask]]
    cells: CellIds | None = None

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def frame(self) -> pd.DataFrame:
        """All of ``data.columns.RAW_COLUMNS``."""
        return pd.DataFrame(raw_columns(self.columns, len(self)), copy=False)


def raw_blocks(path: Path, settings: SourceSettings) -> Iterator[RawBlock]:
    """Read the rows of a CSV file, in bounded memory.

    Delimiter (comma, semicolon, tab, bar, runs of spaces), decimal sign, encoding and header line are detected. Columns
    come from the settings, or are guessed if the settings have none. Text in a column of numbers becomes NaN and is
    noted in the column ``unreadable``, as is a row with too few or too many fields. Times without a zone are UTC.

    Args:
        path: the file.
        settings: how it is read.

    Raises:
        ReadError: the file cannot be read; names file, line or column, and value.
    """
    yield from layout_blocks(path, csv_layout(path, settings))


def layout_blocks(path: Path, layout: Layout, part: FileRange | None = None) -> Iterator[RawBlock]:
    """Read the rows of a file with a known layout, or of a part of it.

    Args:
        path: the file.
        layout: its layout.
        part: one of :func:`survey`; ``None`` = the whole file.
    """
    row = 0 if part is None else part.first_row
    cell = None if part is None else part.cell_before or None
    for _, parsed in _parsed_blocks(path, layout, layout.indices, part):
        if len(parsed.lines):
            block = make_raw_block(parsed.arrays, parsed.lines, parsed.notes, layout, row, cell)
            if block.cells is not None:
                cell = block.cells.last
            row += len(block)
            yield block


def survey(path: Path, layout: Layout, range_bytes: int) -> tuple[FileRange, ...]:
    """Find the cells of a file, and parts of it that can be read independently. Reads only the column with cell ids.

    Args:
        path: the file.
        layout: its layout, with a column of cell ids.
        range_bytes: approximate size of a part (bytes).

    Returns:
        The parts in order; a single one for a file that cannot be read from its middle (packed, UTF-16, layered).
    """
    if layout.cell is None:
        raise ValueError("the layout has no column with cell ids")
    only_cells = Layout(layout.header, (), layout.cell)
    in_parts = is_seekable(path) and not layout.header.layers
    least = range_bytes if in_parts else math.inf  # what is packed, or of two bytes a character, is longer as UTF-8
    file_bytes = path.stat().st_size
    parts = [FileRange(0, file_bytes)]
    counts: Counter[str] = Counter()
    row = 0
    cell: str | None = None
    for text, parsed in _parsed_blocks(path, only_cells, [layout.cell]):
        # A part of the last line alone would not show how its values are written.
        if text.offset - parts[-1].start >= least and counts and not text.is_open:
            parts[-1] = replace(parts[-1], end=text.offset, cells=tuple(counts.items()))
            parts.append(FileRange(text.offset, file_bytes, text.first_line, row, (), cell or "", text.latin1))
            counts.clear()
        if len(parsed.lines):
            cells, _ = _cells(parsed.arrays[layout.cell], path, cell)
            cell = cells.last
            row += len(cells.codes)
            counts.update(cells.count_rows())
    parts[-1] = replace(parts[-1], cells=tuple(counts.items()))
    return tuple(parts)


def column_cells(path: Path, layout: Layout) -> tuple[str, ...]:
    """Return the cell ids of a file in order of appearance. Reads only the column with cell ids.

    Args:
        path: the file.
        layout: its layout, with a column of cell ids.
    """
    return tuple(dict.fromkeys(cell for part in survey(path, layout, RANGE_BYTES) for cell, _ in part.cells))


def day_edges(path: Path, layout: Layout, column: Column) -> list[str]:
    """Return the first and the last text of each run of rows with the same day. Reads only this column.

    Args:
        path: the file.
        layout: its layout.
        column: a column of dates with times.
    """
    only_dates = Layout(layout.header, (replace(column, kind="text"),))
    edges: list[str] = []
    for _, parsed in _parsed_blocks(path, only_dates, [column.index]):
        texts = pc.utf8_trim_whitespace(parsed.arrays[column.index].cast(pa.string())).drop_null()
        if not len(texts):
            continue
        days = pc.extract_regex(texts, r"^(?P<day>[^ T]*)").field("day").dictionary_encode()
        codes = days.indices.to_numpy(zero_copy_only=False)
        begins = np.flatnonzero(np.diff(codes, prepend=-1))
        rows = np.unique(np.concatenate([begins, begins[1:] - 1, [len(codes) - 1]]))
        edges += texts.take(pa.array(rows)).to_pylist()
    return edges


def _parsed_blocks(
    path: Path, layout: Layout, indices: Sequence[int], part: FileRange | None = None
) -> Iterator[tuple[TextBlock, Parsed]]:
    """Yield the lines below the header and their columns, block by block.

    Args:
        path: the file.
        layout: its layout.
        indices: places of the wanted columns in the file, from 0.
        part: one of :func:`survey`; ``None`` = the whole file.
    """
    before = b""
    for text in _data_blocks(path, layout, part):
        parsed = parse_block(text, layout, indices)
        if text.is_open and len(parsed.lines):
            parsed = _without_cut_field(parsed, text, before, layout)
        before = text.data[-BEFORE_BYTES:]
        yield text, parsed


def _without_cut_field(parsed: Parsed, text: TextBlock, before: bytes, layout: Layout) -> Parsed:
    """Take the last field of a file as missing, and note it, if the file breaks off inside it.

    Args:
        parsed: the last row, which has no line end.
        text: its line.
        before: the end of the lines before it.
        layout: of the file.
    """
    header = layout.header
    fields = split_line(split_lines(text)[0], header.delimiter)
    place = len(fields) - 1
    if place not in parsed.arrays or not fields[place].strip():
        return parsed
    lines = before.decode(errors="replace").split("\n")[:-1]
    rows: Sequence[Sequence[str]] = [split_line(line, header.delimiter) for line in lines if line.strip()]
    if len(before) == BEFORE_BYTES:  # The first of the lines may have lost its beginning.
        rows = rows[1:]
    if not rows:
        rows = header.sample
    usual = Counter(map(len, rows)).most_common(1)[0][0]
    values = [row[place] for row in rows if len(row) > place]
    if not is_cut(fields[place], values, is_short=len(fields) < usual):
        return parsed
    note = f"{header.names[place]}={fields[place].strip()!r}, where the file breaks off"
    arrays = dict(parsed.arrays)
    arrays[place] = pa.array([""]) if place == layout.cell else pa.nulls(1, arrays[place].type)
    notes = {0: "; ".join([*parsed.notes.values(), note])}
    return replace(parsed, arrays=arrays, notes=notes)


def _data_blocks(path: Path, layout: Layout, part: FileRange | None = None) -> Iterator[TextBlock]:
    """Yield the lines below the header, block by block."""
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
        arrays: columns by their place in the file; float64, times or text.
        lines: line of each row in the file, from 1, shape (rows,).
        row_notes: what was wrong with a row, by its place in the block.
        layout: layout of the file.
        first_row: number of the first row in the file, from 0.
        previous: cell of the row before, to which rows without a cell id belong; ``None`` = there is none.
    """
    values: dict[str, list[Any]] = {}
    notes: dict[int, list[str]] = {row: [note] for row, note in row_notes.items()}
    unreadable: dict[str, tuple[str, Mask]] = {}
    for column in layout.columns:
        numbers, bad = _column_values(arrays[column.index], column, layout)
        if column.is_subtracted:
            values[column.target][0] = values[column.target][0] - numbers
            unreadable[column.target] = unreadable[column.target][0], unreadable[column.target][1] | bad
        else:
            values.setdefault(column.target, []).append(numbers)
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
    if layout.frequency is not None:
        single[c.STATE] = _named_impedance(arrays[layout.frequency], single.get(c.STATE), layout.header)
    if notes:
        single[c.UNREADABLE] = raw_texts(len(lines), {row: "; ".join(texts) for row, texts in notes.items()})
    single[c.SOURCE_ROW] = np.arange(first_row, first_row + len(lines), dtype=np.int64)
    return RawBlock(single, lines, unreadable, cells)


def _column_values(array: pa.Array, column: Column, layout: Layout) -> tuple[Any, Mask]:
    """Return a column as numbers in the unit of the raw table (texts for the state), and which rows are unreadable."""
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
            values = _parse_texts(texts, column, layout.header)
        except ValueError as error:
            raise ReadError(
                f"{layout.header.path}: column {column.name!r}, date format {column.date!r}: {error}"
            ) from None
        bad = texts.is_valid().to_numpy(zero_copy_only=False) & np.isnan(values)
    try:
        values = to_column_unit(values, column.target, column.unit)
        if column.target == c.UNIX_TIME:
            values = without_empty_dates(values)
        return values, bad
    except ValueError as error:
        raise ReadError(f"{layout.header.path}: column {column.name!r}: {error}") from None


def _parse_texts(texts: pa.Array, column: Column, header: Header) -> Floats:
    if column.kind == "datetime":
        return parse_datetimes(texts, column.date)
    if column.kind == "duration":
        return parse_durations(texts, header.decimal)
    return parse_numbers(texts, header.decimal, header.thousands)


def _named_impedance(frequency: pa.Array, states: Any, header: Header) -> Any:
    """Return the states, with the word impedance in rows that a sweep of frequencies measured.

    Args:
        frequency: Hz, 0 or missing in other rows.
        states: shape (rows,); ``None`` if the file has none.
        header: of the file.
    """
    if not pa.types.is_floating(frequency.type):
        frequency = pa.array(parse_numbers(clean_text(frequency), header.decimal, header.thousands))
    hertz = frequency.to_numpy(zero_copy_only=False)
    rows = hertz > 0.0
    if states is None:
        states = raw_texts(len(hertz))
    if len(np.unique(hertz[rows])) < SWEEP_FREQUENCIES:
        return states
    words = np.array(states, dtype=object)
    words[rows] = [f"{word} impedance".strip() for word in words[rows]]
    return pd.array(words, dtype="str")


def _mean(columns: Sequence[Any]) -> Any:
    """Return the single column, or the mean of the available values of several columns (thermocouples)."""
    if len(columns) == 1 or columns[0].dtype != np.float64:
        return columns[0]
    stacked = np.stack(columns)
    given = np.isfinite(stacked)
    with np.errstate(invalid="ignore"):
        return np.where(given, stacked, 0.0).sum(axis=0) / given.sum(axis=0)


def _cells(texts: pa.Array, path: Path, previous: str | None) -> tuple[CellIds, Mask]:
    """Return the cell id of each row, and the rows without one, which belong to the cell before (or to the first)."""
    encoded = texts if pa.types.is_dictionary(texts.type) else texts.dictionary_encode()
    words = [printable_id(word) for word in pc.utf8_trim_whitespace(encoded.dictionary).to_pylist()]
    ids: dict[str, int] = {} if previous is None else {previous: 0}
    place = np.array([-1 if word in _NO_CELL else ids.setdefault(word, len(ids)) for word in words], dtype=np.int64)
    code = place[encoded.indices.to_numpy(zero_copy_only=False)]
    blank: Mask = code < 0
    if blank.any():
        if blank.all() and previous is None:
            raise ReadError(
                f'{path}: the column with cell ids is empty; name another one: cell_id_from = "column:NAME"'
            )
        last = np.maximum.accumulate(np.where(blank, -1, np.arange(len(code))))
        before = 0 if previous is not None else code[int(np.argmin(blank))]
        code = np.where(last < 0, before, code[np.maximum(last, 0)])
    known = list(ids)
    if len(code) and (code == code[0]).all():
        seen, order = np.zeros(len(code), dtype=np.int64), code[:1]
    else:
        seen, order = pd.factorize(code)
    return CellIds(seen, tuple(known[k] for k in order)), blank


def raw_columns(known: Mapping[str, Any], rows: int) -> dict[str, Any]:
    """Return the columns of a raw table, in order.

    Those without values are NaN, or "" where they have text, and ``source_index`` is 0. Such a number takes the memory
    of one row only, so nobody can write to it.

    Args:
        known: the raw columns that have values, shape (rows,) each.
        rows: number of rows.
    """
    columns: dict[str, Any] = {}
    for name, dtype in c.RAW_COLUMNS.items():
        if dtype == "str":
            columns[name] = known[name] if name in known else raw_texts(rows)
        elif name in known:
            columns[name] = np.asarray(known[name], dtype=np.dtype(dtype))
        else:
            missing = np.nan if dtype == "float64" else 0
            columns[name] = np.broadcast_to(np.array(missing, dtype=np.dtype(dtype)), (rows,))
    return columns


def raw_texts(rows: int, given: Mapping[int, str] = MappingProxyType({})) -> Any:
    """Return an array of texts, most of them empty, as a raw table has them, shape (rows,).

    Args:
        rows: number of rows.
        given: the other texts, by row.
    """
    if not given:
        dtype: Any = pd.StringDtype(na_value=np.nan)
        return dtype.__from_arrow__(pa.repeat(pa.scalar("", pa.large_string()), rows))
    texts = np.full(rows, "", dtype=object)
    texts[list(given)] = list(given.values())
    return pd.array(texts, dtype="str")
