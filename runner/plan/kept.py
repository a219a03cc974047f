"""Failed jobs that do not run again, because nothing that their result depends on has changed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence, Set
from dataclasses import replace
from importlib.metadata import PackageNotFoundError

from ...data.failures import may_pass
from ...data.installed import installed_version
from ...data.results.receipt import Receipt
from .job import EARLIER_AGAIN, FitWork, Job, Kept, Key, ProfileWork, SimulateWork, SplitWork

NEEDED_AGAIN = "a job that it needs runs again"


def find_kept(job: Job, receipt: Receipt | None, running: Set[Key], kept: Collection[Key]) -> Kept | None:
    """Return how a job ended before if it fails, or is skipped, in the same way again; ``None`` = it may not.

    Args:
        receipt: of the job; ``None`` = it has none.
        running: keys of the earlier jobs of the plan that run.
        kept: keys of the earlier jobs that are kept.
    """
    if receipt is None or receipt.digest != job.digest or not running.isdisjoint(job.needs):
        return None
    before = Kept(receipt.status, receipt.reason, receipt.reason_code)
    if receipt.status == "failed" and not _may_pass(job, receipt):
        return before
    if receipt.status == "skipped" and receipt.reason_code == "earlier_job" and any(key in kept for key in job.needs):
        return before
    return None


def _may_pass(job: Job, receipt: Receipt) -> bool:
    # A file that cannot be opened has no digest of its content, which would tell when it changes.
    if isinstance(job.work, SplitWork) and job.work.problem:
        return True
    return may_pass(receipt.reason_code) or any(_installed(name) != version for name, version in receipt.versions)


def _installed(name: str) -> str:
    try:
        return installed_version(name)
    except PackageNotFoundError:
        return ""


def run_again(jobs: Sequence[Job], chosen: Callable[[Job], bool]) -> tuple[Job, ...]:
    """Return the jobs of a plan, with kept ones that run again, and those that depend on them.

    Args:
        jobs: each after the jobs it needs.
        chosen: tells whether a job that is kept as failed runs again.
    """
    again: set[Key] = set()
    changed = []
    for job in jobs:
        if not job.reason:
            job = _again(job, chosen, any(key in again for key in job.needs))
            if job.reason:
                again.add(job.key)
        changed.append(job)
    return tuple(changed)


def _again(job: Job, chosen: Callable[[Job], bool], needed_again: bool) -> Job:
    if job.kept is not None and job.kept.status == "failed" and chosen(job):
        return replace(job, reason=f"failed before: {job.kept.reason}", kept=None)
    if needed_again and job.kept is not None:
        return replace(job, reason=NEEDED_AGAIN, kept=None)
    if needed_again and depends_on_starts(job):
        return replace(job, reason=EARLIER_AGAIN)
    return job


def depends_on_starts(job: Job) -> bool:
    """Whether a job's result depends on the starts of a fit, which can change under the same digest."""
    if isinstance(job.work, SimulateWork):
        return bool(job.work.fit_label)
    return isinstance(job.work, (FitWork, ProfileWork))


def kept_jobs(jobs: Iterable[Job]) -> dict[Key, Kept]:
    """Return how each job ended that is kept as it is, by key."""
    return {job.key: job.kept for job in jobs if job.kept is not None}


def count_kept_failures(jobs: Iterable[Job]) -> int:
    """Return the number of jobs that are kept as failed."""
    return sum(job.kept is not None and job.kept.status == "failed" for job in jobs)
