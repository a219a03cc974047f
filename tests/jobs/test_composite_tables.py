"""Tables of composite electrodes: exact near empty, too, and the same as PyBaMM's own states."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pybamm
import pytest
from kilocell.data.arrays import Floats
from kilocell.data.convert import celsius_to_kelvin
from kilocell.data.settings import ModelSettings, ParameterSetSettings
from kilocell.jobs.models.equilibrium import Equilibrium, find_equilibrium, potential_symbol
from kilocell.jobs.models.pybamm_models import complete_set, full_options
from kilocell.jobs.parameters.sets import AMBIENT, INITIAL_TEMPERATURE, load_base_set

TWO = ModelSettings("two", "SPM", (("particle phases", ("2", "1")),))
SETS = ("Chen2020_composite", "Bonkile2024")
PHASES = (("negative", "Primary: ", "primary"), ("negative", "Secondary: ", "secondary"), ("positive", "", "primary"))


@lru_cache(maxsize=4)
def at_rest(base: str) -> Equilibrium:
    return find_equilibrium(TWO, ParameterSetSettings(base, base), 25.0)


def potentials(base: str, soc: Floats) -> list[Floats]:
    """Potential of each phase in V, from the set's functions at the stoichiometries of the table."""
    options, values = full_options(TWO), load_base_set(base).copy()
    values[AMBIENT] = values[INITIAL_TEMPERATURE] = celsius_to_kelvin(25.0)
    complete_set(values, TWO)
    parameters = pybamm.LithiumIonParameters(options)
    phases = (parameters.n.prim, parameters.n.sec, parameters.p.prim)
    found = []
    for entry, phase, (side, _, name) in zip(at_rest(base).inputs, phases, PHASES, strict=True):
        stoichiometry = np.array([entry.value(one) / entry.factor for one in soc.tolist()])
        symbol = potential_symbol(phase, pybamm.Vector(stoichiometry), side, options, name)
        found.append(np.ravel(values.process_symbol(symbol).evaluate()))
    return found


@pytest.mark.parametrize("base", SETS)
def test_the_voltage_of_a_state_is_that_of_its_phases(base: str) -> None:
    """With even grids it is up to 27 mV off, at a state of charge of 1e-4 and 2.52 V."""
    rng = np.random.default_rng(8)
    near_empty = np.geomspace(1e-7, 1e-2, 400)
    soc = np.concatenate([[0.0], near_empty, rng.uniform(0.0, 1.0, 400), 1.0 - near_empty, [1.0]])
    primary, secondary, positive = potentials(base, soc)
    table = np.array([at_rest(base).voltage_at(one) for one in soc.tolist()])
    np.testing.assert_allclose(positive - primary, table, rtol=0.0, atol=1e-4)
    np.testing.assert_allclose(positive - secondary, table, rtol=0.0, atol=1e-4)


@pytest.mark.parametrize("base", SETS)
def test_the_state_of_a_voltage_has_this_voltage(base: str) -> None:
    volts = np.concatenate([np.linspace(2.5, 2.6, 301), np.linspace(2.6, 4.2, 301)])
    soc = np.array([at_rest(base).soc_at(volt) for volt in volts.tolist()])
    primary, _, positive = potentials(base, soc)
    np.testing.assert_allclose(positive - primary, volts, rtol=0.0, atol=3e-4)


@pytest.mark.parametrize("volt", [2.503, 2.52, 2.65, 3.3])
@pytest.mark.parametrize("base", SETS)
def test_the_state_is_that_of_pybamm_near_empty(base: str, volt: float) -> None:
    values = load_base_set(base).copy()
    complete_set(values, TWO)
    values.set_initial_state(f"{volt} V", options=full_options(TWO))
    found = at_rest(base)
    soc = found.soc_at(volt)
    for entry in found.inputs:
        assert entry.value(soc) == pytest.approx(values[entry.name], rel=1e-4), entry.name
