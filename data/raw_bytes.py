"""A raw file's bytes, unpacked where they are packed with gzip."""

from __future__ import annotations

import codecs
import gzip
from pathlib import Path
from typing import BinaryIO, Final, cast

GZIP: Final = b"\x1f\x8b"
PACKED: Final = (".gz",)


def is_gzip(path: Path) -> bool:
    """Tell from its first bytes whether a file is packed with gzip, whatever its name.

    Raises:
        OSError: it cannot be opened.
    """
    with path.open("rb") as stream:
        return stream.read(len(GZIP)) == GZIP


def open_bytes(path: Path) -> BinaryIO:
    """Open a file for reading, unpacked.

    Raises:
        OSError: it cannot be opened; while reading, also EOFError and zlib.error where a packed file is damaged.
    """
    return cast(BinaryIO, gzip.open(path, "rb")) if is_gzip(path) else path.open("rb")


def stem(path: Path) -> str:
    """Return the file's name without its suffix, and without that of its packing: ``a.csv.gz`` is ``a``."""
    inner = path.with_suffix("") if path.suffix.lower() in PACKED else path
    return inner.stem


def encoding_of(path: Path, most_bytes: int = 128 * 1024) -> str:
    """Return how a text file's characters are written, as its first bytes tell: ``UTF-8``, ``UTF-16`` or ``Latin-1``.

    Raises:
        OSError: it cannot be opened.
    """
    with open_bytes(path) as stream:
        head = stream.read(most_bytes)
    if head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "UTF-16"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "Latin-1"
    return "UTF-8"
