"""Cleaning rules for several rows at one time: a clock that is too coarse, or a row whose other version is wrong."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Floats, Integers, Mask
from ...data.settings import CleanSettings
from ..record.noise import estimate_step_noise
from .rule import Event, RuleOutcome, column_values, constant_text, run_events, set_flag
from .spikes import NOISE_FACTOR
from .time_order import coarse_stamp_second

NUDGE_SECOND: Final = 0.001  # by which rows at one time are set apart
COARSE_SHARE: Final = 0.02  # of rows in conflict, above which the clock is coarse and the rows are good
VERSION_VOLT: Final = 0.0005  # the least by which two versions of a voltage differ; less is the channel's resolution
VERSION_NOISE: Final = 5.0  # standard deviations of the step's noise by which they differ
COARSE_SECOND: Final = 0.1  # resolution of a clock, from which on several samples may share a stamp
NOISE_GAIN: Final = 2.0
SWING_VOLT: Final = 0.01
EQUAL_COLUMNS: Final = (c.STEP_ID, c.CYCLE_ID, c.AMBIENT_TEMPERATURE, c.SURFACE_TEMPERATURE, c.CHARGING_CAPACITY,
               c.DISCHARGING_CAPACITY)  # fmt: skip


def duplicate_time(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Of two versions of one row quarantine the one that fits its neighbours less.

    Versions of a row share its time and all values but one, voltage or current. Both stay where they differ by noise
    alone, where the current jumps from one to the other (an edge sampled on both sides), where a quick change within
    the clock's resolution passes through both, or where such pairs are so many that the clock must be coarse.
    """
    first = _find_conflicting_rows(frame)
    if (
        len(first) == 0
        or coarse_stamp_second(column_values(frame, c.TEST_TIME))
        or len(first) > max(3.0, COARSE_SHARE * len(frame))
    ):
        return RuleOutcome(frame)
    worse = np.zeros(len(frame), dtype=bool)
    columns = {name: column_values(frame, name) for name in (c.TEST_TIME, c.VOLTAGE, c.CURRENT)}
    step, quantum = column_values(frame, c.STEP_ID), clock_quantum(columns[c.TEST_TIME])
    low, high = settings.voltage_limits_volt
    possible = (columns[c.VOLTAGE] >= low) & (columns[c.VOLTAGE] <= high)
    # What is out of range, or was found the worse one, is no neighbour to judge by.
    usable = columns | {c.VOLTAGE: np.where(possible, columns[c.VOLTAGE], np.nan), c.CURRENT: columns[c.CURRENT].copy()}
    for i in first:
        if not worse[i]:
            found = _worse(usable, step, quantum, int(i))
            worse[found] = True
            usable[c.VOLTAGE][found] = usable[c.CURRENT][found] = np.nan
    if not worse.any():
        return RuleOutcome(frame)
    voltage, current = columns[c.VOLTAGE], columns[c.CURRENT]
    told = run_events(frame, worse, "duplicate_time", lambda i, n: f"{voltage[i]:.6g} V, {current[i]:.6g} A",
                      constant_text("-"), constant_text("quarantined"))  # fmt: skip
    # The version that stays is as it was, so only the one taken out carries the flag.
    return RuleOutcome(frame[~worse], tuple(told), frame.index.to_numpy()[worse])


def _find_conflicting_rows(frame: pd.DataFrame) -> Integers:
    """First positions of neighbours that are equal in time and all but one of voltage and current."""
    at = np.flatnonzero(np.diff(column_values(frame, c.TEST_TIME)) == 0.0)
    for name in EQUAL_COLUMNS:
        column = column_values(frame, name)
        at = at[_equal(column[at], column[at + 1])]
    voltage, current = column_values(frame, c.VOLTAGE), column_values(frame, c.CURRENT)
    one = _equal(voltage[at], voltage[at + 1]) ^ _equal(current[at], current[at + 1])
    at = at[one]
    if len(at) == 0:
        return at
    run = np.cumsum(np.diff(column_values(frame, c.STEP_ID), prepend=np.nan) != 0)
    known = np.isfinite(voltage)
    bound = np.full(len(voltage), VERSION_VOLT)
    noise = estimate_step_noise(column_values(frame, c.TEST_TIME)[known], voltage[known], run[known])
    if len(noise):  # in a step of a few samples two versions themselves make the noise
        bound[known] = np.maximum(VERSION_VOLT, VERSION_NOISE * np.minimum(noise, NOISE_FACTOR * np.median(noise)))
    return at[~(np.abs(voltage[at + 1] - voltage[at]) <= bound[at]) | ~_equal(current[at], current[at + 1])]


def _equal(left: Floats, right: Floats) -> Mask:
    same: Mask = (left == right) | (np.isnan(left) & np.isnan(right))
    return same


def clock_quantum(time: Floats) -> float:
    """Return the largest of 1 s, 0.1 s, ... 1 ms of which nearly all stamps are multiples; 0 for a finer clock."""
    for quantum in (1.0, 0.1, 0.01, 0.001):
        ticks = time / quantum
        if float((np.abs(ticks - np.round(ticks)) < 1e-3).mean()) > 0.99:
            return quantum
    return 0.0


def _within_quantum(time: Floats, column: Floats, near: Integers, i: int, quantum: float) -> bool:
    """Tell whether a coarse clock explains two values at one time: a quick change passes through both of them."""
    before, after = near[near < i], near[near > i]
    if len(before) == 0 or len(after) == 0:
        return True
    left, right = before[-1], after[0]
    path = np.diff(column[[left, i, i + 1, right]])
    change = float(abs(column[right] - column[left]) * 2.0 * quantum / (time[right] - time[left]))
    return bool((path >= 0.0).all() or (path <= 0.0).all()) and abs(float(path[1])) <= change


def _worse(columns: dict[str, Floats], step: Floats, quantum: float, i: int) -> list[int]:
    """Which of the rows ``i`` and ``i + 1`` fits less: none, where both may be true."""
    pair = [i, i + 1]
    name = c.CURRENT if _equal(columns[c.VOLTAGE][[i]], columns[c.VOLTAGE][[i + 1]])[0] else c.VOLTAGE
    column, time = columns[name], columns[c.TEST_TIME]
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
    miss = [abs(column[row] - expected) for row in pair]
    return [pair[int(miss[1] >= miss[0])]]


def _is_edge(column: Floats, near: Integers, i: int) -> bool:
    """Tell whether the value goes from what was before to what comes after between rows ``i`` and ``i + 1``."""
    before, after = near[near < i], near[near > i]
    if len(before) == 0 or len(after) == 0:
        return True
    left, right = column[before[-1]], column[after[0]]
    onward = abs(column[i] - left) < abs(column[i + 1] - left) and abs(column[i + 1] - right) < abs(column[i] - right)
    return bool(onward)


def _neighbours(time: Floats, column: Floats, step: Floats, i: int) -> Integers:
    """Up to two finite rows on each side at other times, of the same step where there are any."""
    window = np.arange(max(i - 6, 0), min(i + 8, len(time)))
    window = window[np.isfinite(column[window]) & (time[window] != time[i])]
    within = window[_equal(step[window], np.full(len(window), step[i]))]
    window = within if len(within) else window
    return np.concatenate([window[window < i][-2:], window[window > i][:2]])


def _interpolate_at_zero(at: Floats, column: Floats) -> float:
    """Value at 0 of the line between the two nearest points of either side, or of the polynomial through all four."""
    if len(np.unique(at)) == 4:
        weights = np.array([np.prod([-other / (one - other) for other in at if other != one]) for one in at])
        # Points close together carry their noise far, and beside an edge the polynomial swings: then the line.
        line, smooth = float(np.interp(0.0, at, column)), float(weights @ column)
        if np.abs(weights).sum() <= NOISE_GAIN and abs(smooth - line) < SWING_VOLT:
            return smooth
    return float(np.interp(0.0, at, column))


def time_resolution(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Set rows at one time apart by 1 ms, less where the next row comes sooner, so that time increases strictly.

    Where the clock is too coarse for the log, as one of whole minutes is, rows are spread over the time to its next
    tick instead, evenly.
    """
    time = column_values(frame, c.TEST_TIME)
    behind = np.diff(time, prepend=time[:1] - 1.0) <= 0.0
    if not behind.any():
        return RuleOutcome(frame)
    place = np.arange(len(time))
    head = np.maximum.accumulate(np.where(behind, 0, place))
    size = np.bincount(head, minlength=len(time))[head]
    follows = np.append(time, np.inf)[head + size]
    tick = coarse_stamp_second(time)
    room = np.minimum(NUDGE_SECOND, (follows - time[head]) / (size + 1))
    if tick:
        room = np.minimum(tick, follows - time[head]) / size
    apart = np.where(behind, time[head] + (place - head) * room, time)
    moved = apart != time
    event = Event(
        "time_resolution", int(frame.index[int(np.argmax(moved))]), int(moved.sum()),
        f"a clock of {tick:g} s" if tick else "at the time of the row before",
        f"up to {float((apart - time).max()):.4g} s later", "set apart",
    )  # fmt: skip
    return RuleOutcome(set_flag(frame.assign(**{c.TEST_TIME: apart}), moved, "time_resolution"), (event,))
