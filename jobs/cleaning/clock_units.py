"""Cleaning rules about whole clocks: a test time in another unit, and a wall clock that disagrees with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Floats, Integers
from ...data.convert import FACTORS, SECONDS_PER_HOUR
from ...data.settings import CleanSettings
from .rule import Event, RuleOutcome, column_values, run_events, set_flag
from .time_order import has_clock

# time_scale

BLOCKS: Final = 200
"""Most parts of a record whose clocks are compared, each on its own. Chosen, not measured."""

BLOCK_INTERVALS: Final = 20.0
"""Least number of ticks of the coarser clock in a part, so that clocks of whole seconds or minutes can be compared. A
half cycle needs as many intervals to be judged. Chosen, not measured."""

AGREEING_SHARE: Final = 0.8
"""Least share of the parts that must agree with a unit. Chosen, not measured."""

LEAST_ROWS: Final = 10
"""Least number of rows with a growing clock. Chosen, not measured."""

WALL_CLOCK_UNITS: Final = ((1e14, "µs", 1e6), (1e11, "ms", 1e3))
"""A wall clock above the first number counts in the second unit; the third number is that unit's count per second. In
s, 1e11 is the year 5138."""

CARRYING_SHARE: Final = 0.05
"""Share of the largest current, above which a current flows. Chosen, not measured."""

RATE_LIMITS_PER_HOUR: Final = (1.0 / 300.0, 60.0)
"""1/h: the largest current over the largest counted charge of a plausible test. Chosen, not measured."""

INTERVALS: Final = {"ms": (500.0, np.inf), "min": (0.0, 5.0), "h": (0.0, 0.1), "d": (0.0, 0.005)}
"""Least and largest usual interval of a plausible record in each unit, as the number in the file. Chosen, not
measured."""

SWING_VOLT: Final = 0.3
"""V: least change of the voltage within a half cycle that is judged; no cell moves so far in a few seconds."""

IMPOSSIBLE_SECOND: Final = 12.0
"""s: no cell does a half cycle in less. Chosen, not measured."""

SHORTEST_SECOND: Final = 2.0
"""s: a half cycle that is shorter is one of hours; one between this and ``IMPOSSIBLE_SECOND`` may be of minutes or of
hours. Chosen, not measured."""

LONGEST_SECOND: Final = 500.0 * SECONDS_PER_HOUR
"""s: a half cycle that is longer is in ms. Chosen, not measured."""

# wall_clock

NOISE_QUANTILE: Final = 0.9
"""Quantile of the differences between the clocks that is their usual size. Chosen, not measured."""

NOISE_FACTOR: Final = 3.0
"""A jump is this many times larger than the usual difference. Chosen, not measured."""

DRIFT_SHARE: Final = 2e-3
"""Share of an interval; no clock is wrong by more. Chosen, not measured."""

DAYLIGHT_SECOND: Final = 3600.0
"""s by which daylight saving moves a clock."""

ZONE_SECOND: Final = 1800.0
"""s: time zones differ by whole multiples of half an hour."""

ZONES_SECOND: Final = 14.0 * SECONDS_PER_HOUR
"""s: largest difference of a time zone from UTC."""


def time_scale(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Find a test time in ms, min, h or d where s belong, and a wall clock in ms or µs, and convert them.

    The evidence for the test time, strongest first: the wall clock; the cycler's counters against the integrated
    current, if rate and interval are plausible; a half cycle that no cell does so fast (under 2 s) or so slowly (over
    500 h). Two clocks must agree with a unit within ``time_scale_tolerance``, in four fifths of the record. A half
    cycle of a few seconds that may be one of minutes or of hours is reported and left.
    """
    test = column_values(frame, c.TEST_TIME)
    wall = column_values(frame, c.UNIX_TIME)
    events: list[Event] = []
    wall_unit, per_second = _wall_clock_unit(wall)
    if wall_unit != "s":
        wall = wall / per_second
        events.append(_conversion(frame, f"wall clock in {wall_unit}", "by its size"))
    unit, evidence = "s", ""
    if has_clock(test):
        unit, evidence = _find_unit(frame, test, wall, settings)
    if unit == "":
        events.append(_unit_unknown(frame, evidence))
    elif unit != "s":
        test = test * FACTORS["second"][unit]
        events.append(_conversion(frame, f"test time in {unit}", evidence))
    if all(event.action == "left" for event in events):
        return RuleOutcome(frame, tuple(events))
    frame = frame.assign(**{c.TEST_TIME: test, c.UNIX_TIME: wall})
    return RuleOutcome(set_flag(frame, np.ones(len(frame), bool), "time_scale"), tuple(events))


def _conversion(frame: pd.DataFrame, before: str, evidence: str) -> Event:
    return Event("time_scale", int(frame.index[0]), len(frame), before, f"in s, {evidence}", "converted")


def _unit_unknown(frame: pd.DataFrame, evidence: str) -> Event:
    before = "test time that cannot be in s"
    return Event("time_scale", int(frame.index[0]), len(frame), before, evidence, "left", "error")


def _wall_clock_unit(wall: Floats) -> tuple[str, float]:
    """Return the unit of the wall clock by its size (``s``, ``ms`` or ``µs``), and that unit's count per second."""
    if has_clock(wall):
        for least, unit, per_second in WALL_CLOCK_UNITS:
            if float(np.nanmax(wall)) > least and float(np.nanmedian(wall)) > least:
                return unit, per_second
    return "s", 1.0


def _find_unit(frame: pd.DataFrame, test: Floats, wall: Floats, settings: CleanSettings) -> tuple[str, str]:
    """Return the unit of the test time and the evidence.

    Args:
        frame: the record.
        test: the test time in its own unit, shape (n,).
        wall: s, shape (n,).
        settings: with ``time_scale_tolerance``.

    Returns:
        The unit: ``s`` if nothing contradicts it, ``""`` if it is not ``s`` and several others are possible.
    """
    if len(frame) < LEAST_ROWS:
        return "s", ""
    tolerance = settings.time_scale_tolerance
    if has_clock(wall):
        if test[-1] != test[0]:
            ratio = (wall[-1] - wall[0]) / (test[-1] - test[0])
            if abs(ratio - 1.0) <= tolerance:
                return "s", ""
        return _unit_from_ratio(np.diff(wall), np.diff(test), tolerance), "by the wall clock"
    interval = np.diff(test)
    forward = interval[interval > 0.0]
    if len(forward) < LEAST_ROWS:
        return "s", ""
    unit = _unit_by_counter(frame, test, tolerance)
    evidence = "by the charge counters"
    if unit == "s":
        unit = _unit_by_half_cycle(frame, test)
        evidence = "no cell does a half cycle as fast or as slowly"
    usual = float(np.median(forward))
    least, most = INTERVALS.get(unit, (0.0, np.inf))
    if least <= usual <= most:
        return unit, evidence
    return "s", ""


def _unit_from_ratio(true: Floats, read: Floats, tolerance: float) -> str:
    """Return the unit of a clock from how much it and a clock in s grew between rows; ``s`` if no other unit fits.

    Args:
        true: s, growth of the clock in s, shape (n - 1,).
        read: growth of the clock in the unknown unit, shape (n - 1,).
        tolerance: largest relative deviation from a unit.
    """
    good = np.isfinite(true) & np.isfinite(read) & (true >= 0.0) & (read >= 0.0)
    true = true[good]
    read = read[good]
    grown = true[true > 0.0]
    if len(grown) < LEAST_ROWS:
        return "s"
    # A part holds enough of the coarser clock's ticks. A pause, or a clock that was set, spoils one part only.
    ticks = float(true.sum() / np.median(grown))
    blocks = int(np.clip(ticks / BLOCK_INTERVALS, 1.0, BLOCKS))
    block = (np.arange(len(true)) * blocks) // len(true)
    true_by_block = np.bincount(block, true)
    read_by_block = np.bincount(block, read)
    moving = read_by_block > 0.0
    ratio = true_by_block[moving] / read_by_block[moving]
    for unit, factor in FACTORS["second"].items():
        agree = np.abs(ratio / factor - 1.0) <= tolerance
        if unit != "s" and len(ratio) and float(agree.mean()) >= AGREEING_SHARE:
            return unit
    return "s"


def _unit_by_counter(frame: pd.DataFrame, test: Floats, tolerance: float) -> str:
    """Return the unit in which the integrated current agrees with the cycler's counters; ``s`` if none does.

    Args:
        frame: the record.
        test: the test time in its own unit, shape (n,).
        tolerance: largest relative deviation.
    """
    current = column_values(frame, c.CURRENT)
    counters = [column_values(frame, name) for name in (c.CHARGING_CAPACITY, c.DISCHARGING_CAPACITY)]
    largest = float(np.nanmax(np.abs(current), initial=0.0))
    counted_ah = max(float(np.nanmax(np.abs(counter), initial=0.0)) for counter in counters)
    slowest, fastest = RATE_LIMITS_PER_HOUR
    if largest == 0.0 or counted_ah == 0.0 or not slowest <= largest / counted_ah <= fastest:
        return "s"
    rise = np.nansum([np.abs(np.diff(counter)) for counter in counters], axis=0)
    fell = np.any([np.diff(counter) < 0.0 for counter in counters], axis=0)
    carrying = np.abs(current) > CARRYING_SHARE * largest
    one_way = carrying[1:] & carrying[:-1] & (current[1:] * current[:-1] > 0.0) & ~fell
    mean = np.abs(current[1:] + current[:-1]) / 2.0
    # The time in s in which the current carries what the counters counted.
    divisor = np.where(mean > 0.0, mean, np.nan)
    seconds = np.where(one_way, rise * SECONDS_PER_HOUR / divisor, np.nan)
    return _unit_from_ratio(seconds, np.diff(test), tolerance)


def _unit_by_half_cycle(frame: pd.DataFrame, test: Floats) -> str:
    """Return the unit that makes the longest charge or discharge possible.

    Args:
        frame: the record.
        test: the test time in its own unit, shape (n,).

    Returns:
        ``s`` if it is possible in s, ``""`` if several other units are possible.
    """
    current = column_values(frame, c.CURRENT)
    voltage = column_values(frame, c.VOLTAGE)
    carrying = np.abs(current) > CARRYING_SHARE * float(np.nanmax(np.abs(current), initial=0.0))
    state = np.where(carrying, np.sign(current), 0.0)
    begins = (np.diff(state, prepend=np.nan) != 0) | (np.diff(test, prepend=-np.inf) < 0.0)
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(test)) - 1
    seconds = np.where(state[first] != 0, test[last] - test[first], -1.0)
    longest = int(np.nanargmax(seconds))
    start = int(first[longest])
    end = int(last[longest])
    # A tenth at each end is left out, so that the jumps there do not count.
    margin = (end - start) // 10
    inner = voltage[start + margin : end - margin]
    inner = inner[np.isfinite(inner)]
    if end - start < BLOCK_INTERVALS or len(inner) < 2 or float(np.ptp(inner)) < SWING_VOLT:
        return "s"
    duration = seconds[longest]
    if 0.0 < duration < SHORTEST_SECOND:
        return "h"
    if 0.0 < duration < IMPOSSIBLE_SECOND:
        return ""
    if duration > LONGEST_SECOND:
        return "ms"
    return "s"


def wall_clock(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Find where the wall clock disagrees with the test time, and correct jumps that a clock makes on its own.

    A jump by one hour is daylight saving, a jump by whole half hours another time zone. Both are removed, and so is
    every other jump backwards. Any other jump ahead may be a pause of the cycler: it is reported and left. A drift of
    more than ``clock_drift`` (s per s) is reported and left too. The corrected clock never falls where the test time
    rises.
    """
    test = column_values(frame, c.TEST_TIME)
    wall = column_values(frame, c.UNIX_TIME)
    if not (has_clock(test) and has_clock(wall)):
        return RuleOutcome(frame)
    known = np.flatnonzero(np.isfinite(test) & np.isfinite(wall))
    test_known = test
    wall_known = wall
    if len(known) < len(test):
        test_known = test[known]
        wall_known = wall[known]
    interval = np.diff(test_known)
    difference = np.diff(wall_known) - interval
    if _clocks_agree(interval, difference, settings):
        return RuleOutcome(frame)
    usual = float(np.quantile(np.abs(difference), NOISE_QUANTILE))
    tolerance = max(settings.clock_tolerance_second, NOISE_FACTOR * usual)
    allowed = tolerance + DRIFT_SHARE * interval
    jumps = np.flatnonzero((np.abs(difference) > allowed) & (interval >= 0.0))
    kinds, taken_back = _classify_jumps(difference[jumps], allowed[jumps])
    rows = known[jumps + 1]
    shift = np.zeros(len(wall))
    shift[rows] = taken_back
    shift = np.cumsum(shift)
    corrected = np.where(shift != 0.0, wall - shift, wall)
    drift = _find_drift(test_known, (wall - shift)[known], settings, tolerance)
    drift_events = _drift_events(frame, drift)
    if not len(jumps):
        return RuleOutcome(frame, drift_events)
    jump_events = _jump_events(frame, rows, difference[jumps], kinds, taken_back)
    touched = np.isfinite(wall) & (shift != 0.0)
    frame = frame.assign(**{c.UNIX_TIME: corrected})
    return RuleOutcome(set_flag(frame, touched, "wall_clock"), (*jump_events, *drift_events))


def _clocks_agree(interval: Floats, difference: Floats, settings: CleanSettings) -> bool:
    """Tell whether the wall clock agrees with the test time in every interval and over the whole record.

    Args:
        interval: s, of the test time between rows that have both clocks.
        difference: s, by how much more the wall clock grew in each.
        settings: with ``clock_tolerance_second`` and ``clock_drift``.
    """
    if not len(difference):
        return True
    in_each = float(np.abs(difference).max()) <= settings.clock_tolerance_second
    return in_each and abs(float(difference.sum())) <= settings.clock_drift * float(interval.sum())


def _classify_jumps(jump: Floats, tolerance: Floats) -> tuple[list[str], Floats]:
    """Name each jump of the wall clock, and say how much of it is taken back.

    Args:
        jump: s, by how much more the wall clock grew than the test time.
        tolerance: s, of each jump.

    Returns:
        Names, and s to take back, 0 for a jump that is left.
    """
    half_hours = ZONE_SECOND * np.round(jump / ZONE_SECOND)
    zone = (np.abs(jump - half_hours) <= tolerance) & (half_hours != 0.0) & (np.abs(half_hours) <= ZONES_SECOND)
    daylight = zone & (np.abs(half_hours) == DAYLIGHT_SECOND)
    names = np.select(
        [daylight, zone, jump < 0.0],
        ["daylight saving", "time zone", "clock set back"],
        "the cycler paused, or the clock was set ahead",
    )
    taken_back: Floats = np.where(zone, half_hours, np.where(jump < 0.0, jump, 0.0))
    return [str(name) for name in names], taken_back


def _jump_events(
    frame: pd.DataFrame, rows: Integers, jump: Floats, kinds: list[str], taken_back: Floats
) -> list[Event]:
    """Make the events of jumps, each at the first row after it; jumps that are left are information.

    Args:
        frame: the record.
        rows: positions of the first rows after the jumps, shape (jumps,).
        jump, kinds, taken_back: of each jump, in s, shape (jumps,).
    """
    mask = np.zeros(len(frame), dtype=bool)
    mask[rows] = True
    place = np.cumsum(mask) - 1

    def before(i: int, n: int) -> str:
        return f"{jump[place[i]]:+.0f} s against the test time"

    def after(i: int, n: int) -> str:
        return kinds[int(place[i])]

    def action(i: int, n: int) -> str:
        return "corrected" if taken_back[place[i]] else "left"

    events = run_events(frame, mask, "wall_clock", before, after, action)
    left = set(frame.index.to_numpy()[rows[taken_back == 0.0]].tolist())
    return [replace(event, severity="info") if event.label in left else event for event in events]


def _find_drift(test: Floats, wall: Floats, settings: CleanSettings, tolerance: float) -> float:
    """Return how much faster than the test time the wall clock runs, in s per s; 0 if it is no more than usual.

    Args:
        test, wall: s, of rows that have both clocks, without the jumps that are taken back.
        settings: with ``clock_drift``.
        tolerance: s, largest usual difference in one interval.
    """
    interval = np.diff(test)
    ahead = np.diff(wall) - np.diff(test)
    # A restart, a pause or a coarse tick of either clock is no evidence of how fast both run.
    good = (interval > 0.0) & (np.abs(ahead) <= tolerance)
    total = float(interval[good].sum())
    if total <= 0.0:
        return 0.0
    drift = float(ahead[good].sum()) / total
    quarters = np.array_split(np.flatnonzero(good), 4)
    drift_by_quarter = [float(ahead[part].sum() / max(interval[part].sum(), 1e-9)) for part in quarters]
    steady = all(abs(quarter - drift) <= 0.5 * abs(drift) for quarter in drift_by_quarter)
    significant = abs(drift) > settings.clock_drift and abs(drift) * total > 2.0 * tolerance
    if steady and significant:
        return drift
    return 0.0


def _drift_events(frame: pd.DataFrame, drift: float) -> tuple[Event, ...]:
    """Return the event of a wall clock that runs fast or slow (s per s), or none for a drift of 0."""
    if drift == 0.0:
        return ()
    before = f"the wall clock gains {drift * 86400.0:+.0f} s a day on the test time"
    return (Event("wall_clock", int(frame.index[0]), len(frame), before, "as it was", "left"),)
