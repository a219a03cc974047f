"""Read raw files into raw tables: the entry point of all other packages, and the list of readers."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .. import columns as c
from ..arrays import Indices, Integers, Mask
from ..errors import ReadError
from ..memory_limit import RAW_SHARE, ROW_BYTES, check_rows, memory_limit_bytes
from ..names import printable_id, quote, suggest
from ..settings import FileRange, SourceFile, SourceSettings
from . import csv_reader, cycler_files, digatron, parquet_reader
from .column_names import guess_cell_column
from .csv_header import find_header
from .csv_reader import RANGE_BYTES, CellIds, RawBlock, raw_columns, raw_texts
from .date_order import settle_dates
from .file_kinds import check_regular, detect_reader, unreadable_error
from .layout import Layout, cell_column, csv_cell_layout, csv_layout, guess_header_columns
from .text_blocks import head_block, split_lines, stem
from .unreadable import Tally


@dataclass(frozen=True, slots=True)
class Parts:
    """How a long file is read in independent parts.

    Args:
        survey: finds parts of about so many bytes, each with its cells.
        blocks: reads the rows of one part.
    """

    survey: Callable[[Path, Layout, int], tuple[FileRange, ...]]
    blocks: Callable[[Path, Layout, FileRange], Iterator[RawBlock]]


@dataclass(frozen=True, slots=True)
class Reader:
    """How one kind of file is read.

    Args:
        layout: finds the quantity in each column.
        blocks: reads the rows, block by block.
        cells: lists the cell ids in a column.
        parts: how the file is read in parts; ``None`` = it is always read as a whole.
        cell_layout: finds the column of cell ids alone, in less time than ``layout``; ``None`` = with ``layout``.
    """

    layout: Callable[[Path, SourceSettings], Layout]
    blocks: Callable[[Path, SourceSettings], Iterator[RawBlock]]
    cells: Callable[[Path, Layout], tuple[str, ...]] = csv_reader.column_cells
    parts: Parts | None = None
    cell_layout: Callable[[Path, SourceSettings], Layout] | None = None

    def find_cell_column(self, path: Path, settings: SourceSettings) -> Layout:
        """Return a layout with the column of cell ids, and perhaps others."""
        return (self.cell_layout or self.layout)(path, settings)


READERS: Final[dict[str, Reader]] = {
    "csv": Reader(
        csv_layout,
        csv_reader.raw_blocks,
        parts=Parts(csv_reader.survey, csv_reader.layout_blocks),
        cell_layout=csv_cell_layout,
    ),
    "digatron": Reader(digatron.digatron_layout, digatron.raw_blocks),
    "parquet": Reader(
        parquet_reader.parquet_layout,
        parquet_reader.raw_blocks,
        parquet_reader.column_cells,
        Parts(parquet_reader.survey, parquet_reader.part_blocks),
    ),
    **{
        name: Reader(
            cycler_files.make_layout_finder(name),
            cycler_files.make_block_reader(name),
            cycler_files.make_cell_lister(name),
        )
        for name in ("neware", "xlsx")
    },
}
"""All readers by the name that a campaign uses."""


ROOM_ROWS: Final = 2_000_000
"""Largest number of unused rows that a growing table allocates in advance."""

ROWS_PER_PART: Final = 5_000_000
"""Rows that are sorted by cell at once (600 MB). Each cell then gets few long files, even if rows of many alternate."""


def source_file(path: Path, settings: SourceSettings) -> SourceFile:
    """Return the size of a raw file (bytes) and the SHA-256 of its content, with its settings.

    Args:
        path: the file.
        settings: how it is read.

    Raises:
        ReadError: it cannot be opened, or is not a regular file.
    """
    check_regular(path)
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            size = stream.tell()
    except OSError as error:
        raise unreadable_error(path, error) from None
    return SourceFile(str(path), size, digest, settings)


def cell_ids(path: Path, settings: SourceSettings) -> tuple[str, ...]:
    """Return the ids of the cells in a file, in order of appearance. Reads the rows only for ids in a column.

    Args:
        path: the file.
        settings: how it is read; ``cell_id_from`` says where the ids come from.

    Raises:
        ReadError: the pattern does not match the path, or the file cannot be read.
    """
    source, _, rest = settings.cell_id_from.partition(":")
    if source == "stem":
        return (printable_id(stem(path)),)
    if source == "column":
        reader = READERS[settings.reader]
        return reader.cells(path, reader.find_cell_column(path, settings))
    match = re.search(rest, path.as_posix())
    if match is None or not match["cell_id"]:
        raise ReadError(f"{path}: the pattern {rest!r} of cell_id_from does not match this path; correct the pattern")
    return (printable_id(match["cell_id"]),)


def survey(
    path: Path, settings: SourceSettings, range_bytes: int = RANGE_BYTES
) -> tuple[tuple[str, ...], tuple[FileRange, ...]]:
    """Return the ids of the cells in a file, as :func:`cell_ids` does, and the parts in which it can be read.

    Args:
        path: the file.
        settings: how it is read.
        range_bytes: approximate size of a part (bytes).

    Returns:
        Ids, and the parts: at least two, or none if the file is short, has one cell, or is always read as a whole.

    Raises:
        ReadError: as :func:`cell_ids`.
    """
    reader = READERS[settings.reader]
    if cell_column(settings) is None or reader.parts is None:
        return cell_ids(path, settings), ()
    parts = reader.parts.survey(path, reader.find_cell_column(path, settings), range_bytes)
    cells = tuple(dict.fromkeys(cell for part in parts for cell, _ in part.cells))
    if len(parts) < 2 or len(cells) < 2:
        return cells, ()
    return cells, parts


def read_raw(path: Path, settings: SourceSettings, cell_id: str | None = None, source_index: int = 0) -> pd.DataFrame:
    """Read a raw file as a frame, as :func:`read_columns` does.

    Args:
        path, settings, cell_id: as there.
        source_index: value of the column of that name.
    """
    frame = pd.DataFrame(read_columns(path, settings, cell_id), copy=False)
    if source_index:
        frame[c.SOURCE_INDEX] = np.full(len(frame), source_index, dtype=np.int32)
    return frame


def read_columns(path: Path, settings: SourceSettings, cell_id: str | None = None) -> dict[str, Any]:
    """Read a raw file, without changing its values.

    Args:
        path: the file.
        settings: how it is read.
        cell_id: read only the rows of this cell, if a column has the ids; ``None`` = all rows.

    Returns:
        ``data.columns.RAW_COLUMNS`` by name, arrays of NumPy, or of pandas for texts; ``source_row`` is the row in the
        file, 0 = first data row, and ``source_index`` is 0. Nobody can write to a column that the file does not have.

    Raises:
        ReadError: the file cannot be read or has no such cell, or more than half of the values of its voltage, current
            or time are not numbers.
    """
    tally = Tally(path)
    table = _Table()
    for block in READERS[settings.reader].blocks(path, settings):
        rows = None
        if cell_id is not None and block.cells is not None and block.cells.ids != (cell_id,):
            rows = block.cells.are(cell_id)
        if rows is None or rows.any():
            tally.add(block, rows)
            table.add(block, rows)
            check_rows(str(path), table.rows * ROW_BYTES)
    if not table.rows:
        wanted = str(cell_id)
        raise ReadError(f"{path}: the file has no cell {quote(wanted)}{suggest(wanted, cell_ids(path, settings))}")
    tally.check()
    return table.take()


def read_by_cell(
    path: Path, settings: SourceSettings, rows_per_part: int = ROWS_PER_PART, part: FileRange | None = None
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Read a long file with many cells, or a part of it, once and in bounded memory.

    Args:
        path: the file.
        settings: how it is read.
        rows_per_part: number of rows that are read before they are yielded by cell.
        part: one of :func:`survey`; ``None`` = the whole file.

    Yields:
        Cell id and some of its rows as :func:`read_raw` returns them. The rows of a cell come in the order of the file.

    Raises:
        ReadError: as :func:`read_raw`. Whether voltage, current and time are numbers is checked at the end of the file,
            over all its rows, so one bad cell does not stop the others. It is not checked for a part, because the part
            may have only that bad cell.
    """
    rows_per_part = min(rows_per_part, max(int(RAW_SHARE * memory_limit_bytes() / ROW_BYTES), 1))
    tally = Tally(path)
    ids: dict[str, int] = {}
    single = None if cell_column(settings) is not None else cell_ids(path, settings)
    table = _Table()
    codes: list[Integers] = []
    reader = READERS[settings.reader]
    if part is None or reader.parts is None:
        blocks = reader.blocks(path, settings)
    else:
        blocks = reader.parts.blocks(path, reader.layout(path, settings), part)
    for block in blocks:
        tally.add(block, None)
        cells = block.cells
        if cells is None:
            cells = CellIds(np.zeros(len(block), dtype=np.int64), single or ())
        known = np.array([ids.setdefault(cell, len(ids)) for cell in cells.ids], dtype=np.int64)
        table.add(block)
        codes.append(known[cells.codes])
        if table.rows >= rows_per_part:
            yield from _parts(table.take_frame(), np.concatenate(codes), list(ids))
            codes.clear()
    if table.rows:
        yield from _parts(table.take_frame(), np.concatenate(codes), list(ids))
    if part is None:
        tally.check()


def guess_settings(path: Path) -> SourceSettings:
    """Guess how a file is read from its first lines: reader, columns with units, and where the cell id comes from.

    Args:
        path: the file.

    Raises:
        ReadError: the file is empty, of a kind that cannot be read, or has no column that looks like voltage, current
            or time.
    """
    reader = detect_reader(path)
    if reader is not None:
        guess = parquet_reader.guess_parquet if reader == "parquet" else cycler_files.guess_cycler_file
        return guess(path)
    lines = split_lines(head_block(path))
    if digatron.is_digatron(lines):
        return SourceSettings(reader="digatron", current_sign="charge_positive")
    header = find_header(path)
    columns = guess_header_columns(header)
    cell = guess_cell_column(header.names, header.sample)
    settings = SourceSettings(columns=columns, cell_id_from="stem" if cell is None else f"column:{cell}")
    csv_layout(path, settings)
    return settle_dates(path, settings)


def _parts(frame: pd.DataFrame, code: Integers, ids: list[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """Sort rows by cell, in the order in which cells first appear, and yield them cell by cell."""
    order: Indices | None = None
    ordered = code
    if not (np.diff(code) >= 0).all():
        order = np.argsort(code, kind="stable")
        ordered = code[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(code)], strict=True):
        rows = frame.iloc[start:end] if order is None else frame.iloc[order[start:end]]
        yield ids[ordered[start]], rows.reset_index(drop=True)


@dataclass(slots=True)
class _Table:
    """A raw table that grows block by block in place, so no row is in memory twice."""

    rows: int = 0
    single: dict[str, Any] | None = None  # the columns of the only block until now
    numbers: dict[str, NDArray[Any]] = field(default_factory=dict)
    texts: dict[str, list[Any]] = field(default_factory=dict)

    def add(self, block: RawBlock, which: Mask | None = None) -> None:
        """Add the rows of a block.

        Args:
            block: of the file.
            which: the rows to add, shape (rows,); ``None`` = all.
        """
        columns = block.columns
        rows = len(block)
        if which is not None:
            columns = {name: column[which] for name, column in columns.items()}
            rows = int(np.count_nonzero(which))
        if not self.rows:
            self.single, self.rows = columns, rows
            return
        if self.single is not None:
            first, first_rows = self.single, self.rows
            self.single, self.rows = None, 0
            self._append(first, first_rows)
        self._append(columns, rows)

    def _append(self, columns: Mapping[str, Any], rows: int) -> None:
        end = self.rows + rows
        for name in {*columns, *self.numbers, *self.texts}:
            dtype = c.RAW_COLUMNS[name]
            if dtype == "str":
                before = self.texts.setdefault(name, [raw_texts(self.rows)])
                before.append(columns[name] if name in columns else raw_texts(rows))
                continue
            column = self.numbers.get(name)
            if column is None:
                column = np.full(self.rows, np.nan)
            if end > len(column):
                # Allocated memory that is not written to costs nothing; resizing in place would fill it with zeros.
                room = np.empty(max(end, min(16 * len(column), len(column) + ROOM_ROWS)), dtype=np.dtype(dtype))
                room[: self.rows] = column[: self.rows]
                column = room
            column[self.rows : end] = columns.get(name, np.nan)
            self.numbers[name] = column
        self.rows = end

    def take_frame(self) -> pd.DataFrame:
        """Return all rows as a frame, whose columns can be released one by one, and empty the table."""
        return pd.DataFrame(self.take(), copy=False)

    def take(self) -> dict[str, Any]:
        """Return all rows as ``data.columns.RAW_COLUMNS``, and empty the table."""
        columns: dict[str, Any] = {}
        if self.single is not None:
            columns, self.single = self.single, None
        for name in list(self.texts):
            columns[name] = pd.concat([pd.Series(texts) for texts in self.texts.pop(name)], ignore_index=True).array
        for name in list(self.numbers):
            columns[name] = self.numbers.pop(name)
            columns[name].resize(self.rows, refcheck=False)
        rows, self.rows = self.rows, 0
        return raw_columns(columns, rows)
