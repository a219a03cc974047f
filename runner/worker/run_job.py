"""What a worker runs: one job, from reading its input to writing its receipt.

Every job ends in a receipt, the failed and skipped ones too; what travels back is an :class:`Outcome` of a few
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

from ...data.errors import CONTENT_CODES, NothingToSimulateError, reason_and_code
from ...data.installed import version_of
from ...data.results.receipt import OutputFile, Receipt, Result, Status
from ...parquet_store.layout import Store
from ...parquet_store.read import is_valid, read_receipt
from ...parquet_store.write import write_receipt
from ..plan.job import WITH_RECEIPT, CleanWork, FitWork, Job, ProfileWork, SimulateWork, SplitWork, StartWork
from . import fit_tasks
from .cell_tasks import _clean, _simulate, _split, keep
from .compile import COMPILED, compiling
from .inputs import make_known


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a worker sends back of a job: how it ended; the rest is in the receipt."""

    key: tuple[str, ...]
    status: Status
    reason: str = ""
    seconds: float = 0.0
    code: str = ""

    @property
    def for_content(self) -> bool:
        """Whether it was skipped for what the cell's record holds, which is no failure."""
        return self.status == "skipped" and self.code in CONTENT_CODES


def run_job(store_root: str, job: Job, *before: Outcome) -> Outcome:
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
    if blocking is not None and blocking.for_content:
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
        kept, outputs = keep(store, job, error)
        return _finish(store, job, began, clock, "failed", *reason_and_code(error), log, kept, outputs)
    return _finish(store, job, began, clock, "done", result=result, outputs=outputs)


def record_death(store_root: str, job: Job, reason: str, code: str) -> Outcome:
    """Write the failed receipt of a job that could not write its own; called by the client."""
    return _finish(Store(Path(store_root)), job, time.time(), time.perf_counter(), "failed", reason, code)


def _ended_in_this_run(store: Store, job: Job) -> Outcome | None:
    """The outcome of a job that ended well after the plan was made, but died with the worker that held it.

    Dask runs such a job once more where a later one needs it; its receipt says that it need not.
    """
    if job.reason in ("", *WITH_RECEIPT):  # there was a receipt of this digest before the run
        return None
    receipt = read_receipt(store.receipt(job.kind, job.cell_id, job.label))
    if receipt is None or not is_valid(store, receipt, job.digest):
        return None
    return Outcome(job.key, "done", seconds=receipt.seconds)


def _blocking(job: Job, before: tuple[Outcome, ...]) -> Outcome | None:
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
) -> Outcome:
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
        versions=tuple((name, version_of(name)) for name in ("kilocell", "pybamm", "numpy", "scipy", "pandas")),
        outputs=outputs,
        result=result,
    )
    try:
        write_receipt(store, receipt)
    except OSError as error:
        words = f"its receipt could not be written: {error.strerror}"
        return Outcome(job.key, "failed", f"{reason}; {words}" if reason else words, seconds, "file_system")
    return Outcome(job.key, status, reason, seconds, code)


def _run(store: Store, job: Job) -> tuple[Result, tuple[OutputFile, ...]]:
    with compiling(job.work) as compiled:
        result, outputs = _run_as_is(store, job)
    return (replace(result, compiled=True) if compiled() and isinstance(result, COMPILED) else result), outputs


def _run_as_is(store: Store, job: Job) -> tuple[Result, tuple[OutputFile, ...]]:
    runs: dict[type, Callable[[Store, Job, Any], tuple[Result, tuple[OutputFile, ...]]]] = {
        SplitWork: _split,
        CleanWork: _clean,
        SimulateWork: _simulate,
        StartWork: fit_tasks.start,
        FitWork: fit_tasks.fit,
        ProfileWork: fit_tasks.profile,
    }
    make_known(store, job.work)
    return runs[type(job.work)](store, job, job.work)
