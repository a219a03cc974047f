"""Compare the replay with PyBaMM's own ways, in one run on one core, as ratios.

Usage: python benchmarks/replay.py [--cells 50] [--slow-cells 2] [--models SPM,SPMe,DFN] [--cases cccv-10s,pulses,...]
       [--data FOLDER]

Every cell has its own profile. The slow ways (all except kilocell's) are timed on ``--slow-cells`` cells, kilocell's on
as many as fit into ``--seconds``. All numbers are medians per cell, with quartiles. kilocell's time includes
compression, the starting state, the replay and the check of the charge, but not building the model, which all its cells
share. PyBaMM's ways build a model for each cell, and that is included. The reference voltage is the documented way with
ten times tighter tolerances. "In SUNDIALS" is the share of a cell's time inside the integrator's call.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("PYBAMM_DISABLE_TELEMETRY", "true")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pybamm
from kilocell.data.settings import CellSettings, InitialState, ModelSettings, ParameterSetSettings, SimulateSettings
from kilocell.jobs.current_profile.compress import compress_current
from kilocell.jobs.models.build import forget_models, make_structure
from kilocell.jobs.models.simulation_case import resolve_simulation
from kilocell.jobs.record.record import Record
from kilocell.jobs.simulation.attempts import relative_charge_error
from kilocell.jobs.simulation.conditions import find_conditions
from kilocell.jobs.simulation.replay import replay
from kilocell.runner.worker import model_cache
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Way = Callable[["Case"], tuple[Floats, float]]
CAPACITY_AH = 5.0
BASE = "Chen2020"


class Watched:
    """Counts the seconds inside PyBaMM's integrator, and its steps, since :meth:`begin`."""

    def __init__(self) -> None:
        self.seconds, self.steps = 0.0, 0
        pybamm.IDAKLUSolver.solve = self._watched(pybamm.IDAKLUSolver.solve)
        pybamm.IDAKLUSolver.step = self._watched(pybamm.IDAKLUSolver.step)  # windows after the first

    def _watched(self, solve: Any) -> Any:
        def watched(*arguments: Any, **named: Any) -> Any:
            solution = solve(*arguments, **named)
            self.seconds += solution.integration_time.value
            self.steps += solution.solver_statistics.number_of_steps
            return solution

        return watched

    def begin(self) -> None:
        self.seconds, self.steps = 0.0, 0


@dataclass(frozen=True)
class Timed:
    """One way on some cells: for each, seconds, seconds in the integrator, steps, and voltage (V) with charge (A.h)."""

    seconds: Floats
    inside: Floats
    steps: Floats
    out: list[tuple[Floats, float]]


@dataclass(frozen=True)
class Case:
    """A record to replay: time in s, current in A (positive charges), and the state of charge at its start."""

    time: Floats
    current: Floats
    soc: float


def cccv(interval: float, seed: int) -> Case:
    """Make 16 h: two cycles of rest, charge, hold, rest, discharge, rest, with 2 mA of noise; rates differ by cell."""
    rng = np.random.default_rng(seed)
    time_second = np.arange(0.0, 16 * 3600.0 + interval / 2, interval)
    share = (time_second % (8 * 3600.0)) / (8 * 3600.0)
    rate = rng.uniform(0.9, 1.1)
    hold = 1.2 * np.exp(-(share - 0.40) * 30.0)
    edges = [share < 0.03, share < 0.40, share < 0.52, share < 0.58, share < 0.95]
    current = rate * np.select(edges, [0.0 * share, 0.0 * share + 1.2, hold, 0.0 * share, 0.0 * share - 1.304], 0.0)
    return Case(time_second, current + rng.normal(0.0, 2e-3, len(time_second)), 0.1)


def pulses(seed: int) -> Case:
    """Make 8 h at 1 s: a discharge of 500 s at 1C and nine pulses of 10 s, at times that differ by cell."""
    rng = np.random.default_rng(seed)
    time_second = np.arange(0.0, 8 * 3600.0 + 1.0)
    current = np.zeros(len(time_second))
    current[600:1100] = -5.0
    for first in 3000 + 2700 * np.arange(9) + rng.integers(0, 1000, 9):
        current[first : first + 10] = -5.0
    return Case(time_second, current, 0.8)


def drive(seed: int) -> Case:
    """Make 1 h at 1 Hz of a correlated random load with standstills, like a drive cycle."""
    rng = np.random.default_rng(seed)
    time_second = np.arange(0.0, 3601.0)
    load = np.zeros(len(time_second))
    for k, push in enumerate(rng.normal(0.0, 1.2, len(time_second) - 1), start=1):
        load[k] = 0.9 * load[k - 1] + push
    current = np.clip(-(2.0 + load), -15.0, 8.0)
    current[np.sin(time_second / 60.0 + seed) > 0.7] = 0.0
    return Case(time_second, current, 0.9)


def measured(folder: Path, seed: int) -> Case:
    """Read and clean one of the real LG M50 records at 25 °C."""
    from kilocell.data import columns as c
    from kilocell.data.readers.read import guess_settings, read_raw
    from kilocell.data.settings import CleanSettings
    from kilocell.jobs.cleaning.clean import clean

    paths = sorted((folder / "lgm50_digatron" / "25degC").glob("*0p5C*.csv"))
    path = paths[seed % len(paths)]
    samples = clean(read_raw(path, guess_settings(path)), path.stem, CleanSettings(nominal_capacity_ah=5.0)).samples
    return Case(samples[c.TEST_TIME].to_numpy(float), samples[c.CURRENT].to_numpy(float), 0.999)


def documented(model: str, case: Case, tighter: float = 1.0) -> tuple[Floats, float]:
    """Replay with an interpolant, a stop at every sample and a model built for the cell; voltage and charge out."""
    simulation = _own_simulation(model, case, pybamm.IDAKLUSolver(rtol=1e-4 * tighter, atol=1e-6 * tighter))
    solution = simulation.solve(case.time)
    return solution["Voltage [V]"](case.time), float(solution["Discharge capacity [A.h]"].entries[-1])


def from_zero_to_end(model: str, case: Case) -> tuple[Floats, float]:
    """Replay the quick way: [0, T], with the sample times as ``t_interp``."""
    simulation = _own_simulation(model, case, pybamm.IDAKLUSolver())
    solution = simulation.solve([case.time[0], case.time[-1]], t_interp=case.time)
    return solution["Voltage [V]"](case.time), float(solution["Discharge capacity [A.h]"].entries[-1])


def batch_study(model: str, case: Case) -> tuple[Floats, float]:
    """Replay with PyBaMM's BatchStudy of one model and parameter set, with the record as its current."""
    study = pybamm.BatchStudy(
        {model: _without_events(model)}, parameter_values={"set": _values(case)}, solvers={"s": pybamm.IDAKLUSolver()}
    )
    study.solve(case.time)
    solution = study.sims[0].solution
    return solution["Voltage [V]"](case.time), float(solution["Discharge capacity [A.h]"].entries[-1])


def _values(case: Case) -> pybamm.ParameterValues:
    values = pybamm.ParameterValues(BASE)
    values.set_initial_state(case.soc)
    values["Current function [A]"] = pybamm.Interpolant(case.time, -case.current, pybamm.t)
    return values


def _without_events(model: str) -> pybamm.BaseModel:
    made = getattr(pybamm.lithium_ion, model)()
    made.events = []
    return made


def _own_simulation(model: str, case: Case, solver: pybamm.BaseSolver) -> pybamm.Simulation:
    return pybamm.Simulation(_without_events(model), parameter_values=_values(case), solver=solver)


def kilocell_way(model: str, case: Case, compiled: bool) -> tuple[Floats, float]:
    """Replay with kilocell: compression, replay with the built model, and the check of the charge."""
    settings = SimulateSettings(
        CellSettings("CELL", CAPACITY_AH, InitialState("soc", case.soc), 25.0),
        ModelSettings(model, model),
        ParameterSetSettings(BASE, BASE),
    )
    n = len(case.time)
    flags, ones = np.zeros(n, np.int64), np.ones(n, np.int32)
    record = Record(case.time, case.current, np.full(n, np.nan), flags, ones, ones)
    profile = compress_current(case.time, case.current, flags.astype(bool), CAPACITY_AH)
    conditions = find_conditions(record, resolve_simulation(settings, None))
    structure = make_structure(
        settings.model, BASE, (), len(profile.time_second), settings.rtol, settings.atol, compiled=compiled
    )
    replayed = replay(structure, conditions, profile, case.time)
    if relative_charge_error(record, replayed.charge_ah, CAPACITY_AH).max() > 5e-4:
        replayed = replay(structure, conditions, profile, case.time, every_knot=True)
    assert relative_charge_error(record, replayed.charge_ah, CAPACITY_AH).max() < 5e-4, "not charge-true"
    return replayed.voltage_volt, -float(replayed.charge_ah[-1])


def timed(way: Way, cases: list[Case], most_seconds: float, watched: Watched) -> Timed:
    """Run a way on cells until the time is up, but at least on two."""
    rows, out = [], []
    until = time.perf_counter() + most_seconds
    for case in cases:
        if len(out) >= 2 and time.perf_counter() > until:
            break
        watched.begin()
        began = time.perf_counter()
        out.append(way(case))
        rows.append((time.perf_counter() - began, watched.seconds, watched.steps))
    seconds, inside, steps = np.array(rows, float).T
    return Timed(seconds, inside, steps, out)


def compare(name: str, model: str, cases: list[Case], options: argparse.Namespace, watched: Watched) -> None:
    """Time every way on one kind of record and print a table row for each."""
    slow = cases[: options.slow_cells]
    reference = [documented(model, case, 0.1)[0] for case in slow]
    ways: list[tuple[str, Way, list[Case]]] = [
        ("documented", lambda case: documented(model, case), slow),
        ("[0, T]", lambda case: from_zero_to_end(model, case), slow),
        ("BatchStudy", lambda case: batch_study(model, case), slow[:1]),
        ("kilocell", lambda case: kilocell_way(model, case, False), cases),
        ("kilocell, compiled", lambda case: kilocell_way(model, case, True), cases),
    ]
    base = np.nan
    for label, way, chosen in ways:
        try:
            if way is ways[3][1] or way is ways[4][1]:
                way(cases[0])  # builds the model
            found = timed(way, chosen, options.seconds, watched)
        except Exception as error:  # what a way cannot do is a result of the benchmark
            print(f"| {name} | {model} | {label} | fails: {' '.join(str(error).split())[:60]} |", flush=True)
            continue
        base = float(np.median(found.seconds)) if label == "documented" else base
        print(f"| {name} | {model} | {label} {_row(found, chosen, base, reference)}", flush=True)


def _row(found: Timed, cases: list[Case], base: float, reference: list[Floats]) -> str:
    rmse = np.median([1e3 * np.sqrt(np.mean((v - r) ** 2)) for (v, _), r in zip(found.out, reference, strict=False)])
    off = 0.0
    for (_, charge), case in zip(found.out, cases, strict=False):
        true = -np.trapezoid(case.current, case.time) / 3600.0
        off = max(off, abs(charge - true) / (np.trapezoid(np.abs(case.current), case.time) / 3600.0))
    low, middle, high = 1e3 * np.quantile(found.seconds, [0.25, 0.5, 0.75])
    share, steps = float(np.median(found.inside / found.seconds)), float(np.median(found.steps))
    return (
        f"| {len(found.seconds)} | {middle:.1f} ({low:.1f} to {high:.1f}) | {base / middle * 1e3:.1f} "
        f"| {steps:.0f} | {share:.2f} | {rmse:.3f} | {off:.4%} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--cells", type=int, default=50)
    parser.add_argument("--slow-cells", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=60.0, help="time limit for each of kilocell's ways")
    parser.add_argument("--models", default="SPM,SPMe,DFN")
    parser.add_argument("--cases", default="cccv-10s,cccv-1s,pulses,drive,measured")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    pybamm.set_logging_level("ERROR")
    model_cache.prepare()
    makers: dict[str, Callable[[int], Case]] = {
        "cccv-10s": lambda seed: cccv(10.0, seed),
        "cccv-1s": lambda seed: cccv(1.0, seed),
        "pulses": pulses,
        "drive": drive,
        "measured": lambda seed: measured(options.data, seed),
    }
    print(f"PyBaMM {pybamm.__version__}, Python {platform.python_version()}, {platform.machine()}, one core")
    print(
        f"slow ways on {options.slow_cells} cells, kilocell's on {options.cells}, "
        f"or as many as {options.seconds:.0f} s hold"
    )
    print(
        "| record | model | way | cells | ms per cell (quartiles) | times documented | steps | in SUNDIALS "
        "| RMSE mV | charge off |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    watched = Watched()
    for name in options.cases.split(","):
        cases = [makers[name](seed) for seed in range(options.cells)]
        for model in options.models.split(","):
            compare(name, model, cases, options, watched)
    forget_models()


if __name__ == "__main__":
    main()
