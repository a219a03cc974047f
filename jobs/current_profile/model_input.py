"""A profile as an input of a built model: two vectors of knots, read by linear interpolation in time."""

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
"""A built model takes profiles of fewer knots than its size; shorter ones are padded, longer ones cut in windows."""

KNOT_TIMES: Final = "Profile knot times [s]"
KNOT_CURRENTS: Final = "Profile knot currents [A]"
TEMPERATURE_SIZES: Final = (16, 64, 256, 1024)
"""As ``PROFILE_SIZES``, of the temperature's knots."""

TEMPERATURE_TIMES: Final = "Temperature knot times [s]"
KNOT_TEMPERATURES: Final = "Temperature knots [K]"


def profile_current(size: int) -> pybamm.Symbol:
    """PyBaMM's current in A (positive for discharge) at its time t, from two vectors of ``size`` knots."""
    times = pybamm.InputParameter(KNOT_TIMES, expected_size=size)
    currents = pybamm.InputParameter(KNOT_CURRENTS, expected_size=size)
    return _Profile(pybamm.t, times, currents)


def profile_temperature(size: int) -> pybamm.Symbol:
    """A temperature in K at PyBaMM's time t, from two vectors of ``size`` knots."""
    times = pybamm.InputParameter(TEMPERATURE_TIMES, expected_size=size)
    temperatures = pybamm.InputParameter(KNOT_TEMPERATURES, expected_size=size)
    return _Profile(pybamm.t, times, temperatures)


class _Profile(pybamm.Function):  # type: ignore[misc]
    """Linear interpolation at time t in two vectors that are inputs of the model."""

    def __init__(self, time: pybamm.Symbol, times: pybamm.Symbol, values: pybamm.Symbol) -> None:
        super().__init__(_interpolate, time, times, values, name="profile")

    def _evaluate_for_shape(self) -> float:
        return float("nan")

    def _casadi_evaluate(self, *children: casadi.MX) -> casadi.MX:
        time, times, values = children
        # Else it looks from the first knot on, which a long profile makes most of a step's time.
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
    """Fill a profile up to the built model's size, a knot a second after its end; times since ``first_second``."""
    missing = size - len(profile.time_second)
    times = profile.time_second - first_second
    times = np.concatenate([times, times[-1] + 1.0 + np.arange(missing)])
    return times, np.concatenate([profile.current_ampere, np.full(missing, profile.current_ampere[-1])])


def temperature_size(profile: TemperatureProfile | None) -> int:
    """Size of the built model's vectors of temperature knots; 0 = its temperature is one number."""
    return 0 if profile is None else next(size for size in TEMPERATURE_SIZES if size > len(profile.time_second))


def temperature_inputs(temperature: Temperature, size: int, first_second: float) -> dict[str, Any]:
    """Inputs of a built model that give the temperature in K: one number, or knots at times since ``first_second``."""
    profile = temperature.profile
    if profile is None:
        return dict.fromkeys((AMBIENT, INITIAL_TEMPERATURE), celsius_to_kelvin(temperature.celsius))
    missing = size - len(profile.time_second)
    times = profile.time_second - first_second
    times = np.concatenate([times, times[-1] + 1.0 + np.arange(missing)])
    kelvins = celsius_to_kelvin(np.concatenate([profile.celsius, np.full(missing, profile.celsius[-1])]))
    begin = celsius_to_kelvin(profile.at(first_second))
    return {TEMPERATURE_TIMES: times, KNOT_TEMPERATURES: kelvins, INITIAL_TEMPERATURE: begin}
