"""Simulated against measured voltage: over a whole record, cycle by cycle, by step type and by window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np

from ...data.arrays import Floats, Indices, Integers, Mask
from ...data.columns import ALL, STEP_TYPES, WINDOWS
from ...data.results.simulation import Comparison, StepComparison
from ..record.charge import interval_charge_ah, interval_energy_wh
from ..record.record import Record, cycle_starts, sample_duration_second
from ..record.step_windows import StepWindows

KINDS: Final = (*STEP_TYPES, ALL, "")
"""Step types, all of them together, and "" for a step of no type, which counts only towards all."""

PARTS: Final = (*WINDOWS, ALL)
"""Windows after a step's start, and all of them together."""

ANY_KIND: Final = len(STEP_TYPES)
NO_KIND: Final = len(STEP_TYPES) + 1
ANY_WINDOW: Final = len(WINDOWS)

DECIMALS: Final = 4
"""Decimals of a mV or s that a receipt keeps of the many errors of a long record."""

LEAST_DISCHARGE_SHARE: Final = 0.5
"""Share of the cell's capacity that a discharge must give, so that it measures a capacity."""

DISCHARGE: Final = STEP_TYPES.index("discharge")


@dataclass(frozen=True, slots=True)
class Balance:
    """Energies and errors of charge and capacity of a cycle, or of the whole record.

    The fields are those of :class:`kilocell.data.results.simulation.Comparison`; ``None`` = not known.

    Args:
        energy_in_measured_wh, energy_in_model_wh: W.h charged into the cell, >= 0.
        energy_out_measured_wh, energy_out_model_wh: W.h discharged from the cell, >= 0.
        charge_error: largest error of the model's charge, as a share of the throughput.
        capacity_error_ah: A.h, model less measured.
        capacity_voltage_volt: V at which both capacities are taken.
    """

    energy_in_measured_wh: float | None = None
    energy_in_model_wh: float | None = None
    energy_out_measured_wh: float | None = None
    energy_out_model_wh: float | None = None
    charge_error: float | None = None
    capacity_error_ah: float | None = None
    capacity_voltage_volt: float | None = None

    def values(self) -> tuple[float | None, ...]:
        """Return the values in the order of the fields."""
        return tuple(getattr(self, name) for name in FIELDS)


FIELDS: Final = tuple(field.name for field in fields(Balance))


@dataclass(frozen=True, slots=True, eq=False)
class ErrorSums:
    """Sums of the errors in parts of a record, shape (parts,) each.

    Args:
        cycle, kind, window: of the part; 0, ``ANY_KIND`` and ``ANY_WINDOW`` mean all of them.
        samples: number of samples with a measured voltage.
        error, square: sums over the samples, mV and mV2.
        change: sum of the squared change of the error since each sample's step began, mV2.
        second: s, time that the samples represent.
        weighted: sum of the squared error times that time, mV2.s.
        worst: the error of the largest magnitude, mV.
        at: time of the worst error, s.
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
        """Add up over all cycles, all step types or all windows.

        Args:
            cycles: add up over the cycles.
            kinds: add up over the step types.
            windows: add up over the windows.

        Returns:
            Sums ordered by cycle, step type and window.
        """
        cycle = np.zeros_like(self.cycle) if cycles else self.cycle
        kind = np.full_like(self.kind, ANY_KIND) if kinds else self.kind
        window = np.full_like(self.window, ANY_WINDOW) if windows else self.window
        parts, place = np.unique((cycle * len(KINDS) + kind) * len(PARTS) + window, return_inverse=True)
        count = len(parts)

        def total(values: Floats) -> Floats:
            return np.asarray(np.bincount(place, values, count), float)

        order = np.lexsort((np.abs(self.worst), place))
        largest = order[np.searchsorted(place[order], np.arange(count), side="right") - 1]
        return ErrorSums(
            cycle=cycle[largest],
            kind=kind[largest],
            window=window[largest],
            samples=np.bincount(place, self.samples, count).astype(np.int64),
            error=total(self.error),
            square=total(self.square),
            change=total(self.change),
            second=total(self.second),
            weighted=total(self.weighted),
            worst=self.worst[largest],
            at=self.at[largest],
        )


def sum_errors(record: Record, voltage_volt: Floats, windows: StepWindows, compared: Mask | None = None) -> ErrorSums:
    """Sum the errors of each cycle, step type and window; samples without a measured voltage do not count.

    Args:
        record: with the measured voltage.
        voltage_volt: simulated, V, shape (n,).
        windows: of :func:`kilocell.jobs.record.step_windows.find_windows`.
        compared: samples that count, shape (n,); ``None`` = all. The others only tell the error before a step.
    """
    kind = np.full(len(record.time_second), -1, np.int8) if record.step_type is None else record.step_type
    error = 1e3 * (voltage_volt - record.voltage_volt)
    known = np.isfinite(error)
    change = (error - error[_last_known(known)[windows.started]]) ** 2
    if compared is not None:
        known &= compared
    columns: Any = (
        error,
        change,
        record.time_second,
        sample_duration_second(record),
        record.cycle_count,
        kind,
        windows.code,
    )
    if not known.all():
        columns = (column[known] for column in columns)
    error, change, time, second, cycle, kind, window = columns
    part_changes = (cycle[1:] != cycle[:-1]) | (kind[1:] != kind[:-1]) | (window[1:] != window[:-1])
    begins = np.concatenate([[0], np.flatnonzero(part_changes) + 1])[: len(error)]
    samples = np.diff(begins, append=len(error))
    square = error**2
    is_largest = square == np.repeat(_reduce_runs(np.maximum, square, begins), samples)
    largest = np.flatnonzero(is_largest)
    worst = largest[np.searchsorted(largest, begins)]
    runs = ErrorSums(
        cycle=cycle[begins].astype(np.int64),
        kind=np.where(kind < 0, NO_KIND, kind)[begins].astype(np.int64),
        window=window[begins].astype(np.int64),
        samples=samples,
        error=_reduce_runs(np.add, error, begins),
        square=_reduce_runs(np.add, square, begins),
        change=_reduce_runs(np.add, change, begins),
        second=_reduce_runs(np.add, second, begins),
        weighted=_reduce_runs(np.add, second * square, begins),
        worst=error[worst],
        at=time[worst],
    )
    return runs.add_up()


def _reduce_runs(reduce: np.ufunc, values: Floats, begins: Indices) -> Floats:
    """Sum each run of samples, or take its largest; empty where there are no samples."""
    if not len(begins):
        return values
    reduced: Floats = reduce.reduceat(values, begins)
    return reduced


def _last_known(known: Mask) -> Indices:
    """Index of the last known sample up to each one, and of the first known before that, shape (n,)."""
    place = np.arange(len(known))
    if known.all() or not known.any():
        return place
    last = np.maximum.accumulate(np.where(known, place, -1))
    return np.where(last < 0, int(np.argmax(known)), last)


def compare(sums: ErrorSums, balances: dict[int, Balance]) -> tuple[Comparison, ...]:
    """Compare simulated with measured voltage over the whole record (cycle 0) and for each cycle.

    Args:
        balances: energy, charge and capacity by cycle, with 0 for the whole record; cycles may be missing.
    """
    whole = sums.add_up(cycles=True, kinds=True, windows=True)
    each_cycle = sums.add_up(kinds=True, windows=True)
    comparisons = []
    for part in (whole, each_cycle):
        with np.errstate(invalid="ignore", divide="ignore"):
            weighted = np.sqrt(part.weighted / part.second)
        for place, (cycle, _, _, samples, _, *errors) in enumerate(_lines(part)):
            over_time = float(weighted[place]) if part.second[place] > 0.0 else None
            balance = balances.get(cycle, Balance())
            values: tuple[Any, ...] = (cycle, samples, *errors, over_time, *balance.values())
            comparisons.append(Comparison(*values))
    return tuple(comparisons)


def compare_steps(sums: ErrorSums) -> tuple[StepComparison, ...]:
    """Compare by step type and by window: by both at once for the whole record, by either for each cycle."""
    whole = sums.add_up(cycles=True)
    views = (
        whole.add_up(windows=True),
        whole.add_up(kinds=True),
        whole,
        sums.add_up(windows=True),
        sums.add_up(kinds=True),
    )
    return tuple(
        StepComparison(cycle, KINDS[kind], PARTS[window], samples, rmse, bias, worst, at, change)
        for view in views
        for cycle, kind, window, samples, change, rmse, bias, worst, at in _lines(view, DECIMALS)
        if kind != NO_KIND
    )


def _lines(sums: ErrorSums, decimals: int | None = None) -> Iterator[tuple[Any, ...]]:
    """Cycle, kind, window, samples, RMSE of the change, RMSE, bias, worst (mV) and its time (s) of each part."""
    change = np.sqrt(sums.change / sums.samples)
    rmse = np.sqrt(sums.square / sums.samples)
    errors: list[Floats] = [change, rmse, sums.error / sums.samples, sums.worst, sums.at]
    if decimals is not None:
        errors = [np.round(error, decimals) for error in errors]
    columns = (sums.cycle, sums.kind, sums.window, sums.samples, *errors)
    return zip(*(column.tolist() for column in columns), strict=True)


def cycle_balances(
    record: Record, voltage_volt: Floats, charge_error: Floats, capacity_ah: float
) -> dict[int, Balance]:
    """Compute the balances of the whole record (0) and of each cycle.

    Measured and simulated energy both use the measured current, because it drove the model. An interval between two
    cycles counts towards the later one. A missing measured voltage is interpolated here.

    Args:
        voltage_volt: simulated, V, shape (n,).
        charge_error: of :func:`kilocell.jobs.simulation.attempts.relative_charge_error`, shape (n,).
        capacity_ah: A.h, of the cell.

    Returns:
        By cycle; empty where no voltage was measured.
    """
    if not np.isfinite(record.voltage_volt).any():
        return {}
    begins = cycle_starts(record)
    in_measured, out_measured = _cycle_energies_wh(record, record.voltage_volt, begins)
    in_model, out_model = _cycle_energies_wh(record, voltage_volt, begins)
    energies = (in_measured, in_model, out_measured, out_model)
    largest_error = np.maximum.reduceat(charge_error, begins)
    errors = capacity_errors(record, voltage_volt, capacity_ah)
    mean_error = float(np.mean([error for error, _ in errors.values()])) if errors else None
    whole = [float(energy.sum()) for energy in energies]
    balances = {0: _balance(whole, float(charge_error.max()), mean_error, None)}
    for place, cycle in enumerate(record.cycle_count[begins].tolist()):
        of_cycle = [float(energy[place]) for energy in energies]
        balances[cycle] = _balance(of_cycle, float(largest_error[place]), *errors.get(cycle, (None, None)))
    return balances


def _balance(
    energies_wh: list[float], charge_error: float, error_ah: float | None, voltage_volt: float | None
) -> Balance:
    in_measured, in_model, out_measured, out_model = energies_wh
    return Balance(in_measured, in_model, out_measured, out_model, charge_error, error_ah, voltage_volt)


def _cycle_energies_wh(record: Record, voltage_volt: Floats, begins: Indices) -> tuple[Floats, Floats]:
    """Energy charged and energy discharged in each cycle in W.h, both >= 0, shape (cycles,)."""
    energy = np.zeros(len(voltage_volt))
    energy[1:] = interval_energy_wh(record.time_second, record.current_ampere, voltage_volt, record.flags)
    charged = np.maximum(energy, 0.0)
    energy -= charged
    return np.add.reduceat(charged, begins), np.abs(np.add.reduceat(energy, begins))


def capacity_errors(record: Record, voltage_volt: Floats, capacity_ah: float) -> dict[int, tuple[float, float]]:
    """Compare the capacities of model and cell in each cycle that measures one.

    A cycle measures a capacity in its largest step of type ``discharge``, if that gave at least half of the cell's
    capacity. Model and cell are compared at one voltage: the higher one of the two at the end of this discharge,
    which both reach. The error is the charge that the model gave until its voltage fell to this value, less the
    charge that the cell gave until its own did.

    If the model ends lower than the cell, this voltage is the one at which the measured discharge ended, and the error
    is negative: the model has less capacity. Otherwise the model could go on; the error is positive and a lower bound.

    Args:
        voltage_volt: simulated, V, shape (n,).
        capacity_ah: A.h, of the cell.

    Returns:
        By cycle: the error in A.h and the voltage in V. Left out are cycles that measure no capacity, and those in
        which the discharge began below this voltage.
    """
    interval_charge = interval_charge_ah(record.time_second, record.current_ampere, record.flags)
    given = -np.concatenate([[0.0], np.cumsum(interval_charge)])[: len(record.time_second)]
    errors = {}
    for first, step_end in _full_discharges(record, given, capacity_ah):
        known = np.flatnonzero(np.isfinite(record.voltage_volt[first:step_end]))
        if len(known) < 2:
            continue
        end = first + int(known[-1]) + 1
        measured = record.voltage_volt[first:end]
        model = voltage_volt[first:end]
        charge = given[first:end]
        voltage = max(float(measured[-1]), float(model[-1]))
        measured_charge = _charge_at_voltage(charge[known], measured[known], voltage)
        model_charge = _charge_at_voltage(charge, model, voltage)
        if measured_charge is not None and model_charge is not None:
            errors[int(record.cycle_count[first])] = (model_charge - measured_charge, voltage)
    return errors


def _full_discharges(record: Record, given_ah: Floats, capacity_ah: float) -> list[tuple[int, int]]:
    """Each cycle's largest discharge that measures a capacity, as indices of its first sample and after its last.

    Args:
        given_ah: charge that the cell gave since the record began, A.h, at each sample.
    """
    if record.step_type is None or not len(record.time_second):
        return []
    step = record.step_count
    begins = np.concatenate([[0], np.flatnonzero(step[1:] != step[:-1]) + 1])
    ends = np.append(begins[1:], len(step))
    given = given_ah[ends - 1] - given_ah[np.maximum(begins - 1, 0)]  # a step begins at the last sample before it
    is_full = given >= LEAST_DISCHARGE_SHARE * capacity_ah
    chosen = np.flatnonzero((record.step_type[begins] == DISCHARGE) & is_full)
    if not len(chosen):
        return []
    cycle = record.cycle_count[begins]
    order = chosen[np.lexsort((given[chosen], cycle[chosen]))]
    is_last_of_cycle = np.append(cycle[order][1:] != cycle[order][:-1], True)
    largest = order[is_last_of_cycle]
    return list(zip(begins[largest].tolist(), ends[largest].tolist(), strict=True))


def _charge_at_voltage(charge: Floats, voltage: Floats, at_volt: float) -> float | None:
    """The charge at which a voltage first falls to a value, interpolated; ``None`` where it began there."""
    reached = voltage <= at_volt
    place = int(np.argmax(reached))
    if not reached[place] or place == 0:
        return None
    share = (voltage[place - 1] - at_volt) / (voltage[place - 1] - voltage[place])
    return float(charge[place - 1] + share * (charge[place] - charge[place - 1]))
