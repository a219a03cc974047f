"""What the columns of a record say about the time between its rows: step time, counters, voltage and current."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...data import columns as c
from ...data.arrays import Floats, Indices, Integers, Mask
from ...data.convert import SECONDS_PER_HOUR
from ...data.rules import flag_bit
from ..record.table import Table
from .between_samples import DECAY_SHARE, HOLD_BAND_VOLT, Intervals
from .counted_charge import FLAT_SHARE, CountedCharge, decimal_place
from .rule import column_values, flag_values, is_file_row

STEP_TIME_SHARE: Final = 0.02
"""Share by which step time and test time may advance differently within steps. Chosen, not measured."""

BELIEVED_EDGES: Final = 0.5
"""Least share of edges at which the step time of a step's first row is no longer than the interval before it. Otherwise
the column does not count from the beginning of steps. Chosen, not measured."""

TIME_UNITS: Final = (1.0, 60.0, 3600.0, 1e-3, 1.0 / 60.0, 1.0 / 3600.0, 1e3)
"""Factors of a step time in another unit than the test time."""

SAME_VOLT: Final = 0.001
"""V: by so much a held voltage may differ. A rest after a current differs by more, except for a very low current.
Chosen, not measured."""

LEAST_SHARE: Final = 1e-5
"""Share of a cycle's throughput: less charge is not worth a sample. The goal for the charge is 1e-4."""

LEAST_CAPACITY_SHARE: Final = 1e-6
"""Share of the capacity: the same for a record that hardly carries any charge."""


@dataclass(frozen=True, slots=True, eq=False)
class RecordIntervals:
    """A record's arrays, and what is known of its intervals.

    Args:
        time, current, voltage: s, A and V, shape (n,).
        cycle_count: from 1, shape (n,).
        in_hold: which rows are of a hold, shape (n,).
        edge: which intervals lead from one step to the next, shape (n - 1,).
        paused: which intervals are pauses: they carry no current, shape (n - 1,).
        known: which intervals have a current at both ends, shape (n - 1,).
        open_ah: A.h between the earliest and the latest edge from one current to the other, shape (n - 1,).
        rest_ampere: A, up to which the cell rests.
        least_ah: A.h; less is not worth a sample.
    """

    time: Floats
    current: Floats
    voltage: Floats
    cycle_count: Integers
    in_hold: Mask
    edge: Mask
    paused: Mask
    known: Mask
    open_ah: Floats
    rest_ampere: float
    least_ah: float


def record_intervals(
    frame: Table, step: Integers, kinds: NDArray[Any], rest_ampere: float, scale_ah: float
) -> RecordIntervals:
    """Return a record's arrays, and the least charge that is worth a sample.

    Args:
        frame: the record between two rules.
        step: the step of each row, 0 to steps - 1, shape (n,).
        kinds: the type of each step, shape (steps,).
        rest_ampere: A, up to which the cell rests.
        scale_ah: A.h, capacity of the cell or a scale of it.
    """
    time = column_values(frame, c.TEST_TIME)
    current = column_values(frame, c.CURRENT)
    voltage = column_values(frame, c.VOLTAGE)
    cycle = frame[c.CYCLE_COUNT].astype(np.int64)
    edge = step[1:] != step[:-1]
    hours = np.diff(time)
    hours /= SECONDS_PER_HOUR
    open_ah = np.abs(np.diff(current))
    open_ah *= hours
    # What cleaning inserted before is known: cleaning a cleaned record changes nothing.
    row = is_file_row(frame)
    known = np.isfinite(open_ah) & row[1:] & row[:-1]
    throughput = float(np.nansum(np.abs(current[1:]) * hours))
    cycles = int(np.count_nonzero(np.diff(cycle))) + 1
    least = max(LEAST_SHARE * throughput / cycles, LEAST_CAPACITY_SHARE * scale_ah)
    paused = (flag_values(frame)[1:] & flag_bit("time_gap")) != 0
    in_hold = (kinds == "hold")[step]
    return RecordIntervals(time, current, voltage, cycle, in_hold, edge, paused, known, open_ah, rest_ampere, least)


def believed_step_time(frame: Table, edge: Mask) -> tuple[Floats | None, float]:
    """Return the time since the step began in s, shape (n,), and its resolution in s; ``None`` if it is no evidence.

    It is believed if it advances like the test time within steps, and begins again at most edges.

    Args:
        frame: with time and step time.
        edge: which intervals lead from one step to the next, shape (n - 1,).
    """
    step_second = column_values(frame, c.STEP_TIME)
    if not np.isfinite(step_second).any() or not edge.any():
        return None, 0.0
    time = column_values(frame, c.TEST_TIME)
    second = np.diff(time)
    with np.errstate(invalid="ignore"):
        advance = np.diff(step_second) / second
    within = advance[~edge & np.isfinite(advance) & (advance > 0.0)]
    # Where every step has one row, its last, the step lasted from row to row.
    advance = within if len(within) else step_second[1:] / second
    advance = advance[np.isfinite(advance) & (advance > 0.0)]
    factor = 1.0
    if len(advance):
        median = float(np.median(advance))
        fitting = [unit for unit in TIME_UNITS if abs(median * unit - 1.0) <= STEP_TIME_SHARE]
        if not fitting:
            return None, 0.0
        factor = fitting[0]
    step_second = step_second * factor
    tick = max(decimal_place(step_second), decimal_place(time)) if factor == 1.0 else decimal_place(time)
    with np.errstate(invalid="ignore"):
        begins_within = step_second[1:][edge] <= second[edge] * (1.0 + STEP_TIME_SHARE) + 2.0 * tick
    if begins_within.mean() < BELIEVED_EDGES:
        return None, 0.0
    return step_second, tick


def take_intervals(
    record: RecordIntervals, step_second: Floats | None, counted: CountedCharge | None, which: Indices
) -> Intervals:
    """Return what is known of some intervals.

    Args:
        record: the record.
        step_second: s since the step began, shape (n,), if it is believed.
        counted: the charge by a counter, if one is believed.
        which: the numbers of the intervals, each that of the row before it.
    """
    start = record.time[which]
    end = record.time[which + 1]
    before = record.current[which]
    after = record.current[which + 1]
    unknown = np.full(len(which), np.nan)
    began = unknown
    if step_second is not None:
        since = step_second[which + 1]
        with np.errstate(invalid="ignore"):
            inside = since <= (end - start) * (1.0 + STEP_TIME_SHARE)
        began = np.where(inside, np.maximum(end - since, start), np.nan)
    later_edge = np.append(record.edge, True)[which + 1]
    earlier_edge = np.concatenate([[True], record.edge])[which]
    smaller = _decays(before, after)
    with np.errstate(invalid="ignore"):
        further = (record.voltage[which + 1] - record.voltage[which]) * np.sign(before)
    # The only row of a step at the voltage that the step before reached, with less current: a hold that decayed.
    one_row = record.edge[which] & later_edge
    new_start = np.where(one_row & smaller & (np.abs(further) <= HOLD_BAND_VOLT), before, after)
    # At the same voltage, and the counter shows more than the later current since its reset: a hold that decayed.
    if counted is not None:
        since = after * (end - began) / SECONDS_PER_HOUR
        decayed = _counted_decay(before, after, counted.after_reset_ah[which] - since, counted.unsure_ah)
        new_start = np.where(record.edge[which] & decayed & (np.abs(further) <= HOLD_BAND_VOLT), before, new_start)
    # At a voltage further on it is a hold, or the end of another constant current.
    new_open = one_row & smaller & (further > HOLD_BAND_VOLT)
    new_open |= record.edge[which] & _may_have_decayed(record, before, after, further)
    none = np.full(len(which), False)
    old_open = earlier_edge & _may_be_hold(record, which)
    old_sure = ~earlier_edge & _flat(record, which - 1) if len(which) else none
    new_sure = ~later_edge & _flat(record, which + 1) if len(which) else none
    return Intervals(
        start,
        end,
        before,
        after,
        np.where(earlier_edge, 0.0, _rate(record, which - 1)),
        np.where(later_edge, 0.0, _rate(record, which + 1)),
        new_start,
        old_sure,
        new_sure,
        old_open,
        new_open,
        began,
        unknown if counted is None else counted.net_ah[which],
        unknown if counted is None else counted.after_reset_ah[which],
        0.0 if counted is None else counted.unsure_ah,
    )


def _may_have_decayed(record: RecordIntervals, before: Floats, after: Floats, further: Floats) -> Mask:
    """Tell where hardly any current flows at the voltage of the step before: a hold that has decayed, or a rest."""
    with np.errstate(invalid="ignore"):
        stops = (np.abs(after) <= record.rest_ampere) & (np.abs(before) > record.rest_ampere)
        return stops & (np.abs(further) <= SAME_VOLT)


def _counted_decay(before: Floats, after: Floats, more_ah: Floats, unsure_ah: float) -> Mask:
    """Tell where a counter shows that a step began with a larger current than that of its first row.

    Args:
        before, after: A, of the last row before the step and of its first row.
        more_ah: A.h, positive into the cell, by which the counter shows more than the first row's current.
        unsure_ah: A.h, by which the counter may be wrong.
    """
    with np.errstate(invalid="ignore"):
        more = more_ah * np.sign(before) > 3.0 * unsure_ah
        return more & (after * before >= 0.0) & (np.abs(after) < np.abs(before))


def _decays(before: Floats, after: Floats) -> Mask:
    """Tell where a current keeps its direction and becomes smaller."""
    with np.errstate(invalid="ignore"):
        return (before * after > 0.0) & (np.abs(after) < (1.0 - DECAY_SHARE) * np.abs(before))


def _pair(record: RecordIntervals, which: Indices) -> tuple[Integers, Integers]:
    """Return the places of both rows of intervals; numbers outside the record stand for its first or last interval."""
    first = np.clip(which, 0, max(len(record.time) - 2, 0))
    return first, first + 1


def _rate(record: RecordIntervals, which: Indices) -> Floats:
    """Return the decay of the current of a hold in intervals within steps, per s; 0 where nothing is held."""
    first, second = _pair(record, which)
    before = record.current[first]
    after = record.current[second]
    with np.errstate(invalid="ignore", divide="ignore"):
        # Outside a hold, noise of a constant current is no decay.
        steady = np.abs(record.voltage[second] - record.voltage[first]) <= HOLD_BAND_VOLT
        held = record.in_hold[second] | (steady & _decays(before, after))
        smaller = (before * after > 0.0) & (np.abs(after) < np.abs(before)) & held
        rate = np.log(before / after) / (record.time[second] - record.time[first])
    return np.where(smaller, rate, 0.0)


def _flat(record: RecordIntervals, which: Indices) -> Mask:
    """Tell in which intervals within steps the current is constant, or none."""
    first, second = _pair(record, which)
    before = np.abs(record.current[first])
    change = np.abs(record.current[second] - record.current[first])
    with np.errstate(invalid="ignore"):
        return change <= FLAT_SHARE * before + record.rest_ampere


def _may_be_hold(record: RecordIntervals, which: Indices) -> Mask:
    """Tell for which rows, each the only one of its step, the step may be a hold after a larger current."""
    before = record.current[np.maximum(which - 1, 0)]
    after = record.current[which]
    change = record.voltage[which] - record.voltage[np.maximum(which - 1, 0)]
    with np.errstate(invalid="ignore"):
        return (which > 0) & _decays(before, after) & (change * np.sign(before) >= -HOLD_BAND_VOLT)


def is_held(record: RecordIntervals, which: Indices) -> Mask:
    """Tell in which intervals the voltage is held and the current decays.

    Args:
        record: the record.
        which: the numbers of the intervals.
    """
    first, second = _pair(record, which)
    with np.errstate(invalid="ignore"):
        held = np.abs(record.voltage[second] - record.voltage[first]) <= HOLD_BAND_VOLT
    return held & _decays(record.current[first], record.current[second])
