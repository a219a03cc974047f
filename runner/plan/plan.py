"""The plan: which jobs a campaign needs, which of them are done, and why the others would run.

A job's digest covers all that its result depends on: the bytes of its sources, its settings, its own version and
the versions of PyBaMM and of the jobs before it. It is known before anything runs, so a plan costs no work.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ...data.codec import digest
from ...data.cycle_selection import CycleSelection
from ...data.errors import NOTHING_TO_SIMULATE_CODES, CampaignError
from ...data.fit_settings import FitSettings
from ...data.installed import installed_version
from ...data.results.fitting import StartResult
from ...data.results.receipt import Receipt
from ...data.settings import InitialState, SimulateSettings
from ...parquet_store.layout import Store
from ...parquet_store.read import is_valid, read_receipt
from ..campaign.campaign import Campaign
from .job import (
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
    _packages,
    split_digest,
    start_digest,
)


def plan_jobs(campaign: Campaign, sources: Sequence[ScannedSource], store: Store) -> tuple[Job, ...]:
    """List every job of a campaign, each before those that need it, with the reason why it has to run.

    Args:
        sources: the campaign's files, scanned.
    """
    wanted = list(_jobs(campaign, [_drop_parts_if_split(store, source) for source in sources]))
    running: set[Key] = set()
    planned = []
    for job in wanted:
        reason = _reason(store, job, running)
        if reason:
            running.add(job.key)
        planned.append(replace(job, reason=reason))
    return tuple(planned)


def list_cells(sources: Sequence[ScannedSource]) -> tuple[str, ...]:
    """All cells, in the order of files and of their first rows."""
    return tuple(dict.fromkeys(cell_id for source in sources for cell_id in source.cell_ids))


def _reason(store: Store, job: Job, running: set[Key]) -> str:
    receipt = read_receipt(store.receipt(job.kind, job.cell_id, job.label))
    again = any(key in running for key in job.needs)
    if is_valid(store, receipt, job.digest):
        # Starts that are done anew change their fit, and what is simulated with it, under the same settings.
        from_starts = job.kind in ("fit", "profile") or bool(getattr(job.work, "fit_label", ""))
        return EARLIER_AGAIN if again and from_starts else _goes_on(receipt, job.work)
    if receipt is None:
        return "never done"
    if (
        receipt.digest == job.digest
        and receipt.status == "skipped"
        and receipt.reason_code in NOTHING_TO_SIMULATE_CODES
    ):
        return ""
    if receipt.digest != job.digest:
        return "an earlier job runs again" if again else "settings or input changed"
    if receipt.status == "failed":
        return f"failed before: {receipt.reason}"
    if receipt.status == "skipped":
        return "skipped before"
    return "its files are gone or changed"


def _goes_on(receipt: Receipt | None, work: Work) -> str:
    """Why a start that ended early is to go on; "" = it is not, or it came to its end."""
    result = receipt.result if receipt is not None else None
    if not isinstance(result, StartResult) or not isinstance(work, StartWork):
        return ""
    before, now = result.settings.time_limit_second, work.settings.time_limit_second
    if result.stopped == "time_limit" and before is not None and (now is None or now > before):
        return TIME_LIMIT_RAISED
    if result.stopped in ("beaten", "on_its_way") and not work.settings.stop_beaten:
        return STOPPED_BEFORE
    return DIED_BEFORE if result.stopped == "died" else ""


def _jobs(campaign: Campaign, sources: Sequence[ScannedSource]) -> Iterator[Job]:
    for source in sources:
        if len(source.cell_ids) != 1:
            yield from _split_jobs(source)
    for cell_id in list_cells(sources):
        cleaning = _clean_job(campaign, cell_id, sources)
        yield cleaning
        yield from _simulations(campaign, cell_id, cleaning)
        yield from _fits(campaign, cell_id, cleaning)


def _drop_parts_if_split(store: Store, source: ScannedSource) -> ScannedSource:
    """The source without its parts, where it has been split as a whole already."""
    whole = _split_jobs(replace(source, parts=()))[0]
    receipt = read_receipt(store.receipt(whole.kind, whole.cell_id, whole.label))
    return replace(source, parts=()) if source.parts and is_valid(store, receipt, whole.digest) else source


def _split_jobs(source: ScannedSource, cell_id: str | None = None) -> tuple[Job, ...]:
    """The jobs that split a file, or those of them that find rows of one cell, in the file's order."""
    file, name, label = source.file, Path(source.file.path).name, source.file.digest[:16]
    if not source.parts:
        return (Job("split", name, label, "split", split_digest(file), SplitWork(file, source.mtime_ns)),)
    jobs = []
    for place, part in enumerate(source.parts):
        if cell_id is None or any(held == cell_id for held, _ in part.cells):
            work = SplitWork(file, source.mtime_ns, replace(part, cells=()))
            part_digest = digest("split", JOB_VERSIONS["split"], file.digest, file.settings, part.start, part.end)
            jobs.append(Job("split", name, f"{label}-{place:03d}", "split", part_digest, work))
    return tuple(jobs)


def _clean_job(campaign: Campaign, cell_id: str, sources: Sequence[ScannedSource]) -> Job:
    mine = [source for source in sources if cell_id in source.cell_ids]
    signs = sorted({source.file.settings.current_sign for source in mine})
    if len(signs) > 1:
        raise CampaignError(
            f"{campaign.path}: the files of cell {cell_id!r} are given with current_sign {' and '.join(signs)}; "
            "give them the same, or the cells different names"
        )
    split = [_split_jobs(source, cell_id) if len(source.cell_ids) > 1 else () for source in mine]
    cell_sources = tuple(
        CellSource(source.file, source.mtime_ns, tuple(job.digest for job in jobs))
        for source, jobs in zip(mine, split, strict=True)
    )
    settings = campaign.clean_settings(cell_id, mine[0].file.settings.current_sign)
    files = [(source.file.digest, source.file.settings) for source in mine]
    parts = [part for file in files for part in file]
    # The names of several files say which comes first where they have no wall clock; that of one file says nothing.
    names = [Path(source.file.path).name for source in mine] if len(mine) > 1 else []
    job_digest = digest("clean", JOB_VERSIONS["clean"], cell_id, settings, names, *parts)
    needs = tuple(job.key for jobs in split for job in jobs)
    return Job("clean", cell_id, "clean", "clean", job_digest, CleanWork(cell_sources, settings), needs)


def _simulations(campaign: Campaign, cell_id: str, cleaning: Job) -> Iterator[Job]:
    cell = campaign.cell(cell_id)
    for model in campaign.models:
        for parameter_set in campaign.parameter_sets(cell_id):
            settings = campaign.simulate_settings(cell, model, parameter_set)
            yield _simulate_job(SimulateWork(settings), cleaning.digest, (cleaning.key,))


def _simulate_job(work: SimulateWork, before: str, needs: tuple[Key, ...]) -> Job:
    settings = work.settings
    # The time limit is no part of it: a simulation that ended in time is the same under any limit.
    parts = (before, replace(settings, time_limit_second=0.0), *_packages(settings.parameter_set))
    job_digest = digest("simulate", JOB_VERSIONS["simulate"], installed_version("pybamm"), *parts)
    stage = f"simulate-{settings.model.name}"
    return Job("simulate", settings.cell.cell_id, settings.label, stage, job_digest, work, needs)


def _fits(campaign: Campaign, cell_id: str, cleaning: Job) -> Iterator[Job]:
    fits: dict[str, Job] = {}
    for settings in campaign.fits(cell_id):
        former = fits[settings.former[0]] if settings.former else None
        starts = [_start_job(settings, start, cleaning, former) for start in range(settings.starts)]
        yield from starts
        fit_digest = digest("fit", JOB_VERSIONS["fit"], *(job.digest for job in starts))
        needs = (cleaning.key, *(job.key for job in starts))
        stage = f"fit-{settings.name}"
        fit = Job("fit", cell_id, settings.name, stage, fit_digest, FitWork(settings), needs)
        fits[settings.name] = fit
        yield fit
        for parameter in settings.parameters if settings.profiles else ():
            yield _profile_job(ProfileWork(settings, parameter.name), fit, cleaning.key)
        fitted = replace(settings.parameter_set, name=settings.fitted_name, overrides=())
        simulation = campaign.simulate_settings(settings.cell, settings.model, fitted)
        simulation = _limit_to_fit_cycles(simulation, settings) if settings.is_for_own_cycles else simulation
        work = SimulateWork(simulation, settings.name)
        yield _simulate_job(work, fit_digest, (cleaning.key, fit.key))


def _limit_to_fit_cycles(simulation: SimulateSettings, fit: FitSettings) -> SimulateSettings:
    """The simulation of a fit's cycles alone; those that follow each other in one go, as they were fitted."""
    cycles = sorted({*fit.cycles, *fit.validation_cycles})
    cell, follow = simulation.cell, cycles == list(range(cycles[0], cycles[-1] + 1))
    if follow and cell.initial_state.policy == "rest_voltage":
        cell = replace(cell, initial_state=InitialState("previous_cycle"))
    return replace(simulation, cell=cell, cycles=CycleSelection(tuple((n, n) for n in cycles)))


def _start_job(settings: FitSettings, start: int, cleaning: Job, former: Job | None) -> Job:
    warm = former if start == 0 else None  # which begins where the former fit of a chain ended
    job_digest = start_digest(settings, start, cleaning.digest, warm.digest if warm else "")
    label = f"{settings.name}-{start}"
    stage = f"start-{settings.name}"
    needs = (cleaning.key, *([warm.key] if warm else []))
    return Job("start", settings.cell.cell_id, label, stage, job_digest, StartWork(settings, start), needs)


def _profile_job(work: ProfileWork, fit: Job, cleaned: Key) -> Job:
    job_digest = digest("profile", JOB_VERSIONS["profile"], fit.digest, work.parameter)
    label = f"{work.settings.name}-{work.parameter}"
    return Job("profile", fit.cell_id, label, f"profile-{work.settings.name}", job_digest, work, (cleaned, fit.key))
