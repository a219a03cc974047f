"""Reads Parquet files of any columns, the Battery Data Format's among them, into raw rows in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from .csv_header import SAMPLE_ROWS, Header
from .csv_layout import Layout, layout_of
from .csv_reader import RawBlock
from .errors import ReadError
from .settings import SourceSettings
from .table_blocks import ROWS, is_readable, table_blocks, table_cells, table_header, table_settings

_BUFFER_BYTES: Final = 1024 * 1024


def parquet_header(path: Path) -> Header:
    """Return the columns' names and some of the first and last rows.

    Raises:
        ReadError: this is no Parquet file, it is damaged, or has no rows.
    """
    with _opened(path) as file:
        schema = file.schema_arrow
        names = [name for name in schema.names if is_readable(schema.field(schema.get_field_index(name)).type)]
        groups = sorted({0, file.num_row_groups - 1}) if file.num_row_groups else []
        try:
            parts = [_first_rows(file, group, names) for group in groups]
        except (pa.ArrowException, OSError) as error:
            raise _damaged(path, error) from None
    return table_header(path, names, parts)


def parquet_layout(path: Path, settings: SourceSettings) -> Layout:
    """Find out which of the file's columns is what.

    Raises:
        ReadError: as :func:`parquet_header`, or a column is missing that is required.
    """
    return layout_of(parquet_header(path), settings)


def guess_parquet(path: Path) -> SourceSettings:
    """Guess how the file is read."""
    return table_settings("parquet", parquet_header(path))


def raw_blocks(path: Path, settings: SourceSettings) -> Iterator[RawBlock]:
    """Read a Parquet file's rows, only the columns that are used, some at a time whatever the size of its row groups.

    Raises:
        ReadError: as :func:`parquet_layout`.
    """
    layout = parquet_layout(path, settings)
    names = [column.name for column in layout.columns]
    if layout.cell is not None:
        names.append(layout.header.names[layout.cell])
    yield from table_blocks(_tables(path, names), layout)


def column_cells(path: Path, layout: Layout) -> tuple[str, ...]:
    """Return the ids in the column of cells, in order of appearance, reading nothing but that column."""
    if layout.cell is None:
        raise ValueError("the layout has no column with cell ids")
    return table_cells(_tables(path, [layout.header.names[layout.cell]]), layout)


def _tables(path: Path, names: list[str]) -> Iterator[pa.Table]:
    with _opened(path) as file:
        try:
            for batch in file.iter_batches(batch_size=ROWS, columns=list(dict.fromkeys(names)), use_threads=False):
                yield pa.Table.from_batches([batch])
        except (pa.ArrowException, OSError) as error:
            raise _damaged(path, error) from None


def _first_rows(file: pq.ParquetFile, group: int, names: list[str]) -> pa.Table:
    batches = file.iter_batches(batch_size=SAMPLE_ROWS, row_groups=[group], columns=names, use_threads=False)
    batch = next(batches, None)
    schema = pa.schema([file.schema_arrow.field(name) for name in names])
    return schema.empty_table() if batch is None else pa.Table.from_batches([batch]).select(names)


def _opened(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, buffer_size=_BUFFER_BYTES, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> ReadError:
    reason = " ".join(str(error).split())
    return ReadError(f"{path}: cannot be read as Parquet ({reason}); write or copy it again")
