"""Cleaning rules about voltages that change without a reason: by a contact, or by another channel."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Floats, Integers, Mask
from ...data.rules import flag_bit
from ...data.settings import CleanSettings
from ...data.text import format_amount
from ..record.noise import estimate_step_noise
from ..record.units import SAMPLED
from .foreign_rows import (
    LIMIT_VOLT,
    STUCK_CHARGE_SHARE,
    STUCK_EDGE_PER_AH,
    STUCK_EDGES,
    STUCK_FACTOR,
    STUCK_SAMPLES,
    STUCK_STEADY_SHARE,
)
from .rule import RuleOutcome, column_values, constant_text, find_runs, number_text, rest_current, run_events, set_flag

AROUND: Final = 3  # intervals on either side that tell how the voltage moves
STEEP: Final = 5.0  # times what it moves there, in the same time
RESOLUTIONS: Final = 3.0  # of the channel
STEP_NOISE: Final = 8.0  # standard deviations of the step's noise
SAME_SHARE: Final = 0.02  # by which a current may differ and be the same
LONG: Final = 5.0  # times the interval there: something may have happened between two samples
REST_SAMPLES: Final = 5  # from which a rest's voltage on one side is taken
RELAXATION_FACTOR: Final = 2.0  # times what a relaxation goes on by


def voltage_step(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Report voltages that change by ``voltage_step_volt`` or more between two samples and stay, without the current.

    The current, the interval and the step are the same over three intervals on either side, in none of which the
    voltage moves a fifth as fast: so no edge, pulse, relaxation or end of discharge is touched. A contact's resistance
    has changed, or the channel's leads. Values are left.
    """
    time, voltage, current = (column_values(frame, name) for name in (c.TEST_TIME, c.VOLTAGE, c.CURRENT))
    changed = np.zeros(len(frame), dtype=bool)
    moves = np.abs(np.diff(voltage))
    if float(moves.max(initial=0.0)) < settings.voltage_step_volt:
        return RuleOutcome(frame)
    some = moves[:: max(len(moves) // SAMPLED, 1)]
    resolution = float(np.quantile(some[some > 0.0], 0.05)) if (some > 0.0).any() else 0.0
    # The current's own steps are left out first: of a drive cycle they are most.
    goes_on = np.abs(np.diff(current)) <= SAME_SHARE * np.abs(current[1:]) + 0.2 * rest_current(settings)
    candidates = 1 + np.flatnonzero(goes_on & (moves >= max(settings.voltage_step_volt, RESOLUTIONS * resolution)))
    candidates = candidates[(candidates > AROUND) & (candidates + AROUND < len(frame))]
    if len(candidates):
        at = _alone(time, voltage, candidates)
        at = at[_same_control(frame, current, at, settings)]
        noise = estimate_step_noise(time, np.nan_to_num(voltage), frame[c.STEP_COUNT].to_numpy().astype(np.int64))
        changed[at[np.abs(voltage[at] - voltage[at - 1]) >= STEP_NOISE * noise[at]]] = True
    told = run_events(
        frame, changed, "voltage_step", lambda i, n: f"{voltage[i - 1]:.5g} V, then {voltage[i]:.5g} V",
        lambda i, n: f"{format_amount(current[i])} A throughout", constant_text("reported"),
    )  # fmt: skip
    return RuleOutcome(set_flag(frame, changed, "voltage_step"), tuple(told))


def _alone(time: Floats, voltage: Floats, at: Integers) -> Integers:
    """Of intervals that end in these samples, those in which the voltage moves far faster than in any beside them."""
    beside = np.array([k for k in range(-AROUND, AROUND + 1) if k != 0])
    near = at[:, None] + beside
    seconds, rise = time[near] - time[near - 1], voltage[near] - voltage[near - 1]
    own = time[at] - time[at - 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = np.max(np.abs(rise) / seconds, axis=1) * own
        # What a coarse clock puts into one interval may be of another one.
        steady = (own <= LONG * np.median(seconds, axis=1)) & (own >= np.median(seconds, axis=1) / LONG)
        alone = np.abs(voltage[at] - voltage[at - 1]) > STEEP * np.maximum(expected, np.max(np.abs(rise), axis=1))
    kept: Integers = at[alone & steady]
    return kept


def _same_control(frame: pd.DataFrame, current: Floats, at: Integers, settings: CleanSettings) -> Mask:
    """Tell where step and current are the same over all intervals around."""
    near = at[:, None] + np.arange(-AROUND - 1, AROUND + 1)
    step, flags = frame[c.STEP_COUNT].to_numpy(), frame[c.FLAGS].to_numpy(dtype=np.int64)
    around = current[near]
    bound = SAME_SHARE * np.abs(np.median(around, axis=1)) + 0.2 * rest_current(settings)
    whole = (flags[near] & (flag_bit("time_gap") | flag_bit("time_restart")) == 0).all(axis=1)
    same: Mask = whole & (np.ptp(around, axis=1) <= bound) & (step[near] == step[at][:, None]).all(axis=1)
    return same


def channel_change(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Report where a rest's voltage is another one after a new file, a restart or a pause, though no charge has passed.

    Both sides are at rest, and the difference is ``channel_difference_volt`` or more, and more than the relaxation
    still going on can explain: the cell was moved to another channel, or charge passed unseen. Values are left.
    """
    time, voltage = column_values(frame, c.TEST_TIME), column_values(frame, c.VOLTAGE)
    flags, source = frame[c.FLAGS].to_numpy(dtype=np.int64), frame[c.SOURCE_INDEX].to_numpy()
    broken = (flags & (flag_bit("time_gap") | flag_bit("time_restart")) != 0) | (
        np.diff(source, prepend=source[:1]) != 0
    )
    broken[_pauses(time, settings)] = True
    if not broken.any():
        return RuleOutcome(frame)
    changed = np.zeros(len(frame), dtype=bool)
    resting = np.abs(column_values(frame, c.CURRENT)) <= rest_current(settings)
    first, length = find_runs(resting & np.isfinite(voltage))
    # Broken places are few: files, restarts, power cuts.
    for i in np.flatnonzero(broken):
        k = int(np.searchsorted(first, i, side="right")) - 1
        if k < 0 or i >= first[k] + length[k]:
            continue
        before, after = np.arange(first[k], i), np.arange(i, first[k] + length[k])
        if min(len(before), len(after)) >= REST_SAMPLES:
            left, right = np.median(voltage[before[-REST_SAMPLES:]]), np.median(voltage[after[:REST_SAMPLES]])
            bound = settings.channel_difference_volt + _possible_relaxation_volt(time, voltage, before, after)
            changed[i] = abs(right - left) >= bound
    told = run_events(
        frame, changed, "channel_change", lambda i, n: f"{voltage[i - 1]:.5g} V at rest, then {voltage[i]:.5g} V",
        constant_text("no charge between"), constant_text("reported"),
    )  # fmt: skip
    return RuleOutcome(set_flag(frame, changed, "channel_change"), tuple(told))


def _pauses(time: Floats, settings: CleanSettings) -> Integers:
    """Samples before which nothing was written for far longer than usual around them."""
    interval = np.diff(time, prepend=time[:1])
    at = np.flatnonzero(interval > settings.gap_second)
    near = np.clip(at[:, None] + np.array([-3, -2, -1, 1, 2, 3]), 0, len(time) - 1)
    usual = np.maximum(*(np.median(interval[near[:, side]], axis=1) for side in (slice(0, 3), slice(3, 6))))
    long: Integers = at[interval[at] > settings.gap_factor * usual]
    return long


def _possible_relaxation_volt(time: Floats, voltage: Floats, before: Integers, after: Integers) -> float:
    """How far a relaxation may go on between the medians, in V: as much as in its last third for each like factor."""
    middle = float(np.median(time[before[-REST_SAMPLES:]]))
    elapsed = float(np.median(time[after[:REST_SAMPLES]])) - middle
    rested = float(time[before[-1]] - time[before[0]])
    third = before[time[before] >= time[before[0]] + 2.0 * rested / 3.0]
    moved = float(np.ptp(voltage[third])) if rested > 0.0 else 0.0
    factors = np.log1p(elapsed / max(middle - float(time[before[0]]), 1.0)) / np.log(1.5)
    noise = float(np.median(np.abs(np.diff(voltage[after]))))
    return RELAXATION_FACTOR * moved * max(1.0, float(factors)) + noise


def voltage_stuck(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Flag a voltage that stays exactly the same over many samples while a current flows, but not at a held voltage.

    Either 5 % of the capacity passes at a steady current, and voltages elsewhere change ten times as often; or the
    current jumps up and down and the voltage does not respond. A held voltage is told from both by its current, which
    decays, and by its value, at the top or bottom of the record's. Nothing is changed.
    """
    voltage = column_values(frame, c.VOLTAGE)
    stuck = np.zeros(len(voltage), dtype=bool)
    first, length = find_runs(np.diff(voltage) == 0.0)
    length = length + 1
    usual = _usual_length(length, len(voltage))
    low, high = np.nanmin(voltage, initial=np.inf), np.nanmax(voltage, initial=-np.inf)
    inside = (voltage[first] > low + LIMIT_VOLT) & (voltage[first] < high - LIMIT_VOLT) & (length >= STUCK_SAMPLES)
    for i, n in zip(first[inside], length[inside], strict=True):
        rows = slice(int(i), int(i + n))
        stuck[rows] = _ignores_current(frame, rows, settings) or (
            n >= STUCK_FACTOR * usual and _passes_charge(frame, rows, settings)
        )
    told = run_events(
        frame, stuck, "voltage_stuck", number_text(voltage, "V"), constant_text("as it was"), constant_text("left")
    )
    return RuleOutcome(set_flag(frame, stuck, "voltage_stuck"), tuple(told))


def _usual_length(length: Integers, samples: int) -> float:
    """How many samples in a row have one voltage, for the median sample outside the longest such run."""
    ordered = np.sort(length)[:-1] if len(length) else length
    singles = samples - int(length.sum())
    reached = singles + np.cumsum(ordered)
    half = 0.5 * (reached[-1] if len(reached) else singles)
    return 1.0 if singles >= half else float(ordered[np.searchsorted(reached, half)])


def _passes_charge(frame: pd.DataFrame, rows: slice, settings: CleanSettings) -> bool:
    """Tell whether a good part of the capacity passes at one current."""
    current, time = column_values(frame, c.CURRENT)[rows], column_values(frame, c.TEST_TIME)[rows]
    if not np.isfinite(current).all():
        return False
    size = float(abs(np.median(current)))
    steady = float(np.ptp(current)) <= STUCK_STEADY_SHARE * size
    charge = size * float(time[-1] - time[0]) / 3600.0
    return steady and charge >= STUCK_CHARGE_SHARE * (settings.nominal_capacity_ah or 1.0)


def _ignores_current(frame: pd.DataFrame, rows: slice, settings: CleanSettings) -> bool:
    """Tell whether the current jumps up and down within these rows."""
    jump = np.diff(column_values(frame, c.CURRENT)[rows])
    edge = STUCK_EDGE_PER_AH * (settings.nominal_capacity_ah or 1.0)
    return min(int((jump > edge).sum()), int((jump < -edge).sum())) >= STUCK_EDGES
