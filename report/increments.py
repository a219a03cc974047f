"""dQ/dV and dV/dQ of the constant-current part of each step.

Q is the charge that passed since the part began, so it rises in charge and in discharge. The voltage rises in charge
and falls in discharge: dQ/dV and dV/dQ are positive in charge and negative in discharge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pandas as pd

from ..data import columns as c
from ..data.arrays import Floats, Indices, Mask
from ..data.convert import SECONDS_PER_HOUR
from .draw.record_lines import find_rows

BIN_VOLT: Final = 0.001
"""Width of the voltage levels of dQ/dV, V. Chosen: a fifth of the usual smoothing."""

SMOOTHING_VOLT: Final = 0.005
"""Usual standard deviation of the Gaussian that smooths dQ/dV, V. Chosen: narrower than the peaks at C/10 and above."""

CHARGE_BINS: Final = 400
"""Number of charge levels of dV/dQ."""

SMOOTHING_SHARE: Final = 0.01
"""Standard deviation of the Gaussian that smooths dV/dQ, as a share of the charge of the part. Chosen, not measured."""

SAME_CURRENT: Final = 0.02
"""Largest distance of the current from that of the part, as a share. Cyclers regulate within about 0.1 %."""

CURRENT_QUANTILE: Final = 0.75
"""The current of the part is this quantile of the step's current, weighted by charge: a hold at a voltage has less."""

LEAST_SHARE: Final = 0.05
"""A part with less than this share of the charge of the largest one is left out: it is a pulse. Chosen."""

LEAST_VOLT: Final = 0.02
"""A part with a smaller change of voltage is left out, V. Chosen: four times the usual smoothing."""

LEAST_SAMPLES: Final = 5
"""Smallest number of samples of a part."""

FLAT_VOLT: Final = BIN_VOLT / 10
"""Charge that passes at one voltage is spread over this much, V: less than a level, more than rounding."""

KERNEL_SIGMAS: Final = 4.0
"""Half-width of the Gaussian in standard deviations."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """The constant-current part of a step.

    Args:
        cycle, step: numbers of the partition.
        charging: whether its current charges the cell.
        current_ampere: absolute current.
        rows: its samples with a measured voltage, as places in the frame.
        charge_ah: passed since its begin at these samples, counted over all samples, shape (len(rows),).
    """

    cycle: int
    step: int
    charging: bool
    current_ampere: float
    rows: Indices
    charge_ah: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Increments:
    """dQ/dV and dV/dQ of a part.

    Args:
        part: the part.
        voltage_volt: middle of each voltage level.
        dq_dv: A h V⁻¹ at each level.
        charge_ah: charge between two levels of dV/dQ.
        dv_dq: V (A h)⁻¹ there.
        smoothing_volt: standard deviation of the Gaussian over dQ/dV.
        smoothing_ah: of the Gaussian over dV/dQ.
    """

    part: Part
    voltage_volt: Floats
    dq_dv: Floats
    charge_ah: Floats
    dv_dq: Floats
    smoothing_volt: float
    smoothing_ah: float


def find_parts(frame: pd.DataFrame) -> tuple[list[Part], int]:
    """Return the constant-current parts of a record's steps in time order, and how many short ones were left out.

    Args:
        frame: samples with ``test_time_second``, ``voltage_volt``, ``current_ampere``, ``cycle_count``, ``step_count``,
            ``flags``.
    """
    if not len(frame):
        return [], 0
    step = frame[c.STEP_COUNT].to_numpy(dtype=np.int64)
    cycle = frame[c.CYCLE_COUNT].to_numpy(dtype=np.int64)
    is_new = (np.diff(step, prepend=step[0] - 1) != 0) | (np.diff(cycle, prepend=cycle[0]) != 0)
    edges = np.append(np.flatnonzero(is_new), len(frame))
    time = frame[c.TEST_TIME].to_numpy(dtype=np.float64)
    current = frame[c.CURRENT].to_numpy(dtype=np.float64)
    voltage = frame[c.VOLTAGE].to_numpy(dtype=np.float64)
    measured = find_rows(frame) & np.isfinite(voltage)
    parts = []
    for begin, end in pairwise(edges):
        part = _find_part(time, current, measured, int(begin), int(end), int(cycle[begin]), int(step[begin]))
        if part is not None:
            parts.append(part)
    largest = max((float(part.charge_ah[-1]) for part in parts), default=0.0)
    long = [
        part
        for part in parts
        if part.charge_ah[-1] >= LEAST_SHARE * largest and np.ptp(voltage[part.rows]) >= LEAST_VOLT
    ]
    return long, len(parts) - len(long)


def _find_part(
    time: Floats, current: Floats, measured: Mask, begin: int, end: int, cycle: int, step: int
) -> Part | None:
    """Return the longest run of samples of a step at its constant current; ``None`` = there is none."""
    size = np.abs(current[begin:end])
    seconds = np.diff(time[begin:end], append=time[end - 1])
    charge = np.nan_to_num(size * seconds)
    if end - begin < LEAST_SAMPLES or charge.sum() <= 0.0:
        return None
    order = np.argsort(size, kind="stable")
    share = np.cumsum(charge[order]) / charge.sum()
    typical = float(size[order][np.searchsorted(share, CURRENT_QUANTILE)])
    signed = typical * np.sign(np.nansum(current[begin:end] * seconds))
    near = np.abs(current[begin:end] - signed) <= SAME_CURRENT * typical
    edges = np.flatnonzero(np.diff(near.astype(np.int8), prepend=0, append=0))
    runs = list(zip(edges[::2], edges[1::2], strict=True))
    if not runs:
        return None
    first, last = max(runs, key=lambda run: charge[run[0] : run[1] - 1].sum())
    places = np.arange(begin + first, begin + last)
    middle = 0.5 * (np.abs(current[places[1:]]) + np.abs(current[places[:-1]]))
    passed = np.concatenate([[0.0], np.cumsum(middle * np.diff(time[places]))]) / SECONDS_PER_HOUR
    with_voltage = measured[places]
    if with_voltage.sum() < LEAST_SAMPLES:
        return None
    passed = passed[with_voltage]
    return Part(cycle, step, bool(signed > 0.0), typical, places[with_voltage], passed - passed[0])


def differentiate(part: Part, voltage: Floats, smoothing_volt: float | None = None) -> Increments | None:
    """Return dQ/dV and dV/dQ of a part.

    dQ/dV counts the charge that passes in each voltage level of 1 mV: its area is the charge of the part, whatever the
    noise and however far apart the samples are. Then a Gaussian smooths it. dV/dQ is the change of the mean voltage
    from one of 400 charge levels to the next, smoothed.

    Args:
        part: from :func:`find_parts`.
        voltage: of the record's samples in V, measured or simulated, shape (len(frame),). Missing values are left out.
        smoothing_volt: standard deviation of the Gaussian over dQ/dV, V; ``None`` = 5 mV. If the samples are further
            apart than this, their distance is used instead.

    Returns:
        ``None`` = fewer than five samples have a voltage.
    """
    values = voltage[part.rows]
    known = np.isfinite(values)
    if known.sum() < LEAST_SAMPLES:
        return None
    values = values[known]
    charge = part.charge_ah[known]
    if charge[-1] <= charge[0]:
        return None
    sign = 1.0 if part.charging else -1.0
    steps = np.diff(charge)
    apart_volt = float(np.average(np.abs(np.diff(values)), weights=steps))
    apart_ah = float(np.average(steps, weights=steps))
    sigma_volt = max(SMOOTHING_VOLT if smoothing_volt is None else smoothing_volt, apart_volt)
    sigma_ah = max(SMOOTHING_SHARE * (charge[-1] - charge[0]), apart_ah)
    levels, passed = charge_by_voltage(values, charge)
    dq_dv = sign * smooth(passed / BIN_VOLT, sigma_volt / BIN_VOLT)
    at, dv_dq = _voltage_by_charge(values, charge, sigma_ah)
    return Increments(part, levels, dq_dv, at, dv_dq, sigma_volt, sigma_ah)


def charge_by_voltage(voltage: Floats, charge: Floats) -> tuple[Floats, Floats]:
    """Return the charge that passes in each voltage level of 1 mV; their sum is the charge of all samples.

    Between two samples the voltage is a straight line over charge, up or down: noise moves charge to near levels and
    loses none.

    Args:
        voltage: V, shape (n,).
        charge: A h, not decreasing, shape (n,).

    Returns:
        Middle of each level in V, and charge in A h.
    """
    low = np.minimum(voltage[:-1], voltage[1:])
    high = np.maximum(voltage[:-1], voltage[1:])
    flat = high - low < FLAT_VOLT
    middle = 0.5 * (low + high)
    low = np.where(flat, middle - FLAT_VOLT / 2, low)
    high = np.where(flat, middle + FLAT_VOLT / 2, high)
    density = np.diff(charge) / (high - low)
    ends = np.concatenate([low, high])
    order = np.argsort(ends, kind="stable")
    ends = ends[order]
    rising = np.cumsum(np.concatenate([density, -density])[order])
    passed = np.concatenate([[0.0], np.cumsum(rising[:-1] * np.diff(ends))])
    first = np.floor(ends[0] / BIN_VOLT)
    count = int(np.floor(ends[-1] / BIN_VOLT) - first) + 1
    edges = (first + np.arange(count + 1)) * BIN_VOLT
    return 0.5 * (edges[:-1] + edges[1:]), np.diff(np.interp(edges, ends, passed))


def _voltage_by_charge(voltage: Floats, charge: Floats, sigma_ah: float) -> tuple[Floats, Floats]:
    """Return dV/dQ between charge levels: the change of the mean voltage of one to the next."""
    keep = np.concatenate([[True], np.diff(charge) > 0.0])
    voltage = voltage[keep]
    charge = charge[keep]
    edges = np.linspace(charge[0], charge[-1], CHARGE_BINS + 1)
    area = np.concatenate([[0.0], np.cumsum(0.5 * (voltage[1:] + voltage[:-1]) * np.diff(charge))])
    at = np.unique(np.concatenate([charge, edges]))
    values = np.interp(at, charge, voltage)
    area = np.concatenate([[0.0], np.cumsum(0.5 * (values[1:] + values[:-1]) * np.diff(at))])
    width = edges[1] - edges[0]
    mean = np.diff(np.interp(edges, at, area)) / width
    return edges[1:-1], smooth(np.diff(mean) / width, sigma_ah / width)


def smooth(values: Floats, sigma: float) -> Floats:
    """Smooth with a Gaussian that is reflected at the ends, so that the sum stays the same.

    Args:
        values: shape (n,).
        sigma: standard deviation, in samples; 0 = no smoothing.
    """
    half = min(int(np.ceil(KERNEL_SIGMAS * sigma)), len(values))
    if half < 1:
        return values
    kernel = np.exp(-0.5 * (np.arange(-half, half + 1) / sigma) ** 2)
    convolved: Any = np.convolve(np.pad(values, half, mode="symmetric"), kernel / kernel.sum(), mode="valid")
    smoothed: Floats = convolved
    return smoothed


def describe_smoothing(all_increments: Sequence[Increments]) -> str:
    """Return how the curves were computed and smoothed, for the caption."""
    volts = [1000.0 * each.smoothing_volt for each in all_increments]
    shares = [100.0 * each.smoothing_ah / float(each.part.charge_ah[-1]) for each in all_increments]
    return (
        "Constant-current part of each step (within 2 % of its current). Q is the charge passed since it began, so "
        "dQ/dV and dV/dQ are > 0 in charge and < 0 in discharge. "
        f"dQ/dV: charge in levels of {1000 * BIN_VOLT:.0f} mV, smoothed with a Gaussian, "
        f"σ = {_span(volts)} mV. dV/dQ: change of the mean voltage between {CHARGE_BINS} levels of charge, "
        f"σ = {_span(shares)} % of the charge. σ is at least the distance of the samples."
    )


def _span(values: Sequence[float]) -> str:
    low, high = f"{min(values):.2g}", f"{max(values):.2g}"
    return low if low == high else f"{low} to {high}"
