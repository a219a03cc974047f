"""Show on a terminal how many files are read."""

from __future__ import annotations

import time
from typing import Final, TextIO

REDRAW_SECOND: Final = 0.1
"""Shortest time between two drawings, s."""

FROM_FILES: Final = 5
"""Files from which on their number is shown. Chosen, not measured."""


class ReadingProgress:
    """One line that is redrawn in place: ``reading headers: 12 of 200 files``. Nothing is drawn in a file or pipe.

    Args:
        stream: where to draw; ``None`` = draw nothing.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream if stream is not None and stream.isatty() else None
        self._last = 0.0
        self._width = 0

    def show(self, doing: str, number: int, total: int, noun: str = "files") -> None:
        """Draw how far the reading is.

        Args:
            doing: what is done, such as ``reading headers``.
            number: how many are done.
            total: how many there are.
            noun: what they are, in plural.
        """
        now = time.monotonic()
        if self._stream is None or total < FROM_FILES or now - self._last < REDRAW_SECOND:
            return
        self._last = now
        self._draw(f"{doing}: {number} of {total} {noun}")

    def close(self) -> None:
        """Remove the line."""
        if self._width:
            self._draw("")
            self._width = 0

    def _draw(self, text: str) -> None:
        assert self._stream is not None
        self._stream.write(f"\r{text.ljust(self._width)}" if text else f"\r{' ' * self._width}\r")
        self._stream.flush()
        self._width = len(text)
