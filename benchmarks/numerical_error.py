"""Hold kilocell's estimate of its own numerical error against PyBaMM at tight tolerances.

Usage: python benchmarks/numerical_error.py [--sets Chen2020,...] [--models SPM,SPMe,DFN] [--protocols C20,rates,...]
       [--tolerance standard]

Each record is made without noise by PyBaMM with a thousandth of the tolerances, and simulated by kilocell with the same
model, set, state and current: what remains is kilocell's own error. Printed are this error and the estimate (RMSE and
worst, mV), and at the end the share of cases whose error is below the estimate, and the share within a factor of ten.
``deep`` is a discharge at C/20 until the cell is nearly empty, with its steep end; ``empty`` is one at C/20 to the
lower cut-off, and one at 2C after a charge; ``long`` is a drive cycle of more than 4092 knots, of which only a part is
solved twice if that part tells enough. A set may be a file (BPX), such as ``examples/bpx/lgm50.bpx.json``.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("PYBAMM_DISABLE_TELEMETRY", "true")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
import pybamm
from kilocell.data import columns as c
from kilocell.data.defined_sets import define_set
from kilocell.data.settings import (
    TOLERANCES,
    CellSettings,
    InitialState,
    ModelSettings,
    ParameterSetSettings,
    SimulateSettings,
    Tolerance,
)
from kilocell.jobs.parameters.sets import load_base_set
from kilocell.jobs.simulation.simulate import simulate
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Pieces = list[tuple[float, float]]
SETS = "Chen2020,OKane2022,ORegan2022,Marquis2019,Ecker2015,Ai2020,NCA_Kim2011,Prada2013,Mohtat2020"
EDGE_SECOND = 0.02
"""Length of an edge of the current."""

TIGHT, LOOSE = 1e-7, 1e-5
"""Relative tolerances of the reference, and of the search for the cut-offs."""

SMALLEST_MV = 0.01
"""Errors below it count as covered: the reference has about this error itself."""


@dataclass(frozen=True)
class Truth:
    """A record without noise: s, A (positive for charge), V, and the state of charge at its start."""

    time_second: Floats
    current_ampere: Floats
    voltage_volt: Floats
    soc: float
    capacity_ah: float


def protocols(capacity_ah: float, seed: int) -> dict[str, tuple[float, Pieces, float]]:
    """Return state of charge, pieces (A, positive for discharge; s) and sampling interval (s) by name."""
    rng = np.random.default_rng(seed)
    q = capacity_ah
    slow = [(0.0, 600.0), (q / 20, 0.93 * 20 * 3600), (0.0, 3600.0)]
    deep = [(0.0, 600.0), (q / 20, 0.97 * 20 * 3600)]
    rates = [(0.0, 600.0), (q, 2880.0), (0.0, 1800.0), (-q / 2, 5040.0), (0.0, 1800.0), (2 * q, 900.0), (0.0, 1800.0)]
    pulse = [(q / 2, 360.0), (0.0, 1200.0), (1.5 * q, 10.0), (0.0, 60.0), (-q, 10.0), (0.0, 60.0)]
    steps = rng.normal(0.35, 0.9, 500).clip(-1.2, 2.2)
    drive = [(q * step, float(rng.integers(3, 12))) for step in steps]
    seconds = rng.integers(3, 8, 2400).astype(float)
    loads = rng.normal(0.25, 0.5, 2400).clip(-0.8, 1.8)
    loads *= 0.85 * 3600.0 / np.sum(loads * seconds)  # down to a tenth of the charge
    long = list(zip((q * loads).tolist(), seconds.tolist(), strict=True))
    return {
        "C20": (0.98, slow, 60.0),
        "deep": (0.98, deep, 60.0),
        "rates": (0.95, rates, 10.0),
        "pulses": (0.9, [(0.0, 600.0), *pulse * 9], 1.0),
        "drive": (0.9, [(0.0, 600.0), *drive, (0.0, 600.0)], 1.0),
        "long": (0.95, [(0.0, 600.0), *long, (0.0, 600.0)], 1.0),
    }


def parameter_set(base: str) -> ParameterSetSettings:
    """Return a set of PyBaMM, or that of a file."""
    if not base.endswith(".json"):
        return ParameterSetSettings(base, base)
    content = Path(base).read_bytes()
    settings = ParameterSetSettings(Path(base).stem, Path(base).stem, file_digest=hashlib.sha256(content).hexdigest())
    define_set(settings.key, content)
    return settings


def sample_pieces(pieces: Pieces, interval: float) -> tuple[Floats, Floats, Floats]:
    """Return the knots of a current (s, A positive for discharge), and the times of its samples (s)."""
    end = np.cumsum([seconds for _, seconds in pieces])
    begin = np.concatenate([[0.0], end[:-1]])
    knots = np.column_stack([begin, end - EDGE_SECOND]).ravel()
    samples = [np.arange(*piece, interval) for piece in zip(begin, end - EDGE_SECOND, strict=True)]
    return knots, np.repeat([ampere for ampere, _ in pieces], 2), np.unique(np.concatenate([*samples, knots]))


def solve(
    model: str, values: pybamm.ParameterValues, soc: float, current: tuple[Floats, Floats, Floats], rtol: float
) -> pybamm.Solution:
    """Solve with PyBaMM until the current ends or, at loose tolerances, a cut-off is reached."""
    knots, ampere, time_second = current
    values = values.copy()
    values["Current function [A]"] = pybamm.Interpolant(knots, ampere, pybamm.t)
    made = getattr(pybamm.lithium_ion, model)()
    if rtol < LOOSE:
        made.events = []
    options = {"max_num_steps": 1_000_000, "dt_init": 1e-6}
    solver = pybamm.IDAKLUSolver(rtol=rtol, atol=rtol / 100.0, options=options)
    simulation = pybamm.Simulation(made, parameter_values=values, solver=solver)
    return simulation.solve(knots, t_interp=time_second, initial_soc=soc)


def pieces_to_cutoffs(model: str, values: pybamm.ParameterValues, capacity_ah: float, soc: float) -> Pieces:
    """Return rest, C/20, rest, charge at C/2, rest, 2C, rest, each load until a second before a cut-off."""
    pieces = [(0.0, 600.0)]
    for rate in (0.05, -0.5, 2.0):
        most = [*pieces, (rate * capacity_ah, 1.4 * 3600.0 / abs(rate))]
        end = float(solve(model, values, soc, sample_pieces(most, 60.0), LOOSE).t[-1])
        seconds = end - sum(seconds for _, seconds in pieces) - 1.0
        if seconds > 60.0:
            pieces += [(rate * capacity_ah, seconds), (0.0, 1800.0)]
    return pieces


def make_truth(model: str, base: str, protocol: str) -> Truth:
    """Solve a protocol with PyBaMM at tight tolerances."""
    values = load_base_set(parameter_set(base).key).copy()
    capacity = float(values["Nominal cell capacity [A.h]"])
    seed = zlib.crc32(f"{model}{base}".encode())
    if protocol == "empty":
        soc, current = 0.98, sample_pieces(pieces_to_cutoffs(model, values, capacity, 0.98), 10.0)
    else:
        soc, pieces, interval = protocols(capacity, seed)[protocol]
        current = sample_pieces(pieces, interval)
    knots, ampere, time_second = current
    voltage = solve(model, values, soc, current, TIGHT)["Voltage [V]"](time_second)
    if not (np.isfinite(voltage).all() and voltage.min() > 1.5 and voltage.max() < 5.0):
        raise ValueError("the reference leaves its range")
    return Truth(time_second, -np.interp(time_second, knots, ampere), voltage, soc, capacity)


def make_partition(truth: Truth) -> pd.DataFrame:
    """Make the cleaned partition of a record."""
    n = len(truth.time_second)
    frame = pd.DataFrame({name: np.zeros(n) for name in c.PARTITION_COLUMNS})
    frame[c.TEST_TIME], frame[c.CURRENT], frame[c.VOLTAGE] = (
        truth.time_second,
        truth.current_ampere,
        truth.voltage_volt,
    )
    frame[c.CYCLE_COUNT] = frame[c.STEP_COUNT] = 1
    frame[c.AMBIENT_TEMPERATURE] = frame[c.SURFACE_TEMPERATURE] = np.nan
    frame[c.STEP_TYPE] = "discharge"
    return frame.astype({name: kind for name, kind in c.PARTITION_COLUMNS.items() if name != c.STEP_TYPE})


@dataclass(frozen=True)
class Row:
    """One case: the true error and its estimate (mV), RMSE and worst, and what was said."""

    true_mv: tuple[float, float]
    estimate_mv: tuple[float, float]
    seconds: float
    attempts: tuple[str, ...]

    @property
    def covered(self) -> bool:
        """Whether the estimate bounds the true error."""
        return all(t <= max(e, SMALLEST_MV) for t, e in zip(self.true_mv, self.estimate_mv, strict=True))

    @property
    def close(self) -> bool:
        """Whether the estimate is within a factor of ten of the true error."""
        return all(e <= 10.0 * max(t, SMALLEST_MV) for t, e in zip(self.true_mv, self.estimate_mv, strict=True))


def judge(model: str, base: str, protocol: str, tolerance: Tolerance = "standard") -> Row:
    """Simulate the record of a protocol with the model that made it."""
    truth = make_truth(model, base, protocol)
    rtol, atol = TOLERANCES[tolerance]
    settings = SimulateSettings(
        CellSettings("CELL", truth.capacity_ah, InitialState("soc", truth.soc)),
        ModelSettings(model, model),
        parameter_set(base),
        rtol=rtol,
        atol=atol,
        tolerance=tolerance,
    )
    began = time.process_time()
    out = simulate(make_partition(truth), settings, None)
    seconds = time.process_time() - began
    away = 1e3 * (out.frame["simulated_voltage_volt"].to_numpy() - truth.voltage_volt)
    result = out.result
    estimate = (result.numerical_error_rmse_mv or np.inf, result.numerical_error_worst_mv or np.inf)
    true = (float(np.sqrt(np.mean(away**2))), float(np.abs(away).max()))
    return Row(true, estimate, seconds, result.attempts)


def cases(options: argparse.Namespace) -> Iterator[tuple[str, str, str]]:
    """Yield (model, set, protocol)."""
    for model in options.models.split(","):
        for base in options.sets.split(","):
            for protocol in options.protocols.split(","):
                yield model, base, protocol


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--sets", default=SETS)
    parser.add_argument("--models", default="SPM,SPMe,DFN")
    parser.add_argument("--protocols", default="C20,deep,empty,rates,pulses,drive")
    parser.add_argument("--tolerance", choices=list(TOLERANCES), default="standard")
    options = parser.parse_args()
    pybamm.set_logging_level("ERROR")
    print("| model | set | protocol | RMSE mV | worst mV | estimate, RMSE mV | worst mV | s | solved |")
    print("|---|---|---|---|---|---|---|---|---|")
    rows = []
    for model, base, protocol in cases(options):
        try:
            row = judge(model, base, protocol, options.tolerance)
        except Exception as error:  # a set that cannot carry a protocol is a result of the study
            print(f"| {model} | {base} | {protocol} | {type(error).__name__}: {' '.join(str(error).split())[:60]} |")
            continue
        rows.append(row)
        numbers = " | ".join(f"{value:.3f}" for value in (*row.true_mv, *row.estimate_mv))
        print(f"| {model} | {base} | {protocol} | {numbers} | {row.seconds:.1f} | {len(row.attempts)} |", flush=True)
    covered = sum(row.covered for row in rows)
    close = sum(row.close for row in rows)
    within = sum(row.true_mv[0] <= 0.5 and row.true_mv[1] <= 3.0 for row in rows)
    print(
        f"{len(rows)} cases: {within} within 0.5 / 3 mV, {covered} below the estimate, {close} within a factor of ten"
    )


if __name__ == "__main__":
    main()
