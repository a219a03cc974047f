"""Measure the time and memory of cleaning, as ratios within one run: ``python benchmarks/clean.py --help``.

Every measurement runs in a new process on one core (pyarrow, OpenMP and Polars are limited to one thread). kilocell and
the bare pyarrow that it is compared with run in turn, so a busy machine slows both. The result is the median of the
ratios.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from records import ROWS, ROWS_PER_CELL, write_long, write_record

ONE_CORE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1", "NUMEXPR_NUM_THREADS": "1"}
CAMPAIGN = """
name = "long"
store = "store"
[[sources]]
files = ["long.csv"]
cell_id = "column:cell_id"
[cells.defaults]
parameter_set = "Chen2020"
"""
Measured = dict[str, Any]


def measure(step: str, path: Path, folder: Path, python: str = sys.executable) -> Measured:
    """Run one step of ``steps.py`` in a new process; ``failed`` says why it did not finish."""
    command = [python, str(Path(__file__).with_name("steps.py")), step, str(path), str(folder)]
    done = subprocess.run(command, env={**os.environ, **ONE_CORE}, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1][:200]}
    found: Measured = json.loads(done.stdout.strip().splitlines()[-1])
    return {**found, "seconds": sum(found["parts"].values()), "grown": found["peak"] - found["before"]}


def spread(numbers: list[float], form: str = ".2f") -> str:
    middle = f"{median(numbers):{form}}"
    return middle if len(numbers) == 1 else f"{middle} ({min(numbers):{form}} to {max(numbers):{form}})"


def record_table(path: Path, folder: Path, repeats: int) -> tuple[float, float]:
    """Compare bare pyarrow with reading, cleaning and writing; return kilocell's seconds and the Arrow table's MB."""
    pairs = [(measure("bare", path, folder), measure("kilocell", path, folder)) for _ in range(repeats)]
    arrow = pairs[0][0]["arrow"]
    print(f"\n## One record of {ROWS:,} rows ({path.stat().st_size / 1e6:.0f} MB, as Arrow table {arrow:.0f} MB)\n")
    print("| | read s | clean s | write s | total s | times bare | memory grown MB | times Arrow table |")
    print("|---|---|---|---|---|---|---|---|")
    for place, name in enumerate(("pyarrow read_csv + write_table", "kilocell")):
        runs = [pair[place] for pair in pairs]
        parts = [
            spread([run["parts"][part] for run in runs]) if part in runs[0]["parts"] else "-"
            for part in ("read", "clean", "write")
        ]
        ratios = [pair[place]["seconds"] / pair[0]["seconds"] for pair in pairs]
        grown = [run["grown"] for run in runs]
        cells = [name, *parts, spread([run["seconds"] for run in runs]), spread(ratios), spread(grown, ".0f")]
        print(f"| {' | '.join(cells)} | {median(grown) / arrow:.1f} |")
    whole = median(pair[1]["peak"] for pair in pairs)
    print(f"\nWith the interpreter and its imports ({median(p[1]['before'] for p in pairs):.0f} MB) kilocell's process")
    print(f"has {whole:.0f} MB at most, {whole / arrow:.1f} times the Arrow table.")
    return median(pair[1]["seconds"] for pair in pairs), arrow


def others_table(path: Path, folder: Path, arguments: argparse.Namespace, ours: float, arrow: float) -> None:
    """Print the times of the tools that users would choose instead."""
    counted = folder / "counted.csv"
    subprocess.run(
        [sys.executable, "-c", "import sys; from pathlib import Path; from loaders import with_counters; "
         "with_counters(Path(sys.argv[1]), Path(sys.argv[2]))", str(path), str(counted)],
        cwd=Path(__file__).parent, check=True,
    )  # fmt: skip
    asked: list[tuple[str, str, Path, str | None]] = [
        ("pandas, column by column", "pandas_columns", path, sys.executable),
        ("pandas, a loop over the rows", "pandas_loops", path, sys.executable),
        ("cellpy: load, steps, summary, save", "cellpy", counted, arguments.cellpy),
        ("PyProBE: import to Parquet", "pyprobe", counted, arguments.pyprobe),
    ]
    print("\n## The same record by other means\n")
    print("| | version | seconds | times kilocell | memory grown MB | times Arrow table |")
    print("|---|---|---|---|---|---|")
    for name, step, file, python in asked:
        if python is None:
            print(f"| {name} | not selected | | | | |")
            continue
        found = measure(step, file, folder, python)
        if "failed" in found:
            print(f"| {name} | {found['failed']} | | | | |")
            continue
        row = (f"{found['seconds']:.1f}", f"{found['seconds'] / ours:.1f}", f"{found['grown']:.0f}")
        print(f"| {name} | {found['version']} | {' | '.join(row)} | {found['grown'] / arrow:.1f} |")


def long_table(record: Path, folder: Path, rows: int, interleaved: bool) -> None:
    """Print the times of a long file: in one process, from the scan to the last cell, and with two workers.

    The single record is measured before and after, and compared by CPU seconds, since a long run cannot be repeated in
    pairs.
    """
    path = folder / "long.csv"
    write_long(record, path, rows, interleaved)
    (folder / "campaign.toml").write_text(CAMPAIGN)
    cells = max(rows // ROWS_PER_CELL, 1)
    order = "row by row in turn" if interleaved else "one after another"
    print(f"\n## {cells} cells in one CSV of {rows:,} rows ({path.stat().st_size / 1e9:.2f} GB), {order}\n")
    singles = [measure("kilocell", record, folder)["cpu"] for _ in range(3)]
    found = measure("long", path, folder)
    singles += [measure("kilocell", record, folder)["cpu"] for _ in range(3)]
    if "failed" in found:
        print(found["failed"])
        return
    print("| | scan | split | clean | all |\n|---|---|---|---|---|")
    for name, parts in (("seconds", found["parts"]), ("CPU seconds", found["cpu"])):
        print(f"| {name} | {' | '.join(f'{value:.1f}' for value in (*parts.values(), sum(parts.values())))} |")
    rate, single = rows / sum(found["cpu"].values()), ROWS / median(singles)
    print(f"\n{found['jobs']['split']} split and {found['jobs']['clean']} clean jobs, {found['raw_files']} raw files; ")
    print(f"{rate / 1e6:.2f} million rows per CPU second, {rate / single:.2f} times the single record's ")
    print(f"(read, cleaned and written in {spread(singles)} CPU seconds); ")
    print(f"peak memory {found['peak']:.0f} MB, of which {found['before']:.0f} MB interpreter and imports.")
    shutil.rmtree(folder / "store")
    workers_line(folder, sum(found["parts"].values()))
    path.unlink()


def workers_line(folder: Path, alone: float) -> None:
    """Run the same campaign on the command line with two workers, and print their time and largest memory."""
    import psutil

    command = [sys.executable, "-m", "kilocell.runner", "clean", "--cluster", "local", "--workers", "2"]
    began, most = time.perf_counter(), 0.0
    run = subprocess.Popen(command, cwd=folder, env={**os.environ, **ONE_CORE}, stdout=subprocess.DEVNULL)
    while run.poll() is None:
        for process in psutil.Process(run.pid).children(recursive=True):
            try:
                most = max(most, process.memory_info().rss / 2**20)
            except psutil.Error:
                continue
        time.sleep(0.2)
    seconds = time.perf_counter() - began
    print(f"With two workers (`kilocell clean --workers 2`): exit {run.returncode}, {seconds:.0f} s, ")
    print(f"{alone / seconds:.2f} times as fast as one process; no worker above {most:.0f} MB.")


def machine() -> str:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    names = ("kilocell", "numpy", "pandas", "pyarrow")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB; Python {platform.python_version()}, {versions}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000, help="rows of the long file; 0 = no long file")
    parser.add_argument("--interleaved", action="store_true", help="write the long file's cells row by row in turn")
    parser.add_argument("--repeats", type=int, default=7, help="pairs of the single record")
    parser.add_argument("--others", action="store_true", help="also measure pandas scripts (cellpy, PyProBE if given)")
    parser.add_argument("--cellpy", metavar="PYTHON", help="Python of an environment with cellpy")
    parser.add_argument("--pyprobe", metavar="PYTHON", help="Python of an environment with PyProBE-Data")
    parser.add_argument("--folder", type=Path, help="folder for the files; needs 5 times the size of the long file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        record = folder / "record.csv"
        write_record(record)
        print(machine())
        ours, arrow = record_table(record, folder, arguments.repeats)
        if arguments.others:
            others_table(record, folder, arguments, ours, arrow)
        if arguments.rows:
            long_table(record, folder, arguments.rows, arguments.interleaved)


if __name__ == "__main__":
    main()
