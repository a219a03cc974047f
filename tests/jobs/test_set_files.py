"""Parameter sets out of files simulate as PyBaMM's own do."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pybamm
import pytest
from kilocell.data.defined_sets import define_set
from kilocell.data.errors import JobError
from kilocell.data.fit_settings import FitParameter, FitSettings
from kilocell.data.parameter_files import content_digest
from kilocell.data.settings import (
    CellSettings,
    InitialState,
    ModelSettings,
    Override,
    ParameterSetSettings,
    SimulateSettings,
)
from kilocell.jobs.fitting.fit import combine_starts, run_start
from kilocell.jobs.parameters.files import make_values
from kilocell.jobs.parameters.sets import is_function, load_base_set
from kilocell.jobs.parameters.table import find_set_kind, needed_option
from kilocell.jobs.simulation.simulate import simulate
from numpy.typing import NDArray
from records import partition

BPX = Path(__file__).parents[2] / "examples" / "bpx" / "lgm50.bpx.json"
NEGATIVE = "Negative particle diffusivity [m2.s-1]"
CONDUCTIVITY = "Electrolyte conductivity [S.m-1]"
CHEN = ParameterSetSettings("Chen2020", "Chen2020")


def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(BPX.read_text(encoding="utf-8"))
    return found


def defined(content: bytes | dict[str, Any], name: str = "own") -> ParameterSetSettings:
    """Make a file's set known, as a worker does; return its settings."""
    content = content if isinstance(content, bytes) else json.dumps(content).encode()
    settings = ParameterSetSettings(name, name, file_digest=content_digest(content))
    define_set(settings.key, content)
    return settings


def as_json(base: str) -> bytes:
    """What ``ParameterValues.to_json`` writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "set.json")
        pybamm.ParameterValues(base).to_json(str(path))
        return path.read_bytes()


def record(capacity_ah: float, volt: float) -> pd.DataFrame:
    """Rest, C/2 for twenty minutes, rest, a short 1C charge, at 10 s; the voltage is only there to be compared with."""
    time = np.arange(0.0, 3000.0, 10.0)
    current = np.where((time > 300) & (time <= 1500), -0.5 * capacity_ah, 0.0)
    current[(time > 2000) & (time <= 2100)] = capacity_ah
    return partition(time, current, np.full(len(time), volt))


def voltage(settings: ParameterSetSettings, model: str = "SPM", **cell: Any) -> NDArray[np.float64]:
    capacity = cell.get("nominal_capacity_ah", 5.0)
    asked = CellSettings("CELL", **{"initial_state": InitialState("soc", 0.7), **cell})
    simulated = simulate(record(capacity, 3.9), SimulateSettings(asked, ModelSettings(model, model), settings), 25.0)
    assert simulated.result.charge_error < 5e-4
    found: NDArray[np.float64] = simulated.frame["simulated_voltage_volt"].to_numpy(float)
    return found


def test_json_of_chen2020_is_chen2020() -> None:
    own = defined(as_json("Chen2020"))
    assert np.abs(voltage(own, "DFN") - voltage(CHEN, "DFN")).max() < 1e-6


@pytest.mark.parametrize("base", ["Ecker2015", "Marquis2019"])
def test_json_of_sets_with_tables_and_nested_parameters(base: str) -> None:
    own, theirs = defined(as_json(base)), ParameterSetSettings(base, base)
    cell: dict[str, Any] = {"nominal_capacity_ah": 2.0, "initial_state": InitialState("soc", 0.6)}
    assert np.abs(voltage(own, **cell) - voltage(theirs, **cell)).max() < 1e-6


def test_bpx_of_chen2020_is_chen2020() -> None:
    own = defined(BPX.read_bytes())
    assert np.abs(voltage(own, "DFN") - voltage(CHEN, "DFN")).max() < 1e-5


def test_a_rest_voltage_and_a_capacity_mean_the_same_in_bpx() -> None:
    own = defined(BPX.read_bytes())
    cell: dict[str, Any] = {"nominal_capacity_ah": 3.1, "initial_state": InitialState()}
    assert np.abs(voltage(own, **cell) - voltage(CHEN, **cell)).max() < 1e-5
    assert np.abs(voltage(own, **cell) - voltage(own, nominal_capacity_ah=5.0)).max() > 1e-3


@pytest.mark.slow
def test_overrides_do_to_files_what_they_do_to_pybamms() -> None:
    overrides = (Override(CONDUCTIVITY, "scale", 0.3), Override(NEGATIVE, "value", 1e-14))
    theirs = voltage(replace(CHEN, overrides=overrides), "SPMe")
    for content in (BPX.read_bytes(), as_json("Chen2020")):
        own = voltage(replace(defined(content), overrides=overrides), "SPMe")
        assert np.abs(own - theirs).max() < 1e-5
    assert np.abs(theirs - voltage(CHEN, "SPMe")).max() > 1e-3


def test_bpx_tables_are_interpolated_and_scaled() -> None:
    tabulated = document()
    positive = tabulated["Parameterisation"]["Positive electrode"]
    positive["Diffusivity [m2.s-1]"] = {"x": [1.0, 0.5, 0.0], "y": [2e-15, 4e-15, 6e-15]}  # any order
    values = load_base_set(defined(tabulated).key)
    diffusivity = values["Positive particle diffusivity [m2.s-1]"](pybamm.Scalar(0.25), pybamm.Scalar(298.15))
    assert values.process_symbol(diffusivity).evaluate() == pytest.approx(5e-15)
    scaled = Override("Positive particle diffusivity [m2.s-1]", "scale", 0.5)
    own = replace(defined(tabulated), overrides=(scaled,))
    assert np.abs(voltage(own) - voltage(defined(tabulated))).max() > 1e-3


def test_constants_are_numbers_unless_they_have_an_activation_energy() -> None:
    plain = defined(BPX.read_bytes())
    assert not is_function(plain.key, NEGATIVE)
    assert load_base_set(plain.key)[NEGATIVE] == pytest.approx(3.3e-14)
    warm = document()
    warm["Parameterisation"]["Negative electrode"]["Diffusivity activation energy [J.mol-1]"] = 3e4
    values = load_base_set(defined(warm).key)
    at = [values[NEGATIVE](0.5, pybamm.Scalar(kelvin)).evaluate() for kelvin in (298.15, 308.15)]
    assert at[0] == pytest.approx(3.3e-14)
    assert at[1] > 1.3 * at[0]


def test_a_fit_finds_a_files_parameter_and_carries_its_digest_on() -> None:
    own = defined(BPX.read_bytes())
    truth = replace(own, overrides=(Override(NEGATIVE, "value", 1e-14),))
    cell = CellSettings("CELL", initial_state=InitialState("soc", 0.7))
    model = ModelSettings("SPM", "SPM")
    samples = record(5.0, 3.9)
    made = simulate(samples, SimulateSettings(cell, model, truth), 25.0).frame["simulated_voltage_volt"]
    samples["voltage_volt"] = made.to_numpy(float)
    bounds = (FitParameter(NEGATIVE, 3e-15, 1e-13, "log"),)
    fit = FitSettings("diffusion", cell, model, own, bounds, starts=1)
    found = combine_starts(samples, fit, (run_start(samples, fit, 0, 25.0),), 25.0)
    assert found.parameters[0].value == pytest.approx(1e-14, rel=0.02)
    assert not found.parameters[0].is_factor
    assert (found.parameter_set.name, found.parameter_set.key) == ("own+diffusion", own.key)
    again = simulate(samples, SimulateSettings(cell, model, found.parameter_set), 25.0)
    assert again.result.rmse_mv == pytest.approx(found.rmse_mv, abs=0.05)


def test_a_changed_file_is_another_set_under_the_same_name() -> None:
    changed = document()
    changed["Parameterisation"]["Cell"]["Nominal cell capacity [A.h]"] = 4.0
    first, second = defined(BPX.read_bytes()), defined(changed)
    assert first.name == second.name
    assert load_base_set(first.key)["Nominal cell capacity [A.h]"] == 5.0
    assert load_base_set(second.key)["Nominal cell capacity [A.h]"] == 4.0


def test_what_bpx_leaves_open_is_told() -> None:
    bare = document()
    del bare["State"]
    _, notes = make_values(json.dumps(bare).encode())
    assert any("Initial concentration in electrolyte" in note for note in notes)
    assert any("100% SOC" in note for note in notes)
    assert not any("deprecated" in note.lower() for note in notes)


def test_bpx_of_version_0_is_read_and_that_is_told() -> None:
    old = document()
    del old["State"]
    old["Header"]["BPX"] = 0.1
    old["Parameterisation"]["Cell"] |= {"Ambient temperature [K]": 298.15, "Initial temperature [K]": 298.15}
    old["Parameterisation"]["Electrolyte"]["Initial concentration [mol.m-3]"] = 1000.0
    values, notes = make_values(json.dumps(old).encode())
    assert values["Initial concentration in electrolyte [mol.m-3]"] == 1000.0
    assert any("legacy BPX v0.x" in note for note in notes)


def test_user_defined_parameters_are_read_and_groups_left_out_with_a_word() -> None:
    more = document()
    more["Parameterisation"]["User-defined"] = {
        "description": "Measured after formation",
        "Contact resistance [Ohm]": 0.012,
        "Ageing": {"Rate [s-1]": 1e-9},
    }
    values, notes = make_values(json.dumps(more).encode())
    assert values["Contact resistance [Ohm]"] == 0.012
    assert "Rate [s-1]" not in values
    assert any("'Ageing'" in note for note in notes)


def test_bpx_of_a_blended_electrode_is_simulated_with_two_phases() -> None:
    """Two phases of the same material, each with half of the surface, are the one that they were made of."""
    blended = document()
    negative = blended["Parameterisation"]["Negative electrode"]
    of_electrode = ("Thickness [m]", "Porosity", "Transport efficiency", "Conductivity [S.m-1]")
    particle = {name: negative.pop(name) for name in list(negative) if name not in of_electrode}
    particle["Surface area per unit volume [m-1]"] /= 2
    negative["Particle"] = {"Graphite": particle, "More graphite": particle}
    own = defined(blended)
    assert needed_option(find_set_kind(load_base_set(own.key)), load_base_set(own.key)) == (
        "particle phases",
        ["2", "1"],
    )
    model = ModelSettings("SPM", "SPM", (("particle phases", ("2", "1")),))
    cell = CellSettings("CELL", initial_state=InitialState("soc", 0.7))
    simulated = simulate(record(5.0, 3.9), SimulateSettings(cell, model, own), 25.0).frame["simulated_voltage_volt"]
    assert np.abs(simulated.to_numpy(float) - voltage(CHEN)).max() < 5e-4


def test_reading_bpx_leaves_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    values, _ = make_values(BPX.read_bytes())
    assert list(tmp_path.iterdir()) == []
    assert values.process_symbol(values["Negative electrode OCP [V]"](pybamm.Scalar(0.5))).evaluate() > 0.1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("Cell", "Nominal cell capacity [A.h]", None), "Nominal cell capacity [A.h]"),
        (("Cell", "Electrode area [m2]", "large"), "Electrode area [m2]"),
        (("Negative electrode", "OCP [V]", "1 +"), "OCP [V]"),
        (("Negative electrode", "Radius [m]", 1e-6), "Radius [m]"),
    ],
)
def test_bpx_that_is_wrong_says_where(change: tuple[str, str, Any], words: str) -> None:
    part, name, value = change
    wrong = document()
    wrong["Parameterisation"][part][name] = value
    with pytest.raises(JobError) as caught:
        make_values(json.dumps(wrong).encode())
    assert caught.value.code == "bad_parameter_set"
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_json_without_what_every_simulation_needs_says_so() -> None:
    with pytest.raises(JobError, match=r"no 'Lower voltage cut-off \[V\]'"):
        make_values(b'{"Nominal cell capacity [A.h]": 5.0, "Upper voltage cut-off [V]": 4.2}')
    whole = json.loads(as_json("Chen2020"))
    whole["Negative electrode OCP [V]"] = {"$type": "pybamm.expression_tree.scalar.Skalar", "value": 1.0}
    with pytest.raises(JobError, match="Skalar"):
        make_values(json.dumps(whole).encode())


def test_an_override_of_a_file_set_names_the_nearest() -> None:
    wrong = replace(
        defined(BPX.read_bytes()), overrides=(Override("Negative particle difusivity [m2.s-1]", "value", 1.0),)
    )
    with pytest.raises(JobError, match=r"parameter set own has no .*Negative particle diffusivity"):
        voltage(wrong)
