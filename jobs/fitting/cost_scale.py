"""How much a difference of the cost of a fit means: the residuals are correlated, weighted, and have outliers."""

from __future__ import annotations

import numpy as np

from ...data.arrays import Floats
from .loss import RowLoss
from .uncertainty import correlation_samples


def cost_scale_mv2(loss: RowLoss, rows: Floats, weights: Floats, voltage_rows: int) -> float:
    """Estimate by how much the cost must differ for a difference of 1 in half the chi-square of the data.

    A residual of variance v that is correlated over n samples tells as much as one sample of n. So the scale of squares
    with equal weights is v n; with weights and a robust loss it is that of the estimate (Huber 1964): the variance of
    the pull at a parameter over the curvature of the cost. Samples of weight 0 do not count.

    Args:
        loss: of the rows.
        rows: weighted residuals in mV of what is measured, shape (rows,).
        weights: of these residuals, shape (rows,), 1 on average.
        voltage_rows: number of rows that are voltages in the order of time; they come first.

    Returns:
        mV2; 0 = nothing is left of the residuals, or none counts.
    """
    pull, curvature = RowLoss(loss.objective, len(rows)).pull(rows)
    counts = weights > 0.0
    total = float(weights[counts] @ curvature[counts])
    if not counts.any() or total <= 0.0:
        return 0.0
    voltages = counts[:voltage_rows]
    errors = pull[:voltage_rows][voltages] / np.sqrt(weights[:voltage_rows][voltages])
    correlated = correlation_samples(errors) if len(errors) else 1.0
    return correlated * float(weights[counts] @ pull[counts] ** 2) / total
