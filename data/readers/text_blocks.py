"""Text files as blocks of whole lines in UTF-8, whatever their encoding, in bounded memory."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast

import numpy as np

from ..errors import ReadError
from ..settings import FileRange

BLOCK_BYTES: Final = 4 * 1024 * 1024
LINE_BYTES: Final = 32 * 1024 * 1024
HEAD_BYTES: Final = 128 * 1024
_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

# Control characters and þ, ÿ: bytes that a lab's Latin-1 export does not hold and damaged files do.
_NOT_LATIN1: Final = re.compile(rb"[\x80-\x9f\xfe\xff]")
_PADDING: Final = re.compile(rb"(?<= )\xff+(?=[\t\r\n])")  # Maccor fills its texts up with it
GZIP: Final = b"\x1f\x8b"
GZIP_SUFFIXES: Final = (".gz",)


@dataclass(frozen=True, slots=True)
class TextBlock:
    """Whole lines, UTF-8, each ended by one newline.

    Args:
        first_line: the first one's number in the file, from 1.
        lines: how many there are.
        offset: the first one's place in the file, in bytes, where it is read byte by byte (:func:`is_seekable`).
        latin1: the file has shown before that it is in Latin-1.
    """

    data: bytes
    first_line: int
    lines: int
    offset: int = 0
    latin1: bool = False


@dataclass(slots=True)
class _Decoder:
    """Turns a file's lines into UTF-8, and knows where it is when it cannot."""

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
            lines = _PADDING.sub(b"", lines)
            wrong = _NOT_LATIN1.search(lines)
        if wrong:
            raise self._encoding_error(lines, wrong.start())
        return lines.decode("latin-1").encode()

    def _encoding_error(self, lines: bytes, at: int) -> ReadError:
        line = self.line + lines.count(b"\n", 0, at)
        in_line = at - lines.rfind(b"\n", 0, at)
        return ReadError(
            f"{self.path}: line {line}: byte {in_line} of the line (0x{lines[at]:02x}, byte {self.offset + at} of the "
            "file) is not text in UTF-8 or Latin-1; export the file again, or cut off its damaged part"
        )


def text_blocks(path: Path, block_bytes: int = BLOCK_BYTES, part: FileRange | None = None) -> Iterator[TextBlock]:
    """Read a text file, or a part of one that :func:`is_seekable`, as blocks of whole lines.

    UTF-8 with or without a byte order mark, UTF-16 with one, and Latin-1 where the bytes are plausible; lines may
    end in ``\\n``, ``\\r\\n`` or ``\\r``. What is packed with gzip is unpacked on the way.

    Raises:
        ReadError: the file cannot be opened, or a byte is not text; names file, line and byte.
    """
    try:
        with open_bytes(path) as stream:
            yield from _blocks(path, stream, block_bytes, part)
    except (EOFError, zlib.error) as error:
        raise ReadError(f"{path}: its gzip packing is damaged ({error}); copy the file again") from None
    except OSError as error:
        raise ReadError(f"{path}: cannot be read: {error.strerror or error}") from None


def is_seekable(path: Path) -> bool:
    """Tell whether reading can begin at any line: not where characters are two bytes each, or the file is packed."""
    if is_gzip(path):
        return False
    with path.open("rb") as stream:
        return stream.read(2) not in _UTF16


def head_block(path: Path) -> TextBlock:
    """Return the first lines of a file (about 128 KiB); no bytes at all when the file is empty."""
    return next(text_blocks(path, HEAD_BYTES), TextBlock(b"", 1, 0))


def count_lines(data: bytes) -> int:
    """Return the number of newlines."""
    return int(np.count_nonzero(np.frombuffer(data, np.uint8) == ord("\n")))


def split_lines(block: TextBlock) -> list[str]:
    """Return a block's lines without their ends."""
    return block.data.decode().split("\n")[:-1]


def _blocks(path: Path, stream: BinaryIO, block_bytes: int, part: FileRange | None) -> Iterator[TextBlock]:
    decoder = _Decoder(path)
    start = stream.read(3)
    stream.seek(0)
    if start == codecs.BOM_UTF8:
        decoder.offset = stream.seek(3)
    if start[:2] in _UTF16:
        chunks = _utf16(path, stream, block_bytes)
    elif part is None or part.start == 0:
        chunks = _chunks(stream, block_bytes, None if part is None else part.end)
    else:
        decoder = _Decoder(path, part.first_line, stream.seek(part.start), part.latin1)
        chunks = _chunks(stream, block_bytes, part.end)
    rest, newline = b"", b""
    for chunk in chunks:
        newline = newline or (b"\r" if b"\n" not in chunk and b"\r" in chunk else b"\n")
        cut = chunk.rfind(newline) + 1
        if cut == 0:
            rest += chunk
            if len(rest) > LINE_BYTES:
                raise ReadError(f"{path}: line {decoder.line} does not end: this is not a text table")
            continue
        yield _block(decoder, b"".join((rest, memoryview(chunk)[:cut])), newline)
        rest = chunk[cut:]
    if rest:
        yield _block(decoder, rest + newline, newline)


def _chunks(stream: BinaryIO, block_bytes: int, end: int | None) -> Iterator[bytes]:
    while chunk := stream.read(block_bytes if end is None else min(block_bytes, end - stream.tell())):
        yield chunk


def _block(decoder: _Decoder, lines: bytes, newline: bytes) -> TextBlock:
    size, latin1 = len(lines), decoder.latin1
    if newline == b"\r":
        lines = lines.replace(b"\r", b"\n")
    text = decoder.decode(lines)
    if b"\r" in text:
        # Carriage returns that end no line must not become line ends later.
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
    inner = path.with_suffix("") if path.suffix.lower() in GZIP_SUFFIXES else path
    return inner.stem


def detect_encoding(path: Path, most_bytes: int = 128 * 1024) -> str:
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
