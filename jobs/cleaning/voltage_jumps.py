"""Find where a voltage jumps beyond the range that the cell otherwise has, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from ...data import columns as c
from ...data.arrays import Floats, Integers, Mask
from ...data.convert import SECONDS_PER_HOUR
from ...data.settings import CleanSettings
from ..record.charge import interval_charge_ah
from ..record.table import Table
from .rule import cell_capacity_ah, column_values, find_runs, rest_current

CONTACT_VOLT: Final = 0.3
"""V: smallest jump of the voltage between two samples when a contact is lost. Chosen, not measured."""

BEYOND_VOLT: Final = 0.2
"""V beyond the highest or lowest voltage of all other samples. Chosen, not measured."""

LONGEST_SHARE: Final = 0.2
"""Largest share of the record's samples between a jump and the jump back. Chosen, not measured."""

LEAST_SAMPLES: Final = 3
"""Least number of samples between the jumps; fewer are a spike. Chosen, not measured."""

BACK_SHARE: Final = 0.5
"""Share of the jump by which the jump back of a spike may differ. Chosen, not measured."""

SAME_SHARE: Final = 0.05
"""Share of the current: two currents are the same if they differ by less. Chosen, not measured."""

USUAL_SHARE: Final = 0.5
"""Least share of the samples outside all jumps; with fewer, nothing shows which voltages are usual. Chosen, not
measured."""

MOVED_CHARGE: Final = 0.02
"""Share of the capacity. If so much may pass between two samples, a real voltage may change by any amount. Chosen, not
measured."""


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """The samples in which the voltage is known, shape (m,) each.

    Args:
        time, voltage, current: s, V and A; a missing current is 0.
        charge_ah: A.h since the record's first row, by all rows; 0 if each row has a voltage.
        step_id: the file's own step number, NaN where missing.
        rest_ampere: A, up to which the cell rests.
        capacity_ah: A.h, with which charges scale.
        signed: whether the current's sign is known; if not, causes have no direction.
    """

    time: Floats
    voltage: Floats
    current: Floats
    charge_ah: Floats
    step_id: Floats
    rest_ampere: float
    capacity_ah: float
    signed: bool = True

    @classmethod
    def of_record(cls, frame: Table, rows: Integers, settings: CleanSettings, signed: bool = True) -> Self:
        """Take some rows of a record, with a known voltage each.

        Args:
            frame: the record.
            rows: positions, shape (m,).
            settings: with the capacity and the current of a rest.
            signed: whether the current's sign is known.
        """
        time = column_values(frame, c.TEST_TIME)
        current = np.nan_to_num(column_values(frame, c.CURRENT))
        charge = np.zeros(len(rows))
        if len(rows) < len(time):  # without rows between them, the currents of two samples are enough
            sums = np.cumsum(interval_charge_ah(time, current, np.zeros(len(time), dtype=np.int64)))
            charge = np.append(0.0, sums)[rows]
        return cls(
            time[rows],
            column_values(frame, c.VOLTAGE)[rows],
            current[rows],
            charge,
            column_values(frame, c.STEP_ID)[rows],
            rest_current(settings),
            cell_capacity_ah(settings),
            signed,
        )

    def has_cause(self, at: Integers) -> Mask:
        """Tell between which samples a change of the voltage has a cause in its own direction, shape (k,).

        Either much charge may pass between two rows of a sparse log. Or the current has an edge: where the file's step
        changes, or while much charge may pass.

        Args:
            at: positions of the samples before, shape (k,).
        """
        rise = self.voltage[at + 1] - self.voltage[at]
        before = self.current[at]
        after = self.current[at + 1]
        larger = np.where(np.abs(after) >= np.abs(before), after, before)
        charge = larger * (self.time[at + 1] - self.time[at]) / SECONDS_PER_HOUR
        # Rows without a voltage may be between the two, as if a voltage is written at rest only.
        summed = self.charge_ah[at + 1] - self.charge_ah[at]
        charge = np.where(np.abs(summed) > np.abs(charge), summed, charge)
        much = np.abs(charge) >= MOVED_CHARGE * self.capacity_ah
        edge = after - before
        new_step = np.abs(self.step_id[at + 1] - self.step_id[at]) > 0.0  # False next to a missing number
        at_edge = (np.abs(edge) > self.rest_ampere) & (new_step | much)
        if self.signed:
            at_edge &= edge * rise > 0.0
            much &= charge * rise > 0.0
        cause: Mask = at_edge | much
        return cause


def find_voltage_jumps(frame: Table, settings: CleanSettings, signed: bool = True) -> Mask:
    """Tell where the voltage jumps beyond that of all other samples, until it jumps back or the record ends.

    A lead that has come off leaves the channel at its limit (5 V, for example) or near zero, while the current stays
    the same or becomes zero. A real pulse moves the current too. Where the jumps on both sides have a cause
    (:meth:`Signal.has_cause`), the voltages between them are real.

    Args:
        frame: the record.
        settings: with the capacity and the current of a rest.
        signed: whether the current's sign is known.

    Returns:
        Shape (n,), in runs of three samples or more.
    """
    voltage = column_values(frame, c.VOLTAGE)
    beyond = np.zeros(len(voltage), dtype=bool)
    if not may_jump(frame, CONTACT_VOLT):
        return beyond
    known = np.flatnonzero(np.isfinite(voltage))
    known = known[~_find_spikes(voltage[known])]  # a good value between two spikes jumps away from both
    signal = Signal.of_record(frame, known, settings, signed)
    known_voltage = signal.voltage
    known_current = signal.current
    rest_ampere = signal.rest_ampere
    samples = len(known)
    rise = np.diff(known_voltage)
    jumps = np.flatnonzero(np.abs(rise) > CONTACT_VOLT)
    if not len(jumps):
        return beyond
    # Each stretch goes from one jump to the next, the last one to the record's end.
    first = jumps + 1
    end = np.append(first[1:], samples)
    length = end - first
    direction = np.sign(rise[jumps])
    turns_back = np.append(direction[1:] != direction[:-1], True)
    away = turns_back & (length <= LONGEST_SHARE * samples)
    usual = ~_mark_stretches(first[away], end[away], samples)
    if usual.sum() < max(USUAL_SHARE * samples, 1.0):
        return beyond
    low = float(known_voltage[usual].min())
    high = float(known_voltage[usual].max())
    lowest = np.minimum.reduceat(known_voltage, first)
    highest = np.maximum.reduceat(known_voltage, first)
    above_all = (direction > 0.0) & (lowest > high + BEYOND_VOLT)
    below_all = (direction < 0.0) & (highest < low - BEYOND_VOLT)
    before = known_current[first - 1]
    after = known_current[first]
    same_current = np.abs(after - before) <= SAME_SHARE * np.abs(before) + rest_ampere
    no_current = np.abs(after) <= rest_ampere
    cause = signal.has_cause(jumps)
    real = cause & np.append(cause[1:], True)
    lost = away & (above_all | below_all) & (length >= LEAST_SAMPLES) & (same_current | no_current) & ~real
    beyond[known[_mark_stretches(first[lost], end[lost], samples)]] = True
    return beyond


def may_jump(frame: Table, least_volt: float) -> bool:
    """Tell quickly whether neighbouring known voltages may differ by more than a limit.

    Args:
        frame: the record.
        least_volt: the limit, in V.

    Returns:
        False only if they do not. True if any voltage is missing: a jump may be across it.
    """
    return not frame.once(_largest_change, (c.VOLTAGE,)) <= least_volt


def _largest_change(frame: Table) -> float:
    """Return the largest change of the voltage between two samples in V; NaN if any voltage is missing."""
    return float(np.abs(np.diff(column_values(frame, c.VOLTAGE))).max(initial=0.0))


def _find_spikes(voltage: Floats) -> Mask:
    """Tell which samples are in runs of fewer than ``LEAST_SAMPLES`` between a jump and the jump back, shape (n,)."""
    rise = np.diff(voltage)
    jumps = np.flatnonzero(np.abs(rise) > CONTACT_VOLT)
    first = jumps[:-1] + 1
    end = jumps[1:] + 1
    away = rise[jumps[:-1]]
    back = rise[jumps[1:]]
    returns = (away * back < 0.0) & (np.abs(away + back) < BACK_SHARE * np.abs(away))
    spike = (end - first < LEAST_SAMPLES) & returns
    return _mark_stretches(first[spike], end[spike], len(voltage))


def _mark_stretches(first: Integers, end: Integers, samples: int) -> Mask:
    """Tell which samples are in a stretch, shape (samples,); a stretch ends before its ``end``."""
    change = np.zeros(samples + 1, dtype=np.int64)
    np.add.at(change, first, 1)
    np.add.at(change, end, -1)
    return np.asarray(np.cumsum(change)[:-1] > 0)


def find_real_extremes(frame: Table, out: Mask, settings: CleanSettings) -> Mask:
    """Tell which voltages out of range are real, because the cell came there or left from there without a jump.

    So a cell is before its formation, when it is discharged to zero, or in a half cell. A lead that has come off jumps
    away and back. A voltage of exactly zero is none.

    Args:
        frame: the record.
        out: where the voltage is out of range, shape (n,).
        settings: with the capacity and the current of a rest.

    Returns:
        Shape (n,), in whole runs of voltages out of range.
    """
    real = np.zeros(len(out), dtype=bool)
    if not out.any():
        return real
    known = np.flatnonzero(np.isfinite(column_values(frame, c.VOLTAGE)))
    signal = Signal.of_record(frame, known, settings)
    first, length = find_runs(out[known])
    last = first + length - 1
    begins = first == 0
    ends = last == len(known) - 1
    smooth_in, cause_in = _way(signal, np.maximum(first - 1, 0), begins)
    smooth_out, cause_out = _way(signal, np.minimum(last, len(known) - 2), ends)
    # A cell that was never charged jumps up with its first current.
    carried = np.append(0, np.cumsum(np.abs(signal.current) > signal.rest_ampere))
    before_first_current = begins & (carried[first + length] == 0) & _current_begins(signal, last)
    whole_way = (begins | smooth_in | cause_in) & (ends | smooth_out | cause_out)
    moved = smooth_in | smooth_out | cause_in | cause_out
    zero = _exactly_zero(signal.voltage, first, length)
    for i, n in zip(*_where(first, length, (whole_way & moved & ~zero) | (before_first_current & ~zero)), strict=True):
        real[known[i : i + n]] = True
    return real


def _way(signal: Signal, at: Integers, none: Mask) -> tuple[Mask, Mask]:
    """Tell where the voltage moves from one sample to the next without a jump, or jumps with a cause, shape (k,) each.

    Args:
        signal: the samples.
        at: positions of the samples before, shape (k,).
        none: where there is no such sample, shape (k,).
    """
    if len(signal.voltage) < 2:
        return np.zeros(len(at), dtype=bool), np.zeros(len(at), dtype=bool)
    smooth: Mask = np.abs(signal.voltage[at + 1] - signal.voltage[at]) <= CONTACT_VOLT
    return smooth & ~none, signal.has_cause(at) & ~none


def _current_begins(signal: Signal, last: Integers) -> Mask:
    """Tell after which samples a current begins, shape (k,)."""
    after = np.minimum(last + 1, len(signal.current) - 1)
    begins: Mask = np.abs(signal.current[after]) > signal.rest_ampere
    return begins


def _exactly_zero(voltage: Floats, first: Integers, length: Integers) -> Mask:
    """Tell which runs have more zeros than other voltages, shape (runs,)."""
    zeros = np.append(0, np.cumsum(voltage == 0.0))
    mostly: Mask = 2 * (zeros[first + length] - zeros[first]) > length
    return mostly


def _where(first: Integers, length: Integers, chosen: Mask) -> tuple[list[int], list[int]]:
    return first[chosen].tolist(), length[chosen].tolist()
