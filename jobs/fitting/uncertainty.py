"""How reliable fitted parameters are: standard errors and correlations, from the Jacobian at the optimum.

Linearised least squares (Bard, Nonlinear Parameter Estimation, 1974), or the estimate with a robust loss (Huber 1964).
The residuals of a battery model are not white noise, but correlated over many samples. The covariance of the parameters
is the sandwich (White 1980) of the Jacobian and the noise model that the residuals agree with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import t as student

from ...data.arrays import Floats, Mask
from ...data.fit_settings import FitObjective, FitParameter
from .channels import Channel, estimate_noises, find_determined, split_channels
from .loss import RowLoss
from .noise_model import NoiseModel, Series, mixture_error

NO_EFFECT_MV: Final = 1e-3
"""RMS effect in mV, from the lower to the upper bound, below which the voltage is insensitive to a parameter."""

BLIND_SHARE: Final = 0.1
"""Share of a parameter in an undetermined combination above which it counts as undetermined itself."""

LEAST_CURVATURE: Final = 0.05
"""Least curvature of the cost with a robust loss, as a share of that without. A loss that ignores large residuals can
leave none in some direction. Chosen, not measured."""

NUMERICAL_MV: Final = 0.1
"""Error of the simulation itself in mV (RMS; measured: 0.05, and at most 1 mV, with an SPM). Without it, 87 % of the
intervals hold the truth where the voltage has 0.3 mV of noise and steps of 1 mV. Correlated residuals up to this size
do not tell of a wrong model."""

NUMERICAL_SECOND: Final = 300.0
"""Time over which this error is correlated. Chosen: about the length of a pulse."""

LARGEST_EXPONENT: Final = 500.0
"""Half-width of an interval on a logarithmic scale above which it is infinite: e^500 is near the largest float."""


@dataclass(frozen=True, slots=True, eq=False)
class Uncertainty:
    """Errors of fitted parameters on their scaled bounds (0 to 1).

    Args:
        standard_error: shape (parameters,); infinite = not determined by the record, NaN = at a bound. It is larger
            where few independent samples say how large the errors of the voltage are.
        correlation: shape (parameters, parameters); NaN = not defined.
        condition_number: of the Jacobian, with columns scaled to length 1.
        correlation_samples: number of samples that count as one, >= 1.
        quantile: half-width of the 95 % interval in standard errors.
        variance_mv2: shape (parameters,), the parameter's variance divided by its variance under uncorrelated
            residuals of 1 mV: the scale of a rise of the cost.
        correlation_second: correlation time of the residuals in s; 0 = they are white noise.
        model_error_mv: standard deviation of the correlated part of the residuals; 0 = they are white noise.
        residual_systematic: whether the correlated part is certain, and larger than the solver's own error: the model
            differs from the cell, and a parameter may be further off than its interval says.
    """

    standard_error: Floats
    correlation: Floats
    condition_number: float
    correlation_samples: float
    quantile: float
    variance_mv2: Floats
    correlation_second: float = 0.0
    model_error_mv: float = 0.0
    residual_systematic: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Priors:
    """The residuals that the priors add.

    Args:
        residuals_mv: shape (priors,).
        slopes_mv: by each scaled parameter, shape (priors, parameters).
        deviation_mv: the residual of a prior that is one standard deviation off, shape (priors,).
    """

    residuals_mv: Floats
    slopes_mv: Floats
    deviation_mv: Floats | float

    @property
    def errors_mv(self) -> Floats:
        """How far each prior may be off, shape (priors,): a prior that the record contradicts is off by that much."""
        return np.maximum(np.abs(self.residuals_mv), self.deviation_mv)


@dataclass(frozen=True, slots=True, eq=False)
class Optimum:
    """The end of a fit.

    Args:
        error_mv: residuals, shape (samples,).
        slopes_mv: by each scaled parameter, shape (samples, parameters).
        weights: of the residuals, shape (samples,).
        series: their times.
        free: parameters that are not at a bound, shape (parameters,); the others are taken as known.
        priors: on the parameters.
        second: what is fitted beside the voltage, with a noise model of its own; ``None`` = nothing.
    """

    error_mv: Floats
    slopes_mv: Floats
    weights: Floats
    series: Series
    free: Mask
    priors: Priors
    second: Channel | None = None

    @property
    def channels(self) -> list[Channel]:
        """What is measured, the voltage first: the samples that have a weight."""
        voltage = Channel(self.error_mv, self.slopes_mv, self.weights, self.series)
        channels = [voltage] if self.second is None else [voltage, self.second]
        return [channel.without_weightless() for channel in channels]


@dataclass(frozen=True, slots=True, eq=False)
class _Linear:
    """The fit's equations near the optimum, in the free parameters.

    Args:
        length: of the columns of the Jacobian, shape (free,).
        singular: singular values of the Jacobian with columns of length 1, decreasing.
        basis: its right singular vectors, shape (combinations, free).
        left: its left singular vectors, shape (samples + priors, determined combinations).
        inverse: of the cost's second derivative, in the parameters times their length, shape (free, free).
        bread: what turns the pull of residuals along ``left`` into parameters times their length, shape (free,
            determined combinations).
    """

    length: Floats
    singular: Floats
    basis: Floats
    left: Floats
    inverse: Floats
    bread: Floats

    @property
    def blind(self) -> Mask:
        """Parameters that the record does not determine, shape (free,)."""
        undetermined = self.basis[self.left.shape[1] :]
        blind: Mask = np.abs(undetermined).max(axis=0, initial=0.0) > BLIND_SHARE
        return blind

    @property
    def condition_number(self) -> float:
        smallest = self.singular[-1]
        return float(self.singular[0] / smallest) if smallest > 0.0 else np.inf


def estimate_uncertainty(optimum: Optimum, objective: FitObjective) -> Uncertainty:
    """Estimate standard errors and correlations at an optimum.

    Args:
        objective: its loss function.
    """
    channels = optimum.channels
    measured = np.concatenate([channel.rows_mv for channel in channels])
    count = len(measured)
    rows = np.concatenate([measured, optimum.priors.residuals_mv])
    weights = np.concatenate([channel.weights for channel in channels])
    pulls, curvatures = RowLoss(objective, count, weights).derivatives(rows)
    linear = _linearise(channels, optimum, curvatures)
    left = split_channels(linear.left, channels)
    # With a robust loss, the pull of a residual takes its place: an outlier counts as little as it does in the fit.
    noises = estimate_noises(channels, split_channels(pulls, channels), left)
    prior = optimum.priors.errors_mv[:, np.newaxis] * linear.left[count:]
    root = channels[0].root_weights
    scatter = _scatter(noises[0], root * left[0]) + prior.T @ prior
    for channel, noise, rows_left in zip(channels[1:], noises[1:], left[1:], strict=True):
        scatter = scatter + noise.mean_scatter(channel.root_weights * rows_left)
    errors = _describe(linear, noises[0], linear.bread @ scatter @ linear.bread.T, optimum.free)
    fixed = root * channels[0].slopes_mv[:, np.isnan(errors.standard_error)]
    errors.variance_mv2[np.isnan(errors.standard_error)] = _rise_scales(noises[0], fixed, left[0], root)
    return errors


def _scatter(noise: NoiseModel, rows: Floats) -> Floats:
    """The covariance of a sum over all samples, by each noise model, with the simulation's own error, mV2."""
    return noise.scatter(rows) + NUMERICAL_MV**2 * noise.scatter_correlated(rows, NUMERICAL_SECOND)


def _rise_scales(noise: NoiseModel, fixed: Floats, left: Floats, root: Floats) -> Floats:
    """The variance of parameters that are at a bound, over that under uncorrelated residuals of 1 mV, were they free.

    Args:
        fixed: their weighted slopes, shape (samples, parameters).
        left: what the free parameters absorb, shape (samples, combinations).
        root: of the weights, shape (samples, 1).
    """
    alone = fixed - left @ (left.T @ fixed)
    alone /= np.maximum(np.linalg.norm(alone, axis=0), np.finfo(float).tiny)
    variances = np.einsum("kii->ik", _scatter(noise, root * alone))
    return np.array([mixture_error(one, noise.likelihood) ** 2 for one in variances])


def _linearise(channels: list[Channel], optimum: Optimum, curvatures: Floats) -> _Linear:
    """Linearise the fit in its free parameters.

    Args:
        channels: of the optimum.
        curvatures: second derivative of each residual's cost, those of the priors last, shape (samples + priors,).
    """
    weighted = [channel.root_weights * channel.slopes_mv for channel in channels]
    jacobian = np.vstack([*weighted, optimum.priors.slopes_mv])[:, optimum.free]
    length = np.linalg.norm(jacobian, axis=0)
    length[length == 0.0] = 1.0
    left, singular, basis = np.linalg.svd(jacobian / length, full_matrices=False)
    determined = find_determined(singular)
    left = left[:, determined]
    size, directions = np.linalg.eigh((left * curvatures[:, np.newaxis]).T @ left)
    size = np.maximum(size, LEAST_CURVATURE)
    outwards = basis[determined].T / singular[determined]
    bread = outwards @ (directions / size) @ directions.T
    return _Linear(length, singular, basis, left, bread @ outwards.T, bread)


def _describe(linear: _Linear, noise: NoiseModel, covariances: Floats, free: Mask) -> Uncertainty:
    """Put the errors of the free parameters among all.

    Args:
        covariances: of the free parameters times their length, by each noise model, shape (points, free, free).
    """
    parameters = len(free)
    standard_error = np.full(parameters, np.nan)
    correlation = np.full((parameters, parameters), np.nan)
    covariance = np.einsum("k,kij->ij", noise.likelihood, covariances)
    spread = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    variances = np.einsum("kii->ik", covariances)
    error = np.array([mixture_error(one, noise.likelihood) for one in variances])
    standard_error[free] = np.where(linear.blind, np.inf, error / linear.length)
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation[np.ix_(free, free)] = covariance / np.outer(spread, spread)
    typical = noise.effective_mv2
    variance_mv2 = np.full(parameters, typical)
    unit_variance = np.diag(linear.inverse)
    ratio = error**2 / np.maximum(unit_variance, np.finfo(float).tiny)
    variance_mv2[free] = np.where(linear.blind | (unit_variance <= 0.0), typical, ratio)
    model_error = noise.correlated_mv if noise.is_correlated else 0.0
    return Uncertainty(
        standard_error=standard_error,
        correlation=correlation,
        condition_number=linear.condition_number if free.any() else 1.0,
        correlation_samples=noise.correlation_samples(),
        quantile=float(student.ppf(0.975, noise.degrees_of_freedom)),
        variance_mv2=variance_mv2,
        correlation_second=noise.correlation_second if noise.is_correlated else 0.0,
        model_error_mv=model_error,
        residual_systematic=model_error > NUMERICAL_MV,
    )


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
