"""A measured current to a short piecewise-linear profile that keeps its charge.

A cycler's current is a few straight lines under noise: 16 h of CCCV at 1 s are about a hundred knots. The solver
stops at every knot, so fewer knots are faster; but a knot must stand on both sides of every true jump, or the
solver steps over a pulse in silence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded

from ..data.errors import JobError

Floats = NDArray[np.float64]

GAP_EDGE_SECOND = 1e-3  # a power cut's current falls to zero, and returns, within this time
FLOOR_PER_AH = 1e-4  # A per A.h: currents that differ by less are the same (0.5 mA for 5 A.h)
NOISE_LIMIT_PER_AH = 2e-3  # A per A.h: what is larger is a drive cycle, not a cycler's noise
JUMP_FLOORS = 20.0  # a change between two samples by more than so many floors is a jump
DRIFT_SECOND = 60.0  # floor x this = the charge by which a segment may wander before it is split
MAX_ROUNDS = 200


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


def compress(
    time_second: Floats, current_ampere: Floats, after_gap: NDArray[np.bool_], capacity_ah: float
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

    Raises:
        JobError: a current is missing (``missing_current``) or time does not increase.
    """
    missing = np.flatnonzero(~np.isfinite(current_ampere))
    if len(missing):
        where = f"{len(missing)} samples, the first at {time_second[missing[0]]:.0f} s"
        raise JobError(f"the current is missing for {where}, so no simulation can be charge-true", "missing_current")
    if len(time_second) < 2 or not np.all(np.diff(time_second) > 0):
        raise JobError("time does not increase from sample to sample; clean the record first", "time_order")
    time, current = _open_gaps(time_second, current_ampere, after_gap)
    noise = min(noise_ampere(current), NOISE_LIMIT_PER_AH * capacity_ah)
    floor = FLOOR_PER_AH * capacity_ah
    knots = _first_knots(time, current, max(JUMP_FLOORS * floor, 8.0 * noise))
    weights = _trapezoid_weights(time)
    for _ in range(MAX_ROUNDS):
        values = _fit_hats(time, current, weights, knots)
        splits = _splits(time, current, weights, knots, values, noise, floor)
        if not len(splits):
            break
        knots = np.union1d(knots, splits)
    return CurrentProfile(time[knots], _fit_hats(time, current, weights, knots), noise)


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
    return np.unique(np.concatenate([[0, len(time) - 1], jumps, jumps + 1]))


def _trapezoid_weights(time: Floats) -> Floats:
    half = np.diff(time) / 2.0
    weights: Floats = np.concatenate([half, [0.0]]) + np.concatenate([[0.0], half])
    return weights


def _fit_hats(time: Floats, current: Floats, weights: Floats, knots: NDArray[np.intp]) -> Floats:
    """Least-squares values at the knots of the continuous piecewise-linear function through all samples."""
    interval, share = _place(time, knots)
    left, right = weights * (1.0 - share), weights * share
    n = len(knots)
    diagonal = np.bincount(interval, left * (1.0 - share), n) + np.bincount(interval + 1, right * share, n)
    beside = np.bincount(interval, left * share, n)
    rhs = np.bincount(interval, left * current, n) + np.bincount(interval + 1, right * current, n)
    banded = np.zeros((2, n))
    banded[1] = diagonal
    banded[0, 1:] = beside[:-1]
    solution: Floats = solveh_banded(banded, rhs)
    return solution


def _place(time: Floats, knots: NDArray[np.intp]) -> tuple[NDArray[np.intp], Floats]:
    """For each sample: the interval it lies in, and how far along (0 to 1)."""
    interval = np.clip(np.searchsorted(knots, np.arange(len(time)), side="right") - 1, 0, len(knots) - 2)
    start, end = time[knots[interval]], time[knots[interval + 1]]
    return interval, (time - start) / (end - start)


def _splits(
    time: Floats,
    current: Floats,
    weights: Floats,
    knots: NDArray[np.intp],
    values: Floats,
    noise: float,
    floor: float,
) -> NDArray[np.intp]:
    """Samples at which intervals must be split: where one sample, or the running charge, leaves the tolerance."""
    interval, share = _place(time, knots)
    residual = current - (values[interval] * (1.0 - share) + values[interval + 1] * share)
    charge = np.cumsum(weights * residual)
    charge -= charge[knots[interval]]
    inner = np.ones(len(time), bool)
    inner[knots] = False
    spread = np.sqrt(np.bincount(interval, weights**2, len(knots)))[interval]
    sample_excess = np.abs(residual) / (6.0 * noise + 5.0 * floor)
    charge_excess = np.abs(charge) / (4.0 * noise * spread + floor * DRIFT_SECOND)
    excess = np.where(inner, np.maximum(sample_excess, charge_excess), 0.0)
    order = np.lexsort((excess, interval))
    last = np.flatnonzero(np.diff(interval[order], append=len(knots)))
    worst = order[last]
    # A knot that its own sample contradicts carries too much of its neighbours: they become knots as well.
    carried = knots[sample_excess[knots] > 1.0]
    beside = np.clip(np.concatenate([carried - 1, carried + 1]), 0, len(time) - 1)
    return np.setdiff1d(np.concatenate([worst[excess[worst] > 1.0], beside]), knots)
