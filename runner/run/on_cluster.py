"""Run jobs on a cluster, record how each ends, and show how far the run is."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from ...data.settings import ClusterSettings
from ...parquet_store.layout import Store
from ...sqlite.catalog import Catalog
from ..campaign.cell_plan import CellPlan
from ..plan.job import Job, Kept, Key
from ..worker.time_limits import longest_job_second
from . import early
from .deaths import DeathReports
from .first_lines import say_addresses, say_what_runs
from .progress import Progress
from .record import Recorder
from .run_facts import cluster_json
from .run_record import RunRecord
from .set_doubts import SetDoubts
from .stopping import Tally


@dataclass(frozen=True, slots=True)
class Work:
    """What a run does on its cluster.

    Args:
        run_id: of the catalog.
        record: of the run, beside its jobs.
        campaign: its name.
        cells: the campaign's settings of each cell, which are compared with its record.
        planned: all jobs of the command, those that are up to date, too.
        waiting: those that have to run, each after the jobs it needs.
        kept: how jobs ended before that do not run again.
        max_failures: number of failed jobs after which the run stops; ``None`` = it does not.
    """

    run_id: int
    record: RunRecord
    campaign: str
    cells: Sequence[CellPlan]
    planned: Sequence[Job]
    waiting: Sequence[Job]
    kept: Mapping[Key, Kept]
    max_failures: int | None


def run_on_cluster(
    catalog: Catalog,
    store: Store,
    work: Work,
    cluster: ClusterSettings,
    counts: Counter[str],
    out: TextIO | None,
    verbose: bool,
) -> None:
    """Run jobs on a cluster, record their outcomes, and count them in ``counts``.

    Args:
        cluster: where they run.
        counts: is added to, as :class:`Tally` says.
        out: stream for progress; ``None`` = no progress.
        verbose: show Dask's own log lines.
    """
    early.say("starting", "workers")
    # Dask is imported here, so that commands which only read never pay for it.
    from ..cluster.open import COMPARED_PACKAGES, SILENCE_MARGIN_SECOND, open_cluster
    from ..cluster.preflight import check_workers
    from ..live.live_page import open_live_page
    from .graph import run_jobs

    jobs = work.waiting
    longest_second = longest_job_second(jobs)
    recorder = Recorder(catalog, store, work.run_id, jobs)
    progress = Progress(Counter(job.stage for job in jobs).items(), out, is_plain=verbose)
    say = work.record.log.beside(progress.say)
    tally = Tally(jobs, counts, say, work.max_failures)
    doubts = SetDoubts(store, work.cells if out is not None else (), jobs, say)
    name = f"kilocell-{secrets.token_hex(3)}"
    scratch = _make_scratch(store)
    reports = DeathReports(store, scratch, cluster.kind, SILENCE_MARGIN_SECOND + longest_second)
    with (
        work.record.sampling(),
        open_cluster(cluster, name, scratch, say, verbose, longest_second) as workers,
        work.record.watching(workers, progress),
        open_live_page(workers, cluster, work.campaign, work.planned, catalog.path, say) as live,
    ):
        say_addresses(workers, live.address, cluster.kind == "slurm", say)
        say_what_runs(workers, jobs, say)
        work.record.describe(cluster=cluster_json(cluster, workers.description))
        if cluster.kind != "local":
            check_workers(workers.client, scratch, COMPARED_PACKAGES)
        doubts.check_cleaned(jobs)
        progress.start()
        try:
            for outcomes in run_jobs(workers.client, jobs, str(store.root), reports, work.kept):
                live.record(outcomes, recorder.add(outcomes))
                doubts.add(outcomes)
                tally.add(outcomes)
                for outcome in outcomes:
                    progress.add(outcome)
                if tally.is_too_much:
                    break
        finally:
            progress.close()
    recorder.add(tally.find_late(store))
    tally.say_end()


def _make_scratch(store: Store) -> Path:
    """Make and return the folder of the workers' spill files and logs."""
    scratch = store.root / "logs" / "workers"
    scratch.mkdir(parents=True, exist_ok=True)
    return scratch
