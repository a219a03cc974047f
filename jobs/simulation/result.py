"""What a simulation reports of a replay: its errors, balances and time series, whole or up to where it failed."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...data import columns as c
from ...data.arrays import Floats
from ...data.errors import JobError
from ...data.results.simulation import FailedSimulation, SimulationResult
from ..current_profile.compression_error import CompressionError
from ..parameters.capacity import find_capacity
from ..parameters.sets import cutoffs_volt
from ..record.charge import charge_in_out_ah
from ..record.record import Record, sample_duration_second
from ..record.step_windows import find_windows
from .attempts import Case, replay_charge_error
from .compare import compare, compare_steps, cycle_balances, sum_errors
from .replay import Replayed

CUTOFF_MARGIN_VOLT: Final = 0.05  # outside a cut-off by less is the cycler's overshoot, or a model's usual error


def make_result(case: Case, replayed: Replayed, compression: CompressionError) -> SimulationResult:
    """Report a replay of the whole record, and what compressing its current did.

    Raises:
        JobError: no sample has a measured voltage (``no_voltage``).
    """
    record, capacity = case.record, case.conditions.capacity_ah
    sums = sum_errors(record, replayed.voltage_volt, find_windows(record, capacity))
    if not len(sums.samples):
        raise JobError("no sample has a measured voltage to compare with", "no_voltage")
    off = replay_charge_error(record, replayed, capacity)
    comparisons = compare(sums, cycle_balances(record, replayed.voltage_volt, off, capacity))
    whole = comparisons[0]
    return SimulationResult(
        **_begun(case),
        **_charges(record, replayed),
        samples=len(record.time_second),
        charge_error=float(off.max()),
        rmse_mv=whole.rmse_mv,
        bias_mv=whole.bias_mv,
        worst_mv=whole.worst_mv,
        worst_time_second=whole.worst_time_second,
        solve_seconds=0.0,
        comparisons=comparisons,
        step_comparisons=compare_steps(sums),
        beyond_cutoff_second=_beyond_cutoff_second(case, record, replayed.voltage_volt),
        compression_rmse_mv=compression.rmse_mv,
        compression_worst_mv=compression.worst_mv,
    )


def failed_simulation(case: Case, replayed: Replayed | None) -> FailedSimulation:
    """Report how a simulation began that failed, and its curve until then."""
    if replayed is None:
        return FailedSimulation(**_begun(case), samples=0)
    record = case.record.until_index(len(replayed.time_second))
    error = 1e3 * (replayed.voltage_volt - record.voltage_volt)
    known = error[np.isfinite(error)]
    return FailedSimulation(
        **_begun(case),
        **_charges(record, replayed),
        samples=len(record.time_second),
        charge_error=float(replay_charge_error(record, replayed, case.conditions.capacity_ah).max()),
        ended_second=float(record.time_second[-1]),
        partial_rmse_mv=float(np.sqrt(np.mean(known**2))) if len(known) else None,
        beyond_cutoff_second=_beyond_cutoff_second(case, record, replayed.voltage_volt),
    )


def make_frame(case: Case, replayed: Replayed) -> pd.DataFrame:
    """The time series (``data.columns.SIMULATION_COLUMNS``), as far as the replay goes."""
    record = case.record.until_index(len(replayed.time_second))
    kinds = np.full(len(record.time_second), -1, np.int8) if record.step_type is None else record.step_type
    windows = find_windows(record, case.conditions.capacity_ah).code
    columns = {
        c.TEST_TIME: record.time_second,
        "simulated_voltage_volt": replayed.voltage_volt,
        "simulated_current_ampere": replayed.current_ampere,
        "voltage_error_volt": replayed.voltage_volt - record.voltage_volt,
        c.CYCLE_COUNT: record.cycle_count,
        c.STEP_COUNT: record.step_count,
        c.STEP_TYPE: pd.Categorical.from_codes(kinds, pd.Index(c.STEP_TYPES)),
        c.WINDOW: pd.Categorical.from_codes(windows, pd.Index(list(c.WINDOWS))),
    }
    return pd.DataFrame(columns).astype(c.SIMULATION_COLUMNS)


def _begun(case: Case) -> dict[str, Any]:
    """What is known of a simulation before it is solved."""
    state = case.conditions.state
    return {
        "settings": case.settings,
        "knots": len(case.profile.time_second),
        "initial_soc": state.soc,
        "initial_voltage_volt": state.voltage_volt,
        "initial_state_source": state.source,
        "electrodes_in_parallel": case.conditions.electrodes_in_parallel,
        "temperature_celsius": case.conditions.temperature.celsius,
        "temperature_source": case.conditions.temperature.source,
        "capacity_ah": case.conditions.capacity_ah,
        "capacity_source": find_capacity(case.settings.cell, case.settings.parameter_set)[1],
    }


def _charges(record: Record, replayed: Replayed) -> dict[str, Any]:
    charge_in, charge_out = charge_in_out_ah(record.time_second, record.current_ampere, record.flags)
    return {"charge_measured_ah": charge_in - charge_out, "charge_model_ah": float(replayed.charge_ah[-1])}


def _beyond_cutoff_second(case: Case, record: Record, voltage_volt: Floats) -> float | None:
    outside = _outside_cutoffs(case, voltage_volt)
    return None if outside is None else float(sample_duration_second(record)[outside].sum())


def _outside_cutoffs(case: Case, voltage_volt: Floats) -> NDArray[np.bool_] | None:
    cutoffs = cutoffs_volt(case.settings.parameter_set)
    if cutoffs is None:
        return None
    outside: NDArray[np.bool_] = voltage_volt < cutoffs[0] - CUTOFF_MARGIN_VOLT
    outside |= voltage_volt > cutoffs[1] + CUTOFF_MARGIN_VOLT
    return outside


def describe_cutoff(case: Case, replayed: Replayed) -> str:
    """Say from when on a curve's end is outside the set's cut-offs, which do not end it; "" where it is within."""
    outside = _outside_cutoffs(case, replayed.voltage_volt)
    if outside is None or not outside[-1]:
        return ""
    lower, upper = cutoffs_volt(case.settings.parameter_set) or (0.0, 0.0)
    first = int(np.argmax(np.logical_and.accumulate(outside[::-1])[::-1]))
    return f"outside the set's cut-offs of {lower:g} and {upper:g} V from {replayed.time_second[first]:.0f} s on"
