"""Show progress on the terminal: a bar for each stage, with failed jobs and the time left."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TextIO

from ...data.text import printable_text
from ..worker.run_job import JobOutcome

BAR_CHARACTERS: Final = 24
REDRAW_SECOND: Final = 0.1
"""Shortest time between two drawings on a terminal, s."""

PLAIN_SECOND: Final = 10.0
"""Shortest time between two drawings in a file or pipe, s."""


@dataclass(slots=True)
class Stage:
    """How far one stage is.

    Args:
        total: number of jobs.
        ended: number of jobs that ended; ``failed`` and ``skipped`` are among them.
        first_second: begin of the first job that ended, on :func:`time.monotonic`.
        last_second: end of the last one.
    """

    name: str
    total: int
    ended: int = 0
    failed: int = 0
    skipped: int = 0
    first_second: float = 0.0
    last_second: float = 0.0


class Progress:
    """Progress bars: redrawn in place on a terminal, printed from time to time elsewhere.

    Args:
        stages: (name, number of jobs) of each stage, in the order of the bars.
        stream: where to draw; ``None`` = draw nothing.
    """

    def __init__(self, stages: Iterable[tuple[str, int]], stream: TextIO | None) -> None:
        self._stages = {name: Stage(name, total) for name, total in stages}
        self._stream = stream
        self._terminal = stream is not None and stream.isatty()
        self._drawn = 0
        self._last = 0.0

    def add(self, outcome: JobOutcome) -> None:
        """Count one outcome, and redraw if the last drawing is old enough."""
        stage = self._stages[outcome.key[0]]
        now = time.monotonic()
        stage.first_second = stage.first_second or now - outcome.seconds
        stage.last_second = now
        stage.ended += 1
        stage.failed += outcome.status == "failed"
        stage.skipped += outcome.status == "skipped"
        shortest_wait = REDRAW_SECOND if self._terminal else PLAIN_SECOND
        if now - self._last >= shortest_wait:
            self._draw()
            self._last = now

    def say(self, text: str) -> None:
        """Print a line above the bars; control characters in names of cells and files are escaped."""
        if self._stream is None:
            return
        self._write(self._cleared() + printable_text(text) + "\n")
        if self._terminal:
            self._draw()

    def close(self) -> None:
        """Draw the final state."""
        self._draw()

    def lines(self) -> list[str]:
        """Return the bars as text, one line per stage; elsewhere than on a terminal only of stages that have begun."""
        width = max((len(name) for name in self._stages), default=0)
        shown = [stage for stage in self._stages.values() if self._terminal or stage.ended]
        return [_line(stage, width) for stage in shown]

    def _draw(self) -> None:
        if self._stream is None:
            return
        cleared = self._cleared()
        columns = shutil.get_terminal_size().columns if self._terminal else 200
        lines = [line[: columns - 1] for line in self.lines()]
        self._write(cleared + "".join(f"{line}\n" for line in lines))
        self._drawn = len(lines) if self._terminal else 0

    def _cleared(self) -> str:
        """Return what removes the last drawing from a terminal."""
        drawn = self._drawn
        self._drawn = 0
        return f"\x1b[{drawn}A\x1b[J" if drawn else ""

    def _write(self, text: str) -> None:
        """Write and flush; a terminal or pipe that is gone must not end a run of hours."""
        if self._stream is None:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            self._stream = None


def _line(stage: Stage, width: int) -> str:
    full = round(BAR_CHARACTERS * stage.ended / stage.total) if stage.total else BAR_CHARACTERS
    bar = "█" * full + "░" * (BAR_CHARACTERS - full)
    return f"{stage.name:<{width}} {bar} {stage.ended:>5}/{stage.total}{_remarks(stage)}"


def _remarks(stage: Stage) -> str:
    remarks = ""
    if stage.failed:
        remarks += f"  {stage.failed} failed"
    if stage.skipped:
        remarks += f"  {stage.skipped} skipped"
    elapsed = stage.last_second - stage.first_second
    if 0 < stage.ended < stage.total:
        left = max(elapsed, 1e-3) / stage.ended * (stage.total - stage.ended)
        remarks += f"  {format_duration(left)} left"
    elif stage.ended:
        remarks += f"  {format_duration(elapsed)}"
    return remarks


def format_duration(seconds: float) -> str:
    """Format a duration: ``8 s``, ``3 min 20 s``, ``2 h 05 min``."""
    rounded = round(seconds)
    if rounded < 60:
        return f"{rounded} s"
    if rounded < 3600:
        return f"{rounded // 60} min {rounded % 60:02d} s"
    return f"{rounded // 3600} h {rounded % 3600 // 60:02d} min"
