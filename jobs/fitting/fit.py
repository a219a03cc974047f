"""Fit a model's parameters to one cell: run each start by itself, then choose the best and estimate its errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pandas as pd

from ...data.arrays import Floats
from ...data.convert import parameter_unit
from ...data.errors import JobError
from ...data.fit_settings import CELL_PARAMETERS, INITIAL_SOC, FitSettings
from ...data.results.cleaning import CleanResult
from ...data.results.fitting import (
    NESTED_START,
    Beginning,
    Correlation,
    FitResult,
    FittedParameter,
    StartResult,
)
from ...data.settings import ParameterSetSettings
from ..parameters.sets import is_function
from ..simulation.charge_effect import with_charge_doubt
from ..simulation.conditions import spread_over
from ..simulation.replay import Conditions
from .agreement import find_agreeing, find_best_start
from .early_stop import EarlyStopping, Rivals
from .evaluations import Journal
from .fit_error import with_fit_error
from .inputs import fitted_overrides
from .last_objective import make_objective_once
from .objective import Objective
from .refused import require_used
from .residuals import Residuals
from .search import Search
from .starts import LEAST_UNIT, MOST_UNIT, first_point, from_scaled, start_from_fit, start_from_smaller, to_scaled
from .step_errors import compare_parts, make_held_out
from .uncertain_state import describe_unfitted_state, with_added_state
from .uncertainty import (
    NO_EFFECT_MV,
    Optimum,
    Priors,
    Uncertainty,
    estimate_uncertainty,
    interval,
)
from .verdicts import (
    ModelError,
    describe_bound,
    describe_certainty,
    describe_fit,
    describe_partners,
    describe_starts,
    describe_state,
    describe_validation,
    judge_model_error,
    mark_unconverged,
)

AT_BOUND: Final = 1e-3
"""Distance on the scaled bounds within which a fitted value counts as at the bound."""

GIVEN_WORD: Final = ", given"
FITTED_WORD: Final = ", given by the fit"
"""How the source of a starting state ends: a fit gives its value to the model as a user would."""

RETURNS: Final = 2
"""Times that a start begins again after it ended without a solution."""


def run_start(
    samples: pd.DataFrame,
    settings: FitSettings,
    start: int,
    measured_celsius: float | None,
    journal: Journal | None = None,
    former: FitResult | None = None,
    rivals: Rivals | None = None,
) -> StartResult:
    """Run one start of a fit with the search method of the settings.

    Args:
        samples: a cleaned partition.
        start: number of the start, from 0.
        measured_celsius: the cell's mean measured temperature in °C, used where the settings give none; ``None`` =
            nothing was measured.
        journal: records evaluations and returns those of an earlier, interrupted run of this start; ``None`` =
            nothing is recorded.
        former: a fit whose values start 0 begins at, except the initial state of charge, or of ``NESTED_START`` the
            smaller fit; ``None`` = no such fit.
        rivals: returns the other starts that have ended, for ``stop_beaten``; ``None`` = there are none.

    Raises:
        JobError: the voltage is insensitive to a parameter (``no_effect``), or the start ended where the model has no
            solution (``no_solution``).
    """
    require_used(settings)
    objective = make_objective_once(samples, settings, measured_celsius)
    in_units = objective.settings
    search = Search(objective, in_units, journal, EarlyStopping(in_units, rivals))
    search.begin_coarse()
    defaults = objective.inputs.default_values()
    inside = np.clip(to_scaled(in_units.parameters, defaults), LEAST_UNIT, MOST_UNIT)
    start_settings = in_units
    if former is not None and start == NESTED_START:
        start_settings = start_from_smaller(former, in_units)
    elif former is not None:
        start_settings = start_from_fit(former, in_units)
    first = search.find_solvable_point(first_point(start_settings, start, defaults), inside)
    first_residuals = search.residuals(first)
    if not first_residuals.reason:
        _require_effect(in_units, first_residuals.all_slopes_mv)
    point, message = _search_within_range(search, first, inside)
    values = from_scaled(in_units.parameters, point)
    return StartResult(
        settings=with_added_state(settings, in_units),
        start=start,
        seed=settings.seed,
        first_values=tuple(float(v) for v in from_scaled(in_units.parameters, first)),
        values=tuple(float(v) for v in values),
        rmse_first_mv=first_residuals.rmse_mv,
        rmse_mv=_final_rmse_mv(search, point),
        evaluations=search.evaluations,
        message=message,
        cost=search.best.cost,
        stopped=search.stopped,
        converged=search.converged or bool(search.stopped),
        data_cost=search.best.data_cost(search),
        prior_squares=search.prior_squares(search.best.unit),
    )


def _search_within_range(search: Search, first: Floats, inside: Floats) -> tuple[Floats, str]:
    """Search, and return into the range of the model where the search ended outside; return point and message.

    Args:
        first: where the search begins, from 0 to 1, shape (parameters,).
        inside: where the model is expected to have a solution, likewise.
    """
    point, message = search.run(first)
    for attempt in range(RETURNS + 1):
        if search.stopped or not search.best.is_without_solution:
            break
        is_last = attempt == RETURNS
        edge = search.retreat(point, np.inf) if is_last else search.retreat(point)
        if edge is not None:
            return edge, f"{message} The minimum is at the edge of the model's range."
        if not is_last:
            # It ended far from a solution: the search begins again halfway to the set's own values.
            point, message = search.run(search.find_solvable_point(inside + 0.5 * (point - inside), inside))
    if search.is_at_wall():
        return _search_from_wall(search, point, message, inside)
    return point, message


def _search_from_wall(search: Search, point: Floats, message: str, inside: Floats) -> tuple[Floats, str]:
    """Search again from halfway to the set's own values, and return the better end: point and message.

    Args:
        search: ended at the steep edge of the model's range, where its steps became too small.
        point, message: of this end.
        inside: where the model is expected to have a solution, from 0 to 1, shape (parameters,).
    """
    before = search.best
    again, words = search.run(search.find_solvable_point(inside + 0.5 * (point - inside), inside))
    if search.best.is_without_solution or search.best.cost >= before.cost:
        search.best = before
        return point, f"{message.rstrip('.')}; it is at the edge of the model's range"
    return again, f"{words.rstrip('.')}; it had begun again, away from the edge of the model's range"


def _final_rmse_mv(search: Search, point: Floats) -> float:
    """RMSE in mV at the point that a start ended at, from 0 to 1, shape (parameters,).

    Raises:
        JobError: the model has no solution there (``no_solution``).
    """
    settled = search.settled
    if settled is not None and settled.residuals is not None and np.array_equal(settled.unit, point):
        return settled.residuals.rmse_mv
    try:
        return search.objective.rmse_mv(from_scaled(search.settings.parameters, point))
    except JobError as error:
        reason = f"the start ended where the model has no solution ({error}); narrow the bounds"
        raise JobError(reason, "no_solution") from error


def _require_effect(settings: FitSettings, slopes_mv: Floats) -> None:
    """Refuse parameters that the voltage is insensitive to: no fit could find them.

    Args:
        slopes_mv: by each scaled parameter, mV, shape (used samples, parameters).
    """
    rms = np.sqrt(np.mean(slopes_mv**2, axis=0))
    names = [repr(p.name) for p, effect in zip(settings.parameters, rms, strict=True) if not effect > NO_EFFECT_MV]
    if names:
        reason = f"the {settings.model.name} voltage is insensitive to {', '.join(names)} in this record"
        advice = "leave it out of the fit, or choose model options that use it"
        raise JobError(f"{reason}; {advice}", "no_effect")


def combine_starts(
    samples: pd.DataFrame,
    settings: FitSettings,
    starts: tuple[StartResult, ...],
    measured_celsius: float | None,
    cleaned: CleanResult | None = None,
) -> FitResult:
    """Choose the best start and estimate the errors of its values, with the RMSE of the parameter set's own values.

    Args:
        samples: a cleaned partition.
        starts: of the same settings, in any order.
        measured_celsius: the cell's mean measured temperature in °C; ``None`` = nothing was measured.
        cleaned: what cleaning knows of the charge, for the error budget; ``None`` = nothing.

    Raises:
        JobError: no start ended with a result (``no_start``).
    """
    if not starts:
        raise JobError("none of the starts ended with a result; their logs say why", "no_start")
    objective = make_objective_once(samples, settings, measured_celsius)
    in_units = objective.settings
    settings = with_added_state(settings, in_units)
    best = find_best_start(starts, Search(objective, in_units))
    values = np.array(best.values)
    objective, _ = objective.refine_outputs(values)
    defaults = objective.inputs.default_values()
    residuals = objective.residuals(values)
    unit = to_scaled(in_units.parameters, values)
    search = Search(objective, in_units)
    search.adopt(unit, residuals)
    search.weigh_priors(residuals)
    errors = estimate_errors(objective, search, unit, residuals)
    noise_mv = objective.noise_mv()
    model = judge_model_error(best.rmse_mv, noise_mv, errors)
    fitted = _fitted_parameters(in_units, best, defaults, errors, model)
    done = sum(s.is_done for s in starts)
    agreeing = find_agreeing(search, best, unit, residuals, starts)
    compared = compare_parts(objective, make_held_out(samples, in_units, measured_celsius), defaults, values)
    start = _describe_start(objective, values, cleaned)
    agreement = describe_starts(best, len(agreeing), done, len(starts) - done)
    doubts = _describe_doubts(objective, best.rmse_mv, compared, start)
    result = FitResult(
        settings=settings,
        rmse_mv=best.rmse_mv,
        parameters=fitted,
        parameter_set=_fitted_set(in_units, values),
        samples=len(residuals.error_mv),
        noise_mv=noise_mv,
        correlations=_correlations(in_units, errors),
        verdict=describe_fit(fitted, agreement, model, doubts),
        beginning=make_beginning(objective.inputs.find_conditions(objective.inputs.resolve(values))),
        **compared,
        **start,
        **_describe_errors(errors),
        **_count_starts(starts, best, agreeing),
    )
    return with_fit_error(result, objective, values, cleaned)


def _describe_doubts(
    objective: Objective, rmse_mv: float, compared: Mapping[str, Any], start: Mapping[str, Any]
) -> tuple[str, ...]:
    """The clauses of a verdict on what was held out, and on the starting state; "" = no doubt.

    Args:
        rmse_mv: of the fit, mV.
        compared: fields of the result on its errors.
        start: fields of the result on its starting states.
    """
    held_out_mv = (compared.get("validation_rmse_mv"), compared.get("validation_default_rmse_mv"))
    return (
        describe_validation(rmse_mv, *held_out_mv),
        describe_state(start, rmse_mv),
        describe_unfitted_state(objective.settings, [part.inputs.stretch for part in objective.parts]),
    )


def _count_starts(starts: Sequence[StartResult], best: StartResult, agreeing: list[StartResult]) -> dict[str, Any]:
    """The fields of a result on its starts."""
    done = sum(s.is_done for s in starts)
    stopped = sum(bool(s.stopped) for s in starts)
    return {
        "best_start": best.start,
        "starts_done": done,
        "starts_agreeing": len(agreeing),
        "agreeing_within": _largest_disagreement(agreeing) if agreeing else None,
        "starts_stopped": stopped,
        "starts_unconverged": len(starts) - done - stopped,
        "agreeing_starts": tuple(sorted(s.start for s in agreeing)),
        "data_cost": best.data_cost,
    }


def _describe_errors(errors: Uncertainty) -> dict[str, Any]:
    """The fields of a result on its residuals and on what the record determines."""
    return {
        "residual_systematic": errors.residual_systematic,
        "model_error_mv": errors.model_error_mv,
        "residual_correlation_second": errors.correlation_second,
        "residual_correlation_samples": errors.correlation_samples,
        "condition_number": errors.condition_number,
    }


def _fitted_set(settings: FitSettings, values: Floats) -> ParameterSetSettings:
    """The base set with the fitted values, under the name of the fitted set."""
    overrides = fitted_overrides(settings, values)
    return replace(settings.parameter_set, name=settings.fitted_name, overrides=overrides)


def _describe_start(objective: Objective, values: Floats, cleaned: CleanResult | None) -> dict[str, Any]:
    """The fields of a result on its starting states: source of the first, largest uncertainty of all stretches."""
    states = []
    for part in objective.parts:
        case = part.inputs.resolve(values)
        conditions = part.inputs.find_conditions(case)
        if conditions.state.uncertainty_soc is not None and cleaned is not None:
            stretch = part.inputs.stretch
            known = replace(stretch, cell_record=with_charge_doubt(stretch.cell_record, cleaned))
            conditions = known.find_conditions(case, conditions.temperature)
        states.append(spread_over(conditions, part.record, case).state)
    millivolts = [state.uncertainty_mv for state in states if state.uncertainty_mv is not None]
    socs = [state.uncertainty_soc for state in states if state.uncertainty_soc is not None]
    source = states[0].source
    if any(parameter.name == INITIAL_SOC for parameter in objective.settings.parameters):
        source = source.replace(GIVEN_WORD, FITTED_WORD)
    return {
        "initial_state_source": source,
        "state_uncertainty_mv": max(millivolts, default=None),
        "state_uncertainty_soc": max(socs, default=None),
    }


def make_beginning(conditions: Conditions) -> Beginning:
    """Describe how a replay under these conditions begins; a fit keeps this with its parameter set."""
    state = conditions.state
    temperature = conditions.temperature
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


def estimate_errors(objective: Objective, search: Search, unit: Floats, residuals: Residuals) -> Uncertainty:
    """Estimate standard errors and correlations at a point; parameters at a bound are taken as known.

    Args:
        search: of the same objective; it knows the priors.
        unit: the point, from 0 to 1, shape (parameters,).
        residuals: at this point, with slopes.
    """
    optimum = describe_optimum(objective, search, unit, residuals)
    return estimate_uncertainty(optimum, objective.settings.objective)


def describe_optimum(objective: Objective, search: Search, unit: Floats, residuals: Residuals) -> Optimum:
    """Collect what the errors are estimated from; the arguments are those of :func:`estimate_errors`."""
    channels = objective.channels(residuals)
    return Optimum(
        error_mv=residuals.error_mv,
        slopes_mv=residuals.slopes_mv,
        weights=objective.weights,
        series=channels[0].series,
        free=(unit > AT_BOUND) & (unit < 1.0 - AT_BOUND),
        priors=Priors(*search.prior_residuals(unit), search.prior_mv),
        second=channels[1] if len(channels) > 1 else None,
    )


def _largest_disagreement(starts: list[StartResult]) -> float:
    """Largest relative difference of any parameter between starts."""
    values = np.array([s.values for s in starts])
    size = np.maximum(np.abs(values).max(axis=0), np.finfo(float).tiny)
    return float(np.max(np.ptp(values, axis=0) / size))


def _fitted_parameters(
    settings: FitSettings, best: StartResult, defaults: Floats, errors: Uncertainty, model: ModelError
) -> tuple[FittedParameter, ...]:
    """Describe the parameters at the end of the best start."""
    places = range(len(settings.parameters))
    fitted = tuple(_fitted_parameter(settings, place, best.values, defaults, errors, model) for place in places)
    if best.is_done:
        return fitted
    return tuple(mark_unconverged(parameter) for parameter in fitted)


def _fitted_parameter(
    settings: FitSettings,
    place: int,
    values: tuple[float, ...],
    defaults: Floats,
    errors: Uncertainty,
    model: ModelError,
) -> FittedParameter:
    parameter = settings.parameters[place]
    value = values[place]
    is_factor = parameter.name not in CELL_PARAMETERS and is_function(settings.parameter_set.key, parameter.name)
    error = float(errors.standard_error[place])
    at_bound = bool(np.isnan(error))
    result = FittedParameter(
        name=parameter.name,
        unit="" if is_factor else parameter_unit(parameter.name),
        value=value,
        default=float(defaults[place]),
        lower=parameter.lower,
        upper=parameter.upper,
        scale=parameter.scale,
        at_bound=at_bound,
        is_factor=is_factor,
    )
    if at_bound:
        return replace(result, verdict=describe_bound(parameter, value))
    size, low, high = interval(parameter, value, error, errors.quantile)
    row = np.nan_to_num(errors.correlation[place])
    others = {p.name: float(row[k]) for k, p in enumerate(settings.parameters) if k != place}
    verdict = describe_certainty(parameter, value, size, errors.quantile, describe_partners(others), model)
    if not np.isfinite(size):
        return replace(result, verdict=verdict)
    return replace(result, standard_error=size, lower_95=low, upper_95=high, verdict=verdict)


def _correlations(settings: FitSettings, errors: Uncertainty) -> tuple[Correlation, ...]:
    names = [p.name for p in settings.parameters]
    return tuple(
        Correlation(names[j], names[k], float(errors.correlation[j, k]))
        for j in range(len(names))
        for k in range(j)
        if np.isfinite(errors.correlation[j, k])
    )
