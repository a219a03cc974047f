"""Cleaning rules about cycle numbers that jump, are wrong for some rows, equal for all, or missing.

The file's own numbers stay in ``cycle_id``; these rules write ``cycle_count``.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Floats, Integers, Mask
from ...data.settings import CleanSettings
from ..record.charge import interval_charge_ah
from ..record.table import Table
from .cycle_runs import find_new_runs
from .rule import (
    Event,
    RuleOutcome,
    begins_file,
    cell_capacity_ah,
    charge_between_samples_ah,
    column_values,
    constant_text,
    fill_from_neighbours,
    flag_values,
    run_events,
    set_flag,
)
from .step_numbers import (
    has_numbers,
    has_steps,
    is_run_inside,
    number_runs,
    number_steps_from_signal,
    whole_numbers,
)

IDLE_SHARE: Final = 1e-3
"""Share of the capacity: a cycle at an end of the record that moves less charge is a rest. Also a share of the usual
charge of a cycle, up to which nothing happened between two steps. Chosen, not measured."""

HALF_OF_CYCLE: Final = 0.25
"""Share of a cycle's charge in and out that a half cycle has at least. Chosen, not measured."""

ONE_WAY: Final = 0.95
"""Share of its charge that a half cycle moves in one direction. Chosen, not measured."""

HALF_CYCLE_SHARE: Final = 0.1
"""Share of the capacity that must flow in the new direction before a turn counts as a half cycle; so pulses make no
cycles. Chosen, not measured."""


def cycle_jump(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Report where cycle numbers jump, fall back or do not start at 1, and a few rows of another cycle inside one."""
    raw = column_values(frame, c.CYCLE_ID)
    if not has_numbers(raw):
        return RuleOutcome(frame.assign(**{c.CYCLE_COUNT: 1.0}))
    cycle = fill_from_neighbours(whole_numbers(raw))
    wrong = _inside_another_cycle(frame, cycle)
    if wrong.any():
        cycle = fill_from_neighbours(np.where(wrong, np.nan, cycle))
    events = _inside_events(frame, raw, cycle, wrong)
    new_run = find_new_runs(frame, cycle, settings)
    first, number = _merge_idle_ends(frame, cycle, new_run, settings)
    count = np.repeat(np.arange(1.0, len(first) + 1.0), np.diff(first, append=len(cycle)))
    jump = np.zeros(len(cycle), dtype=bool)
    jump[first] = np.diff(number, prepend=0.0) != 1.0
    previous = np.concatenate([[0.0], number])

    def before(i: int, n: int) -> str:
        run = int(np.searchsorted(first, i, side="right")) - 1
        text = f"cycle {number[run]:g}"
        if i:
            text += f" after {previous[run]:g}"
        if new_run[i]:
            text += ", in a new run"
        return text

    def after(i: int, n: int) -> str:
        return f"cycle {count[i]:g}"

    events += run_events(frame, jump, "cycle_jump", before, after, constant_text("corrected"))
    frame = set_flag(frame.assign(**{c.CYCLE_COUNT: count}), wrong | jump, "cycle_jump")
    return RuleOutcome(frame, tuple(events))


def _inside_another_cycle(frame: Table, cycle: Floats) -> Mask:
    """Tell which rows have the number of another cycle between two rows of one cycle, shape (n,).

    These are runs of a few rows, and runs of any length that begin and end within a step of the file.
    """
    first, length, number = number_runs(cycle)
    lone = is_run_inside(number, length)
    # The numbers of a file that begin anew are no slip of those before.
    at_join = begins_file(frame)
    at_join = at_join[first] | at_join[np.minimum(first + length, len(cycle) - 1)]
    step = column_values(frame, c.STEP_COUNT)
    several_steps = float(step.min(initial=0.0)) != float(step.max(initial=0.0))
    if has_numbers(column_values(frame, c.STEP_ID)) and several_steps:
        end = np.minimum(first + length, len(frame) - 1)
        begins_within = step[first] == step[np.maximum(first - 1, 0)]
        ends_within = step[end] == step[np.maximum(end - 1, 0)]
        lone |= is_run_inside(number, length, len(frame)) & begins_within & ends_within
    return np.repeat(lone & ~at_join, length)


def _inside_events(frame: Table, raw: Floats, cycle: Floats, wrong: Mask) -> list[Event]:
    def before(i: int, n: int) -> str:
        return f"cycle {raw[i]:g}"

    def after(i: int, n: int) -> str:
        return f"inside cycle {cycle[i]:g}"

    return run_events(frame, wrong, "cycle_jump", before, after, constant_text("corrected"))


def _merge_idle_ends(frame: Table, cycle: Floats, new_run: Mask, settings: CleanSettings) -> tuple[Integers, Floats]:
    """Find where cycles begin; a rest before the first cycle, or after the last, belongs to that cycle.

    Args:
        cycle: the file's numbers, shape (n,), none missing.
        new_run: which rows begin another cycle with the same number, shape (n,).

    Returns:
        First rows and numbers of the cycles, shape (cycles,) each.
    """
    first = np.flatnonzero(np.concatenate([[True], cycle[1:] != cycle[:-1]]) | new_run)
    number = cycle[first]
    if len(first) < 2:
        return first, number
    time = column_values(frame, c.TEST_TIME)
    current = column_values(frame, c.CURRENT)
    flags = flag_values(frame)

    def throughput_ah(rows: slice) -> float:
        return float(np.abs(interval_charge_ah(time[rows], current[rows], flags[rows])).sum())

    least_ah = IDLE_SHARE * cell_capacity_ah(settings)
    idle_first = throughput_ah(slice(0, first[1])) < least_ah
    idle_last = throughput_ah(slice(first[-1], None)) < least_ah
    if not (idle_first or idle_last):
        return first, number
    if throughput_ah(slice(None)) < least_ah / IDLE_SHARE * HALF_CYCLE_SHARE:
        return first, number  # a record with hardly any current does not show which cycles are rests
    if idle_last:
        first, number = first[:-1], number[:-1]
    if idle_first and len(first) > 1:
        first, number = np.delete(first, 1), number[1:]
    return first, number


def count_steps(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Count steps from the signal as cleaned so far, where the file has no step numbers that can be used.

    The rules that fill values after it then use the same edges as a second cleaning of the result would.
    """
    if has_steps(frame, settings):
        return RuleOutcome(frame)
    return RuleOutcome(number_steps_from_signal(frame, settings, 1))


def count_from_signal(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Count steps and cycles from the cleaned signal, where the file has no numbers that can be used.

    Numbers cannot be used if they are missing, not whole, or all equal though the signal is not. One cycle number for
    all rows is correct for a schedule that runs once. It is wrong if step numbers come back together with the charge,
    or after ``cycle_turns`` turns between charge and discharge.
    """
    events: list[Event] = []
    if not has_steps(frame, settings):
        frame = number_steps_from_signal(frame, settings, 1)
        events.append(_step_count_event(frame))
    raw = column_values(frame, c.CYCLE_ID)
    usable = has_numbers(raw)
    counted = int(frame[c.CYCLE_COUNT].max())
    if usable and counted > 1 and np.nanmin(raw) != np.nanmax(raw):
        return RuleOutcome(frame, tuple(events))
    cycles, loops = _align_with_loops(frame, count_cycles_from_charge(frame, cell_capacity_ah(settings)))
    is_single = not loops and 2 * int(cycles[-1]) < settings.cycle_turns
    if usable and (is_single or int(cycles[-1]) <= counted):
        return RuleOutcome(frame, tuple(events))
    frame = frame.assign(**{c.CYCLE_COUNT: cycles})
    events.append(_cycle_count_event(frame))
    return RuleOutcome(frame, tuple(events))


def _step_count_event(frame: Table) -> Event:
    after = f"{int(frame[c.STEP_COUNT][-1])} steps from the signal"
    before = _unusable_text(column_values(frame, c.STEP_ID), "step")
    return Event("step_renumbered", int(frame.labels[0]), len(frame), before, after, "counted")


def _cycle_count_event(frame: Table) -> Event:
    after = f"{int(frame[c.CYCLE_COUNT][-1])} cycles from charge and discharge"
    before = _unusable_text(column_values(frame, c.CYCLE_ID), "cycle")
    return Event("cycle_jump", int(frame.labels[0]), len(frame), before, after, "counted")


def _unusable_text(numbers: Floats, name: str) -> str:
    if (numbers == numbers[0]).all():
        return f"{name} {numbers[0]:g} throughout"
    return f"no usable {name} numbers"


def _align_with_loops(frame: Table, cycles: Integers) -> tuple[Integers, bool]:
    """Let cycles begin where the schedule's loop does: where the step number falls back.

    A cycle counted from charge begins a little before or after the loop, with only a rest between. It begins up to a
    half cycle late if the record began in the middle of a loop.

    Args:
        frame: the record, with the file's ``step_id`` and the corrected ``step_count``.
        cycles: counted from charge, shape (n,).

    Returns:
        The cycles, shape (n,), and whether the schedule came back to earlier step numbers for most of them.
    """
    cycle_rows = np.flatnonzero(np.diff(cycles, prepend=cycles[:1]) != 0)
    step_id = fill_from_neighbours(whole_numbers(column_values(frame, c.STEP_ID)))
    if not len(cycle_rows) or not has_numbers(step_id):
        return cycles, False
    # From here on positions count steps, not rows.
    first_rows, _, _ = number_runs(column_values(frame, c.STEP_COUNT))
    last_step = len(first_rows) - 1
    number = step_id[first_rows]
    falls = 1 + np.flatnonzero(np.diff(number) < 0.0)
    loop_begins = np.concatenate([[0], falls, [last_step]])
    cycle_begins = np.searchsorted(first_rows, cycle_rows)

    charge = np.concatenate([[0.0], charge_between_samples_ah(frame)])
    level = np.cumsum(charge)
    throughput = np.cumsum(np.abs(charge))
    usual_throughput = float(throughput[-1]) / (len(cycle_rows) + 1)
    # A step is left at the row before the next one: the interval across an edge belongs to neither.
    throughput_entering = throughput[first_rows]
    throughput_leaving = throughput[np.maximum(first_rows - 1, 0)]

    # The loops that begin last before each cycle, and first after it.
    place = np.searchsorted(loop_begins, cycle_begins, side="right")
    loop_before = loop_begins[place - 1]
    loop_after = loop_begins[np.minimum(place, len(loop_begins) - 1)]

    since_loop = throughput_leaving[cycle_begins] - throughput_entering[loop_before]
    net_since_loop = np.abs(level[first_rows[cycle_begins] - 1] - level[first_rows[loop_before]])
    half_cycle_since_loop = (since_loop >= HALF_OF_CYCLE * usual_throughput) & (net_since_loop >= ONE_WAY * since_loop)
    idle_since_loop = since_loop <= IDLE_SHARE * usual_throughput
    moves_back = (loop_before > 0) & (idle_since_loop | half_cycle_since_loop)

    until_loop = throughput_leaving[loop_after] - throughput_entering[cycle_begins]
    moves_ahead = (loop_after < last_step) & (until_loop <= IDLE_SHARE * usual_throughput)

    aligned_begins = np.where(moves_ahead, loop_after, np.where(moves_back, loop_before, cycle_begins))
    number_seen_before = pd.Series(number).duplicated().to_numpy()[aligned_begins]
    comes_back = number_seen_before | np.isin(aligned_begins, falls)
    begins_cycle = np.isin(np.arange(len(cycles)), first_rows[aligned_begins])
    aligned: Integers = 1 + np.cumsum(begins_cycle)
    return aligned, 2 * int(comes_back.sum()) > len(cycle_rows)


def count_cycles_from_charge(frame: Table, capacity_ah: float) -> Integers:
    """Count cycles from charge and discharge: a cycle begins when the direction of the record's beginning comes back.

    A turn counts once ``HALF_CYCLE_SHARE`` of the capacity has flowed in the new direction.

    Args:
        frame: with time, current, flags and ``step_count``.
        capacity_ah: A.h, the cell's, or a scale from the record.

    Returns:
        Shape (n,), from 1; a cycle begins with the first sample of a step.
    """
    step = frame[c.STEP_COUNT]
    charge = np.concatenate([[0.0], charge_between_samples_ah(frame)])
    first_rows = np.flatnonzero(np.diff(step, prepend=step[:1] - 1) != 0)
    least_ah = HALF_CYCLE_SHARE * capacity_ah
    begins = np.zeros(len(step), dtype=bool)
    first_direction = 0.0
    direction = 0.0
    level = 0.0
    extreme = 0.0
    turn = 0  # the step after the one in which the charge was furthest in this direction
    for k, net in enumerate(np.add.reduceat(charge, first_rows)):
        if direction == 0.0 and abs(level + net) > least_ah:
            direction = float(np.sign(level + net))
            first_direction = direction
        level += float(net)
        if direction == 0.0 or (level - extreme) * direction >= 0.0:
            extreme = level
            turn = k + 1
        elif (extreme - level) * direction > least_ah:
            direction = -direction
            begins[first_rows[turn]] = direction == first_direction
            extreme = level
            turn = k + 1
    cycles: Integers = 1 + np.cumsum(begins)
    return cycles
