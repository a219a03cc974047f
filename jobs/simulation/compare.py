"""Simulated against measured voltage: over a whole record, cycle by cycle, by step type and by window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...data.arrays import Floats, Integers
from ...data.columns import ALL, STEP_TYPES, WINDOWS
from ...data.results.simulation import Comparison, StepComparison
from ..record.charge import interval_charge_ah, interval_energy_wh
from ..record.record import Record, cycle_starts, sample_duration_second
from ..record.step_windows import StepWindows

KINDS: Final = (*STEP_TYPES, ALL, "")  # "": a step of no type, which counts to all of them alone
PARTS: Final = (*WINDOWS, ALL)
ANY_KIND, NO_KIND, ANY_WINDOW = len(STEP_TYPES), len(STEP_TYPES) + 1, len(WINDOWS)
DECIMALS: Final = 4  # of a mV or s: what a receipt keeps of the many errors of a long record
LEAST_DISCHARGE_SHARE: Final = 0.5  # of the cell's capacity: a discharge that gave less measures none
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


@dataclass(frozen=True, slots=True, eq=False)
class ErrorSums:
    """Errors of parts of a record, summed, shape (parts,) each.

    Args:
        cycle, kind, window: which part; 0, ``ANY_KIND``, ``ANY_WINDOW`` stand for all of them.
        error, square: sums over its samples, mV and mV2.
        change: sum of the squares of the error's change since each sample's step began, mV2.
        second, weighted: time that its samples stand for, and the sum of that times the squared error.
        worst, at: the error of the largest magnitude in mV, and its time in s.
    """

    cycle: Integers
    kind: Integers
    window: Integers
    samples: Integers
    error: Floats
    square: Floats
    change: Floats
    second: Floats
    weighted: Floats
    worst: Floats
    at: Floats

    def add_up(self, *, cycles: bool = False, kinds: bool = False, windows: bool = False) -> ErrorSums:
        """Add up over all cycles, all step types or all windows; ordered by cycle, step type and window."""
        cycle = np.zeros_like(self.cycle) if cycles else self.cycle
        kind = np.full_like(self.kind, ANY_KIND) if kinds else self.kind
        window = np.full_like(self.window, ANY_WINDOW) if windows else self.window
        parts, place = np.unique((cycle * len(KINDS) + kind) * len(PARTS) + window, return_inverse=True)
        count = len(parts)
        samples = np.bincount(place, self.samples, count).astype(np.int64)
        sums = (self.error, self.square, self.change, self.second, self.weighted)
        error, square, change, second, weighted = (np.asarray(np.bincount(place, x, count), float) for x in sums)
        order = np.lexsort((np.abs(self.worst), place))
        last = order[np.searchsorted(place[order], np.arange(count), side="right") - 1]
        which = cycle[last], kind[last], window[last]
        return ErrorSums(*which, samples, error, square, change, second, weighted, self.worst[last], self.at[last])


def sum_errors(record: Record, voltage_volt: Floats, windows: StepWindows) -> ErrorSums:
    """Sum the errors of each cycle, step type and window of a record; samples without a measured voltage do not count.

    Args:
        voltage_volt: simulated, shape (n,).
        windows: of :func:`kilocell.jobs.record.step_windows.windows_of`.
    """
    kinds = np.full(len(record.time_second), -1, np.int8) if record.step_type is None else record.step_type
    error = 1e3 * (voltage_volt - record.voltage_volt)
    known = np.isfinite(error)
    change = (error - error[_last_known(known)[windows.started]]) ** 2
    columns: Any = (
        error,
        change,
        record.time_second,
        sample_duration_second(record),
        record.cycle_count,
        kinds,
        windows.code,
    )
    if not known.all():
        columns = (column[known] for column in columns)
    error, change, time, second, cycle, kind, window = columns
    changes = (cycle[1:] != cycle[:-1]) | (kind[1:] != kind[:-1]) | (window[1:] != window[:-1])
    begins = np.concatenate([[0], np.flatnonzero(changes) + 1])[: len(error)]
    samples = np.diff(begins, append=len(error))
    square = error**2
    hits = np.flatnonzero(square == np.repeat(_reduce_runs(np.maximum, square, begins), samples))
    worst = hits[np.searchsorted(hits, begins)]
    runs = ErrorSums(
        cycle[begins].astype(np.int64),
        np.where(kind < 0, NO_KIND, kind)[begins].astype(np.int64),
        window[begins].astype(np.int64),
        samples,
        _reduce_runs(np.add, error, begins),
        _reduce_runs(np.add, square, begins),
        _reduce_runs(np.add, change, begins),
        _reduce_runs(np.add, second, begins),
        _reduce_runs(np.add, second * square, begins),
        error[worst],
        time[worst],
    )
    return runs.add_up()


def _reduce_runs(reduce: np.ufunc, values: Floats, begins: NDArray[np.intp]) -> Floats:
    """Sum, or take the largest, of each run of samples; of none there are none."""
    reduced: Floats = reduce.reduceat(values, begins) if len(begins) else values
    return reduced


def _last_known(known: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Index of the last known sample up to each one, and of the first known before there is any, shape (n,)."""
    place = np.arange(len(known))
    if known.all() or not known.any():
        return place
    last = np.maximum.accumulate(np.where(known, place, -1))
    return np.where(last < 0, int(np.argmax(known)), last)


def compare(sums: ErrorSums, balances: dict[int, Balance]) -> tuple[Comparison, ...]:
    """Compare simulated with measured voltage over the whole record (cycle 0) and for each cycle.

    Args:
        balances: energy, charge and capacity of the cycles and the whole record; those without are left out.
    """
    lines = []
    for each in (sums.add_up(cycles=True, kinds=True, windows=True), sums.add_up(kinds=True, windows=True)):
        with np.errstate(invalid="ignore", divide="ignore"):
            weighted = np.sqrt(each.weighted / each.second)
        for place, (cycle, _, _, samples, _, *errors) in enumerate(_lines(each)):
            over_time = float(weighted[place]) if each.second[place] > 0.0 else None
            values: tuple[Any, ...] = (cycle, samples, *errors, over_time, *balances.get(cycle, Balance()).values())
            lines.append(Comparison(*values))
    return tuple(lines)


def compare_steps(sums: ErrorSums) -> tuple[StepComparison, ...]:
    """Errors by step type and by window: both at once for the whole record, either for each cycle."""
    whole, each = sums.add_up(cycles=True), sums
    views = (
        *(whole.add_up(windows=True), whole.add_up(kinds=True), whole),
        *(each.add_up(windows=True), each.add_up(kinds=True)),
    )
    return tuple(
        StepComparison(cycle, KINDS[kind], PARTS[window], samples, rmse, bias, worst, at, change)
        for view in views
        for cycle, kind, window, samples, change, rmse, bias, worst, at in _lines(view, DECIMALS)
        if kind != NO_KIND
    )


def _lines(sums: ErrorSums, decimals: int | None = None) -> Iterator[tuple[Any, ...]]:
    """Cycle, kind, window, samples, RMSE of the change, RMSE, bias, worst (mV) and its time (s) of each part."""
    change, rmse = (np.sqrt(squares / sums.samples) for squares in (sums.change, sums.square))
    errors: list[Floats] = [change, rmse, sums.error / sums.samples, sums.worst, sums.at]
    if decimals is not None:
        errors = [np.round(error, decimals) for error in errors]
    columns = (sums.cycle, sums.kind, sums.window, sums.samples, *errors)
    return zip(*(column.tolist() for column in columns), strict=True)


def cycle_balances(record: Record, voltage_volt: Floats, charge_off: Floats, capacity_ah: float) -> dict[int, Balance]:
    """Return the balances of the whole record (0) and of each cycle.

    Both energies are of the measured current, since the model saw that one; an interval between two cycles counts to
    the later one. A missing measured voltage is interpolated for them.

    Args:
        voltage_volt: simulated, shape (n,).
        charge_off: of :func:`kilocell.jobs.simulation.attempts.charge_off`, shape (n,).
        capacity_ah: of the cell.
    """
    if not np.isfinite(record.voltage_volt).any():
        return {}
    begins = cycle_starts(record)
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
        passed = _charge_at_voltage(charge[known], measured[known], voltage), _charge_at_voltage(charge, model, voltage)
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
    chosen = np.flatnonzero((kind[begins] == DISCHARGE) & (given >= LEAST_DISCHARGE_SHARE * capacity_ah))
    cycle = record.cycle_count[begins]
    order = chosen[np.lexsort((given[chosen], cycle[chosen]))]
    largest = order[np.append(cycle[order][1:] != cycle[order][:-1], True)] if len(order) else order
    return list(zip(begins[largest].tolist(), ends[largest].tolist(), strict=True))


def _charge_at_voltage(charge: Floats, voltage: Floats, at_volt: float) -> float | None:
    """The charge at which a voltage first falls to a value, interpolated; ``None`` where it began there."""
    reached = voltage <= at_volt
    place = int(np.argmax(reached))
    if not reached[place] or place == 0:
        return None
    share = (voltage[place - 1] - at_volt) / (voltage[place - 1] - voltage[place])
    return float(charge[place - 1] + share * (charge[place] - charge[place - 1]))
