"""Cleaning rules about units: numbers a thousand times too large for any cell are in another unit.

Neither the header nor the campaign gave this unit. So only values that no cell can have are converted, in each source
file separately.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ...data import columns as c
from ...data.arrays import Floats, Mask
from ...data.convert import fahrenheit_to_celsius, kelvin_to_celsius
from ...data.settings import CleanSettings
from ..record.table import Table
from ..record.units import MICRO, MILLI, Flow, counter_factor, current_factor, temperature_unit, voltage_factor
from .rule import Event, RuleOutcome, column_values, set_flag

THERMOMETERS: Final = (c.AMBIENT_TEMPERATURE, c.SURFACE_TEMPERATURE)
COUNTERS: Final = ((c.CHARGING_CAPACITY, c.DISCHARGING_CAPACITY), (c.STEP_CAPACITY,), (c.NET_CAPACITY,))
"""The cycler's counters, each with its own unit; the first that a file has is evidence for the current's unit."""
PREFIXES: Final = {MILLI: "m", MICRO: "u"}


def unit_scale(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Convert a voltage in mV and temperatures in K or °F, where no cell and no chamber can have such values."""
    events: list[Event] = []
    for rows in _rows_by_file(frame):
        factor = voltage_factor(_select_rows(column_values(frame, c.VOLTAGE), rows), settings.voltage_limits_volt)
        if factor != 1.0:
            frame = _scale(frame, c.VOLTAGE, rows, factor, "V", events)
        for column in THERMOMETERS:
            frame = _convert_to_celsius(frame, column, rows, settings.temperature_setpoint_celsius, events)
    return RuleOutcome(frame, tuple(events))


def unit_of_charge(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Convert a current in mA or uA, then counters in mAh or uAh; events and flags are those of ``unit_scale``."""
    events: list[Event] = []
    for rows in _rows_by_file(frame):
        known = [counters for counters in COUNTERS if _has_counter(frame, counters, rows)]
        evidence = known[0] if known else COUNTERS[0]
        factor = current_factor(_flow(frame, rows, evidence), settings.nominal_capacity_ah)
        if factor != 1.0:
            frame = _scale(frame, c.CURRENT, rows, factor, "A", events)
        for counters in COUNTERS:
            if not _has_counter(frame, counters, rows):
                continue
            factor = counter_factor(_flow(frame, rows, counters))
            if factor != 1.0:
                for column in counters:
                    frame = _scale(frame, column, rows, factor, "A.h", events)
    return RuleOutcome(frame, tuple(events))


def _rows_by_file(frame: Table) -> list[Mask]:
    """Return the rows of each source file, as masks of shape (n,)."""
    source = frame[c.SOURCE_INDEX]
    if len(source) and source.min() == source.max():
        return [np.ones(len(source), dtype=bool)]
    return [source == index for index in np.unique(source)]


def _select_rows(column: Floats, rows: Mask) -> Floats:
    """Return a column's values in these rows, without a copy if they are all rows."""
    if rows.all():
        return column
    return column[rows]


def _has_counter(frame: Table, counters: tuple[str, ...], rows: Mask) -> bool:
    return any(bool(np.isfinite(_select_rows(column_values(frame, name), rows)).any()) for name in counters)


def _flow(frame: Table, rows: Mask, counters: tuple[str, ...]) -> Flow:
    """Return the evidence of one file, with what one kind of counter counted."""

    def values(column: str) -> Floats:
        return _select_rows(column_values(frame, column), rows)

    current = values(c.CURRENT)
    if len(counters) == 2:
        counted_in, counted_out = (_rises(values(name)) for name in counters)
    else:
        counted_in, counted_out = _both_ways(values(counters[0]), current, falls=counters == (c.NET_CAPACITY,))
    return Flow(
        time_second=values(c.TEST_TIME),
        current=current,
        voltage_volt=values(c.VOLTAGE),
        counted_in=counted_in,
        counted_out=counted_out,
    )


def _both_ways(counter: Floats, current: Floats, falls: bool) -> tuple[Floats, Floats]:
    """Return by how much a single counter counted in and out between samples, shape (n - 1,) each.

    Args:
        counter: in its own unit, shape (n,).
        current: its sign is the direction, shape (n,).
        falls: the counter falls while the cell is discharged; otherwise it rises within each step, and its falls are
            resets.
    """
    counted = np.abs(np.nan_to_num(np.diff(counter))) if falls else _rises(counter)
    charges = np.nan_to_num(current[1:] + current[:-1]) > 0.0
    return np.where(charges, counted, 0.0), np.where(charges, 0.0, counted)


def _rises(counter: Floats) -> Floats:
    """Return by how much a counter rose between samples, shape (n - 1,); zeros if there is no counter."""
    if np.isnan(counter).all():
        return np.zeros(max(len(counter) - 1, 0))
    rises: Floats = np.clip(np.nan_to_num(np.diff(np.abs(counter))), 0.0, None)
    return rises


def _scale(frame: Table, column: str, rows: Mask, factor: float, unit: str, events: list[Event]) -> Table:
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


def _convert_to_celsius(frame: Table, column: str, rows: Mask, setpoint: float | None, events: list[Event]) -> Table:
    """Convert a file's temperatures in K or °F to °C, and append the event; as :func:`_scale`."""
    temperature = column_values(frame, column)
    unit = temperature_unit(_select_rows(temperature, rows), setpoint)
    if unit is None:
        return frame
    celsius = kelvin_to_celsius(temperature) if unit == "K" else fahrenheit_to_celsius(temperature)
    return _set(frame, column, rows, np.where(rows, celsius, temperature), unit, "°C", events)


def _set(frame: Table, column: str, rows: Mask, converted: Floats, old: str, new: str, events: list[Event]) -> Table:
    """Set a converted column and append the event; nothing if no value has changed."""
    values = column_values(frame, column)
    touched = rows & np.isfinite(values) & (converted != values)
    if not touched.any():
        return frame
    median_before = float(np.nanmedian(np.abs(values[touched])))
    median_after = float(np.nanmedian(np.abs(converted[touched])))
    event = Event(
        "unit_scale",
        int(frame.labels[int(np.argmax(touched))]),
        int(touched.sum()),
        f"{column} in {old}, {median_before:.5g} at the median",
        f"{median_after:.5g} {new}",
        "converted",
    )
    events.append(event)
    return set_flag(frame.assign(**{column: converted}), touched, "unit_scale")
