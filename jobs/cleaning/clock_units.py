"""Cleaning rules about whole clocks: a test time in another unit, and a wall clock that disagrees with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from ...data import columns as c
from ...data.arrays import Floats, Integers
from ...data.convert import SECONDS_PER_HOUR
from ...data.settings import CleanSettings
from ..record.table import Table
from .rule import Event, RuleOutcome, column_values, run_events, set_flag
from .time_order import has_clock
from .time_units import (
    LEAST_ROWS,
    SPARSE_SECOND,
    UNITS,
    find_unit,
    is_possible,
    longest_half_cycle,
    step_ratio_unit,
    step_time_unit,
    usual_interval_under_current,
)

# time_scale

WALL_CLOCK_UNITS: Final = ((1e14, "µs", 1e6), (1e11, "ms", 1e3))
"""A wall clock above the first number counts in the second unit; the third number is that unit's count per second. In
s, 1e11 is the year 5138."""

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


def time_scale(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Convert a test time that is not in s, and a wall clock in ms or µs, if there is evidence of the unit.

    The evidence for the test time, strongest first: the wall clock; the cycler's counters against the integrated
    current, if rate and interval are plausible; the time within steps. Two of them must agree with a unit within
    ``time_scale_tolerance``, in four fifths of the record. A step time in another unit than the test time is converted
    too.
    """
    test = column_values(frame, c.TEST_TIME)
    wall = column_values(frame, c.UNIX_TIME)
    events: list[Event] = []
    converted: dict[str, Floats] = {}
    wall_unit, per_second = _wall_clock_unit(wall)
    if wall_unit != "s":
        wall = wall / per_second
        converted[c.UNIX_TIME] = wall
        events.append(_conversion(frame, f"wall clock in {wall_unit}", "by its size"))
    if has_clock(test) and len(frame) >= LEAST_ROWS:
        unit, evidence = find_unit(frame, test, wall, settings)
        if unit not in ("", "s"):
            test = test * UNITS[unit]
            converted[c.TEST_TIME] = test
            events.append(_conversion(frame, f"test time in {unit}", evidence))
        step_unit = step_time_unit(frame, test, settings.time_scale_tolerance)
        if unit != "" and step_unit not in ("", "s"):
            converted[c.STEP_TIME] = column_values(frame, c.STEP_TIME) * UNITS[step_unit]
            events.append(_conversion(frame, f"step time in {step_unit}", "by the test time"))
    if not converted:
        return RuleOutcome(frame, tuple(events))
    frame = frame.assign(**converted)
    return RuleOutcome(set_flag(frame, np.ones(len(frame), bool), "time_scale"), tuple(events))


def _conversion(frame: Table, before: str, evidence: str) -> Event:
    return Event("time_scale", int(frame.labels[0]), len(frame), before, f"in s, {evidence}", "converted")


def time_uncertain(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Report a test time that is not plausible in s while nothing shows its unit; it is left.

    It is not plausible if a half cycle is faster or slower than any cell's (12 s, 500 h), if there would be one row
    every half hour or less often under a current, or if the time within steps is in another unit. That the unit cannot
    be s does not say which it is.
    """
    test = column_values(frame, c.TEST_TIME)
    if not has_clock(test) or len(frame) < LEAST_ROWS:
        return RuleOutcome(frame)
    clocks_agree = step_ratio_unit(frame, test, settings.time_scale_tolerance) in ("", "s")
    is_dense = usual_interval_under_current(frame, test) < SPARSE_SECOND
    if clocks_agree and is_dense and is_possible(longest_half_cycle(frame, test)):
        return RuleOutcome(frame)
    unit, evidence = find_unit(frame, test, column_values(frame, c.UNIX_TIME), settings)
    if unit != "":
        return RuleOutcome(frame)
    before = "test time that may not be in s; no wall clock, counter or step time shows its unit"
    event = Event("time_uncertain", int(frame.labels[0]), len(frame), before, evidence, "left")
    return RuleOutcome(set_flag(frame, np.ones(len(frame), bool), "time_uncertain"), (event,))


def _wall_clock_unit(wall: Floats) -> tuple[str, float]:
    """Return the unit of the wall clock by its size (``s``, ``ms`` or ``µs``), and that unit's count per second."""
    if has_clock(wall):
        for least, unit, per_second in WALL_CLOCK_UNITS:
            if float(np.nanmax(wall)) > least and float(np.nanmedian(wall)) > least:
                return unit, per_second
    return "s", 1.0


def wall_clock(frame: Table, settings: CleanSettings) -> RuleOutcome:
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


def _jump_events(frame: Table, rows: Integers, jump: Floats, kinds: list[str], taken_back: Floats) -> list[Event]:
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
    left = set(frame.labels[rows[taken_back == 0.0]].tolist())
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


def _drift_events(frame: Table, drift: float) -> tuple[Event, ...]:
    """Return the event of a wall clock that runs fast or slow (s per s), or none for a drift of 0."""
    if drift == 0.0:
        return ()
    before = f"the wall clock gains {drift * 86400.0:+.0f} s a day on the test time"
    return (Event("wall_clock", int(frame.labels[0]), len(frame), before, "as it was", "left"),)
