"""How much a difference of the cost of a fit means: the residuals are correlated, weighted, and have outliers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...data.arrays import Floats
from .channels import Channel, estimate_noises, find_determined, split_channels
from .loss import RowLoss


@dataclass(frozen=True, slots=True, eq=False)
class CostScale:
    """Rise of the cost that is worth 1 in half the chi-square of the data.

    Args:
        common_mv2: on average over the combinations of parameters that the record determines.
        parameter_mv2: along each parameter, while the others follow, shape (parameters,).
    """

    common_mv2: float
    parameter_mv2: Floats


def estimate_cost_scale(loss: RowLoss, channels: Sequence[Channel]) -> CostScale:
    """Estimate what a rise of the cost means, by the noise model of the residuals.

    Residuals of variance v that are correlated over n samples tell as much as one of n samples; and what n is depends
    on how the parameters move the voltage. So the scale is the variance of the pull of the residuals along a
    combination of parameters, over the curvature of the cost there (Huber 1964). Samples of weight 0 do not count.

    Args:
        loss: of the residuals.
        channels: what is measured; the weights of each are 1 on average.
    """
    channels = [channel.without_weightless() for channel in channels if channel.weights.any()]
    parameters = channels[0].slopes_mv.shape[1] if channels else 0
    rows = np.concatenate([channel.rows_mv for channel in channels]) if channels else np.zeros(0)
    if not rows.any():
        return CostScale(0.0, np.zeros(parameters))
    slopes = np.vstack([channel.root_weights * channel.slopes_mv for channel in channels])
    weights = np.concatenate([channel.weights for channel in channels])
    pull, curvature = RowLoss(loss.objective, len(rows), weights).pull(rows)
    left, singular, right = np.linalg.svd(slopes, full_matrices=False)
    determined = find_determined(singular)
    left = left[:, determined]
    parts = split_channels(left, channels)
    noises = estimate_noises(channels, split_channels(pull, channels), parts)
    if not left.shape[1]:
        return CostScale(noises[0].effective_mv2, np.full(parameters, noises[0].effective_mv2))
    scatter = np.zeros((left.shape[1], left.shape[1]))
    for channel, noise, part in zip(channels, noises, parts, strict=True):
        scatter += noise.mean_scatter(channel.root_weights * part)
    bend = left.T @ (curvature[:, np.newaxis] * left)
    common = float(np.trace(scatter) / np.trace(bend))
    along = right[determined] / singular[determined, np.newaxis]  # one column a parameter
    variances = np.einsum("ip,ij,jp->p", along, scatter, along)
    bends = np.einsum("ip,ij,jp->p", along, bend, along)
    by_parameter = np.where(bends > 0.0, variances / np.where(bends > 0.0, bends, 1.0), common)
    return CostScale(common, by_parameter)
