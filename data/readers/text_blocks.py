"""Read text files of any encoding as blocks of complete lines in UTF-8, in bounded memory."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final, cast

import numpy as np

from ..errors import ReadError
from ..memory_limit import limit_unpacking
from ..settings import FileRange
from .file_kinds import unreadable_error

BLOCK_BYTES: Final = 4 * 1024 * 1024
"""Bytes that are read at once."""

LINE_BYTES: Final = 32 * 1024 * 1024
"""Longest line (bytes); a file with a longer one is not a table."""

HEAD_BYTES: Final = 128 * 1024
"""Bytes at the beginning of a file in which its header is searched first."""

_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

# Control characters, þ and ÿ: bytes that occur in damaged files, but not in Latin-1 exports of a lab.
_NOT_LATIN1: Final = re.compile(rb"[\x80-\x9f\xfe\xff]")
_PADDING: Final = re.compile(rb"(?<= )\xff+(?=[\t\r\n])")  # Maccor pads its texts with it
GZIP: Final = b"\x1f\x8b"
GZIP_SUFFIXES: Final = (".gz",)


@dataclass(frozen=True, slots=True)
class TextBlock:
    """Complete lines in UTF-8, each ended by one newline.

    Args:
        data: the lines.
        first_line: number of the first line in the file, from 1.
        lines: number of lines.
        offset: position of the first line in the file (bytes), if the file :func:`is_seekable`.
        latin1: whether an earlier line has shown that the file is in Latin-1.
        is_open: whether this is the last line of the file, and the file has no line end behind it.
    """

    data: bytes
    first_line: int
    lines: int
    offset: int = 0
    latin1: bool = False
    is_open: bool = False


@dataclass(slots=True)
class _Decoder:
    """Converts the lines of a file to UTF-8, and keeps their position for error messages."""

    path: Path
    line: int = 1
    offset: int = 0
    latin1: bool = False
    multibyte: bool = False

    def decode(self, lines: bytes) -> bytes:
        zero = lines.find(b"\0")
        if zero >= 0:
            raise self._encoding_error(lines, zero)
        if lines.isascii():
            return lines
        if not self.latin1:
            try:
                lines.decode()
            except UnicodeDecodeError as error:
                if self.multibyte or not lines[: error.start].isascii():
                    raise self._encoding_error(lines, error.start) from None
                self.latin1 = True
            else:
                self.multibyte = True
                return lines
        wrong = _NOT_LATIN1.search(lines)
        if wrong and _PADDING.match(lines, wrong.start()):
            # As many spaces as there is padding: a damaged byte behind it keeps its place.
            wrong = _NOT_LATIN1.search(_PADDING.sub(lambda run: b" " * len(run[0]), lines))
            if not wrong:
                lines = _PADDING.sub(b"", lines)
        if wrong:
            raise self._encoding_error(lines, wrong.start())
        return lines.decode("latin-1").encode()

    def _encoding_error(self, lines: bytes, at: int) -> ReadError:
        line = self.line + lines.count(b"\n", 0, at)
        in_line = at - lines.rfind(b"\n", 0, at)
        return ReadError(
            f"{self.path}: line {line}: byte {in_line} of the line (0x{lines[at]:02x}, byte {self.offset + at} of the "
            "file) is not text in UTF-8 or Latin-1; export the file again, or remove its damaged part"
        )


def text_blocks(path: Path, block_bytes: int = BLOCK_BYTES, part: FileRange | None = None) -> Iterator[TextBlock]:
    """Read a text file, or a part of it, as blocks of complete lines.

    The encoding may be UTF-8 with or without a byte order mark, UTF-16 with one, or Latin-1 if the bytes are plausible.
    Lines may end in ``\\n``, ``\\r\\n`` or ``\\r``. A file packed with gzip is unpacked.

    Args:
        path: the file.
        block_bytes: bytes that are read at once.
        part: the part, of a file that :func:`is_seekable`; ``None`` = the whole file.

    Raises:
        ReadError: the file cannot be opened, or a byte is not text; names file, line and byte.
    """
    try:
        with open_bytes(path) as stream:
            yield from _blocks(path, stream, block_bytes, part)
    except (EOFError, zlib.error) as error:
        raise ReadError(f"{path}: the gzip file is damaged ({error}); copy it again") from None
    except OSError as error:
        raise unreadable_error(path, error) from None


def is_seekable(path: Path) -> bool:
    """Tell whether reading can start at any line: not in UTF-16, and not in a packed file.

    Args:
        path: the file.
    """
    if is_gzip(path):
        return False
    with path.open("rb") as stream:
        return stream.read(2) not in _UTF16


def head_block(path: Path) -> TextBlock:
    """Return the first lines of a file (about 128 KiB); no bytes if the file is empty."""
    return next(text_blocks(path, HEAD_BYTES), TextBlock(b"", 1, 0))


def count_lines(data: bytes) -> int:
    """Count the newlines in some text."""
    return int(np.count_nonzero(np.frombuffer(data, np.uint8) == ord("\n")))


def split_lines(block: TextBlock) -> list[str]:
    """Return the lines of a block as text, without line ends."""
    return block.data.decode().split("\n")[:-1]


def _blocks(path: Path, stream: BinaryIO, block_bytes: int, part: FileRange | None) -> Iterator[TextBlock]:
    decoder = _Decoder(path)
    start = stream.read(3)
    newline = _line_end(stream, start[:2] in _UTF16)
    stream.seek(0)
    if start[:2] in _UTF16:
        chunks = _utf16(path, stream, block_bytes)
    elif part is None or part.start == 0:
        decoder.offset = stream.seek(len(codecs.BOM_UTF8) if start == codecs.BOM_UTF8 else 0)
        chunks = _chunks(stream, block_bytes, None if part is None else part.end)
    else:
        decoder = _Decoder(path, part.first_line, stream.seek(part.start), part.latin1)
        chunks = _chunks(stream, block_bytes, part.end)
    rest = b""
    if isinstance(stream, gzip.GzipFile):
        chunks = limit_unpacking(path, chunks)
    for chunk in chunks:
        cut = chunk.rfind(newline) + 1
        if cut == 0:
            rest += chunk
            if len(rest) > LINE_BYTES:
                raise ReadError(
                    f"{path}: line {decoder.line} is longer than 32 MiB, so this is not a text table; remove it from "
                    "the sources"
                )
            continue
        yield _block(decoder, b"".join((rest, memoryview(chunk)[:cut])), newline)
        rest = chunk[cut:]
    if rest:
        yield replace(_block(decoder, rest + newline, newline), is_open=True)


def _line_end(stream: BinaryIO, utf16: bool) -> bytes:
    """Return what ends the file's lines: ``\\r`` where its first 128 KiB have no ``\\n``, else ``\\n``.

    One block cannot tell: it may end between the ``\\r`` and the ``\\n`` of one line end.
    """
    stream.seek(0)
    decode = codecs.getincrementaldecoder("utf-16")("replace").decode if utf16 else None
    has_return = False
    size = 0
    while size < LINE_BYTES and (data := stream.read(HEAD_BYTES)):
        size += len(data)
        text = data if decode is None else decode(data).encode()
        if b"\n" in text:
            return b"\n"
        has_return = has_return or b"\r" in text
        if has_return and not text.endswith(b"\r"):
            return b"\r"
    return b"\r" if has_return else b"\n"


def _chunks(stream: BinaryIO, block_bytes: int, end: int | None) -> Iterator[bytes]:
    while chunk := stream.read(block_bytes if end is None else min(block_bytes, end - stream.tell())):
        yield chunk


def _block(decoder: _Decoder, lines: bytes, newline: bytes) -> TextBlock:
    size = len(lines)
    latin1 = decoder.latin1
    if newline == b"\r":
        lines = lines.replace(b"\r", b"\n")
    text = decoder.decode(lines)
    if b"\r" in text:
        # A carriage return within a line must not become a line end later.
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b" ")
    block = TextBlock(text, decoder.line, count_lines(text), decoder.offset, latin1)
    decoder.line += block.lines
    decoder.offset += size
    return block


def _utf16(path: Path, stream: BinaryIO, block_bytes: int) -> Iterator[bytes]:
    line = 1
    with io.TextIOWrapper(stream, encoding="utf-16", newline="") as text:
        while True:
            try:
                chunk = text.read(block_bytes)
            except UnicodeDecodeError as error:
                raise ReadError(
                    f"{path}: after line {line}: byte {error.start} of what follows is not UTF-16 ({error.reason}); "
                    "export the file again as UTF-8"
                ) from None
            if not chunk:
                return
            line += chunk.count("\n")
            yield chunk.encode("utf-8", "surrogatepass")


def is_gzip(path: Path) -> bool:
    """Tell from its first bytes whether a file is packed with gzip.

    Args:
        path: the file; its name does not matter.

    Raises:
        OSError: it cannot be opened.
    """
    with path.open("rb") as stream:
        return stream.read(len(GZIP)) == GZIP


def open_bytes(path: Path) -> BinaryIO:
    """Open a file for reading its unpacked bytes.

    Args:
        path: the file, packed with gzip or not.

    Raises:
        OSError: it cannot be opened. Reading a damaged packed file also raises EOFError or zlib.error.
    """
    if is_gzip(path):
        return cast(BinaryIO, gzip.open(path, "rb"))
    return path.open("rb")


def stem(path: Path) -> str:
    """Return the name of a file without its suffix and without ``.gz``: ``a`` for ``a.csv.gz``.

    Args:
        path: the file.
    """
    if path.suffix.lower() in GZIP_SUFFIXES:
        path = path.with_suffix("")
    return path.stem


def detect_encoding(path: Path, most_bytes: int = 128 * 1024) -> str:
    """Detect the encoding of a text file from its first bytes: ``UTF-8``, ``UTF-16`` or ``Latin-1``.

    Args:
        path: the file.
        most_bytes: how many bytes are examined.

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
