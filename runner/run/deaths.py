"""Say how the worker of a job died, as far as it is known, and which option may help on the cluster in use."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ...parquet_store.layout import Store
from ..plan.job import Job
from ..worker import deaths
from ..worker.deaths import Beginning
from ..worker.run_job import DIED, JobOutcome, record_death

if TYPE_CHECKING:
    from ..cluster.exits import WorkerExit

RUNNING: Final = ".running"
"""Suffix of the file with which a job's time limit is watched; a process that dies leaves it behind."""

CRASHES: Final = (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT)
"""Signals that a fault in compiled code raises, not a lack of memory."""

MORE_MEMORY: Final = {
    "local": "raise --memory-limit, or use fewer --workers",
    "slurm": "raise --memory, the memory of each Slurm job, or lower --cores, its number of workers",
    "address": "start the scheduler's workers with more memory (dask worker --memory-limit), or fewer on each machine",
}
"""What helps against a lack of memory, by kind of cluster."""


@dataclass(frozen=True, slots=True)
class DeathReports:
    """Writes the receipts of jobs whose workers died.

    Args:
        scratch: folder of the workers' logs, where their nannies note how they end.
        cluster: ``local``, ``slurm``, or the address of a scheduler.
        silence_second: after this time a silent worker is given up, s; 0 = not known.
    """

    store: Store
    scratch: Path
    cluster: str
    silence_second: float = 0.0

    def finish(self, job: Job, outcome: JobOutcome) -> JobOutcome:
        """Return the outcome of a job; if its workers died, write its receipt, which they could not."""
        beginnings = self.beginnings(job)
        if outcome.code != DIED or not beginnings:
            return outcome
        return self.record(job, beginnings)

    def beginnings(self, job: Job) -> list[Beginning]:
        """Return in which processes a job began that it did not end."""
        return deaths.read_beginnings(deaths.begun_path(self.store, job))

    def record(self, job: Job, beginnings: Sequence[Beginning], times: int = 0) -> JobOutcome:
        """Write the receipt of a job whose workers died.

        Args:
            beginnings: the processes in which it began; empty = it never did.
            times: number of workers that died before it began.
        """
        from ..cluster.exits import read_exits

        reason = self._describe(beginnings, list(read_exits(self.scratch)), times)
        deaths.end(self.store, job)
        deaths.begun_path(self.store, job).with_suffix(RUNNING).unlink(missing_ok=True)
        return record_death(str(self.store.root), job, reason, DIED)

    def _describe(self, beginnings: Sequence[Beginning], exits: Sequence[WorkerExit], times: int) -> str:
        if not beginnings:
            how = f"its workers died {times} times before the job began"
            return f"{how}, mostly for lack of memory: {self._more_memory()}"
        last = _exit_of(beginnings[-1], exits)
        times_died = f"its worker died {len(beginnings)} times"
        if last is None:
            silence = f", or was silent for {self.silence_second:g} s (worker-ttl)" if self.silence_second else ""
            return (
                f"{times_died}; how is not known: it was killed together with the process that watches it, lost its "
                f"machine or network{silence}; if it was short of memory, {self._more_memory()}"
            )
        return f"{times_died}, the last time {_describe_exit(last)}; {self._advice(last)}"

    def _advice(self, last: WorkerExit) -> str:
        crash = (
            "a crash in compiled code, such as the solver's: another model or parameter set may avoid it; "
            "`kilocell job KEY --foreground` shows where"
        )
        if -last.exit_code in CRASHES:
            return crash
        if last.exit_code >= 0:
            where = "it ended itself: `kilocell job KEY --foreground` shows where"
            return f"{where}; if it was short of memory, {self._more_memory()}"
        return self._more_memory()

    def _more_memory(self) -> str:
        return MORE_MEMORY[self.cluster if self.cluster in MORE_MEMORY else "address"]


def _exit_of(beginning: Beginning, exits: Iterable[WorkerExit]) -> WorkerExit | None:
    for one in exits:
        if (one.host, one.pid) == (beginning.host, beginning.pid):
            return one
    return None


def _describe_exit(last: WorkerExit) -> str:
    """Return how a worker process ended, with its memory: ``by signal 9 (SIGKILL), with 1.93 GB of memory …``."""
    if last.over_limit:
        how = "because of its memory limit"
    elif last.exit_code < 0:
        how = f"by signal {-last.exit_code} ({_signal_name(-last.exit_code)})"
    else:
        how = f"with exit code {last.exit_code}"
    if not last.memory_bytes:
        return how
    limit = f" of {last.limit_bytes / 1e9:.2f} GB allowed" if last.limit_bytes else ", without a limit"
    return f"{how}, with {last.memory_bytes / 1e9:.2f} GB of memory{limit}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
