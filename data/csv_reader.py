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
from .csv_header import prepared
from .csv_layout import Column, Layout, csv_layout
from .csv_values import MISSING, Floats, clean_text, datetimes, durations, numbers
from .errors import ReadError
from .field_counts import SquareBlock, square
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

    Delimiter (comma, semicolon, tab, bar, runs of spaces), decimal sign, encoding and header line are found; columns
    come from the settings, or are guessed when the settings name none. Text in a number column becomes NaN and is noted
    in ``unreadable``, as is a row with too few or too many fields. Times without zone are taken as UTC.

    Raises:
        ReadError: the file cannot be read; names file, line or column, and value.
    """
    yield from layout_blocks(path, csv_layout(path, settings))


def layout_blocks(path: Path, layout: Layout) -> Iterator[RawBlock]:
    """Read the rows of a file whose layout is known."""
    row = 0
    cell: str | None = None
    for square_block in _data_blocks(path, layout):
        block = _raw_block(square_block, layout, row, cell)
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
    for block in _data_blocks(path, only_cells):
        cells, _ = _cells(_parsed(block, only_cells, [layout.cell])[layout.cell], path, cell)
        cell = str(cells[-1])
        seen.update(dict.fromkeys(cells.categories))
    return tuple(seen)


def _data_blocks(path: Path, layout: Layout) -> Iterator[SquareBlock]:
    """Yield the squared lines beneath the header, block by block."""
    for block in prepared(text_blocks(path), layout.header):
        skip = layout.header.lines - block.first_line + 1
        if skip > 0:
            block = TextBlock(block.data.split(b"\n", skip)[-1], block.first_line + skip)
        square_block = square(block, layout.header)
        if len(square_block.lines):
            yield square_block


def _raw_block(block: SquareBlock, layout: Layout, first_row: int, previous: str | None) -> RawBlock:
    indices = [column.index for column in layout.columns] + ([] if layout.cell is None else [layout.cell])
    arrays = _parsed(block, layout, indices)
    return block_of(arrays, block.lines, block.notes, layout, first_row, previous)


def block_of(
    arrays: Mapping[int, pa.Array],
    lines: NDArray[np.int64],
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
    unreadable: dict[str, tuple[str, NDArray[np.bool_]]] = {}
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


def _parsed(block: SquareBlock, layout: Layout, indices: Sequence[int]) -> dict[int, pa.Array]:
    """Parse columns of a block: numbers as float64 where all of them are, everything else as text."""
    if block.fields is not None:
        return {index: pa.array([row[index] for row in block.fields], pa.string()) for index in indices}
    floats = [column.index for column in layout.columns if column.kind == "number"]
    try:
        arrays = _parsed_as(block, layout, indices, floats)
        if all(np.isfinite(pc.max(pc.abs(arrays[index])).as_py() or 0.0) for index in floats):
            return arrays
    except pa.ArrowInvalid:
        pass  # Some text among the numbers: read the block as text and look at each value.
    return _parsed_as(block, layout, indices, [])


def _parsed_as(
    block: SquareBlock, layout: Layout, indices: Sequence[int], floats: Sequence[int]
) -> dict[int, pa.Array]:
    types = {str(index): pa.float64() if index in floats else pa.string() for index in indices}
    table = pacsv.read_csv(
        pa.BufferReader(block.data),
        pacsv.ReadOptions(
            use_threads=False,
            block_size=len(block.data) + 1,
            column_names=[str(index) for index in range(layout.header.width)],
        ),
        pacsv.ParseOptions(delimiter=layout.header.delimiter, quote_char=False),
        pacsv.ConvertOptions(
            column_types=types,
            include_columns=list(types),
            null_values=_NULLS,
            strings_can_be_null=False,
            decimal_point=layout.header.decimal,
        ),
    )
    return {int(name): table[name].combine_chunks() for name in types}


def _column_values(array: pa.Array, column: Column, layout: Layout) -> tuple[Any, NDArray[np.bool_]]:
    """Turn a column into numbers in the raw table's unit (or texts, for the state) and tell which are unreadable."""
    if column.kind == "text":
        texts = pc.fill_null(clean_text(array), "")
        return pd.array(texts.to_pandas(), dtype="str"), np.zeros(len(array), dtype=np.bool_)
    bad = np.zeros(len(array), dtype=np.bool_)
    if pa.types.is_floating(array.type):
        values: Floats = array.to_numpy(zero_copy_only=False)
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
    unreadable = np.full(rows, "", dtype=object)
    for row, texts in notes.items():
        unreadable[row] = "; ".join(texts)
    known = {
        **values,
        c.UNREADABLE: unreadable,
        c.SOURCE_INDEX: 0,
        c.SOURCE_ROW: np.arange(first_row, first_row + rows),
    }
    missing = {"float64": np.nan, "str": ""}
    series = {
        name: pd.Series(known.get(name, missing.get(dtype)), index=range(rows), dtype=dtype)
        for name, dtype in c.RAW_COLUMNS.items()
    }
    return pd.DataFrame(series)
