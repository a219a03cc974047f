"""Cleaning rules about time: missing stamps, order, restarts of a clock, and rows written twice.

Two clocks may be there: the cycler's own (``test_time_second``) and the computer's (``unix_time_second``). The
cycler's counts where there is one; the other one tells a restart of it from rows in the wrong order.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Floats, Integers, Mask
from ...data.settings import CleanSettings
from .rule import Event, RuleOutcome, column_values, constant_text, find_runs, run_events, set_flag

WINDOW: Final = 5  # samples that must agree before a clock that fell back counts as restarted
COARSE_ROWS: Final = 3  # in the mean at one stamp, from which on the clock is too coarse for the log
COPY_ROWS: Final = 3  # equal rows in a row that make a block written twice, and not a clock that came back
LATE_HOLE: Final = 3.0  # usual intervals that a block must fill for which other rows have left a hole
MOST_FALLS: Final = 50  # of a clock, of which each may be a block written late
HABIT_SHARE: Final = 0.02  # of all rows, above which rows written nearly twice are the cycler's habit
COMPARED_COLUMNS: Final = (c.UNIX_TIME, c.TEST_TIME, c.CYCLE_ID, c.STEP_ID, c.CURRENT, c.VOLTAGE, c.AMBIENT_TEMPERATURE,
                    c.SURFACE_TEMPERATURE, c.CHARGING_CAPACITY, c.DISCHARGING_CAPACITY, c.STATE)  # fmt: skip
"""The columns in which a row written twice is equal to its copy."""


def has_clock(clock: Floats) -> bool:
    """Tell whether a clock can be used: at least half of its stamps are there."""
    return bool(len(clock) and 2 * np.count_nonzero(np.isfinite(clock)) >= len(clock))


def find_clock_restarts(clock: Floats) -> Mask:
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


def coarse_stamp_second(clock: Floats) -> float:
    """Return the interval in s of a clock that is too coarse for its log: three rows or more share a stamp; else 0."""
    step = np.diff(clock)
    forward = step[step > 0.0]
    if len(forward) == 0 or COARSE_ROWS * (len(forward) + 1) > len(clock):
        return 0.0
    usual = float(np.median(forward))
    whole = float((np.abs(forward / usual - np.round(forward / usual)) < 1e-6).mean())
    return usual if usual >= 1.0 and whole > 0.95 else 0.0


def time_missing(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Quarantine rows without any time; a missing stamp of one clock is filled from the other.

    A clock with fewer than half of its stamps is not used.
    """
    test, wall = column_values(frame, c.TEST_TIME), column_values(frame, c.UNIX_TIME)
    if not has_clock(test) and has_clock(wall):
        lost = ~np.isfinite(wall)
        frame = frame.assign(**{c.TEST_TIME: np.nan})
    else:
        if np.isfinite(test).all():
            return RuleOutcome(frame)
        ahead = pd.Series(wall - test).ffill().bfill().to_numpy()
        filled = np.where(np.isfinite(test), test, wall - ahead)
        lost = ~np.isfinite(filled)
        mended = ~np.isfinite(test) & ~lost
        if mended.any():
            frame = set_flag(frame.assign(**{c.TEST_TIME: filled}), mended, "time_missing")
            told = run_events(
                frame,
                mended,
                "time_missing",
                constant_text("missing"),
                constant_text("from the wall clock"),
                constant_text("filled"),
            )
            return _take(frame, lost, "time_missing", "missing", told)
    return _take(frame, lost, "time_missing", "missing", [])


def _take(frame: pd.DataFrame, mask: Mask, rule: str, before: str, told: list[Event]) -> RuleOutcome:
    if not mask.any():
        return RuleOutcome(frame, tuple(told))
    told = told + run_events(frame, mask, rule, constant_text(before), constant_text("-"), constant_text("quarantined"))
    return RuleOutcome(frame[~mask], tuple(told), frame.index.to_numpy()[mask])


def duplicate_row(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Quarantine rows that are equal to an earlier one in time and every value, wherever the copy stands.

    Some cyclers write a row once more when a thermometer reports, so that many neighbours share time, voltage and
    current; where the temperature has not changed either, both are good. Such a record keeps its equal neighbours, as
    long as no more rows share a time than without copies; and so does one whose clock is too coarse for its log, in
    which equal rows are no copies.
    """
    test, wall = column_values(frame, c.TEST_TIME), column_values(frame, c.UNIX_TIME)
    clock = test if has_clock(test) else wall
    if (np.diff(clock) > 0.0).all():
        return RuleOutcome(frame)
    copies = pd.Series(clock).duplicated(keep=False).to_numpy()
    if not copies.any():
        return RuleOutcome(frame)
    again = _again(frame, copies, np.zeros(len(frame)))
    block = _copied_blocks(frame, clock, again)
    if not (has_clock(test) and has_clock(wall)) and again.any():
        # A clock on its own may come back to the same stamp after a restart; two together do not.
        lap = np.zeros(len(frame))
        lap[~block] = np.cumsum(find_clock_restarts(clock[~block]))
        again = block | _again(frame, copies & ~block, lap)
    told: list[Event] = []
    coarse = coarse_stamp_second(clock)
    if coarse or _writes_twice(frame, clock, again):
        kept = again & (np.diff(clock, prepend=np.nan) == 0.0) & ~block
        kept &= bool(coarse) | ~_beyond_habit(clock, again)
        if kept.any():
            first = int(frame.index[int(np.argmax(kept))])
            before = (
                f"equal within the {coarse:g} s of a stamp" if coarse else "equal to the row before, as many nearly are"
            )
            told.append(Event("duplicate_row", first, int(kept.sum()), before, "as it was", "left", "info"))
        again &= ~kept
    return _take(frame, again, "duplicate_row", "equal to an earlier row", told)


def _again(frame: pd.DataFrame, copies: Mask, lap: Floats) -> Mask:
    """Rows that are equal to an earlier one of the same lap of the clock."""
    again = np.zeros(len(frame), dtype=bool)
    again[copies] = frame.loc[copies, list(COMPARED_COLUMNS)].assign(lap=lap[copies]).duplicated().to_numpy()
    return again


def _copied_blocks(frame: pd.DataFrame, clock: Floats, again: Mask) -> Mask:
    """Runs of copies that no clock that came back would write: their values differ, or it goes on where it had been."""
    block = np.zeros(len(clock), dtype=bool)
    signals = (column_values(frame, c.VOLTAGE), column_values(frame, c.CURRENT))
    for first, length in zip(*find_runs(again), strict=True):
        rows = slice(int(first), int(first + length))
        if length < COPY_ROWS or clock[rows.start] >= clock[rows.start - 1]:
            continue
        goes_on = rows.stop < len(clock) and clock[rows.stop] >= clock[rows.start - 1]
        block[rows] = goes_on or any(len(np.unique(column[rows])) >= COPY_ROWS for column in signals)
    return block


def _writes_twice(frame: pd.DataFrame, clock: Floats, again: Mask) -> bool:
    """Tell whether the cycler has the habit of writing a time, voltage and current twice with other values beside."""
    same = np.diff(clock, prepend=np.nan) == 0.0
    for column in (column_values(frame, c.VOLTAGE), column_values(frame, c.CURRENT)):
        before = np.roll(column, 1)
        same &= (column == before) | (np.isnan(column) & np.isnan(before))
    step = column_values(frame, c.STEP_ID)
    return int((same & ~again & (step == np.roll(step, 1))).sum()) > HABIT_SHARE * len(frame)


def _beyond_habit(clock: Floats, again: Mask) -> Mask:
    """Tell where more rows stand at one time than anywhere without a copy among them."""
    group = np.cumsum(np.diff(clock, prepend=np.nan) != 0.0) - 1
    size, copies = np.bincount(group), np.bincount(group, again)
    beyond: Mask = size[group] > size[copies == 0].max(initial=1)
    return beyond


def time_order(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Sort rows that stand in the wrong order, within each run of a clock that did not restart.

    With two clocks the wall clock tells which test times belong together; where it falls back alone, it was set.
    """
    test, wall = column_values(frame, c.TEST_TIME), column_values(frame, c.UNIX_TIME)
    if all((np.diff(clock) >= 0.0).all() for clock in (test, wall) if has_clock(clock)):
        return RuleOutcome(frame)
    order = np.arange(len(frame))
    if has_clock(test) and has_clock(wall):
        wall = np.where(np.isfinite(wall), wall, test + pd.Series(wall - test).ffill().bfill().to_numpy())
        ahead = np.diff(wall, prepend=wall[:1]) - np.diff(test, prepend=test[:1])
        apart = np.abs(ahead) > settings.clock_tolerance_second
        order = np.lexsort((wall, np.cumsum(find_clock_restarts(wall) & apart)))
    clock = (test if has_clock(test) else wall)[order]
    order = order[np.lexsort((clock, np.cumsum(find_clock_restarts(clock) & ~_written_late(clock))))]
    moved = _moved(order)
    if not moved.any():
        return RuleOutcome(frame)
    frame = set_flag(frame.iloc[order], moved, "time_order")
    told = run_events(
        frame, moved, "time_order", constant_text("out of order"), constant_text("in order"), constant_text("sorted")
    )
    return RuleOutcome(frame, tuple(told))


def _written_late(clock: Floats) -> Mask:
    """Tell at which rows a clock falls because a block of rows, such as a buffer, was written after those that follow.

    Its stamps fill a hole between others that stand before it, which those of a clock that restarted do not.
    """
    late = np.zeros(len(clock), dtype=bool)
    fell = np.flatnonzero(find_clock_restarts(clock))
    if len(fell) == 0 or len(fell) > MOST_FALLS:
        return late
    lap = 0
    for i in fell.tolist():
        later = np.flatnonzero(clock[i:] >= clock[i - 1])
        block = clock[i : i + int(later[0])] if len(later) else clock[i:]
        before = clock[lap:i]
        low, high = float(block.min()), float(block.max())
        under, over = before[before <= low], before[before >= high]
        filled = low < high and len(under) > 0 and len(over) > 0 and len(under) + len(over) == len(before)
        usual = max(
            (float(np.quantile(np.abs(np.diff(part)), 0.9)) for part in (before, block) if len(part) > 1), default=0.0
        )
        # The hole is the block's own length, give or take what the record's intervals are.
        if filled and usual * LATE_HOLE >= (over.min() - under.max()) - (high - low):
            late[i] = True
        else:
            lap = i
    return late


def _moved(order: Integers) -> Mask:
    """Which rows a sort has moved: of each knot of displaced rows those that went far, not those that made room."""
    shift = np.abs(order - np.arange(len(order)))
    opens = np.concatenate([[True], np.maximum.accumulate(order)[:-1] < np.arange(1, len(order))])
    knot = np.cumsum(opens) - 1
    length = np.bincount(knot)[knot]
    moved: Mask = (length > 1) & (2 * shift >= length - 1)
    return moved
