"""The numerical error of a replay, estimated by a second, more careful one; solved again where it is too large.

The second replay has a fifth of the tolerances and one more output between each two. Tighter tolerances alone are not
enough: they say nothing about what the interpolation between outputs misses (4 to 7 times too low at the worst sample).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from ...data.arrays import Indices
from ...data.errors import JobError
from ...data.settings import Tolerance
from ..current_profile.compress import CurrentProfile
from ..current_profile.compression_error import NumericalError
from .replay import Replayed

if TYPE_CHECKING:
    from .attempts import ReplayProblem

Solve: TypeAlias = "Callable[[ReplayProblem, float], Replayed]"
"""Solves a problem in the way that worked, with tolerances that are multiplied by a factor."""

TIGHTER: Final = 0.2
"""Factor of the tolerances of each further replay."""

COVERS: Final = 1.5
"""Bound over the difference of two replays; see ``benchmarks/numerical_error.py``."""

COVERS_DENSE: Final = 2.0
"""Likewise where every sample is an output already, as in a drive cycle."""

LIMITS_MV: Final[dict[Tolerance, tuple[float, float]]] = {"standard": (0.5, 3.0), "tight": (0.1, 0.5)}
"""Largest numerical error by tolerance: RMSE and at the worst sample, mV."""

ROUNDS: Final = 4
"""Most further replays; the tolerances of the last one are 625 times tighter."""

CHECKED_KNOTS: Final = 4092
"""Knots of the part of a long record that is solved again: four of the solver's windows."""

CHECKED_OUTPUTS: Final = 50_000
"""Most outputs of that part. Chosen, not measured: a DFN takes about a minute for them."""

STEEPER: Final = 2.0
"""Ratio of the steepest voltage of a long record to that of its checked part, above which all is solved again."""

STEEP_VOLT: Final = 0.02
"""V between two outputs at one current: a smaller change is not steep."""

SAME_CURRENT_PER_AH: Final = 0.02
"""A per A.h: two outputs whose currents differ by less have one current."""


def control_error(
    problem: ReplayProblem, replayed: Replayed, solve: Solve, check: Callable[[Replayed], None]
) -> tuple[Replayed, NumericalError]:
    """Estimate a replay's numerical error, and replace the replay by a more careful one while it exceeds its limit.

    Of a long record, only the first part is solved again, unless the settings ask for all, or the rest is steeper.

    Args:
        problem: what was solved.
        replayed: its replay.
        solve: solves it again.
        check: refuses a replay of all samples that is impossible, with a ``JobError``.

    Returns:
        The replay that is within the limits, or the last one; and its error, or that of the replay before it, which is
        larger. The error is unknown (``None``) if no second replay succeeded.
    """
    rmse_limit, worst_limit = LIMITS_MV[problem.case.settings.tolerance]
    lines: list[str] = []
    error = NumericalError()
    tighter = 1.0
    samples = len(replayed.time_second)
    try:
        for _ in range(ROUNDS):
            tighter *= TIGHTER
            end = samples_to_check(problem, replayed)
            careful = solve(_careful_problem(problem, replayed, end), tighter)
            error = _compare(replayed, careful, end)
            if error.rmse_mv <= rmse_limit and error.worst_mv <= worst_limit:
                break
            if end < samples:
                careful = solve(_careful_problem(problem, replayed, samples), tighter)
            check(careful)
            size = f"numerical error up to {error.rmse_mv:.2g} mV RMSE and {error.worst_mv:.2g} mV at worst"
            lines.append(f"{size}; solved again with more outputs and tolerances {1.0 / tighter:.3g} times tighter")
            replayed = careful
    except JobError as failed:
        lines.append(f"a replay with tolerances {1.0 / tighter:.3g} times tighter failed: {failed}")
    return replayed, replace(error, attempts=tuple(lines))


def estimate_error(problem: ReplayProblem, replayed: Replayed, solve: Solve) -> NumericalError:
    """Estimate a replay's numerical error as :func:`control_error` does, without replacing the replay.

    Returns:
        The error; infinite = the second replay failed.
    """
    try:
        end = samples_to_check(problem, replayed)
        careful = solve(_careful_problem(problem, replayed, end), TIGHTER)
    except JobError:
        return NumericalError()
    return _compare(replayed, careful, end)


def samples_to_check(problem: ReplayProblem, replayed: Replayed) -> int:
    """Return how many of a record's samples, from the first one, a second replay solves: all of a short record."""
    knot_second = problem.profile.time_second
    samples = len(replayed.time_second)
    outputs = _outputs(replayed)
    end = samples
    if len(knot_second) > CHECKED_KNOTS:
        end = int(np.searchsorted(replayed.time_second, knot_second[CHECKED_KNOTS], side="right"))
    if len(outputs) > CHECKED_OUTPUTS:
        end = min(end, int(outputs[CHECKED_OUTPUTS]))
    if end == samples or problem.case.settings.error_estimate == "always":
        return samples
    if _is_steeper_after(problem, replayed, end):
        return samples
    return end


def _is_steeper_after(problem: ReplayProblem, replayed: Replayed, end: int) -> bool:
    """Tell whether the voltage changes much faster between two outputs after a sample than before it."""
    outputs = _outputs(replayed)
    moved = np.abs(np.diff(replayed.voltage_volt[outputs]))
    jumped = np.abs(np.diff(replayed.current_ampere[outputs]))
    moved[jumped > SAME_CURRENT_PER_AH * problem.conditions.capacity_ah] = 0.0
    place = int(np.searchsorted(outputs, end))
    before = float(moved[:place].max(initial=0.0))
    after = float(moved[place:].max(initial=0.0))
    return after > STEEP_VOLT and after > STEEPER * before


def _outputs(replayed: Replayed) -> Indices:
    if replayed.outputs is None:
        return np.arange(len(replayed.time_second))
    return replayed.outputs


def _careful_problem(problem: ReplayProblem, replayed: Replayed, end: int) -> ReplayProblem:
    """The same replay of the first samples, with one more output between each two, and without refinement."""
    outputs = _outputs(replayed)
    outputs = outputs[outputs < end]
    between = (outputs[1:] + outputs[:-1]) // 2
    outputs = np.union1d(outputs, [*between, end - 1])
    record, profile = problem.record, problem.profile
    if end < len(record.time_second):
        record = record.until_index(end)
        last = int(np.searchsorted(profile.time_second, record.time_second[-1]))
        profile = CurrentProfile(
            profile.time_second[: last + 1], profile.current_ampere[: last + 1], profile.noise_ampere
        )
    return replace(problem, record=record, profile=profile, outputs=outputs.astype(np.intp), refine=False)


def _compare(replayed: Replayed, careful: Replayed, end: int) -> NumericalError:
    """The error of a replay from a more careful one of its first ``end`` samples."""
    away = 1e3 * (careful.voltage_volt[:end] - replayed.voltage_volt[:end])
    outputs = _outputs(replayed)
    is_dense = np.count_nonzero(outputs < end) == end
    covers = COVERS_DENSE if is_dense else COVERS
    return NumericalError(covers * float(np.sqrt(np.mean(away**2))), covers * float(np.abs(away).max()))
