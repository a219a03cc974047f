"""Cleaning rules about the current as a whole: its sign, its offset, and whether the cell was discharged at all."""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...data import columns as c
from ...data.arrays import Floats, Integers, Mask
from ...data.settings import CleanSettings
from ...data.text import format_count
from ..record.steps import classify_each_step
from .rule import Event, RuleOutcome, column_values, rest_current, set_flag, word_codes
from .voltage_jumps import CONTACT_VOLT, find_voltage_jumps

DISCHARGE_WORD: Final = re.compile(r"\b(cc|cv|cccv|cp|cr)?[\s_-]*(d|dch|dchg|dis|disch|dischg|discharge|discharging)\b")
CHARGE_WORD: Final = re.compile(r"\b(cc|cv|cccv|cp|cr)?[\s_-]*(c|cha|chg|chrg|charge|charging)\b")
EDGE_PER_AH: Final = 0.1  # A per A.h, the least edge of the current that is asked about the sign
EDGE_SECOND: Final = 60.0
EDGE_VOLT: Final = 0.003
TREND_VOLT: Final = 0.05
LEAST_VOTES: Final = 5  # signs of the voltage that must be there to contradict what the campaign says
AGREEMENT: Final = 0.8  # of the evidence, to turn a sign
OFFSET_PER_AH: Final = 0.0002  # A per A.h, the least offset that is reported
OFFSET_SAMPLES: Final = 10
LEAST_DISCHARGE: Final = 0.001  # of the capacity
FIRST_SAMPLES: Final = 50_000  # that are asked first for a discharge


def state_signs(states: pd.Series[Any]) -> Floats:
    """Turn the cycler's words into +1 (charge), -1 (discharge) or 0 (anything else), shape (n,)."""
    code, words = word_codes(states)
    if not words:
        return np.zeros(len(states))
    signs = [0.0]
    for word in words:
        said = word.lower().replace("_", " ")
        signs.append(-1.0 if DISCHARGE_WORD.search(said) else 1.0 if CHARGE_WORD.search(said) else 0.0)
    result: Floats = np.array(signs)[code + 1]
    return result


def current_sign(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Make the current positive for charge.

    ``charge_positive`` leaves it, ``discharge_positive`` turns it. ``auto``: a current that is never negative gets its
    sign from the cycler's words; a signed one is turned when words, edges (voltage against current) and trends say
    so. Evidence that contradicts itself turns nothing and is reported.
    """
    current = column_values(frame, c.CURRENT)
    if settings.current_sign == "charge_positive":
        return RuleOutcome(frame, _contradiction(frame, settings))
    if settings.current_sign == "discharge_positive":
        turned = _turned(frame, -current, "positive for discharge, as the campaign says")
        return RuleOutcome(turned.frame, (*turned.events, *_contradiction(turned.frame, settings)))
    words = state_signs(frame[c.STATE])
    votes = np.empty(0)
    if words.any():
        carrying = np.abs(current) > rest_current(settings)
        if not (current < -rest_current(settings)).any() and (carrying & (words < 0)).any():
            return _turned(frame, np.where(words < 0, -np.abs(current), current), "without a sign")
        told = words * np.sign(current)
        votes = told[carrying & (told != 0.0)]
    votes = votes if len(votes) else _evidence(frame, settings)
    if len(votes) == 0:
        return RuleOutcome(frame)
    against = float((votes < 0).mean())
    if against >= AGREEMENT:
        return _turned(frame, -current, f"positive for discharge ({against:.0%} of {len(votes)} signs of it)")
    if against <= 1.0 - AGREEMENT:
        return RuleOutcome(frame)
    saw = f"{against:.0%} of {format_count(len(votes), 'sign')} say positive for discharge"
    event = Event(
        "current_sign", int(frame.index[0]), len(frame), saw, "taken as positive for charge", "left", "warning"
    )
    return RuleOutcome(frame, (event,))


def sign_votes(frame: pd.DataFrame, settings: CleanSettings) -> tuple[int, int]:
    """Count the signs of voltage against current (edges, steps) that say positive for charge, and for discharge.

    Args:
        frame: with time, voltage and current, in time order.
    """
    votes = _evidence(frame, settings)
    return int((votes > 0).sum()), int((votes < 0).sum())


def _contradiction(frame: pd.DataFrame, settings: CleanSettings) -> tuple[Event, ...]:
    """Report where the voltage says that the sign the campaign gives is the wrong one; what was said is obeyed."""
    votes = _evidence(frame, settings)
    if len(votes) < LEAST_VOTES or float((votes < 0).mean()) < AGREEMENT:
        return ()
    saw = f"{float((votes < 0).mean()):.0%} of {len(votes)} signs contradict the campaign's current_sign"
    return (Event("current_sign", int(frame.index[0]), len(frame), saw, "as the campaign says", "left", "error"),)


def _turned(frame: pd.DataFrame, current: Floats, before: str) -> RuleOutcome:
    mask = np.isfinite(current) & (current != column_values(frame, c.CURRENT))
    frame = set_flag(frame.assign(**{c.CURRENT: current + 0.0}), mask, "current_sign")
    event = Event("current_sign", int(frame.index[0]), int(mask.sum()), before, "positive for charge", "turned")
    return RuleOutcome(frame, (event,))


def _evidence(frame: pd.DataFrame, settings: CleanSettings) -> NDArray[np.float64]:
    """Signs of current against voltage: +1 where more current goes with more voltage, at edges and over steps."""
    time, voltage, current = (column_values(frame, name) for name in (c.TEST_TIME, c.VOLTAGE, c.CURRENT))
    capacity = settings.nominal_capacity_ah or 1.0
    low, high = settings.voltage_limits_volt
    rest = rest_current(settings)
    off = find_voltage_jumps(voltage, current, rest)
    if off.any() or not (voltage.min() > low and voltage.max() < high):
        voltage = np.where((voltage > low) & (voltage < high) & ~off, voltage, np.nan)
    edge = _rows_around(np.flatnonzero(np.abs(np.diff(current)) > EDGE_PER_AH * capacity), len(current))
    # What lasts for a sample or two is a spike of one of them, and says nothing of the other.
    jump = _median_around(current, edge + 1) - _median_around(current, edge)
    rise = _median_around(voltage, edge + 1) - _median_around(voltage, edge)
    edge_like = (np.abs(jump) > EDGE_PER_AH * capacity) & (time[edge + 1] - time[edge] <= EDGE_SECOND)
    # Open leads jump further than a cell.
    edge_like &= (np.abs(rise) > EDGE_VOLT) & (np.abs(rise) < CONTACT_VOLT)
    at_edges = np.sign(jump[edge_like] * rise[edge_like])
    state = (current > rest).astype(np.int8) - (current < -rest).astype(np.int8)
    first, last = _ends_of_runs(state, np.isfinite(voltage))
    trend = voltage[last] - voltage[first]
    over_steps = np.sign(trend * state[first])[np.abs(trend) > TREND_VOLT]
    votes: Floats = np.concatenate([at_edges, over_steps])
    return np.asarray(votes[votes != 0.0], dtype=np.float64)


def _ends_of_runs(state: NDArray[np.int8], known: Mask) -> tuple[Integers, Integers]:
    """First and last known rows of the runs of one state that have any."""
    edges = 1 + np.flatnonzero(state[1:] != state[:-1])
    if known.all():
        return np.concatenate([[0], edges]), np.append(edges, len(state)) - 1
    rows = np.flatnonzero(known)
    first = np.flatnonzero(np.diff(np.searchsorted(edges, rows, side="right"), prepend=-1) != 0)
    last = np.append(first[1:], len(rows))[: len(first)] - 1
    return rows[first], rows[last]


def _rows_around(rows: Integers, samples: int) -> Integers:
    """These rows and two on either side, each once, with a row after it."""
    near = np.unique(rows[:, None] + np.arange(-2, 3))
    return near[(near >= 0) & (near < samples - 1)]


def _median_around(column: Floats, rows: Integers) -> Floats:
    """The median of what is known of five samples around each of these rows."""
    near = np.sort(column[np.clip(rows[:, None] + np.arange(-2, 3), 0, len(column) - 1)], axis=1)  # missing ones last
    there = np.maximum(np.isfinite(near).sum(axis=1), 1)
    row = np.arange(len(rows))
    middle: Floats = (near[row, (there - 1) // 2] + near[row, there // 2]) / 2.0
    return middle


def current_offset(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Take off a current that is not zero at rest: the same in all rests, and well above its own noise.

    An open circuit carries no current, so what the channel shows there is its own error, and it adds up: C/2000 is
    1 % of the capacity in 20 h. With one rest only it is reported and left, since nothing says that it lasts.
    """
    current, capacity = column_values(frame, c.CURRENT), settings.nominal_capacity_ah or 1.0
    step, kinds = classify_each_step(frame, capacity, settings.rest_current_per_ah)
    rest: Mask = (kinds == "rest")[step] & (np.abs(current) <= rest_current(settings))
    if rest.sum() < OFFSET_SAMPLES:
        return RuleOutcome(frame)
    least, at_rest = OFFSET_PER_AH * capacity, current[rest]
    # The median is as small as most samples are, and counting them costs less than it does.
    if 2 * max(np.count_nonzero(at_rest >= least), np.count_nonzero(at_rest <= -least)) < len(at_rest):
        return RuleOutcome(frame)
    offset = float(np.median(at_rest))
    if abs(offset) < least:
        return RuleOutcome(frame)
    noise = float(np.median(np.abs(current[rest] - offset))) / 0.6745
    by_step = pd.Series(current[rest]).groupby(frame[c.STEP_COUNT].to_numpy()[rest]).transform("median")
    alike = float((np.abs(by_step - offset) <= 0.5 * abs(offset)).mean())  # rests count by their samples
    if abs(offset) < max(least, 2.0 * noise) or alike < AGREEMENT:
        return RuleOutcome(frame)
    before = f"{offset:.4g} A at rest"
    first = int(frame.index[int(np.argmax(rest))])
    if frame[c.STEP_COUNT][rest].nunique() < 2:
        told = Event("current_offset", first, int(rest.sum()), before, "as it was", "reported")
        return RuleOutcome(set_flag(frame, rest, "current_offset"), (told,))
    measured: Mask = np.isfinite(current)
    told = Event("current_offset", int(frame.index[0]), int(measured.sum()), before, "0 A at rest", "subtracted")
    frame = frame.assign(**{c.CURRENT: current - offset})
    return RuleOutcome(set_flag(frame, measured, "current_offset"), (told,))
