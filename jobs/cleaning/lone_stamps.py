"""The cleaning rule about stamps: the time of one row or a few is wrong, and the rows around them continue."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Floats, Integers, Mask
from ...data.settings import CleanSettings
from ..record.table import Table
from .rule import Event, RuleOutcome, column_values, run_events, set_flag, word_codes
from .stamp_evidence import FAR_INTERVALS, FAR_SECOND, FAR_SPANS, REACH, StampRows, find_wrong_row, place_rows
from .stamp_runs import MOST_ROWS, find_wrong_runs, move_runs
from .time_order import find_clock_restarts, has_clock

MOST_LONE: Final = 3
"""Most wrong stamps near one another; more are a block in another place, or a restart. Chosen, not measured."""

MOST_FALLS: Final = 2000
"""With more falls, a falling clock is the cycler's habit. Chosen, not measured."""

SHORTEST_LAP: Final = 3
"""Rows. A clock that restarts runs on for so long at least. Chosen, not measured."""

WIDEST: Final = 120
"""Rows: most rows that are looked at together. Chosen, not measured."""


def time_stamp(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Place a row or a few whose time contradicts their neighbours, while the rows around them continue.

    The stamp may be before, after or far outside of all others. The row keeps its place in the file if the other clock,
    its step number, its step time, the regular log or its voltage agree with that place better than with the place of
    its stamp; otherwise it is a row in the wrong place, which the next rule sorts. Its new time comes from the other
    clock, from the step time, or else from the usual interval before or after it. A run of up to eight rows is placed
    if the rows on both sides leave a hole that fits it, by the usual interval or the other clock.
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
    frame: Table, mask: Mask, clock: Floats, corrected: Floats, evidence: dict[int, str], words: str
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
    run_far = max(interval[:MOST_ROWS].max(), interval[-MOST_ROWS:].max()) > FAR_SECOND
    return bool(ends_far) or bool(run_far) or bool((interval < 0.0).any())


def _is_far(clock: Floats) -> bool:
    """Tell whether the last row is far after all others."""
    return bool(clock[-1] - clock[-2] > max(FAR_SECOND, FAR_SPANS * (clock[-2] - clock[0])))


def _rows(frame: Table, known: Integers, clock: Floats, other: Floats, settings: CleanSettings) -> StampRows:
    part = np.zeros(len(known), dtype=np.int64)
    for name in (c.SOURCE_INDEX, c.CYCLE_ID, c.STEP_ID):
        column = frame[name][known]
        if (column[1:] != column[:-1]).any():
            part = _combined(part, pd.factorize(column)[0])
    code, words = word_codes(frame[c.STATE])
    if words:
        part = _combined(part, code[known])
    return StampRows(
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


def _place(rows: StampRows, wrong: Mask) -> tuple[Floats, list[str]]:
    """Return the clock in s with a time for each wrong row, shape (n,), and for each row the evidence."""
    moved = rows.clock.copy()
    by_run = move_runs(rows, wrong, moved)
    left = wrong.copy()
    left[list(by_run)] = False
    placed, evidence = place_rows(replace(rows, clock=moved), left)
    return placed, [by_run.get(row, words) for row, words in enumerate(evidence)]


def _find_wrong(rows: StampRows) -> Mask:
    """Tell which rows have a wrong stamp, shape (n,): runs of a few first, then single rows among the others."""
    if int((np.diff(rows.clock) < 0.0).sum()) > MOST_FALLS:
        return _find_single(rows)
    wrong = find_wrong_runs(rows)
    if not wrong.any():
        return _find_single(rows)
    good = np.flatnonzero(~wrong)
    others = StampRows(
        rows.clock[good],
        rows.other[good],
        rows.part[good],
        rows.since[good],
        rows.voltage[good],
        rows.current[good],
        rows.tolerance,
    )
    if _may_be_wrong(others.clock):
        wrong[good[_find_single(others)]] = True
    return wrong


def _find_single(rows: StampRows) -> Mask:
    """Tell which single rows have a wrong stamp, shape (n,)."""
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


def _is_far_by_clock(rows: StampRows, row: int, near: int) -> bool:
    """Tell whether a first or last row is far from the others, while the other clock goes on at its usual interval."""
    interval = abs(rows.clock[row] - rows.clock[near])
    by_other = abs(rows.other[row] - rows.other[near])
    further = near + 2 * (near - row)
    usual = abs(rows.other[further] - rows.other[near]) / 2.0 if 0 <= further < len(rows.other) else np.nan
    return bool(
        by_other <= FAR_INTERVALS * usual and interval > FAR_SPANS * max(usual, by_other) + 2.0 * rows.tolerance
    )


def _continues(rows: StampRows, row: int, near: int) -> bool:
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


def _wrong_in_window(rows: StampRows, lap: Integers, window: Integers) -> list[int]:
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
        found = find_wrong_row(rows, lap, window[line], candidates)
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
