"""Measure the memory of one worker process that solves many cells: resident size at the start and at the end.

Usage: python benchmarks/memory.py [--models SPM,SPMe,DFN] [--profiles 10_000] [--dfn-profiles 1000]

Every cell has its own current, capacity, state, temperature and parameter. Each is simulated as a worker does it, from
samples to frame and result. The first ``WARM`` cells build the models and fill the caches; they are not counted. Growth
per profile is the slope of a line through the sizes after every hundredth profile.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from pathlib import Path

os.environ.setdefault("PYBAMM_DISABLE_TELEMETRY", "true")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
import pybamm
from kilocell.data import columns as c
from kilocell.data.settings import (
    CellSettings,
    InitialState,
    ModelSettings,
    Override,
    ParameterSetSettings,
    SimulateSettings,
)
from kilocell.jobs.simulation.simulate import simulate

WARM = 300
BASE = "Chen2020"


def samples_of(seed: int) -> pd.DataFrame:
    """Make half an hour at 10 s: rest, discharge, pulses, charge; times and currents differ by cell."""
    rng = np.random.default_rng(seed)
    time_second = np.arange(0.0, 1800.0, 10.0)
    edges = np.sort(rng.choice(np.arange(10, 175), 6, replace=False))
    sizes = np.concatenate([[0.0], rng.uniform(-5.0, 4.0, 6)])
    current = sizes[np.searchsorted(edges, np.arange(len(time_second)), side="right")]
    n = len(time_second)
    frame = pd.DataFrame({name: np.zeros(n) for name in c.PARTITION_COLUMNS})
    frame[c.TEST_TIME], frame[c.CURRENT], frame[c.VOLTAGE] = time_second, current, 3.7
    frame[c.CURRENT] += 2e-3 * rng.standard_normal(n)
    frame[c.CYCLE_COUNT] = frame[c.STEP_COUNT] = 1
    return frame.astype({name: kind for name, kind in c.PARTITION_COLUMNS.items() if name != c.STEP_TYPE})


def settings_of(model: str, seed: int) -> SimulateSettings:
    rng = np.random.default_rng(seed)
    scale = Override("Negative particle diffusivity [m2.s-1]", "scale", float(rng.uniform(0.8, 1.2)))
    cell = CellSettings(
        f"CELL{seed}", float(rng.uniform(4.5, 5.5)), InitialState("soc", float(rng.uniform(0.4, 0.6))),
        float(rng.uniform(15.0, 35.0)),
    )  # fmt: skip
    return SimulateSettings(cell, ModelSettings(model, model), ParameterSetSettings(BASE, BASE, (scale,)))


def resident_mb() -> float:
    """Return the resident size of this process in MB (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def measure(model: str, profiles: int) -> None:
    for seed in range(WARM):
        simulate(samples_of(seed), settings_of(model, seed), None)
    sizes = [resident_mb()]
    began = time.perf_counter()
    for seed in range(WARM, WARM + profiles):
        simulate(samples_of(seed), settings_of(model, seed), None)
        if (seed - WARM + 1) % 100 == 0:
            sizes.append(resident_mb())
    milliseconds = 1e3 * (time.perf_counter() - began) / profiles
    slope = 1024.0 * np.polyfit(100.0 * np.arange(len(sizes)), sizes, 1)[0]
    print(
        f"| {model} | {profiles} | {sizes[0]:.0f} | {sizes[-1]:.0f} | {max(sizes):.0f} | {slope:.2f} "
        f"| {milliseconds:.0f} |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--models", default="SPM,SPMe,DFN")
    parser.add_argument("--profiles", type=int, default=10_000)
    parser.add_argument("--dfn-profiles", type=int, default=1000)
    options = parser.parse_args()
    pybamm.set_logging_level("ERROR")
    print(f"PyBaMM {pybamm.__version__}, Python {platform.python_version()}, one process")
    print("| model | profiles | MB at the start | MB at the end | MB at most | KB grown per profile | ms per profile |")
    print("|---|---|---|---|---|---|---|")
    for model in options.models.split(","):
        measure(model, options.dfn_profiles if model == "DFN" else options.profiles)


if __name__ == "__main__":
    main()
