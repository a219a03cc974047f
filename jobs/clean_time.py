"""Cleaning rules about time: missing stamps, order, restarts of a clock, and rows written twice.

Two clocks may be there: the cycler's own (``test_time_second``) and the computer's (``unix_time_second``). The
cycler's counts where there is one; the other one tells a restart of it from rows in the wrong order.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from ..data import columns as c
from ..data.convert import SECONDS_PER_HOUR
from ..data.settings import CleanSettings
from .clean_event import Event, Floats, Integers, Mask, Outcome, flagged, rest_current, run_events, text, values

WINDOW: Final = 5  # samples that must agree before a clock that fell back counts as restarted
CLOCK_TOLERANCE_SECOND: Final = 2.0  # by how much two clocks may drift apart between two rows
HABIT_SHARE: Final = 0.02  # of all rows, above which rows written nearly twice are the cycler's habit
TRICKLE: Final = 4.0  # times the current of a rest, such as what is left right after an edge
SAME_CURRENT: Final = 0.05  # by which share a current, or a counter against it, may differ and be the same
SLOPE_SAMPLES: Final = 5  # on either side of a hole in the log, from which the voltage's slope is taken
SLOPE_VOLT: Final = 0.005  # by how much the voltage must have moved to tell anything
WITNESSES: Final = (c.UNIX_TIME, c.TEST_TIME, c.CYCLE_ID, c.STEP_ID, c.CURRENT, c.VOLTAGE, c.AMBIENT_TEMPERATURE,
                    c.SURFACE_TEMPERATURE, c.CHARGING_CAPACITY, c.DISCHARGING_CAPACITY, c.STATE)  # fmt: skip
"""The columns in which a row written twice is equal to its copy."""


def has_clock(clock: Floats) -> bool:
    """Tell whether a clock can be used: at least half of its stamps are there."""
    return bool(len(clock)) and float(np.isfinite(clock).mean()) >= 0.5


def falls_back(clock: Floats) -> Mask:
    """Tell at which rows a clock has restarted: it falls and stays below, which swapped neighbours do not.

    Args:
        clock: s, shape (n,), without missing values.
    """
    restarted = np.zeros(len(clock), dtype=bool)
    at = 1 + np.flatnonzero(np.diff(clock) < 0.0)
    if len(at):
        ahead = np.minimum(at[:, None] + np.arange(WINDOW), len(clock) - 1)
        stays = np.median(clock[ahead], axis=1) <= clock[at - 1]
        below = (at < 2) | (clock[at] < clock[np.maximum(at - 2, 0)])
        restarted[at[stays & below]] = True
    return restarted


def marker_row(frame: pd.DataFrame, settings: CleanSettings) -> Outcome:
    """Quarantine rows in which the cycler marks its own business (``data.columns.MARKER_STATES``).

    They belong to no step and take no time; what they measure stands in the rows beside them.
    """
    marks = frame[c.STATE].isin(c.MARKER_STATES).to_numpy()
    if not marks.any():
        return Outcome(frame)
    states = frame[c.STATE].to_numpy()
    told = run_events(frame, marks, "marker_row", lambda i, n: f"state {states[i]}", text("-"), text("quarantined"))
    return Outcome(frame[~marks], tuple(told), frame.index.to_numpy()[marks])


def time_missing(frame: pd.DataFrame, settings: CleanSettings) -> Outcome:
    """Quarantine rows without any time; a missing stamp of one clock is filled from the other.

    A clock with fewer than half of its stamps is not used.
    """
    test, wall = values(frame, c.TEST_TIME), values(frame, c.UNIX_TIME)
    if not has_clock(test) and has_clock(wall):
        lost = ~np.isfinite(wall)
        frame = frame.assign(**{c.TEST_TIME: np.nan})
    else:
        ahead = pd.Series(wall - test).ffill().bfill().to_numpy()
        filled = np.where(np.isfinite(test), test, wall - ahead)
        lost = ~np.isfinite(filled)
        mended = ~np.isfinite(test) & ~lost
        if mended.any():
            frame = flagged(frame.assign(**{c.TEST_TIME: filled}), mended, "time_missing")
            told = run_events(
                frame, mended, "time_missing", text("missing"), text("from the wall clock"), text("filled")
            )
            return _take(frame, lost, "time_missing", "missing", told)
    return _take(frame, lost, "time_missing", "missing", [])


def _take(frame: pd.DataFrame, mask: Mask, rule: str, before: str, told: list[Event]) -> Outcome:
    if not mask.any():
        return Outcome(frame, tuple(told))
    told = told + run_events(frame, mask, rule, text(before), text("-"), text("quarantined"))
    return Outcome(frame[~mask], tuple(told), frame.index.to_numpy()[mask])


def duplicate_row(frame: pd.DataFrame, settings: CleanSettings) -> Outcome:
    """Quarantine rows that are equal to an earlier one in time and every value, wherever the copy stands.

    Some cyclers write a row once more when a thermometer reports, so that many neighbours share time, voltage and
    current; where the temperature has not changed either, both are good. Such a record keeps its equal neighbours, as
    long as no more rows share a time than without copies.
    """
    test, wall = values(frame, c.TEST_TIME), values(frame, c.UNIX_TIME)
    clock = test if has_clock(test) else wall
    copies = pd.Series(clock).duplicated(keep=False).to_numpy()
    if not copies.any():
        return Outcome(frame)
    # A clock on its own may come back to the same stamp after a restart; two together do not.
    lap = np.zeros(len(frame)) if has_clock(test) and has_clock(wall) else np.cumsum(falls_back(clock))
    again = np.zeros(len(frame), dtype=bool)
    again[copies] = frame.loc[copies, list(WITNESSES)].assign(lap=lap[copies]).duplicated().to_numpy()
    told: list[Event] = []
    if _writes_twice(frame, clock, again):
        kept = again & (np.diff(clock, prepend=np.nan) == 0.0) & ~_beyond_habit(clock, again)
        if kept.any():
            first = int(frame.index[int(np.argmax(kept))])
            told.append(Event("duplicate_row", first, int(kept.sum()), "equal to the row before, as many nearly are",
                              "as it was", "left", "info"))  # fmt: skip
        again &= ~kept
    return _take(frame, again, "duplicate_row", "equal to an earlier row", told)


def _writes_twice(frame: pd.DataFrame, clock: Floats, again: Mask) -> bool:
    """Tell whether the cycler has the habit of writing a time, voltage and current twice with other values beside."""
    same = np.diff(clock, prepend=np.nan) == 0.0
    for column in (values(frame, c.VOLTAGE), values(frame, c.CURRENT)):
        before = np.roll(column, 1)
        same &= (column == before) | (np.isnan(column) & np.isnan(before))
    step = values(frame, c.STEP_ID)
    return int((same & ~again & (step == np.roll(step, 1))).sum()) > HABIT_SHARE * len(frame)


def _beyond_habit(clock: Floats, again: Mask) -> Mask:
    """Tell where more rows stand at one time than anywhere without a copy among them."""
    group = np.cumsum(np.diff(clock, prepend=np.nan) != 0.0) - 1
    size, copies = np.bincount(group), np.bincount(group, again)
    beyond: Mask = size[group] > size[copies == 0].max(initial=1)
    return beyond


def time_order(frame: pd.DataFrame, settings: CleanSettings) -> Outcome:
    """Sort rows that stand in the wrong order, within each run of a clock that did not restart.

    With two clocks the wall clock tells which test times belong together; where it falls back alone, it was set.
    """
    test, wall = values(frame, c.TEST_TIME), values(frame, c.UNIX_TIME)
    order = np.arange(len(frame))
    if has_clock(test) and has_clock(wall):
        wall = np.where(np.isfinite(wall), wall, test + pd.Series(wall - test).ffill().bfill().to_numpy())
        apart = np.abs(np.diff(wall, prepend=wall[:1]) - np.diff(test, prepend=test[:1])) > CLOCK_TOLERANCE_SECOND
        order = np.lexsort((wall, np.cumsum(falls_back(wall) & apart)))
    clock = (test if has_clock(test) else wall)[order]
    order = order[np.lexsort((clock, np.cumsum(falls_back(clock))))]
    moved = _moved(order)
    if not moved.any():
        return Outcome(frame)
    frame = flagged(frame.iloc[order], moved, "time_order")
    told = run_events(frame, moved, "time_order", text("out of order"), text("in order"), text("sorted"))
    return Outcome(frame, tuple(told))


def _moved(order: Integers) -> Mask:
    """Which rows a sort has moved: of each knot of displaced rows those that went far, not those that made room."""
    shift = np.abs(order - np.arange(len(order)))
    opens = np.concatenate([[True], np.maximum.accumulate(order)[:-1] < np.arange(1, len(order))])
    knot = np.cumsum(opens) - 1
    length = np.bincount(knot)[knot]
    moved: Mask = (length > 1) & (2 * shift >= length - 1)
    return moved


def time_restart(frame: pd.DataFrame, settings: CleanSettings) -> Outcome:
    """Make one clock of the record, from 0: where it restarted, join by the wall clock or else by the usual interval.

    A record without the cycler's own clock gets its time from the wall clock. A new source file is not a defect.
    """
    test, wall = values(frame, c.TEST_TIME), values(frame, c.UNIX_TIME)
    clock = test if has_clock(test) else wall
    fell = np.diff(clock, prepend=clock[:1]) < 0.0
    shift = np.zeros(len(clock))
    for i in np.flatnonzero(fell):
        elapsed = wall[i] - wall[i - 1] if has_clock(test) else np.nan
        step = elapsed if elapsed >= 0.0 else _usual_interval(clock, int(i))
        shift[i] = clock[i - 1] - clock[i] + step
    # Only what a restart moved is rounded anew.
    joined = np.where(np.cumsum(fell) > 0, clock + np.cumsum(shift), clock)
    frame = flagged(frame.assign(**{c.TEST_TIME: joined - joined[:1]}), fell, "time_restart")
    told = run_events(
        frame, fell, "time_restart", lambda i, n: f"{clock[i - 1]:.3f} s, then {clock[i]:.3f} s",
        lambda i, n: f"{joined[i - 1] - joined[0]:.3f} s, then {joined[i] - joined[0]:.3f} s", text("joined"),
    )  # fmt: skip
    source = frame[c.SOURCE_INDEX]
    new_file = set(frame.index[(source != source.shift()).to_numpy()])
    told = [replace(event, severity="info") if event.label in new_file else event for event in told]
    return Outcome(frame, tuple(told))


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


def _usual_interval(clock: Floats, i: int) -> float:
    """Median of the intervals next to row ``i``, those before it first; 1 s where there are none."""
    for part in (clock[max(i - WINDOW, 0) : i], clock[i : i + WINDOW], clock):
        intervals = np.diff(part)
        if (intervals > 0.0).any():
            return float(np.median(intervals[intervals > 0.0]))
    return 1.0


def _went_on(frame: pd.DataFrame, i: int, little: float) -> bool:
    """Tell whether the same current flowed on through the interval that ends in row i, though nothing was logged.

    Args:
        little: A, up to which a current is that of a rest or a channel's offset.
    """
    time, current, voltage = (values(frame, name) for name in (c.TEST_TIME, c.CURRENT, c.VOLTAGE))
    known = np.flatnonzero(np.isfinite(current))
    left, right = known[known < i], known[known >= i]
    if not len(left) or not len(right):
        return False
    before, after = float(current[left[-1]]), float(current[right[0]])
    if abs(before) <= little or not abs(after - before) <= SAME_CURRENT * abs(before):
        return False
    interval = time[i] - time[i - 1]
    flowed = abs(before + after) / 2.0 * interval / SECONDS_PER_HOUR
    for column in (c.CHARGING_CAPACITY, c.DISCHARGING_CAPACITY):
        counter = values(frame, column)
        if abs(counter[i] - counter[i - 1] - flowed) <= SAME_CURRENT * flowed:
            return True
    sides = [slice(max(i - SLOPE_SAMPLES, 0), i), slice(i, i + SLOPE_SAMPLES)]
    ends = [(side.start, min(side.stop, len(time)) - 1) for side in sides]
    slopes = [(voltage[k] - voltage[j]) / (time[k] - time[j]) if k > j else np.nan for j, k in ends]
    expected = float(np.mean(slopes)) * interval
    moved = float(voltage[i] - voltage[i - 1])
    return bool(abs(expected) > SLOPE_VOLT and 0.5 < moved / expected < 2.0)


def time_gap(frame: pd.DataFrame, settings: CleanSettings) -> Outcome:
    """Find times without samples that are much longer than the intervals around them: the power was out.

    The interval must exceed ``gap_second`` and ``gap_factor`` times the median of the three intervals on either
    side. Between two rows without a current to speak of it counts only inside a step: a planned rest may be logged
    at its end alone. Where the cycler's own counter, or the voltage, went on as under the current on both sides, only
    the log was out and not the power: that is no gap, and its charge counts.
    """
    time, current = values(frame, c.TEST_TIME), values(frame, c.CURRENT)
    interval = np.diff(time, prepend=time[:1])
    interval[0] = np.nan
    at = np.flatnonzero(interval > settings.gap_second)
    at = at[interval[at] > settings.gap_factor * _usual_around(interval, at)]
    little, step = TRICKLE * rest_current(settings), frame[c.STEP_COUNT].to_numpy()
    carrying = (np.abs(current[at]) > little) | (np.abs(current[at - 1]) > little)
    gap = np.zeros(len(time), dtype=bool)
    gap[[i for i in at[carrying | (step[at] == step[at - 1])] if not _went_on(frame, int(i), little)]] = True
    told = run_events(frame, gap, "time_gap", lambda i, n: f"{interval[i]:.0f} s without samples",
                      text("no current"), text("reported"))  # fmt: skip
    return Outcome(flagged(frame, gap, "time_gap"), tuple(told))
