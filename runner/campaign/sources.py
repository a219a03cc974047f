"""Decide how each raw file is read: what the campaign gives, and what is guessed from the file's first lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...data.errors import ReadError
from ...data.readers.file_kinds import detect_reader
from ...data.settings import ColumnMapping, CurrentSign, SourceSettings
from .schema import SourceTable


def source_settings(tables: Sequence[SourceTable], store: Path) -> tuple[tuple[Path, SourceSettings], ...]:
    """Return every raw file with how it is read, sorted by path.

    Args:
        tables: the ``[[sources]]`` of the campaign.
        store: the store's folder; files in it are not raw files.
    """
    pairs = [(path, table) for table in tables for path in table.paths if store not in path.parents]
    pairs.sort(key=lambda pair: pair[0])
    return tuple((path, file_settings(path, table)) for path, table in pairs)


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
