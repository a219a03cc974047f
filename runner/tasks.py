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

import pandas as pd

from ..data import readers
from ..data.errors import CONTENT_CODES, JobError, NothingToSimulateError, reason_and_code
from ..data.settings import SourceFile
from ..data.values import CleanResult, OutputFile, Receipt, RecordSource, Result, SplitResult, Status
from ..parquet_store.layout import Store
from ..parquet_store.read import is_valid, read_partition, read_raw_parts, read_receipt
from ..parquet_store.write import write_frame, write_receipt
from . import fit_tasks
from .compile_plan import COMPILED, compiling
from .earlier import clean_result, fit_result
from .forced_end import forced_end
from .kept import keep, write_simulation
from .own_sets import make_known
from .plan import WITH_RECEIPT, Job, version_of
from .work import CellSource, CleanWork, FitWork, ProfileWork, SimulateWork, SplitWork, StartWork


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


def _check_source(file: SourceFile, mtime_ns: int) -> None:
    """Refuse a file that changed since the plan was made: its digest would vouch for other bytes."""
    path = Path(file.path)
    status = path.stat()
    if (status.st_size, status.st_mtime_ns) != (file.bytes, mtime_ns):
        raise JobError(f"{path} changed while the run was on; run again", "file_changed")


def _split(store: Store, job: Job, work: SplitWork) -> tuple[SplitResult, tuple[OutputFile, ...]]:
    path = Path(work.file.path)
    _check_source(work.file, work.mtime_ns)
    parts: dict[str, int] = {}
    rows: dict[str, int] = {}
    outputs = []
    for cell_id, table in readers.read_by_cell(path, work.file.settings, part=work.part):
        part = parts.get(cell_id, 0)
        target = store.raw(job.digest, cell_id) / f"part-{part:03d}.parquet"
        outputs.append(write_frame(store, target, table, {"cell_id": cell_id, "digest": job.digest}))
        parts[cell_id] = part + 1
        rows[cell_id] = rows.get(cell_id, 0) + len(table)
    return SplitResult(work.file, tuple(rows.items()), work.part is None), tuple(outputs)


def _clean(store: Store, job: Job, work: CleanWork) -> tuple[CleanResult, tuple[OutputFile, ...]]:
    from ..jobs.clean import clean
    from ..jobs.cycles import mean_temperature, summarise_cycles
    from ..jobs.join import join_sources, source_order

    tables = [(Path(source.file.path).name, _read_source(store, job.cell_id, source)) for source in work.sources]
    order = source_order(tables)
    cleaned = clean(join_sources(tables, order), job.cell_id, work.settings)
    metadata = {"cell_id": job.cell_id, "digest": job.digest}
    outputs = (
        write_frame(store, store.cleaned(job.cell_id), cleaned.samples, metadata),
        write_frame(store, store.quarantine(job.cell_id), cleaned.quarantined, metadata),
    )
    read = [work.sources[i] for i in order]
    sources = tuple(RecordSource(source.file, source.splits) for source in read)
    cycles, celsius = summarise_cycles(cleaned.samples), mean_temperature(cleaned.samples)
    return CleanResult(cleaned.report, cycles, celsius, sources), outputs


def _read_source(store: Store, cell_id: str, source: CellSource) -> pd.DataFrame:
    if source.splits:
        return read_raw_parts(store, source.splits, cell_id)
    _check_source(source.file, source.mtime_ns)
    return readers.read_raw(Path(source.file.path), source.file.settings, cell_id)


def _simulate(store: Store, job: Job, work: SimulateWork) -> tuple[Result, tuple[OutputFile, ...]]:
    from ..jobs.capacity import with_capacity
    from ..jobs.simulate import simulate

    settings = work.settings
    if work.fit_label:
        fitted = fit_result(store, job.cell_id, work.fit_label)
        settings = replace(settings, parameter_set=fitted.parameter_set)
    samples, cleaned = read_partition(store, job.cell_id), clean_result(store, job.cell_id)
    settings = with_capacity(settings, cleaned.cycles, samples)
    running = store.receipt(job.kind, job.cell_id, job.label).with_suffix(".running")
    with forced_end(running, settings.time_limit_second):
        simulated = simulate(samples, settings, cleaned.temperature_mean_celsius)
    return simulated.result, (write_simulation(store, job, simulated.frame),)
