"""Where the starts of a fit begin: seeded points in the scaled bounds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.stats import qmc

from ...data.arrays import Floats
from ...data.fit_settings import INITIAL_SOC, FitParameter, FitSettings
from ...data.results.fitting import FitResult


def to_scaled(parameters: tuple[FitParameter, ...], values: Floats) -> Floats:
    """Turn parameter values into 0 (lower bound) to 1 (upper bound), on each parameter's own scale."""
    return np.array([_unit(p, v) for p, v in zip(parameters, values, strict=True)])


def from_scaled(parameters: tuple[FitParameter, ...], unit: Floats) -> Floats:
    """Turn 0 to 1 back into parameter values, never outside the bounds."""
    return np.array([_value(p, u) for p, u in zip(parameters, unit, strict=True)])


def _unit(parameter: FitParameter, value: float) -> float:
    lower = parameter.lower
    away = float(np.log(value / lower)) if parameter.scale == "log" else value - lower
    return away / parameter.span


def _value(parameter: FitParameter, unit: float) -> float:
    lower, upper = parameter.lower, parameter.upper
    value = lower * (upper / lower) ** unit if parameter.scale == "log" else lower + unit * (upper - lower)
    return float(min(max(value, lower), upper))


def start_from_fit(former: FitResult, settings: FitSettings) -> FitSettings:
    """The fit with another one's values as first guesses; a state of charge is each check-up's own.

    Args:
        settings: with bounds in the parameters' own units.
    """
    values = {p.name: p.value for p in former.parameters if p.name != INITIAL_SOC}
    return replace(
        settings, parameters=tuple(replace(p, first=values.get(p.name, p.first)) for p in settings.parameters)
    )


def first_point(settings: FitSettings, start: int, default_values: Floats) -> Floats:
    """The point at which a start begins, from 0 to 1 for each parameter.

    Start 0 begins at the first guesses, where none is given at the parameter set's own value (moved into the bounds).
    The others begin at the points of a scrambled Sobol sequence (Owen 1998) with the fit's seed, whose first n points
    do not depend on how many follow, or of a Latin hypercube (McKay 1979) of all starts, which do.
    """
    if start == 0:
        guesses = [d if p.first is None else p.first for p, d in zip(settings.parameters, default_values, strict=True)]
        inside = [min(max(g, p.lower), p.upper) for p, g in zip(settings.parameters, guesses, strict=True)]
        return np.clip(to_scaled(settings.parameters, np.array(inside)), 0.02, 0.98)
    rng, dimensions = np.random.default_rng(settings.seed), len(settings.parameters)
    if settings.first_points == "latin_hypercube":
        spread: Floats = qmc.LatinHypercube(dimensions, rng=rng).random(max(settings.starts - 1, start))[start - 1]
        return spread
    sequence = qmc.Sobol(dimensions, scramble=True, rng=rng)
    point: Floats = sequence.fast_forward(start).random(1)[0]
    return point
