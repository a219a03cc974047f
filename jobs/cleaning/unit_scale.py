"""Cleaning rules about units: numbers a thousand times too large for any cell are in another unit.

Neither the header nor the campaign gave this unit. So only values that no cell can have are converted, in each source
file separately.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Floats, Mask
from ...data.convert import fahrenheit_to_celsius, kelvin_to_celsius
from ...data.settings import CleanSettings
from ..record.units import MICRO, MILLI, Flow, counter_factor, current_factor, temperature_unit, voltage_factor
from .rule import Event, RuleOutcome, column_values, set_flag

THERMOMETERS: Final = (c.AMBIENT_TEMPERATURE, c.SURFACE_TEMPERATURE)
COUNTERS: Final = (c.CHARGING_CAPACITY, c.DISCHARGING_CAPACITY)
PREFIXES: Final = {MILLI: "m", MICRO: "u"}


def unit_scale(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Convert a voltage in mV and temperatures in K or °F, where no cell and no chamber can have such values."""
    events: list[Event] = []
    for rows in _rows_by_file(frame):
        factor = voltage_factor(_select_rows(column_values(frame, c.VOLTAGE), rows), settings.voltage_limits_volt)
        if factor != 1.0:
            frame = _scale(frame, c.VOLTAGE, rows, factor, "V", events)
        for column in THERMOMETERS:
            frame = _convert_to_celsius(frame, column, rows, settings.temperature_setpoint_celsius, events)
    return RuleOutcome(frame, tuple(events))


def unit_of_charge(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Convert a current in mA or uA, then counters in mAh or uAh; events and flags are those of ``unit_scale``."""
    events: list[Event] = []
    for rows in _rows_by_file(frame):
        factor = current_factor(_flow(frame, rows), settings.nominal_capacity_ah)
        if factor != 1.0:
            frame = _scale(frame, c.CURRENT, rows, factor, "A", events)
        factor = counter_factor(_flow(frame, rows))
        if factor != 1.0:
            for column in COUNTERS:
                frame = _scale(frame, column, rows, factor, "A.h", events)
    return RuleOutcome(frame, tuple(events))


def _rows_by_file(frame: pd.DataFrame) -> list[Mask]:
    """Return the rows of each source file, as masks of shape (n,)."""
    source = frame[c.SOURCE_INDEX].to_numpy()
    if len(source) and source.min() == source.max():
        return [np.ones(len(source), dtype=bool)]
    return [source == index for index in np.unique(source)]


def _select_rows(column: Floats, rows: Mask) -> Floats:
    """Return a column's values in these rows, without a copy if they are all rows."""
    if rows.all():
        return column
    return column[rows]


def _flow(frame: pd.DataFrame, rows: Mask) -> Flow:
    def values(column: str) -> Floats:
        return _select_rows(column_values(frame, column), rows)

    return Flow(
        time_second=values(c.TEST_TIME),
        current=values(c.CURRENT),
        voltage_volt=values(c.VOLTAGE),
        counted_in=_rises(values(c.CHARGING_CAPACITY)),
        counted_out=_rises(values(c.DISCHARGING_CAPACITY)),
    )


def _rises(counter: Floats) -> Floats:
    """Return by how much a counter rose between samples, shape (n - 1,); zeros if there is no counter."""
    if np.isnan(counter).all():
        return np.zeros(max(len(counter) - 1, 0))
    rises: Floats = np.clip(np.nan_to_num(np.diff(np.abs(counter))), 0.0, None)
    return rises


def _scale(frame: pd.DataFrame, column: str, rows: Mask, factor: float, unit: str, events: list[Event]) -> pd.DataFrame:
    """Multiply a column's values of one file by 0.001 or 0.000001, and append the event.

    Args:
        frame: the record.
        column: of which values.
        rows: of the file, shape (n,).
        factor: 0.001 or 0.000001.
        unit: after the conversion.
        events: appended to.
    """
    values = column_values(frame, column)
    # Division by a whole number gives the decimal number that the file has in the other unit.
    converted = np.where(rows, values / round(1.0 / factor), values)
    old_unit = f"{PREFIXES[factor]}{unit.replace('.', '')}"
    return _set(frame, column, rows, converted, old_unit, unit, events)


def _convert_to_celsius(
    frame: pd.DataFrame, column: str, rows: Mask, setpoint: float | None, events: list[Event]
) -> pd.DataFrame:
    """Convert a file's temperatures in K or °F to °C, and append the event; as :func:`_scale`."""
    temperature = column_values(frame, column)
    unit = temperature_unit(_select_rows(temperature, rows), setpoint)
    if unit is None:
        return frame
    celsius = kelvin_to_celsius(temperature) if unit == "K" else fahrenheit_to_celsius(temperature)
    return _set(frame, column, rows, np.where(rows, celsius, temperature), unit, "°C", events)


def _set(
    frame: pd.DataFrame, column: str, rows: Mask, converted: Floats, old: str, new: str, events: list[Event]
) -> pd.DataFrame:
    """Set a converted column and append the event; nothing if no value has changed."""
    values = column_values(frame, column)
    touched = rows & np.isfinite(values) & (converted != values)
    if not touched.any():
        return frame
    median_before = float(np.nanmedian(np.abs(values[touched])))
    median_after = float(np.nanmedian(np.abs(converted[touched])))
    event = Event(
        "unit_scale",
        int(frame.index[int(np.argmax(touched))]),
        int(touched.sum()),
        f"{column} in {old}, {median_before:.5g} at the median",
        f"{median_after:.5g} {new}",
        "converted",
    )
    events.append(event)
    return set_flag(frame.assign(**{column: converted}), touched, "unit_scale")
