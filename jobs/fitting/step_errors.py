"""Errors of a fit by step type and by window after a step's start, on what it was fitted to and on what it held out."""

from __future__ import annotations

import numpy as np

from ...data.columns import ALL
from ...data.results.fitting import FitErrors, FitPart
from ...data.results.simulation import StepComparison
from ..record.step_windows import find_windows
from ..simulation.compare import compare, compare_steps, sum_errors
from .objective import Objective
from .residuals import Residuals


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
