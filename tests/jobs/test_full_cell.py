"""The window of a full cell and the states in it, found in a moment, are PyBaMM's own."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from kilocell.data.errors import JobError
from kilocell.data.fit_settings import LITHIUM_INVENTORY
from kilocell.data.settings import ModelSettings, Override, ParameterSetSettings
from kilocell.jobs.models.equilibrium import STATES_OF_CHARGE, find_equilibrium, tabulate_equilibrium
from kilocell.jobs.models.full_cell import FullCell, full_cell
from kilocell.jobs.models.pybamm_models import state_model
from kilocell.jobs.parameters.sets import load_base_set

SIDES = ("Negative", "Positive")
FRACTIONS = tuple(f"{side} electrode active material volume fraction" for side in SIDES)
MODEL = state_model(ModelSettings("SPM", "SPM"))
PARTED = state_model(ModelSettings("MSMR", "MSMR", (("number of MSMR reactions", ("6", "4")),)))


def varied(base: str, seed: int) -> ParameterSetSettings:
    """A set with other fractions, lithium, thickness and maximum concentration than its own."""
    rng, values = np.random.default_rng(seed), load_base_set(base)
    names = (*FRACTIONS, "Negative electrode thickness [m]", "Maximum concentration in positive electrode [mol.m-3]")
    own = [(name, float(values[name])) for name in names]
    changed = [Override(name, "value", value * float(rng.uniform(0.9, 1.1))) for name, value in own]
    scaled = Override("Positive electrode OCP [V]", "scale", float(rng.uniform(0.998, 1.002)))
    return ParameterSetSettings(
        "varied", base, (*changed, scaled, Override(LITHIUM_INVENTORY, "value", float(rng.uniform(0.9, 1.0))))
    )


def exact(settings: ParameterSetSettings, celsius: float) -> FullCell:
    found = full_cell(MODEL, settings, celsius)
    assert found is not None, "PyBaMM's own way was taken"
    return found


@pytest.mark.parametrize("base", ["Chen2020", "Marquis2019", "OKane2022", "Prada2013", "Ecker2015", "Mohtat2020"])
@pytest.mark.parametrize("seed", [1, 2])
def test_window_and_states_are_those_of_pybamm(base: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    celsius = float(rng.uniform(-10.0, 45.0))
    settings = varied(base, seed)
    found, own = exact(settings, celsius), tabulate_equilibrium(MODEL, settings, celsius)
    for one, other in zip(found.inputs, own.inputs, strict=True):
        assert (one.name, one.factor) == (other.name, other.factor)
        np.testing.assert_allclose(one.at_soc, other.at_soc, rtol=0.0, atol=1e-9)
    assert found.capacity_ah == pytest.approx(own.capacity_ah, rel=1e-9)
    assert (found.lower_volt, found.upper_volt, found.assumed) == (own.lower_volt, own.upper_volt, own.assumed)
    # At the table's own states of charge it is exact.
    for place in rng.integers(0, len(own.open_circuit_volt), 10).tolist():
        soc, voltage = float(STATES_OF_CHARGE[place]), float(own.open_circuit_volt[place])
        assert found.voltage_at(soc) == pytest.approx(voltage, abs=1e-9)
        assert found.voltage_at(found.soc_at(voltage)) == pytest.approx(voltage, abs=1e-9)
        assert found.soc_at(voltage) == pytest.approx(own.soc_at(voltage), abs=3e-4)


def test_a_state_moves_smoothly_with_the_numbers() -> None:
    """Its derivative by a step of 1e-4, which the fit takes, is that of one ten times as long."""

    def state(factor: float) -> float:
        name, own = FRACTIONS[0], 0.75
        settings = ParameterSetSettings("moved", "Chen2020", (Override(name, "value", own * factor),))
        found = exact(settings, 25.0)
        return found.inputs[0].value(found.soc_at(3.8))

    for at in np.linspace(0.8, 1.1, 13).tolist():
        near, far = ((state(at + step) - state(at - step)) / (2.0 * step) for step in (1e-5, 1e-3))
        assert near == pytest.approx(far, rel=1e-3)


def test_the_solution_is_the_one_inside_the_electrodes() -> None:
    """PyBaMM's own search ends at a stoichiometry of 1.0002 and 9 V here."""
    values = load_base_set("Ai2020")
    overrides = tuple(
        Override(name, "value", factor * float(values[name]))
        for name, factor in zip(FRACTIONS, (0.97, 1.03), strict=True)
    )
    settings = ParameterSetSettings("varied", "Ai2020", (*overrides, Override(LITHIUM_INVENTORY, "value", 0.92)))
    found = exact(settings, 25.0)
    assert 0.0 < found.inputs[0].at_soc[0] < found.inputs[0].at_soc[1] < 1.0
    assert (found.voltage_at(0.0), found.voltage_at(1.0)) == pytest.approx((3.0, 4.2))


def test_what_cannot_be_is_left_to_pybamm() -> None:
    much = ParameterSetSettings("varied", "Chen2020", (Override(LITHIUM_INVENTORY, "value", 3.0),))
    assert full_cell(MODEL, much, 25.0) is None
    with pytest.raises(JobError) as caught:
        find_equilibrium(ModelSettings("SPM", "SPM"), much, 25.0)
    assert caught.value.code == "no_initial_state"
    assert full_cell(MODEL, ParameterSetSettings("own", "Xu2019"), 25.0) is None
    assert full_cell(PARTED, ParameterSetSettings("own", "MSMR_Example"), 25.0) is None
    unknown = partial(full_cell, MODEL, ParameterSetSettings("x", "Chen2020", (Override("Lithium", "value", 1.0),)))
    with pytest.raises(JobError, match='no parameter "Lithium"'):
        unknown(25.0)
