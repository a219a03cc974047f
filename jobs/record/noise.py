"""How noisy a channel is, learned from the record itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...data.arrays import Floats


def estimate_step_noise(
    time_second: Floats, column: Floats, step: NDArray[Any], rows: NDArray[np.int64] | None = None
) -> Floats:
    """Return each sample's standard deviation of the noise in its step, as robustly as a median is.

    It comes from how far samples lie from the line in time between their neighbours, so that a slope counts nothing
    however unevenly it is sampled.

    Args:
        column: without missing values, shape (n,).
        step: a number for each sample; a step's samples stand together.
        rows: positions of the samples that are asked for, shape (m,); ``None`` = all.

    Returns:
        Shape (n,) or (m,), in the column's unit; 0 for steps of fewer than three samples.
    """
    if rows is not None:
        # A median costs far more than all else here, so only the steps that are asked for get one.
        inside, number, place = _select_steps(step, rows)
        return estimate_step_noise(time_second[inside], column[inside], number)[place]
    off = np.full(len(column), np.nan)
    if len(column) > 2:
        span = time_second[2:] - time_second[:-2]
        inside = (step[:-2] == step[1:-1]) & (step[1:-1] == step[2:]) & (span > 0.0)
        share = (time_second[1:-1] - time_second[:-2]) / np.where(inside, span, 1.0)
        line = column[:-2] + share * (column[2:] - column[:-2])
        off[1:-1] = np.where(inside, np.abs(column[1:-1] - line), np.nan)
    # The median of |x| is 0.6745 standard deviations; a value and the line between two have 1.5 times the variance.
    noise: Floats = pd.Series(off).groupby(step).transform("median").to_numpy() / (0.6745 * np.sqrt(1.5))
    return np.nan_to_num(noise)


def _select_steps(
    step: NDArray[Any], rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the positions of all samples of the steps that hold some rows, their step, and the rows' places in it."""
    bounds = np.concatenate([[0], 1 + np.flatnonzero(np.diff(step) != 0), [len(step)]])
    of_row = np.searchsorted(bounds, rows, side="right") - 1
    chosen, number = np.unique(of_row, return_inverse=True)
    length = np.diff(bounds)[chosen]
    before = np.cumsum(length) - length
    inside = np.arange(int(length.sum())) + np.repeat(bounds[chosen] - before, length)
    return inside, np.repeat(chosen, length), rows - bounds[of_row] + before[number]
