"""Cleaning rules about step and cycle numbers: wrong for a few rows, jumping, absent. Raw numbers are kept."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from ..data import columns as c
from ..data.settings import CleanSettings
from .charge import interval_charge_ah
from .clean_event import Event, Floats, Integers, Outcome, flagged, rest_current, run_events, text, values
from .steps import steps_from_signal

GLITCH_ROWS: Final = 5  # longest run of wrong step numbers
LOOP_REPEATS: Final = 3  # a short run that comes back so often is the schedule's own
LOOP_MANY: Final = 8  # ... however irregularly
LOOP_SPREAD: Final = 0.3  # of the usual distance, by which distances of a loop's turns differ
GLITCH_VOLT: Final = 0.02
HELD_VOLT: Final = 0.005
IDLE_SHARE: Final = 1e-3  # of the capacity: a cycle at an end of the record with less is a rest
HALF_CYCLE_SHARE: Final = 0.1  # of the capacity that must flow before a turn counts as a half cycle


def has_numbers(column: Floats) -> bool:
    """Tell whether a file's step or cycle numbers are numbers: whole ones, on at least half of the rows."""
    known = column[np.isfinite(column)]
    return len(known) > 0 and 2 * len(known) >= len(column) and bool(np.all(known == np.floor(known)))


def step_glitch(frame: pd.DataFrame, settings: CleanSettings) -> Outcome:
    """Correct the step number of a few rows inside another step, where current and voltage go on as they did.

    Short runs that come back again and again, of the same length and about as far apart, are the schedule's own.
    """
    raw = values(frame, c.STEP_ID)
    if not has_numbers(raw):
        return Outcome(frame.assign(**{c.STEP_COUNT: 1.0}))
    step = _without_holes(raw)
    first, length, number = _number_runs(step)
    between = np.zeros(len(first), dtype=bool)
    between[1:-1] = (number[:-2] == number[2:]) & (length[1:-1] <= GLITCH_ROWS)
    around = np.roll(number, 1)
    key = pd.Series(list(zip(number, around, length, strict=True)))[between]
    own = pd.Series(first)[between].groupby(key).transform(_is_loop).astype(bool)
    columns = {name: values(frame, name) for name in (c.TEST_TIME, c.CURRENT, c.VOLTAGE)}
    wrong = np.zeros(len(step), dtype=bool)
    for k in key.index[~own]:
        rows = slice(int(first[k]), int(first[k] + length[k]))
        if not wrong[rows.start - 1] and _goes_on(columns, rows, settings):
            wrong[rows] = True
    corrected = _without_holes(np.where(wrong, np.nan, step))
    told = run_events(frame, wrong, "step_glitch", lambda i, n: f"step {step[i]:g}",
                      lambda i, n: f"step {corrected[i]:g}", text("corrected"))  # fmt: skip
    frame = flagged(frame.assign(**{c.STEP_COUNT: corrected}), wrong, "step_glitch")
    return Outcome(frame, tuple(told))


def _is_loop(first: pd.Series[int]) -> bool:
    """Tell whether short runs that begin at these rows come back as a schedule's loop does."""
    apart = np.diff(first.to_numpy())
    if len(first) < LOOP_REPEATS:
        return False
    return len(first) >= LOOP_MANY or float(np.ptp(apart)) <= LOOP_SPREAD * float(np.median(apart))


def _without_holes(numbers: Floats) -> Floats:
    filled: Floats = np.asarray(pd.Series(numbers).ffill().bfill(), dtype=np.float64)
    return filled


def _number_runs(numbers: Floats) -> tuple[Integers, Integers, Floats]:
    first = np.flatnonzero(np.diff(numbers, prepend=np.nan) != 0)
    return first, np.diff(np.append(first, len(numbers))), numbers[first]


def _goes_on(columns: dict[str, Floats], rows: slice, settings: CleanSettings) -> bool:
    """Tell whether the signal crosses the rows without an edge, seen from the row next to them or from three."""
    return any(_crosses(columns, rows, settings, seen) for seen in (1, 3))


def _crosses(columns: dict[str, Floats], rows: slice, settings: CleanSettings, seen: int) -> bool:
    """Tell whether rows lie between the medians of the ``seen`` nearest of three values on either side."""
    time = columns[c.TEST_TIME]
    low, high = settings.voltage_limits_volt
    most = 0.2
    for name in (c.VOLTAGE, c.CURRENT):
        column = columns[name]
        if name == c.VOLTAGE:
            column = np.where((column >= low) & (column <= high), column, np.nan)
        before = _near(column[max(rows.start - 3, 0) : rows.start], seen)
        after = _near(column[rows.stop : rows.stop + 3][::-1], seen)
        reach = abs(after - before)
        bound = GLITCH_VOLT + reach if name == c.VOLTAGE else rest_current(settings) + 0.05 * abs(before)
        inside = column[rows]
        expected = np.interp(time[rows], [time[rows.start - 1], time[rows.stop]], [before, after])
        # One spike or one missing value among the rows does not make an edge.
        off = np.abs(inside - expected)
        off = off[np.isfinite(off)]
        if len(off) and float(np.median(off)) > bound:
            return False
        if name == c.VOLTAGE and reach <= HELD_VOLT:
            most = 0.6  # of the current, by which it may decay in a hold
        if name == c.CURRENT and reach > max(bound, most * abs(before)):
            return False
    return True


def _near(column: Floats, seen: int) -> float:
    known = column[np.isfinite(column)][-seen:]
    return float(np.median(known)) if len(known) else float("nan")


def cycle_jump(frame: pd.DataFrame, settings: CleanSettings) -> Outcome:
    """Report where cycle numbers jump, fall back or do not start at 1, and a few rows of another cycle inside one."""
    raw = values(frame, c.CYCLE_ID)
    if not has_numbers(raw):
        return Outcome(frame.assign(**{c.CYCLE_COUNT: 1.0}))
    cycle = _without_holes(raw)
    first, length, number = _number_runs(cycle)
    lone = np.zeros(len(first), dtype=bool)
    lone[1:-1] = (number[:-2] == number[2:]) & (length[1:-1] <= GLITCH_ROWS)
    wrong = np.repeat(lone, length)
    cycle = _without_holes(np.where(wrong, np.nan, cycle))
    told = run_events(frame, wrong, "cycle_jump", lambda i, n: f"cycle {raw[i]:g}",
                      lambda i, n: f"inside cycle {cycle[i]:g}", text("corrected"))  # fmt: skip
    cycle = _with_idle_ends_inside(frame, cycle, settings)
    first, length, number = _number_runs(cycle)
    count = np.repeat(np.arange(1.0, len(first) + 1.0), length)
    jump = np.zeros(len(cycle), dtype=bool)
    jump[first] = np.diff(number, prepend=0.0) != 1.0
    previous = np.concatenate([[0.0], number])
    place = np.cumsum(np.isin(np.arange(len(cycle)), first))
    told += run_events(
        frame, jump, "cycle_jump",
        lambda i, n: f"cycle {number[place[i] - 1]:g}" + (f" after {previous[place[i] - 1]:g}" if i else ""),
        lambda i, n: f"cycle {count[i]:g}", text("corrected"),
    )  # fmt: skip
    frame = flagged(frame.assign(**{c.CYCLE_COUNT: count}), wrong | jump, "cycle_jump")
    return Outcome(frame, tuple(told))


def _with_idle_ends_inside(frame: pd.DataFrame, cycle: Floats, settings: CleanSettings) -> Floats:
    """Give a rest before the first cycle, or after the last, that cycle's number: a rest alone is no cycle."""
    time, current = values(frame, c.TEST_TIME), values(frame, c.CURRENT)
    charge = np.abs(interval_charge_ah(time, current, frame[c.FLAGS].to_numpy(dtype=np.int64)))
    first, length, number = _number_runs(cycle)
    least = IDLE_SHARE * (settings.nominal_capacity_ah or 1.0)
    if charge.sum() < least / IDLE_SHARE * HALF_CYCLE_SHARE:
        return cycle  # with hardly any current in all, none tells a cycle from a rest
    if len(first) > 1 and charge[: first[1] - 1].sum() < least:
        number[0] = number[1]
    if len(first) > 1 and charge[first[-1] :].sum() < least:
        number[-1] = number[-2]
    return np.repeat(number, length)


def step_renumbered(frame: pd.DataFrame, settings: CleanSettings) -> Outcome:
    """Count steps from 1: a new one where the step number or the cycle changes; without numbers, from the signal."""
    if not has_numbers(values(frame, c.STEP_ID)):
        return Outcome(_with_steps_from_signal(frame, settings, settings.fill_samples + 1))
    step, cycle = values(frame, c.STEP_COUNT), values(frame, c.CYCLE_COUNT)
    new = (np.diff(step, prepend=step[:1]) != 0) | (np.diff(cycle, prepend=cycle[:1]) != 0)
    count = 1 + np.cumsum(new)
    known = np.unique(step)
    frame = frame.assign(**{c.STEP_COUNT: count})
    if np.array_equal(known, np.arange(1.0, len(known) + 1.0)):
        return Outcome(frame)
    event = Event("step_renumbered", int(frame.index[0]), len(frame), f"{len(known)} numbers from {known[0]:g} to "
                  f"{known[-1]:g}", f"{int(count[-1])} steps from 1", "corrected")  # fmt: skip
    return Outcome(frame, (event,))


def _with_steps_from_signal(frame: pd.DataFrame, settings: CleanSettings, shortest: int) -> pd.DataFrame:
    """Number steps from the signal; a new cycle begins a new step."""
    step = steps_from_signal(frame, rest_current(settings), shortest)
    cycle = values(frame, c.CYCLE_COUNT)
    new = (np.diff(step, prepend=step[:1]) != 0) | (np.diff(cycle, prepend=cycle[:1]) != 0)
    return frame.assign(**{c.STEP_COUNT: 1 + np.cumsum(new)})


def count_from_signal(frame: pd.DataFrame, settings: CleanSettings) -> Outcome:
    """Count steps and cycles anew from the cleaned signal, where the file has no numbers of its own."""
    if not has_numbers(values(frame, c.STEP_ID)):
        frame = _with_steps_from_signal(frame, settings, 1)
    if not has_numbers(values(frame, c.CYCLE_ID)):
        frame = frame.assign(**{c.CYCLE_COUNT: cycles_from_charge(frame, settings.nominal_capacity_ah or 1.0)})
        counted = f"{int(frame[c.CYCLE_COUNT].iloc[-1])} cycles from charge and discharge"
        told = Event("cycle_jump", int(frame.index[0]), len(frame), "no usable cycle numbers", counted, "counted")
        return Outcome(frame, (told,))
    return Outcome(frame)


def cycles_from_charge(frame: pd.DataFrame, capacity_ah: float) -> Integers:
    """Count cycles from charge and discharge: a new one where the direction the record began with comes back.

    A turn counts once a tenth of the capacity has flowed, so that pulses make no cycles.

    Returns:
        Shape (n,), from 1; a cycle begins with the first sample of a step.
    """
    step = frame[c.STEP_COUNT].to_numpy()
    arrays = (values(frame, c.TEST_TIME), values(frame, c.CURRENT), frame[c.FLAGS].to_numpy(dtype=np.int64))
    charge = np.concatenate([[0.0], interval_charge_ah(*arrays)])
    first = np.flatnonzero(np.diff(step, prepend=step[:1] - 1) != 0)
    begins, home, direction = np.zeros(len(step), dtype=bool), 0.0, 0.0
    level = extreme = 0.0
    turn = 0
    for k, net in enumerate(np.add.reduceat(charge, first)):
        if direction == 0.0 and abs(level + net) > HALF_CYCLE_SHARE * capacity_ah:
            direction = home = float(np.sign(level + net))
        level += float(net)
        if direction == 0.0 or (level - extreme) * direction >= 0.0:
            extreme, turn = level, k + 1
        elif (extreme - level) * direction > HALF_CYCLE_SHARE * capacity_ah:
            direction = -direction
            begins[first[turn]] = direction == home
            extreme, turn = level, k + 1
    cycles: Integers = 1 + np.cumsum(begins)
    return cycles
