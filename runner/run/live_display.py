"""Something that rich redraws at the bottom of a terminal, while lines are printed above it."""

from __future__ import annotations

import atexit
import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TextIO, TypeGuard

if TYPE_CHECKING:
    from rich.console import RenderableType

REDRAWS_PER_SECOND: Final = 4


class LiveDisplay:
    """A display that is redrawn in place on a terminal; elsewhere only its lines are printed.

    rich is imported when it starts.

    Args:
        stream: where to draw; ``None`` = draw and say nothing.
        draw: returns what to show; its argument is the width of the terminal in characters.
        keep: leave the last drawing on the terminal.
        is_plain: treat a terminal as if it were a file.
    """

    def __init__(
        self,
        stream: TextIO | None,
        draw: Callable[[int], RenderableType],
        *,
        keep: bool = True,
        is_plain: bool = False,
    ) -> None:
        self._stream = stream
        self._draw = draw
        self._keep = keep
        self._live: Any = None
        self._handlers: list[tuple[logging.StreamHandler[Any], TextIO]] = []
        self.is_terminal = not is_plain and stream is not None and stream.isatty()

    def start(self) -> None:
        """Begin to draw, unless this is no terminal or it has begun."""
        if not self.is_terminal or self._live is not None:
            return
        from rich.console import Console
        from rich.live import Live

        console = Console(
            file=getattr(self._stream, "unfiltered", self._stream), highlight=False, markup=False, emoji=False
        )
        self._live = Live(
            get_renderable=lambda: self._draw(console.width),
            console=console,
            refresh_per_second=REDRAWS_PER_SECOND,
            transient=not self._keep,
            redirect_stdout=sys.stdout.isatty(),
            redirect_stderr=True,
        )
        self._live.start(refresh=True)
        self._redirect_logs()
        atexit.register(self.stop)  # an error or Ctrl-C must not leave the cursor hidden

    def say(self, line: str) -> None:
        """Print a line above the display.

        Args:
            line: without control characters.
        """
        if self._live is None:
            self.write(f"{line}\n")
            return
        from rich.text import Text

        try:
            self._live.console.print(Text(line))
        except OSError:
            self._stream = None  # the terminal is gone
            self.stop()

    def write(self, text: str) -> None:
        """Write text elsewhere than on a terminal; a pipe that nobody reads any more must not end a run of hours."""
        if self._stream is None:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            self._stream = None

    def refresh(self) -> None:
        """Draw now."""
        if self._live is not None:
            self._live.refresh()

    def stop(self) -> None:
        """Draw the last time, or remove the display."""
        if self._live is None:
            return
        live, self._live = self._live, None
        for handler, stream in self._handlers:
            handler.setStream(stream)
        self._handlers.clear()
        with suppress(OSError):  # the terminal may be gone
            live.stop()
        atexit.unregister(self.stop)

    def _redirect_logs(self) -> None:
        """Let loggers that write to this terminal write above the display."""
        loggers = [logging.getLogger(), *map(logging.getLogger, list(logging.root.manager.loggerDict))]
        for logger in loggers:
            for handler in logger.handlers:
                if self._stream is not None and _writes_to(handler, self._stream):
                    self._handlers.append((handler, self._stream))
                    handler.setStream(sys.stderr)


def _writes_to(handler: logging.Handler, stream: TextIO) -> TypeGuard[logging.StreamHandler[Any]]:
    streams = (stream, getattr(stream, "unfiltered", stream))
    return isinstance(handler, logging.StreamHandler) and any(handler.stream is one for one in streams)
