"""Cleaning rules about the whole current: its sign, and an offset at rest."""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np

from ...data import columns as c
from ...data.arrays import Codes, Floats, Integers, Mask
from ...data.rules import Severity
from ...data.settings import CleanSettings
from ...data.text import format_count
from ..record.groups import group_medians, number_groups
from ..record.steps import CLASSIFIED_BY, classify_each_step
from ..record.table import Table
from .rule import Event, RuleOutcome, cell_capacity_ah, column_values, rest_current, set_flag, word_codes
from .unsigned_current import EDGE_VOLT, ODD_SHARE, REST_SHARE, TREND_VOLT, find_direction, typical_ampere
from .voltage_jumps import CONTACT_VOLT, find_real_extremes, find_voltage_jumps

# current_sign

DISCHARGE_WORD: Final = re.compile(r"\b(cc|cv|cccv|cp|cr)?[\s_-]*(d|dch|dchg|dis|disch|dischg|discharge|discharging)\b")
"""A word for a discharge in a cycler's state, in lower case."""

CHARGE_WORD: Final = re.compile(r"\b(cc|cv|cccv|cp|cr)?[\s_-]*(c|cha|chg|chrg|charge|charging)\b")
"""A word for a charge in a cycler's state, in lower case."""

EDGE_SHARE: Final = 0.1
"""Share of the record's typical current: smallest edge of the current that is evidence of its sign. No capacity counts
here, because it may be a guess. Chosen, not measured."""

EDGE_SECOND: Final = 60.0
"""s: longest interval in which such an edge happens. Chosen, not measured."""

MEDIAN_ROWS: Final = 5
"""Number of rows around an edge whose median is the value on its side. Odd. Chosen, not measured."""

LEAST_VOTES: Final = 5
"""Least number of votes that contradict the sign given in the campaign. Chosen, not measured."""

AGREEMENT: Final = 0.8
"""Share of the votes that inverts the sign; also the share of samples at rest that must agree on an offset. Chosen, not
measured."""

# current_offset

OFFSET_PER_AH: Final = 0.0002
"""A per A.h of capacity: smallest offset that is reported. Chosen, not measured."""

OFFSET_SAMPLES: Final = 10
"""Least number of samples at rest. Chosen, not measured."""

OFFSET_NOISE: Final = 2.0
"""An offset is at least this many standard deviations of the current's noise at rest. Chosen, not measured."""

LEAST_RESTS: Final = 0.5
"""Share of the rests, each counted once: more than this must agree on an offset. Chosen, not measured."""

OFFSET_SPREAD: Final = 0.5
"""Share of the offset: a rest agrees with it if its own median differs by less. Chosen, not measured."""


def state_signs(states: Any) -> Floats:
    """Return the sign of the current by the cycler's words: +1 (charge), -1 (discharge) or 0 (anything else).

    Args:
        states: texts as pandas has them, shape (n,).

    Returns:
        Shape (n,).
    """
    code, words = word_codes(states)
    if not words:
        return np.zeros(len(states))
    # The code -1 of a row without a word reads the first place.
    signs = np.array([0.0, *(_word_sign(word) for word in words)])
    result: Floats = signs[code + 1]
    return result


def _word_sign(word: str) -> float:
    text = word.lower().replace("_", " ")
    if DISCHARGE_WORD.search(text):
        return -1.0
    if CHARGE_WORD.search(text):
        return 1.0
    return 0.0


def current_sign(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Make the current positive for charge.

    ``charge_positive`` leaves it, ``discharge_positive`` inverts it. With ``auto``, a current that is never negative
    gets its sign from the cycler's words, or else from counters or the voltage. A signed current is inverted if most
    votes say so: words, edges (voltage against current) and trends. If the votes contradict each other, the current is
    left and this is reported.
    """
    current = column_values(frame, c.CURRENT)
    if settings.current_sign == "charge_positive":
        return RuleOutcome(frame, _contradiction(frame, settings))
    if settings.current_sign == "discharge_positive":
        inverted = _invert(frame, -current, "positive for discharge, as the campaign says")
        return RuleOutcome(inverted.frame, (*inverted.events, *_contradiction(inverted.frame, settings)))
    words = state_signs(frame[c.STATE])
    rest = REST_SHARE * typical_ampere(current)
    if not _mostly_negative(current, rest):
        direction = find_direction(frame, current, _plausible_voltage(frame, settings), words)
        if direction is not None:
            severity: Severity | None = None if words.any() else "warning"
            return _invert(frame, direction.sign * np.abs(current), direction.evidence, severity)
    word_votes = words * np.sign(current)
    votes = word_votes[(np.abs(current) > rest) & (word_votes != 0.0)]
    if not len(votes):
        votes = _voltage_votes(frame, settings)
    if not len(votes):
        return RuleOutcome(frame)
    against = float((votes < 0).mean())
    if against >= AGREEMENT:
        return _invert(frame, -current, f"positive for discharge ({against:.0%} of {len(votes)} signs of it)")
    if against <= 1.0 - AGREEMENT:
        return RuleOutcome(frame)
    before = f"{against:.0%} of {format_count(len(votes), 'sign')} say positive for discharge"
    after = "taken as positive for charge"
    event = Event("current_sign", int(frame.labels[0]), len(frame), before, after, "left", "warning")
    return RuleOutcome(frame, (event,))


def sign_votes(frame: Table, settings: CleanSettings) -> tuple[int, int]:
    """Count the votes of the voltage (at edges, over steps) for a current positive for charge, and for discharge.

    Args:
        frame: with time, voltage and current, in time order.
        settings: with the limits of the voltage, and the capacity with which thresholds scale.
    """
    votes = _voltage_votes(frame, settings)
    return int((votes > 0).sum()), int((votes < 0).sum())


def _contradiction(frame: Table, settings: CleanSettings) -> tuple[Event, ...]:
    """Return an event if the voltage contradicts the sign that the campaign gives; the campaign overrides it."""
    votes = _voltage_votes(frame, settings)
    if len(votes) < LEAST_VOTES or float((votes < 0).mean()) < AGREEMENT:
        return ()
    before = f"{float((votes < 0).mean()):.0%} of {len(votes)} signs contradict the campaign's current_sign"
    return (Event("current_sign", int(frame.labels[0]), len(frame), before, "as the campaign says", "left", "error"),)


def _mostly_negative(current: Floats, rest: float) -> bool:
    """Tell quickly whether so many currents are negative that they have a sign.

    Args:
        current: A, shape (n,), NaN where missing.
        rest: A, up to which the cell rests.
    """
    negative = np.count_nonzero(current < -rest)
    positive = np.count_nonzero(current > rest)
    return bool(negative > ODD_SHARE * (negative + positive))


def _invert(frame: Table, current: Floats, before: str, severity: Severity | None = None) -> RuleOutcome:
    """Set the current that is positive for charge, and report what it was before."""
    mask = np.isfinite(current) & (current != column_values(frame, c.CURRENT))
    # Adding zero turns -0.0 into 0.0.
    frame = set_flag(frame.assign(**{c.CURRENT: current + 0.0}), mask, "current_sign")
    event = Event(
        "current_sign", int(frame.labels[0]), int(mask.sum()), before, "positive for charge", "turned", severity
    )
    return RuleOutcome(frame, (event,))


def _voltage_votes(frame: Table, settings: CleanSettings) -> Floats:
    """Return votes on the sign of the current: +1 where voltage and current rise together, else -1, shape (votes,)."""
    time = column_values(frame, c.TEST_TIME)
    current = column_values(frame, c.CURRENT)
    voltage = _plausible_voltage(frame, settings)
    typical = typical_ampere(current)
    at_edges = _edge_votes(time, voltage, current, EDGE_SHARE * typical)
    over_steps = _trend_votes(voltage, current, REST_SHARE * typical)
    votes: Floats = np.concatenate([at_edges, over_steps])
    return np.asarray(votes[votes != 0.0], dtype=np.float64)


def _plausible_voltage(frame: Table, settings: CleanSettings) -> Floats:
    """Return the voltage in V, shape (n,), NaN where it is out of range or the leads are off."""
    voltage = column_values(frame, c.VOLTAGE)
    low, high = settings.voltage_limits_volt
    off = find_voltage_jumps(frame, settings, signed=False)
    if off.any() or not (voltage.min() > low and voltage.max() < high):
        out = ~((voltage > low) & (voltage < high))
        return np.where((out & ~find_real_extremes(frame, out, settings)) | off, np.nan, voltage)
    return voltage


def _edge_votes(time: Floats, voltage: Floats, current: Floats, least_ampere: float) -> Floats:
    """Return the product of the signs of current and voltage at each edge of the current.

    Args:
        time, voltage, current: s, V and A, shape (n,), NaN where missing.
        least_ampere: smallest edge, in A.
    """
    edge = _rows_around(np.flatnonzero(np.abs(np.diff(current)) > least_ampere), len(current))
    # A change that lasts for a sample or two is a spike of one signal and shows nothing about the other.
    jump = _median_around(current, edge + 1) - _median_around(current, edge)
    rise = _median_around(voltage, edge + 1) - _median_around(voltage, edge)
    is_edge = (np.abs(jump) > least_ampere) & (time[edge + 1] - time[edge] <= EDGE_SECOND)
    # Open leads jump further than a cell.
    of_cell = (np.abs(rise) > EDGE_VOLT) & (np.abs(rise) < CONTACT_VOLT)
    clear = is_edge & of_cell
    return np.sign(jump[clear] * rise[clear])


def _trend_votes(voltage: Floats, current: Floats, rest: float) -> Floats:
    """Return the product of the signs of the current and the change of the voltage over each charge or discharge.

    Args:
        voltage, current: V and A, shape (n,), NaN where missing.
        rest: A, up to which the cell rests.
    """
    state = (current > rest).astype(np.int8) - (current < -rest).astype(np.int8)
    first, last = _ends_of_runs(state, np.isfinite(voltage))
    trend = voltage[last] - voltage[first]
    return np.sign(trend * state[first])[np.abs(trend) > TREND_VOLT]


def _ends_of_runs(state: Codes, known: Mask) -> tuple[Integers, Integers]:
    """Return the first and last known row of each run of one state, without runs that have none.

    Args:
        state: shape (n,).
        known: in which rows the voltage is known, shape (n,).
    """
    edges = 1 + np.flatnonzero(state[1:] != state[:-1])
    if known.all():
        return np.concatenate([[0], edges]), np.append(edges, len(state)) - 1
    rows = np.flatnonzero(known)
    run = np.searchsorted(edges, rows, side="right")
    first = np.flatnonzero(np.diff(run, prepend=-1) != 0)
    last = np.append(first[1:], len(rows))[: len(first)] - 1
    return rows[first], rows[last]


def _rows_around(rows: Integers, samples: int) -> Integers:
    """Return these rows and two on either side, each once, without the record's last row."""
    near = np.unique(rows[:, None] + np.arange(-2, 3))
    return near[(near >= 0) & (near < samples - 1)]


def _median_around(column: Floats, rows: Integers) -> Floats:
    """Return the median of the known values among five samples around each of these rows, shape (rows,)."""
    half = MEDIAN_ROWS // 2
    around = np.clip(rows[:, None] + np.arange(-half, half + 1), 0, len(column) - 1)
    near = np.sort(column[around], axis=1)  # missing values last
    known = np.maximum(np.isfinite(near).sum(axis=1), 1)
    row = np.arange(len(rows))
    median: Floats = (near[row, (known - 1) // 2] + near[row, known // 2]) / 2.0
    return median


def current_offset(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Subtract a current that is not zero at rest, if it is the same in all rests and well above its own noise.

    An open circuit carries no current. What the channel shows there is its own error, and it adds up: C/2000 is 1 % of
    the capacity in 20 h. With one rest only it is reported and left, because nothing shows that it is permanent. Rests
    of exactly 0 A show that there is none. A long hold at a small current, or a step that the cycler calls a charge or
    discharge, is no rest.
    """
    current = column_values(frame, c.CURRENT)
    capacity = cell_capacity_ah(settings)
    number, kinds = frame.once(classify_each_step, CLASSIFIED_BY, capacity, settings.rest_current_per_ah)
    rest: Mask = (kinds == "rest")[number] & (np.abs(current) <= rest_current(settings))
    if rest.sum() < OFFSET_SAMPLES:
        return RuleOutcome(frame)
    rest &= ~_driven(frame, number, rest)
    step_at_rest = number[rest]
    if rest.sum() < OFFSET_SAMPLES or _exactly_zero(current[rest], step_at_rest):
        return RuleOutcome(frame)
    offset = _common_offset(current[rest], step_at_rest, OFFSET_PER_AH * capacity)
    if offset == 0.0:
        return RuleOutcome(frame)
    before = f"{offset:.4g} A at rest"
    if len(np.unique(step_at_rest)) < 2:
        first = int(frame.labels[int(np.argmax(rest))])
        event = Event("current_offset", first, int(rest.sum()), before, "as it was", "reported")
        return RuleOutcome(set_flag(frame, rest, "current_offset"), (event,))
    measured: Mask = np.isfinite(current)
    event = Event("current_offset", int(frame.labels[0]), int(measured.sum()), before, "0 A at rest", "subtracted")
    frame = frame.assign(**{c.CURRENT: current - offset})
    return RuleOutcome(set_flag(frame, measured, "current_offset"), (event,))


def _driven(frame: Table, number: Integers, rest: Mask) -> Mask:
    """Tell which rows are in steps in which a current flows by the cycler's word, however small, shape (n,)."""
    words = state_signs(frame[c.STATE])
    if not words.any():
        return np.zeros(len(rest), dtype=bool)
    charges = np.bincount(number[rest & (words != 0.0)], minlength=int(number.max()) + 1)
    of_step = np.bincount(number[rest], minlength=len(charges))
    driven: Mask = (2 * charges > of_step)[number]
    return driven


def _exactly_zero(current: Floats, step: Integers) -> bool:
    """Tell whether any rest is exactly 0 A: so the channel shows no offset, and other small currents are real.

    Args:
        current: A, of the samples at rest, shape (n,).
        step: of these samples, shape (n,).
    """
    zero = current == 0.0
    if not zero.any():
        return False
    zeros = np.bincount(step[zero], minlength=int(step.max()) + 1)
    return bool((2 * zeros > np.bincount(step, minlength=len(zeros))).any())


def _common_offset(current: Floats, step: Integers, least: float) -> float:
    """Return the current in A that all rests share; 0 if there is none.

    Args:
        current, step: of the samples at rest, shape (n,).
        least: smallest offset in A.
    """
    # If fewer than half of the samples reach it, neither does the median, and counting is cheaper than a median.
    positive = np.count_nonzero(current >= least)
    negative = np.count_nonzero(current <= -least)
    if 2 * max(positive, negative) < len(current):
        return 0.0
    offset = float(np.median(current))
    if abs(offset) < least:
        return 0.0
    # The median of |x| is 0.6745 standard deviations of a normal distribution.
    noise = float(np.median(np.abs(current - offset))) / 0.6745
    group = number_groups(step)
    samples = np.bincount(group)
    agrees = np.abs(group_medians(group, current, len(samples)) - offset) <= OFFSET_SPREAD * abs(offset)
    agreeing = float(samples[agrees].sum()) / len(current)
    if abs(offset) < max(least, OFFSET_NOISE * noise) or agreeing < AGREEMENT:
        return 0.0
    # One long rest does not outvote several short ones.
    if not float(agrees.mean()) > LEAST_RESTS:
        return 0.0
    return offset
