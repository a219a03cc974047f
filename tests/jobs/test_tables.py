"""A model that leaves a table of its set says so, whatever the model and the parameter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import casadi
import numpy as np
import pybamm
import pytest
from kilocell.data.defined_sets import define_set
from kilocell.data.errors import FailedSimulationError
from kilocell.data.settings import CellSettings, InitialState, ModelSettings, ParameterSetSettings, SimulateSettings
from kilocell.jobs.models.table_check import describe_uncovered_tables
from kilocell.jobs.models.tables import extend_tables, table_ranges
from kilocell.jobs.parameters import sets
from kilocell.jobs.simulation.simulate import simulate
from records import partition

KNOWN = np.linspace(0.1, 0.9, 30)


def asked(model: str, base: str, soc: float, capacity_ah: float) -> SimulateSettings:
    cell = CellSettings("CELL", capacity_ah, InitialState("soc", soc))
    return SimulateSettings(cell, ModelSettings(model, model), ParameterSetSettings(base, base))


@pytest.mark.parametrize("model", ["SPM", "SPMe", pytest.param("DFN", marks=pytest.mark.slow)])
def test_leaving_a_table_of_potentials_ends_every_model_with_its_name(model: str) -> None:
    """Overcharged, Ai2020 leaves its positive electrode's table; CasADi gave 0 V there, and a simulation was done."""
    time = np.arange(0.0, 5 * 3600.0, 10.0)
    charge = np.where((time > 600.0) & (time < 9960.0), 0.57, 0.0)
    with pytest.raises(FailedSimulationError, match=r"table of Positive electrode OCP \[V\] \(0\.4 to 0\.99") as ended:
        simulate(partition(time, charge, np.full(len(time), 3.9)), asked(model, "Ai2020", 0.5, 2.28), None)
    assert ended.value.code == "left_range"
    voltage = ended.value.frame["simulated_voltage_volt"]
    assert 3.5 < voltage.min() < voltage.max() < 4.4


@pytest.mark.parametrize("interpolator", ["linear", "cubic", "pchip"])
def test_a_table_continues_along_its_last_slope_and_is_unchanged_inside(interpolator: str) -> None:
    potential = 4.5 - KNOWN**2

    def function(sto: Any) -> Any:
        return 1.0 * pybamm.Interpolant(KNOWN, potential, sto, interpolator=interpolator)

    values = pybamm.ParameterValues({"a": function})
    extend_tables(values)
    extend_tables(values)  # again changes nothing
    sto = pybamm.InputParameter("sto")
    symbol = values["a"](sto)
    inside = [0.1, 0.35, 0.5123, 0.9]
    for at in inside:
        expected = function(pybamm.Scalar(at)).evaluate()
        assert symbol.evaluate(inputs={"sto": at}) == pytest.approx(expected, abs=1e-8)
    for beyond, expected in ((0.95, 4.5 - 0.81 - 0.05 * 1.8), (0.02, 4.5 - 0.01 + 0.08 * 0.2)):
        variable = casadi.MX.sym("sto")
        compiled = casadi.Function("f", [variable], [symbol.to_casadi(inputs={"sto": variable})])
        assert float(compiled(beyond)) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("model", ["SPM", "SPMe", "DFN"])
def test_tables_of_every_kind_of_parameter_are_found(model: str) -> None:
    values = pybamm.ParameterValues("Chen2020")
    flat = np.full(30, 4e-15)
    values["Positive particle diffusivity [m2.s-1]"] = lambda sto, _: pybamm.Interpolant(KNOWN, flat, sto)
    concentration = 3000.0 * KNOWN
    values["Electrolyte conductivity [S.m-1]"] = lambda c, _: pybamm.Interpolant(concentration, 1.0 + 0.0 * KNOWN, c)
    extend_tables(values)
    pybamm_model = getattr(pybamm.lithium_ion, model)()
    found = {table.parameter: (table.low, table.high) for table in table_ranges(pybamm_model, values)}
    assert found["Positive particle diffusivity [m2.s-1]"] == pytest.approx((0.1, 0.9))
    assert ("Electrolyte conductivity [S.m-1]" in found) == (model != "SPM")


def short_table(sto: Any, temperature: Any) -> Any:
    return pybamm.Interpolant(0.5 + 0.4 * KNOWN, np.full(30, 4e-15), sto)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> ParameterSetSettings:
    """Chen2020 with a table of the positive diffusivity that ends at 0.54 and 0.86."""
    values = pybamm.ParameterValues("Chen2020")
    values["Positive particle diffusivity [m2.s-1]"] = short_table
    monkeypatch.setattr(sets, "make_values", lambda content: (values, ()))
    settings = ParameterSetSettings("short", "short", file_digest="0")
    define_set(settings.key, b"short")
    return settings


def test_leaving_a_table_of_diffusivities_ends_a_simulation(short: ParameterSetSettings) -> None:
    time = np.arange(0.0, 5 * 3600.0, 10.0)
    current = np.where(time > 600.0, 1.0, 0.0)
    settings = replace(asked("SPM", "Chen2020", 0.4, 5.0), parameter_set=short)
    with pytest.raises(FailedSimulationError, match="table of Positive particle diffusivity") as ended:
        simulate(partition(time, current, np.full(len(time), 3.9)), settings, None)
    assert ended.value.code == "left_range"
    notes = describe_uncovered_tables(ModelSettings("SPM", "SPM"), short)
    assert len(notes) == 1
    assert "Positive particle diffusivity [m2.s-1] covers 0.54 to 0.86" in notes[0]
    assert "stoichiometries of 0.2638 to 0.854" in notes[0]


def test_a_set_whose_tables_cover_its_window_has_nothing_to_report() -> None:
    assert describe_uncovered_tables(ModelSettings("SPM", "SPM"), ParameterSetSettings("Ai2020", "Ai2020")) == ()
    assert describe_uncovered_tables(ModelSettings("SPM", "SPM"), ParameterSetSettings("Chen2020", "Chen2020")) == ()
