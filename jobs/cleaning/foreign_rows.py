"""Cleaning rules about rows that are no samples of the test: impedance measurements and the cycler's own marks."""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Mask
from ...data.settings import CleanSettings
from ..record.table import Table
from .rule import RuleOutcome, column_values, constant_text, run_events, word_codes

IMPEDANCE_WORD: Final = re.compile(
    r"(?<![a-z])(s?[gp]?eis|fra|aci|ac impedance|impedance|impedanz|impedanzmessung|frequency response)(?![a-z])"
)
"""Words of a state, in lower case, by which cyclers name an impedance measurement. The readers add the word impedance
to rows in which the file has a frequency."""

REVERSED_VOLT: Final = -1.0
"""V. A cell whose median voltage is above +1 V has no step below -1 V: another device with the opposite sign measured
it. Chosen, not measured."""

NO_CURRENT_SHARE: Final = 0.001
"""Share of the record's largest current, up to which a row has no current. Chosen, not measured."""


def impedance_row(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Quarantine rows of an impedance measurement: they are no samples of voltage under current.

    Either the cycler's state names it (EIS, impedance), or all rows of one of the file's steps have no current and a
    voltage below -1 V, in a record of a cell above +1 V.
    """
    rows = _named_impedance(frame[c.STATE]) | _reversed_steps(frame)
    if not rows.any() or rows.all():
        return RuleOutcome(frame)
    voltage = column_values(frame, c.VOLTAGE)
    state = frame[c.STATE]

    def before(i: int, n: int) -> str:
        return f"{state[i] or 'no word'}, {voltage[i]:.6g} V"

    events = run_events(frame, rows, "impedance_row", before, constant_text("-"), constant_text("quarantined"))
    return RuleOutcome(frame.rows(~rows), tuple(events), frame.labels[rows])


def _named_impedance(states: Any) -> Mask:
    """Tell which rows' states name an impedance measurement, shape (n,)."""
    code, words = word_codes(states)
    named = [bool(IMPEDANCE_WORD.search(word.lower().replace("_", " "))) for word in words]
    if not any(named):
        return np.zeros(len(states), dtype=np.bool_)
    # The code -1 of a row without a word reads the last place.
    mask: Mask = np.array([*named, False])[code]
    return mask


def _reversed_steps(frame: Table) -> Mask:
    """Tell which rows belong to steps of the file that are below -1 V and without current throughout, shape (n,)."""
    voltage = column_values(frame, c.VOLTAGE)
    current = column_values(frame, c.CURRENT)
    step = column_values(frame, c.STEP_ID)
    cycle = column_values(frame, c.CYCLE_ID)
    low = voltage < REVERSED_VOLT
    if not low.any() or np.isnan(step).all() or not np.nanmedian(voltage) > -REVERSED_VOLT:
        return np.zeros(len(frame), dtype=bool)
    still = ~(np.abs(current) > NO_CURRENT_SHARE * np.nanmax(np.abs(current), initial=0.0))
    new_step = (np.diff(step, prepend=np.nan) != 0) | (np.diff(cycle, prepend=np.nan) != 0)
    reversed_step: Mask = pd.Series(low & still).groupby(np.cumsum(new_step)).transform("all").to_numpy(dtype=bool)
    return reversed_step


def marker_row(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Quarantine rows that only mark a cycler event such as a range switch (``data.columns.MARKER_STATES``).

    They belong to no step and take no time; the rows next to them hold the same measurement.
    """
    code, words = word_codes(frame[c.STATE])
    marker_codes = [place for place, word in enumerate(words) if word in c.MARKER_STATES]
    marks = np.isin(code, marker_codes)
    if not marks.any():
        return RuleOutcome(frame)
    states = frame[c.STATE]

    def before(i: int, n: int) -> str:
        return f"state {states[i]}"

    events = run_events(frame, marks, "marker_row", before, constant_text("-"), constant_text("quarantined"))
    return RuleOutcome(frame.rows(~marks), tuple(events), frame.labels[marks])
