"""Standard errors of linear problems, whose answer is known: by theory, or by fitting them many times."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from kilocell.data.fit_settings import FitObjective, Loss
from kilocell.jobs.fitting.loss import RowLoss
from kilocell.jobs.fitting.noise_model import Series
from kilocell.jobs.fitting.uncertainty import Optimum, Priors, Uncertainty, estimate_uncertainty
from numpy.typing import NDArray
from scipy.optimize import least_squares
from test_noise_model import draw_noise, smooth_slopes

Floats = NDArray[np.float64]

LINEAR = FitObjective()
NONE = Priors(np.zeros(0), np.zeros((0, 3)), 1.0)
PULSES = np.concatenate([np.arange(0.0, 60.0, 0.5), np.arange(60.0, 7200.0, 20.0)])
SERIES = Series(np.concatenate([PULSES, 8000.0 + PULSES]), np.array([0]))
SLOPES = smooth_slopes(SERIES)
COUNT = len(SLOPES)


def optimum(error: Floats, weights: Floats | None = None) -> Optimum:
    """The end of a linear fit of three parameters to these errors; the true values are 0."""
    weights = np.ones(COUNT) if weights is None else weights
    root = np.sqrt(weights)
    found = np.linalg.lstsq(root[:, None] * SLOPES, root * error)[0]
    return Optimum(error - SLOPES @ found, SLOPES, weights, SERIES, np.ones(3, np.bool_), NONE)


def covers(end: Optimum, error: Floats, errors: Uncertainty) -> NDArray[np.bool_]:
    found = np.linalg.lstsq(SLOPES, error - end.error_mv)[0]
    inside: NDArray[np.bool_] = np.abs(found) <= errors.quantile * errors.standard_error
    return inside


def test_white_noise_gives_the_errors_of_least_squares() -> None:
    """A little wider: a slow drift of a tenth of the noise cannot be excluded."""
    rng = np.random.default_rng(1)
    found = [estimate_uncertainty(optimum(2.0 * rng.standard_normal(COUNT)), LINEAR) for _ in range(9)]
    expected = 2.0 * np.sqrt(np.diag(np.linalg.inv(SLOPES.T @ SLOPES)))
    ratio = np.median([errors.standard_error for errors in found], axis=0) / expected
    assert ratio.min() > 0.95
    assert ratio.max() < 1.6
    for errors in found:
        assert errors.quantile == pytest.approx(1.96, abs=0.01)
        assert errors.variance_mv2 == pytest.approx((errors.standard_error / expected * 2.0) ** 2, rel=1e-6)
        assert (errors.residual_systematic, errors.model_error_mv, errors.correlation_second) == (False, 0.0, 0.0)


@pytest.mark.parametrize("second", [100.0, 3000.0])
@pytest.mark.slow
def test_intervals_hold_the_truth_where_errors_are_correlated_and_sampling_is_uneven(second: float) -> None:
    """The autocorrelation of the residuals alone gave 40 % with 3000 s in four hours."""
    rng = np.random.default_rng(2)
    inside = []
    for _ in range(40):
        error = 2.0 * draw_noise(SERIES, second, rng)
        end = optimum(error)
        errors = estimate_uncertainty(end, LINEAR)
        assert errors.residual_systematic
        inside.append(covers(end, error, errors))
    assert 0.88 <= np.mean(inside) <= 0.995


def test_samples_without_weight_change_nothing() -> None:
    rng = np.random.default_rng(3)
    error = draw_noise(SERIES, 300.0, rng)
    weights = np.where(np.arange(COUNT) % 3 == 0, 1.0, 0.0)
    error[weights == 0.0] += 100.0 * rng.standard_normal(int(np.sum(weights == 0.0)))
    end = optimum(error, weights)
    chosen = weights > 0.0
    alone = replace(
        end,
        error_mv=end.error_mv[chosen],
        slopes_mv=SLOPES[chosen],
        weights=weights[chosen],
        series=Series(SERIES.time_second[chosen], SERIES.begins),
    )
    with_all = estimate_uncertainty(end, LINEAR)
    np.testing.assert_array_equal(with_all.standard_error, estimate_uncertainty(alone, LINEAR).standard_error)
    # The average weight is 1 where weights of zero are among them: a common factor is no information.
    tripled = estimate_uncertainty(replace(end, weights=3.0 * weights), LINEAR)
    assert tripled.standard_error == pytest.approx(with_all.standard_error)


@pytest.mark.parametrize("loss", ["soft_l1", "huber", "cauchy", "arctan"])
def test_a_common_factor_of_the_weights_changes_no_robust_error(loss: Loss) -> None:
    error = np.random.default_rng(8).standard_t(2.0, COUNT)
    robust = FitObjective(loss=loss, loss_mv=2.0)
    end = Optimum(error, SLOPES, np.ones(COUNT), SERIES, np.ones(3, np.bool_), NONE)
    once = estimate_uncertainty(end, robust)
    fivefold = estimate_uncertainty(replace(end, weights=np.full(COUNT, 5.0)), robust)
    assert fivefold.standard_error == pytest.approx(once.standard_error, rel=1e-6)


def test_weights_that_ignore_the_noise_cost_accuracy_and_the_errors_say_so() -> None:
    rng = np.random.default_rng(4)
    weights = np.where(np.arange(COUNT) % 50 == 0, 20.0, 0.5)
    errors = estimate_uncertainty(optimum(rng.standard_normal(COUNT), weights), LINEAR)
    inverse = np.linalg.inv(SLOPES.T @ (weights[:, None] * SLOPES))
    expected = inverse @ SLOPES.T @ (weights[:, None] ** 2 * SLOPES) @ inverse
    assert errors.standard_error == pytest.approx(np.sqrt(np.diag(expected)), rel=0.15)


@pytest.mark.parametrize("loss", ["soft_l1", "huber", "cauchy", "arctan"])
def test_robust_errors_are_those_of_many_robust_fits(loss: Loss) -> None:
    """5 % of the samples are off by 50 mV; least squares have errors five times as large."""
    objective = FitObjective(loss=loss, loss_mv=5.0)
    rng = np.random.default_rng(5)
    found, told = [], []
    for k in range(80):
        error = 2.0 * rng.standard_normal(COUNT)
        error += 50.0 * rng.standard_normal(COUNT) * (rng.random(COUNT) < 0.05)
        end = least_squares(
            lambda x, error=error: error + SLOPES @ x,
            np.zeros(3),
            jac=lambda _: SLOPES,  # pyright: ignore[reportArgumentType]
            loss=loss,
            f_scale=5.0,
            xtol=1e-10,
        )
        found.append(end.x)
        if k < 10:
            there = Optimum(end.fun, SLOPES, np.ones(COUNT), SERIES, np.ones(3, np.bool_), NONE)
            told.append(estimate_uncertainty(there, objective).standard_error)
    assert np.median(told, axis=0) == pytest.approx(np.std(found, axis=0), rel=0.35)


@pytest.mark.parametrize("loss", ["linear", "soft_l1", "huber", "cauchy", "arctan"])
def test_the_pull_is_the_derivative_of_the_cost(loss: Loss) -> None:
    objective = FitObjective(loss=loss, loss_mv=3.0)
    residuals = np.array([-20.0, -3.5, -1.0, 0.0, 0.2, 2.9, 8.0])
    step = 1e-4

    def cost(moved: Floats) -> Floats:
        return np.array([RowLoss(objective, 1).cost(np.array([one])) for one in moved])

    rows = RowLoss(objective, len(residuals))
    first, second = rows.derivatives(residuals)
    assert first == pytest.approx((cost(residuals + step) - cost(residuals - step)) / (2.0 * step), abs=1e-6)
    above, below = rows.derivatives(residuals + step)[0], rows.derivatives(residuals - step)[0]
    assert second == pytest.approx((above - below) / (2.0 * step), abs=1e-6)


def test_a_prior_narrows_the_interval_and_a_contradicted_one_widens_it() -> None:
    error = 2.0 * np.random.default_rng(6).standard_normal(COUNT)
    end = optimum(error)
    free = estimate_uncertainty(end, LINEAR).standard_error[0]
    slope = 2.0 / free  # as narrow as the data's own interval, on the scale of their noise
    slopes = np.array([[slope, 0.0, 0.0]])
    agrees = estimate_uncertainty(replace(end, priors=Priors(np.zeros(1), slopes, 2.0)), LINEAR).standard_error[0]
    contradicts = replace(end, priors=Priors(np.array([8.0]), slopes, 2.0))
    assert agrees < 0.8 * free
    assert estimate_uncertainty(contradicts, LINEAR).standard_error[0] > 1.5 * agrees


def test_parameters_at_a_bound_and_undetermined_ones_have_no_interval() -> None:
    error = np.random.default_rng(7).standard_normal(COUNT)
    end = optimum(error)
    at_bound = estimate_uncertainty(replace(end, free=np.array([True, False, True])), LINEAR)
    assert list(np.isnan(at_bound.standard_error)) == [False, True, False]
    none = estimate_uncertainty(replace(end, free=np.zeros(3, np.bool_)), LINEAR)
    assert np.isnan(none.standard_error).all()
    assert np.isfinite(none.variance_mv2).all()
    twice = np.column_stack([SLOPES[:, 0], SLOPES[:, 0], SLOPES[:, 2]])
    blind = estimate_uncertainty(replace(end, slopes_mv=twice), LINEAR)
    assert list(np.isinf(blind.standard_error)) == [True, True, False]


@pytest.mark.parametrize("count", [1, 2, 4, 9])
def test_few_samples_give_wide_intervals_and_no_error(count: int) -> None:
    error = np.random.default_rng(8).standard_normal(count)
    end = Optimum(
        error, SLOPES[:count], np.ones(count), Series(SERIES.time_second[:count], SERIES.begins), np.ones(3, bool), NONE
    )
    errors = estimate_uncertainty(end, LINEAR)
    assert not np.isnan(errors.standard_error).any()
    assert errors.quantile > 2.2
    assert errors.correlation_samples >= 1.0


def test_without_any_noise_the_error_of_the_simulation_remains() -> None:
    """As the voltage of a cycler with steps of 1 mV and little noise: intervals of 0.01 % held no truth."""
    errors = estimate_uncertainty(optimum(np.zeros(COUNT)), LINEAR)
    least = 0.1 * np.sqrt(np.diag(np.linalg.inv(SLOPES.T @ SLOPES)))
    assert (errors.standard_error > 2.0 * least).all()
    assert (errors.standard_error < 20.0 * least).all()
    assert not errors.residual_systematic
