"""Records made for tests: a partition from a current and PyBaMM's own answer to it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd
import pybamm
from kilocell.data import columns as c
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def partition(time_second: Floats, current_ampere: Floats, voltage_volt: Floats) -> pd.DataFrame:
    """A cleaned partition of one cycle and one step from three arrays; no temperature was measured."""
    n = len(time_second)
    frame = pd.DataFrame({name: np.zeros(n) for name in c.PARTITION_COLUMNS})
    frame[[c.AMBIENT_TEMPERATURE, c.SURFACE_TEMPERATURE]] = np.nan
    frame[c.TEST_TIME], frame[c.CURRENT], frame[c.VOLTAGE] = time_second, current_ampere, voltage_volt
    frame[c.CYCLE_COUNT] = frame[c.STEP_COUNT] = 1
    frame[c.SOURCE_ROW] = np.arange(n)
    return frame.astype({name: kind for name, kind in c.PARTITION_COLUMNS.items() if name != c.STEP_TYPE})


def documented_replay(model: str, parameter_set: str, time: Floats, current: Floats, soc: float) -> Floats:
    """Voltage by PyBaMM's documented way: an interpolant of the record, solved with a stop at every sample."""
    values = pybamm.ParameterValues(parameter_set)
    values.set_initial_state(soc)
    values["Current function [A]"] = pybamm.Interpolant(time, -current, pybamm.t)
    built = getattr(pybamm.lithium_ion, model)()
    built.events = []
    # Tighter still, and the DFN's first step after a jump from rest fails.
    tight = 1.0 if model == "DFN" else 0.1
    solver = pybamm.IDAKLUSolver(rtol=1e-5 * tight, atol=1e-7 * tight)
    solution = pybamm.Simulation(built, parameter_values=values, solver=solver).solve(time)
    voltage: Floats = solution["Voltage [V]"](time)
    return voltage


@lru_cache(maxsize=4)
def pulses(model: str = "SPM") -> pd.DataFrame:
    """Rest, a 500 s discharge at 1C and nine 10 s pulses in 8 h at 10 s: what the obvious call steps over."""
    time = np.arange(0.0, 8 * 3600.0 + 1.0, 10.0)
    current = np.zeros(len(time))
    current[(time >= 600.0) & (time < 1100.0)] = -5.0
    for k in range(9):
        current[np.searchsorted(time, 3000.0 + 2700.0 * k)] = -5.0
    return partition(time, current, documented_replay(model, "Chen2020", time, current, 0.8))
