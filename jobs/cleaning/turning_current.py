"""Intervals in which the current turns between two rows, so that charge flows both in and out."""

from __future__ import annotations

import numpy as np

from ...data.arrays import Floats, Indices, Mask
from ...data.convert import SECONDS_PER_HOUR
from .between_samples import EDGE_SECOND, NO_POINTS, Points, join_points
from .counted_charge import CountedCharge
from .interval_evidence import RecordIntervals


def flows_both_ways(record: RecordIntervals, counted: CountedCharge | None) -> Mask:
    """Tell in which intervals a pair of counters counted charge in and charge out, shape (n - 1,)."""
    if counted is None or counted.both_ah is None:
        return np.zeros(len(record.edge), dtype=bool)
    return record.known & ~record.paused & (counted.both_ah > counted.quantum_ah + record.least_ah)


def both_ways(record: RecordIntervals, counted: CountedCharge | None, which: Indices) -> Points:
    """Return samples for the charge in and the charge out that a pair of counters counted between two rows.

    The rows do not tell how large each current was: it is taken as the same in both directions, first in that of the
    earlier row.

    Args:
        record: the record.
        counted: by a pair of counters.
        which: intervals with both.
    """
    if counted is None or counted.both_ah is None or not len(which):
        return NO_POINTS
    start = record.time[which]
    end = record.time[which + 1]
    net = np.nan_to_num(counted.known_ah[which])
    both = counted.both_ah[which]
    before = record.current[which]
    first_sign = np.where(before != 0.0, np.sign(before), -np.sign(record.current[which + 1]))
    first_ah = np.clip(net * first_sign, 0.0, None) + both
    ampere = SECONDS_PER_HOUR * (np.abs(net) + 2.0 * both) / (end - start)
    turn = start + SECONDS_PER_HOUR * first_ah / ampere
    edge = np.minimum(EDGE_SECOND, 1e-3 * (end - start))
    seconds = (start + edge, turn - 0.5 * edge, turn + 0.5 * edge, end - edge)
    amperes = (first_sign * ampere, first_sign * ampere, -first_sign * ampere, -first_sign * ampere)
    place = np.arange(len(which))
    points = [
        Points(place, second, current, np.full(len(which), new))
        for second, current, new in zip(seconds, amperes, (False, False, True, True), strict=True)
    ]
    points_of_all = join_points(points)
    return Points(which[points_of_all.interval], points_of_all.second, points_of_all.ampere, points_of_all.is_new)


def turned_intervals(record: RecordIntervals, counted: CountedCharge | None) -> tuple[Indices, Floats, Floats]:
    """Return the intervals within steps in which the current turns, and what they leave open.

    The trapezoid has the net charge only. If the current jumps anywhere between both rows, half of the interval has
    each of the currents on average. What differs from that in one interval is in the variance.

    Returns:
        The numbers of the intervals; and by how much more may have flowed in and out, in A.h.
    """
    turns = record.known & ~record.paused & ~record.edge & (record.current[1:] * record.current[:-1] < 0.0)
    if counted is not None:
        turns &= ~np.isfinite(counted.net_ah)
    which = np.flatnonzero(turns)
    hours = (record.time[which + 1] - record.time[which]) / SECONDS_PER_HOUR
    ends = record.current[which], record.current[which + 1]
    net = 0.5 * hours * (ends[0] + ends[1])
    half_in = 0.5 * hours * np.maximum(*ends)
    half_out = -0.5 * hours * np.minimum(*ends)
    return which, half_in - np.clip(net, 0.0, None), half_out - np.clip(-net, 0.0, None)
