"""A measured current to a short piecewise-linear profile that keeps its charge.

A cycler's current is a few straight lines under noise: 16 h of CCCV at 1 s are about a hundred knots. The solver
stops at every knot, so fewer knots are faster; but a knot must stand on both sides of every true jump, or the
solver steps over a pulse in silence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded

from ...data.arrays import Floats
from ...data.errors import JobError
from ...data.text import format_count
from ..record.record import Record

GAP_EDGE_SECOND = 1e-3  # a power cut's current falls to zero, and returns, within this time
FLOOR_PER_AH = 1e-4  # A per A.h: currents that differ by less are the same (0.5 mA for 5 A.h)
NOISE_LIMIT_PER_AH = 2e-3  # A per A.h: what is larger is a drive cycle, not a cycler's noise
JUMP_FLOORS = 20.0  # a change between two samples by more than so many floors is a jump
DRIFT_SECOND = 60.0  # floor x this = the charge by which a segment may wander before it is split
MAX_ROUNDS = 200
BLOCK = 50_000  # samples of a long record that are fitted at a time, so that they stay in the processor's cache


@dataclass(frozen=True, slots=True, eq=False)
class CurrentProfile:
    """Knots of a piecewise-linear current.

    Args:
        time_second: shape (n,), strictly increasing; the first and last are the record's.
        current_ampere: shape (n,), positive charges the cell.
        noise_ampere: standard deviation of the noise that was found in the record.
    """

    time_second: Floats
    current_ampere: Floats
    noise_ampere: float


def compress_current(
    time_second: Floats,
    current_ampere: Floats,
    after_gap: NDArray[np.bool_],
    capacity_ah: float,
    finer: float = 1.0,
) -> CurrentProfile:
    """Turn samples into knots, with the same trapezoidal charge in total by construction.

    The knots' currents are a weighted least-squares fit of hat functions, with the trapezoid rule's weights: its
    residual is orthogonal to every hat, hence to their sum, which is one; so the charge is the samples' own.
    Intervals that end in a sample of ``after_gap`` carry zero current (the power was out).

    Args:
        time_second: shape (n,), strictly increasing, n >= 2.
        current_ampere: shape (n,), positive charges the cell.
        after_gap: shape (n,), True at the first sample after a gap.
        capacity_ah: scales the tolerances.
        finer: divides the tolerances, that of the noise too; ``inf`` makes every sample a knot.

    Raises:
        JobError: a current is missing (``missing_current``) or time does not increase.
    """
    missing = np.flatnonzero(~np.isfinite(current_ampere))
    if len(missing):
        where = f"{format_count(len(missing), 'sample')}, the first at {time_second[missing[0]]:.0f} s"
        raise JobError(f"the current is missing for {where}, so no simulation can be charge-true", "missing_current")
    if len(time_second) < 2 or not np.all(np.diff(time_second) > 0):
        raise JobError("time does not increase from sample to sample; clean the record first", "time_order")
    time, current = _open_gaps(time_second, current_ampere, after_gap)
    found = min(noise_ampere(current), NOISE_LIMIT_PER_AH * capacity_ah)
    if np.isinf(finer):
        return CurrentProfile(time, current, found)
    noise, floor = found / finer, FLOOR_PER_AH * capacity_ah / finer
    weights = _trapezoid_weights(time)
    first = _first_knots(time, current, max(JUMP_FLOORS * floor, 8.0 * noise))
    knots, values = [], []
    for block in _blocks(first, len(time)):
        inside = first[(first >= block.start) & (first < block.stop)] - block.start
        at, value = _add_knots(time[block], current[block], weights[block], inside, noise, floor)
        knots.append(at + block.start)
        values.append(value)
    return CurrentProfile(time[np.concatenate(knots)], np.concatenate(values), found)


def _blocks(first_knots: NDArray[np.intp], samples: int) -> Iterator[slice]:
    """Parts of a record that begin and end at jumps, each as short as it can be from ``BLOCK`` samples on.

    Between the two sides of a jump is no sample, so what lies before it and what lies after it are fitted on their own.
    """
    edges = first_knots[1:-1][np.diff(first_knots[1:]) == 1] + 1  # the far sides of jumps
    begin = 0
    while samples - begin > BLOCK:
        later = int(np.searchsorted(edges, begin + BLOCK))
        if later == len(edges):
            break
        yield slice(begin, int(edges[later]))
        begin = int(edges[later])
    yield slice(begin, samples)


def _add_knots(
    time: Floats, current: Floats, weights: Floats, knots: NDArray[np.intp], noise: float, floor: float
) -> tuple[NDArray[np.intp], Floats]:
    """Add knots until each sample and the running charge are within the tolerances; return them and their currents."""
    if len(time) == 1:
        return knots, current
    knots = _sorted_union(len(time), knots, _line_ends(time, current, weights, knots, noise, floor))
    for _ in range(MAX_ROUNDS):
        place = _place(time, knots)
        values = _fit_piecewise_linear(current, weights, len(knots), place)
        splits = _splits(current, weights, knots, values, place, noise, floor)
        if not len(splits):
            return knots, values
        knots = _sorted_union(len(time), knots, splits)
    return knots, _fit_piecewise_linear(current, weights, len(knots), _place(time, knots))


def noise_ampere(current_ampere: Floats) -> float:
    """Estimate the noise's standard deviation from second differences, blind to lines and single jumps."""
    if len(current_ampere) < 5:
        return 0.0
    second = np.diff(current_ampere, 2)
    return float(1.4826 * np.median(np.abs(second)) / np.sqrt(6.0))


def _open_gaps(time: Floats, current: Floats, after_gap: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Add two samples of zero current at the ends of every gap."""
    first = np.flatnonzero(after_gap[1:]) + 1
    if not len(first):
        return time, current
    edge = np.minimum(GAP_EDGE_SECOND, (time[first] - time[first - 1]) / 4.0)
    at = np.repeat(first, 2)
    times = np.column_stack([time[first - 1] + edge, time[first] - edge]).ravel()
    return np.insert(time, at, times), np.insert(current, at, 0.0)


def _first_knots(time: Floats, current: Floats, jump_ampere: float) -> NDArray[np.intp]:
    """The record's ends and both sides of every jump."""
    jumps = np.flatnonzero(np.abs(np.diff(current)) > jump_ampere)
    return _sorted_union(len(time), np.array([0, len(time) - 1]), jumps, jumps + 1)


def _sorted_union(samples: int, *places: NDArray[np.intp]) -> NDArray[np.intp]:
    """Union of indices into so many samples, increasing; faster by far than a sort."""
    chosen = np.zeros(samples, dtype=np.bool_)
    for place in places:
        chosen[place] = True
    return np.flatnonzero(chosen)


def _line_ends(
    time: Floats, current: Floats, weights: Floats, knots: NDArray[np.intp], noise: float, floor: float
) -> NDArray[np.intp]:
    """Samples at which the stretches between knots must be cut until each is a straight line of its own.

    Stretches that are lines are not looked at again, so that the work shrinks from round to round.
    """
    first, last = knots[:-1], knots[1:]
    cuts = [knots[:0]]
    while True:
        first, last = first[last - first > 1], last[last - first > 1]
        if not len(first):
            return np.concatenate(cuts)
        length = last - first + 1
        begin = np.cumsum(length) - length
        sample = np.arange(int(length.sum())) + np.repeat(first - begin, length)
        weight, since = weights[sample], time[sample] - np.repeat(time[first], length)
        residual = current[sample] - _lines(since, current[sample], weight, begin, length)
        charge = np.cumsum(weight * residual)
        charge -= np.repeat(charge[begin], length)
        spread = np.sqrt(np.add.reduceat(weight**2, begin))
        excess = np.abs(residual) / (6.0 * noise + 5.0 * floor)
        np.maximum(excess, np.abs(charge) / np.repeat(4.0 * noise * spread + floor * DRIFT_SECOND, length), out=excess)
        excess[begin] = excess[begin + length - 1] = 0.0
        most = np.maximum.reduceat(excess, begin)
        bent = most > 1.0
        if not bent.any():
            return np.concatenate(cuts)
        at_most = np.flatnonzero(excess == np.repeat(most, length))
        cut = sample[at_most[np.searchsorted(at_most, begin[bent])]]
        cuts.append(cut)
        first, last = np.concatenate([first[bent], cut]), np.concatenate([cut, last[bent]])


def _lines(since: Floats, current: Floats, weight: Floats, begin: NDArray[np.intp], length: NDArray[np.intp]) -> Floats:
    """Weighted least-squares line of each stretch, at its samples; ``since`` counts from each stretch's start."""
    total, moment, square, charge, tilt = (
        np.add.reduceat(part, begin)
        for part in (weight, weight * since, weight * since**2, weight * current, weight * since * current)
    )
    slope = (total * tilt - moment * charge) / (total * square - moment**2)
    level = (charge - slope * moment) / total
    fitted: Floats = np.repeat(level, length) + np.repeat(slope, length) * since
    return fitted


def _trapezoid_weights(time: Floats) -> Floats:
    half = np.diff(time) / 2.0
    weights: Floats = np.concatenate([half, [0.0]]) + np.concatenate([[0.0], half])
    return weights


def _fit_piecewise_linear(
    current: Floats, weights: Floats, knots: int, place: tuple[NDArray[np.intp], Floats]
) -> Floats:
    """Least-squares values at the knots of the continuous piecewise-linear function through all samples."""
    interval, share = place
    rest = 1.0 - share
    left, right = weights * rest, weights * share
    pieces = knots - 1
    diagonal, rhs = np.zeros(knots), np.zeros(knots)
    banded = np.zeros((2, knots))
    diagonal[:-1] = np.bincount(interval, left * rest, pieces)
    diagonal[1:] += np.bincount(interval, right * share, pieces)
    rhs[:-1] = np.bincount(interval, left * current, pieces)
    rhs[1:] += np.bincount(interval, right * current, pieces)
    banded[1] = diagonal
    banded[0, 1:] = np.bincount(interval, left * share, pieces)
    solution: Floats = solveh_banded(banded, rhs, overwrite_ab=True, overwrite_b=True, check_finite=False)
    return solution


def _place(time: Floats, knots: NDArray[np.intp]) -> tuple[NDArray[np.intp], Floats]:
    """For each sample: the interval it lies in, and how far along (0 to 1)."""
    length = np.diff(knots)
    length[-1] += 1
    interval = np.repeat(np.arange(len(length)), length)
    at = time[knots]
    return interval, (time - at[interval]) / np.diff(at)[interval]


def _splits(
    current: Floats,
    weights: Floats,
    knots: NDArray[np.intp],
    values: Floats,
    place: tuple[NDArray[np.intp], Floats],
    noise: float,
    floor: float,
) -> NDArray[np.intp]:
    """Samples at which intervals must be split: where one sample, or the running charge, leaves the tolerance."""
    interval, share = place
    residual = current - (values[interval] + share * np.diff(values)[interval])
    charge = np.cumsum(weights * residual)
    charge -= charge[knots][interval]
    begin = knots[:-1]
    spread = np.sqrt(np.add.reduceat(weights**2, begin))
    excess = np.abs(residual) / (6.0 * noise + 5.0 * floor)
    # A knot that its own sample contradicts carries too much of its neighbours: they become knots as well.
    carried = knots[excess[knots] > 1.0]
    np.maximum(excess, np.abs(charge) / (4.0 * noise * spread + floor * DRIFT_SECOND)[interval], out=excess)
    excess[knots] = 0.0
    most = np.maximum.reduceat(excess, begin)
    bent = most > 1.0
    if not (len(carried) or bent.any()):
        return knots[:0]
    beside = np.clip(np.concatenate([carried - 1, carried + 1]), 0, len(current) - 1)
    at_most = np.flatnonzero((excess == most[interval]) & bent[interval])
    worst = at_most[np.searchsorted(at_most, begin[bent])]
    known = np.zeros(len(current), dtype=np.bool_)
    known[knots] = True
    wanted: NDArray[np.intp] = np.concatenate([worst, beside])
    new: NDArray[np.intp] = wanted[~known[wanted]]
    return new


def compress_record(record: Record, capacity_ah: float, finer: float = 1.0) -> CurrentProfile:
    """Compress a record's current, with tolerances divided by ``finer``; power cuts carry none."""
    return compress_current(record.time_second, record.current_ampere, record.after_gap, capacity_ah, finer)
