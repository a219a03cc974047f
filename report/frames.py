"""Columns of the frames that a store gives to Python, with their types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import pandas as pd

TEXT: Final = "text"
REAL: Final = "float64"
COUNT: Final = "int64"
MAYBE: Final = "Int64"  # a count, or pandas.NA where it is not known
FLAG: Final = "boolean"

CHARGE: Final = {
    "charge_source": TEXT, "charge_in_low_ah": REAL, "charge_in_high_ah": REAL, "charge_out_low_ah": REAL,
    "charge_out_high_ah": REAL, "charge_in_counted_ah": REAL, "charge_out_counted_ah": REAL,
}  # fmt: skip
BUDGET: Final = {
    "error_budget_mv": REAL, "error_budget_too_large": FLAG, "error_budget_main": TEXT,
    "error_budget_unknown": TEXT, "numerical_error_rmse_mv": REAL, "compression_rmse_mv": REAL,
    "charge_uncertainty_mv": REAL,
}  # fmt: skip
CELLS: Final = {
    "cell_id": TEXT, "status": TEXT, "nominal_capacity_ah": REAL, "rows_in": MAYBE, "rows_kept": MAYBE,
    "rows_quarantined": MAYBE, "findings": MAYBE, "cycles": MAYBE, "time_span_second": REAL, "charge_in_ah": REAL,
    "charge_out_ah": REAL, "temperature_mean_celsius": REAL, "simulations_done": COUNT,
    "simulations_failed": COUNT, "best_simulation": TEXT, "best_rmse_mv": REAL, "rows_inserted": MAYBE,
    **CHARGE, "charge_uncertainty_ah": REAL, "charge_uncertainty_percent": REAL, "capacity_source": TEXT,
    "parameter_set_source": TEXT, "standing": TEXT,
}  # fmt: skip
CYCLES: Final = {
    "cell_id": TEXT, "cycle_count": COUNT, "first_test_time_second": REAL, "last_test_time_second": REAL,
    "samples": COUNT, "steps": COUNT, "charge_in_ah": REAL, "charge_out_ah": REAL, "energy_in_wh": REAL,
    "energy_out_wh": REAL, "voltage_min_volt": REAL, "voltage_max_volt": REAL, "temperature_mean_celsius": REAL,
    **CHARGE, "coulombic_efficiency_percent": REAL, "energy_efficiency_percent": REAL,
    "mean_charge_voltage_volt": REAL, "mean_discharge_voltage_volt": REAL, "duration_second": REAL, "findings": COUNT,
    "charge_uncertainty_percent": REAL,
}  # fmt: skip
RUNS: Final = {
    "run_id": COUNT, "status": TEXT, "status_reason": TEXT, "command": TEXT, "host": TEXT, "pid": COUNT,
    "exit_code": MAYBE, "started_unix_second": REAL, "ended_unix_second": REAL, "seconds": REAL, "campaign": TEXT,
    "kilocell_commit": TEXT, "campaign_commit": TEXT, "versions": TEXT, "cluster": TEXT, "jobs": TEXT,
    "workers_peak": MAYBE, "workers_memory_peak_bytes": MAYBE, "worker_memory_peak_bytes": MAYBE,
    "client_memory_peak_bytes": MAYBE, "log": TEXT,
}  # fmt: skip
_PARTS: Final = ("ohmic", "kinetic", "diffusion", "capacity", "charge", "discharge", "rest", "hold", "pulse")
COMPARISON: Final = {
    "cell_id": TEXT, "model": TEXT, "parameter_set": TEXT, "cycle_count": COUNT, "samples": COUNT, "rmse_mv": REAL,
    "bias_mv": REAL, "worst_mv": REAL, "worst_time_second": REAL, **{f"{part}_rmse_mv": REAL for part in _PARTS},
    "status": TEXT, "is_default": FLAG, "standing": TEXT,
}  # fmt: skip
PARAMETER_SETS: Final = {
    "model": TEXT, "parameter_set": TEXT, "base": TEXT, "overrides": TEXT, "lineage": TEXT, "is_default": FLAG,
    "cells": COUNT, "cells_done": COUNT, "cells_failed": COUNT, "rmse_mean_mv": REAL, "rmse_min_mv": REAL,
    "rmse_max_mv": REAL, "parameter_set_digest": TEXT, "standing": TEXT,
}  # fmt: skip
CURVES: Final = {
    "cell_id": TEXT, "model": TEXT, "parameter_set": TEXT, "status": TEXT, "samples": MAYBE, "rmse_mv": REAL,
    "bias_mv": REAL, "worst_mv": REAL, "partial_rmse_mv": REAL, "initial_soc": REAL, "initial_voltage_volt": REAL,
    "capacity_ah": REAL, "temperature_celsius": REAL, "selection": TEXT, "reason": TEXT, "path": TEXT,
    "is_default": FLAG, "standing": TEXT,
}  # fmt: skip
RESULTS: Final = {
    "cell_id": TEXT, "model": TEXT, "parameter_set": TEXT, "status": TEXT, "rmse_mv": REAL, "bias_mv": REAL,
    "worst_mv": REAL, "worst_time_second": REAL, "seconds": REAL, "reason": TEXT, "charge_source": TEXT,
    "charge_error": REAL, "charge_uncertainty_ah": REAL, "charge_uncertainty_percent": REAL,
    "capacity_source": TEXT, "parameter_set_source": TEXT, "initial_state_source": TEXT,
    "state_uncertainty_mv": REAL, "state_uncertainty_soc": REAL, "temperature_source": TEXT, "selection": TEXT,
    **BUDGET, "numerical_error_worst_mv": REAL, "compression_worst_mv": REAL, "temperature_rmse_kelvin": REAL,
    "standing": TEXT,
}  # fmt: skip
FINDINGS: Final = {
    "cell_id": TEXT, "rule": TEXT, "severity": TEXT, "rows": COUNT, "source_index": COUNT, "source_row": COUNT,
    "cycle_count": MAYBE, "step_count": MAYBE, "before": TEXT, "after": TEXT, "action": TEXT,
}  # fmt: skip
FITS: Final = {
    "cell_id": TEXT, "fit": TEXT, "model": TEXT, "base_parameter_set": TEXT, "parameter_set": TEXT,
    "status": TEXT, "verdict": TEXT, "rmse_default_mv": REAL, "rmse_mv": REAL,
    "validation_default_rmse_mv": REAL, "validation_rmse_mv": REAL, "samples": MAYBE, "starts": MAYBE,
    "starts_done": MAYBE, "starts_agreeing": MAYBE, "noise_mv": REAL, "chain": TEXT, "chain_cycle": MAYBE,
    "seconds": REAL, "reason": TEXT, "charge_throughput_ah": REAL, "charge_uncertainty_ah": REAL,
    "initial_state_source": TEXT, "state_uncertainty_mv": REAL, "state_uncertainty_soc": REAL,
    "selection": TEXT, **BUDGET, "standing": TEXT,
}  # fmt: skip
FITTED_PARAMETERS: Final = {
    "cell_id": TEXT, "fit": TEXT, "parameter": TEXT, "value": REAL, "unit": TEXT, "standard_error": REAL,
    "lower_95": REAL, "upper_95": REAL, "verdict": TEXT, "default_value": REAL, "lower": REAL, "upper": REAL,
    "at_bound": FLAG, "is_factor": FLAG, "model": TEXT, "parameter_set": TEXT, "status": TEXT,
}  # fmt: skip


def make_frame(rows: Sequence[Any], kinds: Mapping[str, str], columns: Sequence[str] = ()) -> pd.DataFrame:
    """Return a frame of columns of these types, also when there are no rows or a column holds no value."""
    import pandas as pd

    from .selected import check_columns

    check_columns(columns, kinds)
    wanted = list(columns or kinds)
    values: dict[str, Sequence[Any]] = dict.fromkeys(wanted, ())
    if rows:
        # All values of a row at once: to find ten of them by name takes longer.
        names = list(rows[0].keys())
        by_position = list(zip(*_as_tuples(rows, names), strict=True))
        values = {name: by_position[names.index(name)] for name in wanted}
    return pd.DataFrame({name: _column(values[name], kinds[name]) for name in wanted}, columns=wanted)


def _as_tuples(rows: Sequence[Any], names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    if isinstance(rows[0], Mapping):
        return (tuple(row[name] for name in names) for row in rows)
    return map(tuple, rows)


def _column(values: Sequence[Any], kind: str) -> Any:
    """Return a column of this type; ``None`` = not known."""
    import numpy as np
    import pandas as pd

    if kind in (REAL, COUNT):
        return np.array(values, dtype=kind)
    if kind == TEXT:
        return pd.Series(list(values), dtype=None if len(values) else "object")
    whole = pd.Series([None if value is None else int(value) for value in values], dtype="Int64")
    return whole if kind == MAYBE else whole.astype("boolean")
