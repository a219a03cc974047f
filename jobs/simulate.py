"""One simulation: a cell's measured current through a model, charge-true, compared with the measured voltage."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..data import columns as c
from ..data.errors import JobError
from ..data.rules import bit_of
from ..data.settings import SimulateSettings
from ..data.values import SimulationResult
from .build import structure_of
from .charge import charge_in_out_ah, interval_charge_ah
from .compare import compare
from .compress import CurrentProfile, compress
from .parameters import (
    electrodes_in_parallel,
    nominal_capacity_ah,
    temperature_celsius,
)
from .replay import Conditions, Replayed, check_range, replay
from .scale import REST_CURRENT_PER_AH
from .starting_state import starting_state
from .usable import refuse_nothing, voltage_moves

CHARGE_TOLERANCE = 5e-4
CYCLE_THROUGHPUT = 0.1  # of the capacity: the least that stands for the throughput of one cycle
REST_THROUGHPUT = 1e-3  # of the capacity: a record with less is a rest, and this stands for its throughput

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """What a simulation needs of a partition, as arrays of one length."""

    time_second: Floats
    current_ampere: Floats
    voltage_volt: Floats
    flags: NDArray[np.int64]
    cycle_count: NDArray[np.int32]
    step_count: NDArray[np.int32]

    def from_index(self, first: int) -> Record:
        """The record without its first samples."""
        return Record(*(getattr(self, name)[first:] for name in self.__dataclass_fields__))

    def until_index(self, end: int) -> Record:
        """The record's first ``end`` samples."""
        return Record(*(getattr(self, name)[:end] for name in self.__dataclass_fields__))


@dataclass(frozen=True, slots=True, eq=False)
class Simulated:
    """A simulation's time series (``data.columns.SIMULATION_COLUMNS``) and what it reports."""

    frame: pd.DataFrame
    result: SimulationResult


@dataclass(frozen=True, slots=True, eq=False)
class _Case:
    """One simulation as asked: what every attempt at it shares."""

    record: Record
    settings: SimulateSettings
    conditions: Conditions
    profile: CurrentProfile


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One rung of the ladder that a failing simulation climbs."""

    words: str
    every_knot: bool = True
    without_first_rest: bool = False
    tighter: float = 1.0
    first_step_second: float = 0.0


ATTEMPTS = (
    _Attempt("as asked", every_knot=False),
    _Attempt("stopping at every knot"),
    _Attempt("without the first rest", without_first_rest=True),  # a jump 0 -> I can stop the DFN's first step
    _Attempt(
        "tolerances 10 times tighter, first step 1 us", without_first_rest=True, tighter=0.1, first_step_second=1e-6
    ),
    _Attempt("tolerances 10 times looser", without_first_rest=True, tighter=10.0),
)
MOST_RATE = 100.0  # 1/h
HINTS = {
    "left_range": "; check nominal_capacity_ah, initial_state and the parameter set",
    "did_not_converge": "; perhaps out of the set's range: check nominal_capacity_ah, initial_state and the set",
}
RETRIED = ("did_not_converge", "ended_early", "charge_mismatch")  # the solver's failures; the physics' own are final


def record_of(samples: pd.DataFrame) -> Record:
    """Take the arrays of a simulation from a partition."""
    return Record(
        samples[c.TEST_TIME].to_numpy(float),
        samples[c.CURRENT].to_numpy(float),
        samples[c.VOLTAGE].to_numpy(float),
        samples[c.FLAGS].to_numpy(np.int64),
        samples[c.CYCLE_COUNT].to_numpy(np.int32),
        samples[c.STEP_COUNT].to_numpy(np.int32),
    )


def profile_of(record: Record, capacity_ah: float) -> CurrentProfile:
    """Compress a record's current; power cuts carry none."""
    after_gap = (record.flags & bit_of("time_gap")) != 0
    return compress(record.time_second, record.current_ampere, after_gap, capacity_ah)


def conditions_of(record: Record, settings: SimulateSettings, measured_celsius: float | None) -> Conditions:
    """Find initial state, electrodes in parallel and temperature for a cell and parameter set."""
    cell, parameter_set = settings.cell, settings.parameter_set
    celsius = temperature_celsius(cell, parameter_set, measured_celsius)
    arrays = (record.time_second, record.current_ampere, record.voltage_volt, record.flags)
    state = starting_state(cell, parameter_set, *arrays, celsius)
    parallel = electrodes_in_parallel(cell, parameter_set)
    capacity = cell.nominal_capacity_ah or nominal_capacity_ah(parameter_set)
    return Conditions(state, parallel, capacity, celsius, parameter_set.overrides)


def simulate(samples: pd.DataFrame, settings: SimulateSettings, measured_celsius: float | None) -> Simulated:
    """Replay a cell's measured current and compare voltages.

    Args:
        samples: a cleaned partition.
        measured_celsius: the cell's mean temperature, used where the settings give none.

    Raises:
        NothingToSimulateError: the record has no current to replay.
        JobError: no attempt gave a finite, charge-true simulation; the text lists what was tried.
    """
    record = record_of(samples)
    capacity = settings.cell.nominal_capacity_ah or nominal_capacity_ah(settings.parameter_set)
    refuse_nothing(record.current_ampere, record.voltage_volt, capacity)
    _refuse_implausible(record, capacity)
    profile = profile_of(record, capacity)
    case = _Case(record, settings, conditions_of(record, settings, measured_celsius), profile)
    began = time.perf_counter()
    try:
        replayed, attempts = _climb(case)
    except JobError as error:
        state = case.conditions.state
        start = f"it began at a state of charge of {state.soc:.3f} ({state.source})"
        raise JobError(f"{error}; {start} with {capacity:g} A.h{HINTS.get(error.code, '')}", error.code) from error
    seconds = time.perf_counter() - began
    result = replace(_result(case, replayed), solve_seconds=seconds, attempts=attempts)
    return Simulated(_frame(record, replayed), result)


def _refuse_implausible(record: Record, capacity_ah: float) -> None:
    """Refuse a current that cannot be of this cell: its unit, its column or the cell's capacity is wrong."""
    largest = float(np.nanmax(np.abs(record.current_ampere), initial=0.0))
    rate = largest / capacity_ah
    if rate > MOST_RATE:
        reason = f"the current reaches {largest:g} A, {rate:.0f} times the capacity of {capacity_ah:g} A.h per hour"
        raise JobError(f"{reason}; check nominal_capacity_ah and the current's unit", "implausible_current")
    if rate < REST_CURRENT_PER_AH and voltage_moves(record.voltage_volt):
        reason = f"the current is at most {largest:g} A for a cell of {capacity_ah:g} A.h, yet its voltage moves"
        raise JobError(f"{reason}; check the current's column and unit, and nominal_capacity_ah", "implausible_current")


def _climb(case: _Case) -> tuple[Replayed, tuple[str, ...]]:
    """Try to solve, each time in another way; failures of the physics, not of the solver, end at once."""
    tried: list[str] = []
    last = JobError("no attempt was made")
    for attempt in ATTEMPTS:
        try:
            replayed = _attempt(attempt, case)
            _check_charge(case, replayed)
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


def _attempt(attempt: _Attempt, case: _Case) -> Replayed:
    record, settings, conditions, profile = case.record, case.settings, case.conditions, case.profile
    capacity = conditions.capacity_ah
    first = _last_of_first_rest(record, REST_CURRENT_PER_AH * capacity) if attempt.without_first_rest else 0
    if first:
        profile = profile_of(record.from_index(first), capacity)
    structure = structure_of(
        settings.model,
        settings.parameter_set.base,
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


def _check_charge(case: _Case, replayed: Replayed) -> None:
    error = charge_error(case.record, replayed, case.conditions.capacity_ah)
    if error > CHARGE_TOLERANCE:
        reason = f"the model saw another charge than was measured: {error:.3%} of the throughput"
        raise JobError(reason, "charge_mismatch")


def _result(case: _Case, replayed: Replayed) -> SimulationResult:
    record, conditions = case.record, case.conditions
    comparisons = compare(record.time_second, replayed.voltage_volt - record.voltage_volt, record.cycle_count)
    if not comparisons:
        raise JobError("no sample has a measured voltage to compare with", "no_voltage")
    whole, state = comparisons[0], conditions.state
    charge_in, charge_out = charge_in_out_ah(record.time_second, record.current_ampere, record.flags)
    return SimulationResult(
        settings=case.settings,
        samples=len(record.time_second),
        knots=len(case.profile.time_second),
        initial_soc=state.soc,
        initial_voltage_volt=state.voltage_volt,
        initial_state_source=state.source,
        electrodes_in_parallel=conditions.electrodes_in_parallel,
        temperature_celsius=conditions.temperature_celsius,
        charge_measured_ah=charge_in - charge_out,
        charge_model_ah=float(replayed.charge_ah[-1]),
        charge_error=charge_error(record, replayed, conditions.capacity_ah),
        rmse_mv=whole.rmse_mv,
        bias_mv=whole.bias_mv,
        worst_mv=whole.worst_mv,
        worst_time_second=whole.worst_time_second,
        solve_seconds=0.0,
        comparisons=comparisons,
    )


def _frame(record: Record, replayed: Replayed) -> pd.DataFrame:
    columns = {
        c.TEST_TIME: record.time_second,
        "simulated_voltage_volt": replayed.voltage_volt,
        "simulated_current_ampere": replayed.current_ampere,
        "voltage_error_volt": replayed.voltage_volt - record.voltage_volt,
        c.CYCLE_COUNT: record.cycle_count,
        c.STEP_COUNT: record.step_count,
    }
    return pd.DataFrame(columns).astype(c.SIMULATION_COLUMNS)
