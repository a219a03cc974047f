"""Which jobs are ready, and which of them share a task: short jobs do, so that a task takes about a second.

A task costs the scheduler one to two milliseconds, which is as much as a short replay. Jobs of one cell that follow
each other stay together, so the cell's record is read once.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from ..plan.job import CleanWork, Job, Key
from ..worker.run_job import JobOutcome

PRIORITIES: Final = {"split": 0, "clean": 0, "simulate": 1, "start": 1, "fit": 2, "profile": 2}
"""Priority of each kind of job, higher first: jobs that use results run before new cells, so cells finish in turn."""

TASK_SECOND: Final = 1.0
"""Time that the jobs of a task take together, s."""

SHARED_SECOND: Final = 0.5
"""A job that is expected to take longer, s, has a task of its own; so has one of which nothing is known yet."""

TASKS_LEFT: Final = 4
"""Towards the end of a run, the rest is divided into so many tasks for each thread, so that all end together."""


class JobQueue:
    """The jobs of a run that have not ended.

    Args:
        jobs: each after the jobs it needs. A needed job that is not among them has ended before.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._place = {job.key: place for place, job in enumerate(jobs)}
        self._jobs = list(jobs)
        self._after: dict[Key, list[Job]] = {}
        self._missing: dict[Key, int] = {}
        self._costs = JobCosts(jobs)
        self._ended: set[Key] = set()
        self._taken: set[Key] = set()
        self._alone: set[Key] = set()
        self._ready: list[tuple[int, int]] = []
        for job in jobs:
            needs = [key for key in job.needs if key in self._place]
            for key in needs:
                self._after.setdefault(key, []).append(job)
            if needs:
                self._missing[job.key] = len(needs)
            else:
                self._push(job)

    def __len__(self) -> int:
        """Return the number of jobs that have not ended."""
        return len(self._jobs) - len(self._ended)

    def take(self, threads: int) -> list[Job]:
        """Return the jobs of the next task, each after the jobs it needs; none if no job is ready.

        Args:
            threads: number of jobs that run at once.
        """
        target = min(TASK_SECOND, self._costs.left_second() / (TASKS_LEFT * max(threads, 1)))
        taken: list[Job] = []
        seconds = 0.0
        while self._ready and (not taken or seconds < target):
            job = self._jobs[self._ready[0][1]]
            if taken and not self._may_share(job):
                break
            heapq.heappop(self._ready)
            if job.key in self._taken or job.key in self._ended:
                continue
            chain = self._chain(job)
            taken += chain
            if not self._may_share(job):
                break
            seconds += sum(self._costs.expected_second(one) or 0.0 for one in chain)
        return taken

    def end(self, outcome: JobOutcome) -> None:
        """Note how a job ended; those that waited for it may become ready."""
        if outcome.key in self._ended:
            return
        self._ended.add(outcome.key)
        self._taken.discard(outcome.key)
        self._costs.add(outcome)
        for job in self._after.pop(outcome.key, ()):
            self._missing[job.key] -= 1
            if not self._missing[job.key]:
                del self._missing[job.key]
                if job.key not in self._taken:
                    self._push(job)

    def put_back(self, jobs: Sequence[Job]) -> None:
        """Let jobs of a task that did not end run again, each in a task of its own."""
        for job in jobs:
            self._taken.discard(job.key)
            self._alone.add(job.key)
            if job.key not in self._missing and job.key not in self._ended:
                self._push(job)

    def _push(self, job: Job) -> None:
        heapq.heappush(self._ready, (-PRIORITIES[job.kind], self._place[job.key]))

    def _may_share(self, job: Job) -> bool:
        """Whether a job is known to be short, and no worker died with it."""
        if job.key in self._alone or job.kind not in ("clean", "simulate"):
            return False
        seconds = self._costs.expected_second(job)
        return seconds is not None and seconds <= SHARED_SECOND

    def _chain(self, job: Job) -> list[Job]:
        """Take a ready job, and the short ones of its cell that need nothing but it."""
        self._taken.add(job.key)
        chain = [job]
        if not self._may_share(job):
            return chain
        for later in self._after.get(job.key, ()):
            if self._missing[later.key] == 1 and later.cell_id == job.cell_id and self._may_share(later):
                self._taken.add(later.key)
                chain.append(later)
        return chain


class JobCosts:
    """How long jobs take, by stage, from those of this run that ended.

    Args:
        jobs: of the run.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._bytes = _bytes_of_cells(jobs)
        self._left = Counter(job.stage for job in jobs)
        self._ended: Counter[str] = Counter()
        self._seconds: dict[str, float] = {}
        self._ended_bytes: dict[str, float] = {}

    def add(self, outcome: JobOutcome) -> None:
        """Learn from a job that ended; one that was skipped teaches nothing."""
        stage = outcome.key[0]
        self._left[stage] -= 1
        if outcome.status != "skipped":
            self._ended[stage] += 1
            self._seconds[stage] = self._seconds.get(stage, 0.0) + outcome.seconds
            self._ended_bytes[stage] = self._ended_bytes.get(stage, 0.0) + self._bytes.get(outcome.key[1], 0.0)

    def expected_second(self, job: Job) -> float | None:
        """Return how long a job should take, s; ``None`` = no job of its stage has ended.

        A cell with larger files than the others is expected to take longer in proportion.
        """
        ended = self._ended[job.stage]
        if not ended:
            return None
        mean = self._seconds[job.stage] / ended
        mean_bytes = self._ended_bytes[job.stage] / ended
        if not mean_bytes:
            return mean
        return mean * max(1.0, self._bytes.get(job.cell_id, 0.0) / mean_bytes)

    def left_second(self) -> float:
        """Return how long the jobs that have not ended should take one after the other, s; unknown stages count 0."""
        return sum(self._left[stage] * self._seconds[stage] / self._ended[stage] for stage in self._seconds)


def _bytes_of_cells(jobs: Sequence[Job]) -> Mapping[str, float]:
    """Return the size of each cell's raw files; a file of several cells counts for each in equal parts."""
    cleaned = [(job.cell_id, job.work) for job in jobs if isinstance(job.work, CleanWork)]
    sharing = Counter(source.file.path for _, work in cleaned for source in work.sources)
    return {
        cell_id: sum(source.file.bytes / sharing[source.file.path] for source in work.sources)
        for cell_id, work in cleaned
    }
