"""Run one step to measure, in its own process: ``python steps.py NAME FILE FOLDER`` prints one line of JSON.

Times are in seconds, memory in MB: ``before`` is that of the interpreter with its imports, ``peak`` the largest.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def memory_mb(peak: bool) -> float:
    """Return this process's memory in MB, now or its peak (``ru_maxrss`` would include the parent's)."""
    wanted = "VmHWM:" if peak else "VmRSS:"
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(wanted)) / 1024


def bare(path: Path, folder: Path) -> dict[str, Any]:
    import pyarrow as pa
    import pyarrow.csv as pacsv
    import pyarrow.parquet as pq

    pa.set_cpu_count(1)
    before, clock = memory_mb(False), [time.perf_counter()]
    table = pacsv.read_csv(path, read_options=pacsv.ReadOptions(use_threads=False))
    clock.append(time.perf_counter())
    pq.write_table(table, folder / "bare.parquet")
    clock.append(time.perf_counter())
    parts = {"read": clock[1] - clock[0], "write": clock[2] - clock[1]}
    return {"parts": parts, "before": before, "arrow": table.nbytes / 2**20}


def kilocell(path: Path, folder: Path) -> dict[str, Any]:
    import pyarrow as pa
    from kilocell.data.readers.read import guess_settings, read_raw
    from kilocell.data.settings import CleanSettings
    from kilocell.jobs.cleaning.clean import clean
    from kilocell.parquet_store.layout import Store
    from kilocell.parquet_store.write import write_frame

    pa.set_cpu_count(1)
    store = Store(folder / "store")
    before, began, clock = memory_mb(False), time.process_time(), [time.perf_counter()]
    raw = read_raw(path, guess_settings(path))
    clock.append(time.perf_counter())
    cleaned = clean(raw, "x", CleanSettings())
    clock.append(time.perf_counter())
    write_frame(store, store.cleaned("x"), cleaned.samples, {})
    write_frame(store, store.quarantine("x"), cleaned.quarantined, {})
    clock.append(time.perf_counter())
    parts = {name: clock[k + 1] - clock[k] for k, name in enumerate(("read", "clean", "write"))}
    return {"parts": parts, "before": before, "cpu": time.process_time() - began}


def long(path: Path, folder: Path) -> dict[str, Any]:
    """Run all split and clean jobs of a campaign one after another in this process, as a worker runs them."""
    import pyarrow as pa
    from kilocell.parquet_store.layout import Store
    from kilocell.runner.campaign.campaign import load_campaign
    from kilocell.runner.campaign.cell_plan import resolve
    from kilocell.runner.plan.job import Job
    from kilocell.runner.plan.plan import list_cells, plan_jobs
    from kilocell.runner.plan.scan import scan_sources
    from kilocell.runner.worker.run_job import run_job

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    campaign = load_campaign(folder / "campaign.toml")
    store = Store(campaign.store)
    before = memory_mb(False)
    parts, cpu, at, began = {}, {}, time.perf_counter(), time.process_time()

    def lap(name: str) -> None:
        nonlocal at, began
        parts[name], at = time.perf_counter() - at, time.perf_counter()
        cpu[name], began = time.process_time() - began, time.process_time()

    sources = scan_sources(campaign.sources, store.catalog)
    jobs = plan_jobs(resolve(campaign, list_cells(sources)), sources, store)
    lap("scan")

    def run(kind: str) -> list[Job]:
        chosen = [job for job in jobs if job.kind == kind]
        statuses = [run_job(str(store.root), job).status for job in chosen]
        assert set(statuses) <= {"done"}, statuses
        lap(kind)
        return chosen

    counts = {kind: len(run(kind)) for kind in ("split", "clean")}
    files = sum(1 for _ in (store.root / "raw").glob("*/*/*.parquet"))
    return {"parts": parts, "cpu": cpu, "before": before, "jobs": counts, "raw_files": files}


def pandas_loops(path: Path, folder: Path) -> dict[str, Any]:
    importlib.import_module("pyarrow.parquet")  # imports are not timed
    from pandas_scripts import clean_with_loops

    return _whole(lambda: clean_with_loops(path, folder / "pandas.parquet"))


def pandas_columns(path: Path, folder: Path) -> dict[str, Any]:
    importlib.import_module("pyarrow.parquet")  # imports are not timed
    from pandas_scripts import clean_by_columns

    return _whole(lambda: clean_by_columns(path, folder / "pandas.parquet"))


def cellpy(path: Path, folder: Path) -> dict[str, Any]:
    """Run cellpy's loader for text files, with an instrument file that names the columns; make steps and summary."""
    importlib.import_module("cellpy")  # imports are not timed
    from loaders import load_with_cellpy

    return _whole(lambda: load_with_cellpy(path, folder))


def pyprobe(path: Path, folder: Path) -> dict[str, Any]:
    """Run PyProBE's import of a generic CSV to Parquet."""
    importlib.import_module("pyprobe")  # imports are not timed
    from loaders import load_with_pyprobe

    return _whole(lambda: load_with_pyprobe(path, folder))


def _whole(work: Callable[[], str]) -> dict[str, Any]:
    before, clock = memory_mb(False), time.perf_counter()
    version = work()
    return {"parts": {"all": time.perf_counter() - clock}, "before": before, "version": version}


if __name__ == "__main__":
    step = globals()[sys.argv[1]]
    result = step(Path(sys.argv[2]), Path(sys.argv[3]))
    print(json.dumps({**result, "peak": memory_mb(True)}))
