"""Extensive quantities, such as a contact resistance, are those of the user's cell, not of the set's cell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from kilocell.data.defined_sets import define_set
from kilocell.data.extensive import cell_power, describe_scaling
from kilocell.data.fit_settings import CELL_CAPACITY, FitParameter, FitSettings
from kilocell.data.settings import (
    CellSettings,
    InitialState,
    ModelSettings,
    OptionValue,
    Override,
    ParameterSetSettings,
    SimulateSettings,
)
from kilocell.jobs.export.values import CellSet, resolve_cell_values, values_to_json
from kilocell.jobs.fitting.fit import combine_starts, make_beginning, run_start
from kilocell.jobs.fitting.objective import make_objective
from kilocell.jobs.models.simulation_case import resolve_simulation
from kilocell.jobs.parameters.extensive import overrides_of_set
from kilocell.jobs.record.record import make_record
from kilocell.jobs.simulation.conditions import find_conditions
from kilocell.jobs.simulation.simulate import simulate
from numpy.typing import NDArray
from records import partition

Floats = NDArray[np.float64]

RESISTANCE = "Contact resistance [Ohm]"
CONTACT: dict[str, OptionValue] = {"contact resistance": "true"}
TIME = np.arange(0.0, 1200.0, 10.0)
PULSE = np.where((TIME >= 200.0) & (TIME < 800.0), -1.0, 0.0)


def settings(
    options: dict[str, OptionValue],
    capacity_ah: float,
    overrides: tuple[Override, ...],
    base: str = "Chen2020",
    model: str = "SPM",
) -> SimulateSettings:
    cell = CellSettings("CELL", capacity_ah, InitialState("soc", 0.7), 25.0)
    chosen = ModelSettings(model, model, tuple(options.items()))
    return SimulateSettings(cell, chosen, ParameterSetSettings(f"{base}+x", base, overrides))


def voltage(asked: SimulateSettings, current: Floats) -> Floats:
    samples = partition(TIME, current, np.full(len(TIME), 3.9))
    found: Floats = simulate(samples, asked, None).frame["simulated_voltage_volt"].to_numpy()
    return found


def test_units_say_what_is_extensive() -> None:
    powers = {
        RESISTANCE: -1,
        "R0 [Ohm]": -1,
        "C1 [F]": 1,
        "Cell volume [m3]": 1,
        "Cell cooling surface area [m2]": 1,
        "Cell thermal mass [J/K]": 1,
        "SEI resistivity [Ohm.m]": 0,
        "Total heat transfer coefficient [W.m-2.K-1]": 0,
        "SEI partial molar volume [m3.mol-1]": 0,
        "Electrode height [m]": 0,
    }
    assert {name: cell_power(name) for name in powers} == powers
    assert describe_scaling(RESISTANCE).endswith("has the value divided by n")
    assert describe_scaling("Cell volume [m3]").endswith("has n times the value")
    assert describe_scaling("Electrode height [m]") == ""


def test_a_factor_is_the_same_for_both_cells() -> None:
    overrides = (Override(RESISTANCE, "value", 0.02), Override(RESISTANCE, "scale", 3.0))
    assert [o.value for o in overrides_of_set(overrides, 0.5)] == [0.01, 3.0]


def test_a_contact_resistance_is_that_of_the_cell_whatever_its_capacity() -> None:
    for capacity in (1.7, 5.0, 12.0):
        current = capacity / 5.0 * PULSE
        without = voltage(settings(CONTACT, capacity, ()), current)
        with_30_mohm = voltage(settings(CONTACT, capacity, (Override(RESISTANCE, "value", 0.030),)), current)
        drop = with_30_mohm - without
        middle = (TIME > 300.0) & (TIME < 700.0)
        assert np.allclose(drop[middle], 0.030 * current[middle], atol=2e-5), capacity


def test_a_fit_finds_the_contact_resistance_of_the_cell() -> None:
    current = 0.4 * PULSE
    asked = settings(CONTACT, 2.0, (Override(RESISTANCE, "value", 0.025),))
    samples = partition(TIME, current, voltage(asked, current))
    fit = FitSettings(
        "ohmic",
        asked.cell,
        asked.model,
        ParameterSetSettings("Chen2020", "Chen2020"),
        (FitParameter(RESISTANCE, 0.0, 0.1),),
        starts=1,
    )
    result = combine_starts(samples, fit, (run_start(samples, fit, 0, None),), None)
    (found,) = result.parameters
    assert found.value == pytest.approx(0.025, abs=2e-5)
    assert result.rmse_mv < 0.1


def test_capacity_and_resistance_fit_together_with_right_slopes() -> None:
    current = 0.4 * PULSE
    asked = settings(CONTACT, 2.0, (Override(RESISTANCE, "value", 0.02),))
    samples = partition(TIME, current, voltage(asked, current))
    parameters = (FitParameter(CELL_CAPACITY, 1.5, 2.5), FitParameter(RESISTANCE, 0.0, 0.1))
    fit = FitSettings("both", asked.cell, asked.model, ParameterSetSettings("Chen2020", "Chen2020"), parameters)
    objective = make_objective(samples, fit, None)
    step = 1e-3
    found = objective.residuals(np.array([1.9, 0.03]), slopes=True)
    for place, values in enumerate(([1.9 + step, 0.03], [1.9, 0.03 + 0.1 * step])):
        moved = objective.residuals(np.array(values), slopes=False)
        difference = (moved.error_mv - found.error_mv) / step
        scale = np.max(np.abs(difference))
        assert scale > 1.0
        assert np.max(np.abs(difference - found.slopes_mv[:, place])) < 0.05 * scale


@pytest.mark.parametrize(
    ("model", "options", "base", "override"),
    [
        ("SPM", CONTACT, "Chen2020", Override(RESISTANCE, "value", 0.03)),
        ("SPM", {"thermal": "lumped"}, "Chen2020", Override("Cell cooling surface area [m2]", "value", 0.004)),
        ("Thevenin", {}, "ECM_Example", Override("R1 [Ohm]", "value", 0.02)),
        ("Thevenin", {}, "ECM_Example", Override("R0 [Ohm]", "scale", 2.0)),
    ],
)
def test_an_exported_set_is_that_of_the_cell(
    model: str, options: dict[str, OptionValue], base: str, override: Override
) -> None:
    asked = settings(options, 3.0, (override,), base, model)
    current = 3.0 * PULSE
    samples = partition(TIME, current, np.full(len(TIME), 3.9))
    conditions = find_conditions(make_record(samples), resolve_simulation(asked, None))
    values, notes = resolve_cell_values(CellSet(asked.parameter_set, asked.model, make_beginning(conditions)))
    assert notes == ()
    assert values["Nominal cell capacity [A.h]"] == 3.0
    if override.kind == "value":
        assert float(values[override.parameter]) == pytest.approx(override.value)
    text = values_to_json(values)
    own = ParameterSetSettings("own", "own", file_digest=f"{abs(hash(text)):x}")
    define_set(own.key, text.encode())
    again = replace(asked, cell=replace(asked.cell, nominal_capacity_ah=None), parameter_set=own)
    assert np.max(np.abs(voltage(again, current) - voltage(asked, current))) < 2e-4
