"""Raw rows of the cells of one file: many short cells share a Parquet file, and each is read without the others.

``raw/SPLIT/part-00000.parquet`` and so on have the rows of one cell after the other. ``raw/SPLIT/cells.json`` says in
which of them, from which row on and how many rows each cell has. A row group holds several short cells or a part of a
long one. Stores of earlier versions have a folder for each cell instead, which :func:`find_rows` finds, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..data import columns as c
from ..data.errors import DamagedFileError
from ..data.results.receipt import OutputFile
from .layout import Store
from .parquet_file import damage_errors
from .write import ROW_GROUP_ROWS, TableFile, file_digest, to_table, write_table_file, write_text

GROUP_ROWS: Final = 4096
"""Rows from which on a row group ends with a cell. Measured with 1,000 cells of 60 rows: 0.9 kB for a cell, and 2.6 kB
with a row group for each, of which the end of the file becomes so long that a cell is read in 11 ms instead of 3."""

FILE_ROWS: Final = 500_000
"""Rows from which on a file ends with a cell. They are in memory until then. Chosen, not measured."""


@dataclass(frozen=True, slots=True)
class RowRange:
    """Where some rows of a cell are.

    Args:
        path: of the file.
        first: the first of these rows in the file; 0 = the first row of the file.
        rows: how many; ``None`` = the whole file.
    """

    path: Path
    first: int
    rows: int | None


@dataclass(slots=True)
class SplitRowsWriter:
    """Writes the rows that a split job reads, as they come; call :meth:`close` at the end.

    Args:
        store: the store.
        digest: of the split job.
    """

    store: Store
    digest: str
    _tables: list[pa.Table] = field(default_factory=list)
    _rows: int = 0
    _parts: int = 0
    _ranges: dict[str, list[tuple[int, int, int]]] = field(default_factory=dict)
    _outputs: list[OutputFile] = field(default_factory=list)

    def add(self, cell_id: str, rows: pd.DataFrame) -> None:
        """Add rows of a cell, which follow those that were added before.

        Args:
            rows: with ``data.columns.RAW_COLUMNS``, at least one row.
        """
        table = to_table({str(name): column.array for name, column in rows.items()}, {})
        name = pa.scalar(cell_id.encode("utf-8", "replace").decode(), pa.string())  # Parquet has no lone surrogates
        table = table.add_column(0, c.CELL_ID, pa.repeat(name, len(table)))
        self._ranges.setdefault(cell_id, []).append((self._parts, self._rows, len(rows)))
        self._tables.append(table)
        self._rows += len(rows)
        if self._rows >= FILE_ROWS:
            self._write()

    def close(self) -> tuple[OutputFile, ...]:
        """Write what is left, and where each cell is; return all files that were written."""
        if self._tables:
            self._write()
        index = self.store.raw_index(self.digest)
        size = write_text(index, json.dumps(self._ranges, ensure_ascii=True, separators=(",", ":")))
        return (*self._outputs, OutputFile(self.store.relative(index), size, file_digest(index)))

    def _write(self) -> None:
        path = self.store.raw_part(self.digest, self._parts)
        groups = list(_groups(self._tables))
        file = TableFile(path, {"digest": self.digest}, tuple(groups))
        self._outputs.append(write_table_file(self.store, file))
        self._tables.clear()
        self._rows = 0
        self._parts += 1


def _groups(tables: list[pa.Table]) -> Iterator[pa.Table]:
    """Yield the row groups of a file; columns without a value in all of them are left out."""
    whole = pa.concat_tables(tables)
    whole = whole.select([name for name in whole.column_names if not _is_empty(whole[name])])
    first = 0
    last = 0
    for table in tables:
        last += len(table)
        if last - first >= GROUP_ROWS:
            yield from _cut(whole, first, last)
            first = last
    yield from _cut(whole, first, last)


def _cut(whole: pa.Table, first: int, last: int) -> Iterator[pa.Table]:
    for start in range(first, last, ROW_GROUP_ROWS):
        yield whole.slice(start, min(ROW_GROUP_ROWS, last - start)).combine_chunks()


def _is_empty(column: pa.ChunkedArray) -> bool:
    """Tell whether a column has no values: no numbers, or only empty texts."""
    if column.null_count == len(column):
        return True
    if not pa.types.is_large_string(column.type) and not pa.types.is_string(column.type):
        return False
    lengths: Any = pc.binary_length(column)  # pyright: ignore[reportAttributeAccessIssue]
    return not pc.max(lengths).as_py()  # pyright: ignore[reportAttributeAccessIssue]


def find_rows(store: Store, split_digest: str, cell_id: str) -> list[RowRange]:
    """Return where the rows of a cell are that one split job wrote, in file order; empty = nowhere.

    Raises:
        DamagedFileError: the file that says it cannot be read.
    """
    index = store.raw_index(split_digest)
    try:
        status = index.stat()
    except OSError:
        found = [RowRange(path, 0, None) for path in sorted(store.raw(split_digest, cell_id).glob("part-*.parquet"))]
        return found or list(_search_rows(index.parent, cell_id))
    try:
        ranges = _read_index(index, status.st_mtime_ns, status.st_size)[cell_id]
        return [RowRange(store.raw_part(split_digest, part), first, rows) for part, first, rows in ranges]
    except KeyError:
        return []
    except (ValueError, TypeError) as error:
        raise DamagedFileError(index, why="it does not say where cells are") from error


def _search_rows(folder: Path, cell_id: str) -> Iterator[RowRange]:
    """Yield where the rows of a cell are, by the names in the files: what says it is lost, maybe with the raw file."""
    for path in sorted(folder.glob("part-*.parquet")):
        with damage_errors(path):
            names = pq.read_table(path, columns=[c.CELL_ID])[c.CELL_ID].to_numpy()
        edges = np.flatnonzero(np.diff(names == cell_id, prepend=False, append=False))
        for first, last in edges.reshape(-1, 2).tolist():
            yield RowRange(path, first, last - first)


@lru_cache(maxsize=4)
def _read_index(path: Path, mtime_ns: int, size: int) -> Mapping[str, list[tuple[int, int, int]]]:
    """Read an index once for all cells of a file; size and time are those of the file."""
    ranges: Mapping[str, list[tuple[int, int, int]]] = json.loads(path.read_bytes())
    return ranges


def read_rows(file: pq.ParquetFile, rows: RowRange) -> pa.Table:
    """Read rows of a file, from the row groups alone that have them.

    Args:
        file: the file of these rows, from ``open_parquet``.
        rows: which.
    """
    names = [name for name in file.schema_arrow.names if name not in c.IDENTITY]
    if rows.rows is None:
        return file.read(columns=names)
    groups: list[int] = []
    before = 0
    begin = 0
    for group in range(file.num_row_groups):
        end = begin + file.metadata.row_group(group).num_rows
        if begin < rows.first + rows.rows and end > rows.first:
            if not groups:
                before = begin
            groups.append(group)
        begin = end
    table = file.read_row_groups(groups, columns=names).slice(rows.first - before, rows.rows)
    if len(table) != rows.rows:
        raise ValueError(f"it has no rows {rows.first} to {rows.first + rows.rows}")
    return table
