"""How big a cell is, from what is said of it or from its record: the thresholds of currents scale with it."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..data.convert import SECONDS_PER_HOUR

REST_CURRENT_PER_AH: Final = 0.005  # A per A.h below which a cell rests


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
