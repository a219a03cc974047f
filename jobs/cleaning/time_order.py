"""Cleaning rules about rows in the wrong order, rows written twice, and rows without a time.

A record may have two clocks: the cycler's own (``test_time_second``) and the computer's (``unix_time_second``). The
cycler's is used if there is one. The other one distinguishes a restart of it from rows in the wrong order.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Floats, Integers, Mask
from ...data.settings import CleanSettings
from ..record.table import Table
from .rule import Event, RuleOutcome, column_values, constant_text, find_runs, run_events, set_flag, word_codes

WINDOW: Final = 5
"""Number of samples after a fall of a clock whose median must stay below: then the clock restarted. Chosen, not
measured."""

COARSE_ROWS: Final = 3
"""Mean number of rows per time stamp, from which on the clock is too coarse for the log. Chosen, not measured."""

# duplicate_row

COPY_ROWS: Final = 3
"""Least number of equal rows in a row that make a block written twice. Fewer may be a clock that restarted. Chosen, not
measured."""

HABIT_SHARE: Final = 0.02
"""Share of all rows: if more are written nearly twice, that is the cycler's habit. Chosen, not measured."""

WHOLE_SHARE: Final = 0.98
"""Share of a file's rows that a later file must repeat, so that it holds the file again. Chosen, not measured."""

COMPARED_COLUMNS: Final = (
    c.UNIX_TIME,
    c.TEST_TIME,
    c.CYCLE_ID,
    c.STEP_ID,
    c.CURRENT,
    c.VOLTAGE,
    c.AMBIENT_TEMPERATURE,
    c.SURFACE_TEMPERATURE,
    c.CHARGING_CAPACITY,
    c.DISCHARGING_CAPACITY,
    c.STEP_TIME,
    c.STEP_CAPACITY,
    c.NET_CAPACITY,
    c.STATE,
)
"""The columns in which a row written twice is equal to its copy."""

# time_order

LATE_HOLE: Final = 3.0
"""A block that was written late fills a hole between other rows to within this many usual intervals. Chosen, not
measured."""

MOST_FALLS: Final = 50
"""With more falls of a clock, late blocks are not searched, to save time. Chosen, not measured."""


def has_clock(clock: Floats) -> bool:
    """Tell whether a clock can be used: at least half of its stamps are known.

    Args:
        clock: s, shape (n,), NaN where missing.
    """
    return bool(len(clock) and 2 * np.count_nonzero(np.isfinite(clock)) >= len(clock))


def find_clock_restarts(clock: Floats) -> Mask:
    """Tell at which rows a clock has restarted, shape (n,): it falls and stays below, unlike swapped neighbours.

    Args:
        clock: s, shape (n,), without missing values.
    """
    restarted = np.zeros(len(clock), dtype=bool)
    at = 1 + np.flatnonzero(np.diff(clock) < 0.0)
    if len(at):
        ahead = np.minimum(at[:, None] + np.arange(WINDOW), len(clock) - 1)
        stays_below = np.median(clock[ahead], axis=1) <= clock[at - 1]
        below_both = (at < 2) | (clock[at] < clock[np.maximum(at - 2, 0)])
        restarted[at[stays_below & below_both]] = True
    return restarted


def coarse_stamp_second(clock: Floats) -> float:
    """Return the interval in s of a clock that is too coarse for its log, so that three rows or more share a stamp.

    Args:
        clock: s, shape (n,).

    Returns:
        0 for any other clock.
    """
    interval = np.diff(clock)
    forward = interval[interval > 0.0]
    if len(forward) == 0 or COARSE_ROWS * (len(forward) + 1) > len(clock):
        return 0.0
    usual = float(np.median(forward))
    multiples = forward / usual
    whole = float((np.abs(multiples - np.round(multiples)) < 1e-6).mean())
    if usual >= 1.0 and whole > 0.95:
        return usual
    return 0.0


def time_missing(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Quarantine rows without any time; a missing stamp of one clock is filled from the other, or from the step time.

    A clock with fewer than half of its stamps is not used.
    """
    test = column_values(frame, c.TEST_TIME)
    wall = column_values(frame, c.UNIX_TIME)
    if not has_clock(test) and has_clock(wall):
        frame = frame.assign(**{c.TEST_TIME: np.nan})
        return _quarantine(frame, ~np.isfinite(wall), "time_missing", "missing", [])
    if np.isfinite(test).all():
        return RuleOutcome(frame)
    wall_ahead = pd.Series(wall - test).ffill().bfill().to_numpy()
    by_wall = np.where(np.isfinite(test), test, wall - wall_ahead)
    filled = np.where(np.isfinite(by_wall), by_wall, _by_step_time(frame, test))
    lost = ~np.isfinite(filled)
    from_other = ~np.isfinite(test) & ~lost
    events: list[Event] = []
    if from_other.any():
        frame = set_flag(frame.assign(**{c.TEST_TIME: filled}), from_other, "time_missing")

        def after(i: int, n: int) -> str:
            return "from the wall clock" if np.isfinite(by_wall[i]) else "from the time within the step"

        before = constant_text("missing")
        events = run_events(frame, from_other, "time_missing", before, after, constant_text("filled"))
    return _quarantine(frame, lost, "time_missing", "missing", events)


def _by_step_time(frame: Table, test: Floats) -> Floats:
    """Return the test time in s by the time within steps and other rows of each step, shape (n,), NaN if unknown."""
    since = column_values(frame, c.STEP_TIME)
    step = column_values(frame, c.STEP_ID)
    begins = np.diff(pd.Series(since).ffill().to_numpy(), prepend=np.nan) < 0.0
    begins |= (step != np.roll(step, 1)) & np.isfinite(step)
    ahead = pd.Series(test - since).groupby(np.cumsum(begins))
    return np.asarray(since + ahead.ffill().fillna(ahead.bfill()).to_numpy(), dtype=np.float64)


def _quarantine(frame: Table, mask: Mask, rule: str, before: str, events: list[Event]) -> RuleOutcome:
    """Take out the rows of a mask, and add their events to those that a rule has made before."""
    if not mask.any():
        return RuleOutcome(frame, tuple(events))
    more = run_events(frame, mask, rule, constant_text(before), constant_text("-"), constant_text("quarantined"))
    return RuleOutcome(frame.rows(~mask), (*events, *more), frame.labels[mask])


def duplicate_row(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Quarantine rows that are equal to an earlier one in time and every value, wherever the copy is.

    Some cyclers write a row again when a thermometer reports, so that many neighbours share time, voltage and current.
    If the temperature has not changed either, both are good. Such a record keeps its equal neighbours, as long as no
    more rows share a time than without copies. A record whose clock is too coarse for its log keeps them too: there
    equal rows are no copies.
    """
    test = column_values(frame, c.TEST_TIME)
    wall = column_values(frame, c.UNIX_TIME)
    clock = test if has_clock(test) else wall
    if (np.diff(clock) > 0.0).all():
        return RuleOutcome(frame)
    shares_time = pd.Series(clock).duplicated(keep=False).to_numpy()
    if not shares_time.any():
        return RuleOutcome(frame)
    copies = _equal_to_earlier(frame, shares_time, np.zeros(len(frame)))
    block = _copied_blocks(frame, clock, copies)
    one_clock = not (has_clock(test) and has_clock(wall))
    if one_clock and copies.any():
        # A clock on its own may come back to the same stamp after a restart; two together do not.
        lap = np.zeros(len(frame))
        lap[~block] = np.cumsum(find_clock_restarts(clock[~block]))
        copies = block | _equal_to_earlier(frame, shares_time & ~block, lap)
        copies &= ~_alike_in_other_runs(frame, clock, copies)
    events: list[Event] = []
    coarse = coarse_stamp_second(clock)
    if coarse or _writes_twice(frame, clock, copies):
        good = copies & (np.diff(clock, prepend=np.nan) == 0.0) & ~block
        if not coarse:
            good &= ~_beyond_habit(clock, copies)
        if good.any():
            events.append(_left_event(frame, good, coarse))
        copies &= ~good
    return _quarantine(frame, copies, "duplicate_row", "equal to an earlier row", events)


def _left_event(frame: Table, good: Mask, coarse: float) -> Event:
    """Return the event of equal rows that are left.

    Args:
        frame: the record.
        good: which rows, shape (n,).
        coarse: s, the interval of a coarse clock; 0 for any other clock.
    """
    before = "equal to the row before, as many nearly are"
    if coarse:
        before = f"equal within the {coarse:g} s of a stamp"
    first = int(frame.labels[int(np.argmax(good))])
    return Event("duplicate_row", first, int(good.sum()), before, "as it was", "left", "info")


def _equal_to_earlier(frame: Table, candidates: Mask, lap: Floats) -> Mask:
    """Tell which rows are equal to an earlier one of the same lap of the clock, shape (n,).

    Args:
        frame: the record.
        candidates: rows that are compared, shape (n,).
        lap: how often the clock has restarted before each row, shape (n,).
    """
    equal = np.zeros(len(frame), dtype=bool)
    rows = np.flatnonzero(candidates)
    columns = [column_values(frame, name)[rows] for name in COMPARED_COLUMNS if name != c.STATE]
    columns += [word_codes(frame[c.STATE])[0][rows].astype(np.float64), lap[rows]]
    # Rows of equal values are neighbours in this order, the earliest of them first.
    order = np.lexsort(columns)
    same = np.ones(max(len(rows) - 1, 0), dtype=bool)
    for column in columns:
        ordered = column[order]
        same &= (ordered[1:] == ordered[:-1]) | (np.isnan(ordered[1:]) & np.isnan(ordered[:-1]))
    equal[rows[order[1:][same]]] = True
    return equal


def _copied_blocks(frame: Table, clock: Floats, copies: Mask) -> Mask:
    """Tell which runs of copies are blocks written twice, and not rows after a restart of the clock, shape (n,).

    Either the values within the block differ, or the clock continues after it from where it was before.
    """
    block = np.zeros(len(clock), dtype=bool)
    voltage = column_values(frame, c.VOLTAGE)
    current = column_values(frame, c.CURRENT)
    for first, length in zip(*find_runs(copies), strict=True):
        rows = slice(int(first), int(first + length))
        if length < COPY_ROWS or clock[rows.start] >= clock[rows.start - 1]:
            continue
        continues = rows.stop < len(clock) and clock[rows.stop] >= clock[rows.start - 1]
        values_differ = any(len(np.unique(column[rows])) >= COPY_ROWS for column in (voltage, current))
        block[rows] = continues or values_differ
    return block


def _alike_in_other_runs(frame: Table, clock: Floats, copies: Mask) -> Mask:
    """Tell which copies are rows of a new run that looks like an earlier one, and no copies, shape (n,).

    Without a wall clock, two runs of one schedule may have equal rows. A file whose clock begins anew repeats an
    earlier file only if all of its rows, or all of the earlier one's, are in both.
    """
    alike = np.zeros(len(clock), dtype=bool)
    source = frame[c.SOURCE_INDEX]
    begins = np.flatnonzero(np.diff(source, prepend=source[:1]) != 0)
    if not len(begins):
        return alike
    values = {name: frame[name] for name in COMPARED_COLUMNS if name != c.STATE}
    compared = pd.DataFrame({**values, c.STATE: word_codes(frame[c.STATE])[0]}, copy=False)
    code = compared.groupby(list(COMPARED_COLUMNS), dropna=False, sort=False).ngroup().to_numpy()
    edges = [0, *begins.tolist(), len(clock)]
    for place in range(1, len(edges) - 1):
        rows = slice(edges[place], edges[place + 1])
        if not copies[rows].any() or copies[rows].all() or clock[rows.start] >= clock[rows.start - 1]:
            continue
        earlier = [code[edges[k] : edges[k + 1]] for k in range(place)]
        if not any(np.isin(rows_before, code[rows]).mean() >= WHOLE_SHARE for rows_before in earlier):
            alike[rows] = copies[rows]
    return alike


def _writes_twice(frame: Table, clock: Floats, copies: Mask) -> bool:
    """Tell whether the cycler often writes one time, voltage and current twice with different other values."""
    same = np.diff(clock, prepend=np.nan) == 0.0
    for column in (column_values(frame, c.VOLTAGE), column_values(frame, c.CURRENT)):
        before = np.roll(column, 1)
        same &= (column == before) | (np.isnan(column) & np.isnan(before))
    step = column_values(frame, c.STEP_ID)
    nearly_twice = same & ~copies & (step == np.roll(step, 1))
    return int(nearly_twice.sum()) > HABIT_SHARE * len(frame)


def _beyond_habit(clock: Floats, copies: Mask) -> Mask:
    """Tell which rows share their time with more rows than any time without copies has, shape (n,)."""
    group = np.cumsum(np.diff(clock, prepend=np.nan) != 0.0) - 1
    rows_by_group = np.bincount(group)
    copies_by_group = np.bincount(group, copies)
    usual_most = rows_by_group[copies_by_group == 0].max(initial=1)
    beyond: Mask = rows_by_group[group] > usual_most
    return beyond


def time_order(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Sort rows that are in the wrong order, within each run of a clock that did not restart.

    With two clocks, the wall clock shows which test times belong together. If it falls back alone, it was set.
    """
    test = column_values(frame, c.TEST_TIME)
    wall = column_values(frame, c.UNIX_TIME)
    if all((np.diff(clock) >= 0.0).all() for clock in (test, wall) if has_clock(clock)):
        return RuleOutcome(frame)
    order = np.arange(len(frame))
    if has_clock(test) and has_clock(wall):
        wall = np.where(np.isfinite(wall), wall, test + pd.Series(wall - test).ffill().bfill().to_numpy())
        ahead = np.diff(wall, prepend=wall[:1]) - np.diff(test, prepend=test[:1])
        wall_alone = np.abs(ahead) > settings.clock_tolerance_second
        wall_lap = np.cumsum(find_clock_restarts(wall) & wall_alone)
        order = np.lexsort((wall, wall_lap))
    clock = (test if has_clock(test) else wall)[order]
    lap = np.cumsum(find_clock_restarts(clock) & ~_written_late(clock))
    order = order[np.lexsort((clock, lap))]
    moved = _find_moved_rows(order)
    if not moved.any():
        return RuleOutcome(frame)
    frame = set_flag(frame.rows(order), moved, "time_order")
    before = constant_text("out of order")
    events = run_events(frame, moved, "time_order", before, constant_text("in order"), constant_text("sorted"))
    return RuleOutcome(frame, tuple(events))


def _written_late(clock: Floats) -> Mask:
    """Tell at which rows a clock falls because a block of rows, such as a buffer, was written late, shape (n,).

    The stamps of a late block fill a hole between earlier rows; those of a clock that restarted do not.

    Args:
        clock: s, shape (n,), without missing values.
    """
    late = np.zeros(len(clock), dtype=bool)
    falls = np.flatnonzero(find_clock_restarts(clock))
    if len(falls) == 0 or len(falls) > MOST_FALLS:
        return late
    lap_begins = 0
    for i in falls.tolist():
        returns = np.flatnonzero(clock[i:] >= clock[i - 1])
        block = clock[i : i + int(returns[0])] if len(returns) else clock[i:]
        before = clock[lap_begins:i]
        if _fills_a_hole(block, before):
            late[i] = True
        else:
            lap_begins = i
    return late


def _fills_a_hole(block: Floats, before: Floats) -> bool:
    """Tell whether the stamps of a block fill a hole between those of the rows before it.

    Args:
        block, before: s.
    """
    low = float(block.min())
    high = float(block.max())
    under = before[before <= low]
    over = before[before >= high]
    if low >= high or not len(under) or not len(over) or len(under) + len(over) != len(before):
        return False
    parts = [part for part in (before, block) if len(part) > 1]
    usual = max((float(np.quantile(np.abs(np.diff(part)), 0.9)) for part in parts), default=0.0)
    # The hole has the block's own length, give or take some intervals.
    hole = over.min() - under.max()
    return bool(usual * LATE_HOLE >= hole - (high - low))


def _find_moved_rows(order: Integers) -> Mask:
    """Tell which rows a sort has moved, shape (n,).

    In each group of displaced rows, only those that moved far count, not those that they shifted.

    Args:
        order: the old position of each row, shape (n,).
    """
    shift = np.abs(order - np.arange(len(order)))
    opens = np.concatenate([[True], np.maximum.accumulate(order)[:-1] < np.arange(1, len(order))])
    group = np.cumsum(opens) - 1
    length = np.bincount(group)[group]
    moved: Mask = (length > 1) & (2 * shift >= length - 1)
    return moved
