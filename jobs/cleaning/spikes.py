"""Cleaning rules about the signal: spikes. Real edges, pulses and relaxations must pass untouched.

A spike is a value that stands out from both of its neighbours on the same side, while the other signal says that
nothing happened: a relaxation is monotonous, an edge stays where it went, and a pulse moves voltage and current.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Floats, Integers, Mask
from ...data.settings import CleanSettings
from ..record.noise import estimate_step_noise
from .missing_values import MOST_OUT_OF_RANGE, fill_voltage
from .rule import RuleOutcome, column_values, constant_text, find_runs, number_text, rest_current, run_events, set_flag
from .voltage_jumps import may_jump

SPIKE_VOLT: Final = 0.02  # the least that counts as a spike, however quiet the channel
SPIKE_NOISE: Final = 8.0  # standard deviations of the step's noise
NOISE_FACTOR: Final = 10.0  # times the record's usual noise, beyond which a step's own is not believed
SPIKE_ROWS: Final = 2
AROUND_ROWS: Final = 7
PAIR_FACTOR: Final = 3.0  # times the difference between the two rows of a spike; a drift that jumps back is none
PAIR_BOUND: Final = 5.0  # ... unless it is so many times larger than it must be
SAME_CURRENT_SHARE: Final = 0.05
RESPONSE_VOLT: Final = 0.001  # the least reply of the voltage that is asked for, in a smooth course
CONTROL_ROWS: Final = 11
TWICE_SHARE: Final = 0.01  # of the time between its neighbours, next to one of which such a row stands
CONTROL_SHARE: Final = 0.01  # of the current, within which it follows the line between its neighbours


def voltage_spike(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Find one or two voltages that stand out from both sides of their step while the current goes on; interpolate.

    A voltage outside ``voltage_limits_volt`` between good ones is a spike whatever the current did. What cannot be
    interpolated (at a step's edge, beside a longer hole) stays missing.
    """
    voltage = column_values(frame, c.VOLTAGE)
    spike, bare = np.zeros(len(voltage), dtype=bool), frame
    # What stands beside a spike, or between two, can be judged once they are gone.
    while (more := _next_spikes(bare, settings)).any():
        spike |= more
        bare = frame.assign(**{c.VOLTAGE: np.where(spike, np.nan, voltage)})
    if not spike.any():
        return RuleOutcome(frame)
    mended = np.where(spike, fill_voltage(bare, settings), voltage)
    told = run_events(
        frame, spike, "voltage_spike", number_text(voltage, "V"), number_text(mended, "V"),
        lambda i, n: "left" if np.isnan(mended[i]) else "interpolated",
    )  # fmt: skip
    return RuleOutcome(set_flag(frame.assign(**{c.VOLTAGE: mended}), spike, "voltage_spike"), tuple(told))


def _next_spikes(frame: pd.DataFrame, settings: CleanSettings) -> Mask:
    beyond = _beyond_limits(column_values(frame, c.VOLTAGE), settings)
    return beyond if beyond.any() else _find_outliers(frame, settings)


def _beyond_limits(voltage: Floats, settings: CleanSettings) -> Mask:
    low, high = settings.voltage_limits_volt
    out = (voltage < low) | (voltage > high)
    spike = np.zeros(len(voltage), dtype=bool)
    if not out.any() or out.sum() > MOST_OUT_OF_RANGE * np.isfinite(voltage).sum():
        return spike
    # Missing values beside a spike do not make it longer, nor do they end it.
    known = np.flatnonzero(np.isfinite(voltage))
    first, length = find_runs(out[known])
    between = (length <= SPIKE_ROWS) & (first > 0) & (first + length < len(known))
    for i, n in zip(first[between], length[between], strict=True):
        spike[known[i : i + n]] = True
    return spike


def _find_outliers(frame: pd.DataFrame, settings: CleanSettings) -> Mask:
    """Voltages of one or two rows beyond both neighbours, by more than the neighbours differ."""
    spike = np.zeros(len(frame), dtype=bool)
    if not may_jump(column_values(frame, c.VOLTAGE), SPIKE_VOLT):
        return spike
    known = np.flatnonzero(np.isfinite(column_values(frame, c.VOLTAGE)))
    voltage, step = column_values(frame, c.VOLTAGE)[known], frame[c.STEP_COUNT].to_numpy()[known]
    jumps = 1 + np.flatnonzero(np.abs(np.diff(voltage)) > SPIKE_VOLT)  # a spike begins with one
    if len(jumps) == 0:
        return spike
    current = frame[c.CURRENT].ffill().bfill().fillna(0.0).to_numpy(dtype=np.float64)[known]
    time = column_values(frame, c.TEST_TIME)[known]
    height = np.zeros(len(known))
    judged: tuple[Floats, Mask] | None = None
    for length in range(1, SPIKE_ROWS + 1):
        i = jumps[jumps + length < len(known)]
        left, right = i - 1, i + length
        # A hole that will not be filled is no neighbourhood.
        reach = settings.fill_samples + 1
        near = (known[i] - known[left] <= reach) & (known[right] - known[right - 1] <= reach)
        near &= step[left] == step[right]
        i, left, right = i[near], left[near], right[near]
        lowest = np.min([voltage[i + k] for k in range(length)], axis=0)
        highest = np.max([voltage[i + k] for k in range(length)], axis=0)
        above = lowest - np.maximum(voltage[left], voltage[right])
        below = np.minimum(voltage[left], voltage[right]) - highest
        # Across a hole in a slope the sample need not be near its neighbour.
        hole = known[i] - known[left] - 1
        slope = np.abs(voltage[left] - voltage[np.maximum(left - 1, 0)])
        excess = np.maximum(above, below) - 2.0 * slope * hole
        out = (excess > SPIKE_VOLT) & (excess > np.abs(voltage[left] - voltage[right]))
        if not out.any():
            continue
        bound, astray = judged = judged or _spike_bound(time, voltage, step)
        out &= excess > bound[i]
        out &= (excess > PAIR_FACTOR * (highest - lowest)) | (excess > PAIR_BOUND * bound[i])
        steady = SAME_CURRENT_SHARE * np.abs(current[left]) + rest_current(settings)
        for k in range(length):
            line = current[left] + (k + 1) / (length + 1) * (current[right] - current[left])
            out &= (np.abs(current[i + k] - line) <= steady) & astray[i + k]
        # A current that itself goes elsewhere is an edge, unless it is the slow decay of a hold.
        held = np.abs(voltage[right] - voltage[left]) <= SPIKE_VOLT / 4
        out &= np.abs(current[right] - current[left]) <= np.where(held, 8.0, 4.0) * steady
        for k in range(length):
            height[i[out] + k] = np.maximum(height[i[out] + k], excess[out])
    # A good value beside a spike may stand out from it and its other neighbour; it is judged again without the spike.
    beside = np.maximum(np.append(height[1:], 0.0), np.append(0.0, height[:-1]))
    spike[known[(height > 0.0) & (height >= beside)]] = True
    return spike


def _spike_bound(time: Floats, voltage: Floats, step: Integers) -> tuple[Floats, Mask]:
    """By how much a voltage must stand out of its neighbours, and whether it is away from what is around, shape (n,).

    Medians over whole steps cost more than all else here, so they wait until something stands out.
    """
    noise = estimate_step_noise(time, voltage, step)
    # In a step of a few samples a spike itself makes the noise.
    bound = np.maximum(SPIKE_VOLT, SPIKE_NOISE * np.minimum(noise, NOISE_FACTOR * np.median(noise, axis=0)))
    # A good value between two spikes stands out from both of them, but not from what is around all three.
    around = pd.Series(voltage).rolling(AROUND_ROWS, center=True, min_periods=1).median().to_numpy()
    return bound, np.abs(voltage - around) > 0.5 * bound


def current_spike(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Find single currents far from both neighbours to which the voltage does not respond; interpolate them.

    How the voltage responds is learned from the record's own edges. Where there are none, or the spike is small, only
    what stands alone in a smooth course of the current (constant, or decaying in a hold) is called one.
    """
    current = column_values(frame, c.CURRENT)
    spike, mended = np.zeros(len(current), dtype=bool), current
    # Of several close together the course is smooth only once the others are gone.
    while len(frame) >= 3:
        more, line = _next_current_spikes(frame.assign(**{c.CURRENT: mended}) if spike.any() else frame, settings)
        more &= ~spike
        if not more.any():
            break
        spike, mended = spike | more, np.where(more, line, mended)
    if not spike.any():
        return RuleOutcome(frame)
    told = run_events(
        frame,
        spike,
        "current_spike",
        number_text(current, "A"),
        number_text(mended, "A"),
        constant_text("interpolated"),
    )
    return RuleOutcome(set_flag(frame.assign(**{c.CURRENT: mended}), spike, "current_spike"), tuple(told))


def _next_current_spikes(frame: pd.DataFrame, settings: CleanSettings) -> tuple[Mask, Floats]:
    """Which currents are spikes as the record is, and what the line between their neighbours gives, in A."""
    time, voltage, current = (column_values(frame, name) for name in (c.TEST_TIME, c.VOLTAGE, c.CURRENT))
    step, capacity = frame[c.STEP_COUNT].to_numpy(), settings.nominal_capacity_ah or 1.0
    line, beside = current.copy(), _interpolate_missing(current, time)
    if not _is_isolated(beside, step, rest_current(settings)).any():
        return np.zeros(len(current), dtype=bool), line
    share = (time[1:-1] - time[:-2]) / (time[2:] - time[:-2])
    line[1:-1] = beside[:-2] + share * (beside[2:] - beside[:-2])
    jump = np.zeros(len(current))
    jump[1:-1] = current[1:-1] - line[1:-1]
    reply = np.full(len(current), np.nan)
    around = _interpolate_missing(voltage, time)
    reply[1:-1] = np.abs(voltage[1:-1] - (around[:-2] + share * (around[2:] - around[:-2])))
    across = np.full(len(current), np.inf)
    across[1:-1] = np.where(
        (step[:-2] == step[2:]) & (step[:-2] == step[1:-1]), np.abs(beside[2:] - beside[:-2]), np.inf
    )
    known = np.isfinite(voltage)
    noise = np.zeros(len(voltage))
    noise[known] = SPIKE_NOISE / 2 * estimate_step_noise(time[known], voltage[known], step[known])
    size = np.abs(jump)
    # A row written twice is on the line to itself, which says nothing of how smooth the course is.
    twice = np.concatenate([[False], np.abs(share - 0.5) > 0.5 - TWICE_SHARE, [False]])
    alone, smooth = across <= 0.2 * size, _leaves_control(line, np.where(twice, np.nan, size), settings)
    resistance = edge_resistance(voltage, current, step, capacity)
    if resistance is None:
        return alone & smooth & (reply < SPIKE_VOLT / 4 + noise), line
    heard = np.where(smooth, RESPONSE_VOLT, SPIKE_VOLT / 4) + noise
    large = size > 0.1 * capacity
    return alone & (large | smooth) & (resistance * size > heard) & (reply < 0.25 * resistance * size), line


def _is_isolated(current: Floats, step: Integers, rest: float) -> Mask:
    """Tell which inner samples are far from both neighbours, in one step with them; a cheap first look."""
    left, right = np.diff(current)[:-1], np.diff(current)[1:]
    away = (np.abs(left) > rest) & (np.abs(right) > rest) & (left * right < 0.0)
    result: Mask = away & (step[:-2] == step[2:]) & (step[:-2] == step[1:-1])
    return result


def _interpolate_missing(column: Floats, time: Floats) -> Floats:
    """The column with missing values on the line between known ones."""
    if not np.isnan(column).any():
        return column
    return np.asarray(pd.Series(column, index=time).interpolate("index"), dtype=np.float64)


def _leaves_control(line: Floats, size: Floats, settings: CleanSettings) -> Mask:
    """Currents off the line between their neighbours where those around are on it (a constant current, a hold).

    Args:
        line: A, the line between each sample's neighbours.
        size: A, how far the sample is from it.
    """
    rest = rest_current(settings)
    usual = pd.Series(size).rolling(CONTROL_ROWS, center=True, min_periods=3).median().to_numpy()
    smooth = (np.abs(line) > rest) & (usual <= CONTROL_SHARE * np.abs(line))
    result: Mask = smooth & (size > 0.1 * np.abs(line) + rest)
    return result


def edge_resistance(voltage: Floats, current: Floats, step: Integers, capacity_ah: float) -> float | None:
    """Return the median of |dV / dI| in ohm over the record's edges of current; ``None`` where there are too few.

    Each edge counts by its current: what the end of a hold leaves is small, and hardly moves the voltage.
    Edges between steps are asked first, large ones before small ones. A spike of the current makes two edges inside a
    step, so that edges there must be many.
    """
    jump, rise = np.diff(current), np.diff(voltage)
    between = np.diff(step) != 0
    for where, per_ah, least in ((between, 0.2, 3), (between, 0.05, 3), (~between, 0.2, 20)):
        edge = where & (np.abs(jump) > per_ah * capacity_ah)
        edge &= np.isfinite(rise)
        if edge.sum() >= least:
            ratio = np.abs(rise[edge] / jump[edge])
            order = np.argsort(ratio)
            counts = np.cumsum(np.abs(jump[edge])[order])
            return float(ratio[order][np.searchsorted(counts, counts[-1] / 2.0)])
    return None
