"""Guess what the cells in raw files are: read some of them, clean each as ``kilocell clean`` does, then guess."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import pandas as pd

from ...data.errors import JobError, ReadError
from ...data.file_names import natural_key, short_names
from ...data.readers.read import cell_ids, read_by_cell
from ...data.settings import CleanSettings, CurrentSign, SourceSettings
from ...jobs.cleaning.clean import clean
from ...jobs.cleaning.guess_cell import CellGuess, guess_cell
from ...jobs.record.join_sources import join_sources
from .reading_progress import ReadingProgress

MOST_CELLS: Final = 40
"""Cells of one layout that are read and cleaned for guesses; of more, so many are taken at equal distances."""

MOST_FILES: Final = 10
"""Files of one cell that are read for guesses: the first ones, by their names."""

MOST_ROWS: Final = 2_000_000
"""Rows of a record that are cleaned for guesses: the first ones."""

MOST_BYTES: Final = 500_000_000
"""Bytes of raw files that are read for guesses."""

MOST_HELD: Final = 2 * MOST_BYTES
"""Bytes in memory, where a row takes more than in its file."""

Groups = Mapping[SourceSettings, Sequence[Path]]
"""Raw files by how they are read."""

Table = tuple[str, pd.DataFrame]
"""The path of a file, and its raw table or that of one of its cells."""


T = TypeVar("T")


class _File(NamedTuple):
    path: Path
    settings: SourceSettings


@dataclass(frozen=True, slots=True)
class Guesses:
    """What is guessed from a sample of the raw files.

    Args:
        cells: the guess of each cell, in order of ids.
        failures: cells that cannot be cleaned, with the reason.
        silent: cells that were hardly charged or discharged, so that nothing is guessed.
        files_read: number of files.
        is_sample: whether some files were not read.
    """

    cells: dict[str, CellGuess] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    silent: tuple[str, ...] = ()
    files_read: int = 0
    is_sample: bool = False

    @property
    def cells_read(self) -> int:
        """Number of cells that were read."""
        return len(self.cells) + len(self.failures) + len(self.silent)


def guess_cells(groups: Groups, progress: ReadingProgress) -> Guesses:
    """Clean a sample of the cells and guess what they are.

    The sample has up to ``MOST_CELLS`` cells of each layout, of each its first ``MOST_FILES`` files and ``MOST_ROWS``
    rows, and 500 MB of files in all.

    Args:
        groups: the raw files.
        progress: shows how far it is.
    """
    chosen, is_sample = _choose(groups)
    guesses: dict[str, CellGuess] = {}
    failures: dict[str, str] = {}
    silent: list[str] = []
    reader = _Reader(sum(len(files) for files in chosen), progress)
    for cell_id, (sign, tables) in reader.cells(chosen):
        try:
            guess = clean_and_guess(tables, cell_id, sign)
        except JobError as error:
            failures[cell_id] = str(error)
            continue
        if guess is None:
            silent.append(cell_id)
        else:
            guesses[cell_id] = guess
    progress.close()
    ordered = {cell_id: guesses[cell_id] for cell_id in sorted(guesses)}
    return Guesses(ordered, failures, tuple(silent), reader.files_read, is_sample or reader.stopped)


def clean_and_guess(tables: Sequence[Table], cell_id: str, sign: CurrentSign) -> CellGuess | None:
    """Clean a cell with the default thresholds, as ``kilocell clean`` does, and guess what it is.

    Args:
        tables: path and raw table of each of its files, at least one.
        cell_id: its id.
        sign: which sign a charging current has in the files.

    Raises:
        JobError: its files cannot be joined, or its record cannot be cleaned.
    """
    names = short_names([path for path, _ in tables])
    joined = join_sources([(name, table) for name, (_, table) in zip(names, tables, strict=True)])
    return guess_cell(clean(joined.table.head(MOST_ROWS), cell_id, CleanSettings(current_sign=sign)).samples)


def _choose(groups: Groups) -> tuple[list[list[_File]], bool]:
    """Choose the files to read: those of one cell together where their names give it, else one by one.

    Returns:
        The files, and whether some are left out.
    """
    by_cell: dict[str, list[_File]] = {}
    by_layout: dict[SourceSettings, list[list[_File]]] = {}
    for settings, paths in groups.items():
        units = by_layout.setdefault(settings, [])
        for path in paths:
            cell = _cell_by_name(path, settings)
            if cell is not None and cell in by_cell:
                by_cell[cell].append(_File(path, settings))
                continue
            units.append([_File(path, settings)])
            if cell is not None:
                by_cell[cell] = units[-1]
    chosen = [unit for units in by_layout.values() for unit in spread(units, MOST_CELLS)]
    first = [sorted(unit, key=lambda file: natural_key(file.path.name))[:MOST_FILES] for unit in chosen]
    files = sum(len(paths) for paths in groups.values())
    return first, sum(len(unit) for unit in first) < files


def _cell_by_name(path: Path, settings: SourceSettings) -> str | None:
    """Return the cell that a file's name gives; ``None`` if a column has the ids."""
    if settings.cell_id_from.startswith("column:"):
        return None
    try:
        return cell_ids(path, settings)[0]
    except ReadError:
        return None


def spread(entries: Sequence[T], most: int) -> list[T]:
    """Return some entries at equal distances.

    Args:
        entries: in order.
        most: how many, at most.
    """
    if len(entries) <= most:
        return list(entries)
    return [entries[number * len(entries) // most] for number in range(most)]


class _Reader:
    """Reads files until the limits of bytes, and yields the raw tables of each cell.

    Args:
        total: number of files.
        progress: shows how far it is.
    """

    def __init__(self, total: int, progress: ReadingProgress) -> None:
        self.files_read = 0
        self.stopped = False
        self._total = total
        self._progress = progress
        self._bytes = 0
        self._held = 0

    def cells(self, units: Sequence[Sequence[_File]]) -> Iterator[tuple[str, tuple[CurrentSign, list[Table]]]]:
        """Yield each cell with the sign of its current and its tables.

        Args:
            units: files; those of one unit hold one cell, or any cells if a column has the ids.
        """
        later: dict[str, tuple[CurrentSign, list[Table]]] = {}
        for unit in units:
            is_in_column = unit[0].settings.cell_id_from.startswith("column:")
            found = later if is_in_column else {}
            for file in unit:
                self._read(file, found)
            if is_in_column:
                continue
            yield from found.items()
            self._held -= sum(_bytes(table) for _, tables in found.values() for _, table in tables)
        yield from later.items()

    def _read(self, file: _File, found: dict[str, tuple[CurrentSign, list[Table]]]) -> None:
        """Add the tables of a file, unless the limits are reached."""
        self._bytes += file.path.stat().st_size
        if self.stopped or (self.files_read and (self._bytes > MOST_BYTES or self._held > MOST_HELD)):
            self.stopped = True
            return
        self._progress.show("reading and cleaning for guesses", self.files_read, self._total)
        self.files_read += 1
        parts: dict[str, list[pd.DataFrame]] = {}
        try:
            for cell_id, part in read_by_cell(file.path, file.settings):
                parts.setdefault(cell_id, []).append(part)
                self._held += _bytes(part)
                if self._held > MOST_HELD:
                    break
        except ReadError:
            pass  # its columns could be guessed; the run reports what is wrong with its rows
        for cell_id, frames in parts.items():
            table = pd.concat(frames, ignore_index=True)
            found.setdefault(cell_id, (file.settings.current_sign, []))[1].append((str(file.path), table))


def _bytes(table: pd.DataFrame) -> int:
    return int(table.memory_usage(index=False).sum())
