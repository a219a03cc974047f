"""Attempts at one replay: several ways to solve, each result checked against the measured charge."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from ...data.arrays import Floats, Indices
from ...data.errors import JobError
from ..current_profile.compress import CurrentProfile, compress_record
from ..current_profile.compression_error import CompressionError, estimate_compression_error
from ..current_profile.model_input import temperature_size
from ..models.build import Structure, make_structure, refine_mesh
from ..models.simulation_case import SimulationCase
from ..record.charge import REST_CURRENT_PER_AH, interval_charge_ah
from ..record.record import Record, cycle_starts
from .more_outputs import outputs_to_solve, state_of_charge
from .replay import Conditions, Replayed, ReplayEndedError, check_range, replay
from .solver_windows import TimeLimit

CHARGE_TOLERANCE: Final = 5e-4
"""Largest difference between the model's and the measured charge, as a share of the charge throughput."""

REST_THROUGHPUT: Final = 0.01
"""Least throughput of a record, as a share of the capacity: noise alone changes a smaller one by percents."""

CYCLE_THROUGHPUT: Final = 0.1
"""Least throughput of a cycle, as a share of the capacity."""

FAR_BEYOND_CUTOFF_VOLT: Final = 0.5
"""V beyond a cut-off at which the cell is empty or over-full: no other way to solve helps then."""

SHIFT_LIMIT_MV: Final = 1.0
"""RMSE in mV by which the compressed current may shift the voltage, beyond the effect of noise."""

FINER_FACTORS: Final = (4.0, np.inf)
"""Divisors of the compression's tolerances, tried in order; infinite = a knot at every sample."""

MOST_SAMPLES: Final = 50_000
"""Samples of the longest record with a knot at each: a day of a drive cycle at 1 Hz would take an hour."""


@dataclass(frozen=True, slots=True, eq=False)
class ReplayProblem:
    """One replay to solve; all attempts at it share this.

    Args:
        record: the samples that are replayed.
        case: the simulation that the replay belongs to.
        profile: the compressed current of ``record``.
        limit: ``None`` = no time limit.
        slopes: names of inputs by which the voltage is differentiated (:class:`kilocell.jobs.models.build.Structure`).
        outputs: indices of the record's samples, as :func:`kilocell.jobs.simulation.replay.replay` takes them.
        refine: as :func:`kilocell.jobs.simulation.replay.replay` takes it.
        sloped_outputs: outputs that are differentiated like the voltage, keys of ``data.outputs.OUTPUTS``.
    """

    record: Record
    case: SimulationCase
    conditions: Conditions
    profile: CurrentProfile
    limit: TimeLimit | None = None
    slopes: tuple[str, ...] = ()
    outputs: Indices | None = None
    refine: bool = True
    sloped_outputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way to solve a replay.

    Args:
        words: for people.
        every_knot: stop the solver at every knot of the current.
        without_first_rest: begin at the end of the record's first rest.
        tighter: factor of the solver's tolerances; below 1 is tighter.
        first_step_second: the solver's first step in s; 0 = its own choice.
        finer_mesh: twice the points in the particles.
        algebraic_error: control the error of algebraic variables.
    """

    words: str
    every_knot: bool = True
    without_first_rest: bool = False
    tighter: float = 1.0
    first_step_second: float = 0.0
    finer_mesh: bool = False
    algebraic_error: bool = True


ATTEMPTS: Final = (
    Attempt("as asked", every_knot=False),
    Attempt("without control of the algebraic error", every_knot=False, tighter=0.2, algebraic_error=False),
    Attempt("stopping at every knot, tolerances 5 times tighter", tighter=0.2, algebraic_error=False),
    Attempt("without the first rest", without_first_rest=True, algebraic_error=False),  # 0 -> I can stop a DFN
    Attempt(
        "tolerances 10 times tighter, first step 1 us",
        without_first_rest=True,
        tighter=0.1,
        first_step_second=1e-6,
        algebraic_error=False,
    ),
    Attempt("tolerances 10 times looser", without_first_rest=True, tighter=10.0, algebraic_error=False),
    Attempt("twice the points in the particles", without_first_rest=True, finer_mesh=True, algebraic_error=False),
)
"""The ways to solve, from fast to careful.

Only the first one controls the error of algebraic variables: where a current jumps, that is what fails most.
"""

RETRIED_CODES: Final = ("did_not_converge", "ended_early", "charge_mismatch")
"""Reason codes of the solver's failures, after which another way is tried; failures of the physics are final."""


def try_attempts(problem: ReplayProblem) -> tuple[Replayed, tuple[str, ...]]:
    """Try the ways to solve as :func:`find_attempt` does; return the replay, and what was tried, one line each."""
    _, replayed, tried = find_attempt(problem)
    return replayed, tried


def find_attempt(problem: ReplayProblem) -> tuple[Attempt, Replayed, tuple[str, ...]]:
    """Try the ways to solve, in order, until one gives a result; a failure of the physics ends the search at once.

    Returns:
        The way that gave the result, the replay, and what was tried, one line each.

    Raises:
        ReplayEndedError: no way gave a result; with all that was tried and the longest of the curves.
    """
    tried: list[str] = []
    longest: Replayed | None = None
    last = ReplayEndedError("no attempt was made")
    for attempt in ATTEMPTS:
        try:
            if problem.limit is not None and problem.limit.is_passed:
                raise problem.limit.error(f"the attempt {attempt.words!r}")
            replayed = solve_and_check(attempt, problem)
        except JobError as error:
            tried.append(f"{attempt.words}: {error}")
            longest = _longer(longest, getattr(error, "replayed", None))
            if error.code not in RETRIED_CODES:
                raise ReplayEndedError(str(error), error.code, longest, tuple(tried)) from error
            last = ReplayEndedError(str(error), error.code)
            continue
        tried.append(f"{attempt.words}: done")
        return attempt, replayed, tuple(tried)
    ways = ", ".join(attempt.words for attempt in ATTEMPTS)
    raise ReplayEndedError(f"{last} (tried: {ways})", last.code, longest, tuple(tried))


def _longer(one: Replayed | None, other: Replayed | None) -> Replayed | None:
    if one is None or other is None:
        return one or other
    if len(other.time_second) > len(one.time_second):
        return other
    return one


def solve_and_check(attempt: Attempt, problem: ReplayProblem) -> Replayed:
    """Solve in one way, and check the curve's range and charge.

    Raises:
        ReplayEndedError: with the curve so far.
    """
    try:
        replayed = solve_attempt(attempt, problem)
        check_range(replayed)
    except ReplayEndedError as error:
        first = _first_failure(error, problem)
        raise ReplayEndedError(str(first), first.code, first.replayed) from error
    check_charge(problem, replayed)
    return replayed


def solve_attempt(attempt: Attempt, problem: ReplayProblem) -> Replayed:
    """Solve in one way, without a check of the curve's range or charge.

    Returns:
        The replay at every sample of the record.

    Raises:
        ReplayEndedError: with the curve so far.
    """
    record = problem.record
    capacity = problem.conditions.capacity_ah
    first = 0
    if attempt.without_first_rest:
        first = _end_of_first_rest(record, REST_CURRENT_PER_AH * capacity)
    profile = problem.profile
    outputs = problem.outputs
    if first:
        profile = compress_record(record.from_index(first), capacity)
        if outputs is not None:
            outputs = np.union1d([0], outputs[outputs >= first] - first)
    structure = _make_structure(attempt, problem, len(profile.time_second))
    try:
        replayed = replay(
            structure,
            problem.conditions,
            profile,
            record.time_second[first:],
            attempt.every_knot,
            problem.limit,
            outputs,
            problem.refine,
        )
    except ReplayEndedError as error:
        part = None
        if error.replayed is not None:
            part = _add_soc(problem, _prepend_rest(record, first, error.replayed))
        raise ReplayEndedError(str(error), error.code, part) from error
    return _add_soc(problem, _prepend_rest(record, first, replayed))


def _add_soc(problem: ReplayProblem, replayed: Replayed) -> Replayed:
    return replace(replayed, more=replayed.more | state_of_charge(problem, replayed.charge_ah))


def _make_structure(attempt: Attempt, problem: ReplayProblem, knots: int) -> Structure:
    settings = problem.case.settings
    model = settings.model
    if attempt.finer_mesh:
        model = refine_mesh(model)
    structure = make_structure(
        model,
        problem.case.set_key,
        problem.conditions.overrides,
        knots,
        settings.rtol * attempt.tighter,
        settings.atol * attempt.tighter,
        attempt.first_step_second,
        temperature_size=temperature_size(problem.conditions.temperature.profile),
    )
    return replace(
        structure,
        slopes=problem.slopes,
        algebraic_error=attempt.algebraic_error,
        outputs=outputs_to_solve(problem),
    )


def _first_failure(error: ReplayEndedError, problem: ReplayProblem) -> ReplayEndedError:
    """Find what ended a replay first: the solver may fail only because the cell is empty or over-full already."""
    part = error.replayed
    if part is None:
        return error
    try:
        check_range(part)
    except ReplayEndedError as out_of_range:
        return out_of_range
    cutoffs = problem.case.cutoffs_volt
    if error.code not in RETRIED_CODES or cutoffs is None:
        return error
    voltage = float(part.voltage_volt[-1])
    if -FAR_BEYOND_CUTOFF_VOLT < voltage - cutoffs[0] < np.ptp(cutoffs) + FAR_BEYOND_CUTOFF_VOLT:
        return error
    where = f"{voltage:.3g} V at {part.time_second[-1]:.0f} s"
    return ReplayEndedError(f"left the set's voltage range: {where}; {error}", "left_range", part)


def _prepend_rest(record: Record, first: int, replayed: Replayed) -> Replayed:
    """Extend a replay that began at the record's sample ``first`` back to the record's start.

    A cell at rest keeps its state. The model gets no current in these samples; the charge check judges that later.
    """
    if not first:
        return replayed
    rest = np.zeros(first)
    return Replayed(
        record.time_second[: first + len(replayed.time_second)],
        np.concatenate([np.full(first, replayed.voltage_volt[0]), replayed.voltage_volt]),
        np.concatenate([rest, replayed.current_ampere]),
        np.concatenate([rest, replayed.charge_ah]),
        np.concatenate([rest, replayed.excess]),
        replayed.outside,
        outputs=_prepend_outputs(first, replayed.outputs),
        stop_second=replayed.stop_second,
        voltage_slopes=_prepend_rest_slopes(first, replayed.voltage_slopes),
        excess_slopes=_prepend_rest_slopes(first, replayed.excess_slopes),
        more={name: np.concatenate([np.full(first, row[0]), row]) for name, row in replayed.more.items()},
        more_slopes={k: np.concatenate([np.repeat(v[:1], first, axis=0), v]) for k, v in replayed.more_slopes.items()},
    )


def _prepend_outputs(first: int, outputs: Indices | None) -> Indices | None:
    """The outputs of a replay that began at the record's sample ``first``, and all samples before it."""
    if outputs is None:
        return None
    return np.concatenate([np.arange(first), first + outputs])


def _prepend_rest_slopes(first: int, slopes: Floats | None) -> Floats | None:
    """Repeat the slopes at the end of the first rest over all of it."""
    if slopes is None:
        return None
    return np.concatenate([np.repeat(slopes[:1], first, axis=0), slopes])


def _end_of_first_rest(record: Record, rest_ampere: float) -> int:
    resting = np.abs(record.current_ampere) <= rest_ampere
    if resting.all():
        return 0
    return max(int(np.argmin(resting)) - 1, 0)


def relative_charge_error(record: Record, charge_ah: Floats, capacity_ah: float) -> Floats:
    """Compare a model's charge with the measured charge at each sample, relative to the charge throughput.

    Two errors are computed and the larger one counts: the difference since the record began, over the throughput of
    the record; and the difference since the sample's cycle began, over the throughput of that cycle. So the long
    throughput of a record cannot hide the charge that one of its cycles lost.

    Args:
        charge_ah: A.h, the model's charge since the first sample, positive into the cell, shape (n,).
        capacity_ah: A.h, of the cell; a share of it is the least throughput that counts.

    Returns:
        Shares of the throughput, shape (n,), >= 0.
    """
    steps = interval_charge_ah(record.time_second, record.current_ampere, record.flags)
    difference = charge_ah - np.concatenate([[0.0], np.cumsum(steps)])
    amounts = np.concatenate([[0.0], np.abs(steps)])
    since_record = np.abs(difference) / max(float(amounts.sum()), REST_THROUGHPUT * capacity_ah)
    first = cycle_starts(record)
    length = np.diff(np.append(first, len(difference)))
    before_cycle = np.repeat(difference[np.maximum(first - 1, 0)], length)
    throughput = np.maximum(np.add.reduceat(amounts, first), CYCLE_THROUGHPUT * capacity_ah)
    since_cycle = np.abs(difference - before_cycle) / np.repeat(throughput, length)
    largest: Floats = np.maximum(since_record, since_cycle)
    return largest


def check_charge(problem: ReplayProblem, replayed: Replayed) -> None:
    """Refuse a replay whose charge differs from the measured charge.

    Raises:
        ReplayEndedError: ``charge_mismatch``; its curve ends where the difference begins.
    """
    error = relative_charge_error(problem.record, replayed.charge_ah, problem.conditions.capacity_ah)
    wrong = ~(error <= CHARGE_TOLERANCE)
    if wrong.any():
        first = int(np.argmax(wrong))
        since = f"from {replayed.time_second[first]:.0f} s"
        reason = f"the model saw another charge than was measured: {np.max(error):.3%} of the throughput, {since}"
        raise ReplayEndedError(reason, "charge_mismatch", replayed.until_index(first))


def compress_within_charge_limit(record: Record, capacity_ah: float) -> CurrentProfile:
    """Compress a record's current so that its charge agrees with the measured charge at every sample.

    A profile leaves out the noise between its knots, and the charge that this noise carries. In a record with very
    little charge, such as a rest with a few short pulses, that charge alone may exceed the tolerance.

    Args:
        capacity_ah: A.h, of the cell.

    Returns:
        The profile with the fewest knots that stays within half of ``CHARGE_TOLERANCE``; in a record of more than
        ``MOST_SAMPLES`` samples the finest that is not a knot at each sample.
    """
    profile = compress_record(record, capacity_ah)
    for factor in FINER_FACTORS:
        current = np.interp(record.time_second, profile.time_second, profile.current_ampere)
        charge = np.concatenate([[0.0], np.cumsum(interval_charge_ah(record.time_second, current, record.flags))])
        error = float(np.max(relative_charge_error(record, charge, capacity_ah)))
        too_many_samples = np.isinf(factor) and len(current) > MOST_SAMPLES
        if error <= CHARGE_TOLERANCE / 2.0 or too_many_samples:
            break
        profile = compress_record(record, capacity_ah, factor)
    return profile


def estimate_problem_error(problem: ReplayProblem, replayed: Replayed) -> CompressionError:
    """Estimate the effect of the compressed current on a replay's voltage."""
    record = problem.record
    return estimate_compression_error(
        record.time_second,
        record.current_ampere,
        replayed.current_ampere,
        replayed.voltage_volt,
        record.after_gap,
        problem.profile.noise_ampere,
        problem.conditions.capacity_ah,
        problem.conditions.state.voltage_volt,
    )
