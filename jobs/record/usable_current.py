"""Tell whether a record holds anything to simulate."""

from __future__ import annotations

from typing import Final

import numpy as np

from ...data.arrays import Floats
from ...data.errors import NothingToSimulateError
from .charge import REST_CURRENT_PER_AH

NO_CURRENT_PER_AH: Final = 5e-6
"""A per A.h of capacity: up to this there is no current. A thousand times as much would still be a rest, so a wrong
unit is no explanation. Chosen, not measured."""

MOVED_VOLT: Final = 0.5
"""V: more than a cell at rest can relax by. Chosen, not measured."""


def require_current(current_ampere: Floats, voltage_volt: Floats, capacity_ah: float) -> None:
    """Refuse a record without a current to simulate. This is a result, not an error of the cell or of its files.

    Args:
        current_ampere, voltage_volt: A and V of a cleaned record, shape (n,), NaN where missing.
        capacity_ah: A.h, with which the current of a rest scales.

    Raises:
        NothingToSimulateError: ``no_usable_current``: most of the current is missing, or there is nearly none while
            the voltage moves. ``rest_only``: the cell rests throughout.
    """
    known = current_ampere[np.isfinite(current_ampere)]
    if 2 * len(known) < len(current_ampere):
        missing = len(current_ampere) - len(known)
        raise NothingToSimulateError(
            f"the current is missing in {missing} of {len(current_ampere)} samples: nothing to simulate",
            "no_usable_current",
        )
    largest = float(np.abs(known).max(initial=0.0))
    moved = voltage_moves(voltage_volt)
    if moved and largest <= NO_CURRENT_PER_AH * capacity_ah:
        raise NothingToSimulateError(
            f"the current is at most {largest:.3g} A, but the voltage changes: the current is missing, or recorded "
            "with too few digits; nothing to simulate",
            "no_usable_current",
        )
    if not moved and largest <= REST_CURRENT_PER_AH * capacity_ah:
        raise NothingToSimulateError(
            f"the cell rests throughout: no current above {largest:.3g} A in a cell of {capacity_ah:g} A.h; "
            "nothing to simulate",
            "rest_only",
        )


def voltage_moves(voltage_volt: Floats) -> bool:
    """Tell whether a voltage moves further than that of a cell at rest.

    Args:
        voltage_volt: V, shape (n,), NaN where missing.
    """
    known = voltage_volt[np.isfinite(voltage_volt)]
    return len(known) > 0 and float(np.ptp(np.quantile(known, [0.01, 0.99]))) > MOVED_VOLT
