"""The conditions of a replay: find the state that it starts from and its temperature."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..current_profile.temperature import Temperature, find_temperature, rest_celsius
from ..models.initial_state import REST_SECOND, StartingState, find_starting_state, state_after_charge
from ..models.simulation_case import SimulationCase
from ..record.charge import REST_CURRENT_PER_AH, interval_charge_ah
from ..record.record import Record
from .replay import Conditions
from .stretches import slice_record

NEGLIGIBLE_CHARGE_SHARE = 1e-4
"""Share of the capacity, as much as the noise of a rest: a smaller charge between a rest and a cycle is ignored."""


def find_conditions(
    record: Record,
    case: SimulationCase,
    state_record: Record | None = None,
    temperature: Temperature | None = None,
) -> Conditions:
    """Find initial state and temperature of a replay.

    Args:
        record: the samples that are replayed.
        state_record: samples from which the state is found, at the first of them; ``None`` = ``record``.
        temperature: where it is known already; ``None`` = it is found from ``record`` and the settings.

    Raises:
        JobError: the samples have no voltage (``no_initial_state``), or their state is outside the parameter set's
            window (``initial_state_out_of_range``).
    """
    if temperature is None:
        temperature = find_case_temperature(record, case)
    if state_record is None:
        state_record = record
    state = find_starting_state(
        case,
        state_record.time_second,
        state_record.current_ampere,
        state_record.voltage_volt,
        state_record.flags,
        temperature.first_celsius,
    )
    return Conditions(state, case.electrodes_in_parallel, case.capacity_ah, temperature, case.parameter_set.overrides)


def find_case_temperature(
    part: Record, case: SimulationCase, record: Record | None = None, first: int = 0
) -> Temperature:
    """Find the temperature of a replay of some samples.

    Args:
        part: the samples.
        case: the simulation.
        record: the cell's whole record, in which a rest before the samples is looked for; ``None`` = ``part``.
        first: index of the first sample in it.
    """
    at_rest = None
    if case.cell.temperature == "rest":
        at_rest = rest_celsius(record or part, first, REST_CURRENT_PER_AH * case.capacity_ah)
    return find_temperature(part, case.cell, case.model, case.parameter_set, case.measured_celsius, at_rest)


def samples_fixing_state(record: Record, first: int, end: int, capacity_ah: float) -> slice:
    """Choose the samples from which the state at a cycle's start is found.

    They begin with a rest in this cycle or in the one before it. Of several rests, the one is chosen with the least
    charge between it and the cycle's start. A rest must last ``REST_SECOND``. Without a rest they are the cycle's own.

    Args:
        record: the whole record.
        first: index of the cycle's first sample.
        end: index after the cycle's last sample.
        capacity_ah: A.h, of the cell; the current of a rest scales with it.

    Returns:
        A slice of the record's samples, which ends at ``end``.
    """
    if first == 0:
        return slice(0, end)
    begin = int(np.searchsorted(record.cycle_count, record.cycle_count[first - 1]))
    both = slice_record(record, begin, end)
    time = both.time_second
    resting = np.abs(both.current_ampere) <= REST_CURRENT_PER_AH * capacity_ah
    edges = np.flatnonzero(np.diff(np.concatenate([[False], resting, [False]]).astype(np.int8)))
    steps = np.abs(interval_charge_ah(time, both.current_ampere, both.flags))
    throughput = np.concatenate([[0.0], np.cumsum(steps)])
    cycle_start = first - begin
    rests: list[tuple[float, int]] = []
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        too_short = time[stop - 1] - time[start] < REST_SECOND
        if too_short or not np.isfinite(both.voltage_volt[start:stop]).any():
            continue
        if start <= cycle_start <= stop:
            charge = 0.0
        else:
            charge = float(min(abs(throughput[cycle_start] - throughput[edge]) for edge in (start, stop - 1)))
        rests.append((charge, begin + int(start)))
    if not rests:
        return slice(first, end)
    _, nearest = min(rests)
    return slice(nearest, end)


def find_stretch_conditions(
    record: Record,
    stretch_record: Record,
    first: int,
    state_samples: slice,
    case: SimulationCase,
    temperature: Temperature | None = None,
) -> Conditions:
    """Find the conditions of a stretch that starts from its own initial state.

    Args:
        record: the whole record.
        stretch_record: the samples of the stretch.
        first: index of the stretch's first sample in the whole record.
        state_samples: as :func:`samples_fixing_state` gives them.
        temperature: where it is known already; ``None`` = it is found.
    """
    state_record = slice_record(record, state_samples.start, state_samples.stop)
    if temperature is None:
        temperature = find_case_temperature(stretch_record, case, record, first)
    conditions = find_conditions(stretch_record, case, state_record, temperature)
    return replace(conditions, state=_state_at_cycle_start(record, first, state_samples, conditions, case))


def _state_at_cycle_start(
    record: Record, first: int, state_samples: slice, conditions: Conditions, case: SimulationCase
) -> StartingState:
    """Count the charge between the first of the samples that fix the state and the cycle's start."""
    state = conditions.state
    if case.cell.initial_state.policy in ("soc", "voltage") or state_samples.start == first:
        return state
    low = min(first, state_samples.start)
    high = max(first, state_samples.start)
    window = slice(low, high + 1)
    charge = interval_charge_ah(record.time_second[window], record.current_ampere[window], record.flags[window]).sum()
    charge *= 1.0 if state_samples.start < first else -1.0
    if abs(charge) < NEGLIGIBLE_CHARGE_SHARE * conditions.capacity_ah:
        return state
    source = f"{state.source}, and {charge:+.4f} A.h counted on to the cycle's start"
    return state_after_charge(replace(state, source=source), charge, case, conditions.temperature.celsius)


def continue_conditions(
    before: Conditions, cycle: int, charge_ah: float, case: SimulationCase, temperature: Temperature
) -> Conditions:
    """Find the conditions of a stretch that starts from the state in which the selected cycle before it ended.

    The charge alone determines the average stoichiometries at that end, since a model without ageing loses none. The
    gradients that were left in its particles and its electrolyte are not carried on.

    Args:
        before: conditions of the stretch before.
        cycle: number of its last cycle.
        charge_ah: A.h through the cell in that stretch, positive into the cell.
        temperature: of the stretch that begins.
    """
    state = before.state
    source = f"end of cycle {cycle}: state of charge {state.soc:.4f} and {charge_ah:+.4f} A.h"
    end = state_after_charge(replace(state, source=source), charge_ah, case, temperature.celsius)
    return replace(before, state=end, temperature=temperature)
