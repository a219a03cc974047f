"""Simulate a cycler: the record as arrays, the noise of its channels, and its CSV export."""

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
"""Stands for a missing time."""

UNREADABLE_VALUE: Final = np.inf
"""Stands for a number in whose place the export writes :data:`UNREADABLE_TEXT`."""

UNREADABLE_TEXT: Final = "#OVERFLOW"
DIGITS: Final = {"current": 5, "voltage": 5, "temperature": 2}
"""Decimals of each number in the export."""

SETTLE_ROWS: Final = 4
"""Rows on each side of an edge of the current that are not calm."""


@dataclass(frozen=True, slots=True)
class CyclerRecord:
    """The rows of one cell in the order of the file, shape (rows,) each.

    Args:
        time_ms: wall clock of the cycler's computer, ms since 1970-01-01; :data:`MISSING_MS` = missing.
        cycle: cycle number of the cycler.
        step: step number of the cycler.
        current: A, positive charges the cell; NaN = missing.
        voltage: V; NaN = missing.
        temperature: °C; NaN = missing.
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
    """The true record of a cell, without noise, shape (rows,) each.

    Args:
        time_second: s, from 0.
        cycle: cycle number.
        step: step number of the schedule.
        rate: C-rate (A per A.h of nominal capacity), positive charges the cell.
        voltage: V.
    """

    time_second: Floats
    cycle: Integers
    step: Integers
    rate: Floats
    voltage: Floats

    @property
    def steps(self) -> int:
        """Number of steps: runs of rows with the same cycle and step number."""
        return 1 + int(np.count_nonzero((np.diff(self.cycle) != 0) | (np.diff(self.step) != 0)))

    def charge_ah(self, nominal_capacity_ah: float) -> tuple[float, float]:
        """Integrate the charge into and out of a cell (trapezoids between rows).

        Args:
            nominal_capacity_ah: of the cell (A.h).

        Returns:
            Charge in and charge out, A.h, both positive.
        """
        charge_ah = (self.rate[1:] + self.rate[:-1]) / 2 * np.diff(self.time_second) / 3600 * nominal_capacity_ah
        return float(charge_ah[charge_ah > 0].sum()), float(-charge_ah[charge_ah < 0].sum())


@dataclass(frozen=True, slots=True)
class Channel:
    """The channel that measures a cell.

    Args:
        start_ms: start of the record, ms since 1970-01-01.
        temperature_celsius: of the chamber (°C).
        current_noise_ampere: standard deviation of the white noise of the current (A).
        voltage_noise_volt: standard deviation of the white noise of the voltage (V).
        temperature_noise_celsius: standard deviation of the white noise of the temperature (°C).
    """

    start_ms: int
    temperature_celsius: float
    current_noise_ampere: float
    voltage_noise_volt: float = 0.001
    temperature_noise_celsius: float = 0.1


def measure(true: TrueRecord, nominal_capacity_ah: float, channel: Channel, rng: np.random.Generator) -> CyclerRecord:
    """Turn a true record into the record of a channel: scaled current, noise, wall clock, rounded as in the export.

    The temperature of the chamber oscillates by 0.15 °C with a period of three hours, as thermostats do.

    Args:
        true: the true record.
        nominal_capacity_ah: of the cell (A.h); it scales the C-rates.
        channel: noise, temperature and start.
        rng: source of the noise.
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
    """Find the rows that are far from every edge: no new step and no jump of the current within four rows.

    The first ten rows do not count as calm, because a record needs an undamaged rest at its start.

    Args:
        record: the record.
        nominal_capacity_ah: of the cell (A.h).

    Returns:
        Shape (rows,).
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
    """Return a record as the columns of the export: numbers with fixed decimals, missing values empty.

    Args:
        record: the record.
        cell_id: id of the cell, in each row.
    """

    def fixed(name: str) -> pa.Array:
        column = getattr(record, name)
        unreadable = np.isinf(column)
        values = pa.array(np.where(unreadable, np.nan, column), from_pandas=True)
        texts = values.cast(pa.decimal128(12, DIGITS[name]), safe=False).cast(pa.string())
        if not unreadable.any():
            return texts
        return pa.array(np.where(unreadable, UNREADABLE_TEXT, texts.to_numpy(zero_copy_only=False)), pa.string())

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
    """Write an export: a header and all rows, without quotes. The file is complete or does not exist.

    Args:
        path: the file; an existing one is replaced.
        tables: from :func:`csv_table`, written one after the other.
    """
    temporary = path.with_name(path.name + ".tmp-csv")
    options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="none")
    with temporary.open("wb") as file:
        file.write((",".join(CSV_COLUMNS) + "\n").encode())
        for table in tables:
            pyarrow.csv.write_csv(table, file, options)
    temporary.replace(path)
