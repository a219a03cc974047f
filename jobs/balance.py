"""Energy, charge and capacity of a simulation against the measured ones, cycle by cycle."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..data.columns import STEP_TYPES
from .charge import interval_charge_ah, interval_energy_wh
from .record import Record, cycle_begins

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LEAST_CAPACITY: Final = 0.5  # of the cell's capacity: a discharge that gave less measures none
DISCHARGE: Final = STEP_TYPES.index("discharge")


@dataclass(frozen=True, slots=True)
class Balance:
    """A cycle's (or the record's) energies in W.h and errors of charge and capacity, as ``data.values.Comparison``."""

    energy_in_measured_wh: float | None = None
    energy_in_model_wh: float | None = None
    energy_out_measured_wh: float | None = None
    energy_out_model_wh: float | None = None
    charge_error: float | None = None
    capacity_error_ah: float | None = None
    capacity_voltage_volt: float | None = None

    def values(self) -> tuple[float | None, ...]:
        """The values, in the order of the fields."""
        return tuple(getattr(self, name) for name in FIELDS)


FIELDS: Final = tuple(field.name for field in fields(Balance))


def balances_of(record: Record, voltage_volt: Floats, charge_off: Floats, capacity_ah: float) -> dict[int, Balance]:
    """Return the balances of the whole record (0) and of each cycle.

    Both energies are of the measured current, since the model saw that one; an interval between two cycles counts to
    the later one. A missing measured voltage is interpolated for them.

    Args:
        voltage_volt: simulated, shape (n,).
        charge_off: of :func:`kilocell.jobs.attempts.charge_off`, shape (n,).
        capacity_ah: of the cell.
    """
    if not np.isfinite(record.voltage_volt).any():
        return {}
    begins = cycle_begins(record)
    energies: list[Floats] = []
    for voltage in (record.voltage_volt, voltage_volt):
        energy = np.zeros(len(voltage))
        energy[1:] = interval_energy_wh(record.time_second, record.current_ampere, voltage, record.flags)
        into = np.maximum(energy, 0.0)
        energy -= into
        energies += [np.add.reduceat(into, begins), np.abs(np.add.reduceat(energy, begins))]
    energies = [energies[place] for place in (0, 2, 1, 3)]  # in measured, in model, out measured, out model
    off = np.maximum.reduceat(charge_off, begins)
    errors = capacity_errors(record, voltage_volt, capacity_ah)
    found = {}
    for place, cycle in enumerate(record.cycle_count[begins].tolist()):
        capacity = errors.get(cycle, (None, None))
        found[cycle] = _balance([energy[place] for energy in energies], off[place], *capacity)
    mean = float(np.mean([error for error, _ in errors.values()])) if errors else None
    return {0: _balance([energy.sum() for energy in energies], off.max(), mean, None), **found}


def _balance(energies_wh: list[Any], off: Any, error_ah: float | None, voltage_volt: float | None) -> Balance:
    in_measured, in_model, out_measured, out_model = (float(energy) for energy in energies_wh)
    return Balance(in_measured, in_model, out_measured, out_model, float(off), error_ah, voltage_volt)


def capacity_errors(record: Record, voltage_volt: Floats, capacity_ah: float) -> dict[int, tuple[float, float]]:
    """Return, for each cycle that measures a capacity, the capacity error in A.h and the voltage it is for.

    A cycle measures a capacity in its largest step of type ``discharge``, when that gave at least half of the cell's
    capacity. The error is the charge that the model had given less the charge that the cell had given when each fell
    to one voltage: the higher one of the two that they ended the discharge with, which both reach. Where the model is
    lower at the end, that is the voltage at which the measured discharge ended, and the error is negative: the model
    has less capacity. Else the model would have gone on, and its error is positive and a lower bound.

    Returns:
        By cycle; without those that measure none, and those where one began the discharge below that voltage.
    """
    charge = interval_charge_ah(record.time_second, record.current_ampere, record.flags)
    given = -np.concatenate([[0.0], np.cumsum(charge)])[: len(record.time_second)]
    found = {}
    for first, end in _full_discharges(record, given, capacity_ah):
        known = np.flatnonzero(np.isfinite(record.voltage_volt[first:end]))
        if len(known) < 2:
            continue
        end = first + int(known[-1]) + 1
        measured, model = record.voltage_volt[first:end], voltage_volt[first:end]
        charge, voltage = given[first:end], max(float(measured[-1]), float(model[-1]))
        passed = _charge_at(charge[known], measured[known], voltage), _charge_at(charge, model, voltage)
        if passed[0] is not None and passed[1] is not None:
            found[int(record.cycle_count[first])] = (passed[1] - passed[0], voltage)
    return found


def _full_discharges(record: Record, given_ah: Floats, capacity_ah: float) -> list[tuple[int, int]]:
    """Each cycle's largest discharge that measures a capacity, from its first sample to before its end.

    Args:
        given_ah: charge that the cell gave since the record began, at each sample.
    """
    if record.step_type is None or not len(record.time_second):
        return []
    step, kind = record.step_count, record.step_type
    begins = np.concatenate([[0], np.flatnonzero(step[1:] != step[:-1]) + 1])
    ends = np.append(begins[1:], len(step))
    given = given_ah[ends - 1] - given_ah[np.maximum(begins - 1, 0)]  # a step begins at the last sample before it
    chosen = np.flatnonzero((kind[begins] == DISCHARGE) & (given >= LEAST_CAPACITY * capacity_ah))
    cycle = record.cycle_count[begins]
    order = chosen[np.lexsort((given[chosen], cycle[chosen]))]
    largest = order[np.append(cycle[order][1:] != cycle[order][:-1], True)] if len(order) else order
    return list(zip(begins[largest].tolist(), ends[largest].tolist(), strict=True))


def _charge_at(charge: Floats, voltage: Floats, at_volt: float) -> float | None:
    """The charge at which a voltage first falls to a value, interpolated; ``None`` where it began there."""
    reached = voltage <= at_volt
    place = int(np.argmax(reached))
    if not reached[place] or place == 0:
        return None
    share = (voltage[place - 1] - at_volt) / (voltage[place - 1] - voltage[place])
    return float(charge[place - 1] + share * (charge[place] - charge[place - 1]))
