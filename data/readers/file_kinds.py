"""Detect the kind of a raw file from its first bytes: which reader it needs, or why it cannot be read."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ..errors import ReadError

_READERS: Final[dict[bytes, str]] = {
    b"PAR1": "parquet",
    b"NEWARE": "neware",
    b"\xd0\xcf\x11\xe0": "xlsx",  # .xls, before 2007
}
_REFUSED: Final[dict[bytes, str]] = {
    b"BIO-LOGIC MODULAR FILE": (
        "BioLogic .mpr files cannot be read (the libraries for them are under the GPL); export the data as text (.mpt) "
        "in EC-Lab or BT-Lab"
    ),
    b"\x00\x01\x00\x00Standard": (
        "Access databases (Arbin .res) cannot be read; export the data as CSV or .xlsx with Arbin's software"
    ),
    b"\x89HDF\r\n": "HDF5 files cannot be read; save the table as CSV or Parquet",
    b"MATLAB 5.0 MAT-file": "MATLAB files cannot be read; save the table as CSV or Parquet",
    b"SQLite format 3": "SQLite databases cannot be read; save the table as CSV or Parquet",
    b"PK\x03\x04": "zip archives cannot be read; unpack it, and use the files in it as sources",
    b"%PDF": "PDF files cannot be read; export the data as CSV",
}
_HEAD_BYTES: Final = 64
_SPECIAL: Final[tuple[tuple[Callable[[int], bool], str], ...]] = (
    (stat.S_ISFIFO, "a named pipe (FIFO)"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISDIR, "a folder"),
)


def check_regular(path: Path) -> None:
    """Refuse a named pipe, a device or anything else that is not a regular file, without opening it.

    Opening a named pipe would wait for another program, and a device may never end.

    Args:
        path: the file; a link counts as what it points to.

    Raises:
        ReadError: it is not a regular file, or does not exist.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if isinstance(error, FileNotFoundError) and path.is_symlink():
            raise ReadError(f"{path}: this is a link to {path.readlink()}, which does not exist") from None
        raise unreadable_error(path, error) from None
    if stat.S_ISREG(mode):
        return
    kind = next((name for is_kind, name in _SPECIAL if is_kind(mode)), "a special file")
    raise ReadError(f"{path}: this is {kind}, not a regular file; remove it from the sources")


def detect_reader(path: Path) -> str | None:
    """Return the reader that a file needs; ``None`` for text, as far as its first bytes show.

    Args:
        path: the file.

    Raises:
        ReadError: the file cannot be opened, is not a regular file, is damaged, or is of a kind that cannot be read;
            says what to do.
    """
    check_regular(path)
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
        if head.startswith(b"PK\x03\x04"):
            with zipfile.ZipFile(path) as archive:
                names = set(archive.namelist())
            if "data.ndc" in names:
                return "neware"
            if "xl/workbook.xml" in names:
                return "xlsx"
    except zipfile.BadZipFile as error:
        raise ReadError(f"{path}: the zip archive is damaged ({error}); copy or export the file again") from None
    except OSError as error:
        raise unreadable_error(path, error) from None
    reader = next((name for start, name in _READERS.items() if head.startswith(start)), None)
    refused = next((reason for start, reason in _REFUSED.items() if head.startswith(start)), None)
    if reader is None and refused is not None:
        raise ReadError(f"{path}: {refused}")
    return reader


def check_text(path: Path) -> None:
    """Refuse a file that is not text, before it is read as text.

    Args:
        path: the file.

    Raises:
        ReadError: it is not text; the message has the reader for it.
    """
    reader = detect_reader(path)
    if reader is not None:
        raise ReadError(
            f'{path}: this is not a text file; set reader = "{reader}" in its [[sources]] table, or remove "reader"'
        )


def unreadable_error(path: Path, error: OSError) -> ReadError:
    """Return the error for a file that the operating system cannot open or read.

    Args:
        path: the file.
        error: the reason.
    """
    return ReadError(f"{path}: the file cannot be opened: {error.strerror or error}")
