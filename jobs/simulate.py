"""One simulation: a cell's measured current through a model, charge-true, compared with the measured voltage."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..data import columns as c
from ..data.errors import JobError
from ..data.settings import SimulateSettings
from ..data.values import SimulationResult
from .attempts import Case, charge_error, climb
from .charge import charge_in_out_ah
from .compare import compare
from .models import check_set
from .parameters import electrodes_in_parallel, nominal_capacity_ah, temperature_celsius
from .record import Record, profile_of, record_of
from .replay import Conditions, Replayed
from .scale import REST_CURRENT_PER_AH
from .starting_state import starting_state
from .usable import refuse_nothing, voltage_moves

Floats = NDArray[np.float64]

MOST_RATE = 100.0  # 1/h
HINTS = {
    "left_range": "; check nominal_capacity_ah, initial_state and the parameter set",
    "did_not_converge": "; perhaps out of the set's range: check nominal_capacity_ah, initial_state and the set",
}


@dataclass(frozen=True, slots=True, eq=False)
class Simulated:
    """A simulation's time series (``data.columns.SIMULATION_COLUMNS``) and what it reports."""

    frame: pd.DataFrame
    result: SimulationResult


def conditions_of(record: Record, settings: SimulateSettings, measured_celsius: float | None) -> Conditions:
    """Find initial state, electrodes in parallel and temperature for a cell and parameter set."""
    cell, parameter_set = settings.cell, settings.parameter_set
    celsius = temperature_celsius(cell, parameter_set, measured_celsius)
    arrays = (record.time_second, record.current_ampere, record.voltage_volt, record.flags)
    state = starting_state(cell, settings.model, parameter_set, *arrays, celsius)
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
    check_set(settings.model, settings.parameter_set.base)
    _refuse_implausible(record, capacity)
    profile = profile_of(record, capacity)
    case = Case(record, settings, conditions_of(record, settings, measured_celsius), profile)
    began = time.perf_counter()
    try:
        replayed, attempts = climb(case)
    except JobError as error:
        if error.code == "cannot_build":
            raise  # nothing began
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


def _result(case: Case, replayed: Replayed) -> SimulationResult:
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
