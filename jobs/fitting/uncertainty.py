"""How reliable fitted parameters are: standard errors and correlations, from the Jacobian at the optimum.

Linearised least squares (Bard, Nonlinear Parameter Estimation, 1974). The residuals of a battery model are not white
noise, but correlated over many samples. They count as fewer samples, by their autocorrelation time (Sokal 1997).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import t as student

from ...data.arrays import Floats, Mask
from ...data.fit_settings import FitParameter

NO_EFFECT_MV: Final = 1e-3
"""RMS effect in mV, from the lower to the upper bound, below which the voltage is insensitive to a parameter."""

BLIND: Final = 1e-6
"""Share of the largest singular value below which the record does not determine a combination of parameters."""

BLIND_SHARE: Final = 0.1
"""Share of a parameter in an undetermined combination above which it counts as undetermined itself."""

WINDOW: Final = 5.0
"""Lag, in autocorrelation times, at which the sum of the autocorrelation ends (Sokal)."""

LARGEST_EXPONENT: Final = 500.0
"""Half-width of an interval on a logarithmic scale above which it is infinite: e^500 is near the largest float."""


@dataclass(frozen=True, slots=True, eq=False)
class Uncertainty:
    """Errors of fitted parameters on their scaled bounds (0 to 1).

    Args:
        standard_error: shape (parameters,); infinite = not determined by the record, NaN = at a bound.
        correlation: shape (parameters, parameters); NaN = not defined.
        condition_number: of the Jacobian, with columns scaled to length 1.
        correlation_samples: samples over which the residuals are correlated, >= 1.
        quantile: half-width of the 95 % interval in standard errors.
        variance_mv2: shape (parameters,), the parameter's variance divided by its variance under uncorrelated
            residuals of 1 mV: the scale of a rise of the cost.
    """

    standard_error: Floats
    correlation: Floats
    condition_number: float
    correlation_samples: float
    quantile: float
    variance_mv2: Floats


def estimate_uncertainty(
    error_mv: Floats,
    slopes_mv: Floats,
    weights: Floats,
    free: Mask,
    prior_slopes_mv: Floats,
    prior_mv: float,
) -> Uncertainty:
    """Estimate standard errors and correlations at an optimum.

    Args:
        error_mv: residuals, shape (samples,).
        slopes_mv: by each scaled parameter, shape (samples, parameters).
        weights: of the residuals, shape (samples,).
        free: parameters that are not at a bound, shape (parameters,); the others are taken as known.
        prior_slopes_mv: of the residuals that the priors add, shape (priors, parameters).
        prior_mv: standard deviation of these residuals.
    """
    count, parameters = slopes_mv.shape
    standard_error = np.full(parameters, np.nan)
    correlation = np.full((parameters, parameters), np.nan)
    correlated = correlation_samples(error_mv)
    degrees_of_freedom = max(count / correlated - free.sum(), 1.0)
    quantile = float(student.ppf(0.975, degrees_of_freedom))
    variance = float(error_mv @ error_mv) / max(count - free.sum(), 1) * correlated
    variance_mv2 = np.full(parameters, variance)
    if not free.any():
        return Uncertainty(standard_error, correlation, 1.0, correlated, quantile, variance_mv2)
    slopes = slopes_mv[:, free]
    jacobian = np.vstack([np.sqrt(weights)[:, np.newaxis] * slopes, prior_slopes_mv[:, free]])
    length = np.linalg.norm(jacobian, axis=0)
    length[length == 0.0] = 1.0
    _, singular, basis = np.linalg.svd(jacobian / length, full_matrices=False)
    determined = singular > BLIND * singular[0]
    inverse = (basis[determined].T / singular[determined] ** 2) @ basis[determined]
    scatter = weights[:, np.newaxis] * slopes / length
    prior = prior_mv * prior_slopes_mv[:, free] / length
    covariance = inverse @ (variance * scatter.T @ scatter + prior.T @ prior) @ inverse
    error = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    blind = np.abs(basis[~determined]).max(axis=0, initial=0.0) > BLIND_SHARE
    standard_error[free] = np.where(blind, np.inf, error / length)
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation[np.ix_(free, free)] = covariance / np.outer(error, error)
    smallest = singular[-1]
    condition = float(singular[0] / smallest) if smallest > 0.0 else np.inf
    unit_variance = np.diag(inverse)
    ratio = error**2 / np.maximum(unit_variance, np.finfo(float).tiny)
    variance_mv2[free] = np.where(blind | (unit_variance <= 0.0), variance, ratio)
    return Uncertainty(standard_error, correlation, condition, correlated, quantile, variance_mv2)


def correlation_samples(error_mv: Floats) -> float:
    """Estimate the integrated autocorrelation time of residuals.

    The sum over lags ends where the lag is five times the time so far, a compromise of bias and scatter (Sokal 1997).

    Args:
        error_mv: shape (samples,).

    Returns:
        Samples, from 1 (white noise) to half of the number of samples.
    """
    count = len(error_mv)
    deviation = error_mv - error_mv.mean()
    if count < 8 or not deviation.any():
        return 1.0
    spectrum = np.abs(np.fft.rfft(deviation, 2 * count)) ** 2
    correlation = np.fft.irfft(spectrum)[:count]
    times = 2.0 * np.cumsum(correlation / correlation[0]) - 1.0
    long_enough = np.arange(count) >= WINDOW * times
    end = count - 1
    if long_enough.any():
        end = int(np.argmax(long_enough))
    return float(np.clip(times[end], 1.0, count / 2.0))


def interval(
    parameter: FitParameter, value: float, standard_error: float, quantile: float
) -> tuple[float, float, float]:
    """Turn a standard error on the scaled bounds into the parameter's unit.

    Args:
        value: in the parameter's unit.
        standard_error: on the scaled bounds.
        quantile: half-width of the 95 % interval in standard errors.

    Returns:
        Standard error, lower and upper end of the 95 % interval, in the parameter's unit.
    """
    if parameter.scale == "log":
        relative = standard_error * parameter.span
        if not np.isfinite(relative) or quantile * relative > LARGEST_EXPONENT:
            return np.inf, 0.0, np.inf
        factor = float(np.exp(quantile * relative))
        return value * relative, value / factor, value * factor
    error = standard_error * parameter.span
    return error, value - quantile * error, value + quantile * error
