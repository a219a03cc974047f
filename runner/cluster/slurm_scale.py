"""Which Slurm jobs have workers, how many jobs the work needs, and which are idle and may end."""

from __future__ import annotations

import math
from typing import Any

import distributed
from distributed.core import Status

LOOKS_BEFORE_SHRINKING = 3
"""Jobs end after so many looks at the queue in a row that found too many of them: work comes in waves."""


class Attendance(distributed.SchedulerPlugin):
    """Know which jobs have workers that registered, and which have workers that are leaving.

    A worker's name is that of its job, followed by ``-i`` where a job has several workers.

    Args:
        scheduler: of the cluster.
        workers_per_job: number of workers in each job.
    """

    name = "kilocell-attendance"

    def __init__(self, scheduler: distributed.Scheduler, workers_per_job: int) -> None:
        self.registered: set[str] = set()
        self._scheduler = scheduler
        self._workers_per_job = workers_per_job

    def add_worker(self, scheduler: distributed.Scheduler, worker: str) -> None:
        """Note a new worker; the scheduler calls this with its address."""
        self.registered.add(self._job_name(scheduler.workers[worker]))

    def leaving(self) -> set[str]:
        """Return the names of jobs whose workers take no new work."""
        states = self._scheduler.workers.values()
        return {self._job_name(state) for state in states if state.status == Status.closing_gracefully}

    def needed_jobs(self) -> int:
        """Return how many jobs the waiting and running work can use."""
        running = sum(len(state.processing) for state in self._scheduler.workers.values())
        work = running + len(self._scheduler.queued) + len(self._scheduler.unrunnable)
        return math.ceil(work / self._workers_per_job)

    def idle_workers(self) -> dict[str, list[str]]:
        """Return the addresses of the workers of each job that has nothing to do and holds no result."""
        workers: dict[str, list[Any]] = {}
        for state in self._scheduler.workers.values():
            workers.setdefault(self._job_name(state), []).append(state)
        return {
            name: [state.address for state in states]
            for name, states in workers.items()
            if not any(state.processing or state.has_what for state in states)
        }

    async def retire(self, addresses: list[str]) -> None:
        """Let idle workers end; from the first moment on, the scheduler gives them no work."""
        await self._scheduler.retire_workers(workers=addresses, close_workers=True, remove=True)

    def _job_name(self, state: Any) -> str:
        name = str(state.name)
        return name if self._workers_per_job == 1 else name.rpartition("-")[0]


class Jobs:
    """How many jobs a run wants: always the same number, or as many as the work needs within a range.

    Args:
        attendance: of the jobs.
        most: largest number of jobs.
        least: smallest number.
    """

    def __init__(self, attendance: Attendance, most: int, least: int) -> None:
        self.attendance = attendance
        self.most = most
        self.least = least
        self._looks_with_too_many = 0

    def wanted(self) -> int:
        """Return the number of jobs that the work needs now, within the range."""
        return min(self.most, max(self.least, self.attendance.needed_jobs()))

    def surplus(self, present: int) -> int:
        """Return how many jobs should end: 0 until several looks in a row found too many.

        Args:
            present: jobs that take work now or will.
        """
        too_many = max(0, present - self.wanted())
        if not too_many:
            self._looks_with_too_many = 0
            return 0
        self._looks_with_too_many += 1
        return too_many if self._looks_with_too_many >= LOOKS_BEFORE_SHRINKING else 0
