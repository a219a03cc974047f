"""Show on a terminal how far one long task is: a bar that is removed at its end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, TextIO

from ...data.text import format_duration
from .live_display import LiveDisplay
from .progress import BAR_CHARACTERS, LEAST_BAR

if TYPE_CHECKING:
    from rich.console import RenderableType

FROM_NUMBER: Final = 5
"""Number of things to do from which on a bar is shown. Chosen, not measured."""


class TaskProgress:
    """One bar that is redrawn in place: ``reading headers ━━━━ 12 of 200 files  8 s left``. None in a file or pipe.

    Args:
        stream: where to draw; ``None`` = draw nothing.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._live = LiveDisplay(stream, self._draw, keep=False)
        self._doing = ""
        self._number = 0
        self._total = 0
        self._noun = ""
        self._began = 0.0

    def show(self, doing: str, number: int, total: int, noun: str = "files") -> None:
        """Draw how far the task is. The bar never goes back: another task begins a new one.

        Args:
            doing: what is done, such as ``reading headers``.
            number: how many are done.
            total: how many there are.
            noun: what they are, in plural.
        """
        if not self._live.is_terminal or total < FROM_NUMBER:
            return
        now = time.monotonic()
        if doing != self._doing:
            self._doing = doing
            self._number = 0
            self._began = now
        self._number = max(self._number, number)
        self._total = max(total, self._number)
        self._noun = noun
        self._live.start()

    def close(self) -> None:
        """Remove the bar."""
        self._live.stop()
        self._doing = ""

    def _draw(self, columns: int) -> RenderableType:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        count = f"{self._number} of {self._total} {self._noun}"
        room = columns - 1 - len(self._doing) - len(count) - 4
        width = max(min(BAR_CHARACTERS, room), LEAST_BAR)
        grid = Table.grid(padding=(0, 2, 0, 0))
        for _ in range(4):
            grid.add_column(no_wrap=True, overflow="ellipsis")
        bar = ProgressBar(total=max(self._total, 1), completed=self._number, width=width)
        grid.add_row(Text(self._doing), bar, Text(count), Text(self._time_words(room - width)))
        return grid

    def _time_words(self, room: int) -> str:
        """Return the time left, if there is room for it and something is known of it."""
        if not 0 < self._number < self._total:
            return ""
        elapsed = time.monotonic() - self._began
        words = f"{format_duration(elapsed / self._number * (self._total - self._number))} left"
        return words if len(words) + 2 <= room and elapsed > 1.0 else ""
