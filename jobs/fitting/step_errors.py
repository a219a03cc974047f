"""Errors of a fit by step type and by window after a step's start, on what it was fitted to and on what it held out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ...data.arrays import Floats
from ...data.columns import ALL
from ...data.errors import JobError
from ...data.fit_settings import FitSettings
from ...data.results.fitting import FitErrors, FitPart
from ...data.results.simulation import StepComparison
from ..record.step_windows import find_windows
from ..simulation.compare import compare, compare_steps, sum_errors
from .objective import Objective, make_objective
from .residuals import Residuals


def make_held_out(samples: pd.DataFrame, settings: FitSettings, measured_celsius: float | None) -> Objective | None:
    """Make the objective of the held-out cycles or parts of a fit; its errors count without weights.

    Args:
        samples: a cleaned partition.
        settings: of the fit, with bounds in the parameters' units.
        measured_celsius: the cell's mean measured temperature in °C; ``None`` = nothing was measured.

    Returns:
        ``None`` = nothing is held out.
    """
    plain = replace(settings, objective=replace(settings.objective, weights=(), temperature_kelvin_as_mv=0.0))
    if settings.validation_select is not None:
        return make_objective(samples, plain, measured_celsius, select=settings.validation_select)
    if settings.validation_cycles:
        return make_objective(samples, plain, measured_celsius, settings.validation_cycles)
    return None


def compare_parts(
    objective: Objective, held_out: Objective | None, default_values: Floats, values: Floats
) -> dict[str, Any]:
    """Compare what was fitted and what was held out, with the parameter set's own and with the fitted values.

    Args:
        objective: of the fit.
        held_out: ``None`` = nothing was held out.
        default_values: the parameter set's own, shape (parameters,).
        values: fitted, likewise.

    Returns:
        Fields of :class:`kilocell.data.results.fitting.FitResult` by name; ``None`` where the model has no solution.
    """
    before, after = (_residuals_or_none(objective, one) for one in (default_values, values))
    found: dict[str, Any] = {
        "rmse_default_mv": getattr(before, "rmse_mv", None),
        "temperature_rmse_default_kelvin": getattr(before, "temperature_rmse_kelvin", None),
        "temperature_rmse_kelvin": getattr(after, "temperature_rmse_kelvin", None),
        "errors": compare_by_step("fitted", objective, before, after),
    }
    if held_out is None:
        return found
    before, after = (_residuals_or_none(held_out, one) for one in (default_values, values))
    return found | {
        "validation_default_rmse_mv": getattr(before, "rmse_mv", None),
        "validation_rmse_mv": getattr(after, "rmse_mv", None),
        "validation_temperature_rmse_kelvin": getattr(after, "temperature_rmse_kelvin", None),
        "errors": found["errors"] + compare_by_step("held_out", held_out, before, after),
    }


def _residuals_or_none(objective: Objective, values: Floats) -> Residuals | None:
    try:
        return objective.checked_residuals(values)
    except JobError:
        return None


def compare_by_step(
    part: FitPart, objective: Objective, before: Residuals | None, after: Residuals | None
) -> tuple[FitErrors, ...]:
    """Compare by step type and by window, with the parameter set's own and with the fitted values.

    The windows are those in which simulations are compared. Samples count without weights.

    Args:
        part: what the objective is of.
        objective: of the samples.
        before: with the parameter set's own values; ``None`` = the model has no solution with them.
        after: with the fitted values, likewise.

    Returns:
        One row for each step type and window with samples; ``all`` = all of them together.
    """
    if after is None:
        return ()
    rmse_before: dict[tuple[str, str], float] = {}
    if before is not None:
        rmse_before = {(one.step_type, one.window): one.rmse_mv for one in _compare(objective, before)}
    return tuple(
        FitErrors(
            part=part,
            step_type=one.step_type,
            window=one.window,
            samples=one.samples,
            rmse_default_mv=rmse_before.get((one.step_type, one.window)),
            rmse_mv=one.rmse_mv,
            bias_mv=one.bias_mv,
            worst_mv=one.worst_mv,
            worst_time_second=one.worst_time_second,
        )
        for one in _compare(objective, after)
    )


def _compare(objective: Objective, residuals: Residuals) -> list[StepComparison]:
    """Compare over all cycles together: all samples first, then step types and windows."""
    record = objective.record
    voltage = np.full(len(record.time_second), np.nan)
    voltage[objective.used] = record.voltage_volt[objective.used] + 1e-3 * residuals.error_mv
    sums = sum_errors(record, voltage, find_windows(record, objective.inputs.base.capacity_ah))
    whole = compare(sums, {})[0]
    errors = (whole.samples, whole.rmse_mv, whole.bias_mv, whole.worst_mv, whole.worst_time_second)
    return [StepComparison(0, ALL, ALL, *errors), *(one for one in compare_steps(sums) if one.cycle_count == 0)]
