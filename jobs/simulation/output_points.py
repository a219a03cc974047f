"""Whether the outputs of a replay are close enough, judged by leaving each one out, and where more are needed."""

from __future__ import annotations

from typing import Final

import numpy as np

from ...data.arrays import Floats, Indices

CLOSER: Final = 4.0
"""Ratio of the error of an interpolation that leaves out every other output to the error of one that uses all."""

WORST_VOLT: Final = 1e-3
"""V, largest interpolation error of a sample."""

RMSE_VOLT: Final = 1e-4
"""V, largest RMSE of the interpolation over all samples."""

PARTS: Final = 4
"""Parts into which an interval that is too long is divided."""

ROUNDS: Final = 4
"""Rounds of added outputs; in the last one every sample is an output."""


def add_outputs(time_second: Floats, outputs: Indices, voltage_volt: Floats, stop_second: Floats) -> Indices:
    """Add the outputs that the voltage needs between the given ones.

    The even outputs are left out and interpolated from the odd ones, then the other way round. Outputs at a stop, or
    on both sides of one, are never left out, since the voltage has a sharp bend there.

    Args:
        time_second: of all samples, s, shape (samples,).
        outputs: indices of samples, increasing.
        voltage_volt: V, at the outputs, shape (outputs,).
        stop_second: times of the solver's stops, s, increasing.

    Returns:
        The outputs with those that were added; the same ones if none are needed.
    """
    missing = np.diff(outputs) - 1
    if len(outputs) < 5 or not missing.any():
        return outputs
    error = _interpolation_error_volt(time_second[outputs], voltage_volt, stop_second)
    interval_error = np.maximum(error[1:], error[:-1]) / CLOSER
    too_long = (interval_error > WORST_VOLT) & (missing > 0)
    if np.sqrt(np.sum(missing * interval_error**2) / len(time_second)) > RMSE_VOLT:
        too_long |= (interval_error > RMSE_VOLT) & (missing > 0)
    if not too_long.any():
        return outputs
    first = outputs[:-1][too_long]
    length = np.diff(outputs)[too_long]
    added = first[:, np.newaxis] + (length[:, np.newaxis] * np.arange(1, PARTS)) // PARTS
    return distinct(np.concatenate([outputs, added.ravel()]))


def distinct(indices: Indices) -> Indices:
    """Return each index once, in increasing order: as ``numpy.unique``, without a sort."""
    used = np.zeros(int(indices.max(initial=-1)) + 1, dtype=np.bool_)
    used[indices] = True
    return np.flatnonzero(used)


def _interpolation_error_volt(output_second: Floats, voltage_volt: Floats, stop_second: Floats) -> Floats:
    """Leave-one-out interpolation error of each output in V; 0 for those beside a stop."""
    before = np.searchsorted(stop_second, output_second, side="left")
    after = np.searchsorted(stop_second, output_second, side="right")
    beside_stop = before != after
    stop_between = before[1:] > after[:-1]
    beside_stop[1:] |= stop_between
    beside_stop[:-1] |= stop_between
    beside_stop[0] = beside_stop[-1] = True
    error = np.zeros(len(output_second))
    for parity in (0, 1):
        left_out = ~beside_stop & (np.arange(len(output_second)) % 2 == parity)
        if left_out.any():
            used = ~left_out
            guess = monotone_cubic(output_second[used], voltage_volt[np.newaxis, used], output_second[left_out])[0]
            error[left_out] = np.abs(guess - voltage_volt[left_out])
    return error


def monotone_cubic(x: Floats, y: Floats, at: Floats) -> Floats:
    """Interpolate without overshoot: between two points the curve stays between their values.

    Args:
        x: shape (n,), strictly increasing, n >= 2.
        y: one or several curves, shape (k, n).
        at: shape (m,), increasing, within ``x``.

    Returns:
        Shape (k, m).
    """
    length = np.diff(x)
    rise = np.diff(y) / length
    slope = _slopes(length, rise)
    second = (3.0 * rise - 2.0 * slope[:, :-1] - slope[:, 1:]) / length
    third = (slope[:, :-1] + slope[:, 1:] - 2.0 * rise) / length**2
    count = np.diff(np.searchsorted(at, x[1:-1]), prepend=0, append=len(at))  # of times in each piece
    since = at - np.repeat(x[:-1], count)
    values = np.empty((len(y), len(at)))
    for row, *parts in zip(values, third, second, slope[:, :-1], y[:, :-1], strict=True):
        cubic, square, line, level = (np.repeat(part, count) for part in parts)
        row[:] = level + since * (line + since * (square + since * cubic))
    return values


def _slopes(length: Floats, rise: Floats) -> Floats:
    """Derivatives at the points, shape (k, n): weighted harmonic means, 0 where the rises differ in sign.

    Args:
        length: of the pieces, shape (n - 1,).
        rise: slope of each piece, shape (k, n - 1).
    """
    slope = np.zeros((len(rise), len(length) + 1))
    if len(length) == 1:
        slope[:] = rise
        return slope
    before = rise[:, :-1]
    after = rise[:, 1:]
    same_sign = before * after > 0.0
    weight_before = 2.0 * length[1:] + length[:-1]
    weight_after = length[1:] + 2.0 * length[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (weight_before + weight_after) / (weight_before / before + weight_after / after)
    slope[:, 1:-1] = np.where(same_sign, mean, 0.0)
    slope[:, 0] = _end_slope(length[0], length[1], rise[:, 0], rise[:, 1])
    slope[:, -1] = _end_slope(length[-1], length[-2], rise[:, -1], rise[:, -2])
    return slope


def _end_slope(length: float, next_length: float, rise: Floats, next_rise: Floats) -> Floats:
    """The parabola's derivative at an end, limited so that the curve does not overshoot."""
    slope = ((2.0 * length + next_length) * rise - length * next_rise) / (length + next_length)
    slope = np.where(np.sign(slope) != np.sign(rise), 0.0, slope)
    too_steep = (np.sign(rise) != np.sign(next_rise)) & (np.abs(slope) > 3.0 * np.abs(rise))
    limited: Floats = np.where(too_steep, 3.0 * rise, slope)
    return limited
