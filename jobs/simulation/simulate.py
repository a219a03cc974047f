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
from ..current_profile.temperature import Temperature, temperature_of
from ..models.initial_state import starting_state
from ..models.pybamm_models import check_set
from ..parameters.sets import electrodes_in_parallel, nominal_capacity_ah, of_cell
from ..record.charge import REST_CURRENT_PER_AH
from ..record.record import Record, record_of
from ..record.usable_current import refuse_nothing, voltage_moves
from .attempts import Case, charge_true_profile, climb_within_limit
from .replay import Conditions, EndedError
from .result import cutoff_in_words, failed_simulation, frame_of, result_of
from .selected_cycles import solve_selected
from .solver_windows import Limit
from .stretches import Stretch, joined_record, stretches_of

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
class Simulated:
    """A simulation's time series (``data.columns.SIMULATION_COLUMNS``) and what it reports."""

    frame: pd.DataFrame
    result: SimulationResult


def conditions_of(
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
    settings = of_cell(settings)
    cell, parameter_set = settings.cell, settings.parameter_set
    temperature = temperature or temperature_of(record, cell, settings.model, parameter_set, measured_celsius)
    by = telling or record
    arrays = (by.time_second, by.current_ampere, by.voltage_volt, by.flags)
    state = starting_state(cell, settings.model, parameter_set, *arrays, temperature.first_celsius)
    parallel = electrodes_in_parallel(cell, parameter_set)
    capacity = cell.nominal_capacity_ah or nominal_capacity_ah(parameter_set)
    return Conditions(state, parallel, capacity, temperature, parameter_set.overrides)


def simulate(samples: pd.DataFrame, settings: SimulateSettings, measured_celsius: float | None) -> Simulated:
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
    record = record_of(samples)
    stretches, missing = stretches_of(record, settings)
    rows = joined_record(record, stretches)
    capacity = of_cell(settings).cell.nominal_capacity_ah or nominal_capacity_ah(settings.parameter_set)
    refuse_nothing(rows.current_ampere, rows.voltage_volt, capacity)
    check_set(settings.model, settings.parameter_set.key)
    _refuse_implausible(rows, capacity)
    if not settings.cycles.whole:
        return _simulate_selected(record, stretches, missing, settings, measured_celsius)
    profile, conditions = charge_true_profile(record, capacity), conditions_of(record, settings, measured_celsius)
    case = Case(record, settings, conditions, profile, Limit(settings.time_limit_second))
    began = time.perf_counter()
    try:
        case, replayed, attempts, compression = climb_within_limit(case)
    except EndedError as error:
        raise _failed(case, error, time.perf_counter() - began) from error
    seconds = time.perf_counter() - began
    result = replace(result_of(case, replayed, compression), solve_seconds=seconds, attempts=attempts)
    return Simulated(frame_of(case, replayed), result)


def _simulate_selected(
    record: Record,
    stretches: tuple[Stretch, ...],
    missing: str,
    settings: SimulateSettings,
    measured_celsius: float | None,
) -> Simulated:
    """Simulate each of the selected cycles; all of them must be done, and those that are keep their curves."""
    capacity = of_cell(settings).cell.nominal_capacity_ah or nominal_capacity_ah(settings.parameter_set)
    began = time.perf_counter()

    def conditions(part: Record, telling: Record, asked: SimulateSettings) -> Conditions:
        return conditions_of(part, asked, measured_celsius, telling)

    selected = solve_selected(record, stretches, settings, conditions, capacity, Limit(settings.time_limit_second))
    found: dict[str, Any] = {
        "solve_seconds": time.perf_counter() - began,
        "attempts": ((missing,) if missing else ()) + selected.attempts,
    }
    if not selected.solved:
        raise JobError(selected.reason, selected.failures[0].error.code) from selected.failures[0].error
    case, replayed = selected.joined(record)
    frame = frame_of(case, replayed)
    if selected.failures:
        first = selected.failures[0].error
        words = f"{selected.reason}; {HINTS[first.code]}" if first.code in HINTS else selected.reason
        raise FailedSimulationError(words, first.code, replace(failed_simulation(case, replayed), **found), frame)
    result = result_of(case, replayed, selected.compression)
    return Simulated(frame, replace(result, **found, cycle_states=selected.states))


def _failed(case: Case, error: EndedError, seconds: float) -> FailedSimulationError:
    """The failure with its curve until then, in words that say how it began and what to do next."""
    state, replayed = case.conditions.state, error.replayed
    began = f"it began at a state of charge of {state.soc:.3f} ({state.source})"
    words = [str(error), f"{began} with {case.conditions.capacity_ah:g} A.h"]
    if replayed is not None:
        words += [cutoff_in_words(case, replayed), f"its curve up to {replayed.time_second[-1]:.0f} s is kept"]
    words.append(HINTS.get(error.code, ""))
    result = replace(failed_simulation(case, replayed), solve_seconds=seconds, attempts=error.attempts)
    frame = frame_of(case, replayed) if replayed is not None else None
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
