"""Cleaning rules about a cycler's clock that begins anew: at every step by habit, or once because it restarted.

How long the clock was away is told by the wall clock; without one by what went on meanwhile: the cycler's charge
counters, or the voltage. Where nothing tells, the usual interval is taken, and the finding says so.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Floats, Mask
from ...data.settings import CleanSettings
from .duplicate_times import COARSE_SECOND, clock_quantum
from .rule import Event, RuleOutcome, column_values, constant_text, run_events, set_flag
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

STEP_RESETS: Final = 3  # falls to zero at the edges of steps, from which on they are the cycler's habit
AT_EDGES_SHARE: Final = 0.9  # of the falls
HABIT_OF_EDGES: Final = 0.5  # of all edges, from which on every step begins anew
WRITTEN_AT_ENDS: Final = 0.25  # of the steps that end off the grid, from which on last rows are written at the ends
ZERO_SECOND: Final = 1.0
ON_GRID: Final = 0.9  # of the usual interval: a step's last one that is shorter was written at the step's end
MOST_RESTARTS: Final = 200  # of which the voltage is asked
RESTING_SHARE: Final = 2e-3  # of the largest current
LONGER: Final = 3.0  # usual intervals; what the voltage says of less is its noise


def step_time(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Turn the time within each step into one test time, and a time that is zero in a step's first row alone.

    A clock that falls to zero at least three times, and nearly always where the step, cycle or state changes, is the
    step's. The wall clock joins the steps where there is one; else a first row later than zero stands that long after
    the last row of the step before; else it follows at once where steps end between two usual intervals, since their
    last rows were written at their ends, and one usual interval later where they do not. A zero in one row alone, such
    as each step's first, is placed by the wall clock, else one usual interval before the next row.
    """
    clock, wall = column_values(frame, c.TEST_TIME), column_values(frame, c.UNIX_TIME)
    if not has_clock(clock) or len(clock) <= WINDOW or not (np.diff(clock) < 0.0).any():
        return RuleOutcome(frame)
    lone = _lone_zeros(clock)
    if lone.any():
        placed = _placed(clock, wall, lone)
        told = run_events(frame, lone, "step_time", constant_text("0 s in one row alone"),
                          lambda i, n: f"{placed[i]:.3f} s", constant_text("placed"))  # fmt: skip
        return RuleOutcome(set_flag(frame.assign(**{c.TEST_TIME: placed}), lone, "step_time"), tuple(told))
    resets = _resets(clock, _edges(frame))
    if not resets.any():
        return RuleOutcome(frame)
    elapsed = np.diff(wall, prepend=np.nan)
    own = np.where(clock > 0.0, clock, _time_to_next_step(clock, resets))
    # The cycler's own clock is finer than the computer's where both agree.
    agree = (clock > 0.0) & (np.abs(elapsed - clock) <= settings.clock_tolerance_second)
    elapsed = np.where((elapsed >= 0.0) & ~agree, elapsed, own)
    joined = clock + np.cumsum(np.where(resets, np.concatenate([[0.0], clock[:-1]]) - clock + elapsed, 0.0))
    steps = int(resets.sum()) + 1
    event = Event("step_time", int(frame.index[int(np.argmax(resets))]), steps - 1,
                  f"the clock begins anew with each of {steps} steps",
                  f"one time of {float(joined[-1] - joined[0]):.0f} s", "joined")  # fmt: skip
    return RuleOutcome(set_flag(frame.assign(**{c.TEST_TIME: joined}), resets, "step_time"), (event,))


def _edges(frame: pd.DataFrame) -> Mask:
    """Rows that begin another step, cycle or state; without any of them, those where the current changes its kind."""
    edge = np.zeros(len(frame), dtype=bool)
    for name in (c.STEP_ID, c.CYCLE_ID):
        column = column_values(frame, name)
        edge |= (column != np.roll(column, 1)) & np.isfinite(column)
    state = pd.factorize(frame[c.STATE])[0]
    edge |= state != np.roll(state, 1)
    if not edge[1:].any():
        current = np.nan_to_num(column_values(frame, c.CURRENT))
        kind = np.where(np.abs(current) > 0.01 * float(np.abs(current).max(initial=0.0)), np.sign(current), 0.0)
        edge = kind != np.roll(kind, 1)
    edge[0] = False
    return edge


def _lone_zeros(clock: Floats) -> Mask:
    """Rows whose time alone is zero: the clock goes on after them where it was before.

    None where it begins anew at zero so often that the zeros may be steps that are over at once.
    """
    zero = clock == 0.0
    zero[0] = False
    others = pd.Series(np.where(zero, np.nan, clock))
    before, after = others.ffill().to_numpy(), others.bfill().to_numpy()
    # Two rows on either side, so that neighbours in the wrong order at a restart are not taken for it.
    early, late = np.append([-np.inf, -np.inf], before[:-2]), np.append(after[2:], [np.inf, np.inf])
    returns = zero & (before > 0.0) & (early <= before) & (after >= before) & (late >= before)
    anew = int((zero & ~returns).sum())
    habit = anew >= STEP_RESETS and anew > (1.0 - AT_EDGES_SHARE) * int(zero.sum())
    return np.zeros(len(clock), dtype=bool) if habit else returns


def _placed(clock: Floats, wall: Floats, lone: Mask) -> Floats:
    """Give lone zeros a time: from the wall clock, or one usual interval before the next row; several, evenly."""
    at, others = np.flatnonzero(lone), pd.Series(np.where(lone, np.nan, clock))
    low, high = others.ffill().to_numpy()[at], others.bfill().to_numpy()[at]
    between = others.interpolate().to_numpy()[at]
    alone = ~lone[at - 1] & ~lone[np.minimum(at + 1, len(clock) - 1)]
    usual = np.append(np.diff(clock), 0.0)[np.minimum(at + 1, len(clock) - 1)]
    guess = np.where(alone & (usual > 0.0) & (high - usual > low), high - usual, between)
    by_wall = wall[at] - pd.Series(wall - others.to_numpy()).ffill().to_numpy()[at]
    filled = clock.copy()
    filled[at] = np.where((by_wall >= low) & (by_wall <= high), by_wall, guess)
    return filled


def _resets(clock: Floats, edge: Mask) -> Mask:
    """Rows at which the clock begins anew with a new step, where that is its habit; none where it is not."""
    following = np.append(np.diff(clock), 0.0)
    fell = np.diff(clock, prepend=clock[:1]) < 0.0
    small = clock <= np.maximum(ZERO_SECOND, 2.0 * following)
    at_edge = int((fell & small & edge).sum())
    if at_edge < STEP_RESETS or at_edge < AT_EDGES_SHARE * int((fell & small).sum()):
        return np.zeros(len(clock), dtype=bool)
    # Where it is the habit, a step of one row begins anew too, though the clock does not fall.
    per_step = at_edge >= HABIT_OF_EDGES * int(edge.sum())
    resets: Mask = (fell & small) | (edge & fell) | (edge if per_step else False)
    return resets


def _time_to_next_step(clock: Floats, resets: Mask) -> Floats:
    """The time from the row before to each row, as the first of a step that begins at zero.

    0 where the last rows of steps were written at their ends, sooner than the usual interval; else that interval.
    """
    interval = np.diff(clock, prepend=np.nan)
    interval = np.where(resets | ~(interval > 0.0), np.nan, interval)
    usual = pd.Series(interval).rolling(WINDOW, min_periods=1).median().ffill().fillna(0.0).to_numpy()
    last = np.flatnonzero(resets) - 1
    ended = interval[last] < ON_GRID * usual[last]
    if ended.sum() >= WRITTEN_AT_ENDS * max(int(np.isfinite(interval[last]).sum()), 1):
        return np.zeros(len(clock))
    return np.concatenate([[0.0], usual[:-1]])


def time_restart(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Make one clock of the record, from 0: where it restarted, join it to what came before.

    The wall clock tells how long it was away; else the charge counters under one current; else the voltage under one
    current, or in a rest by its relaxation; else nothing does, and the usual interval is taken. A record without the
    cycler's own clock gets its time from the wall clock, which goes on likewise. The flag stands at the first
    row after each restart; all later ones move with it. A new source file is not a defect.
    """
    test, wall = column_values(frame, c.TEST_TIME), column_values(frame, c.UNIX_TIME)
    clock, walled = (test, has_clock(wall)) if has_clock(test) else (wall, False)
    if clock is test and clock[0] == 0.0 and not (clock[1:] < clock[:-1]).any():
        return RuleOutcome(frame)
    fell = np.diff(clock, prepend=clock[:1]) < 0.0
    shift = np.zeros(len(clock))
    evidence: dict[int, str] = {}
    columns = {name: column_values(frame, name) for name in EVIDENCE}
    rest = RESTING_SHARE * float(np.nanmax(np.abs(columns[c.CURRENT]), initial=0.0))
    quantum = clock_quantum(clock) if fell.any() else 0.0
    many = int(fell.sum()) > MOST_RESTARTS
    for i in np.flatnonzero(fell).tolist():
        elapsed = wall[i] - wall[i - 1] if walled else np.nan
        step, evidence[i] = (elapsed, "by the wall clock") if elapsed >= 0.0 else _away(clock, columns, i, rest, many)
        # A clock of whole seconds stays one.
        shift[i] = clock[i - 1] - clock[i] + (round(step / quantum) * quantum if quantum >= COARSE_SECOND else step)
    # Only what a restart moved is rounded anew.
    moved = np.cumsum(fell) > 0
    joined = np.where(moved, clock + np.cumsum(shift), clock)
    told = run_events(
        frame, fell, "time_restart", lambda i, n: f"{clock[i - 1]:.3f} s, then {clock[i]:.3f} s",
        lambda i, n: f"{joined[i - 1] - joined[0]:.3f} s, then {joined[i] - joined[0]:.3f} s, {evidence[i]}",
        constant_text("joined"),
    )  # fmt: skip
    frame = set_flag(frame.assign(**{c.TEST_TIME: joined - joined[:1]}), fell, "time_restart")
    if not has_clock(test) and moved.any():
        frame = frame.assign(**{c.UNIX_TIME: joined})
    source = frame[c.SOURCE_INDEX]
    new_file = set(frame.index[(source != source.shift()).to_numpy()])
    told = [replace(event, severity="info") if event.label in new_file else event for event in told]
    return RuleOutcome(frame, tuple(told))


def _away(clock: Floats, columns: dict[str, Floats], i: int, rest: float, many: bool) -> tuple[float, str]:
    """Return for how long a clock that restarted at row ``i`` was away, in s, and what tells it.

    Where restarts are ``many``, the voltage is not asked: each answer takes a look at the whole record.
    """
    usual = usual_interval(clock, i)
    before, after = (float(columns[c.CURRENT][k]) for k in (i - 1, i))
    if before * after > 0.0 and min(abs(before), abs(after)) > rest:
        alike = abs(after - before) <= SAME_CURRENT * abs(before)
        seconds = second_from_counters(columns, i)
        if seconds > 0.0:
            return seconds, "by the charge counter"
        ends = find_gap_ends(clock, columns[c.VOLTAGE], i) if alike and not many else None
        if ends is not None:
            seconds = second_from_twin(clock, columns, ends, i)
            if seconds > 0.0:
                return seconds, "about, by another step under this current between these voltages"
            seconds = second_from_slope(ends)
            if seconds > LONGER * usual:
                return seconds, "about, by the voltage's slopes under the current"
    elif max(abs(before), abs(after)) <= rest:
        ends = find_gap_ends(clock, columns[c.VOLTAGE], i)
        seconds = 0.0 if ends is None else second_from_relaxation(ends)
        if seconds > LONGER * usual:
            return seconds, "about, by the voltage's relaxation"
    return usual, "by the usual interval, nothing says more"


def usual_interval(clock: Floats, i: int) -> float:
    """Median of the intervals next to row ``i``, those before it first; 1 s where there are none."""
    for part in (clock[max(i - WINDOW, 0) : i], clock[i : i + WINDOW], clock):
        intervals = np.diff(part)
        if (intervals > 0.0).any():
            return float(np.median(intervals[intervals > 0.0]))
    return 1.0
