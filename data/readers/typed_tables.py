"""Turn tables with typed columns (Parquet, workbooks, cyclers' own files) into raw rows."""

# pyarrow.compute defines its functions at import, where type checkers do not see them.
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
from .layout import Column, Layout, find_layout, guess_header_columns

ROWS: Final = 200_000
"""Rows of a block."""


def to_numbers_or_text(array: pa.Array) -> pa.Array:
    """Turn a column into float64 or text; times become seconds (dates: since 1970 in UTC).

    A column with an infinite number becomes text, because the reader then reports that value as unreadable.

    Args:
        array: a column of any type for which :func:`is_readable`.
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
    """Turn a column of cell ids into text; whole numbers have no decimal point.

    Args:
        array: a column of texts or numbers.
    """
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_floating(array.type):
        are_whole_numbers = pc.all(pc.equal(array, pc.round(array))).as_py() is not False
        if are_whole_numbers:
            array = array.cast(pa.int64())
    return array.cast(pa.string())


def is_readable(kind: pa.DataType) -> bool:
    """Tell whether a column of this type has numbers, times or text."""
    return not (pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def table_header(path: Path, names: Sequence[str], rows: Sequence[pa.Table], units: Sequence[str] = ()) -> Header:
    """Return the header of a table.

    Args:
        path: the file.
        names: names of the columns.
        rows: some of the rows.
        units: texts of a line of units below the names.

    Raises:
        ReadError: there are no rows.
    """
    if not sum(len(part) for part in rows):
        raise ReadError(f"{path}: the file has columns but no rows; export it again, or remove it from the sources")
    sample: list[tuple[str, ...]] = []
    for part in rows:
        shown = part.slice(0, SAMPLE_ROWS).combine_chunks()
        texts = [_texts(shown.column(index)) for index in range(len(names))]
        sample.extend(zip(*texts, strict=True))
    return Header(path, "", ".", tuple(names), 0, len(names), tuple(sample), tuple(units))


def table_settings(reader: str, header: Header) -> SourceSettings:
    """Guess columns, units, and where the cell id comes from.

    Args:
        reader: name of the reader.
        header: of the table.

    Raises:
        ReadError: no column looks like voltage, current or a time.
    """
    cell = guess_cell_column(header.names, header.sample)
    cell_id_from = "stem" if cell is None else f"column:{cell}"
    settings = SourceSettings(reader=reader, columns=guess_header_columns(header), cell_id_from=cell_id_from)
    find_layout(header, settings)
    return settings


def table_blocks(tables: Iterable[pa.Table], layout: Layout, part: FileRange | None = None) -> Iterator[RawBlock]:
    """Turn tables into raw rows.

    Args:
        tables: the parts of one table in order; each has at least the columns of the layout.
        layout: of the whole table.
        part: the part of the file that the tables are; ``None`` = the whole file.
    """
    row = 0
    cell: str | None = None
    if part is not None:
        row = part.first_row
        cell = part.cell_before or None
    for table in tables:
        typed = replace(layout, columns=tuple(_without_unit_if_time(column, table) for column in layout.columns))
        for start in range(0, len(table), ROWS):
            rows = table.slice(start, ROWS)
            arrays = {column.index: to_numbers_or_text(_whole(rows, column.name)) for column in typed.columns}
            if layout.frequency is not None:
                name = layout.header.names[layout.frequency]
                arrays[layout.frequency] = to_numbers_or_text(_whole(rows, name))
            if layout.cell is not None:
                arrays[layout.cell] = pc.fill_null(cell_texts(_whole(rows, layout.header.names[layout.cell])), "")
            lines = np.arange(row + 1, row + 1 + len(rows), dtype=np.int64)
            block = make_raw_block(arrays, lines, {}, typed, row, cell)
            if block.cells is not None:
                cell = block.cells.last
            row += len(rows)
            yield block


def _without_unit_if_time(column: Column, table: pa.Table) -> Column:
    """A date or a time has its unit in its type, whatever unit its name has."""
    if pa.types.is_temporal(table.schema.field(column.name).type):
        return replace(column, unit="", kind="number")
    return column


def table_cells(tables: Iterable[pa.Table], layout: Layout) -> tuple[str, ...]:
    """Return the cell ids of a table in order of appearance.

    Args:
        tables: the parts of the table in order.
        layout: its layout, with a column of cell ids.
    """
    only_cells = Layout(layout.header, (), layout.cell)
    seen: dict[str, None] = {}
    for block in table_blocks(tables, only_cells):
        if block.cells is not None:
            seen.update(dict.fromkeys(block.cells.ids))
    return tuple(seen)


def _whole(table: pa.Table, name: str) -> pa.Array:
    return _one_array(table.column(table.schema.names.index(name)))


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    if not column.num_chunks:
        return pa.array([], column.type)
    return pa.concat_arrays(column.chunks)


def _texts(column: pa.ChunkedArray) -> list[str]:
    if not is_readable(column.type):
        return [""] * len(column)
    values = to_numbers_or_text(_one_array(column)).to_pylist()
    return ["" if value is None else f"{value}" for value in values]
