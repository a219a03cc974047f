"""The errors of each selected part of a record, and why a part failed."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...data.arrays import Floats
from ...data.results.simulation import StretchComparison
from ...data.selected_spans import Span
from ..record.record import Record
from .replay import Replayed
from .selected_cycles import FailedStretch, SelectedSolutions, SolvedStretch


def compare_stretches(
    record: Record, solutions: SelectedSolutions, replayed: Replayed
) -> tuple[StretchComparison, ...]:
    """Compare each selected part by itself, in the order of the record; failed parts have their reasons.

    Args:
        record: the whole record.
        solutions: of all stretches.
        replayed: of the solved stretches, joined.
    """
    rows: list[tuple[Span, dict[str, Any]]] = []
    begin = 0
    for one in solutions.solved:
        stretch = one.stretch
        voltage = replayed.voltage_volt[begin : begin + stretch.end - stretch.first]
        begin += stretch.end - stretch.first
        for span in stretch.spans:
            simulated = voltage[span.first - stretch.first : span.end - stretch.first]
            rows.append((span, _describe_errors(record, span, simulated) | _describe_start(record, one, span)))
    for failure in solutions.failures:
        rows += [(span, _describe_failure(failure)) for span in failure.stretch.spans]
    rows.sort(key=lambda row: row[0].first)
    return tuple(_make_comparison(number, record, span, values) for number, (span, values) in enumerate(rows, 1))


def _make_comparison(number: int, record: Record, span: Span, values: dict[str, Any]) -> StretchComparison:
    return StretchComparison(
        stretch=number,
        name=span.name,
        first_cycle_count=span.cycles[0],
        last_cycle_count=span.cycles[-1],
        first_step_count=span.steps[0],
        last_step_count=span.steps[1],
        first_test_time_second=float(record.time_second[span.first]),
        last_test_time_second=float(record.time_second[span.end - 1]),
        **values,
    )


def _describe_errors(record: Record, span: Span, voltage_volt: Floats) -> dict[str, Any]:
    """Return number of samples, RMSE, bias and worst error; only the number without a measured voltage."""
    error = 1e3 * (voltage_volt - record.voltage_volt[span.first : span.end])
    known = np.flatnonzero(np.isfinite(error))
    if not len(known):
        return {"status": "done", "samples": 0}
    worst = int(known[np.argmax(np.abs(error[known]))])
    return {
        "status": "done",
        "samples": len(known),
        "rmse_mv": float(np.sqrt(np.mean(error[known] ** 2))),
        "bias_mv": float(np.mean(error[known])),
        "worst_mv": float(error[worst]),
        "worst_time_second": float(record.time_second[span.first + worst]),
    }


def _describe_start(record: Record, solved: SolvedStretch, span: Span) -> dict[str, Any]:
    """Return the state at the start of a part; where it was solved from an earlier sample on, only the words."""
    state = solved.problem.conditions.state
    stretch = solved.stretch
    if span.lead == stretch.first:
        return {
            "initial_soc": state.soc,
            "initial_voltage_volt": state.voltage_volt,
            "initial_state_source": state.source,
            "state_uncertainty_mv": state.uncertainty_mv,
            "state_uncertainty_soc": state.uncertainty_soc,
        }
    began = f"solved from {record.time_second[stretch.first]:.0f} s on"
    return {
        "initial_state_source": f"{began}: {state.source}",
        "state_uncertainty_mv": state.uncertainty_mv,
        "state_uncertainty_soc": state.uncertainty_soc,
    }


def _describe_failure(failure: FailedStretch) -> dict[str, Any]:
    return {"status": "failed", "reason": str(failure.error), "reason_code": failure.error.code}
