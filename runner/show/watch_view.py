"""How far a run is: read from the store at one moment, and laid out as text, JSON, or for a terminal."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ...data.run_state import (
    RUNNING,
    SILENCE_SECOND,
    UNKNOWN,
    Lock,
    current_run,
    holder_dict,
    last_sign_unix_second,
)
from ...data.text import format_duration, printable_text
from ...data.time_left import LEAST_LEFT_SECOND
from ...parquet_store.layout import Store
from ...parquet_store.run_lock import see_lock
from ...sqlite import queries, run_queries
from .run_lines import KINDS, lock_line, run_lines, workers_text

if TYPE_CHECKING:
    from rich.console import RenderableType

FAILURES_SHOWN: Final = 5
WORST_SHOWN: Final = 5
REASON_CHARACTERS: Final = 100
"""Characters of a failure's reason that are shown."""

BUSY_SECOND: Final = 2.0
"""How long a look at the catalog waits for a run that writes, s."""

HEADINGS: Final = ("stage", "done", "failed", "skipped", "running", "waiting")
BAR_CHARACTERS: Final = 20


@dataclass(frozen=True, slots=True)
class Stage:
    """How far the jobs of a kind are, in this run.

    Args:
        name: their kind.
        done, failed, skipped, running, waiting: number of jobs.
    """

    name: str
    done: int
    failed: int
    skipped: int
    running: int
    waiting: int

    @property
    def counts(self) -> tuple[int, ...]:
        """The numbers, in the order of ``HEADINGS``."""
        return self.done, self.failed, self.skipped, self.running, self.waiting


@dataclass(frozen=True, slots=True)
class View:
    """A run as it was when the store was read.

    Args:
        unix_second: when, s since 1970.
        lock: on the store.
        run: the last run, as of ``current_run``; ``None`` = there was none.
        sample: its latest row of ``run_workers``.
        stages: of the run's jobs.
        jobs_per_minute: at present; ``None`` = not known.
        failures: the newest failed jobs of the run.
        worst: simulations with the largest RMSE, of the whole store.
    """

    unix_second: float
    lock: Lock
    run: Mapping[str, Any] | None = None
    sample: Mapping[str, Any] | None = None
    stages: tuple[Stage, ...] = ()
    jobs_per_minute: float | None = None
    failures: tuple[Mapping[str, Any], ...] = ()
    worst: tuple[Mapping[str, Any], ...] = ()

    @property
    def goes_on(self) -> bool:
        """Whether there may be more to see: a run is alive or, as far as is known, may be, or one begins."""
        if self.lock.is_held:
            return True
        if self.run is None or self.run["status"] not in (RUNNING, UNKNOWN):
            return False
        return self.unix_second - last_sign_unix_second(self.run) < SILENCE_SECOND

    @property
    def is_running(self) -> bool:
        """Whether the last run is alive."""
        return self.run is not None and self.run["status"] == RUNNING

    def left_second(self, now_unix_second: float) -> float | None:
        """Return the time left in s, as the run estimated it last; ``None`` = not known."""
        if self.sample is None or self.sample["left_second"] is None or not self.is_running:
            return None
        left = float(self.sample["left_second"]) - (now_unix_second - float(self.sample["unix_second"]))
        return left if left >= LEAST_LEFT_SECOND else None

    @property
    def changing(self) -> tuple[Any, ...]:
        """What a new block of text is printed for; clocks go on by themselves."""
        status = None if self.run is None else (self.run["run_id"], self.run["status"])
        workers = None if self.sample is None else (self.sample["workers"], self.sample["memory_bytes"])
        return status, self.lock, self.stages, workers, self.failures, self.worst


def read_view(root: Path) -> View:
    """Read how far the last run of a store is; nothing is written, and a run that writes hardly waits.

    Args:
        root: the store's folder.

    Raises:
        StoreError: there is no catalog, it cannot be read, or another program has it.
    """
    lock = see_lock(root)
    path = Store(root).catalog
    now = time.time()
    if lock.is_held and not path.exists():
        return View(now, lock)
    with closing(queries.connect(path, busy_timeout_second=BUSY_SECOND)) as catalog, queries.snapshot(catalog):
        row = run_queries.find_run(catalog)
        worst = tuple(map(dict, run_queries.worst_simulations(catalog, WORST_SHOWN)))
        if row is None:
            return View(now, lock, worst=worst)
        run_id = int(row["run_id"])
        jobs = run_queries.jobs_of_run(catalog, run_id)
        samples = run_queries.run_workers(catalog, run_id, last=1)
        ends = run_queries.last_ends(catalog, run_id, now)
        failures = tuple(map(dict, run_queries.newest_failures(catalog, run_id, FAILURES_SHOWN)))
    run = current_run(dict(row), lock, now)
    sample = dict(samples[-1]) if samples else None
    is_running = run["status"] == RUNNING
    running = json.loads(sample["running"]) if sample is not None and is_running else {}
    stages = tuple(_stages(json.loads(run["jobs"] or "{}"), jobs, running))
    rate = jobs_per_minute(ends, now) if is_running else None
    return View(now, lock, run, sample, stages, rate, failures, worst)


def jobs_per_minute(ends: run_queries.Ends | None, now_unix_second: float) -> float | None:
    """Return how many jobs end in a minute at present; ``None`` before the first one."""
    if ends is None:
        return None
    number = ends.number if ends.is_all else ends.number - 1  # the first one only begins the time
    return 60.0 * number / max(now_unix_second - ends.first_unix_second, 1.0)


def view_lines(view: View, table: str) -> list[str]:
    """Lay out a view as text.

    Args:
        table: of the stages, laid out; "" = none.
    """
    stages = ["", *map(printable_text, table.splitlines())] if table else []
    return [*_head_lines(view), *stages, *_lines_below(view)]


def _head_lines(view: View) -> list[str]:
    """Return what is above the stages: the run, and who else uses the store."""
    lines = []
    other = lock_line(view.run, view.lock)
    if view.run is None and not other:
        lines.append("no run yet")
    if other:
        lines.append(other)
    if view.run is not None:
        head, *rest = run_lines(view.run)
        lines += [f"run {view.run['run_id']} {head}", *rest]
    return [printable_text(line) for line in lines]


def _lines_below(view: View) -> list[str]:
    """Return what is below the stages: rate and workers, failures, and the worst simulations."""
    lines = []
    if view.is_running:
        lines.append(rate_text(view, time.time()))
    if view.is_running and view.run is not None and view.sample is not None:
        lines.append(workers_text(view.run, view.sample))
    if view.failures:
        lines += ["", "newest failures:"]
        lines += [f"  {row['kind']} {row['cell_id']} {row['label']}: {_short_reason(row)}" for row in view.failures]
    if view.worst:
        lines += ["", "worst simulations:"]
        lines += [f"  {row['cell_id']} {row['label']}: {row['rmse_mv']:.2f} mV" for row in view.worst]
    return [printable_text(line) for line in lines]


def _short_reason(failure: Mapping[str, Any]) -> str:
    """Return why a job failed, cut to one line, with the code by which `kilocell failures` shows it in full."""
    reason = str(failure["reason"])
    if len(reason) > REASON_CHARACTERS:
        reason = f"{reason[:REASON_CHARACTERS].rstrip()} …"
    return f"{reason} ({failure['reason_code']})"


def rate_text(view: View, now_unix_second: float) -> str:
    """Return the rate and the time left in words."""
    rate = "no job has ended yet"
    if view.jobs_per_minute is not None:
        rate = f"{view.jobs_per_minute:.3g} jobs per minute"
    left = view.left_second(now_unix_second)
    if left is None or view.sample is None:
        return f"{rate}, time left not known"
    at_least = "at least " if view.sample["left_is_least"] else ""
    return f"{rate}, {at_least}{format_duration(left)} left"


def stage_rows(view: View) -> list[tuple[Any, ...]]:
    """Return the stages for a table under ``HEADINGS``."""
    return [(stage.name, *stage.counts) for stage in view.stages]


def view_dict(view: View) -> dict[str, Any]:
    """Return a view as JSON has it."""
    return {
        "unix_second": view.unix_second,
        "run": None if view.run is None else dict(view.run),
        "lock": holder_dict(view.lock),
        "stages": [dict(zip(HEADINGS, row, strict=True)) for row in stage_rows(view)],
        "jobs_per_minute": view.jobs_per_minute,
        "left_second": view.left_second(view.unix_second),
        "workers": None if view.sample is None else dict(view.sample),
        "failures": [dict(row) for row in view.failures],
        "worst": [dict(row) for row in view.worst],
    }


def draw_view(view: View) -> RenderableType:
    """Return a view for a terminal, with a bar for each stage."""
    from rich.console import Group
    from rich.text import Text

    head, below = "\n".join(_head_lines(view)), "\n".join(_lines_below(view))
    if not view.stages:
        return Text("\n".join(filter(None, (head, below))))
    parts: list[RenderableType] = [Text(f"{head}\n"), _bars(view.stages)]
    if below:
        parts.append(Text(below, no_wrap=True, overflow="ellipsis"))
    return Group(*parts)


def _bars(stages: Sequence[Stage]) -> RenderableType:
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column(HEADINGS[0])
    grid.add_column("", width=BAR_CHARACTERS)
    for heading in HEADINGS[1:]:
        grid.add_column(heading, justify="right", no_wrap=True)
    for stage in stages:
        ended = stage.done + stage.failed + stage.skipped
        bar = ProgressBar(total=max(sum(stage.counts), 1), completed=ended, width=BAR_CHARACTERS)
        failed = Text(str(stage.failed), style="red" if stage.failed else "")
        grid.add_row(stage.name, bar, str(stage.done), failed, *map(str, stage.counts[2:]))
    return grid


def _stages(planned: Mapping[str, int], jobs: Sequence[Any], running: Mapping[str, int]) -> list[Stage]:
    ended: dict[tuple[str, str], int] = {(row["kind"], row["status"]): row["count"] for row in jobs}
    stages = []
    for kind in KINDS:
        done, failed, skipped = (ended.get((kind, status), 0) for status in ("done", "failed", "skipped"))
        left = max(planned.get(kind, 0) - done - failed - skipped, 0)
        now = min(running.get(kind, 0), left)
        if left or done or failed or skipped:
            stages.append(Stage(kind, done, failed, skipped, now, left - now))
    return stages
