"""Cleaning rules for several rows at one time: a clock that is too coarse, or two versions of one row."""

from __future__ import annotations

from typing import Final

import numpy as np

from ...data import columns as c
from ...data.arrays import Floats, Integers, Mask
from ...data.settings import CleanSettings
from ..record.noise import estimate_step_noise
from ..record.table import Table
from .rule import Event, RuleOutcome, column_values, constant_text, run_events, set_flag
from .time_order import coarse_stamp_second
from .voltage_spikes import NOISE_FACTOR

# duplicate_time

COARSE_SHARE: Final = 0.02
"""Share of all rows: if more rows than this are in conflict, the clock is coarse and the rows are good. Chosen, not
measured."""

COARSE_PAIRS: Final = 3.0
"""Number of conflicts that never make a clock coarse. Chosen, not measured."""

VERSION_VOLT: Final = 0.0005
"""V: two versions of a voltage differ by more; a smaller difference is the channel's resolution. Chosen, not
measured."""

VERSION_NOISE: Final = 5.0
"""Two versions of a voltage differ by more than this many standard deviations of the step's noise. Chosen, not
measured."""

COARSE_SECOND: Final = 0.1
"""s: resolution of a clock from which on several samples may share a time stamp. Chosen, not measured."""

QUANTA_SECOND: Final = (1.0, 0.1, 0.01, 0.001)
"""s: resolutions of clocks that are recognised, the coarsest first."""

NEAR_ROWS: Final = 6
"""Rows on each side among which neighbours are searched. Chosen, not measured."""

NOISE_GAIN: Final = 2.0
"""Largest sum of the weights, without sign, by which a polynomial through four points may amplify their noise. Chosen,
not measured."""

SWING_VOLT: Final = 0.01
"""V, or A for a current: largest difference between polynomial and line, so that the polynomial does not swing at an
edge. Chosen, not measured."""

EQUAL_COLUMNS: Final = (
    c.STEP_ID,
    c.CYCLE_ID,
    c.AMBIENT_TEMPERATURE,
    c.SURFACE_TEMPERATURE,
    c.CHARGING_CAPACITY,
    c.DISCHARGING_CAPACITY,
    c.STEP_TIME,
)
"""Columns that are equal in two versions of one row."""

# time_resolution

NUDGE_SECOND: Final = 0.001
"""s between rows that had one time. Chosen, not measured."""


def duplicate_time(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Of two versions of one row quarantine the one that fits its neighbours less.

    Versions of a row share its time and all values but one, voltage or current. Both stay if they differ by noise
    alone, if the current jumps from one to the other (an edge sampled on both sides), if a quick change within the
    clock's resolution passes through both, or if there are so many such pairs that the clock must be coarse.
    """
    first = _find_conflicting_rows(frame)
    if len(first) == 0:
        return RuleOutcome(frame)
    time = column_values(frame, c.TEST_TIME)
    if coarse_stamp_second(time) or len(first) > max(COARSE_PAIRS, COARSE_SHARE * len(frame)):
        return RuleOutcome(frame)
    voltage = column_values(frame, c.VOLTAGE)
    current = column_values(frame, c.CURRENT)
    step = column_values(frame, c.STEP_ID)
    quantum = clock_quantum(time)
    low, high = settings.voltage_limits_volt
    # Voltages out of range, and rows found to be the worse version, are no neighbours to judge by.
    usable = {
        c.TEST_TIME: time,
        c.VOLTAGE: np.where((voltage >= low) & (voltage <= high), voltage, np.nan),
        c.CURRENT: current.copy(),
    }
    worse = np.zeros(len(frame), dtype=bool)
    for i in first:
        if worse[i]:
            continue
        rows = _worse_rows(usable, step, quantum, int(i))
        worse[rows] = True
        usable[c.VOLTAGE][rows] = np.nan
        usable[c.CURRENT][rows] = np.nan
    if not worse.any():
        return RuleOutcome(frame)

    def before(i: int, n: int) -> str:
        return f"{voltage[i]:.6g} V, {current[i]:.6g} A"

    events = run_events(frame, worse, "duplicate_time", before, constant_text("-"), constant_text("quarantined"))
    # The version that stays is unchanged, so it carries no flag.
    return RuleOutcome(frame.rows(~worse), tuple(events), frame.labels[worse])


def _find_conflicting_rows(frame: Table) -> Integers:
    """Return the first of each two neighbours that are equal in time and in all but one of voltage and current."""
    time = column_values(frame, c.TEST_TIME)
    at = np.flatnonzero(np.diff(time) == 0.0)
    for name in EQUAL_COLUMNS:
        column = column_values(frame, name)
        at = at[_equal(column[at], column[at + 1])]
    voltage = column_values(frame, c.VOLTAGE)
    current = column_values(frame, c.CURRENT)
    one_differs = _equal(voltage[at], voltage[at + 1]) ^ _equal(current[at], current[at + 1])
    at = at[one_differs]
    if len(at) == 0:
        return at
    step = np.cumsum(np.diff(column_values(frame, c.STEP_ID), prepend=np.nan) != 0)
    known = np.isfinite(voltage)
    bound = np.full(len(voltage), VERSION_VOLT)
    noise = estimate_step_noise(time[known], voltage[known], step[known])
    if len(noise):
        # In a step of a few samples the two versions themselves make the noise.
        noise = np.minimum(noise, NOISE_FACTOR * np.median(noise))
        bound[known] = np.maximum(VERSION_VOLT, VERSION_NOISE * noise)
    voltages_agree = np.abs(voltage[at + 1] - voltage[at]) <= bound[at]
    currents_agree = _equal(current[at], current[at + 1])
    return at[~voltages_agree | ~currents_agree]


def _equal(left: Floats, right: Floats) -> Mask:
    """Tell where two arrays are equal, or both NaN."""
    same: Mask = (left == right) | (np.isnan(left) & np.isnan(right))
    return same


def clock_quantum(time: Floats) -> float:
    """Return the largest of 1 s, 0.1 s, ... 1 ms of which nearly all stamps are multiples; 0 for a finer clock.

    Args:
        time: s, shape (n,).
    """
    for quantum in QUANTA_SECOND:
        ticks = time / quantum
        if float((np.abs(ticks - np.round(ticks)) < 1e-3).mean()) > 0.99:
            return quantum
    return 0.0


def _worse_rows(columns: dict[str, Floats], step: Floats, quantum: float, i: int) -> list[int]:
    """Return which of the rows ``i`` and ``i + 1`` fit less; none if both may be true.

    Args:
        columns: time, voltage and current, shape (n,) each, NaN where they are no evidence.
        step: the file's numbers, shape (n,).
        quantum: the clock's resolution in s.
        i: the first of the two rows.
    """
    pair = [i, i + 1]
    time = columns[c.TEST_TIME]
    name = c.VOLTAGE
    if _equal(columns[c.VOLTAGE][[i]], columns[c.VOLTAGE][[i + 1]])[0]:
        name = c.CURRENT
    column = columns[name]
    missing = [row for row in pair if np.isnan(column[row])]
    if missing:
        return missing
    near = _neighbours(time, column, step, i)
    if len(near) == 0:
        return [i + 1]
    if quantum >= COARSE_SECOND and _within_quantum(time, column, near, i, quantum):
        return []
    if name == c.CURRENT and _is_edge(column, near, i):
        return []
    expected = _interpolate_at_zero(time[near] - time[i], column[near])
    first_misses_by = abs(column[i] - expected)
    second_misses_by = abs(column[i + 1] - expected)
    if second_misses_by >= first_misses_by:
        return [i + 1]
    return [i]


def _neighbours(time: Floats, column: Floats, step: Floats, i: int) -> Integers:
    """Return up to two known rows on each side at other times, if possible of the same step."""
    window = np.arange(max(i - NEAR_ROWS, 0), min(i + 2 + NEAR_ROWS, len(time)))
    window = window[np.isfinite(column[window]) & (time[window] != time[i])]
    within_step = window[_equal(step[window], np.full(len(window), step[i]))]
    if len(within_step):
        window = within_step
    return np.concatenate([window[window < i][-2:], window[window > i][:2]])


def _within_quantum(time: Floats, column: Floats, near: Integers, i: int, quantum: float) -> bool:
    """Tell whether a coarse clock explains two values at one time: a quick change passes through both of them."""
    before = near[near < i]
    after = near[near > i]
    if len(before) == 0 or len(after) == 0:
        return True
    left = before[-1]
    right = after[0]
    path = np.diff(column[[left, i, i + 1, right]])
    one_way = bool((path >= 0.0).all() or (path <= 0.0).all())
    possible_change = float(abs(column[right] - column[left]) * 2.0 * quantum / (time[right] - time[left]))
    return one_way and abs(float(path[1])) <= possible_change


def _is_edge(column: Floats, near: Integers, i: int) -> bool:
    """Tell whether the value goes from what was before to what comes after between rows ``i`` and ``i + 1``."""
    before = near[near < i]
    after = near[near > i]
    if len(before) == 0 or len(after) == 0:
        return True
    left = column[before[-1]]
    right = column[after[0]]
    first_is_left = abs(column[i] - left) < abs(column[i + 1] - left)
    second_is_right = abs(column[i + 1] - right) < abs(column[i] - right)
    return bool(first_is_left and second_is_right)


def _interpolate_at_zero(at: Floats, column: Floats) -> float:
    """Return the value at 0 of the polynomial through four points, or of the line between the nearest ones.

    The line is used if there are fewer than four points, if they are so close together that the polynomial amplifies
    their noise, or if the polynomial swings, as it does at an edge.

    Args:
        at: increasing, s from the row in question, shape (points,).
        column: V or A, shape (points,).
    """
    line = float(np.interp(0.0, at, column))
    if len(np.unique(at)) < 4:
        return line
    weights = np.array([np.prod([-other / (one - other) for other in at if other != one]) for one in at])
    polynomial = float(weights @ column)
    if np.abs(weights).sum() <= NOISE_GAIN and abs(polynomial - line) < SWING_VOLT:
        return polynomial
    return line


def time_resolution(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Set rows at one time apart by 1 ms, less where the next row comes sooner, so that time increases strictly.

    If the clock is too coarse for the log, such as one of whole minutes, rows are spread evenly over the time to its
    next tick instead.
    """
    time = column_values(frame, c.TEST_TIME)
    not_later = np.concatenate([[False], time[1:] <= time[:-1]])
    if not not_later.any():
        return RuleOutcome(frame)
    position = np.arange(len(time))
    first_of_group = np.maximum.accumulate(np.where(not_later, 0, position))
    group_size = np.bincount(first_of_group, minlength=len(time))[first_of_group]
    next_time = np.append(time, np.inf)[first_of_group + group_size]
    available = next_time - time[first_of_group]
    tick = coarse_stamp_second(time)
    if tick:
        before = f"a clock of {tick:g} s"
        distance = np.minimum(tick, available) / group_size
    else:
        before = "at the time of the row before"
        distance = np.minimum(NUDGE_SECOND, available / (group_size + 1))
    place_in_group = position - first_of_group
    apart = np.where(not_later, time[first_of_group] + place_in_group * distance, time)
    moved = apart != time
    first = int(frame.labels[int(np.argmax(moved))])
    after = f"up to {float((apart - time).max()):.4g} s later"
    event = Event("time_resolution", first, int(moved.sum()), before, after, "set apart")
    frame = frame.assign(**{c.TEST_TIME: apart})
    return RuleOutcome(set_flag(frame, moved, "time_resolution"), (event,))
