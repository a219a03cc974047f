"""Whether a record holds anything to simulate at all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..data.errors import NothingToSimulateError
from .scale import REST_CURRENT_PER_AH


def refuse_nothing(current_ampere: NDArray[np.float64], capacity_ah: float) -> None:
    """Refuse a record without a current to replay; that is no failure of the cell or of its files.

    Args:
        current_ampere: shape (n,), of a cleaned record.
        capacity_ah: A.h, that the current of a rest scales with.

    Raises:
        NothingToSimulateError: most of the current is missing (``no_usable_current``), or the cell rests throughout
            (``rest_only``).
    """
    known = current_ampere[np.isfinite(current_ampere)]
    if 2 * len(known) < len(current_ampere):
        words = f"the current is missing in {len(current_ampere) - len(known)} of {len(current_ampere)} samples"
        raise NothingToSimulateError(f"{words}: nothing to simulate", "no_usable_current")
    largest = float(np.abs(known).max(initial=0.0))
    if largest <= REST_CURRENT_PER_AH * capacity_ah:
        words = f"the cell rests throughout: no current above {largest:.3g} A in a cell of {capacity_ah:g} A.h"
        raise NothingToSimulateError(f"{words}; nothing to simulate", "rest_only")
