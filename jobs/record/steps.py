"""What the cell does in each sample, read from the signal: charge, discharge, rest, hold at a voltage, or pulses."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...data import columns as c
from ...data.arrays import Floats, Integers
from ...data.convert import SECONDS_PER_HOUR
from .charge import REST_CURRENT_PER_AH, capacity_scale_ah

HOLD_BAND_VOLT: Final = 0.005  # within which a held voltage stays
HOLD_SHARE: Final = 0.7  # of a step's samples at the held voltage
HOLD_DECAY: Final = 0.8  # a held step's current ends below this share of its start
HOLD_SAMPLES: Final = 4
PULSE_SECOND: Final = 60.0  # the longest of a pulse that is a step of its own
PULSE_SHARE: Final = 0.05  # of the capacity, the most that such a pulse passes
EDGE_PER_AH: Final = 0.1  # A per A.h, the least edge of the current within a step
EDGE_SHARE: Final = 0.3  # ... and of the step's largest current
PULSE_EDGES: Final = 6  # of a step that is a train of pulses, or a drive cycle


def classify_steps(
    samples: pd.DataFrame, nominal_capacity_ah: float | None = None, rest_current_per_ah: float = REST_CURRENT_PER_AH
) -> NDArray[Any]:
    """Tell each sample's step type, one for all samples of a ``step_count``.

    A step rests when the median of its current stays below ``rest_current_per_ah`` (A per A.h of capacity). It holds
    when most of its samples are within 5 mV of one voltage while the current decays. It is a pulse, or several, when it
    is short, passes next to nothing and stands between rests or other pulses, or when its current jumps six times or
    more. Else it charges or discharges, at constant current where the cycler holds it.

    Args:
        samples: with ``test_time_second``, ``voltage_volt``, ``current_ampere`` and ``step_count``.
        nominal_capacity_ah: A.h; ``None`` = a scale from the record itself.

    Returns:
        Shape (n,), texts of ``data.columns.STEP_TYPES``.
    """
    number, kinds = classify_each_step(samples, nominal_capacity_ah, rest_current_per_ah)
    return kinds[number]


def classify_each_step(
    samples: pd.DataFrame, nominal_capacity_ah: float | None = None, rest_current_per_ah: float = REST_CURRENT_PER_AH
) -> tuple[Integers, NDArray[Any]]:
    """Return the step of each sample, 0 to steps - 1, shape (n,), and each step's type (:func:`classify_steps`)."""
    names = (c.TEST_TIME, c.CURRENT, c.VOLTAGE)
    time, current, voltage = (samples[name].to_numpy(dtype=np.float64) for name in names)
    scale = capacity_scale_ah(time, current, nominal_capacity_ah)
    count = samples[c.STEP_COUNT].to_numpy()
    rise = np.diff(count)
    if not (rise >= 0).all():
        number = pd.factorize(count)[0]
        order = np.argsort(number, kind="stable")
        kinds = _step_types(number[order], current[order], voltage[order], rest_current_per_ah * scale)
    else:
        number = np.cumsum(np.concatenate([[0], rise != 0]))
        kinds = _step_types(number, current, voltage, rest_current_per_ah * scale)
    kinds[is_pulse_step(number, time, current, kinds == "rest", scale)] = "pulse"
    return number, kinds


def _step_types(number: Integers, current: Floats, voltage: Floats, rest_ampere: float) -> NDArray[Any]:
    """Each step's type, shape (steps,); the steps of the samples do not decrease."""
    bounds = np.concatenate([np.flatnonzero(np.diff(number, prepend=-1)), [len(number)]])
    active = _median_above(bounds, current, rest_ampere) | _median_above(bounds, -current, rest_ampere)
    kinds = np.where(_median_above(bounds, current, 0.0), "charge", "discharge").astype(object)
    kinds[~active] = "rest"
    # Only where the current ends smaller than it was somewhere can a voltage be held, and held() costs medians.
    size, first = np.abs(current), bounds[:-1]
    decays = np.fmin.reduceat(size, first) < HOLD_DECAY * np.fmax.reduceat(size, first) if len(first) else active
    asked = np.flatnonzero(active & decays)
    if len(asked):
        rows = (active & decays)[number]
        place = np.searchsorted(asked, number[rows])
        kinds[asked[is_hold_step(place, voltage[rows], current[rows])]] = "hold"
    return kinds


def _median_above(bounds: Integers, column: Floats, limit: float) -> NDArray[np.bool_]:
    """Tell which steps' medians are above a limit, shape (steps,), by counting, which costs no median.

    Args:
        bounds: where the steps begin and the last one ends, shape (steps + 1,).
    """
    missing = np.diff(np.searchsorted(np.flatnonzero(np.isnan(column)), bounds))
    above = np.diff(np.searchsorted(np.flatnonzero(column > limit), bounds))
    samples = np.diff(bounds) - missing
    result: NDArray[np.bool_] = 2 * above > samples
    tied = (2 * above == samples) & (samples > 0)
    if tied.any():
        rows, number = np.repeat(tied, np.diff(bounds)), np.repeat(np.arange(len(tied)), np.diff(bounds))
        result[tied] = pd.Series(column[rows]).groupby(number[rows]).median().to_numpy() > limit
    return result


def is_pulse_step(
    number: Integers, time_second: Floats, current: Floats, rest: NDArray[np.bool_], capacity_ah: float
) -> NDArray[np.bool_]:
    """Tell which steps are pulses.

    Args:
        number: the step of each sample, 0 to steps - 1, in order of their first samples.
        rest: which steps rest, shape (steps,).

    Returns:
        Shape (steps,).
    """
    steps = len(rest)
    if steps == 0:
        return np.zeros(0, dtype=bool)
    largest, first, last = _sizes_and_ends(number, time_second, current)
    known = np.isfinite(current)
    flow, own = (current, number) if known.all() else (current[known], number[known])
    jump = np.abs(np.diff(flow))
    # Edges are few: only what is one in any step is asked about its own.
    at = np.flatnonzero(jump > EDGE_PER_AH * capacity_ah)
    at = at[(own[at + 1] == own[at]) & (jump[at] > EDGE_SHARE * largest[own[at + 1]])]
    train = (np.bincount(own[at + 1], minlength=steps) >= PULSE_EDGES) & ~rest
    # A step begins somewhere after the last sample of the step before.
    length = last - np.concatenate([first[:1], last[:-1]])
    amount = largest * (last - first) / SECONDS_PER_HOUR
    short = (length <= PULSE_SECOND) & (amount <= PULSE_SHARE * capacity_ah) & ~rest
    still = rest | short | train
    beside = np.concatenate([[False], still[:-1]]) & np.concatenate([still[1:], [False]])
    return np.asarray(train | (short & beside))


def _sizes_and_ends(number: Integers, time_second: Floats, current: Floats) -> tuple[Floats, Floats, Floats]:
    """Each step's largest current without sign (A), and the times of its first and last sample (s), shape (steps,)."""
    if (number[1:] < number[:-1]).any():
        order = np.argsort(number, kind="stable")
        number, time_second, current = number[order], time_second[order], current[order]
    first = np.flatnonzero(np.diff(number, prepend=-1))
    largest: Floats = np.fmax.reduceat(np.abs(current), first)
    return largest, time_second[first], time_second[np.append(first[1:], len(number)) - 1]


def is_hold_step(number: Integers, voltage: Floats, current: Floats) -> NDArray[np.bool_]:
    """Tell which steps hold a voltage.

    Args:
        number: the step of each sample, 0 to steps - 1.

    Returns:
        Shape (steps,).
    """
    known = np.isfinite(voltage) & np.isfinite(current)
    steps = int(number.max(initial=-1)) + 1
    frame = pd.DataFrame({"n": number[known], "v": voltage[known], "i": np.abs(current[known])})
    by_step = frame.groupby("n")
    # Where most samples are at the held voltage, the median is; noise and the first seconds do not decide.
    middle = by_step["v"].median()
    frame = frame[np.abs(frame["v"] - frame["n"].map(middle)) <= HOLD_BAND_VOLT]
    band = frame.groupby("n")["i"].agg(["size", "first", "last"]).reindex(range(steps))
    share = band["size"].to_numpy() / by_step.size().reindex(range(steps)).to_numpy()
    decays = band["last"].to_numpy() < HOLD_DECAY * band["first"].to_numpy()
    result: NDArray[np.bool_] = (share >= HOLD_SHARE) & decays & (band["size"].to_numpy() >= HOLD_SAMPLES)
    return result


def count_steps_in_signal(frame: pd.DataFrame, rest_ampere: float, shortest: int = 1) -> Integers:
    """Number steps of a record that has no step numbers: a new one wherever charge, discharge, rest or hold changes.

    Args:
        frame: with ``voltage_volt`` and ``current_ampere``; a missing current goes on as it was.
        rest_ampere: A, below which the cell rests.
        shortest: samples; shorter runs between two of one kind are not steps of their own.

    Returns:
        Shape (n,), from 1.
    """
    current = frame[c.CURRENT].ffill().bfill().to_numpy(dtype=np.float64)
    state = np.where(np.abs(current) > rest_ampere, np.sign(current), 0.0)
    state = _remove_short_runs(state, shortest)
    number = np.cumsum(np.diff(state, prepend=state[:1]) != 0)
    tail = _hold_tails(number, frame[c.VOLTAGE].to_numpy(dtype=np.float64), current, state != 0)
    changed = (np.diff(number, prepend=number[:1]) != 0) | tail
    result: Integers = 1 + np.cumsum(changed)
    return result


def _remove_short_runs(state: Floats, shortest: int) -> Floats:
    first = np.flatnonzero(np.diff(state, prepend=np.nan) != 0)
    length = np.diff(np.append(first, len(state)))
    kinds = state[first]
    short = np.zeros(len(first), dtype=bool)
    short[1:-1] = (length[1:-1] < shortest) & (kinds[:-2] == kinds[2:])
    kinds = np.where(short, np.roll(kinds, 1), kinds)
    return np.repeat(kinds, length)


def _hold_tails(number: Integers, voltage: Floats, current: Floats, active: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell where, within a charge or discharge, a held voltage begins: the end's voltage is reached and stays."""
    frame = pd.DataFrame({"n": number, "v": voltage, "i": np.abs(current)})
    end = frame.groupby("n")["v"].transform("last").to_numpy()
    away = ~(np.abs(voltage - end) <= HOLD_BAND_VOLT) & np.isfinite(voltage)
    place = np.arange(len(number))
    last_away = pd.Series(np.where(away, place, -1)).groupby(number).transform("max").to_numpy()
    inside = (place > last_away) & active
    tail = frame[inside].groupby("n")["i"].agg(["size", "first", "last"])
    good = tail.index[(tail["size"] >= HOLD_SAMPLES) & (tail["last"] < HOLD_DECAY * tail["first"])]
    starts: NDArray[np.bool_] = inside & np.isin(number, good) & (place == last_away + 1) & (place > 0)
    return starts
