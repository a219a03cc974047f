"""Classify steps by the signal: charge, discharge, rest, hold at a voltage, or pulses; and number steps from it."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...data import columns as c
from ...data.arrays import Floats, Integers, Mask
from ...data.convert import SECONDS_PER_HOUR
from .charge import REST_CURRENT_PER_AH, capacity_scale_ah
from .groups import first_of_runs, group_medians, run_of_each
from .table import Columns

# A hold

HOLD_BAND_VOLT: Final = 0.005
"""V from the median: a held voltage stays this close to it. Chosen, not measured."""

HOLD_SHARE: Final = 0.7
"""Least share of a step's samples at the held voltage. Chosen, not measured."""

HOLD_DECAY: Final = 0.8
"""Share of the current at the beginning of a hold: at its end the current is smaller. Chosen, not measured."""

HOLD_SAMPLES: Final = 4
"""Least number of samples at the held voltage. Chosen, not measured."""

SMALL_HOLD_SAMPLES: Final = 10
"""Least number of samples of a hold at a current that is as small as at rest. Chosen, not measured."""

SMALL_HOLD_VOLT: Final = 0.0005
"""V: the voltage of such a hold varies by less from its first sample on: it does not relax. Chosen, not measured."""

# A pulse

PULSE_SECOND: Final = 60.0
"""s: longest pulse that is a step by itself. Chosen, not measured."""

PULSE_SHARE: Final = 0.05
"""Share of the capacity: most charge of such a pulse. Chosen, not measured."""

EDGE_PER_AH: Final = 0.1
"""A per A.h of capacity: smallest edge of the current within a step. Chosen, not measured."""

EDGE_SHARE: Final = 0.3
"""Share of the step's largest current: smallest edge within it. Both limits apply. Chosen, not measured."""

PULSE_EDGES: Final = 6
"""Least number of edges in a step that is a series of pulses or a drive cycle. Chosen, not measured."""


def classify_steps(
    samples: Columns, nominal_capacity_ah: float | None = None, rest_current_per_ah: float = REST_CURRENT_PER_AH
) -> NDArray[Any]:
    """Return each sample's step type; all samples of one ``step_count`` have the same.

    - A step rests if the median of its current is below ``rest_current_per_ah``. It is a hold if the voltage jumps to a
      value and stays there while a small current flows, and the channel reads exactly 0 A at other rests.
    - It holds a voltage if most of its samples are within 5 mV of one voltage while the current decays.
    - It is a pulse if it is short, moves little charge and is between rests or other pulses; or if its current jumps
      six times or more.
    - Otherwise it charges or discharges, at constant current if the cycler controls it.

    Args:
        samples: with ``test_time_second``, ``voltage_volt``, ``current_ampere`` and ``step_count``.
        nominal_capacity_ah: A.h; ``None`` = a scale from the record itself.
        rest_current_per_ah: A per A.h of capacity.

    Returns:
        Shape (n,), texts of ``data.columns.STEP_TYPES``.
    """
    number, types = classify_each_step(samples, nominal_capacity_ah, rest_current_per_ah)
    return types[number]


CLASSIFIED_BY: Final = (c.TEST_TIME, c.CURRENT, c.VOLTAGE, c.STEP_COUNT)
"""The columns by which :func:`classify_each_step` classifies steps."""


def classify_each_step(
    samples: Columns, nominal_capacity_ah: float | None = None, rest_current_per_ah: float = REST_CURRENT_PER_AH
) -> tuple[Integers, NDArray[Any]]:
    """Return the step of each sample and the type of each step, as :func:`classify_steps` describes.

    Args:
        samples, nominal_capacity_ah, rest_current_per_ah: as in :func:`classify_steps`.

    Returns:
        Steps from 0 to steps - 1, shape (n,), and types, shape (steps,).
    """
    time = np.asarray(samples[c.TEST_TIME], dtype=np.float64)
    current = np.asarray(samples[c.CURRENT], dtype=np.float64)
    voltage = np.asarray(samples[c.VOLTAGE], dtype=np.float64)
    scale_ah = capacity_scale_ah(time, current, nominal_capacity_ah)
    rest_ampere = rest_current_per_ah * scale_ah
    count = np.asarray(samples[c.STEP_COUNT])
    if (count[1:] >= count[:-1]).all():
        number = run_of_each(count)
        types = _types_without_pulses(number, current, voltage, rest_ampere)
    else:
        number = pd.factorize(count)[0]
        order = np.argsort(number, kind="stable")
        types = _types_without_pulses(number[order], current[order], voltage[order], rest_ampere)
    types[is_pulse_step(number, time, current, types == "rest", scale_ah)] = "pulse"
    return number, types


def _types_without_pulses(number: Integers, current: Floats, voltage: Floats, rest_ampere: float) -> NDArray[Any]:
    """Return the type of each step, shape (steps,); pulses are charges or discharges here.

    Args:
        number: the step of each sample, 0 to steps - 1, not decreasing, shape (n,).
        current, voltage: A and V, shape (n,), NaN where missing.
        rest_ampere: A, up to which the cell rests.
    """
    bounds = np.append(first_of_runs(number), len(number))
    active = _median_above(bounds, current, rest_ampere) | _median_above(bounds, -current, rest_ampere)
    types = np.where(_median_above(bounds, current, 0.0), "charge", "discharge").astype(object)
    types[~active] = "rest"
    types[_holds_at_small_current(bounds, current, voltage, ~active)] = "hold"
    # A hold's current ends smaller than it was somewhere. This quick look avoids most of the medians below.
    size = np.abs(current)
    first = bounds[:-1]
    decays = active
    if len(first):
        decays = np.fmin.reduceat(size, first) < HOLD_DECAY * np.fmax.reduceat(size, first)
    may_hold = active & decays
    candidates = np.flatnonzero(may_hold)
    if len(candidates):
        rows = may_hold[number]
        place = np.searchsorted(candidates, number[rows])
        types[candidates[is_hold_step(place, voltage[rows], current[rows])]] = "hold"
    return types


def _holds_at_small_current(bounds: Integers, current: Floats, voltage: Floats, rest: Mask) -> Mask:
    """Tell which steps hold a voltage at a current that is as small as at rest, shape (steps,).

    Args:
        bounds: first positions of the steps and the end of the last one, shape (steps + 1,).
        current, voltage: A and V, shape (n,), NaN where missing.
        rest: which steps rest by their current, shape (steps,).
    """
    holds = np.zeros(len(rest), dtype=bool)
    long = rest & (np.diff(bounds) >= SMALL_HOLD_SAMPLES)
    long[:1] = False  # before the first step there is no voltage that it could have jumped from
    if not long.any():
        return holds
    zeros = np.append(0, np.cumsum(current == 0.0))
    zeros_of_step = zeros[bounds[1:]] - zeros[bounds[:-1]]
    # Only a channel that reads exactly 0 A at rest shows that a small current is none of its errors.
    if not (rest & (2 * zeros_of_step > np.diff(bounds))).any():
        return holds
    for k in np.flatnonzero(long & (zeros_of_step == 0)).tolist():
        rows = slice(int(bounds[k]), int(bounds[k + 1]))
        one_way = (current[rows] > 0.0).all() or (current[rows] < 0.0).all()
        still = float(np.ptp(voltage[rows])) <= SMALL_HOLD_VOLT
        jumped = abs(float(voltage[rows.start] - voltage[rows.start - 1])) > HOLD_BAND_VOLT
        holds[k] = one_way and still and jumped
    return holds


def _median_above(bounds: Integers, column: Floats, limit: float) -> Mask:
    """Tell which steps' medians are above a limit, shape (steps,), by counting, which is faster than medians.

    Args:
        bounds: first positions of the steps and the end of the last one, shape (steps + 1,).
        column: shape (n,), NaN where missing.
        limit: in the column's unit.
    """
    missing = np.diff(np.searchsorted(np.flatnonzero(np.isnan(column)), bounds))
    above = np.diff(np.searchsorted(np.flatnonzero(column > limit), bounds))
    length = np.diff(bounds)
    known = length - missing
    result: Mask = 2 * above > known
    tied = (2 * above == known) & (known > 0)
    if tied.any():
        rows = np.repeat(tied, length)
        steps = int(np.count_nonzero(tied))
        number = np.repeat(np.arange(steps), length[tied])
        result[tied] = group_medians(number, column[rows], steps) > limit
    return result


def is_pulse_step(number: Integers, time_second: Floats, current: Floats, rest: Mask, capacity_ah: float) -> Mask:
    """Tell which steps are pulses.

    Args:
        number: the step of each sample, 0 to steps - 1, in order of their first samples, shape (n,).
        time_second: s, shape (n,).
        current: A, shape (n,), NaN where missing.
        rest: which steps rest, shape (steps,).
        capacity_ah: A.h, with which edges and charges scale.

    Returns:
        Shape (steps,).
    """
    steps = len(rest)
    if steps == 0:
        return np.zeros(0, dtype=bool)
    largest, first, last = _sizes_and_ends(number, time_second, current)
    known = np.isfinite(current)
    known_current = current
    known_number = number
    if not known.all():
        known_current = current[known]
        known_number = number[known]
    jump = np.abs(np.diff(known_current))
    # There are few edges, so the limits that depend on the step are applied only to them.
    edge = np.flatnonzero(jump > EDGE_PER_AH * capacity_ah)
    step_of_edge = known_number[edge + 1]
    within_step = known_number[edge] == step_of_edge
    large = jump[edge] > EDGE_SHARE * largest[step_of_edge]
    edges_of_step = np.bincount(step_of_edge[within_step & large], minlength=steps)
    many_edges = (edges_of_step >= PULSE_EDGES) & ~rest
    # A step begins at the last sample of the step before.
    duration = last - np.concatenate([first[:1], last[:-1]])
    most_charge_ah = largest * (last - first) / SECONDS_PER_HOUR
    short = (duration <= PULSE_SECOND) & (most_charge_ah <= PULSE_SHARE * capacity_ah) & ~rest
    rest_or_pulse = rest | short | many_edges
    after_one = np.concatenate([[False], rest_or_pulse[:-1]])
    before_one = np.concatenate([rest_or_pulse[1:], [False]])
    return np.asarray(many_edges | (short & after_one & before_one))


def _sizes_and_ends(number: Integers, time_second: Floats, current: Floats) -> tuple[Floats, Floats, Floats]:
    """Return each step's largest current without sign in A, and the times of its first and last sample in s.

    Args:
        number, time_second, current: as in :func:`is_pulse_step`.

    Returns:
        Three arrays of shape (steps,).
    """
    if (number[1:] < number[:-1]).any():
        order = np.argsort(number, kind="stable")
        number = number[order]
        time_second = time_second[order]
        current = current[order]
    first = first_of_runs(number)
    last = np.append(first[1:], len(number)) - 1
    largest: Floats = np.fmax.reduceat(np.abs(current), first)
    return largest, time_second[first], time_second[last]


def is_hold_step(number: Integers, voltage: Floats, current: Floats) -> Mask:
    """Tell which steps hold a voltage.

    Args:
        number: the step of each sample, 0 to steps - 1, shape (n,).
        voltage, current: V and A, shape (n,), NaN where missing.

    Returns:
        Shape (steps,).
    """
    steps = int(number.max(initial=-1)) + 1
    known = np.isfinite(voltage) & np.isfinite(current)
    if not known.all():
        number = number[known]
        voltage = voltage[known]
        current = current[known]
    # If most samples are at the held voltage, so is the median; noise and the first seconds do not matter.
    median = group_medians(number, voltage, steps)
    near = np.abs(voltage - median[number]) <= HOLD_BAND_VOLT
    samples = np.bincount(number, minlength=steps)
    held_samples, first, last = _ends_of_groups(number[near], np.abs(current[near]), steps)
    held_share = held_samples / np.maximum(samples, 1)
    decays = last < HOLD_DECAY * first
    result: Mask = (held_share >= HOLD_SHARE) & decays & (held_samples >= HOLD_SAMPLES)
    return result


def _ends_of_groups(group: Integers, values: Floats, groups: int) -> tuple[Integers, Floats, Floats]:
    """Return size, first and last value of each group.

    Args:
        group: the group of each value, 0 to groups - 1, shape (n,).
        values: without missing ones, shape (n,).
        groups: number of groups.

    Returns:
        Three arrays of shape (groups,); first and last are NaN for a group without values.
    """
    if (group[1:] < group[:-1]).any():
        order = np.argsort(group, kind="stable")
        group = group[order]
        values = values[order]
    size = np.bincount(group, minlength=groups)
    end = np.cumsum(size)
    filled = size > 0
    first = np.full(groups, np.nan)
    last = np.full(groups, np.nan)
    first[filled] = values[(end - size)[filled]]
    last[filled] = values[end[filled] - 1]
    return size, first, last


def count_steps_in_signal(frame: Columns, rest_ampere: float, shortest: int = 1) -> Integers:
    """Number the steps of a record without step numbers: one begins where charge, discharge, rest or hold changes.

    Args:
        frame: with ``voltage_volt`` and ``current_ampere``; a missing current is that of the row before.
        rest_ampere: A, up to which the cell rests.
        shortest: samples; shorter runs between two of one kind are not steps.

    Returns:
        Shape (n,), from 1.
    """
    current = np.asarray(pd.Series(np.asarray(frame[c.CURRENT])).ffill().bfill(), dtype=np.float64)
    voltage = np.asarray(frame[c.VOLTAGE], dtype=np.float64)
    direction = np.where(np.abs(current) > rest_ampere, np.sign(current), 0.0)
    direction = _remove_short_runs(direction, shortest)
    number = np.cumsum(np.diff(direction, prepend=direction[:1]) != 0)
    hold_begins = _hold_begins(number, voltage, current, direction != 0)
    begins = (np.diff(number, prepend=number[:1]) != 0) | hold_begins
    count: Integers = 1 + np.cumsum(begins)
    return count


def _remove_short_runs(direction: Floats, shortest: int) -> Floats:
    """Return directions in which a short run between two runs of one other direction has that direction too."""
    first = np.flatnonzero(np.diff(direction, prepend=np.nan) != 0)
    length = np.diff(np.append(first, len(direction)))
    of_run = direction[first]
    short = np.zeros(len(first), dtype=bool)
    short[1:-1] = (length[1:-1] < shortest) & (of_run[:-2] == of_run[2:])
    of_run = np.where(short, np.roll(of_run, 1), of_run)
    return np.repeat(of_run, length)


def _hold_begins(number: Integers, voltage: Floats, current: Floats, active: Mask) -> Mask:
    """Tell at which samples within a charge or discharge a hold begins, shape (n,).

    A hold begins where the voltage at the end of the step is reached and kept.

    Args:
        number: the step of each sample, not decreasing, shape (n,).
        voltage, current: V and A, shape (n,); a missing voltage is NaN, the current has none.
        active: where a current flows, shape (n,).
    """
    frame = pd.DataFrame({"number": number, "volt": voltage, "ampere": np.abs(current)})
    end_volt = frame.groupby("number")["volt"].transform("last").to_numpy()
    away = ~(np.abs(voltage - end_volt) <= HOLD_BAND_VOLT) & np.isfinite(voltage)
    position = np.arange(len(number))
    last_away = pd.Series(np.where(away, position, -1)).groupby(number).transform("max").to_numpy()
    at_end_volt = (position > last_away) & active
    held = frame[at_end_volt].groupby("number")["ampere"].agg(["size", "first", "last"])
    is_hold = (held["size"] >= HOLD_SAMPLES) & (held["last"] < HOLD_DECAY * held["first"])
    first_at_end_volt = (position == last_away + 1) & (position > 0)
    begins: Mask = at_end_volt & np.isin(number, held.index[is_hold]) & first_at_end_volt
    return begins
