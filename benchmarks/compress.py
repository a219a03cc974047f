"""Measure the compression of long and difficult records: seconds per million samples, knots, charge, peak memory.

Usage: python benchmarks/compress.py [--samples 10_000_000]

The ageing record is a month of cycles at 1C with holds and rests, with 2 mA of noise. The drive record is a random load
at 1 Hz with standstills. Each is compressed in a new process.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from kilocell.jobs.current_profile.compress import compress_current
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MONTH_SECOND = 30 * 86400.0


def ageing(samples: int) -> tuple[Floats, Floats]:
    """Make a month of 3 h cycles: charge, decaying hold, rest, discharge, rest; time in s, current in A."""
    time_second = np.linspace(0.0, MONTH_SECOND, samples)
    share = (time_second % 10_800.0) / 10_800.0
    hold = 5.0 * np.exp(-(share - 0.25) * 12.0)
    edges = [share < 0.25, share < 0.5, share < 0.6, share < 0.9]
    current = np.select(edges, [0.0 * share + 5.0, hold, 0.0 * share, 0.0 * share - 5.0], 0.0)
    return time_second, current + 2e-3 * np.random.default_rng(1).standard_normal(samples)


def drive(samples: int) -> tuple[Floats, Floats]:
    """Make a load at 1 Hz that changes at every sample, with standstills; time in s, current in A."""
    rng = np.random.default_rng(2)
    load = -2.0 + np.convolve(rng.normal(0.0, 1.0, samples), np.ones(8) / 2.0, "same")
    time_second = np.arange(samples, dtype=float)
    load[np.sin(time_second / 60.0) > 0.7] = 0.0
    return time_second, load + 2e-3 * rng.standard_normal(samples)


def peak_mb() -> float:
    """Return the largest resident size of this process so far, in MB (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024.0


def measure(name: str, samples: int) -> None:
    time_second, current = {"ageing": ageing, "drive": drive}[name](samples)
    no_gap = np.zeros(samples, bool)
    compress_current(time_second[:1000], current[:1000], no_gap[:1000], 5.0)
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before = peak_mb()
    began = time.perf_counter()
    profile = compress_current(time_second, current, no_gap, 5.0)
    seconds = time.perf_counter() - began
    grown = peak_mb() - before
    charge = np.trapezoid(profile.current_ampere, profile.time_second) - np.trapezoid(current, time_second)
    off = abs(charge) / np.trapezoid(np.abs(current), time_second)
    print(
        f"| {name} | {samples / 1e6:g} | {len(profile.time_second)} | {seconds / samples * 1e6:.2f} | {off:.1e} "
        f"| {grown:.0f} | {grown * 2**20 / (16.0 * samples):.1f} |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--samples", type=int, default=10_000_000)
    options = parser.parse_args()
    print("| record | million samples | knots | s per million | charge off | memory grown MB | times the record |")
    print("|---|---|---|---|---|---|---|")
    for name in ("ageing", "drive"):
        for samples in (options.samples // 10, options.samples):
            process = multiprocessing.get_context("spawn").Process(target=measure, args=(name, samples))
            process.start()
            process.join()


if __name__ == "__main__":
    main()
