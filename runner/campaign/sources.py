"""How each raw file of a campaign is read: what the campaign says of it, and what is guessed from its first lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...data.errors import ReadError
from ...data.readers.file_kinds import detect_reader
from ...data.settings import ColumnMapping, CurrentSign, SourceSettings
from .schema import SourceTable


def source_settings(tables: Sequence[SourceTable], store: Path) -> tuple[tuple[Path, SourceSettings], ...]:
    """Return every raw file with how it is read, sorted by path; what lies in the store is no raw file."""
    pairs = [(path, table) for table in tables for path in table.paths]
    return tuple(
        (path, file_settings(path, table))
        for path, table in sorted(pairs, key=lambda pair: pair[0])
        if store not in path.parents
    )


def file_settings(path: Path, table: SourceTable) -> SourceSettings:
    """Return how one file is read: what its table leaves out is guessed from the file.

    A file that nothing can be guessed from (empty, unreadable) is taken for what its first bytes say, else for CSV: its
    read will say what is wrong, and the other files go on.
    """
    if table.reader == "digatron":
        sign: CurrentSign = "charge_positive" if table.current_sign == "auto" else table.current_sign
        return SourceSettings("digatron", (), table.cell_id or "stem", sign)
    own = _own_reader(path) if table.reader == "auto" else table.reader
    if table.cell_id and (table.columns or table.reader != "auto"):
        columns = tuple(ColumnMapping(target, entry.column, entry.unit) for target, entry in table.columns.items())
        return SourceSettings(own, columns, table.cell_id, table.current_sign)
    guess = _guess(path, own)
    if table.reader not in ("auto", guess.reader):
        guess = SourceSettings(table.reader)
    sign = guess.current_sign if table.current_sign == "auto" else table.current_sign
    return replace(guess, cell_id_from=table.cell_id or guess.cell_id_from, current_sign=sign)


def _guess(path: Path, reader: str) -> SourceSettings:
    from ...data.readers.read import (
        guess_settings,  # pandas takes a third of a second, and is not needed where all is said
    )

    try:
        return guess_settings(path)
    except (ReadError, OSError):
        return SourceSettings(reader)


def _own_reader(path: Path) -> str:
    """Return the reader by a file's first bytes; ``csv`` for text and for what no reader reads."""
    try:
        return detect_reader(path) or "csv"
    except ReadError:
        return "csv"
