"""The parts of a fit's error budget: what its voltage may be off by at the fitted values, apart from the model."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Final

from ...data.arrays import Floats
from ...data.error_budget import budget_of_result, describe_doubt
from ...data.errors import JobError
from ...data.results.cleaning import CleanResult
from ...data.results.fitting import FitResult
from ..current_profile.compression_error import CompressionError, join_errors
from ..models.set_checks import describe_full_layers
from ..simulation.attempts import ReplayProblem, estimate_problem_error, solve_attempt
from ..simulation.charge_effect import carried_uncertainty_ah, charge_uncertainty_mv
from ..simulation.numerical_error import estimate_error
from ..simulation.replay import Replayed
from .objective import Objective, ObjectivePart

FRACTION_WORDS: Final = ("volume fraction", "porosity")
"""Words in the names of parameters that share the volume of an electrode."""


def with_fit_error(
    result: FitResult, objective: Objective, values: Floats, cleaned: CleanResult | None = None
) -> FitResult:
    """Return the result of a fit with its error budget; its verdict says what is too large, or cannot be.

    Args:
        result: with its starting state.
        objective, values, cleaned: as of :func:`estimate_fit_error`.
    """
    result = replace(result, **estimate_fit_error(objective, values, cleaned))
    doubts = [describe_doubt(budget_of_result(result))]
    if any(word in parameter.name for parameter in result.parameters for word in FRACTION_WORDS):
        doubts += describe_full_layers(result.parameter_set)
    return replace(result, verdict="; ".join(filter(None, (result.verdict, *doubts))))


def estimate_fit_error(objective: Objective, values: Floats, cleaned: CleanResult | None) -> dict[str, Any]:
    """Estimate the error of the solver, of the compressed current and of the charge in a fit's voltage.

    Each stretch is solved twice: as the fit does, and more carefully.

    Args:
        objective: of the fit.
        values: fitted, shape (parameters,).
        cleaned: what cleaning knows of the charge; ``None`` = nothing.

    Returns:
        The fields ``numerical_error_rmse_mv``, ``compression_rmse_mv`` and ``charge_uncertainty_mv`` of a result;
        ``None`` = unknown.
    """
    problems = [part.make_problem(values) for part in objective.parts]
    try:
        replays = [part.replay(one, values) for part, one in zip(objective.parts, problems, strict=True)]
    except JobError:
        return {"numerical_error_rmse_mv": None, "compression_rmse_mv": None, "charge_uncertainty_mv": None}
    solved = list(zip(objective.parts, problems, replays, strict=True))
    error = join_errors([(_error_of(*one), len(one[0].used)) for one in solved])
    carried: list[float] = []
    if objective.settings.cell.initial_state.policy == "previous_cycle":
        stretches = [part.inputs.stretch for part in objective.parts]
        carried = carried_uncertainty_ah(stretches[0].cell_record, [one.start.lead for one in stretches], cleaned)
    whole = not objective.settings.cycles and objective.settings.select is None
    used: list[Any] = [(problem, replayed, part.used) for part, problem, replayed in solved]
    return {
        "numerical_error_rmse_mv": error.numerical.rmse_mv if math.isfinite(error.numerical.rmse_mv) else None,
        "compression_rmse_mv": error.rmse_mv,
        "charge_uncertainty_mv": charge_uncertainty_mv(used, cleaned, whole=whole, carried_ah=carried),
    }


def _error_of(part: ObjectivePart, problem: ReplayProblem, replayed: Replayed) -> CompressionError:
    """The effect of the compressed current in one stretch, with the error of the solver."""

    def solve(careful: ReplayProblem, tighter: float) -> Replayed:
        return solve_attempt(replace(part.attempt, tighter=tighter * part.attempt.tighter), careful)

    return replace(estimate_problem_error(problem, replayed), numerical=estimate_error(problem, replayed, solve))
