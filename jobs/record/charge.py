"""The one definition of measured charge and energy: what cleaning, cycles and simulations all count."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...data.arrays import Floats
from ...data.convert import SECONDS_PER_HOUR
from ...data.rules import flag_bit

REST_CURRENT_PER_AH: Final = 0.005  # A per A.h below which a cell rests


def interval_charge_ah(test_time_second: Floats, current_ampere: Floats, flags: NDArray[np.int64]) -> Floats:
    """Charge between neighbouring samples by the trapezoid rule, in A.h, positive into the cell.

    An interval that ends in a sample flagged ``time_gap`` carries none (the power was out); nor does one with a
    missing current at either end.

    Args:
        test_time_second, current_ampere, flags: shape (n,).

    Returns:
        Shape (n - 1,); empty for fewer than two samples.
    """
    charge: Floats = np.diff(test_time_second)
    charge *= current_ampere[1:] + current_ampere[:-1]
    charge /= 2.0 * SECONDS_PER_HOUR
    if flags.any():
        charge[(flags[1:] & flag_bit("time_gap")) != 0] = 0.0
    return charge if np.isfinite(charge.sum()) else np.nan_to_num(charge, nan=0.0)


def charge_in_out_ah(test_time_second: Floats, current_ampere: Floats, flags: NDArray[np.int64]) -> tuple[float, float]:
    """Charge into and out of the cell in A.h, both positive."""
    return _in_and_out(interval_charge_ah(test_time_second, current_ampere, flags))


def interval_energy_wh(
    test_time_second: Floats, current_ampere: Floats, voltage_volt: Floats, flags: NDArray[np.int64]
) -> Floats:
    """Energy between neighbouring samples by the trapezoid rule of the power, in W.h, positive into the cell.

    A missing voltage is interpolated for this; what carries no charge (:func:`interval_charge_ah`) carries no energy.

    Returns:
        Shape (n - 1,).
    """
    known, voltage = np.isfinite(voltage_volt), voltage_volt
    if known.any() and not known.all():
        voltage = np.interp(test_time_second, test_time_second[known], voltage_volt[known])
    return interval_charge_ah(test_time_second, current_ampere * voltage, flags)


def energy_in_out_wh(
    test_time_second: Floats, current_ampere: Floats, voltage_volt: Floats, flags: NDArray[np.int64]
) -> tuple[float, float]:
    """Energy into and out of the cell in W.h, both positive."""
    return _in_and_out(interval_energy_wh(test_time_second, current_ampere, voltage_volt, flags))


def _in_and_out(amounts: Floats) -> tuple[float, float]:
    return float(amounts[amounts > 0.0].sum()), float(abs(amounts[amounts < 0.0].sum()))


def capacity_scale_ah(
    test_time_second: NDArray[np.float64], current_ampere: NDArray[np.float64], nominal_capacity_ah: float | None = None
) -> float:
    """Return the nominal capacity in A.h, or where it is not known a scale from the record itself.

    The scale is the largest swing of the charge, but no more than three hours and no less than six minutes
    of the largest current, so that neither a few pulses nor an offset summed over months mislead it.

    Args:
        test_time_second, current_ampere: shape (n,); times that do not increase and missing currents count nothing.

    Returns:
        A positive number; 1.0 for a record without current.
    """
    if nominal_capacity_ah is not None and nominal_capacity_ah > 0.0:
        return float(nominal_capacity_ah)
    finite = np.isfinite(current_ampere)
    magnitude = np.abs(current_ampere if finite.all() else current_ampere[finite])
    largest = float(np.quantile(magnitude, 0.999)) if len(magnitude) else 0.0
    if largest == 0.0:
        largest = float(magnitude.max(initial=0.0)) or 1.0
    current = current_ampere if finite.all() else np.nan_to_num(current_ampere)
    seconds = np.fmax(np.diff(test_time_second), 0.0)
    charge = np.cumsum(seconds * (current[1:] + current[:-1])) / (2.0 * SECONDS_PER_HOUR)
    swing = float(charge.max(initial=0.0) - charge.min(initial=0.0))
    return float(np.clip(swing, 0.1 * largest, 3.0 * largest))
