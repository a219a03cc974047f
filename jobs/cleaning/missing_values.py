"""Cleaning rules about values that are absent or cannot be: unreadable, missing, out of any range."""

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
    number_text,
    rest_current,
    run_events,
    set_flag,
)

MOST_OUT_OF_RANGE: Final = 0.2  # of all samples, above which the limits do not fit the cell
STEADY_SHARE: Final = 0.25  # by which the currents around missing ones may differ
SAME_SHARE: Final = 0.01  # ... for longer runs
QUIET_VOLT: Final = 0.02  # change of voltage that an edge of the current would exceed


def number_unreadable(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Report text where a number belongs; the reader has left the number missing."""
    texts = frame[c.UNREADABLE]
    mask = (texts.fillna("") != "").to_numpy(dtype=bool)
    if not mask.any():
        return RuleOutcome(frame)
    told = run_events(frame, mask, "number_unreadable", lambda i, n: str(texts.iloc[i]), constant_text("missing"),
                      constant_text("taken as missing"))  # fmt: skip
    return RuleOutcome(set_flag(frame, mask, "number_unreadable"), tuple(told))


def voltage_range(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Take voltages outside ``voltage_limits_volt`` as missing; where they are many, only report them."""
    return _remove_out_of_range(frame, c.VOLTAGE, settings.voltage_limits_volt, "voltage_range", "V")


def temperature_range(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Take temperatures outside ``temperature_limits_celsius`` as missing: a thermocouple was off."""
    events: tuple[Event, ...] = ()
    for column in (c.AMBIENT_TEMPERATURE, c.SURFACE_TEMPERATURE):
        frame, told, _ = _remove_out_of_range(
            frame, column, settings.temperature_limits_celsius, "temperature_range", "°C"
        )
        events += told
    return RuleOutcome(frame, events)


def _remove_out_of_range(
    frame: pd.DataFrame, column: str, limits: tuple[float, float], rule: str, unit: str
) -> RuleOutcome:
    known = column_values(frame, column)
    out = (known < limits[0]) | (known > limits[1])
    if not out.any():
        return RuleOutcome(frame)
    if rule == "voltage_range" and out.sum() > MOST_OUT_OF_RANGE * np.isfinite(known).sum():
        told = run_events(frame, out, rule, number_text(known, unit), constant_text("as it was"), constant_text("left"))
        return RuleOutcome(frame, tuple(told))
    told = run_events(
        frame, out, rule, number_text(known, unit), constant_text("missing"), constant_text("taken as missing")
    )
    return RuleOutcome(set_flag(frame.assign(**{column: np.where(out, np.nan, known)}), out, rule), tuple(told))


def voltage_missing(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Interpolate missing voltages within a step, up to ``fill_samples`` in a row; longer ones stay missing."""
    known = column_values(frame, c.VOLTAGE)
    filled = fill_voltage(frame, settings)
    return _report(frame, c.VOLTAGE, known, filled, "voltage_missing", "V")


def fill_voltage(frame: pd.DataFrame, settings: CleanSettings) -> Floats:
    """Return the voltage with short runs of missing values interpolated in time, where both ends are in one step."""
    voltage, time = column_values(frame, c.VOLTAGE), column_values(frame, c.TEST_TIME)
    step = frame[c.STEP_COUNT].to_numpy()
    first, length = find_runs(np.isnan(voltage))
    inner = (first > 0) & (first + length < len(voltage)) & (length <= settings.fill_samples)
    first, length = first[inner], length[inner]
    same = step[first - 1] == step[first + length]
    return _interpolated(voltage, time, first[same], length[same])


def _interpolated(column: Floats, time: Floats, first: Integers, length: Integers) -> Floats:
    """Fill runs by the line between the values at their ends."""
    rows = np.repeat(first, length) + np.arange(int(length.sum())) - np.repeat(np.cumsum(length) - length, length)
    left, right = np.repeat(first - 1, length), np.repeat(first + length, length)
    share = (time[rows] - time[left]) / (time[right] - time[left])
    filled = column.copy()
    filled[rows] = column[left] + share * (column[right] - column[left])
    return filled


def current_missing(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Fill missing currents by the control that the step is under; what is not known stays missing.

    Between two values of one step that differ little, or while the voltage shows no edge (constant current, rest, the
    decay of a hold), up to ``fill_samples`` by the line between them; up to ``fill_constant_samples`` where both are
    equal within 1 % (constant current or rest). At the end of a step whose last values are equal, that value.
    """
    known = column_values(frame, c.CURRENT)
    time, step = column_values(frame, c.TEST_TIME), frame[c.STEP_COUNT].to_numpy()
    first, length = find_runs(np.isnan(known))
    if len(first) == 0:
        return RuleOutcome(frame)
    inner = (first > 0) & (first + length < len(known))
    same = inner.copy()
    same[inner] = step[first[inner] - 1] == step[(first + length)[inner]]
    good = same.copy()
    good[same] = _control_known(frame, known, first[same], length[same], settings)
    inside = _interpolated(known, time, first[good], length[good])
    filled = inside.copy()
    for k in np.flatnonzero(~same & (length <= settings.fill_samples)):
        _fill_at_edge(filled, inside, step, slice(int(first[k]), int(first[k] + length[k])), rest_current(settings))
    return _report(frame, c.CURRENT, known, filled, "current_missing", "A")


def _control_known(
    frame: pd.DataFrame, current: Floats, first: Integers, length: Integers, settings: CleanSettings
) -> Mask:
    """Tell for runs inside a step whether the values around them say what the current was."""
    voltage = frame[c.VOLTAGE].ffill().to_numpy(dtype=np.float64)
    left, right = current[first - 1], current[first + length]
    larger = np.maximum(np.abs(left), np.abs(right))
    rest = rest_current(settings)
    differ = np.abs(left - right)
    low = np.fmin(voltage[first - 1], voltage[first + length])
    high = np.fmax(voltage[first - 1], voltage[first + length])
    bounds = np.stack([first, first + length], axis=1).ravel()
    padded = np.append(voltage, np.nan)
    lowest, highest = np.fmin.reduceat(padded, bounds)[::2], np.fmax.reduceat(padded, bounds)[::2]
    quiet = ~((lowest < low - QUIET_VOLT) | (highest > high + QUIET_VOLT))
    flat = quiet & (high - low <= QUIET_VOLT)
    short = (length <= settings.fill_samples) & ((differ <= STEADY_SHARE * larger + rest) | flat)
    constant = (length <= settings.fill_constant_samples) & (differ <= SAME_SHARE * larger + 0.2 * rest)
    known: Mask = quiet & (short | constant)
    return known


def _fill_at_edge(filled: Floats, current: Floats, step: Integers, rows: slice, rest: float) -> None:
    """Fill a short run at the beginning or end of steps with its own step's steady value, in place."""
    for row in range(rows.start, rows.stop):
        for near in (np.arange(rows.start - 2, rows.start)[::-1], np.arange(rows.stop, rows.stop + 2)):
            if near.min() < 0 or near.max() >= len(current) or (step[near] != step[row]).any():
                continue
            nearest, next_one = current[near]
            if abs(nearest - next_one) <= 0.05 * abs(nearest) + rest:
                filled[row] = nearest
                break


def temperature_missing(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Report missing temperatures of a column that has others; they stay missing."""
    events: list[Event] = []
    for column in (c.AMBIENT_TEMPERATURE, c.SURFACE_TEMPERATURE):
        missing = np.isnan(column_values(frame, column))
        if missing.any() and not missing.all():
            events += run_events(
                frame,
                missing,
                "temperature_missing",
                constant_text("missing"),
                constant_text("missing"),
                constant_text("left"),
            )
            frame = set_flag(frame, missing, "temperature_missing")
    return RuleOutcome(frame, tuple(events))


def _report(frame: pd.DataFrame, column: str, known: Floats, filled: Floats, rule: str, unit: str) -> RuleOutcome:
    """Set the filled column and tell of each run of missing values; what another rule took away counts under that."""
    missing = np.isnan(known)
    if not missing.any():
        return RuleOutcome(frame)

    def share(first: int, length: int) -> int:
        return int(np.isfinite(filled[first : first + length]).sum())

    def action(first: int, length: int) -> str:
        return {0: "left", length: "filled"}.get(share(first, length), "partly filled")

    told: list[Event] = []
    own = missing
    flags = frame[c.FLAGS].to_numpy(dtype=np.int64)
    for cause in ("lost_contact", "voltage_range"):
        taken = own & (flags & flag_bit(cause) != 0)
        told += run_events(
            frame, taken & np.isfinite(filled), cause, constant_text("missing"), number_text(filled, unit), action
        )
        own = own & ~taken
    told += run_events(frame, own, rule, constant_text("missing"), number_text(filled, unit), action)
    return RuleOutcome(set_flag(frame.assign(**{column: filled}), own, rule), tuple(told))
