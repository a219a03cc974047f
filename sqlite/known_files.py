"""Raw files that the last run knew: what a plan needs of them when they are gone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ..data.codec import from_json
from ..data.errors import StoreError
from ..data.settings import SourceFile, SourceSettings
from .queries import connect


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A raw file as a run recorded it.

    Args:
        cells: each cell in it with its number of rows; ``None`` = not counted.
        mtime_ns: modification time when its digest was computed, ns since 1970; 0 = unknown.
    """

    file: SourceFile
    cells: tuple[tuple[str, int | None], ...]
    mtime_ns: int = 0


def read_known_files(catalog: Path, wanted: Callable[[str], bool]) -> list[KnownFile]:
    """Read the raw files of the campaign of the last run, by path.

    Args:
        catalog: path of the catalog.
        wanted: tells by the path whether a file is returned.

    Returns:
        Empty if there is no catalog of this version: a run makes or migrates it first.
    """
    if not catalog.is_file():
        return []
    try:
        with closing(connect(catalog)) as reader:
            files = reader.execute("SELECT * FROM sources WHERE standing = 'current' ORDER BY path").fetchall()
            rows = reader.execute("SELECT path, cell_id, rows FROM source_cells ORDER BY path, cell_id").fetchall()
    except StoreError:
        return []
    cells: dict[str, list[tuple[str, int | None]]] = {}
    for path, cell_id, count in rows:
        cells.setdefault(path, []).append((cell_id, count))
    return [
        KnownFile(
            SourceFile(row["path"], row["bytes"], row["digest"], from_json(SourceSettings, row["settings"])),
            tuple(cells.get(row["path"], ())),
            row["mtime_ns"] or 0,
        )
        for row in files
        if wanted(row["path"])
    ]
