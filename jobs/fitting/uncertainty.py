"""How reliable fitted parameters are: standard errors, correlations and words, from the Jacobian at the optimum.

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

WELL_DETERMINED: Final = 0.005
"""Relative standard error up to which a parameter is well determined: four of them are below 2 %."""

USABLY_DETERMINED: Final = 0.10
"""Relative half-width of the 95 % interval up to which a parameter is determined."""

STRONG_CORRELATION: Final = 0.9
"""Correlation of two parameters that is reported."""


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


@dataclass(frozen=True, slots=True, eq=False)
class WeightedErrors:
    """Residuals of one quantity that a fit includes.

    Args:
        error_mv: as mV, shape (samples,).
        slopes_mv: by each scaled parameter, shape (samples, parameters).
        weights: shape (samples,).
    """

    error_mv: Floats
    slopes_mv: Floats
    weights: Floats

    @property
    def variance_mv2(self) -> float:
        """Variance of the residuals, times the number of samples over which they are correlated."""
        return float(np.mean(self.error_mv**2)) * correlation_samples(self.error_mv)


def estimate_uncertainty(
    error_mv: Floats,
    slopes_mv: Floats,
    weights: Floats,
    free: Mask,
    prior_slopes_mv: Floats,
    prior_mv: float,
    second: WeightedErrors | None = None,
) -> Uncertainty:
    """Estimate standard errors and correlations at an optimum.

    Args:
        error_mv: residuals, shape (samples,).
        slopes_mv: by each scaled parameter, shape (samples, parameters).
        weights: of the residuals, shape (samples,).
        free: parameters that are not at a bound, shape (parameters,); the others are taken as known.
        prior_slopes_mv: of the residuals that the priors add, shape (priors, parameters).
        prior_mv: standard deviation of these residuals.
        second: residuals of another quantity, which have a variance and a correlation of their own; ``None`` = none.
    """
    count, parameters = slopes_mv.shape
    standard_error = np.full(parameters, np.nan)
    correlation = np.full((parameters, parameters), np.nan)
    correlated = correlation_samples(error_mv)
    independent = count / correlated
    if second is not None:
        independent += len(second.error_mv) / correlation_samples(second.error_mv)
    degrees_of_freedom = max(independent - free.sum(), 1.0)
    quantile = float(student.ppf(0.975, degrees_of_freedom))
    variance = float(error_mv @ error_mv) / max(count - free.sum(), 1) * correlated
    variance_mv2 = np.full(parameters, variance)
    if not free.any():
        return Uncertainty(standard_error, correlation, 1.0, correlated, quantile, variance_mv2)
    slopes = slopes_mv[:, free]
    jacobian = np.vstack([np.sqrt(weights)[:, np.newaxis] * slopes, prior_slopes_mv[:, free]])
    if second is not None:
        jacobian = np.vstack([jacobian, np.sqrt(second.weights)[:, np.newaxis] * second.slopes_mv[:, free]])
    length = np.linalg.norm(jacobian, axis=0)
    length[length == 0.0] = 1.0
    _, singular, basis = np.linalg.svd(jacobian / length, full_matrices=False)
    determined = singular > BLIND * singular[0]
    inverse = (basis[determined].T / singular[determined] ** 2) @ basis[determined]
    scatter = weights[:, np.newaxis] * slopes / length
    prior = prior_mv * prior_slopes_mv[:, free] / length
    spread = variance * scatter.T @ scatter + prior.T @ prior
    if second is not None:
        more = second.weights[:, np.newaxis] * second.slopes_mv[:, free] / length
        spread = spread + second.variance_mv2 * more.T @ more
    covariance = inverse @ spread @ inverse
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


def describe_certainty(value: float, error: float, quantile: float, partner: str) -> str:
    """Say how well a parameter is determined.

    Args:
        value: of the parameter, in its unit.
        error: standard error in the same unit.
        quantile: half-width of the 95 % interval in standard errors.
        partner: parameters with a strong correlation, in words; "" = none.
    """
    if not np.isfinite(error):
        return f"not determined by this record{partner}"
    relative = error / abs(value) if value else np.inf
    if relative <= WELL_DETERMINED:
        return f"well determined, within {quantile * relative:.2%}"
    if quantile * relative <= USABLY_DETERMINED:
        return f"determined within {quantile * relative:.1%}{partner}"
    return f"poorly determined, within {min(quantile * relative, 99.0):.0%}{partner}"
