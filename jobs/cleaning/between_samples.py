"""What the current did between two samples: an edge at a known time, a decay, a pause, or what a counter counted.

The charge between two samples is always the trapezoid (``jobs/record/charge.py``). Where the record says more than its
two samples, this module returns further samples, so that the trapezoid over all of them is the charge that flowed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ...data.arrays import Floats, Indices, Integers, Mask
from ...data.convert import SECONDS_PER_HOUR

EDGE_SECOND: Final = 1e-3
"""s in which the current goes from the old to the new value at an inserted edge: far below any logging interval."""

HOLD_BAND_VOLT: Final = 0.005
"""V: between two samples that differ by less, a voltage is held if the current decays. Chosen, not measured."""

DECAY_SHARE: Final = 0.05
"""Least share by which the current of a hold decays from sample to sample, for the decay to matter. Chosen, not
measured."""

LONG_INTERVAL: Final = 10.0
"""Usual intervals of its step: only within a longer one a counter can show that the current paused. Chosen, not
measured."""

PAUSED_SHARE: Final = 0.01
"""Share of the charge of the two samples: a counter that counted less by this share shows a pause. Chosen, not
measured."""

LEAST_HABIT: Final = 3
"""Number of placed edges that show where a cycler writes its rows. Chosen, not measured."""

HABIT_SHARE: Final = 0.8
"""Least share of these edges that are at one side of their interval. Chosen, not measured."""

HABIT_BAND: Final = 0.02
"""Share of the interval up to which an edge is at its side. Chosen, not measured."""

UNSURE_FACTOR: Final = 2.0
"""A counter decides if the charge that the samples leave open exceeds its own uncertainty this many times. Chosen, not
measured."""


@dataclass(frozen=True, slots=True, eq=False)
class Intervals:
    """Neighbouring samples, and what is known of the time between them; shape (n - 1,) each.

    Args:
        start, end: s, times of the two samples.
        before, after: A, currents of the two samples, positive for charge; no NaN.
        old_rate, new_rate: per s, decay of the current of a hold before the interval (by the two samples before its
            end) and after it; 0 where nothing decays.
        new_start: A, the current with which the new step can begin: that of the old step where a hold follows it.
        old_sure, new_sure: whether the samples show that the current of the step before and after the edge is constant.
        old_open, new_open: whether a step has one row, and may have been a hold with a larger current before that row,
            or a smaller one after it.
        step_began: s, when the step of the second sample began, by the cycler's step time; NaN where unknown.
        counted_ah: A.h, positive into the cell, by a counter; NaN where unknown.
        since_reset_ah: A.h, what a counter counted since it was reset at the edge; NaN where it was not.
        unsure_ah: A.h, by which the counter may be wrong.
    """

    start: Floats
    end: Floats
    before: Floats
    after: Floats
    old_rate: Floats
    new_rate: Floats
    new_start: Floats
    old_sure: Mask
    new_sure: Mask
    old_open: Mask
    new_open: Mask
    step_began: Floats
    counted_ah: Floats
    since_reset_ah: Floats
    unsure_ah: float

    def take(self, which: Indices) -> Intervals:
        """Return some of the intervals."""
        return Intervals(
            self.start[which],
            self.end[which],
            self.before[which],
            self.after[which],
            self.old_rate[which],
            self.new_rate[which],
            self.new_start[which],
            self.old_sure[which],
            self.new_sure[which],
            self.old_open[which],
            self.new_open[which],
            self.step_began[which],
            self.counted_ah[which],
            self.since_reset_ah[which],
            self.unsure_ah,
        )

    @property
    def trapezoid_ah(self) -> Floats:
        """A.h by the two samples alone, positive into the cell."""
        return (self.end - self.start) * (self.before + self.after) / (2.0 * SECONDS_PER_HOUR)

    @property
    def open_ah(self) -> Floats:
        """A.h between the earliest and the latest possible edge from one current to the other."""
        return (self.end - self.start) * np.abs(self.after - self.before) / SECONDS_PER_HOUR


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Samples to insert, shape (points,) each.

    Args:
        interval: the interval in which each is.
        second: s.
        ampere: A, positive for charge.
        is_new: whether it belongs to the step of the interval's second sample.
    """

    interval: Integers
    second: Floats
    ampere: Floats
    is_new: Mask


NO_POINTS: Final = Points(np.empty(0, dtype=np.int64), np.empty(0), np.empty(0), np.empty(0, dtype=bool))


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """Edges placed between samples, shape (k,) each.

    Args:
        second: s, time of the edge; NaN where no evidence says when it was.
        by_counter: whether a counter decided; otherwise the step time did.
        unsure_ah: A.h by which the interval's charge may still be wrong.
        contradicted_ah: A.h by which step time and counter differ, beyond their uncertainty.
        charge_ah: A.h between the two samples with that edge, by their currents; NaN where nothing says it.
        points: to insert.
    """

    second: Floats
    by_counter: Mask
    unsure_ah: Floats
    contradicted_ah: Floats
    charge_ah: Floats
    points: Points


def place_edges(intervals: Intervals, tick_second: float, least_ah: float) -> Edges:
    """Place the edge in each interval that leads from one step to the next.

    The charge is old current times the time before the edge, plus new current times the time after it. A hold before
    the edge decays on; a hold after it begins with what its later samples show, at most with the old current. The time
    of the edge is when the new step began by its step time, or follows from what a counter counted. If both are known,
    the counter decides, and the edge's time or the shape of a hold follows.

    Args:
        intervals: shape (k,).
        tick_second: s, resolution of the step time.
        least_ah: A.h; a sample for less charge is not inserted.
    """
    use_counter = np.isfinite(intervals.counted_ah) & (intervals.open_ah > UNSURE_FACTOR * intervals.unsure_ah)
    by_step = intervals.step_began
    by_count = _edge_by_counter(intervals, use_counter)
    has_hold = (intervals.old_rate > 0.0) | holds_begin(intervals)
    in_range = (by_count >= intervals.start) & (by_count <= intervals.end)
    second = np.where(has_hold & np.isfinite(by_step), by_step, np.where(in_range, by_count, by_step))
    parts = _parts(intervals, second)
    # What a counter shows since its reset is the charge of the new step alone.
    new_ah = intervals.since_reset_ah - parts.new_mean * parts.new_second / SECONDS_PER_HOUR
    counts_hold = np.isfinite(new_ah) & (np.abs(new_ah) > UNSURE_FACTOR * intervals.unsure_ah) & holds_begin(intervals)
    difference = np.where(counts_hold, new_ah, intervals.counted_ah - parts.charge_ah)
    shaped = (use_counter | counts_hold) & has_hold & np.isfinite(second)
    old_mean, new_mean = _share_difference(intervals, parts, np.where(shaped, difference, 0.0))
    points = _edge_points(intervals, second, parts, old_mean, new_mean, least_ah)
    step_parts = _parts(intervals, by_step)
    jump_ah = np.abs(intervals.after - intervals.before) * tick_second / SECONDS_PER_HOUR
    apart = np.abs(intervals.counted_ah - step_parts.charge_ah)
    sure = intervals.old_sure & intervals.new_sure
    contradicted = np.where(use_counter & sure & (apart > 3.0 * intervals.unsure_ah + jump_ah), apart, 0.0)
    by_counter = (in_range & (second == by_count)) | shaped
    # A counter that was reset at the edge says how much flowed after it, and so when the edge was.
    since_reset = by_counter & ~use_counter & ~shaped
    with np.errstate(divide="ignore", invalid="ignore"):
        late_ah = intervals.unsure_ah * np.abs((intervals.after - intervals.before) / intervals.after)
    late_ah = np.where(np.isfinite(late_ah), late_ah, intervals.unsure_ah)
    by_reset = late_ah + parts.curved_ah + _open_ah(intervals, parts)
    by_step_time = jump_ah + step_parts.curved_ah + _open_ah(intervals, step_parts)
    # Where step time and counter agree, the better of both says how well.
    agree = sure & (apart <= 3.0 * intervals.unsure_ah + jump_ah)
    by_both = np.where(agree, np.fmin(intervals.unsure_ah, by_step_time), intervals.unsure_ah)
    by_both = np.where(counts_hold, intervals.unsure_ah + jump_ah, by_both)
    unsure = np.where(since_reset, by_reset, np.where(by_counter, by_both, by_step_time))
    return Edges(second, by_counter, unsure, np.nan_to_num(contradicted), parts.charge_ah, points)


def usual_side(intervals: Intervals, second: Floats) -> Floats:
    """Return edges that nothing places where the record's other edges are, in s, shape (k,); NaN where unknown.

    Many cyclers write the last row of each step, or the first. If nearly all edges of a record that can be placed are
    at the row before, or at the row after, so are the others, as it seems: this is a guess.

    Args:
        intervals: shape (k,).
        second: s, edges that were placed; NaN where nothing placed them.
    """
    placed = np.isfinite(second)
    guess = np.full(len(second), np.nan)
    if placed.sum() < LEAST_HABIT or placed.all():
        return guess
    with np.errstate(divide="ignore", invalid="ignore"):
        unsure_second = SECONDS_PER_HOUR * intervals.unsure_ah / np.abs(intervals.after - intervals.before)
    near = HABIT_BAND * (intervals.end - intervals.start) + np.nan_to_num(unsure_second)
    for row in (intervals.start, intervals.end):
        if (np.abs(second - row) <= near)[placed].mean() >= HABIT_SHARE:
            return np.where(placed, np.nan, row)
    return guess


def holds_begin(intervals: Intervals) -> Mask:
    """Tell where the step of the second sample is a hold, shape (k,)."""
    holds: Mask = (intervals.new_rate > 0.0) | (intervals.new_start != intervals.after)
    return holds


def _open_ah(intervals: Intervals, parts: _Parts) -> Floats:
    """Return how much charge a step of one row leaves open if it may have been a hold, in A.h, shape (k,)."""
    old = np.where(intervals.old_open, np.abs(intervals.before) * parts.old_second, 0.0)
    new = np.where(intervals.new_open, np.abs(intervals.before - intervals.after) * parts.new_second, 0.0)
    return (old + new) / SECONDS_PER_HOUR


def _edge_by_counter(intervals: Intervals, use_counter: Mask) -> Floats:
    """Return the time of the edge in s by a counter, shape (k,), for currents that are constant on both sides."""
    jump = intervals.after - intervals.before
    with np.errstate(divide="ignore", invalid="ignore"):
        counted = SECONDS_PER_HOUR * intervals.counted_ah
        by_count = (intervals.after * intervals.end - intervals.before * intervals.start - counted) / jump
        since_reset = intervals.end - SECONDS_PER_HOUR * intervals.since_reset_ah / intervals.after
    slack = SECONDS_PER_HOUR * 3.0 * intervals.unsure_ah / np.maximum(np.abs(jump), 1e-12)
    second = np.where(use_counter, by_count, since_reset)
    near_start = (second < intervals.start) & (second >= intervals.start - slack)
    near_end = (second > intervals.end) & (second <= intervals.end + slack)
    return np.where(near_start, intervals.start, np.where(near_end, intervals.end, second))


@dataclass(frozen=True, slots=True, eq=False)
class _Parts:
    """The two parts of an interval with an edge, shape (k,) each: currents beside the edge, and mean currents in A."""

    old_second: Floats
    new_second: Floats
    old_end: Floats
    new_begin: Floats
    old_mean: Floats
    new_mean: Floats
    charge_ah: Floats
    curved_ah: Floats


def _parts(intervals: Intervals, second: Floats) -> _Parts:
    """Return the two parts of each interval for an edge at the given times.

    Args:
        intervals: shape (k,).
        second: s, shape (k,), NaN where unknown.
    """
    old_second = second - intervals.start
    new_second = intervals.end - second
    old_end = intervals.before * np.exp(-intervals.old_rate * old_second)
    grown = intervals.after * np.exp(np.minimum(intervals.new_rate * new_second, 50.0))
    # A hold that follows a current begins with that current at most.
    same_way = intervals.before * intervals.after > 0.0
    largest = np.where(same_way, np.maximum(np.abs(intervals.before), np.abs(intervals.after)), np.abs(grown))
    new_begin = np.where(intervals.new_rate > 0.0, np.clip(grown, -largest, largest), intervals.new_start)
    old_mean = mean_of_decay(intervals.before, old_end)
    new_mean = mean_of_decay(new_begin, intervals.after)
    charge = (old_mean * old_second + new_mean * new_second) / SECONDS_PER_HOUR
    curved = np.abs(intervals.before - old_end) * old_second + np.abs(new_begin - intervals.after) * new_second
    return _Parts(
        old_second, new_second, old_end, new_begin, old_mean, new_mean, charge, curved / (2.0 * SECONDS_PER_HOUR)
    )


def _share_difference(intervals: Intervals, parts: _Parts, difference_ah: Floats) -> tuple[Floats, Floats]:
    """Return the mean currents of both parts in A after the difference to a counter was given to the hold among them.

    The new step takes it if a hold begins there, otherwise the old one. Means stay between the currents at the ends of
    a part of the new step, and between nothing and the last sample of the old one.
    """
    new_holds = holds_begin(intervals)
    difference = SECONDS_PER_HOUR * difference_ah
    with np.errstate(divide="ignore", invalid="ignore"):
        new_mean = np.where(new_holds, parts.new_mean + difference / parts.new_second, parts.new_mean)
        low = np.minimum(parts.new_begin, intervals.after)
        high = np.maximum(parts.new_begin, intervals.after)
        new_mean = np.where(new_holds, np.clip(new_mean, low, high), new_mean)
        left = difference - (new_mean - parts.new_mean) * parts.new_second
        old_holds = intervals.old_rate > 0.0
        old_mean = np.where(old_holds, parts.old_mean + left / parts.old_second, parts.old_mean)
    low = np.minimum(intervals.before, 0.0)
    high = np.maximum(intervals.before, 0.0)
    old_mean = np.where(old_holds, np.clip(old_mean, low, high), old_mean)
    return old_mean, new_mean


def _edge_points(
    intervals: Intervals, second: Floats, parts: _Parts, old_mean: Floats, new_mean: Floats, least_ah: float
) -> Points:
    """Return the samples that show the edges: the old current just before, the new one just after, and their shapes."""
    known = np.isfinite(second)
    # The end of a hold follows from its mean: the current goes in a straight line.
    old_end = np.where(old_mean == parts.old_mean, parts.old_end, 2.0 * old_mean - intervals.before)
    wrong_way = old_end * intervals.before < 0.0
    old_end = np.where(wrong_way, 0.0, old_end)
    has_old = known & (second - intervals.start > 1.5 * EDGE_SECOND)
    has_new = known & (intervals.end - second > 1.5 * EDGE_SECOND)
    half = 0.5 * EDGE_SECOND
    at_old = np.where(has_new, second - half, intervals.end - EDGE_SECOND)
    at_new = np.where(has_old, second + half, intervals.start + EDGE_SECOND)
    old_shape = shape_points(
        intervals.start, intervals.before, at_old, old_end, old_mean, has_old & (intervals.old_rate > 0.0), least_ah
    )
    new_curved = has_new & holds_begin(intervals)
    new_shape = shape_points(at_new, parts.new_begin, intervals.end, intervals.after, new_mean, new_curved, least_ah)
    pieces = (
        (old_shape.interval, old_shape.second, old_shape.ampere, False),
        (np.flatnonzero(has_old), at_old[has_old], old_end[has_old], False),
        (np.flatnonzero(has_new), at_new[has_new], parts.new_begin[has_new], True),
        (new_shape.interval, new_shape.second, new_shape.ampere, True),
    )
    return join_points(
        [
            Points(interval, second, ampere, np.full(len(interval), new, dtype=bool))
            for interval, second, ampere, new in pieces
        ]
    )


def join_points(parts: list[Points]) -> Points:
    """Return points of several lists as one list, in their order."""
    return Points(
        np.concatenate([part.interval for part in parts]),
        np.concatenate([part.second for part in parts]),
        np.concatenate([part.ampere for part in parts]),
        np.concatenate([part.is_new for part in parts]),
    )


def mean_of_decay(first: Floats, last: Floats) -> Floats:
    """Return the mean current in A of an exponential decay between two currents of one direction.

    Currents that differ little, or do not have one direction, are joined by a straight line.

    Args:
        first, last: A, shape (k,).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = last / first
        mean = (first - last) / -np.log(ratio)
    straight = ~(ratio > 1e-6) | ~(ratio < 1e6) | (np.abs(ratio - 1.0) < 1e-4) | ~np.isfinite(mean)
    return np.where(straight, 0.5 * (first + last), mean)


def shape_points(
    start: Floats, first: Floats, end: Floats, last: Floats, mean: Floats, wanted: Mask, least_ah: float
) -> Points:
    """Return one sample in each part, with which the trapezoid gives the mean current.

    A mean between that of the straight line and the first current: the current stays at the first and then goes to the
    last. A mean on the other side: it goes to the last and then stays there. The points belong to the new step.

    Args:
        start, end: s, shape (k,).
        first, last: A at both ends, shape (k,).
        mean: A, shape (k,); limited to what lies between the two currents.
        wanted: which parts may have a point, shape (k,).
        least_ah: A.h; no point for less.
    """
    straight = 0.5 * (first + last)
    duration = end - start
    low = np.minimum(first, last)
    high = np.maximum(first, last)
    mean = np.clip(mean, low, high)
    wanted = wanted & (np.abs(mean - straight) * duration / SECONDS_PER_HOUR > least_ah)
    stays_first = (mean - straight) * (first - straight) > 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        until = (mean - straight) / (first - straight)
        from_there_on = (last - mean) / (last - straight)
    share = np.where(stays_first, until, from_there_on)
    at = start + np.clip(share, 0.0, 1.0) * duration
    at = np.clip(at, start + EDGE_SECOND, end - EDGE_SECOND)
    ampere = np.where(stays_first, first, last)
    wanted = wanted & np.isfinite(share) & (duration > 3.0 * EDGE_SECOND)
    which = np.flatnonzero(wanted)
    return Points(which, at[which], ampere[which], np.ones(len(which), dtype=bool))
