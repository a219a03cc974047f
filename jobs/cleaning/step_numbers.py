"""Cleaning rules about step numbers: wrong for a few rows, skipping, one for all, absent. Raw numbers are kept."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Floats, Integers, Mask
from ...data.settings import CleanSettings
from ...data.text import format_count
from ..record.steps import count_steps_in_signal
from .rule import Event, RuleOutcome, column_values, constant_text, rest_current, run_events, set_flag

GLITCH_ROWS: Final = 5  # longest run of wrong step numbers
LOOP_REPEATS: Final = 3  # a short run that comes back so often is the schedule's own
LOOP_MANY: Final = 8  # ... however irregularly
LOOP_SPREAD: Final = 0.3  # of the usual distance, by which distances of a loop's turns differ
GLITCH_VOLT: Final = 0.02
HELD_VOLT: Final = 0.005
STEP_ROWS: Final = 20  # in the mean, of the steps that the signal shows where one number stands for all of them


def has_numbers(column: Floats) -> bool:
    """Tell whether a file's step or cycle numbers are numbers: whole ones, on at least half of the rows."""
    return bool(len(column) and 2 * np.count_nonzero(column == np.floor(column)) >= len(column))


def whole_numbers(column: Floats) -> Floats:
    """Return the numbers that are whole; the others, such as 6.283185, and infinite ones are missing."""
    good = (column == np.floor(column)) & np.isfinite(column)
    return column if good.all() else np.where(good, column, np.nan)


def has_steps(frame: pd.DataFrame, settings: CleanSettings) -> bool:
    """Tell whether the file's step numbers can be used: they are numbers, and not one for all that the signal shows.

    One number for charge, discharge and rest alike is none; one for a profile of many short pulses may be the step's.
    """
    raw = column_values(frame, c.STEP_ID)
    if not has_numbers(raw):
        return False
    known = raw[np.isfinite(raw)]
    if float(known.min()) != float(known.max()):
        return True
    steps = int(count_steps_in_signal(frame, rest_current(settings), settings.fill_samples + 1)[-1])
    return steps < 3 or len(frame) < STEP_ROWS * steps


def step_glitch(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Correct the step number of a few rows inside another step, where current and voltage go on as they did.

    So too between two steps, where the number comes but once and elsewhere the one step follows the other at once.

    Short runs that come back again and again, of the same length and about as far apart, are the schedule's own.
    """
    raw = column_values(frame, c.STEP_ID)
    if not has_numbers(raw):
        return RuleOutcome(frame.assign(**{c.STEP_COUNT: 1.0}))
    step = fill_missing_numbers(whole_numbers(raw))
    first, length, number = number_runs(step)
    between = is_run_inside(number, length)
    around = np.roll(number, 1)
    runs_between = list(zip(number[between], around[between], length[between], strict=True))
    key = pd.Series(runs_between, np.flatnonzero(between), dtype=object)
    own = pd.Series(first[between], key.index).groupby(key).transform(_is_loop).astype(bool)
    columns = {name: column_values(frame, name) for name in (c.TEST_TIME, c.CURRENT, c.VOLTAGE)}
    wrong = np.zeros(len(step), dtype=bool)
    for k in key.index[~own]:
        rows = slice(int(first[k]), int(first[k] + length[k]))
        # Of A B A B either number may be the wrong one; then the ramp does not tell.
        sure = not between[k - 1] and not between[k + 1]
        if not wrong[rows.start - 1] and (_continues(columns, rows, settings) or (sure and _on_a_ramp(columns, rows))):
            wrong[rows] = True
    corrected = fill_missing_numbers(np.where(wrong, np.nan, step)) if wrong.any() else step
    at_edge = _assign_edge_rows(corrected, columns[c.CURRENT], rest_current(settings))
    if at_edge is not corrected:
        wrong, corrected = wrong | (at_edge != corrected), at_edge
    told = run_events(frame, wrong, "step_glitch", lambda i, n: f"step {step[i]:g}",
                      lambda i, n: f"step {corrected[i]:g}", constant_text("corrected"))  # fmt: skip
    frame = set_flag(frame.assign(**{c.STEP_COUNT: corrected}), wrong, "step_glitch")
    return RuleOutcome(frame, tuple(told))


def _is_loop(first: pd.Series[int]) -> bool:
    """Tell whether short runs that begin at these rows come back as a schedule's loop does."""
    apart = np.diff(first.to_numpy())
    if len(first) < LOOP_REPEATS:
        return False
    return len(first) >= LOOP_MANY or float(np.ptp(apart)) <= LOOP_SPREAD * float(np.median(apart))


def _assign_edge_rows(step: Floats, current: Floats, rest: float) -> Floats:
    """Return step numbers in which the few rows of a foreign one between two steps belong to either, by current."""
    first, length, number = number_runs(step)
    if len(first) < 3:
        return step
    _, kind, often = np.unique(number, return_inverse=True, return_counts=True)
    foreign = np.zeros(len(first), dtype=bool)
    foreign[1:-1] = (often[kind[1:-1]] == 1) & (length[1:-1] <= GLITCH_ROWS) & (number[:-2] != number[2:])
    foreign[1:-1] &= (often[kind[:-2]] > 1) & (often[kind[2:]] > 1)
    if not foreign.any():
        return step
    corrected = step.copy()
    for k in np.flatnonzero(foreign).tolist():
        follows = (number[:-1] == number[k - 1]) & (number[1:] == number[k + 1])
        rows = slice(int(first[k]), int(first[k] + length[k]))
        left, right = (float(current[row]) for row in (rows.start - 1, rows.stop))
        off = np.abs(current[rows] - np.array([[left], [right]]))
        alike = off.min(axis=0) <= rest + 0.02 * max(abs(left), abs(right))
        if follows.any() and alike.all() and abs(left - right) > 2.0 * rest:
            corrected[rows] = np.where(np.maximum.accumulate(off[1] < off[0]), number[k + 1], number[k - 1])
    return corrected


def fill_missing_numbers(numbers: Floats) -> Floats:
    """Return numbers of which missing ones go on as before; those at the beginning are as what comes."""
    if not np.isnan(numbers).any():
        return numbers
    filled: Floats = np.asarray(pd.Series(numbers).ffill().bfill(), dtype=np.float64)
    return filled


def number_runs(numbers: Floats) -> tuple[Integers, Integers, Floats]:
    """Return first positions, lengths and numbers of the runs of one number, each of shape (runs,)."""
    first = np.flatnonzero(np.concatenate([[True], numbers[1:] != numbers[:-1]])[: len(numbers)])
    return first, np.diff(np.append(first, len(numbers))), numbers[first]


def is_run_inside(number: Floats, length: Integers, longest: int = GLITCH_ROWS) -> Mask:
    """Tell which runs of one number, of ``longest`` rows at most, stand between two runs of another one."""
    inside = np.zeros(len(number), dtype=bool)
    inside[1:-1] = (number[:-2] == number[2:]) & (length[1:-1] <= longest)
    return inside


def _continues(columns: dict[str, Floats], rows: slice, settings: CleanSettings) -> bool:
    """Tell whether the signal crosses the rows without an edge, seen from the row next to them or from three."""
    return any(_crosses(columns, rows, settings, seen) for seen in (1, 3))


def _on_a_ramp(columns: dict[str, Floats], rows: slice) -> bool:
    """Tell whether voltage and current go one way from the row before to the row after: a pulse would come back."""
    for name in (c.VOLTAGE, c.CURRENT):
        course = columns[name][rows.start - 1 : rows.stop + 1]
        path = np.diff(course)
        if np.isnan(path).any() or not ((path >= 0.0).all() or (path <= 0.0).all()):
            return False
    return True


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


def step_renumbered(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Count steps from 1: a new one where the step number or the cycle changes; without numbers, from the signal."""
    if not has_steps(frame, settings):
        return RuleOutcome(number_steps_from_signal(frame, settings, settings.fill_samples + 1))
    step, cycle = column_values(frame, c.STEP_COUNT), column_values(frame, c.CYCLE_COUNT)
    new = (step[1:] != step[:-1]) | (cycle[1:] != cycle[:-1])
    count = np.cumsum(np.concatenate([[1], new]))
    known = np.unique(number_runs(step)[2])
    frame = frame.assign(**{c.STEP_COUNT: count})
    if np.array_equal(known, np.arange(1.0, len(known) + 1.0)):
        return RuleOutcome(frame)
    before = (
        f"{len(known)} numbers from {known[0]:g} to {known[-1]:g}" if len(known) > 1 else f"{known[0]:g} throughout"
    )
    event = Event("step_renumbered", int(frame.index[0]), len(frame), before,
                  f"{format_count(int(count[-1]), 'step')} from 1", "corrected")  # fmt: skip
    return RuleOutcome(frame, (event,))


def number_steps_from_signal(frame: pd.DataFrame, settings: CleanSettings, shortest: int) -> pd.DataFrame:
    """Number steps from the signal; a new cycle begins a new step."""
    step = count_steps_in_signal(frame, rest_current(settings), shortest)
    cycle = column_values(frame, c.CYCLE_COUNT)
    new = (np.diff(step, prepend=step[:1]) != 0) | (np.diff(cycle, prepend=cycle[:1]) != 0)
    return frame.assign(**{c.STEP_COUNT: 1 + np.cumsum(new)})
