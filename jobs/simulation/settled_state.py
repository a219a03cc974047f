"""Correct an open-circuit voltage that the record does not show, by what the model says is left of relaxation or load.

The model is solved up to the sample, from where it had no gradients. It gives the difference between its loaded or
relaxing voltage and its open-circuit voltage; the measured voltage minus that difference is the cell's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from ...data.errors import JobError
from ..models.simulation_case import SimulationCase
from ..record.known_states import OpenCircuitSample, find_lead
from ..record.record import Record
from .attempts import ReplayProblem, compress_within_charge_limit, try_attempts
from .conditions import GIVEN, KnownStart, find_stretch_conditions
from .solver_windows import TimeLimit
from .stretches import slice_record

SETTLED_MV: Final = 3.0
SHORT_REST_MV: Final = 0.5
"""Uncertainty of an open-circuit voltage up to which the record's own evidence is enough, mV: after a long rest, and
after a short one, whose extrapolation is no better than a model. Chosen, not measured."""

ROUNDS: Final = 6  # solutions at most
MOST_STEP_VOLT: Final = 0.1  # change of the open-circuit voltage from one to the next
FAR_MV: Final = 1.0  # difference between model and measurement above which the correction is not used
CLOSE_MV: Final = 0.1  # difference between model and measurement at which they end, mV
RELAXING_SHARE: Final = 0.3
LOADED_SHARE: Final = 0.5
"""Uncertainty of the model's correction, as a share of it, after a rest and under load. Chosen, not measured."""


def settle_start(start: KnownStart, record: Record, case: SimulationCase, limit: TimeLimit | None = None) -> KnownStart:
    """Return what is known of a state with the model's correction, where the record alone leaves it uncertain.

    Args:
        start: as :func:`kilocell.jobs.simulation.conditions.find_known_start` gives it.
        record: the cell's whole record.
        case: the simulation; where the user gives the state, nothing is corrected.
        limit: of the simulation.
    """
    known = start.known
    if known is None or case.cell.initial_state.policy in GIVEN:
        return start
    if known.uncertainty_mv <= (SETTLED_MV if known.is_settled else SHORT_REST_MV):
        return start
    begin = find_lead(record, known.index, case.capacity_ah)
    end = max(known.index + 1, begin + 2)
    measured = float(record.voltage_volt[known.index])
    if end > len(record.time_second) or not np.isfinite(measured):
        return start
    try:
        settled = _settle(known, slice_record(record, begin, end), record, begin, case, limit)
    except JobError:
        return start  # the simulation itself says why there is no solution
    return replace(start, known=settled)


def _settle(
    known: OpenCircuitSample,
    part: Record,
    record: Record,
    begin: int,
    case: SimulationCase,
    limit: TimeLimit | None,
) -> OpenCircuitSample:
    """Move the open-circuit voltage until the model's voltage at the sample is the measured one.

    Args:
        part: the samples that are solved, of the whole record from ``begin`` on.
    """
    measured = float(part.voltage_volt[known.index - begin])
    profile = compress_within_charge_limit(part, case.capacity_ah)

    def off_volt(voltage: float) -> float:
        sample = replace(known, voltage_volt=voltage)
        conditions = find_stretch_conditions(record, part, begin, KnownStart(sample, begin), case)
        problem = ReplayProblem(part, case, conditions, profile, limit)
        replayed, _ = try_attempts(problem)
        return measured - float(replayed.voltage_volt[known.index - begin])

    voltage, off = _find_zero(off_volt, known.voltage_volt)
    if 1e3 * abs(off) > FAR_MV:
        return known
    correction_mv = 1e3 * abs(voltage - measured)
    share = RELAXING_SHARE if known.is_rest else LOADED_SHARE
    uncertainty = share * correction_mv + 1e3 * abs(off)
    at = f"at {part.time_second[known.index - begin]:.0f} s"
    what = f"relaxing voltage {measured:.4f} V {at}"
    if not known.is_rest:
        ampere = part.current_ampere[known.index - begin]
        what = f"no rest; voltage {measured:.4f} V {at} under a load of {ampere:.3g} A"
    words = f"{what}, by the model {voltage:.4f} V open circuit"
    return replace(known, voltage_volt=voltage, uncertainty_mv=uncertainty, source=words)


def _find_zero(off_volt: Callable[[float], float], voltage: float) -> tuple[float, float]:
    """Find the open-circuit voltage at which the model's voltage is the measured one, by secants.

    Args:
        off_volt: measured voltage minus that of the model, V, at an open-circuit voltage in V.
        voltage: the first guess, V.

    Returns:
        The best open-circuit voltage, and how far the model is off there, V.
    """
    off = off_volt(voltage)
    best = (voltage, off)
    step = off
    for _ in range(ROUNDS - 1):
        if 1e3 * abs(off) <= CLOSE_MV:
            break
        after = voltage + step
        off_after = off_volt(after)
        slope = (off_after - off) / step
        voltage, off = after, off_after
        if abs(off) < abs(best[1]):
            best = (voltage, off)
        step = -off / slope if slope < 0.0 else off
        step = float(np.clip(step, -MOST_STEP_VOLT, MOST_STEP_VOLT))
        if step == 0.0:
            break
    return best
