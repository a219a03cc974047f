"""Simulate one cell: drive a model with the measured current and compare its voltage with the measured one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd

from ...data.errors import FailedSimulationError, JobError
from ...data.results.cleaning import CleanResult
from ...data.results.simulation import SimulationResult
from ...data.settings import SimulateSettings
from ...data.step_selection import StepSelection
from ..models.pybamm_models import check_set
from ..models.set_checks import refuse_several_cells
from ..models.simulation_case import SimulationCase, resolve_simulation
from ..record.charge import REST_CURRENT_PER_AH
from ..record.record import Record, make_record
from ..record.usable_current import require_current, voltage_moves
from .attempts import ReplayProblem, compress_within_charge_limit
from .charge_effect import carried_uncertainty_ah, charge_uncertainty_mv, with_charge_doubt
from .conditions import find_conditions, find_record_start, spread_over
from .replay import ReplayEndedError
from .result import describe_cutoff, failed_simulation, make_frame, make_result
from .selected_cycles import solve_selected
from .settled_state import settle_start
from .solver_windows import TimeLimit
from .stretch_results import compare_stretches
from .stretches import Stretch, choose_stretches, join_records
from .within_limits import try_attempts_within_limit

MOST_RATE: Final = 100.0
"""Highest plausible C-rate, 1/h: a larger current has a wrong unit, or the capacity is wrong."""

KEPT_OF_OTHERS: Final = (
    "solve_seconds",
    "attempts",
    "comparisons",
    "step_comparisons",
    "cycle_states",
    "stretches",
    "state_uncertainty_mv",
    "state_uncertainty_soc",
)
"""Fields that a failed simulation keeps of the stretches that did not fail."""

HINTS: Final = {
    "left_range": "check nominal_capacity_ah, initial_state and the parameter set",
    "diverged": "check nominal_capacity_ah, initial_state and the parameter set",
    "ended_early": "check nominal_capacity_ah, initial_state and the parameter set",
    "did_not_converge": "the record may be outside the set's range: check nominal_capacity_ah, initial_state and the "
    "set, or use a simpler model",
    "charge_mismatch": "this is a fault of the replay: please report it with the record",
}
"""What to do next, for each reason code of a failed simulation."""


@dataclass(frozen=True, slots=True, eq=False)
class SimulationOutput:
    """A simulation's time series (``data.columns.SIMULATION_COLUMNS``) and its result."""

    frame: pd.DataFrame
    result: SimulationResult


def simulate(
    samples: pd.DataFrame,
    settings: SimulateSettings,
    measured_celsius: float | None,
    cleaned: CleanResult | None = None,
    watch: Callable[[float], None] | None = None,
) -> SimulationOutput:
    """Simulate a cell under its measured current and compare the voltages.

    Args:
        samples: a cleaned partition.
        settings: cell, model, parameter set, selected cycles and tolerances.
        measured_celsius: the cell's mean measured temperature in °C, used where the settings give none; ``None`` =
            nothing was measured.
        cleaned: what cleaning knows of the charge, for the error budget; ``None`` = nothing.
        watch: is told how much of the time limit is left; see :class:`TimeLimit`.

    Raises:
        NothingToSimulateError: the record has no current to replay.
        FailedSimulationError: no attempt gave a finite simulation with the measured charge. Its text says what was
            tried and what to do next; it carries the part that was solved.
        JobError: the simulation could not begin.
    """
    record = with_charge_doubt(make_record(samples), cleaned)
    stretches, missing = choose_stretches(record, settings)
    selected = join_records(record, stretches)
    case = resolve_simulation(settings, measured_celsius)
    require_current(selected.current_ampere, selected.voltage_volt, case.capacity_ah)
    check_set(case.model, case.set_key)
    refuse_several_cells(selected.voltage_volt, case.cutoffs_volt)
    # The current of a rest or a hold alone says nothing about the unit.
    _refuse_implausible(record if isinstance(settings.cycles, StepSelection) else selected, case.capacity_ah)
    limit = TimeLimit(settings.time_limit_second, watch)
    if settings.cycles.whole:
        return _simulate_whole(record, case, cleaned, limit)
    return _simulate_selected(record, stretches, missing, case, cleaned, limit)


def _simulate_whole(
    record: Record, case: SimulationCase, cleaned: CleanResult | None, limit: TimeLimit
) -> SimulationOutput:
    """Simulate the whole record in one go."""
    profile = compress_within_charge_limit(record, case.capacity_ah)
    start = settle_start(find_record_start(record, case), record, case, limit)
    conditions = find_conditions(record, case, start)
    problem = ReplayProblem(record, case, conditions, profile, limit)
    began = time.perf_counter()
    try:
        problem, replayed, attempts, compression = try_attempts_within_limit(problem)
    except ReplayEndedError as error:
        raise _failed(problem, error, time.perf_counter() - began) from error
    seconds = time.perf_counter() - began
    problem = replace(problem, conditions=spread_over(problem.conditions, record, case))
    result = replace(make_result(problem, replayed, compression), solve_seconds=seconds, attempts=attempts)
    every = np.ones(len(record.time_second), dtype=bool)
    uncertainty = charge_uncertainty_mv([(problem, replayed, every)], cleaned, whole=True)
    return SimulationOutput(make_frame(problem, replayed), replace(result, charge_uncertainty_mv=uncertainty))


def _simulate_selected(
    record: Record,
    stretches: tuple[Stretch, ...],
    missing: str,
    case: SimulationCase,
    cleaned: CleanResult | None,
    limit: TimeLimit,
) -> SimulationOutput:
    """Simulate each of the selected parts; if one fails, the error carries curves and errors of the others.

    Args:
        missing: in words what of the selection the record lacks; "" = none.
    """
    began = time.perf_counter()
    selected = solve_selected(record, stretches, case, limit)
    seconds = time.perf_counter() - began
    attempts = selected.attempts
    if missing:
        attempts = (missing, *attempts)
    if not selected.solved:
        first_error = selected.failures[0].error
        raise JobError(selected.reason, first_error.code) from first_error
    problem, replayed = selected.joined(record)
    compared = selected.compared
    try:
        result = make_result(problem, replayed, selected.compression, compared)
    except JobError as error:
        if selected.failures:
            raise JobError(f"{selected.reason}; in these, {error}", selected.failures[0].error.code) from error
        raise
    result = replace(
        result,
        solve_seconds=seconds,
        attempts=attempts,
        cycle_states=selected.states,
        **selected.least_known,
        stretches=compare_stretches(record, selected, replayed),
    )
    frame = make_frame(problem, replayed, compared)
    if not selected.failures:
        solved = [(one.problem, one.replayed, one.stretch.compared) for one in selected.solved]
        carried: list[float] = []
        if case.settings.cell.initial_state.policy == "previous_cycle":
            carried = carried_uncertainty_ah(record, [one.stretch.first for one in selected.solved], cleaned)
        uncertainty = charge_uncertainty_mv(solved, cleaned, carried_ah=carried)
        return SimulationOutput(frame, replace(result, charge_uncertainty_mv=uncertainty))
    code = selected.failures[0].error.code
    reason = selected.reason
    if code in HINTS:
        reason = f"{reason}; {HINTS[code]}"
    kept = {name: getattr(result, name) for name in KEPT_OF_OTHERS}
    partial = replace(failed_simulation(problem, replayed, compared), **kept)
    raise FailedSimulationError(reason, code, partial, frame)


def _failed(problem: ReplayProblem, error: ReplayEndedError, seconds: float) -> FailedSimulationError:
    """Make the error of a failed simulation: its curve so far, how it began, and what to do next."""
    state = problem.conditions.state
    replayed = error.replayed
    began = f"it began at a state of charge of {state.soc:.3f} ({state.source})"
    parts = [str(error), f"{began} with {problem.conditions.capacity_ah:g} A.h"]
    frame = None
    if replayed is not None:
        parts.append(describe_cutoff(problem, replayed))
        parts.append(f"its curve up to {replayed.time_second[-1]:.0f} s is kept")
        frame = make_frame(problem, replayed)
    parts.append(HINTS.get(error.code, ""))
    result = replace(failed_simulation(problem, replayed), solve_seconds=seconds, attempts=error.attempts)
    return FailedSimulationError("; ".join(filter(None, parts)), error.code, result, frame)


def _refuse_implausible(record: Record, capacity_ah: float) -> None:
    """Refuse a current that cannot be of this cell: its unit, its column or the cell's capacity is wrong."""
    largest = float(np.nanmax(np.abs(record.current_ampere), initial=0.0))
    rate = largest / capacity_ah
    if rate > MOST_RATE:
        reason = f"the current reaches {largest:g} A, {rate:.0f} times the capacity of {capacity_ah:g} A.h per hour"
        raise JobError(f"{reason}; check nominal_capacity_ah and the current's unit", "implausible_current")
    if rate < REST_CURRENT_PER_AH and voltage_moves(record.voltage_volt):
        reason = f"the current is at most {largest:g} A in a cell of {capacity_ah:g} A.h, but its voltage changes"
        advice = "check the current's column and unit, and nominal_capacity_ah (in A.h, not in mA.h)"
        raise JobError(f"{reason}; {advice}", "implausible_current")
