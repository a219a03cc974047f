"""Decide how each raw file is read: what the campaign gives, and what is guessed from the file's first lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...data import columns as c
from ...data.errors import ReadError
from ...data.readers.file_kinds import detect_reader
from ...data.settings import ColumnMapping, CurrentSign, SourceSettings
from .raw_files import find_problem
from .same_names import FileSettings, separate_same_names
from .schema import SourceTable


def source_settings(tables: Sequence[SourceTable], store: Path) -> tuple[tuple[Path, SourceSettings], ...]:
    """Return every raw file with how it is read, sorted by path.

    Args:
        tables: the ``[[sources]]`` of the campaign.
        store: the store's folder; files in it are not raw files.
    """
    found = []
    for table in tables:
        paths = [path for path in table.paths if store not in path.parents]
        found += _unify_dates([(path, file_settings(path, table)) for path in paths], is_guess=not table.columns)
    found.sort(key=lambda pair: pair[0])
    return tuple(separate_same_names(found))


def _unify_dates(files: list[FileSettings], is_guess: bool) -> list[FileSettings]:
    """Return files with one order of day and month for all of them, where the campaign does not give it.

    Args:
        files: of one table, with how they are read.
        is_guess: whether the columns were guessed, each from its file alone; otherwise the first file is read to see
            whether its dates are ambiguous, and the others only if they are.
    """
    if not any(_has_open_date(settings, is_guess) for _, settings in files):
        return files
    # Imported here, as in _guess_settings.
    from ...data.readers.date_formats import has_ambiguous_dates, unify_date_formats

    readable = [pair for pair in files if _has_open_date(pair[1], is_guess) and not find_problem(pair[0])]
    if not readable or not (is_guess or has_ambiguous_dates(*readable[0])):
        return files
    unified = dict(zip((path for path, _ in readable), unify_date_formats(readable), strict=True))
    return [(path, unified.get(path, settings)) for path, settings in files]


def _has_open_date(settings: SourceSettings, is_guess: bool) -> bool:
    """Tell whether a wall clock may have dates whose format the campaign does not give.

    A guessed column without a format has ISO dates or numbers, which have one meaning only.
    """
    units = [mapping.unit for mapping in settings.columns if mapping.target == c.UNIX_TIME]
    return settings.reader == "csv" and any("%" in unit if is_guess else unit == "" for unit in units)


def file_settings(path: Path, table: SourceTable) -> SourceSettings:
    """Return how one file is read; what its table does not give is guessed from the file.

    If nothing can be guessed (an empty or unreadable file), the reader follows from the file's first bytes, or is CSV.
    Reading the file then reports what is wrong, and the other files go on.

    Args:
        path: the raw file.
        table: the ``[[sources]]`` table that names it.
    """
    if table.reader == "digatron":
        return SourceSettings("digatron", (), table.cell_id or "stem", _given_sign(table, "charge_positive"))
    reader = _reader_by_content(path) if table.reader == "auto" else table.reader
    if table.cell_id and (table.columns or table.reader != "auto"):
        columns = tuple(ColumnMapping(target, entry.column, entry.unit) for target, entry in table.columns.items())
        return SourceSettings(reader, columns, table.cell_id, table.current_sign)
    guess = _guess_settings(path, reader)
    if table.reader not in ("auto", guess.reader):
        guess = SourceSettings(table.reader)
    sign = _given_sign(table, guess.current_sign)
    return replace(guess, cell_id_from=table.cell_id or guess.cell_id_from, current_sign=sign)


def _given_sign(table: SourceTable, default: CurrentSign) -> CurrentSign:
    """Return the sign of the current that a table gives, or the default for ``auto``."""
    if table.current_sign == "auto":
        return default
    return table.current_sign


def _guess_settings(path: Path, reader: str) -> SourceSettings:
    # Imported here: it imports pandas, which takes a third of a second and is not needed if the campaign gives all.
    from ...data.readers.read import guess_settings

    try:
        return guess_settings(path)
    except (ReadError, OSError):
        return SourceSettings(reader)


def _reader_by_content(path: Path) -> str:
    """Return the reader for a file's first bytes; ``csv`` for text and for files that no reader knows."""
    try:
        return detect_reader(path) or "csv"
    except ReadError:
        return "csv"
