"""The conditions of a replay: find the state that it starts from and its temperature."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from ...data.errors import JobError
from ..current_profile.temperature import Temperature, celsius_at, find_temperature, rest_celsius
from ..models.initial_state import StartingState, find_starting_state, spread_uncertainty, state_after_charge
from ..models.simulation_case import SimulationCase
from ..record.charge import REST_CURRENT_PER_AH, interval_charge_ah
from ..record.known_states import OpenCircuitSample, find_known_state, find_lead
from ..record.record import Record
from .replay import Conditions

GIVEN: Final = ("soc", "voltage")
"""Policies by which the user gives the state at the start."""

GIVEN_SHARE: Final = 0.01
"""Share of a charge throughput by which the net charge may change though the cell is back in the same state: losses of
side reactions and errors of the counter. Chosen, not measured.
"""


@dataclass(frozen=True, slots=True)
class KnownStart:
    """What the record says about the state at a stretch's start.

    Args:
        known: the sample whose open-circuit voltage is known; ``None`` = the record has no voltage.
        lead: index of the sample from which the model is solved, so that it has the cell's gradients at the stretch's
            start; the stretch's first sample = from there.
        given_at: index of the sample at which the user's state holds, where the first selected stretch begins; ``None``
            = it holds at ``lead``, or the user gives none.
    """

    known: OpenCircuitSample | None
    lead: int
    given_at: int | None = None


def find_record_start(record: Record, case: SimulationCase) -> KnownStart:
    """Find what a whole record says about the state at its start; nothing is needed where the user gives it."""
    if case.cell.initial_state.policy in GIVEN:
        return KnownStart(None, 0)
    return KnownStart(find_known_state(record, 0, len(record.time_second), case.capacity_ah), 0)


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


def find_conditions(record: Record, case: SimulationCase, start: KnownStart | None = None) -> Conditions:
    """Find initial state and temperature of a replay of a whole record.

    Args:
        start: what the record says about the state at its start; ``None`` = it is found.

    Raises:
        JobError: as of :func:`find_stretch_conditions`.
    """
    return find_stretch_conditions(record, record, 0, start or find_record_start(record, case), case)


def find_known_start(
    record: Record, first: int, end: int, capacity_ah: float, *, is_given: bool = False, given_at: int | None = None
) -> KnownStart:
    """Find what a record says about the state at a stretch's start, and from where the stretch is solved.

    Args:
        record: the whole record.
        first: index of the stretch's first sample.
        end: index after its last sample.
        capacity_ah: A.h, of the cell; the current of a rest scales with it.
        is_given: whether the user gives the state at the start, so that nothing before it is solved.
        given_at: index of the sample at which that state holds; ``None`` = ``first``.
    """
    if is_given:
        if given_at is None or not _is_other_state(record, given_at, first):
            return KnownStart(None, first)
        lead = find_lead(record, first, capacity_ah)
        return KnownStart(None, max(lead, given_at) if given_at <= first else lead, given_at)
    lead = find_lead(record, first, capacity_ah)
    return KnownStart(find_known_state(record, lead, end, capacity_ah), lead)


def find_stretch_conditions(
    record: Record,
    solved_record: Record,
    first: int,
    start: KnownStart,
    case: SimulationCase,
    temperature: Temperature | None = None,
) -> Conditions:
    """Find the conditions of a stretch that starts from its own initial state, at the first sample that is solved.

    Args:
        record: the whole record.
        solved_record: the samples that are solved, from ``start.lead`` on.
        first: index of the stretch's first sample in the whole record.
        start: as :func:`find_known_start` gives it.
        temperature: where it is known already; ``None`` = it is found.

    Raises:
        JobError: the record has no voltage (``no_initial_state``), or the state is outside the parameter set's window
            (``initial_state_out_of_range``).
    """
    if temperature is None:
        part = solved_record.from_index(first - start.lead)
        temperature = find_case_temperature(part, case, record, first)
        if temperature.profile is not None and start.lead < first:
            temperature = find_case_temperature(solved_record, case, record, first)
    charge = throughput = doubt = 0.0
    known_celsius = None
    if start.known is not None:
        charge, throughput = _charge_between(record, start.known.index, start.lead)
        doubt = _doubt_between(record, start.known.index, start.lead)
        if case.cell.temperature_celsius is None:
            known_celsius = celsius_at(record, start.known.index)
    state = find_starting_state(
        case, start.known, charge, throughput, temperature.first_celsius, known_celsius, doubt_ah=doubt
    )
    if start.given_at is not None and case.cell.initial_state.policy in GIVEN:
        state = _carry_given(state, record, start, case, temperature.first_celsius)
    if start.lead < first:
        lead_second = float(record.time_second[start.lead])
        state = replace(state, source=f"{state.source}; solved from {lead_second:.0f} s on")
    return Conditions(state, case.electrodes_in_parallel, case.capacity_ah, temperature, case.parameter_set.overrides)


def _is_other_state(record: Record, given_at: int, start: int) -> bool:
    """Tell whether the charge between two samples says that the cell is in another state at the second one.

    Cycles that all begin full have the state that the user gives each.
    """
    charge, throughput = _charge_between(record, given_at, start)
    return abs(charge) > GIVEN_SHARE * throughput


def _carry_given(
    state: StartingState, record: Record, start: KnownStart, case: SimulationCase, at_celsius: float
) -> StartingState:
    """Return the state at a later stretch, where the user gives the one at the first, by the counted charge.

    Where this leads out of the set's range, the given state is kept, and the source says so.
    """
    given_at = start.lead if start.given_at is None else start.given_at
    charge, throughput = _charge_between(record, given_at, start.lead)
    source = f"{state.source} at {record.time_second[given_at]:.0f} s"
    if start.lead != given_at:
        source += f", {charge:+.4f} A.h counted to the start"
    given = replace(state, source=source, uncertainty_mv=0.0, uncertainty_soc=0.0)
    try:
        doubt = _doubt_between(record, given_at, start.lead)
        return state_after_charge(given, charge, case, at_celsius, throughput, doubt_ah=doubt)
    except JobError as error:
        if error.code != "initial_state_out_of_range":
            raise
        # The current in between is wrong, or is not of one cell: the state that the user gives is all that is known.
        return replace(state, source=f"{source}, which no cell can hold: the given state is kept")


def _charge_between(record: Record, known: int, start: int) -> tuple[float, float]:
    """Return the charge from one sample to another in A.h, and charge in + charge out in between."""
    window = slice(min(known, start), max(known, start) + 1)
    charge = interval_charge_ah(record.time_second[window], record.current_ampere[window], record.flags[window])
    sign = 1.0 if known < start else -1.0
    return sign * float(charge.sum()), float(np.abs(charge).sum())


def _doubt_between(record: Record, one: int, other: int) -> float:
    """Return by how much the charge between two samples may be off by its bounds, A.h; 0 = none are known."""
    if record.charge_doubt_ah is None:
        return 0.0
    return float(abs(record.charge_doubt_ah[other] - record.charge_doubt_ah[one]))


def spread_over(conditions: Conditions, record: Record, case: SimulationCase) -> Conditions:
    """Return conditions whose state has its uncertainty over all of the samples, not only at the first.

    Args:
        record: the samples that are simulated.
    """
    charge = np.cumsum(interval_charge_ah(record.time_second, record.current_ampere, record.flags))
    low = float(np.min(charge, initial=0.0))
    high = float(np.max(charge, initial=0.0))
    state = spread_uncertainty(conditions.state, low, high, case, conditions.temperature.celsius)
    return replace(conditions, state=state)


def conditions_after_lead(conditions: Conditions, lead: Record, case: SimulationCase) -> Conditions:
    """Return the conditions at the end of a lead-in: the average state there, as the counted charge gives it.

    Args:
        conditions: at the first sample of the lead-in.
        lead: the samples from there to the stretch's first one, inclusive.
    """
    charge = interval_charge_ah(lead.time_second, lead.current_ampere, lead.flags)
    temperature = conditions.temperature
    celsius = temperature.celsius
    if temperature.profile is not None:
        celsius = temperature.profile.at(float(lead.time_second[-1]))
    throughput = float(np.abs(charge).sum())
    doubt = _doubt_between(lead, 0, len(lead.time_second) - 1)
    state = state_after_charge(conditions.state, float(charge.sum()), case, celsius, throughput, doubt_ah=doubt)
    return replace(conditions, state=state)


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
