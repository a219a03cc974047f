"""Attempts at one replay: a ladder of ways to solve, each result held against the measured charge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..data.errors import JobError
from ..data.settings import SimulateSettings
from .build import structure_of
from .charge import interval_charge_ah
from .compress import CurrentProfile
from .record import Record, profile_of
from .replay import Conditions, Replayed, check_range, replay
from .scale import REST_CURRENT_PER_AH

CHARGE_TOLERANCE = 5e-4
CYCLE_THROUGHPUT = 0.1  # of the capacity: the least that stands for the throughput of one cycle
REST_THROUGHPUT = 1e-3  # of the capacity: a record with less is a rest, and this stands for its throughput

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One simulation as asked: what every attempt at it shares."""

    record: Record
    settings: SimulateSettings
    conditions: Conditions
    profile: CurrentProfile


@dataclass(frozen=True, slots=True)
class Attempt:
    """One rung of the ladder that a failing simulation climbs."""

    words: str
    every_knot: bool = True
    without_first_rest: bool = False
    tighter: float = 1.0
    first_step_second: float = 0.0


ATTEMPTS = (
    Attempt("as asked", every_knot=False),
    Attempt("stopping at every knot"),
    Attempt("without the first rest", without_first_rest=True),  # a jump 0 -> I can stop the DFN's first step
    Attempt(
        "tolerances 10 times tighter, first step 1 us", without_first_rest=True, tighter=0.1, first_step_second=1e-6
    ),
    Attempt("tolerances 10 times looser", without_first_rest=True, tighter=10.0),
)
RETRIED = ("did_not_converge", "ended_early", "charge_mismatch")  # the solver's failures; the physics' own are final


def climb(case: Case) -> tuple[Replayed, tuple[str, ...]]:
    """Try to solve, each time in another way; failures of the physics, not of the solver, end at once."""
    tried: list[str] = []
    last = JobError("no attempt was made")
    for attempt in ATTEMPTS:
        try:
            replayed = _attempt(attempt, case)
            check_charge(case, replayed)
        except JobError as error:
            tried.append(f"{attempt.words}: {error}")
            if error.code not in RETRIED:
                raise
            last = error
            continue
        tried.append(f"{attempt.words}: done")
        return replayed, tuple(tried)
    ways = ", ".join(attempt.words for attempt in ATTEMPTS)
    raise JobError(f"{last} (tried: {ways})", last.code)


def _attempt(attempt: Attempt, case: Case) -> Replayed:
    record, settings, conditions, profile = case.record, case.settings, case.conditions, case.profile
    capacity = conditions.capacity_ah
    first = _last_of_first_rest(record, REST_CURRENT_PER_AH * capacity) if attempt.without_first_rest else 0
    if first:
        profile = profile_of(record.from_index(first), capacity)
    structure = structure_of(
        settings.model,
        settings.parameter_set.key,
        conditions.overrides,
        len(profile.time_second),
        settings.rtol * attempt.tighter,
        settings.atol * attempt.tighter,
        attempt.first_step_second,
    )
    replayed = replay(structure, conditions, profile, record.time_second[first:], attempt.every_knot)
    check_range(replayed)
    if not first:
        return replayed
    # A cell at rest stays where it is: the model sees no current before, which the charge check then judges.
    rest = np.zeros(first)
    return Replayed(
        record.time_second,
        np.concatenate([np.full(first, replayed.voltage_volt[0]), replayed.voltage_volt]),
        np.concatenate([rest, replayed.current_ampere]),
        np.concatenate([rest, replayed.charge_ah]),
        np.concatenate([rest, replayed.excess]),
    )


def _last_of_first_rest(record: Record, rest_ampere: float) -> int:
    resting = np.abs(record.current_ampere) <= rest_ampere
    return max(int(np.argmin(resting)) - 1, 0) if not resting.all() else 0


def charge_error(record: Record, replayed: Replayed, capacity_ah: float) -> float:
    """Largest difference between the model's and the measured charge at any sample, over the charge throughput.

    The same is asked of each cycle on its own, so that a long record cannot hide in its throughput what one of its
    cycles lost; the largest of all counts.
    """
    steps = interval_charge_ah(record.time_second, record.current_ampere, record.flags)
    away = replayed.charge_ah - np.concatenate([[0.0], np.cumsum(steps)])
    amounts = np.concatenate([[0.0], np.abs(steps)])
    first = np.flatnonzero(np.diff(record.cycle_count, prepend=record.cycle_count[0] - 1))
    whole = float(np.max(np.abs(away))) / max(float(amounts.sum()), REST_THROUGHPUT * capacity_ah)
    before = away[np.maximum(first - 1, 0)]
    length = np.diff(np.append(first, len(away)))
    within = np.maximum.reduceat(np.abs(away - np.repeat(before, length)), first)
    least = CYCLE_THROUGHPUT * capacity_ah
    return max(whole, float(np.max(within / np.maximum(np.add.reduceat(amounts, first), least))))


def check_charge(case: Case, replayed: Replayed) -> None:
    """Refuse a replay whose charge is not the measured one (``charge_mismatch``)."""
    error = charge_error(case.record, replayed, case.conditions.capacity_ah)
    if error > CHARGE_TOLERANCE:
        reason = f"the model saw another charge than was measured: {error:.3%} of the throughput"
        raise JobError(reason, "charge_mismatch")
