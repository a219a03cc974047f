"""Solve a replay until the errors of the compressed current and of the solver are within their limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from ...data.errors import JobError
from ..current_profile.compress import compress_record
from ..current_profile.compression_error import CompressionError
from .attempts import (
    ATTEMPTS,
    FINER_FACTORS,
    MOST_SAMPLES,
    SHIFT_LIMIT_MV,
    Attempt,
    ReplayProblem,
    check_charge,
    estimate_problem_error,
    find_attempt,
    solve_attempt,
)
from .numerical_error import TIGHTER, control_error, is_checked_whole, solve_carefully
from .replay import Replayed, ReplayEndedError, check_range

LOOSER: Final = 1.0 / TIGHTER
"""Factor of the tolerances of a scout, which shows where outputs are needed; its difference from the next replay bounds
the error of that one as well as that of any two replays whose tolerances differ by ``TIGHTER``."""


def try_attempts_within_limit(
    problem: ReplayProblem,
) -> tuple[ReplayProblem, Replayed, tuple[str, ...], CompressionError]:
    """Try to solve, and solve again while the error of the compressed current or of the solver is beyond its limit.

    A record of usual length is solved with loose tolerances first, and then with those that were asked for.

    Returns:
        The problem as it was solved in the end, its replay, what was tried, and the effect of the compression with the
        numerical error.

    Raises:
        JobError: no attempt with the first knots succeeded. If finer knots fail, the result before them counts.
    """
    if is_checked_whole(problem):
        try:
            return _try_with_scout(problem)
        except ReplayEndedError as error:
            if error.code == "time_limit":
                raise
    found, attempt, replayed, attempts, compression = _try_knots_within_limit(problem, find_attempt)
    replayed, numerical = control_error(found, replayed, *_ways_to_solve(found, attempt))
    return found, replayed, (*attempts, *numerical.attempts), replace(compression, numerical=numerical)


def _try_with_scout(problem: ReplayProblem) -> tuple[ReplayProblem, Replayed, tuple[str, ...], CompressionError]:
    """Solve in the first way: loosely, with no more outputs than the profile needs, and then as asked.

    Raises:
        ReplayEndedError: one of both failed.
    """
    found, attempt, scout, attempts, compression = _try_knots_within_limit(problem, _send_scout)
    solve, check = _ways_to_solve(found, attempt)
    replayed, numerical = solve_carefully(found, scout, solve, check)
    return found, replayed, (*attempts, *numerical.attempts), replace(compression, numerical=numerical)


def _send_scout(problem: ReplayProblem) -> tuple[Attempt, Replayed, tuple[str, ...]]:
    attempt = ATTEMPTS[0]
    scout = solve_attempt(replace(attempt, tighter=LOOSER * attempt.tighter), replace(problem, refine=False))
    check_range(scout)
    return attempt, scout, (f"{attempt.words}: done",)


def _ways_to_solve(
    problem: ReplayProblem, attempt: Attempt
) -> tuple[Callable[[ReplayProblem, float], Replayed], Callable[[Replayed], None]]:
    """Return what solves a problem in the way that worked, with other tolerances, and what checks its replay."""

    def solve(careful: ReplayProblem, tighter: float) -> Replayed:
        way = replace(attempt, tighter=tighter * attempt.tighter)
        try:
            return solve_attempt(way, careful)
        except JobError:
            if not way.algebraic_error:
                raise
        return solve_attempt(replace(way, algebraic_error=False), careful)

    def check(careful: Replayed) -> None:
        check_range(careful)
        check_charge(problem, careful)

    return solve, check


def _try_knots_within_limit(
    problem: ReplayProblem, find: Callable[[ReplayProblem], tuple[Attempt, Replayed, tuple[str, ...]]]
) -> tuple[ReplayProblem, Attempt, Replayed, tuple[str, ...], CompressionError]:
    """Try to solve, and solve again with finer knots while the compression shifts the voltage beyond the limit."""
    attempt, replayed, attempts = find(problem)
    error = estimate_problem_error(problem, replayed)
    for factor in FINER_FACTORS:
        if error.shift_mv <= SHIFT_LIMIT_MV:
            break
        shift = f"{len(problem.profile.time_second)} knots shift the voltage by {error.shift_mv:.2g} mV RMSE"
        if np.isinf(factor) and len(problem.record.time_second) > MOST_SAMPLES:
            return problem, attempt, replayed, (*attempts, f"{shift}; too many samples for a knot at each"), error
        finer_words = f"tolerances of the knots {factor:g} times smaller"
        if np.isinf(factor):
            finer_words = "every sample a knot"
        finer_profile = compress_record(problem.record, problem.conditions.capacity_ah, factor)
        finer = replace(problem, profile=finer_profile)
        try:
            attempt, replayed, more = find(finer)
        except JobError as failed:
            reason = f"{shift}; {finer_words}: {failed}; the knots before count"
            return problem, attempt, replayed, (*attempts, reason), error
        problem = finer
        attempts = (*attempts, f"{shift}; {finer_words}", *more)
        error = estimate_problem_error(problem, replayed)
    return problem, attempt, replayed, attempts, error
