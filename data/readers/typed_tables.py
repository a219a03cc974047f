"""Tables whose columns have types (Parquet, workbooks, cyclers' own files) as raw rows."""

# pyarrow.compute makes its functions at import; no type checker sees them.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import ReadError
from ..settings import FileRange, SourceSettings
from .column_names import guess_cell_column
from .csv_header import SAMPLE_ROWS, Header
from .csv_reader import RawBlock, make_raw_block
from .layout import Layout, find_layout, guess_header_columns

ROWS: Final = 200_000
"""Rows of a table that are turned into raw rows at once."""


def to_numbers_or_text(array: pa.Array) -> pa.Array:
    """Turn a column into float64 or text: times into seconds (since 1970 in UTC, where they are dates).

    Text stays text, and so does a column with an infinite number, so that the reader notes what cannot be used.
    """
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = array.type
    if pa.types.is_date(kind):
        array = array.cast(pa.timestamp("us"))
    if pa.types.is_timestamp(array.type):
        micro = array.cast(pa.timestamp("us", array.type.tz), safe=False).cast(pa.int64())
        return pc.divide(micro.cast(pa.float64(), safe=False), 1e6)
    if pa.types.is_duration(kind):
        return pc.divide(array.cast(pa.duration("us"), safe=False).cast(pa.int64()).cast(pa.float64()), 1e6)
    if pa.types.is_time(kind):
        width = pa.int32() if kind.bit_width == 32 else pa.int64()
        return pc.divide(array.cast(width).cast(pa.float64()), {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[kind.unit])
    if pa.types.is_null(kind):
        return array.cast(pa.float64())
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        values = array.cast(pa.float64(), safe=False)
        return values.cast(pa.string()) if pc.any(pc.is_inf(values)).as_py() else values
    return array.cast(pa.string())


def cell_texts(array: pa.Array) -> pa.Array:
    """Turn a column of cell ids into text; whole numbers are written without a decimal point."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_floating(array.type):
        whole = pc.all(pc.equal(array, pc.round(array))).as_py() is not False
        array = array.cast(pa.int64()) if whole else array
    return array.cast(pa.string())


def is_readable(kind: pa.DataType) -> bool:
    """Tell whether a column's type can hold numbers, times or text."""
    return not (pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def table_header(path: Path, names: Sequence[str], rows: Sequence[pa.Table], units: Sequence[str] = ()) -> Header:
    """Describe a table with named columns by its names, some of its rows and the units that stand beneath the names.

    Raises:
        ReadError: there are no rows.
    """
    if not sum(len(part) for part in rows):
        raise ReadError(f"{path}: has columns but no rows; export it again, or leave it out of the sources")
    sample: list[tuple[str, ...]] = []
    for part in rows:
        shown = part.slice(0, SAMPLE_ROWS).combine_chunks()
        texts = [_texts(shown.column(index)) for index in range(len(names))]
        sample.extend(zip(*texts, strict=True))
    return Header(path, "", ".", tuple(names), 0, len(names), tuple(sample), tuple(units))


def table_settings(reader: str, header: Header) -> SourceSettings:
    """Guess columns, units and where the cell id comes from.

    Raises:
        ReadError: no column looks like voltage, current or a time.
    """
    cell = guess_cell_column(header.names, header.sample)
    cell_id_from = "stem" if cell is None else f"column:{cell}"
    settings = SourceSettings(reader=reader, columns=guess_header_columns(header), cell_id_from=cell_id_from)
    find_layout(header, settings)
    return settings


def table_blocks(tables: Iterable[pa.Table], layout: Layout, part: FileRange | None = None) -> Iterator[RawBlock]:
    """Turn tables, the parts of one in order, into raw rows.

    Args:
        tables: each with at least the layout's columns, by name.
        part: of a file, which the tables are; ``None`` = all of it.
    """
    row, cell = (0, None) if part is None else (part.first_row, part.cell_before or None)
    for table in tables:
        # A date or a time has its unit in its type, whatever its name says.
        columns = [
            replace(column, unit="", kind="number")
            if pa.types.is_temporal(table.schema.field(column.name).type)
            else column
            for column in layout.columns
        ]
        typed = replace(layout, columns=tuple(columns))
        for start in range(0, len(table), ROWS):
            rows = table.slice(start, ROWS)
            arrays = {column.index: to_numbers_or_text(_whole(rows, column.name)) for column in typed.columns}
            if layout.cell is not None:
                arrays[layout.cell] = pc.fill_null(cell_texts(_whole(rows, layout.header.names[layout.cell])), "")
            lines = np.arange(row + 1, row + 1 + len(rows), dtype=np.int64)
            block = make_raw_block(arrays, lines, {}, typed, row, cell)
            if block.cells is not None:
                cell = str(block.cells[-1])
            row += len(rows)
            yield block


def table_cells(tables: Iterable[pa.Table], layout: Layout) -> tuple[str, ...]:
    """Return the ids in the column of cells, in order of appearance."""
    only_cells = Layout(layout.header, (), layout.cell)
    seen: dict[str, None] = {}
    for block in table_blocks(tables, only_cells):
        if block.cells is not None:
            seen.update(dict.fromkeys(block.cells.categories))
    return tuple(seen)


def _whole(table: pa.Table, name: str) -> pa.Array:
    column = table.column(table.schema.names.index(name))
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _texts(column: pa.ChunkedArray) -> list[str]:
    if not is_readable(column.type):
        return [""] * len(column)
    array = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    return ["" if value is None else f"{value}" for value in to_numbers_or_text(array).to_pylist()]
