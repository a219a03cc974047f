"""Cleaning rules about values that are missing, unreadable, or outside the range of any cell or chamber."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Floats, Integers, Mask
from ...data.rules import flag_bit
from ...data.settings import CleanSettings
from .rule import (
    Event,
    RuleOutcome,
    column_values,
    constant_text,
    find_runs,
    flag_values,
    number_text,
    rest_current,
    run_events,
    set_flag,
)
from .voltage_jumps import find_real_extremes

MOST_OUT_OF_RANGE: Final = 0.2
"""Share of the known voltages. If more are out of range, the limits do not fit the cell. Chosen, not measured."""

STEADY_SHARE: Final = 0.25
"""Share of the larger current: the currents on both sides of a short hole are alike if they differ by less. Chosen, not
measured."""

SAME_SHARE: Final = 0.01
"""The same for a hole of up to ``fill_constant_samples``, which only a constant current may fill. Chosen, not
measured."""

SAME_REST_SHARE: Final = 0.2
"""Share of the current of a rest that is added to the difference that ``SAME_SHARE`` allows. Chosen, not measured."""

QUIET_VOLT: Final = 0.02
"""V. An edge of the current moves the voltage by more than this. Chosen, not measured."""

STEADY_END_SHARE: Final = 0.05
"""Share of the current: the two nearest values of a step are steady if they differ by less. Chosen, not measured."""


def number_unreadable(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Report text where a number belongs; the reader has left the number missing."""
    texts = frame[c.UNREADABLE]
    mask = (texts.fillna("") != "").to_numpy(dtype=bool)
    if not mask.any():
        return RuleOutcome(frame)

    def unreadable_text(i: int, n: int) -> str:
        return str(texts.iloc[i])

    events = run_events(
        frame, mask, "number_unreadable", unreadable_text, constant_text("missing"), constant_text("taken as missing")
    )
    return RuleOutcome(set_flag(frame, mask, "number_unreadable"), tuple(events))


def voltage_range(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
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


def temperature_range(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Take temperatures outside ``temperature_limits_celsius`` as missing: a thermocouple was off."""
    events: tuple[Event, ...] = ()
    low, high = settings.temperature_limits_celsius
    for column in (c.AMBIENT_TEMPERATURE, c.SURFACE_TEMPERATURE):
        temperature = column_values(frame, column)
        out = (temperature < low) | (temperature > high)
        frame, column_events, _ = _take_as_missing(frame, column, out, "temperature_range", "°C")
        events += column_events
    return RuleOutcome(frame, events)


def _take_as_missing(frame: pd.DataFrame, column: str, out: Mask, rule: str, unit: str) -> RuleOutcome:
    if not out.any():
        return RuleOutcome(frame)
    values = column_values(frame, column)
    events = run_events(
        frame, out, rule, number_text(values, unit), constant_text("missing"), constant_text("taken as missing")
    )
    frame = frame.assign(**{column: np.where(out, np.nan, values)})
    return RuleOutcome(set_flag(frame, out, rule), tuple(events))


def voltage_missing(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Interpolate missing voltages within a step, up to ``fill_samples`` in a row; longer ones stay missing."""
    filled = fill_voltage(frame, settings)
    return _set_filled(frame, c.VOLTAGE, filled, "voltage_missing", "V")


def fill_voltage(frame: pd.DataFrame, settings: CleanSettings) -> Floats:
    """Return the voltage in V with short runs of missing values interpolated in time, shape (n,).

    A run is filled if it has up to ``fill_samples`` values and both its neighbours are in one step.
    """
    voltage = column_values(frame, c.VOLTAGE)
    time = column_values(frame, c.TEST_TIME)
    step = frame[c.STEP_COUNT].to_numpy()
    first, length = find_runs(np.isnan(voltage))
    inner = (first > 0) & (first + length < len(voltage)) & (length <= settings.fill_samples)
    first = first[inner]
    length = length[inner]
    same_step = step[first - 1] == step[first + length]
    return _interpolate_runs(voltage, time, first[same_step], length[same_step])


def _interpolate_runs(column: Floats, time: Floats, first: Integers, length: Integers) -> Floats:
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


def current_missing(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Fill missing currents by the control of the step (constant current, hold, rest); the others stay missing.

    Inside a step, up to ``fill_samples`` values are filled by the line between their neighbours if these differ little,
    or if the voltage shows no edge (constant current, rest, the decay of a hold). Up to ``fill_constant_samples`` are
    filled if the neighbours are equal within 1 % (constant current or rest). At the end of a step whose last values
    are equal, that value is used.
    """
    current = column_values(frame, c.CURRENT)
    time = column_values(frame, c.TEST_TIME)
    step = frame[c.STEP_COUNT].to_numpy()
    first, length = find_runs(np.isnan(current))
    if len(first) == 0:
        return RuleOutcome(frame)
    inside_record = (first > 0) & (first + length < len(current))
    inside_step = inside_record.copy()
    inside_step[inside_record] = step[first[inside_record] - 1] == step[(first + length)[inside_record]]
    known_control = inside_step.copy()
    known_control[inside_step] = _control_known(frame, current, first[inside_step], length[inside_step], settings)
    interpolated = _interpolate_runs(current, time, first[known_control], length[known_control])
    filled = interpolated.copy()
    for k in np.flatnonzero(~inside_step & (length <= settings.fill_samples)):
        rows = slice(int(first[k]), int(first[k] + length[k]))
        _fill_at_edge(filled, interpolated, step, rows, rest_current(settings))
    return _set_filled(frame, c.CURRENT, filled, "current_missing", "A")


def _control_known(
    frame: pd.DataFrame, current: Floats, first: Integers, length: Integers, settings: CleanSettings
) -> Mask:
    """Tell for runs inside a step whether the values next to them show what the current was, shape (runs,)."""
    voltage = frame[c.VOLTAGE].ffill().to_numpy(dtype=np.float64)
    left = current[first - 1]
    right = current[first + length]
    larger = np.maximum(np.abs(left), np.abs(right))
    difference = np.abs(left - right)
    rest = rest_current(settings)
    low = np.fmin(voltage[first - 1], voltage[first + length])
    high = np.fmax(voltage[first - 1], voltage[first + length])
    # reduceat takes the parts between bounds: every other one is a run with its missing currents.
    bounds = np.stack([first, first + length], axis=1).ravel()
    padded = np.append(voltage, np.nan)
    lowest = np.fmin.reduceat(padded, bounds)[::2]
    highest = np.fmax.reduceat(padded, bounds)[::2]
    quiet = ~((lowest < low - QUIET_VOLT) | (highest > high + QUIET_VOLT))
    flat = quiet & (high - low <= QUIET_VOLT)
    alike = difference <= STEADY_SHARE * larger + rest
    equal = difference <= SAME_SHARE * larger + SAME_REST_SHARE * rest
    short = (length <= settings.fill_samples) & (alike | flat)
    constant = (length <= settings.fill_constant_samples) & equal
    known: Mask = quiet & (short | constant)
    return known


def _fill_at_edge(filled: Floats, current: Floats, step: Integers, rows: slice, rest: float) -> None:
    """Fill a short run at the beginning or end of steps with its own step's steady value, in place.

    Args:
        filled: A, shape (n,); written to.
        current: A, shape (n,), NaN where it is not known.
        step: shape (n,).
        rows: the run.
        rest: A, below which the cell rests.
    """
    two_before = np.arange(rows.start - 2, rows.start)[::-1]
    two_after = np.arange(rows.stop, rows.stop + 2)
    for row in range(rows.start, rows.stop):
        for near in (two_before, two_after):
            outside = near.min() < 0 or near.max() >= len(current)
            if outside or (step[near] != step[row]).any():
                continue
            nearest, next_one = current[near]
            if abs(nearest - next_one) <= STEADY_END_SHARE * abs(nearest) + rest:
                filled[row] = nearest
                break


def temperature_missing(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
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


def _set_filled(frame: pd.DataFrame, column: str, filled: Floats, rule: str, unit: str) -> RuleOutcome:
    """Set a filled column and report each run of missing values.

    A value that another rule took as missing counts under that rule, and only if it was filled.
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
    after = number_text(filled, unit)
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
