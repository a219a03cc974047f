"""A cycler's record as arrays, the noise of its channels, and the CSV that it exports."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.csv

from ..arrays import Floats, Integers, Mask

CSV_COLUMNS: Final = ("datetime", "cell_id", "cycle", "step", "current_A", "voltage_V", "temperature_C")
MISSING_MS: Final = int(np.iinfo(np.int64).min)
"""A time that is not there."""

UNREADABLE_VALUE: Final = np.inf
"""A number in whose place the export writes words."""

UNREADABLE_TEXT: Final = "#OVERFLOW"
DIGITS: Final = {"current": 5, "voltage": 5, "temperature": 2}
SETTLE_ROWS: Final = 4  # rows around an edge of the current that are not calm


@dataclass(frozen=True, slots=True)
class CyclerRecord:
    """The rows of one cell in the file's order, all arrays of one length.

    Args:
        time_ms: ms since 1970-01-01, the wall clock of the cycler's computer.
        cycle, step: the cycler's numbers.
        current: A, positive charges the cell; NaN = missing, as in ``voltage`` (V) and ``temperature`` (°C).
    """

    time_ms: Integers
    cycle: Integers
    step: Integers
    current: Floats
    voltage: Floats
    temperature: Floats

    def __len__(self) -> int:
        return len(self.time_ms)


@dataclass(frozen=True, slots=True)
class TrueRecord:
    """What a cell really did, without noise: time in s from 0, C-rate (positive charges) and voltage in V."""

    time_second: Floats
    cycle: Integers
    step: Integers
    rate: Floats
    voltage: Floats

    @property
    def steps(self) -> int:
        """Number of steps: runs of rows with one cycle and step number."""
        return 1 + int(np.count_nonzero((np.diff(self.cycle) != 0) | (np.diff(self.step) != 0)))

    def charge_ah(self, nominal_capacity_ah: float) -> tuple[float, float]:
        """Charge in and out in A.h, both positive, for a cell of this nominal capacity (trapezoids between rows)."""
        middle = (self.rate[1:] + self.rate[:-1]) / 2 * np.diff(self.time_second) / 3600 * nominal_capacity_ah
        return float(middle[middle > 0].sum()), float(-middle[middle < 0].sum())


@dataclass(frozen=True, slots=True)
class Channel:
    """The channel that measures a cell: standard deviations of its white noise, chamber temperature and start."""

    start_ms: int
    temperature_celsius: float
    current_noise_ampere: float
    voltage_noise_volt: float = 0.001
    temperature_noise_celsius: float = 0.1


def measure(true: TrueRecord, nominal_capacity_ah: float, channel: Channel, rng: np.random.Generator) -> CyclerRecord:
    """Turn a true record into what a channel writes: scaled current, noise, wall clock, rounded to the file's digits.

    The chamber sways by 0.15 °C over three hours, as thermostats do.
    """
    rows = len(true.time_second)
    noise = rng.standard_normal((3, rows))
    sway = 0.15 * np.sin(2 * np.pi * (true.time_second / 10800 + rng.random()))
    temperature = channel.temperature_celsius + sway + channel.temperature_noise_celsius * noise[2]
    return CyclerRecord(
        time_ms=channel.start_ms + np.rint(true.time_second * 1000).astype(np.int64),
        cycle=true.cycle,
        step=true.step,
        current=np.round(true.rate * nominal_capacity_ah + channel.current_noise_ampere * noise[0], DIGITS["current"]),
        voltage=np.round(true.voltage + channel.voltage_noise_volt * noise[1], DIGITS["voltage"]),
        temperature=np.round(temperature, DIGITS["temperature"]),
    )


def calm_rows(record: CyclerRecord, nominal_capacity_ah: float) -> Mask:
    """Tell which rows are far from every edge: no new step and no jump of the current within four rows.

    The first ten rows do not count as calm, so that the rest a record begins with stays readable.
    """
    edge = np.zeros(len(record), dtype=bool)
    edge[1:] |= np.diff(record.step) != 0
    edge[1:] |= np.diff(record.cycle) != 0
    edge[1:] |= np.abs(np.diff(record.current)) > 0.05 * nominal_capacity_ah
    near = np.convolve(edge, np.ones(2 * SETTLE_ROWS + 1), "same") > 0
    near[:10] = True
    near[-SETTLE_ROWS:] = True
    return ~near


def csv_table(record: CyclerRecord, cell_id: str) -> pa.Table:
    """The record as the export's columns, numbers with a fixed number of digits, missing ones empty."""

    def fixed(name: str) -> pa.Array:
        column = getattr(record, name)
        words = np.isinf(column)
        values = pa.array(np.where(words, np.nan, column), from_pandas=True)
        texts = values.cast(pa.decimal128(12, DIGITS[name]), safe=False).cast(pa.string())
        if not words.any():
            return texts
        return pa.array(np.where(words, UNREADABLE_TEXT, texts.to_numpy(zero_copy_only=False)), pa.string())

    columns = [
        pa.array(record.time_ms, mask=record.time_ms == MISSING_MS).cast(pa.timestamp("ms")).cast(pa.string()),
        pa.array([cell_id] * len(record)),
        pa.array(record.cycle),
        pa.array(record.step),
        fixed("current"),
        fixed("voltage"),
        fixed("temperature"),
    ]
    return pa.table(columns, names=list(CSV_COLUMNS))


def write_csv(path: Path, tables: Iterable[pa.Table]) -> None:
    """Write an export: header and rows as they stand, no quotes; the file appears whole or not at all."""
    temporary = path.with_name(path.name + ".tmp-csv")
    options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="none")
    with temporary.open("wb") as file:
        file.write((",".join(CSV_COLUMNS) + "\n").encode())
        for table in tables:
            pyarrow.csv.write_csv(table, file, options)
    temporary.replace(path)
