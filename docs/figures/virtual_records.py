"""Make records of virtual cells for the figures of the documentation, and replay them.

The records come from a DFN: from the virtual cell behind ``kilocell synthesize``, or from a replay. Their voltage takes
the place of a measured one, so the error of a simulation is the distance of its model from the DFN.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

os.environ.setdefault("PYBAMM_DISABLE_TELEMETRY", "true")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from kilocell.data import columns as c
from kilocell.data.errors import JobError
from kilocell.data.settings import (
    CellSettings,
    InitialState,
    ModelSettings,
    Override,
    ParameterSetSettings,
    SimulateSettings,
)
from kilocell.data.synthetic.protocols import Protocol, discharge, rest
from kilocell.data.synthetic.virtual_cell import Chemistry, VirtualCell
from kilocell.jobs.simulation.simulate import SimulationOutput, simulate
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MODELS = ("SPM", "SPMe", "DFN")
CAPACITY_AH = 5.0  # nominal, of the LG M50
FULL_VOLT, EMPTY_VOLT = 4.18, 2.5
STAND_IN_VOLT = 3.7


@dataclass(frozen=True)
class Set:
    """A parameter set of the LG M50 at a temperature in °C, changed by overrides."""

    base: str = "Chen2020"
    celsius: float = 25.0
    overrides: tuple[Override, ...] = ()


def partition(time_second: Floats, current_ampere: Floats, voltage_volt: Floats) -> pd.DataFrame:
    """Make a cleaned partition of one cycle from arrays of shape (n,); positive current charges the cell."""
    n = len(time_second)
    frame = pd.DataFrame({name: np.zeros(n) for name in c.PARTITION_COLUMNS})
    frame[c.TEST_TIME], frame[c.CURRENT], frame[c.VOLTAGE] = time_second, current_ampere, voltage_volt
    frame[c.CYCLE_COUNT] = frame[c.STEP_COUNT] = 1
    return frame.astype({name: kind for name, kind in c.PARTITION_COLUMNS.items() if name != c.STEP_TYPE})


def discharged(rate: float, of: Set) -> pd.DataFrame:
    """Make the virtual cell's record of a ten-minute rest at 4.18 V and a discharge at a C-rate to 2.5 V."""
    cycle = (rest(1, 10), discharge(2, rate, EMPTY_VOLT, every=20.0 / rate))
    chemistry = Chemistry(of.base, Protocol("discharge", "", FULL_VOLT, (cycle,)), CAPACITY_AH, of.celsius)
    record = VirtualCell(chemistry).solve({}, 0.0).record
    return partition(record.time_second, CAPACITY_AH * record.rate, record.voltage)


def simulated(model: str, record: pd.DataFrame, of: Set, soc: float | None = None) -> SimulationOutput:
    """Replay a record from a state of charge (0 to 1); ``None`` = from the state of its first rest."""
    state = InitialState() if soc is None else InitialState("soc", soc)
    settings = SimulateSettings(
        CellSettings("LG M50", initial_state=state, temperature_celsius=of.celsius),
        ModelSettings(model, model),
        ParameterSetSettings(of.base, of.base, of.overrides),
    )
    return simulate(record, settings, None)


def as_seen_by_the_dfn(time_second: Floats, current_ampere: Floats, of: Set, soc: float) -> pd.DataFrame:
    """Make the record of any current; a replay with the DFN gives its voltage."""
    blank = partition(time_second, current_ampere, np.full(len(time_second), STAND_IN_VOLT))
    voltage = simulated("DFN", blank, of, soc).frame["simulated_voltage_volt"].to_numpy(float)
    return partition(time_second, current_ampere, voltage)


def rmse_mv(model: str, record: pd.DataFrame, of: Set, soc: float | None = None) -> float:
    """Return a model's RMSE on a record in mV; NaN, and a printed reason, if the simulation failed."""
    try:
        return simulated(model, record, of, soc).result.rmse_mv
    except JobError as error:
        print(f"{model} {of.base} {of.celsius:g} °C: {error.code}: {str(error).split(';')[0]}")
        return float("nan")
