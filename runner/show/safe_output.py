"""The last step of everything that is printed: no text can control the terminal, and every terminal can show it.

Names of cells, files and columns, and texts of errors, come from raw files and other programs. Most are made printable
where they are printed (:func:`kilocell.data.text.printable_text`); what is forgotten there is caught here.
"""

from __future__ import annotations

import codecs
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TextIO, cast

ERRORS: Final = "kilocell-ascii"
"""Name of the error handler that writes what an encoding does not have."""

SUBSTITUTES: Final = {
    "–": "-", "—": "-", "─": "-", "━": "-", "╸": "-", "╺": "-", "│": "|", "•": "*", "·": ".", "…": "...", "×": "x",
    "█": "#", "░": ".", "→": "->", "←": "<-", "≈": "~", "≤": "<=", "≥": ">=", "±": "+/-", "−": "-", "√": "sqrt",
    "µ": "u", "μ": "u", "Ω": "Ohm", "Δ": "d", "σ": "sigma", "°": "deg ", "²": "2", "³": "3", "⁻": "-", "¹": "1",
    "“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "\u00a0": " ", "\u2009": " ", "\u202f": " ",
}  # fmt: skip
"""What stands for characters of our own texts where the encoding of a terminal does not have them."""

_COLOURS: Final = r"\x1b\[(?:(?:[0-4]|2[2-4]|[349][0-79]|38;5;\d{1,3})?(?:;|(?=m)))*m"
"""Escape sequences that only set colours and weights; none hides a text, moves the cursor or sets a title."""

_DANGEROUS: Final = re.compile(
    rf"({_COLOURS}|\r\n)|[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
)
"""Controls of a terminal, and characters that change the direction of a text, so that it reads as another one."""


def harmless(text: str) -> str:
    """Return a text whose control characters are escaped; colours, tabs and line ends stay.

    Args:
        text: anything that is to be printed.
    """
    if text.isprintable():
        return text
    return _DANGEROUS.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    if match[1]:
        return match[1]
    code = ord(match[0])
    return f"\\x{code:02x}" if code < ord(" ") else f"\\u{code:04x}"  # the second form is valid in JSON, too


class SafeStream:
    """A text stream whose texts are made harmless before they are written.

    It has no ``buffer``: Click would write past it where the encoding is ASCII.

    Args:
        stream: standard output or standard error.
    """

    def __init__(self, stream: TextIO) -> None:
        self.unfiltered = stream
        """For what moves the cursor on purpose, and is made of nothing but our own texts."""

    def write(self, text: str | bytes) -> int:
        """Write a text, and return its length.

        Bytes are those of Click's completions. Click tries with no bytes at all whether a stream is binary: this one is
        not.

        Raises:
            TypeError: bytes without a byte.
        """
        if isinstance(text, bytes):
            if not text:
                raise TypeError("this stream takes text")
            text = text.decode("utf-8", "replace")
        self.unfiltered.write(harmless(text))
        return len(text)

    def writelines(self, lines: Iterator[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":
            raise AttributeError(name)
        return getattr(self.unfiltered, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.unfiltered)


@contextmanager
def safe_output() -> Iterator[None]:
    """Let everything that is printed in the block be harmless, and be shown also where only ASCII can be shown."""
    codecs.register_error(ERRORS, _substitute)
    before = sys.stdout, sys.stderr
    for stream in before:
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=ERRORS)
    sys.stdout, sys.stderr = (cast("TextIO", SafeStream(stream)) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _substitute(error: UnicodeError) -> tuple[str, int]:
    """Return what is written for characters that an encoding does not have, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    substituted = "".join(SUBSTITUTES.get(one) or one.encode("ascii", "backslashreplace").decode() for one in missing)
    return substituted, error.end
