"""Run one job in a worker process, from reading its input to writing its receipt.

Every job ends in a receipt, also when it fails or is skipped; what travels back to the client is a :class:`JobOutcome`
of a few hundred bytes.
"""

from __future__ import annotations

import socket
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from ...data.errors import (
    NOTHING_TO_SIMULATE_CODES,
    DamagedFileError,
    JobError,
    NothingToSimulateError,
    reason_and_code,
)
from ...data.installed import installed_version
from ...data.memory_limit import set_worker_limit
from ...data.results.receipt import OutputFile, Receipt, Result, Status
from ...parquet_store.check import set_aside
from ...parquet_store.layout import Store
from ...parquet_store.receipts import forget_job, is_valid, read_receipt
from ...parquet_store.shared_folder import follow_folder
from ...parquet_store.write import Unwritten, write_receipt, write_with_receipt
from ..cluster.running_jobs import running_job
from ..cluster.worker_memory import worker_memory_bytes
from ..plan.job import REASONS_WITH_RECEIPT, CleanWork, FitWork, Job, ProfileWork, SimulateWork, SplitWork, StartWork
from . import deaths
from .alone import share_process
from .cell_tasks import partial_result, run_clean_job, run_simulate_job, run_split_job
from .compile import COMPILABLE_RESULTS, compile_job_models
from .fit_tasks import run_fit_job, run_profile_job, run_start_job
from .inputs import define_own_set
from .time_limits import limited

JobOutput = tuple[Result, tuple[OutputFile | Unwritten, ...]]
"""What a job has: its result, the files it wrote, and at most one that is written with the receipt in it."""

_RUN_BY_KIND: Final[dict[type, Callable[[Store, Job, Any], JobOutput]]] = {
    SplitWork: run_split_job,
    CleanWork: run_clean_job,
    SimulateWork: run_simulate_job,
    StartWork: run_start_job,
    FitWork: run_fit_job,
    ProfileWork: run_profile_job,
}
DIED: Final = "worker_died"
"""Reason code of a job whose workers died."""

_VERSIONS_IN_RECEIPT: Final = ("kilocell", "pybamm", "numpy", "scipy", "pandas")


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """What a worker sends back of a job: how it ended; everything else is in the receipt.

    Args:
        key: the job's key (stage, cell, label).
        reason: why it failed or was skipped, for people; ``""`` when it is done.
        seconds: wall time that the job took.
        code: short stable name of the reason.
    """

    key: tuple[str, ...]
    status: Status
    reason: str = ""
    seconds: float = 0.0
    code: str = ""

    @property
    def has_nothing_to_simulate(self) -> bool:
        """Whether it was skipped because the cell's record holds nothing to simulate, which is not an error."""
        return self.status == "skipped" and self.code in NOTHING_TO_SIMULATE_CODES


def run_job(store_root: str, job: Job, *before: JobOutcome) -> JobOutcome:
    """Run one job and write its receipt.

    Args:
        store_root: path of the store.
        before: outcomes of the jobs it needs that ran in the same graph.

    Returns:
        The outcome: ``failed`` with the reason when the job raised; ``skipped`` when a job it needs was not done, or
        the cell's record holds nothing to simulate.
    """
    store = Store(Path(store_root))
    follow_folder(store.root)
    set_worker_limit(worker_memory_bytes())
    already_done = _done_in_this_run(store, job)
    if already_done is not None:
        return already_done
    ending = _Ending(store, job, time.time(), time.perf_counter())
    skipped = skip_if_blocked(store_root, job, before)
    if skipped is not None:
        return skipped
    died = deaths.count(store, job)
    if died >= deaths.most_deaths(job):  # its client knows more of these deaths, and writes the receipt
        return JobOutcome(job.key, "failed", f"its worker died {died} times", code=DIED)
    with share_process(alone=died > 0):
        return _run_to_end(store, job, ending)


def run_jobs_in_order(
    store_root: str, jobs: Sequence[Job], before: Mapping[tuple[str, ...], JobOutcome]
) -> list[JobOutcome]:
    """Run the jobs of one task, one after the other.

    Args:
        store_root: path of the store.
        jobs: each after the jobs it needs.
        before: how needed jobs ended that are not among them; those that are done may be left out.

    Returns:
        Their outcomes, in order.
    """
    ended = dict(before)
    for job in jobs:
        with running_job(job.key):
            ended[job.key] = run_job(store_root, job, *(ended[key] for key in job.needs if key in ended))
    return [ended[job.key] for job in jobs]


def _run_to_end(store: Store, job: Job, ending: _Ending) -> JobOutcome:
    deaths.begin(store, job)
    try:
        if job.kind != "clean":  # which keeps the record of before until it has another: its raw file may be gone
            forget_job(store, job.kind, job.cell_id, job.label)
        return ending.succeed(*_run(store, job))
    except NothingToSimulateError as error:
        return ending.skip(str(error), error.code)
    except Exception as error:
        return ending.fail(error)
    finally:
        deaths.end(store, job)


def record_death(store_root: str, job: Job, reason: str, code: str) -> JobOutcome:
    """Write the failed receipt of a job that could not write its own; the client calls this.

    Args:
        store_root: path of the store.
        reason: what happened to the job, for people.
        code: short stable name of the reason.
    """
    ending = _Ending(Store(Path(store_root)), job, time.time(), time.perf_counter())
    text = f"{reason}\n\nThe job's process ended before it could write a traceback.\n"
    return ending.fail_with_log(reason, code, text)


def _done_in_this_run(store: Store, job: Job) -> JobOutcome | None:
    """Return the outcome of a job that was done earlier in this run, and whose worker died afterwards.

    Dask then runs the job again if a later one needs it; its receipt shows that this is not necessary.
    """
    if job.reason in ("", *REASONS_WITH_RECEIPT):  # the receipt may be older than this run
        return None
    receipt = read_receipt(store.receipt(job.kind, job.cell_id, job.label))
    if receipt is None or not is_valid(store, receipt, job.digest):
        return None
    return JobOutcome(job.key, "done", seconds=receipt.seconds)


def skip_if_blocked(store_root: str, job: Job, before: Sequence[JobOutcome]) -> JobOutcome | None:
    """Write the receipt of a job that cannot run because a job it needs is not done; ``None`` = it can run.

    Args:
        store_root: path of the store.
        before: outcomes of the jobs it needs that ran in the same graph.
    """
    blocking = _first_blocking(job, before)
    if blocking is None:
        return None
    ending = _Ending(Store(Path(store_root)), job, time.time(), time.perf_counter())
    return ending.skip(*_reason_and_code_of_skip(blocking))


def _first_blocking(job: Job, before: Sequence[JobOutcome]) -> JobOutcome | None:
    """Return the first outcome that keeps a job from running.

    A fit runs when any of its starts is done, and a link of a chain also when the fit before it failed.
    """
    optional = {"fit": "start-", "start": "fit-"}.get(job.kind)
    for outcome in before:
        stage = outcome.key[0]
        if outcome.status != "done" and not (optional and stage.startswith(optional)):
            return outcome
    return None


def _reason_and_code_of_skip(blocking: JobOutcome) -> tuple[str, str]:
    if blocking.has_nothing_to_simulate:
        return blocking.reason, blocking.code
    return f"{blocking.key[0]} {blocking.status}: {blocking.reason}", "earlier_job"


def _run(store: Store, job: Job) -> JobOutput:
    with compile_job_models(job.work) as are_compiled, _damaged_files_moved():
        define_own_set(store, job.work)
        with _limit(store, job):
            result, outputs = _RUN_BY_KIND[type(job.work)](store, job, job.work)
    if are_compiled() and isinstance(result, COMPILABLE_RESULTS):
        return replace(result, compiled=True), outputs
    return result, outputs


def _limit(store: Store, job: Job) -> AbstractContextManager[object]:
    """End the job at its time limit; simulations and starts of fits, which end themselves first, do this inside."""
    if isinstance(job.work, (SimulateWork, StartWork)):
        return nullcontext()
    return limited(store, job)


@contextmanager
def _damaged_files_moved() -> Iterator[None]:
    """Move a damaged input away, so that the next run makes it again, and end the job with this reason."""
    try:
        yield
    except DamagedFileError as error:
        with suppress(FileNotFoundError):  # another job of the cell was first
            set_aside(error.path)
        raise JobError(
            f"its input {error.path} was damaged ({error.why}) and was moved away; run again: it is made again",
            "damaged_file",
        ) from error


@dataclass(frozen=True, slots=True)
class _Ending:
    """Writes the receipt of a job, the last thing that the job does.

    Args:
        began_unix_second: when the job began, s since 1970.
        began_clock_second: the same on :func:`time.perf_counter`.
    """

    store: Store
    job: Job
    began_unix_second: float
    began_clock_second: float

    def succeed(self, result: Result, outputs: Sequence[OutputFile | Unwritten]) -> JobOutcome:
        """Write the receipt of a job that is done, with its last file if it has one.

        Raises:
            OSError: that file cannot be written.
        """
        written = tuple(one for one in outputs if isinstance(one, OutputFile))
        for one in outputs:
            if isinstance(one, Unwritten):
                receipt = self._receipt("done", result=result, outputs=written)
                write_with_receipt(self.store, one, receipt)
                return JobOutcome(self.job.key, "done", seconds=receipt.seconds)
        return self._finish(self._receipt("done", result=result, outputs=written))

    def skip(self, reason: str, code: str) -> JobOutcome:
        """Write the receipt of a skipped job."""
        return self._finish(self._receipt("skipped", reason, code))

    def fail(self, error: Exception) -> JobOutcome:
        """Write the traceback, the partial result and the receipt of a failed job; for use in an ``except`` block."""
        log = self.write_log(traceback.format_exc())
        result, outputs = partial_result(self.store, self.job, error)
        reason, code = reason_and_code(error)
        return self._finish(self._receipt("failed", reason, code, log, result, outputs))

    def fail_with_log(self, reason: str, code: str, text: str) -> JobOutcome:
        """Write the log and the receipt of a failed job that left nothing else."""
        return self._finish(self._receipt("failed", reason, code, self.write_log(text)))

    def _finish(self, receipt: Receipt) -> JobOutcome:
        """Write the receipt; an outcome ``failed`` when the disk does not take it."""
        reason = receipt.reason
        try:
            write_receipt(self.store, receipt)
        except OSError as error:
            not_written = f"its receipt could not be written: {error.strerror}"
            reason = f"{reason}; {not_written}" if reason else not_written
            return JobOutcome(self.job.key, "failed", reason, receipt.seconds, "file_system")
        return JobOutcome(self.job.key, receipt.status, reason, receipt.seconds, receipt.reason_code)

    def _receipt(
        self,
        status: Status,
        reason: str = "",
        code: str = "",
        log: str = "",
        result: Result | None = None,
        outputs: tuple[OutputFile, ...] = (),
    ) -> Receipt:
        return Receipt(
            kind=self.job.kind,
            cell_id=self.job.cell_id,
            label=self.job.label,
            digest=self.job.digest,
            status=status,
            reason=reason,
            reason_code=code,
            log=log,
            started_unix_second=self.began_unix_second,
            seconds=time.perf_counter() - self.began_clock_second,
            host=socket.gethostname(),
            versions=tuple((name, installed_version(name)) for name in _VERSIONS_IN_RECEIPT),
            outputs=outputs,
            result=result,
        )

    def write_log(self, text: str) -> str:
        """Write the log of the job.

        Returns:
            The log's path relative to the store; ``""`` when it cannot be written (a full disk, for example).
        """
        path = self.store.log(self.job.kind, self.job.cell_id, self.job.label)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", errors="backslashreplace")
        except OSError:
            return ""
        return self.store.relative(path)
