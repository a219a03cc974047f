"""The first points of the starts of a fit: seeded points within the scaled bounds."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from scipy.stats import qmc

from ...data.arrays import Floats
from ...data.fit_settings import INITIAL_SOC, FitParameter, FitSettings
from ...data.results.fitting import NESTED_START, FitResult

LEAST_UNIT: Final = 0.02
"""Least place of a first guess between its bounds: a search that begins at a bound may stay there."""

MOST_UNIT: Final = 0.98
"""Greatest place of a first guess between its bounds, for the same reason."""

NESTED_MARGIN: Final = 1e-4
"""The same for a start that begins at the minimum of a smaller fit, which must not be left."""


def to_scaled(parameters: tuple[FitParameter, ...], values: Floats) -> Floats:
    """Scale parameter values to 0 (lower bound) to 1 (upper bound), linearly or by their logarithm.

    Args:
        parameters: with bounds in their own units, and their scale.
        values: in the parameters' units, shape (parameters,).

    Returns:
        Shape (parameters,); outside 0 to 1 where a value is outside its bounds.
    """
    return np.array([_unit(p, v) for p, v in zip(parameters, values, strict=True)])


def from_scaled(parameters: tuple[FitParameter, ...], unit: Floats) -> Floats:
    """Scale places between the bounds back to parameter values.

    Args:
        parameters: with bounds in their own units, and their scale.
        unit: 0 (lower bound) to 1 (upper bound), shape (parameters,).

    Returns:
        In the parameters' units, shape (parameters,), never outside the bounds.
    """
    return np.array([_value(p, u) for p, u in zip(parameters, unit, strict=True)])


def _unit(parameter: FitParameter, value: float) -> float:
    lower = parameter.lower
    distance = float(np.log(value / lower)) if parameter.scale == "log" else value - lower
    return distance / parameter.span


def _value(parameter: FitParameter, unit: float) -> float:
    lower = parameter.lower
    upper = parameter.upper
    value = lower * (upper / lower) ** unit if parameter.scale == "log" else lower + unit * (upper - lower)
    return float(min(max(value, lower), upper))


def start_from_fit(former: FitResult, settings: FitSettings) -> FitSettings:
    """Return the settings of a fit with the values of another fit as first guesses.

    An initial state of charge is not taken over, since each check-up has its own.

    Args:
        former: the fit whose values are used.
        settings: with bounds in the parameters' units.
    """
    values = {p.name: p.value for p in former.parameters if p.name != INITIAL_SOC}
    parameters = tuple(replace(p, first=values.get(p.name, p.first)) for p in settings.parameters)
    return replace(settings, parameters=parameters)


def start_from_smaller(smaller: FitResult, settings: FitSettings) -> FitSettings:
    """Return the settings of a fit with the values of a fit that it contains as first guesses.

    What the smaller fit did not search begins at the value that it had there: the set's own, and the state of charge
    that followed from the rest voltage with the fitted values.

    Args:
        smaller: the fit whose values are used.
        settings: with bounds in the parameters' units.
    """
    values = {override.parameter: override.value for override in smaller.parameter_set.overrides}
    if smaller.beginning is not None:
        values = {INITIAL_SOC: smaller.beginning.soc, **values}
    parameters = tuple(replace(p, first=values.get(p.name)) for p in settings.parameters)
    return replace(settings, parameters=parameters)


def first_point(settings: FitSettings, start: int, default_values: Floats) -> Floats:
    """Choose the point at which a start begins.

    Start 0 begins at the first guesses; a parameter without one begins at the parameter set's own value, moved into
    the bounds. So does the start from a smaller fit, which keeps closer to a bound. The other starts begin at the
    points of a scrambled Sobol sequence (Owen 1998) with the fit's seed, whose first n points do not depend on the
    number of starts, or of a Latin hypercube (McKay 1979), whose points do.

    Args:
        settings: with bounds in the parameters' units.
        start: number of the start, from 0, or ``NESTED_START``.
        default_values: of the parameter set, shape (parameters,).

    Returns:
        From 0 to 1, shape (parameters,).
    """
    parameters = settings.parameters
    if start in (0, NESTED_START):
        margin = LEAST_UNIT if start == 0 else NESTED_MARGIN
        guesses = []
        for parameter, default in zip(parameters, default_values, strict=True):
            guess = default if parameter.first is None else parameter.first
            guesses.append(min(max(guess, parameter.lower), parameter.upper))
        return np.clip(to_scaled(parameters, np.array(guesses)), margin, 1.0 - margin)
    rng = np.random.default_rng(settings.seed)
    dimensions = len(parameters)
    if settings.first_points == "latin_hypercube":
        spread: Floats = qmc.LatinHypercube(dimensions, rng=rng).random(max(settings.starts - 1, start))[start - 1]
        return spread
    sequence = qmc.Sobol(dimensions, scramble=True, rng=rng)
    point: Floats = sequence.fast_forward(start).random(1)[0]
    return point
