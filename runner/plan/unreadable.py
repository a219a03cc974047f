"""Find the raw files that cannot be read, and why, before anything is said of the cells that may be in them."""

from __future__ import annotations

from collections.abc import Sequence, Set
from pathlib import Path
from typing import Final

from ...data.errors import ReadError
from ...data.readers.read import READERS
from ...data.settings import SourceSettings
from .job import ScannedSource

MOST_HEADERS: Final = 200
"""Different headers that are read at most, about 15 ms each. Chosen, not measured."""

LONGEST_LINE: Final = 4096  # bytes of a first line that are compared
QUICK_READERS: Final = ("csv", "parquet")
"""Readers that find the columns of a file without reading all of it."""


def find_unreadable(
    sources: Sequence[ScannedSource], cells: Set[str] | None = None, *, headers: bool = True
) -> dict[str, str]:
    """Find the raw files that cannot be read.

    A file whose cells are known by its name was not opened by the scan: here its header is read. Files with the same
    first line and settings are read once.

    Args:
        sources: the campaign's raw files, scanned.
        cells: read only the headers of files with these cells; ``None`` = of all files.
        headers: read headers; otherwise only what the scan found is returned.

    Returns:
        The reason, which begins with the path, by path.
    """
    found = {}
    read: set[tuple[SourceSettings, bytes]] = set()
    for source in sources:
        reason = source.problem or source.unread
        if not reason and not source.is_gone and headers and (cells is None or not cells.isdisjoint(source.cell_ids)):
            reason = _read_header(source, read)
        if reason:
            found[source.file.path] = reason
    return found


def _read_header(source: ScannedSource, read: set[tuple[SourceSettings, bytes]]) -> str:
    """Return why the columns of a file cannot be found; "" = they can, or this file is not read here.

    Args:
        read: settings and first lines that were read before without an error; is added to.
    """
    path = Path(source.file.path)
    settings = source.file.settings
    if settings.reader not in QUICK_READERS or settings.cell_id_from.startswith("column:"):
        return ""
    try:
        with path.open("rb") as stream:
            key = (settings, stream.readline(LONGEST_LINE))
        if key in read or len(read) >= MOST_HEADERS:
            return ""
        READERS[settings.reader].layout(path, settings)
    except ReadError as error:
        return str(error)
    except OSError as error:
        return f"{path}: cannot be read: {error.strerror}"
    read.add(key)
    return ""
