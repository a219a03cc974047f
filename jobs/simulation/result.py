"""The result of a replay: its errors, balances and time series, of the whole record or up to a failure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Floats, Mask
from ...data.errors import JobError
from ...data.results.simulation import FailedSimulation, SimulationResult
from ..current_profile.compression_error import CompressionError
from ..record.charge import charge_in_out_ah
from ..record.record import Record, sample_duration_second
from ..record.step_windows import find_windows
from .attempts import ReplayProblem, relative_charge_error
from .compare import compare, compare_steps, cycle_balances, sum_errors
from .more_outputs import stored_columns, temperature_rmse_kelvin
from .replay import Replayed

CUTOFF_MARGIN_VOLT: Final = 0.05
"""V outside a cut-off that are not reported: the cycler's overshoot, or a model's usual error."""

_STEP_TYPES: Final = pd.CategoricalDtype(pd.Index(c.STEP_TYPES))
_WINDOWS: Final = pd.CategoricalDtype(pd.Index(list(c.WINDOWS)))


@dataclass(frozen=True, slots=True, eq=False)
class ComparedPart:
    """The part of a replay that is compared, with the sample before each piece of it: there its first interval begins.

    Args:
        record: its samples; what is left out between two of them is a gap.
        voltage_volt: simulated, V, shape (n,).
        charge_ah: through the model since the first sample, without what is left out, A.h, shape (n,).
        charge_error: of :func:`kilocell.jobs.simulation.attempts.relative_charge_error`, shape (n,).
        compared: which of the samples are compared, shape (n,).
    """

    record: Record
    voltage_volt: Floats
    charge_ah: Floats
    charge_error: Floats
    compared: Mask


def compared_part(problem: ReplayProblem, replayed: Replayed, compared: Mask | None) -> ComparedPart:
    """Return the part of a replay that is compared.

    Args:
        problem: what was solved.
        replayed: at its first samples.
        compared: samples that are compared, shape (samples of the problem,); ``None`` = all.
    """
    count = len(replayed.time_second)
    record = problem.record.until_index(count)
    charge_error = relative_charge_error(record, replayed.charge_ah, problem.conditions.capacity_ah)
    if compared is None or compared.all():
        everything = np.ones(count, dtype=bool)
        return ComparedPart(record, replayed.voltage_volt, replayed.charge_ah, charge_error, everything)
    compared = compared[:count]
    kept = compared.copy()
    kept[:-1] |= compared[1:] & ~record.after_gap[1:]
    rows = np.flatnonzero(kept)
    part = record.take(rows)
    interval = np.diff(replayed.charge_ah[rows], prepend=replayed.charge_ah[rows[:1]])
    interval[part.after_gap] = 0.0
    return ComparedPart(part, replayed.voltage_volt[rows], np.cumsum(interval), charge_error[rows], compared[rows])


def make_result(
    problem: ReplayProblem, replayed: Replayed, compression: CompressionError, compared: Mask | None = None
) -> SimulationResult:
    """Make the result of a replay.

    Args:
        problem: what was solved.
        replayed: at all of its samples.
        compression: effect of the compressed current on the voltage, with the numerical error.
        compared: samples that are compared, shape (samples,); ``None`` = all.

    Returns:
        The result, still without attempts, solving time and cycle states.

    Raises:
        JobError: no sample has a measured voltage (``no_voltage``).
    """
    record = problem.record
    capacity = problem.conditions.capacity_ah
    sums = sum_errors(record, replayed.voltage_volt, find_windows(record, capacity), compared)
    if not len(sums.samples):
        raise JobError("no sample has a measured voltage to compare with", "no_voltage")
    part = compared_part(problem, replayed, compared)
    comparisons = compare(sums, cycle_balances(part.record, part.voltage_volt, part.charge_error, capacity))
    whole = comparisons[0]
    return SimulationResult(
        **_describe_start(problem),
        **_charges(part),
        samples=int(part.compared.sum()),
        charge_error=float(part.charge_error.max()),
        rmse_mv=whole.rmse_mv,
        bias_mv=whole.bias_mv,
        worst_mv=whole.worst_mv,
        worst_time_second=whole.worst_time_second,
        solve_seconds=0.0,
        comparisons=comparisons,
        step_comparisons=compare_steps(sums),
        beyond_cutoff_second=_beyond_cutoff_second(problem, part),
        compression_rmse_mv=compression.rmse_mv,
        compression_worst_mv=compression.worst_mv,
        temperature_rmse_kelvin=temperature_rmse_kelvin(problem.case, record, replayed),
        numerical_error_rmse_mv=_known(compression.numerical.rmse_mv),
        numerical_error_worst_mv=_known(compression.numerical.worst_mv),
    )


def _known(error_mv: float) -> float | None:
    return error_mv if np.isfinite(error_mv) else None


def failed_simulation(
    problem: ReplayProblem, replayed: Replayed | None, compared: Mask | None = None
) -> FailedSimulation:
    """Make the result of a failed simulation: how it began, and its curve up to the failure.

    Args:
        replayed: the good samples, from the first one; ``None`` = there are none.
        compared: samples that are compared, shape (samples of the problem,); ``None`` = all.
    """
    if replayed is None:
        return FailedSimulation(**_describe_start(problem), samples=0)
    part = compared_part(problem, replayed, compared)
    error = 1e3 * (part.voltage_volt - part.record.voltage_volt)
    known = error[np.isfinite(error) & part.compared]
    partial_rmse = None
    if len(known):
        partial_rmse = float(np.sqrt(np.mean(known**2)))
    return FailedSimulation(
        **_describe_start(problem),
        **_charges(part),
        samples=int(part.compared.sum()),
        charge_error=float(part.charge_error.max()),
        ended_second=float(part.record.time_second[-1]),
        partial_rmse_mv=partial_rmse,
        beyond_cutoff_second=_beyond_cutoff_second(problem, part),
    )


def make_frame(problem: ReplayProblem, replayed: Replayed, compared: Mask | None = None) -> pd.DataFrame:
    """Make the time series up to the end of the replay: ``data.columns.SIMULATION_COLUMNS``, then the other outputs.

    Args:
        compared: samples that are selected, shape (samples of the problem,); ``None`` = all. The others are left out.
    """
    record = problem.record.until_index(len(replayed.time_second))
    kinds = np.full(len(record.time_second), -1, np.int8) if record.step_type is None else record.step_type
    windows = find_windows(record, problem.conditions.capacity_ah).code
    columns = {
        c.TEST_TIME: record.time_second,
        "simulated_voltage_volt": replayed.voltage_volt,
        "simulated_current_ampere": replayed.current_ampere,
        "voltage_error_volt": replayed.voltage_volt - record.voltage_volt,
        c.CYCLE_COUNT: record.cycle_count,
        c.STEP_COUNT: record.step_count,
        c.STEP_TYPE: pd.Categorical.from_codes(kinds, dtype=_STEP_TYPES),
        c.WINDOW: pd.Categorical.from_codes(windows, dtype=_WINDOWS),
        **stored_columns(problem.case, replayed),
    }
    frame = pd.DataFrame(columns, copy=False)
    if compared is None or compared.all():
        return frame
    return frame[compared[: len(frame)]].reset_index(drop=True)


def _describe_start(problem: ReplayProblem) -> dict[str, Any]:
    """The fields of a result that are known before it is solved."""
    conditions = problem.conditions
    return {
        "settings": problem.case.settings,
        "knots": len(problem.profile.time_second),
        "initial_soc": conditions.state.soc,
        "initial_voltage_volt": conditions.state.voltage_volt,
        "initial_state_source": conditions.state.source,
        "state_uncertainty_mv": conditions.state.uncertainty_mv,
        "state_uncertainty_soc": conditions.state.uncertainty_soc,
        "electrodes_in_parallel": conditions.electrodes_in_parallel,
        "temperature_celsius": conditions.temperature.celsius,
        "temperature_source": conditions.temperature.source,
        "capacity_ah": conditions.capacity_ah,
        "capacity_source": problem.case.capacity_source,
    }


def _charges(part: ComparedPart) -> dict[str, Any]:
    record = part.record
    charge_in, charge_out = charge_in_out_ah(record.time_second, record.current_ampere, record.flags)
    return {"charge_measured_ah": charge_in - charge_out, "charge_model_ah": float(part.charge_ah[-1])}


def _beyond_cutoff_second(problem: ReplayProblem, part: ComparedPart) -> float | None:
    outside = _outside_cutoffs(problem, part.voltage_volt)
    if outside is None:
        return None
    return float(sample_duration_second(part.record)[outside & part.compared].sum())


def _outside_cutoffs(problem: ReplayProblem, voltage_volt: Floats) -> Mask | None:
    """Samples with a simulated voltage outside the cut-offs; ``None`` = the parameter set has none."""
    cutoffs = problem.case.cutoffs_volt
    if cutoffs is None:
        return None
    lower, upper = cutoffs
    outside: Mask = voltage_volt < lower - CUTOFF_MARGIN_VOLT
    outside |= voltage_volt > upper + CUTOFF_MARGIN_VOLT
    return outside


def describe_cutoff(problem: ReplayProblem, replayed: Replayed) -> str:
    """Say from when on the end of a curve is outside the set's cut-offs, which do not end a simulation.

    Returns:
        "" where the curve ends within the cut-offs, or the parameter set has none.
    """
    outside = _outside_cutoffs(problem, replayed.voltage_volt)
    if outside is None or not outside[-1]:
        return ""
    lower, upper = problem.case.cutoffs_volt or (0.0, 0.0)
    first = int(np.argmax(np.logical_and.accumulate(outside[::-1])[::-1]))
    return f"outside the set's cut-offs of {lower:g} and {upper:g} V from {replayed.time_second[first]:.0f} s on"
