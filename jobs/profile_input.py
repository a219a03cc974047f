"""The current profile as an input of a built model: two vectors of knots, read by linear interpolation in time."""

from __future__ import annotations

from typing import Any, Final

import casadi
import numpy as np
import pybamm
from numpy.typing import NDArray

from .compress import CurrentProfile

Floats = NDArray[np.float64]

PROFILE_SIZES: Final = (64, 256, 1024)
"""A built model takes profiles of fewer knots than its size; shorter ones are padded, longer ones cut in windows."""
KNOT_TIMES: Final = "Profile knot times [s]"
KNOT_CURRENTS: Final = "Profile knot currents [A]"


def profile_current(size: int) -> pybamm.Symbol:
    """PyBaMM's current in A (positive for discharge) at its time t, from two vectors of ``size`` knots."""
    times = pybamm.InputParameter(KNOT_TIMES, expected_size=size)
    currents = pybamm.InputParameter(KNOT_CURRENTS, expected_size=size)
    return _ProfileCurrent(pybamm.t, times, currents)


class _ProfileCurrent(pybamm.Function):  # type: ignore[misc]
    """Linear interpolation at time t in two vectors that are inputs of the model."""

    def __init__(self, time: pybamm.Symbol, times: pybamm.Symbol, currents: pybamm.Symbol) -> None:
        super().__init__(_interpolate, time, times, currents, name="current profile")

    def _evaluate_for_shape(self) -> float:
        return float("nan")

    def _casadi_evaluate(self, *children: casadi.MX) -> casadi.MX:
        time, times, currents = children
        # Else it looks from the first knot on, which a long profile makes most of a step's time.
        i = casadi.low(times, time, {"lookup_mode": "binary"})
        slope = (currents[i + 1] - currents[i]) / (times[i + 1] - times[i])
        return currents[i] + slope * (time - times[i])

    def create_copy(
        self, new_children: list[pybamm.Symbol] | None = None, perform_simplifications: bool = True
    ) -> _ProfileCurrent:
        return _ProfileCurrent(*self._children_for_copying(new_children))  # pyright: ignore[reportGeneralTypeIssues]

    def _function_new_copy(self, children: list[pybamm.Symbol]) -> _ProfileCurrent:
        return _ProfileCurrent(*children)


def _interpolate(time: Any, times: Floats, currents: Floats) -> Floats:
    return np.interp(np.ravel(time), np.ravel(times), np.ravel(currents)).reshape(-1, 1)


def padded(profile: CurrentProfile, size: int, first_second: float) -> tuple[Floats, Floats]:
    """Fill a profile up to the built model's size, a knot a second after its end; times since ``first_second``."""
    missing = size - len(profile.time_second)
    times = profile.time_second - first_second
    times = np.concatenate([times, times[-1] + 1.0 + np.arange(missing)])
    return times, np.concatenate([profile.current_ampere, np.full(missing, profile.current_ampere[-1])])
