"""Fit of a model's parameters to one cell: each start on its own, then the best of them and how far to believe it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from ...data.arrays import Floats
from ...data.convert import parameter_unit
from ...data.errors import JobError
from ...data.fit_settings import CELL_PARAMETERS, FitSettings
from ...data.results.fitting import Beginning, Correlation, FitResult, FittedParameter, StartResult, agrees
from ..parameters.sets import is_function
from ..simulation.replay import Conditions
from .early_stop import EarlyStopping, Rivals
from .objective import Objective, Residuals
from .search import Journal, Search
from .starts import first_point, from_scaled, start_from_fit, to_scaled
from .uncertainty import (
    NO_EFFECT_MV,
    STRONG_CORRELATION,
    Uncertainty,
    describe_certainty,
    estimate_uncertainty,
    interval,
)

AT_BOUND = 1e-3  # a fitted value within this share of its bounds counts as at the bound
RETURNS = 2  # times that a start which ended without a solution begins again


def run_start(
    samples: pd.DataFrame,
    settings: FitSettings,
    start: int,
    measured_celsius: float | None,
    journal: Journal | None = None,
    former: FitResult | None = None,
    rivals: Rivals | None = None,
) -> StartResult:
    """Run one start of a fit by the search that the settings name.

    Args:
        former: the fit whose values the first start begins at, those of the cell's state aside.
        journal: where evaluations are noted, and recalled from when this start was begun before.
        rivals: gives the other starts that have ended, for ``stop_beaten``; ``None`` = there are none.

    Raises:
        JobError: a parameter does nothing to the voltage (``no_effect``), or the start ended where the model has no
            solution (``no_solution``).
    """
    objective = Objective(samples, settings, measured_celsius)
    asked, settings = settings, objective.settings
    search = Search(objective, settings, journal, EarlyStopping(settings, rivals))
    defaults = objective.inputs.default_values()
    inside = np.clip(to_scaled(settings.parameters, defaults), 0.02, 0.98)
    own = settings if former is None else start_from_fit(former, settings)
    first = search.find_solvable_point(first_point(own, start, defaults), inside)
    found = search.residuals(first)
    if not found.reason:
        _require_effect(settings, found.slopes_mv)
    point, message = search.run(first)
    for _ in range(RETURNS):
        if search.stopped or not search.without_solution:
            break
        # It ended where the model has none: the search begins again half way to the set's own values.
        point, message = search.run(search.find_solvable_point(inside + 0.5 * (point - inside), inside))
    values = from_scaled(settings.parameters, point)
    try:
        rmse = objective.rmse_mv(values)
    except JobError as error:
        raise JobError(
            f"the start ended where the model has no solution ({error}); narrow the bounds", "no_solution"
        ) from error
    return StartResult(
        settings=asked,
        start=start,
        seed=settings.seed,
        first_values=tuple(float(v) for v in from_scaled(settings.parameters, first)),
        values=tuple(float(v) for v in values),
        rmse_first_mv=found.rmse_mv,
        rmse_mv=rmse,
        evaluations=search.evaluations,
        message=message,
        cost=search.best[0],
        stopped=search.stopped,
    )


def _require_effect(settings: FitSettings, slopes_mv: Floats) -> None:
    """Refuse parameters that the voltage does not follow at all: no fit could find them."""
    moved = np.sqrt(np.mean(slopes_mv**2, axis=0))
    names = [repr(p.name) for p, rms in zip(settings.parameters, moved, strict=True) if not rms > NO_EFFECT_MV]
    if names:
        reason = f"{', '.join(names)} does nothing to the voltage of {settings.model.name} with this record"
        raise JobError(f"{reason}; leave it out, or choose model options that use it", "no_effect")


def combine_starts(
    samples: pd.DataFrame, settings: FitSettings, starts: tuple[StartResult, ...], measured_celsius: float | None
) -> FitResult:
    """Take the best start as the fit's result, with errors, beside the parameter set's own RMSE on the same samples.

    Raises:
        JobError: no start ended with a result (``no_start``).
    """
    if not starts:
        raise JobError("none of the starts ended with a result; their logs say why", "no_start")
    best = min(starts, key=lambda s: (s.ranked_by, s.start))
    objective = Objective(samples, settings, measured_celsius)
    asked, settings = settings, objective.settings
    values, defaults = np.array(best.values), objective.inputs.default_values()
    unit = to_scaled(settings.parameters, values)
    objective.refine_outputs(values)
    found = objective.residuals(values)
    errors = estimate_errors(objective, Search(objective, settings), unit, found)
    fitted = tuple(_fitted(settings, place, best.values, defaults, errors) for place in range(len(values)))
    ended = [s for s in starts if not s.stopped]
    agreeing = [s for s in ended if agrees(s.rmse_mv, best.rmse_mv)]
    within = _largest_disagreement(agreeing) if agreeing else None
    before, after = _validation(samples, settings, defaults, values, measured_celsius)
    own = settings.parameter_set
    return FitResult(
        settings=asked,
        best_start=best.start,
        starts_done=len(ended),
        starts_agreeing=len(agreeing),
        rmse_default_mv=_rmse_or_none(objective, defaults),
        rmse_mv=best.rmse_mv,
        parameters=fitted,
        parameter_set=replace(own, name=settings.fitted_name, overrides=objective.inputs.overrides(values)),
        agreeing_within=within,
        samples=len(found.error_mv),
        noise_mv=objective.noise_mv(),
        residual_correlation_samples=errors.correlation_samples,
        condition_number=errors.condition_number,
        correlations=_correlations(settings, errors),
        validation_rmse_mv=after,
        validation_default_rmse_mv=before,
        verdict=_verdict(fitted, len(agreeing), len(ended), len(starts) - len(ended), best),
        starts_stopped=len(starts) - len(ended),
        beginning=make_beginning(objective.inputs.conditions(values)),
    )


def make_beginning(conditions: Conditions) -> Beginning:
    """How a replay under these conditions begins, as a fit keeps it with its set."""
    state, temperature = conditions.state, conditions.temperature
    return Beginning(
        inputs=state.inputs,
        soc=state.soc,
        voltage_volt=state.voltage_volt,
        source=state.source,
        electrodes_in_parallel=float(conditions.electrodes_in_parallel),
        capacity_ah=float(conditions.capacity_ah),
        temperature_celsius=temperature.celsius,
        temperature_varies=temperature.profile is not None,
    )


def estimate_errors(objective: Objective, search: Search, unit: Floats, found: Residuals) -> Uncertainty:
    """Return standard errors and correlations at a point (0 to 1); parameters at a bound are taken as known."""
    free = (unit > AT_BOUND) & (unit < 1.0 - AT_BOUND)
    prior_slopes = search.prior_residuals(unit)[1]
    return estimate_uncertainty(found.error_mv, found.slopes_mv, objective.weights, free, prior_slopes, search.prior_mv)


def _validation(
    samples: pd.DataFrame, settings: FitSettings, defaults: Floats, values: Floats, measured_celsius: float | None
) -> tuple[float | None, float | None]:
    """RMSE on the cycles held out, with the set's own and with the fitted values."""
    if not settings.validation_cycles:
        return None, None
    held_out = Objective(samples, settings, measured_celsius, settings.validation_cycles)
    return _rmse_or_none(held_out, defaults), _rmse_or_none(held_out, values)


def _rmse_or_none(objective: Objective, values: Floats) -> float | None:
    try:
        return objective.rmse_mv(values)
    except JobError:
        return None


def _largest_disagreement(starts: list[StartResult]) -> float:
    """Largest relative difference of any parameter between starts."""
    values = np.array([s.values for s in starts])
    size = np.maximum(np.abs(values).max(axis=0), np.finfo(float).tiny)
    return float(np.max(np.ptp(values, axis=0) / size))


def _fitted(
    settings: FitSettings, place: int, values: tuple[float, ...], defaults: Floats, errors: Uncertainty
) -> FittedParameter:
    parameter, value = settings.parameters[place], values[place]
    own = parameter.name in CELL_PARAMETERS
    factor = not own and is_function(settings.parameter_set.key, parameter.name)
    error = float(errors.standard_error[place])
    at_bound = bool(np.isnan(error))
    result = FittedParameter(
        name=parameter.name,
        unit="" if factor else parameter_unit(parameter.name),
        value=value,
        default=float(defaults[place]),
        lower=parameter.lower,
        upper=parameter.upper,
        scale=parameter.scale,
        at_bound=at_bound,
        is_factor=factor,
    )
    if at_bound:
        end = "upper" if value > 0.5 * (parameter.lower + parameter.upper) else "lower"
        return replace(result, verdict=f"at its {end} bound: widen the bounds, or fix it")
    size, low, high = interval(parameter, value, error, errors.quantile)
    words = describe_certainty(value, size, errors.quantile, _partners(settings, place, errors))
    if not np.isfinite(size):
        return replace(result, verdict=words)
    return replace(result, standard_error=size, lower_95=low, upper_95=high, verdict=words)


def _partners(settings: FitSettings, place: int, errors: Uncertainty) -> str:
    """The parameters whose errors move with those of one, in words."""
    row = np.nan_to_num(errors.correlation[place])
    names = [
        f"{settings.parameters[k].name} ({row[k]:+.2f})"
        for k in np.argsort(-np.abs(row))
        if k != place and abs(row[k]) >= STRONG_CORRELATION
    ]
    return f"; moves together with {', '.join(names)}" if names else ""


def _correlations(settings: FitSettings, errors: Uncertainty) -> tuple[Correlation, ...]:
    names = [p.name for p in settings.parameters]
    return tuple(
        Correlation(names[j], names[k], float(errors.correlation[j, k]))
        for j in range(len(names))
        for k in range(j)
        if np.isfinite(errors.correlation[j, k])
    )


def _verdict(fitted: tuple[FittedParameter, ...], agreeing: int, starts: int, stopped: int, best: StartResult) -> str:
    """The fit in a sentence or two: what is known, what is not, and whether the starts agree.

    Args:
        starts: that came to their end, of which ``agreeing`` agree with the best of all; others ``stopped`` early.
    """
    parts = [
        f"the bounds of {p.name} leave out the set's own value, {p.default:.4g}"
        for p in fitted
        if not p.lower <= p.default <= p.upper
    ]
    well = [p.name for p in fitted if p.verdict.startswith("well")]
    if len(well) == len(fitted):
        parts.append("all parameters are well determined")
    else:
        parts += [f"{p.name}: {p.verdict}" for p in fitted if not p.verdict.startswith("well")]
    if best.stopped:
        parts.append(f"the best start, {best.start}, {best.message}")
    elif starts == 1:
        others = f" came to its end, {stopped} stopped early" if stopped else ""
        parts.append(f"one start alone{others}: another minimum cannot be ruled out")
    elif agreeing == 1:
        parts.append(f"the starts disagree: only one of {starts} ended at the best minimum")
    elif 2 * agreeing < starts:
        parts.append(f"{agreeing} of {starts} starts agree on the minimum")
    return "; ".join(parts)
