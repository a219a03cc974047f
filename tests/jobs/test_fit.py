"""Fits find the truth of a synthetic cell, from every start."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from diffusion_fit import FIT, NEGATIVE, TRUTH, noisy_pulses
from kilocell.data.errors import JobError
from kilocell.data.fit_settings import FitParameter
from kilocell.data.settings import SimulateSettings
from kilocell.jobs.fitting.fit import combine_starts, run_start
from kilocell.jobs.fitting.objective import make_objective
from kilocell.jobs.fitting.search_methods import promised_gain
from kilocell.jobs.fitting.starts import first_point, from_scaled, to_scaled
from kilocell.jobs.simulation.simulate import simulate


@pytest.fixture(scope="module")
def record() -> pd.DataFrame:
    return noisy_pulses()


def test_every_start_finds_the_truth_down_to_the_noise(record: pd.DataFrame) -> None:
    starts = tuple(run_start(record, FIT, start, None) for start in range(3))
    for start in starts:
        assert start.rmse_mv == pytest.approx(1.0, rel=0.05)
        np.testing.assert_allclose(start.values, TRUTH, rtol=0.05)
    fit = combine_starts(record, FIT, starts, None)
    assert fit.starts_agreeing == 3
    assert fit.rmse_default_mv is not None
    assert fit.rmse_default_mv > 5.0 * fit.rmse_mv
    assert fit.parameter_set.name == "Chen2020+diffusion"
    assert [p.unit for p in fit.parameters] == ["m2.s-1", "m2.s-1"]
    assert [p.default for p in fit.parameters] == [3.3e-14, 4e-15]
    assert not any(p.at_bound for p in fit.parameters)
    again = simulate(record, SimulateSettings(FIT.cell, FIT.model, fit.parameter_set), None).result
    assert again.rmse_mv == pytest.approx(fit.rmse_mv, abs=0.05)


def test_the_same_seed_gives_the_same_start(record: pd.DataFrame) -> None:
    first, second = (run_start(record, replace(FIT, max_evaluations=3), 1, None) for _ in range(2))
    assert first == second


@pytest.mark.slow
def test_a_truth_outside_the_bounds_ends_at_a_bound(record: pd.DataFrame) -> None:
    narrow = replace(FIT, parameters=(FitParameter(NEGATIVE, 3e-14, 1e-12, "log"), FIT.parameters[1]))
    fit = combine_starts(record, narrow, (run_start(record, narrow, 0, None),), None)
    assert fit.parameters[0].at_bound
    assert "exclude the set's own value" not in fit.verdict
    low = replace(FIT, parameters=(FitParameter(NEGATIVE, 1e-15, 2e-14, "log"), FIT.parameters[1]))
    told = combine_starts(record, low, (run_start(record, low, 0, None),), None)
    assert f"the bounds of {NEGATIVE} exclude the set's own value, 3.3e-14" in told.verdict


@pytest.mark.slow
def test_a_function_is_fitted_by_its_factor(record: pd.DataFrame) -> None:
    parameter = FitParameter("Positive electrode exchange-current density [A.m-2]", 0.2, 5.0, "log")
    settings = replace(FIT, parameters=(parameter,), max_evaluations=4)
    fit = combine_starts(record, settings, (run_start(record, settings, 0, None),), None)
    assert fit.parameters[0].is_factor
    assert fit.parameters[0].default == 1.0
    assert fit.parameter_set.overrides[0].kind == "scale"


def test_a_cycle_that_is_not_there_is_named(record: pd.DataFrame) -> None:
    with pytest.raises(JobError, match="has no cycle 4 to fit on"):
        make_objective(record, replace(FIT, cycles=(1, 4)), None)


def test_no_start_is_no_fit(record: pd.DataFrame) -> None:
    with pytest.raises(JobError, match="none of the starts"):
        combine_starts(record, FIT, (), None)


def test_an_evaluation_is_the_same_whatever_was_evaluated_before(record: pd.DataFrame) -> None:
    """A start that continues from its journal, without the starts before it, ends with the same numbers."""
    values, others = np.array([2e-15, 5e-14]), np.array([9e-13, 2e-16])
    first, second = make_objective(record, FIT, None), make_objective(record, FIT, None)
    second.residuals(others)
    one, two = first.residuals(values), second.residuals(values)
    np.testing.assert_array_equal(one.error_mv, two.error_mv)
    np.testing.assert_array_equal(one.slopes_mv, two.slopes_mv)


def test_a_search_ends_with_the_outputs_that_its_end_needs(record: pd.DataFrame) -> None:
    """The minimised cost is that of the reported RMSE, and its outputs are checked."""
    start = run_start(record, FIT, 1, None)
    assert start.cost is not None
    assert np.sqrt(2.0 * start.cost / len(record)) == pytest.approx(start.rmse_mv, abs=2e-3)
    objective = make_objective(record, FIT, None)
    objective, _ = objective.refine_outputs(np.array(start.values))
    assert not objective.refine_outputs(np.array(start.values))[1]


def test_residuals_stay_finite_where_the_model_has_no_solution(record: pd.DataFrame) -> None:
    found = make_objective(record, FIT, None).residuals(np.array([1e-18, 1e-19]))
    assert np.isfinite(found.error_mv).all()
    assert np.isfinite(found.slopes_mv).all()


def test_what_a_step_promises_is_what_linear_least_squares_gain() -> None:
    rng = np.random.default_rng(4)
    slopes, residuals = rng.standard_normal((50, 3)), rng.standard_normal(50)
    step = np.linalg.lstsq(slopes, -residuals)[0]
    gain = 0.5 * (residuals @ residuals - np.sum((residuals + slopes @ step) ** 2))
    assert promised_gain(np.full(3, 0.5), residuals, slopes) == pytest.approx(gain)
    twice = slopes[:, [0, 1, 2, 2]]
    assert promised_gain(np.full(4, 0.5), residuals, twice) == pytest.approx(gain)
    # At its bound, and pressed against it, a parameter has nothing left to give.
    pressed = slopes * np.sign(slopes.T @ residuals)
    rest = promised_gain(np.full(2, 0.5), residuals, pressed[:, 1:])
    assert promised_gain(np.array([0.0, 0.5, 0.5]), residuals, pressed) == pytest.approx(rest)


def test_scales_go_there_and_back() -> None:
    values = np.array([2e-14, 3e-15])
    np.testing.assert_allclose(from_scaled(FIT.parameters, to_scaled(FIT.parameters, values)), values)
    linear = (FitParameter("x", -1.0, 3.0),)
    assert to_scaled(linear, np.array([1.0])) == pytest.approx(0.5)


def test_more_starts_do_not_move_those_that_are_there() -> None:
    default = np.array([3.3e-14, 4e-15])
    few = [first_point(FIT, start, default) for start in range(3)]
    many = [first_point(replace(FIT, starts=16), start, default) for start in range(16)]
    np.testing.assert_array_equal(few, many[:3])
    assert len({tuple(point) for point in many}) == 16
