"""The one definition of measured charge and energy, used by cleaning, cycles and simulations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from ...data import columns as c
from ...data.arrays import Floats, Integers
from ...data.convert import SECONDS_PER_HOUR
from ...data.rules import flag_bit
from .table import Columns

REST_CURRENT_PER_AH: Final = 0.005
"""A per A.h of capacity: a cell rests below this current (C/200). Chosen, not measured."""

LONGEST_DISCHARGE_HOUR: Final = 3.0
"""h of the largest current: a capacity estimated from the record is no larger. Chosen, not measured."""

WRONG_ROWS: Final = 5
"""Rows whose current may be a placeholder such as 9999 A, which is not the cell's. Chosen, not measured."""

FEW_ROWS: Final = 200
"""Rows: in a shorter record a few rows may be all of a step. Chosen, not measured."""

SHORTEST_DISCHARGE_HOUR: Final = 0.1
"""h of the largest current: a capacity estimated from the record is no smaller. Chosen, not measured."""


def interval_charge_ah(test_time_second: Floats, current_ampere: Floats, flags: Integers) -> Floats:
    """Return the charge between neighbouring samples by the trapezoid rule, in A.h, positive into the cell.

    An interval that ends in a sample flagged ``time_gap`` carries none, because the power was out. An interval with a
    missing current at either end carries none either.

    Args:
        test_time_second: s, shape (n,).
        current_ampere: A, positive for charge, shape (n,), NaN where missing.
        flags: the rules' bits (``data.rules``), shape (n,).

    Returns:
        Shape (n - 1,); empty for fewer than two samples.
    """
    charge: Floats = np.diff(test_time_second)
    charge *= current_ampere[1:] + current_ampere[:-1]
    charge /= 2.0 * SECONDS_PER_HOUR
    if flags.any():
        charge[(flags[1:] & flag_bit("time_gap")) != 0] = 0.0
    # The sum is NaN if any interval is.
    if np.isfinite(charge.sum()):
        return charge
    return np.nan_to_num(charge, nan=0.0)


def charge_in_out_ah(test_time_second: Floats, current_ampere: Floats, flags: Integers) -> tuple[float, float]:
    """Return charge into and out of the cell in A.h, both positive.

    Args:
        test_time_second, current_ampere, flags: as in :func:`interval_charge_ah`.
    """
    return in_and_out(interval_charge_ah(test_time_second, current_ampere, flags))


def interval_energy_wh(
    test_time_second: Floats, current_ampere: Floats, voltage_volt: Floats, flags: Integers
) -> Floats:
    """Return the energy between neighbouring samples by the trapezoid rule, in W.h, positive into the cell.

    A missing voltage is interpolated for this. An interval that carries no charge carries no energy.

    Args:
        test_time_second, current_ampere, flags: as in :func:`interval_charge_ah`.
        voltage_volt: V, shape (n,), NaN where missing.

    Returns:
        Shape (n - 1,).
    """
    voltage = voltage_volt
    known = np.isfinite(voltage_volt)
    if known.any() and not known.all():
        voltage = np.interp(test_time_second, test_time_second[known], voltage_volt[known])
    return interval_charge_ah(test_time_second, current_ampere * voltage, flags)


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """What flows between neighbouring samples, positive into the cell, shape (n - 1,) each.

    Args:
        charge_ah: A.h, as :func:`interval_charge_ah` has it.
        energy_wh: W.h, as :func:`interval_energy_wh` has it.
    """

    charge_ah: Floats
    energy_wh: Floats

    @classmethod
    def of_samples(cls, samples: Columns) -> Self:
        """Calculate the flow of a cleaned record (``data.columns.PARTITION_COLUMNS``)."""
        time, current, voltage = (
            np.asarray(samples[name], dtype=np.float64) for name in (c.TEST_TIME, c.CURRENT, c.VOLTAGE)
        )
        flags = np.asarray(samples[c.FLAGS], dtype=np.int64)
        return cls(interval_charge_ah(time, current, flags), interval_energy_wh(time, current, voltage, flags))


def in_and_out(amounts: Floats) -> tuple[float, float]:
    """Return what flows into the cell and out of it, both positive; ``amounts`` are positive into the cell."""
    return float(amounts[amounts > 0.0].sum()), float(abs(amounts[amounts < 0.0].sum()))


def capacity_scale_ah(
    test_time_second: Floats, current_ampere: Floats, nominal_capacity_ah: float | None = None
) -> float:
    """Return the nominal capacity in A.h, or a scale from the record itself if it is not known.

    The scale is the difference between highest and lowest charge, but no more than three hours and no less than six
    minutes of the largest current. So neither a few pulses nor an offset summed over months mislead it.

    Args:
        test_time_second: s, shape (n,); an interval in which time does not increase carries no charge.
        current_ampere: A, shape (n,), NaN where missing; a missing current carries no charge.
        nominal_capacity_ah: A.h; ``None`` or 0 = not known.

    Returns:
        A positive number; 0.1 for a record without current.
    """
    if nominal_capacity_ah is not None and nominal_capacity_ah > 0.0:
        return float(nominal_capacity_ah)
    finite = np.isfinite(current_ampere)
    magnitude = np.abs(current_ampere if finite.all() else current_ampere[finite])
    largest = float(np.quantile(magnitude, _largest_share(len(magnitude)))) if len(magnitude) else 0.0
    if largest == 0.0:
        largest = float(magnitude.max(initial=0.0)) or 1.0
    current = current_ampere if finite.all() else np.nan_to_num(current_ampere)
    seconds = np.fmax(np.diff(test_time_second), 0.0)
    charge = np.cumsum(seconds * (current[1:] + current[:-1])) / (2.0 * SECONDS_PER_HOUR)
    swing = float(charge.max(initial=0.0) - charge.min(initial=0.0))
    return float(np.clip(swing, SHORTEST_DISCHARGE_HOUR * largest, LONGEST_DISCHARGE_HOUR * largest))


def _largest_share(rows: int) -> float:
    """Return the quantile that counts as the largest current: a few wrong values of a record do not count."""
    if rows < FEW_ROWS:
        return 0.999
    return min(0.999, 1.0 - WRONG_ROWS / rows)
