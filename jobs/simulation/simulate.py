"""One simulation: a cell's measured current through a model, charge-true, compared with the measured voltage."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ...data.errors import FailedSimulationError, JobError
from ...data.results.simulation import SimulationResult
from ...data.settings import SimulateSettings
from ..current_profile.temperature import Temperature, find_temperature
from ..models.initial_state import find_starting_state
from ..models.pybamm_models import check_set
from ..parameters.sets import apply_cell_parameters, electrodes_in_parallel, nominal_capacity_ah
from ..record.charge import REST_CURRENT_PER_AH
from ..record.record import Record, make_record
from ..record.usable_current import require_current, voltage_moves
from .attempts import Case, compress_within_charge_limit, try_attempts_within_limit
from .replay import Conditions, ReplayEndedError
from .result import describe_cutoff, failed_simulation, make_frame, make_result
from .selected_cycles import solve_selected
from .solver_windows import TimeLimit
from .stretches import Stretch, choose_stretches, join_records

MOST_RATE = 100.0  # 1/h
HINTS = {
    "left_range": "check nominal_capacity_ah, initial_state and the parameter set",
    "diverged": "check nominal_capacity_ah, initial_state and the parameter set",
    "ended_early": "check nominal_capacity_ah, initial_state and the parameter set",
    "did_not_converge": "perhaps out of the set's range: check nominal_capacity_ah, initial_state and the set, or take "
    "a simpler model",
    "charge_mismatch": "this is a fault of the replay: please report it with the record",
}
"""What to do next, by the reason's code."""


@dataclass(frozen=True, slots=True, eq=False)
class SimulationOutput:
    """A simulation's time series (``data.columns.SIMULATION_COLUMNS``) and what it reports."""

    frame: pd.DataFrame
    result: SimulationResult


def find_conditions(
    record: Record,
    settings: SimulateSettings,
    measured_celsius: float | None,
    telling: Record | None = None,
    temperature: Temperature | None = None,
) -> Conditions:
    """Find initial state, electrodes in parallel and temperature for a cell and parameter set.

    Args:
        telling: the samples whose first one's state it is; ``None`` = ``record``.
        temperature: where it is known already.
    """
    settings = apply_cell_parameters(settings)
    cell, parameter_set = settings.cell, settings.parameter_set
    temperature = temperature or find_temperature(record, cell, settings.model, parameter_set, measured_celsius)
    by = telling or record
    arrays = (by.time_second, by.current_ampere, by.voltage_volt, by.flags)
    state = find_starting_state(cell, settings.model, parameter_set, *arrays, temperature.first_celsius)
    parallel = electrodes_in_parallel(cell, parameter_set)
    capacity = cell.nominal_capacity_ah or nominal_capacity_ah(parameter_set)
    return Conditions(state, parallel, capacity, temperature, parameter_set.overrides)


def simulate(samples: pd.DataFrame, settings: SimulateSettings, measured_celsius: float | None) -> SimulationOutput:
    """Replay a cell's measured current and compare voltages.

    Args:
        samples: a cleaned partition.
        measured_celsius: the cell's mean temperature, used where the settings give none.

    Raises:
        NothingToSimulateError: the record has no current to replay.
        FailedSimulationError: no attempt gave a finite, charge-true simulation; the text says what was tried and what
            to do next, and what was solved until then comes with it.
        JobError: it could not begin.
    """
    record = make_record(samples)
    stretches, missing = choose_stretches(record, settings)
    rows = join_records(record, stretches)
    capacity = apply_cell_parameters(settings).cell.nominal_capacity_ah or nominal_capacity_ah(settings.parameter_set)
    require_current(rows.current_ampere, rows.voltage_volt, capacity)
    check_set(settings.model, settings.parameter_set.key)
    _refuse_implausible(rows, capacity)
    if not settings.cycles.whole:
        return _simulate_selected(record, stretches, missing, settings, measured_celsius)
    profile, conditions = (
        compress_within_charge_limit(record, capacity),
        find_conditions(record, settings, measured_celsius),
    )
    case = Case(record, settings, conditions, profile, TimeLimit(settings.time_limit_second))
    began = time.perf_counter()
    try:
        case, replayed, attempts, compression = try_attempts_within_limit(case)
    except ReplayEndedError as error:
        raise _failed(case, error, time.perf_counter() - began) from error
    seconds = time.perf_counter() - began
    result = replace(make_result(case, replayed, compression), solve_seconds=seconds, attempts=attempts)
    return SimulationOutput(make_frame(case, replayed), result)


def _simulate_selected(
    record: Record,
    stretches: tuple[Stretch, ...],
    missing: str,
    settings: SimulateSettings,
    measured_celsius: float | None,
) -> SimulationOutput:
    """Simulate each of the selected cycles; all of them must be done, and those that are keep their curves."""
    capacity = apply_cell_parameters(settings).cell.nominal_capacity_ah or nominal_capacity_ah(settings.parameter_set)
    began = time.perf_counter()

    def conditions(part: Record, telling: Record, asked: SimulateSettings) -> Conditions:
        return find_conditions(part, asked, measured_celsius, telling)

    selected = solve_selected(record, stretches, settings, conditions, capacity, TimeLimit(settings.time_limit_second))
    found: dict[str, Any] = {
        "solve_seconds": time.perf_counter() - began,
        "attempts": ((missing,) if missing else ()) + selected.attempts,
    }
    if not selected.solved:
        raise JobError(selected.reason, selected.failures[0].error.code) from selected.failures[0].error
    case, replayed = selected.joined(record)
    frame = make_frame(case, replayed)
    if selected.failures:
        first = selected.failures[0].error
        words = f"{selected.reason}; {HINTS[first.code]}" if first.code in HINTS else selected.reason
        raise FailedSimulationError(words, first.code, replace(failed_simulation(case, replayed), **found), frame)
    result = make_result(case, replayed, selected.compression)
    return SimulationOutput(frame, replace(result, **found, cycle_states=selected.states))


def _failed(case: Case, error: ReplayEndedError, seconds: float) -> FailedSimulationError:
    """The failure with its curve until then, in words that say how it began and what to do next."""
    state, replayed = case.conditions.state, error.replayed
    began = f"it began at a state of charge of {state.soc:.3f} ({state.source})"
    words = [str(error), f"{began} with {case.conditions.capacity_ah:g} A.h"]
    if replayed is not None:
        words += [describe_cutoff(case, replayed), f"its curve up to {replayed.time_second[-1]:.0f} s is kept"]
    words.append(HINTS.get(error.code, ""))
    result = replace(failed_simulation(case, replayed), solve_seconds=seconds, attempts=error.attempts)
    frame = make_frame(case, replayed) if replayed is not None else None
    return FailedSimulationError("; ".join(filter(None, words)), error.code, result, frame)


def _refuse_implausible(record: Record, capacity_ah: float) -> None:
    """Refuse a current that cannot be of this cell: its unit, its column or the cell's capacity is wrong."""
    largest = float(np.nanmax(np.abs(record.current_ampere), initial=0.0))
    rate = largest / capacity_ah
    if rate > MOST_RATE:
        reason = f"the current reaches {largest:g} A, {rate:.0f} times the capacity of {capacity_ah:g} A.h per hour"
        raise JobError(f"{reason}; check nominal_capacity_ah and the current's unit", "implausible_current")
    if rate < REST_CURRENT_PER_AH and voltage_moves(record.voltage_volt):
        reason = f"the current is at most {largest:g} A for a cell of {capacity_ah:g} A.h, yet its voltage moves"
        raise JobError(
            f"{reason}; check the current's column and unit, and nominal_capacity_ah (not in mA.h)",
            "implausible_current",
        )
