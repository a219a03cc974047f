"""How far to believe fitted parameters: standard errors, correlations and words, from the slopes at the optimum.

Linearised least squares (Bard, Nonlinear Parameter Estimation, 1974). Errors of a battery model are no white noise: a
run of samples is off together. They count as fewer samples, by the errors' own correlation time (Sokal 1997).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from ...data.arrays import Floats
from ...data.fit_settings import FitParameter

NO_EFFECT_MV: Final = 1e-3  # RMS over the whole of the bounds below which a parameter does nothing
BLIND: Final = 1e-6  # share of the largest singular value below which a combination of parameters is not told
WINDOW: Final = 5.0  # correlation times after which the correlation is cut off (Sokal)
WELL_DETERMINED: Final = (
    0.005  # relative standard error up to which a parameter is well determined: four of them stay below 2 %
)
USABLY_DETERMINED: Final = 0.10  # relative half width of the 95 % interval up to which it is determined at all
STRONG_CORRELATION: Final = 0.9  # correlation from which on two parameters move together


@dataclass(frozen=True, slots=True, eq=False)
class Uncertainty:
    """Errors of fitted parameters on their scaled bounds (0 to 1).

    Args:
        standard_error: shape (parameters,); infinite = not told by the record, NaN = at a bound.
        correlation: shape (parameters, parameters), NaN where there is none.
        condition_number: of the slopes, each parameter's scaled to one.
        correlation_samples: samples over which the remaining errors move together, >= 1.
        quantile: standard errors in half a 95 % interval.
        variance_mv2: shape (parameters,), the parameter's variance over that of residuals that scatter by 1 mV and are
            no run of errors: what a rise of the cost is held against.
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
    free: NDArray[np.bool_],
    prior_slopes_mv: Floats,
    prior_mv: float,
) -> Uncertainty:
    """Work out errors and correlations at an optimum.

    Args:
        error_mv, weights: shape (samples,).
        slopes_mv: shape (samples, parameters).
        free: parameters that are not at a bound; the others are taken as given.
        prior_slopes_mv: shape (priors, parameters), what priors add to the slopes, for residuals whose own standard
            deviation is ``prior_mv``.
    """
    count, parameters = slopes_mv.shape
    standard_error = np.full(parameters, np.nan)
    correlation = np.full((parameters, parameters), np.nan)
    together = correlation_samples(error_mv)
    freedom = max(count / together - free.sum(), 1.0)
    quantile = float(student.ppf(0.975, freedom))
    variance = float(error_mv @ error_mv) / max(count - free.sum(), 1) * together
    of_cost = np.full(parameters, variance)
    if not free.any():
        return Uncertainty(standard_error, correlation, 1.0, together, quantile, of_cost)
    slopes = slopes_mv[:, free]
    rows = np.vstack([np.sqrt(weights)[:, np.newaxis] * slopes, prior_slopes_mv[:, free]])
    length = np.linalg.norm(rows, axis=0)
    length[length == 0.0] = 1.0
    _, singular, basis = np.linalg.svd(rows / length, full_matrices=False)
    told = singular > BLIND * singular[0]
    inverse = (basis[told].T / singular[told] ** 2) @ basis[told]
    scatter = weights[:, np.newaxis] * slopes / length
    known = prior_mv * prior_slopes_mv[:, free] / length
    covariance = inverse @ (variance * scatter.T @ scatter + known.T @ known) @ inverse
    error = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    blind = np.abs(basis[~told]).max(axis=0, initial=0.0) > 0.1 if (~told).any() else np.zeros(len(error), bool)
    standard_error[free] = np.where(blind, np.inf, error / length)
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation[np.ix_(free, free)] = covariance / np.outer(error, error)
    smallest = singular[-1]
    condition = float(singular[0] / smallest) if smallest > 0.0 else np.inf
    told_alone = np.diag(inverse)
    of_cost[free] = np.where(
        blind | (told_alone <= 0.0), variance, error**2 / np.maximum(told_alone, np.finfo(float).tiny)
    )
    return Uncertainty(standard_error, correlation, condition, together, quantile, of_cost)


def correlation_samples(error_mv: Floats) -> float:
    """Integrated autocorrelation time of errors in samples: 1 for white noise.

    The sum over lags ends where the lag is five of the times found so far, between bias and scatter (Sokal 1997).
    """
    count = len(error_mv)
    away = error_mv - error_mv.mean()
    if count < 8 or not away.any():
        return 1.0
    spectrum = np.abs(np.fft.rfft(away, 2 * count)) ** 2
    correlation = np.fft.irfft(spectrum)[:count]
    times = 2.0 * np.cumsum(correlation / correlation[0]) - 1.0
    long_enough = np.arange(count) >= WINDOW * times
    end = int(np.argmax(long_enough)) if long_enough.any() else count - 1
    return float(np.clip(times[end], 1.0, count / 2.0))


def interval(
    parameter: FitParameter, value: float, standard_error: float, quantile: float
) -> tuple[float, float, float]:
    """Standard error in the value's unit and 95 % interval, from the standard error on the scaled bounds."""
    if parameter.scale == "log":
        relative = standard_error * parameter.span
        if not np.isfinite(relative) or quantile * relative > 500.0:
            return np.inf, 0.0, np.inf
        factor = float(np.exp(quantile * relative))
        return value * relative, value / factor, value * factor
    error = standard_error * parameter.span
    return error, value - quantile * error, value + quantile * error


def describe_certainty(value: float, error: float, quantile: float, partner: str) -> str:
    """Say how well a parameter is determined.

    Args:
        error: standard error in the value's unit.
        partner: parameters that it moves together with, in words; "" = none.
    """
    if not np.isfinite(error):
        return f"not determined by this record{partner}"
    relative = error / abs(value) if value else np.inf
    if relative <= WELL_DETERMINED:
        return f"well determined, within {quantile * relative:.2%}"
    if quantile * relative <= USABLY_DETERMINED:
        return f"determined within {quantile * relative:.1%}{partner}"
    return f"poorly determined, within {min(quantile * relative, 99.0):.0%}{partner}"
