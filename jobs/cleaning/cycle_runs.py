"""Find where a new run of the cycler begins with the cycle number of the row before it.

Each file of a cell may count its cycles anew. Where the numbers fall, a new cycle is evident. Where a file ends in
cycle 1 and the next one begins with cycle 1, either the cycle goes on, or a new run begins: clock, steps and charge
show it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ...data import columns as c
from ...data.arrays import Floats, Mask
from ...data.rules import flag_bit
from ...data.settings import CleanSettings
from ..record.table import Table
from .clock_restarts import HABIT_OF_EDGES
from .rule import (
    begins_file,
    cell_capacity_ah,
    charge_between_samples_ah,
    column_values,
    fill_from_neighbours,
    flag_values,
    rest_current,
)
from .step_numbers import has_numbers, whole_numbers

IDLE_SHARE: Final = 1e-3
"""Share of the capacity: rows that move less charge are a rest. Chosen, not measured."""

DIRECTION_SHARE: Final = 0.05
"""Share of the capacity that must flow in a direction, so that it counts as charge or discharge. Chosen, not
measured."""

PAIR_RATIO: Final = 0.25
"""Least ratio of the smaller of charge and discharge to the larger one in a complete cycle. Chosen, not measured."""

SAME_CURRENT: Final = 0.05
"""Share by which a current may differ across a join and be the same. Chosen, not measured."""


@dataclass(frozen=True, slots=True)
class _Charge:
    """Charge into and out of the cell from the first row to each row, in A.h, both positive, shape (n,)."""

    into: Floats
    out: Floats
    capacity_ah: float

    def between(self, first: int, end: int) -> tuple[float, float]:
        """Return charge in and out of some rows, the interval before the first of them not included."""
        last = max(end - 1, first)
        return float(self.into[last] - self.into[first]), float(self.out[last] - self.out[first])

    def is_idle(self, first: int, end: int) -> bool:
        """Tell whether the cell rests throughout some rows."""
        return sum(self.between(first, end)) < IDLE_SHARE * self.capacity_ah

    def is_pair(self, first: int, end: int) -> bool:
        """Tell whether some rows have a charge and a discharge of about the same size."""
        low, high = sorted(self.between(first, end))
        return low >= max(PAIR_RATIO * high, DIRECTION_SHARE * self.capacity_ah)

    def direction(self, first: int, end: int) -> float:
        """Return 1 if some rows charge only, -1 if they discharge only, 0 if they do both or neither."""
        into, out = self.between(first, end)
        low, high = sorted((into, out))
        if low >= PAIR_RATIO * high or high < DIRECTION_SHARE * self.capacity_ah:
            return 0.0
        return float(np.sign(into - out))


def find_new_runs(frame: Table, cycle: Floats, settings: CleanSettings) -> Mask:
    """Tell at which rows a new run begins with the cycle number of the row before, shape (n,).

    Asked are the first rows of files, and rows at which the cycler's clock restarted. A run is new if the rows before
    hold a complete pair of charge and discharge, or flow in the same direction as those after, and if nothing shows
    that the cycle goes on: a higher step number, a current that flows on, or a number that does not begin anew.

    Args:
        frame: with ``flags``, in time order.
        cycle: the file's numbers, shape (n,), none missing.
        settings: with a capacity.
    """
    new = np.zeros(len(cycle), dtype=bool)
    restarted = _clock_restarts(frame)
    changes = np.concatenate([[True], cycle[1:] != cycle[:-1]])
    asked = np.flatnonzero((begins_file(frame) | restarted) & ~changes)
    if not len(asked):
        return new
    moved = np.concatenate([[0.0], charge_between_samples_ah(frame)])
    charge = _Charge(np.cumsum(np.fmax(moved, 0.0)), np.cumsum(np.fmax(-moved, 0.0)), cell_capacity_ah(settings))
    step = _steps(frame)
    current = column_values(frame, c.CURRENT)
    lowest = float(cycle.min())
    change_rows = np.append(np.flatnonzero(changes), len(cycle))
    ends = np.append(asked[1:], len(cycle))
    start = 0
    for row, next_asked in zip(asked.tolist(), ends.tolist(), strict=True):
        place = int(np.searchsorted(change_rows, row))
        start = max(start, int(change_rows[place - 1]))
        end = min(next_asked, int(change_rows[place]))
        if charge.is_idle(start, row) or charge.is_idle(row, end):
            continue
        if _flows_on(current, row, rest_current(settings)):
            continue
        if not _schedule_may_begin(step, start, row, bool(restarted[row]), float(cycle[row]) > lowest):
            continue
        if _is_new_cycle(charge, start, row, end, bool(restarted[row]) or step is not None):
            new[row] = True
            start = row
    return new


def _clock_restarts(frame: Table) -> Mask:
    """Tell at which rows the cycler's clock began anew, shape (n,), if that is not its habit in each step."""
    flags = flag_values(frame)
    restarted: Mask = (flags & flag_bit("time_restart")) != 0
    in_steps = (flags & flag_bit("step_time")) != 0
    step = column_values(frame, c.STEP_ID)
    edges = int(np.count_nonzero(step[1:] != step[:-1])) if np.isfinite(step).all() else 0
    if int(in_steps.sum()) < HABIT_OF_EDGES * edges:
        restarted |= in_steps
    return restarted


def _steps(frame: Table) -> Floats | None:
    """Return the file's step numbers without gaps, shape (n,); ``None`` if it has none, or one for all rows."""
    raw = column_values(frame, c.STEP_ID)
    if not has_numbers(raw):
        return None
    step = fill_from_neighbours(whole_numbers(raw))
    if float(step.min()) == float(step.max()):
        return None
    return step


def _flows_on(current: Floats, row: int, rest: float) -> bool:
    """Tell whether one current flows in the row before and in this one."""
    before, after = float(current[row - 1]), float(current[row])
    return abs(before) > rest and abs(after) > rest and abs(after - before) <= SAME_CURRENT * abs(before)


def _schedule_may_begin(step: Floats | None, start: int, row: int, restarted: bool, is_later_number: bool) -> bool:
    """Tell whether the step numbers allow that the schedule begins anew at a row.

    Args:
        step: the file's numbers, shape (n,); ``None`` = unknown.
        start: first row of the cycle before.
        row: the row.
        restarted: whether the cycler's clock begins anew there.
        is_later_number: whether the cycle number is not the lowest, as if the numbers went on.
    """
    if step is None:
        return not is_later_number
    falls_to_first = step[row] < step[row - 1] and step[row] <= step[start]
    if not restarted or is_later_number:
        return bool(falls_to_first)
    is_other_schedule_step = step[row] > step[row - 1] or (step[row] == step[row - 1] and step[row] != step[start])
    return not is_other_schedule_step


def _is_new_cycle(charge: _Charge, start: int, row: int, end: int, is_known_begin: bool) -> bool:
    """Tell by the charge on both sides whether a row begins another cycle.

    Args:
        start, row, end: the rows before are from ``start`` on, those after up to ``end``.
        is_known_begin: whether clock or steps say that a run begins. Otherwise both sides must be complete.
    """
    if charge.is_pair(start, row):
        return is_known_begin or charge.is_pair(row, end)
    before = charge.direction(start, row)
    after = charge.direction(row, end)
    if not is_known_begin or before == 0.0:
        return False
    # A charge and the discharge after it, in two files, make one cycle.
    return before != -after
