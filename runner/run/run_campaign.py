"""One run of a campaign, from the scan of its files to the last receipt in the catalog."""

from __future__ import annotations

import os
import secrets
import socket
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

from ...data.codec import digest
from ...data.errors import CampaignError, JobError, UsageError
from ...data.installed import installed_version
from ...data.settings import ClusterSettings
from ...data.text import format_count
from ...parquet_store.journal import forget_deaths
from ...parquet_store.layout import Store
from ...sqlite.catalog import Catalog
from ..campaign.added_fits import store_added_fits
from ..campaign.campaign import Campaign
from ..plan.job import Job, ScannedSource
from ..plan.plan import list_cells, plan_jobs
from ..plan.scan import record_sources, scan_sources
from ..plan.select_jobs import select_cells, select_fits, select_stage
from ..worker import model_cache
from ..worker.compile import choose_compiled
from ..worker.inputs import store_set_files
from .lock import lock_store
from .progress import Progress
from .record import Recorder, record_found

RECORDED_VERSIONS = ("kilocell", "pybamm", "dask", "distributed", "numpy", "scipy", "pandas", "pyarrow")


@dataclass(frozen=True, slots=True)
class RunSummary:
    """How a run ended: numbers of jobs by status, of those that were done before, and the catalog's run_id.

    Args:
        nothing: jobs that were skipped for what the cell's record holds; they fail no run.
    """

    run_id: int
    done: int
    failed: int
    skipped: int
    done_before: int
    nothing: int = 0

    @property
    def exit_code(self) -> int:
        """0 when all is done that can be, 1 when some failed."""
        return 1 if self.failed or self.skipped else 0


def scan_and_plan(campaign: Campaign) -> tuple[tuple[ScannedSource, ...], tuple[Job, ...]]:
    """Scan a campaign's files, check that every cell it names is there, and plan; nothing is written.

    Raises:
        UsageError: no file can be read, or the campaign names a cell or parameter that is not there.
    """
    store = Store(campaign.store)
    sources = scan_sources(campaign.sources, store.catalog)
    cells = list_cells(sources)
    campaign.check_cells(cells)
    check_with_pybamm(campaign, cells)
    return sources, plan_jobs(campaign, sources, store)


def check_with_pybamm(campaign: Campaign, cells: Sequence[str]) -> None:
    """Check parameter sets, parameters and model options with PyBaMM, which is imported only if there are any.

    Raises:
        CampaignError: a file makes no parameter set, a set lacks a parameter, or PyBaMM a model's option.
    """
    from ..campaign.pybamm_checks import check_parameters, check_set_files

    if campaign.set_files:
        check_set_files(campaign)
    if any(campaign.fits(cell_id) for cell_id in cells) or campaign.file.variations:
        from ...jobs.parameters.sets import parameter_names

        check_parameters(campaign, lambda base: parameter_names(campaign.base_set(base).key), cells)
    for model in campaign.models:
        if model.options or model.type not in ("SPM", "SPMe", "DFN"):
            from ...jobs.models.pybamm_models import empty_model

            try:
                empty_model(model)
            except JobError as error:
                raise CampaignError(f"{campaign.path}: model {model.name!r}: {error}") from error


def run_campaign(
    campaign: Campaign,
    cluster: ClusterSettings,
    command: str,
    cells: Sequence[str],
    out: TextIO | None,
    command_line: Sequence[str],
    verbose: bool = False,
    fits: Sequence[str] = (),
) -> RunSummary:
    """Run what is not done yet of a campaign and record it.

    Args:
        command: which stages, see ``STAGE_KINDS``.
        cells: only these; empty = all.
        out: where progress goes; ``None`` = nowhere.
        command_line: recorded with the run.
        verbose: let Dask's own log lines through.
        fits: only these, of the command ``fit``; empty = all.

    Raises:
        UsageError: the campaign, the store or the cluster cannot be worked with; nothing was run.
    """
    if cluster.kind not in ("local", "slurm") and "://" not in cluster.kind:
        raise UsageError(f"unknown cluster {cluster.kind!r}: use local, slurm or a scheduler's tcp://HOST:PORT")
    store = Store(campaign.store)
    with lock_store(store.root), Catalog.open(store.catalog) as catalog:
        sources, planned = scan_and_plan(campaign)
        jobs = select_fits(select_cells(select_stage(planned, command), cells), fits)
        if command == "fit" and not any(job.kind == "fit" for job in jobs):
            raise UsageError(f"{campaign.path}: no [fit] for these cells; make one: kilocell fit --preset diffusion")
        store_added_fits(store, campaign.asked)
        campaign_id = _record_campaign(catalog, campaign, sources)
        record_found(catalog, store, planned)
        catalog.mark_pending([(job.kind, job.cell_id, job.label, job.digest) for job in planned if job.reason])
        versions = {name: installed_version(name) for name in RECORDED_VERSIONS}
        run_id = catalog.begin_run(" ".join(command_line), socket.gethostname(), os.getpid(), versions, campaign_id)
        choice = campaign.file.simulate.compiled
        waiting = choose_compiled([job for job in jobs if job.reason], choice, model_cache.is_known)
        counts: Counter[str] = Counter()
        try:
            if waiting:
                store_set_files(store, campaign.set_files)
                for job in waiting:
                    forget_deaths(store.journal(job.cell_id, job.label))
                _run_jobs(catalog, store, run_id, waiting, cluster, counts, out, verbose)
        except Exception as error:
            catalog.end_run(run_id, 2 if isinstance(error, UsageError) else 1, "failed")
            raise
        except BaseException as signal:
            catalog.end_run(run_id, getattr(signal, "exit_code", 130), "interrupted")
            raise
        summary = RunSummary(
            run_id, counts["done"], counts["failed"], counts["skipped"], len(jobs) - len(waiting), counts["nothing"]
        )
        catalog.end_run(run_id, summary.exit_code, "failed" if summary.exit_code else "done")
    return summary


def _record_campaign(catalog: Catalog, campaign: Campaign, sources: Sequence[ScannedSource]) -> int:
    with catalog.transaction():
        campaign_id = catalog.put_campaign(campaign.name, str(campaign.path), campaign.text, digest(campaign.text))
        record_sources(catalog, sources)
        for cell_id in list_cells(sources):
            catalog.put_cell(campaign.cell(cell_id), campaign.parameter_sets(cell_id))
        for model in campaign.models:
            catalog.put_model(model)
    return campaign_id


def _run_jobs(
    catalog: Catalog,
    store: Store,
    run_id: int,
    jobs: Sequence[Job],
    cluster: ClusterSettings,
    counts: Counter[str],
    out: TextIO | None,
    verbose: bool,
) -> None:
    # Dask is imported here, so that commands which only read never pay for it.
    from ..cluster.open import open_cluster
    from .graph import run_jobs

    recorder = Recorder(catalog, store, run_id, jobs)
    stages = Counter(job.stage for job in jobs)
    progress = Progress(stages.items(), out)
    name = f"kilocell-{secrets.token_hex(3)}"
    scratch = store.root / "logs" / "workers"
    scratch.mkdir(parents=True, exist_ok=True)
    with open_cluster(cluster, name, scratch, progress.say, verbose) as workers:
        if workers.dashboard:
            progress.say(f"dashboard  {workers.dashboard}")
        if any(getattr(job.work, "compiled", False) for job in jobs) and not model_cache.has_compiler():
            progress.say(
                f"compiler   no {model_cache.COMPILER} here; without one models take two to three times as long"
            )
        progress.say(f"running    {format_count(len(jobs), 'job')} on {workers.description}")
        try:
            for outcomes in run_jobs(workers.client, jobs, str(store.root)):
                recorder.add(outcomes)
                counts.update("nothing" if outcome.has_nothing_to_simulate else outcome.status for outcome in outcomes)
                for outcome in outcomes:
                    if outcome.status == "failed":
                        progress.say(f"failed     {' '.join(outcome.key)}: {outcome.reason}")
                    progress.add(outcome)
        finally:
            progress.close()


def replace_store(campaign: Campaign, store: Path | None) -> Campaign:
    """The campaign with another store, if one is given."""
    return campaign if store is None else replace(campaign, store=store.absolute())


def command_line() -> list[str]:
    """The command as it was typed."""
    return [Path(sys.argv[0]).name, *sys.argv[1:]]
