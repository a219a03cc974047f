"""The numerical error of a replay, known from a second, more careful one, which is the result.

The second replay has a fifth of the tolerances and three more outputs between each two. Tighter tolerances alone are
not enough: they say nothing about what the interpolation between outputs misses (4 to 7 times too low at the worst
sample). Nor is one more output: where the voltage bends within an interval, half of it misses half as much.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from ...data.arrays import Floats, Indices
from ...data.convert import SECONDS_PER_HOUR
from ...data.errors import JobError
from ...data.settings import Tolerance
from ..current_profile.compress import CurrentProfile
from ..current_profile.compression_error import NumericalError
from .output_points import add_outputs, distinct
from .replay import Replayed
from .stops import interpolate_outputs

if TYPE_CHECKING:
    from .attempts import ReplayProblem

Solve: TypeAlias = "Callable[[ReplayProblem, float], Replayed]"
"""Solves a problem in the way that worked, with tolerances that are multiplied by a factor."""

TIGHTER: Final = 0.2
"""Factor of the tolerances of each further replay."""

PARTS: Final = 4
"""Parts into which the further replay's outputs divide each interval of the outputs before; twice as many outputs as
with two parts cost 2 % of a DFN's time, and 10 % of an SPMe's."""

COVERS: Final = 2.0
"""Bound of the error of a replay over its difference from a more careful one; see ``benchmarks/numerical_error.py``.

1.5 times it covers most. It is too little where five times tighter tolerances lower the error by less than three: at
a steep end of discharge, and in drive cycles, whose many small errors of charge add up by chance.
"""

COVERS_CAREFUL: Final = COVERS - 1.0
"""The same for the more careful one: if the first error is at most twice the difference, the second is at most one."""

COVERS_SPARSE: Final = 0.6
"""Bound of what an interpolation misses over what it misses with a quarter of the outputs.

A bend of the voltage within an interval gives 0.25; the largest of 123 records is 0.51.
"""

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

BEYOND_VOLT: Final = 0.05
"""V beyond the voltages of a long record's checked part: the rest has states of which that part says nothing.

Chosen, not measured. A drive cycle down to 7 % of its charge goes 0.15 V (LFP) to 0.8 V (NMC) below its first hour.
"""

LEAST_CHARGE_PER_AH: Final = 1e-6
"""A.h per A.h: a smaller error of the charge moves no voltage."""

SAME_CURRENT_PER_AH: Final = 0.02
"""A per A.h: two outputs whose currents differ by less have one current."""


def is_checked_whole(problem: ReplayProblem) -> bool:
    """Tell whether all samples of a record are solved twice, whatever its voltage: all but long records."""
    return problem.case.settings.error_estimate == "always" or len(problem.profile.time_second) <= CHECKED_KNOTS


def solve_carefully(
    problem: ReplayProblem, scout: Replayed, solve: Solve, check: Callable[[Replayed], None]
) -> tuple[Replayed, NumericalError]:
    """Solve all samples as asked, and with tighter tolerances while the error is beyond its limit.

    Args:
        problem: what is solved.
        scout: its replay with looser tolerances; its outputs may be too far apart.
        solve: solves it again.
        check: refuses a replay that is impossible, with a ``JobError``.

    Returns:
        The last replay, and a bound of its error.

    Raises:
        ReplayEndedError: there is no replay with the tolerances that were asked for.
    """
    needed = _needed_outputs(scout)
    replayed = solve(_careful_problem(problem, needed, len(scout.time_second)), 1.0)
    check(replayed)
    return _tighten(problem, replayed, _error_of_careful(scout, needed, replayed), solve, check)


def control_error(
    problem: ReplayProblem, replayed: Replayed, solve: Solve, check: Callable[[Replayed], None]
) -> tuple[Replayed, NumericalError]:
    """Estimate a replay's numerical error, and replace the replay by a more careful one while it exceeds its limit.

    Of a long record, only the first part is solved again, unless the settings ask for all, or the rest is steeper or
    has other voltages. The error of that part then grows with the error of the charge, which is known in the rest too.

    Args:
        problem: what was solved.
        replayed: its replay.
        solve: solves it again.
        check: refuses a replay of all samples that is impossible, with a ``JobError``.

    Returns:
        The replay that is within the limits, or the last one, and a bound of its error; infinite = unknown, since no
        second replay succeeded.
    """
    end = samples_to_check(problem, replayed)
    if end == len(replayed.time_second):
        return _tighten(problem, replayed, NumericalError(), solve, check)
    try:
        part = solve(_careful_problem(problem, _needed_outputs(replayed), end), TIGHTER)
    except JobError as failed:
        return replayed, NumericalError(attempts=(_failure_line(TIGHTER, failed),))
    error = _compare(replayed, part, end)
    error = _grown(error, _charge_error_ah(problem, replayed), problem.conditions.capacity_ah, end)
    return _tighten(problem, replayed, error, solve, check)


def _tighten(
    problem: ReplayProblem, replayed: Replayed, error: NumericalError, solve: Solve, check: Callable[[Replayed], None]
) -> tuple[Replayed, NumericalError]:
    """Solve all samples with tighter and tighter tolerances, until the error is within its limit.

    Args:
        error: what is known of that of ``replayed``; infinite = nothing.
    """
    lines: list[str] = []
    tighter = 1.0
    for _ in range(ROUNDS):
        if _is_within_limits(problem, error):
            break
        tighter *= TIGHTER
        if np.isfinite(error.rmse_mv):
            lines.append(_repetition_line(error, tighter))
        needed = _needed_outputs(replayed)
        try:
            careful = solve(_careful_problem(problem, needed, len(replayed.time_second)), tighter)
            check(careful)
        except JobError as failed:
            lines.append(_failure_line(tighter, failed))
            break
        error = _error_of_careful(replayed, needed, careful)
        replayed = careful
    return replayed, replace(error, attempts=tuple(lines))


def _is_within_limits(problem: ReplayProblem, error: NumericalError) -> bool:
    rmse_limit, worst_limit = LIMITS_MV[problem.case.settings.tolerance]
    return error.rmse_mv <= rmse_limit and error.worst_mv <= worst_limit


def _repetition_line(error: NumericalError, tighter: float) -> str:
    size = f"numerical error up to {error.rmse_mv:.2g} mV RMSE and {error.worst_mv:.2g} mV at worst"
    return f"{size}; solved again with more outputs and tolerances {1.0 / tighter:.3g} times tighter"


def _failure_line(tighter: float, failed: JobError) -> str:
    return f"a replay with tolerances {1.0 / tighter:.3g} times tighter failed: {failed}"


def estimate_error(problem: ReplayProblem, replayed: Replayed, solve: Solve) -> NumericalError:
    """Estimate a replay's numerical error as :func:`control_error` does, without replacing the replay.

    Returns:
        The error; infinite = the second replay failed.
    """
    try:
        end = samples_to_check(problem, replayed)
        careful = solve(_careful_problem(problem, _outputs(replayed), end), TIGHTER)
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
    if _is_steeper_after(problem, replayed, end) or _has_other_voltages_after(replayed, end):
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


def _has_other_voltages_after(replayed: Replayed, end: int) -> bool:
    """Tell whether the voltage goes beyond its range before a sample; where currents change, no steepness is seen."""
    before = replayed.voltage_volt[:end]
    after = replayed.voltage_volt[end:]
    return bool(max(before.min() - after.min(), after.max() - before.max()) > BEYOND_VOLT)


def _charge_error_ah(problem: ReplayProblem, replayed: Replayed) -> tuple[Indices, Floats]:
    """The outputs, and the error of the model's charge there: its own, less the integral of the profile's current.

    The solver's error of the lithium in the electrodes is the same one, since both integrate the same current.
    """
    outputs = _outputs(replayed)
    knot_second, knot_ampere = problem.profile.time_second, problem.profile.current_ampere
    time_second = replayed.time_second[outputs]
    until_knot = np.concatenate([[0.0], np.cumsum(np.diff(knot_second) * (knot_ampere[1:] + knot_ampere[:-1]) / 2.0)])
    before = np.clip(np.searchsorted(knot_second, time_second, side="right") - 1, 0, len(knot_second) - 2)
    ampere = np.interp(time_second, knot_second, knot_ampere)
    since_knot = (time_second - knot_second[before]) * (knot_ampere[before] + ampere) / 2.0
    return outputs, replayed.charge_ah[outputs] - (until_knot[before] + since_knot) / SECONDS_PER_HOUR


def _grown(error: NumericalError, charge_error: tuple[Indices, Floats], capacity_ah: float, end: int) -> NumericalError:
    """The error over a whole record from that of its samples before ``end``: it grows as the error of the charge."""
    outputs, charge = charge_error
    checked = charge[outputs < end]
    least = LEAST_CHARGE_PER_AH * capacity_ah
    worst = float(np.abs(charge).max()) / max(float(np.abs(checked).max()), least)
    rmse = float(np.sqrt(np.mean(charge**2))) / max(float(np.sqrt(np.mean(checked**2))), least)
    return replace(error, rmse_mv=error.rmse_mv * max(rmse, 1.0), worst_mv=error.worst_mv * max(worst, 1.0))


def _outputs(replayed: Replayed) -> Indices:
    if replayed.outputs is None:
        return np.arange(len(replayed.time_second))
    return replayed.outputs


def _needed_outputs(replayed: Replayed) -> Indices:
    """The replay's outputs, and those that its voltage needs between them."""
    outputs = _outputs(replayed)
    if replayed.stop_second is None:
        return outputs
    return add_outputs(replayed.time_second, outputs, replayed.voltage_volt[outputs], replayed.stop_second)


def _careful_problem(problem: ReplayProblem, outputs: Indices, end: int) -> ReplayProblem:
    """The same replay of the first samples, with more outputs between each two of those that its voltage needs."""
    outputs = outputs[outputs < end]
    between = outputs[:-1, np.newaxis] + np.diff(outputs)[:, np.newaxis] * np.arange(PARTS) // PARTS
    outputs = distinct(np.concatenate([between.ravel(), outputs[-1:], [end - 1]]))
    record, profile = problem.record, problem.profile
    if end < len(record.time_second):
        record = record.until_index(end)
        last = int(np.searchsorted(profile.time_second, record.time_second[-1]))
        profile = CurrentProfile(
            profile.time_second[: last + 1], profile.current_ampere[: last + 1], profile.noise_ampere
        )
    return replace(problem, record=record, profile=profile, outputs=outputs, refine=False)


def _compare(replayed: Replayed, careful: Replayed, end: int) -> NumericalError:
    """The error of a replay from a more careful one of its first ``end`` samples."""
    away = 1e3 * (careful.voltage_volt[:end] - replayed.voltage_volt[:end])
    return NumericalError(COVERS * float(np.sqrt(np.mean(away**2))), COVERS * float(np.abs(away).max()))


def _error_of_careful(replayed: Replayed, needed: Indices, careful: Replayed) -> NumericalError:
    """The error of a more careful replay of all samples, from the one before it.

    Where both have an output, they differ by the error of the solver alone. What the interpolation misses is known from
    the careful replay: its own voltage, interpolated from every fourth of its outputs.
    """
    time_second = replayed.time_second
    outputs = _outputs(replayed)
    solver = careful.voltage_volt[outputs] - replayed.voltage_volt[outputs]
    sparse = careful.voltage_volt - interpolate_outputs(time_second, needed, careful.voltage_volt[needed])
    away = COVERS_CAREFUL * np.abs(np.interp(time_second, time_second[outputs], solver))
    away += COVERS_SPARSE * np.abs(sparse)
    return NumericalError(1e3 * float(np.sqrt(np.mean(away**2))), 1e3 * float(away.max()))
