"""The state that a selected cycle starts from: of the rest nearest to its start in charge, or carried on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..data.settings import SimulateSettings
from .charge import interval_charge_ah
from .record import Record
from .replay import Conditions
from .scale import REST_CURRENT_PER_AH
from .starting_state import REST_SECOND, StartingState, state_after

Floats = NDArray[np.float64]

NO_CHARGE = 1e-4  # of the capacity: as little as a rest's noise, not counted


def telling_part(record: Record, first: int, end: int, capacity_ah: float) -> slice:
    """The samples that tell the state at sample ``first``, where the cycle up to before ``end`` begins.

    They begin with the rest, in the cycle or the one before it, from which the least charge has flowed to ``first``, or
    flows from there; a rest that tells a state lasts ``REST_SECOND``. Without one they are the cycle's own.
    """
    if first == 0:
        return slice(0, end)
    begin = int(np.searchsorted(record.cycle_count, record.cycle_count[first - 1]))
    part = slice(begin, end)
    time, voltage = record.time_second[part], record.voltage_volt[part]
    resting = np.abs(record.current_ampere[part]) <= REST_CURRENT_PER_AH * capacity_ah
    edges = np.flatnonzero(np.diff(np.concatenate([[False], resting, [False]]).astype(np.int8)))
    steps = np.abs(interval_charge_ah(time, record.current_ampere[part], record.flags[part]))
    passed = np.concatenate([[0.0], np.cumsum(steps)])
    at = first - begin
    found: list[tuple[float, int]] = []
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        if time[stop - 1] - time[start] < REST_SECOND or not np.isfinite(voltage[start:stop]).any():
            continue
        between = 0.0 if start <= at <= stop else float(min(abs(passed[at] - passed[i]) for i in (start, stop - 1)))
        found.append((between, begin + int(start)))
    return slice(min(found)[1], end) if found else slice(first, end)


def own_state(
    record: Record, first: int, part: slice, state: StartingState, settings: SimulateSettings, conditions: Conditions
) -> StartingState:
    """The state at sample ``first``, from ``state`` at the first of the samples that tell it.

    Args:
        part: those samples, as :func:`telling_part` gives them.
    """
    if settings.cell.initial_state.policy in ("soc", "voltage") or part.start == first:
        return state
    low, high = sorted((first, part.start))
    window = slice(low, high + 1)
    charge = interval_charge_ah(record.time_second[window], record.current_ampere[window], record.flags[window]).sum()
    charge *= 1.0 if part.start < first else -1.0
    if abs(charge) < NO_CHARGE * conditions.capacity_ah:
        return state
    words = f"{state.source}, and {charge:+.4f} A.h counted on to the cycle's start"
    return _after(state, charge, words, settings, conditions)


def carried_state(
    before: StartingState, cycle: int, charge_ah: float, settings: SimulateSettings, conditions: Conditions
) -> StartingState:
    """The state in which the selected cycle before ended: its own first state and the charge since.

    The charge alone tells the average stoichiometries, since a model that does not age loses none; what it had not yet
    levelled out within its particles and its electrolyte is not carried on.
    """
    words = f"end of cycle {cycle}: state of charge {before.soc:.4f} and {charge_ah:+.4f} A.h"
    return _after(before, charge_ah, words, settings, conditions)


def _after(
    state: StartingState, charge_ah: float, words: str, settings: SimulateSettings, conditions: Conditions
) -> StartingState:
    told, celsius = replace(state, source=words), conditions.temperature.celsius
    return state_after(told, charge_ah, settings.cell, settings.model, settings.parameter_set, celsius)
