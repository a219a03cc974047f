"""Insert samples where the record says more about the current than its rows: edges of steps, holds, and pauses.

The evidence of all columns is brought together here: step numbers, step time, charge counters, voltage and current.
What it leaves open is returned as bounds of the charge (``charge_bounds.py``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...data import columns as c
from ...data.arrays import Floats, Indices, Integers, Mask
from ...data.convert import SECONDS_PER_HOUR
from ...data.rules import flag_bit
from .between_samples import (
    DECAY_SHARE,
    EDGE_SECOND,
    HOLD_BAND_VOLT,
    LONG_INTERVAL,
    PAUSED_SHARE,
    UNSURE_FACTOR,
    Edges,
    Intervals,
    Points,
    join_points,
    mean_of_decay,
    place_edges,
    shape_points,
    usual_side,
)
from .counted_charge import FLAT_SHARE, CountedCharge, counted_charge, decimal_place
from .rule import column_values, flag_values, is_file_row

LEAST_SHARE: Final = 1e-5
"""Share of a cycle's throughput: less charge is not worth a sample. The goal for the charge is 1e-4."""

DECAY_FACTOR: Final = 100.0
"""Times the least charge: a decay that only the shape of a hold suggests is shown from there on. In a dense record the
straight line is as good."""

SPARSE_DECAY: Final = 0.3
"""Share by which the current of a hold decays from one row to the next, if its log is sparse. Dense public records
decay by up to 0.2. Chosen, not measured."""

DECAY_UNSURE: Final = 4.0
"""Times the difference between an exponential and a straight line: by so much a decay between two rows is unsure.
Chosen, not measured."""

LEAST_CAPACITY_SHARE: Final = 1e-6
"""Share of the capacity: the same for a record that hardly carries any charge."""

STEP_TIME_SHARE: Final = 0.02
"""Share by which step time and test time may advance differently within steps. Chosen, not measured."""

BELIEVED_EDGES: Final = 0.5
"""Least share of edges at which the step time of a step's first row is no longer than the interval before it. Otherwise
the column does not count from the beginning of steps. Chosen, not measured."""

TIME_UNITS: Final = (1.0, 60.0, 3600.0, 1e-3, 1.0 / 60.0, 1.0 / 3600.0, 1e3)
"""Factors of a step time in another unit than the test time."""


@dataclass(frozen=True, slots=True, eq=False)
class OpenCharge:
    """Charge that the evidence leaves open, in A.h, one number for each of k intervals.

    Args:
        cycle_count: the cycle to which each interval counts.
        in_less, in_more: by how much less or more may have flowed into the cell than the trapezoid says.
        out_less, out_more: the same out of the cell.
        in_variance, out_variance: A.h squared, of what is as likely too high as too low, one for each cycle.
    """

    cycle_count: Integers
    in_less: Floats
    in_more: Floats
    out_less: Floats
    out_more: Floats
    in_variance: Floats
    out_variance: Floats


@dataclass(frozen=True, slots=True, eq=False)
class EdgeEvidence:
    """What the record says about the current between its rows.

    Args:
        frame: the record with inserted samples: flagged ``step_edge``, ``source_row`` -1, each with the
            label of the row beside it.
        counted: the charge between the rows by the counter that is believed, or ``None``.
        uses_step_time: whether the step time placed an edge.
        uses_counter: whether a counter placed an edge, or gave a decay its shape.
        contradicted_ah: A.h by which step time and counter disagree, all edges together.
        contradicted: number of these edges.
        guessed: number of edges that were put where the record's other edges are.
        open_charge: what is left open.
    """

    frame: pd.DataFrame
    counted: CountedCharge | None
    uses_step_time: bool
    uses_counter: bool
    contradicted_ah: float
    contradicted: int
    guessed: int
    open_charge: OpenCharge


@dataclass(frozen=True, slots=True, eq=False)
class _Record:
    """A record's arrays, shape (n,), and what is known of its intervals, shape (n - 1,)."""

    time: Floats
    current: Floats
    voltage: Floats
    cycle_count: Integers
    edge: Mask
    paused: Mask
    known: Mask
    decays: Mask
    rate: Floats
    rest_ampere: float
    least_ah: float


def add_edge_samples(
    frame: pd.DataFrame, step: Integers, kinds: NDArray[Any], rest_ampere: float, scale_ah: float
) -> EdgeEvidence:
    """Insert samples where the evidence shows another charge than the trapezoid over the rows.

    Args:
        frame: the cleaned record, with the raw columns of step time and counters.
        step: the step of each row, 0 to steps - 1, shape (n,).
        kinds: the type of each step, shape (steps,).
        rest_ampere: A, up to which the cell rests.
        scale_ah: A.h, capacity of the cell or a scale of it.
    """
    record = _record(frame, step, kinds, rest_ampere, scale_ah)
    step_second, tick_second = believed_step_time(frame, record.edge)
    counted = counted_charge(frame, record.edge, rest_ampere, step_second)
    intervals = _intervals(record, step_second, counted)
    at_edges = np.flatnonzero(record.edge & record.known & ~record.paused)
    worth = intervals.take(at_edges).open_ah > 2.0 * record.least_ah
    searched = intervals.take(at_edges[worth])
    edges = place_edges(searched, tick_second, record.least_ah)
    guess = usual_side(searched, edges.second)
    guessed = np.isfinite(guess)
    if guessed.any():
        searched = replace(searched, step_began=np.where(guessed, guess, searched.step_began))
        edges = place_edges(searched, tick_second, record.least_ah)
    edge_points = _numbered(edges.points, at_edges[worth])
    within = _within_steps(record, intervals)
    pauses = _pauses(record, intervals)
    points = join_points([edge_points, within, pauses])
    inserted = _insert(frame, points)
    open_charge = _open_charge(record, intervals, at_edges[worth], edges, guessed)
    by_counter = bool(edges.by_counter.any()) or bool(len(within.interval) and counted is not None)
    placed_by_step = np.isfinite(edges.second) & ~edges.by_counter & ~guessed
    return EdgeEvidence(
        inserted,
        counted,
        uses_step_time=bool(placed_by_step.any()),
        uses_counter=by_counter or bool(len(pauses.interval)),
        contradicted_ah=float(edges.contradicted_ah.sum()),
        contradicted=int(np.count_nonzero(edges.contradicted_ah)),
        guessed=int(np.count_nonzero(guessed)),
        open_charge=open_charge,
    )


def _record(frame: pd.DataFrame, step: Integers, kinds: NDArray[Any], rest_ampere: float, scale_ah: float) -> _Record:
    time = column_values(frame, c.TEST_TIME)
    current = column_values(frame, c.CURRENT)
    voltage = column_values(frame, c.VOLTAGE)
    cycle = frame[c.CYCLE_COUNT].to_numpy(dtype=np.int64)
    edge = step[1:] != step[:-1]
    before = current[:-1]
    after = current[1:]
    with np.errstate(invalid="ignore", divide="ignore"):
        smaller = np.abs(after) < (1.0 - DECAY_SHARE) * np.abs(before)
        one_way = before * after > 0.0
        held = np.abs(np.diff(voltage)) <= HOLD_BAND_VOLT
        decays = smaller & one_way & ~edge & held
        rate = np.where((np.abs(after) < np.abs(before)) & one_way & ~edge, np.log(before / after), 0.0) / np.diff(time)
    in_hold = (kinds == "hold")[step[1:]] | held
    rate = np.where(in_hold, np.nan_to_num(rate, nan=0.0, posinf=0.0), 0.0)
    # What cleaning inserted before is known: cleaning a cleaned record changes nothing.
    row = is_file_row(frame)
    known = np.isfinite(before) & np.isfinite(after) & row[1:] & row[:-1]
    charge = np.nan_to_num(np.diff(time) * np.abs(before + after)) / (2.0 * SECONDS_PER_HOUR)
    cycles = max(len(np.unique(cycle)), 1)
    least = max(LEAST_SHARE * float(charge.sum()) / cycles, LEAST_CAPACITY_SHARE * scale_ah)
    paused = (flag_values(frame)[1:] & flag_bit("time_gap")) != 0
    return _Record(time, current, voltage, cycle, edge, paused, known, decays, rate, rest_ampere, least)


def believed_step_time(frame: pd.DataFrame, edge: Mask) -> tuple[Floats | None, float]:
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


def _intervals(record: _Record, step_second: Floats | None, counted: CountedCharge | None) -> Intervals:
    """Return what is known of all intervals."""
    start = record.time[:-1]
    end = record.time[1:]
    before = np.nan_to_num(record.current[:-1])
    after = np.nan_to_num(record.current[1:])
    unknown = np.full(len(start), np.nan)
    began = unknown
    if step_second is not None:
        second = end - start
        since = step_second[1:]
        with np.errstate(invalid="ignore"):
            inside = since <= second * (1.0 + STEP_TIME_SHARE)
        began = np.where(inside, np.maximum(end - since, start), np.nan)
    old_rate = np.concatenate([[0.0], record.rate[:-1]])
    new_rate = np.concatenate([record.rate[1:], [0.0]])
    one_row = record.edge & np.concatenate([record.edge[1:], [True]])
    direction = np.sign(before)
    with np.errstate(invalid="ignore"):
        smaller = (before * after > 0.0) & (np.abs(after) < (1.0 - DECAY_SHARE) * np.abs(before))
        further = np.diff(record.voltage) * direction
    # The only row of a step at the voltage that the step before reached, with less current: a hold that decayed.
    new_start = np.where(one_row & smaller & (np.abs(further) <= HOLD_BAND_VOLT), before, after)
    # At a voltage further on it is a hold, or the end of another constant current.
    new_open = one_row & smaller & (further > HOLD_BAND_VOLT)
    old_open = np.concatenate([[False], (new_open | (new_start != after))[:-1]])
    with np.errstate(invalid="ignore"):
        flat = ~record.edge & (np.abs(after - before) <= FLAT_SHARE * np.abs(before) + record.rest_ampere)
    old_sure = np.concatenate([[False], flat[:-1]])
    new_sure = np.concatenate([flat[1:], [False]])
    shape = (old_rate, new_rate, new_start, old_sure, new_sure, old_open, new_open)
    if counted is None:
        return Intervals(start, end, before, after, *shape, began, unknown, unknown, 0.0)
    by_counter = (counted.net_ah, counted.after_reset_ah, counted.unsure_ah)
    return Intervals(start, end, before, after, *shape, began, *by_counter)


def _within_steps(record: _Record, intervals: Intervals) -> Points:
    """Return samples within steps: the decay of a hold, the shape that a counter gives, a pause that it shows."""
    inside = record.known & ~record.edge & ~record.paused
    trapezoid = intervals.trapezoid_ah
    has_counter = np.isfinite(intervals.counted_ah) & inside
    decides = has_counter & (intervals.open_ah > UNSURE_FACTOR * intervals.unsure_ah)
    hours = (intervals.end - intervals.start) / SECONDS_PER_HOUR
    by_decay = mean_of_decay(intervals.before, intervals.after)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(decides, intervals.counted_ah / hours, by_decay)
    inferred_ah = np.abs(by_decay * hours - trapezoid)
    with np.errstate(invalid="ignore"):
        much = np.abs(intervals.after) < (1.0 - SPARSE_DECAY) * np.abs(intervals.before)
    shaped = record.decays & much & (inferred_ah > DECAY_FACTOR * record.least_ah)
    which = np.flatnonzero(inside & (decides | shaped))
    part = intervals.take(which)
    wanted = np.ones(len(which), dtype=bool)
    shapes = shape_points(part.start, part.before, part.end, part.after, mean[which], wanted, record.least_ah)
    # A counter that counted less than a constant current would have: the current paused.
    usual = _usual_interval(record)
    long = (intervals.end - intervals.start) > LONG_INTERVAL * usual
    with np.errstate(invalid="ignore"):
        less = (trapezoid - intervals.counted_ah) * np.sign(trapezoid)
        counted_forward = intervals.counted_ah * np.sign(trapezoid) >= -intervals.unsure_ah
        paused = has_counter & ~decides & long & counted_forward
        paused &= less > PAUSED_SHARE * np.abs(trapezoid) + 3.0 * intervals.unsure_ah
    return join_points([_numbered(shapes, which), _plateaus(intervals, np.flatnonzero(paused), zero_after=True)])


def _pauses(record: _Record, intervals: Intervals) -> Points:
    """Return samples for the current that a counter counted in an interval that the rules call a pause."""
    counted = intervals.counted_ah
    with np.errstate(invalid="ignore"):
        flowed = record.paused & record.known & (np.abs(counted) > 3.0 * intervals.unsure_ah + record.least_ah)
        carrying = np.where(np.abs(intervals.before) > record.rest_ampere, intervals.before, intervals.after)
        flowed &= (np.abs(carrying) > record.rest_ampere) & (carrying * counted > 0.0)
    return _plateaus(intervals, np.flatnonzero(flowed), zero_after=False)


def _plateaus(intervals: Intervals, which: Indices, zero_after: bool) -> Points:
    """Return samples that keep the current until the charge of a counter has flowed.

    Args:
        intervals: of the whole record.
        which: intervals with a counted charge.
        zero_after: whether the current is then zero until the next row; without that, the row's own flag says so.
    """
    part = intervals.take(which)
    current = np.where(np.abs(part.before) > 0.0, part.before, part.after)
    with np.errstate(divide="ignore", invalid="ignore"):
        duration = SECONDS_PER_HOUR * np.nan_to_num(part.counted_ah) / current
    room = part.end - part.start - 4.0 * EDGE_SECOND
    good = np.isfinite(duration) & (room > 0.0)
    duration = np.clip(np.nan_to_num(duration), EDGE_SECOND, np.maximum(room, EDGE_SECOND))
    until = part.start + duration
    lists = [(until, current)]
    if zero_after:
        lists += [(until + EDGE_SECOND, np.zeros(len(which))), (part.end - EDGE_SECOND, np.zeros(len(which)))]
    is_new = np.zeros(int(good.sum()), dtype=bool)
    return join_points([Points(which[good], second[good], ampere[good], is_new) for second, ampere in lists])


def _usual_interval(record: _Record) -> float:
    """Return the median interval within steps in s; endless without any."""
    inside = np.diff(record.time)[~record.edge & ~record.paused]
    return float(np.median(inside)) if len(inside) else float("inf")


def _numbered(points: Points, which: Indices) -> Points:
    """Return points with the intervals' numbers in the whole record instead of their places in a selection."""
    return Points(which[points.interval], points.second, points.ampere, points.is_new)


def _insert(frame: pd.DataFrame, points: Points) -> pd.DataFrame:
    """Return the record with the points as rows: no source row, the values beside them, the voltage in between."""
    if not len(points.interval):
        return frame
    order = np.lexsort((points.second, points.interval))
    interval = points.interval[order]
    second = points.second[order]
    neighbour = interval + points.is_new[order]
    rows = frame.iloc[neighbour].copy()
    time = column_values(frame, c.TEST_TIME)
    share = (second - time[interval]) / (time[interval + 1] - time[interval])
    rows[c.TEST_TIME] = second
    rows[c.CURRENT] = points.ampere[order]
    for name in (c.VOLTAGE, c.UNIX_TIME):
        column = column_values(frame, name)
        rows[name] = column[interval] + share * (column[interval + 1] - column[interval])
    for name in (c.CHARGING_CAPACITY, c.DISCHARGING_CAPACITY, c.STEP_CAPACITY, c.NET_CAPACITY, c.STEP_TIME):
        rows[name] = np.nan
    rows[c.FLAGS] = flag_bit("step_edge")
    rows[c.SOURCE_ROW] = -1
    together = pd.concat([frame, rows])
    place = np.concatenate([np.arange(len(frame)) * 1.0, interval + 0.5])
    return together.iloc[np.argsort(place, kind="stable")]


def _open_charge(record: _Record, intervals: Intervals, placed: Indices, edges: Edges, guessed: Mask) -> OpenCharge:
    """Return the charge that the evidence leaves open.

    Args:
        record: the record.
        intervals: all of its intervals.
        placed: the intervals whose edge was searched.
        edges: what was found of them, shape (placed,).
        guessed: which edges were only guessed, shape (placed,).
    """
    cycle = record.cycle_count[1:]
    # An edge without evidence lies anywhere between the two rows.
    known = np.isfinite(edges.second) & ~guessed
    unplaced = placed[~known]
    part = intervals.take(unplaced)
    hours = (part.end - part.start) / SECONDS_PER_HOUR
    ends = [np.clip(sign * end, 0.0, None) * hours for sign in (1.0, -1.0) for end in (part.before, part.after)]
    in_old, in_new, out_old, out_new = ends
    net = np.where(guessed[~known], edges.charge_ah[~known], part.trapezoid_ah)
    which = placed[known]
    unsure = edges.unsure_ah[known]
    # The charge of a hold between two rows is between what its last current and the straight line give.
    holds = np.flatnonzero(record.decays & record.known & ~record.paused & ~np.isfinite(intervals.counted_ah))
    part_hold = intervals.take(holds)
    curved = 0.5 * part_hold.open_ah
    hours = (part_hold.end - part_hold.start) / SECONDS_PER_HOUR
    by_decay = np.abs(part_hold.trapezoid_ah - hours * mean_of_decay(part_hold.before, part_hold.after))
    # The first decay of a step may follow a constant current; later ones are near an exponential.
    goes_on = np.concatenate([[False], record.decays[:-1]])[holds]
    curved = np.where(goes_on, np.minimum(curved, DECAY_UNSURE * by_decay), curved)
    numbers = np.concatenate([unplaced, which, holds])
    inward = (intervals.before + intervals.after)[numbers] > 0.0
    both = (intervals.before * intervals.after)[numbers] < 0.0
    sides = np.concatenate([unsure, curved])
    of_known = slice(len(unplaced), None)
    into = np.where(inward | both, 1.0, 0.0)[of_known] * sides
    out = np.where(~inward | both, 1.0, 0.0)[of_known] * sides
    in_variance, out_variance = _variance(record, intervals, placed)
    return OpenCharge(
        cycle_count=cycle[numbers],
        in_less=np.concatenate([np.clip(net, 0.0, None) - np.minimum(in_old, in_new), into]),
        in_more=np.concatenate([np.maximum(in_old, in_new) - np.clip(net, 0.0, None), into]),
        out_less=np.concatenate([np.clip(-net, 0.0, None) - np.minimum(out_old, out_new), out]),
        out_more=np.concatenate([np.maximum(out_old, out_new) - np.clip(-net, 0.0, None), out]),
        in_variance=in_variance,
        out_variance=out_variance,
    )


def _variance(record: _Record, intervals: Intervals, placed: Indices) -> tuple[Floats, Floats]:
    """Return the variance of each cycle's charge in and out in A.h squared, by cycle number from 0.

    Within steps a current that changes from row to row is as likely above the straight line as below it, and an edge
    between rows that are close together as likely early as late.

    Args:
        record, intervals: the record.
        placed: the intervals whose edge was searched, because it matters.
    """
    counted = np.isfinite(intervals.counted_ah)
    inside = record.known & ~record.paused & (~record.decays | counted)
    inside[placed] = False
    half = np.where(inside, 0.5 * intervals.open_ah, 0.0)
    half = np.where(counted, np.minimum(half, intervals.unsure_ah), half)
    variance = half * half / 3.0
    inward = intervals.before + intervals.after > 0.0
    cycle = record.cycle_count[1:]
    size = int(record.cycle_count.max(initial=0)) + 1
    into = np.bincount(cycle, np.where(inward, variance, 0.0), minlength=size).astype(np.float64)
    out = np.bincount(cycle, np.where(inward, 0.0, variance), minlength=size).astype(np.float64)
    return into, out
