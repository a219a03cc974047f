"""When the energy or charge out of a cycle, divided by what went in, is an efficiency."""

from __future__ import annotations

from typing import Final

CLOSED: Final = (0.5, 1.25)
"""Charge out / charge in of a closed cycle: it ends about as charged as it began. A cell that came charged gives back
more than it took in its first cycle, often thousands of times as much, and a last charge gives back nothing: there, the
ratio is no efficiency. First cycles of cells with much silicon return 0.6 or more. The catalog's view
``cycle_overview`` has the same numbers (tested). Chosen, not measured."""


def efficiency_percent(
    part: float | None, whole: float | None, charge_out_ah: float | None, charge_in_ah: float | None
) -> float | None:
    """Return an efficiency of a cycle in percent; ``None`` = it is not a closed cycle, or something is unknown.

    Args:
        part, whole: what came out and what went in: charges or energies of the same unit.
        charge_out_ah, charge_in_ah: charges of the cycle, in A.h.
    """
    if part is None or not whole or charge_out_ah is None or charge_in_ah is None:
        return None
    if not CLOSED[0] * charge_in_ah <= charge_out_ah <= CLOSED[1] * charge_in_ah:
        return None
    return 100.0 * part / whole
