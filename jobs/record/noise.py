"""Estimate the noise of a channel from the record itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.arrays import Floats, Integers
from .groups import group_medians, number_groups


def estimate_step_noise(
    time_second: Floats, column: Floats, step: NDArray[Any], rows: Integers | None = None
) -> Floats:
    """Return the standard deviation of the noise in each sample's step.

    It is calculated from the distance of each sample from the line in time between its neighbours, so a slope does not
    count, however unevenly it is sampled. The median of the distances is used, so outliers hardly count.

    Args:
        time_second: s, shape (n,).
        column: without missing values, shape (n,).
        step: a number for each sample, shape (n,); the samples of a step are next to each other.
        rows: positions of the samples for which the noise is needed, shape (m,); ``None`` = all.

    Returns:
        Shape (n,) or (m,), in the column's unit; 0 for steps of fewer than three samples.
    """
    if rows is not None:
        # Medians are by far the slowest part, so only the steps that are needed get one.
        inside, number, place = _select_steps(step, rows)
        return estimate_step_noise(time_second[inside], column[inside], number)[place]
    distance = np.full(len(column), np.nan)
    if len(column) > 2:
        span = time_second[2:] - time_second[:-2]
        in_one_step = (step[:-2] == step[1:-1]) & (step[1:-1] == step[2:]) & (span > 0.0)
        share = (time_second[1:-1] - time_second[:-2]) / np.where(in_one_step, span, 1.0)
        line = column[:-2] + share * (column[2:] - column[:-2])
        distance[1:-1] = np.where(in_one_step, np.abs(column[1:-1] - line), np.nan)
    # The median of |x| is 0.6745 standard deviations of x. The distance has 1.5 times the variance of a single value.
    group = number_groups(step)
    median = group_medians(group, distance, int(group.max(initial=-1)) + 1)
    noise: Floats = median[group] / (0.6745 * np.sqrt(1.5))
    return np.nan_to_num(noise)


def _select_steps(step: NDArray[Any], rows: Integers) -> tuple[Integers, Integers, Integers]:
    """Select all samples of the steps that hold some rows.

    Args:
        step: as in :func:`estimate_step_noise`.
        rows: positions, shape (m,).

    Returns:
        Positions of the selected samples, shape (s,); the number of their step, shape (s,); and the places of the
        rows among them, shape (m,).
    """
    bounds = np.concatenate([[0], 1 + np.flatnonzero(np.diff(step) != 0), [len(step)]])
    step_of_row = np.searchsorted(bounds, rows, side="right") - 1
    chosen, number_of_row = np.unique(step_of_row, return_inverse=True)
    length = np.diff(bounds)[chosen]
    selected_before = np.cumsum(length) - length
    inside = np.arange(int(length.sum())) + np.repeat(bounds[chosen] - selected_before, length)
    number = np.repeat(chosen, length)
    place = rows - bounds[step_of_row] + selected_before[number_of_row]
    return inside, number, place
