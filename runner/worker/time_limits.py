"""How long each job may take, and what is said of one that took longer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Final

from ...data.text import format_count
from ...parquet_store.layout import Store
from ..plan.job import CleanWork, Job, SimulateWork, SplitWork, StartWork, Work
from .deaths import begun_path
from .hard_timeout import GRACE_SECOND, LONGEST_PAUSE_SECOND, hard_timeout

LONGEST_JOB_SECOND: Final = 86_400.0
"""Longest time of a job of a fit without a limit of its own, s: one that takes a day hangs."""

START_GRACE_SECOND: Final = 60.0
"""Time after its limit until a start of a fit is ended: it still solves its best point after it."""


def limit_of(work: Work) -> float:
    """Return the longest time of a job, s, without the time that building its models takes."""
    if isinstance(work, StartWork):
        return work.settings.time_limit_second or LONGEST_JOB_SECOND
    if isinstance(work, SimulateWork):
        return work.settings.time_limit_second
    if isinstance(work, (SplitWork, CleanWork)):
        return work.time_limit_second
    return LONGEST_JOB_SECOND


def longest_job_second(jobs: Iterable[Job]) -> float:
    """Return after how many seconds at most every one of these jobs has ended or was ended, with building its model."""
    limits = (limit_of(job.work) for job in jobs)
    return max(limits, default=0.0) + LONGEST_PAUSE_SECOND + START_GRACE_SECOND


_WATCHED: Final = ContextVar("watched", default=True)
"""Whether jobs are ended with their process at their time limit."""


@contextmanager
def without_limits() -> Iterator[None]:
    """Let no job end this process at its time limit: it is the user's own, and may wait in a debugger."""
    token = _WATCHED.set(False)
    try:
        yield
    finally:
        _WATCHED.reset(token)


def _ignore_time(seconds: float) -> None:
    """Do nothing with the time that is left, in s."""


def limited(store: Store, job: Job) -> AbstractContextManager[Callable[[float], None]]:
    """End this worker's process if the job takes longer than its limit; see :func:`hard_timeout`."""
    if not _WATCHED.get():
        return nullcontext(_ignore_time)
    seconds = limit_of(job.work)
    grace = START_GRACE_SECOND if isinstance(job.work, StartWork) else GRACE_SECOND
    return hard_timeout(begun_path(store, job), seconds, _reason(job.work, seconds), grace)


def _reason(work: Work, seconds: float) -> str:
    """Return why a job failed that was ended at its time limit."""
    limit = f"the time limit of {seconds:g} s"
    if isinstance(work, SimulateWork):
        return (
            f"the solver did not return within {limit}, and its worker was ended; raise time_limit_second in "
            "[simulate], simulate fewer cycles, or use a simpler model"
        )
    if isinstance(work, SplitWork):
        return f"the file was not read within {limit}, and its worker was ended; raise time_limit_second in [clean]"
    if isinstance(work, CleanWork):
        files = format_count(len(work.sources), "file")
        return f"{files} not cleaned within {limit}, and its worker was ended; raise time_limit_second in [clean]"
    return f"it did not end within {limit}, and its worker was ended; fit fewer cycles, or use a simpler model"
