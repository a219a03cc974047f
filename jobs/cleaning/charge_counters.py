"""Cleaning rules about charge: the cycler's own counters against the current, and more charge than a cell can hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Floats, Integers, Mask
from ...data.settings import CleanSettings
from ..record.charge import interval_charge_ah
from .rule import MAX_EVENTS, Event, RuleOutcome, column_values, set_flag

LEAST_STEP_SHARE: Final = 0.01  # of the capacity, of a step that is compared
LEAST_STEP_AH: Final = 1e-5  # below it a counter of six digits shows its rounding
RESET_SHARE: Final = 0.1  # of its value, to which a counter falls that goes back to zero
COUNTED: Final = ((c.CHARGING_CAPACITY, 1.0), (c.DISCHARGING_CAPACITY, -1.0))


@dataclass(frozen=True, slots=True)
class StepCharges:
    """What a counter and the current say of each step, in A.h, shape (steps,).

    Args:
        counted: how far the counter rose.
        integrated: the charge in the counter's direction, over the same samples.
        unsure: what the current may have done between the samples.
    """

    counted: Floats
    integrated: Floats
    unsure: Floats


def capacity_counter(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Report steps in which a counter of the cycler and the current differ by more than ``capacity_tolerance``.

    Only how far a counter rises within a step is compared, so it does not matter when it goes back to zero; what it
    does is told in the finding. A difference that the current may hide between two samples is none. Where most steps
    differ, they are told in one.
    """
    events: list[Event] = []
    capacity = settings.nominal_capacity_ah or 1.0
    counters = [(column, sign) for column, sign in COUNTED if np.isfinite(column_values(frame, column)).any()]
    if not counters:
        return RuleOutcome(frame)
    number, _ = pd.factorize(frame[c.STEP_COUNT].to_numpy())
    for column, sign in counters:
        counter = np.abs(column_values(frame, column))
        charges = step_charges(frame, counter, sign, number)
        least = max(LEAST_STEP_SHARE * capacity, LEAST_STEP_AH)
        compared = charges.integrated > least
        if not compared.any() or not (charges.counted[compared] > 0.0).any():
            continue
        differ = np.abs(charges.counted - charges.integrated)
        wrong: Mask = compared & (differ > settings.capacity_tolerance * charges.integrated + charges.unsure)
        events += _charge_events(frame, column, number, charges, compared, wrong)
        frame = set_flag(frame, wrong[number], "capacity_counter")
    return RuleOutcome(frame, tuple(events))


def step_charges(frame: pd.DataFrame, counter: Floats, sign: float, number: Integers) -> StepCharges:
    """Count each step's charge twice, by the counter and by the current.

    Args:
        counter: A.h, shape (n,).
        sign: +1.0 for the counter of the charge into the cell, -1.0 for that out of it.
        number: the step of each sample, 0 to steps - 1.
    """
    time, current = column_values(frame, c.TEST_TIME), column_values(frame, c.CURRENT)
    rise = np.diff(counter)
    charge = sign * interval_charge_ah(time, current, frame[c.FLAGS].to_numpy(dtype=np.int64))
    with np.errstate(invalid="ignore"):
        # Across an edge of steps, a hole or where the counter goes back to zero nothing can be compared.
        good = (number[1:] == number[:-1]) & (rise >= 0.0) & np.isfinite(current[1:]) & np.isfinite(current[:-1])
    hidden = np.abs(np.diff(current)) * np.diff(time) / 7200.0
    steps = int(number.max(initial=-1)) + 1
    sums: list[Floats] = [
        np.bincount(number[1:][good], weights[good], minlength=steps).astype(np.float64)
        for weights in (rise, np.clip(charge, 0.0, None), hidden)
    ]
    return StepCharges(*sums)


def counter_resets(counter: Floats, step: Integers, cycle: Integers) -> str:
    """Tell when a counter goes back: ``at each step``, ``at each cycle``, ``never`` or ``at times``.

    Args:
        counter, step, cycle: shape (n,).
    """
    with np.errstate(invalid="ignore"):
        falls = np.diff(counter) < -0.5 * np.abs(counter[:-1])
    if not falls.any():
        return "never"
    new_step, new_cycle = np.diff(step) != 0, np.diff(cycle) != 0
    filled = np.abs(counter[:-1]) > 0.0
    if new_cycle.any() and falls[new_cycle & filled].all() and not falls[~new_cycle].any():
        return "at each cycle"
    if falls[new_step & filled].all() and not falls[~new_step].any():
        return "at each step"
    return "at times"


def _charge_events(
    frame: pd.DataFrame, column: str, number: Integers, charges: StepCharges, compared: Mask, wrong: Mask
) -> list[Event]:
    """Make one event for each wrong step, or one for all where they are most."""
    resets = counter_resets(
        column_values(frame, column), frame[c.STEP_COUNT].to_numpy(), frame[c.CYCLE_COUNT].to_numpy()
    )
    where = np.flatnonzero(wrong)
    if len(where) == 0:
        return []
    together = len(where) > MAX_EVENTS or 2 * len(where) > max(compared.sum(), 2)
    told: list[Event] = []
    labels = frame.index.to_numpy()
    for group in [where] if together else [np.array([k]) for k in where]:
        rows = np.flatnonzero(np.isin(number, group))
        counted, integrated = float(charges.counted[group].sum()), float(charges.integrated[group].sum())
        before = f"{column} {counted:.5g} A.h (goes back to zero {resets})"
        if len(group) > 1:
            before += f" in {len(group)} of {int(compared.sum())} steps"
        after = f"{integrated:.5g} A.h by the current"
        told.append(Event("capacity_counter", int(labels[rows[0]]), len(rows), before, after, "reported"))
    return told


def capacity_excess(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Flag cycles in which the charge goes up and down by more than ``capacity_factor`` times the nominal capacity.

    What counts is how far apart fullest and emptiest are, by the current and by the cycler's counters, so that many
    rounds under one cycle number are no excess. Without a nominal capacity nothing is said.
    """
    nominal = settings.nominal_capacity_ah
    if nominal is None or nominal <= 0.0:
        return RuleOutcome(frame)
    number, _ = pd.factorize(frame[c.CYCLE_COUNT].to_numpy())
    flags = frame[c.FLAGS].to_numpy(dtype=np.int64)
    by_current = interval_charge_ah(column_values(frame, c.TEST_TIME), column_values(frame, c.CURRENT), flags)
    net = np.zeros(len(by_current))
    for column, sign in COUNTED:
        counter = np.nan_to_num(np.abs(column_values(frame, column)))
        rise = np.diff(counter)
        # A counter that goes back to zero has counted nothing; one that wavers has not counted it all twice.
        net += sign * np.where(counter[1:] < RESET_SHARE * counter[:-1], 0.0, rise)
    events: list[Event] = []
    excess, labels = np.zeros(len(frame), dtype=bool), frame.index.to_numpy()
    for charge, source in ((by_current, "the current"), (net, "the cycler's counters")):
        swing = _charge_swing_ah(charge, number)
        for k in np.flatnonzero(swing > settings.capacity_factor * nominal)[:MAX_EVENTS]:
            rows = np.flatnonzero(number == k)
            before = f"{swing[k]:.4g} A.h from empty to full by {source}"
            after = f"nominal {nominal:.4g} A.h"
            events.append(Event("capacity_excess", int(labels[rows[0]]), len(rows), before, after, "reported"))
            excess[rows] = True
    return RuleOutcome(set_flag(frame, excess, "capacity_excess"), tuple(events))


def _charge_swing_ah(charge: Floats, number: Integers) -> Floats:
    """How far the charge goes up and down within each cycle, in A.h, shape (cycles,)."""
    inside = np.where(number[1:] == number[:-1], charge, 0.0)
    level = pd.Series(np.concatenate([[0.0], np.cumsum(inside)])).groupby(number)
    swing: Floats = level.max().to_numpy(dtype=np.float64) - level.min().to_numpy(dtype=np.float64)
    return swing
