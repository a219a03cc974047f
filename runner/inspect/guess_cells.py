"""Guess what the cells in raw files are: read some of them, clean each as ``kilocell clean`` does, then guess."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import pandas as pd

from ...data.errors import JobError, ReadError
from ...data.file_names import dates_in_names, natural_key, short_names
from ...data.readers.read import cell_ids, read_by_cell
from ...data.settings import CleanSettings, CurrentSign, SourceSettings
from ...jobs.cleaning.clean import clean
from ...jobs.cleaning.guess_cell import CellGuess, guess_cell
from ...jobs.record.join_sources import join_sources
from .reading_progress import ReadingProgress

FIRST_CELLS: Final = 20
"""Cells of one layout that are read and cleaned for guesses; of more, so many are drawn at random. If they are
alike, the others are taken to be like them."""

MOST_CELLS: Final = 200
"""Cells of one layout that are read and cleaned if the first ones are not alike."""

SEED: Final = 1
"""Random seed of the sample."""

LIKE_SHARE: Final = 0.2
"""Share by which the smallest capacity of like cells is below the largest. Chosen, not measured."""

MOST_FILES: Final = 10
"""Files of one cell that are read for guesses: the first ones, by the dates in their names or by their names."""

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


_Tables = dict[str, tuple[CurrentSign, list[Table]]]
"""The sign of the current and the raw tables of each cell."""

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
        is_sample: whether some files or cells were not read.
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

    The sample has ``FIRST_CELLS`` cells of each layout, or ``MOST_CELLS`` if these are not alike; of each its first
    ``MOST_FILES`` files and ``MOST_ROWS`` rows; and 500 MB of files in all.

    Args:
        groups: the raw files.
        progress: shows how far it is.
    """
    layouts = _cells_by_layout(groups)
    guesser = _Guesser(sum(min(len(units), MOST_CELLS) for units in layouts), progress)
    for units in layouts:
        if units[0][0].settings.cell_id_from.startswith("column:"):
            guesser.guess_files([file for unit in units for file in unit])
        else:
            guesser.guess_named(units)
    progress.close()
    files = sum(len(paths) for paths in groups.values())
    ordered = {cell_id: guesser.guesses[cell_id] for cell_id in sorted(guesser.guesses)}
    is_sample = guesser.left_cells or guesser.files_read < files
    return Guesses(ordered, guesser.failures, tuple(guesser.silent), guesser.files_read, is_sample)


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
    return guess_cell(clean(joined.frame.head(MOST_ROWS), cell_id, CleanSettings(current_sign=sign)).samples)


def _cells_by_layout(groups: Groups) -> list[list[list[_File]]]:
    """Return the files of each cell by layout: those of one cell together if their names give it, else one by one."""
    by_cell: dict[str, list[_File]] = {}
    by_layout: dict[SourceSettings, list[list[_File]]] = {}
    for settings, paths in groups.items():
        for path in paths:
            cell = _cell_by_name(path, settings)
            if cell is not None and cell in by_cell:
                by_cell[cell].append(_File(path, settings))
                continue
            unit = [_File(path, settings)]
            by_layout.setdefault(settings, []).append(unit)
            if cell is not None:
                by_cell[cell] = unit
    return list(by_layout.values())


def in_order(files: Sequence[Path]) -> list[Path]:
    """Return files in the order of the dates in their names, else of their names.

    Args:
        files: of one cell.
    """
    dated = dates_in_names([path.name for path in files]) if len(files) > 1 else ()
    if dated:
        return [path for _, path in sorted(zip(dated[0].dates, files, strict=True))]
    return sorted(files, key=lambda path: natural_key(path.name))


def are_alike(guesses: Collection[CellGuess]) -> bool:
    """Tell whether cells have one parameter set and about one capacity.

    Args:
        guesses: of the cells.
    """
    capacities = [guess.capacity_ah for guess in guesses]
    if not capacities:
        return True
    is_one_set = len({guess.parameter_set for guess in guesses}) == 1
    return is_one_set and max(capacities) - min(capacities) <= LIKE_SHARE * max(capacities)


def _cell_by_name(path: Path, settings: SourceSettings) -> str | None:
    """Return the cell that a file's name gives; ``None`` if a column has the ids."""
    if settings.cell_id_from.startswith("column:"):
        return None
    try:
        return cell_ids(path, settings)[0]
    except ReadError:
        return None


def spread(entries: Sequence[T], most: int) -> list[T]:
    """Return some entries in their order: the first one and others drawn at random, always the same ones.

    Entries at equal distances would all be of one kind where kinds alternate.

    Args:
        entries: in order.
        most: how many, at most.
    """
    if len(entries) <= most:
        return list(entries)
    drawn = random.Random(SEED).sample(range(1, len(entries)), most - 1)
    return [entries[place] for place in sorted([0, *drawn])]


class _Guesser:
    """Reads files until the limits of bytes, cleans their cells, and gathers guesses.

    Args:
        total: number of cells or files that will be read.
        progress: shows how far it is.
    """

    def __init__(self, total: int, progress: ReadingProgress) -> None:
        self.guesses: dict[str, CellGuess] = {}
        self.failures: dict[str, str] = {}
        self.silent: list[str] = []
        self.files_read = 0
        self.left_cells = False
        self._total = total
        self._done = 0
        self._progress = progress
        self._bytes = 0
        self._held = 0

    def guess_named(self, cells: Sequence[Sequence[_File]]) -> None:
        """Guess cells whose ids are in the names of their files.

        Args:
            cells: the files of each cell, of one layout.
        """
        for number in self._sampled(len(cells)):
            found: _Tables = {}
            how = {file.path: file.settings for file in cells[number]}
            for path in in_order(list(how))[:MOST_FILES]:
                self._read(_File(path, how[path]), found)
            self._guess(found)
            self._held -= sum(_bytes(table) for _, tables in found.values() for _, table in tables)

    def guess_files(self, files: Sequence[_File]) -> None:
        """Guess cells whose ids are in a column: a file may have many, and a cell may be in several files.

        Args:
            files: of one layout.
        """
        found: _Tables = {}
        for file in spread(files, MOST_CELLS):
            self._read(file, found)
        ids = list(found)
        for number in self._sampled(len(ids)):
            self._guess({ids[number]: found[ids[number]]})

    def _sampled(self, cells: int) -> Iterator[int]:
        """Yield the places of the first cells, then of more if their guesses are not alike."""
        first = spread(range(cells), FIRST_CELLS)
        before = set(self.guesses)
        yield from first
        if len(first) < cells and are_alike([self.guesses[cell] for cell in self.guesses.keys() - before]):
            self.left_cells = True
            return
        more = spread(range(cells), MOST_CELLS)
        yield from (number for number in more if number not in set(first))
        self.left_cells = self.left_cells or len(more) < cells

    def _guess(self, found: _Tables) -> None:
        """Clean cells and add their guesses."""
        for cell_id, (sign, tables) in found.items():
            self._progress.show("cleaning for guesses", self._done, max(self._total, self._done), "cells")
            self._done += 1
            try:
                guess = clean_and_guess(tables, cell_id, sign)
            except JobError as error:
                self.failures[cell_id] = str(error)
                continue
            if guess is None:
                self.silent.append(cell_id)
            else:
                self.guesses[cell_id] = guess

    def _read(self, file: _File, found: _Tables) -> None:
        """Add the tables of a file, unless the limits are reached."""
        self._bytes += file.path.stat().st_size
        if self.files_read and (self._bytes > MOST_BYTES or self._held > MOST_HELD):
            return
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
