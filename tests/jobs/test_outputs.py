"""What a simulation stores beside the voltage: right values with units, for the user's cell, and who has what."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.cycle_selection import CycleSelection
from kilocell.data.errors import JobError
from kilocell.data.outputs import OUTPUTS
from kilocell.data.settings import (
    CellSettings,
    InitialState,
    ModelSettings,
    OptionValue,
    ParameterSetSettings,
    SimulateSettings,
)
from kilocell.jobs.models.outputs import check_outputs
from kilocell.jobs.simulation.simulate import SimulationOutput, simulate
from records import partition

TIME = np.arange(0.0, 2400.0, 20.0)
PULSE = np.where((TIME >= 200.0) & (TIME < 1600.0), -1.0, 0.0)
AGEING: dict[str, OptionValue] = {
    "SEI": "solvent-diffusion limited",
    "lithium plating": "irreversible",
    "thermal": "lumped",
}


def settings(
    outputs: tuple[str, ...],
    capacity_ah: float = 5.0,
    options: dict[str, OptionValue] | None = None,
    base: str = "Chen2020",
    model: str = "SPM",
) -> SimulateSettings:
    cell = CellSettings("CELL", capacity_ah, InitialState("soc", 0.8), 25.0)
    chosen = ModelSettings(model, model, tuple((options or {}).items()))
    return SimulateSettings(cell, chosen, ParameterSetSettings(base, base), outputs=outputs)


def run(asked: SimulateSettings, surface_celsius: float | None = None, rate: float = 1.0) -> SimulationOutput:
    capacity = asked.cell.nominal_capacity_ah or 5.0
    samples = partition(TIME, rate * capacity * PULSE, np.full(len(TIME), 3.9))
    samples[c.SURFACE_TEMPERATURE] = np.nan if surface_celsius is None else surface_celsius
    return simulate(samples, asked, None)


def test_outputs_follow_the_voltage_with_units_in_their_names() -> None:
    frame = run(settings(("temperature", "soc", "stoichiometry", "open_circuit_voltage", "overpotentials"))).frame
    expected = [*c.SIMULATION_COLUMNS, "cell_temperature_celsius", "state_of_charge"]
    expected += ["negative_stoichiometry", "positive_stoichiometry", "open_circuit_voltage_volt"]
    assert list(frame.columns)[: len(expected)] == expected
    assert np.allclose(frame["cell_temperature_celsius"], 25.0)
    charge = np.interp(TIME, TIME, np.concatenate([[0.0], np.cumsum(np.diff(TIME) * (PULSE[1:] + PULSE[:-1]) / 2.0)]))
    assert np.allclose(frame["state_of_charge"], 0.8 + 5.0 / 5.153 * charge / 3600.0, atol=2e-3)
    window = 0.0263 + frame["state_of_charge"] * (0.9106 - 0.0263)
    assert np.allclose(frame["negative_stoichiometry"], window, atol=1e-3)
    rest = TIME < 200.0
    assert np.allclose(frame["open_circuit_voltage_volt"][rest], frame["simulated_voltage_volt"][rest], atol=1e-4)


def test_the_voltage_is_the_same_with_and_without_outputs() -> None:
    plain = run(settings(())).frame
    more = run(settings(("temperature", "stoichiometry", "soc"))).frame
    assert list(plain.columns) == list(c.SIMULATION_COLUMNS)
    pd.testing.assert_frame_equal(plain, more[list(plain.columns)], rtol=1e-7)


@pytest.mark.parametrize("capacity_ah", [2.0, 9.0])
def test_extensive_outputs_are_those_of_the_cell(capacity_ah: float) -> None:
    names = ("plating", "sei_loss", "sei_thickness", "loss_of_lithium", "heating")
    own = run(settings(names, 5.0, AGEING, "OKane2022")).frame
    scaled = run(settings(names, capacity_ah, AGEING, "OKane2022")).frame
    isothermal = {name: value for name, value in AGEING.items() if name != "thermal"}
    own_pairs = run(settings(names[:4], 5.0, isothermal, "OKane2022")).frame
    by_pairs = run(settings(names[:4], capacity_ah, isothermal, "OKane2022")).frame
    ratio = capacity_ah / 5.0
    for name in ("plating_loss_ah", "sei_loss_ah", "heating_watt"):
        assert own[name].abs().max() > 0.0
        assert np.allclose(scaled[name], ratio * own[name], rtol=1e-3, atol=1e-9)
    assert np.allclose(by_pairs["sei_loss_ah"], ratio * own_pairs["sei_loss_ah"], rtol=1e-3, atol=1e-9)
    for name in ("sei_thickness_nm", "loss_of_lithium_percent"):
        assert np.allclose(scaled[name], own[name], rtol=1e-4, atol=1e-9)
    lost = 100.0 * (own["sei_loss_ah"] + own["plating_loss_ah"]).iloc[-1] / own["loss_of_lithium_percent"].iloc[-1]
    assert 4.0 < lost < 8.0  # A.h of lithium in the cell


def test_a_thermal_model_is_compared_with_the_measured_surface() -> None:
    lumped = settings((), options={"thermal": "lumped"})
    with_column = run(replace(lumped, outputs=("temperature",)), 26.0)
    difference = with_column.frame["cell_temperature_celsius"] - 26.0
    expected = float(np.sqrt(np.mean(difference**2)))
    assert with_column.result.temperature_rmse_kelvin == pytest.approx(expected)
    compared = run(lumped, 26.0)
    assert compared.result.temperature_rmse_kelvin == pytest.approx(expected, rel=1e-6)
    assert list(compared.frame.columns) == list(c.SIMULATION_COLUMNS)
    assert run(settings(()), 26.0).result.temperature_rmse_kelvin is None
    assert run(lumped).result.temperature_rmse_kelvin is None


def test_selected_cycles_and_an_equivalent_circuit_have_outputs() -> None:
    samples = partition(TIME, PULSE, np.full(len(TIME), 3.9))
    samples[c.CYCLE_COUNT] = np.where(TIME < 1200.0, 1, 2).astype("int32")
    asked = replace(settings(("soc", "surface_stoichiometry")), cycles=CycleSelection(((1, 2),)))
    frame = simulate(samples, asked, None).frame
    assert frame["state_of_charge"].notna().all()
    assert frame["negative_surface_stoichiometry"].notna().all()
    circuit = run(settings(("soc", "temperature"), 3.0, base="ECM_Example", model="Thevenin")).frame
    assert circuit["state_of_charge"].iloc[-1] == pytest.approx(0.8 - 1400.0 / 3600.0, abs=2e-3)
    assert circuit["cell_temperature_celsius"].max() > 25.0


@pytest.mark.parametrize(
    ("model", "options", "name", "told"),
    [
        ("SPM", {}, "sei_thickness", 'needs an option of the model, such as "SEI" = "solvent-diffusion limited"'),
        ("DFN", {"SEI": "constant"}, "plating", '"lithium plating" = "irreversible"'),
        ("SPM", {}, "crack_length", '"particle mechanics" = "swelling and cracking"'),
        ("Thevenin", {}, "stoichiometry", "the model Thevenin has no output"),
        ("Thevenin", {}, "plating", "the model Thevenin has no output"),
        ("SPM", {}, "temprature", 'did you mean "temperature"'),
    ],
)
def test_what_a_model_lacks_is_told(model: str, options: dict[str, OptionValue], name: str, told: str) -> None:
    with pytest.raises(JobError, match="output") as caught:
        check_outputs(ModelSettings(model, model, tuple(options.items())), (name,))
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("model", "options", "base"),
    [
        pytest.param(
            "DFN",
            AGEING | {"loss of active material": "stress-driven", "particle mechanics": "swelling and cracking"},
            "OKane2022",
            marks=pytest.mark.slow,
        ),
        ("SPM", {"particle phases": ("2", "1")}, "Chen2020_composite"),
        ("SPM", {"working electrode": "positive"}, "Xu2019"),
        ("MPM", {}, "Chen2020"),
    ],
)
def test_every_output_that_a_model_has_is_a_number(model: str, options: dict[str, OptionValue], base: str) -> None:
    chosen = ModelSettings(model, model, tuple(options.items()))
    names = []
    for name in OUTPUTS:
        try:
            check_outputs(chosen, (name,))
        except JobError:
            continue
        names.append(name)
    assert {"temperature", "soc", "open_circuit_voltage"} <= set(names)
    asked = settings(tuple(names), None, options, base, model)  # type: ignore[arg-type]
    rate = {"Xu2019": 0.0002, "OKane2022": 0.2}.get(base, 0.1)
    frame = run(asked, rate=rate).frame
    more = frame[[name for name in frame if name not in c.SIMULATION_COLUMNS]]
    assert len(more.columns) >= len(names)
    assert np.isfinite(more.to_numpy(float)).all()
