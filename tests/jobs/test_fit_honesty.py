"""What a fit reports is true: derivatives, intervals, insensitive parameters, links, and a kill half way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from diffusion_fit import FIT, NEGATIVE, POSITIVE, TRUTH
from kilocell.data import columns as c
from kilocell.data.errors import JobError
from kilocell.data.fit_settings import (
    CELL_CAPACITY,
    CELL_PARAMETERS,
    INITIAL_SOC,
    LITHIUM_INVENTORY,
    PRESETS,
    FitLink,
    FitMethod,
    FitObjective,
    FitParameter,
)
from kilocell.data.results.fitting import Evaluation
from kilocell.data.settings import ModelSettings, Override, ParameterSetSettings, SimulateSettings
from kilocell.jobs.fitting.fit import combine_starts, run_start
from kilocell.jobs.fitting.objective import make_objective
from kilocell.jobs.fitting.starts import from_scaled, to_scaled
from kilocell.jobs.fitting.weights import sample_weights
from kilocell.jobs.parameters.sets import parameter_names
from kilocell.jobs.record.record import make_record
from kilocell.jobs.simulation.simulate import simulate
from kilocell.parquet_store.journal import StartJournal
from kilocell.parquet_store.layout import Store
from numpy.typing import NDArray
from records import pulses

Floats = NDArray[np.float64]

FRACTION = "Negative electrode active material volume fraction"
KINETIC = "Positive electrode exchange-current density [A.m-2]"
VALUES: dict[str, float] = dict(zip((NEGATIVE, POSITIVE), TRUTH, strict=True))


@pytest.fixture(scope="module")
def true_record() -> pd.DataFrame:
    overrides = tuple(Override(name, "value", value) for name, value in VALUES.items())
    asked = SimulateSettings(FIT.cell, FIT.model, ParameterSetSettings("truth", "Chen2020", overrides))
    return pulses().assign(**{c.VOLTAGE: simulate(pulses(), asked, None).frame["simulated_voltage_volt"]})


def noisy(record: pd.DataFrame, seed: int) -> pd.DataFrame:
    noise = 1e-3 * np.random.default_rng(seed).standard_normal(len(record))
    return record.assign(**{c.VOLTAGE: record[c.VOLTAGE] + noise})


@pytest.mark.parametrize("model", ["SPM", pytest.param("SPMe", marks=pytest.mark.slow)])
def test_slopes_are_those_of_the_errors(true_record: pd.DataFrame, model: str) -> None:
    parameters = (
        FitParameter(NEGATIVE, 1e-15, 1e-12, "log"),
        FitParameter(FRACTION, 0.5, 0.9),
        FitParameter(KINETIC, 0.2, 5.0, "log"),
        FitParameter(INITIAL_SOC, 0.5, 0.95),
        FitParameter(CELL_CAPACITY, 4.0, 6.0),
        FitParameter(LITHIUM_INVENTORY, 0.8, 1.1),
    )
    settings = replace(FIT, model=ModelSettings(model, model), parameters=parameters)
    objective = make_objective(noisy(true_record, 0), settings, None)
    unit = to_scaled(parameters, objective.inputs.default_values())
    slopes = objective.residuals(from_scaled(parameters, unit)).slopes_mv

    def error(place: int, step: float) -> Floats:
        moved = unit.copy()
        moved[place] += step
        return objective.residuals(from_scaled(parameters, moved), slopes=False).error_mv

    for place, parameter in enumerate(parameters):
        difference = (error(place, 2e-3) - error(place, -2e-3)) / 4e-3
        assert np.linalg.norm(slopes[:, place] - difference) < 0.05 * np.linalg.norm(difference), parameter.name


@pytest.mark.parametrize(
    ("seeds", "least"), [(range(6), 10), pytest.param(range(20), 34, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_the_truth_lies_inside_the_intervals(true_record: pd.DataFrame, seeds: range, least: int) -> None:
    inside = []
    for seed in seeds:
        record = noisy(true_record, seed)
        fit = combine_starts(record, FIT, (run_start(record, FIT, 0, None),), None)
        assert fit.rmse_mv == pytest.approx(1.0, rel=0.05)
        for p in fit.parameters:
            assert p.lower_95 is not None
            assert p.upper_95 is not None
            inside.append(p.lower_95 <= VALUES[p.name] <= p.upper_95)
            assert not p.verdict.startswith("well") or abs(p.value / VALUES[p.name] - 1.0) < 0.02
    assert sum(inside) >= least, "of each seed's two intervals; 95 % would be 38 of 40"


def test_a_parameter_that_does_nothing_is_an_error_that_names_it(true_record: pd.DataFrame) -> None:
    resistance = FitParameter("Contact resistance [Ohm]", 0.0, 0.01)
    settings = replace(FIT, parameters=(*FIT.parameters, resistance))
    with pytest.raises(JobError, match=r"insensitive to 'Contact resistance \[Ohm\]'") as caught:
        run_start(true_record, settings, 0, None)
    assert caught.value.code == "no_effect"
    with_option = ModelSettings("SPM-contact", "SPM", (("contact resistance", "true"),))
    found = run_start(noisy(true_record, 1), replace(settings, model=with_option), 0, None)
    assert found.values[2] == pytest.approx(0.0, abs=2e-4)


def test_a_linked_parameter_keeps_its_ratio(true_record: pd.DataFrame) -> None:
    ratio = VALUES[POSITIVE] / VALUES[NEGATIVE]
    settings = replace(FIT, parameters=FIT.parameters[:1], links=(FitLink(POSITIVE, NEGATIVE, ratio),))
    record = noisy(true_record, 2)
    fit = combine_starts(record, settings, (run_start(record, settings, 0, None),), None)
    values = {o.parameter: o.value for o in fit.parameter_set.overrides}
    assert values[POSITIVE] == pytest.approx(ratio * values[NEGATIVE], rel=1e-12)
    assert values[NEGATIVE] == pytest.approx(VALUES[NEGATIVE], rel=0.02)


@pytest.mark.parametrize("method", ["l_bfgs_b", "nelder_mead"])
def test_other_searches_end_at_the_same_minimum(true_record: pd.DataFrame, method: FitMethod) -> None:
    record = noisy(true_record, 3)
    other = run_start(record, replace(FIT, method=method), 0, None)
    assert other.rmse_mv == pytest.approx(run_start(record, FIT, 0, None).rmse_mv, rel=0.01)


def test_a_fitted_capacity_and_state_are_simulated_with(true_record: pd.DataFrame) -> None:
    parameters = (FitParameter(INITIAL_SOC, 0.5, 0.95), FitParameter(CELL_CAPACITY, 4.0, 6.0), FIT.parameters[1])
    settings = replace(FIT, parameters=parameters)
    record = noisy(true_record, 4)
    fit = combine_starts(record, settings, (run_start(record, settings, 0, None),), None)
    again = simulate(record, SimulateSettings(FIT.cell, FIT.model, fit.parameter_set), None).result
    assert again.rmse_mv == pytest.approx(fit.rmse_mv, abs=0.05)
    assert again.capacity_ah == pytest.approx(fit.parameters[1].value)
    assert again.initial_soc == pytest.approx(fit.parameters[0].value)


def test_a_start_that_was_killed_ends_with_the_same_numbers(
    true_record: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = noisy(true_record, 5)
    monkeypatch.setattr("kilocell.parquet_store.journal.WORTH_SECOND", 0.0)
    whole = run_start(record, FIT, 1, None, StartJournal(Store(tmp_path / "whole"), "CELL", "diffusion-1", "d"))

    class Killed(StartJournal):
        def note(self, evaluation: Evaluation, error_mv: Floats, slopes_mv: Floats) -> None:
            super().note(evaluation, error_mv, slopes_mv)
            if evaluation.number == 3:
                raise KeyboardInterrupt

    store = Store(tmp_path / "killed")
    with pytest.raises(KeyboardInterrupt):
        run_start(record, FIT, 1, None, Killed(store, "CELL", "diffusion-1", "d"))
    assert run_start(record, FIT, 1, None, StartJournal(store, "CELL", "diffusion-1", "d")) == whole


def test_presets_are_of_parameters_that_there_are() -> None:
    for parameters in PRESETS.values():
        for parameter in parameters:
            assert parameter.name in CELL_PARAMETERS or parameter.name in parameter_names("Chen2020")
            assert parameter.lower < 1.0 < parameter.upper


def test_bounds_that_are_factors_become_values(true_record: pd.DataFrame) -> None:
    settings = replace(FIT, parameters=(FitParameter(NEGATIVE, 0.1, 10.0, "log", relative=True),))
    (parameter,) = make_objective(true_record, settings, None).settings.parameters
    assert (parameter.lower, parameter.upper) == pytest.approx((3.3e-15, 3.3e-13))


def test_only_the_asked_step_types_count(true_record: pd.DataFrame) -> None:
    kinds = np.where(true_record[c.CURRENT] < 0.0, "discharge", "rest")
    steps = 1 + np.cumsum(np.concatenate([[False], kinds[1:] != kinds[:-1]])).astype(np.int32)
    settings = replace(FIT, objective=FitObjective(step_types=("discharge",)))
    objective = make_objective(true_record.assign(**{c.STEP_TYPE: kinds, c.STEP_COUNT: steps}), settings, None)
    np.testing.assert_array_equal(objective.used, kinds == "discharge")


def test_weights_count_windows_types_and_time() -> None:
    record = make_record(pulses())
    used = np.ones(len(record.time_second), dtype=np.bool_)
    assert sample_weights(record, used, FitObjective(), 5.0) == pytest.approx(1.0)
    late = sample_weights(record, used, FitObjective(ohmic=0.0, kinetic=0.0, diffusion=0.0), 5.0)
    assert late.mean() == pytest.approx(1.0)
    assert set(np.unique(late > 0.0)) == {False, True}
    dense = replace(
        record, time_second=np.where(record.time_second < 100.0, record.time_second / 10.0, record.time_second)
    )
    by_time = sample_weights(dense, used, FitObjective(equal_time=True), 5.0)
    assert by_time[2] == pytest.approx(by_time[-5] / 10.0)
