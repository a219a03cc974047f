"""A whole campaign: time, CPU time and files of cells that are cleaned and simulated, and where the time goes.

    python benchmarks/campaign.py --cells 1000            # make the cells, run, plan and run again
    python benchmarks/campaign.py --cells 1000 --documented 25 --parts 25
    python benchmarks/campaign.py --cells 10000 --models SPM            # "" = cells are cleaned only
    python benchmarks/campaign.py --cells 400 --dfn 40                  # a slow model for a tenth of the cells
    python benchmarks/campaign.py --cells 200 --against-one             # two workers against one, and two processes
    python benchmarks/campaign.py --tiny 5000                           # cells of 40 rows in one CSV file, cleaned only

With ``--documented N``, N of the cells are simulated in a plain loop in PyBaMM's documented way, on one core, and the
time is scaled to all cells. With ``--parts N``, N cells are cleaned and simulated again in this process, after N others
that build the models; the CPU time of each kind of job and of SUNDIALS in it is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

KILOCELL: Final = (sys.executable, "-m", "kilocell")
SEED: Final = 11
MODELS: Final = ("SPM", "SPMe")


@dataclass(frozen=True, slots=True)
class Took:
    """What a command took.

    Args:
        wall_second, cpu_second: of the command and all processes that it started.
        code: its exit code.
        began_unix_second: s since 1970.
    """

    wall_second: float
    cpu_second: float
    code: int
    began_unix_second: float


def take(*command: str) -> Took:
    """Run a command of kilocell and measure it; its own output is not shown."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began, clock = time.time(), time.perf_counter()
    done = subprocess.run([*KILOCELL, *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wall = time.perf_counter() - clock
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1):
        raise SystemExit(f"kilocell {' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Took(wall, cpu, done.returncode, began)


def make_campaign(folder: Path, cells: int, models: tuple[str, ...], dfn: int) -> Path:
    """Make synthetic cells, one file each, and a campaign with the parameter set of each; return its path.

    Args:
        models: with which each cell is simulated.
        dfn: number of cells that are simulated with the DFN, too.
    """
    raw = folder / "raw"
    take("synthesize", "--cells", str(cells), "--layout", "files", "--seed", str(SEED), "--out", str(raw))
    path = folder / "campaign.toml"
    take("init", str(raw), "--out", str(path))
    known = json.loads((raw / "ground_truth.json").read_text())["cells"]
    tables = [f'{{ type = "{model}" }}' for model in models]
    if dfn:
        some = ", ".join(f'"{cell["cell_id"]}"' for cell in known[:: max(len(known) // dfn, 1)][:dfn])
        tables.append(f'{{ type = "DFN", cells = [{some}] }}')
    guessed, _, _ = path.read_text().partition("[cells.")
    lines = [re.sub(r"(?m)^models = .*$", f"models = [{', '.join(tables)}]", guessed, count=1)]
    lines.append('[cells.defaults]\ninitial_state = "rest_voltage"\ntemperature_celsius = "measured"\n')
    for cell in known:
        lines.append(
            f'[cells.{cell["cell_id"]}]\nparameter_sets = ["{cell["parameter_set"]}"]\n'
            f"nominal_capacity_ah = {cell['nominal_capacity_ah']}\n"
        )
    path.write_text("\n".join(lines))
    return path


def measure_run(campaign: Path, cells: int, workers: int) -> tuple[Took, Path]:
    """Run the campaign from nothing, and print what it took."""
    store = campaign.parent / "store"
    shutil.rmtree(store, ignore_errors=True)
    options = ("--no-plots", "--quiet", "--workers", str(workers), "--dashboard-address", "none")
    ran = take("run", str(campaign), *options)
    with closing(sqlite3.connect(store / "catalog.sqlite")) as catalog:
        jobs, seconds, first, failed = catalog.execute(
            "SELECT count(*), sum(seconds), min(started_unix_second), sum(status = 'failed') FROM jobs"
        ).fetchone()
    files = [path for path in store.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    print(f"run: {ran.wall_second:.1f} s, {ran.cpu_second:.1f} CPU s; {cells} cells, {jobs} jobs, {failed} failed")
    print(f"  per cell {1e3 * ran.wall_second / cells:.1f} ms, {1e3 * ran.cpu_second / cells:.1f} CPU ms")
    print(f"  until the first job {first - ran.began_unix_second:.1f} s")
    idle = ran.wall_second * workers - seconds
    print(f"  in jobs {seconds:.1f} s; workers without a job, with start and end: {idle:.1f} s of {workers} workers")
    print(f"  files {len(files)}, {len(files) / cells:.1f} per cell; {size / 1e6:.0f} MB")
    return ran, store


def measure_against_one(folder: Path, campaign: Path, cells: int, ran: Took) -> None:
    """Run the campaign with one worker, and two halves of it in two processes side by side with one worker each."""
    one, _ = measure_run(campaign, cells, 1)
    halves = []
    names = [line[7:-1] for line in campaign.read_text().splitlines() if line.startswith("[cells.C")]
    for number, half in enumerate((names[::2], names[1::2])):
        store = folder / f"store of half {number}"
        shutil.rmtree(store, ignore_errors=True)
        chosen = [part for name in half for part in ("--cell", name)]
        options = ("--no-plots", "--quiet", "--workers", "1", "--dashboard-address", "none", "--store", str(store))
        halves.append((*KILOCELL, "run", str(campaign), *options, *chosen))
    began = time.perf_counter()
    running = [subprocess.Popen(half, stdout=subprocess.DEVNULL) for half in halves]
    codes = [process.wait() for process in running]
    apart = time.perf_counter() - began
    if any(code not in (0, 1) for code in codes):
        raise SystemExit(f"the halves ended with {codes}")
    print(f"\none worker {one.wall_second:.1f} s, two {ran.wall_second:.1f} s, two processes apart {apart:.1f} s")
    print(f"two workers reach {apart / ran.wall_second:.2f} of what two independent processes reach")


def make_tiny_campaign(folder: Path, cells: int) -> Path:
    """Write cells of 40 rows each into one CSV file, and a campaign that cleans them; return its path."""
    raw = folder / "tiny.csv"
    with raw.open("w") as file:
        file.write("cell_id,cycle,step,test_time_s,current_A,voltage_V,temperature_C\n")
        for cell in range(cells):
            for row in range(40):
                ampere = 0.0 if row < 10 else -1.0 - 1e-4 * (cell % 100)
                volt = 4.1 - 0.004 * max(row - 9, 0) - 1e-5 * (cell % 1000)
                file.write(
                    f"TINY_{cell:05d},1,{1 + (row >= 10)},{10.0 * row:.3f},{ampere:.5f},{volt:.6f},25.{row:02d}\n"
                )
    path = folder / "campaign.toml"
    take("init", str(raw), "--out", str(path))
    text = path.read_text()
    path.write_text(re.sub(r"(?m)^models = .*$", "models = []", text, count=1))
    return path


def measure_again(campaign: Path, store: Path) -> None:
    """Measure commands on the finished store."""
    for command in (
        ("plan", str(campaign)),
        ("run", str(campaign), "--no-plots", "--quiet", "--dashboard-address", "none"),
        ("findings", "--store", str(store)),
        ("results", "--store", str(store)),
    ):
        took = take(*command)
        print(f"{command[0]} again: {took.wall_second:.2f} s, {took.cpu_second:.2f} CPU s")


def measure_parts(campaign: Path, cells: int) -> None:
    """Print the CPU time of each kind of job, and of SUNDIALS in it, in this process and with its models built."""
    from kilocell.runner.campaign.campaign import load_campaign
    from kilocell.runner.run.run_campaign import scan_and_plan
    from kilocell.runner.worker.run_job import run_jobs_in_order
    from pybammsolvers import idaklu

    inside = [0.0]
    solve = idaklu.IDAKLUSolverGroup.solve

    def timed(group: Any, *arguments: Any, **keywords: Any) -> Any:
        began = time.process_time()
        try:
            return solve(group, *arguments, **keywords)
        finally:
            inside[0] += time.process_time() - began

    idaklu.IDAKLUSolverGroup.solve = timed
    loaded = load_campaign(campaign)
    loaded = replace(loaded, store=campaign.parent / "store of parts")
    shutil.rmtree(loaded.store, ignore_errors=True)
    by_cell: dict[str, list[Any]] = defaultdict(list)
    for job in scan_and_plan(loaded).jobs:
        if hasattr(job.work, "compiled"):
            job = replace(job, work=replace(job.work, compiled=True))
        by_cell[job.cell_id].append(job)
    groups = list(by_cell.values())
    spent: dict[str, list[float]] = defaultdict(list)
    solving: dict[str, list[float]] = defaultdict(list)
    for number, jobs in enumerate(groups[: 2 * cells]):
        ended: dict[Any, Any] = {}
        for job in jobs:
            began, before = time.process_time(), inside[0]
            (outcome,) = run_jobs_in_order(str(loaded.store), [job], ended)
            ended[job.key] = outcome
            if number >= cells and outcome.status == "done":
                spent[job.stage].append(time.process_time() - began)
                solving[job.stage].append(inside[0] - before)
    print(f"\n{'job':<16}{'CPU ms':>8}{'SUNDIALS ms':>13}{'share':>7}   (means of {cells} cells)")
    for stage in spent:
        mean = 1e3 * sum(spent[stage]) / len(spent[stage])
        inner = 1e3 * sum(solving[stage]) / len(solving[stage])
        print(f"{stage:<16}{mean:>8.1f}{inner:>13.1f}{inner / mean:>7.2f}")
    all_spent, all_solving = (sum(map(sum, each.values())) for each in (spent, solving))
    print(f"{'all':<16}{'':>8}{'':>13}{all_solving / all_spent:>7.2f}")


def measure_documented(store: Path, cells: int, of: int) -> float:
    """Simulate some cells in PyBaMM's documented way, in a loop; return the time for all, s."""
    import numpy as np
    import pybamm
    from kilocell import open_store

    opened = open_store(store)
    results = opened.results()
    done = results[results.status == "done"].drop_duplicates("cell_id")
    chosen = done.iloc[np.linspace(0, len(done) - 1, min(cells, len(done))).astype(int)]
    began = time.process_time()
    for row in chosen.itertuples():
        samples = opened.samples(row.cell_id)
        elapsed = samples.test_time_second.to_numpy() - samples.test_time_second.iloc[0]
        kept = np.concatenate([[True], np.diff(elapsed) > 0.0]) & np.isfinite(samples.current_ampere.to_numpy())
        elapsed, current = elapsed[kept], samples.current_ampere.to_numpy()[kept]
        for model in MODELS:
            values = pybamm.ParameterValues(row.parameter_set)
            values["Current function [A]"] = pybamm.Interpolant(elapsed, -current, pybamm.t)
            made = getattr(pybamm.lithium_ion, model)()
            made.events = []
            simulation = pybamm.Simulation(made, parameter_values=values, solver=pybamm.IDAKLUSolver())
            try:
                simulation.solve(elapsed, initial_soc=0.98)
            except pybamm.SolverError:
                continue
    each = (time.process_time() - began) / len(chosen)
    print(f"\nPyBaMM's documented way: {each:.2f} CPU s per cell over {len(chosen)} cells, {each * of:.0f} s for {of}")
    return each * of


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--documented", type=int, default=0, metavar="N", help="cells of the documented loop")
    parser.add_argument(
        "--parts", type=int, default=0, metavar="N", help="cells whose jobs are measured in one process"
    )
    parser.add_argument("--folder", type=Path, help="keep the cells and the store here; cells that are there are used")
    parser.add_argument("--models", default=",".join(MODELS), help='such as "SPM,SPMe"; "" = cells are cleaned only')
    parser.add_argument("--dfn", type=int, default=0, metavar="N", help="cells that are simulated with the DFN, too")
    parser.add_argument("--against-one", action="store_true", help="two workers against one, and two processes")
    parser.add_argument("--tiny", type=int, default=0, metavar="N", help="clean N cells of 40 rows in one CSV file")
    given = parser.parse_args()
    os.environ.update(OMP_NUM_THREADS="1", PYBAMM_DISABLE_TELEMETRY="true")
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        campaign = folder / "campaign.toml"
        if not campaign.exists():
            folder.mkdir(parents=True, exist_ok=True)
            if given.tiny:
                campaign = make_tiny_campaign(folder, given.tiny)
            else:
                models = tuple(filter(None, given.models.split(",")))
                campaign = make_campaign(folder, given.cells, models, given.dfn)
        cells = given.tiny or given.cells
        ran, store = measure_run(campaign, cells, given.workers)
        measure_again(campaign, store)
        if given.against_one:
            measure_against_one(folder, campaign, cells, ran)
        if given.parts:
            measure_parts(campaign, given.parts)
        if given.documented:
            whole = measure_documented(store, given.documented, given.cells)
            print(f"a loop on one core takes {whole / ran.wall_second:.1f} times as long as the run on {given.workers}")


if __name__ == "__main__":
    main()
