"""The raw files that globs name."""

from __future__ import annotations

import glob
import os
from pathlib import Path

from ...data.names import suggest


def find_files(pattern: str, folder: Path) -> list[Path]:
    """Return the files that a glob names, sorted; a file of exactly that name comes before any reading as a glob.

    Args:
        pattern: relative to ``folder`` or absolute; ``**`` (any depth) and ``~`` are known.

    Returns:
        Absolute paths, empty where nothing matches. Links to files keep their own name (a cell's id may be in it).
    """
    expanded = os.path.expanduser(pattern)  # noqa: PTH111 - Path("~x") has no folder where x is no user
    if os.path.isfile(folder / expanded):  # noqa: PTH113 - Path.is_file raises on names that are too long
        return [_absolute_path(folder / expanded)]
    names = glob.glob(expanded, root_dir=folder, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
    return sorted({_absolute_path(folder / name) for name in names if (folder / name).is_file()})


def explain_no_files(pattern: str, folder: Path) -> str:
    """Say why a glob has no files: the part of it that is not there, with the nearest name that is."""
    at = Path(folder / os.path.expanduser(pattern))  # noqa: PTH111
    place = Path(at.anchor)
    for part in at.parts[1:]:
        if glob.has_magic(part):
            break
        if not (place / part).is_dir():
            missing = "no file" if part == at.name else "no folder"
            return f'{missing} "{part}" in {_real_path(place)}{suggest(part, _names_in(place))}'
        place /= part
    if place == at:
        return f'"{pattern}" is a folder; write "{pattern.rstrip("/")}/*.csv"'
    return f'no file matches "{pattern}" in {_real_path(place)}'


def _real_path(folder: Path) -> str:
    return os.path.realpath(folder)


def _absolute_path(path: Path) -> Path:
    return Path(os.path.realpath(path.parent)) / path.name


def _names_in(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return []
