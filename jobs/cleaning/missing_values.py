"""Cleaning rules about values that are missing, unreadable, or outside the range of any cell or chamber."""

from __future__ import annotations

from typing import Final

import numpy as np

from ...data import columns as c
from ...data.arrays import Floats, Integers, Mask
from ...data.rules import flag_bit
from ...data.settings import CleanSettings
from ..record.table import Table
from .rule import (
    Event,
    RuleOutcome,
    RunText,
    column_values,
    constant_text,
    find_runs,
    flag_values,
    number_text,
    run_events,
    set_flag,
    word_codes,
)
from .voltage_jumps import find_real_extremes

MOST_OUT_OF_RANGE: Final = 0.2
"""Share of the known voltages. If more are out of range, the limits do not fit the cell. Chosen, not measured."""


def number_unreadable(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Report text where a number belongs; the reader has left the number missing."""
    texts = frame[c.UNREADABLE]
    code, notes = word_codes(texts)
    if not any(notes):
        return RuleOutcome(frame)
    # The code -1 of a row without a note reads the last place.
    mask = np.array([*map(bool, notes), False])[code]

    def unreadable_text(i: int, n: int) -> str:
        return str(texts[i])

    events = run_events(
        frame, mask, "number_unreadable", unreadable_text, constant_text("missing"), constant_text("taken as missing")
    )
    return RuleOutcome(set_flag(frame, mask, "number_unreadable"), tuple(events))


def voltage_range(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Take voltages outside ``voltage_limits_volt`` as missing; where they are many, only report them.

    Voltages that the cell reached or left without a jump are real: before its formation a cell is near 0 V, and a half
    cell is so often.
    """
    voltage = column_values(frame, c.VOLTAGE)
    low, high = settings.voltage_limits_volt
    out = (voltage < low) | (voltage > high)
    out &= ~find_real_extremes(frame, out, settings)
    if out.sum() > MOST_OUT_OF_RANGE * np.isfinite(voltage).sum():
        before = number_text(voltage, "V")
        events = run_events(frame, out, "voltage_range", before, constant_text("as it was"), constant_text("left"))
        return RuleOutcome(frame, tuple(events))
    return _take_as_missing(frame, c.VOLTAGE, out, "voltage_range", "V")


def temperature_range(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Take temperatures outside ``temperature_limits_celsius`` as missing: a thermocouple was off."""
    events: tuple[Event, ...] = ()
    low, high = settings.temperature_limits_celsius
    for column in (c.AMBIENT_TEMPERATURE, c.SURFACE_TEMPERATURE):
        temperature = column_values(frame, column)
        out = (temperature < low) | (temperature > high)
        frame, column_events, _ = _take_as_missing(frame, column, out, "temperature_range", "°C")
        events += column_events
    return RuleOutcome(frame, events)


def _take_as_missing(frame: Table, column: str, out: Mask, rule: str, unit: str) -> RuleOutcome:
    if not out.any():
        return RuleOutcome(frame)
    values = column_values(frame, column)
    events = run_events(
        frame, out, rule, number_text(values, unit), constant_text("missing"), constant_text("taken as missing")
    )
    frame = frame.assign(**{column: np.where(out, np.nan, values)})
    return RuleOutcome(set_flag(frame, out, rule), tuple(events))


def voltage_missing(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Interpolate missing voltages within a step, up to ``fill_samples`` in a row; longer ones stay missing."""
    filled = fill_voltage(frame, settings)
    return set_filled(frame, c.VOLTAGE, filled, "voltage_missing", number_text(filled, "V"))


def fill_voltage(frame: Table, settings: CleanSettings) -> Floats:
    """Return the voltage in V with short runs of missing values interpolated in time, shape (n,).

    A run is filled if it has up to ``fill_samples`` values and both its neighbours are in one step.
    """
    voltage = column_values(frame, c.VOLTAGE)
    time = column_values(frame, c.TEST_TIME)
    step = frame[c.STEP_COUNT]
    first, length = find_runs(np.isnan(voltage))
    inner = (first > 0) & (first + length < len(voltage)) & (length <= settings.fill_samples)
    first = first[inner]
    length = length[inner]
    same_step = step[first - 1] == step[first + length]
    return interpolate_runs(voltage, time, first[same_step], length[same_step])


def interpolate_runs(column: Floats, time: Floats, first: Integers, length: Integers) -> Floats:
    """Return the column with each run replaced by the line in time between the values next to it.

    Args:
        column, time: shape (n,).
        first, length: of the runs, shape (runs,); each has a row before it and a row after it.
    """
    place_in_run = np.arange(int(length.sum())) - np.repeat(np.cumsum(length) - length, length)
    rows = np.repeat(first, length) + place_in_run
    left = np.repeat(first - 1, length)
    right = np.repeat(first + length, length)
    share = (time[rows] - time[left]) / (time[right] - time[left])
    filled = column.copy()
    filled[rows] = column[left] + share * (column[right] - column[left])
    return filled


def temperature_missing(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Report missing temperatures of a column that has others; they stay missing."""
    events: list[Event] = []
    missing_text = constant_text("missing")
    for column in (c.AMBIENT_TEMPERATURE, c.SURFACE_TEMPERATURE):
        missing = np.isnan(column_values(frame, column))
        if missing.any() and not missing.all():
            events += run_events(
                frame, missing, "temperature_missing", missing_text, missing_text, constant_text("left")
            )
            frame = set_flag(frame, missing, "temperature_missing")
    return RuleOutcome(frame, tuple(events))


def set_filled(frame: Table, column: str, filled: Floats, rule: str, after: RunText) -> RuleOutcome:
    """Set a filled column and report each run of missing values.

    A value that another rule took as missing counts under that rule, and only if it was filled.

    Args:
        frame: the record.
        column: that was filled.
        filled: its values now, shape (n,), NaN where they stay missing.
        rule: the code under which values that are missing in the file count.
        after: text about a run.
    """
    missing = np.isnan(column_values(frame, column))
    if not missing.any():
        return RuleOutcome(frame)

    def action(first: int, length: int) -> str:
        filled_rows = int(np.isfinite(filled[first : first + length]).sum())
        if filled_rows == 0:
            return "left"
        if filled_rows == length:
            return "filled"
        return "partly filled"

    before = constant_text("missing")
    events: list[Event] = []
    flags = flag_values(frame)
    missing_in_file = missing
    for cause in ("lost_contact", "voltage_range"):
        taken = missing_in_file & (flags & flag_bit(cause) != 0)
        events += run_events(frame, taken & np.isfinite(filled), cause, before, after, action)
        missing_in_file = missing_in_file & ~taken
    events += run_events(frame, missing_in_file, rule, before, after, action)
    frame = frame.assign(**{column: filled})
    return RuleOutcome(set_flag(frame, missing_in_file, rule), tuple(events))
