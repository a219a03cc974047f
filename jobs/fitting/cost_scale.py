"""How much a difference of the cost of a fit means: the residuals are correlated, weighted, and have outliers."""

from __future__ import annotations

from typing import Final

import numpy as np

from ...data.arrays import Floats
from .loss import RowLoss

WINDOW: Final = 5.0
"""Lag, in autocorrelation times, at which the sum of the autocorrelation ends (Sokal)."""


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
