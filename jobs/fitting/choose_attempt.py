"""Choose how a stretch of a fit is solved: once, with the parameter set's own values, for all that the fit tries."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from ...data.errors import JobError
from ..current_profile.compress import CurrentProfile, compress_record
from ..simulation.attempts import (
    ATTEMPTS,
    FINER_FACTORS,
    MOST_SAMPLES,
    RETRIED_CODES,
    SHIFT_LIMIT_MV,
    Attempt,
    ReplayProblem,
    check_charge,
    estimate_problem_error,
    solve_attempt,
)
from ..simulation.replay import Replayed
from .inputs import FitInputs

if TYPE_CHECKING:
    from .objective import ObjectivePart

TOLERANCE_FACTOR: Final = 0.5
"""Factor of the solver's tolerances in a fit: a tenth more time reduces an error of 0.2 mV, which shifts fitted values,
to 0.02 mV."""

DIFFERENCE_TOLERANCE_FACTOR: Final = 0.1
"""The same where slopes are differences: the solver's own errors must stay below these."""


def choose_attempt(part: ObjectivePart) -> ObjectivePart:
    """Choose the first way in which the parameter set's own values solve; the whole fit keeps to it.

    The fit also keeps to the outputs that were close enough there, until it refines them.

    Args:
        part: with any way to solve.
    """
    values = part.inputs.default_values()
    problem = part.make_problem(values, refine=True)
    for asked in ATTEMPTS:
        attempt = _tighten(asked, part.inputs)
        try:
            replayed = solve_attempt(attempt, problem)
            check_charge(problem, replayed)
        except JobError as error:
            if error.code not in RETRIED_CODES:
                break
            continue
        profile, replayed = _knots_within_limit(problem, attempt, replayed)
        known = {values.tobytes(): replayed}
        return replace(part, profile=profile, attempt=attempt, outputs=replayed.outputs, known=known)
    return replace(part, attempt=_tighten(ATTEMPTS[0], part.inputs))


def _knots_within_limit(
    problem: ReplayProblem, attempt: Attempt, replayed: Replayed
) -> tuple[CurrentProfile, Replayed]:
    """Return a profile whose knots shift the voltage by no more than a simulation allows, and its replay."""
    for factor in FINER_FACTORS:
        if estimate_problem_error(problem, replayed).shift_mv <= SHIFT_LIMIT_MV:
            break
        if np.isinf(factor) and len(problem.record.time_second) > MOST_SAMPLES:
            break
        finer = replace(problem, profile=compress_record(problem.record, problem.conditions.capacity_ah, factor))
        try:
            solved = solve_attempt(attempt, finer)
            check_charge(finer, solved)
        except JobError:
            break  # the knots before count
        problem, replayed = finer, solved
    return problem.profile, replayed


def _tighten(attempt: Attempt, inputs: FitInputs) -> Attempt:
    factor = DIFFERENCE_TOLERANCE_FACTOR if inputs.mesh_places else TOLERANCE_FACTOR
    return replace(attempt, tighter=factor * attempt.tighter)
