"""Attempts at one replay: a ladder of ways to solve, each result held against the measured charge."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...data.arrays import Floats
from ...data.errors import JobError
from ...data.settings import SimulateSettings
from ..current_profile.compress import CurrentProfile, compress_record
from ..current_profile.compression_error import CompressionError, estimate_compression_error
from ..current_profile.model_input import temperature_size
from ..models.build import make_structure, refine_mesh
from ..parameters.sets import cutoffs_volt
from ..record.charge import REST_CURRENT_PER_AH, interval_charge_ah
from ..record.record import Record, cycle_starts
from .replay import Conditions, Replayed, ReplayEndedError, check_range, replay
from .solver_windows import TimeLimit

CHARGE_TOLERANCE = 5e-4
CYCLE_THROUGHPUT = 0.1  # of the capacity: the least that stands for the throughput of one cycle
FAR_BEYOND_CUTOFF_VOLT = 0.5  # beyond a cut-off: so far out no other way to solve helps
REST_THROUGHPUT = 0.01  # of the capacity: stands for a throughput of less, of which noise alone moves a percent
SHIFT_LIMIT_MV: Final = 1.0
"""RMSE by which the profile may shift the voltage, beyond what noise does."""

FINER_FACTORS: Final = (4.0, np.inf)
"""What the tolerances are divided by, one after the other; at last every sample is a knot."""

MOST_SAMPLES: Final = 50_000
"""Records of more samples are not replayed with a knot at each: a day of a drive cycle at 1 Hz would take an hour."""


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One simulation as asked: what every attempt at it shares.

    Args:
        slopes: as in :class:`.build.Structure`.
        outputs: as :func:`.replay.replay` takes them, indices of the record's samples; not without the first rest.
        refine: as :func:`.replay.replay` takes it.
    """

    record: Record
    settings: SimulateSettings
    conditions: Conditions
    profile: CurrentProfile
    limit: TimeLimit | None = None
    slopes: tuple[str, ...] = ()
    outputs: NDArray[np.intp] | None = None
    refine: bool = True


@dataclass(frozen=True, slots=True)
class Attempt:
    """One rung of the ladder that a failing simulation climbs."""

    words: str
    every_knot: bool = True
    without_first_rest: bool = False
    tighter: float = 1.0
    first_step_second: float = 0.0
    finer_mesh: bool = False


ATTEMPTS = (
    Attempt("as asked", every_knot=False),
    Attempt("stopping at every knot, tolerances 5 times tighter", tighter=0.2),
    Attempt("without the first rest", without_first_rest=True),  # a jump 0 -> I can stop the DFN's first step
    Attempt(
        "tolerances 10 times tighter, first step 1 us", without_first_rest=True, tighter=0.1, first_step_second=1e-6
    ),
    Attempt("tolerances 10 times looser", without_first_rest=True, tighter=10.0),
    Attempt("twice the points in the particles", without_first_rest=True, finer_mesh=True),
)
RETRIED_CODES = (
    "did_not_converge",
    "ended_early",
    "charge_mismatch",
)  # the solver's failures; the physics' own are final


def try_attempts(case: Case) -> tuple[Replayed, tuple[str, ...]]:
    """Try to solve, each time in another way; failures of the physics, not of the solver, end at once.

    Raises:
        EndedError: none was a result; with all that was tried, and the longest of their curves.
    """
    tried: list[str] = []
    longest: Replayed | None = None
    last = ReplayEndedError("no attempt was made")
    for attempt in ATTEMPTS:
        try:
            if case.limit is not None and case.limit.is_passed:
                raise case.limit.error(f"the attempt {attempt.words!r}")
            replayed = _attempt(attempt, case)
            check_charge(case, replayed)
        except JobError as error:
            tried.append(f"{attempt.words}: {error}")
            longest = _longer(longest, getattr(error, "replayed", None))
            if error.code not in RETRIED_CODES:
                raise ReplayEndedError(str(error), error.code, longest, tuple(tried)) from error
            last = ReplayEndedError(str(error), error.code)
            continue
        tried.append(f"{attempt.words}: done")
        return replayed, tuple(tried)
    ways = ", ".join(attempt.words for attempt in ATTEMPTS)
    raise ReplayEndedError(f"{last} (tried: {ways})", last.code, longest, tuple(tried))


def _longer(one: Replayed | None, other: Replayed | None) -> Replayed | None:
    if one is None or other is None:
        return one or other
    return other if len(other.time_second) > len(one.time_second) else one


def _attempt(attempt: Attempt, case: Case) -> Replayed:
    try:
        replayed = solve_attempt(attempt, case)
        check_range(replayed)
    except ReplayEndedError as error:
        ended = _first_failure(error, case)
        raise ReplayEndedError(str(ended), ended.code, ended.replayed) from error
    return replayed


def solve_attempt(attempt: Attempt, case: Case) -> Replayed:
    """Solve in one of the ladder's ways; whether the curve can be, and the charge, are not looked at.

    Raises:
        EndedError: with the curve so far.
    """
    record, settings, conditions, profile = case.record, case.settings, case.conditions, case.profile
    capacity = conditions.capacity_ah
    first = _end_of_first_rest(record, REST_CURRENT_PER_AH * capacity) if attempt.without_first_rest else 0
    if first:
        profile = compress_record(record.from_index(first), capacity)
    structure = make_structure(
        refine_mesh(settings.model) if attempt.finer_mesh else settings.model,
        settings.parameter_set.key,
        conditions.overrides,
        len(profile.time_second),
        settings.rtol * attempt.tighter,
        settings.atol * attempt.tighter,
        attempt.first_step_second,
        temperature_size=temperature_size(conditions.temperature.profile),
    )
    structure = replace(structure, slopes=case.slopes)
    time_second, outputs = record.time_second[first:], None if first else case.outputs
    try:
        replayed = replay(
            structure, conditions, profile, time_second, attempt.every_knot, case.limit, outputs, case.refine
        )
    except ReplayEndedError as error:
        part = _prepend_rest(record, first, error.replayed) if error.replayed else None
        raise ReplayEndedError(str(error), error.code, part) from error
    return _prepend_rest(record, first, replayed)


def _first_failure(error: ReplayEndedError, case: Case) -> ReplayEndedError:
    """What ended a replay first: a solver that fails in a cell that is long empty, or over-full, is not the reason."""
    part = error.replayed
    if part is None:
        return error
    try:
        check_range(part)
    except ReplayEndedError as before:
        return before
    cutoffs, voltage = cutoffs_volt(case.settings.parameter_set), float(part.voltage_volt[-1])
    if (
        error.code not in RETRIED_CODES
        or cutoffs is None
        or -FAR_BEYOND_CUTOFF_VOLT < voltage - cutoffs[0] < np.ptp(cutoffs) + FAR_BEYOND_CUTOFF_VOLT
    ):
        return error
    where = f"{voltage:.3g} V at {part.time_second[-1]:.0f} s"
    return ReplayEndedError(f"left the set's voltage range: {where}; {error}", "left_range", part)


def _prepend_rest(record: Record, first: int, replayed: Replayed) -> Replayed:
    """A replay that began at a record's sample ``first``, from the record's start.

    A cell at rest stays where it is: the model sees no current before, which the charge check then judges.
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
        voltage_slopes=_prepend_rest_slopes(first, replayed.voltage_slopes),
        excess_slopes=_prepend_rest_slopes(first, replayed.excess_slopes),
    )


def _prepend_rest_slopes(first: int, slopes: Floats | None) -> Floats | None:
    """Slopes over a first rest: those of its end."""
    return None if slopes is None else np.concatenate([np.repeat(slopes[:1], first, axis=0), slopes])


def _end_of_first_rest(record: Record, rest_ampere: float) -> int:
    resting = np.abs(record.current_ampere) <= rest_ampere
    return max(int(np.argmin(resting)) - 1, 0) if not resting.all() else 0


def charge_error(record: Record, replayed: Replayed, capacity_ah: float) -> float:
    """Largest difference between the model's and the measured charge at any sample (:func:`replay_charge_error`)."""
    return float(np.max(replay_charge_error(record, replayed, capacity_ah)))


def replay_charge_error(record: Record, replayed: Replayed, capacity_ah: float) -> Floats:
    """Difference between the model's and the measured charge at each sample, over the charge throughput, shape (n,).

    The difference since the record began is held against the record's throughput, and that since the sample's cycle
    began against the cycle's own, so that a long record cannot hide in its throughput what one of its cycles lost;
    the larger of both counts.
    """
    return relative_charge_error(record, replayed.charge_ah, capacity_ah)


def relative_charge_error(record: Record, charge_ah: Floats, capacity_ah: float) -> Floats:
    """:func:`replay_charge_error`, of any charge since the first sample, shape (n,)."""
    steps = interval_charge_ah(record.time_second, record.current_ampere, record.flags)
    away = charge_ah - np.concatenate([[0.0], np.cumsum(steps)])
    amounts = np.concatenate([[0.0], np.abs(steps)])
    first = cycle_starts(record)
    whole = np.abs(away) / max(float(amounts.sum()), REST_THROUGHPUT * capacity_ah)
    length = np.diff(np.append(first, len(away)))
    before = np.repeat(away[np.maximum(first - 1, 0)], length)
    throughput = np.maximum(np.add.reduceat(amounts, first), CYCLE_THROUGHPUT * capacity_ah)
    off: Floats = np.maximum(whole, np.abs(away - before) / np.repeat(throughput, length))
    return off


def check_charge(case: Case, replayed: Replayed) -> None:
    """Refuse a replay whose charge is not the measured one (``charge_mismatch``); its curve ends where that begins."""
    off = replay_charge_error(case.record, replayed, case.conditions.capacity_ah)
    wrong = ~(off <= CHARGE_TOLERANCE)
    if wrong.any():
        first = int(np.argmax(wrong))
        since = f"from {replayed.time_second[first]:.0f} s"
        reason = f"the model saw another charge than was measured: {np.max(off):.3%} of the throughput, {since}"
        raise ReplayEndedError(reason, "charge_mismatch", replayed.until_index(first))


def compress_within_charge_limit(record: Record, capacity_ah: float) -> CurrentProfile:
    """Compress a record's current so that its charge stays with the measured one at every sample, not only in the end.

    Between its knots a profile leaves out the charge that noise moves to and fro. In a record that holds next to no
    charge, such as a rest with a few short pulses, that is more than a simulation may be off.
    """
    profile = compress_record(record, capacity_ah)
    for finer in FINER_FACTORS:
        seen = np.interp(record.time_second, profile.time_second, profile.current_ampere)
        charge = np.concatenate([[0.0], np.cumsum(interval_charge_ah(record.time_second, seen, record.flags))])
        off = float(np.max(relative_charge_error(record, charge, capacity_ah)))
        if off <= CHARGE_TOLERANCE / 2.0 or (np.isinf(finer) and len(seen) > MOST_SAMPLES):
            break
        profile = compress_record(record, capacity_ah, finer)
    return profile


def try_attempts_within_limit(case: Case) -> tuple[Case, Replayed, tuple[str, ...], CompressionError]:
    """Try to solve, and again with finer knots as long as the compression shifts the voltage beyond the limit.

    Returns:
        The case as it was solved at last, what was simulated, what was tried, and what the compression does.

    Raises:
        JobError: no attempt with the first knots succeeded. Where finer ones fail, the ones before them count.
    """
    replayed, attempts = try_attempts(case)
    error = estimate_case_error(case, replayed)
    for finer in FINER_FACTORS:
        if error.shift_mv <= SHIFT_LIMIT_MV:
            break
        found = f"{len(case.profile.time_second)} knots shift the voltage by {error.shift_mv:.2g} mV RMSE"
        if np.isinf(finer) and len(case.record.time_second) > MOST_SAMPLES:
            return case, replayed, (*attempts, f"{found}; too many samples for a knot at each"), error
        now = "every sample a knot" if np.isinf(finer) else f"tolerances of the knots {finer:g} times smaller"
        sharper = replace(case, profile=compress_record(case.record, case.conditions.capacity_ah, finer))
        try:
            replayed, more = try_attempts(sharper)
        except JobError as failed:
            return case, replayed, (*attempts, f"{found}; {now}: {failed}; the knots before count"), error
        case, attempts = sharper, (*attempts, f"{found}; {now}", *more)
        error = estimate_case_error(case, replayed)
    return case, replayed, attempts, error


def estimate_case_error(case: Case, replayed: Replayed) -> CompressionError:
    """Estimate what the compression does to a simulation's voltage."""
    record = case.record
    return estimate_compression_error(
        record.time_second,
        record.current_ampere,
        replayed.current_ampere,
        replayed.voltage_volt,
        record.after_gap,
        case.profile.noise_ampere,
        case.conditions.capacity_ah,
    )
