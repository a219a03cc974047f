"""Show progress: a bar for each stage with failed jobs, and the time left for all of them together.

On a terminal, rich redraws the bars in place, also while no job ends; what else is printed or logged meanwhile appears
above them. In a file or pipe, plain lines are printed from time to time. Bars only ever grow.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TextIO

from ...data.text import format_duration, printable_text
from ...data.time_left import LEAST_LEFT_SECOND, TimeLeft
from ..worker.run_job import JobOutcome
from .live_display import LiveDisplay

if TYPE_CHECKING:
    from rich.console import RenderableType

BAR_CHARACTERS: Final = 24
LEAST_BAR: Final = 6
"""Characters of a bar, in a wide and in a narrow terminal."""

LEAST_ROOM: Final = 14
"""Characters of a line beside name and count from which on there is a bar: for it, and for ``1 failed``."""

PLAIN_SECOND: Final = 10.0
"""Shortest time between two drawings in a file or pipe, s."""

SHOWN_AS: Final = {"start": "fit", "profile": "fit"}
"""Kinds of jobs that are shown with those of another kind."""

TOTAL: Final = "total"


@dataclass(slots=True)
class Stage:
    """How far one stage is.

    Args:
        total: number of jobs.
        ended: number of jobs that ended; ``failed`` and ``skipped`` are among them.
    """

    name: str
    total: int
    ended: int = 0
    failed: int = 0
    skipped: int = 0


class Progress:
    """Progress bars: redrawn in place on a terminal, printed from time to time elsewhere.

    Args:
        jobs: (stage of the jobs, such as ``simulate-SPMe``; their number), in the order of the bars. Stages that begin
            with the same word share a bar.
        stream: where to draw; ``None`` = draw nothing.
        is_plain: print plain lines on a terminal, too, because other processes write to it: the logs of workers.
    """

    def __init__(self, jobs: Iterable[tuple[str, int]], stream: TextIO | None, *, is_plain: bool = False) -> None:
        counts = dict(jobs)
        self._stages: dict[str, Stage] = {}
        for name, number in counts.items():
            stage = self._stages.setdefault(_bar_of(name), Stage(_bar_of(name), 0))
            stage.total += number
        self._left = TimeLeft(counts)
        self._live = LiveDisplay(stream, self._draw_bars, is_plain=is_plain)
        self._last = 0.0

    def start(self) -> None:
        """Draw the bars of a terminal, before the first job ends."""
        self._live.start()

    def add(self, outcome: JobOutcome) -> None:
        """Count one outcome, and redraw if the last drawing is old enough."""
        stage = self._stages[_bar_of(outcome.key[0])]
        now = time.monotonic()
        self._left.add(outcome.key[0], outcome.seconds, now, is_skipped=outcome.status == "skipped")
        stage.ended = min(stage.ended + 1, stage.total)
        stage.failed += outcome.status == "failed"
        stage.skipped += outcome.status == "skipped"
        if self._live.is_terminal:
            self._live.start()
        elif now - self._last >= PLAIN_SECOND:
            self._last = now
            self._print_lines()

    def say(self, text: str) -> None:
        """Print a line above the bars; control characters in names of cells and files are escaped."""
        self._live.say(printable_text(text))

    def close(self) -> None:
        """Draw the final state."""
        if self._live.is_terminal:
            self._live.start()
            self._live.stop()
        else:
            self._print_lines()

    def time_left(self) -> tuple[float | None, bool]:
        """Return the time left in s (``None`` = not known), and whether it takes longer, as no job of a kind ended."""
        return self._left.left_second(time.monotonic()), not self._left.knows_all

    def lines(self) -> list[str]:
        """Return the bars as text, one line per stage that has begun, and one for all together."""
        width = max((len(name) for name in (*self._stages, TOTAL)), default=0)
        shown = [stage for stage in self._stages.values() if stage.ended]
        lines = [_line(stage, width) for stage in shown]
        total = self._total()
        if total.ended:
            lines.append(
                f"{TOTAL:<{width}} {' ' * BAR_CHARACTERS} {total.ended:>5}/{total.total}  {self._time_words()}"
            )
        return lines

    def _print_lines(self) -> None:
        self._live.write("".join(f"{line}\n" for line in self.lines()))

    def _total(self) -> Stage:
        stages = self._stages.values()
        return Stage(TOTAL, sum(stage.total for stage in stages), sum(stage.ended for stage in stages))

    def _time_words(self) -> str:
        """Return the time since the first job began, and the time left: ``1 min 20 s, 3 min 05 s left``."""
        now = time.monotonic()
        total = self._total()
        words = format_duration(self._left.elapsed_second(now))
        left = self._left.left_second(now)
        if total.ended >= total.total:
            return words
        if left is None or left < LEAST_LEFT_SECOND:
            return f"{words}, time left not known"
        at_least = "" if self._left.knows_all else "at least "
        return f"{words}, {at_least}{format_duration(left)} left"

    def _draw_bars(self, columns: int) -> RenderableType:
        """Return what a terminal shows.

        Args:
            columns: width of the terminal in characters.
        """
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        count_width = max(len(_count(stage)) for stage in (*self._stages.values(), self._total()))
        name_width = max(len(name) for name in (*self._stages, TOTAL))
        room = columns - 1 - name_width - count_width - 4
        bar_width = max(min(BAR_CHARACTERS, room // 2), LEAST_BAR)
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(width=name_width, no_wrap=True)
        if room >= LEAST_ROOM:
            grid.add_column(width=bar_width, no_wrap=True)
        grid.add_column(width=count_width, no_wrap=True, justify="right")
        grid.add_column(no_wrap=True, overflow="ellipsis")
        for stage in self._stages.values():
            bar = ProgressBar(total=max(stage.total, 1), completed=stage.ended, width=bar_width)
            bars = (bar,) if room >= LEAST_ROOM else ()
            grid.add_row(Text(stage.name), *bars, Text(_count(stage)), _remark_text(stage))
        total = self._total()
        words = self._time_words() if total.ended else "waiting for the first job"
        time_line = Text(words, no_wrap=True, overflow="ellipsis")
        indent = Text(f"{TOTAL:<{name_width}}  ")
        return Group(grid, indent + Text(f"{_count(total)}  ") + time_line)


def _bar_of(stage: str) -> str:
    """Return the bar that shows a stage: ``simulate`` for ``simulate-SPMe``."""
    kind = stage.partition("-")[0]
    return SHOWN_AS.get(kind, kind)


def _count(stage: Stage) -> str:
    return f"{stage.ended}/{stage.total}"


def _line(stage: Stage, width: int) -> str:
    full = round(BAR_CHARACTERS * stage.ended / stage.total) if stage.total else BAR_CHARACTERS
    bar = "█" * full + "░" * (BAR_CHARACTERS - full)
    words = "".join(f"  {remark}" for remark, _ in _remarks(stage))
    return f"{stage.name:<{width}} {bar} {stage.ended:>5}/{stage.total}{words}"


def _remarks(stage: Stage) -> Iterator[tuple[str, str]]:
    """Yield what is said of a stage, each with its style on a terminal."""
    if stage.failed:
        yield f"{stage.failed} failed", "red"
    if stage.skipped:
        yield f"{stage.skipped} skipped", "yellow"


def _remark_text(stage: Stage) -> RenderableType:
    from rich.text import Text

    text = Text(no_wrap=True, overflow="ellipsis")
    for number, (remark, style) in enumerate(_remarks(stage)):
        text.append("  " if number else "")
        text.append(remark, style=style)
    return text
