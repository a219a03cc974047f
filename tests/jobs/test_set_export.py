"""Sets written for other programs: the same voltage, in kilocell and in PyBaMM alone; and what BPX cannot hold."""

from __future__ import annotations

import json
import math

import numpy as np
import pybamm
import pytest
from kilocell.data.defined_sets import define_set
from kilocell.data.errors import UsageError
from kilocell.data.fit_settings import CELL_CAPACITY, INITIAL_SOC, LITHIUM_INVENTORY
from kilocell.data.settings import (
    CellSettings,
    InitialState,
    ModelSettings,
    Override,
    ParameterSetSettings,
    SimulateSettings,
)
from kilocell.jobs.export.bpx import convert_to_bpx, expression
from kilocell.jobs.export.values import CellSet, resolve_cell_values, resolve_set_values, values_to_json
from kilocell.jobs.fitting.fit import make_beginning
from kilocell.jobs.models.simulation_case import resolve_simulation
from kilocell.jobs.parameters.sets import load_base_set
from kilocell.jobs.record.record import make_record
from kilocell.jobs.simulation.conditions import find_conditions
from kilocell.jobs.simulation.simulate import simulate
from numpy.typing import NDArray
from records import partition

Floats = NDArray[np.float64]

FITTED = ParameterSetSettings(
    "Chen2020+all",
    "Chen2020",
    (
        Override("Negative particle diffusivity [m2.s-1]", "value", 5.179123456789e-14),
        Override("Positive electrode exchange-current density [A.m-2]", "scale", 0.7),
        Override("Electrolyte conductivity [S.m-1]", "scale", 0.83),
        Override("Negative electrode active material volume fraction", "value", 0.745),
        Override(LITHIUM_INVENTORY, "value", 0.99),
        Override(INITIAL_SOC, "value", 0.8123456789),
        Override(CELL_CAPACITY, "value", 5.15),
    ),
)
TIME = np.arange(0.0, 3000.0, 10.0)
CURRENT = np.where((TIME >= 300.0) & (TIME < 1800.0), -4.0, 0.0) + np.where(TIME >= 2400.0, 2.0, 0.0)
SAMPLES = partition(TIME, CURRENT, np.full(len(TIME), 3.9))


def asked(model: ModelSettings, parameter_set: ParameterSetSettings, **cell: object) -> SimulateSettings:
    return SimulateSettings(CellSettings("CELL", temperature_celsius=31.0, **cell), model, parameter_set)  # type: ignore[arg-type]


def voltage(settings: SimulateSettings) -> Floats:
    found: Floats = simulate(SAMPLES, settings, None).frame["simulated_voltage_volt"].to_numpy()
    return found


def cell_set(model: ModelSettings) -> CellSet:
    """What a fit keeps: the set, and how the record begins with it."""
    settings = asked(model, FITTED)
    conditions = find_conditions(make_record(SAMPLES), resolve_simulation(settings, None))
    return CellSet(FITTED, model, make_beginning(conditions))


def read_back(text: str) -> ParameterSetSettings:
    """A set as a campaign that names the file has it."""
    settings = ParameterSetSettings("mine", "mine", file_digest=f"{hash(text):x}")
    define_set(settings.key, text.encode())
    return settings


@pytest.mark.parametrize(
    ("model", "form"),
    [
        ("SPMe", "json"),
        ("DFN", "bpx"),
        pytest.param("SPMe", "bpx", marks=pytest.mark.slow),
        pytest.param("DFN", "json", marks=pytest.mark.slow),
    ],
)
def test_a_fitted_set_in_a_file_gives_the_very_same_voltage(model: str, form: str) -> None:
    settings = ModelSettings(model, model)
    exported = cell_set(settings)
    values, notes = resolve_cell_values(exported)
    assert notes == ()
    text = values_to_json(values) if form == "json" else convert_to_bpx(values, FITTED, settings, exported.beginning)[0]
    begin = exported.beginning
    again = asked(
        settings, read_back(text), nominal_capacity_ah=begin.capacity_ah, initial_state=InitialState("soc", begin.soc)
    )
    assert begin.soc == pytest.approx(0.8123456789)
    assert np.max(np.abs(voltage(again) - voltage(asked(settings, FITTED)))) < 1e-9


def test_pybamm_alone_gives_the_same_voltage_without_being_told_of_state_size_or_temperature() -> None:
    model = ModelSettings("SPMe", "SPMe")
    values = pybamm.ParameterValues.from_json(json.loads(values_to_json(resolve_cell_values(cell_set(model))[0])))
    values["Current function [A]"] = pybamm.Interpolant(TIME, -CURRENT, pybamm.t)
    solver = pybamm.IDAKLUSolver(rtol=1e-8, atol=1e-8)
    solution = pybamm.Simulation(pybamm.lithium_ion.SPMe(), parameter_values=values, solver=solver).solve(TIME)
    apart = solution["Voltage [V]"](TIME) - voltage(asked(model, FITTED))
    assert 1e3 * math.sqrt(np.mean(apart**2)) < 0.2  # what compressing the current and the tolerances allow
    assert values["Ambient temperature [K]"] == 304.15
    assert values["Nominal cell capacity [A.h]"] == 5.15


def test_functions_come_back_as_functions_of_the_same_value() -> None:
    settings = ParameterSetSettings("x", "Ecker2015", (Override("Electrolyte conductivity [S.m-1]", "scale", 2.0),))
    values = resolve_set_values(settings)
    read = pybamm.ParameterValues.from_json(json.loads(values_to_json(values)))
    assert set(read.keys()) == set(values.keys())
    symbol = pybamm.FunctionParameter(
        "Electrolyte conductivity [S.m-1]", {"c": pybamm.Scalar(900.0), "T": pybamm.Scalar(290.0)}
    )
    once, again, own = (found.process_symbol(symbol).evaluate() for found in (values, read, load_base_set("Ecker2015")))
    assert once == again == 2.0 * own


def test_a_thermal_model_of_another_capacity_has_volume_and_surface_of_the_cell() -> None:
    # Before, the file held the set's cell, and a note said by what to divide the current.
    model = ModelSettings("SPMe", "SPMe", (("thermal", "lumped"),))
    values, notes = resolve_cell_values(cell_set(model))
    own = load_base_set("Chen2020")
    assert notes == ()
    assert values["Nominal cell capacity [A.h]"] == 5.15
    for name in ("Cell volume [m3]", "Cell cooling surface area [m2]"):
        assert values[name] == pytest.approx(1.03 * own[name])


def test_a_model_with_current_collectors_says_what_its_set_cannot() -> None:
    model = ModelSettings("SPM", "SPM", (("current collector", "potential pair"), ("dimensionality", 1)))
    exported = CellSet(FITTED, model, cell_set(ModelSettings("SPM", "SPM")).beginning)
    values, (note,) = resolve_cell_values(exported)
    assert values["Nominal cell capacity [A.h]"] == 5.0
    assert "divide its current by 1.03" in note


def test_what_is_of_a_cell_is_not_written_without_it() -> None:
    with pytest.raises(UsageError, match=r"Initial state of charge.*of one cell"):
        resolve_set_values(FITTED)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Ai2020", "'Thermodynamic factor' is not 1"),
        ("ORegan2022", "'Positive electrode exchange-current density [A.m-2]' does not have BPX's form"),
        ("Marquis2019", "'Separator porosity' is 1"),
        ("Xu2019", "does not have two electrodes"),
        ("Chen2020_composite", "does not have two electrodes"),
    ],
)
def test_what_bpx_cannot_hold_is_named(name: str, told: str) -> None:
    settings = ParameterSetSettings(name, name)
    with pytest.raises(UsageError) as caught:
        convert_to_bpx(resolve_set_values(settings), settings)
    assert told in str(caught.value)


def test_a_model_that_bpx_has_no_place_for_is_named() -> None:
    values = resolve_set_values(ParameterSetSettings("Chen2020", "Chen2020"))
    for model, told in (
        (ModelSettings("MPM", "MPM"), "not MPM"),
        (ModelSettings("x", "DFN", (("thermal", "lumped"),)), "'thermal'"),
    ):
        with pytest.raises(UsageError, match=told):
            convert_to_bpx(values, ParameterSetSettings("Chen2020", "Chen2020"), model)


def test_what_goes_otherwise_with_temperature_is_as_it_is_at_the_cells() -> None:
    settings = ParameterSetSettings("Ecker2015", "Ecker2015")
    values = resolve_set_values(settings)
    values["Ambient temperature [K]"] = 280.0
    text, notes = convert_to_bpx(values, settings)
    (note,) = notes
    assert note.startswith("Electrolyte conductivity [S.m-1] is right at 6.85 °C only")
    read = load_base_set(read_back(text).key)
    symbol = pybamm.FunctionParameter(
        "Electrolyte conductivity [S.m-1]", {"c": pybamm.Scalar(900.0), "T": pybamm.Scalar(280.0)}
    )
    assert read.process_symbol(symbol).evaluate() == pytest.approx(values.process_symbol(symbol).evaluate(), rel=1e-12)


def test_an_expression_is_written_in_bpx_words_or_not_at_all() -> None:
    x = pybamm.Variable("sto")
    written = expression(-2.5 * pybamm.exp(-x) ** 2 / (1 + pybamm.tanh(x)) - pybamm.sinh(x) + pybamm.sqrt(x))
    assert written is not None
    known = {"exp": math.exp, "tanh": math.tanh, "cosh": math.cosh, "x": 0.3}
    expected = -2.5 * math.exp(-0.6) / (1 + math.tanh(0.3)) - math.sinh(0.3) + math.sqrt(0.3)
    assert eval(written, {"__builtins__": {}}, known) == pytest.approx(expected)
    assert expression(pybamm.log(x)) is None
