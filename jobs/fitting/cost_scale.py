"""How much a difference of the cost of a fit means: the residuals are correlated, weighted, and have outliers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ...data.arrays import Floats
from .loss import RowLoss
from .noise_model import Series, estimate_noise

BLIND: Final = 1e-6
"""Share of the largest singular value below which the record does not determine a combination of parameters."""


@dataclass(frozen=True, slots=True, eq=False)
class CostScale:
    """Rise of the cost that is worth 1 in half the chi-square of the data.

    Args:
        common_mv2: on average over the combinations of parameters that the record determines.
        parameter_mv2: along each parameter, while the others follow, shape (parameters,).
    """

    common_mv2: float
    parameter_mv2: Floats


def estimate_cost_scale(loss: RowLoss, rows: Floats, slopes: Floats, weights: Floats, series: Series) -> CostScale:
    """Estimate what a rise of the cost means, by the noise model of the residuals.

    Residuals of variance v that are correlated over n samples tell as much as one of n samples; and what n is depends
    on how the parameters move the voltage. So the scale is the variance of the pull of the residuals along a
    combination of parameters, over the curvature of the cost there (Huber 1964). Samples of weight 0 do not count.

    Args:
        loss: of the rows.
        rows: weighted residuals of the voltage in mV, shape (samples,).
        slopes: by each scaled parameter, with the same weights, shape (samples, parameters).
        weights: of the residuals, shape (samples,), 1 on average.
        series: times of the samples.
    """
    counts = weights > 0.0
    parameters = slopes.shape[1]
    if not counts.any() or not rows[counts].any():
        return CostScale(0.0, np.zeros(parameters))
    root = np.sqrt(weights[counts])
    pull, curvature = RowLoss(loss.objective, len(root)).pull(rows[counts])
    left, singular, right = np.linalg.svd(slopes[counts], full_matrices=False)
    determined = singular > BLIND * singular.max(initial=0.0)
    left = left[:, determined]
    noise = estimate_noise(pull / root, left / root[:, np.newaxis], series.select(counts))
    if not left.shape[1]:
        variance = float(noise.likelihood @ (noise.white_mv2 + noise.correlated_mv2)) * noise.correlation_samples()
        return CostScale(variance, np.full(parameters, variance))
    scatter = np.einsum("k,kij->ij", noise.likelihood, noise.scatter(root[:, np.newaxis] * left))
    bend = left.T @ (curvature[:, np.newaxis] * left)
    common = float(np.trace(scatter) / np.trace(bend))
    along = right[determined] / singular[determined, np.newaxis]  # one column a parameter
    variances = np.einsum("ip,ij,jp->p", along, scatter, along)
    bends = np.einsum("ip,ij,jp->p", along, bend, along)
    by_parameter = np.where(bends > 0.0, variances / np.where(bends > 0.0, bends, 1.0), common)
    return CostScale(common, by_parameter)
