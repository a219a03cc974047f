"""What a run's own process takes, client and scheduler, when jobs end at once: memory and CPU time by number of cells.

    python benchmarks/client_memory.py --cells 1000 10000 100000

Each cell has a job that cleans it and, with ``--models``, one for each model; a job does nothing but say that it is
done and took ``--job-second``, so that tasks have as many jobs as in a campaign of short records. There are no raw
files and no receipts: the plan is made from settings, and the catalog gets a row for each job.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

MODELS: Final = ("SPM", "SPMe")


def end_at_once(
    store_root: str, jobs: Sequence[Any], before: Mapping[tuple[str, ...], Any], job_second: float
) -> list[Any]:
    """Stand for ``run_jobs_in_order`` in a worker."""
    from kilocell.runner.worker.run_job import JobOutcome

    return [JobOutcome(job.key, "done", seconds=job_second) for job in jobs]


def make_campaign(folder: Path, models: Sequence[str]) -> Path:
    """Write a campaign of one file, which stands for the files of all cells."""
    raw = folder / "raw.csv"
    raw.write_text("time_s,current_A,voltage_V\n0,0.0,3.7\n1,0.0,3.7\n")
    path = folder / "campaign.toml"
    given = ", ".join(f'"{model}"' for model in models)
    sets = 'parameter_sets = ["Chen2020"]' if models else ""
    path.write_text(
        f'name = "client"\nstore = "store"\nmodels = [{given or chr(34) + "SPM" + chr(34)}]\n[[sources]]\n'
        f'files = ["raw.csv"]\n[cells.defaults]\n{sets}\n'
    )
    return path


def measure(cells: int, models: Sequence[str], job_second: float, workers: int) -> None:
    """Run a plan of so many cells in this process, and print what it took."""
    from functools import partial

    from kilocell.data.settings import ClusterSettings, SourceFile
    from kilocell.parquet_store.layout import Store
    from kilocell.runner.campaign.campaign import load_campaign
    from kilocell.runner.campaign.cell_plan import resolve
    from kilocell.runner.plan.job import ScannedSource
    from kilocell.runner.plan.plan import plan_jobs
    from kilocell.runner.run import graph
    from kilocell.runner.run.on_cluster import Work, run_on_cluster
    from kilocell.runner.run.run_record import RunRecord, memory_peak_bytes
    from kilocell.sqlite.catalog import Catalog

    with tempfile.TemporaryDirectory() as temporary:
        campaign = load_campaign(make_campaign(Path(temporary), models))
        ((path, settings),) = campaign.sources
        sources = [
            ScannedSource(SourceFile(f"{path.parent}/{number}.csv", 160_000, f"{number:064x}", settings), (name,))
            for number, name in enumerate(f"CELL_{number:06d}" for number in range(cells))
        ]
        gc.disable()
        plans = resolve(campaign, [source.cell_ids[0] for source in sources])
        store = Store(campaign.store)
        jobs = plan_jobs(plans, sources, store)
        gc.freeze()
        gc.enable()
        planned_bytes = memory_peak_bytes() or 0
        store.root.mkdir()
        with Catalog.open(store.catalog) as catalog:
            versions = {"kilocell": "benchmark"}
            run_id = catalog.begin_run(
                "benchmark", "here", os.getpid(), versions, catalog.put_campaign("x", "", "", "")
            )
            work = Work(run_id, RunRecord(catalog, store, run_id), "benchmark", plans, jobs, jobs, {}, None)
            graph.run_jobs_in_order = partial(end_at_once, job_second=job_second)
            counts: Counter[str] = Counter()
            before, began = time.process_time(), time.perf_counter()
            cluster = ClusterSettings(workers=workers, dashboard_address="none")
            run_on_cluster(catalog, store, work, cluster, counts, None, False)
        spent, took = time.process_time() - before, time.perf_counter() - began
    assert counts["done"] == len(jobs), counts
    peak = memory_peak_bytes() or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    memory = f"{planned_bytes / 1e6:6.0f} MB with the plan, {peak / 1e6:6.0f} MB at most"
    print(
        f"{cells:>8} cells {len(jobs):>8} jobs: {memory}; {1e3 * spent / len(jobs):.2f} CPU ms per job, {took:.0f} s",
        flush=True,
    )


def main() -> None:
    """Read the command line, and measure each number of cells in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--models", action="store_true", help="simulate each cell with SPM and SPMe, too")
    parser.add_argument("--job-second", type=float, default=0.05, help="what a job says that it took, s")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    os.environ.update(OMP_NUM_THREADS="1", PYBAMM_DISABLE_TELEMETRY="true")
    if len(given.cells) > 1:
        for cells in given.cells:
            rest = ["--models"] * given.models
            rest += ["--job-second", str(given.job_second), "--workers", str(given.workers)]
            subprocess.run([sys.executable, __file__, "--cells", str(cells), *rest], check=True)
        return
    measure(given.cells[0], MODELS if given.models else (), given.job_second, given.workers)


if __name__ == "__main__":
    main()
