"""Where a voltage goes beyond all that the cell ever has, and comes back, each time between two samples."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...data.arrays import Floats, Mask

CONTACT_VOLT: Final = 0.3  # the least jump of the voltage when contact is lost
BEYOND_VOLT: Final = 0.2  # from the highest or lowest voltage of all other samples
LONGEST_SHARE: Final = 0.2  # of the record's samples
LEAST_SAMPLES: Final = 3  # fewer are a spike
BACK_SHARE: Final = 0.5  # of a jump, by which the jump back may differ
SAME_SHARE: Final = 0.05  # by which a current may differ and be the same


def find_voltage_jumps(voltage: Floats, current: Floats, rest_ampere: float) -> Mask:
    """Tell where the voltage jumps beyond that of all other samples, until it jumps back or the record ends.

    A lead that has come off leaves the channel at its limit (5 V, say) or near zero, while the current goes on as it
    was or is none. A real pulse moves the current too.

    Args:
        voltage, current: V and A, shape (n,), NaN where missing.
        rest_ampere: A, below which the cell rests.

    Returns:
        Shape (n,), in runs of three samples or more.
    """
    beyond = np.zeros(len(voltage), dtype=bool)
    if not may_jump(voltage, CONTACT_VOLT):
        return beyond
    known = np.flatnonzero(np.isfinite(voltage))
    known = known[~_spikes(voltage[known])]  # good values between two spikes jump away from both
    column, flow = voltage[known], np.nan_to_num(current[known])
    rise = np.diff(column)
    edges = np.flatnonzero(np.abs(rise) > CONTACT_VOLT)
    if not len(edges):
        return beyond
    first, end = edges + 1, np.append(edges[1:] + 1, len(column))
    sign = np.sign(rise[edges])
    away = np.append(sign[1:] != sign[:-1], True) & (end - first <= LONGEST_SHARE * len(column))
    usual = ~_spread(first[away], end[away], len(column))
    if not usual.any():
        return beyond
    low, high = float(column[usual].min()), float(column[usual].max())
    lowest, highest = np.minimum.reduceat(column, first), np.maximum.reduceat(column, first)
    out = ((sign > 0.0) & (lowest > high + BEYOND_VOLT)) | ((sign < 0.0) & (highest < low - BEYOND_VOLT))
    before, after = flow[first - 1], flow[first]
    goes_on = np.abs(after - before) <= SAME_SHARE * np.abs(before) + rest_ampere
    lost = away & out & (end - first >= LEAST_SAMPLES) & (goes_on | (np.abs(after) <= rest_ampere))
    beyond[known[_spread(first[lost], end[lost], len(column))]] = True
    return beyond


def may_jump(voltage: Floats, least_volt: float) -> bool:
    """Tell, at the cost of one look, whether known voltages may differ by more than this from the known one before."""
    steps = np.abs(np.diff(voltage))
    # A missing one makes the largest difference missing, and what jumps across it must be looked for.
    return bool(len(steps)) and not float(steps.max()) <= least_volt


def _spikes(column: Floats) -> Mask:
    """Runs of fewer than ``LEAST_SAMPLES`` between a jump and the jump back."""
    rise = np.diff(column)
    edges = np.flatnonzero(np.abs(rise) > CONTACT_VOLT)
    first, end = edges[:-1] + 1, edges[1:] + 1
    away, back = rise[edges[:-1]], rise[edges[1:]]
    spike = (end - first < LEAST_SAMPLES) & (away * back < 0.0) & (np.abs(away + back) < BACK_SHARE * np.abs(away))
    return _spread(first[spike], end[spike], len(column))


def _spread(first: NDArray[np.int64], end: NDArray[np.int64], samples: int) -> Mask:
    """Samples from each first to before each end."""
    change = np.zeros(samples + 1, dtype=np.int64)
    np.add.at(change, first, 1)
    np.add.at(change, end, -1)
    return np.asarray(np.cumsum(change)[:-1] > 0)
