"""Which parameters are extensive: how a quantity of a whole cell scales with the size of the cell."""

from __future__ import annotations

import re
from typing import Final

POWER_BY_UNIT: Final = {
    "Ohm": -1,
    "S": 1,
    "F": 1,
    "J/K": 1,
    "J.K-1": 1,
    "W/K": 1,
    "W.K-1": 1,
    "A": 1,
    "A.h": 1,
    "W": 1,
    "J": 1,
    "kg": 1,
    "m3": 1,
}
"""Units of whole-cell quantities, each with the power of the number of parallel cells that multiplies it.

Other units belong to a material or an area and stay the same, such as Ohm.m and W.m-2.K-1.
"""

POWER_BY_NAME: Final = {
    "Cell cooling surface area [m2]": 1,
    "Number of electrodes connected in parallel to make a cell": 1,
}
"""The same for names whose unit does not say it: most other areas belong to one electrode pair."""


def cell_power(parameter: str) -> int:
    """Return the power p: n cells in parallel have n**p times the quantity of one cell; 0 = it stays the same.

    Args:
        parameter: PyBaMM's name with its unit, such as ``Contact resistance [Ohm]``.
    """
    if parameter in POWER_BY_NAME:
        return POWER_BY_NAME[parameter]
    unit = re.search(r"\[([^\]]*)\]$", parameter)
    return POWER_BY_UNIT.get(unit[1], 0) if unit else 0


def describe_scaling(parameter: str) -> str:
    """Say how a parameter scales with the capacity of the cell; "" = it stays the same.

    Args:
        parameter: PyBaMM's name with its unit.
    """
    power = cell_power(parameter)
    if not power:
        return ""
    change = "n times the value" if power > 0 else "the value divided by n"
    return f"of this cell; a cell of n times the capacity has {change}"
