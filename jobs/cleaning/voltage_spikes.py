"""Cleaning rule about spikes of the voltage. Real edges, pulses and relaxations must pass unchanged.

A spike is a value far from both of its neighbours on the same side, while the current shows that nothing happened. A
relaxation is monotonic, an edge does not return, and a pulse moves voltage and current.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ...data import columns as c
from ...data.arrays import Floats, Integers, Mask
from ...data.settings import CleanSettings
from ..record.groups import medians_around
from ..record.noise import estimate_step_noise
from ..record.table import Table
from .missing_values import MOST_OUT_OF_RANGE, fill_voltage
from .rule import (
    RuleOutcome,
    column_values,
    fill_from_neighbours,
    find_runs,
    number_text,
    rest_current,
    run_events,
    set_flag,
)
from .voltage_jumps import find_real_extremes, may_jump

SPIKE_VOLT: Final = 0.02
"""V: smallest spike, however quiet the channel. Chosen, not measured."""

SPIKE_NOISE: Final = 8.0
"""A spike is larger than this many standard deviations of the step's noise. Chosen, not measured."""

NOISE_FACTOR: Final = 10.0
"""Times the record's median noise: a step's noise counts up to this, because in a short step the spike itself makes the
noise. Chosen, not measured."""

RESTLESS: Final = 4.5
"""A spike is larger than this many median bends of the voltage around it, at one current. Chosen: white noise bends by
1.65 standard deviations, so this is 7.4 of them. A DFN near its limit (ORegan2022 at 2C) swings by 0.02 to 0.08 V."""

RESTLESS_ROWS: Final = 31
"""Number of rows around a sample whose bends are looked at: five spikes among them do not move the median."""

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


def voltage_spike(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Find one or two voltages that differ from both sides of their step at the same current; interpolate.

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


def _next_voltage_spikes(frame: Table, settings: CleanSettings) -> Mask:
    """Tell which voltages are spikes in the record as it is; first only those outside the limits, shape (n,)."""
    beyond = _beyond_limits(frame, settings)
    if beyond.any():
        return beyond
    return _find_outliers(frame, settings)


def _beyond_limits(frame: Table, settings: CleanSettings) -> Mask:
    """Tell which voltages are outside the limits, in runs of up to ``SPIKE_ROWS`` between good ones, shape (n,).

    Voltages that the cell really had are not among them.
    """
    voltage = column_values(frame, c.VOLTAGE)
    low, high = settings.voltage_limits_volt
    out = (voltage < low) | (voltage > high)
    spike = np.zeros(len(voltage), dtype=bool)
    if not out.any() or out.sum() > MOST_OUT_OF_RANGE * np.isfinite(voltage).sum():
        return spike
    out &= ~find_real_extremes(frame, out, settings)
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
    """What a spike must exceed.

    Args:
        voltage: V, shape (m,).
        noise_volt: V, by the noise of each sample's step, shape (m,).
        bend_volt: V, how much the voltage bends from row to row at each sample, shape (m,); NaN where the current
            changes beside it.
    """

    voltage: Floats
    noise_volt: Floats
    bend_volt: Floats

    def volt(self, rows: Integers) -> Floats:
        """Return by how much the voltage of some samples must differ from its neighbours, in V.

        A step's noise says little of a part of it in which the cell itself is restless, so the bends around count too.
        """
        bend = medians_around(self.bend_volt, rows, RESTLESS_ROWS, RESTLESS_ROWS // 2)
        return np.fmax(self.noise_volt[rows], RESTLESS * bend)

    def is_astray(self, rows: Integers) -> Mask:
        """Tell which of some samples differ from the median around them.

        A good value between two spikes differs from both of them, but not from the median around all three.
        """
        around = medians_around(self.voltage, rows, AROUND_ROWS)
        return np.asarray(np.abs(self.voltage[rows] - around) > 0.5 * self.volt(rows))


def _find_outliers(frame: Table, settings: CleanSettings) -> Mask:
    """Tell which voltages, alone or in pairs, are beyond both neighbours by more than these differ, shape (n,)."""
    spike = np.zeros(len(frame), dtype=bool)
    if not may_jump(frame, SPIKE_VOLT):
        return spike
    position = np.flatnonzero(np.isfinite(column_values(frame, c.VOLTAGE)))
    voltage = column_values(frame, c.VOLTAGE)[position]
    begins = 1 + np.flatnonzero(np.abs(np.diff(voltage)) > SPIKE_VOLT)  # a spike begins with a jump
    if len(begins) == 0:
        return spike
    current = fill_from_neighbours(column_values(frame, c.CURRENT))
    known = _KnownSamples(
        position,
        column_values(frame, c.TEST_TIME)[position],
        voltage,
        np.where(np.isnan(current), 0.0, current)[position],
        frame[c.STEP_COUNT][position],
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
    least_volt = bound.volt(first)
    good: Mask = excess > least_volt
    good &= (excess > PAIR_FACTOR * (highest - lowest)) | (excess > PAIR_BOUND * least_volt)
    same_ampere = SAME_CURRENT_SHARE * np.abs(current[left]) + rest
    for k in range(length):
        line = current[left] + (k + 1) / (length + 1) * (current[right] - current[left])
        good &= (np.abs(current[first + k] - line) <= same_ampere) & bound.is_astray(first + k)
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
    bend = np.full(len(known.voltage), np.nan)
    bend[1:-1] = np.abs(np.diff(known.voltage, n=2))
    jumped = np.abs(np.diff(known.current)) > SAME_CURRENT_SHARE * np.abs(known.current[1:])
    bend[1:][jumped] = np.nan
    bend[:-1][jumped] = np.nan
    return _SpikeBound(known.voltage, np.maximum(SPIKE_VOLT, SPIKE_NOISE * usual_noise), bend)
