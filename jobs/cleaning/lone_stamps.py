"""The cleaning rule about single stamps: one row's time is wrong, and the rows around it continue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Floats, Integers, Mask
from ...data.settings import CleanSettings
from .rule import Event, RuleOutcome, column_values, run_events, set_flag, word_codes
from .time_order import find_clock_restarts, has_clock

REACH: Final = 8
"""Rows on each side of a fall that show how the clock runs. Chosen, not measured."""

MOST_LONE: Final = 3
"""Most wrong stamps near one another; more are a block in another place, or a restart. Chosen, not measured."""

MOST_FALLS: Final = 2000
"""With more falls, a falling clock is the cycler's habit. Chosen, not measured."""

SHORTEST_LAP: Final = 3
"""Rows. A clock that restarts runs on for so long at least. Chosen, not measured."""

REGULAR_SHARE: Final = 0.6
"""Least share of the intervals around that are alike in a regular log. Chosen, not measured."""

ALIKE: Final = 0.1
"""Share by which intervals of a regular log differ. Chosen, not measured."""

BETTER: Final = 0.3
"""Natural logarithm of an interval over the usual one: by so much the better place must fit better. Chosen, not
measured."""

FAR_INTERVALS: Final = 3.0
"""Usual intervals: a row so far before the first or after the last one is no late row. Chosen, not measured."""

SIGNAL_FACTOR: Final = 3.0
"""The voltage must fit one place so many times better. Chosen, not measured."""

SIGNAL_VOLT: Final = 0.002
"""V: a smaller misfit of the voltage says nothing. Chosen, not measured."""

FAR_SPANS: Final = 10.0
"""A first or last row so many times the length of all other rows away is wrong, if its step continues. Chosen, not
measured."""

FAR_SECOND: Final = 86400.0
"""s: the same, and at least so far away. Chosen, not measured."""

WIDEST: Final = 120
"""Rows: most rows that are looked at together. Chosen, not measured."""


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
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


def time_stamp(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Place a single row whose time contradicts its neighbours, while the rows around it continue.

    The stamp may be before, after or far outside of all others. The row keeps its place in the file if the other clock,
    its step number, its step time, the regular log or its voltage agree with that place better than with the place of
    its stamp; otherwise it is a row in the wrong place, which the next rule sorts. Its new time comes from the other
    clock, from the step time, or else from the usual interval before or after it.
    """
    test = column_values(frame, c.TEST_TIME)
    wall = column_values(frame, c.UNIX_TIME)
    events: list[Event] = []
    touched = np.zeros(len(frame), dtype=bool)
    clocks = {c.UNIX_TIME: wall, c.TEST_TIME: test}
    for name, other_name, words in (
        (c.UNIX_TIME, c.TEST_TIME, "wall clock"),
        (c.TEST_TIME, c.UNIX_TIME, "test time"),
    ):
        clock = clocks[name]
        if not has_clock(clock):
            continue
        known = np.flatnonzero(np.isfinite(clock))
        if not _may_be_wrong(clock[known]):
            continue
        rows = _rows(frame, known, clock, clocks[other_name], settings)
        wrong = _find_wrong(rows)
        if not wrong.any():
            continue
        placed, evidence = _place(rows, wrong)
        mask = np.zeros(len(frame), dtype=bool)
        mask[known[wrong]] = True
        corrected = clock.copy()
        corrected[known] = placed
        clocks[name] = corrected
        events += _events(frame, mask, clock, corrected, dict(zip(known.tolist(), evidence, strict=True)), words)
        touched |= mask
    if not touched.any():
        return RuleOutcome(frame)
    frame = frame.assign(**clocks)
    return RuleOutcome(set_flag(frame, touched, "time_stamp"), tuple(events))


def _events(
    frame: pd.DataFrame, mask: Mask, clock: Floats, corrected: Floats, evidence: dict[int, str], words: str
) -> list[Event]:
    def before(i: int, n: int) -> str:
        return f"{words} {clock[i]:.3f} s between rows that continue"

    def after(i: int, n: int) -> str:
        return f"{corrected[i]:.3f} s, {evidence[i]}"

    return run_events(frame, mask, "time_stamp", before, after, lambda i, n: "placed")


def _may_be_wrong(clock: Floats) -> bool:
    """Tell whether a clock falls, or has a first or last row far from the next; a quick first look."""
    if len(clock) < 2 * SHORTEST_LAP:
        return False
    interval = np.diff(clock)
    ends_far = max(interval[0], interval[-1]) > FAR_SPANS * min(interval[1], interval[-2])
    return bool(ends_far) or bool((interval < 0.0).any())


def _is_far(clock: Floats) -> bool:
    """Tell whether the last row is far after all others."""
    return bool(clock[-1] - clock[-2] > max(FAR_SECOND, FAR_SPANS * (clock[-2] - clock[0])))


def _rows(frame: pd.DataFrame, known: Integers, clock: Floats, other: Floats, settings: CleanSettings) -> _Rows:
    part = np.zeros(len(known), dtype=np.int64)
    for name in (c.SOURCE_INDEX, c.CYCLE_ID, c.STEP_ID):
        part = _combined(part, pd.factorize(frame[name].to_numpy()[known])[0])
    part = _combined(part, word_codes(frame[c.STATE])[0][known])
    return _Rows(
        clock[known],
        other[known],
        part,
        column_values(frame, c.STEP_TIME)[known],
        column_values(frame, c.VOLTAGE)[known],
        column_values(frame, c.CURRENT)[known],
        settings.clock_tolerance_second,
    )


def _combined(part: Integers, code: Integers) -> Integers:
    return pd.factorize(part * (int(code.max(initial=0)) + 2) + code + 1)[0]


def _find_wrong(rows: _Rows) -> Mask:
    """Tell which rows have a wrong stamp, shape (n,)."""
    clock = rows.clock
    wrong = np.zeros(len(clock), dtype=bool)
    wrong[0] = clock[1] < clock[0] and bool((np.diff(clock[1 : 1 + REACH]) >= 0.0).all()) and _continues(rows, 0, 1)
    if wrong[0] and find_clock_restarts(clock[: 1 + REACH])[1:].sum() == 0 and clock[0] <= clock[1 : 1 + REACH].max():
        # Not above all that follow: then it may as well be swapped with a neighbour.
        wrong[0] = False
    falls = 1 + np.flatnonzero(np.diff(clock) < 0.0)
    if len(falls) <= MOST_FALLS:
        begins = _laps(clock)
        for first, last in _clusters(falls):
            low, high = begins[begins <= max(first - 1, 0)].max(initial=0), len(clock)
            later = begins[begins > last]
            if len(later):
                high = int(later.min())
            window = np.arange(max(first - REACH, low), min(last + REACH, high))
            window = window[~wrong[window]]
            if len(window) <= WIDEST:
                wrong[_wrong_in_window(rows, np.arange(low, high), window)] = True
    good = np.flatnonzero(~wrong)
    for end, near in ((good[-1], good[-2]), (good[0], good[1])):
        line = clock[good] if end == good[-1] else -clock[good][::-1]
        if _continues(rows, int(end), int(near)) and (_is_far(line) or _is_far_by_clock(rows, int(end), int(near))):
            wrong[end] = True
    return wrong


def _is_far_by_clock(rows: _Rows, row: int, near: int) -> bool:
    """Tell whether a first or last row is far from the others, while the other clock goes on at its usual interval."""
    interval = abs(rows.clock[row] - rows.clock[near])
    by_other = abs(rows.other[row] - rows.other[near])
    further = near + 2 * (near - row)
    usual = abs(rows.other[further] - rows.other[near]) / 2.0 if 0 <= further < len(rows.other) else np.nan
    return bool(
        by_other <= FAR_INTERVALS * usual and interval > FAR_SPANS * max(usual, by_other) + 2.0 * rows.tolerance
    )


def _continues(rows: _Rows, row: int, near: int) -> bool:
    """Tell whether a first or last row belongs to the step of its neighbours."""
    further = near + (near - row)
    return bool(rows.part[row] == rows.part[near] == rows.part[min(max(further, 0), len(rows.part) - 1)])


def _laps(clock: Floats) -> Integers:
    """Return the first rows of the laps of a clock that restarts; a lap has at least ``SHORTEST_LAP`` rows."""
    begins = np.flatnonzero(find_clock_restarts(clock))
    ends = np.append(begins[1:], len(clock))
    long_enough = (ends - begins >= SHORTEST_LAP) & (np.diff(begins, prepend=0) >= SHORTEST_LAP)
    return np.concatenate([[0], begins[long_enough]])


def _clusters(falls: Integers) -> list[tuple[int, int]]:
    """Return the first and last fall of each group of falls that are close together."""
    if not len(falls):
        return []
    breaks = np.flatnonzero(np.diff(falls) > REACH)
    first = falls[np.concatenate([[0], breaks + 1])]
    last = falls[np.append(breaks, len(falls) - 1)]
    return list(zip(first.tolist(), last.tolist(), strict=True))


def _wrong_in_window(rows: _Rows, lap: Integers, window: Integers) -> list[int]:
    """Return the rows of a window whose own stamps are wrong; none if rows seem to be in the wrong place."""
    clock = rows.clock[window]
    kept = _longest_run(clock)
    suspects = np.flatnonzero(~kept)
    if not 0 < len(suspects) <= MOST_LONE or len(suspects) > len(window) // 3:
        return []
    wrong: list[int] = []
    for suspect in suspects.tolist():
        others = np.setdiff1d(suspects, [suspect])
        line = np.delete(np.arange(len(window)), others)
        at = int(np.flatnonzero(line == suspect)[0])
        candidates = [place for place in (at, at - 1, at + 1) if _rises_without(clock[line], place)]
        found = _judge(rows, lap, window[line], candidates)
        if found is not None:
            wrong.append(found)
    return wrong


def _rises_without(clock: Floats, place: int) -> bool:
    return 0 <= place < len(clock) and bool((np.diff(np.delete(clock, place)) >= 0.0).all())


def _longest_run(clock: Floats) -> Mask:
    """Tell which values are in the longest sequence that never falls, shape (n,)."""
    length = np.ones(len(clock), dtype=np.int64)
    before = np.full(len(clock), -1)
    for i in range(1, len(clock)):
        earlier = np.flatnonzero(clock[:i] <= clock[i])
        if len(earlier):
            best = int(earlier[np.argmax(length[earlier])])
            length[i] = length[best] + 1
            before[i] = best
    kept = np.zeros(len(clock), dtype=bool)
    at = int(np.argmax(length))
    while at >= 0:
        kept[at] = True
        at = int(before[at])
    return kept


def _judge(rows: _Rows, lap: Integers, line: Integers, candidates: list[int]) -> int | None:
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


def _is_version(rows: _Rows, row: int, there: list[int]) -> bool:
    """Tell whether a row shares its stamp and a value with another one: a copy of it, not a wrong stamp."""
    same_time = rows.clock[there[0]] == rows.clock[row]
    same_voltage = rows.voltage[there[0]] == rows.voltage[row]
    same_current = rows.current[there[0]] == rows.current[row] != 0.0
    return bool(same_time and (same_voltage or same_current))


def _other_clock_differs(rows: _Rows, line: Integers, place: int) -> bool:
    """Tell whether another clock continues through a row whose stamp does not; if both agree, that says nothing."""
    row = line[place]
    for other in (rows.other, np.where(rows.part == rows.part[row], rows.since, np.nan)):
        ahead = rows.clock[line] - other[line]
        others = np.delete(np.arange(len(line)), place)
        others = others[np.isfinite(ahead[others])]
        if np.isnan(ahead[place]) or len(others) < 2:
            continue
        usual = float(np.median(ahead[others]))
        spread = float(np.median(np.abs(ahead[others] - usual)))
        differs = abs(ahead[place] - usual) > max(rows.tolerance, 5.0 * spread)
        if differs and (np.diff(other[line][np.sort(np.append(others, place))]) >= 0.0).all():
            return True
    return False


def _place_of_stamp(rows: _Rows, lap: Integers, line: Integers, place: int) -> list[int]:
    """Return the rows of the lap that are before and after a row by its stamp."""
    row = int(line[place])
    stamp = rows.clock[row]
    clock = rows.clock[lap]
    others = lap != row
    earlier = lap[others & (clock <= stamp)]
    later = lap[others & (clock > stamp)]
    there = []
    if len(earlier):
        there.append(int(earlier[np.argmax(rows.clock[earlier])]))
    if len(later):
        there.append(int(later[np.argmin(rows.clock[later])]))
    return there


def _beside(line: Integers, place: int) -> list[int]:
    return [int(line[near]) for near in (place - 1, place + 1) if 0 <= near < len(line)]


def _interval_scores(rows: _Rows, line: Integers, place: int, there: list[int]) -> tuple[float, float]:
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
    usual_here = _regular_interval(others)
    at = int(np.argmin(np.abs(others - clock[there[0]]))) if there[0] in line else -1
    around = others if at >= 0 else clock[max(there[0] - REACH, 0) : there[0] + REACH]
    usual_there = _regular_interval(np.sort(around))
    if usual_here <= 0.0 or usual_there <= 0.0:
        return np.inf, np.inf
    here = [clock[near] for near in _beside(line, place)]
    in_place = by_stamp = 0.0
    if len(here) == 2:
        in_place += _misfit(here[1] - here[0], 2.0 * usual_here)
        by_stamp += _misfit(here[1] - here[0], usual_here)
    if len(there) == 2:
        in_place += _misfit(clock[there[1]] - clock[there[0]], usual_there)
    by_stamp += sum(_misfit(abs(clock[near] - stamp), usual_there) for near in there)
    return in_place, by_stamp


def _regular_interval(clock: Floats) -> float:
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


def _signal_fits(rows: _Rows, line: Integers, place: int, there: list[int]) -> bool:
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


def _signal_misfit(rows: _Rows, row: int, near: list[int]) -> float:
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


def _place(rows: _Rows, wrong: Mask) -> tuple[Floats, list[str]]:
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


def _time_of_row(
    rows: _Rows, clock: Floats, row: int, before: int | None, after: int | None
) -> tuple[float, str]:
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
