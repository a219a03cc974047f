"""Fit of a model's parameters to one cell: each start on its own, then the best of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import least_squares

from ..data.convert import unit_of
from ..data.errors import JobError
from ..data.settings import FitParameter, FitSettings
from ..data.values import FitResult, FittedParameter, StartResult
from .objective import Objective
from .parameters import is_function
from .starts import first_point, from_unit, to_unit

Floats = NDArray[np.float64]


STEP = 5e-3  # finite-difference step, as a share of the scaled bounds: well above the solver's own noise
AT_BOUND = 1e-3  # a fitted value within this share of its bounds counts as at the bound
AGREE_MV = 0.5  # starts whose RMSE is within this of the best found the same minimum


def run_start(samples: pd.DataFrame, settings: FitSettings, start: int, measured_celsius: float | None) -> StartResult:
    """Run one start: SciPy's bounded least squares (trust region reflective) on the residuals in mV.

    The parameters are scaled to 1 (lower bound) ... 2 (upper bound), so that relative steps are alike for all.

    Raises:
        JobError: the start ended where the model has no solution (``no_solution``).
    """
    objective = Objective(samples, settings, measured_celsius)
    first = first_point(settings, start, objective.default_values())

    def residuals(scaled: Floats) -> Floats:
        return objective.residuals_mv(from_unit(settings.parameters, scaled - 1.0))

    rmse_first = _rms(residuals(first + 1.0))
    found = least_squares(
        residuals,
        first + 1.0,
        bounds=(1.0, 2.0),
        diff_step=STEP,
        xtol=1e-5,
        ftol=1e-6,
        max_nfev=settings.max_evaluations,
    )
    values = from_unit(settings.parameters, found.x - 1.0)
    try:
        rmse = objective.rmse_mv(values)
    except JobError as error:
        raise JobError(
            f"the start ended where the model has no solution ({error}); narrow the bounds", "no_solution"
        ) from error
    return StartResult(
        settings=settings,
        start=start,
        seed=settings.seed,
        first_values=tuple(float(v) for v in from_unit(settings.parameters, first)),
        values=tuple(float(v) for v in values),
        rmse_first_mv=rmse_first,
        rmse_mv=rmse,
        evaluations=objective.evaluations,
        message=str(found.message),
    )


def best_of(
    samples: pd.DataFrame, settings: FitSettings, starts: tuple[StartResult, ...], measured_celsius: float | None
) -> FitResult:
    """Take the best start as the fit's result, beside the parameter set's own RMSE on the same samples.

    Raises:
        JobError: no start ended with a result (``no_start``).
    """
    if not starts:
        raise JobError("none of the starts ended with a result; their logs say why", "no_start")
    best = min(starts, key=lambda s: (s.rmse_mv, s.start))
    objective = Objective(samples, settings, measured_celsius)
    defaults = objective.default_values()
    key = settings.parameter_set.key
    fitted = tuple(
        _fitted(p, v, float(d), key) for p, v, d in zip(settings.parameters, best.values, defaults, strict=True)
    )
    return FitResult(
        settings=settings,
        best_start=best.start,
        starts_done=len(starts),
        starts_agreeing=sum(s.rmse_mv <= best.rmse_mv + AGREE_MV for s in starts),
        rmse_default_mv=_default_rmse_mv(objective, defaults),
        rmse_mv=best.rmse_mv,
        parameters=fitted,
        parameter_set=replace(
            settings.parameter_set, name=settings.fitted_name, overrides=objective.overrides(np.array(best.values))
        ),
    )


def _default_rmse_mv(objective: Objective, defaults: Floats) -> float | None:
    try:
        return objective.rmse_mv(defaults)
    except JobError:
        return None


def _fitted(parameter: FitParameter, value: float, default: float, key: str) -> FittedParameter:
    share = float(to_unit((parameter,), np.array([value]))[0])
    factor = is_function(key, parameter.name)
    return FittedParameter(
        name=parameter.name,
        unit="" if factor else unit_of(parameter.name),
        value=value,
        default=default,
        lower=parameter.lower,
        upper=parameter.upper,
        scale=parameter.scale,
        at_bound=not AT_BOUND < share < 1.0 - AT_BOUND,
        is_factor=factor,
    )


def _rms(residuals: Floats) -> float:
    return float(np.sqrt(np.mean(residuals**2)))
