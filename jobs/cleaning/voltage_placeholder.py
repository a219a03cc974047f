"""Cleaning rule about a voltage that was not measured: one exact number stands wherever a current flows, or it is 0."""

from __future__ import annotations

from typing import Final

import numpy as np

from ...data import columns as c
from ...data.arrays import Integers, Mask
from ...data.convert import SECONDS_PER_HOUR
from ...data.settings import CleanSettings
from ..record.table import Table
from .missing_values import MOST_OUT_OF_RANGE
from .rule import (
    RuleOutcome,
    cell_capacity_ah,
    column_values,
    constant_text,
    find_runs,
    number_text,
    rest_current,
    run_events,
    set_flag,
)
from .voltage_jumps import CONTACT_VOLT

LEAST_ROWS: Final = 3
"""Least number of samples in a row with one number, in a step with a current. Chosen, not measured."""

OTHER_SHARE: Final = 0.01
"""Least share of the known voltages that are in range: without them nothing shows that the cell has others. Chosen, not
measured."""

UNDER_CURRENT_SHARE: Final = 0.9
"""Least share of the samples under a current that have the number, if a cell could have it. Chosen, not measured."""

PASSED_SHARE: Final = 0.05
"""Share of the capacity that passes at this number in both directions together. Chosen, not measured."""


def voltage_placeholder(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Take voltages as missing that stand for "not measured": an exact 0 or another exact number under every current.

    A number out of ``voltage_limits_volt`` is one if it comes back exactly, the voltage jumps there and away, and many
    samples have it or it comes and goes with the current. A number that a cell can have is one if nearly all samples
    under a current have it, in a charge and in a discharge, and those at rest do not.
    """
    voltage = column_values(frame, c.VOLTAGE)
    placeholder = _impossible_number(frame, settings) | _number_under_current(frame, settings)
    if not placeholder.any():
        return RuleOutcome(frame)
    before = number_text(voltage, "V")
    events = run_events(
        frame, placeholder, "voltage_placeholder", before, constant_text("missing"), constant_text("taken as missing")
    )
    frame = frame.assign(**{c.VOLTAGE: np.where(placeholder, np.nan, voltage)})
    return RuleOutcome(set_flag(frame, placeholder, "voltage_placeholder"), tuple(events))


def _impossible_number(frame: Table, settings: CleanSettings) -> Mask:
    """Tell where one number out of range is repeated, which other voltages reach only by a jump, shape (n,)."""
    voltage = column_values(frame, c.VOLTAGE)
    none = np.zeros(len(voltage), dtype=bool)
    low, high = settings.voltage_limits_volt
    out = (voltage < low) | (voltage > high)
    if not out.any():
        return none
    known = np.flatnonzero(np.isfinite(voltage))
    in_range = len(known) - int(out.sum())
    if in_range < OTHER_SHARE * len(known):
        return none
    known_voltage = voltage[known]
    first, length = find_runs(np.diff(known_voltage) == 0.0)
    last = first + length
    long = (length + 1 >= LEAST_ROWS) & out[known[first]]
    jump = np.abs(np.diff(known_voltage))
    falls = (first == 0) | (jump[np.maximum(first - 1, 0)] > CONTACT_VOLT)
    returns = (last == len(known) - 1) | (jump[np.minimum(last, len(jump) - 1)] > CONTACT_VOLT)
    first = first[long & falls & returns]
    last = last[long & falls & returns]
    if len(first) < 2 or len(np.unique(known_voltage[first])) == len(first):
        # A single run may be a lost contact, and is left to that rule; a placeholder comes back.
        return none
    many = np.count_nonzero(out) > MOST_OUT_OF_RANGE * len(known)
    carrying = np.abs(column_values(frame, c.CURRENT)[known]) > rest_current(settings)
    if not many and float(_with_current(carrying, first, last).mean()) < UNDER_CURRENT_SHARE:
        return none
    numbers, counts = np.unique(known_voltage[first], return_counts=True)
    repeated: Mask = np.isin(voltage, numbers[counts > 1])
    return repeated


def _with_current(carrying: Mask, first: Integers, last: Integers) -> Mask:
    """Tell which runs begin and end when a current does, shape (runs,).

    Args:
        carrying: where a current flows, shape (n,).
        first, last: of the runs, shape (runs,).
    """
    before = carrying[np.maximum(first - 1, 0)] & (first > 0)
    after = carrying[np.minimum(last + 1, len(carrying) - 1)] & (last < len(carrying) - 1)
    together: Mask = carrying[first] & carrying[last] & ~before & ~after
    return together


def _number_under_current(frame: Table, settings: CleanSettings) -> Mask:
    """Tell where nearly all samples under a current have one number, in a charge and in a discharge, shape (n,)."""
    voltage = column_values(frame, c.VOLTAGE)
    current = column_values(frame, c.CURRENT)
    none = np.zeros(len(voltage), dtype=bool)
    carrying = (np.abs(current) > rest_current(settings)) & np.isfinite(voltage)
    if not carrying.any():
        return none
    # A quick first look: the number that nearly all have is the median.
    number = float(np.median(voltage[carrying]))
    same = voltage == number
    if np.count_nonzero(same & carrying) < max(UNDER_CURRENT_SHARE * np.count_nonzero(carrying), LEAST_ROWS):
        return none
    low, high = settings.voltage_limits_volt
    at_rest = voltage[~carrying & np.isfinite(voltage)]
    others = at_rest[at_rest != number]
    if len(others) == 0:
        return none
    if number == 0.0 or not low <= number <= high:
        return same if bool(np.abs(np.median(others) - number) > CONTACT_VOLT) else none
    seconds = np.clip(np.diff(column_values(frame, c.TEST_TIME), prepend=np.nan), 0.0, None)
    charge_ah = np.nan_to_num(seconds * current) * same / SECONDS_PER_HOUR
    least_ah = PASSED_SHARE * cell_capacity_ah(settings)
    both_ways = bool(charge_ah[charge_ah > 0.0].sum() > least_ah and -charge_ah[charge_ah < 0.0].sum() > least_ah)
    return same if both_ways else none
