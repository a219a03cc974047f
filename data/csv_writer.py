"""Cleaned series as CSV: numbers in the fewest digits that read back as the same numbers, nothing for a missing one."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.csv

from . import columns as c

BDF_LABELS: Final[dict[str, str]] = {
    c.TEST_TIME: "Test Time / s",
    c.VOLTAGE: "Voltage / V",
    c.CURRENT: "Current / A",
    c.UNIX_TIME: "Unix Time / s",
    c.CYCLE_COUNT: "Cycle Count / 1",
    c.STEP_COUNT: "Step Count / 1",
    c.STEP_ID: "Step ID",
    c.STEP_TYPE: "Step Type",
    c.AMBIENT_TEMPERATURE: "Ambient Temperature / degC",
    c.SURFACE_TEMPERATURE: "Surface Temperature / degC",
    c.CHARGING_CAPACITY: "Charging Capacity / Ah",
    c.DISCHARGING_CAPACITY: "Discharging Capacity / Ah",
}
"""The Battery Data Format's label of each column it knows, the required ones first.

Source: its ontology, version 1.3.0, https://w3id.org/battery-data-alliance/ontology/battery-data-format
"""

BDF_RESET_LABELS: Final[dict[str, str]] = {
    c.CHARGING_CAPACITY: "Schedule Charging Capacity / Ah",
    c.DISCHARGING_CAPACITY: "Schedule Discharging Capacity / Ah",
}
"""Labels of counters that the cycler's schedule sets back; those above are of counters that never go back."""

BDF_REQUIRED: Final = (c.TEST_TIME, c.VOLTAGE, c.CURRENT)
_QUOTED: Final = frozenset(',"\r\n')


def bdf_series(table: pa.Table) -> pa.Table:
    """Return the columns that the Battery Data Format knows, under its labels; optional ones without a value are left.

    Args:
        table: a cleaned partition, ``data.columns.PARTITION_COLUMNS``. Its units and its sign (positive charges the
            cell) are the format's own.
    """
    kept = [
        name for name in BDF_LABELS if name in BDF_REQUIRED or table.column(name).null_count < max(table.num_rows, 1)
    ]
    labels = BDF_LABELS | {name: label for name, label in BDF_RESET_LABELS.items() if _decreases(table.column(name))}
    return table.select(kept).rename_columns([labels[name] for name in kept])


def _decreases(column: pa.ChunkedArray) -> bool:
    known = np.asarray(column.drop_null(), dtype=np.float64)
    return bool((np.diff(known) < 0.0).any())


def write_header(file: BinaryIO, names: Sequence[str]) -> None:
    """Write the line of names."""
    file.write(_line(names).encode())


def write_rows(file: BinaryIO, table: pa.Table, constants: Mapping[str, str] | None = None) -> None:
    """Write rows beneath a header, UTF-8, lines ending in a newline.

    Args:
        constants: texts that stand in front of every row, by the names of their columns, such as the cell's id.
    """
    constants = constants or {}
    style = "needed" if any(_QUOTED & set(text) for text in constants.values()) else "none"
    for name, text in reversed(list(constants.items())):
        table = table.add_column(0, name, pa.repeat(pa.scalar(text), table.num_rows))
    options = pyarrow.csv.WriteOptions(include_header=False, quoting_style=style)
    pyarrow.csv.write_csv(table, file, options)


def _line(names: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(names)
    return text.getvalue()
