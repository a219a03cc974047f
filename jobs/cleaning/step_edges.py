"""Insert samples where the record says more about the current than its rows: edges of steps, holds, and pauses.

The evidence of all columns is brought together here: step numbers, step time, charge counters, voltage and current.
What it leaves open is returned as bounds of the charge (``charge_bounds.py``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...data import columns as c
from ...data.arrays import Floats, Indices, Integers, Mask
from ...data.convert import SECONDS_PER_HOUR
from ...data.rules import flag_bit
from ..record.table import Table
from .between_samples import (
    EDGE_SECOND,
    LONG_INTERVAL,
    NO_POINTS,
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
from .counted_charge import CountedCharge, counted_charge
from .interval_evidence import RecordIntervals, believed_step_time, is_held, record_intervals, take_intervals
from .rule import column_values
from .turning_current import both_ways, flows_both_ways, turned_intervals

DECAY_FACTOR: Final = 100.0
"""Times the least charge: a decay that only the shape of a hold suggests is shown from there on. In a dense record the
straight line is as good."""

SPARSE_DECAY: Final = 0.3
"""Share by which the current of a hold decays from one row to the next, if its log is sparse. Dense public records
decay by up to 0.2. Chosen, not measured."""


DECAY_UNSURE: Final = 4.0
"""Times the difference between an exponential and a straight line: by so much a decay between two rows is unsure.
Chosen, not measured."""


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

    frame: Table
    counted: CountedCharge | None
    uses_step_time: bool
    uses_counter: bool
    contradicted_ah: float
    contradicted: int
    guessed: int
    open_charge: OpenCharge


def add_edge_samples(
    frame: Table, step: Integers, kinds: NDArray[Any], rest_ampere: float, scale_ah: float
) -> EdgeEvidence:
    """Insert samples where the evidence shows another charge than the trapezoid over the rows.

    Args:
        frame: the cleaned record, with the raw columns of step time and counters.
        step: the step of each row, 0 to steps - 1, shape (n,).
        kinds: the type of each step, shape (steps,).
        rest_ampere: A, up to which the cell rests.
        scale_ah: A.h, capacity of the cell or a scale of it.
    """
    record = record_intervals(frame, step, kinds, rest_ampere, scale_ah)
    step_second, tick_second = believed_step_time(frame, record.edge)
    counted = counted_charge(frame, record.edge, rest_ampere, step_second)
    worth = record.known & ~record.paused & (record.open_ah > 2.0 * record.least_ah)
    turning = flows_both_ways(record, counted)
    worth &= ~turning
    at_edges = np.flatnonzero(worth & record.edge)
    intervals = take_intervals(record, step_second, counted, at_edges)
    edges = place_edges(intervals, tick_second, record.least_ah)
    guess = usual_side(intervals, edges.second)
    guessed = np.isfinite(guess)
    if guessed.any():
        intervals = replace(intervals, step_began=np.where(guessed, guess, intervals.step_began))
        edges = place_edges(intervals, tick_second, record.least_ah)
    edge_points = _numbered(edges.points, at_edges)
    counted = _with_lost(counted, intervals, at_edges, edges.second)
    within = _within_steps(record, counted, np.flatnonzero(worth & ~record.edge))
    pauses = join_points([_counted_pauses(record, counted), _pauses_within_steps(record, counted, ~turning)])
    turns = both_ways(record, counted, np.flatnonzero(turning))
    inserted = _insert(frame, join_points([edge_points, within, pauses, turns]))
    open_charge = _open_charge(record, counted, intervals, at_edges, edges, guessed)
    by_counter = counted is not None and bool(
        edges.by_counter.any() or len(within.interval) or len(pauses.interval) or len(turns.interval)
    )
    placed_by_step = np.isfinite(edges.second) & ~edges.by_counter & ~guessed
    return EdgeEvidence(
        inserted,
        counted,
        uses_step_time=bool(placed_by_step.any()),
        uses_counter=by_counter,
        contradicted_ah=float(edges.contradicted_ah.sum()),
        contradicted=int(np.count_nonzero(edges.contradicted_ah)),
        guessed=int(np.count_nonzero(guessed)),
        open_charge=open_charge,
    )


def _within_steps(record: RecordIntervals, counted: CountedCharge | None, which: Indices) -> Points:
    """Return samples within steps for the shape that a counter gives, or for the decay of a hold in a sparse log.

    Args:
        record: the record.
        counted: the charge by a counter.
        which: intervals whose charge the two rows leave open.
    """
    if not len(which):
        return NO_POINTS
    part = take_intervals(record, None, counted, which)
    straight = part.trapezoid_ah
    hours = (part.end - part.start) / SECONDS_PER_HOUR
    decides = np.isfinite(part.counted_ah) & (part.open_ah > UNSURE_FACTOR * part.unsure_ah)
    by_decay = mean_of_decay(part.before, part.after)
    with np.errstate(invalid="ignore"):
        much = np.abs(part.after) < (1.0 - SPARSE_DECAY) * np.abs(part.before)
        worth = np.abs(by_decay * hours - straight) > DECAY_FACTOR * record.least_ah
    shaped = is_held(record, which) & much & worth
    mean = np.where(decides, part.counted_ah / hours, by_decay)
    # A mean current beyond those of both rows: the current was another one in between.
    beyond = np.maximum(np.minimum(part.before, part.after) - mean, mean - np.maximum(part.before, part.after))
    flat = decides & (beyond * hours > UNSURE_FACTOR * part.unsure_ah + record.least_ah)
    shaped = (shaped | decides) & ~flat
    shapes = shape_points(part.start, part.before, part.end, part.after, mean, shaped, record.least_ah)
    return _numbered(join_points([shapes, _means(part, mean, flat)]), which)


def _means(part: Intervals, ampere: Floats, wanted: Mask) -> Points:
    """Return samples with which a current is constant between two rows.

    Args:
        part: intervals.
        ampere: A, shape (k,).
        wanted: which of them get samples, shape (k,).
    """
    which = np.flatnonzero(wanted)
    edge = np.minimum(EDGE_SECOND, 1e-3 * (part.end - part.start))[which]
    new = np.zeros(len(which), dtype=bool)
    ends = (part.start[which] + edge, part.end[which] - edge)
    return join_points([Points(which, second, ampere[which], new) for second in ends])


def _with_lost(
    counted: CountedCharge | None, intervals: Intervals, at_edges: Indices, second: Floats
) -> CountedCharge | None:
    """Return a counter with what flowed from the last row of a step to its reset.

    Args:
        counted: the charge by a counter.
        intervals: those with an edge, shape (k,).
        at_edges: their numbers in the record, shape (k,).
        second: s, when each edge was, shape (k,).
    """
    if counted is None:
        return None
    lost = np.zeros(len(counted.net_ah))
    until = np.where(np.isnan(counted.net_ah[at_edges]), second - intervals.start, 0.0)
    lost[at_edges] = np.nan_to_num(intervals.before * until / SECONDS_PER_HOUR)
    return replace(counted, before_reset_ah=lost)


def _pauses_within_steps(record: RecordIntervals, counted: CountedCharge | None, others: Mask) -> Points:
    """Return samples for long intervals in which a counter counted less than a constant current: it paused.

    Args:
        record: the record.
        counted: the charge by a counter.
        others: which intervals may have one, shape (n - 1,).
    """
    if counted is None:
        return NO_POINTS
    second = np.diff(record.time)
    inside = ~record.edge & ~record.paused & record.known & others
    usual = float(np.median(second[inside])) if inside.any() else float("inf")
    which = np.flatnonzero(inside & (second > LONG_INTERVAL * usual) & np.isfinite(counted.net_ah))
    part = take_intervals(record, None, counted, which)
    sign = np.sign(part.trapezoid_ah)
    constant = part.open_ah <= UNSURE_FACTOR * part.unsure_ah
    less = (part.trapezoid_ah - part.counted_ah) * sign
    forward = part.counted_ah * sign >= -part.unsure_ah
    paused = constant & forward & (less > PAUSED_SHARE * np.abs(part.trapezoid_ah) + 3.0 * part.unsure_ah)
    return _numbered(_plateaus(part, paused, zero_after=True), which)


def _counted_pauses(record: RecordIntervals, counted: CountedCharge | None) -> Points:
    """Return samples for the current that a counter counted in an interval that the rules call a pause."""
    if counted is None:
        return NO_POINTS
    which = np.flatnonzero(record.paused & record.known & np.isfinite(counted.net_ah))
    part = take_intervals(record, None, counted, which)
    carrying = np.where(np.abs(part.before) > record.rest_ampere, part.before, part.after)
    flowed = np.abs(part.counted_ah) > 3.0 * part.unsure_ah + record.least_ah
    flowed &= (np.abs(carrying) > record.rest_ampere) & (carrying * part.counted_ah > 0.0)
    return _numbered(_plateaus(part, flowed, zero_after=False), which)


def _plateaus(part: Intervals, wanted: Mask, zero_after: bool) -> Points:
    """Return samples that keep the current until the charge of a counter has flowed.

    Args:
        part: intervals with a counted charge.
        wanted: which of them get samples.
        zero_after: whether the current is then zero until the next row; without that, the row's own flag says so.
    """
    current = np.where(np.abs(part.before) > 0.0, part.before, part.after)
    with np.errstate(divide="ignore", invalid="ignore"):
        duration = SECONDS_PER_HOUR * part.counted_ah / current
    room = part.end - part.start - 4.0 * EDGE_SECOND
    which = np.flatnonzero(wanted & np.isfinite(duration) & (room > EDGE_SECOND))
    until = part.start[which] + np.clip(duration[which], EDGE_SECOND, room[which])
    lists = [(until, current[which])]
    if zero_after:
        none = np.zeros(len(which))
        lists += [(until + EDGE_SECOND, none), (part.end[which] - EDGE_SECOND, none)]
    old = np.zeros(len(which), dtype=bool)
    return join_points([Points(which, second, ampere, old) for second, ampere in lists])


def _numbered(points: Points, which: Indices) -> Points:
    """Return points with the intervals' numbers in the whole record instead of their places in a selection."""
    return Points(which[points.interval], points.second, points.ampere, points.is_new)


def _insert(frame: Table, points: Points) -> Table:
    """Return the record with the points as rows: no source row, the values beside them, the voltage in between.

    Only the columns of a partition are left: no later rule needs the others.
    """
    if not len(points.interval):
        return frame
    order = np.lexsort((points.second, points.interval))
    interval = points.interval[order]
    second = points.second[order]
    # Each point follows the row before its interval, and the points of that interval before it.
    place = interval + 1 + np.arange(len(interval))
    rows = np.ones(len(frame) + len(interval), dtype=bool)
    rows[place] = False
    source = np.cumsum(rows) - 1
    source[place] += points.is_new[order]
    columns = {name: frame[name].take(source) for name in c.PARTITION_COLUMNS if name in frame}
    time = column_values(frame, c.TEST_TIME)
    share = (second - time[interval]) / (time[interval + 1] - time[interval])
    for name in (c.VOLTAGE, c.UNIX_TIME):
        column = column_values(frame, name)
        columns[name][place] = column[interval] + share * (column[interval + 1] - column[interval])
    columns[c.TEST_TIME][place] = second
    columns[c.CURRENT][place] = points.ampere[order]
    columns[c.FLAGS][place] = flag_bit("step_edge")
    columns[c.SOURCE_ROW][place] = c.NO_SOURCE_ROW
    for name in (c.CHARGING_CAPACITY, c.DISCHARGING_CAPACITY):
        columns[name][place] = np.nan
    return Table(columns, frame.labels[source])


def _open_charge(
    record: RecordIntervals,
    counted: CountedCharge | None,
    intervals: Intervals,
    at_edges: Indices,
    edges: Edges,
    guessed: Mask,
) -> OpenCharge:
    """Return the charge that the evidence leaves open.

    Args:
        record: the record.
        counted: the charge by a counter.
        intervals: those whose edge was searched.
        at_edges: their numbers in the record, shape (k,).
        edges: what was found of them, shape (k,).
        guessed: which edges were only guessed, shape (k,).
    """
    # An edge without evidence lies anywhere between the two rows.
    is_known = np.isfinite(edges.second) & ~guessed
    nowhere = np.flatnonzero(~is_known)
    part = intervals.take(nowhere)
    hours = (part.end - part.start) / SECONDS_PER_HOUR
    ends = [np.clip(sign * end, 0.0, None) * hours for sign in (1.0, -1.0) for end in (part.before, part.after)]
    in_old, in_new, out_old, out_new = ends
    net = np.where(guessed[nowhere], edges.charge_ah[nowhere], part.trapezoid_ah)
    net_in = np.clip(net, 0.0, None)
    net_out = np.clip(-net, 0.0, None)
    holds, hold_unsure = _uncounted_holds(record, counted)
    placed = np.flatnonzero(is_known)
    numbers = np.concatenate([at_edges[placed], holds])
    unsure = np.concatenate([edges.unsure_ah[placed], hold_unsure])
    before = record.current[numbers]
    after = record.current[numbers + 1]
    into = np.where((before > 0.0) | (after > 0.0), unsure, 0.0)
    out = np.where((before < 0.0) | (after < 0.0), unsure, 0.0)
    in_variance, out_variance = _variance(record, counted, at_edges, holds)
    turns, turned_in, turned_out = turned_intervals(record, counted)
    none = np.zeros(len(turns))
    return OpenCharge(
        cycle_count=record.cycle_count[np.concatenate([at_edges[nowhere], numbers, turns]) + 1],
        in_less=np.concatenate([net_in - np.minimum(in_old, in_new), into, none]),
        in_more=np.concatenate([np.maximum(in_old, in_new) - net_in, into, turned_in]),
        out_less=np.concatenate([net_out - np.minimum(out_old, out_new), out, none]),
        out_more=np.concatenate([np.maximum(out_old, out_new) - net_out, out, turned_out]),
        in_variance=in_variance,
        out_variance=out_variance,
    )


def _uncounted_holds(record: RecordIntervals, counted: CountedCharge | None) -> tuple[Indices, Floats]:
    """Return the intervals of holds that no counter decides, and how much charge each leaves open in A.h.

    It is between what the last current and the straight line give. The first decay of a step may follow a constant
    current; later ones are near an exponential.
    """
    uncounted = record.known & ~record.paused & ~record.edge & (record.open_ah > 2.0 * record.least_ah)
    if counted is not None:
        uncounted &= ~np.isfinite(counted.net_ah)
    holds = np.flatnonzero(uncounted)
    holds = holds[is_held(record, holds)]
    part = take_intervals(record, None, counted, holds)
    hours = (part.end - part.start) / SECONDS_PER_HOUR
    curved = 0.5 * part.open_ah
    by_decay = DECAY_UNSURE * np.abs(part.trapezoid_ah - hours * mean_of_decay(part.before, part.after))
    earlier = np.maximum(holds - 1, 0)
    goes_on = (holds > 0) & ~record.edge[earlier] & is_held(record, earlier)
    return holds, np.where(goes_on, np.minimum(curved, by_decay), curved)


def _variance(
    record: RecordIntervals, counted: CountedCharge | None, at_edges: Indices, holds: Indices
) -> tuple[Floats, Floats]:
    """Return the variance of each cycle's charge in and out in A.h squared, by cycle number from 0.

    Within steps a current that changes from row to row is as likely above the straight line as below it, and an edge
    between rows that are close together as likely early as late.

    Args:
        record: the record.
        counted: the charge by a counter.
        at_edges, holds: intervals whose open charge is known otherwise.
    """
    variance = record.open_ah * record.open_ah
    if counted is not None:
        most = 4.0 * counted.unsure_ah**2
        np.minimum(variance, most, out=variance, where=np.isfinite(counted.net_ah))
    # Half of what is open, evenly distributed.
    variance /= 12.0
    variance[~record.known | record.paused] = 0.0
    variance[at_edges] = 0.0
    variance[holds] = 0.0
    cycle = record.cycle_count[1:]
    size = int(record.cycle_count.max(initial=0)) + 1
    both = np.bincount(cycle, variance, minlength=size).astype(np.float64)
    variance[~(record.current[1:] + record.current[:-1] > 0.0)] = 0.0
    into = np.bincount(cycle, variance, minlength=size).astype(np.float64)
    return into, both - into
