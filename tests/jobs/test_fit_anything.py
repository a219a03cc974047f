"""What can be fitted: the voltage depends on it, and the slopes are those of the objective; the rest is refused."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.errors import JobError
from kilocell.data.fit_settings import CELL_CAPACITY, INITIAL_SOC, LITHIUM_INVENTORY, FitParameter, FitSettings, Scale
from kilocell.data.settings import CellSettings, InitialState, ModelSettings, ParameterSetSettings, SimulateSettings
from kilocell.jobs.fitting.fit import run_start
from kilocell.jobs.fitting.objective import make_objective
from kilocell.jobs.fitting.starts import from_scaled, to_scaled
from kilocell.jobs.parameters.sets import nominal_capacity_ah
from kilocell.jobs.simulation.attempts import Attempt
from kilocell.jobs.simulation.simulate import simulate
from records import partition

Case = tuple[str, str, tuple[float, float], Scale]
SPME = ModelSettings("SPMe", "SPMe")
DFN = ModelSettings("DFN", "DFN")
LUMPED = ModelSettings("lumped", "SPMe", (("thermal", "lumped"),))
CONTACT = ModelSettings("contact", "SPMe", (("contact resistance", "true"),))
THEVENIN = ModelSettings("Thevenin", "Thevenin")
MSMR = ModelSettings("MSMR", "MSMR", (("number of MSMR reactions", ("6", "4")),))
HALF = ModelSettings("half", "SPMe", (("working electrode", "positive"),))
SEI = ModelSettings("SEI", "SPM", (("SEI", "solvent-diffusion limited"),))
CELSIUS = 30.0

FAST = (
    (CONTACT, "Chen2020", "Contact resistance [Ohm]", (0.001, 0.02), "linear"),
    (SPME, "Chen2020", "Electrode height [m]", (0.05, 0.08), "linear"),
    (THEVENIN, "ECM_Example", "R0 [Ohm]", (0.1, 10.0), "log"),
)
SLOW = (
    (LUMPED, "Chen2020", "Total heat transfer coefficient [W.m-2.K-1]", (1.0, 100.0), "log"),
    (SPME, "Chen2020", "Negative particle radius [m]", (2e-6, 2e-5), "log"),
    (LUMPED, "Chen2020", "Positive electrode specific heat capacity [J.kg-1.K-1]", (200.0, 2000.0), "log"),
    (LUMPED, "Chen2020", "Cell cooling surface area [m2]", (1e-3, 1e-2), "log"),
    (SPME, "Chen2020", "Electrolyte conductivity [S.m-1]", (0.1, 5.0), "log"),
    (SPME, "Chen2020", "Electrolyte diffusivity [m2.s-1]", (0.1, 5.0), "log"),
    (SPME, "Chen2020", "Cation transference number", (0.1, 0.6), "linear"),
    (SPME, "Chen2020", "Negative electrode exchange-current density [A.m-2]", (0.1, 10.0), "log"),
    (SPME, "Ecker2015", "Negative particle diffusivity [m2.s-1]", (0.1, 10.0), "log"),
    (SPME, "Chen2020", "Negative electrode active material volume fraction", (0.5, 0.9), "linear"),
    (SPME, "Chen2020", "Negative electrode Bruggeman coefficient (electrolyte)", (1.0, 3.0), "linear"),
    (SPME, "Chen2020", "Negative electrode porosity", (0.15, 0.5), "linear"),
    (SPME, "Chen2020", "Maximum concentration in positive electrode [mol.m-3]", (5e4, 7e4), "linear"),
    (SPME, "Chen2020", "Positive electrode OCP [V]", (0.98, 1.02), "linear"),
    (SPME, "Chen2020", "Positive electrode thickness [m]", (6e-5, 9e-5), "linear"),
    (SPME, "Chen2020", INITIAL_SOC, (0.6, 0.95), "linear"),
    (SPME, "Chen2020", CELL_CAPACITY, (4.0, 6.0), "linear"),
    (SPME, "Chen2020", LITHIUM_INVENTORY, (0.85, 1.05), "linear"),
    (DFN, "Chen2020", "Negative particle diffusivity [m2.s-1]", (1e-14, 1e-13), "log"),
    (DFN, "Chen2020", "Positive electrode conductivity [S.m-1]", (0.01, 10.0), "log"),
    (DFN, "Chen2020", "Positive electrode active material volume fraction", (0.55, 0.8), "linear"),
    (THEVENIN, "ECM_Example", "C1 [F]", (0.1, 10.0), "log"),
    (MSMR, "MSMR_Example", "Negative electrode host site standard potential (0) [V]", (0.06, 0.12), "linear"),
    (HALF, "Xu2019", "Positive particle diffusivity [m2.s-1]", (1e-15, 1e-13), "log"),
    (HALF, "Xu2019", "Positive electrode active material volume fraction", (0.5, 0.8), "linear"),
    (SEI, "Chen2020", "SEI solvent diffusivity [m2.s-1]", (1e-22, 1e-18), "log"),
)
NOTHING = (
    (SPME, "Chen2020", "Contact resistance [Ohm]", (0.001, 0.02), "linear"),
    (SPME, "Chen2020", "Total heat transfer coefficient [W.m-2.K-1]", (1.0, 100.0), "log"),
    (SPME, "Chen2020", "Lower voltage cut-off [V]", (2.3, 2.8), "linear"),
    (THEVENIN, "ECM_Example", LITHIUM_INVENTORY, (0.8, 1.1), "linear"),
)


def asked(model: ModelSettings, base: str, name: str, bounds: tuple[float, float], scale: Any) -> FitSettings:
    parameter_set = ParameterSetSettings(base, base)
    cell = CellSettings("CELL", nominal_capacity_ah(parameter_set), InitialState("soc", 0.8), CELSIUS)
    return FitSettings("any", cell, model, parameter_set, (FitParameter(name, *bounds, scale),))


@lru_cache(maxsize=16)
def measured(model: ModelSettings, base: str) -> pd.DataFrame:
    """Rest, half an hour at 1C, a rest and a charge, with the set's own voltage 5 mV off."""
    edge = np.array([0.1, 1, 2, 5, 10])
    legs = [np.arange(0, 61, 20.0), 60 + edge, np.arange(90, 1861, 30.0), 1860 + edge, np.arange(1890, 2461, 30.0),
            2460 + edge, np.arange(2490, 3061, 30.0)]  # fmt: skip
    time = np.unique(np.concatenate(legs))
    rate = np.where((time > 60) & (time <= 1860), -1.0, np.where(time > 2460, 0.5, 0.0))
    settings = asked(model, base, "", (0.0, 1.0), "linear")
    current = rate * settings.cell.nominal_capacity_ah if settings.cell.nominal_capacity_ah else rate
    record = partition(time, current, np.full(len(time), 3.8))
    found = simulate(record, SimulateSettings(settings.cell, model, settings.parameter_set), None)
    return record.assign(**{c.VOLTAGE: found.frame["simulated_voltage_volt"] + 5e-3})


def check_slope(model: ModelSettings, base: str, name: str, bounds: tuple[float, float], scale: Scale) -> None:
    """The slope that a search sees is that of the objective solved tightly, within 1 %."""
    objective = make_objective(measured(model, base), asked(model, base, name, bounds, scale), None)
    parameters = objective.settings.parameters
    unit = np.clip(to_scaled(parameters, objective.inputs.default_values()), 0.1, 0.9)
    slope = objective.residuals(from_scaled(parameters, unit)).slopes_mv[:, 0]
    parts = tuple(replace(part, attempt=Attempt("tight", tighter=0.01)) for part in objective.parts)
    objective = replace(objective, parts=parts)
    step = 2e-3
    ends = [objective.residuals(from_scaled(parameters, unit + k * step), slopes=False) for k in (-1, 1)]
    assert not any(end.reason for end in ends)
    difference = (ends[1].error_mv - ends[0].error_mv) / (2.0 * step)
    assert np.sqrt(np.mean(slope**2)) > 1e-3
    assert np.linalg.norm(slope - difference) < 0.01 * np.linalg.norm(difference)


@pytest.mark.parametrize(("model", "base", "name", "bounds", "scale"), FAST, ids=lambda x: getattr(x, "name", None))
def test_the_voltage_follows_it(
    model: ModelSettings, base: str, name: str, bounds: tuple[float, float], scale: Scale
) -> None:
    check_slope(model, base, name, bounds, scale)


@pytest.mark.slow
@pytest.mark.parametrize(("model", "base", "name", "bounds", "scale"), SLOW, ids=lambda x: getattr(x, "name", None))
def test_the_voltage_follows_it_too(
    model: ModelSettings, base: str, name: str, bounds: tuple[float, float], scale: Scale
) -> None:
    check_slope(model, base, name, bounds, scale)


@pytest.mark.parametrize(("model", "base", "name", "bounds", "scale"), NOTHING, ids=lambda x: getattr(x, "name", None))
def test_what_does_nothing_is_named(
    model: ModelSettings, base: str, name: str, bounds: tuple[float, float], scale: Scale
) -> None:
    # Before the record is looked at: the model itself does not have it.
    with pytest.raises(JobError, match="does not depend on") as caught:
        run_start(measured(model, base), asked(model, base, name, bounds, scale), 0, None)
    assert name in str(caught.value)
    assert caught.value.code == "no_effect"
