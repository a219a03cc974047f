"""Cleaning rules about a cycler's clock that returns to zero: at every step by habit, or once because it restarted.

The wall clock shows how long a clock that restarted was away. Without one, the cycler's charge counters or the voltage
give an estimate. Without any evidence, the usual interval is taken, and the finding says so.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Floats, Mask
from ...data.settings import CleanSettings
from ..record.table import Table
from .duplicate_times import COARSE_SECOND, clock_quantum
from .rule import Event, RuleOutcome, begins_file, column_values, constant_text, run_events, set_flag, word_codes
from .time_gaps import (
    EVIDENCE,
    SAME_CURRENT,
    find_gap_ends,
    second_from_counters,
    second_from_relaxation,
    second_from_slope,
    second_from_twin,
)
from .time_order import WINDOW, has_clock

# step_time

STEP_RESETS: Final = 3
"""Number of falls to zero at the edges of steps that make them the cycler's habit. Chosen, not measured."""

AT_EDGES_SHARE: Final = 0.9
"""Least share of all falls to zero that are at edges of steps, for a habit. Chosen, not measured."""

HABIT_OF_EDGES: Final = 0.5
"""Least share of all edges of steps with a fall to zero; then every step begins at zero. Chosen, not measured."""

WRITTEN_AT_ENDS: Final = 0.25
"""Least share of steps whose last interval is short; then last rows are written when steps end. Chosen, not
measured."""

ZERO_SECOND: Final = 1.0
"""s. A clock that falls to this or less has returned to zero. Chosen, not measured."""

ON_GRID: Final = 0.9
"""Share of the usual interval. If a step's last interval is shorter, the row was written at the step's end. Chosen, not
measured."""

KIND_SHARE: Final = 0.01
"""Share of the largest current, up to which a current counts as none where only the current shows the steps. Chosen,
not measured."""

# time_restart

MOST_RESTARTS: Final = 200
"""With more restarts, the voltage is not used: each estimate from it reads the whole record. Chosen, not measured."""

RESTING_SHARE: Final = 2e-3
"""Share of the largest current, up to which the cell rests. Chosen, not measured."""

LONGER: Final = 3.0
"""Usual intervals: what the voltage gives for a shorter time is its noise. Chosen, not measured."""


def step_time(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Turn the time within each step into one test time, and replace a time that is zero in one row alone.

    A clock that falls to zero at least three times, and nearly always where the step, cycle or state changes, is the
    step's. If there is a wall clock, it gives the time between two steps. Otherwise a first row later than zero is that
    long after the last row of the step before. A first row at zero follows at once if steps end between two usual
    intervals, because their last rows were written at their ends; if they do not, it follows one usual interval later.
    A zero in one row alone, such as each step's first, is placed by the wall clock, otherwise one usual interval before
    the next row.
    """
    clock = column_values(frame, c.TEST_TIME)
    wall = column_values(frame, c.UNIX_TIME)
    if not has_clock(clock) or len(clock) <= WINDOW or not (np.diff(clock) < 0.0).any():
        return RuleOutcome(frame)
    lone = _lone_zeros(clock)
    if lone.any():
        return _place_lone_zeros(frame, clock, wall, lone)
    resets = _find_step_resets(clock, _edges(frame), begins_file(frame))
    if not resets.any():
        return RuleOutcome(frame)
    by_wall = np.diff(wall, prepend=np.nan)
    by_clock = np.where(clock > 0.0, clock, _time_to_next_step(clock, resets))
    # The cycler's own clock is finer than the computer's where both agree.
    agree = (clock > 0.0) & (np.abs(by_wall - clock) <= settings.clock_tolerance_second)
    elapsed = np.where((by_wall >= 0.0) & ~agree, by_wall, by_clock)
    previous = np.concatenate([[0.0], clock[:-1]])
    joined = clock + np.cumsum(np.where(resets, previous - clock + elapsed, 0.0))
    steps = int(resets.sum()) + 1
    event = Event(
        "step_time",
        int(frame.labels[int(np.argmax(resets))]),
        steps - 1,
        f"the clock begins anew with each of {steps} steps",
        f"one time of {float(joined[-1] - joined[0]):.0f} s",
        "joined",
    )
    frame = frame.assign(**{c.TEST_TIME: joined})
    return RuleOutcome(set_flag(frame, resets, "step_time"), (event,))


def _place_lone_zeros(frame: Table, clock: Floats, wall: Floats, lone: Mask) -> RuleOutcome:
    placed = _lone_zeros_placed(clock, wall, lone)

    def after(i: int, n: int) -> str:
        return f"{placed[i]:.3f} s"

    events = run_events(frame, lone, "step_time", constant_text("0 s in one row alone"), after, constant_text("placed"))
    frame = frame.assign(**{c.TEST_TIME: placed})
    return RuleOutcome(set_flag(frame, lone, "step_time"), tuple(events))


def _edges(frame: Table) -> Mask:
    """Tell which rows begin another step, cycle or state, shape (n,).

    If the record has none of them, the rows where the current begins, ends or changes its sign.
    """
    edge = np.zeros(len(frame), dtype=bool)
    for name in (c.STEP_ID, c.CYCLE_ID):
        column = column_values(frame, name)
        edge |= (column != np.roll(column, 1)) & np.isfinite(column)
    state = word_codes(frame[c.STATE])[0]
    edge |= state != np.roll(state, 1)
    if not edge[1:].any():
        current = np.nan_to_num(column_values(frame, c.CURRENT))
        carrying = np.abs(current) > KIND_SHARE * float(np.abs(current).max(initial=0.0))
        kind = np.where(carrying, np.sign(current), 0.0)
        edge = kind != np.roll(kind, 1)
    edge[0] = False
    return edge


def _lone_zeros(clock: Floats) -> Mask:
    """Tell in which rows the time alone is zero, shape (n,): after them the clock continues where it was before.

    None if the clock returns to zero so often that the zeros may be steps of one row.
    """
    zero = clock == 0.0
    zero[0] = False
    others = pd.Series(np.where(zero, np.nan, clock))
    before = others.ffill().to_numpy()
    after = others.bfill().to_numpy()
    # Two rows on either side, so that neighbours in the wrong order at a restart do not look like a lone zero.
    two_before = np.append([-np.inf, -np.inf], before[:-2])
    two_after = np.append(after[2:], [np.inf, np.inf])
    lone: Mask = zero & (before > 0.0) & (two_before <= before) & (after >= before) & (two_after >= before)
    restarts = int((zero & ~lone).sum())
    habit = restarts >= STEP_RESETS and restarts > (1.0 - AT_EDGES_SHARE) * int(zero.sum())
    if habit:
        return np.zeros(len(clock), dtype=bool)
    return lone


def _lone_zeros_placed(clock: Floats, wall: Floats, lone: Mask) -> Floats:
    """Return the clock in s with a time for each lone zero, shape (n,).

    The wall clock gives it. Otherwise it is one usual interval before the next row; several zeros in a row are spread
    evenly.
    """
    at = np.flatnonzero(lone)
    next_row = np.minimum(at + 1, len(clock) - 1)
    others = pd.Series(np.where(lone, np.nan, clock))
    low = others.ffill().to_numpy()[at]
    high = others.bfill().to_numpy()[at]
    between = others.interpolate().to_numpy()[at]
    single = ~lone[at - 1] & ~lone[next_row]
    usual = np.append(np.diff(clock), 0.0)[next_row]
    by_interval = np.where(single & (usual > 0.0) & (high - usual > low), high - usual, between)
    wall_ahead = pd.Series(wall - others.to_numpy()).ffill().to_numpy()[at]
    by_wall = wall[at] - wall_ahead
    placed = clock.copy()
    placed[at] = np.where((by_wall >= low) & (by_wall <= high), by_wall, by_interval)
    return placed


def _find_step_resets(clock: Floats, edge: Mask, new_file: Mask) -> Mask:
    """Tell at which rows the clock returns to zero with a new step, shape (n,); none if that is not its habit.

    Args:
        clock: s, shape (n,).
        edge: which rows begin a step, shape (n,).
        new_file: which rows begin another file, shape (n,). A clock that begins anew there has no habit.
    """
    following = np.append(np.diff(clock), 0.0)
    fell = np.diff(clock, prepend=clock[:1]) < 0.0
    to_zero = fell & (clock <= np.maximum(ZERO_SECOND, 2.0 * following))
    at_edge = int((to_zero & edge & ~new_file).sum())
    if at_edge < STEP_RESETS or at_edge < AT_EDGES_SHARE * int((to_zero & ~new_file).sum()):
        return np.zeros(len(clock), dtype=bool)
    resets: Mask = to_zero | (edge & fell)
    # If it is the habit, a step of one row begins at zero too, though the clock does not fall.
    if at_edge >= HABIT_OF_EDGES * int(edge.sum()):
        resets = resets | edge
    return resets


def _time_to_next_step(clock: Floats, resets: Mask) -> Floats:
    """Return the time in s from the row before to each row, as if it were the first of a step that begins at zero.

    It is 0 if the last rows of steps were written at their ends, sooner than the usual interval; otherwise that
    interval.
    """
    interval = np.diff(clock, prepend=np.nan)
    interval = np.where(resets | ~(interval > 0.0), np.nan, interval)
    usual = pd.Series(interval).rolling(WINDOW, min_periods=1).median().ffill().fillna(0.0).to_numpy()
    last = np.flatnonzero(resets) - 1
    short = interval[last] < ON_GRID * usual[last]
    if short.sum() >= WRITTEN_AT_ENDS * max(int(np.isfinite(interval[last]).sum()), 1):
        return np.zeros(len(clock))
    return np.concatenate([[0.0], usual[:-1]])


def time_restart(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Make one clock of the record, from 0; where it restarted, join it to the rows before.

    The evidence for how long it was away, strongest first: the wall clock; the charge counters under one current; the
    voltage under one current, or in a rest its relaxation. Without evidence the usual interval is taken. A record
    without the cycler's own clock gets its time from the wall clock, and restarts of that are joined likewise. The flag
    is on the first row after each restart; all later rows move with it. A new source file is not a defect.
    """
    test = column_values(frame, c.TEST_TIME)
    wall = column_values(frame, c.UNIX_TIME)
    has_test_time = has_clock(test)
    clock = test if has_test_time else wall
    if has_test_time and clock[0] == 0.0 and not (clock[1:] < clock[:-1]).any():
        return RuleOutcome(frame)
    fell = np.diff(clock, prepend=clock[:1]) < 0.0
    shift, evidence = _restart_shifts(frame, clock, wall, fell)
    # Only rows after a restart are rounded.
    moved = np.cumsum(fell) > 0
    joined = np.where(moved, clock + np.cumsum(shift), clock)

    def before(i: int, n: int) -> str:
        return f"{clock[i - 1]:.3f} s, then {clock[i]:.3f} s"

    def after(i: int, n: int) -> str:
        return f"{joined[i - 1] - joined[0]:.3f} s, then {joined[i] - joined[0]:.3f} s, {evidence[i]}"

    events = run_events(frame, fell, "time_restart", before, after, constant_text("joined"))
    frame = set_flag(frame.assign(**{c.TEST_TIME: joined - joined[:1]}), fell, "time_restart")
    if not has_test_time and moved.any():
        frame = frame.assign(**{c.UNIX_TIME: joined})
    new_file = {frame.labels[0], *frame.labels[begins_file(frame)]}
    events = [replace(event, severity="info") if event.label in new_file else event for event in events]
    return RuleOutcome(frame, tuple(events))


def _restart_shifts(frame: Table, clock: Floats, wall: Floats, fell: Mask) -> tuple[Floats, dict[int, str]]:
    """Return by how much each restart moves the rows after it, and the evidence.

    Args:
        frame: the record.
        clock: s, shape (n,), the clock that is joined: the test time, or the wall clock if that is all there is.
        wall: s, shape (n,).
        fell: at which rows the clock restarted, shape (n,).

    Returns:
        Shifts in s, shape (n,), 0 where the clock did not restart; and the evidence by row.
    """
    shift = np.zeros(len(clock))
    evidence: dict[int, str] = {}
    rows = np.flatnonzero(fell).tolist()
    columns = {name: column_values(frame, name) for name in EVIDENCE}
    rest = RESTING_SHARE * float(np.nanmax(np.abs(columns[c.CURRENT]), initial=0.0))
    use_wall = clock is not wall and has_clock(wall)
    use_voltage = len(rows) <= MOST_RESTARTS
    quantum = clock_quantum(clock) if rows else 0.0
    for i in rows:
        by_wall = wall[i] - wall[i - 1] if use_wall else np.nan
        if by_wall >= 0.0:
            away = by_wall
            evidence[i] = "by the wall clock"
        else:
            away, evidence[i] = _time_away(clock, columns, i, rest, use_voltage)
        # A clock of whole seconds stays one.
        if quantum >= COARSE_SECOND:
            away = round(away / quantum) * quantum
        shift[i] = clock[i - 1] - clock[i] + away
    return shift, evidence


def _time_away(clock: Floats, columns: dict[str, Floats], i: int, rest: float, use_voltage: bool) -> tuple[float, str]:
    """Return for how long a clock that restarted at row ``i`` was away, in s, and the evidence.

    Args:
        clock: s, shape (n,).
        columns: the columns named in ``EVIDENCE``, shape (n,) each.
        i: the first row after the restart.
        rest: A, up to which the cell rests.
        use_voltage: whether the voltage under a current is used. Each estimate from it reads the whole record.
    """
    usual = usual_interval(clock, i)
    before = float(columns[c.CURRENT][i - 1])
    after = float(columns[c.CURRENT][i])
    if before * after > 0.0 and min(abs(before), abs(after)) > rest:
        seconds = second_from_counters(columns, i)
        if seconds > 0.0:
            return seconds, "by the charge counter"
        same_current = abs(after - before) <= SAME_CURRENT * abs(before)
        ends = find_gap_ends(clock, columns[c.VOLTAGE], i) if same_current and use_voltage else None
        if ends is not None:
            seconds = second_from_twin(clock, columns, ends, i)
            if seconds > 0.0:
                return seconds, "about, by another step under this current between these voltages"
            seconds = second_from_slope(ends)
            if seconds > LONGER * usual:
                return seconds, "about, by the voltage's slopes under the current"
    elif max(abs(before), abs(after)) <= rest:
        ends = find_gap_ends(clock, columns[c.VOLTAGE], i)
        if ends is not None:
            seconds = second_from_relaxation(ends)
            if seconds > LONGER * usual:
                return seconds, "about, by the voltage's relaxation"
    return usual, "by the usual interval, nothing says more"


def usual_interval(clock: Floats, i: int) -> float:
    """Return the median of the intervals next to a row in s, those before it first; 1 s if there are none.

    Args:
        clock: s, shape (n,).
        i: the row.
    """
    before = clock[max(i - WINDOW, 0) : i]
    after = clock[i : i + WINDOW]
    for part in (before, after, clock):
        intervals = np.diff(part)
        if (intervals > 0.0).any():
            return float(np.median(intervals[intervals > 0.0]))
    return 1.0
