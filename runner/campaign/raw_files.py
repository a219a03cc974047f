"""Find the raw files that globs name, and say what is wrong with those that cannot be opened."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from pathlib import Path

from ...data.errors import ReadError
from ...data.names import suggest
from ...data.readers.file_kinds import check_regular


@dataclass(frozen=True, slots=True)
class NamedFiles:
    """The files that one entry of ``files`` names.

    Args:
        pattern: the entry, as in the campaign file.
        paths: absolute paths.
        missing: why there is no such file, if the entry names one file that does not exist; ``paths`` then holds the
            path that it would have.
    """

    pattern: str
    paths: tuple[Path, ...]
    missing: str = ""


def find_files(pattern: str, folder: Path) -> list[Path]:
    """Return the files that a glob names, sorted.

    Links that point to nothing, named pipes and devices are among them: whoever reads them reports what is wrong.

    Args:
        pattern: relative to ``folder`` or absolute; may hold ``**`` (any depth) and ``~``. If a file has exactly this
            name, it is not read as a glob.
        folder: folder of the campaign file.

    Returns:
        Absolute paths; empty when nothing matches. Links to files keep their own name, which may hold a cell's id.
    """
    # os.path and glob instead of Path: a Path takes no absolute glob, no name that is too long and no "~x" where x is
    # no user.
    expanded = os.path.expanduser(pattern)  # noqa: PTH111
    if _is_file(folder / expanded):
        return [_absolute_path(folder / expanded)]
    names = glob.glob(expanded, root_dir=folder, recursive=True)  # noqa: PTH207
    return sorted({_absolute_path(folder / name) for name in names if _is_file(folder / name)})


def missing_file(pattern: str, folder: Path) -> Path | None:
    """Return the path of the one file that a pattern means, although there is no such file.

    Args:
        pattern: as in :func:`find_files`, which finds nothing.
        folder: folder of the campaign file.

    Returns:
        ``None`` when the pattern can match several files, or names a folder.
    """
    target = folder / os.path.expanduser(pattern)  # noqa: PTH111
    can_match_several = "*" in pattern or "?" in pattern
    if can_match_several or "\0" in pattern or pattern.endswith("/") or os.path.isdir(target):  # noqa: PTH112
        return None
    return _absolute_path(target)


def find_problem(path: Path) -> str:
    """Find out, without opening a raw file, why it cannot be read.

    Args:
        path: absolute.

    Returns:
        What is wrong, for people; ``""`` when the file exists, is a regular file and has a name that can be recorded.
    """
    if not is_utf8(path):
        return f"{printable(path)}: the file name is not UTF-8, so it cannot be recorded; rename it"
    if not os.path.lexists(path):
        return explain_no_files(str(path), path.parent)
    try:
        check_regular(path)
    except ReadError as error:
        return str(error)
    return ""


def is_utf8(path: Path) -> bool:
    """Tell whether a path is text in UTF-8, as the store and the catalog need it."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(path: Path) -> str:
    """Return a path as text that can be printed and stored; bytes that are not UTF-8 become ``\\xff``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


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
        if not os.access(existing, os.X_OK):
            return f"the folder {_real_path(existing)} cannot be opened: permission denied"
        if not os.path.isdir(existing / part):  # noqa: PTH112 - Path.is_dir raises on names that are too long
            missing = "no file" if part == target.name else "no folder"
            return f'{missing} "{part}" in {_real_path(existing)}{suggest(part, _names_in(existing))}'
        existing /= part
    if existing == target:
        return f'"{pattern}" is a folder; write "{pattern.rstrip("/")}/*.csv"'
    return f'no file matches "{pattern}" in {_real_path(existing)}'


def _is_file(path: Path) -> bool:
    """Whether something other than a folder has this name, also a link that points to nothing."""
    return os.path.lexists(path) and not os.path.isdir(path)  # noqa: PTH112


def _real_path(folder: Path) -> str:
    return os.path.realpath(folder)


def _absolute_path(path: Path) -> Path:
    return Path(os.path.realpath(path.parent)) / path.name


def _names_in(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return []
