"""Run jobs on Dask: as many tasks at a time as the workers need, whatever the size of the campaign."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Final

from dask.highlevelgraph import HighLevelGraph, MaterializedLayer
from distributed import KilledWorker, as_completed

from ..plan.job import Job, Kept, Key
from ..worker.run_job import JobOutcome, record_death, run_jobs_in_order, skip_if_blocked
from .deaths import DeathReports
from .job_queue import JobQueue

TASKS_PER_THREAD: Final = 2
"""Tasks that the scheduler has for each thread: one that runs, and one that waits for it to end."""

LEAST_TASKS: Final = 4
"""Tasks that the scheduler has at least, also before the first worker is there."""

THREADS_SECOND: Final = 2.0
"""Time between two questions how many threads there are, s."""

MOST_LOST: Final = 3
"""A job has failed when Dask has given it up so often, each time because several workers died before it began."""


@dataclass(frozen=True, slots=True)
class Task:
    """Jobs that run one after the other in a worker.

    Args:
        key: in the Dask graph, as the dashboard shows it: stage, or kinds of jobs, such as ``clean-simulate``; cells;
            number of the task.
        jobs: each after the jobs it needs.
        before: how needed jobs ended that are not among them and not done.
    """

    key: Key
    jobs: tuple[Job, ...]
    before: Mapping[Key, JobOutcome]


def make_task(jobs: Sequence[Job], ended: Mapping[Key, JobOutcome], number: int) -> Task:
    """Make a task of jobs.

    Args:
        ended: how jobs ended that are not done.
        number: makes the key unique.
    """
    stages = {job.stage for job in jobs}
    # Dask takes no character but a hyphen into the names of its groups.
    name = jobs[0].stage if len(stages) == 1 else "-".join(dict.fromkeys(job.kind for job in jobs))
    cells = list(dict.fromkeys(job.cell_id for job in jobs))
    more = f" and {len(cells) - 1} more" if len(cells) > 1 else ""
    key = (name, f"{cells[0]}{more}", str(number))
    before = {key: ended[key] for job in jobs for key in job.needs if key in ended}
    return Task(key, tuple(jobs), before)


def build_graph(tasks: Sequence[Task], store_root: str) -> HighLevelGraph:
    """Build the Dask graph of tasks, one layer for those with the same stages; no task needs another one.

    Args:
        store_root: path of the store.
    """
    layers: dict[str, dict[Key, Any]] = {}
    for task in tasks:
        layers.setdefault(task.key[0], {})[task.key] = (run_jobs_in_order, store_root, task.jobs, dict(task.before))
    return HighLevelGraph(
        {name: MaterializedLayer(layer, annotations={"stage": name}) for name, layer in layers.items()},
        {name: set() for name in layers},
    )


def run_jobs(
    client: Any,
    jobs: Sequence[Job],
    store_root: str,
    reports: DeathReports,
    kept: Mapping[Key, Kept] | None = None,
) -> Iterator[list[JobOutcome]]:
    """Run jobs on the workers of a cluster and yield outcomes in batches, as soon as they arrive.

    The death of a worker costs only those jobs of its task that had not ended: Dask gives the task to another worker,
    which does not repeat what is done. When the caller stops early, jobs that have not begun are cancelled.

    Args:
        client: a ``distributed.Client``.
        jobs: each after the jobs it needs.
        store_root: path of the store.
        reports: writes the receipts of jobs whose workers died.
        kept: how jobs ended before that do not run again.
    """
    ended = {key: JobOutcome(key, one.status, one.reason, code=one.code) for key, one in (kept or {}).items()}
    in_flight = _InFlight(client, store_root)
    queue = JobQueue(jobs)
    lost: dict[Key, int] = {}
    try:
        while len(queue):
            in_flight.fill(queue, ended)
            outcomes: list[JobOutcome] = []
            for task, found in in_flight.next_batch():
                if isinstance(found, _Lost):
                    outcomes += _put_back(queue, task, found, reports, lost, ended)
                else:
                    outcomes += _finish(task, found, reports)
            for outcome in outcomes:
                if outcome.status != "done":
                    ended[outcome.key] = outcome
                queue.end(outcome)
            if outcomes:
                yield outcomes
    finally:
        in_flight.cancel()


def _finish(task: Task, found: Sequence[JobOutcome], reports: DeathReports) -> Iterator[JobOutcome]:
    """Yield the outcomes of a task with the keys of its jobs: equal ones that came from a worker would be kept, too."""
    by_key = {job.key: job for job in task.jobs}
    for outcome in found:
        job = by_key[outcome.key]
        yield reports.finish(job, replace(outcome, key=job.key))


@dataclass(frozen=True, slots=True)
class _Lost:
    """A task that Dask gave up.

    Args:
        deaths: how many workers died that had been given it; 0 = another reason.
        reason: for people.
    """

    deaths: int
    reason: str


def _put_back(
    queue: JobQueue,
    task: Task,
    lost: _Lost,
    reports: DeathReports,
    times: dict[Key, int],
    ended: Mapping[Key, JobOutcome],
) -> list[JobOutcome]:
    """Let the jobs of a task that was given up run one by one; return those that are given up for good.

    Args:
        times: how often Dask gave up each job; is added to.
        ended: how jobs ended that are not done.
    """
    if not lost.deaths and len(task.jobs) == 1:
        return [record_death(str(reports.store.root), task.jobs[0], lost.reason, "scheduler")]
    given_up: dict[Key, JobOutcome] = {}
    again = []
    for job in task.jobs:
        times[job.key] = times.get(job.key, 0) + 1
        before = [known[key] for known in (ended, given_up) for key in job.needs if key in known]
        skipped = skip_if_blocked(str(reports.store.root), job, before)
        if skipped is not None:
            given_up[job.key] = skipped
        elif times[job.key] < MOST_LOST:
            again.append(job)
        else:
            given_up[job.key] = reports.record(job, reports.beginnings(job), times[job.key] * lost.deaths)
    queue.put_back(again)
    return list(given_up.values())


class _InFlight:
    """The tasks that the scheduler has.

    Args:
        client: a ``distributed.Client``.
        store_root: path of the store.
    """

    def __init__(self, client: Any, store_root: str) -> None:
        self._client = client
        self._store_root = store_root
        self._completed: Any = as_completed()  # type: ignore[no-untyped-call]
        self._tasks: dict[Key, tuple[Task, Any]] = {}
        self._numbers = count()
        self._threads = 0
        self._asked_second = -THREADS_SECOND

    def fill(self, queue: JobQueue, ended: Mapping[Key, JobOutcome]) -> None:
        """Give the scheduler tasks, until it has enough or no job is ready.

        Args:
            ended: how jobs ended that are not done.
        """
        threads = self._count_threads()
        tasks: list[Task] = []
        while len(self._tasks) + len(tasks) < max(TASKS_PER_THREAD * threads, LEAST_TASKS):
            jobs = queue.take(threads)
            if not jobs:
                break
            tasks.append(make_task(jobs, ended, next(self._numbers)))
        if not tasks:
            return
        keys = [task.key for task in tasks]
        futures = self._client.get(build_graph(tasks, self._store_root), keys, sync=False)
        for task, future in zip(tasks, futures, strict=True):
            self._tasks[task.key] = (task, future)
            self._completed.add(future)

    def next_batch(self) -> Iterator[tuple[Task, list[JobOutcome] | _Lost]]:
        """Wait until tasks end; yield each with the outcomes of its jobs, or with why Dask gave it up."""
        if not self._tasks:
            raise RuntimeError("jobs are left that need each other")
        for future in self._completed.next_batch(block=True):
            task, _ = self._tasks.pop(future.key)
            yield task, _result(future)
            future.release()

    def cancel(self) -> None:
        """Take back the tasks that have not ended."""
        futures = [future for _, future in self._tasks.values()]
        if futures:
            self._client.cancel(futures, force=True)

    def _count_threads(self) -> int:
        """Return how many jobs the workers run at once."""
        now = time.monotonic()
        if now - self._asked_second >= THREADS_SECOND:
            self._threads = sum(self._client.nthreads().values())
            self._asked_second = now
        return self._threads


def _result(future: Any) -> list[JobOutcome] | _Lost:
    """Return the outcomes of a task, or why Dask gave it up.

    Raises:
        FutureCancelledError: the scheduler was lost, and says nothing of the task.
    """
    if future.status != "error":
        outcomes: list[JobOutcome] = future.result()
        return outcomes
    error = future.exception()
    if isinstance(error, KilledWorker):
        return _Lost(error.allowed_failures + 1, str(error))
    return _Lost(0, f"{type(error).__name__}: {error}")
