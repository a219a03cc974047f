"""Cleaning rules about clocks as a whole: another unit, and a wall clock that does not go with the test time."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Floats
from ...data.convert import FACTORS, SECONDS_PER_HOUR
from ...data.settings import CleanSettings
from .rule import Event, RuleOutcome, column_values, run_events, set_flag
from .time_order import has_clock

BLOCKS: Final = 200  # parts of a record that are asked, each on its own, how fast its clock runs
BLOCK_INTERVALS: Final = 20.0  # that a part must have, so that a clock of whole seconds or minutes can be read
AGREEING_SHARE: Final = 0.8  # of those parts
LEAST_ROWS: Final = 10
UNIX_MS: Final = 1e11  # a wall clock above it counts ms (in s it would be the year 5138), above 1e14 µs
CARRYING_SHARE: Final = 0.05  # of the largest current
RATES: Final = (1.0 / 300.0, 60.0)  # 1/h: between which currents against capacities lie
INTERVALS: Final = {"ms": (500.0, np.inf), "min": (0.0, 5.0), "h": (0.0, 0.1), "d": (0.0, 0.005)}
"""Between which the usual interval of a record in each unit lies, read as s."""

SWING_VOLT: Final = 0.3  # of a half cycle: what no cell does in a few seconds
IMPOSSIBLE_SECOND, SHORTEST_SECOND, LONGEST_SECOND = 12.0, 2.0, 500.0 * SECONDS_PER_HOUR
DRIFT_SHARE: Final = 2e-3  # of an interval, by which no clock is wrong
DAYLIGHT_SECOND: Final = 3600.0
ZONE_SECOND: Final = 1800.0  # time zones differ by half hours
ZONES_SECOND: Final = 14.0 * SECONDS_PER_HOUR


def time_scale(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Find a test time in ms, min, h or d where s belong, and a wall clock in ms or µs, and convert them.

    The wall clock tells; else the cycler's own counters against the integrated current, where rate and interval are
    such as cells and cyclers have; else only a half cycle that no cell does so fast (under 2 s) or so slowly (over
    500 h). Two clocks must agree with a unit within ``time_scale_tolerance``, in four fifths of the record. A half
    cycle of a few seconds that could be of minutes or of hours is told, and left.
    """
    test, wall = column_values(frame, c.TEST_TIME), column_values(frame, c.UNIX_TIME)
    told: list[Event] = []
    for digits, unit in ((1e14, "µs"), (UNIX_MS, "ms")):
        if has_clock(wall) and float(np.nanmax(wall)) > digits and float(np.nanmedian(wall)) > digits:
            wall = wall / (1e6 if unit == "µs" else 1e3)
            told.append(_converted(frame, f"wall clock in {unit}", "by its size"))
            break
    unit, evidence = _find_unit(frame, test, wall, settings) if has_clock(test) else ("s", "")
    if unit == "":
        told.append(Event("time_scale", int(frame.index[0]), len(frame), "test time that cannot be in s",
                          evidence, "left", "error"))  # fmt: skip
    elif unit != "s":
        test = test * FACTORS["second"][unit]
        told.append(_converted(frame, f"test time in {unit}", evidence))
    if all(event.action == "left" for event in told):
        return RuleOutcome(frame, tuple(told))
    changed = set_flag(frame.assign(**{c.TEST_TIME: test, c.UNIX_TIME: wall}), np.ones(len(frame), bool), "time_scale")
    return RuleOutcome(changed, tuple(told))


def _converted(frame: pd.DataFrame, before: str, evidence: str) -> Event:
    return Event("time_scale", int(frame.index[0]), len(frame), before, f"in s, {evidence}", "converted")


def _find_unit(frame: pd.DataFrame, test: Floats, wall: Floats, settings: CleanSettings) -> tuple[str, str]:
    """Return the unit of the test time and what told it; ``s`` where nothing speaks against it, ``""`` = open."""
    if len(frame) < LEAST_ROWS:
        return "s", ""
    tolerance = settings.time_scale_tolerance
    if has_clock(wall):
        whole = (wall[-1] - wall[0]) / (test[-1] - test[0]) if test[-1] != test[0] else np.nan
        if abs(whole - 1.0) <= tolerance:
            return "s", ""
        return _unit_from_ratio(np.diff(wall), np.diff(test), tolerance), "by the wall clock"
    interval = np.diff(test)
    forward = interval[interval > 0.0]
    if len(forward) < LEAST_ROWS:
        return "s", ""
    usual = float(np.median(forward))
    unit = _unit_by_counter(frame, test, tolerance)
    evidence = "by the charge counters"
    if unit == "s":
        unit, evidence = _unit_by_half_cycle(frame, test), "no cell does a half cycle as fast or as slowly"
    least, most = INTERVALS.get(unit, (0.0, np.inf))
    return (unit, evidence) if least <= usual <= most else ("s", "")


def _unit_from_ratio(true: Floats, read: Floats, tolerance: float) -> str:
    """Return the unit in which ``read`` counts what ``true`` counts in s, from what both grew between rows."""
    good = np.isfinite(true) & np.isfinite(read) & (true >= 0.0) & (read >= 0.0)
    true, read = true[good], read[good]
    grown = true[true > 0.0]
    if len(grown) < LEAST_ROWS:
        return "s"
    # A part holds enough of the coarser clock's ticks; a pause or a clock that was set spoils one part only.
    ticks = float(true.sum() / np.median(grown))
    block = (np.arange(len(true)) * int(np.clip(ticks / BLOCK_INTERVALS, 1.0, BLOCKS))) // len(true)
    total, counted = np.bincount(block, true), np.bincount(block, read)
    ratio = total[counted > 0.0] / counted[counted > 0.0]
    for unit, factor in FACTORS["second"].items():
        agree = np.abs(ratio / factor - 1.0) <= tolerance
        if unit != "s" and len(ratio) and float(agree.mean()) >= AGREEING_SHARE:
            return unit
    return "s"


def _unit_by_counter(frame: pd.DataFrame, test: Floats, tolerance: float) -> str:
    """Return the unit in which integrated current and counters agree, where their rate is one of a cell."""
    current = column_values(frame, c.CURRENT)
    counters = [column_values(frame, name) for name in (c.CHARGING_CAPACITY, c.DISCHARGING_CAPACITY)]
    largest = float(np.nanmax(np.abs(current), initial=0.0))
    held = max((float(np.nanmax(np.abs(counter), initial=0.0)) for counter in counters), default=0.0)
    if largest == 0.0 or held == 0.0 or not RATES[0] <= largest / held <= RATES[1]:
        return "s"
    counted = np.nansum([np.abs(np.diff(counter)) for counter in counters], axis=0)
    fell = np.any([np.diff(counter) < 0.0 for counter in counters], axis=0)
    carrying = np.abs(current) > CARRYING_SHARE * largest
    inside = carrying[1:] & carrying[:-1] & (current[1:] * current[:-1] > 0.0) & ~fell
    magnitude = np.abs(current[1:] + current[:-1]) / 2.0
    # In s, the time that the counters say has passed under the current.
    true = np.where(inside, counted * SECONDS_PER_HOUR / np.where(magnitude > 0.0, magnitude, np.nan), np.nan)
    return _unit_from_ratio(true, np.diff(test), tolerance)


def _unit_by_half_cycle(frame: pd.DataFrame, test: Floats) -> str:
    """Return the unit without which the longest charge or discharge were impossible, ``""`` = several; else ``s``."""
    current, voltage = column_values(frame, c.CURRENT), column_values(frame, c.VOLTAGE)
    carrying = np.abs(current) > CARRYING_SHARE * float(np.nanmax(np.abs(current), initial=0.0))
    state = np.where(carrying, np.sign(current), 0.0)
    first = np.flatnonzero((np.diff(state, prepend=np.nan) != 0) | (np.diff(test, prepend=-np.inf) < 0.0))
    last = np.append(first[1:], len(test)) - 1
    seconds = np.where(state[first] != 0, test[last] - test[first], -1.0)
    k = int(np.nanargmax(seconds))
    a, b = int(first[k]), int(last[k])
    # Within the run, so that the jumps at its ends do not count.
    inner = voltage[a + (b - a) // 10 : b - (b - a) // 10]
    inner = inner[np.isfinite(inner)]
    if b - a < BLOCK_INTERVALS or len(inner) < 2 or float(np.ptp(inner)) < SWING_VOLT:
        return "s"
    if 0.0 < seconds[k] < IMPOSSIBLE_SECOND:
        return "h" if seconds[k] < SHORTEST_SECOND else ""
    return "ms" if seconds[k] > LONGEST_SECOND else "s"


def wall_clock(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Find where the wall clock does not go with the test time, and correct what is known to be the clock's doing.

    A jump by an hour is daylight saving, by whole half hours another time zone; both are taken back, and so is a clock
    set back, since time does not. A jump ahead by anything else may be a pause of the cycler: told, and left. So is a
    drift of more than ``clock_drift`` (s per s). The corrected clock never falls where the test time rises.
    """
    test, wall = column_values(frame, c.TEST_TIME), column_values(frame, c.UNIX_TIME)
    if not (has_clock(test) and has_clock(wall)):
        return RuleOutcome(frame)
    known = np.flatnonzero(np.isfinite(test) & np.isfinite(wall))
    both = (test, wall) if len(known) == len(test) else (test[known], wall[known])
    step = np.diff(both[0])
    jump = np.diff(both[1]) - step
    if not len(jump) or (
        float(np.abs(jump).max()) <= settings.clock_tolerance_second
        and abs(float(jump.sum())) <= settings.clock_drift * float(step.sum())
    ):
        return RuleOutcome(frame)
    tolerance = max(settings.clock_tolerance_second, 3.0 * float(np.quantile(np.abs(jump), 0.9)))
    allowed = tolerance + DRIFT_SHARE * step
    at = np.flatnonzero((np.abs(jump) > allowed) & (step >= 0.0))
    jumped = known[at + 1]
    kinds, back = _kinds(jump[at], allowed[at])
    shift = np.zeros(len(wall))
    shift[jumped] = back
    shift = np.cumsum(shift)
    drift = _drift(test[known], (wall - shift)[known], settings, tolerance)
    if not len(at):
        return RuleOutcome(frame, _drift_events(frame, drift))
    mask = np.zeros(len(wall), dtype=bool)
    mask[jumped] = True
    order = np.cumsum(mask) - 1
    told = run_events(
        frame, mask, "wall_clock", lambda i, n: f"{jump[at[order[i]]]:+.0f} s against the test time",
        lambda i, n: kinds[order[i]], lambda i, n: "corrected" if back[order[i]] else "left",
    )  # fmt: skip
    paused = set(frame.index.to_numpy()[jumped[back == 0.0]].tolist())
    told = [replace(event, severity="info") if event.label in paused else event for event in told]
    touched = np.isfinite(wall) & (shift != 0.0)
    frame = frame.assign(**{c.UNIX_TIME: np.where(shift != 0.0, wall - shift, wall)})
    return RuleOutcome(set_flag(frame, touched, "wall_clock"), (*told, *_drift_events(frame, drift)))


def _kinds(jump: Floats, tolerance: Floats) -> tuple[list[str], Floats]:
    """Say what each jump is, and by how much (s) to take it back; 0 = it is left."""
    whole = ZONE_SECOND * np.round(jump / ZONE_SECOND)
    zone = (np.abs(jump - whole) <= tolerance) & (whole != 0.0) & (np.abs(whole) <= ZONES_SECOND)
    daylight = zone & (np.abs(whole) == DAYLIGHT_SECOND)
    names = np.select(
        [daylight, zone, jump < 0.0], ["daylight saving", "time zone", "clock set back"],
        "the cycler paused, or the clock was set ahead",
    )  # fmt: skip
    back: Floats = np.where(zone, whole, np.where(jump < 0.0, jump, 0.0))
    return [str(name) for name in names], back


def _drift(test: Floats, wall: Floats, settings: CleanSettings, tolerance: float) -> float:
    """Return how much faster than the test time the wall clock runs, in s per s; 0 where it is no more than usual."""
    interval, ahead = np.diff(test), np.diff(wall) - np.diff(test)
    # A restart, a pause or a coarse tick of either clock says nothing of how fast both run.
    good = (interval > 0.0) & (np.abs(ahead) <= tolerance)
    total = float(interval[good].sum())
    if total <= 0.0:
        return 0.0
    drift = float(ahead[good].sum()) / total
    halves = np.array_split(np.flatnonzero(good), 4)
    each = [float(ahead[part].sum() / max(interval[part].sum(), 1e-9)) for part in halves]
    steady = all(abs(one - drift) <= 0.5 * abs(drift) for one in each)
    return drift if steady and abs(drift) > settings.clock_drift and abs(drift) * total > 2.0 * tolerance else 0.0


def _drift_events(frame: pd.DataFrame, drift: float) -> tuple[Event, ...]:
    """The finding of a wall clock that runs fast or slow, where it does."""
    if drift == 0.0:
        return ()
    before = f"the wall clock gains {drift * 86400.0:+.0f} s a day on the test time"
    return (Event("wall_clock", int(frame.index[0]), len(frame), before, "as it was", "left"),)
