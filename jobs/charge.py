"""The one definition of measured charge: what cleaning, cycles and simulations all count."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..data.convert import SECONDS_PER_HOUR
from ..data.rules import bit_of

Floats = NDArray[np.float64]


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
        charge[(flags[1:] & bit_of("time_gap")) != 0] = 0.0
    return charge if np.isfinite(charge.sum()) else np.nan_to_num(charge, nan=0.0)


def charge_in_out_ah(test_time_second: Floats, current_ampere: Floats, flags: NDArray[np.int64]) -> tuple[float, float]:
    """Charge into and out of the cell in A.h, both positive."""
    charge = interval_charge_ah(test_time_second, current_ampere, flags)
    return float(charge[charge > 0.0].sum()), float(abs(charge[charge < 0.0].sum()))
