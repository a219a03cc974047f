"""Progress on the terminal: a bar for each stage with what failed and the time left."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TextIO

from ..worker.run_job import JobOutcome

BAR = 24
REDRAW_SECOND = 0.1
PLAIN_SECOND = 10.0  # without a terminal: a line no more often than this


@dataclass(slots=True)
class Stage:
    """How far one stage is."""

    name: str
    total: int
    ended: int = 0
    failed: int = 0
    skipped: int = 0
    first_second: float = 0.0
    last_second: float = 0.0


class Progress:
    """Bars that are redrawn in place on a terminal; elsewhere a line now and then.

    Args:
        stages: (name, number of jobs), in the order they are shown.
        stream: where to draw; nothing is drawn when ``None``.
    """

    def __init__(self, stages: Iterable[tuple[str, int]], stream: TextIO | None) -> None:
        self._stages = {name: Stage(name, total) for name, total in stages}
        self._stream = stream
        self._terminal = stream is not None and stream.isatty()
        self._drawn = 0
        self._last = 0.0

    def add(self, outcome: JobOutcome) -> None:
        """Count one outcome and draw when it is time."""
        stage = self._stages[outcome.key[0]]
        now = time.monotonic()
        stage.first_second = stage.first_second or now - outcome.seconds
        stage.last_second = now
        stage.ended += 1
        stage.failed += outcome.status == "failed"
        stage.skipped += outcome.status == "skipped"
        if now - self._last >= (REDRAW_SECOND if self._terminal else PLAIN_SECOND):
            self._draw()
            self._last = now

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        if self._stream is None:
            return
        self._clear()
        self._stream.write(text + "\n")
        self._stream.flush()
        if self._terminal:
            self._draw()

    def close(self) -> None:
        """Draw the last state."""
        self._draw()

    def lines(self) -> list[str]:
        """The bars as text."""
        width = max((len(name) for name in self._stages), default=0)
        shown = self._stages.values() if self._terminal else [s for s in self._stages.values() if s.ended]
        return [_line(stage, width) for stage in shown]

    def _draw(self) -> None:
        if self._stream is None:
            return
        self._clear()
        columns = shutil.get_terminal_size().columns if self._terminal else 200
        lines = [line[: columns - 1] for line in self.lines()]
        self._stream.write("".join(f"{line}\n" for line in lines))
        self._stream.flush()
        self._drawn = len(lines) if self._terminal else 0

    def _clear(self) -> None:
        if self._drawn and self._stream is not None:
            self._stream.write(f"\x1b[{self._drawn}A\x1b[J")
        self._drawn = 0


def _line(stage: Stage, width: int) -> str:
    full = round(BAR * stage.ended / stage.total) if stage.total else BAR
    bar = "█" * full + "░" * (BAR - full)
    return f"{stage.name:<{width}} {bar} {stage.ended:>5}/{stage.total}{_remarks(stage)}"


def _remarks(stage: Stage) -> str:
    words = ""
    if stage.failed:
        words += f"  {stage.failed} failed"
    if stage.skipped:
        words += f"  {stage.skipped} skipped"
    if 0 < stage.ended < stage.total:
        elapsed = max(stage.last_second - stage.first_second, 1e-3)
        words += f"  {format_duration(elapsed / stage.ended * (stage.total - stage.ended))} left"
    elif stage.ended:
        words += f"  {format_duration(stage.last_second - stage.first_second)}"
    return words


def format_duration(seconds: float) -> str:
    """Seconds as people say them: ``8 s``, ``3 min 20 s``, ``2 h 05 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
