"""Measure how long each question to a store takes: as a command, and from Python.

    python benchmarks/questions.py kilocell-demo STORE ...      # stores that exist
    python benchmarks/questions.py --make FOLDER                # makes a store of 1,000 cells first: about an hour

A command is measured as a whole process, with the start of Python. A question passes if the least wall clock of its
runs is below 0.3 s. CPU seconds stand beside it: where they are below the limit and the wall clock is not, the computer
was busy, and the question is not judged; measure it again on an idle one.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

LONGEST_SECOND: Final = 0.3
"""What a question may take (issue: every question in under 0.3 s)."""

READ_SECOND: Final = 0.02
"""What reading one cycle of one cell from Python may take."""

REPEATS: Final = 10


@dataclass(frozen=True)
class Time:
    """What several measurements of a question say.

    Args:
        question: what was asked.
        way: ``command`` or ``Python``.
        wall_second, median_second: least and median wall clock of the runs.
        cpu_second: least CPU time of the runs.
        limit_second: what it may take.
        error: why it failed; "" = it did not.
    """

    question: str
    way: str
    wall_second: float
    median_second: float
    cpu_second: float
    limit_second: float
    error: str = ""

    @property
    def passes(self) -> bool:
        """Whether the question is answered in time, by the wall clock."""
        return not self.error and self.wall_second < self.limit_second

    @property
    def verdict(self) -> str:
        """``pass``, ``TOO SLOW``, what failed, or that the computer was too busy to tell."""
        if self.error or self.passes:
            return self.error or "pass"
        return "not judged: busy computer" if self.cpu_second < self.limit_second else "TOO SLOW"


def commands(cell: str, cycle: int) -> dict[str, list[str]]:
    """Return the arguments of each command that asks a question."""
    return {
        f"cycles {cell}": ["cycles", cell],
        f"compare --cycle {cycle}": ["compare", "--cycle", str(cycle)],
        f"compare --cell {cell}": ["compare", "--cycle", str(cycle), "--cell", cell],
        "compare": ["compare"],
        "results --by step-type": ["results", "--by", "step-type"],
        "results --by cycle": ["results", "--by", "cycle"],
        "parameter-sets": ["parameter-sets", "--model", "SPMe"],
        "curves": ["curves", "--model", "SPMe", "--parameters", "default"],
        "results": ["results"],
        "results --json": ["results", "--json"],
        "results --by window": ["results", "--by", "window"],
        "findings": ["findings"],
        "fits": ["fits"],
        "status": ["status"],
        "sql": ["sql", "SELECT cell_id, model, rmse_mv FROM results ORDER BY rmse_mv LIMIT 10"],
    }


def questions(store: Any, cell: str, cycle: int) -> dict[str, tuple[Callable[[], object], float]]:
    """Return each question from Python, with what it may take (s)."""
    return {
        f"cycles({cell!r})": (lambda: store.cycles(cell), LONGEST_SECOND),
        f"compare({cycle})": (lambda: store.compare(cycle), LONGEST_SECOND),
        "parameter_sets(model='SPMe')": (lambda: store.parameter_sets(model="SPMe"), LONGEST_SECOND),
        "curves(model='SPMe', parameters='default')": (
            lambda: store.curves(model="SPMe", parameters="default"),
            LONGEST_SECOND,
        ),
        "results()": (store.results, LONGEST_SECOND),
        "cells()": (store.cells, LONGEST_SECOND),
        "findings()": (store.findings, LONGEST_SECOND),
        f"samples({cell!r}, [{cycle}])": (lambda: store.samples(cell, [cycle]), READ_SECOND),
        f"simulation({cell!r}, 'SPMe')": (
            lambda: store.simulation(cell, "SPMe", store.curves(cell, model="SPMe")["parameter_set"].iloc[0]),
            LONGEST_SECOND,
        ),
    }


def measure_commands(root: Path, cell: str, cycle: int) -> Iterator[Time]:
    """Yield the times of each command, as a process."""
    for name, arguments in commands(cell, cycle).items():
        command = [sys.executable, "-m", "kilocell", *arguments, "--store", str(root)]
        wall, cpu, error = [], [], ""
        for _ in range(REPEATS):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            began = time.perf_counter()
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            wall.append(time.perf_counter() - began)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
            if done.returncode:
                error = (done.stderr.strip().splitlines() or ["no message"])[-1]
        yield Time(name, "command", min(wall), statistics.median(wall), min(cpu), LONGEST_SECOND, error)


def measure_python(root: Path, cell: str, cycle: int) -> Iterator[Time]:
    """Yield the times of each question from Python, in this process."""
    import kilocell

    store = kilocell.open_store(root)
    for name, (ask, limit_second) in questions(store, cell, cycle).items():
        wall, cpu, error = [], [], ""
        for _ in range(REPEATS):
            began, began_cpu = time.perf_counter(), time.process_time()
            try:
                ask()
            except Exception as problem:  # of one question; the others are measured
                error = str(problem)
            wall.append(time.perf_counter() - began)
            cpu.append(time.process_time() - began_cpu)
        yield Time(name, "Python", min(wall), statistics.median(wall), min(cpu), limit_second, error)


def print_table(root: Path, times: Sequence[Time]) -> None:
    """Print the times of a store as a Markdown table."""
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
    print(f"\n{root.name}: {store_size(root)}; {REPEATS} runs; {load}\n")
    print("| question | by | least wall s | median wall s | least CPU s | limit s | |")
    print("|---|---|---:|---:|---:|---:|---|")
    for one in times:
        numbers = f"{one.wall_second:.3f} | {one.median_second:.3f} | {one.cpu_second:.3f} | {one.limit_second:g}"
        print(f"| `{one.question}` | {one.way} | {numbers} | {one.verdict} |")


def store_size(root: Path) -> str:
    """Return the number of cells and simulations of a store, in words."""
    import kilocell

    cells = kilocell.open_store(root).cells(columns=["cycles", "simulations_done"])
    cycles = int(cells["cycles"].fillna(0).sum())
    return f"{len(cells)} cells, {cycles} cycles, {int(cells['simulations_done'].sum())} simulations"


def measure_store(root: Path) -> bool:
    """Measure and print all questions of a store; return whether all pass."""
    import kilocell

    cells = kilocell.open_store(root).cells(columns=["cell_id", "simulations_done", "cycles"])
    simulated = cells[cells["simulations_done"] > 0]
    cell = str(simulated["cell_id"].iloc[0])
    cycle = 1
    times = [*measure_commands(root, cell, cycle), *measure_python(root, cell, cycle)]
    print_table(root, times)
    return all(one.passes for one in times)


def make_store(folder: Path) -> Path:
    """Make and fill the store of a thousand cells; return its folder."""
    from thousand_cells import make_cells

    make_cells(folder, 1000)
    campaign = folder / "campaign.toml"
    subprocess.run([sys.executable, "-m", "kilocell", "run", str(campaign), "--no-plots"], check=False)
    return folder / "store"


def main() -> None:
    """Read the command line, measure, and exit with 1 unless every question passes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stores", nargs="*", type=Path)
    parser.add_argument("--make", type=Path, metavar="FOLDER", help="make a store of 1,000 cells there, and measure it")
    given = parser.parse_args()
    stores = list(given.stores)
    if given.make is not None:
        stores.append(make_store(given.make))
    if not stores:
        parser.error("name a store, or --make FOLDER")
    passed = [measure_store(store) for store in stores]
    raise SystemExit(0 if all(passed) else 1)


if __name__ == "__main__":
    main()
