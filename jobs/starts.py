"""Where the starts of a fit begin: seeded points in the scaled bounds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from ..data.settings import FitParameter, FitSettings

Floats = NDArray[np.float64]


def to_unit(parameters: tuple[FitParameter, ...], values: Floats) -> Floats:
    """Turn parameter values into 0 (lower bound) to 1 (upper bound), on each parameter's own scale."""
    return np.array([_unit(p, v) for p, v in zip(parameters, values, strict=True)])


def from_unit(parameters: tuple[FitParameter, ...], unit: Floats) -> Floats:
    """Turn 0 to 1 back into parameter values, never outside the bounds."""
    return np.array([_value(p, u) for p, u in zip(parameters, unit, strict=True)])


def _unit(parameter: FitParameter, value: float) -> float:
    lower, upper = parameter.lower, parameter.upper
    if parameter.scale == "log":
        return float(np.log(value / lower) / np.log(upper / lower))
    return (value - lower) / (upper - lower)


def _value(parameter: FitParameter, unit: float) -> float:
    lower, upper = parameter.lower, parameter.upper
    value = lower * (upper / lower) ** unit if parameter.scale == "log" else lower + unit * (upper - lower)
    return float(min(max(value, lower), upper))


def first_point(settings: FitSettings, start: int, default_values: Floats) -> Floats:
    """The point at which a start begins, from 0 to 1 for each parameter.

    Start 0 begins at the parameter set's own values (moved into the bounds), the others at the points of a
    scrambled Sobol sequence with the fit's seed (Owen 1998), whose first n points do not depend on how many follow.
    """
    if start == 0:
        return np.clip(to_unit(settings.parameters, default_values), 0.02, 0.98)
    sequence = qmc.Sobol(len(settings.parameters), scramble=True, rng=np.random.default_rng(settings.seed))
    point: Floats = sequence.fast_forward(start).random(1)[0]
    return point
