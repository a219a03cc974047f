"""Count how the jobs of a run end; stop a run early after too many failures, and lose no job that has ended."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from ...data.errors import UsageError
from ...data.text import format_count
from ...parquet_store.layout import Store
from ...parquet_store.read import read_receipt
from ..plan.job import Job, Key
from ..worker.run_job import JobOutcome
from .failure_lines import FailureLines


def check_max_failures(number: int | None) -> None:
    """Refuse a largest number of failures that is less than one; ``None`` = no limit."""
    if number is not None and number < 1:
        raise UsageError(f"--max-failures {number}: give 1 or more")


class Tally:
    """Counts jobs as they end, and says failures.

    Args:
        jobs: those of the run.
        counts: is added to: jobs by status; those that have nothing to simulate under ``nothing``, not ``skipped``;
            and, at the end, those that did not run under ``left``.
        say: prints a line.
        max_failures: number of failed jobs after which the run stops; ``None`` = it does not.
    """

    def __init__(
        self, jobs: Sequence[Job], counts: Counter[str], say: Callable[[str], None], max_failures: int | None
    ) -> None:
        self._jobs = jobs
        self._counts = counts
        self._say = say
        self._max_failures = max_failures
        self._lines = FailureLines(say)
        self._ended: set[Key] = set()
        self._began_unix_second = time.time()

    def add(self, outcomes: Iterable[JobOutcome]) -> None:
        """Count outcomes."""
        for outcome in outcomes:
            self._ended.add(outcome.key)
            self._counts["nothing" if outcome.has_nothing_to_simulate else outcome.status] += 1
            self._lines.add(outcome)

    @property
    def is_too_much(self) -> bool:
        """Whether so many jobs have failed that the run stops."""
        return self._max_failures is not None and self._counts["failed"] >= self._max_failures

    def find_late(self, store: Store) -> list[JobOutcome]:
        """Find, and count, jobs of a stopped run that ended unnoticed: their receipts are there."""
        late = []
        for job in self._jobs:
            if job.key in self._ended:
                continue
            receipt = read_receipt(store.receipt(job.kind, job.cell_id, job.label))
            is_new = receipt is not None and receipt.started_unix_second >= self._began_unix_second
            if receipt is not None and is_new and receipt.digest == job.digest:
                late.append(JobOutcome(job.key, receipt.status, receipt.reason, receipt.seconds, receipt.reason_code))
        self.add(late)
        return late

    def say_end(self) -> None:
        """Count the jobs that did not run, and say it if the run stopped early."""
        self._counts["left"] = len(self._jobs) - len(self._ended)
        if self._counts["left"]:
            failed = format_count(self._counts["failed"], "job")
            left = format_count(self._counts["left"], "job")
            self._say(
                f"stopped    {failed} failed (--max-failures); {left} did not run. What is done is kept: run again to "
                "continue"
            )
