"""The receipt of a job that is done, inside the Parquet file that the job writes: both appear in one rename.

The receipt is a text in the metadata at the end of the file, under the key ``receipt``. Programs that read Parquet
pass over it; kilocell finds it in the last bytes of the file, without pyarrow. It is, between two marks::

    BYTES CHECKSUM DIGEST HEAD newline RESULT

``BYTES`` is the size of the file. ``DIGEST`` is the SHA-256 of all its bytes, in which the digits of checksum and
digest count as zeros. ``CHECKSUM`` is the CRC-32 of ``BYTES`` and of the text from ``DIGEST`` on. ``HEAD`` is the
receipt as JSON, but for the result of the job, and ``RESULT`` the JSON of that, compressed with the texts of
``receipt_words.py``: a plan reads the head alone.
"""

from __future__ import annotations

import base64
import hashlib
import os
import zlib
from dataclasses import dataclass
from io import BufferedRandom, BufferedReader
from pathlib import Path
from typing import BinaryIO, Final

from .receipt_words import WORDS_1

KEY: Final = b"receipt"
"""Key of the receipt in the metadata of a file."""

BEGIN: Final = b"\x02kilocell receipt 1 "
END: Final = b" kilocell receipt\x03"
"""Marks. JSON has no bytes below 32 in its texts, and the compressed result is in base 64."""

_BYTES_DIGITS: Final = 15
_CHECKSUM: Final = slice(_BYTES_DIGITS + 1, _BYTES_DIGITS + 9)
_DIGEST: Final = slice(_BYTES_DIGITS + 10, _BYTES_DIGITS + 74)
_HEADER_BYTES: Final = _BYTES_DIGITS + 75
"""Places in the text between the marks."""

_TAIL_BYTES: Final = 12_288
"""Read first from the end of a file: the whole end of most files. Chosen by the ends of cleaned cells of one cycle."""

_MAGIC: Final = b"PAR1"
_BLOCK_BYTES: Final = 1 << 20
"""Read at once for a digest. Chosen, not measured."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """A receipt as it is in a file.

    Args:
        head: JSON of the receipt without the result and without the file itself among the outputs.
        result: JSON of the result, compressed.
        size: of the file in bytes.
        digest: of the file.
    """

    head: bytes
    result: bytes
    size: int
    digest: str

    def result_json(self) -> bytes:
        """Return the JSON of the result.

        Raises:
            ValueError: it cannot be decompressed.
        """
        try:
            return zlib.decompressobj(zdict=WORDS_1).decompress(base64.b64decode(self.result))
        except zlib.error as error:
            raise ValueError(str(error)) from error


def render(head: str, result: str) -> bytes:
    """Return the text for a file's metadata; :func:`seal` fills in what is known when the file is written.

    Args:
        head: JSON of the receipt without its result.
        result: JSON of the result.
    """
    header = b"%s %s %s " % (b"0" * _BYTES_DIGITS, b"0" * 8, b"0" * 64)
    compressor = zlib.compressobj(zdict=WORDS_1)
    packed = compressor.compress(result.encode("utf-8", "surrogatepass")) + compressor.flush()
    packed = base64.b64encode(packed)
    return BEGIN + header + head.encode("utf-8", "surrogatepass") + b"\n" + packed + END


def seal(path: Path, rendered: bytes) -> tuple[int, str]:
    """Fill in size, digest and checksum of a file that has just been written, and return size and digest.

    Args:
        path: of the file.
        rendered: the text of :func:`render` that is in its metadata.

    Raises:
        OSError: it is not there.
    """
    with path.open("r+b") as handle:
        size = os.fstat(handle.fileno()).st_size
        tail = _read_end(handle.fileno(), size)
        begin = tail.rfind(rendered)
        if begin < 0:
            raise OSError(f"{path} was written without its receipt. Check the disk, then run again.")
        place = size - len(tail) + begin + len(BEGIN)
        os.pwrite(handle.fileno(), b"%0*d" % (_BYTES_DIGITS, size), place)
        digest = digest_of(handle)
        text = b"%0*d" % (_BYTES_DIGITS, size) + rendered[len(BEGIN) + _BYTES_DIGITS : -len(END)]
        text = text[: _DIGEST.start] + digest.encode() + text[_DIGEST.stop :]
        os.pwrite(handle.fileno(), _checksum(text) + b" " + digest.encode(), place + _CHECKSUM.start)
    return size, digest


def digest_of(handle: BufferedReader | BufferedRandom) -> str:
    """Return the SHA-256 (hex) of a file."""
    return hashlib.file_digest(handle, "sha256").hexdigest()


def find(path: Path) -> Embedded | None:
    """Return the receipt in a file; ``None`` = there is no file, it has no receipt, or it is damaged.

    Only the end of the file is read: bytes before it are those that were written if :func:`embedded_digest` says so.
    """
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        size = os.fstat(handle).st_size
        tail = _read_end(handle, size)
    except OSError:
        return None
    finally:
        os.close(handle)
    found = _find_text(tail, size)
    return None if found is None else found[1]


def embedded_digest(path: Path) -> str | None:
    """Return the digest of a file that has a receipt, from all its bytes; ``None`` = it has none.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as handle:
        size = os.fstat(handle.fileno()).st_size
        tail = _read_end(handle.fileno(), size)
        found = _find_text(tail, size)
        if found is None:
            return None
        start = size - len(tail) + found[0]
        hasher = hashlib.sha256()
        _add(hasher, handle, start + _CHECKSUM.start)
        hasher.update(b"0" * 8 + b" " + b"0" * 64)
        handle.seek(start + _DIGEST.stop)
        _add(hasher, handle, size - start - _DIGEST.stop)
    return hasher.hexdigest()


def _add(hasher: hashlib._Hash, handle: BinaryIO, length: int) -> None:
    """Add the next bytes of a file to a digest."""
    while length > 0:
        block = handle.read(min(length, _BLOCK_BYTES))
        if not block:
            break
        hasher.update(block)
        length -= len(block)


def is_damaged(path: Path) -> bool:
    """Tell whether a Parquet file has a receipt that cannot be read, or no end that a Parquet file has."""
    if find(path) is not None:
        return False
    try:
        with path.open("rb") as handle:
            size = os.fstat(handle.fileno()).st_size
            tail = _read_end(handle.fileno(), size)
    except OSError:
        return False
    # One wrong bit does not damage both marks.
    return not tail.endswith(_MAGIC) or BEGIN in tail or END in tail


def _read_end(handle: int, size: int) -> bytes:
    """Return the end of a Parquet file: what follows its pages, or more; of another file, its last bytes."""
    tail = os.pread(handle, min(size, _TAIL_BYTES), max(size - _TAIL_BYTES, 0))
    if len(tail) < 8 or tail[-4:] != _MAGIC:
        return tail
    wanted = int.from_bytes(tail[-8:-4], "little") + 8
    if len(tail) < wanted <= size:
        tail = os.pread(handle, wanted, size - wanted)
    return tail


def _find_text(tail: bytes, size: int) -> tuple[int, Embedded] | None:
    """Return the place of the text between the marks, and the receipt; texts of a cell's name may look like marks."""
    if not tail.endswith(_MAGIC):
        return None
    begin = tail.rfind(BEGIN)
    while begin >= 0:
        start = begin + len(BEGIN)
        end = tail.find(END, start)
        if end >= 0:
            found = _parse(tail[start:end], size)
            if found is not None:
                return start, found
        begin = tail.rfind(BEGIN, 0, begin)
    return None


def _parse(text: bytes, size: int) -> Embedded | None:
    body = text[_HEADER_BYTES:]
    head, newline, result = body.partition(b"\n")
    written = text[:_BYTES_DIGITS]
    if not newline or not written.isdigit() or int(written) != size or text[_CHECKSUM] != _checksum(text):
        return None
    return Embedded(head, result, size, text[_DIGEST].decode("ascii", "replace"))


def _checksum(text: bytes) -> bytes:
    return b"%08x" % zlib.crc32(text[_DIGEST.start :], zlib.crc32(text[:_BYTES_DIGITS]))
