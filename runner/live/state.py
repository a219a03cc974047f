"""The state of a run, as its live page shows it. It is in the process of the run, so a reloaded page has all of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from math import isfinite

from ...data.results.receipt import Receipt
from ...data.results.simulation import SimulationResult
from ..plan.job import Job, Key, SimulateWork
from ..worker.run_job import JobOutcome
from .failures import FailureGroup, Failures
from .grid import Codes, Column, Grid
from .rates import Rates, Remaining, Stage
from .rmse import Distribution, Series

SHOWN_FAILURES = 12
"""Reasons for failures that the page lists."""


@dataclass(frozen=True, slots=True)
class Summary:
    """How far a run is, without its grid.

    Args:
        stages: in the order of the jobs.
        elapsed_second: time since the run began, s; until its end, if it ended.
        jobs_per_minute: at present; ``None`` = not known yet.
        left: time left; ``None`` = not known yet.
        failures: the newest ones by reason, newest first.
        reasons: number of different reasons.
        ended: how the run ended, in words; "" = it is running.
    """

    stages: tuple[Stage, ...]
    elapsed_second: float
    jobs_per_minute: float | None
    left: Remaining | None
    failures: tuple[FailureGroup, ...]
    reasons: int
    ended: str

    @property
    def total(self) -> int:
        """Number of jobs."""
        return sum(stage.total for stage in self.stages)

    def count(self, what: str) -> int:
        """Return the sum of one of the counts of :class:`Stage` over the stages."""
        return sum(int(getattr(stage, what)) for stage in self.stages)


class LiveState:
    """What is known of a run: which jobs wait, run and ended, and how. Several threads may use it.

    Args:
        jobs: every job of the run; those without a reason are up to date.
        clock: returns the time in s.
    """

    def __init__(self, jobs: Sequence[Job], clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._jobs = {job.key: job for job in jobs}
        self._open = {job.key for job in jobs if job.reason}
        self._began_second = clock()
        self._ended_second: float | None = None
        self._ended = ""
        self._grid = Grid(jobs)
        self._rates = Rates(jobs, self._began_second)
        self._failures = Failures()
        self._rmse = {series: Distribution() for series in dict.fromkeys(map(_series, jobs)) if series is not None}
        self._version = 0
        self._rmse_version = 0

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages, in the order of the jobs."""
        return self._grid.stages

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the grid."""
        return self._grid.columns

    @property
    def cells(self) -> int:
        """Number of cells; files that hold no cell count, too."""
        return self._grid.cells

    @property
    def version(self) -> int:
        """A number that grows with every change of the grid, the counts or the failures."""
        return self._version

    @property
    def rmse_version(self) -> int:
        """A number that grows with every RMSE."""
        return self._rmse_version

    @property
    def has_ended(self) -> bool:
        """Whether the run ended."""
        return bool(self._ended)

    def record(self, outcome: JobOutcome, receipt: Receipt | None = None) -> None:
        """Take in a job that ended.

        Args:
            outcome: how it ended.
            receipt: with its result; ``None`` = not known.
        """
        with self._lock:
            job = self._jobs.get(outcome.key)
            if job is None or outcome.key not in self._open:
                return
            self._open.discard(outcome.key)
            now = self._clock()
            self._grid.end(job.key, outcome.status)
            self._rates.end(job.stage, outcome.status, outcome.seconds, now)
            if outcome.status == "failed":
                self._failures.add(job.stage, job.cell_id, outcome.reason, outcome.code)
            if receipt is not None and outcome.status == "done" and isinstance(receipt.result, SimulationResult):
                self._add_rmse(job, receipt.result.rmse_mv)
            self._version += 1

    def record_earlier(self, rmse_mv: Iterable[tuple[str, str, float]]) -> None:
        """Take in the RMSE of simulations that were up to date before the run.

        Args:
            rmse_mv: cell, label and RMSE (mV) of simulations. Those that this run has to do, or does not have, are
                left out.
        """
        with self._lock:
            earlier = {
                (job.cell_id, job.label): job
                for job in self._jobs.values()
                if not job.reason and isinstance(job.work, SimulateWork)
            }
            for cell_id, label, value in rmse_mv:
                job = earlier.get((cell_id, label))
                if job is not None:
                    self._add_rmse(job, value)

    def set_running(self, keys: Iterable[Key]) -> None:
        """Say which jobs run now; jobs that this run does not know, or that ended, are left out."""
        with self._lock:
            known = {key for key in keys if key in self._open}
            if self._grid.set_running(known):
                self._version += 1
            for stage in self._rates.stages.values():
                stage.running = 0
            for key in known:
                self._rates.stages[self._jobs[key].stage].running += 1

    def end(self, how: str) -> None:
        """Note that the run ended.

        Args:
            how: in words, such as ``finished``.
        """
        self.set_running(())
        with self._lock:
            self._ended = how
            self._ended_second = self._clock()
            self._version += 1

    def codes(self) -> Codes:
        """Return the state of every box of the grid: (stages, columns), numbers of ``grid.STATES``."""
        with self._lock:
            return self._grid.codes()

    def summary(self) -> Summary:
        """Return how far the run is; later changes of the state do not change it."""
        with self._lock:
            now = self._clock() if self._ended_second is None else self._ended_second
            return Summary(
                stages=tuple(copy(stage) for stage in self._rates.stages.values()),
                elapsed_second=now - self._began_second,
                jobs_per_minute=self._rates.jobs_per_minute(now),
                left=self._rates.time_left(now),
                failures=tuple(self._failures.newest(SHOWN_FAILURES)),
                reasons=len(self._failures),
                ended=self._ended,
            )

    def rmse(self) -> dict[Series, tuple[list[int], int, float]]:
        """Return counts in the bins of ``rmse.EDGES_MV``, number and median (mV) of each series with an RMSE."""
        with self._lock:
            return {
                series: (list(one.counts), len(one.values_mv), one.median_mv)
                for series, one in self._rmse.items()
                if one.values_mv
            }

    def _add_rmse(self, job: Job, rmse_mv: float) -> None:
        series = _series(job)
        if series is not None and isfinite(rmse_mv):
            self._rmse[series].add(rmse_mv)
            self._rmse_version += 1


def _series(job: Job) -> Series | None:
    """Return the series to which a simulation belongs; ``None`` for other jobs."""
    if isinstance(job.work, SimulateWork):
        return Series(job.work.settings.model.name, bool(job.work.fit_label))
    return None
