"""A search minimises, ranks and ends by one cost; priors, the model's range and the agreement of starts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from diffusion_fit import FIT, NEGATIVE, POSITIVE, TRUTH
from kilocell.data import columns as c
from kilocell.data.fit_settings import FitMethod, FitObjective, FitParameter, FitSettings, Loss
from kilocell.data.results.fitting import StartResult
from kilocell.data.settings import Override, ParameterSetSettings, SimulateSettings
from kilocell.data.verdict_words import verdict_kind
from kilocell.jobs.fitting.agreement import common_costs
from kilocell.jobs.fitting.fit import combine_starts, run_start
from kilocell.jobs.fitting.loss import RowLoss
from kilocell.jobs.fitting.objective import Objective, make_objective
from kilocell.jobs.fitting.range_penalty import watch_range
from kilocell.jobs.fitting.search import Search
from kilocell.jobs.fitting.starts import from_scaled, to_scaled
from kilocell.jobs.simulation.simulate import simulate
from numpy.typing import NDArray
from records import pulses

Floats = NDArray[np.float64]
METHODS: tuple[FitMethod, ...] = ("least_squares", "l_bfgs_b", "nelder_mead", "differential_evolution")


@pytest.fixture(scope="module")
def true_volt() -> Floats:
    overrides = tuple(Override(name, "value", value) for name, value in zip((NEGATIVE, POSITIVE), TRUTH, strict=True))
    asked = SimulateSettings(FIT.cell, FIT.model, ParameterSetSettings("truth", "Chen2020", overrides))
    voltage: Floats = simulate(pulses(), asked, None).frame["simulated_voltage_volt"].to_numpy(float)
    return voltage + 1e-3 * np.random.default_rng(3).standard_normal(len(voltage))


def measured(volt: Floats) -> pd.DataFrame:
    return pulses().assign(**{c.VOLTAGE: volt})


@pytest.fixture(scope="module")
def with_outliers(true_volt: Floats) -> pd.DataFrame:
    """One sample of twenty is off by 80 mV, upwards."""
    volt = true_volt.copy()
    volt[np.random.default_rng(5).choice(len(volt), len(volt) // 20, replace=False)] += 0.08
    return measured(volt)


@pytest.fixture(scope="module")
def with_drift(true_volt: Floats) -> pd.DataFrame:
    """A slow error of 15 mV, as of a model that is not perfect."""
    time = pulses()[c.TEST_TIME].to_numpy()
    return measured(true_volt + 15e-3 * np.sin(2.0 * np.pi * time / 1500.0))


def robust(loss: Loss, **changes: object) -> FitSettings:
    return replace(FIT, objective=FitObjective(loss=loss, loss_mv=3.0), **changes)  # type: ignore[arg-type]


def fitted_cost(objective: Objective, values: tuple[float, ...]) -> float:
    """Half the sum of the losses as SciPy defines cauchy's, by hand."""
    error = objective.residuals(np.array(values), slopes=False).error_mv
    return 0.5 * 3.0**2 * float(np.sum(np.log1p((error / 3.0) ** 2)))


@pytest.mark.parametrize("method", METHODS)
def test_every_search_minimises_and_reports_the_cost_with_its_loss(
    with_outliers: pd.DataFrame, method: FitMethod
) -> None:
    found = run_start(with_outliers, robust("cauchy", method=method), 0, None)
    assert found.values == pytest.approx(TRUTH, rel=0.05)
    assert found.converged
    objective = make_objective(with_outliers, FIT, None)
    assert found.cost == pytest.approx(fitted_cost(objective, found.values), rel=1e-3)


def test_starts_are_ranked_by_the_cost_with_the_loss(with_outliers: pd.DataFrame) -> None:
    """The values with the lowest squares are not the best ones of a robust fit."""
    settings = robust("cauchy")
    best = run_start(with_outliers, settings, 0, None)
    squares = run_start(with_outliers, FIT, 1, None)
    search = Search(make_objective(with_outliers, settings, None), settings)
    unit = to_scaled(settings.parameters, np.array(squares.values))
    cost = search.data_cost(search.residuals(unit))
    other = replace(squares, settings=settings, cost=cost, data_cost=cost)
    assert other.rmse_mv < best.rmse_mv
    fit = combine_starts(with_outliers, settings, (best, other), None)
    assert (fit.best_start, fit.agreeing_starts) == (0, (0,))


@pytest.mark.parametrize("weights", [None, np.array([0.2, 0.0, 4.0])])
@pytest.mark.parametrize("loss", ["linear", "soft_l1", "huber", "cauchy", "arctan"])
def test_pull_and_curvature_are_the_derivatives_of_the_cost(loss: Loss, weights: Floats | None) -> None:
    row_loss = RowLoss(FitObjective(loss=loss, loss_mv=3.0), 3, weights)
    rows = np.array([0.4, -2.0, 7.0, 30.0])  # the last one is a prior
    pull, curvature = row_loss.pull(rows)
    step = 1e-4
    for place in range(len(rows)):
        moved = np.eye(len(rows))[place] * step
        up, down = (row_loss.cost(rows + sign * moved) for sign in (1.0, -1.0))
        assert pull[place] == pytest.approx((up - down) / (2.0 * step), rel=1e-5)
        second = (up - 2.0 * row_loss.cost(rows) + down) / step**2
        assert curvature[place] == pytest.approx(max(second, curvature[place] if second < 0.05 else second), abs=1e-3)
    assert (pull[3], curvature[3]) == (30.0, 1.0)


@pytest.mark.parametrize("loss", ["linear", "soft_l1", "huber", "cauchy", "arctan"])
def test_a_sample_of_weight_three_costs_as_much_as_three_samples(loss: Loss) -> None:
    """A loss sets in at an error of the voltage, whatever its weight. With weights of 0, the others are above 1."""
    asked = FitObjective(loss=loss, loss_mv=4.0)
    error = np.array([1.5, -9.0, 55.0])
    weights = np.array([3.0, 3.0, 0.0])
    weighted = RowLoss(asked, 3, weights).cost(np.sqrt(weights) * error)
    assert weighted == pytest.approx(3.0 * RowLoss(asked, 2).cost(error[:2]))


@pytest.mark.slow
def test_a_prior_is_weighed_against_the_real_residual(with_drift: pd.DataFrame, true_volt: Floats) -> None:
    """Against a residual of 11 mV that is correlated, a prior of 2 % holds; against white noise of 1 mV, half of it."""
    prior = (1.1 * TRUTH[0], 0.02)
    settings = replace(FIT, parameters=(replace(FIT.parameters[0], prior=prior), FIT.parameters[1]))
    drift = run_start(with_drift, settings, 1, None)
    assert drift.rmse_mv > 10.0
    assert drift.values[0] == pytest.approx(prior[0], rel=0.01)
    free = run_start(with_drift, FIT, 1, None)
    assert free.values[0] < 0.8 * TRUTH[0]
    white = run_start(measured(true_volt), settings, 0, None)
    assert 1.01 * TRUTH[0] < white.values[0] < 1.06 * TRUTH[0]


@pytest.mark.slow
def test_starts_with_other_weights_of_their_priors_compare(with_drift: pd.DataFrame) -> None:
    prior = (1.1 * TRUTH[0], 0.02)
    settings = replace(FIT, parameters=(replace(FIT.parameters[0], prior=prior), FIT.parameters[1]))
    starts = tuple(run_start(with_drift, settings, start, None) for start in range(2))
    fit = combine_starts(with_drift, settings, starts, None)
    assert fit.starts_agreeing == 2
    near, far = (
        replace(starts[0], data_cost=data_cost, prior_squares=squares)
        for data_cost, squares in ((1e4, 0.5), (0.9e4, 9e4))
    )
    costs = common_costs([near, far], 1.0)
    assert costs[0] < costs[1]


def test_a_start_at_its_limit_is_not_done(true_volt: Floats) -> None:
    record = measured(true_volt)
    done = run_start(record, FIT, 0, None)
    limited = run_start(record, replace(FIT, max_evaluations=4), 1, None)
    assert done.converged
    assert not limited.converged
    assert "had not converged" in limited.message
    fit = combine_starts(record, FIT, (done, limited), None)
    assert (fit.starts_done, fit.starts_agreeing, fit.starts_unconverged, fit.starts_stopped) == (1, 1, 1, 0)
    alone = combine_starts(record, FIT, (limited,), None)
    assert (alone.starts_done, alone.starts_unconverged) == (0, 1)
    assert "had not converged" in alone.verdict
    assert "well determined" not in alone.verdict
    assert {verdict_kind(one.verdict) for one in alone.parameters} == {"not converged"}


@pytest.mark.slow
def test_differential_evolution_comes_to_its_least_squares_within_few_evaluations(true_volt: Floats) -> None:
    for most in (200, 60):
        found = run_start(
            measured(true_volt), replace(FIT, method="differential_evolution", max_evaluations=most), 1, None
        )
        assert found.converged
        assert "Then: " in found.message
        assert found.evaluations < most
        assert found.rmse_mv == pytest.approx(1.0, rel=0.05)


def test_nelder_mead_comes_to_its_tolerance_whatever_the_size_of_the_error(with_drift: pd.DataFrame) -> None:
    """Its tolerance was absolute, in mV2 for each sample: 1e-6 is never reached where the cost is 100."""
    found = run_start(with_drift, replace(FIT, method="nelder_mead"), 0, None)
    assert found.converged
    assert found.evaluations < 150


def fit_of(start: StartResult, **changes: object) -> StartResult:
    return replace(start, start=1, **changes)  # type: ignore[arg-type]


def test_starts_agree_by_what_the_data_can_tell(true_volt: Floats) -> None:
    """With white noise, half a percent of the RMSE is a difference of thirty in the chi-square."""
    record = measured(true_volt)
    best = run_start(record, FIT, 0, None)
    assert best.cost is not None

    def agreeing(other: StartResult) -> int:
        return combine_starts(record, FIT, (best, other), None).starts_agreeing

    assert agreeing(fit_of(best)) == 2
    cost = 1.01 * best.cost
    assert agreeing(fit_of(best, cost=cost, data_cost=cost, rmse_mv=1.005 * best.rmse_mv)) == 1
    # The same cost with values ten standard errors away is another minimum.
    assert agreeing(fit_of(best, values=(best.values[0], 1.03 * best.values[1]))) == 1
    assert agreeing(fit_of(best, values=(best.values[0], 1.001 * best.values[1]))) == 2


def masked_record() -> pd.DataFrame:
    """A discharge that counts and a charge that does not."""
    frame = pulses()
    time = frame[c.TEST_TIME].to_numpy()
    current = np.where(time < 6000.0, -1.0, 0.0) + np.where((time >= 9000.0) & (time < 16000.0), 1.5, 0.0)
    kinds = np.select([current < 0.0, current > 0.0], ["discharge", "charge"], "rest")
    steps = 1 + np.cumsum(np.concatenate([[False], kinds[1:] != kinds[:-1]])).astype(np.int32)
    changed: dict[str, Any] = {c.CURRENT: current, c.STEP_TYPE: kinds, c.STEP_COUNT: steps, c.VOLTAGE: 3.9}
    return frame.assign(**changed)


def test_the_range_is_watched_where_samples_do_not_count() -> None:
    """The charge overfills the negative electrode; only the discharge is fitted."""
    record = masked_record()
    fraction = FitParameter("Negative electrode active material volume fraction", 0.4, 0.9)
    settings = replace(FIT, parameters=(fraction,), objective=FitObjective(step_types=("discharge",)))
    objective = make_objective(record, settings, None)

    def rows(value: float) -> Floats:
        return objective.residuals(np.array([value])).all_error_mv

    penalties = rows(0.55)[len(objective.weights) :]
    assert len(penalties) == objective.penalty_rows == 50
    assert penalties.max() > 1.0
    slopes = objective.residuals(np.array([0.55])).all_slopes_mv[len(objective.weights) :, 0]
    difference = (rows(0.5505) - rows(0.5495))[len(objective.weights) :] / 0.001 * fraction.span
    np.testing.assert_allclose(slopes, difference, rtol=0.05, atol=0.02 * np.abs(difference).max())
    np.testing.assert_array_equal(objective.all_weights[-50:], 1.0)


def test_a_row_of_penalties_has_the_squares_of_its_samples() -> None:
    penalty = watch_range(np.zeros(120, bool))
    excess = np.zeros(120)
    excess[30:90] = np.linspace(0.0, 0.5, 60)
    found = penalty.penalise(excess, excess[:, np.newaxis] ** 2)
    assert float(found.error_mv @ found.error_mv) == pytest.approx(1e6 * float(excess @ excess))
    assert found.slopes_mv.shape == (50, 1)
    assert watch_range(np.ones(120, bool)).rows == 0


def test_a_minimum_at_the_edge_of_the_range_is_a_result() -> None:
    """The best fraction for the discharge alone would overfill the electrode in the charge."""
    record = masked_record()
    parameter = FitParameter("Negative electrode active material volume fraction", 0.4, 0.9)
    settings = replace(FIT, parameters=(parameter,), objective=FitObjective(step_types=("discharge",)))
    objective = make_objective(record, settings, None)
    error = objective.residuals(np.array([0.55]), slopes=False).error_mv
    volt = np.full(len(record), 3.9)
    volt[objective.used] += 1e-3 * error
    found = run_start(record.assign(**{c.VOLTAGE: volt}), settings, 0, None)
    assert 0.58 < found.values[0] < 0.65
    assert "edge of the model's range" in found.message
    edge = make_objective(record.assign(**{c.VOLTAGE: volt}), settings, None)
    inside = edge.residuals(np.array(found.values), slopes=False)
    beyond = from_scaled(settings.parameters, to_scaled(settings.parameters, np.array(found.values)) - 0.02)
    assert not inside.reason
    assert edge.residuals(beyond, slopes=False).reason
