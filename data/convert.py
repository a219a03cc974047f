"""Units and signs. PyBaMM's current is positive for discharge and its temperatures are kelvin; ours are not.

The sign and the units turn here and nowhere else.
"""

from __future__ import annotations

import re
from typing import Final, TypeVar

from .arrays import Floats

Number = TypeVar("Number", float, Floats)
SECONDS_PER_HOUR: Final = 3600.0
ZERO_CELSIUS_KELVIN: Final = 273.15
FACTORS: Final[dict[str, dict[str, float]]] = {
    # Arbin's own tables count in 100 ns, as Windows does.
    "second": {"s": 1.0, "ms": 1e-3, "us": 1e-6, "100ns": 1e-7, "ns": 1e-9, "min": 60.0, "h": 3600.0, "d": 86400.0},
    "volt": {"V": 1.0, "mV": 1e-3},
    "ampere": {"A": 1.0, "mA": 1e-3, "uA": 1e-6, "µA": 1e-6},
    "ah": {"Ah": 1.0, "A.h": 1.0, "mAh": 1e-3, "mA.h": 1e-3, "uAh": 1e-6},
    "celsius": {"degC": 1.0, "°C": 1.0, "C": 1.0, "K": 1.0},
}
"""Known units of each quantity (the last word of a column's name) and the factor to the column's own unit."""


def to_column_unit(values: Floats, column: str, unit: str) -> Floats:
    """Turn values in ``unit`` into the unit that ends the column's name (``voltage_volt``: V).

    Raises:
        ValueError: the unit is not known for this column; the text lists those that are.
    """
    if unit == "":
        return values
    known = FACTORS.get(column.rsplit("_", 1)[-1], {})
    if unit not in known:
        raise ValueError(f"unit {unit!r} is not known for {column} (known: {', '.join(known) or 'none'})")
    if unit == "K":
        return values - ZERO_CELSIUS_KELVIN
    return values if known[unit] == 1.0 else values * known[unit]


def parameter_unit(parameter: str) -> str:
    """The unit at the end of a PyBaMM parameter's name; ``""`` for a pure number."""
    found = re.search(r"\[([^\[\]]*)\]\s*$", parameter)
    return found.group(1) if found else ""


def pybamm_current(current_ampere: Number) -> Number:
    """Turn our current (positive charges) into PyBaMM's (positive discharges). Its own inverse."""
    return -current_ampere


def celsius_to_kelvin(temperature_celsius: Number) -> Number:
    """Turn °C into K."""
    return temperature_celsius + ZERO_CELSIUS_KELVIN


def kelvin_to_celsius(temperature_kelvin: Number) -> Number:
    """Turn K into °C."""
    return temperature_kelvin - ZERO_CELSIUS_KELVIN


def fahrenheit_to_celsius(temperature_fahrenheit: Number) -> Number:
    """Turn °F into °C."""
    return (temperature_fahrenheit - 32.0) / 1.8
