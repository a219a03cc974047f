"""Say how the worker of a job died, as far as it is known, and which option may help on the cluster in use."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable, Mapping, Sequence
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

CRASHES: Final = (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT)
"""Signals that a fault in compiled code raises, not a lack of memory."""

NOTED_WITHIN_SECOND: Final = 10.0
"""Longest time between the end of a worker and the note of its nanny, s: another worker may say first that the job's
worker died. Chosen, not measured: it is milliseconds on an idle machine."""

MORE_MEMORY: Final = {
    "local": "raise --memory-limit, or use fewer --workers",
    "slurm": "raise --memory, the memory of each Slurm job, or lower --cores, its number of workers",
    "address": "start the scheduler's workers with more memory (dask worker --memory-limit), or fewer on each machine",
}
"""What helps against a lack of memory, by kind of cluster."""

KILLED: Final = {
    "local": "something else killed it, mostly the system when the machine has no memory left: use fewer --workers, or "
    "end other programs",
    "slurm": f"something else killed it, mostly Slurm or the system for lack of memory: {MORE_MEMORY['slurm']}",
    "address": f"something else killed it, mostly the system for lack of memory: {MORE_MEMORY['address']}",
}
"""What is said of a worker that was killed below its own limit, by kind of cluster."""

CRASHED: Final = "compiled code crashed, such as the solver's: another model or parameter set may avoid it"
ENDED_ITSELF: Final = "a library that the job calls ended the process"


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
        if outcome.code != DIED:
            return outcome
        beginnings = self.beginnings(job)
        return self.record(job, beginnings) if beginnings else outcome

    def beginnings(self, job: Job) -> list[Beginning]:
        """Return in which processes a job began that it did not end."""
        return deaths.read_beginnings(deaths.begun_path(self.store, job))

    def record(self, job: Job, beginnings: Sequence[Beginning], times: int = 0) -> JobOutcome:
        """Write the receipt of a job whose workers died.

        Args:
            beginnings: the processes in which it began; empty = it never did.
            times: number of workers that died before it began.
        """
        reason = self._describe(beginnings, times)
        deaths.end(self.store, job)
        return record_death(str(self.store.root), job, reason, DIED)

    def _describe(self, beginnings: Sequence[Beginning], times: int) -> str:
        if not beginnings:
            last = next(reversed(self._read_exits()), None)
            how = f"its workers died {times} times before the job began"
            if last is None:
                return f"{how}, mostly for lack of memory: {self._of_cluster(MORE_MEMORY)}"
            return f"{how}, the last time {_describe_exit(last)}; {self._advice(last)}"
        last = self._find_exit(beginnings[-1])
        times_died = f"its worker died {len(beginnings)} times"
        if last is None:
            silence = f", or was silent for {self.silence_second:g} s (worker-ttl)" if self.silence_second else ""
            return (
                f"{times_died}; how is not known: it was killed together with the process that watches it, lost its "
                f"machine or network{silence}; if it was short of memory, {self._of_cluster(MORE_MEMORY)}"
            )
        return f"{times_died}, the last time {_describe_exit(last)}; {self._advice(last)}"

    def _find_exit(self, beginning: Beginning) -> WorkerExit | None:
        """Return how a process ended; wait until its nanny has noted it, if there is such a nanny."""
        until = time.monotonic() + (NOTED_WITHIN_SECOND if self.cluster in ("local", "slurm") else 0.0)
        while True:
            found = _exit_of(beginning, self._read_exits())
            if found is not None or time.monotonic() >= until:
                return found
            time.sleep(0.05)

    def _read_exits(self) -> list[WorkerExit]:
        from ..cluster.exits import read_exits

        return list(read_exits(self.scratch))

    def _advice(self, last: WorkerExit) -> str:
        if last.over_limit:
            return self._of_cluster(MORE_MEMORY)
        if -last.exit_code in CRASHES:
            return CRASHED
        if last.exit_code >= 0:
            return ENDED_ITSELF
        return self._of_cluster(KILLED)

    def _of_cluster(self, texts: Mapping[str, str]) -> str:
        return texts[self.cluster if self.cluster in texts else "address"]


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
