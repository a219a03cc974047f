"""Cleaning rules about units: numbers that are a thousand times too large for any cell are of another unit.

Neither header nor campaign said so, hence only what no cell can do is converted, each source file on its own.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Floats, Mask
from ...data.convert import fahrenheit_to_celsius, kelvin_to_celsius
from ...data.settings import CleanSettings
from ..record.units import MILLI, Flow, counter_factor, current_factor, temperature_unit, voltage_factor
from .rule import Event, RuleOutcome, column_values, set_flag

THERMOMETERS: Final = (c.AMBIENT_TEMPERATURE, c.SURFACE_TEMPERATURE)
COUNTERS: Final = (c.CHARGING_CAPACITY, c.DISCHARGING_CAPACITY)
PREFIXES: Final = {MILLI: "m", 1e-6: "u"}


def unit_scale(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Convert a voltage in mV and temperatures in K or °F, where no cell and no chamber can have such values."""
    events: list[Event] = []
    for of_file in _files(frame):
        factor = voltage_factor(_select_rows(column_values(frame, c.VOLTAGE), of_file), settings.voltage_limits_volt)
        if factor != 1.0:
            frame = _scaled(frame, c.VOLTAGE, of_file, factor, "V", events)
        for column in THERMOMETERS:
            frame = _convert_to_celsius(frame, column, of_file, settings.temperature_setpoint_celsius, events)
    return RuleOutcome(frame, tuple(events))


def unit_of_charge(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Convert a current in mA or uA, then counters in mAh or uAh; events and flags are those of ``unit_scale``."""
    events: list[Event] = []
    for of_file in _files(frame):
        factor = current_factor(_flow(frame, of_file), settings.nominal_capacity_ah)
        if factor != 1.0:
            frame = _scaled(frame, c.CURRENT, of_file, factor, "A", events)
        factor = counter_factor(_flow(frame, of_file))
        if factor != 1.0:
            for column in COUNTERS:
                frame = _scaled(frame, column, of_file, factor, "A.h", events)
    return RuleOutcome(frame, tuple(events))


def _files(frame: pd.DataFrame) -> list[Mask]:
    """Rows of each source file."""
    source = frame[c.SOURCE_INDEX].to_numpy()
    if len(source) and source.min() == source.max():
        return [np.ones(len(source), dtype=bool)]
    return [source == index for index in np.unique(source)]


def _select_rows(column: Floats, rows: Mask) -> Floats:
    """A column's values in these rows; no copy where they are all."""
    return column if rows.all() else column[rows]


def _flow(frame: pd.DataFrame, rows: Mask) -> Flow:
    columns = [_select_rows(column_values(frame, name), rows) for name in (c.TEST_TIME, c.CURRENT, c.VOLTAGE)]
    return Flow(*columns, *(_rises(_select_rows(column_values(frame, name), rows)) for name in COUNTERS))


def _rises(counter: Floats) -> Floats:
    """What a counter rose by between samples, shape (n - 1,); zeros where there is none."""
    if np.isnan(counter).all():
        return np.zeros(max(len(counter) - 1, 0))
    rises: Floats = np.clip(np.nan_to_num(np.diff(np.abs(counter))), 0.0, None)
    return rises


def _scaled(
    frame: pd.DataFrame, column: str, rows: Mask, factor: float, unit: str, events: list[Event]
) -> pd.DataFrame:
    """Multiply a column's values of one file; tell of it in ``events``."""
    # Division by a whole number gives the decimal number that the file has in the other unit.
    converted = np.where(rows, column_values(frame, column) / round(1.0 / factor), column_values(frame, column))
    return _set(frame, column, rows, converted, f"{PREFIXES[factor]}{unit.replace('.', '')}", unit, events)


def _convert_to_celsius(
    frame: pd.DataFrame, column: str, rows: Mask, setpoint: float | None, events: list[Event]
) -> pd.DataFrame:
    temperature = column_values(frame, column)
    unit = temperature_unit(_select_rows(temperature, rows), setpoint)
    if unit is None:
        return frame
    turned = kelvin_to_celsius(temperature) if unit == "K" else fahrenheit_to_celsius(temperature)
    return _set(frame, column, rows, np.where(rows, turned, temperature), unit, "°C", events)


def _set(
    frame: pd.DataFrame, column: str, rows: Mask, converted: Floats, old: str, new: str, events: list[Event]
) -> pd.DataFrame:
    before = column_values(frame, column)
    touched = rows & np.isfinite(before) & (converted != before)
    if not touched.any():
        return frame
    size = [float(np.nanmedian(np.abs(v[touched]))) for v in (before, converted)]
    events.append(Event(
        "unit_scale", int(frame.index[int(np.argmax(touched))]), int(touched.sum()),
        f"{column} in {old}, {size[0]:.5g} at the median", f"{size[1]:.5g} {new}", "converted",
    ))  # fmt: skip
    return set_flag(frame.assign(**{column: converted}), touched, "unit_scale")
