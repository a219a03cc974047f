"""Currents that users have, made for tests: time in s, current in A (positive charges), for a cell of 5 A.h."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Load = tuple[Floats, Floats]


def _noisy(time: Floats, current: Floats, noise_ampere: float, seed: int) -> Load:
    return time, current + noise_ampere * np.random.default_rng(seed).standard_normal(len(time))


def cccv(interval: float = 10.0, seed: int = 1) -> Load:
    """5 h: rest, charge, a decaying hold, rest, discharge, under 2 mA of noise; from an empty cell."""
    time = np.arange(0.0, 18_000.0, interval)
    hold = 2.0 * np.exp(-(time - 7000.0) / 1200.0)
    edges = [time < 600.0, time < 7000.0, time < 11_000.0, time < 12_000.0, time < 17_000.0]
    return _noisy(time, np.select(edges, [0.0, 2.0, hold, 0.0, -2.0], 0.0), 2e-3, seed)


def gitt(seed: int = 1) -> Load:
    """Six pulses of 10 min with rests of an hour, sampled at 10 ms after each step and ever more rarely after."""
    ages = np.concatenate([[0.01], np.arange(1.0, 10.0), 10.0 * 1.25 ** np.arange(40)])
    times, currents = [np.zeros(1)], [np.zeros(1)]
    for size, length in ((-1.7, 600.0), (0.0, 3600.0)) * 6:
        since = np.append(ages[ages < length], length)
        times.append(times[-1][-1] + since)
        currents.append(np.full(len(since), size))
    return _noisy(np.concatenate(times), np.concatenate(currents), 5e-4, seed)


def pulses(seed: int = 1) -> Load:
    """1 h at 1 s: discharges and, before each, pulses of one sample out of the cell and back, as HPPC has them."""
    time = np.arange(0.0, 3600.0)
    current = np.zeros(len(time))
    for first in range(300, 3000, 1500):
        current[first], current[first + 40] = -5.0, 4.0
        current[first + 300 : first + 900] = -1.7
    return _noisy(time, current, 1e-3, seed)


def drive(rate_hz: float = 1.0, seed: int = 1, seconds: float = 900.0) -> Load:
    """The current of a car that follows a made-up speed trace: limits of acceleration, air and rolling resistance."""
    rng = np.random.default_rng(seed)
    time = np.arange(0.0, seconds, 1.0 / rate_hz)
    wanted = rng.choice([0.0, 30.0, 60.0, 100.0, 0.0, 120.0], int(seconds / 30.0) + 1) / 3.6
    speed = np.zeros(len(time))
    for k in range(1, len(time)):
        push = np.clip((wanted[int(time[k] / 30.0)] - speed[k - 1]) / 8.0, -1.5, 1.2)
        speed[k] = max(speed[k - 1] + push / rate_hz, 0.0)
    force = 1600.0 * np.gradient(speed, time) + 0.36 * speed**2 + 150.0
    power = speed * force + 500.0
    return _noisy(time, -10.0 * power / power.max(), 2e-3, seed)


LOADS: dict[str, tuple[Callable[..., Load], float]] = {
    "cccv": (cccv, 0.05),
    "gitt": (gitt, 0.9),
    "pulses": (pulses, 0.9),
    "drive": (drive, 0.9),
}
"""Each load with the state of charge it starts from."""
