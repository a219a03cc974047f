"""Cleaning rules about what a record holds: rows of another kind of measurement, and a voltage that no longer moves."""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Mask
from ...data.settings import CleanSettings
from .rule import RuleOutcome, column_values, constant_text, run_events, word_codes

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


def impedance_row(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Quarantine rows of an impedance measurement: they are no samples of voltage under current.

    The cycler's word says so (EIS, impedance), or all rows of one of the file's steps have no current and a voltage
    below -1 V, in a record of a cell above +1 V.
    """
    rows = _named_impedance(frame[c.STATE]) | _reversed_steps(frame)
    if not rows.any() or rows.all():
        return RuleOutcome(frame)
    voltage, state = column_values(frame, c.VOLTAGE), frame[c.STATE].to_numpy()
    told = run_events(
        frame, rows, "impedance_row", lambda i, n: f"{state[i] or 'no word'}, {voltage[i]:.6g} V",
        constant_text("-"), constant_text("quarantined"),
    )  # fmt: skip
    return RuleOutcome(frame[~rows], tuple(told), frame.index.to_numpy()[rows])


def _named_impedance(states: pd.Series[Any]) -> Mask:
    code, words = word_codes(states)
    named = [bool(IMPEDANCE_WORD.search(word.lower().replace("_", " "))) for word in words]
    if not any(named):
        return np.zeros(len(states), dtype=np.bool_)
    mask: Mask = np.array([*named, False])[code]
    return mask


def _reversed_steps(frame: pd.DataFrame) -> Mask:
    """Rows of the file's steps that are below -1 V and without current throughout, shape (n,)."""
    voltage, current = column_values(frame, c.VOLTAGE), column_values(frame, c.CURRENT)
    none = np.zeros(len(frame), dtype=bool)
    step, cycle = column_values(frame, c.STEP_ID), column_values(frame, c.CYCLE_ID)
    low = voltage < REVERSED_VOLT
    if not low.any() or np.isnan(step).all() or not np.nanmedian(voltage) > -REVERSED_VOLT:
        return none
    still = ~(np.abs(current) > NO_CURRENT_SHARE * np.nanmax(np.abs(current), initial=0.0))
    change = (np.diff(step, prepend=np.nan) != 0) | (np.diff(cycle, prepend=np.nan) != 0)
    whole: Mask = pd.Series(low & still).groupby(np.cumsum(change)).transform("all").to_numpy(dtype=bool)
    return whole


def marker_row(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Quarantine rows in which the cycler marks its own business (``data.columns.MARKER_STATES``).

    They belong to no step and take no time; what they measure stands in the rows beside them.
    """
    code, words = word_codes(frame[c.STATE])
    marks = np.isin(code, [place for place, word in enumerate(words) if word in c.MARKER_STATES])
    if not marks.any():
        return RuleOutcome(frame)
    states = frame[c.STATE].to_numpy()
    told = run_events(
        frame, marks, "marker_row", lambda i, n: f"state {states[i]}", constant_text("-"), constant_text("quarantined")
    )
    return RuleOutcome(frame[~marks], tuple(told), frame.index.to_numpy()[marks])
