"""The evidence for a single wrong stamp: which of some rows has one, and when that row was written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ...data.arrays import Floats, Integers, Mask

REACH: Final = 8
"""Rows on each side of a fall that show how the clock runs. Chosen, not measured."""

REGULAR_SHARE: Final = 0.6
"""Least share of the intervals around that are alike in a regular log. Chosen, not measured."""

ALIKE: Final = 0.1
"""Share by which intervals of a regular log differ. Chosen, not measured."""

BETTER: Final = 1.0
"""Natural logarithm of an interval over the usual one: by so much the row's own place must fit better than that of its
stamp. In a regular log it fits better by 2; between swapped rows of real logs, by up to 0.9."""

NEAR_ROWS: Final = 3
"""Rows by which exchanged rows are apart. Chosen, not measured."""

SUITS: Final = 0.3
"""Natural logarithm of an interval over the usual one: up to this, a place suits a row of a regular log. Chosen, not
measured."""

FAR_INTERVALS: Final = 3.0
"""Usual intervals: a row so far before the first or after the last one is no late row. Chosen, not measured."""

TWICE_SHARE: Final = 0.01
"""Share of the usual interval up to which two rows are one row written twice. Chosen, not measured."""

SIGNAL_FACTOR: Final = 3.0
"""The voltage must fit one place so many times better. Chosen, not measured."""

SIGNAL_VOLT: Final = 0.01
"""V: a smaller misfit of the voltage says nothing. Chosen, not measured."""

FAR_SPANS: Final = 10.0
"""A first or last row so many times the length of all other rows away is wrong, if its step continues. Chosen, not
measured."""

FAR_SECOND: Final = 86400.0
"""s: the same, and at least so far away. Chosen, not measured."""


@dataclass(frozen=True, slots=True, eq=False)
class StampRows:
    """What the rows with a stamp say about their order, each of shape (n,).

    Args:
        clock: s, the clock that is judged.
        other: s, the other clock, NaN where unknown.
        part: a number for each combination of file, cycle, step and state.
        since: s since the step began, NaN where unknown.
        voltage, current: V and A.
        tolerance: s, by which two clocks may differ from row to row.
    """

    clock: Floats
    other: Floats
    part: Integers
    since: Floats
    voltage: Floats
    current: Floats
    tolerance: float


def find_wrong_row(rows: StampRows, lap: Integers, line: Integers, candidates: list[int]) -> int | None:
    """Return the row whose stamp is wrong; ``None`` if a row is in the wrong place, or nothing says which.

    Args:
        rows: the record.
        lap: rows of this lap of the clock.
        line: some of them in file order, of which one is out of order.
        candidates: places in ``line``; without any one of these rows, the others are in order. The likeliest first.
    """
    for place in candidates:
        if _other_clock_differs(rows, line, place):
            return int(line[place])
    places = [_place_of_stamp(rows, lap, line, place) for place in candidates]
    # A row that two clocks put elsewhere is in the wrong place, unless only its own place suits a regular log.
    near = [place for place, there in zip(candidates, places, strict=True) if _is_near(int(line[place]), there)]
    if near and any(_other_clock_agrees(rows, line, place) for place in near):
        scored = zip(candidates, places, strict=True)
        if not any(_interval_scores(rows, line, place, there)[0] <= SUITS for place, there in scored):
            return None
    for place, there in zip(candidates, places, strict=True):
        part = rows.part[line[place]]
        fits_here = part in rows.part[_beside(line, place)]
        fits_there = part in rows.part[there]
        if fits_here != fits_there:
            return int(line[place]) if fits_here else None
    if any(_is_version(rows, int(line[place]), there) for place, there in zip(candidates, places, strict=True)):
        return None
    scores = [_interval_scores(rows, line, place, there) for place, there in zip(candidates, places, strict=True)]
    best = min(range(len(candidates)), key=lambda number: min(scores[number]))
    in_place, by_stamp = scores[best]
    if np.isfinite(in_place + by_stamp):
        row = int(line[candidates[best]])
        here = _signal_misfit(rows, row, _beside(line, candidates[best]))
        is_wrong = in_place < by_stamp - BETTER and here <= _signal_misfit(rows, row, places[best])
        return row if is_wrong else None
    if _signal_fits(rows, line, candidates[0], places[0]):
        return int(line[candidates[0]])
    return None


def _is_near(row: int, there: list[int]) -> bool:
    """Tell whether the place of a row by its stamp is a few rows away: it may be there by an exchange of rows."""
    return min(abs(row - other) for other in there) <= NEAR_ROWS


def _is_version(rows: StampRows, row: int, there: list[int]) -> bool:
    """Tell whether a row shares its stamp and a value with another one: a copy of it, not a wrong stamp."""
    same_time = rows.clock[there[0]] == rows.clock[row]
    same_voltage = rows.voltage[there[0]] == rows.voltage[row]
    same_current = rows.current[there[0]] == rows.current[row] != 0.0
    return bool(same_time and (same_voltage or same_current))


def _other_clock_differs(rows: StampRows, line: Integers, place: int) -> bool:
    """Tell whether another clock continues through a row whose stamp does not; if both agree, that says nothing."""
    row = line[place]
    in_step = np.where(rows.part[line] == rows.part[row], rows.since[line], np.nan)
    for other in (rows.other[line], in_step):
        ahead = rows.clock[line] - other
        others = np.delete(np.arange(len(line)), place)
        others = others[np.isfinite(ahead[others])]
        if np.isnan(ahead[place]) or len(others) < 2:
            continue
        usual = float(np.median(ahead[others]))
        spread = float(np.median(np.abs(ahead[others] - usual)))
        differs = abs(ahead[place] - usual) > max(rows.tolerance, 5.0 * spread)
        if differs and (np.diff(other[np.sort(np.append(others, place))]) >= 0.0).all():
            return True
    return False


def _other_clock_agrees(rows: StampRows, line: Integers, place: int) -> bool:
    """Tell whether the record's other clock is out of order in the same row by the same time: the row is misplaced.

    Two clocks are hardly wrong in one row by the same amount. At an end of the record they may be, if one is made
    from the other.
    """
    others = np.delete(np.arange(len(line)), place)
    ahead = rows.clock[line] - rows.other[line]
    known = others[np.isfinite(ahead[others])]
    if np.isnan(ahead[place]) or len(known) < 2 or place in (0, len(line) - 1):
        return False
    return bool(abs(ahead[place] - float(np.median(ahead[known]))) <= rows.tolerance)


def _place_of_stamp(rows: StampRows, lap: Integers, line: Integers, place: int) -> list[int]:
    """Return the rows of the lap that are before and after a row by its stamp."""
    row = int(line[place])
    stamp = rows.clock[row]
    clock = rows.clock[lap]
    others = lap != row
    earlier = np.where(others & (clock <= stamp), clock, -np.inf)
    later = np.where(others & (clock > stamp), clock, np.inf)
    before, after = int(np.argmax(earlier)), int(np.argmin(later))
    there = []
    if np.isfinite(earlier[before]):
        there.append(int(lap[before]))
    if np.isfinite(later[after]):
        there.append(int(lap[after]))
    return there


def _beside(line: Integers, place: int) -> list[int]:
    return [int(line[near]) for near in (place - 1, place + 1) if 0 <= near < len(line)]


def _interval_scores(rows: StampRows, line: Integers, place: int, there: list[int]) -> tuple[float, float]:
    """Return how badly the intervals fit a wrong stamp, and a row in the wrong place; infinite if the log is irregular.

    Args:
        rows: the record.
        line: rows in file order.
        place: of the row in question in ``line``.
        there: the rows before and after it by its stamp.

    Returns:
        Sums of ``|ln|`` of the intervals over those expected.
    """
    clock = rows.clock
    stamp = clock[line[place]]
    others = clock[np.delete(line, place)]
    usual_here = regular_interval(others)
    at = int(np.argmin(np.abs(others - clock[there[0]]))) if there[0] in line else -1
    around = others if at >= 0 else clock[max(there[0] - REACH, 0) : there[0] + REACH]
    usual_there = regular_interval(np.sort(around))
    if usual_here <= 0.0 or usual_there <= 0.0:
        return np.inf, np.inf
    here = [clock[near] for near in _beside(line, place)]
    in_place = by_stamp = 0.0
    if len(here) == 2:
        in_place += _misfit(here[1] - here[0], 2.0 * usual_here)
        by_stamp += _misfit(here[1] - here[0], usual_here)
    if len(there) == 2:
        in_place += _misfit(clock[there[1]] - clock[there[0]], usual_there)
    beside_stamp = [float(abs(clock[near] - stamp)) for near in there]
    # Where the cycler writes rows twice, a row that is next to another by its stamp is no misfit.
    if _writes_twice(others, usual_there):
        beside_stamp = [interval for interval in beside_stamp if interval > TWICE_SHARE * usual_there]
    by_stamp += sum(_misfit(interval, usual_there) for interval in beside_stamp)
    return in_place, by_stamp


def _writes_twice(clock: Floats, usual: float) -> bool:
    """Tell whether rows are often written twice within a small part of the usual interval in s."""
    return int(np.count_nonzero(np.abs(np.diff(clock)) <= TWICE_SHARE * usual)) >= 2


def regular_interval(clock: Floats) -> float:
    """Return the usual interval of a regular log in s; 0 for any other log."""
    intervals = np.diff(clock)
    if not (intervals > 0.0).any():
        return 0.0
    usual = float(np.median(intervals[intervals > 0.0]))
    if float((np.abs(intervals / usual - 1.0) <= ALIKE).mean()) < REGULAR_SHARE:
        return 0.0
    return usual


def _misfit(interval: float, expected: float) -> float:
    return float(abs(np.log(max(interval, 1e-3 * expected) / expected)))


def _signal_fits(rows: StampRows, line: Integers, place: int, there: list[int]) -> bool:
    """Tell whether a row fits its place in the file much better than that of its stamp.

    Without a row near its stamp, such as before the start of the record, nothing speaks for the stamp.
    """
    row = int(line[place])
    intervals = np.diff(np.delete(rows.clock[line], place))
    usual = float(np.median(intervals[intervals > 0.0])) if (intervals > 0.0).any() else 0.0
    nearest = min(abs(rows.clock[near] - rows.clock[row]) for near in there)
    if len(there) < 2 and usual > 0.0 and nearest > FAR_INTERVALS * usual:
        return True
    misfit_here = _signal_misfit(rows, row, _beside(line, place))
    misfit_there = _signal_misfit(rows, row, there)
    return misfit_there > SIGNAL_VOLT and misfit_there > SIGNAL_FACTOR * misfit_here


def _signal_misfit(rows: StampRows, row: int, near: list[int]) -> float:
    """Return by how many V the voltage misses that of its neighbours, in V, plus the same for the current's share."""
    misses = 0.0
    largest = max(float(np.nanmax(np.abs(rows.current), initial=0.0)), 1e-12)
    for column, scale in ((rows.voltage, 1.0), (rows.current, largest)):
        values = column[near]
        if np.isnan(column[row]) or np.isnan(values).any():
            continue
        low, high = float(values.min()), float(values.max())
        misses += max(low - column[row], column[row] - high, 0.0) / scale
    return misses


def place_rows(rows: StampRows, wrong: Mask) -> tuple[Floats, list[str]]:
    """Return the clock in s with a time for each wrong row, shape (n,), and for each row the evidence."""
    placed = rows.clock.copy()
    evidence = [""] * len(placed)
    good = np.flatnonzero(~wrong)
    for row in np.flatnonzero(wrong).tolist():
        at = int(np.searchsorted(good, row))
        before = int(good[at - 1]) if at else None
        after = int(good[at]) if at < len(good) else None
        placed[row], evidence[row] = _time_of_row(rows, placed, row, before, after)
        good = np.insert(good, at, row)
    return placed, evidence


def _time_of_row(rows: StampRows, clock: Floats, row: int, before: int | None, after: int | None) -> tuple[float, str]:
    """Return the time of a wrong row in s, and the evidence.

    Args:
        rows: the record.
        clock: s, with the rows that are placed already.
        row: the wrong row.
        before, after: the nearest rows with a good stamp; ``None`` = there is none.
    """
    low = clock[before] if before is not None else -np.inf
    high = clock[after] if after is not None else np.inf
    in_step = np.where(rows.part == rows.part[row], rows.since, np.nan)
    # At an end of the record, both clocks of the row may be wrong alike.
    longest = max(FAR_SECOND, FAR_SPANS * float(np.ptp(clock[np.flatnonzero(np.arange(len(clock)) != row)])))
    for near in (before, after):
        for other, words in ((rows.other, "by the other clock"), (in_step, "by the step time")):
            if near is None or not np.isfinite(other[row] - other[near]):
                continue
            time = clock[near] + other[row] - other[near]
            if low <= time <= high and abs(time - clock[near]) <= longest:
                return float(time), words
    if before is None or after is None:
        near = after if before is None else before
        usual = _usual_interval(clock, rows.part, near or 0)
        return (high - usual if before is None else low + usual), "by the usual interval"
    edge = _usual_edge(clock, rows.part)
    between = (low + high) / 2.0
    same_before = rows.part[row] == rows.part[before]
    same_after = rows.part[row] == rows.part[after]
    if same_before and not same_after and 0.0 <= edge < high - low:
        return high - edge, "by the edges of other steps"
    if same_after and not same_before and 0.0 <= edge < high - low:
        return low + edge, "by the edges of other steps"
    usual = _usual_interval(clock, rows.part, before)
    if after - before == 2 or not 0.0 < usual < high - low:
        return between, "midway between its neighbours"
    return low + usual, "by the usual interval"


def _usual_interval(clock: Floats, part: Integers, near: int) -> float:
    """Return the median interval between rows of one step around a row in s; 1 s if there is none."""
    around = slice(max(near - REACH, 0), near + REACH)
    intervals = np.diff(clock[around])
    good = (intervals > 0.0) & (np.diff(part[around]) == 0) & (part[around][1:] == part[near])
    if not good.any():
        good = intervals > 0.0
    if not good.any():
        return 1.0
    return float(np.median(intervals[good]))


def _usual_edge(clock: Floats, part: Integers) -> float:
    """Return the median time in s from the last row of a step to the first of the next; NaN if there is none."""
    intervals = np.diff(clock)[np.diff(part) != 0]
    intervals = intervals[intervals >= 0.0]
    if not len(intervals):
        return float("nan")
    return float(np.median(intervals))
