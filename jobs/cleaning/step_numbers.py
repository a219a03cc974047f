"""Cleaning rules about step numbers that are wrong for a few rows, skip, are equal for all, or missing.

The file's own numbers stay in ``step_id``; these rules write ``step_count``.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ...data import columns as c
from ...data.arrays import Floats, Integers, Mask
from ...data.settings import CleanSettings
from ...data.text import format_count
from ..record.steps import count_steps_in_signal
from ..record.table import Table
from .rule import (
    Event,
    RuleOutcome,
    column_values,
    constant_text,
    fill_from_neighbours,
    rest_current,
    run_events,
    set_flag,
)

GLITCH_ROWS: Final = 5
"""Longest run of wrong step numbers, in rows. Chosen, not measured."""

LOOP_REPEATS: Final = 3
"""A short run that comes back this often at regular distances belongs to the schedule. Chosen, not measured."""

LOOP_MANY: Final = 8
"""A short run that comes back this often belongs to the schedule, however irregularly. Chosen, not measured."""

LOOP_SPREAD: Final = 0.3
"""Share of the median distance: distances of a regular loop differ by less. Chosen, not measured."""

GLITCH_VOLT: Final = 0.02
"""V: voltages of a wrong row are this close to the line between its neighbours, plus the difference of these. Chosen,
not measured."""

GLITCH_CURRENT_SHARE: Final = 0.05
"""The same for the current: share of the current before, plus the current of a rest. Chosen, not measured."""

SAME_CURRENT_SHARE: Final = 0.02
"""Share of the larger current: a row between two steps belongs to a step if their currents differ by less. Chosen, not
measured."""

CURRENT_CHANGE_SHARE: Final = 0.2
"""Share of the current by which it may change across wrong rows. Chosen, not measured."""

HELD_VOLT: Final = 0.005
"""V: the voltage is held if it changes by less across wrong rows. Chosen, not measured."""

HELD_CHANGE_SHARE: Final = 0.6
"""Share of the current by which it may change across wrong rows while the voltage is held. Chosen, not measured."""

SIDE_ROWS: Final = 3
"""Rows on each side that are compared across wrong rows. Chosen, not measured."""

STEP_ROWS: Final = 20
"""Mean number of rows in the steps that the signal shows. One step number for shorter ones may be the number of a
profile of pulses. Chosen, not measured."""


def has_numbers(column: Floats) -> bool:
    """Tell whether a file's step or cycle numbers are numbers: whole ones, on at least half of the rows.

    Args:
        column: shape (n,), NaN where missing.
    """
    return bool(len(column) and 2 * np.count_nonzero(column == np.floor(column)) >= len(column))


def whole_numbers(column: Floats) -> Floats:
    """Return the numbers that are whole; the others, such as 6.283185, and infinite ones are NaN.

    Args:
        column: shape (n,), NaN where missing.
    """
    whole = (column == np.floor(column)) & np.isfinite(column)
    if whole.all():
        return column
    return np.where(whole, column, np.nan)


def has_steps(frame: Table, settings: CleanSettings) -> bool:
    """Tell whether the file's step numbers can be used.

    They cannot if they are no numbers, or if charge, discharge and rest all have the same one. One number for a profile
    of many short pulses can be right.
    """
    raw = column_values(frame, c.STEP_ID)
    if not has_numbers(raw):
        return False
    known = raw[np.isfinite(raw)]
    if float(known.min()) != float(known.max()):
        return True
    steps = int(count_steps_in_signal(frame, rest_current(settings), settings.fill_samples + 1)[-1])
    return steps < 3 or len(frame) < STEP_ROWS * steps


def step_glitch(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Correct the step number of a few rows inside another step, where current and voltage continue unchanged.

    The number of a few rows between two steps is corrected too, if it occurs only once and the second step follows the
    first one directly elsewhere. Short runs that come back again and again, with equal lengths and about equal
    distances, belong to the schedule.
    """
    raw = column_values(frame, c.STEP_ID)
    if not has_numbers(raw):
        return RuleOutcome(frame.assign(**{c.STEP_COUNT: 1.0}))
    step = fill_from_neighbours(whole_numbers(raw))
    columns = {name: column_values(frame, name) for name in (c.TEST_TIME, c.CURRENT, c.VOLTAGE)}
    wrong = _find_wrong_rows(step, columns, settings)
    corrected = step
    if wrong.any():
        corrected = fill_from_neighbours(np.where(wrong, np.nan, step))
    with_edges = _assign_edge_rows(corrected, columns[c.CURRENT], rest_current(settings))
    if with_edges is not corrected:
        wrong = wrong | (with_edges != corrected)
        corrected = with_edges

    def before(i: int, n: int) -> str:
        return f"step {step[i]:g}"

    def after(i: int, n: int) -> str:
        return f"step {corrected[i]:g}"

    events = run_events(frame, wrong, "step_glitch", before, after, constant_text("corrected"))
    frame = set_flag(frame.assign(**{c.STEP_COUNT: corrected}), wrong, "step_glitch")
    return RuleOutcome(frame, tuple(events))


def _find_wrong_rows(step: Floats, columns: dict[str, Floats], settings: CleanSettings) -> Mask:
    """Tell which rows have another step's number in the middle of a step that goes on, shape (n,).

    Args:
        step: the file's numbers, shape (n,), none missing.
        columns: time, current and voltage, shape (n,) each.
        settings: with the limits of the voltage and the current of a rest.
    """
    first, length, number = number_runs(step)
    inside = is_run_inside(number, length)
    runs = np.flatnonzero(inside)
    # Runs of one number inside one other number, with one length, may be a loop of the schedule.
    number_around = np.roll(number, 1)
    by_kind: dict[tuple[float, float, int], list[int]] = {}
    kinds = zip(number[inside].tolist(), number_around[inside].tolist(), length[inside].tolist(), strict=True)
    for k, kind in zip(runs.tolist(), kinds, strict=True):
        by_kind.setdefault(kind, []).append(k)
    of_schedule = {k for alike in by_kind.values() if _is_loop(first[alike]) for k in alike}
    wrong = np.zeros(len(step), dtype=bool)
    for k in runs.tolist():
        if k in of_schedule:
            continue
        rows = slice(int(first[k]), int(first[k] + length[k]))
        if wrong[rows.start - 1]:
            continue
        # In A B A B either number may be the wrong one; then a ramp is no evidence.
        alone = not inside[k - 1] and not inside[k + 1]
        if _continues(columns, rows, settings) or (alone and _on_a_ramp(columns, rows)):
            wrong[rows] = True
    return wrong


def _is_loop(first: Integers) -> bool:
    """Tell whether short runs that begin at these rows come back as a schedule's loop does."""
    if len(first) < LOOP_REPEATS:
        return False
    if len(first) >= LOOP_MANY:
        return True
    distance = np.diff(first)
    return float(np.ptp(distance)) <= LOOP_SPREAD * float(np.median(distance))


def _assign_edge_rows(step: Floats, current: Floats, rest: float) -> Floats:
    """Assign a few rows between two steps that have another number to one of the two, by their current.

    Args:
        step: shape (n,), none missing.
        current: A, shape (n,).
        rest: A, up to which the cell rests.

    Returns:
        Step numbers, shape (n,); ``step`` itself if there are no such rows.
    """
    first, length, number = number_runs(step)
    if len(first) < 3:
        return step
    _, kind, occurrences = np.unique(number, return_inverse=True, return_counts=True)
    runs_of_number = occurrences[kind]
    unique_and_short = (runs_of_number[1:-1] == 1) & (length[1:-1] <= GLITCH_ROWS)
    between_two_steps = number[:-2] != number[2:]
    neighbours_recur = (runs_of_number[:-2] > 1) & (runs_of_number[2:] > 1)
    foreign = 1 + np.flatnonzero(unique_and_short & between_two_steps & neighbours_recur)
    if not len(foreign):
        return step
    corrected = step.copy()
    for k in foreign.tolist():
        follows_elsewhere = (number[:-1] == number[k - 1]) & (number[1:] == number[k + 1])
        rows = slice(int(first[k]), int(first[k] + length[k]))
        left = float(current[rows.start - 1])
        right = float(current[rows.stop])
        from_left = np.abs(current[rows] - left)
        from_right = np.abs(current[rows] - right)
        bound = rest + SAME_CURRENT_SHARE * max(abs(left), abs(right))
        like_one = (np.minimum(from_left, from_right) <= bound).all()
        if follows_elsewhere.any() and like_one and abs(left - right) > 2.0 * rest:
            # From the first row on that is nearer to the second step.
            of_second = np.maximum.accumulate(from_right < from_left)
            corrected[rows] = np.where(of_second, number[k + 1], number[k - 1])
    return corrected


def number_runs(numbers: Floats) -> tuple[Integers, Integers, Floats]:
    """Return first positions, lengths and numbers of the runs of one number, each of shape (runs,).

    Args:
        numbers: shape (n,), none missing.
    """
    first = np.flatnonzero(np.concatenate([[True], numbers[1:] != numbers[:-1]])[: len(numbers)])
    return first, np.diff(np.append(first, len(numbers))), numbers[first]


def is_run_inside(number: Floats, length: Integers, longest: int = GLITCH_ROWS) -> Mask:
    """Tell which runs of one number are between two runs of one other number, shape (runs,).

    Args:
        number, length: of the runs, shape (runs,).
        longest: rows; a longer run does not count.
    """
    inside = np.zeros(len(number), dtype=bool)
    inside[1:-1] = (number[:-2] == number[2:]) & (length[1:-1] <= longest)
    return inside


def _continues(columns: dict[str, Floats], rows: slice, settings: CleanSettings) -> bool:
    """Tell whether the signal crosses the rows without an edge, judged by one row on each side or by three."""
    return any(_crosses(columns, rows, settings, nearest) for nearest in (1, SIDE_ROWS))


def _on_a_ramp(columns: dict[str, Floats], rows: slice) -> bool:
    """Tell whether voltage and current go one way from the row before to the row after: a pulse would come back."""
    for name in (c.VOLTAGE, c.CURRENT):
        path = np.diff(columns[name][rows.start - 1 : rows.stop + 1])
        one_way = (path >= 0.0).all() or (path <= 0.0).all()
        if np.isnan(path).any() or not one_way:
            return False
    return True


def _crosses(columns: dict[str, Floats], rows: slice, settings: CleanSettings, nearest: int) -> bool:
    """Tell whether voltage and current of the rows are close to the line between the values on both sides.

    Args:
        columns: time, current and voltage, shape (n,) each.
        rows: those with another step's number.
        settings: with the limits of the voltage and the current of a rest.
        nearest: how many known values on each side make its median.
    """
    time = columns[c.TEST_TIME]
    low, high = settings.voltage_limits_volt
    voltage = columns[c.VOLTAGE]
    voltage = np.where((voltage >= low) & (voltage <= high), voltage, np.nan)
    before, after = _sides(voltage, rows, nearest)
    change = abs(after - before)
    if _median_distance(time, voltage, rows, before, after) > GLITCH_VOLT + change:
        return False
    most = CURRENT_CHANGE_SHARE
    if change <= HELD_VOLT:
        most = HELD_CHANGE_SHARE
    current = columns[c.CURRENT]
    before, after = _sides(current, rows, nearest)
    bound = rest_current(settings) + GLITCH_CURRENT_SHARE * abs(before)
    if _median_distance(time, current, rows, before, after) > bound:
        return False
    return not abs(after - before) > max(bound, most * abs(before))


def _sides(column: Floats, rows: slice, nearest: int) -> tuple[float, float]:
    """Return the medians of the nearest known values before and after some rows; NaN if a side has none."""
    before = column[max(rows.start - SIDE_ROWS, 0) : rows.start]
    after = column[rows.stop : rows.stop + SIDE_ROWS][::-1]
    return _median_of_last(before, nearest), _median_of_last(after, nearest)


def _median_distance(time: Floats, column: Floats, rows: slice, before: float, after: float) -> float:
    """Return the median distance of the known values from the line between both sides; 0 if all are missing.

    The median, because one spike or one missing value among the rows does not make an edge.
    """
    expected = np.interp(time[rows], [time[rows.start - 1], time[rows.stop]], [before, after])
    distance = np.abs(column[rows] - expected)
    distance = distance[np.isfinite(distance)]
    if not len(distance):
        return 0.0
    return float(np.median(distance))


def _median_of_last(column: Floats, nearest: int) -> float:
    known = column[np.isfinite(column)][-nearest:]
    if not len(known):
        return float("nan")
    return float(np.median(known))


def step_renumbered(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Count steps from 1: a new one where the step number or the cycle changes; without numbers, from the signal."""
    if not has_steps(frame, settings):
        return RuleOutcome(number_steps_from_signal(frame, settings, settings.fill_samples + 1))
    step = column_values(frame, c.STEP_COUNT)
    cycle = column_values(frame, c.CYCLE_COUNT)
    new_step = (step[1:] != step[:-1]) | (cycle[1:] != cycle[:-1])
    count = np.cumsum(np.concatenate([[1], new_step]))
    numbers = np.unique(number_runs(step)[2])
    frame = frame.assign(**{c.STEP_COUNT: count})
    if np.array_equal(numbers, np.arange(1.0, len(numbers) + 1.0)):
        return RuleOutcome(frame)
    before = f"{numbers[0]:g} throughout"
    if len(numbers) > 1:
        before = f"{len(numbers)} numbers from {numbers[0]:g} to {numbers[-1]:g}"
    after = f"{format_count(int(count[-1]), 'step')} from 1"
    event = Event("step_renumbered", int(frame.labels[0]), len(frame), before, after, "corrected")
    return RuleOutcome(frame, (event,))


def number_steps_from_signal(frame: Table, settings: CleanSettings, shortest: int) -> Table:
    """Return the frame with steps numbered from the signal; a new cycle begins a new step.

    Args:
        frame: with voltage, current and ``cycle_count``.
        settings: with the current of a rest.
        shortest: samples; shorter runs between two of one kind are not steps.
    """
    step = count_steps_in_signal(frame, rest_current(settings), shortest)
    cycle = column_values(frame, c.CYCLE_COUNT)
    new_step = (np.diff(step, prepend=step[:1]) != 0) | (np.diff(cycle, prepend=cycle[:1]) != 0)
    return frame.assign(**{c.STEP_COUNT: 1 + np.cumsum(new_step)})
