"""Find the direction of a current that a file gives without a sign: by words, counters, and the voltage."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Floats, Integers, Mask
from ..record.table import Table
from ..record.units import SAMPLED
from .rule import column_values

REST_SHARE: Final = 0.02
"""Share of the record's typical current: up to this the cell rests, as far as a sign is concerned. Chosen, not
measured."""

ODD_SHARE: Final = 0.02
"""Share of the samples of one direction that may have the other sign in a current without a sign. Chosen, not
measured."""

TREND_VOLT: Final = 0.05
"""V: smallest change of the voltage over a charge or discharge that is evidence of its direction. Chosen, not
measured."""

EDGE_VOLT: Final = 0.003
"""V: smallest response of the voltage to the begin or end of a current. Chosen, not measured."""

EDGE_ROWS: Final = 3
"""Number of rows on each side of such an edge whose median counts. Chosen, not measured."""

SPIKE_ROWS: Final = 5
"""Number of rows whose median counts where a turn of the voltage is searched; odd. Chosen, not measured."""

TREND_WEIGHT: Final = 2
"""Votes of a trend, where an edge has one. Chosen, not measured."""

ALIKE_SHARE: Final = 0.2
"""Share of the current at a stretch's begin: under currents that differ by less, the voltage shows a trend. Chosen, not
measured."""

COUNTER_WEIGHT: Final = 4
"""Votes of a counter of the file. Chosen, not measured."""

LEAST_SHARE: Final = 0.2
"""Least share of the record's charge that clearly goes in each direction, for a direction from the voltage alone.
Chosen, not measured."""

SURE_SCORE: Final = 2
"""Least score of a charge, and of a discharge, for a direction from the voltage alone. Chosen, not measured."""


class Stretches(NamedTuple):
    """Stretches of samples under one current in one step: positions of the first and last samples, shape (k,)."""

    first: Integers
    last: Integers


class Direction(NamedTuple):
    """The sign of an unsigned current at each sample, shape (n,), and the evidence for it in words."""

    sign: Floats
    evidence: str


def typical_ampere(current: Floats) -> float:
    """Return the current in A above and below which half of the record's charge flows; 0 for none.

    It depends on no capacity. Spikes and rests hardly count, because each sample has the weight of its current.

    Args:
        current: A, shape (n,), NaN where missing. Long records are represented by every so many-th sample.
    """
    some = np.abs(current[:: max(len(current) // SAMPLED, 1)])
    size = np.sort(some[some > 0.0])  # not the missing ones
    if not len(size):
        return 0.0
    weight = np.cumsum(size)
    return float(size[np.searchsorted(weight, weight[-1] / 2.0)])


def find_direction(frame: Table, current: Floats, voltage: Floats, words: Floats) -> Direction | None:
    """Return the direction of a current that is given without a sign.

    The cycler's words come first, for a whole step also if only some of its rows have one. A step without a word has
    the direction that counters, or else the voltage, show: its trend, and its edges where the current begins and ends.
    A hold goes on in the direction of the step before.

    Args:
        frame: the record.
        current: A, shape (n,).
        voltage: V, shape (n,), NaN where it is no evidence.
        words: sign by the cycler's word, 0 where there is none, shape (n,).

    Returns:
        ``None`` if the current has a sign, or if nothing shows two directions.
    """
    carrying = np.abs(current) > REST_SHARE * typical_ampere(current)
    negative = carrying & (current < 0.0)
    if np.count_nonzero(negative) > ODD_SHARE * np.count_nonzero(carrying):
        return None
    discharge = carrying & (words < 0.0)
    if not discharge.any() and (words > 0.0).any():
        return None
    stretches = _find_stretches(frame, carrying, words)
    if not len(stretches.first):
        return None
    by_words = np.sign(np.add.reduceat(np.append(words * carrying, 0.0), _bounds(stretches))[::2])
    if not discharge.any():
        stretches = _split_at_turns(stretches, current, voltage)
        by_words = np.zeros(len(stretches.first))
    needed = by_words == 0.0
    score = np.zeros(len(by_words))
    if needed.any():
        some = Stretches(stretches.first[needed], stretches.last[needed])
        resting = np.isfinite(current) & ~carrying
        score[needed] = _counter_votes(frame, some) + _voltage_score(current, voltage, some, resting)
    evidence = "without a sign"
    if not discharge.any():
        if not _two_directions(frame, current, stretches, score):
            return None
        evidence = "without a sign or a word for it; direction from counters or voltage"
    sign = _continue(np.where(needed, np.sign(score), by_words), stretches)
    rows = np.where(words < 0.0, -1.0, 1.0)
    for first, last, of_stretch in zip(stretches.first.tolist(), stretches.last.tolist(), sign.tolist(), strict=True):
        rows[first : last + 1] = of_stretch
    return Direction(rows, evidence)


def _two_directions(frame: Table, current: Floats, stretches: Stretches, score: Floats) -> bool:
    """Tell whether much charge clearly goes in each direction."""
    seconds = np.append(np.diff(column_values(frame, c.TEST_TIME)), 0.0)
    charge = np.add.reduceat(np.append(np.nan_to_num(np.abs(current)) * seconds, 0.0), _bounds(stretches))[::2]
    least = LEAST_SHARE * float(charge.sum())
    return all(float(charge[sign * score >= SURE_SCORE].sum()) >= least > 0.0 for sign in (1.0, -1.0))


def _bounds(stretches: Stretches) -> Integers:
    """Return first positions and ends of the stretches in turn, as ``reduceat`` needs them, shape (2 k,)."""
    return np.stack([stretches.first, stretches.last + 1], axis=1).ravel()


def _find_stretches(frame: Table, carrying: Mask, words: Floats) -> Stretches:
    """Return the stretches under a current; another step, cycle or word begins another one."""
    begins = carrying & np.append(True, ~carrying[:-1])
    for name in (c.STEP_ID, c.CYCLE_ID):
        number = column_values(frame, name)
        begins[1:] |= carrying[1:] & (np.abs(np.diff(number)) > 0.0)
    begins[1:] |= carrying[1:] & (words[1:] * words[:-1] < 0.0)
    first = np.flatnonzero(begins)
    ends = carrying & np.append(begins[1:] | ~carrying[1:], True)
    return Stretches(first, np.flatnonzero(ends))


def _split_at_turns(stretches: Stretches, current: Floats, voltage: Floats) -> Stretches:
    """Split stretches in which the voltage falls and rises: a charge may follow a discharge at once."""
    first: list[int] = []
    last: list[int] = []
    waiting = list(zip(stretches.first.tolist(), stretches.last.tolist(), strict=True))[::-1]
    while waiting:
        begin, end = waiting.pop()
        known = _rows_with_a_trend(current, voltage, begin, end)
        turn = _turn(voltage[known])
        if turn is None:
            first.append(begin)
            last.append(end)
            continue
        at = int(known[turn])
        waiting += [(at + 1, end), (begin, at)]
    return Stretches(np.array(first, dtype=np.int64), np.array(last, dtype=np.int64))


def _rows_with_a_trend(current: Floats, voltage: Floats, first: int, last: int) -> Integers:
    """Return the rows of a stretch with a known voltage under about the current of its begin: holds do not count."""
    size = np.abs(current[first : last + 1])
    begin = float(np.nanmedian(size[:EDGE_ROWS]))
    alike = (np.abs(size - begin) <= ALIKE_SHARE * begin) & np.isfinite(voltage[first : last + 1])
    rows: Integers = first + np.flatnonzero(alike)
    return rows


def _turn(voltage: Floats) -> int | None:
    """Return the position of the extreme between two other voltages of one stretch; ``None`` if it goes one way."""
    if len(voltage) < 2 * EDGE_ROWS:
        return None
    smooth = pd.Series(voltage).rolling(SPIKE_ROWS, center=True, min_periods=1).median().to_numpy()
    for sign in (1.0, -1.0):
        turned = sign * smooth
        at = int(np.argmin(turned))
        if min(turned[0], turned[-1]) - turned[at] > TREND_VOLT and EDGE_ROWS <= at < len(voltage) - EDGE_ROWS:
            return at
    return None


def _counter_votes(frame: Table, stretches: Stretches) -> Floats:
    """Return votes of the file's counters: positive where that of charge rises over a stretch, shape (k,)."""
    counted = np.zeros(len(stretches.first))
    for name, sign in ((c.CHARGING_CAPACITY, 1.0), (c.DISCHARGING_CAPACITY, -1.0)):
        counter = column_values(frame, name)
        if np.isfinite(counter).any():
            counted += sign * (np.nan_to_num(counter[stretches.last] - counter[stretches.first]) > 0.0)
    votes: Floats = COUNTER_WEIGHT * counted
    return votes


def _voltage_score(current: Floats, voltage: Floats, stretches: Stretches, resting: Mask) -> Floats:
    """Return how clearly the voltage shows each stretch to be a charge (positive) or a discharge, shape (k,)."""
    score = np.zeros(len(stretches.first))
    for k, (a, b) in enumerate(zip(stretches.first.tolist(), stretches.last.tolist(), strict=True)):
        rows = _rows_with_a_trend(current, voltage, a, b)
        trend = _change(voltage[rows])
        if abs(trend) > TREND_VOLT:
            score[k] += TREND_WEIGHT * np.sign(trend)
        if a > 0 and resting[a - 1]:
            score[k] += _response(voltage, a, b)
        if b + 1 < len(voltage) and resting[b + 1]:
            score[k] += _response(voltage[::-1], len(voltage) - 1 - b, len(voltage) - 1 - a)
    return score


def _change(voltage: Floats) -> float:
    """Return by how much a voltage changes in V, between medians at both ends, so that a spike there does not count."""
    if len(voltage) < 2:
        return 0.0
    rows = min(EDGE_ROWS, max(len(voltage) // 4, 1))
    return float(np.median(voltage[-rows:]) - np.median(voltage[:rows]))


def _response(voltage: Floats, first: int, last: int) -> float:
    """Return the sign of the voltage's response to a current that begins at ``first`` and lasts to ``last``."""
    before = voltage[max(first - EDGE_ROWS, 0) : first]
    after = voltage[first : min(first + EDGE_ROWS, last + 1)]
    if np.isnan(before).all() or np.isnan(after).all():
        return 0.0
    rise = float(np.nanmedian(after) - np.nanmedian(before))
    return float(np.sign(rise)) if abs(rise) > EDGE_VOLT else 0.0


def _continue(sign: Floats, stretches: Stretches) -> Floats:
    """Return signs without zeros: that of the stretch before without a rest between, else of the one after, else +1."""
    result = sign.copy()
    joined = np.append(False, stretches.first[1:] == stretches.last[:-1] + 1)
    for k in np.flatnonzero(result == 0.0):
        if joined[k]:
            result[k] = result[k - 1]
    for k in np.flatnonzero(result == 0.0)[::-1]:
        if k + 1 < len(result) and joined[k + 1]:
            result[k] = result[k + 1]
    result[result == 0.0] = 1.0
    return result
