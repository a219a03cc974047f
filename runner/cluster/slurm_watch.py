"""Watch over the Slurm jobs of a run: replace those that ended, and stop the run when jobs die again and again.

dask-jobqueue learns only from workers that connected and left. A job that dies before, or is cancelled while it
waits, is never missed there, so the queue itself is asked.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from ...data.errors import ClusterError, UsageError
from .slurm_commands import list_queued_jobs

TAIL_LINES = 15


class SlurmWatch:
    """Keeps ``jobs`` Slurm jobs of a cluster queued or running until :meth:`stop`.

    Args:
        cluster: a ``dask_jobqueue`` cluster without jobs yet.
        name: the name of all its Slurm jobs.
        jobs: how many to keep.
        registered: names of jobs whose workers have registered; grows as the scheduler sees them.
        leaving: names of jobs whose workers take nothing new, since their walltime ends; replaced ahead of their end,
            so that there is a worker to take the results they hold.
        log_of: path of a job's log, from the job's id.
        interval_second: how often the queue is asked.
        max_failed_jobs: stop after so many jobs in a row ended without a worker.
        report: called with one line, from another thread.
    """

    def __init__(
        self,
        cluster: Any,
        name: str,
        jobs: int,
        registered: set[str],
        leaving: Callable[[], set[str]],
        log_of: Callable[[str], Path],
        interval_second: float,
        max_failed_jobs: int,
        report: Callable[[str], None],
    ) -> None:
        self._cluster, self._name, self._jobs = cluster, name, jobs
        self._registered, self._leaving, self._seen = registered, leaving, set[str]()
        self._log_of, self._report = log_of, report
        self._interval_second, self._max_failed_jobs = interval_second, max_failed_jobs
        self._asked = 0
        self._failures = 0
        self._error: ClusterError | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="slurm-watch", daemon=True)
        self._handler_before: Any = None

    def start(self) -> None:
        """Submit the jobs and begin to watch; to be called in the main thread.

        Raises:
            UsageError: sbatch refused a job; its words are in the text.
        """
        self._cluster.sync(self._submit_missing)
        # The main thread waits for results somewhere in Dask; only a signal gets an error to it there.
        self._handler_before = signal.signal(signal.SIGUSR1, self._raise)
        self._thread.start()

    def stop(self) -> None:
        """Stop watching; jobs are neither replaced nor cancelled after this."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._handler_before is not None:
            signal.signal(signal.SIGUSR1, self._handler_before)
            self._handler_before = None

    def _raise(self, number: int, frame: FrameType | None) -> None:
        if self._error is not None and not self._stopped.is_set():
            raise self._error

    def _watch(self) -> None:
        answering = True
        while not self._stopped.wait(self._interval_second):
            if self._error is None:
                try:
                    self._look()
                    answering = True
                except RuntimeError as error:
                    if answering:
                        self._report(f"Slurm does not answer, asking again: {error}")
                    answering = False
            if self._error is not None:
                main = threading.main_thread().ident
                assert main is not None
                signal.pthread_kill(main, signal.SIGUSR1)

    def _look(self) -> None:
        known = {job.job_id for job in list(self._cluster.workers.values())}
        gone = known - list_queued_jobs(
            self._name
        )  # asked after ``known`` was taken: a job submitted since is not missed
        self._cluster.sync(self._replace, gone)

    async def _replace(self, gone: set[str]) -> None:
        if self._registered - self._seen:
            self._failures = 0
            self._seen |= self._registered
        lost = [(name, job.job_id) for name, job in self._cluster.workers.items() if job.job_id in gone]
        for name, job_id in lost:
            self._forget(name)
            if name in self._registered:
                self._report(f"Slurm job {job_id} ended; its place is taken by another")
            else:
                self._report(f"Slurm job {job_id} ended before its worker started")
                self._count_failure(self._log_tail(job_id))
        try:
            if self._error is None:
                await self._submit_missing()
        except UsageError as error:
            self._report(str(error))
            self._count_failure(str(error))

    async def _submit_missing(self) -> None:
        leaving = self._leaving() & set(self._cluster.worker_spec)
        while len(self._cluster.worker_spec) - len(leaving) < self._jobs:
            self._asked += 1  # a name is never used twice: the scheduler may still know the lost worker's
            self._cluster.worker_spec[f"{self._name}-{self._asked}"] = self._cluster.new_spec
        try:
            await self._cluster
        finally:
            for name in [name for name, job in self._cluster.workers.items() if job.job_id is None]:
                self._forget(name)

    def _forget(self, name: str) -> None:
        self._cluster.workers.pop(name, None)
        self._cluster.worker_spec.pop(name, None)

    def _count_failure(self, said: str) -> None:
        self._failures += 1
        if self._failures >= self._max_failed_jobs:
            self._error = ClusterError(
                f"{self._failures} Slurm jobs in a row ended before their worker started, so the run stops. Check that "
                f"the nodes see this Python and this folder, and reach {self._cluster.scheduler_address}. The last "
                f"one said:\n{said}"
            )

    def _log_tail(self, job_id: str) -> str:
        path = self._log_of(job_id)
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return f"  (job {job_id} left no log: it was cancelled while it waited, or could not write {path})"
        return "\n".join([f"  {path}:", *(f"  | {line}" for line in lines[-TAIL_LINES:])])
