"""Jobs per minute, and the time left."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ...data.time_left import TimeLeft
from ..plan.job import Job

WINDOW_SECOND: Final = 60.0
"""The rate is that of the last minute, s. Chosen, not measured."""

LEAST_JOBS: Final = 20
"""With fewer jobs in the last minute, the rate is that of the last jobs. Chosen, not measured."""


@dataclass(slots=True)
class Stage:
    """How far one stage is.

    Args:
        name: as in :class:`kilocell.runner.plan.job.Job`.
        total: number of jobs.
        before: jobs that were up to date before the run.
        done, failed, skipped: jobs of this run, by how they ended.
        running: jobs that run now.
        seconds: time that the jobs took that were done or failed, s.
    """

    name: str
    total: int = 0
    before: int = 0
    done: int = 0
    failed: int = 0
    skipped: int = 0
    running: int = 0
    seconds: float = 0.0

    @property
    def ended(self) -> int:
        """Jobs that need no more work."""
        return self.before + self.done + self.failed + self.skipped

    @property
    def left(self) -> int:
        """Jobs that have not ended."""
        return self.total - self.ended


@dataclass(frozen=True, slots=True)
class Remaining:
    """How long the rest of a run takes.

    Args:
        seconds: s.
        is_lower_bound: whether a stage of which no job has ended is left out.
    """

    seconds: float
    is_lower_bound: bool


class Rates:
    """Count jobs as they end, by stage.

    Args:
        jobs: every job of the run; those without a reason are up to date.
        now_second: begin of the run, on any clock.
    """

    def __init__(self, jobs: Sequence[Job], now_second: float) -> None:
        self.stages: dict[str, Stage] = {}
        for job in jobs:
            stage = self.stages.setdefault(job.stage, Stage(job.stage))
            stage.total += 1
            stage.before += not job.reason
        self._left = TimeLeft({stage.name: stage.left for stage in self.stages.values()})
        self._began_second = now_second
        self._first_second: float | None = None
        self._ends: deque[float] = deque()
        self._forgot = False

    def end(self, stage_name: str, status: str, seconds: float, now_second: float) -> None:
        """Count a job that ended.

        Args:
            status: ``done``, ``failed`` or ``skipped``.
            seconds: time that it took, s.
            now_second: now, on the clock of the constructor.
        """
        stage = self.stages[stage_name]
        self._left.add(stage_name, seconds, now_second, is_skipped=status == "skipped")
        if status == "skipped":
            stage.skipped += 1
            return
        stage.done += status == "done"
        stage.failed += status == "failed"
        stage.seconds += seconds
        if self._first_second is None:
            self._first_second = max(self._began_second, now_second - seconds)
        self._ends.append(now_second)
        while len(self._ends) > LEAST_JOBS and self._ends[0] < now_second - WINDOW_SECOND:
            self._ends.popleft()
            self._forgot = True

    def jobs_per_minute(self, now_second: float) -> float | None:
        """Return how many jobs end in a minute at present; ``None`` before the first one."""
        if not self._ends or self._first_second is None:
            return None
        first, number = self._first_second, len(self._ends)
        if self._forgot:
            first, number = self._ends[0], number - 1
        return 60.0 * number / max(now_second - first, 1.0)

    def time_left(self, now_second: float) -> Remaining | None:
        """Return the time left, the same as on the terminal; ``None`` before the first job ended."""
        seconds = self._left.left_second(now_second)
        return None if seconds is None else Remaining(seconds, not self._left.knows_all)
