"""Cleaning rules about voltages that change without a cause, or do not change although there is one."""

from __future__ import annotations

from typing import Final

import numpy as np

from ...data import columns as c
from ...data.arrays import Floats, Integers, Mask
from ...data.convert import SECONDS_PER_HOUR
from ...data.rules import flag_bit
from ...data.settings import CleanSettings
from ...data.text import format_amount
from ..record.noise import estimate_step_noise
from ..record.table import Table
from ..record.units import SAMPLED
from .rule import (
    RuleOutcome,
    cell_capacity_ah,
    column_values,
    constant_text,
    find_runs,
    flag_values,
    number_text,
    rest_current,
    run_events,
    set_flag,
)

# voltage_step

AROUND: Final = 3
"""Number of intervals on each side that show how the voltage usually moves. Chosen, not measured."""

STEEP: Final = 5.0
"""A voltage step is this many times larger than what the intervals around it move in the same time. Chosen, not
measured."""

RESOLUTIONS: Final = 3.0
"""A voltage step is at least this many times the channel's resolution. Chosen, not measured."""

STEP_NOISE: Final = 8.0
"""A voltage step is at least this many standard deviations of its step's noise. Chosen, not measured."""

SAME_SHARE: Final = 0.02
"""Share of the current: two currents are the same if they differ by less. Chosen, not measured."""

SAME_REST_SHARE: Final = 0.2
"""Share of the current of a rest that is added to the difference that ``SAME_SHARE`` allows. Chosen, not measured."""

LONG: Final = 5.0
"""An interval this many times longer than those around it is left: something may have happened in it. Chosen, not
measured."""

# channel_change

REST_SAMPLES: Final = 5
"""Number of samples on each side whose median is a rest's voltage there. Chosen, not measured."""

RELAXATION_FACTOR: Final = 2.0
"""A channel change exceeds the expected relaxation this many times. Chosen, not measured."""

# voltage_stuck

STUCK_SAMPLES: Final = 20
"""Least number of equal voltages in a row. Chosen, not measured."""

STUCK_CHARGE_SHARE: Final = 0.05
"""Share of the capacity that must pass at a steady current meanwhile. Chosen, not measured."""

STUCK_STEADY_SHARE: Final = 0.02
"""Share of the current by which a steady current may vary. Chosen, not measured."""

STUCK_FACTOR: Final = 10.0
"""A stuck voltage stays the same over this many times more samples than usual. Chosen, not measured."""

STUCK_EDGE_PER_AH: Final = 0.2
"""A per A.h of capacity: the smallest edge of the current to which a voltage responds. Chosen, not measured."""

STUCK_EDGES: Final = 3
"""Number of edges upwards, and as many downwards, without a response. Chosen, not measured."""

LIMIT_VOLT: Final = 0.005
"""V from the record's highest or lowest voltage: this close to it a cycler may hold the voltage. Chosen, not
measured."""


def voltage_step(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Report voltages that change by ``voltage_step_volt`` or more between two samples and stay, at the same current.

    Current and step are the same over three intervals on each side. In none of these the voltage moves a fifth as fast.
    So edges, pulses, relaxations and ends of discharge are not reported. Either a contact's resistance has changed, or
    the channel's leads. Values are left.
    """
    time = column_values(frame, c.TEST_TIME)
    voltage = column_values(frame, c.VOLTAGE)
    current = column_values(frame, c.CURRENT)
    moves = np.abs(np.diff(voltage))
    if float(moves.max(initial=0.0)) < settings.voltage_step_volt:
        return RuleOutcome(frame)
    least_volt = max(settings.voltage_step_volt, RESOLUTIONS * _channel_resolution(moves))
    # The current's own edges are left out first: in a drive cycle they are most of the candidates.
    same_current = np.abs(np.diff(current)) <= SAME_SHARE * np.abs(current[1:]) + SAME_REST_SHARE * rest_current(
        settings
    )
    candidates = 1 + np.flatnonzero(same_current & (moves >= least_volt))
    candidates = candidates[(candidates > AROUND) & (candidates + AROUND < len(frame))]
    changed = np.zeros(len(frame), dtype=bool)
    if len(candidates):
        candidates = _much_steeper_than_neighbours(time, voltage, candidates)
        candidates = candidates[_same_control(frame, current, candidates, settings)]
    if len(candidates):
        noise = estimate_step_noise(time, np.nan_to_num(voltage), frame[c.STEP_COUNT].astype(np.int64), candidates)
        change = np.abs(voltage[candidates] - voltage[candidates - 1])
        changed[candidates[change >= STEP_NOISE * noise]] = True

    def before(i: int, n: int) -> str:
        return f"{voltage[i - 1]:.5g} V, then {voltage[i]:.5g} V"

    def after(i: int, n: int) -> str:
        return f"{format_amount(current[i])} A throughout"

    events = run_events(frame, changed, "voltage_step", before, after, constant_text("reported"))
    return RuleOutcome(set_flag(frame, changed, "voltage_step"), tuple(events))


def _channel_resolution(moves: Floats) -> float:
    """Return the resolution of a channel in V: nearly the smallest change in a sample of all changes.

    Args:
        moves: V, without sign, between neighbouring samples.
    """
    some = moves[:: max(len(moves) // SAMPLED, 1)]
    if not (some > 0.0).any():
        return 0.0
    return float(np.quantile(some[some > 0.0], 0.05))


def _much_steeper_than_neighbours(time: Floats, voltage: Floats, at: Integers) -> Integers:
    """Return those intervals in which the voltage moves far faster than in any interval next to them.

    Args:
        time, voltage: shape (n,).
        at: positions of the samples in which the intervals end.
    """
    beside = np.array([k for k in range(-AROUND, AROUND + 1) if k != 0])
    near = at[:, None] + beside
    seconds = time[near] - time[near - 1]
    rise = voltage[near] - voltage[near - 1]
    interval = time[at] - time[at - 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = np.max(np.abs(rise) / seconds, axis=1) * interval
        # A coarse clock may count time in one interval that belongs to another one.
        usual = np.median(seconds, axis=1)
        steady = (interval <= LONG * usual) & (interval >= usual / LONG)
        largest_near = np.maximum(expected, np.max(np.abs(rise), axis=1))
        steep = np.abs(voltage[at] - voltage[at - 1]) > STEEP * largest_near
    steepest: Integers = at[steep & steady]
    return steepest


def _same_control(frame: Table, current: Floats, at: Integers, settings: CleanSettings) -> Mask:
    """Tell around which positions ``at`` step and current stay the same, without a gap or restart of the clock."""
    near = at[:, None] + np.arange(-AROUND - 1, AROUND + 1)
    step = frame[c.STEP_COUNT]
    around = current[near]
    bound = SAME_SHARE * np.abs(np.median(around, axis=1)) + SAME_REST_SHARE * rest_current(settings)
    broken_flags = flag_bit("time_gap") | flag_bit("time_restart")
    unbroken = (flag_values(frame)[near] & broken_flags == 0).all(axis=1)
    same_step = (step[near] == step[at][:, None]).all(axis=1)
    same: Mask = unbroken & (np.ptp(around, axis=1) <= bound) & same_step
    return same


def channel_change(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Report where a rest's voltage differs after a new file, a restart or a pause, though no charge has passed.

    Both sides are at rest. The difference is ``channel_difference_volt`` or more, plus what the continuing relaxation
    can explain: the cell was moved to another channel, or charge passed unseen. Values are left.
    """
    time = column_values(frame, c.TEST_TIME)
    voltage = column_values(frame, c.VOLTAGE)
    source = frame[c.SOURCE_INDEX]
    broken_flags = flag_bit("time_gap") | flag_bit("time_restart")
    new_file = np.diff(source, prepend=source[:1]) != 0
    broken = (flag_values(frame) & broken_flags != 0) | new_file
    broken[_pauses(time, settings)] = True
    if not broken.any():
        return RuleOutcome(frame)
    changed = np.zeros(len(frame), dtype=bool)
    resting = np.abs(column_values(frame, c.CURRENT)) <= rest_current(settings)
    first, length = find_runs(resting & np.isfinite(voltage))
    # There are few broken places: new files, restarts, power cuts.
    for i in np.flatnonzero(broken):
        k = int(np.searchsorted(first, i, side="right")) - 1
        if k < 0 or i >= first[k] + length[k]:
            continue
        before = np.arange(first[k], i)
        after = np.arange(i, first[k] + length[k])
        if min(len(before), len(after)) >= REST_SAMPLES:
            left = np.median(voltage[before[-REST_SAMPLES:]])
            right = np.median(voltage[after[:REST_SAMPLES]])
            bound = settings.channel_difference_volt + _possible_relaxation_volt(time, voltage, before, after)
            changed[i] = abs(right - left) >= bound

    def two_voltages(i: int, n: int) -> str:
        return f"{voltage[i - 1]:.5g} V at rest, then {voltage[i]:.5g} V"

    events = run_events(
        frame, changed, "channel_change", two_voltages, constant_text("no charge between"), constant_text("reported")
    )
    return RuleOutcome(set_flag(frame, changed, "channel_change"), tuple(events))


def _pauses(time: Floats, settings: CleanSettings) -> Integers:
    """Return the positions of samples before which nothing was written for far longer than usual around them."""
    interval = np.diff(time, prepend=time[:1])
    at = np.flatnonzero(interval > settings.gap_second)
    near = np.clip(at[:, None] + np.array([-3, -2, -1, 1, 2, 3]), 0, len(time) - 1)
    usual_before = np.median(interval[near[:, :3]], axis=1)
    usual_after = np.median(interval[near[:, 3:]], axis=1)
    usual = np.maximum(usual_before, usual_after)
    long: Integers = at[interval[at] > settings.gap_factor * usual]
    return long


def _possible_relaxation_volt(time: Floats, voltage: Floats, before: Integers, after: Integers) -> float:
    """Return how far a relaxation may continue between the medians of both sides, in V.

    A relaxation is nearly linear in the logarithm of time. In the last third of the rest, the time since its beginning
    grew by a factor of 1.5; the voltage may move as much again for each such factor.

    Args:
        time, voltage: shape (n,).
        before, after: positions of the rest's samples on both sides of the break.
    """
    middle = float(np.median(time[before[-REST_SAMPLES:]]))
    elapsed = float(np.median(time[after[:REST_SAMPLES]])) - middle
    rested = float(time[before[-1]] - time[before[0]])
    last_third = before[time[before] >= time[before[0]] + 2.0 * rested / 3.0]
    moved = 0.0
    if rested > 0.0:
        moved = float(np.ptp(voltage[last_third]))
    factors = np.log1p(elapsed / max(middle - float(time[before[0]]), 1.0)) / np.log(1.5)
    noise = float(np.median(np.abs(np.diff(voltage[after]))))
    return RELAXATION_FACTOR * moved * max(1.0, float(factors)) + noise


def voltage_stuck(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Flag a voltage that stays exactly the same over many samples while a current flows, but not at a held voltage.

    Either 5 % of the capacity passes at a steady current, and voltages elsewhere change ten times as often; or the
    current jumps up and down and the voltage does not respond. A held voltage differs from both: its current decays,
    and it is near the highest or lowest voltage of the record. Nothing is changed.
    """
    voltage = column_values(frame, c.VOLTAGE)
    stuck = np.zeros(len(voltage), dtype=bool)
    first, equal_pairs = find_runs(np.diff(voltage) == 0.0)
    length = equal_pairs + 1
    usual = _usual_length(length, len(voltage))
    low = np.nanmin(voltage, initial=np.inf)
    high = np.nanmax(voltage, initial=-np.inf)
    inside = (voltage[first] > low + LIMIT_VOLT) & (voltage[first] < high - LIMIT_VOLT) & (length >= STUCK_SAMPLES)
    for i, n in zip(first[inside], length[inside], strict=True):
        rows = slice(int(i), int(i + n))
        long = n >= STUCK_FACTOR * usual
        stuck[rows] = _ignores_current(frame, rows, settings) or (long and _passes_charge(frame, rows, settings))
    before = number_text(voltage, "V")
    events = run_events(frame, stuck, "voltage_stuck", before, constant_text("as it was"), constant_text("left"))
    return RuleOutcome(set_flag(frame, stuck, "voltage_stuck"), tuple(events))


def _usual_length(length: Integers, samples: int) -> float:
    """Return the length of the run of equal voltages around the median sample outside the longest run.

    Args:
        length: of the runs of two or more equal voltages.
        samples: of the record; those outside the runs are runs of one.
    """
    without_longest = np.sort(length)[:-1]
    singles = samples - int(length.sum())
    reached = singles + np.cumsum(without_longest)
    total = reached[-1] if len(reached) else singles
    half = 0.5 * total
    if singles >= half:
        return 1.0
    return float(without_longest[np.searchsorted(reached, half)])


def _passes_charge(frame: Table, rows: slice, settings: CleanSettings) -> bool:
    """Tell whether ``STUCK_CHARGE_SHARE`` of the capacity passes at one current."""
    current = column_values(frame, c.CURRENT)[rows]
    time = column_values(frame, c.TEST_TIME)[rows]
    if not np.isfinite(current).all():
        return False
    size = float(abs(np.median(current)))
    if size <= rest_current(settings):
        return False  # a rested cell's voltage stays the same for days, whatever offset the channel has
    steady = float(np.ptp(current)) <= STUCK_STEADY_SHARE * size
    charge = size * float(time[-1] - time[0]) / SECONDS_PER_HOUR
    return steady and charge >= STUCK_CHARGE_SHARE * cell_capacity_ah(settings)


def _ignores_current(frame: Table, rows: slice, settings: CleanSettings) -> bool:
    """Tell whether the current jumps up and down within these rows, to which an equal voltage does not respond."""
    jump = np.diff(column_values(frame, c.CURRENT)[rows])
    edge = STUCK_EDGE_PER_AH * cell_capacity_ah(settings)
    upwards = int((jump > edge).sum())
    downwards = int((jump < -edge).sum())
    return min(upwards, downwards) >= STUCK_EDGES
