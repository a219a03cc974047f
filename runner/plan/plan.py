"""The plan: the jobs a campaign needs, which of them are up to date, and why the others run.

A job's digest covers everything its result depends on: the bytes of its raw files, its settings, its job version,
PyBaMM's version and the digests of the jobs it needs. All digests are known before anything runs, so a plan is cheap.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ...data.codec import digest
from ...data.errors import NOTHING_TO_SIMULATE_CODES
from ...data.file_names import short_names
from ...data.fit_settings import FitSettings
from ...data.installed import installed_version
from ...data.results.fitting import NESTED_START, StartResult
from ...data.results.receipt import Receipt
from ...data.settings import CleanSettings
from ...data.standing import CHANGED
from ...parquet_store.layout import Store
from ...parquet_store.read import is_valid, read_receipt, read_receipt_head
from ..campaign.cell_plan import CellFit, CellPlan
from .job import (
    CLEAN_LIMIT_SECOND,
    DIED_BEFORE,
    EARLIER_AGAIN,
    JOB_VERSIONS,
    STOPPED_BEFORE,
    TIME_LIMIT_RAISED,
    CellSource,
    CleanWork,
    FitWork,
    Job,
    Key,
    ProfileWork,
    ScannedSource,
    SimulateWork,
    SplitWork,
    StartWork,
    Work,
    plugin_versions,
    split_digest,
    start_digest,
    start_label,
    without_set_source,
)
from .kept import NEEDED_AGAIN, depends_on_starts, find_kept


def plan_jobs(
    cells: Iterable[CellPlan],
    sources: Sequence[ScannedSource],
    store: Store,
    clean_limit_second: float = CLEAN_LIMIT_SECOND,
) -> tuple[Job, ...]:
    """List every job of a campaign, each after the jobs it needs, with the reason why it has to run.

    Args:
        cells: the resolved settings of each cell of the sources.
        sources: the campaign's raw files, scanned; the files of one cell must agree on the current's sign
            (:func:`kilocell.runner.plan.scan.check_current_signs`).
        store: where earlier results are; only read.
        clean_limit_second: longest time to split a file or to clean a cell, s.
    """
    sources = [without_parts_if_split(store, source) for source in sources]
    running: set[Key] = set()
    kept: set[Key] = set()
    planned = []
    gone = {source.file.path for source in sources if source.is_gone and not source.problem}
    for job in _all_jobs(cells, sources):
        read = read_receipt if job.kind == "start" else read_receipt_head  # only a start may go on from its result
        receipt = read(store.receipt(job.kind, job.cell_id, job.label))
        before = find_kept(job, receipt, running, kept)
        reason = "" if before is not None else _reason(store, job, receipt, running)
        if reason and isinstance(job.work, SplitWork) and job.work.file.path in gone and not job.work.problem:
            continue  # nothing needs it: the cells of the file are cleaned
        if before is not None:
            kept.add(job.key)
        elif reason:
            running.add(job.key)
        work = job.work
        if isinstance(work, (SplitWork, CleanWork)) and work.time_limit_second != clean_limit_second:
            work = replace(work, time_limit_second=clean_limit_second)
        if reason or before is not None or work is not job.work:
            job = replace(job, reason=reason, work=work, kept=before)
        planned.append(job)
    return tuple(planned)


def list_cells(sources: Sequence[ScannedSource]) -> tuple[str, ...]:
    """Return the cells that can be cleaned, each once, in the order of the files and of the first rows in them.

    A cell with a file that cannot be opened is not among them: its other files are only a part of its record.
    """
    incomplete = {cell_id for source in sources for cell_id in source.cells_by_name}
    cell_ids = dict.fromkeys(cell_id for source in sources for cell_id in source.cell_ids)
    return tuple(cell_id for cell_id in cell_ids if cell_id not in incomplete)


def _reason(store: Store, job: Job, receipt: Receipt | None, running: set[Key]) -> str:
    """Return why a job has to run; ``""`` = it is up to date.

    Args:
        receipt: of the job; ``None`` = it has none.
        running: keys of the earlier jobs that run.
    """
    needed_job_runs = any(key in running for key in job.needs)
    if is_valid(store, receipt, job.digest):
        # A start that runs again can change its fit, and the simulation of that fit, under the same digest.
        if needed_job_runs and depends_on_starts(job):
            return EARLIER_AGAIN
        return _reason_to_continue(receipt, job.work)
    if receipt is None:
        return "never run before"
    if receipt.digest != job.digest:
        if needed_job_runs:
            return NEEDED_AGAIN
        return CHANGED
    if receipt.status == "failed":
        return f"failed before: {receipt.reason}"
    if receipt.status == "skipped":
        if receipt.reason_code in NOTHING_TO_SIMULATE_CODES:
            return ""
        return "skipped before"
    return "its output files are missing or were changed"


def _reason_to_continue(receipt: Receipt | None, work: Work) -> str:
    """Return why a start that stopped early has to continue; ``""`` = it need not."""
    if receipt is None or not isinstance(receipt.result, StartResult) or not isinstance(work, StartWork):
        return ""
    result = receipt.result
    if result.stopped == "time_limit" and _is_raised(
        result.settings.time_limit_second, work.settings.time_limit_second
    ):
        return TIME_LIMIT_RAISED
    if result.stopped in ("beaten", "on_its_way") and not work.settings.stop_beaten:
        return STOPPED_BEFORE
    if result.stopped == "died":
        return DIED_BEFORE
    return ""


def _is_raised(before_second: float | None, now_second: float | None) -> bool:
    """Whether a time limit was raised; ``None`` = no limit."""
    if before_second is None:
        return False
    return now_second is None or now_second > before_second


def _all_jobs(cells: Iterable[CellPlan], sources: Sequence[ScannedSource]) -> Iterator[Job]:
    planned: set[Key] = set()
    for source in sources:
        if len(source.cell_ids) == 1:
            continue
        for job in plan_splits(source):
            if not source.cell_ids and job.key in planned:
                # Another file of the same name and content, in another folder: each fails with its own path.
                job = replace(job, label=f"{job.label}-{_path_digest(source)}")
            planned.add(job.key)
            yield job
    by_cell = sources_by_cell(sources)
    for cell in cells:
        cleaning = plan_cleaning(cell.cell_id, cell.clean, by_cell[cell.cell_id])
        yield cleaning
        for settings in cell.simulations:
            yield _simulate_job(SimulateWork(settings), cleaning.digest, (cleaning.key,))
        yield from _fit_jobs(cell.fits, cleaning)


def without_parts_if_split(store: Store, source: ScannedSource) -> ScannedSource:
    """Return the source without its parts if an earlier run has split it as a whole.

    Args:
        store: where earlier results are; only read.
    """
    if not source.parts:
        return source
    undivided = replace(source, parts=())
    (job,) = plan_splits(undivided)
    receipt = read_receipt(store.receipt(job.kind, job.cell_id, job.label))
    if is_valid(store, receipt, job.digest):
        return undivided
    return source


def plan_splits(source: ScannedSource, cell_id: str | None = None) -> tuple[Job, ...]:
    """Return the jobs that split a file, in the order of its parts.

    Args:
        cell_id: only the jobs of the parts that hold rows of this cell; ``None`` = all.
    """
    file = source.file
    name = Path(file.path).name
    label = file.digest[:16]
    if source.problem:
        label = f"{label}-{_path_digest(source)}"
        work = SplitWork(file, source.mtime_ns, problem=source.problem)
        return (Job("split", name, label, "split", split_digest(file), work),)
    if not source.parts:
        return (Job("split", name, label, "split", split_digest(file), SplitWork(file, source.mtime_ns)),)
    jobs = []
    for number, part in enumerate(source.parts):
        if cell_id is None or any(held == cell_id for held, _ in part.cells):
            work = SplitWork(file, source.mtime_ns, replace(part, cells=()))
            part_digest = digest("split", JOB_VERSIONS["split"], file.digest, file.settings, part.start, part.end)
            jobs.append(Job("split", name, f"{label}-{number:03d}", "split", part_digest, work))
    return tuple(jobs)


def _path_digest(source: ScannedSource) -> str:
    return digest(source.file.path)[:8]


def sources_by_cell(sources: Iterable[ScannedSource]) -> dict[str, list[ScannedSource]]:
    """Return the raw files of each cell, in order."""
    found: dict[str, list[ScannedSource]] = {}
    for source in sources:
        for cell_id in source.cell_ids:
            found.setdefault(cell_id, []).append(source)
    return found


def plan_cleaning(cell_id: str, settings: CleanSettings, own_sources: Sequence[ScannedSource]) -> Job:
    """Return the job that cleans a cell.

    Args:
        settings: thresholds of the cleaning rules; the sign of the current is that of the cell's files.
        own_sources: the raw files of the cell, at least one.
    """
    cell_sources = []
    needs: list[Key] = []
    inputs: list[object] = []
    for source in own_sources:
        splits = plan_splits(source, cell_id) if len(source.cell_ids) > 1 else ()
        cell_sources.append(CellSource(source.file, source.mtime_ns, tuple(job.digest for job in splits)))
        needs.extend(job.key for job in splits)
        inputs.extend((source.file.digest, source.file.settings))
    current_sign = own_sources[0].file.settings.current_sign
    if settings.current_sign != current_sign:
        settings = replace(settings, current_sign=current_sign)
    # File names give the order of several files without a wall clock, so they are part of the digest; that of a single
    # file is not.
    names: list[str] = []
    if len(own_sources) > 1:
        names = list(short_names([source.file.path for source in own_sources]))
    job_digest = digest("clean", JOB_VERSIONS["clean"], cell_id, settings, names, *inputs)
    work = CleanWork(tuple(cell_sources), settings)
    return Job("clean", cell_id, "clean", "clean", job_digest, work, tuple(needs))


def _simulate_job(work: SimulateWork, earlier_digest: str, needs: tuple[Key, ...]) -> Job:
    """Return a simulation's job.

    Args:
        earlier_digest: digest of the clean job, or of the fit whose parameter set is simulated.
    """
    settings = work.settings
    # The time limit is no part of the digest: a simulation that ended in time is the same under any limit.
    unlimited = replace(settings, cell=without_set_source(settings.cell), time_limit_second=0.0)
    inputs = (earlier_digest, unlimited, *plugin_versions(settings.parameter_set))
    job_digest = digest("simulate", JOB_VERSIONS["simulate"], installed_version("pybamm"), *inputs)
    stage = sys.intern(f"simulate-{settings.model.name}")
    return Job("simulate", settings.cell.cell_id, settings.label, stage, job_digest, work, needs)


def _fit_jobs(fits: Sequence[CellFit], cleaning: Job) -> Iterator[Job]:
    """Yield the jobs of each fit of a cell: its starts, the fit, its profiles, and the simulation with its result."""
    done: dict[str, Job] = {}
    for cell_fit in _smaller_first(fits):
        settings = cell_fit.settings
        previous = [done[name] for name in settings.former[:1]]
        starts = [_start_job(settings, start, cleaning, () if start else previous) for start in range(settings.starts)]
        if settings.smaller:
            starts.append(_start_job(settings, NESTED_START, cleaning, [done[name] for name in settings.smaller]))
        yield from starts
        fit = _fit_job(settings, starts, cleaning)
        done[settings.name] = fit
        yield fit
        if settings.profiles:
            for parameter in settings.parameters:
                yield _profile_job(ProfileWork(settings, parameter.name), fit, cleaning.key)
        work = SimulateWork(cell_fit.simulation, settings.name)
        yield _simulate_job(work, fit.digest, (cleaning.key, fit.key))


def _smaller_first(fits: Sequence[CellFit]) -> Sequence[CellFit]:
    """Return fits that are contained in others before these; the order is otherwise that of the campaign."""
    if not any(fit.settings.smaller for fit in fits):
        return fits
    return sorted(fits, key=lambda fit: len(fit.settings.parameters) + len(fit.settings.links))


def _start_job(settings: FitSettings, start: int, cleaning: Job, earlier: Sequence[Job]) -> Job:
    """Return the job of one start.

    Args:
        earlier: fits at one of whose results the start begins: the one before in a chain, or the smaller ones.
    """
    needs = (cleaning.key, *(job.key for job in earlier))
    warm_digest = earlier[0].digest if len(earlier) == 1 else ""
    if len(earlier) > 1:
        warm_digest = digest(*(job.digest for job in earlier))
    return Job(
        kind="start",
        cell_id=settings.cell.cell_id,
        label=start_label(settings.name, start),
        stage=f"start-{settings.name}",
        digest=start_digest(settings, start, cleaning.digest, warm_digest),
        work=StartWork(settings, start),
        needs=needs,
    )


def _fit_job(settings: FitSettings, starts: Sequence[Job], cleaning: Job) -> Job:
    return Job(
        kind="fit",
        cell_id=settings.cell.cell_id,
        label=settings.name,
        stage=f"fit-{settings.name}",
        digest=digest("fit", JOB_VERSIONS["fit"], *(job.digest for job in starts)),
        work=FitWork(settings),
        needs=(cleaning.key, *(job.key for job in starts)),
    )


def _profile_job(work: ProfileWork, fit: Job, clean_key: Key) -> Job:
    return Job(
        kind="profile",
        cell_id=fit.cell_id,
        label=f"{work.settings.name}-{work.parameter}",
        stage=f"profile-{work.settings.name}",
        digest=digest("profile", JOB_VERSIONS["profile"], fit.digest, work.parameter),
        work=work,
        needs=(clean_key, fit.key),
    )
