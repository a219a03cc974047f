"""What the protections of a run cost: encrypted connections, digests, checksums, time limits, notes of deaths.

    python benchmarks/overhead.py [--cells 1000] [--pairs 3] [--against REVISION] [--folder FOLDER]

Runs the same campaign of small cells (each is cleaned and simulated with SPM: the shorter a job, the larger the share
of what protects it) with the protections and without them, alternately. "Without" is this code with the protections
replaced by nothing, in the client and in its workers. `--against` also runs another revision, from a Git worktree; its
cleaning and its simulations do other work, so its ratio is no measure of the protections alone.

CPU seconds are those of the client and all its processes. The parts are measured in one process, and between two
workers for the connections. Ratios are medians of pairs: on a computer with other work, wall clock says little.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import pickle
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
WORKERS: Final = 2
STARTED: Final = 1_704_096_000
PARTS_REPEATED: Final = 300
"""Calls of a part for one measurement; its fastest of five counts."""

CAMPAIGN: Final = """\
name = "overhead"
store = "store"
models = ["SPM"]
[[sources]]
files = ["raw/*.csv"]
cell_id = "stem"
current_sign = "charge_positive"
[sources.columns]
unix_time_second = "datetime"
current_ampere = "current_A"
voltage_volt = "voltage_V"
[cells.defaults]
parameter_set = "Chen2020"
nominal_capacity_ah = 5.0
"""


def write_cells(folder: Path, count: int) -> None:
    """Write small records, each of another current, and their campaign."""
    (folder / "raw").mkdir(parents=True, exist_ok=True)
    (folder / "campaign.toml").write_text(CAMPAIGN, encoding="utf-8")
    for number in range(count):
        ampere = -1.0 - number / (2 * count)
        rows, charge = ["datetime,current_A,voltage_V"], 0.0
        for second in range(0, 3600, 30):
            current = ampere if 300 < second < 3000 else 0.0
            charge += current * 30 / 3600
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(STARTED + second))
            rows.append(f"{stamp},{current:.4f},{4.0 + 0.15 * charge + 0.03 * current:.5f}")
        (folder / "raw" / f"CELL_{number:04d}.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def remove_protections() -> None:
    """Replace what protects a run by nothing, in this process."""
    import pyarrow.parquet as pq
    from distributed.security import Security

    def nothing(*_: Any, **__: Any) -> None:
        return None

    def load(name: str) -> Any:
        return importlib.import_module(f"kilocell.{name}")

    def no_limit(*_: Any) -> Any:
        return nullcontext(nothing)

    run_job = load("runner.worker.run_job")
    for module in (run_job, load("runner.worker.cell_tasks"), load("runner.worker.fit_tasks")):
        module.limited = no_limit
    run_job.share_process = lambda alone: nullcontext()
    run_job.deaths.begin = run_job.deaths.end = run_job.set_worker_limit = nothing
    run_job.deaths.count = lambda *_: 0
    run_job.follow_folder = load("parquet_store.atomic").follow_folder = nothing
    write, read = load("parquet_store.write"), load("parquet_store.parquet_file")
    write.file_digest = nothing
    write.layout_checksum = lambda *_: b""
    read._check_layout = nothing
    load("parquet_store.embedded").digest_of = lambda _: "0" * 64
    load("runner.worker.inputs").is_intact = lambda *_: True
    writer, parquet_file = pq.ParquetWriter, pq.ParquetFile
    pq.ParquetWriter = lambda *a, **k: writer(*a, **{**k, "write_page_checksum": False})
    pq.ParquetFile = lambda path, **_: parquet_file(path)
    cluster = load("runner.cluster.open")
    cluster.PROTOCOL, cluster.make_security, cluster.watch_exits = "tcp", Security, nothing


def dask_setup(worker: Any) -> None:
    """Be called by Dask in each worker of an unprotected run."""
    remove_protections()


def run_client(arguments: list[str]) -> None:
    """Run kilocell in this process, without its protections if the first argument says so."""
    if arguments[0] == "without":
        remove_protections()
    sys.argv = ["kilocell", *arguments[1:]]
    importlib.import_module("kilocell.runner.cli").main()


def run(folder: Path, how: str, imports: Path) -> tuple[float, float]:
    """Run the campaign in a fresh store; return CPU s of all its processes and wall s.

    Args:
        how: with, without, or another (of another revision).
        imports: folder from which kilocell is imported.
    """
    shutil.rmtree(folder / "store", ignore_errors=True)
    known = {**os.environ, "PYTHONPATH": str(imports), "OMP_NUM_THREADS": "1", "PYBAMM_DISABLE_TELEMETRY": "true"}
    if how == "without":
        known["DASK_DISTRIBUTED__WORKER__PRELOAD"] = str(Path(__file__).resolve())
    client = ["-m", "kilocell.runner"] if how == "another" else [__file__, "--client", how]
    options = ["--workers", str(WORKERS), "--dashboard-address", "none", "--no-plots"]
    began = time.perf_counter()
    with (folder / "output.txt").open("w") as output:
        command = [sys.executable, *client, "run", *options, str(folder / "campaign.toml")]
        child = subprocess.Popen(command, env=known, stdout=output, stderr=output, cwd=folder)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"a run ended with {child.returncode}:\n{(folder / 'output.txt').read_text()}")
    return used.ru_utime + used.ru_stime, time.perf_counter() - began


@contextmanager
def worktree(revision: str) -> Iterator[Path]:
    """Check out a revision beside this one; yield the folder from which its kilocell is imported."""
    folder = Path(tempfile.mkdtemp()) / "kilocell"
    git = ["git", "-C", str(ROOT), "worktree"]
    subprocess.run([*git, "add", "--detach", "--quiet", str(folder), revision], check=True)
    try:
        yield folder / ".imports"
    finally:
        subprocess.run([*git, "remove", "--force", str(folder)], check=True)


def compare(folder: Path, pairs: int, first: str, second: str, imports: Path) -> float:
    """Run a campaign in two ways, alternately; print medians and ratios; return CPU s per run of the first way."""
    own = ROOT / ".imports"
    for how, where in ((second, imports), (first, own)):
        run(folder, how, where)  # caches of files and of compiled models are as in later runs
    found: dict[str, list[tuple[float, float]]] = {first: [], second: []}
    for number in range(pairs):
        order = ((first, own), (second, imports))
        for how, where in order if number % 2 else order[::-1]:
            found[how].append(run(folder, how, where))
    for place, clock in enumerate(("CPU", "wall")):
        ours, theirs = ([one[place] for one in found[how]] for how in (first, second))
        ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
        print(
            f"| {first} / {second} | {clock} | {statistics.median(ours):.1f} | {statistics.median(theirs):.1f} "
            f"| {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}) |",
            flush=True,
        )
    return statistics.median(cpu for cpu, _ in found[first])


def measure(call: Callable[[], object], repeated: int = PARTS_REPEATED) -> float:
    """Return the CPU time of a call, ms: the least of five measurements."""
    times = []
    for _ in range(5):
        began = time.process_time()
        for _ in range(repeated):
            call()
        times.append((time.process_time() - began) / repeated * 1000)
    return min(times)


def parts_of_a_job(folder: Path) -> Iterator[tuple[str, float]]:
    """Yield each part of the protections with its ms in an average job (half of them clean, half simulate)."""
    import pyarrow.parquet as pq
    from kilocell.parquet_store.layout import Store
    from kilocell.parquet_store.parquet_file import open_parquet
    from kilocell.parquet_store.write import file_digest
    from kilocell.runner.campaign.campaign import load_campaign
    from kilocell.runner.run.run_campaign import scan_and_plan
    from kilocell.runner.worker import deaths
    from kilocell.runner.worker.time_limits import limited

    store = Store(folder / "store")
    jobs = scan_and_plan(load_campaign(folder / "campaign.toml")).jobs[:2]
    written = [store.cleaned("CELL_0000"), store.quarantine("CELL_0000"), store.simulation("CELL_0000", jobs[1].label)]
    written = [path for path in written if path.exists()]
    tables = [pq.read_table(path) for path in written]
    scratch = folder / "scratch.parquet"

    def write_all(checksum: bool) -> None:
        for table in tables:
            pq.write_table(table, scratch, compression="zstd", write_page_checksum=checksum)

    def read_plain() -> None:
        with pq.ParquetFile(written[0]) as file:
            file.read()

    def read_checked() -> None:
        with open_parquet(written[0], "") as file:
            file.read()

    def note_death() -> None:
        deaths.begin(store, jobs[0])
        deaths.end(store, jobs[0])

    def limit() -> None:
        with limited(store, jobs[0]):
            pass

    yield "digests of written files", measure(lambda: [file_digest(path) for path in written]) / 2
    yield "checksums of pages, written", (measure(lambda: write_all(True)) - measure(lambda: write_all(False))) / 2
    yield "checksums of pages and columns, read", (measure(read_checked) - measure(read_plain)) / 2
    yield "time limit: marker file and watchdog", measure(limit)
    yield "note of a job's beginning and end", measure(note_death)
    tcp, tls = connections(jobs[0], 2 * PARTS_REPEATED)
    print(f"a task without work takes {tcp:.3f} ms over tcp, {tls:.3f} ms over tls (client, scheduler, workers)")
    yield "TLS", tls - tcp


def connections(job: Any, tasks: int) -> tuple[float, float]:
    """Return CPU ms of a task that does nothing but take a job and return an outcome, over tcp and over tls."""
    found: dict[str, list[float]] = {"tcp": [], "tls": []}
    for _ in range(3):
        for protocol in found:
            found[protocol].append(send_tasks(protocol, job, tasks))
    return statistics.median(found["tcp"]), statistics.median(found["tls"])


def send_tasks(protocol: str, job: Any, tasks: int) -> float:
    import distributed
    import psutil
    from distributed.security import Security
    from kilocell.runner.cluster.security import make_security

    security = make_security() if protocol == "tls" else Security()
    payloads = [pickle.loads(pickle.dumps(job)) for _ in range(tasks)]
    with (
        distributed.LocalCluster(
            n_workers=WORKERS,
            threads_per_worker=1,
            protocol=f"{protocol}://",
            security=security,
            dashboard_address=None,
            host="127.0.0.1",
            silence_logs=logging.CRITICAL,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
        began = cpu_second(processes)
        futures = client.map(return_outcome, payloads, key=[f"task-{number}" for number in range(tasks)])
        for batch in distributed.as_completed(futures).batches():
            for future in batch:
                future.result()
        return (cpu_second(processes) - began) / tasks * 1000


def return_outcome(job: Any) -> Any:
    """Return what a job returns."""
    from kilocell.runner.worker.run_job import JobOutcome

    return JobOutcome(job.key, "done", seconds=1.0)


def cpu_second(processes: Iterable[Any]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def main() -> None:
    """Read the command line, run, and print two tables."""
    if sys.argv[1:2] == ["--client"]:
        run_client(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=1000)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--against", help="a revision, such as 322e42b, that is run, too")
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    folder = (given.folder or Path(tempfile.mkdtemp())).absolute()
    write_cells(folder, given.cells)
    print("| compared | clock | s | s | ratio (median, least, largest) |\n|---|---|---:|---:|---:|")
    if given.against:
        with worktree(given.against) as imports:
            compare(folder, given.pairs, "with", "another", imports)
    second = compare(folder, given.pairs, "with", "without", ROOT / ".imports")
    job_ms = second / (2 * given.cells) * 1000
    run(folder, "with", ROOT / ".imports")
    print(f"\n{2 * given.cells} jobs, {job_ms:.1f} ms of CPU per job in all\n")
    rows = list(parts_of_a_job(folder))
    print("\n| part | ms per job | % |\n|---|---:|---:|")
    for name, ms in [*rows, ("sum", sum(ms for _, ms in rows))]:
        print(f"| {name} | {ms:.3f} | {100 * ms / job_ms:.2f} |")
    if given.folder is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
