"""The cleaning rule about gaps in the log, and the evidence for how long one was and whether the current continued."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Floats, Integers, Mask
from ...data.convert import SECONDS_PER_HOUR
from ...data.rules import flag_bit
from ...data.settings import CleanSettings
from ..record.table import Table
from .rule import (
    RuleOutcome,
    cell_capacity_ah,
    column_values,
    constant_text,
    find_runs,
    flag_values,
    rest_current,
    run_events,
    set_flag,
)

EVIDENCE: Final = (c.CURRENT, c.VOLTAGE, c.CHARGING_CAPACITY, c.DISCHARGING_CAPACITY)
"""The columns that show what happened while nothing was logged."""

# time_gap

TRICKLE: Final = 4.0
"""Times the current of a rest: up to this no current flows; so much may be left after an edge, or be an offset.
Chosen, not measured."""

USUAL_INTERVALS: Final = 3
"""Number of intervals on each side whose median is the usual interval. Chosen, not measured."""

REGULAR_INTERVALS: Final = 4
"""Number of intervals on each side that must be alike in a regular log. Chosen, not measured."""

REGULAR_SPREAD: Final = 1.1
"""Times the shortest of these intervals: the longest of a regular log. Chosen, not measured."""

REGULAR: Final = 4.0
"""In a regular log a gap needs only ``gap_factor`` divided by this. Chosen, not measured."""

WENT_ON: Final = 2.0
"""The current continued if the interval and the time that the voltage gives differ by less than this factor. Chosen,
not measured."""

SAME_CURRENT: Final = 0.05
"""Share by which a current may differ and be the same; also the charge counter's time from the interval. Chosen, not
measured."""

SPARSE_ROWS: Final = 3
"""Most rows of a step in a sparse log: its first, its last and one more. Chosen, not measured."""

SPARSE_STEPS: Final = 5
"""Number of steps on each side that show whether a log is sparse. Chosen, not measured."""

PLANNED_SHARE: Final = 0.002
"""Share of an interval by which others may differ and be as long: the schedule plans it. Chosen, not measured."""

PLANNED_REST_SECOND: Final = 21_600.0
"""s: longest planned rest between two steps over which an offset may be integrated. Chosen, not measured."""

STEP_TIME_SHARE: Final = 0.95
"""Least share of an interval that the file's time in the step counts on, if the cycler was on. Chosen, not measured."""

OFFSET_SHARE: Final = 5e-4
"""Share of the capacity that an offset must add up to over a pause, for it to be found there. Chosen, not measured."""

# The time that the voltage gives

FIT_SAMPLES: Final = 8
"""Number of samples on each side through which a line is fitted; half as many known ones are enough. Chosen, not
measured."""

SLOPE_NOISE: Final = 2.0
"""Standard deviations of the noise that the line must rise over its samples. Chosen, not measured."""

SIGNIFICANT: Final = 8.0
"""Standard deviations of the noise that the voltage must have moved across the gap. Chosen, not measured."""

MOVED_VOLT: Final = 0.002
"""V: the same, and at least this much. Chosen, not measured."""

TWIN_CURRENT: Final = 0.01
"""Share of the current: another step with the same current differs by less. Chosen, not measured."""

TWINS: Final = 5
"""Most other steps that are compared, the nearest first. Chosen, not measured."""

SLOPE_RATIO: Final = 2.0
"""Largest factor between the slopes on both sides of a gap under a current. Chosen, not measured."""

RELAXED_RATIO: Final = 0.9
"""Largest slope after a rest's gap over that before it, for a relaxation. Chosen, not measured."""


def time_gap(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Find times without samples that are much longer than the intervals around them: the power was out.

    The interval must exceed ``gap_second``, and ``gap_factor`` times the median of the three intervals on either side;
    a quarter of that if the four on either side are alike. A sparse log has no usual interval: steps of one to three
    rows, and intervals that come again, are planned. Between two rows without a current it counts only inside a step,
    because a planned rest may be logged at its end alone. If the cycler's counter, its time in the step or the voltage
    continued as under the current, only the log was interrupted: that is no gap, and its charge counts.
    """
    time = column_values(frame, c.TEST_TIME)
    current = column_values(frame, c.CURRENT)
    interval = np.diff(time, prepend=time[:1])
    interval[0] = np.nan
    at = _find_long_intervals(interval, settings)
    if not len(at):
        return RuleOutcome(frame)
    trickle = TRICKLE * rest_current(settings)
    carrying = (np.abs(current[at]) > trickle) | (np.abs(current[at - 1]) > trickle)
    same_step = np.diff(frame[c.STEP_COUNT])[at - 1] == 0
    planned = _planned(interval, frame[c.STEP_COUNT], at, settings) | _step_time_went_on(frame, interval, at)
    at = at[(carrying | same_step) & ~planned]
    if not len(at):
        return RuleOutcome(frame)
    last_known = pd.Series(current).ffill().to_numpy()[at - 1]
    next_known = pd.Series(current).bfill().to_numpy()[at]
    columns = {name: column_values(frame, name) for name in EVIDENCE}
    gap = np.zeros(len(time), dtype=bool)
    for i, before, after in zip(at.tolist(), last_known.tolist(), next_known.tolist(), strict=True):
        counted_on = _counted_on(time, columns, i)
        # An offset is no current that may have continued.
        gap[i] = not counted_on and (abs(before) <= trickle or not _current_went_on(time, columns, before, after, i))

    return _gap_outcome(frame, gap, interval)


def rest_pause(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Find pauses between two rests over which an offset would add up to a charge; flags are those of ``time_gap``.

    The cycler was off between two steps, for a time much longer than the usual one between rows of a rest, as between
    two files. A rest of up to 6 h that the schedule logs at its end alone is none, nor is one that a counter counted.
    """
    time = column_values(frame, c.TEST_TIME)
    current = column_values(frame, c.CURRENT)
    interval = np.diff(time, prepend=time[:1])
    interval[0] = np.nan
    at = _find_long_intervals(interval, settings)
    trickle = TRICKLE * rest_current(settings)
    size = np.abs(current)
    at = at[(size[at] <= trickle) & (size[at - 1] <= trickle)]
    offset_ah = (size[at] + size[at - 1]) * interval[at] / (2.0 * SECONDS_PER_HOUR)
    known = (flag_values(frame)[at] & flag_bit("time_gap")) != 0
    at = at[(offset_ah >= OFFSET_SHARE * cell_capacity_ah(settings)) & ~known]
    if not len(at):
        return RuleOutcome(frame)
    long = interval[at] > settings.gap_factor * _usual_at_rest(interval, current, trickle)
    planned = _planned(interval, frame[c.STEP_COUNT], at, settings)
    at = at[long & (~planned | (interval[at] > PLANNED_REST_SECOND))]
    columns = {name: column_values(frame, name) for name in EVIDENCE}
    gap = np.zeros(len(time), dtype=bool)
    for i in at.tolist():
        gap[i] = not _counted_on(time, columns, i)
    return _gap_outcome(frame, gap, interval)


def _gap_outcome(frame: Table, gap: Mask, interval: Floats) -> RuleOutcome:
    """Flag and report the rows before which nothing was logged.

    Args:
        frame: the record.
        gap: which rows, shape (n,).
        interval: s before each row, shape (n,).
    """

    def before_text(i: int, n: int) -> str:
        return f"{interval[i]:.0f} s without samples"

    events = run_events(frame, gap, "time_gap", before_text, constant_text("no current"), constant_text("reported"))
    return RuleOutcome(set_flag(frame, gap, "time_gap"), tuple(events))


def _find_long_intervals(interval: Floats, settings: CleanSettings) -> Integers:
    """Return the positions of the samples before which nothing was logged for much longer than usual around them.

    Args:
        interval: s before each sample, shape (n,), NaN for the first.
        settings: with ``gap_second`` and ``gap_factor``.
    """
    at = np.flatnonzero(interval > settings.gap_second)
    usual = _usual_around(interval, at)
    factor = np.where(_regular_around(interval, at), settings.gap_factor / REGULAR, settings.gap_factor)
    return at[interval[at] > factor * usual]


def _usual_at_rest(interval: Floats, current: Floats, trickle: float) -> float:
    """Return the median interval in s between two rows without a current; 0 if there is none.

    Args:
        interval: s before each sample, shape (n,), NaN for the first.
        current: A, shape (n,).
        trickle: A, up to which no current flows.
    """
    still = np.abs(current) <= trickle
    rests = interval[1:][still[1:] & still[:-1]]
    return float(np.median(rests)) if len(rests) else 0.0


def _planned(interval: Floats, step: Integers, at: Integers, settings: CleanSettings) -> Mask:
    """Tell which intervals belong to the schedule's own log, shape (len(at),).

    Args:
        interval: s before each sample, shape (n,), NaN for the first.
        step: number of the step of each sample, shape (n,).
        at: positions of the samples after the intervals.
        settings: with ``gap_second``.
    """
    lengths = np.sort(interval[interval > settings.gap_second])
    near = PLANNED_SHARE * interval[at]
    as_long = np.searchsorted(lengths, interval[at] + near, side="right")
    as_long -= np.searchsorted(lengths, interval[at] - near)
    begins = np.append(0, 1 + np.flatnonzero(np.diff(step) != 0))
    rows = np.diff(np.append(begins, len(step)))
    own = np.searchsorted(begins, at, side="right") - 1
    before = np.searchsorted(begins, at - 1, side="right") - 1
    around = np.clip(own[:, None] + np.arange(-SPARSE_STEPS, SPARSE_STEPS + 1), 0, len(rows) - 1)
    sparse = (np.maximum(rows[own], rows[before]) <= SPARSE_ROWS) & (np.median(rows[around], axis=1) <= SPARSE_ROWS)
    planned: Mask = sparse | (as_long > 1)
    return planned


def _step_time_went_on(frame: Table, interval: Floats, at: Integers) -> Mask:
    """Tell through which intervals the file's time in the step counted: the cycler was on, shape (len(at),)."""
    step_time = column_values(frame, c.STEP_TIME)
    before = np.where(step_time[at] >= step_time[at - 1], step_time[at - 1], 0.0)
    went_on: Mask = step_time[at] - before >= STEP_TIME_SHARE * interval[at]
    return went_on


def _usual_around(interval: Floats, at: Integers) -> Floats:
    """Return the larger of the medians of the three intervals before and after each position in s, shape (len(at),).

    Infinite if there are none. Of two known intervals the shorter one is the median.
    """
    missing = np.full(USUAL_INTERVALS, np.nan)
    padded = np.concatenate([missing, interval, missing])
    medians = []
    for first in (0, USUAL_INTERVALS + 1):
        near = np.sort(padded[at[:, None] + np.arange(first, first + USUAL_INTERVALS)], axis=1)  # missing ones last
        known = np.isfinite(near).sum(axis=1)
        middle = np.maximum(known[:, None] - 1, 0) // 2
        median = np.take_along_axis(near, middle, axis=1)[:, 0]
        medians.append(np.where(known > 0, median, -np.inf))
    usual = np.maximum(*medians)
    return np.where(np.isfinite(usual), usual, np.inf)


def _regular_around(interval: Floats, at: Integers) -> Mask:
    """Tell at which positions the four intervals on either side are all known and alike, shape (len(at),)."""
    offsets = np.concatenate([np.arange(-REGULAR_INTERVALS, 0), np.arange(1, REGULAR_INTERVALS + 1)])
    rows = at[:, None] + offsets
    near = interval[np.clip(rows, 0, len(interval) - 1)]
    inside = ((rows > 0) & (rows < len(interval))).all(axis=1)
    regular: Mask = inside & (near.max(axis=1) <= REGULAR_SPREAD * near.min(axis=1))
    return regular


def _counted_on(time: Floats, columns: dict[str, Floats], i: int) -> bool:
    """Tell whether a counter rose before row ``i`` by about a measured current times the interval.

    Args:
        time: s, shape (n,).
        columns: those in ``EVIDENCE``, shape (n,) each.
        i: the row.
    """
    interval = float(time[i] - time[i - 1])
    currents = columns[c.CURRENT][[i - 1, i]]
    seconds = [second_from_counters(columns, i, float(size)) for size in (np.mean(np.abs(currents)), *np.abs(currents))]
    return any(abs(second - interval) <= SAME_CURRENT * interval for second in seconds)


def _current_went_on(time: Floats, columns: dict[str, Floats], before: float, after: float, i: int) -> bool:
    """Tell whether the current flowed through the interval that ends in row ``i``, though nothing was logged.

    Args:
        time: s, shape (n,).
        columns: those in ``EVIDENCE``, shape (n,) each.
        before, after: A, the last known current before the row, and the first one from it on.
        i: the row.
    """
    if not before * after > 0.0:
        return False
    interval = float(time[i] - time[i - 1])
    if abs(after - before) > SAME_CURRENT * abs(before):
        return False
    ends = find_gap_ends(time, columns[c.VOLTAGE], i)
    if ends is None:
        return False
    seconds = second_from_twin(time, columns, ends, i) or second_from_slope(ends)
    return interval / WENT_ON < seconds < interval * WENT_ON


def second_from_counters(columns: dict[str, Floats], i: int, ampere: float | None = None) -> float:
    """Return the time in s in which the current carries the charge that the counters counted before a row.

    Args:
        columns: those in ``EVIDENCE``, shape (n,) each.
        i: the row.
        ampere: A, size of the current; ``None`` = the mean of both sides.

    Returns:
        0 if a counter falls, or if none counted anything.
    """
    counted_ah = 0.0
    for name in (c.CHARGING_CAPACITY, c.DISCHARGING_CAPACITY):
        rise = float(columns[name][i] - columns[name][i - 1])
        if rise < 0.0:
            return 0.0
        if np.isfinite(rise):
            counted_ah = max(counted_ah, rise)
    if ampere is None:
        ampere = abs(float(columns[c.CURRENT][i] + columns[c.CURRENT][i - 1])) / 2.0
    if not ampere > 0.0:
        return 0.0
    return counted_ah * SECONDS_PER_HOUR / ampere


class GapEnds(NamedTuple):
    """Voltages in V and their slopes in V/s right before and after a gap, from lines through the nearest samples."""

    before: float
    after: float
    slope_before: float
    slope_after: float


class _Line(NamedTuple):
    """A line through samples: its voltage in V at a row, its slope in V/s, and the samples' noise in V."""

    volt: float
    slope: float
    noise: float


def find_gap_ends(clock: Floats, voltage: Floats, i: int) -> GapEnds | None:
    """Return the voltage on either side of a row.

    Args:
        clock, voltage: s and V, shape (n,). The clock may fall at the row, but not next to it.
        i: the row.

    Returns:
        ``None`` if the voltage is not known, did not move significantly, or moved another way than on the sides.
    """
    start = _fit_line(clock, voltage, np.arange(max(i - FIT_SAMPLES, 0), i), i - 1)
    if start is None:
        return None
    end = _fit_line(clock, voltage, np.arange(i, min(i + FIT_SAMPLES, len(clock))), i)
    if end is None:
        return None
    moved = end.volt - start.volt
    same_way = start.slope * end.slope > 0.0 and moved * start.slope > 0.0
    if not same_way or abs(moved) < max(MOVED_VOLT, SIGNIFICANT * max(start.noise, end.noise)):
        return None
    return GapEnds(start.volt, end.volt, start.slope, end.slope)


def _fit_line(clock: Floats, voltage: Floats, rows: Integers, at: int) -> _Line | None:
    """Fit a line through some rows; ``None`` if they are too few, or its slope is not significant.

    Args:
        clock, voltage: s and V, shape (n,).
        rows: positions.
        at: the row at which the line's voltage is returned.
    """
    known = rows[np.isfinite(voltage[rows])]
    if len(known) < FIT_SAMPLES // 2 or not (np.diff(clock[known]) > 0.0).all():
        return None
    seconds = clock[known] - clock[at]
    slope, volt = np.polyfit(seconds, voltage[known], 1)
    noise = float(np.std(voltage[known] - volt - slope * seconds))
    if abs(slope) * float(np.ptp(clock[known])) < SLOPE_NOISE * noise:
        return None
    return _Line(float(volt), float(slope), noise)


def second_from_twin(clock: Floats, columns: dict[str, Floats], ends: GapEnds, i: int) -> float:
    """Return the time in s between two voltages in the nearest other step under the same current.

    Args:
        clock: s, shape (n,).
        columns: those in ``EVIDENCE``, shape (n,) each.
        ends: of the gap.
        i: the first row after the gap.

    Returns:
        0 if no other step passes both voltages.
    """
    current = columns[c.CURRENT]
    voltage = columns[c.VOLTAGE]
    same_current = np.abs(current - current[i]) <= TWIN_CURRENT * abs(current[i])
    first, length = find_runs(same_current & np.isfinite(voltage))
    elsewhere = (first > i) | (first + length < i)
    other = elsewhere & (length >= FIT_SAMPLES)
    first = first[other]
    length = length[other]
    direction = np.sign(ends.slope_before)
    low, high = sorted((direction * ends.before, direction * ends.after))
    distance = np.abs(first + length // 2 - i)
    for k in np.argsort(distance)[:TWINS].tolist():
        rows = slice(int(first[k]), int(first[k] + length[k]))
        if not (np.diff(clock[rows]) >= 0.0).all():
            continue
        # Noise makes a voltage fall back now and then; the first time that it is reached counts.
        reached = np.maximum.accumulate(direction * voltage[rows])
        if reached[0] < low and reached[-1] > high:
            level, first_reached = np.unique(reached, return_index=True)
            seconds = np.interp([low, high], level, clock[rows][first_reached])
            return float(np.diff(seconds)[0])
    return 0.0


def second_from_slope(ends: GapEnds) -> float:
    """Return the time in s of the voltage's change at the mean slope; 0 if one slope is twice the other.

    Args:
        ends: of the gap.
    """
    if not 1.0 / SLOPE_RATIO < ends.slope_after / ends.slope_before < SLOPE_RATIO:
        return 0.0
    return (ends.after - ends.before) / ((ends.slope_before + ends.slope_after) / 2.0)


def second_from_relaxation(ends: GapEnds) -> float:
    """Return the time in s in which an exponential relaxation goes from one slope to the other.

    Args:
        ends: of the gap.

    Returns:
        0 if the slope after the gap is not smaller than that before it.
    """
    before = ends.slope_before
    after = ends.slope_after
    if not 0.0 < after / before < RELAXED_RATIO:
        return 0.0
    return (ends.after - ends.before) / (before - after) * float(np.log(before / after))
