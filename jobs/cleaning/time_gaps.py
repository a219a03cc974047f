"""The cleaning rule about holes in the log, and what tells how long one was or whether the current went on."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Floats, Integers, Mask
from ...data.convert import SECONDS_PER_HOUR
from ...data.settings import CleanSettings
from .rule import RuleOutcome, column_values, constant_text, find_runs, rest_current, run_events, set_flag

TRICKLE: Final = 4.0  # times the current of a rest, such as what is left right after an edge
SAME_CURRENT: Final = 0.05  # by which share a current, or a counter against it, may differ and be the same
FIT_SAMPLES: Final = 8  # on either side of a restart, from which the voltage's slope is taken
SIGNIFICANT: Final = 8.0  # standard deviations of the noise that the voltage must have moved to tell a time
MOVED_VOLT: Final = 0.002  # and the least
TWIN_CURRENT: Final = 0.01  # by which the current of another step may differ for its voltages to come as soon
TWINS: Final = 5  # other steps that are asked, the nearest first
REGULAR: Final = 4.0  # times sooner a hole shows in a log of regular intervals
WENT_ON: Final = 2.0  # times, by which an interval and what the voltage says of it differ at most
EVIDENCE: Final = (c.CURRENT, c.VOLTAGE, c.CHARGING_CAPACITY, c.DISCHARGING_CAPACITY)
"""The columns that tell what went on while nothing was logged."""


def _usual_around(interval: Floats, at: Integers) -> Floats:
    """The larger one of the medians of the three intervals before and after each row; infinite where there are none."""
    padded = np.concatenate([np.full(3, np.nan), interval, np.full(3, np.nan)])
    sides = []
    for offsets in ((0, 1, 2), (4, 5, 6)):
        near = np.sort(padded[at[:, None] + np.array(offsets)], axis=1)  # missing ones last
        there = np.isfinite(near).sum(axis=1)
        middle = np.take_along_axis(near, np.maximum(there[:, None] - 1, 0) // 2, axis=1)[:, 0]
        sides.append(np.where(there > 0, middle, -np.inf))
    usual = np.maximum(*sides)
    return np.where(np.isfinite(usual), usual, np.inf)


def _regular_around(interval: Floats, at: Integers) -> Mask:
    """Tell before which rows the four intervals on either side are all there and differ by no more than a tenth."""
    rows = at[:, None] + np.array([-4, -3, -2, -1, 1, 2, 3, 4])
    near = interval[np.clip(rows, 0, len(interval) - 1)]
    inside = ((rows > 0) & (rows < len(interval))).all(axis=1)
    regular: Mask = inside & (near.max(axis=1) <= 1.1 * near.min(axis=1))
    return regular


def _went_on(time: Floats, columns: dict[str, Floats], before: float, after: float, i: int) -> bool:
    """Tell whether the current flowed on through the interval that ends in row i, though nothing was logged.

    Args:
        before, after: A, the last one that is known before the row, and the first one from it on.
    """
    if not before * after > 0.0:
        return False
    interval = float(time[i] - time[i - 1])
    if abs(second_from_counters(columns, i) - interval) <= SAME_CURRENT * interval:
        return True
    ends = find_gap_ends(time, columns[c.VOLTAGE], i) if abs(after - before) <= SAME_CURRENT * abs(before) else None
    if ends is None:
        return False
    seconds = second_from_twin(time, columns, ends, i) or second_from_slope(ends)
    return interval / WENT_ON < seconds < interval * WENT_ON


def time_gap(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Find times without samples that are much longer than the intervals around them: the power was out.

    The interval must exceed ``gap_second`` and ``gap_factor`` times the median of the three intervals on either
    side; a quarter of that where the four on either side are alike, so that the log's clock is known. Between two rows
    without a current to speak of it counts only inside a step: a planned rest may be logged at its end alone. Where the
    cycler's own counter, or the voltage, went on as under the current on both sides, only the log was out and not the
    power: that is no gap, and its charge counts.
    """
    time, current = column_values(frame, c.TEST_TIME), column_values(frame, c.CURRENT)
    interval = np.diff(time, prepend=time[:1])
    interval[0] = np.nan
    at = np.flatnonzero(interval > settings.gap_second)
    usual = _usual_around(interval, at)
    factor = np.where(_regular_around(interval, at), settings.gap_factor / REGULAR, settings.gap_factor)
    at = at[interval[at] > factor * usual]
    little, step = TRICKLE * rest_current(settings), frame[c.STEP_COUNT].to_numpy()
    carrying = (np.abs(current[at]) > little) | (np.abs(current[at - 1]) > little)
    columns = {name: column_values(frame, name) for name in EVIDENCE}
    at = at[carrying | (step[at] == step[at - 1])]
    if not len(at):
        return RuleOutcome(frame)
    left, right = pd.Series(current).ffill().to_numpy()[at - 1], pd.Series(current).bfill().to_numpy()[at]
    out = [
        i
        for i, before, after in zip(at.tolist(), left.tolist(), right.tolist(), strict=True)
        if abs(before) <= little or not _went_on(time, columns, before, after, i)  # an offset is no current that flows
    ]
    gap = np.zeros(len(time), dtype=bool)
    gap[out] = True
    told = run_events(frame, gap, "time_gap", lambda i, n: f"{interval[i]:.0f} s without samples",
                      constant_text("no current"), constant_text("reported"))  # fmt: skip
    return RuleOutcome(set_flag(frame, gap, "time_gap"), tuple(told))


def second_from_counters(columns: dict[str, Floats], i: int) -> float:
    """Time in s in which the current before and after row ``i`` carries what the charge counters counted over it.

    0 where no counter goes on, or none counted anything.
    """
    counted = 0.0
    for name in (c.CHARGING_CAPACITY, c.DISCHARGING_CAPACITY):
        step = float(columns[name][i] - columns[name][i - 1])
        if step < 0.0:
            return 0.0
        counted = max(counted, step) if np.isfinite(step) else counted
    mean = abs(float(columns[c.CURRENT][i] + columns[c.CURRENT][i - 1])) / 2.0
    return counted * SECONDS_PER_HOUR / mean if mean > 0.0 else 0.0


class GapEnds(NamedTuple):
    """Voltages (V) and their slopes (V/s) right before and after a restart, from lines through the nearest samples."""

    before: float
    after: float
    slope_before: float
    slope_after: float


def find_gap_ends(clock: Floats, voltage: Floats, i: int) -> GapEnds | None:
    """The voltage on either side of row ``i``; ``None`` where it went the other way, or no more than noise."""
    lines = []
    last = min(i + FIT_SAMPLES, len(clock))
    for side, at in ((np.arange(max(i - FIT_SAMPLES, 0), i), i - 1), (np.arange(i, last), i)):
        rows = side[np.isfinite(voltage[side])]
        if len(rows) < FIT_SAMPLES // 2 or not (np.diff(clock[rows]) > 0.0).all():
            return None
        slope, value = np.polyfit(clock[rows] - clock[at], voltage[rows], 1)
        noise = float(np.std(voltage[rows] - value - slope * (clock[rows] - clock[at])))
        if abs(slope) * float(np.ptp(clock[rows])) < 2.0 * noise:
            return None
        lines.append((float(value), float(slope), noise))
    (start, one, noise), (end, two, other) = lines
    if (
        one * two <= 0.0
        or (end - start) * one <= 0.0
        or abs(end - start) < max(MOVED_VOLT, SIGNIFICANT * max(noise, other))
    ):
        return None
    return GapEnds(start, end, one, two)


def second_from_twin(clock: Floats, columns: dict[str, Floats], ends: GapEnds, i: int) -> float:
    """Time in s between the two voltages in the nearest other step under the same current; 0 where none passes both."""
    current, voltage = columns[c.CURRENT], columns[c.VOLTAGE]
    alike = np.abs(current - current[i]) <= TWIN_CURRENT * abs(current[i])
    first, length = find_runs(alike & np.isfinite(voltage))
    other = (length >= FIT_SAMPLES) & ((first > i) | (first + length < i))
    first, length = first[other], length[other]
    rising = np.sign(ends.slope_before)
    low, high = sorted((rising * ends.before, rising * ends.after))
    for k in np.argsort(np.abs(first + length // 2 - i))[:TWINS].tolist():
        rows = slice(int(first[k]), int(first[k] + length[k]))
        if not (np.diff(clock[rows]) >= 0.0).all():
            continue
        # The noise makes a voltage fall back now and then; the first time that it was there counts.
        reached = np.maximum.accumulate(rising * voltage[rows])
        if reached[0] < low and reached[-1] > high:
            there, where = np.unique(reached, return_index=True)
            return float(np.diff(np.interp([low, high], there, clock[rows][where]))[0])
    return 0.0


def second_from_slope(ends: GapEnds) -> float:
    """Time in s at the mean of the slopes; 0 where one of them is twice the other."""
    if not 0.5 < ends.slope_after / ends.slope_before < 2.0:
        return 0.0
    return (ends.after - ends.before) / ((ends.slope_before + ends.slope_after) / 2.0)


def second_from_relaxation(ends: GapEnds) -> float:
    """Time in s in which a voltage that relaxes exponentially goes from one slope to the other, smaller one."""
    one, two = ends.slope_before, ends.slope_after
    if not 0.0 < two / one < 0.9:
        return 0.0
    return (ends.after - ends.before) / (one - two) * float(np.log(one / two))
