"""Say what a command does before its first job: a line that is there at once, while libraries are still imported.

On a terminal, each line replaces the one before, and the first other output replaces the last. This module imports
nothing that takes time.
"""

from __future__ import annotations

import shutil
from typing import Any, Final, TextIO, cast

WORD: Final = 10  # width of the first word of a line, as of the other lines that a run prints
ERASE: Final = "\r\x1b[K"


class _Line:
    """The line of this process; ``stream`` is ``None`` where none is shown."""

    def __init__(self) -> None:
        self.stream: TextIO | None = None
        self.is_shown = False


_line = _Line()


def start(stream: TextIO | None, word: str, what: str, *, in_files: bool = True) -> None:
    """Begin to show what a command does.

    Args:
        stream: where to print; ``None`` = nowhere.
        word: such as ``reading``.
        what: the rest of the line.
        in_files: whether this first line is printed, too, if the stream is a file or a pipe.
    """
    end()
    if stream is None:
        return
    if stream.isatty():
        _line.stream = stream
        say(word, what)
    elif in_files:
        stream.write(f"{word:<{WORD}} {what}\n")
        stream.flush()


def say(word: str, what: str) -> None:
    """Show what is done now, on a terminal, if :func:`start` was called."""
    if _line.stream is None:
        return
    columns = shutil.get_terminal_size().columns
    _line.stream.write(ERASE + f"{word:<{WORD}} {what} …"[: columns - 1])
    _line.stream.flush()
    _line.is_shown = True


def end() -> None:
    """Remove the line, and show none any more."""
    _erase()
    _line.stream = None


def _erase() -> None:
    if _line.is_shown and _line.stream is not None:
        _line.stream.write(ERASE)
        _line.stream.flush()
    _line.is_shown = False


class _Guarded:
    """A stream that removes the line before anything is written."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        _erase()
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def guard(stream: TextIO) -> TextIO:
    """Return a stream that removes the line before anything else is written to it."""
    return cast(TextIO, _Guarded(stream))
