"""Compare the fit with PyBOP 26.3 in one run, one thread each, as ratios: ``python benchmarks/fit.py --help``.

Both fit the same records from the same first points with the same model, parameters and bounds. Their starts run in
turn, each in a process that lives through the whole run. The time of a start ends when it first has values whose RMSE
is within 1 % of the best RMSE of all starts; an independent simulation (``fit_cases.Judge``) computes the RMSE. The
time of a start that never reaches this is added to the starts that do. One-time costs (building and compiling a model)
are printed separately. In the fleet, where every cell has its own profile, everything that a cell needs is counted. CPU
seconds are printed besides wall seconds, since other processes affect them less.

PyBOP runs in its own environment (it needs an older NumPy): ``--pybop-python``, or one that pip creates in
``~/.cache/kilocell-benchmarks``. Its setups: ``recommended``, as in its manual; ``dt_max``, an option of PyBaMM's
solver that keeps it from stepping over pulses; ``stops`` at the jumps of the current, for which PyBOP has no option.
The last two can also be ``compiled``, with another option of PyBaMM, and ``outputs``: PyBOP's ``output_variables``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("PYBAMM_DISABLE_TELEMETRY", "true")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pybamm
from fit_cases import Case, Judge, four, measured, two
from fit_kilocell import Kilocell
from kilocell.jobs.models.build import compile_models
from kilocell.runner.worker import model_cache

PYBOP = "26.3"
WITHIN = 1.01
STARTS = 4
MOST_APART_MV = 1.0
METHODS = "Nelder-Mead,trust-constr,SLSQP,IRPropPlus,CMAES,Nelder-Mead*4"
Reply = dict[str, Any]


def head(*names: str) -> str:
    return f"\n| {' | '.join(names)} |\n{'|---' * len(names)}|"


AGREEMENT = head("record", "model", "way", "voltage off, mV", "first time, s")
COMPARED = head(
    *("record", "model", "way", "method", "starts that got there", "CPU s for each of them", "wall s"),
    *("times kilocell, CPU", "wall", f"CPU s of {STARTS} starts to their ends", "evaluations", "worst RMSE mV", ""),
)
FLEET = head(
    *("model", "cells", "way", "starts that got there", f"CPU s a cell, for {STARTS} of them", "wall s"),
    *("times kilocell, CPU", "wall"),
)


class PyBOP:
    """A process in PyBOP's environment that answers requests one by one."""

    def __init__(self, python: Path, setup: str, folder: Path) -> None:
        self.setup, self.name, self._file = setup, f"PyBOP, {setup}", folder / f"{len(list(folder.iterdir()))}.npz"
        script = Path(__file__).with_name("pybop_fit.py")
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYBAMM_CASADI_AOT_CACHE": str(folder / "pybop")}
        environment.pop("PYTHONPATH", None)
        self._process = subprocess.Popen(
            [str(python), str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, env=environment,
        )  # fmt: skip
        self.about = self._read()

    def ask(self, **request: Any) -> Reply:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Reply:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended with {self._process.wait()}; see that its environment is whole")
        found: Reply = json.loads(line)
        return found

    def load(self, case: Case, first: tuple[float, ...]) -> Reply:
        np.savez(self._file, time=case.time, current=case.current, voltage=case.voltage, stops=case.stops)
        return self.ask(do="load", file=str(self._file), case=case.asked(), setup=self.setup, first=first)

    def voltage(self, values: tuple[float, ...]) -> np.ndarray[Any, Any]:
        return np.array(self.ask(do="voltage", values=values).get("voltage", []))

    def start(self, method: str, first: tuple[float, ...], seed: int, most_second: float) -> list[Reply]:
        method, _, starts = method.partition("*")
        request = {"method": method, "first": first, "seed": seed, "starts": int(starts or 1)}
        found: list[Reply] = self.ask(do="start", most_second=most_second, **request).get("starts", [])
        return found

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def environment(options: argparse.Namespace) -> Path:
    """Return the Python with PyBOP; create its environment if none is given."""
    if options.pybop_python:
        return Path(options.pybop_python)
    folder = Path.home() / ".cache" / "kilocell-benchmarks" / f"pybop-{PYBOP}"
    python = folder / "bin" / "python"
    if not python.is_file():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        wanted = [f"pybop=={PYBOP}", f"pybamm=={version('pybamm')}"]
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *wanted], check=True)
    return python


def target_of(judge: Judge, runs: list[Reply]) -> float:
    """Return the RMSE to reach in mV: the best of all starts plus 1 %."""
    return WITHIN * min(judge.rmse_mv(tuple(run["trace"][-1]["values"])) for run in runs if run["trace"])


def until(judge: Judge, target: float, run: Reply) -> tuple[float, float, bool]:
    """Return wall and CPU seconds until a start reached the target, or until its end, and whether it reached it."""
    trace = run["trace"]
    low, high = 0, len(trace)
    while low < high:  # the RMSE falls along the trace; the judge's too, except for the last digits
        middle = (low + high) // 2
        if judge.rmse_mv(tuple(trace[middle]["values"])) <= target:
            high = middle
        else:
            low = middle + 1
    if low == len(trace):
        return run["wall"], run["cpu"], False
    return trace[low]["wall"], trace[low]["cpu"], True


def spread(numbers: list[float], form: str = ".1f") -> str:
    middle = f"{np.median(numbers):{form}}"
    return middle if len(numbers) == 1 else f"{middle} ({min(numbers):{form}} to {max(numbers):{form}})"


def agreement(case: Case, judge: Judge, ours: Kilocell, theirs: list[PyBOP]) -> list[PyBOP]:
    """Print the voltage error of each way at the same values; return the setups of PyBOP that can be compared."""
    points = [ours.first_values(0), *([case.truth] if case.truth else [])]
    loads = [(setup, setup.load(case, points[0])) for setup in theirs]
    kept = []
    reference = [judge.voltage(point) for point in points]
    for name, side, load in [("kilocell", ours, None), *((setup.name, setup, load) for setup, load in loads)]:
        if load and "failed" in load:
            print(f"| {case.name} | {case.model} | {name} | fails: {load['failed']} | |", flush=True)
            continue
        found = [side.voltage(point) for point in points]
        if any(len(volt) != len(case.time) for volt in found):
            print(f"| {case.name} | {case.model} | {name} | no solution, or one of another length | |", flush=True)
            continue
        off = max(1e3 * float(np.sqrt(np.mean((a - b) ** 2))) for a, b in zip(found, reference, strict=True))
        once = ours.first_time() if load is None else load["wall"]
        words = "" if off < MOST_APART_MV else ", not compared"
        print(f"| {case.name} | {case.model} | {name} | {off:.3f}{words} | {once:.1f} |", flush=True)
        kept += [side] if isinstance(side, PyBOP) and off < MOST_APART_MV else []
    return kept


def compare(case: Case, theirs: list[PyBOP], options: argparse.Namespace) -> None:
    """Fit one cell with kilocell and each setup of PyBOP, in turn and repeatedly, and print the tables."""
    print(AGREEMENT)
    judge, ours = Judge(case), Kilocell(case)
    kept = agreement(case, judge, ours, theirs)
    ways = [("kilocell", ""), *((setup.name, method) for setup in kept for method in options.methods.split(","))]
    runs: dict[tuple[str, str], list[list[Reply]]] = {way: [] for way in ways}
    for repeat in range(options.repeats):
        ours.seed(repeat)
        for way in ways:
            runs[way].append([])
        for start in range(STARTS):
            runs[ways[0]][repeat].append(ours.start(start))
            for setup in kept:
                for method in options.methods.split(","):
                    if start == 0 or "*" not in method:  # a method with * makes its own starts
                        found = setup.start(method, ours.first_values(start), 100 * repeat + start, options.most_second)
                        runs[setup.name, method][repeat] += found
    target = target_of(judge, [run for repeats in runs.values() for starts in repeats for run in starts])
    print(COMPARED, *_rows(case, judge, target, runs), sep="\n", flush=True)


def per_start(hits: list[tuple[float, float, bool]]) -> tuple[float, float]:
    """Return CPU and wall seconds per start that reached the target, including the time of those that did not."""
    there = sum(hit[2] for hit in hits)
    wall, cpu = (sum(hit[k] for hit in hits) for k in (0, 1))
    return (cpu / there, wall / there) if there else (np.inf, np.inf)


def _rows(case: Case, judge: Judge, target: float, runs: dict[tuple[str, str], list[list[Reply]]]) -> Iterator[str]:
    base: list[tuple[float, float]] = []
    for (name, method), repeats in runs.items():
        hits = [[until(judge, target, run) for run in starts] for starts in repeats]
        each = [per_start(starts) for starts in hits]
        base = base or each
        ends = [sum(run["cpu"] for run in starts) for starts in repeats]
        count = [float(sum(run["evaluations"] for run in starts)) for starts in repeats]
        reached = f"{sum(h[2] for starts in hits for h in starts)} of {sum(map(len, hits))}"
        finals = [judge.rmse_mv(tuple(run["trace"][-1]["values"])) for s in repeats for run in s if run["trace"]]
        messages = {run["message"] for starts in repeats for run in starts}
        failed = "; ".join(sorted(m for m in messages if m.startswith(("fails", "stopped"))))
        ratios = [[a[k] / b[k] for a, b in zip(each, base, strict=True)] for k in (0, 1)]
        cells = [case.name, case.model, name, method, reached, *(spread([e[k] for e in each], ".2f") for k in (0, 1))]
        cells += [*map(spread, ratios), spread(ends), spread(count, ".0f")]
        yield f"| {' | '.join(cells)} | {max(finals, default=np.inf):.3f} | {failed} |"


def fleet(model: str, cells: int, setup: PyBOP, options: argparse.Namespace) -> None:
    """Fit cells with different profiles and print the table; after an interrupt, of the cells done so far.

    Everything that a cell needs is counted. The first cell also builds what all cells share; it is left out.
    """
    rows = []
    with contextlib.suppress(KeyboardInterrupt):
        for seed in range(cells + 1):
            rows.append(_cell(two(model, seed), setup, options))
    rows = rows[1:]
    for place, name in enumerate(("kilocell", f"{setup.name}, {options.fleet_method}")):
        cpu, wall = ([row[place][k] for row in rows] for k in (0, 1))
        ratios = [[row[place][k] / row[0][k] for row in rows] for k in (0, 1)]
        reached = f"{sum(row[place][2] for row in rows):.0f} of {STARTS * len(rows)}"
        text = (name, reached, *(spread(part, ".2f") for part in (cpu, wall)), *(spread(part) for part in ratios))
        print(f"| {model} | {len(rows)} | {' | '.join(text)} |", flush=True)


def _cell(case: Case, setup: PyBOP, options: argparse.Namespace) -> list[tuple[float, float, int]]:
    """Return CPU and wall seconds of a cell for ``STARTS`` successful starts, and their number; kilocell first."""
    judge, ours, method = Judge(case), Kilocell(case), options.fleet_method
    fitted, whole = ours.fit(STARTS)
    load = setup.load(case, ours.first_values(1))
    own = 1 if "*" in method else STARTS
    others = [run for k in range(own) for run in setup.start(method, ours.first_values(k), k, options.most_second)]
    target = target_of(judge, fitted + others)
    # To choose the best start and compute its uncertainty takes the rest of the time.
    rest = {k: whole[k] - sum(run[k] for run in fitted) for k in ("cpu", "wall")}
    found = []
    for runs, once in ((fitted, rest), (others, load)):
        hits = [until(judge, target, run) for run in runs]
        cpu, wall = per_start(hits)
        found.append((STARTS * cpu + once["cpu"], STARTS * wall + once["wall"], sum(hit[2] for hit in hits)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pybop-python", help="Python of an environment with PyBOP")
    parser.add_argument("--cases", default="two,four,measured,fleet")
    parser.add_argument("--models", default="SPM,SPMe")
    parser.add_argument("--setups", default="recommended,dt_max compiled,stops compiled")
    parser.add_argument("--methods", default=METHODS, help="methods of PyBOP; NAME*4 = with its own multistart")
    parser.add_argument("--fleet-method", default="Nelder-Mead")
    parser.add_argument("--fleet-setup", default="stops")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cells", type=int, default=10, help="number of cells in the fleet")
    parser.add_argument("--most-second", type=float, default=120.0, help="largest CPU time of a PyBOP start, s")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    options = parser.parse_args()
    pybamm.set_logging_level("ERROR")
    python = environment(options)
    with tempfile.TemporaryDirectory() as name:
        os.environ["KILOCELL_CACHE"] = name  # empty, so that the first start compiles the model
        with compile_models(model_cache.prepare()):
            _run(options, python, Path(name))


def _run(options: argparse.Namespace, python: Path, folder: Path) -> None:
    theirs = [PyBOP(python, setup, folder) for setup in options.setups.split(",")]
    about = f"kilocell {version('kilocell')}, PyBaMM {pybamm.__version__}, NumPy {np.__version__}"
    print(f"{about}; PyBOP's {theirs[0].about}; Python {platform.python_version()}, one thread each")
    models = options.models.split(",")
    for model, name in ((model, name) for model in models for name in options.cases.split(",") if name != "fleet"):
        case = measured(model, options.data) if name == "measured" else {"two": two, "four": four}[name](model)
        if case is None:
            print(f"\n{name}, {model}: skipped, there is no record in {options.data}")
        else:
            compare(case, theirs, options)
    for setup in theirs:
        setup.close()
    if "fleet" in options.cases.split(","):
        print(FLEET, flush=True)
        setup = PyBOP(python, options.fleet_setup, folder)
        for model in models:
            fleet(model, options.cells, setup, options)
        setup.close()


if __name__ == "__main__":
    main()
