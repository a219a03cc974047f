"""Cleaning rules about charge: the cycler's counters against the current, and more charge than a cell can hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Floats, Integers, Mask
from ...data.convert import SECONDS_PER_HOUR
from ...data.settings import CleanSettings
from ..record.table import Table
from .counted_charge import possible_ah
from .rule import (
    MAX_EVENTS,
    Event,
    RuleOutcome,
    cell_capacity_ah,
    charge_between_samples_ah,
    column_values,
    is_file_row,
    set_flag,
)

LEAST_STEP_SHARE: Final = 0.01
"""Share of the capacity. Steps with less charge are not compared. Chosen, not measured."""

LEAST_STEP_AH: Final = 1e-5
"""A.h. Steps with less charge are not compared: a counter with six decimal digits shows its rounding there."""

RESET_SHARE: Final = 0.1
"""Share of its value: a counter that falls below this share has gone back to zero. Chosen, not measured."""

RESET_FALL_SHARE: Final = 0.5
"""Share of its value: a counter that falls by more than this share has gone back to zero. Used only for the text of
the finding. Chosen, not measured."""

SIGN_BY_COUNTER: Final = ((c.CHARGING_CAPACITY, 1.0), (c.DISCHARGING_CAPACITY, -1.0))
"""The cycler's counters, and the sign of the charge that each counts."""


@dataclass(frozen=True, slots=True)
class StepCharges:
    """The charge of each step by a counter and by the current, in A.h, shape (steps,).

    Args:
        counted: how far the counter rose.
        integrated: the charge in the counter's direction, over the same samples.
        unsure: how much charge the current may have carried between the samples beside the trapezoid rule.
    """

    counted: Floats
    integrated: Floats
    unsure: Floats


def capacity_counter(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Report steps in which a counter of the cycler and the current differ by more than ``capacity_tolerance``.

    The rises of a counter between rows are compared, those across the edges of steps included; only where it goes back
    to zero nothing can be compared, and the finding says when that happens. A difference that the current may hide
    between two samples does not count. If most steps differ, one finding covers them all.
    """
    events: list[Event] = []
    counters = [(column, sign) for column, sign in SIGN_BY_COUNTER if np.isfinite(column_values(frame, column)).any()]
    if not counters:
        return RuleOutcome(frame)
    least_ah = max(LEAST_STEP_SHARE * cell_capacity_ah(settings), LEAST_STEP_AH)
    rows = is_file_row(frame)
    number, _ = pd.factorize(frame[c.STEP_COUNT])
    for column, sign in counters:
        counter = np.abs(column_values(frame, column))[rows]
        charges = step_charges(frame, counter, sign, number[rows])
        compared = charges.integrated > least_ah
        if not compared.any() or not (charges.counted[compared] > 0.0).any():
            continue
        difference = np.abs(charges.counted - charges.integrated)
        allowed = settings.capacity_tolerance * charges.integrated + charges.unsure
        wrong: Mask = compared & (difference > allowed)
        events += _charge_events(frame, column, number, charges, compared, wrong)
        frame = set_flag(frame, wrong[number], "capacity_counter")
    return RuleOutcome(frame, tuple(events))


def step_charges(frame: Table, counter: Floats, sign: float, number: Integers) -> StepCharges:
    """Calculate each step's charge twice, by the counter and by the current. The edge before a step counts to it.

    Args:
        frame: with time, current and flags; also with inserted samples.
        counter: A.h, without sign, of the n rows of files, NaN where missing.
        sign: +1.0 for the counter of the charge into the cell, -1.0 for that out of it.
        number: the step of each of these rows, 0 to steps - 1.
    """
    rows = np.flatnonzero(is_file_row(frame))
    time = column_values(frame, c.TEST_TIME)
    current = column_values(frame, c.CURRENT)
    rise = np.diff(counter)
    charge = _between_rows(np.clip(sign * charge_between_samples_ah(frame), 0.0, None), rows)
    # The trapezoid is off by half the interval times the change of the current at most.
    hidden = _between_rows(np.abs(np.diff(current)) * np.diff(time) / (2.0 * SECONDS_PER_HOUR), rows)
    _, most = possible_ah(frame.rows(is_file_row(frame)), sign)
    current = current[rows]
    with np.errstate(invalid="ignore"):
        # Nothing can be compared across a hole, or a counter's return to zero.
        comparable = (rise >= 0.0) & np.isfinite(current[1:]) & np.isfinite(current[:-1])
    # If a counter returns to zero one row late, what it showed at the edge was of the step before.
    falls = np.concatenate([rise[1:] < 0.0, [False]])
    edge = number[1:] != number[:-1]
    comparable &= ~(falls & edge)
    with np.errstate(invalid="ignore"):
        # A counter that goes on from an earlier step shows that step's charge at the edge.
        comparable &= ~(edge & (rise > most + LEAST_STEP_AH))
    steps = int(number.max(initial=-1)) + 1

    def sum_by_step(amount: Floats) -> Floats:
        return np.bincount(number[1:][comparable], amount[comparable], minlength=steps).astype(np.float64)

    return StepCharges(
        counted=sum_by_step(rise),
        integrated=sum_by_step(charge),
        unsure=sum_by_step(hidden),
    )


def _between_rows(amount: Floats, rows: Integers) -> Floats:
    """Return the sum of amounts between neighbouring samples for each pair of neighbouring rows of files.

    Args:
        amount: shape (samples - 1,).
        rows: places of the rows of files among the samples, shape (n,).
    """
    if len(rows) == len(amount) + 1:
        return amount
    total = np.concatenate([[0.0], np.cumsum(amount)])
    return np.diff(total[rows])


def counter_resets(counter: Floats, step: Integers, cycle: Integers) -> str:
    """Return when a counter goes back to zero: ``at each step``, ``at each cycle``, ``never`` or ``at times``.

    Args:
        counter: A.h, shape (n,), NaN where missing.
        step, cycle: the number of each sample, shape (n,).
    """
    with np.errstate(invalid="ignore"):
        falls = np.diff(counter) < -RESET_FALL_SHARE * np.abs(counter[:-1])
    if not falls.any():
        return "never"
    new_step = np.diff(step) != 0
    new_cycle = np.diff(cycle) != 0
    filled = np.abs(counter[:-1]) > 0.0
    if new_cycle.any() and falls[new_cycle & filled].all() and not falls[~new_cycle].any():
        return "at each cycle"
    if falls[new_step & filled].all() and not falls[~new_step].any():
        return "at each step"
    return "at times"


def _charge_events(
    frame: Table, column: str, number: Integers, charges: StepCharges, compared: Mask, wrong: Mask
) -> list[Event]:
    """Make one event for each wrong step, or one for all if most steps are wrong.

    Args:
        frame: the record.
        column: the counter's.
        number: the step of each sample, 0 to steps - 1.
        charges: of the steps.
        compared, wrong: which steps were compared, and which of them differ, shape (steps,).
    """
    wrong_steps = np.flatnonzero(wrong)
    if len(wrong_steps) == 0:
        return []
    of_file = frame.rows(is_file_row(frame))
    resets = counter_resets(column_values(of_file, column), of_file[c.STEP_COUNT], of_file[c.CYCLE_COUNT])
    together = len(wrong_steps) > MAX_EVENTS or 2 * len(wrong_steps) > max(compared.sum(), 2)
    groups = [wrong_steps] if together else [np.array([k]) for k in wrong_steps]
    labels = frame.labels
    events: list[Event] = []
    for group in groups:
        rows = np.flatnonzero(np.isin(number, group) & is_file_row(frame))
        counted = float(charges.counted[group].sum())
        integrated = float(charges.integrated[group].sum())
        before = f"{column} {counted:.5g} A.h (goes back to zero {resets})"
        if len(group) > 1:
            before += f" in {len(group)} of {int(compared.sum())} steps"
        after = f"{integrated:.5g} A.h by the current"
        events.append(Event("capacity_counter", int(labels[rows[0]]), len(rows), before, after, "reported"))
    return events


def capacity_excess(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Flag cycles in which the charge goes up and down by more than ``capacity_factor`` times the nominal capacity.

    The measure is the charge between the fullest and the emptiest state, by the current and by the cycler's counters.
    So many rounds under one cycle number are no excess. Without a nominal capacity the rule does nothing.
    """
    nominal_ah = settings.nominal_capacity_ah
    if nominal_ah is None or nominal_ah <= 0.0:
        return RuleOutcome(frame)
    number, _ = pd.factorize(frame[c.CYCLE_COUNT])
    events: list[Event] = []
    excess = np.zeros(len(frame), dtype=bool)
    labels = frame.labels
    by_current = charge_between_samples_ah(frame)
    of_file = is_file_row(frame)
    by_counters = _counted_charge_ah(frame.rows(of_file))
    sources = ((by_current, number, "the current"), (by_counters, number[of_file], "the cycler's counters"))
    for charge, cycle, source in sources:
        swing = _charge_swing_ah(charge, cycle)
        for k in np.flatnonzero(swing > settings.capacity_factor * nominal_ah)[:MAX_EVENTS]:
            rows = np.flatnonzero((number == k) & of_file)
            before = f"{swing[k]:.4g} A.h from empty to full by {source}"
            after = f"nominal {nominal_ah:.4g} A.h"
            events.append(Event("capacity_excess", int(labels[rows[0]]), len(rows), before, after, "reported"))
            excess[number == k] = True
    return RuleOutcome(set_flag(frame, excess, "capacity_excess"), tuple(events))


def _counted_charge_ah(frame: Table) -> Floats:
    """Return the charge between samples by the cycler's counters, in A.h, positive into the cell, shape (n - 1,)."""
    net = np.zeros(max(len(frame) - 1, 0))
    for column, sign in SIGN_BY_COUNTER:
        counter = np.nan_to_num(np.abs(column_values(frame, column)))
        # A counter that goes back to zero has counted nothing. A small fall is a correction and counts.
        reset = counter[1:] < RESET_SHARE * counter[:-1]
        net += sign * np.where(reset, 0.0, np.diff(counter))
    return net


def _charge_swing_ah(charge: Floats, number: Integers) -> Floats:
    """Return the difference between highest and lowest charge within each cycle, in A.h, shape (cycles,).

    Args:
        charge: A.h between samples, shape (n - 1,).
        number: the cycle of each sample, 0 to cycles - 1, shape (n,).
    """
    inside = np.where(number[1:] == number[:-1], charge, 0.0)
    level = pd.Series(np.concatenate([[0.0], np.cumsum(inside)])).groupby(number)
    swing: Floats = level.max().to_numpy(dtype=np.float64) - level.min().to_numpy(dtype=np.float64)
    return swing
