"""Cleaning rule about the whole record's charge: what flowed must fit the voltage, and the cell's capacity."""

from __future__ import annotations

from typing import Final

import numpy as np

from ...data import columns as c
from ...data.arrays import Floats, Indices
from ...data.settings import CleanSettings
from ..record.table import Table
from .rule import (
    Event,
    RuleOutcome,
    charge_between_samples_ah,
    column_values,
    find_runs,
    rest_current,
)

REST_SECOND: Final = 300.0
"""s: after a rest of this length a voltage tells whether the cell is fuller or emptier than before. Chosen, not
measured."""

MOVED_VOLT: Final = 0.05
"""V between two rests that means another state of charge. Relaxation and hysteresis are smaller. Chosen, not
measured."""

LEAST_CHARGE_SHARE: Final = 0.02
"""Share of the throughput: less charge between two rests is not compared with the voltage. Chosen, not measured."""

WRONG_SHARE: Final = 0.3
"""Share of the compared charge that flowed against the voltage, from which on it is an error. Chosen, not measured."""

DRIFT_SHARE: Final = 0.02
"""Share of the throughput by which a charge may drift (losses of the cell, offset of the current). Chosen, not
measured."""


def charge_balance(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Report a record whose charge does not fit its voltages at rest, or the capacity that the user gave.

    From rest to rest the voltage rises if charge flowed in, and falls if it flowed out. All charge together may not go
    further up and down than ``capacity_factor`` times the nominal capacity, except for a drift of 2 % of the
    throughput. Without a nominal capacity only the voltages are compared.
    """
    charge = charge_between_samples_ah(frame)
    level = np.concatenate([[0.0], np.cumsum(charge)])
    throughput = float(np.abs(charge).sum())
    if not throughput > 0.0:
        return RuleOutcome(frame)
    events = [*_against_voltage(frame, level, throughput, settings), *_beyond_capacity(frame, level, charge, settings)]
    return RuleOutcome(frame, tuple(events))


def _against_voltage(frame: Table, level: Floats, throughput: float, settings: CleanSettings) -> list[Event]:
    """Return the event of a record in which charge flows against the voltage from rest to rest, or none.

    Args:
        frame: the record.
        level: A.h that flowed in since the first sample, shape (n,).
        throughput: A.h, in and out together.
        settings: with the current of a rest.
    """
    rests = _ends_of_rests(frame, settings)
    if len(rests) < 2:
        return []
    volt = np.diff(column_values(frame, c.VOLTAGE)[rests])
    amount = np.diff(level[rests])
    compared = (np.abs(volt) > MOVED_VOLT) & (np.abs(amount) > LEAST_CHARGE_SHARE * throughput / len(rests))
    wrong = compared & (volt * amount < 0.0)
    total = float(np.abs(amount[compared]).sum())
    against = float(np.abs(amount[wrong]).sum())
    if against <= WRONG_SHARE * total or against <= LEAST_CHARGE_SHARE * throughput:
        return []
    first = int(rests[np.flatnonzero(wrong)[0]])
    before = f"{against:.4g} of {total:.4g} A.h flowed against the voltage from rest to rest"
    after = "direction or amount of the current is wrong"
    return [Event("charge_balance", int(frame.labels[first]), len(frame), before, after, "reported")]


def _ends_of_rests(frame: Table, settings: CleanSettings) -> Indices:
    """Return the places of the last samples of rests of ``REST_SECOND`` and more."""
    time = column_values(frame, c.TEST_TIME)
    current = column_values(frame, c.CURRENT)
    voltage = column_values(frame, c.VOLTAGE)
    with np.errstate(invalid="ignore"):
        resting = (np.abs(current) <= rest_current(settings)) & np.isfinite(voltage)
    first, length = find_runs(resting)
    last = first + length - 1
    ends: Indices = last[time[last] - time[first] >= REST_SECOND]
    return ends


def _beyond_capacity(frame: Table, level: Floats, charge: Floats, settings: CleanSettings) -> list[Event]:
    """Return the event of a record whose charge goes further up and down than the cell can hold, or none.

    Args:
        frame: the record.
        level: A.h that flowed in since the first sample, shape (n,).
        charge: A.h between samples, positive into the cell, shape (n - 1,).
        settings: with the nominal capacity.
    """
    nominal_ah = settings.nominal_capacity_ah
    if nominal_ah is None or nominal_ah <= 0.0:
        return []
    swing = float(level.max() - level.min())
    allowed = settings.capacity_factor * nominal_ah + DRIFT_SHARE * float(np.abs(charge).sum())
    if swing <= allowed:
        return []
    before = f"{swing:.4g} A.h from the emptiest to the fullest state of the record"
    after = f"nominal {nominal_ah:.4g} A.h"
    return [Event("charge_balance", int(frame.labels[0]), len(frame), before, after, "reported")]
