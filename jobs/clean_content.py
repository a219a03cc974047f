"""Cleaning rules about what a record holds: rows of another kind of measurement, and a voltage that no longer moves."""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np
import pandas as pd

from ..data import columns as c
from ..data.settings import CleanSettings
from .clean_event import Integers, Mask, Outcome, flagged, number, run_events, runs, text, values, word_codes

IMPEDANCE_WORD: Final = re.compile(r"(?<![a-z])(eis|geis|peis|impedance|impedanz)(?![a-z])")
REVERSED_VOLT: Final = -1.0  # below which a step's voltage is another device's sign, in a cell above +1 V
NO_CURRENT_SHARE: Final = 0.001  # of the largest current
STUCK_SAMPLES: Final = 20
STUCK_CHARGE_SHARE: Final = 0.05  # of the capacity, which passes at one current
STUCK_STEADY_SHARE: Final = 0.02  # by which that current may vary
STUCK_FACTOR: Final = 10.0  # longer than voltages usually stay the same
STUCK_EDGE_PER_AH: Final = 0.2  # A per A.h, of edges to which the voltage does not respond
STUCK_EDGES: Final = 3  # up, and as many down
LIMIT_VOLT: Final = 0.005  # from the record's highest or lowest voltage, where voltages are held


def impedance_row(frame: pd.DataFrame, settings: CleanSettings) -> Outcome:
    """Quarantine rows of an impedance measurement: they are no samples of voltage under current.

    The cycler's word says so (EIS, impedance), or all rows of one of the file's steps have no current and a voltage
    below -1 V, in a record of a cell above +1 V.
    """
    rows = _named_impedance(frame[c.STATE]) | _reversed_steps(frame)
    if not rows.any() or rows.all():
        return Outcome(frame)
    voltage, state = values(frame, c.VOLTAGE), frame[c.STATE].to_numpy()
    told = run_events(
        frame, rows, "impedance_row", lambda i, n: f"{state[i] or 'no word'}, {voltage[i]:.6g} V",
        text("-"), text("quarantined"),
    )  # fmt: skip
    return Outcome(frame[~rows], tuple(told), frame.index.to_numpy()[rows])


def _named_impedance(states: pd.Series[Any]) -> Mask:
    code, words = word_codes(states)
    named = [bool(IMPEDANCE_WORD.search(word.lower().replace("_", " "))) for word in words]
    if not any(named):
        return np.zeros(len(states), dtype=np.bool_)
    mask: Mask = np.array([*named, False])[code]
    return mask


def _reversed_steps(frame: pd.DataFrame) -> Mask:
    """Rows of the file's steps that are below -1 V and without current throughout, shape (n,)."""
    voltage, current = values(frame, c.VOLTAGE), values(frame, c.CURRENT)
    none = np.zeros(len(frame), dtype=bool)
    step, cycle = values(frame, c.STEP_ID), values(frame, c.CYCLE_ID)
    low = voltage < REVERSED_VOLT
    if not low.any() or np.isnan(step).all() or not np.nanmedian(voltage) > -REVERSED_VOLT:
        return none
    still = ~(np.abs(current) > NO_CURRENT_SHARE * np.nanmax(np.abs(current), initial=0.0))
    change = (np.diff(step, prepend=np.nan) != 0) | (np.diff(cycle, prepend=np.nan) != 0)
    whole: Mask = pd.Series(low & still).groupby(np.cumsum(change)).transform("all").to_numpy(dtype=bool)
    return whole


def voltage_stuck(frame: pd.DataFrame, settings: CleanSettings) -> Outcome:
    """Flag a voltage that stays exactly the same over many samples while a current flows, but not at a held voltage.

    Either 5 % of the capacity passes at a steady current, and voltages elsewhere change ten times as often; or the
    current jumps up and down and the voltage does not respond. A held voltage is told from both by its current, which
    decays, and by its value, at the top or bottom of the record's. Nothing is changed.
    """
    voltage = values(frame, c.VOLTAGE)
    stuck = np.zeros(len(voltage), dtype=bool)
    first, length = runs(np.diff(voltage) == 0.0)
    length = length + 1
    usual = _usual_length(length, len(voltage))
    low, high = np.nanmin(voltage, initial=np.inf), np.nanmax(voltage, initial=-np.inf)
    inside = (voltage[first] > low + LIMIT_VOLT) & (voltage[first] < high - LIMIT_VOLT) & (length >= STUCK_SAMPLES)
    for i, n in zip(first[inside], length[inside], strict=True):
        rows = slice(int(i), int(i + n))
        stuck[rows] = _does_not_respond(frame, rows, settings) or (
            n >= STUCK_FACTOR * usual and _passes_charge(frame, rows, settings)
        )
    told = run_events(frame, stuck, "voltage_stuck", number(voltage, "V"), text("as it was"), text("left"))
    return Outcome(flagged(frame, stuck, "voltage_stuck"), tuple(told))


def _usual_length(length: Integers, samples: int) -> float:
    """How many samples in a row have one voltage, for the median sample outside the longest such run."""
    ordered = np.sort(length)[:-1] if len(length) else length
    singles = samples - int(length.sum())
    reached = singles + np.cumsum(ordered)
    half = 0.5 * (reached[-1] if len(reached) else singles)
    return 1.0 if singles >= half else float(ordered[np.searchsorted(reached, half)])


def _passes_charge(frame: pd.DataFrame, rows: slice, settings: CleanSettings) -> bool:
    """Tell whether a good part of the capacity passes at one current."""
    current, time = values(frame, c.CURRENT)[rows], values(frame, c.TEST_TIME)[rows]
    if not np.isfinite(current).all():
        return False
    size = float(abs(np.median(current)))
    steady = float(np.ptp(current)) <= STUCK_STEADY_SHARE * size
    charge = size * float(time[-1] - time[0]) / 3600.0
    return steady and charge >= STUCK_CHARGE_SHARE * (settings.nominal_capacity_ah or 1.0)


def _does_not_respond(frame: pd.DataFrame, rows: slice, settings: CleanSettings) -> bool:
    """Tell whether the current jumps up and down within these rows."""
    jump = np.diff(values(frame, c.CURRENT)[rows])
    edge = STUCK_EDGE_PER_AH * (settings.nominal_capacity_ah or 1.0)
    return min(int((jump > edge).sum()), int((jump < -edge).sum())) >= STUCK_EDGES
