"""Find the raw files that globs name."""

from __future__ import annotations

import glob
import os
from pathlib import Path

from ...data.names import suggest


def find_files(pattern: str, folder: Path) -> list[Path]:
    """Return the files that a glob names, sorted.

    Args:
        pattern: relative to ``folder`` or absolute; may hold ``**`` (any depth) and ``~``. If a file has exactly this
            name, it is not read as a glob.
        folder: folder of the campaign file.

    Returns:
        Absolute paths; empty when nothing matches. Links to files keep their own name, which may hold a cell's id.
    """
    expanded = os.path.expanduser(pattern)  # noqa: PTH111 - Path("~x") has no folder where x is no user
    if os.path.isfile(folder / expanded):  # noqa: PTH113 - Path.is_file raises on names that are too long
        return [_absolute_path(folder / expanded)]
    names = glob.glob(expanded, root_dir=folder, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
    return sorted({_absolute_path(folder / name) for name in names if (folder / name).is_file()})


def explain_no_files(pattern: str, folder: Path) -> str:
    """Explain why a glob matches no files.

    Args:
        pattern: as in :func:`find_files`.
        folder: folder of the campaign file.

    Returns:
        The first part of the pattern that does not exist, with the nearest name that does.
    """
    target = Path(folder / os.path.expanduser(pattern))  # noqa: PTH111
    existing = Path(target.anchor)
    for part in target.parts[1:]:
        if glob.has_magic(part):
            break
        if not (existing / part).is_dir():
            missing = "no file" if part == target.name else "no folder"
            return f'{missing} "{part}" in {_real_path(existing)}{suggest(part, _names_in(existing))}'
        existing /= part
    if existing == target:
        return f'"{pattern}" is a folder; write "{pattern.rstrip("/")}/*.csv"'
    return f'no file matches "{pattern}" in {_real_path(existing)}'


def _real_path(folder: Path) -> str:
    return os.path.realpath(folder)


def _absolute_path(path: Path) -> Path:
    return Path(os.path.realpath(path.parent)) / path.name


def _names_in(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return []
