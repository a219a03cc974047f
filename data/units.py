"""Units of columns: the end of a column's name says them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

UNITS: Final[dict[str, str]] = {
    "_unix_second": "s",
    "_second": "s",
    "_seconds": "s",
    "_ns": "ns",
    "_mv": "mV",
    "_volt": "V",
    "_ampere": "A",
    "_ah": "A.h",
    "_wh": "W.h",
    "_watt": "W",
    "_ohm": "Ohm",
    "_celsius": "degC",
    "_kelvin": "K",
    "_percent": "%",
    "_nm": "nm",
    "_mol_per_m3": "mol.m-3",
    "_metre": "m",
}
"""End of a column's name to its unit, as PyBaMM and the Battery Data Format write units (A.h = ampere-hour)."""

EXACT: Final[dict[str, str]] = {
    "seconds": "s",
    "bytes": "byte",
    "data_cost": "mV2",
    "cost": "mV2",
    "level": "mV2",
}
"""Units of columns whose names do not end with one."""


def unit_of(column: str) -> str:
    """Return the unit of a column by its name; "" = it has none: a count, a share, a text, or named in another column.

    Args:
        column: such as ``rmse_mv`` or ``capacity_error_ah``.
    """
    if column in EXACT:
        return EXACT[column]
    return next((unit for end, unit in UNITS.items() if column.endswith(end)), "")


def units_of(columns: Iterable[str]) -> dict[str, str]:
    """Return the unit of each column that has one."""
    return {name: unit_of(name) for name in map(str, columns) if unit_of(name)}
