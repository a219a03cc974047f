"""The evidence for the unit of a test time: other clocks, counters, and what a cell can do."""

from __future__ import annotations

from typing import Final

import numpy as np

from ...data import columns as c
from ...data.arrays import Floats
from ...data.convert import FACTORS, SECONDS_PER_HOUR
from ...data.settings import CleanSettings
from ..record.table import Table
from .rule import column_values
from .time_order import has_clock

BLOCKS: Final = 200
"""Most parts of a record whose clocks are compared, each on its own. Chosen, not measured."""

BLOCK_INTERVALS: Final = 20.0
"""Least number of ticks of the coarser clock in a part, so that clocks of whole seconds or minutes can be compared. A
half cycle needs as many intervals to be judged. Chosen, not measured."""

AGREEING_SHARE: Final = 0.8
"""Least share of the parts that must agree with a unit. Chosen, not measured."""

LEAST_ROWS: Final = 10
"""Least number of rows with a growing clock. Chosen, not measured."""

CARRYING_SHARE: Final = 0.05
"""Share of the largest current, above which a current flows. Chosen, not measured."""

RATE_LIMITS_PER_HOUR: Final = (1.0 / 300.0, 60.0)
"""1/h: the largest current over the largest counted charge of a plausible test. Chosen, not measured."""

UNITS: Final[dict[str, float]] = FACTORS["second"]
"""s of each unit in which a test time may be."""

INTERVALS: Final = {
    "ms": (500.0, np.inf),
    "us": (5e5, np.inf),
    "100ns": (5e6, np.inf),
    "ns": (5e8, np.inf),
    "min": (0.0, 5.0),
    "h": (0.0, 0.1),
    "d": (0.0, 0.005),
    "units of 1000 s": (0.0, 0.6),
    "units of 1/60 s": (6.0, np.inf),
    "units of 1/3600 s": (360.0, np.inf),
}
"""Least and largest usual interval of a plausible record in each unit, as the number in the file. Chosen, not
measured."""

SWING_VOLT: Final = 0.3
"""V: least change of the voltage within a half cycle that is judged; no cell moves so far in a few seconds."""

IMPOSSIBLE_SECOND: Final = 12.0
"""s: no cell does a half cycle in less. Chosen, not measured."""

SPARSE_SECOND: Final = 1800.0
"""s: usual interval under a current from which on a log is so sparse that the time may be in another unit. Chosen, not
measured."""

LONGEST_SECOND: Final = 500.0 * SECONDS_PER_HOUR
"""s: no cell is charged or discharged for longer at the currents of a test. Chosen, not measured."""

COUNTERS: Final = ((c.CHARGING_CAPACITY, c.DISCHARGING_CAPACITY), (c.STEP_CAPACITY,), (c.NET_CAPACITY,))
"""The cycler's counters; the first that agree with a unit count."""


def find_unit(frame: Table, test: Floats, wall: Floats, settings: CleanSettings) -> tuple[str, str]:
    """Return the unit of the test time and the evidence.

    Args:
        frame: the record.
        test: the test time in its own unit, shape (n,).
        wall: s, shape (n,).
        settings: with ``time_scale_tolerance``.

    Returns:
        The unit: ``s`` if nothing contradicts it, ``""`` if it cannot be ``s`` and nothing shows which it is.
    """
    tolerance = settings.time_scale_tolerance
    if has_clock(wall):
        if test[-1] != test[0]:
            ratio = (wall[-1] - wall[0]) / (test[-1] - test[0])
            if abs(ratio - 1.0) <= tolerance:
                return "s", ""
        unit = _unit_from_ratio(np.diff(wall), np.diff(test), tolerance)
        if unit:
            return unit, "by the wall clock"
    interval = np.diff(test)
    forward = interval[interval > 0.0]
    if len(forward) < LEAST_ROWS:
        return "s", ""
    usual = float(np.median(forward))
    unit = _unit_by_counter(frame, test, tolerance)
    if unit and _has_plausible_interval(unit, usual):
        return unit, "by the charge counters"
    duration = longest_half_cycle(frame, test)
    unit = step_ratio_unit(frame, test, tolerance)
    if unit not in ("", "s"):
        # One of the two is not in s: the other is the one that makes the half cycles possible.
        as_read = duration > 0.0 and is_possible(duration)
        converted = duration > 0.0 and is_possible(duration * UNITS[unit])
        if as_read != converted:
            return (unit, "by the step time") if converted else ("s", "")
        return "", "the time within steps is in another unit, and both are plausible"
    if not is_possible(duration):
        return "", f"the longest charge or discharge would take {duration:.3g} s"
    under_current = usual_interval_under_current(frame, test)
    if unit != "s" and under_current >= SPARSE_SECOND:
        return "", f"under a current there would be one row every {under_current:.3g} s"
    return "s", ""


def usual_interval_under_current(frame: Table, test: Floats) -> float:
    """Return the median interval between rows of one current, in the unit of the test time; 0 if there are few.

    Args:
        frame: the record.
        test: the test time in its own unit, shape (n,).
    """
    current = column_values(frame, c.CURRENT)
    carrying = np.abs(current) > CARRYING_SHARE * float(np.nanmax(np.abs(current), initial=0.0))
    interval = np.diff(test)
    good = carrying[1:] & carrying[:-1] & (interval > 0.0)
    return float(np.median(interval[good])) if int(good.sum()) >= LEAST_ROWS else 0.0


def _has_plausible_interval(unit: str, usual: float) -> bool:
    """Tell whether the usual interval, as the number in the file, is plausible in a unit."""
    least, most = INTERVALS.get(unit, (0.0, np.inf))
    return least <= usual <= most


def is_possible(duration: float) -> bool:
    """Tell whether a cell can do a half cycle in so many s; 0 = none was judged."""
    return duration == 0.0 or IMPOSSIBLE_SECOND <= duration <= LONGEST_SECOND


def _unit_from_ratio(true: Floats, read: Floats, tolerance: float) -> str:
    """Return the unit of a clock from how much it and a clock in s grew between rows; "" if no unit fits.

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
        return ""
    # A part holds enough of the coarser clock's ticks. A pause, or a clock that was set, spoils one part only.
    ticks = float(true.sum() / np.median(grown))
    blocks = int(np.clip(ticks / BLOCK_INTERVALS, 1.0, BLOCKS))
    block = (np.arange(len(true)) * blocks) // len(true)
    true_by_block = np.bincount(block, true)
    read_by_block = np.bincount(block, read)
    moving = (read_by_block > 0.0) & (true_by_block > 0.0)
    ratio = true_by_block[moving] / read_by_block[moving]
    for unit, factor in UNITS.items():
        agree = np.abs(ratio / factor - 1.0) <= tolerance
        if len(ratio) and float(agree.mean()) >= AGREEING_SHARE:
            return unit
    return ""


def _unit_by_counter(frame: Table, test: Floats, tolerance: float) -> str:
    """Return the unit in which the integrated current agrees with a counter of the cycler; "" if none does.

    Args:
        frame: the record.
        test: the test time in its own unit, shape (n,).
        tolerance: largest relative deviation.
    """
    current = column_values(frame, c.CURRENT)
    largest = float(np.nanmax(np.abs(current), initial=0.0))
    slowest, fastest = RATE_LIMITS_PER_HOUR
    carrying = np.abs(current) > CARRYING_SHARE * largest
    one_way = carrying[1:] & carrying[:-1] & (current[1:] * current[:-1] > 0.0)
    mean = np.abs(current[1:] + current[:-1]) / 2.0
    divisor = np.where(mean > 0.0, mean, np.nan)
    for names in COUNTERS:
        if not all(name in frame for name in names):
            continue
        counters = [column_values(frame, name) for name in names]
        counted_ah = max(_counted_span_ah(counter) for counter in counters)
        if largest == 0.0 or counted_ah == 0.0 or not slowest <= largest / counted_ah <= fastest:
            continue
        rise = np.nansum([np.abs(np.diff(counter)) for counter in counters], axis=0)
        reset = np.any([np.diff(np.abs(counter)) < 0.0 for counter in counters], axis=0)
        if names == (c.NET_CAPACITY,):  # It falls while the cell is discharged.
            reset = np.zeros(len(rise), dtype=bool)
        # The time in s in which the current carries what the counters counted.
        seconds = np.where(one_way & ~reset, rise * SECONDS_PER_HOUR / divisor, np.nan)
        unit = _unit_from_ratio(seconds, np.diff(test), tolerance)
        if unit:
            return unit
    return ""


def _counted_span_ah(counter: Floats) -> float:
    return float(np.nanmax(np.abs(counter), initial=0.0))


def step_ratio_unit(frame: Table, test: Floats, tolerance: float) -> str:
    """Return the unit in which the test time agrees with the time within steps, taken as s; "" if none does."""
    grown = _grown_within_steps(frame)
    if grown is None:
        return ""
    read = np.diff(test)
    if _agree_in_sum(grown, read, tolerance):
        return "s"
    return _unit_from_ratio(grown, read, tolerance)


def step_time_unit(frame: Table, test: Floats, tolerance: float) -> str:
    """Return the unit of the time within steps from a test time in s; "" if none fits or there is no step time."""
    grown = _grown_within_steps(frame)
    if grown is None:
        return ""
    true = np.diff(test)
    if _agree_in_sum(grown, true, tolerance):
        return "s"
    return _unit_from_ratio(np.where(np.isnan(grown), np.nan, true), grown, tolerance)


def _agree_in_sum(grown: Floats, other: Floats, tolerance: float) -> bool:
    """Tell whether two clocks grew by the same within steps; a quick first look."""
    both = (grown > 0.0) & (other >= 0.0)
    return bool(abs(float(other[both].sum()) - float(grown[both].sum())) <= tolerance * float(grown[both].sum()))


def _grown_within_steps(frame: Table) -> Floats | None:
    """Return by how much the time within steps grew between rows, shape (n - 1,); ``None`` if the file has none."""
    since = _step_time(frame)
    if not has_clock(since):
        return None
    return _within_steps(since)


def _within_steps(since: Floats) -> Floats:
    """Return how much a step time grew between rows, shape (n - 1,); NaN where a step begins."""
    grown = np.diff(since)
    return np.where(grown > 0.0, grown, np.nan)


def longest_half_cycle(frame: Table, test: Floats) -> float:
    """Return how long the longest charge or discharge takes, in the unit of the test time.

    It counts if the voltage moves by more than ``SWING_VOLT`` within it, and if it has enough rows; else 0 is returned.

    Args:
        frame: the record.
        test: the test time in its own unit, shape (n,).
    """
    current = column_values(frame, c.CURRENT)
    voltage = column_values(frame, c.VOLTAGE)
    carrying = np.abs(current) > CARRYING_SHARE * float(np.nanmax(np.abs(current), initial=0.0))
    state = np.where(carrying, np.sign(current), 0.0)
    begins = (state[1:] != state[:-1]) | (test[1:] < test[:-1])
    first = np.append(0, 1 + np.flatnonzero(begins))
    last = np.append(first[1:], len(test)) - 1
    seconds = np.where(state[first] != 0, test[last] - test[first], -1.0)
    if np.isnan(seconds).all():
        return 0.0
    longest = int(np.nanargmax(seconds))
    start = int(first[longest])
    end = int(last[longest])
    # A tenth at each end is left out, so that the jumps there do not count.
    margin = (end - start) // 10
    inner = voltage[start + margin : end - margin]
    inner = inner[np.isfinite(inner)]
    if end - start < BLOCK_INTERVALS or len(inner) < 2 or float(np.ptp(inner)) < SWING_VOLT:
        return 0.0
    return max(float(seconds[longest]), 0.0)


def _step_time(frame: Table) -> Floats:
    """Return the time within steps in s, shape (n,); NaN in a frame that does not have it."""
    if c.STEP_TIME not in frame:
        return np.full(len(frame), np.nan)
    return column_values(frame, c.STEP_TIME)
