"""Resistance of a cell in each cycle, from the steps of its measured current: change of voltage / change of current.

The resistance 10 s after the current changed is what battery laboratories call DC resistance: it has the ohmic drop,
the charge transfer, and the beginning of diffusion. It depends on the state of charge and on the direction, so the
cycles of a record are compared at one kind of edge and after one time, and both are stated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Final

import numpy as np

from ...data.arrays import Floats, Indices, Integers, Mask
from ...data.rules import flag_bit, is_inserted

TIMES_SECOND: Final = (10.0, 30.0, 60.0, 2.0)
"""s after the edge, the preferred time first: 30 and 60 s for records with longer intervals, 2 s for short pulses."""

LEAST_EDGE_PER_AH: Final = 0.04
"""A per A.h of capacity: smaller changes of the current are no edges (C/25). Chosen, not measured."""

CONSTANT_SHARE: Final = 0.05
"""Share of the edge: within it, the current is constant before and after the edge. Chosen, not measured."""

NEAR_SHARE: Final = 0.1
"""Share of the time after the edge: a sample so near to it is taken as it is. Chosen, not measured."""

LARGEST_RATIO: Final = 4.0
"""Ratio of the times of two samples since the edge up to which the voltage between them is interpolated. Chosen, not
measured."""

NOISE_ROWS: Final = 20
"""Rows before an edge from which the noise of the voltage is taken. Chosen, not measured."""

RESOLUTION_ROWS: Final = 20_000
"""Rows from which the resolution of the voltage is taken."""

ENOUGH_SHARE: Final = 0.9
"""A preferred time and kind of edge is taken if it is in so many of the cycles that the most frequent one is in.
Chosen, not measured."""

KINDS: Final = ("start of discharge", "start of charge", "end of discharge", "end of charge", "change of current")
"""Kinds of edges, the preferred one first: after a rest, the state of the cell is known best."""

UNUSABLE: Final = reduce(
    lambda bits, code: bits | flag_bit(code),
    (
        "voltage_missing", "voltage_spike", "voltage_range", "voltage_placeholder", "voltage_stuck", "voltage_step",
        "lost_contact", "channel_change", "current_missing", "current_spike", "time_gap", "time_stamp",
    ),
    0,
)  # fmt: skip
"""Flags of samples that no resistance is taken from: their numbers are not the measurement, or the cell changed."""


@dataclass(frozen=True, slots=True)
class CycleResistance:
    """Resistance of a cell in one cycle.

    Args:
        resistance_ohm: ohm, the median over the edges of the cycle.
        resistance_second: s after the edge.
        resistance_uncertainty_ohm: ohm, the median over the edges: noise and resolution of the voltage, an edge that is
            not known better than the interval of its samples, the voltage's own drift, and interpolation.
        resistance_edges: number of edges.
        resistance_source: kind of the edges, one of ``KINDS``.
    """

    resistance_ohm: float
    resistance_second: float
    resistance_uncertainty_ohm: float
    resistance_edges: int
    resistance_source: str


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """The samples of a record that are rows of a file, shape (n,) each; voltages are known."""

    time: Floats
    current: Floats
    voltage: Floats
    cycle: Integers
    step: Integers
    bad_before: Integers
    """Number of unusable samples before each sample, shape (n + 1,)."""

    edge_second: Floats
    """Time of the last sample that cleaning inserted before each sample, -inf = none."""


@dataclass(frozen=True, slots=True, eq=False)
class _Edges:
    """Edges of the current, shape (k,) each.

    Args:
        before: index of the last row before the edge.
        second: s, time of the edge.
        doubt: s, by which the edge may be later.
        change: A.
        kind: place in ``KINDS``.
    """

    before: Indices
    second: Floats
    doubt: Floats
    change: Floats
    kind: Integers

    def take(self, rows: Mask | Indices) -> _Edges:
        return _Edges(self.before[rows], self.second[rows], self.doubt[rows], self.change[rows], self.kind[rows])


@dataclass(frozen=True, slots=True, eq=False)
class _Resistances:
    """Resistance at edges, shape (k,) each: ohm, ohm, cycle, and place in ``KINDS``."""

    ohm: Floats
    uncertainty: Floats
    cycle: Integers
    kind: Integers


def cycle_resistances(
    time_second: Floats,
    current_ampere: Floats,
    voltage_volt: Floats,
    flags: Integers,
    cycle_count: Integers,
    step_count: Integers,
    capacity_ah: float,
) -> Mapping[int, CycleResistance]:
    """Return the resistance in each cycle that has an edge of the current with constant current before and after it.

    Args:
        time_second: s, shape (n,), increasing; the arrays are those of a cleaned partition.
        current_ampere: A, positive for charge, shape (n,).
        voltage_volt: V, shape (n,), NaN where missing.
        flags: the rules' bits, shape (n,).
        cycle_count, step_count: shape (n,).
        capacity_ah: A.h, with which edges scale.

    Returns:
        Cycle to its resistance; the same time and kind of edge in all cycles.
    """
    rows = _take_rows(time_second, current_ampere, voltage_volt, flags, cycle_count, step_count)
    edges = _find_edges(rows, LEAST_EDGE_PER_AH * capacity_ah)
    if not len(edges.before):
        return {}
    noise_volt = _voltage_noise(rows, edges)
    cycles = 1 + np.count_nonzero(np.diff(cycle_count))
    best: tuple[int, float, int, _Resistances] | None = None
    for second in TIMES_SECOND:
        found = _resistances_after(rows, edges, noise_volt, second)
        counts = [len(np.unique(found.cycle[found.kind == kind])) for kind in range(len(KINDS))]
        most = max(counts)
        if not most:
            continue
        kind = next(place for place, count in enumerate(counts) if count >= ENOUGH_SHARE * most)
        if best is None or ENOUGH_SHARE * counts[kind] > best[0]:
            best = counts[kind], second, kind, found
        if best[0] >= ENOUGH_SHARE * cycles:
            break
    return {} if best is None else _by_cycle(*best[1:])


def _by_cycle(second: float, kind: int, found: _Resistances) -> dict[int, CycleResistance]:
    """Return the median over the edges of one kind in each cycle; none where the voltage moves the wrong way."""
    kept = found.kind == kind
    cycles = found.cycle[kept]
    first = np.flatnonzero(np.diff(cycles, prepend=cycles[:1] - 1))
    by_cycle = {}
    for ohm, uncertainty, cycle in zip(
        np.split(found.ohm[kept], first[1:]),
        np.split(found.uncertainty[kept], first[1:]),
        cycles[first].tolist(),
        strict=True,
    ):
        median = float(np.median(ohm))
        if median > 0.0:
            doubt = float(np.median(uncertainty))
            by_cycle[int(cycle)] = CycleResistance(median, second, doubt, len(ohm), KINDS[kind])
    return by_cycle


def _take_rows(
    time: Floats, current: Floats, voltage: Floats, flags: Integers, cycle: Integers, step: Integers
) -> _Rows:
    """Leave out inserted samples, which are no measurement, and samples without voltage or current."""
    known = np.isfinite(voltage) & np.isfinite(current)
    edge_second = np.full(len(time), -np.inf)
    if known.all() and not flags.any():
        return _Rows(time, current, voltage, cycle, step, np.zeros(len(time) + 1, np.int64), edge_second)
    inserted = is_inserted(flags)
    unusable = ((flags & UNUSABLE) != 0) | (~known & ~inserted)
    if inserted.any():
        edge_second = np.maximum.accumulate(np.where(inserted, time, -np.inf))
    # What is left out counts as unusable at the next row that is kept.
    bad = np.concatenate([[0], np.cumsum(unusable)])
    kept = known & ~inserted
    if kept.all():
        return _Rows(time, current, voltage, cycle, step, bad, edge_second)
    places = np.flatnonzero(kept)
    return _Rows(
        time[kept], current[kept], voltage[kept], cycle[kept], step[kept], np.append(bad[places], bad[-1]),
        edge_second[kept],
    )  # fmt: skip


def _find_edges(rows: _Rows, least_ampere: float) -> _Edges:
    """Find edges of the current before which it was constant."""
    jump = np.diff(rows.current)
    before = np.flatnonzero(np.abs(jump) >= least_ampere)
    change = jump[before]
    limit = CONSTANT_SHARE * np.abs(change)
    earlier = np.maximum(before - 1, 0)
    constant = np.abs(rows.current[before] - rows.current[earlier]) <= limit
    before, change, limit = before[constant], change[constant], limit[constant]
    was_rest = np.abs(rows.current[before]) <= limit
    is_rest = np.abs(rows.current[before + 1]) <= limit
    kind = np.select([was_rest & (change < 0.0), was_rest, is_rest & (change > 0.0), is_rest], [0, 1, 2, 3], default=4)
    placed = rows.edge_second[before + 1] > rows.time[before]
    second = np.where(placed, rows.edge_second[before + 1], rows.time[before])
    doubt = np.where(placed, 0.0, rows.time[before + 1] - rows.time[before])
    return _Edges(before, second, doubt, change, kind)


def _resistances_after(rows: _Rows, edges: _Edges, noise_volt: Floats, second: float) -> _Resistances:
    """Return the resistance at each edge after which the current stays constant for some time.

    Args:
        rows: of the record.
        edges: of the record.
        noise_volt: V, shape (edges,).
        second: s, the time after the edge.
    """
    last = len(rows.time) - 1
    wanted = edges.second + second
    after = np.minimum(np.searchsorted(rows.time, wanted), last)
    earlier = after - 1
    nearest = np.where(np.abs(rows.time[after] - wanted) <= np.abs(rows.time[earlier] - wanted), after, earlier)
    is_near = (np.abs(rows.time[nearest] - wanted) <= NEAR_SHARE * second) & (nearest > edges.before)
    first = np.where(is_near, nearest, earlier)
    end = np.where(is_near, nearest, after)
    usable = (first > edges.before) & (rows.time[end] >= wanted - NEAR_SHARE * second)
    usable &= is_near | (rows.time[end] - edges.second <= LARGEST_RATIO * (rows.time[first] - edges.second))
    usable &= rows.bad_before[end + 1] == rows.bad_before[edges.before]
    usable &= _is_constant(rows.current, edges.before + 1, np.maximum(end, edges.before + 1), edges.change)
    # What flowed less long before the edge than after it would be another pulse's answer.
    begin = np.minimum(np.searchsorted(rows.time, rows.time[edges.before] - second), edges.before)
    usable &= _is_constant(rows.current, begin, edges.before, edges.change)
    edges, first, end, wanted = edges.take(usable), first[usable], end[usable], wanted[usable]
    if not len(first):
        return _Resistances(np.zeros(0), np.zeros(0), np.zeros(0, int), np.zeros(0, int))
    voltage, interpolation = _voltage_at(rows, edges, first, end, second)
    slope = _slope(rows, edges.before + 1, end)
    late = np.where(first == end, rows.time[end] - wanted, 0.0)
    drift = _drift_before(rows, edges, second)
    parts = (noise_volt[usable], interpolation, slope * (edges.doubt + np.abs(late)), drift)
    uncertainty = np.sqrt(sum(np.square(part) for part in parts)) / np.abs(edges.change)
    ohm = (voltage - rows.voltage[edges.before]) / edges.change
    return _Resistances(ohm, uncertainty, rows.cycle[edges.before + 1], edges.kind)


def _is_constant(current: Floats, first: Indices, last: Indices, change: Floats) -> Mask:
    """Tell between which rows the current stays the same, shape (edges,).

    Args:
        current: A, of all rows.
        first, last: indices of rows, shape (edges,).
        change: A, at the edge.
    """
    bounds = np.stack([first, last + 1], axis=1).ravel()
    padded = np.append(current, current[-1])
    spread = np.maximum.reduceat(padded, bounds)[::2] - np.minimum.reduceat(padded, bounds)[::2]
    constant: Mask = spread <= CONSTANT_SHARE * np.abs(change)
    return constant


def _voltage_at(rows: _Rows, edges: _Edges, first: Indices, end: Indices, second: float) -> tuple[Floats, Floats]:
    """Return the voltage some time after each edge, and by how much its interpolation may be off, in V.

    Between two rows, the voltage is taken as straight over the root of time, as diffusion has it; how far that is from
    a line in time is the uncertainty.
    """
    age = [np.fmax(rows.time[place] - edges.second, 0.0) for place in (first, end)]
    span = np.where(end > first, age[1] - age[0], 1.0)
    root_span = np.where(end > first, np.sqrt(age[1]) - np.sqrt(age[0]), 1.0)
    linear = np.where(end > first, (second - age[0]) / span, 0.0)
    rooted = np.where(end > first, (np.sqrt(second) - np.sqrt(age[0])) / root_span, 0.0)
    rise = rows.voltage[end] - rows.voltage[first]
    return rows.voltage[first] + rooted * rise, np.abs((rooted - linear) * rise)


def _slope(rows: _Rows, first: Indices, end: Indices) -> Floats:
    """Return how fast the voltage moves at the end of the time after the edge, without sign, in V/s."""
    begin = np.minimum(first, end - 1)
    begin = np.maximum(begin, end - 2)
    span = rows.time[end] - rows.time[begin]
    slope: Floats = np.abs(rows.voltage[end] - rows.voltage[begin]) / np.where(span > 0.0, span, np.inf)
    return slope


def _drift_before(rows: _Rows, edges: _Edges, second: float) -> Floats:
    """Return by how much the voltage moved before each edge in the same time as after it, without sign, in V."""
    earlier = np.searchsorted(rows.time, rows.time[edges.before] - second, side="right") - 1
    earlier = np.clip(earlier, 0, np.maximum(edges.before - 1, 0))
    span = rows.time[edges.before] - rows.time[earlier]
    limit = CONSTANT_SHARE * np.abs(edges.change)
    same = np.abs(rows.current[earlier] - rows.current[edges.before]) <= limit
    moved = np.abs(rows.voltage[edges.before] - rows.voltage[earlier])
    drift: Floats = np.where(same & (span > 0.0), moved * second / np.where(span > 0.0, span, 1.0), 0.0)
    return drift


def _voltage_noise(rows: _Rows, edges: _Edges) -> Floats:
    """Return the standard deviation of a difference of two voltages at each edge, from noise and resolution, in V.

    The noise is that of the rows before the edge in its step: their distance from the line between their neighbours.
    """
    middle = edges.before[:, None] - np.arange(1, NOISE_ROWS + 1)
    inside = (middle > 0) & (rows.step[np.maximum(middle - 1, 0)] == rows.step[edges.before][:, None])
    place = np.maximum(middle, 1)
    span = rows.time[place + 1] - rows.time[place - 1]
    share = (rows.time[place] - rows.time[place - 1]) / np.where(span > 0.0, span, 1.0)
    line = rows.voltage[place - 1] + share * (rows.voltage[place + 1] - rows.voltage[place - 1])
    distance = np.sort(np.where(inside & (span > 0.0), np.abs(rows.voltage[place] - line), np.inf), axis=1)
    known = np.isfinite(distance).sum(axis=1)
    median = distance[np.arange(len(known)), np.maximum(known - 1, 0) // 2]
    # The median of |x| is 0.6745 standard deviations of x. The distance has 1.5 times the variance of a single value.
    noise = np.where(known > 0, median, 0.0) / (0.6745 * np.sqrt(1.5))
    values = np.unique(np.round(rows.voltage[:RESOLUTION_ROWS], 7))
    resolution = float(np.diff(values).min()) if len(values) > 1 else 0.0
    both: Floats = np.sqrt(2.0 * noise**2 + resolution**2 / 6.0)
    return both
