"""Read the headers of raw files: how each is read, which cannot be read, and which have columns of unknown names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from ...data import columns as c
from ...data.errors import ReadError
from ...data.readers.column_names import guess_cell_column, guess_columns
from ...data.readers.csv_header import find_header
from ...data.readers.csv_values import value_kind
from ...data.readers.date_formats import unify_date_formats
from ...data.readers.file_kinds import detect_reader
from ...data.readers.layout import guess_header_columns
from ...data.readers.read import guess_settings
from ...data.readers.text_blocks import stem
from ...data.settings import ColumnMapping, SourceSettings
from ..campaign.raw_files import is_utf8, printable
from .raw_paths import ends_in_channel
from .reading_progress import ReadingProgress

NEEDED: Final = (c.TEST_TIME, c.CURRENT, c.VOLTAGE)
"""The columns that a record must have; a wall clock may replace the test time."""

MOST_VALUES: Final = 3
"""Values of an unknown column that are shown."""

MOST_COLUMNS: Final = 60
"""Columns up to which a table may be a record; a wider one is a matrix of other numbers. Chosen, not measured."""

_BY_NAME: Final = "pattern:(?P<cell_id>[^/]+)$"
"""The cell id is the whole name of the file, with its ending."""


@dataclass(frozen=True, slots=True)
class UnknownTable:
    """A table with columns that kilocell does not know by their names.

    Args:
        path: one of the files.
        reader: how it can be read.
        names: its columns.
        values: the first values of each.
        columns: the columns that are known.
        missing: the raw columns that the user has to fill in.
        cell: the column that most likely has cell ids; ``None`` = none.
    """

    path: Path
    reader: str
    names: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    columns: tuple[ColumnMapping, ...]
    missing: tuple[str, ...]
    cell: str | None


@dataclass(frozen=True, slots=True)
class RawHeaders:
    """Raw files by how they are read.

    Args:
        groups: those that can be read.
        left_out: those that cannot, with the reason; those with unknown columns are among them.
        unknown: tables with unknown columns, each with all files of the same header.
    """

    groups: dict[SourceSettings, list[Path]]
    left_out: tuple[str, ...]
    unknown: tuple[tuple[UnknownTable, tuple[Path, ...]], ...]


def read_headers(files: Sequence[Path], progress: ReadingProgress) -> RawHeaders:
    """Guess from the header of each file how it is read.

    Args:
        files: the raw files.
        progress: shows how far it is.
    """
    found: list[tuple[Path, SourceSettings]] = []
    left_out = []
    unknown: dict[tuple[str, tuple[str, ...]], tuple[UnknownTable, list[Path]]] = {}
    channels = Counter((path.parent, stem(path)) for path in files if ends_in_channel(path))
    for number, path in enumerate(files):
        progress.show("reading headers", number, len(files))
        if not is_utf8(path):
            left_out.append(
                f"{printable(path)}: the file name is not UTF-8, so a campaign file cannot hold it; rename it"
            )
            continue
        try:
            found.append((path, _tell_channels_apart(path, guess_settings(path), channels)))
        except ReadError as error:
            left_out.append(str(error))
            table = find_unknown_table(path)
            if table is not None:
                unknown.setdefault((table.reader, table.names), (table, []))[1].append(path)
    groups: dict[SourceSettings, list[Path]] = {}
    for (path, _), settings in zip(found, unify_date_formats(found), strict=True):
        groups.setdefault(settings, []).append(path)
    progress.close()
    tables = tuple((table, tuple(paths)) for table, paths in unknown.values())
    return RawHeaders(groups, tuple(left_out), tables)


def _tell_channels_apart(path: Path, settings: SourceSettings, channels: Counter[tuple[Path, str]]) -> SourceSettings:
    """Return the settings of a file, with its whole name as cell id if other channels ran the same test.

    Maccor names a file after its test and ends it in the channel: ``test.001`` and ``test.002`` are two cells.

    Args:
        path: the file.
        settings: how it is read.
        channels: number of files that end in a channel, by folder and name of the test.
    """
    is_one_of_several = ends_in_channel(path) and channels[path.parent, stem(path)] > 1
    if settings.cell_id_from == "stem" and is_one_of_several:
        return replace(settings, cell_id_from=_BY_NAME)
    return settings


def find_unknown_table(path: Path) -> UnknownTable | None:
    """Return the header of a table whose columns are not all known by their names.

    Args:
        path: a file that no reader understands by itself.

    Returns:
        ``None`` if the file holds no table with at least three columns of numbers or times, or if all is known.
    """
    try:
        reader = detect_reader(path)
        if reader == "parquet":
            return _unknown_parquet(path)
        if reader is not None:
            return None
        header = find_header(path)
        columns = guess_header_columns(header)
    except ReadError:
        return None
    samples = [tuple(row[index] for row in header.sample if index < len(row)) for index in range(len(header.names))]
    return _unknown_table(path, "csv", header.names, samples, columns)


def _unknown_parquet(path: Path) -> UnknownTable | None:
    try:
        with pq.ParquetFile(path) as file:
            batch = next(file.iter_batches(batch_size=100), None)
    except (pa.ArrowException, OSError):
        return None
    if batch is None:
        return None
    names = tuple(batch.schema.names)
    samples = [tuple("" if value is None else str(value) for value in column.to_pylist()) for column in batch.columns]
    return _unknown_table(path, "parquet", names, samples, guess_columns(names, list(zip(*samples, strict=True))))


def _unknown_table(
    path: Path,
    reader: str,
    names: Sequence[str],
    samples: Sequence[Sequence[str]],
    columns: tuple[ColumnMapping, ...],
) -> UnknownTable | None:
    if len(names) > MOST_COLUMNS:
        return None
    if value_kind(names) == "number":  # the table has no header: its first row was taken for one
        samples = [(name, *values) for name, values in zip(names, samples, strict=True)]
        names = [f"#{place}" for place in range(1, len(names) + 1)]
        columns = ()
    measured = sum(value_kind(values) in ("number", "datetime", "duration") for values in samples)
    known = {mapping.target for mapping in columns}
    missing = [target for target in NEEDED if target not in known]
    if known & {c.UNIX_TIME, c.STEP_TIME} and c.TEST_TIME in missing:
        missing.remove(c.TEST_TIME)
    if not missing or measured < len(NEEDED):
        return None
    rows = [tuple(row) for row in zip(*samples, strict=False)]
    shown = tuple(tuple(values[:MOST_VALUES]) for values in samples)
    return UnknownTable(path, reader, tuple(names), shown, columns, tuple(missing), guess_cell_column(names, rows))
