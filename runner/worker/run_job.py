"""What a worker runs: one job, from reading its input to writing its receipt.

Every job ends in a receipt, the failed and skipped ones too; what travels back is an :class:`JobOutcome` of a few
hundred bytes.
"""

from __future__ import annotations

import socket
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...data.errors import NOTHING_TO_SIMULATE_CODES, NothingToSimulateError, reason_and_code
from ...data.installed import installed_version
from ...data.results.receipt import OutputFile, Receipt, Result, Status
from ...parquet_store.layout import Store
from ...parquet_store.read import is_valid, read_receipt
from ...parquet_store.write import write_receipt
from ..plan.job import REASONS_WITH_RECEIPT, CleanWork, FitWork, Job, ProfileWork, SimulateWork, SplitWork, StartWork
from . import fit_tasks
from .cell_tasks import _clean, _simulate, _split, partial_result
from .compile import COMPILABLE_RESULTS, compile_job_models
from .inputs import define_own_set


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """What a worker sends back of a job: how it ended; the rest is in the receipt."""

    key: tuple[str, ...]
    status: Status
    reason: str = ""
    seconds: float = 0.0
    code: str = ""

    @property
    def has_nothing_to_simulate(self) -> bool:
        """Whether it was skipped for what the cell's record holds, which is no failure."""
        return self.status == "skipped" and self.code in NOTHING_TO_SIMULATE_CODES


def run_job(store_root: str, job: Job, *before: JobOutcome) -> JobOutcome:
    """Run one job and write its receipt.

    Args:
        before: outcomes of the jobs it needs that ran in this graph.

    Returns:
        The outcome; ``failed`` with the reason when the job raised, ``skipped`` when an earlier one did not end well
        or the cell's record holds nothing to simulate.
    """
    store = Store(Path(store_root))
    ended = _ended_in_this_run(store, job)
    if ended is not None:
        return ended
    began = time.time()
    clock = time.perf_counter()
    blocking = _blocking(job, before)
    if blocking is not None and blocking.has_nothing_to_simulate:
        return _finish(store, job, began, clock, "skipped", blocking.reason, blocking.code)
    if blocking is not None:
        reason = f"{' '.join(blocking.key[:1])} {blocking.status}: {blocking.reason}"
        return _finish(store, job, began, clock, "skipped", reason=reason, code="earlier_job")
    try:
        # An older receipt must not vouch for files that are about to be written over.
        store.receipt(job.kind, job.cell_id, job.label).unlink(missing_ok=True)
        result, outputs = _run(store, job)
    except NothingToSimulateError as error:
        return _finish(store, job, began, clock, "skipped", str(error), error.code)
    except Exception as error:
        log = _log(store, job)
        kept, outputs = partial_result(store, job, error)
        return _finish(store, job, began, clock, "failed", *reason_and_code(error), log, kept, outputs)
    return _finish(store, job, began, clock, "done", result=result, outputs=outputs)


def record_death(store_root: str, job: Job, reason: str, code: str) -> JobOutcome:
    """Write the failed receipt of a job that could not write its own; called by the client."""
    return _finish(Store(Path(store_root)), job, time.time(), time.perf_counter(), "failed", reason, code)


def _ended_in_this_run(store: Store, job: Job) -> JobOutcome | None:
    """The outcome of a job that ended well after the plan was made, but died with the worker that held it.

    Dask runs such a job once more where a later one needs it; its receipt says that it need not.
    """
    if job.reason in ("", *REASONS_WITH_RECEIPT):  # there was a receipt of this digest before the run
        return None
    receipt = read_receipt(store.receipt(job.kind, job.cell_id, job.label))
    if receipt is None or not is_valid(store, receipt, job.digest):
        return None
    return JobOutcome(job.key, "done", seconds=receipt.seconds)


def _blocking(job: Job, before: tuple[JobOutcome, ...]) -> JobOutcome | None:
    """The first earlier outcome that this job cannot go on without: a fit needs one of its starts, others all.

    A link of a chain goes on without the fit before it.
    """
    bad = [outcome for outcome in before if outcome.status != "done"]
    if job.kind == "fit":
        bad = [outcome for outcome in bad if not outcome.key[0].startswith("start-")]
    if job.kind == "start":
        bad = [outcome for outcome in bad if not outcome.key[0].startswith("fit-")]
    return bad[0] if bad else None


def _log(store: Store, job: Job) -> str:
    """Write the current exception's traceback; return the log's path, or nothing when the disk is full."""
    path = store.log(job.kind, job.cell_id, job.label)
    text = traceback.format_exc()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError:
        return ""
    return store.relative(path)


def _finish(
    store: Store,
    job: Job,
    began: float,
    clock: float,
    status: Status,
    reason: str = "",
    code: str = "",
    log: str = "",
    result: Result | None = None,
    outputs: tuple[OutputFile, ...] = (),
) -> JobOutcome:
    """Write the receipt, the last thing a job does."""
    seconds = time.perf_counter() - clock
    receipt = Receipt(
        kind=job.kind,
        cell_id=job.cell_id,
        label=job.label,
        digest=job.digest,
        status=status,
        reason=reason,
        reason_code=code,
        log=log,
        started_unix_second=began,
        seconds=seconds,
        host=socket.gethostname(),
        versions=tuple((name, installed_version(name)) for name in ("kilocell", "pybamm", "numpy", "scipy", "pandas")),
        outputs=outputs,
        result=result,
    )
    try:
        write_receipt(store, receipt)
    except OSError as error:
        words = f"its receipt could not be written: {error.strerror}"
        return JobOutcome(job.key, "failed", f"{reason}; {words}" if reason else words, seconds, "file_system")
    return JobOutcome(job.key, status, reason, seconds, code)


def _run(store: Store, job: Job) -> tuple[Result, tuple[OutputFile, ...]]:
    with compile_job_models(job.work) as compiled:
        result, outputs = _run_as_is(store, job)
    return (
        replace(result, compiled=True) if compiled() and isinstance(result, COMPILABLE_RESULTS) else result
    ), outputs


def _run_as_is(store: Store, job: Job) -> tuple[Result, tuple[OutputFile, ...]]:
    runs: dict[type, Callable[[Store, Job, Any], tuple[Result, tuple[OutputFile, ...]]]] = {
        SplitWork: _split,
        CleanWork: _clean,
        SimulateWork: _simulate,
        StartWork: fit_tasks.run_start_job,
        FitWork: fit_tasks.run_fit_job,
        ProfileWork: fit_tasks.run_profile_job,
    }
    define_own_set(store, job.work)
    return runs[type(job.work)](store, job, job.work)
