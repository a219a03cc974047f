"""Read Parquet files with any columns, such as those of the Battery Data Format, into raw rows in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import ReadError
from ..memory_limit import check_rows
from ..settings import FileRange, SourceSettings
from .csv_header import SAMPLE_ROWS, Header
from .csv_reader import RawBlock
from .layout import Layout, find_layout
from .typed_tables import ROWS, is_readable, table_blocks, table_cells, table_header, table_settings

_BUFFER_BYTES: Final = 1024 * 1024


def parquet_header(path: Path) -> Header:
    """Return the names of the columns, with some of the first and last rows.

    Args:
        path: the file.

    Raises:
        ReadError: the file is not Parquet, is damaged, or has no rows.
    """
    with _opened(path) as file:
        schema = file.schema_arrow
        names = [name for name in schema.names if is_readable(schema.field(schema.get_field_index(name)).type)]
        groups = sorted({0, file.num_row_groups - 1}) if file.num_row_groups else []
        try:
            _check_groups(path, file, names, groups)
            parts = [_first_rows(file, group, names) for group in groups]
        except (pa.ArrowException, OSError) as error:
            raise _damaged_file_error(path, error) from None
    return table_header(path, names, parts)


def parquet_layout(path: Path, settings: SourceSettings) -> Layout:
    """Find the quantity in each column of a file.

    Args:
        path: the file.
        settings: how it is read.

    Raises:
        ReadError: as :func:`parquet_header`, or a required column is missing.
    """
    return find_layout(parquet_header(path), settings)


def guess_parquet(path: Path) -> SourceSettings:
    """Guess how a file is read.

    Args:
        path: the file.

    Raises:
        ReadError: as :func:`parquet_layout`.
    """
    return table_settings("parquet", parquet_header(path))


def raw_blocks(path: Path, settings: SourceSettings) -> Iterator[RawBlock]:
    """Read the rows of a file, in blocks of :data:`~kilocell.data.readers.typed_tables.ROWS`; only the used columns.

    Args:
        path: the file.
        settings: how it is read.

    Raises:
        ReadError: as :func:`parquet_layout`.
    """
    layout = parquet_layout(path, settings)
    yield from table_blocks(_tables(path, _used_columns(layout)), layout)


def column_cells(path: Path, layout: Layout) -> tuple[str, ...]:
    """Return the cell ids of a file in order of appearance. Reads only the column with cell ids.

    Args:
        path: the file.
        layout: its layout, with a column of cell ids.
    """
    if layout.cell is None:
        raise ValueError("the layout has no column with cell ids")
    return table_cells(_tables(path, [layout.header.names[layout.cell]]), layout)


def part_blocks(path: Path, layout: Layout, part: FileRange) -> Iterator[RawBlock]:
    """Read the rows of some row groups.

    Args:
        path: the file.
        layout: its layout.
        part: the row groups, one of :func:`survey`.
    """
    yield from table_blocks(_tables(path, _used_columns(layout), range(part.start, part.end)), layout, part)


def survey(path: Path, layout: Layout, range_bytes: int) -> tuple[FileRange, ...]:
    """Find the cells of a file, and parts of it, each of complete row groups. Reads only the column with cell ids.

    Args:
        path: the file.
        layout: its layout, with a column of cell ids.
        range_bytes: approximate size of a part in the file (bytes).
    """
    if layout.cell is None:
        raise ValueError("the layout has no column with cell ids")
    only_cells = Layout(layout.header, (), layout.cell)
    names = [layout.header.names[layout.cell]]
    with _opened(path) as file:
        groups = [file.metadata.row_group(place) for place in range(file.num_row_groups)]
        sizes = [sum(g.column(k).total_compressed_size for k in range(g.num_columns)) for g in groups]
    parts = [FileRange(0, len(sizes))]
    counts = Counter[str]()
    part_bytes = 0
    row = 0
    cell = ""
    for group, size in enumerate(sizes):
        if part_bytes >= range_bytes and counts:
            parts[-1] = replace(parts[-1], end=group, cells=tuple(counts.items()))
            parts.append(FileRange(group, len(sizes), row + 1, row, (), cell))
            counts = Counter[str]()
            part_bytes = 0
        group_range = FileRange(group, group + 1, row + 1, row, (), cell)
        for block in table_blocks(_tables(path, names, range(group, group + 1)), only_cells, group_range):
            if block.cells is not None and len(block):
                counts.update(block.cells.count_rows())
                row += len(block)
                cell = block.cells.last
        part_bytes += size
    parts[-1] = replace(parts[-1], cells=tuple(counts.items()))
    return tuple(parts)


def _used_columns(layout: Layout) -> list[str]:
    return [layout.header.names[index] for index in layout.indices]


def _tables(path: Path, names: list[str], groups: range | None = None) -> Iterator[pa.Table]:
    with _opened(path) as file:
        try:
            chosen = None if groups is None else list(groups)
            columns = list(dict.fromkeys(names))
            _check_groups(path, file, columns, chosen)
            for batch in file.iter_batches(ROWS, row_groups=chosen, columns=columns, use_threads=False):
                yield pa.Table.from_batches([batch])
        except (pa.ArrowException, OSError) as error:
            raise _damaged_file_error(path, error) from None


def _check_groups(path: Path, file: pq.ParquetFile, names: list[str], groups: list[int] | None) -> None:
    """Refuse row groups that unpack to more than the memory: the pages of a group are unpacked one after another, but
    a page can be as large as its group.

    Args:
        groups: the row groups that are read; ``None`` = all.
    """
    for place in range(file.num_row_groups) if groups is None else groups:
        group = file.metadata.row_group(place)
        columns = (group.column(k) for k in range(group.num_columns))
        largest = max((one.total_uncompressed_size for one in columns if one.path_in_schema in names), default=0)
        check_rows(f"{path}: row group {place}", largest)


def _first_rows(file: pq.ParquetFile, group: int, names: list[str]) -> pa.Table:
    batches = file.iter_batches(batch_size=SAMPLE_ROWS, row_groups=[group], columns=names, use_threads=False)
    batch = next(batches, None)
    schema = pa.schema([file.schema_arrow.field(name) for name in names])
    if batch is None:
        return schema.empty_table()
    return pa.Table.from_batches([batch]).select(names)


def _opened(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, buffer_size=_BUFFER_BYTES, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise _damaged_file_error(path, error) from None


def _damaged_file_error(path: Path, error: Exception) -> ReadError:
    reason = " ".join(str(error).split())
    return ReadError(f"{path}: cannot be read as Parquet ({reason}); write or copy it again")
