"""Tables of a parameter set at rest, few enough to be kept: one takes longer to make than a cell to simulate.

Cells differ in temperature, and variations and fits in parameters, most of which do not matter at rest.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, TypeVar

import numpy as np

from ..data.settings import ParameterSetSettings

T = TypeVar("T")

MOVING: Final = (
    "diffusivity",
    "conductivity",
    "exchange-current",
    "Bruggeman",
    "transference",
    "charge transfer",
    "Contact resistance",
    "heat transfer",
    "heat capacity",
    "particle radius",
)
"""Words in the names of parameters that only matter where something flows."""


def at_rest(settings: ParameterSetSettings) -> ParameterSetSettings:
    """The parameter set with only those of its overrides that may matter at rest."""
    kept = tuple(o for o in settings.overrides if not any(word in o.parameter for word in MOVING))
    return settings if kept == settings.overrides else replace(settings, name=settings.base, overrides=kept)


def between_degrees(tabulate: Callable[[float], T], at_celsius: float) -> T:
    """A frozen table at a temperature, from those at the whole degrees below and above.

    PyBaMM's open-circuit potentials are linear in temperature, and what follows from them bends so little that the
    state of a rest voltage is right to a microvolt.
    """
    below = math.floor(at_celsius)
    share = at_celsius - below
    if share < 1e-9:
        return tabulate(float(below))
    mixed: T = _mixed(tabulate(float(below)), tabulate(below + 1.0), share)
    return mixed


def _mixed(low: Any, high: Any, share: float) -> Any:
    """Linear interpolation of numbers and arrays, and of tuples and frozen values of them; texts stay."""
    if dataclasses.is_dataclass(low) and not isinstance(low, type):
        names = [field.name for field in dataclasses.fields(low)]
        return replace(low, **{name: _mixed(getattr(low, name), getattr(high, name), share) for name in names})
    if isinstance(low, tuple):
        return tuple(_mixed(*pair, share) for pair in zip(low, high, strict=True))
    if isinstance(low, (float, np.ndarray)):
        return low + share * (high - low)
    return low
