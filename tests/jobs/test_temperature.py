"""A measured temperature over time: compressed, reported, and followed by the model as in PyBaMM itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd
import pybamm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from kilocell.data import columns as c
from kilocell.data.convert import celsius_to_kelvin
from kilocell.data.cycle_selection import parse_selection
from kilocell.data.fit_settings import FitParameter, FitSettings
from kilocell.data.settings import CellSettings, InitialState, ModelSettings, ParameterSetSettings, SimulateSettings
from kilocell.jobs.current_profile.temperature import MOST_KNOTS, compress_temperature
from kilocell.jobs.fitting.objective import make_objective
from kilocell.jobs.simulation.simulate import simulate
from numpy.typing import NDArray
from records import partition

Floats = NDArray[np.float64]
TemperatureKind = Literal["mean", "rest", "ambient", "surface"]
BASE = "ORegan2022"  # its functions depend on temperature, unlike Chen2020's
SOC = 0.8


def load() -> tuple[Floats, Floats, Floats]:
    """3 h of discharges and charges while the chamber swings by 8 °C and is once set up by 3 °C, under noise."""
    time = np.arange(0.0, 3 * 3600.0, 20.0)
    current = np.where(time < 600.0, 0.0, np.where(time % 7200.0 < 3600.0, -1.6, 1.5))
    celsius = 25.0 + 8.0 * np.sin(time / 3000.0) + 3.0 * (time > 9000.0)
    return time, current, celsius + 0.02 * np.random.default_rng(1).standard_normal(len(time))


def documented(model: str, options: dict[str, str]) -> Floats:
    """Voltage by PyBaMM's documented way: interpolants of current and temperature, a stop at every sample."""
    time, current, celsius = load()
    values = pybamm.ParameterValues(BASE)
    values.set_initial_state(SOC)
    values["Current function [A]"] = pybamm.Interpolant(time, -current, pybamm.t)
    values["Ambient temperature [K]"] = lambda y, z, t: pybamm.Interpolant(time, celsius_to_kelvin(celsius), t)
    values["Initial temperature [K]"] = celsius_to_kelvin(float(celsius[0]))
    built = getattr(pybamm.lithium_ion, model)(options)
    built.events = []
    solver = pybamm.IDAKLUSolver(rtol=1e-6, atol=1e-8)
    solution = pybamm.Simulation(built, parameter_values=values, solver=solver).solve(time)
    voltage: Floats = solution["Voltage [V]"](time)
    return voltage


def measured(column: str, voltage: Floats | None = None) -> pd.DataFrame:
    time, current, celsius = load()
    frame = partition(time, current, np.full(len(time), 3.7) if voltage is None else voltage)
    frame[[c.AMBIENT_TEMPERATURE, c.SURFACE_TEMPERATURE]] = np.nan
    return frame.assign(**{column: celsius})


def asked(kind: TemperatureKind, model: str = "SPM", **options: str) -> SimulateSettings:
    return SimulateSettings(
        CellSettings("CELL", None, InitialState("soc", SOC), temperature=kind),
        ModelSettings(model, model, tuple(options.items())),
        ParameterSetSettings(BASE, BASE),
    )


@pytest.mark.parametrize(
    ("model", "thermal", "kind", "column"),
    [
        ("SPM", "isothermal", "surface", c.SURFACE_TEMPERATURE),
        pytest.param("SPMe", "lumped", "ambient", c.AMBIENT_TEMPERATURE, marks=pytest.mark.slow),
    ],
)
def test_a_temperature_profile_gives_the_documented_voltage(
    model: str, thermal: str, kind: TemperatureKind, column: str
) -> None:
    frame = measured(column, documented(model, {"thermal": thermal}))
    followed = simulate(frame, asked(kind, model, thermal=thermal), 25.0).result
    assert followed.rmse_mv < 0.5
    assert followed.charge_error < 5e-4
    mean = simulate(frame, asked("mean", model, thermal=thermal), 25.0).result
    assert mean.rmse_mv > 2.0  # a mean does not do
    truth = load()[2]
    assert followed.temperature_celsius == pytest.approx(float(np.trapezoid(truth) / (len(truth) - 1)), abs=0.02)
    assert followed.temperature_source.startswith(f"measured {kind} temperature, ")
    assert mean.temperature_source.startswith(f"mean of the measured {kind} temperature")


def test_the_state_is_found_at_the_profiles_first_temperature() -> None:
    """At rest from 4 V, the voltage begins at 4 V whatever the temperature does later."""
    at_volt = replace(asked("surface").cell, initial_state=InitialState("voltage", 4.0))
    frame = simulate(measured(c.SURFACE_TEMPERATURE), replace(asked("surface"), cell=at_volt), None).frame
    assert frame["simulated_voltage_volt"].iloc[0] == pytest.approx(4.0, abs=2e-4)


def test_a_missing_temperature_is_said_and_interpolated_and_where_all_are_missing_the_mean_stands_in() -> None:
    frame = measured(c.SURFACE_TEMPERATURE)
    frame.loc[100:199, c.SURFACE_TEMPERATURE] = np.nan
    assert simulate(frame, asked("surface"), 25.0).result.temperature_source.endswith(
        "interpolated over 100 missing samples"
    )
    result = simulate(frame, asked("ambient"), 21.0).result
    # Of the samples that are simulated, and not of the whole record as 21 °C.
    assert result.temperature_celsius == pytest.approx(float(np.mean(load()[2])), abs=1.0)
    words = "mean of the measured surface temperature, since no ambient temperature was measured"
    assert result.temperature_source == words
    frame[c.SURFACE_TEMPERATURE] = np.nan
    result = simulate(frame, asked("surface"), None).result
    assert result.temperature_source == "parameter set's own, since no surface temperature was measured"


@pytest.mark.parametrize(
    ("kind", "thermal", "words"),
    [("ambient", "isothermal", '"surface" is nearer'), ("surface", "lumped", '"ambient" is')],
)
def test_a_temperature_that_the_model_means_otherwise_is_told(kind: TemperatureKind, thermal: str, words: str) -> None:
    column = c.AMBIENT_TEMPERATURE if kind == "ambient" else c.SURFACE_TEMPERATURE
    source = simulate(measured(column), asked(kind, thermal=thermal), 25.0).result.temperature_source
    assert words in source


def test_a_fit_follows_the_profile_too() -> None:
    parameter = FitParameter("Positive particle diffusivity [m2.s-1]", 0.5, 2.0)
    frame = measured(c.SURFACE_TEMPERATURE)
    simulated = simulate(frame, asked("surface"), 25.0).frame["simulated_voltage_volt"]
    cell, model, base = asked("surface").cell, asked("surface").model, asked("surface").parameter_set
    fit = FitSettings("f", cell, model, base, (parameter,))
    objective = make_objective(frame.assign(**{c.VOLTAGE: simulated.to_numpy()}), fit, 25.0)
    assert objective.rmse_mv(np.array([1.0])) < 0.15  # mV: the numerical error of a fit
    constant = make_objective(
        frame.assign(**{c.VOLTAGE: simulated.to_numpy()}),
        replace(fit, cell=replace(cell, temperature="mean")),
        25.0,
    )
    assert constant.rmse_mv(np.array([1.0])) > 2.0


@settings(max_examples=40, deadline=None)
@given(arrays(float, st.integers(2, 300), elements=st.floats(-20, 60, width=16)), st.integers(0, 2**31))
def test_knots_keep_the_mean_and_stay_near_for_any_temperature(value: Floats, seed: int) -> None:
    time = np.cumsum(np.random.default_rng(seed).choice([1.0, 10.0, 60.0], len(value)))
    profile = compress_temperature(time, value)
    assert profile.time_second[0] == time[0]
    assert profile.time_second[-1] == time[-1]
    assert np.all(np.diff(profile.time_second) > 0.0)
    assert np.all(np.isfinite(profile.celsius))
    kept = np.interp(time, profile.time_second, profile.celsius)
    weights = np.gradient(time)
    assert np.sum(weights * kept) == pytest.approx(np.sum(weights * value), rel=1e-6, abs=1e-4 * np.sum(weights))


def test_a_long_noisy_temperature_becomes_a_few_knots() -> None:
    time = np.arange(0.0, 1e6)
    truth = 25.0 + 5.0 * np.sin(time / 20_000.0)
    value = truth + 0.3 * np.random.default_rng(1).standard_normal(len(time))
    value[5000:9000] = np.nan
    profile = compress_temperature(time, value)
    assert len(profile.time_second) < 400
    kept = np.interp(time, profile.time_second, profile.celsius)
    assert np.sqrt(np.mean((kept - truth) ** 2)) < 0.1


def test_a_temperature_that_never_settles_has_a_bounded_number_of_knots() -> None:
    time = np.arange(0.0, 30_000.0)
    value = 25.0 + 10.0 * np.sin(time / 7.0)
    assert len(compress_temperature(time, value).time_second) <= MOST_KNOTS


def test_one_known_temperature_is_held() -> None:
    value = np.array([np.nan, 31.0, np.nan])
    profile = compress_temperature(np.array([0.0, 5.0, 10.0]), value)
    np.testing.assert_allclose(profile.celsius, 31.0)


@pytest.mark.parametrize("policy", ["rest_voltage", "previous_cycle"])
def test_each_selected_cycle_has_its_own_part_of_the_profile(policy: str) -> None:
    """Three cycles at 10, 20 and 30 °C: the first and the last are replayed at their own temperatures."""
    seconds = np.arange(0.0, 3600.0, 20.0)
    once = np.where((seconds >= 1200.0) & (seconds < 1800.0), -2.0, np.where(seconds >= 3000.0, 2.0, 0.0))
    current = np.tile(np.append(once[:-1], 0.0), 3)
    time, cycle = np.arange(0.0, 20.0 * len(current), 20.0), np.repeat([1, 2, 3], len(once))
    frame = partition(time, current, np.full(len(time), 3.9))
    frame[c.SURFACE_TEMPERATURE] = 10.0 * cycle
    frame[c.CYCLE_COUNT] = cycle.astype(np.int32)
    settings = asked("surface")
    cell = replace(settings.cell, initial_state=InitialState(policy))  # type: ignore[arg-type]
    chosen = simulate(frame, replace(settings, cell=cell, cycles=parse_selection("1, 3")), None)
    assert chosen.result.temperature_celsius == pytest.approx(20.0, abs=0.1)
    assert chosen.result.compression_rmse_mv is not None
    last = chosen.frame[chosen.frame[c.CYCLE_COUNT] == 3]["simulated_voltage_volt"].to_numpy()
    soc = chosen.result.cycle_states[-1].soc
    own = CellSettings("CELL", None, InitialState("soc", soc), 30.0)
    alone = simulate(frame[cycle == 3].reset_index(drop=True), replace(settings, cell=own), None)
    voltage = alone.frame["simulated_voltage_volt"].to_numpy()
    # A cycle after a charge does not begin in equilibrium. It is solved from before its start, and where the curve is
    # flat, a voltage that agrees within 0.1 mV at rest still leaves the state of charge open.
    tolerance = 1e-4 if policy == "previous_cycle" else 2e-2
    np.testing.assert_allclose(last[60:], voltage[60:], rtol=0.0, atol=tolerance)


def two_cycles(hot: float = 45.0, cold: float = 5.0) -> pd.DataFrame:
    """A cycle at 5 °C with a sample every 100 s, and one at 45 °C with five times as many."""
    parts = []
    for cycle, (celsius, step) in enumerate(((cold, 100.0), (hot, 20.0))):
        time = np.arange(0.0, 6000.0, step)
        frame = partition(
            time + 6000.0 * cycle, np.where((time >= 600.0) & (time < 1200.0), -1.6, 0.0), 0.0 * time + 3.9
        )
        frame[c.CYCLE_COUNT] = np.int32(cycle + 1)
        parts.append(frame.assign(**{c.SURFACE_TEMPERATURE: celsius}))
    return pd.concat(parts, ignore_index=True)


def test_a_selected_cycle_has_its_own_mean_temperature() -> None:
    """It was simulated at the mean over the samples of the whole record, 38 °C."""
    frame = two_cycles()
    for selection, celsius in (("1", 5.0), ("2", 45.0), ("1-2", 25.0)):
        result = simulate(frame, replace(asked("mean"), cycles=parse_selection(selection)), 38.3).result
        assert result.temperature_celsius == pytest.approx(celsius, abs=0.5), selection
    assert result.temperature_source.endswith("; 5.0 to 45.0 °C in 2 parts")
    assert simulate(frame, asked("mean"), 38.3).result.temperature_celsius == pytest.approx(25.0, abs=0.5)


def test_a_thermal_model_does_not_take_a_warm_surface_for_the_air_silently() -> None:
    frame = measured(c.SURFACE_TEMPERATURE)
    time = frame[c.TEST_TIME].to_numpy()
    frame[c.SURFACE_TEMPERATURE] = np.where(time < 600.0, 21.0 + time / 1e4, 30.0)
    mean = simulate(frame, asked("mean", thermal="lumped"), 25.0).result
    assert "takes it for the air around the cell" in mean.temperature_source
    assert '"rest" takes the temperature before the load' in mean.temperature_source
    rest = simulate(frame, asked("rest", thermal="lumped"), 25.0).result
    assert rest.temperature_celsius == pytest.approx(21.03, abs=0.01)
    assert rest.temperature_source == "measured temperature at the end of the rest before the load"
    # Where the air is measured, it is preferred.
    both = simulate(frame.assign(**{c.AMBIENT_TEMPERATURE: 20.0}), asked("mean", thermal="lumped"), 25.0).result
    assert (both.temperature_celsius, both.temperature_source) == (20.0, "mean of the measured ambient temperature")
