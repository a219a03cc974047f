"""From a raw file to raw tables: the readers by name, and what every part of kilocell asks of them."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from . import columns as c
from . import csv_reader, cycler_files, digatron, parquet_reader
from .csv_header import find_header
from .csv_layout import Layout, cell_column, csv_layout, guessed_columns
from .csv_reader import RawBlock
from .errors import ReadError
from .file_kinds import reader_of
from .header_names import guess_cell_column
from .raw_bytes import stem
from .settings import SourceFile, SourceSettings
from .text_blocks import head_block, lines_of


@dataclass(frozen=True, slots=True)
class Reader:
    """One kind of file: how it is laid out, its rows block by block, and the cells that a column of it names."""

    layout: Callable[[Path, SourceSettings], Layout]
    blocks: Callable[[Path, SourceSettings], Iterator[RawBlock]]
    cells: Callable[[Path, Layout], tuple[str, ...]] = csv_reader.column_cells


READERS: Final[dict[str, Reader]] = {
    "csv": Reader(csv_layout, csv_reader.raw_blocks),
    "digatron": Reader(digatron.digatron_layout, digatron.raw_blocks),
    "parquet": Reader(parquet_reader.parquet_layout, parquet_reader.raw_blocks, parquet_reader.column_cells),
    **{
        name: Reader(cycler_files.layout_for(name), cycler_files.blocks_for(name), cycler_files.cells_for(name))
        for name in ("neware", "xlsx")
    },
}
"""Every reader, by the name that a campaign gives it."""
_TIMES: Final = (c.TEST_TIME, c.UNIX_TIME)


def source_file(path: Path, settings: SourceSettings) -> SourceFile:
    """Describe a raw file: its size in bytes and the SHA-256 of its bytes.

    Raises:
        ReadError: it cannot be opened.
    """
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            size = stream.tell()
    except OSError as error:
        raise ReadError(f"{path}: cannot be read: {error.strerror or error}") from None
    return SourceFile(str(path), size, digest, settings)


def cell_ids(path: Path, settings: SourceSettings) -> tuple[str, ...]:
    """Return the ids of the cells in a file, in order of appearance; reads the body only for ids in a column.

    Raises:
        ReadError: the pattern does not match the path, or the file cannot be read.
    """
    source, _, rest = settings.cell_id_from.partition(":")
    if source == "stem":
        return (stem(path),)
    if source == "column":
        reader = READERS[settings.reader]
        return reader.cells(path, reader.layout(path, settings))
    match = re.search(rest, path.as_posix())
    if match is None or not match["cell_id"]:
        raise ReadError(f"{path}: the cell id's pattern {rest!r} does not match this path; correct cell_id_from")
    return (match["cell_id"],)


def read_raw(path: Path, settings: SourceSettings, cell_id: str | None = None, source_index: int = 0) -> pd.DataFrame:
    """Read a raw file, as it stands.

    Args:
        cell_id: only this cell's rows, where ids come from a column; ``None`` = all rows.
        source_index: written into the column of that name.

    Returns:
        ``data.columns.RAW_COLUMNS``; ``source_row`` is the row in the file, 0 = first data row.

    Raises:
        ReadError: the file cannot be read, has no such cell, or more than half of what stands in its voltage,
            current or time is no number.
    """
    tally = _Tally(path)
    frames: list[pd.DataFrame] = []
    for block in READERS[settings.reader].blocks(path, settings):
        rows = None if cell_id is None or block.cells is None else np.asarray(block.cells == cell_id)
        if rows is None or rows.any():
            tally.add(block, rows)
            frames.append(block.frame if rows is None else block.frame[rows])
    if not frames:
        near = difflib.get_close_matches(str(cell_id), cell_ids(path, settings), n=1)
        raise ReadError(f"{path}: has no cell {cell_id!r}" + (f"; the nearest is {near[0]!r}" if near else ""))
    tally.check()
    frame = pd.concat(frames, ignore_index=True)
    frame[c.SOURCE_INDEX] = np.full(len(frame), source_index, dtype=np.int32)
    return frame


def read_by_cell(
    path: Path, settings: SourceSettings, rows_per_part: int = 2_000_000
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Read a long file that holds many cells once, in bounded memory.

    Args:
        rows_per_part: rows that are read before what is there of each cell is handed on.

    Yields:
        Cell id and some of its rows as :func:`read_raw` returns them. A cell's parts come in the file's order.

    Raises:
        ReadError: as :func:`read_raw`, but whether voltage, current and time are numbers is judged over the whole
            file and at its end, so that one bad cell does not stop the others.
    """
    tally = _Tally(path)
    ids: dict[str, int] = {}
    single = None if cell_column(settings) is not None else cell_ids(path, settings)[0]
    frames: list[pd.DataFrame] = []
    codes: list[NDArray[np.int64]] = []
    for block in READERS[settings.reader].blocks(path, settings):
        tally.add(block, None)
        cells = pd.Categorical([single] * len(block.frame)) if block.cells is None else block.cells
        known = np.array([ids.setdefault(str(cell), len(ids)) for cell in cells.categories], dtype=np.int64)
        frames.append(block.frame)
        codes.append(known[cells.codes])
        if sum(map(len, codes)) >= rows_per_part:
            yield from _parts(frames, codes, list(ids))
            codes.clear()
    if frames:
        yield from _parts(frames, codes, list(ids))
    tally.check()


def guess_settings(path: Path) -> SourceSettings:
    """Guess how a file is read from its first lines: reader, columns with units, and where the cell id comes from.

    Raises:
        ReadError: the file is empty, of a kind that is not read, or has no column that looks like voltage, current or
            time.
    """
    reader = reader_of(path)
    if reader is not None:
        guess = parquet_reader.guess_parquet if reader == "parquet" else cycler_files.guess_cycler_file
        return guess(path)
    lines = lines_of(head_block(path))
    if digatron.is_digatron(lines):
        return SourceSettings(reader="digatron", current_sign="charge_positive")
    header = find_header(path)
    columns = guessed_columns(header)
    cell = guess_cell_column(header.names, header.sample)
    settings = SourceSettings(columns=columns, cell_id_from="stem" if cell is None else f"column:{cell}")
    csv_layout(path, settings)
    return settings


@dataclass(slots=True)
class _Count:
    """What stood in one column: values given, those of them that are unreadable, and the first of these."""

    name: str
    given: int = 0
    unreadable: int = 0
    first: str = ""

    @property
    def mostly_unreadable(self) -> bool:
        return 2 * self.unreadable > self.given


@dataclass(slots=True)
class _Tally:
    """Counts what a file's required columns held, over its blocks."""

    path: Path
    counts: dict[str, _Count] = field(default_factory=dict)

    def add(self, block: RawBlock, rows: NDArray[np.bool_] | None) -> None:
        for target, (name, bad) in block.unreadable.items():
            if target not in (c.VOLTAGE, c.CURRENT, *_TIMES):
                continue
            count = self.counts.setdefault(target, _Count(name))
            chosen = np.ones(len(bad), dtype=np.bool_) if rows is None else rows
            places = np.flatnonzero(bad & chosen)
            count.given += int((block.frame[target].notna().to_numpy() & chosen).sum()) + len(places)
            count.unreadable += len(places)
            if len(places) and not count.first:
                row = int(places[0])
                count.first = f"the first is in line {block.lines[row]}: {block.frame[c.UNREADABLE].iloc[row]}"

    def check(self) -> None:
        """Raise a ReadError when a column without which a record is worth nothing is no column of numbers."""
        times = [self.counts[time] for time in _TIMES if time in self.counts]
        no_time = all(count.given == 0 or count.mostly_unreadable for count in times)
        wrong = [count for target, count in self.counts.items() if target not in _TIMES or no_time]
        for count in wrong:
            if count.mostly_unreadable:
                raise ReadError(
                    f"{self.path}: column {count.name!r}: {count.unreadable} of {count.given} values cannot be read; "
                    f"{count.first}. Is this the right column, with the right decimal sign or date format?"
                )


def _parts(
    frames: list[pd.DataFrame], codes: list[NDArray[np.int64]], ids: list[str]
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Sort rows by cell, in the order of the cells' first appearance, and hand them on cell by cell."""
    frame, code = pd.concat(frames, ignore_index=True), np.concatenate(codes)
    frames.clear()  # a million rows weigh 150 MB: not twice while the parts are written
    order = np.argsort(code, kind="stable")
    starts = np.flatnonzero(np.diff(code[order], prepend=-1))
    for start, end in zip(starts, [*starts[1:], len(order)], strict=True):
        yield ids[code[order[start]]], frame.iloc[order[start:end]].reset_index(drop=True)
