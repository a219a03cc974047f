"""Raw files that are gone since an earlier run, but that the campaign still names, such as those purged from scratch.

Their cells need not be cleaned again while nothing about them changed: the store has what cleaning made of them.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ...data.settings import ColumnMapping, SourceSettings
from ...parquet_store.layout import Store
from ...sqlite.known_files import KnownFile, read_known_files

if TYPE_CHECKING:
    from .schema import SourceTable


@dataclass(frozen=True, slots=True)
class GoneFile:
    """A raw file that is gone and that the campaign names.

    Args:
        known: what the last run recorded of it.
        is_read_alike: whether the campaign still says the same about how it is read.
    """

    known: KnownFile
    is_read_alike: bool


def find_gone(store: Path) -> list[KnownFile]:
    """Return the raw files of the last run in a store that do not exist any more, by path.

    Args:
        store: folder of the store; may not exist yet.
    """
    return read_known_files(Store(store).catalog, lambda path: not os.path.lexists(path))


def matches(path: str, pattern: str, folder: Path) -> bool:
    """Tell whether an entry of ``files`` named a file while it existed.

    Args:
        path: of the file, absolute, as a run recorded it.
        pattern: a file or glob, relative to ``folder`` or absolute.
        folder: folder of the campaign file.
    """
    return _expression(pattern, folder).fullmatch(path) is not None


def select_named(store: Path, tables: Sequence[SourceTable], folder: Path) -> list[GoneFile]:
    """Return the gone files that a campaign still names.

    Args:
        store: folder of the store; may not exist yet.
        tables: the ``[[sources]]`` of the campaign.
        folder: folder of the campaign file.
    """
    named = []
    for one in find_gone(store):
        path, settings = one.file.path, one.file.settings
        of_file = [table for table in tables if any(matches(path, entry.pattern, folder) for entry in table.files)]
        if of_file:
            named.append(GoneFile(one, any(is_read_alike(settings, table) for table in of_file)))
    return named


def is_read_alike(settings: SourceSettings, table: SourceTable) -> bool:
    """Tell whether a table of the campaign gives nothing else than what a file was read with.

    What the table leaves open was guessed from the file then, and cannot be guessed again.
    """
    if table.reader not in ("auto", settings.reader):
        return False
    if table.current_sign not in ("auto", settings.current_sign):
        return False
    if table.cell_id not in (None, "stem", settings.cell_id_from):
        return False
    read = {mapping.target: mapping for mapping in settings.columns}
    given = [ColumnMapping(target, entry.column, entry.unit) for target, entry in table.columns.items()]
    if given and len(read) != len(given):
        return False
    return all(_is_same_column(read.get(mapping.target), mapping) for mapping in given)


def _is_same_column(read: ColumnMapping | None, given: ColumnMapping) -> bool:
    """Tell whether a column is the given one; a unit that is not given may have been found in the file."""
    return read is not None and read.column == given.column and given.unit in ("", read.unit)


@cache
def _expression(pattern: str, folder: Path) -> re.Pattern[str]:
    """Return a glob as a regular expression of real paths; folders before the first wildcard may be links."""
    full = os.path.join(os.path.realpath(folder), os.path.expanduser(pattern))  # noqa: PTH111, PTH118
    parts = full.split("/")
    fixed = 0
    while fixed < len(parts) - 1 and not glob.has_magic(parts[fixed]):
        fixed += 1
    start = os.path.realpath("/".join(parts[:fixed]) or "/")
    text = re.escape(start.rstrip("/"))
    for place, part in enumerate(parts[fixed:], fixed):
        is_last = place == len(parts) - 1
        if part == "**":
            text += "/.*" if is_last else "(/[^/]+)*"
        else:
            text += "/" + _part_expression(part)
    return re.compile(text, re.DOTALL)


def _part_expression(part: str) -> str:
    """Return one name of a glob, between two slashes, as a regular expression."""
    text = ""
    for piece in re.findall(r"\[!?[^\]]+\]|.", part, re.DOTALL):
        if piece == "*":
            text += "[^/]*"
        elif piece == "?":
            text += "[^/]"
        elif len(piece) > 1:
            text += piece.replace("\\", "\\\\").replace("[!", "[^")
        else:
            text += re.escape(piece)
    return text
