"""Cleaning rules about spikes of voltage and current. Real edges, pulses and relaxations must pass unchanged.

A spike is a value far from both of its neighbours on the same side, while the other signal shows that nothing
happened. A relaxation is monotonic, an edge does not return, and a pulse moves voltage and current.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Floats, Integers, Mask
from ...data.settings import CleanSettings
from ..record.noise import estimate_step_noise
from .missing_values import MOST_OUT_OF_RANGE, fill_voltage
from .rule import (
    RuleOutcome,
    cell_capacity_ah,
    column_values,
    constant_text,
    find_runs,
    number_text,
    rest_current,
    run_events,
    set_flag,
)
from .voltage_jumps import may_jump

# voltage_spike

SPIKE_VOLT: Final = 0.02
"""V: smallest spike, however quiet the channel. Chosen, not measured."""

SPIKE_NOISE: Final = 8.0
"""A spike is larger than this many standard deviations of the step's noise. Chosen, not measured."""

NOISE_FACTOR: Final = 10.0
"""Times the record's median noise: a step's noise counts up to this, because in a short step the spike itself makes the
noise. Chosen, not measured."""

SPIKE_ROWS: Final = 2
"""Most rows of a spike. Chosen, not measured."""

AROUND_ROWS: Final = 7
"""Number of rows around a sample whose median it is compared with. Chosen, not measured."""

PAIR_FACTOR: Final = 3.0
"""Times the difference between the rows of a spike: a spike of two rows is larger, a drift that jumps back is not.
Chosen, not measured."""

PAIR_BOUND: Final = 5.0
"""A spike that exceeds its bound this many times need not meet ``PAIR_FACTOR``. Chosen, not measured."""

SAME_CURRENT_SHARE: Final = 0.05
"""Share of the current: two currents are the same if they differ by less. Chosen, not measured."""

CURRENT_DRIFT: Final = 4.0
"""Times the difference that ``SAME_CURRENT_SHARE`` allows: the currents on both sides of a spike may differ by this.
Chosen, not measured."""

CURRENT_DRIFT_HELD: Final = 8.0
"""The same while the voltage is held and the current decays. Chosen, not measured."""

HELD_VOLT: Final = SPIKE_VOLT / 4
"""V: the voltage is held if both sides of a spike differ by less. Chosen, not measured."""

# current_spike

SPIKE_PER_AH: Final = 0.1
"""A per A.h of capacity: a larger spike of the current needs no smooth course around it. Chosen, not measured."""

SPIKE_SHARE: Final = 0.1
"""Share of the current: smallest spike in a smooth course, plus the current of a rest. Chosen, not measured."""

ACROSS_SHARE: Final = 0.2
"""Share of the spike by which the currents on both sides may differ. Chosen, not measured."""

RESPONSE_SHARE: Final = 0.25
"""Share of the response that the record's resistance predicts: if the voltage moves by less, it does not respond.
Chosen, not measured."""

RESPONSE_VOLT: Final = 0.001
"""V: smallest predicted response of a spike in a smooth course. Chosen, not measured."""

ROUGH_RESPONSE_VOLT: Final = SPIKE_VOLT / 4
"""V: smallest predicted response of a spike elsewhere. Chosen, not measured."""

CONTROL_ROWS: Final = 11
"""Number of rows around a sample in which the course of the current is judged. Chosen, not measured."""

CONTROL_SHARE: Final = 0.01
"""Share of the current: in a smooth course it is this close to the line between its neighbours. Chosen, not
measured."""

TWICE_SHARE: Final = 0.01
"""Share of the time between its neighbours: a row closer than this to one of them is a second row at that time. Chosen,
not measured."""

EDGE_SEARCHES: Final = ((True, 0.2, 3), (True, 0.05, 3), (False, 0.2, 20))
"""How edges of the current are searched from which the resistance is learned, one search after the other: between steps
or within them; smallest edge in A per A.h of capacity; least number of edges. Within a step they must be many, because
a spike of the current makes two edges there. Chosen, not measured."""


def voltage_spike(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Find one or two voltages that stand out from both sides of their step while the current goes on; interpolate.

    A voltage outside ``voltage_limits_volt`` between good ones is a spike, whatever the current did. A spike that
    cannot be interpolated (at a step's edge, next to a longer hole) becomes missing.
    """
    voltage = column_values(frame, c.VOLTAGE)
    spike = np.zeros(len(voltage), dtype=bool)
    without_spikes = frame
    # A spike next to another one, or between two, can be judged once these are removed.
    while True:
        new_spikes = _next_voltage_spikes(without_spikes, settings)
        if not new_spikes.any():
            break
        spike |= new_spikes
        without_spikes = frame.assign(**{c.VOLTAGE: np.where(spike, np.nan, voltage)})
    if not spike.any():
        return RuleOutcome(frame)
    corrected = np.where(spike, fill_voltage(without_spikes, settings), voltage)

    def action(i: int, n: int) -> str:
        return "left" if np.isnan(corrected[i]) else "interpolated"

    events = run_events(frame, spike, "voltage_spike", number_text(voltage, "V"), number_text(corrected, "V"), action)
    frame = frame.assign(**{c.VOLTAGE: corrected})
    return RuleOutcome(set_flag(frame, spike, "voltage_spike"), tuple(events))


def _next_voltage_spikes(frame: pd.DataFrame, settings: CleanSettings) -> Mask:
    """Tell which voltages are spikes in the record as it is; first only those outside the limits, shape (n,)."""
    beyond = _beyond_limits(column_values(frame, c.VOLTAGE), settings)
    if beyond.any():
        return beyond
    return _find_outliers(frame, settings)


def _beyond_limits(voltage: Floats, settings: CleanSettings) -> Mask:
    """Tell which voltages are outside the limits, in runs of up to ``SPIKE_ROWS`` between good ones, shape (n,)."""
    low, high = settings.voltage_limits_volt
    out = (voltage < low) | (voltage > high)
    spike = np.zeros(len(voltage), dtype=bool)
    if not out.any() or out.sum() > MOST_OUT_OF_RANGE * np.isfinite(voltage).sum():
        return spike
    # Missing values next to a spike neither lengthen nor end it.
    known = np.flatnonzero(np.isfinite(voltage))
    first, length = find_runs(out[known])
    between = (length <= SPIKE_ROWS) & (first > 0) & (first + length < len(known))
    for i, n in zip(first[between], length[between], strict=True):
        spike[known[i : i + n]] = True
    return spike


@dataclass(frozen=True, slots=True, eq=False)
class _KnownSamples:
    """The samples with a known voltage, shape (m,) each.

    Args:
        position: in the record.
        time, voltage, current: s, V and A; a missing current is that of the row before.
        step: number of the step.
    """

    position: Integers
    time: Floats
    voltage: Floats
    current: Floats
    step: Integers


@dataclass(frozen=True, slots=True, eq=False)
class _SpikeBound:
    """What a spike must exceed, shape (m,) each.

    Args:
        volt: V, by how much a voltage must differ from its neighbours.
        astray: whether a voltage differs from the median around it.
    """

    volt: Floats
    astray: Mask


def _find_outliers(frame: pd.DataFrame, settings: CleanSettings) -> Mask:
    """Tell which voltages, alone or in pairs, are beyond both neighbours by more than these differ, shape (n,)."""
    spike = np.zeros(len(frame), dtype=bool)
    if not may_jump(column_values(frame, c.VOLTAGE), SPIKE_VOLT):
        return spike
    position = np.flatnonzero(np.isfinite(column_values(frame, c.VOLTAGE)))
    voltage = column_values(frame, c.VOLTAGE)[position]
    begins = 1 + np.flatnonzero(np.abs(np.diff(voltage)) > SPIKE_VOLT)  # a spike begins with a jump
    if len(begins) == 0:
        return spike
    known = _KnownSamples(
        position,
        column_values(frame, c.TEST_TIME)[position],
        voltage,
        frame[c.CURRENT].ffill().bfill().fillna(0.0).to_numpy(dtype=np.float64)[position],
        frame[c.STEP_COUNT].to_numpy()[position],
    )
    height = np.zeros(len(position))
    bound: _SpikeBound | None = None
    for length in range(1, SPIKE_ROWS + 1):
        candidates, excess = _find_candidates(known, begins, length, settings)
        if not len(candidates):
            continue
        if bound is None:
            bound = _spike_bound(known)
        good = _is_spike(known, bound, candidates, excess, length, rest_current(settings))
        for k in range(length):
            rows = candidates[good] + k
            height[rows] = np.maximum(height[rows], excess[good])
    # A good value next to a spike may differ from it and from its other neighbour. It is judged again later.
    beside = np.maximum(np.append(height[1:], 0.0), np.append(0.0, height[:-1]))
    spike[position[(height > 0.0) & (height >= beside)]] = True
    return spike


def _find_candidates(
    known: _KnownSamples, begins: Integers, length: int, settings: CleanSettings
) -> tuple[Integers, Floats]:
    """Return the first samples of runs that are beyond both neighbours, and by how much.

    Args:
        known: the samples.
        begins: samples after a jump.
        length: of the runs, in samples.
        settings: with ``fill_samples``.

    Returns:
        Positions in ``known``, shape (candidates,), and the excess in V, shape (candidates,).
    """
    position = known.position
    voltage = known.voltage
    first = begins[begins + length < len(position)]
    left = first - 1
    right = first + length
    # Across a hole that is too long to be filled nothing can be compared.
    reach = settings.fill_samples + 1
    near = (position[first] - position[left] <= reach) & (position[right] - position[right - 1] <= reach)
    near &= known.step[left] == known.step[right]
    first = first[near]
    left = left[near]
    right = right[near]
    lowest, highest = _lowest_and_highest(voltage, first, length)
    above = lowest - np.maximum(voltage[left], voltage[right])
    below = np.minimum(voltage[left], voltage[right]) - highest
    # Across a hole in a slope a sample may be far from its neighbour.
    missing_rows = position[first] - position[left] - 1
    slope = np.abs(voltage[left] - voltage[np.maximum(left - 1, 0)])
    excess = np.maximum(above, below) - 2.0 * slope * missing_rows
    outlying = (excess > SPIKE_VOLT) & (excess > np.abs(voltage[left] - voltage[right]))
    return first[outlying], excess[outlying]


def _lowest_and_highest(voltage: Floats, first: Integers, length: int) -> tuple[Floats, Floats]:
    """Return the lowest and the highest voltage of each run of ``length`` samples, in V, shape (len(first),)."""
    values = [voltage[first + k] for k in range(length)]
    return np.min(values, axis=0), np.max(values, axis=0)


def _is_spike(
    known: _KnownSamples, bound: _SpikeBound, first: Integers, excess: Floats, length: int, rest: float
) -> Mask:
    """Tell which candidates are spikes by noise, by what is around them and by the current, shape (candidates,).

    Args:
        known: the samples.
        bound: of the voltage.
        first, excess: of the candidates.
        length: of each candidate, in samples.
        rest: A, up to which the cell rests.
    """
    voltage = known.voltage
    current = known.current
    left = first - 1
    right = first + length
    lowest, highest = _lowest_and_highest(voltage, first, length)
    good: Mask = excess > bound.volt[first]
    good &= (excess > PAIR_FACTOR * (highest - lowest)) | (excess > PAIR_BOUND * bound.volt[first])
    same_ampere = SAME_CURRENT_SHARE * np.abs(current[left]) + rest
    for k in range(length):
        line = current[left] + (k + 1) / (length + 1) * (current[right] - current[left])
        good &= (np.abs(current[first + k] - line) <= same_ampere) & bound.astray[first + k]
    # A current that changes is an edge, unless it is the slow decay of a hold.
    held = np.abs(voltage[right] - voltage[left]) <= HELD_VOLT
    drift = np.where(held, CURRENT_DRIFT_HELD, CURRENT_DRIFT)
    good &= np.abs(current[right] - current[left]) <= drift * same_ampere
    return good


def _spike_bound(known: _KnownSamples) -> _SpikeBound:
    """Calculate what a spike must exceed. Medians over whole steps are slow, so call this only with candidates."""
    noise = estimate_step_noise(known.time, known.voltage, known.step)
    # In a step of a few samples a spike itself makes the noise.
    usual_noise = np.minimum(noise, NOISE_FACTOR * np.median(noise, axis=0))
    bound = np.maximum(SPIKE_VOLT, SPIKE_NOISE * usual_noise)
    # A good value between two spikes differs from both of them, but not from the median around all three.
    around = pd.Series(known.voltage).rolling(AROUND_ROWS, center=True, min_periods=1).median().to_numpy()
    return _SpikeBound(bound, np.abs(known.voltage - around) > 0.5 * bound)


def current_spike(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Find single currents far from both neighbours to which the voltage does not respond; interpolate them.

    The record's own edges show how the voltage responds. Without edges, and for small spikes, only a single value in a
    smooth course of the current (constant, or decaying in a hold) is a spike.
    """
    current = column_values(frame, c.CURRENT)
    spike = np.zeros(len(current), dtype=bool)
    corrected = current
    # If several are close together, the course is smooth only once the others are removed.
    while len(frame) >= 3:
        corrected_frame = frame.assign(**{c.CURRENT: corrected}) if spike.any() else frame
        new_spikes, line = _next_current_spikes(corrected_frame, settings)
        new_spikes &= ~spike
        if not new_spikes.any():
            break
        spike = spike | new_spikes
        corrected = np.where(new_spikes, line, corrected)
    if not spike.any():
        return RuleOutcome(frame)
    before = number_text(current, "A")
    after = number_text(corrected, "A")
    events = run_events(frame, spike, "current_spike", before, after, constant_text("interpolated"))
    frame = frame.assign(**{c.CURRENT: corrected})
    return RuleOutcome(set_flag(frame, spike, "current_spike"), tuple(events))


def _next_current_spikes(frame: pd.DataFrame, settings: CleanSettings) -> tuple[Mask, Floats]:
    """Tell which currents are spikes in the record as it is.

    Returns:
        The spikes, shape (n,), and the line between each sample's neighbours in A, shape (n,).
    """
    time = column_values(frame, c.TEST_TIME)
    voltage = column_values(frame, c.VOLTAGE)
    current = column_values(frame, c.CURRENT)
    step = frame[c.STEP_COUNT].to_numpy()
    capacity = cell_capacity_ah(settings)
    rest = rest_current(settings)
    line = current.copy()
    filled_current = _interpolate_missing(current, time)
    if not _is_isolated(filled_current, step, rest).any():
        return np.zeros(len(current), dtype=bool), line
    share = (time[1:-1] - time[:-2]) / (time[2:] - time[:-2])
    line[1:-1] = _line_between(filled_current, share)
    jump = np.zeros(len(current))
    jump[1:-1] = current[1:-1] - line[1:-1]
    size = np.abs(jump)
    response = np.full(len(current), np.nan)
    response[1:-1] = np.abs(voltage[1:-1] - _line_between(_interpolate_missing(voltage, time), share))
    # A row written twice is on the line to itself, which does not show how smooth the course is.
    twice = np.concatenate([[False], np.abs(share - 0.5) > 0.5 - TWICE_SHARE, [False]])
    smooth = _leaves_smooth_course(line, np.where(twice, np.nan, size), rest)
    alone = _change_across(filled_current, step) <= ACROSS_SHARE * size
    noise_volt = _response_noise(time, voltage, step)
    resistance = edge_resistance(voltage, current, step, capacity)
    if resistance is None:
        return alone & smooth & (response < ROUGH_RESPONSE_VOLT + noise_volt), line
    large = size > SPIKE_PER_AH * capacity
    measurable = resistance * size > np.where(smooth, RESPONSE_VOLT, ROUGH_RESPONSE_VOLT) + noise_volt
    no_response = response < RESPONSE_SHARE * resistance * size
    return alone & (large | smooth) & measurable & no_response, line


def _line_between(column: Floats, share: Floats) -> Floats:
    """Return the value on the line between each inner sample's neighbours, shape (n - 2,).

    Args:
        column: shape (n,).
        share: of the time between its neighbours that has passed at each inner sample, shape (n - 2,).
    """
    return column[:-2] + share * (column[2:] - column[:-2])


def _change_across(current: Floats, step: Integers) -> Floats:
    """Return how much the neighbours of each sample differ in A, shape (n,); infinite at edges of steps."""
    across = np.full(len(current), np.inf)
    same_step = (step[:-2] == step[2:]) & (step[:-2] == step[1:-1])
    across[1:-1] = np.where(same_step, np.abs(current[2:] - current[:-2]), np.inf)
    return across


def _response_noise(time: Floats, voltage: Floats, step: Integers) -> Floats:
    """Return by how much noise alone moves a voltage from the line between its neighbours, in V, shape (n,)."""
    known = np.isfinite(voltage)
    noise = np.zeros(len(voltage))
    noise[known] = SPIKE_NOISE / 2 * estimate_step_noise(time[known], voltage[known], step[known])
    return noise


def _is_isolated(current: Floats, step: Integers, rest: float) -> Mask:
    """Tell which inner samples are far from both neighbours, all in one step; a quick first look, shape (n - 2,).

    Args:
        current: A, shape (n,).
        step: shape (n,).
        rest: A, up to which the cell rests.
    """
    change = np.diff(current)
    left = change[:-1]
    right = change[1:]
    away = (np.abs(left) > rest) & (np.abs(right) > rest) & (left * right < 0.0)
    isolated: Mask = away & (step[:-2] == step[2:]) & (step[:-2] == step[1:-1])
    return isolated


def _interpolate_missing(column: Floats, time: Floats) -> Floats:
    """Return the column with missing values on the line in time between known ones, shape (n,)."""
    if not np.isnan(column).any():
        return column
    return np.asarray(pd.Series(column, index=time).interpolate("index"), dtype=np.float64)


def _leaves_smooth_course(line: Floats, size: Floats, rest: float) -> Mask:
    """Tell which currents leave the line between their neighbours where others stay on it, shape (n,).

    The others stay on it under a constant current and in a hold.

    Args:
        line: A, the line between each sample's neighbours, shape (n,).
        size: A, how far each sample is from it, shape (n,), NaN where that is no evidence.
        rest: A, up to which the cell rests.
    """
    usual = pd.Series(size).rolling(CONTROL_ROWS, center=True, min_periods=3).median().to_numpy()
    smooth = (np.abs(line) > rest) & (usual <= CONTROL_SHARE * np.abs(line))
    leaves: Mask = smooth & (size > SPIKE_SHARE * np.abs(line) + rest)
    return leaves


def edge_resistance(voltage: Floats, current: Floats, step: Integers, capacity_ah: float) -> float | None:
    """Return the median of |dV / dI| over the record's edges of current in ohm; ``None`` if there are too few.

    Each edge is weighted by its current, because small edges, such as at the end of a hold, hardly move the voltage.
    ``EDGE_SEARCHES`` says which edges are used.

    Args:
        voltage, current: V and A, shape (n,), NaN where missing.
        step: shape (n,).
        capacity_ah: A.h, with which edges scale.
    """
    jump = np.diff(current)
    rise = np.diff(voltage)
    between_steps = np.diff(step) != 0
    for between, least_per_ah, least_edges in EDGE_SEARCHES:
        place = between_steps if between else ~between_steps
        edge = place & (np.abs(jump) > least_per_ah * capacity_ah) & np.isfinite(rise)
        if edge.sum() >= least_edges:
            ratio = np.abs(rise[edge] / jump[edge])
            order = np.argsort(ratio)
            weight = np.cumsum(np.abs(jump[edge])[order])
            return float(ratio[order][np.searchsorted(weight, weight[-1] / 2.0)])
    return None
