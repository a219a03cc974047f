"""Compress a measured current to a short piecewise-linear profile with the same charge.

A cycler's current consists of a few straight lines with noise: 16 h of CCCV sampled at 1 s need about a hundred knots.
The solver stops at every knot, so fewer knots are faster. But both sides of every jump must be knots; otherwise the
solver steps over a pulse without a warning.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.linalg import solveh_banded

from ...data.arrays import Floats, Indices, Mask
from ...data.errors import JobError
from ...data.text import format_count
from ..record.record import Record

GAP_EDGE_SECOND: Final = 1e-3
"""Time in which the current falls to zero at the start of a power cut, and returns at its end, s."""

FLOOR_PER_AH: Final = 1e-4
"""Currents that differ by less are the same, A per A.h of capacity (0.5 mA for 5 A.h)."""

NOISE_LIMIT_PER_AH: Final = 2e-3
"""Largest estimated noise that is believed, A per A.h of capacity; more is a drive cycle, not a cycler's noise."""

JUMP_FLOORS: Final = 20.0
"""A change between two samples by more than this many floors is a jump."""

JUMP_NOISES: Final = 8.0
"""It must also exceed this many standard deviations of the noise."""

SAMPLE_FLOORS: Final = 5.0
SAMPLE_NOISES: Final = 6.0
"""A sample may differ from the profile by ``SAMPLE_NOISES`` standard deviations plus ``SAMPLE_FLOORS`` floors."""

DRIFT_SECOND: Final = 60.0
DRIFT_NOISES: Final = 4.0
"""The running charge may differ by ``DRIFT_NOISES`` standard deviations of its noise plus floor x ``DRIFT_SECOND``."""

MAX_ROUNDS: Final = 200  # of adding knots to a block; the last fit is returned then
BLOCK: Final = 50_000  # samples that are fitted at a time, so that they stay in the processor's cache


@dataclass(frozen=True, slots=True, eq=False)
class CurrentProfile:
    """Knots of a piecewise-linear current.

    Args:
        time_second: shape (n,), strictly increasing; the first and last are those of the record.
        current_ampere: shape (n,), positive charges the cell.
        noise_ampere: standard deviation of the noise estimated from the record.
    """

    time_second: Floats
    current_ampere: Floats
    noise_ampere: float


def compress_current(
    time_second: Floats,
    current_ampere: Floats,
    after_gap: Mask,
    capacity_ah: float,
    finer: float = 1.0,
) -> CurrentProfile:
    """Turn samples into knots with the same total charge by the trapezoidal rule.

    The currents at the knots are a weighted least-squares fit of hat functions, with the weights of the trapezoidal
    rule. The residual is orthogonal to every hat function, so also to their sum, which is one; therefore the charge
    is that of the samples. Intervals that end at a sample of ``after_gap`` carry no current (the power was out).

    Args:
        time_second: shape (n,), strictly increasing, n >= 2.
        current_ampere: shape (n,), positive charges the cell.
        after_gap: shape (n,), True at the first sample after a gap.
        capacity_ah: the cell's capacity in A.h; scales the tolerances.
        finer: divides the tolerances, including that of the noise; ``inf`` makes every sample a knot.

    Raises:
        JobError: a current is missing (``missing_current``), or time does not increase (``time_order``).
    """
    _check_samples(time_second, current_ampere)
    time, current = _open_gaps(time_second, current_ampere, after_gap)
    noise = min(noise_ampere(current), NOISE_LIMIT_PER_AH * capacity_ah)
    if np.isinf(finer):
        return CurrentProfile(time, current, noise)
    tolerances = _Tolerances(noise / finer, FLOOR_PER_AH * capacity_ah / finer)
    weights = _trapezoid_weights(time)
    first_knots = _first_knots(time, current, tolerances)
    knots = []
    values = []
    for block in _blocks(first_knots, len(time)):
        in_block = (first_knots >= block.start) & (first_knots < block.stop)
        start_knots = first_knots[in_block] - block.start
        block_knots, block_values = _add_knots(time[block], current[block], weights[block], start_knots, tolerances)
        knots.append(block_knots + block.start)
        values.append(block_values)
    return CurrentProfile(time[np.concatenate(knots)], np.concatenate(values), noise)


def compress_record(record: Record, capacity_ah: float, finer: float = 1.0) -> CurrentProfile:
    """Compress a record's current as :func:`compress_current` does; power cuts carry no current.

    Args:
        record: cleaned samples.
        capacity_ah: the cell's capacity in A.h; scales the tolerances.
        finer: divides the tolerances; ``inf`` makes every sample a knot.
    """
    return compress_current(record.time_second, record.current_ampere, record.after_gap, capacity_ah, finer)


def noise_ampere(current_ampere: Floats) -> float:
    """Estimate the standard deviation of the noise from second differences; lines and single jumps do not affect it.

    Args:
        current_ampere: shape (n,); with fewer than five samples the result is 0.
    """
    if len(current_ampere) < 5:
        return 0.0
    second_difference = np.diff(current_ampere, 2)
    return float(1.4826 * np.median(np.abs(second_difference)) / np.sqrt(6.0))


@dataclass(frozen=True, slots=True)
class _Tolerances:
    """How far a profile may be from the samples.

    Args:
        noise: standard deviation of the noise, A.
        floor: difference in current that does not matter, A.
    """

    noise: float
    floor: float

    @property
    def jump(self) -> float:
        """Smallest change between two samples that is a jump, A."""
        return max(JUMP_FLOORS * self.floor, JUMP_NOISES * self.noise)

    @property
    def sample(self) -> float:
        """Largest difference at one sample, A."""
        return SAMPLE_NOISES * self.noise + SAMPLE_FLOORS * self.floor

    def charge(self, spread: Floats) -> Floats:
        """Largest difference of the running charge in A.s.

        Args:
            spread: root of the sum of squared weights of each interval, s.
        """
        return DRIFT_NOISES * self.noise * spread + self.floor * DRIFT_SECOND


def _check_samples(time_second: Floats, current_ampere: Floats) -> None:
    missing = np.flatnonzero(~np.isfinite(current_ampere))
    if len(missing):
        where = f"{format_count(len(missing), 'sample')}, the first at {time_second[missing[0]]:.0f} s"
        reason = (
            f"the current is missing at {where}; too much charge is unknown for a simulation (the findings of "
            "current_missing say how much; missing_charge_share in [clean] is the limit)"
        )
        raise JobError(reason, "missing_current")
    if len(time_second) < 2 or not np.all(np.diff(time_second) > 0):
        raise JobError("time does not increase from sample to sample; clean the record first", "time_order")


def _blocks(first_knots: Indices, samples: int) -> Iterator[slice]:
    """Split a record into blocks that begin and end at jumps, each as short as possible from ``BLOCK`` samples on.

    There is no sample between the two sides of a jump, so the parts before and after it can be fitted separately.
    """
    after_jump = first_knots[1:-1][np.diff(first_knots[1:]) == 1] + 1
    begin = 0
    while samples - begin > BLOCK:
        place = int(np.searchsorted(after_jump, begin + BLOCK))
        if place == len(after_jump):
            break
        end = int(after_jump[place])
        yield slice(begin, end)
        begin = end
    yield slice(begin, samples)


def _add_knots(
    time: Floats, current: Floats, weights: Floats, knots: Indices, tolerances: _Tolerances
) -> tuple[Indices, Floats]:
    """Add knots until each sample and the running charge are within the tolerances; return knots and currents."""
    if len(time) == 1:
        return knots, current
    knots = _sorted_union(len(time), knots, _line_ends(time, current, weights, knots, tolerances))
    for _ in range(MAX_ROUNDS):
        place = _place(time, knots)
        values = _fit_piecewise_linear(current, weights, len(knots), place)
        splits = _splits(current, weights, knots, values, place, tolerances)
        if not len(splits):
            return knots, values
        knots = _sorted_union(len(time), knots, splits)
    return knots, _fit_piecewise_linear(current, weights, len(knots), _place(time, knots))


def _open_gaps(time: Floats, current: Floats, after_gap: Mask) -> tuple[Floats, Floats]:
    """Insert two samples of zero current into every gap, close to its ends."""
    after = np.flatnonzero(after_gap[1:]) + 1
    if not len(after):
        return time, current
    edge = np.minimum(GAP_EDGE_SECOND, (time[after] - time[after - 1]) / 4.0)
    inserted = np.column_stack([time[after - 1] + edge, time[after] - edge]).ravel()
    places = np.repeat(after, 2)
    return np.insert(time, places, inserted), np.insert(current, places, 0.0)


def _first_knots(time: Floats, current: Floats, tolerances: _Tolerances) -> Indices:
    """Return the indices of the record's ends and of both sides of every jump."""
    jumps = np.flatnonzero(np.abs(np.diff(current)) > tolerances.jump)
    return _sorted_union(len(time), np.array([0, len(time) - 1]), jumps, jumps + 1)


def _sorted_union(samples: int, *places: Indices) -> Indices:
    """Return the sorted union of indices below ``samples``; a mask is much faster than a sort."""
    chosen = np.zeros(samples, dtype=np.bool_)
    for place in places:
        chosen[place] = True
    return np.flatnonzero(chosen)


def _line_ends(time: Floats, current: Floats, weights: Floats, knots: Indices, tolerances: _Tolerances) -> Indices:
    """Return the samples at which the stretches between knots must be cut until each is a straight line.

    Stretches that are straight are not examined again, so the work shrinks from round to round.
    """
    first = knots[:-1]
    last = knots[1:]
    cuts = [knots[:0]]
    while True:
        has_interior = last - first > 1
        first = first[has_interior]
        last = last[has_interior]
        if not len(first):
            return np.concatenate(cuts)
        # The samples of all stretches in one array: stretch k begins at begin[k] and has length[k] samples.
        length = last - first + 1
        begin = np.cumsum(length) - length
        sample = np.arange(int(length.sum())) + np.repeat(first - begin, length)
        weight = weights[sample]
        since_start = time[sample] - np.repeat(time[first], length)
        residual = current[sample] - _fit_lines(since_start, current[sample], weight, begin, length)
        charge = np.cumsum(weight * residual)
        charge -= np.repeat(charge[begin], length)
        spread = np.sqrt(np.add.reduceat(weight**2, begin))
        excess = np.abs(residual) / tolerances.sample
        np.maximum(excess, np.abs(charge) / np.repeat(tolerances.charge(spread), length), out=excess)
        excess[begin] = 0.0
        excess[begin + length - 1] = 0.0
        largest = np.maximum.reduceat(excess, begin)
        bent = largest > 1.0
        if not bent.any():
            return np.concatenate(cuts)
        at_largest = np.flatnonzero(excess == np.repeat(largest, length))
        cut = sample[at_largest[np.searchsorted(at_largest, begin[bent])]]
        cuts.append(cut)
        new_first = np.concatenate([first[bent], cut])
        last = np.concatenate([cut, last[bent]])
        first = new_first


def _fit_lines(since_start: Floats, current: Floats, weight: Floats, begin: Indices, length: Indices) -> Floats:
    """Fit a weighted least-squares line to each stretch; return its value at each sample, in A.

    Args:
        since_start: time since the start of the sample's stretch, s.
        current, weight: of the samples of all stretches, one stretch after the other.
        begin, length: index of each stretch's first sample, and number of its samples.
    """
    total = np.add.reduceat(weight, begin)
    moment = np.add.reduceat(weight * since_start, begin)
    square = np.add.reduceat(weight * since_start**2, begin)
    charge = np.add.reduceat(weight * current, begin)
    tilt = np.add.reduceat(weight * since_start * current, begin)
    slope = (total * tilt - moment * charge) / (total * square - moment**2)
    level = (charge - slope * moment) / total
    fitted: Floats = np.repeat(level, length) + np.repeat(slope, length) * since_start
    return fitted


def _trapezoid_weights(time: Floats) -> Floats:
    half = np.diff(time) / 2.0
    weights: Floats = np.concatenate([half, [0.0]]) + np.concatenate([[0.0], half])
    return weights


def _fit_piecewise_linear(current: Floats, weights: Floats, knots: int, place: tuple[Indices, Floats]) -> Floats:
    """Fit a continuous piecewise-linear function to all samples by least squares; return its values at the knots.

    Args:
        current, weights: of each sample.
        knots: their number.
        place: as :func:`_place` gives it.
    """
    interval, share = place
    rest = 1.0 - share
    left = weights * rest
    right = weights * share
    pieces = knots - 1
    diagonal = np.zeros(knots)
    diagonal[:-1] = np.bincount(interval, left * rest, pieces)
    diagonal[1:] += np.bincount(interval, right * share, pieces)
    rhs = np.zeros(knots)
    rhs[:-1] = np.bincount(interval, left * current, pieces)
    rhs[1:] += np.bincount(interval, right * current, pieces)
    banded = np.zeros((2, knots))
    banded[1] = diagonal
    banded[0, 1:] = np.bincount(interval, left * share, pieces)
    solution: Floats = solveh_banded(banded, rhs, overwrite_ab=True, overwrite_b=True, check_finite=False)
    return solution


def _place(time: Floats, knots: Indices) -> tuple[Indices, Floats]:
    """Return for each sample the interval between knots that contains it, and its position there from 0 to 1."""
    length = np.diff(knots)
    length[-1] += 1
    interval = np.repeat(np.arange(len(length)), length)
    knot_time = time[knots]
    return interval, (time - knot_time[interval]) / np.diff(knot_time)[interval]


def _splits(
    current: Floats,
    weights: Floats,
    knots: Indices,
    values: Floats,
    place: tuple[Indices, Floats],
    tolerances: _Tolerances,
) -> Indices:
    """Return the samples that must become knots, since a sample or the running charge exceeds the tolerance."""
    interval, share = place
    residual = current - (values[interval] + share * np.diff(values)[interval])
    charge = np.cumsum(weights * residual)
    charge -= charge[knots][interval]
    begin = knots[:-1]
    spread = np.sqrt(np.add.reduceat(weights**2, begin))
    excess = np.abs(residual) / tolerances.sample
    # The fit at such a knot is far from the knot's own sample: its neighbours distort it, so they become knots too.
    distorted = knots[excess[knots] > 1.0]
    np.maximum(excess, np.abs(charge) / tolerances.charge(spread)[interval], out=excess)
    excess[knots] = 0.0
    largest = np.maximum.reduceat(excess, begin)
    bent = largest > 1.0
    if not (len(distorted) or bent.any()):
        return knots[:0]
    neighbours = np.clip(np.concatenate([distorted - 1, distorted + 1]), 0, len(current) - 1)
    at_largest = np.flatnonzero((excess == largest[interval]) & bent[interval])
    worst = at_largest[np.searchsorted(at_largest, begin[bent])]
    is_knot = np.zeros(len(current), dtype=np.bool_)
    is_knot[knots] = True
    wanted: Indices = np.concatenate([worst, neighbours])
    new: Indices = wanted[~is_knot[wanted]]
    return new
