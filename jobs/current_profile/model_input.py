"""Feed a profile to a built model as an input: two vectors of knots, read by linear interpolation in time."""

from __future__ import annotations

from typing import Any, Final

import casadi
import numpy as np
import pybamm

from ...data.arrays import Floats
from ...data.convert import celsius_to_kelvin
from ..parameters.sets import AMBIENT, INITIAL_TEMPERATURE
from .compress import CurrentProfile
from .temperature import Temperature, TemperatureProfile

PROFILE_SIZES: Final = (64, 256, 1024)
"""Lengths of a built model's vectors of current knots.

A model takes profiles with fewer knots than its length. Shorter ones are padded; longer ones are solved in windows.
"""

TEMPERATURE_SIZES: Final = (16, 64, 256, 1024)
"""Lengths of a built model's vectors of temperature knots."""

PADDING_SECOND: Final = 1.0  # between the knots that are added after a profile's end

KNOT_TIMES: Final = "Profile knot times [s]"
KNOT_CURRENTS: Final = "Profile knot currents [A]"
TEMPERATURE_TIMES: Final = "Temperature knot times [s]"
KNOT_TEMPERATURES: Final = "Temperature knots [K]"


def profile_current(size: int) -> pybamm.Symbol:
    """Return PyBaMM's current in A (positive for discharge) as a symbol of its time and two inputs.

    Args:
        size: number of knots in the inputs ``KNOT_TIMES`` and ``KNOT_CURRENTS``.
    """
    times = pybamm.InputParameter(KNOT_TIMES, expected_size=size)
    currents = pybamm.InputParameter(KNOT_CURRENTS, expected_size=size)
    return _Profile(pybamm.t, times, currents)


def profile_temperature(size: int) -> pybamm.Symbol:
    """Return a temperature in K as a symbol of PyBaMM's time and two inputs.

    Args:
        size: number of knots in the inputs ``TEMPERATURE_TIMES`` and ``KNOT_TEMPERATURES``.
    """
    times = pybamm.InputParameter(TEMPERATURE_TIMES, expected_size=size)
    temperatures = pybamm.InputParameter(KNOT_TEMPERATURES, expected_size=size)
    return _Profile(pybamm.t, times, temperatures)


class _Profile(pybamm.Function):  # type: ignore[misc]
    """Linear interpolation at time t between knots that are inputs of the model."""

    def __init__(self, time: pybamm.Symbol, times: pybamm.Symbol, values: pybamm.Symbol) -> None:
        super().__init__(_interpolate, time, times, values, name="profile")

    def _evaluate_for_shape(self) -> float:
        return float("nan")

    def _casadi_evaluate(self, *children: casadi.MX) -> casadi.MX:
        time, times, values = children
        # The default lookup scans from the first knot; for a long profile that takes most of the time of a step.
        i = casadi.low(times, time, {"lookup_mode": "binary"})
        slope = (values[i + 1] - values[i]) / (times[i + 1] - times[i])
        return values[i] + slope * (time - times[i])

    def create_copy(
        self, new_children: list[pybamm.Symbol] | None = None, perform_simplifications: bool = True
    ) -> _Profile:
        return _Profile(*self._children_for_copying(new_children))  # pyright: ignore[reportGeneralTypeIssues]

    def _function_new_copy(self, children: list[pybamm.Symbol]) -> _Profile:
        return _Profile(*children)


def _interpolate(time: Any, times: Floats, values: Floats) -> Floats:
    return np.interp(np.ravel(time), np.ravel(times), np.ravel(values)).reshape(-1, 1)


def pad_profile(profile: CurrentProfile, size: int, first_second: float) -> tuple[Floats, Floats]:
    """Pad a profile to the length of a built model's inputs, with one knot per second after its end.

    Args:
        profile: n knots, n <= ``size``.
        size: length of the inputs.
        first_second: time in the record at which PyBaMM's time is zero, s.

    Returns:
        Times in s since ``first_second``, and currents in A (positive charges the cell), shape (``size``,) each.
    """
    times = _pad_times(profile.time_second, size, first_second)
    return times, _pad_values(profile.current_ampere, size)


def temperature_size(profile: TemperatureProfile | None) -> int:
    """Return the length of a built model's vectors of temperature knots; 0 = the temperature is one number."""
    if profile is None:
        return 0
    return next(size for size in TEMPERATURE_SIZES if size > len(profile.time_second))


def temperature_inputs(temperature: Temperature, size: int, first_second: float) -> dict[str, Any]:
    """Return the inputs of a built model that give its temperature, in K.

    Args:
        temperature: constant, or with a profile.
        size: length of the vectors of knots, as :func:`temperature_size` gives it.
        first_second: time in the record at which PyBaMM's time is zero, s.
    """
    profile = temperature.profile
    if profile is None:
        return dict.fromkeys((AMBIENT, INITIAL_TEMPERATURE), celsius_to_kelvin(temperature.celsius))
    return {
        TEMPERATURE_TIMES: _pad_times(profile.time_second, size, first_second),
        KNOT_TEMPERATURES: celsius_to_kelvin(_pad_values(profile.celsius, size)),
        INITIAL_TEMPERATURE: celsius_to_kelvin(profile.at(first_second)),
    }


def _pad_times(time_second: Floats, size: int, first_second: float) -> Floats:
    times = time_second - first_second
    missing = size - len(times)
    return np.concatenate([times, times[-1] + PADDING_SECOND + np.arange(missing)])


def _pad_values(values: Floats, size: int) -> Floats:
    return np.concatenate([values, np.full(size - len(values), values[-1])])
