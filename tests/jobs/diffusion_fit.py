"""The fit of two diffusivities to nine pulses, and the truth it should find."""

from __future__ import annotations

import numpy as np
import pandas as pd
from kilocell.data import columns as c
from kilocell.data.fit_settings import FitParameter, FitSettings
from kilocell.data.settings import (
    CellSettings,
    InitialState,
    ModelSettings,
    Override,
    ParameterSetSettings,
    SimulateSettings,
)
from kilocell.jobs.simulation.simulate import simulate
from records import pulses

NEGATIVE = "Negative particle diffusivity [m2.s-1]"
POSITIVE = "Positive particle diffusivity [m2.s-1]"
TRUTH = (1.2e-14, 2.0e-15)

FIT = FitSettings(
    name="diffusion",
    cell=CellSettings("CELL", 5.0, InitialState("soc", 0.8), 25.0),
    model=ModelSettings("SPM", "SPM"),
    parameter_set=ParameterSetSettings("Chen2020", "Chen2020"),
    parameters=(FitParameter(NEGATIVE, 1e-15, 1e-12, "log"), FitParameter(POSITIVE, 1e-16, 1e-13, "log")),
    starts=3,
    seed=7,
)


def noisy_pulses() -> pd.DataFrame:
    """A cell whose true diffusivities are known, measured with 1 mV of noise."""
    overrides = (Override(NEGATIVE, "value", TRUTH[0]), Override(POSITIVE, "value", TRUTH[1]))
    truth = SimulateSettings(FIT.cell, FIT.model, ParameterSetSettings("truth", "Chen2020", overrides))
    voltage = simulate(pulses(), truth, None).frame["simulated_voltage_volt"]
    return pulses().assign(**{c.VOLTAGE: voltage + 1e-3 * np.random.default_rng(3).standard_normal(len(voltage))})
