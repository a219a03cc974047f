"""Samples of a record at which the cell's open-circuit voltage is known, and how well: rests, else the first sample.

The voltage of a rest still moves. What is left of its relaxation is estimated from the rest itself, as the uncertainty
of the open-circuit voltage. A rest that is too short for that is extrapolated. A loaded voltage is no open-circuit
voltage: it is used only where the record has nothing better, with its overpotential as uncertainty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ...data.arrays import Floats, Mask
from .charge import REST_CURRENT_PER_AH, interval_charge_ah
from .record import Record

REST_SECOND: Final = 600.0
"""A shorter rest is still relaxing, so that its voltage is extrapolated, s."""

STRAY_SAMPLES: Final = 2
STRAY_CHARGE: Final = 1e-4
"""A rest continues over at most so many samples with a current, and at most this share of the capacity in them."""

LINE_SHARE: Final = 0.25
"""Last part of a rest through which a line is fitted, as a share of the rest's duration."""

LINE_SAMPLES: Final = 5
"""Smallest number of samples in that part; with fewer, a line is no steadier than the last sample."""

RELAXING_SAMPLES: Final = 3
"""Smallest number of samples that show how a rest relaxes."""

REMAINING: Final = 1.5
"""What is left of a relaxation, as a multiple of its change over the last half of the rest.

It is 2.4 while the voltage follows the square root of time, and 0.6 to 1.5 for an exponential that fell to a seventh,
or to a third, since the rest began.
"""

NEARLY_STRAIGHT: Final = 0.9
SLOWEST: Final = 0.98
"""Ratio of the changes in two thirds of a rest. Above the first, noise decides how far an exponential goes on, so that
it gives only the uncertainty; above the second, the relaxation is a straight line.
"""

MOST_LATE_CHANGES: Final = 10.0
"""A short rest is uncertain by its whole change, but by no more than so many times that of its last third. Chosen."""

SMALLEST_MV: Final = 0.2  # uncertainty of any rest voltage, mV: the resolution of a good cycler. Chosen, not measured
LONE_REST_MV: Final = 5.0
"""Uncertainty of a rest with too few samples to see it relax, at the record's start, mV. Chosen, not measured."""

LOADED_RESISTANCES: Final = 3.0
"""Overpotential of a loaded cell, as a multiple of that of its current edges within seconds: diffusion adds to it."""

LOADED_VOLT_PER_RATE: Final = 0.2  # overpotential at 1C of a record without current edges, V. Chosen, not measured
EDGE_SECOND: Final = 10.0  # longest time between two samples that show an edge of the current
EDGE_RATE: Final = 0.05  # smallest change of the current in it, 1/h
COUNTED_MV: Final = 0.5
"""Uncertainty of a state that is counted over one capacity of throughput, mV.

It is 0.05 % of the charge, at a slope of 1 V per capacity. It decides between a near and a far rest.
"""

FIRST_CYCLES: Final = 3  # cycles before a stretch in which a rest is looked for first, before all of the record
LEAD_SECOND: Final = 3.0 * 3600.0
"""Time before a stretch from which the model is solved if the cell did not rest, s: several times the diffusion through
a particle or a separator. Chosen, not measured."""

LEAD_MOST_SECOND: Final = 12.0 * 3600.0  # longest time to the last long rest from which the model is solved, s
LEAD_MOST_SAMPLES: Final = 50_000  # samples before a stretch that are solved at most
RELAXED_MV: Final = 1.0  # what is left of a relaxation in a rest after which a model may start in equilibrium, mV
NEAR_MV: Final = 3.0
"""Uncertainty up to which the nearest rest is taken, though a farther one may be known better, mV: between the two, the
set's capacity counts as well, and it may be wrong. Chosen, not measured."""

GOOD_MV: Final = 5.0  # uncertainty up to which no other part of the record is looked at


@dataclass(frozen=True, slots=True)
class OpenCircuitSample:
    """A sample at which the open-circuit voltage is known.

    Args:
        index: of the sample in the record.
        voltage_volt: open-circuit voltage, V.
        uncertainty_mv: of it, mV.
        source: its source in words.
        is_rest: whether the cell rested; otherwise it is a loaded voltage.
        is_settled: whether the rest was long enough that its last voltage is nearly the open-circuit voltage.
    """

    index: int
    voltage_volt: float
    uncertainty_mv: float
    source: str
    is_rest: bool = True
    is_settled: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class _Rest:
    """Indices of a rest's first sample and after its last one, and its samples without a current."""

    first: int
    end: int
    resting: Mask


def find_known_state(
    record: Record, first: int, end: int, capacity_ah: float, *, nearest: bool = False
) -> OpenCircuitSample | None:
    """Find the sample that determines best the state at another one.

    The nearest rest by charge decides if its voltage is known well (``NEAR_MV``); otherwise the voltage of the sample
    and the charge between the two (``COUNTED_MV``). Rests before and after are equally good; a loaded voltage is taken
    only if there is no rest at all.

    Args:
        record: the cell's whole record.
        first: index of the sample whose state is wanted.
        end: index after the last sample of its stretch.
        capacity_ah: A.h, of the cell.
        nearest: take the nearest rest, however well its voltage is known: the counted charge may be wrong.

    Returns:
        ``None`` if the record has no voltage.
    """
    cycle = record.cycle_count
    begin = int(np.searchsorted(cycle, cycle[first] - FIRST_CYCLES)) if first else 0
    near = _best_rest(record, begin, end, first, capacity_ah, np.inf if nearest else NEAR_MV)
    if near is not None and (nearest or near[0] <= GOOD_MV):
        return near[1]
    if (begin, end) != (0, len(cycle)):
        near = _best_rest(record, 0, len(cycle), first, capacity_ah)
    loaded = _loaded_sample(record, first, capacity_ah)
    if near is None or (loaded is not None and loaded.uncertainty_mv < near[0]):
        return loaded
    return near[1]


def _best_rest(
    record: Record, begin: int, end: int, first: int, capacity_ah: float, near_mv: float = NEAR_MV
) -> tuple[float, OpenCircuitSample] | None:
    """Return the rest of a part of the record that determines the state at ``first`` best, with its error in mV.

    The nearest one with an error of at most ``near_mv`` is taken, though a farther one may be better.
    """
    part = slice(begin, end)
    charge = interval_charge_ah(record.time_second[part], record.current_ampere[part], record.flags[part])
    throughput = np.concatenate([[0.0], np.cumsum(np.abs(charge))]) / capacity_ah
    rests = _find_rests(record, begin, end, capacity_ah)
    distance = [
        0.0 if r.first <= first <= r.end else abs(throughput[r.end - 1 - begin] - throughput[first - begin])
        for r in rests
    ]
    best: tuple[float, OpenCircuitSample] | None = None
    for place in np.argsort(distance, kind="stable").tolist():
        counted_mv = COUNTED_MV * distance[place]
        if best is not None and counted_mv >= best[0]:
            break  # all others are farther away
        sample = _at_rest(record, rests[place])
        if sample is None:
            continue
        uncertainty = float(np.hypot(sample.uncertainty_mv, counted_mv))
        if best is None or uncertainty < best[0]:
            best = (uncertainty, sample)
        if best[0] <= near_mv:
            break  # the others are farther away
    return best


def find_lead(record: Record, first: int, capacity_ah: float) -> int:
    """Find the sample from which the model must be solved so that it has the gradients of the cell at another sample.

    A cell that rested long enough has none. Otherwise the model is solved from the end of the last such rest, or from
    some hours before (``LEAD_SECOND``), since gradients are forgotten.

    Args:
        record: the cell's whole record.
        first: index of the sample whose state is wanted.
        capacity_ah: A.h, of the cell.

    Returns:
        The index of that sample; ``first`` = none is needed, or the record does not allow it.
    """
    time = record.time_second
    earliest = int(np.searchsorted(time, time[first] - LEAD_MOST_SECOND))
    earliest = max(earliest, first - LEAD_MOST_SAMPLES, 0)
    missing = np.flatnonzero(~np.isfinite(record.current_ampere[earliest:first]))
    if len(missing):
        earliest += int(missing[-1]) + 1
    rests = _find_rests(record, earliest, first, capacity_ah)
    for rest in reversed(rests):
        sample = _at_rest(record, rest)
        if sample is not None and sample.uncertainty_mv <= RELAXED_MV:
            # Between the rest and the wanted sample, no current flowed: the cell still rests.
            return (
                first
                if rest.end >= first - STRAY_SAMPLES and _is_stray(record, rest.end, first, capacity_ah)
                else rest.end - 1
            )
    if not first:
        return 0
    return max(earliest, int(np.searchsorted(time, time[first] - LEAD_SECOND)))


def _find_rests(record: Record, begin: int, end: int, capacity_ah: float) -> list[_Rest]:
    """Find the rests of a part of the record; a stray sample with a current does not end one."""
    current = record.current_ampere[begin:end]
    resting = np.abs(current) <= REST_CURRENT_PER_AH * capacity_ah
    edges = np.flatnonzero(np.diff(np.concatenate([[False], resting, [False]]).astype(np.int8)))
    runs: list[list[int]] = []
    for low, high in edges.reshape(-1, 2).tolist():
        if (
            runs
            and low - runs[-1][1] <= STRAY_SAMPLES
            and _is_stray(record, begin + runs[-1][1], begin + low, capacity_ah)
        ):
            runs[-1][1] = high
        else:
            runs.append([low, high])
    return [_Rest(begin + low, begin + high, resting[low:high]) for low, high in runs]


def _is_stray(record: Record, low: int, high: int, capacity_ah: float) -> bool:
    """Tell whether the samples between two rests moved next to no charge."""
    window = slice(low - 1, high + 1)
    charge = interval_charge_ah(record.time_second[window], record.current_ampere[window], record.flags[window])
    return bool(np.isfinite(record.current_ampere[window]).all() and np.abs(charge).sum() <= STRAY_CHARGE * capacity_ah)


def _at_rest(record: Record, rest: _Rest) -> OpenCircuitSample | None:
    """Return what a rest says about the open-circuit voltage; ``None`` = nothing."""
    window = slice(rest.first, rest.end)
    known = rest.resting & np.isfinite(record.voltage_volt[window])
    places = np.flatnonzero(known)
    if not len(places):
        return None
    time = record.time_second[window][known]
    voltage = record.voltage_volt[window][known]
    index = rest.first + int(places[-1])
    duration = float(time[-1] - record.time_second[rest.first])
    at = f"at {time[-1]:.0f} s"
    if len(time) < RELAXING_SAMPLES:
        if rest.first and duration < REST_SECOND:
            return None
        words = f"rest voltage {voltage[-1]:.4f} V {at}, of {len(time)} samples"
        return OpenCircuitSample(index, float(voltage[-1]), LONE_REST_MV, words)
    last = end_of_rest_volt(time, voltage)
    if duration >= REST_SECOND or rest.first == 0:
        left = 1e3 * REMAINING * abs(last - _voltage_at(time, voltage, time[0] + 0.5 * (time[-1] - time[0])))
        return OpenCircuitSample(index, last, max(left, SMALLEST_MV), f"rest voltage {last:.4f} V {at}")
    settled, uncertainty = extrapolate_rest(time, voltage)
    words = f"rest of {duration:.0f} s {at}, extrapolated from {last:.4f} to {settled:.4f} V"
    return OpenCircuitSample(index, settled, max(1e3 * uncertainty, SMALLEST_MV), words, is_settled=False)


def _voltage_at(time: Floats, voltage: Floats, at_second: float) -> float:
    """Return the voltage at a time within a rest, as the mean of the nearest samples if these are many, V."""
    width = max(0.0625 * float(time[-1] - time[0]), 1e-9)
    near = np.abs(time - at_second) <= width
    if np.count_nonzero(near) < LINE_SAMPLES:
        return float(np.interp(at_second, time, voltage))
    return float(voltage[near].mean())


def end_of_rest_volt(time_second: Floats, voltage_volt: Floats) -> float:
    """Estimate the voltage at the end of a rest in V, without the noise of a single sample.

    It is the value, at the last sample, of a line through the last part of the rest (``LINE_SHARE`` of its duration),
    where a relaxation is nearly straight; with fewer than ``LINE_SAMPLES`` samples there, the last voltage.

    Args:
        time_second, voltage_volt: shape (n,), of the rest; at least one voltage is not NaN.
    """
    known = np.isfinite(voltage_volt)
    since_end = time_second[known] - time_second[known][-1]
    voltage = voltage_volt[known]
    late = since_end >= LINE_SHARE * since_end[0]
    if np.count_nonzero(late) < LINE_SAMPLES:
        return float(voltage[-1])
    line = np.polyfit(since_end[late], voltage[late] - voltage[-1], 1)
    return float(line[1] + voltage[-1])


def extrapolate_rest(time_second: Floats, voltage_volt: Floats) -> tuple[float, float]:
    """Extrapolate a rest that still relaxes to its end, and estimate how far that may be wrong, both in V.

    An exponential through thirds of the rest leaves too little, and the square root of time, through a half of it, too
    much. The estimate is between the two.

    Args:
        time_second, voltage_volt: shape (n,), of the rest, none NaN, n >= 2.
    """
    span = float(time_second[-1] - time_second[0])
    last = end_of_rest_volt(time_second, voltage_volt)
    first, second, half = (
        _voltage_at(time_second, voltage_volt, time_second[0] + share * span) for share in (1.0 / 3.0, 2.0 / 3.0, 0.5)
    )
    by_root = (last - half) / (np.sqrt(2.0) - 1.0)
    earlier, later = second - first, last - second
    ratio = later / earlier if earlier else 0.0
    by_exponential = 0.0
    if ratio > 0.0:
        ratio = min(ratio, SLOWEST)
        by_exponential = later * ratio / (1.0 - ratio)
    middle = 0.5 * (by_root + by_exponential) if ratio < NEARLY_STRAIGHT else by_root
    changed = min(abs(last - float(voltage_volt[0])), MOST_LATE_CHANGES * abs(later))
    return last + middle, max(abs(by_root - middle), abs(by_exponential - middle), abs(middle), changed)


def _loaded_sample(record: Record, first: int, capacity_ah: float) -> OpenCircuitSample | None:
    """Return the first voltage from a sample on, of a cell under load, with its overpotential as uncertainty."""
    known = np.flatnonzero(np.isfinite(record.voltage_volt[first:]))
    if not len(known):
        known = np.flatnonzero(np.isfinite(record.voltage_volt)) - first
    if not len(known):
        return None
    index = first + int(known[0])
    voltage = float(record.voltage_volt[index])
    ampere = float(np.nan_to_num(record.current_ampere[index]))
    resistance = _edge_resistance(record, capacity_ah)
    overpotential = LOADED_VOLT_PER_RATE * abs(ampere) / capacity_ah
    if resistance is not None:
        overpotential = LOADED_RESISTANCES * resistance * abs(ampere)
    uncertainty = max(1e3 * overpotential, LONE_REST_MV)
    at = f"at {record.time_second[index]:.0f} s"
    words = f"no rest; first voltage {voltage:.4f} V {at}, under a load of {ampere:.3g} A, taken as open circuit"
    return OpenCircuitSample(index, voltage, uncertainty, words, is_rest=False, is_settled=False)


def _edge_resistance(record: Record, capacity_ah: float) -> float | None:
    """Return the median resistance of the record's current edges in ohm; ``None`` = it has none."""
    change = np.diff(record.current_ampere)
    jump = np.diff(record.voltage_volt)
    edge = (np.abs(change) >= EDGE_RATE * capacity_ah) & (np.diff(record.time_second) <= EDGE_SECOND)
    edge &= np.isfinite(change) & np.isfinite(jump)
    if not edge.any():
        return None
    return float(np.median(np.abs(jump[edge] / change[edge])))
