"""One run of a campaign, from the scan of its raw files to the last receipt in the catalog."""

from __future__ import annotations

import gc
import os
import socket
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, TextIO

from ...data.codec import digest
from ...data.errors import KilocellError, StoreError, UsageError
from ...data.installed import installed_version
from ...data.names import quote
from ...data.settings import ClusterSettings
from ...data.text import format_count, printable_text
from ...parquet_store.journal import forget_deaths
from ...parquet_store.layout import Store
from ...sqlite.catalog import Catalog, RunStatus
from ..campaign.added_fits import store_added_fits
from ..campaign.campaign import Campaign
from ..campaign.cell_plan import CellPlan, find_absent_cells, resolve
from ..campaign.errors import campaign_error
from ..campaign.fit_checks import RefusedFit, refuse_fits
from ..campaign.pybamm_checks import check_with_pybamm, find_set_doubts
from ..cluster.address_space import check_address_space
from ..plan.gone_sources import describe_gone, scan_with_gone
from ..plan.job import Job, ModelWork, ScannedSource
from ..plan.kept import kept_jobs
from ..plan.plan import list_cells, plan_jobs
from ..plan.scan import (
    check_current_signs,
    describe_unread,
    find_gone_files,
    find_unread_files,
    record_sources,
)
from ..plan.select_jobs import select_cells, select_fits, select_stage
from ..plan.unreadable import find_unreadable
from ..worker import deaths, model_cache
from ..worker.compile import choose_compiled
from ..worker.inputs import store_set_files
from ..worker.run_job import JobOutcome
from . import early
from .failure_policy import KEEP_FAILED, FailurePolicy, choose_again, select_again
from .foreground import check_needs, find_job, run_here
from .lock import lock_store
from .on_cluster import Work, run_on_cluster
from .record import Recorder, find_unrecorded
from .run_facts import cluster_json, command_line, git_commit, jobs_json, kilocell_commit
from .run_log import RunLog
from .run_record import RunRecord
from .stopping import check_max_failures
from .summary import RunSummary, summarize

LOCKED_LINE_SECOND: Final = 30.0
"""Time between two lines which say that the catalog is locked, s."""

RECORDED_VERSIONS: Final = (
    "kilocell",
    "pybamm",
    "dask",
    "distributed",
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
)
"""Packages whose versions the catalog records with each run."""


class CampaignPlan(NamedTuple):
    """A campaign, resolved against its raw files.

    Args:
        sources: the raw files with the cells they hold.
        jobs: every job, each after the jobs it needs.
        cells: the resolved settings of each cell.
        refused: fits that cannot run, which have no jobs.
        unmatched: a line for each pair of model and parameter set that is not simulated, because they do not match.
    """

    sources: tuple[ScannedSource, ...]
    jobs: tuple[Job, ...]
    cells: tuple[CellPlan, ...]
    refused: tuple[RefusedFit, ...] = ()
    unmatched: tuple[str, ...] = ()


def scan_and_plan(campaign: Campaign) -> CampaignPlan:
    """Scan a campaign's raw files, resolve and check the campaign for their cells, and plan; nothing is written.

    Raises:
        UsageError: no raw file can be read, or the campaign names a cell or parameter that does not exist.
    """
    with _without_garbage_collection():
        return _scan_and_plan(campaign)


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Collect no garbage while a plan is made, and none of what there is then at any time.

    A plan of 10,000 cells is some 500,000 objects that stay: to search them again and again took a fifth of the time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


def _scan_and_plan(campaign: Campaign) -> CampaignPlan:
    store = Store(campaign.store)
    files = format_count(len(campaign.sources), "raw file")
    early.say("scanning", files)
    sources = scan_with_gone(campaign, store, lambda done: early.say("scanning", f"{files}, {done} done"))
    check_current_signs(campaign.path, sources)
    early.say("checking", "parameter sets, models and fits")
    unread = find_unread_cells(campaign, sources).keys()
    cells = resolve(campaign, list_cells(sources), unread, lambda: find_unreadable(sources).values())
    matched = check_with_pybamm(campaign, cells)
    cells, refused = refuse_fits(campaign, matched.plans)
    early.say("planning", format_count(len(cells), "cell"))
    jobs = plan_jobs(cells, sources, store, campaign.file.clean.time_limit_second)
    return CampaignPlan(sources, jobs, cells, (*matched.refused, *refused), matched.unmatched)


def find_unread_cells(campaign: Campaign, sources: Sequence[ScannedSource]) -> dict[str, str]:
    """Find the cells that the campaign names, that no readable file has, and whose name is no slip.

    Either a file that cannot be read may have the cell, or an earlier run found it in a file that is gone, or
    ``kilocell init`` wrote its table, so its file is gone.

    Args:
        sources: the campaign's raw files, scanned.

    Returns:
        A line of text for each of these cells, by cell id.
    """
    lines = {}
    absent = find_absent_cells(campaign, list_cells(sources))
    gone = find_gone_files(Store(campaign.store).catalog, [cell_id for _, cell_id in absent])
    for where, cell_id in absent:
        files = find_unread_files(sources, cell_id)
        if cell_id in gone:
            lines[cell_id] = f"{where}: the file of the cell {quote(cell_id)} is gone: {gone[cell_id]}"
        elif not files and campaign.was_guessed(cell_id):
            lines[cell_id] = f"{where}: no file has the cell {quote(cell_id)}, for which kilocell init wrote this table"
        elif files:
            lines[cell_id] = f"{where}: no readable file has the cell {quote(cell_id)}; {describe_unread(files)}"
    return lines


def run_campaign(
    campaign: Campaign,
    cluster: ClusterSettings,
    command: str,
    cells: Sequence[str],
    out: TextIO | None,
    command_line: Sequence[str],
    verbose: bool = False,
    fits: Sequence[str] = (),
    failures: FailurePolicy = KEEP_FAILED,
) -> RunSummary:
    """Run the jobs of a campaign that are not up to date, and record them in the catalog.

    Args:
        cluster: where the jobs run.
        command: which stages to run, a key of ``STAGE_KINDS``.
        cells: run only these cells; empty = all.
        out: stream for progress; ``None`` = no progress.
        command_line: recorded with the run.
        verbose: show Dask's own log lines.
        fits: run only these fits (command ``fit``); empty = all.
        failures: which failed jobs run again, and after how many failures the run stops.

    Raises:
        UsageError: the campaign, the store or the cluster cannot be used; nothing was run.
    """
    _check_cluster_kind(cluster.kind)
    check_max_failures(failures.max_failures)
    store = Store(campaign.store)
    with lock_store(store.root), _open_catalog(store, out) as catalog:
        plan = scan_and_plan(campaign)
        plan = plan._replace(jobs=choose_again(plan.jobs, failures))
        gone = find_gone_files(store.catalog, cells)
        jobs = select_fits(select_cells(select_stage(plan.jobs, command), cells, plan.sources, gone), fits)
        refused = _select_refused(plan.refused, command, cells, fits)
        _require_fit(campaign.path, command, jobs, refused)
        set_doubts = find_waiting_doubts(campaign, plan.cells, jobs)
        store_added_fits(store, campaign.asked)
        unread = find_unread_cells(campaign, plan.sources)
        run_id = _record_plan(catalog, campaign, plan, unread, command_line)
        record = RunRecord(catalog, store, run_id)
        counts: Counter[str] = Counter()
        with _record_abnormal_end(catalog, run_id, record):
            lines = _first_lines(plan.sources, unread.values(), (*plan.unmatched, *set_doubts))
            _say_first(out, record.log, command_line, lines, refused)
            stale = select_again(jobs, failures)
            waiting = choose_compiled(stale, campaign.file.simulate.compiled, model_cache.is_known)
            _describe_run(record, campaign, cluster, waiting)
            if waiting:
                store_set_files(store, campaign.set_files)
                _forget_deaths(store, waiting)
                kept = kept_jobs(plan.jobs)
                work = Work(run_id, record, campaign.name, plan.cells, jobs, waiting, kept, failures.max_failures)
                run_on_cluster(catalog, store, work, cluster, counts, out, verbose)
        summary = summarize(run_id, jobs, counts, [one.fit for one in refused])
        record.log.add(f"jobs       {', '.join(f'{n} {how}' for how, n in counts.items() if n) or 'none'}")
        _end_run(catalog, run_id, record, summary.exit_code)
    return summary


def record_one_job(campaign: Campaign, key: Sequence[str], show_end: Callable[[Store, JobOutcome, Job], int]) -> int:
    """Run one job in this process, and record it in the catalog as a run does.

    Args:
        key: kind, cell and label of the job.
        show_end: called when the job has ended; returns the exit code.

    Returns:
        The exit code.
    """
    store = Store(campaign.store)
    with lock_store(store.root), _open_catalog(store, None) as catalog:
        plan = scan_and_plan(campaign)
        job = find_job(plan.jobs, key)
        before = check_needs(job, plan.jobs)
        unread = find_unread_cells(campaign, plan.sources)
        run_id = _record_plan(catalog, campaign, plan, unread, command_line())
        record = RunRecord(catalog, store, run_id)
        with _record_abnormal_end(catalog, run_id, record):
            _say_first(None, record.log, command_line(), (), ())
            _describe_run(record, campaign, None, [job])
            outcome = run_here(store, job, before, campaign)
            Recorder(catalog, store, run_id, [job]).add([outcome])
            code = show_end(store, outcome, job)
        _end_run(catalog, run_id, record, code)
    return code


def replace_store(campaign: Campaign, store: Path | None) -> Campaign:
    """Return the campaign with another store.

    Args:
        store: folder for results; ``None`` = the campaign's own.
    """
    if store is None:
        return campaign
    return replace(campaign, store=store.absolute())


def _open_catalog(store: Store, out: TextIO | None) -> Catalog:
    """Open the catalog for a run, which waits for other programs as long as they take, and says so."""
    say = partial(_say_locked, out)
    return Catalog.open(store.catalog, busy_timeout_second=LOCKED_LINE_SECOND, when_locked=say)


def _say_locked(out: TextIO | None, waited_second: float) -> None:
    """Say that the catalog is locked; jobs go on meanwhile, and their receipts lose nothing."""
    print(
        f"waiting    for {waited_second:.0f} s: another program reads or writes the catalog; jobs go on, and their "
        "results are recorded as soon as it is free",
        file=out or sys.stderr,
    )


def _check_cluster_kind(kind: str) -> None:
    if kind not in ("local", "slurm") and "://" not in kind:
        raise UsageError(f"unknown cluster {kind!r}: use local, slurm, or the address of a scheduler, tcp://HOST:PORT")
    if "://" not in kind:
        check_address_space()


def _select_refused(
    refused: Sequence[RefusedFit], command: str, cells: Sequence[str], fits: Sequence[str]
) -> tuple[RefusedFit, ...]:
    """Return the refused fits that a command would have run.

    Args:
        cells, fits: only these; empty = all.
    """
    if command not in ("fit", "run"):
        return ()
    return tuple(
        one for one in refused if (not cells or not set(cells).isdisjoint(one.cells)) and (not fits or one.fit in fits)
    )


def _require_fit(campaign_path: Path, command: str, jobs: Sequence[Job], refused: Sequence[RefusedFit]) -> None:
    """Refuse the command ``fit`` if there is nothing to fit."""
    if command != "fit":
        return
    kinds = {job.kind for job in jobs}
    if "fit" not in kinds and refused:
        raise campaign_error(campaign_path, [one.text for one in refused])
    if "fit" not in kinds and kinds != {"split"}:  # splits alone: every file of the cells cannot be opened
        raise UsageError(f"{campaign_path}: no [fit] for these cells; add one, or run: kilocell fit --preset diffusion")


def find_waiting_doubts(campaign: Campaign, cells: Sequence[CellPlan], jobs: Sequence[Job]) -> tuple[str, ...]:
    """Return what is doubtful in the parameter sets; nothing, and without PyBaMM, if no model is to be solved."""
    if any(job.reason and isinstance(job.work, ModelWork) for job in jobs):
        return find_set_doubts(campaign, cells)
    return ()


def _forget_deaths(store: Store, waiting: Sequence[Job]) -> None:
    """Let jobs begin as if none of their workers had ever died."""
    for job in waiting:
        forget_deaths(store.journal(job.cell_id, job.label))
    deaths.forget(store, waiting)


def _first_lines(sources: Sequence[ScannedSource], unread: Iterable[str], set_doubts: Iterable[str]) -> Iterator[str]:
    """Yield what is not in order before anything runs."""
    gone = describe_gone(sources)
    if gone:
        yield f"gone       {printable_text(gone)}"
    for line in unread:
        yield f"unread     {line}"
    for line in set_doubts:
        yield f"check      {printable_text(line)}"


def _say_first(
    out: TextIO | None, log: RunLog, command_line: Sequence[str], lines: Iterable[str], refused: Iterable[RefusedFit]
) -> None:
    """Say, and log, what is not in order before anything runs; refused fits also if ``out`` is ``None``."""
    log.add(f"started    {' '.join(command_line)} (process {os.getpid()} on {socket.gethostname()})")
    for line in lines:
        log.add(line)
        if out is not None:
            print(line, file=out)
    for one in refused:
        line = f"refused    {printable_text(one.text)}"
        log.add(line)
        print(line, file=out or sys.stderr)


def _describe_run(
    record: RunRecord, campaign: Campaign, cluster: ClusterSettings | None, waiting: Iterable[Job]
) -> None:
    """Record what a run is, beside its results.

    Args:
        cluster: where the jobs run; ``None`` = in this process.
        waiting: the jobs that it has to do.
    """
    record.describe(
        kilocell_commit=kilocell_commit(),
        campaign_commit=git_commit(campaign.path.absolute().parent),
        cluster=None if cluster is None else cluster_json(cluster),
        jobs=jobs_json(waiting),
    )


def _end_run(catalog: Catalog, run_id: int, record: RunRecord, code: int, how: RunStatus | None = None) -> None:
    """Record how a run ended.

    Args:
        code: exit code.
        how: ``None`` = as the exit code says.
    """
    how = how or ("failed" if code else "done")
    record.log.add(f"ended      {how}, exit code {code}")
    with catalog.transaction():
        record.describe_end()
        catalog.end_run(run_id, code, how)


def _record_plan(
    catalog: Catalog, campaign: Campaign, plan: CampaignPlan, unread: Iterable[str], command_line: Sequence[str]
) -> int:
    """Write the campaign, its plan and the beginning of the run into the catalog, and return the run's id.

    It is one transaction: a reader, or a kill in between, finds results beside the plan that they are measured by.

    Args:
        unread: cells that the campaign names and that no readable file has.
    """
    versions = {name: installed_version(name) for name in RECORDED_VERSIONS}
    found = find_unrecorded(catalog.path, Store(campaign.store), plan.jobs)
    cells_of_unread_files = {cell_id for source in plan.sources for cell_id in source.cells_by_name}
    with catalog.transaction():
        campaign_id = _record_campaign(catalog, campaign, plan)
        if found:
            catalog.record_many(found, None)
        catalog.forget_failed_splits({(job.cell_id, job.label) for job in plan.jobs if job.kind == "split"})
        catalog.mark_pending([(job.kind, job.cell_id, job.label, job.digest) for job in plan.jobs if job.reason])
        catalog.replace_plan(
            [(job.kind, job.cell_id, job.label, job.digest, job.reason) for job in plan.jobs],
            cells_of_unread_files.union(unread),
            [source.file.path for source in plan.sources],
            {model.name for model in campaign.models},
        )
        return catalog.begin_run(" ".join(command_line), socket.gethostname(), os.getpid(), versions, campaign_id)


def _record_campaign(catalog: Catalog, campaign: Campaign, plan: CampaignPlan) -> int:
    """Write the campaign, its raw files, cells and models into the catalog; return the campaign's id."""
    path = str(campaign.path.absolute())  # a command in another folder must find it, to see whether it changed
    campaign_id = catalog.put_campaign(campaign.name, path, campaign.text, digest(campaign.text))
    record_sources(catalog, plan.sources)
    for cell in plan.cells:
        catalog.put_cell(cell.cell, cell.parameter_sets)
    for model in campaign.models:
        catalog.put_model(model)
    return campaign_id


@contextmanager
def _record_abnormal_end(catalog: Catalog, run_id: int, record: RunRecord) -> Iterator[None]:
    """Record in the catalog how a run ends when an error or a signal ends it.

    Raises:
        KilocellError: the catalog could not be written in the middle of the run.
    """
    try:
        yield
    except StoreError as error:
        record.log.add(f"error      {error}")
        with suppress(StoreError):
            _end_run(catalog, run_id, record, 1)
        raise KilocellError(f"{error} No result is lost: what has ended is kept in receipts.") from error
    except Exception as error:
        record.log.add(f"error      {type(error).__name__}: {error}")
        _end_run(catalog, run_id, record, 2 if isinstance(error, UsageError) else 1)
        raise
    except BaseException as signal:
        _end_run(catalog, run_id, record, getattr(signal, "exit_code", 130), "interrupted")
        raise
