"""Watch the Slurm jobs of a run: replace those that ended, and stop the run when jobs end again and again.

dask-jobqueue notices only workers that connected and left. It does not notice a job that dies before its worker
connects, or is cancelled while pending. So the queue of Slurm is read.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from ...data.errors import ClusterError, UsageError
from .slurm_commands import cancel_pending, list_queued_jobs
from .slurm_scale import Jobs

TAIL_LINES = 15
"""Last lines of a job's log that an error shows."""


class SlurmWatch:
    """Keep Slurm jobs of a cluster queued or running, as many as the work needs, until :meth:`stop`.

    Args:
        cluster: a ``dask_jobqueue`` cluster without jobs yet.
        name: the name of all its Slurm jobs.
        jobs: how many jobs to keep, which of them have workers, and which workers take no new work because their
            walltime ends soon. Such jobs are replaced before they end, so that another worker can take over the
            results they hold.
        log_of: returns the path of a job's log for the job's id.
        interval_second: time between two looks at the queue, s.
        max_failed_jobs: stop the run after this many jobs in a row that ended without a worker.
        report: called with one line of text, from another thread.
    """

    def __init__(
        self,
        cluster: Any,
        name: str,
        jobs: Jobs,
        log_of: Callable[[str], Path],
        interval_second: float,
        max_failed_jobs: int,
        report: Callable[[str], None],
    ) -> None:
        self._cluster = cluster
        self._name = name
        self._jobs = jobs
        self._registered = jobs.attendance.registered
        self._log_of = log_of
        self._interval_second = interval_second
        self._max_failed_jobs = max_failed_jobs
        self._report = report
        self._seen = set[str]()
        self._expected_to_end = set[str]()  # names of jobs whose walltime ends, or that the work needs no more
        self._retired = set[str]()  # those of them that were idle
        self._withdrawn = set[str]()  # names of jobs that were to be cancelled before they begin
        self._submitted = 0
        self._failures = 0
        self._error: ClusterError | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="slurm-watch", daemon=True)
        self._handler_before: Any = None

    def start(self) -> None:
        """Submit the jobs and start to watch; call this in the main thread.

        Raises:
            UsageError: sbatch refused a job; the text contains its message.
        """
        self._cluster.sync(self._submit_missing)
        # The main thread waits for results somewhere inside Dask; only a signal can raise an error there.
        self._handler_before = signal.signal(signal.SIGUSR1, self._raise)
        self._thread.start()

    def stop(self) -> None:
        """Stop watching. After this, jobs are neither replaced nor cancelled."""
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
                        self._report(f"Slurm does not answer, trying again: {error}")
                    answering = False
            if self._error is not None:
                main = threading.main_thread().ident
                assert main is not None
                signal.pthread_kill(main, signal.SIGUSR1)

    def _look(self) -> None:
        known = {job.job_id for job in list(self._cluster.workers.values())}
        # The queue is read after ``known``, so a job submitted in between does not count as gone.
        queued = list_queued_jobs(self._name)
        withdrawn = self._cluster.sync(self._replace, known - queued)
        cancel_pending(withdrawn)

    async def _replace(self, gone: set[str]) -> list[str]:
        """Forget jobs that are gone, submit others, and return the ids of jobs that need not begin any more."""
        self._expected_to_end |= self._jobs.attendance.leaving()
        if self._registered - self._seen:
            self._failures = 0
            self._seen |= self._registered
        lost = [(name, job.job_id) for name, job in self._cluster.workers.items() if job.job_id in gone]
        for name, job_id in lost:
            self._forget(name)
            if name in self._registered:
                self._report_end(name, job_id)
            elif name not in self._withdrawn:
                tail = self._log_tail(job_id)
                self._report_lines(f"Slurm job {job_id} ended before its worker started", tail)
                self._count_failure(tail)
        try:
            if self._error is None:
                await self._submit_missing()
        except UsageError as error:
            self._report(str(error))
            self._count_failure(str(error))
        return await self._shrink()

    def _report_end(self, name: str, job_id: str) -> None:
        """Report the end of a job that had workers, with its log if nothing explains the end."""
        line = f"Slurm job {job_id} ended; another one replaces it"
        if name not in self._expected_to_end:
            self._report_lines(line, self._log_tail(job_id))
        elif name not in self._retired:
            self._report(line)

    def _report_lines(self, line: str, more: str) -> None:
        for text in (line, *more.splitlines()):
            self._report(text)

    async def _shrink(self) -> list[str]:
        """End jobs that the work does not need: those that wait first, then idle ones; return ids of the former."""
        present = self._present()
        surplus = self._jobs.surplus(len(present))
        waiting = [name for name in present if name not in self._registered and name in self._cluster.workers]
        withdrawn = waiting[:surplus]
        self._withdrawn.update(withdrawn)
        idle = self._jobs.attendance.idle_workers()
        # The jobs that would end last are kept: the newest.
        retired = [name for name in present if name in idle][: surplus - len(withdrawn)]
        self._retired.update(retired)
        self._expected_to_end.update(retired)
        if retired:
            await self._jobs.attendance.retire([address for name in retired for address in idle[name]])
        return [self._cluster.workers[name].job_id for name in withdrawn if name in self._cluster.workers]

    def _present(self) -> list[str]:
        """Return the names of jobs that take work now or will, the oldest first."""
        ending = self._expected_to_end | (self._withdrawn - self._registered)
        return [name for name in self._cluster.worker_spec if name not in ending]

    async def _submit_missing(self) -> None:
        while len(self._present()) < self._jobs.wanted():
            self._submitted += 1  # no name is used twice: the scheduler may still know the lost worker by its name
            self._cluster.worker_spec[f"{self._name}-{self._submitted}"] = self._cluster.new_spec
        try:
            await self._cluster
        finally:
            for name in [name for name, job in self._cluster.workers.items() if job.job_id is None]:
                self._forget(name)

    def _forget(self, name: str) -> None:
        self._cluster.workers.pop(name, None)
        self._cluster.worker_spec.pop(name, None)

    def _count_failure(self, message: str) -> None:
        self._failures += 1
        if self._failures >= self._max_failed_jobs:
            self._error = ClusterError(
                f"{self._failures} Slurm jobs in a row ended before their worker started, so the run stops. Check that "
                f"the nodes have this Python and this folder, and can reach {self._cluster.scheduler_address}. Message "
                f"of the last job:\n{message}"
            )

    def _log_tail(self, job_id: str) -> str:
        path = self._log_of(job_id)
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return f"  (job {job_id} left no log: it was cancelled while it waited, or could not write {path})"
        return "\n".join([f"  {path}:", *(f"  | {line}" for line in lines[-TAIL_LINES:])])
