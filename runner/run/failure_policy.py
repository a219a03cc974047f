"""Which failed jobs a run does again, and after how many failures it stops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ..plan.job import Job, Key
from ..plan.kept import run_again


@dataclass(frozen=True, slots=True)
class FailurePolicy:
    """What a run does about failures.

    Args:
        retry: tells which jobs that are kept as failed run again; ``None`` = none.
        only_retried: run only these, and what needs them or is needed by them.
        max_failures: stop after this number of failed jobs; ``None`` = never.
    """

    retry: Callable[[Job], bool] | None = None
    only_retried: bool = False
    max_failures: int | None = None


KEEP_FAILED: Final = FailurePolicy()
"""What a run does unless the user says otherwise."""


def retry_all(job: Job) -> bool:
    """Choose every failed job."""
    return True


def choose_again(jobs: Sequence[Job], failures: FailurePolicy) -> tuple[Job, ...]:
    """Return the jobs of a plan, with those kept as failed that run again."""
    if failures.retry is None:
        return tuple(jobs)
    return run_again(jobs, failures.retry)


def select_again(jobs: Sequence[Job], failures: FailurePolicy) -> list[Job]:
    """Return the jobs that run: all that are not up to date, or only those that failed, with what they need.

    Args:
        jobs: each after the jobs it needs.
    """
    stale = [job for job in jobs if job.reason]
    if not failures.only_retried or failures.retry is None:
        return stale
    chosen = {job.key for job in stale if failures.retry(job)}
    after = set(chosen)
    for job in stale:
        if not after.isdisjoint(job.needs):
            after.add(job.key)
    needed: set[Key] = set()
    for job in reversed(stale):
        if job.key in after or job.key in needed:
            needed |= {job.key, *job.needs}
    return [job for job in stale if job.key in needed]
