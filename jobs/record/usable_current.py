"""Whether a record holds anything to simulate at all."""

from __future__ import annotations

from typing import Final

import numpy as np

from ...data.arrays import Floats
from ...data.errors import NothingToSimulateError
from .charge import REST_CURRENT_PER_AH

NO_CURRENT_PER_AH: Final = 5e-6  # A per A.h: a thousand times as much would still be a rest, so no unit is wrong
MOVED_VOLT: Final = 0.5  # more than a cell at rest can relax by


def require_current(current_ampere: Floats, voltage_volt: Floats, capacity_ah: float) -> None:
    """Refuse a record without a current to replay; that is no failure of the cell or of its files.

    Args:
        current_ampere, voltage_volt: shape (n,), of a cleaned record.
        capacity_ah: A.h, that the current of a rest scales with.

    Raises:
        NothingToSimulateError: most of the current is missing, or there is next to none while the voltage moves
            (``no_usable_current``); or the cell rests throughout (``rest_only``).
    """
    known = current_ampere[np.isfinite(current_ampere)]
    if 2 * len(known) < len(current_ampere):
        words = f"the current is missing in {len(current_ampere) - len(known)} of {len(current_ampere)} samples"
        raise NothingToSimulateError(f"{words}: nothing to simulate", "no_usable_current")
    largest = float(np.abs(known).max(initial=0.0))
    moved = voltage_moves(voltage_volt)
    if moved and largest <= NO_CURRENT_PER_AH * capacity_ah:
        words = f"the current is at most {largest:.3g} A, yet the voltage moves: it is missing, or written too coarsely"
        raise NothingToSimulateError(f"{words}; nothing to simulate", "no_usable_current")
    if not moved and largest <= REST_CURRENT_PER_AH * capacity_ah:
        words = f"the cell rests throughout: no current above {largest:.3g} A in a cell of {capacity_ah:g} A.h"
        raise NothingToSimulateError(f"{words}; nothing to simulate", "rest_only")


def voltage_moves(voltage_volt: Floats) -> bool:
    """Tell whether a voltage moves further than that of a cell at rest."""
    known = voltage_volt[np.isfinite(voltage_volt)]
    return len(known) > 0 and float(np.ptp(np.quantile(known, [0.01, 0.99]))) > MOVED_VOLT
