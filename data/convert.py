"""Conversion of units and of the sign of the current.

Currents in kilocell are positive for charge and temperatures are in °C; in PyBaMM, currents are positive for discharge
and temperatures are in K. They are converted here and nowhere else.
"""

from __future__ import annotations

import re
from typing import Final, TypeVar

from .arrays import Floats

Number = TypeVar("Number", float, Floats)
SECONDS_PER_HOUR: Final = 3600.0
ZERO_CELSIUS_KELVIN: Final = 273.15
FACTORS: Final[dict[str, dict[str, float]]] = {
    # Arbin's own tables count time in units of 100 ns, as Windows does.
    "second": {
        "s": 1.0,
        "ms": 1e-3,
        "us": 1e-6,
        "100ns": 1e-7,
        "ns": 1e-9,
        "min": 60.0,
        "h": 3600.0,
        "d": 86400.0,
        # Conversions that somebody made the wrong way round.
        "units of 1000 s": 1000.0,
        "units of 1/60 s": 1.0 / 60.0,
        "units of 1/3600 s": 1.0 / 3600.0,
    },
    "volt": {"V": 1.0, "mV": 1e-3},
    "ampere": {"A": 1.0, "mA": 1e-3, "uA": 1e-6, "µA": 1e-6},
    "ah": {"Ah": 1.0, "A.h": 1.0, "mAh": 1e-3, "mA.h": 1e-3, "uAh": 1e-6},
    "celsius": {"degC": 1.0, "°C": 1.0, "C": 1.0, "K": 1.0},
}
"""Known units of each quantity (the last word of a column's name), with the factor that converts to that unit."""


def to_column_unit(values: Floats, column: str, unit: str) -> Floats:
    """Convert values to the unit that ends the name of their column (``voltage_volt``: V).

    Args:
        values: numbers in ``unit``.
        column: one of ``data.columns.RAW_COLUMNS``.
        unit: one of :data:`FACTORS`; "" = the values have the unit of the column already.

    Raises:
        ValueError: the unit is unknown for this column; the text lists the known ones.
    """
    if unit == "":
        return values
    known = FACTORS.get(column.rsplit("_", 1)[-1], {})
    if unit not in known:
        raise ValueError(f"unknown unit {unit!r} of {column} (known units: {', '.join(known) or 'none'})")
    if unit == "K":
        return values - ZERO_CELSIUS_KELVIN
    if known[unit] == 1.0:
        return values
    return values * known[unit]


def parameter_unit(parameter: str) -> str:
    """Return the unit of a PyBaMM parameter.

    Args:
        parameter: its name, which ends in the unit, such as ``Electrolyte conductivity [S.m-1]``.

    Returns:
        The text in the brackets; ``""`` for a pure number.
    """
    match = re.search(r"\[([^\[\]]*)\]\s*$", parameter)
    if match is None:
        return ""
    return match.group(1)


def pybamm_current(current_ampere: Number) -> Number:
    """Convert a current between kilocell's sign (positive charges) and PyBaMM's (positive discharges).

    Args:
        current_ampere: A, with either sign convention; the result has the other one.
    """
    return -current_ampere


def celsius_to_kelvin(temperature_celsius: Number) -> Number:
    """Convert °C to K."""
    return temperature_celsius + ZERO_CELSIUS_KELVIN


def kelvin_to_celsius(temperature_kelvin: Number) -> Number:
    """Convert K to °C."""
    return temperature_kelvin - ZERO_CELSIUS_KELVIN


def fahrenheit_to_celsius(temperature_fahrenheit: Number) -> Number:
    """Convert °F to °C."""
    return (temperature_fahrenheit - 32.0) / 1.8
