"""Few tables at rest serve every temperature and variation."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from kilocell.data.settings import (
    CellSettings,
    InitialState,
    ModelSettings,
    Override,
    ParameterSetSettings,
    SimulateSettings,
)
from kilocell.jobs.models.equilibrium import find_equilibrium, tabulate_equilibrium
from kilocell.jobs.models.initial_state import find_starting_state, interpolate_degrees, keep_rest_overrides
from kilocell.jobs.models.pybamm_models import state_model
from kilocell.jobs.models.simulation_case import resolve_simulation

MODEL = ModelSettings("SPM", "SPM")


@pytest.mark.parametrize("base", ["Ai2020", "Marquis2019"])
@pytest.mark.parametrize("celsius", [-7.3, 22.5])
def test_between_two_degrees_the_table_is_that_of_the_temperature(base: str, celsius: float) -> None:
    tabulate = partial(find_equilibrium, MODEL, ParameterSetSettings(base, base))
    mixed, own = interpolate_degrees(tabulate, celsius), tabulate(celsius)
    np.testing.assert_allclose(mixed.open_circuit_volt, own.open_circuit_volt, rtol=0.0, atol=2e-6)
    for one, other in zip(mixed.inputs, own.inputs, strict=True):
        assert one.name == other.name
        np.testing.assert_allclose(one.at_soc, other.at_soc, rtol=0.0, atol=2e-6)
    assert mixed.capacity_ah == pytest.approx(own.capacity_ah, rel=2e-6)


def test_cells_of_many_temperatures_and_variations_share_their_tables() -> None:
    def start(celsius: float, factor: float) -> float:
        override = Override("Negative particle diffusivity [m2.s-1]", "scale", factor)
        settings = SimulateSettings(
            CellSettings("CELL", None, InitialState("voltage", 3.9)),
            MODEL,
            ParameterSetSettings("v", "Ramadass2004", (override,)),  # of those that are tabulated
        )
        case = resolve_simulation(settings, None)
        return find_starting_state(case, None, 0.0, 0.0, celsius).soc

    start(24.0, 1.0)
    start(25.0, 1.0)
    before = tabulate_equilibrium.cache_info().misses
    socs = [start(24.0 + k / 50.0, 1.0 + k / 10.0) for k in range(50)]
    assert tabulate_equilibrium.cache_info().misses == before
    assert np.all(np.diff(socs) != 0.0)


def test_what_matters_at_rest_is_kept() -> None:
    fraction = Override("Negative electrode active material volume fraction", "value", 0.7)
    moving = Override("Electrolyte conductivity [S.m-1]", "scale", 0.5)
    settings = ParameterSetSettings("v", "Chen2020", (fraction, moving))
    assert keep_rest_overrides(settings).overrides == (fraction,)
    only = ParameterSetSettings("v", "Chen2020", (fraction,))
    assert keep_rest_overrides(only) == only


@pytest.mark.parametrize("full_volt", [4.31, 4.45])
def test_a_window_beyond_the_end_of_a_table_follows_its_last_slope(full_volt: float) -> None:
    """The positive table of Ai2020 ends at 0.3965: without continuation, both ends of the window are wrong."""
    full = Override("Open-circuit voltage at 100% SOC [V]", "value", full_volt)
    model = state_model(MODEL)
    found = tabulate_equilibrium(model, ParameterSetSettings("high", "Ai2020", (full,)), 25.0)
    own = tabulate_equilibrium(model, ParameterSetSettings("own", "Ai2020"), 25.0)
    assert float(found.open_circuit_volt[-1]) == pytest.approx(full_volt, abs=1e-4)
    assert float(found.open_circuit_volt[0]) == pytest.approx(float(own.open_circuit_volt[0]), abs=1e-6)
    assert np.all(np.diff(found.open_circuit_volt) > 0.0)
    assert found.inputs[1].at_soc[1] < 0.3965
