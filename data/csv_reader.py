"""Reads CSV files of any layout into raw rows, block by block, and loses no row in silence."""

# pyarrow.compute makes its functions at import; no type checker sees them.
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from . import columns as c
from .convert import to_column_unit
from .csv_layout import Column, Layout, csv_layout
from .csv_values import ISO, MISSING, Floats, clean_text, datetimes, durations, numbers, seconds_of
from .errors import ReadError
from .field_counts import square
from .settings import SourceSettings
from .text_blocks import TextBlock, text_blocks

_NO_CELL: Final = ("", "nan", "NaN")
_NULLS: Final = sorted({form for text in MISSING for form in (text, text.upper(), text.capitalize())} | {"NaN"})


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
    lines: NDArray[np.int64]
    unreadable: dict[str, tuple[str, NDArray[np.bool_]]]
    cells: pd.Categorical[str] | None = None


def raw_blocks(path: Path, settings: SourceSettings) -> Iterator[RawBlock]:
    """Read a CSV file's rows, in bounded memory.

    Delimiter (comma, semicolon, tab), decimal sign, encoding and header line are found; columns come from the
    settings, or are guessed when the settings name none. Text in a number column becomes NaN and is noted in
    ``unreadable``, as is a row with too few or too many fields. Times without zone are taken as UTC.

    Raises:
        ReadError: the file cannot be read; names file, line or column, and value.
    """
    yield from layout_blocks(path, csv_layout(path, settings))


def layout_blocks(path: Path, layout: Layout) -> Iterator[RawBlock]:
    """Read the rows of a file whose layout is known."""
    row = 0
    cell: str | None = None
    indices = [column.index for column in layout.columns] + ([] if layout.cell is None else [layout.cell])
    for text in _data_blocks(path, layout):
        parsed = _parsed(text, layout, indices)
        if len(parsed.lines):
            block = _raw_block(parsed, layout, row, cell)
            if block.cells is not None:
                cell = str(block.cells[-1])
            row += len(block.frame)
            yield block


def column_cells(path: Path, layout: Layout) -> tuple[str, ...]:
    """Return the cell ids of the file's id column in order of appearance, reading nothing but that column."""
    if layout.cell is None:
        raise ValueError("the layout has no column with cell ids")
    only_cells = Layout(layout.header, (), layout.cell)
    seen: dict[str, None] = {}
    cell: str | None = None
    for text in _data_blocks(path, only_cells):
        parsed = _parsed(text, only_cells, [layout.cell])
        if len(parsed.lines):
            cells, _ = _cells(parsed.arrays[layout.cell], path, cell)
            cell = str(cells[-1])
            seen.update(dict.fromkeys(cells.categories))
    return tuple(seen)


def _data_blocks(path: Path, layout: Layout) -> Iterator[TextBlock]:
    """Yield the lines beneath the header, block by block."""
    for block in text_blocks(path):
        skip = layout.header.lines - block.first_line + 1
        if skip > 0:
            skip = min(skip, block.lines)
            block = TextBlock(block.data.split(b"\n", skip)[-1], block.first_line + skip, block.lines - skip)
        if block.data:
            yield block


def _raw_block(parsed: _Parsed, layout: Layout, first_row: int, previous: str | None) -> RawBlock:
    values: dict[str, list[Any]] = {}
    notes: dict[int, list[str]] = {row: [note] for row, note in parsed.notes.items()}
    unreadable: dict[str, tuple[str, NDArray[np.bool_]]] = {}
    arrays = parsed.arrays
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
    return RawBlock(raw_frame(len(parsed.lines), single, notes, first_row), parsed.lines, unreadable, cells)


@dataclass(frozen=True, slots=True)
class _Parsed:
    """Columns of a block by their place in the file, each row's line in it, and what was wrong with a row."""

    arrays: dict[int, pa.Array]
    lines: NDArray[np.int64]
    notes: dict[int, str]


def _parsed(block: TextBlock, layout: Layout, indices: Sequence[int]) -> _Parsed:
    """Parse columns of a block: as numbers and times where all of them are, everything else as text."""
    numbers: dict[int, pa.DataType] = {
        column.index: pa.float64() for column in layout.columns if column.kind == "number"
    }
    times = {column.index for column in layout.columns if column.kind == "datetime" and column.date == ISO}
    # Nearly every block is all well: only where this fails are its lines looked at one by one.
    arrays = _strict(block.data, layout, indices, numbers | dict.fromkeys(times, pa.timestamp("us")), block.lines)
    if arrays is not None:
        return _Parsed(arrays, np.arange(block.first_line, block.first_line + block.lines, dtype=np.int64), {})
    squared = square(block, layout.header)
    if squared.fields is not None:
        arrays = {index: pa.array([row[index] for row in squared.fields], pa.string()) for index in indices}
    elif len(squared.lines):
        rows = len(squared.lines)
        arrays = _strict(squared.data, layout, indices, numbers, rows)
        if arrays is None:  # some text among the numbers: read the block as text and look at each value
            arrays = _parsed_as(squared.data, layout, indices, {})
    return _Parsed(arrays or {}, squared.lines, squared.notes)


def _strict(
    data: bytes, layout: Layout, indices: Sequence[int], types: Mapping[int, pa.DataType], rows: int
) -> dict[int, pa.Array] | None:
    """Parse lines as columns of these types; ``None`` where one does not fit, or is no row of the usual width."""
    if not data:
        return None
    try:
        arrays = _parsed_as(data, layout, indices, types)
    except pa.ArrowInvalid:
        return None
    # Blank lines, and quotes that reach beyond their line, give fewer rows.
    whole = all(len(array) == rows for array in arrays.values())
    finite = (
        np.isfinite(pc.max(pc.abs(array)).as_py() or 0.0)
        for array in arrays.values()
        if pa.types.is_floating(array.type)
    )
    return arrays if whole and all(finite) else None


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
    return {int(name): table[name].combine_chunks() for name in chosen}


def _column_values(array: pa.Array, column: Column, layout: Layout) -> tuple[Any, NDArray[np.bool_]]:
    """Turn a column into numbers in the raw table's unit (or texts, for the state) and tell which are unreadable."""
    if column.kind == "text":
        texts = pc.fill_null(clean_text(array), "")
        return pd.array(texts.to_pandas(), dtype="str"), np.zeros(len(array), dtype=np.bool_)
    bad = np.zeros(len(array), dtype=np.bool_)
    if pa.types.is_floating(array.type):
        values: Floats = array.to_numpy(zero_copy_only=False)
    elif pa.types.is_timestamp(array.type):
        values = seconds_of(array.to_numpy(zero_copy_only=False))
    else:
        texts = clean_text(array)
        try:
            values = _from_text(texts, column, layout.header.decimal)
        except ValueError as error:
            raise ReadError(f"{layout.header.path}: column {column.name!r}, unit {column.date!r}: {error}") from None
        bad = texts.is_valid().to_numpy(zero_copy_only=False) & np.isnan(values)
    try:
        return to_column_unit(values, column.target, column.unit), bad
    except ValueError as error:
        raise ReadError(f"{layout.header.path}: column {column.name!r}: {error}") from None


def _from_text(texts: pa.Array, column: Column, decimal: str) -> Floats:
    if column.kind == "datetime":
        return datetimes(texts, column.date)
    return durations(texts, decimal) if column.kind == "duration" else numbers(texts, decimal)


def _mean(columns: Sequence[Any]) -> Any:
    """Return the one column, or the mean of what there is where several have one target (thermocouples)."""
    if len(columns) == 1 or columns[0].dtype != np.float64:
        return columns[0]
    stacked = np.stack(columns)
    given = np.isfinite(stacked)
    with np.errstate(invalid="ignore"):
        return np.where(given, stacked, 0.0).sum(axis=0) / given.sum(axis=0)


def _cells(texts: pa.Array, path: Path, previous: str | None) -> tuple[pd.Categorical[str], NDArray[np.bool_]]:
    """Return each row's cell id and which rows had none: these go to the cell before (at the start, the first)."""
    series = pd.Series(pc.utf8_trim_whitespace(texts).to_pandas(), dtype="str")
    blank = series.isin(_NO_CELL).to_numpy(dtype=np.bool_)
    if blank.all() and previous is None:
        raise ReadError(f"{path}: the column with cell ids is empty; name another one in the source's settings")
    if blank.any():
        series = series.mask(blank).ffill()
        series = series.fillna(previous) if previous is not None else series.bfill()
    codes, ids = pd.factorize(series)
    return pd.Categorical.from_codes(codes, pd.Index([str(cell) for cell in ids])), blank


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
        return pd.StringDtype(na_value=np.nan).__from_arrow__(pa.repeat(pa.scalar("", pa.large_string()), rows))
    texts = np.full(rows, "", dtype=object)
    texts[list(given)] = list(given.values())
    return pd.array(texts, dtype="str")
