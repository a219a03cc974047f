"""Cleaning rules about cycle numbers: jumping, wrong for some rows, one for all, absent. Raw numbers are kept."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Floats, Integers, Mask
from ...data.settings import CleanSettings
from ..record.charge import interval_charge_ah
from .rule import Event, RuleOutcome, column_values, constant_text, run_events, set_flag
from .step_numbers import (
    fill_missing_numbers,
    has_numbers,
    has_steps,
    is_run_inside,
    number_runs,
    number_steps_from_signal,
    whole_numbers,
)

IDLE_SHARE: Final = 1e-3  # of the capacity: a cycle at an end of the record with less is a rest
HALF_OF_CYCLE: Final = 0.25  # of a cycle's charge in and out, that a half cycle has at least
ONE_WAY: Final = 0.95  # of the charge of a half cycle
HALF_CYCLE_SHARE: Final = 0.1  # of the capacity that must flow before a turn counts as a half cycle


def cycle_jump(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Report where cycle numbers jump, fall back or do not start at 1, and a few rows of another cycle inside one."""
    raw = column_values(frame, c.CYCLE_ID)
    if not has_numbers(raw):
        return RuleOutcome(frame.assign(**{c.CYCLE_COUNT: 1.0}))
    cycle = fill_missing_numbers(whole_numbers(raw))
    first, length, number = number_runs(cycle)
    lone = is_run_inside(number, length) | _inside_steps(frame, number, first, length)
    wrong = np.repeat(lone, length)
    cycle = fill_missing_numbers(np.where(wrong, np.nan, cycle)) if wrong.any() else cycle
    told = run_events(frame, wrong, "cycle_jump", lambda i, n: f"cycle {raw[i]:g}",
                      lambda i, n: f"inside cycle {cycle[i]:g}", constant_text("corrected"))  # fmt: skip
    cycle = _merge_idle_ends(frame, cycle, settings)
    first, length, number = number_runs(cycle)
    count = np.repeat(np.arange(1.0, len(first) + 1.0), length)
    jump = np.zeros(len(cycle), dtype=bool)
    jump[first] = np.diff(number, prepend=0.0) != 1.0
    previous = np.concatenate([[0.0], number])

    def of(row: int) -> int:
        return int(np.searchsorted(first, row, side="right")) - 1

    told += run_events(
        frame, jump, "cycle_jump",
        lambda i, n: f"cycle {number[of(i)]:g}" + (f" after {previous[of(i)]:g}" if i else ""),
        lambda i, n: f"cycle {count[i]:g}", constant_text("corrected"),
    )  # fmt: skip
    frame = set_flag(frame.assign(**{c.CYCLE_COUNT: count}), wrong | jump, "cycle_jump")
    return RuleOutcome(frame, tuple(told))


def _merge_idle_ends(frame: pd.DataFrame, cycle: Floats, settings: CleanSettings) -> Floats:
    """Give a rest before the first cycle, or after the last, that cycle's number: a rest alone is no cycle."""
    time, current, flags = (
        column_values(frame, c.TEST_TIME),
        column_values(frame, c.CURRENT),
        frame[c.FLAGS].to_numpy(dtype=np.int64),
    )
    first, length, number = number_runs(cycle)
    if len(first) < 2:
        return cycle

    def passed(rows: slice) -> float:
        return float(np.abs(interval_charge_ah(time[rows], current[rows], flags[rows])).sum())

    least = IDLE_SHARE * (settings.nominal_capacity_ah or 1.0)
    idle_first, idle_last = passed(slice(0, first[1])) < least, passed(slice(first[-1], None)) < least
    if not (idle_first or idle_last):
        return cycle
    if passed(slice(None)) < least / IDLE_SHARE * HALF_CYCLE_SHARE:
        return cycle  # with hardly any current in all, none tells a cycle from a rest
    if idle_first:
        number[0] = number[1]
    if idle_last:
        number[-1] = number[-2]
    return np.repeat(number, length)


def _inside_steps(frame: pd.DataFrame, number: Floats, first: Integers, length: Integers) -> Mask:
    """Tell which runs of a cycle number, however long, stand inside another cycle and begin and end within a step."""
    step, end = column_values(frame, c.STEP_COUNT), np.minimum(first + length, len(frame) - 1)
    within = (step[first] == step[np.maximum(first - 1, 0)]) & (step[end] == step[np.maximum(end - 1, 0)])
    has = has_numbers(column_values(frame, c.STEP_ID)) and float(step.min(initial=0.0)) != float(step.max(initial=0.0))
    return is_run_inside(number, length, len(frame)) & within if has else np.zeros(len(first), dtype=bool)


def count_steps(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Count steps from the signal as it is by now, where the file has no step numbers that can be used.

    What is filled after it then knows the same edges as who cleans the result again.
    """
    return RuleOutcome(frame if has_steps(frame, settings) else number_steps_from_signal(frame, settings, 1))


def count_from_signal(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Count steps and cycles anew from the cleaned signal, where the file has no numbers that can be used.

    So it is where they are missing, not whole, or all equal though the signal is not. One cycle number for all is
    right for a schedule that runs through once; it is not where step numbers come back as the charge does, nor after
    ``cycle_turns`` turns between charge and discharge.
    """
    told: list[Event] = []
    if not has_steps(frame, settings):
        frame = number_steps_from_signal(frame, settings, 1)
        told.append(_counted(frame, c.STEP_COUNT, "step_renumbered", "steps from the signal"))
    usable = has_numbers(column_values(frame, c.CYCLE_ID))
    if usable and int(frame[c.CYCLE_COUNT].max()) > 1:
        return RuleOutcome(frame, tuple(told))
    cycles, loops = _align_with_loops(frame, count_cycles_from_charge(frame, settings.nominal_capacity_ah or 1.0))
    if usable and not loops and 2 * int(cycles[-1]) < settings.cycle_turns:
        return RuleOutcome(frame, tuple(told))
    frame = frame.assign(**{c.CYCLE_COUNT: cycles})
    told.append(_counted(frame, c.CYCLE_COUNT, "cycle_jump", "cycles from charge and discharge"))
    return RuleOutcome(frame, tuple(told))


def _counted(frame: pd.DataFrame, column: str, rule: str, what: str) -> Event:
    raw = column_values(frame, c.STEP_ID if column == c.STEP_COUNT else c.CYCLE_ID)
    name = "step" if column == c.STEP_COUNT else "cycle"
    before = f"{name} {raw[0]:g} throughout" if (raw == raw[0]).all() else f"no usable {name} numbers"
    return Event(rule, int(frame.index[0]), len(frame), before, f"{int(frame[column].iloc[-1])} {what}", "counted")


def _align_with_loops(frame: pd.DataFrame, cycles: Integers) -> tuple[Integers, bool]:
    """Let cycles begin where the schedule's loop does: where the step number fell back, with only a rest between.

    Where the record began in the middle of a loop, a cycle may begin a half cycle sooner than charge alone says.

    Returns:
        The cycles, shape (n,), and whether the schedule came back for most of them.
    """
    begins = np.flatnonzero(np.diff(cycles, prepend=cycles[:1]) != 0)
    step = fill_missing_numbers(whole_numbers(column_values(frame, c.STEP_ID)))
    if not len(begins) or not has_numbers(step):
        return cycles, False
    first = number_runs(frame[c.STEP_COUNT].to_numpy(dtype=np.float64))[0]
    number = step[first]
    fell = np.concatenate([[0], 1 + np.flatnonzero(np.diff(number) < 0.0), [len(first) - 1]])
    arrays = (
        column_values(frame, c.TEST_TIME),
        column_values(frame, c.CURRENT),
        frame[c.FLAGS].to_numpy(dtype=np.int64),
    )
    charge = np.concatenate([[0.0], interval_charge_ah(*arrays)])
    level, flowed = np.cumsum(charge), np.cumsum(np.abs(charge))
    usual = float(flowed[-1]) / (len(begins) + 1)
    # Up to the row before a step: the interval across its edge belongs to the edge.
    enters, leaves = flowed[first], flowed[np.maximum(first - 1, 0)]
    place = np.searchsorted(first, begins)
    at = np.searchsorted(fell, place, side="right")
    back, ahead = fell[at - 1], fell[np.minimum(at, len(fell) - 1)]
    passed = leaves[place] - enters[back]
    one_way = np.abs(level[first[place] - 1] - level[first[back]]) >= ONE_WAY * passed
    half = (passed >= HALF_OF_CYCLE * usual) & one_way
    soon = (back > 0) & ((passed <= IDLE_SHARE * usual) | half)
    late = (ahead < len(first) - 1) & (leaves[ahead] - enters[place] <= IDLE_SHARE * usual)
    place = np.where(late, ahead, np.where(soon, back, place))
    seen = pd.Series(number).duplicated().to_numpy()[place] | np.isin(place, fell[1:-1])
    counted: Integers = 1 + np.cumsum(np.isin(np.arange(len(cycles)), first[place]))
    return counted, 2 * int(seen.sum()) > len(begins)


def count_cycles_from_charge(frame: pd.DataFrame, capacity_ah: float) -> Integers:
    """Count cycles from charge and discharge: a new one where the direction the record began with comes back.

    A turn counts once a tenth of the capacity has flowed, so that pulses make no cycles.

    Returns:
        Shape (n,), from 1; a cycle begins with the first sample of a step.
    """
    step = frame[c.STEP_COUNT].to_numpy()
    arrays = (
        column_values(frame, c.TEST_TIME),
        column_values(frame, c.CURRENT),
        frame[c.FLAGS].to_numpy(dtype=np.int64),
    )
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
