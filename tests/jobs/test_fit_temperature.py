"""Fits that include the surface temperature: what it determines, its slopes, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.codec import digest, from_json, to_json
from kilocell.data.errors import JobError
from kilocell.data.fit_settings import FitObjective, FitParameter, FitSettings
from kilocell.data.results.fitting import FitResult
from kilocell.data.settings import (
    CellSettings,
    InitialState,
    ModelSettings,
    Override,
    ParameterSetSettings,
    SimulateSettings,
)
from kilocell.jobs.fitting.fit import combine_starts, run_start
from kilocell.jobs.fitting.objective import make_objective
from kilocell.jobs.fitting.search import Search
from kilocell.jobs.fitting.starts import from_scaled
from kilocell.jobs.simulation.attempts import Attempt
from kilocell.jobs.simulation.simulate import simulate
from kilocell.parquet_store.journal import StartJournal
from kilocell.parquet_store.layout import Store
from records import partition

LUMPED = ModelSettings("lumped", "SPMe", (("thermal", "lumped"),))
TRANSFER = "Total heat transfer coefficient [W.m-2.K-1]"
HEAT = "Negative electrode specific heat capacity [J.kg-1.K-1]"
TRUTH = {TRANSFER: 23.0, HEAT: 1050.0}
KELVIN_AS_MV = 25.0
CELL = CellSettings("CELL", 5.0, InitialState("soc", 0.9), 25.0)
BOUNDS = (FitParameter(TRANSFER, 1.0, 100.0, "log"), FitParameter(HEAT, 200.0, 3000.0, "log"))
CHEN = ParameterSetSettings("Chen2020", "Chen2020")
FIT = FitSettings("thermal", CELL, LUMPED, CHEN, BOUNDS, starts=1, max_evaluations=30)
WITH_TEMPERATURE = replace(FIT, objective=FitObjective(temperature_kelvin_as_mv=KELVIN_AS_MV))


@lru_cache(maxsize=1)
def warm_cell() -> pd.DataFrame:
    """A discharge at 1C and its cooling, of a cell whose heat transfer and heat capacity are not the set's."""
    edge = np.array([0.0, 0.5, 1.0, 2.0, 5.0, 10.0])
    time = np.unique(np.concatenate([np.arange(0, 61, 20.0), 60 + edge, np.arange(90, 2701, 30.0), 2700 + edge,
                                     np.arange(2730, 5401, 30.0)]))  # fmt: skip
    current = np.where((time > 60) & (time <= 2700), -5.0, 0.0)
    record = partition(time, current, np.full(len(time), 3.8))
    overrides = tuple(Override(name, "value", value) for name, value in TRUTH.items())
    settings = SimulateSettings(CELL, LUMPED, replace(CHEN, overrides=overrides), outputs=("temperature",))
    found = simulate(record, settings, None).frame
    rng = np.random.default_rng(4)
    voltage = found["simulated_voltage_volt"] + 2e-3 * rng.standard_normal(len(time))
    surface = found["cell_temperature_celsius"] + 0.05 * rng.standard_normal(len(time))
    return record.assign(**{c.VOLTAGE: voltage, c.SURFACE_TEMPERATURE: surface})


def fitted(settings: FitSettings) -> FitResult:
    start = run_start(warm_cell(), settings, 0, None)
    return combine_starts(warm_cell(), settings, (start,), None)


@pytest.mark.slow
def test_the_temperature_determines_what_the_voltage_does_not() -> None:
    of_both, of_voltage = fitted(WITH_TEMPERATURE), fitted(FIT)
    for parameter in of_both.parameters:
        assert parameter.value == pytest.approx(TRUTH[parameter.name], rel=0.04)
        assert parameter.lower_95 is not None
        assert parameter.upper_95 is not None
        assert parameter.lower_95 < TRUTH[parameter.name] < parameter.upper_95
        assert parameter.upper_95 / parameter.lower_95 < 1.15
    heat = next(one for one in of_voltage.parameters if one.name == HEAT)
    assert heat.lower_95 is None or (heat.upper_95 or 9e9) / heat.lower_95 > 1.5
    assert of_both.temperature_rmse_kelvin == pytest.approx(0.05, rel=0.2)
    assert (of_both.temperature_rmse_default_kelvin or 0.0) > 0.5
    assert of_both.rmse_mv == pytest.approx(2.0, rel=0.15)
    assert of_both.samples == len(warm_cell())  # those of the voltage
    # It is compared, too, where it is not fitted.
    assert of_voltage.temperature_rmse_kelvin is not None


def test_its_slopes_are_those_of_the_objective() -> None:
    objective = make_objective(warm_cell(), WITH_TEMPERATURE, None)
    unit = np.array([0.5, 0.5])
    parameters = objective.settings.parameters
    found = objective.residuals(from_scaled(parameters, unit))
    assert found.all_error_mv.shape == objective.all_weights.shape
    assert found.all_slopes_mv.shape == (len(objective.all_weights), 2)
    tight = replace(
        objective, parts=tuple(replace(part, attempt=Attempt("tight", tighter=0.01)) for part in objective.parts)
    )
    for place in range(2):
        step = 2e-3 * (np.arange(2) == place)
        ends = [tight.residuals(from_scaled(parameters, unit + sign * step), slopes=False) for sign in (-1, 1)]
        difference = (ends[1].temperature.error_mv - ends[0].temperature.error_mv) / 4e-3
        slope = found.temperature.slopes_mv[:, place]
        assert np.linalg.norm(slope - difference) < 0.01 * np.linalg.norm(difference)


def test_samples_without_a_temperature_count_with_their_voltage() -> None:
    samples = warm_cell().copy()
    samples.loc[samples.index[::2], c.SURFACE_TEMPERATURE] = np.nan
    objective = make_objective(samples, WITH_TEMPERATURE, None)
    errors = objective.residuals(objective.inputs.default_values())
    assert len(errors.error_mv) == len(samples)
    assert len(errors.temperature.error_mv) == len(samples) // 2
    known = samples[c.SURFACE_TEMPERATURE].notna().to_numpy()
    full = make_objective(warm_cell(), WITH_TEMPERATURE, None).residuals(objective.inputs.default_values())
    np.testing.assert_allclose(errors.temperature.error_mv, full.temperature.error_mv[known], atol=0.01 * KELVIN_AS_MV)


def test_a_journal_keeps_both_channels(tmp_path: object) -> None:
    objective = make_objective(warm_cell(), WITH_TEMPERATURE, None)
    store = Store(tmp_path)  # type: ignore[arg-type]
    point = np.array([0.4, 0.6])
    first = Search(objective, objective.settings, StartJournal(store, "CELL", "thermal-0", "d")).residuals(point)
    again = Search(objective, objective.settings, StartJournal(store, "CELL", "thermal-0", "d")).residuals(point)
    np.testing.assert_array_equal(first.error_mv, again.error_mv)
    np.testing.assert_array_equal(first.temperature.error_mv, again.temperature.error_mv)
    np.testing.assert_array_equal(first.temperature.slopes_mv, again.temperature.slopes_mv)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model": ModelSettings("SPMe", "SPMe")}, "SPMe is isothermal"),
        ({"cell": replace(CELL, temperature_celsius=None, temperature="surface")}, "drives the model"),
    ],
)
def test_a_temperature_that_no_model_calculates_is_refused(change: dict[str, object], reason: str) -> None:
    with pytest.raises(JobError, match=reason) as caught:
        make_objective(warm_cell(), replace(WITH_TEMPERATURE, **change), None)  # type: ignore[arg-type]
    assert caught.value.code == "no_temperature"


def test_a_record_without_a_temperature_is_refused() -> None:
    samples = warm_cell().assign(**{c.SURFACE_TEMPERATURE: np.nan})
    with pytest.raises(JobError, match="no measured surface temperature") as caught:
        make_objective(samples, WITH_TEMPERATURE, None)
    assert caught.value.code == "no_temperature"


def test_a_fit_to_the_voltage_keeps_its_digest() -> None:
    assert "temperature_kelvin_as_mv" not in to_json(FIT)
    assert digest(FIT) != digest(WITH_TEMPERATURE)
    assert from_json(FitSettings, to_json(WITH_TEMPERATURE)) == WITH_TEMPERATURE
