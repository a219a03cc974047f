"""Find where a voltage jumps beyond the range that the cell otherwise has, and back."""

from __future__ import annotations

from typing import Final

import numpy as np

from ...data.arrays import Floats, Integers, Mask

CONTACT_VOLT: Final = 0.3
"""V: smallest jump of the voltage between two samples when a contact is lost. Chosen, not measured."""

BEYOND_VOLT: Final = 0.2
"""V beyond the highest or lowest voltage of all other samples. Chosen, not measured."""

LONGEST_SHARE: Final = 0.2
"""Largest share of the record's samples between a jump and the jump back. Chosen, not measured."""

LEAST_SAMPLES: Final = 3
"""Least number of samples between the jumps; fewer are a spike. Chosen, not measured."""

BACK_SHARE: Final = 0.5
"""Share of the jump by which the jump back of a spike may differ. Chosen, not measured."""

SAME_SHARE: Final = 0.05
"""Share of the current: two currents are the same if they differ by less. Chosen, not measured."""


def find_voltage_jumps(voltage: Floats, current: Floats, rest_ampere: float) -> Mask:
    """Tell where the voltage jumps beyond that of all other samples, until it jumps back or the record ends.

    A lead that has come off leaves the channel at its limit (5 V, for example) or near zero, while the current stays
    the same or becomes zero. A real pulse moves the current too.

    Args:
        voltage, current: V and A, shape (n,), NaN where missing.
        rest_ampere: A, up to which the cell rests.

    Returns:
        Shape (n,), in runs of three samples or more.
    """
    beyond = np.zeros(len(voltage), dtype=bool)
    if not may_jump(voltage, CONTACT_VOLT):
        return beyond
    known = np.flatnonzero(np.isfinite(voltage))
    known = known[~_find_spikes(voltage[known])]  # a good value between two spikes jumps away from both
    known_voltage = voltage[known]
    known_current = np.nan_to_num(current[known])
    samples = len(known)
    rise = np.diff(known_voltage)
    jumps = np.flatnonzero(np.abs(rise) > CONTACT_VOLT)
    if not len(jumps):
        return beyond
    # Each stretch goes from one jump to the next, the last one to the record's end.
    first = jumps + 1
    end = np.append(first[1:], samples)
    length = end - first
    direction = np.sign(rise[jumps])
    turns_back = np.append(direction[1:] != direction[:-1], True)
    away = turns_back & (length <= LONGEST_SHARE * samples)
    usual = ~_mark_stretches(first[away], end[away], samples)
    if not usual.any():
        return beyond
    low = float(known_voltage[usual].min())
    high = float(known_voltage[usual].max())
    lowest = np.minimum.reduceat(known_voltage, first)
    highest = np.maximum.reduceat(known_voltage, first)
    above_all = (direction > 0.0) & (lowest > high + BEYOND_VOLT)
    below_all = (direction < 0.0) & (highest < low - BEYOND_VOLT)
    before = known_current[first - 1]
    after = known_current[first]
    same_current = np.abs(after - before) <= SAME_SHARE * np.abs(before) + rest_ampere
    no_current = np.abs(after) <= rest_ampere
    lost = away & (above_all | below_all) & (length >= LEAST_SAMPLES) & (same_current | no_current)
    beyond[known[_mark_stretches(first[lost], end[lost], samples)]] = True
    return beyond


def may_jump(voltage: Floats, least_volt: float) -> bool:
    """Tell quickly whether neighbouring known voltages may differ by more than a limit.

    Args:
        voltage: V, shape (n,), NaN where missing.
        least_volt: the limit, in V.

    Returns:
        False only if they do not. True if any voltage is missing: a jump may be across it.
    """
    steps = np.abs(np.diff(voltage))
    # The maximum is NaN if any voltage is missing.
    return bool(len(steps)) and not float(steps.max()) <= least_volt


def _find_spikes(voltage: Floats) -> Mask:
    """Tell which samples are in runs of fewer than ``LEAST_SAMPLES`` between a jump and the jump back, shape (n,)."""
    rise = np.diff(voltage)
    jumps = np.flatnonzero(np.abs(rise) > CONTACT_VOLT)
    first = jumps[:-1] + 1
    end = jumps[1:] + 1
    away = rise[jumps[:-1]]
    back = rise[jumps[1:]]
    returns = (away * back < 0.0) & (np.abs(away + back) < BACK_SHARE * np.abs(away))
    spike = (end - first < LEAST_SAMPLES) & returns
    return _mark_stretches(first[spike], end[spike], len(voltage))


def _mark_stretches(first: Integers, end: Integers, samples: int) -> Mask:
    """Tell which samples are in a stretch, shape (samples,); a stretch ends before its ``end``."""
    change = np.zeros(samples + 1, dtype=np.int64)
    np.add.at(change, first, 1)
    np.add.at(change, end, -1)
    return np.asarray(np.cumsum(change)[:-1] > 0)
