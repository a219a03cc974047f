"""How a run ended, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..plan.job import Job
from ..plan.kept import count_kept_failures, kept_jobs


@dataclass(frozen=True, slots=True)
class RunSummary:
    """How a run ended.

    Args:
        run_id: the run's id in the catalog.
        done: number of jobs that this run did.
        failed: number of jobs that failed.
        skipped: number of jobs that were skipped because a job they need was not done.
        done_before: number of jobs that were up to date before the run.
        nothing: number of jobs that were skipped because the cell's record holds nothing to simulate; not an error.
        refused: names of the fits that were refused for some cell; their jobs did not run.
        kept: number of jobs that failed in an earlier run and did not run again: they would fail in the same way.
        kept_skipped: number of jobs that were skipped then, because they need one of these.
        left: number of jobs that did not run because the run stopped early, after too many failures.
    """

    run_id: int
    done: int
    failed: int
    skipped: int
    done_before: int
    nothing: int = 0
    refused: tuple[str, ...] = ()
    kept: int = 0
    kept_skipped: int = 0
    left: int = 0

    @property
    def exit_code(self) -> int:
        """0 when all jobs that can be done are done, 1 when some failed, also before, or a fit was refused."""
        not_done = self.failed or self.skipped or self.refused or self.kept or self.kept_skipped or self.left
        return 1 if not_done else 0


def summarize(run_id: int, jobs: Sequence[Job], counts: Counter[str], refused: Iterable[str]) -> RunSummary:
    """Return how a run ended.

    Args:
        run_id: of the catalog.
        jobs: those that the command selected, as they were planned.
        counts: as :class:`~kilocell.runner.run.stopping.Tally` counts them.
        refused: names of the fits that were refused.
    """
    kept = count_kept_failures(jobs)
    return RunSummary(
        run_id=run_id,
        done=counts["done"],
        failed=counts["failed"],
        skipped=counts["skipped"],
        done_before=sum(not job.reason and job.kept is None for job in jobs),
        nothing=counts["nothing"],
        refused=tuple(dict.fromkeys(refused)),
        kept=kept,
        kept_skipped=len(kept_jobs(jobs)) - kept,
        left=counts["left"],
    )
