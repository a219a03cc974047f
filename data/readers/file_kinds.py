"""What kind of file a raw file is, by its first bytes: which reader it needs, or why none reads it."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Final

from ..errors import ReadError

_READERS: Final[dict[bytes, str]] = {
    b"PAR1": "parquet",
    b"NEWARE": "neware",
    b"\xd0\xcf\x11\xe0": "xlsx",  # .xls of before 2007
}
_REFUSED: Final[dict[bytes, str]] = {
    b"BIO-LOGIC MODULAR FILE": (
        "is a BioLogic .mpr file, and the libraries that read it are under the GPL; in EC-Lab or BT-Lab export it as "
        "text (.mpt), which is read"
    ),
    b"\x00\x01\x00\x00Standard": (
        "is an Access database (Arbin .res); with Arbin's own software export it as CSV or .xlsx, which are read"
    ),
    b"\x89HDF\r\n": "is an HDF5 file; write its table as CSV or Parquet, which are read",
    b"MATLAB 5.0 MAT-file": "is a MATLAB file; write its table as CSV or Parquet, which are read",
    b"SQLite format 3": "is an SQLite database; write its table as CSV or Parquet, which are read",
    b"PK\x03\x04": "is a zip archive; unpack it and name the files in it",
    b"%PDF": "is a PDF and holds no table; export the data as CSV",
}
_HEAD_BYTES: Final = 64


def detect_reader(path: Path) -> str | None:
    """Return the reader that a file needs which is no text; ``None`` for text, as far as its first bytes tell.

    Raises:
        ReadError: it cannot be opened, is damaged, or is of a kind that is not read; says what to do.
    """
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
        raise ReadError(f"{path}: its zip packing is damaged ({error}); copy or export the file again") from None
    except OSError as error:
        raise ReadError(f"{path}: cannot be read: {error.strerror or error}") from None
    reader = next((name for start, name in _READERS.items() if head.startswith(start)), None)
    refused = next((reason for start, reason in _REFUSED.items() if head.startswith(start)), None)
    if reader is None and refused is not None:
        raise ReadError(f"{path}: {refused}")
    return reader


def check_text(path: Path) -> None:
    """Make sure that a file which is to be read as text is none of the other kinds.

    Raises:
        ReadError: it is; names the reader for it.
    """
    reader = detect_reader(path)
    if reader is not None:
        raise ReadError(f'{path}: is no text; set reader = "{reader}" in the source\'s settings, or leave reader out')
