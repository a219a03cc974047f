"""Write cleaned records as CSV, with the fewest digits that read back as the same number; missing values are empty."""

# pyarrow.compute makes its functions at import; no type checker sees them.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute
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
"""Label of each column in the Battery Data Format, the required columns first.

Source: its ontology, version 1.3.0, https://w3id.org/battery-data-alliance/ontology/battery-data-format
"""

BDF_RESET_LABELS: Final[dict[str, str]] = {
    c.CHARGING_CAPACITY: "Schedule Charging Capacity / Ah",
    c.DISCHARGING_CAPACITY: "Schedule Discharging Capacity / Ah",
}
"""Labels of counters that the cycler's schedule resets; the others are for counters that never decrease."""

BDF_REQUIRED: Final = (c.TEST_TIME, c.VOLTAGE, c.CURRENT)
_QUOTED: Final = frozenset(',"\r\n')


def bdf_series(table: pa.Table) -> pa.Table:
    """Return the columns of the Battery Data Format under its labels, without optional columns that have no value.

    The format has no flags, so the voltage of an inserted step edge is left empty: it would pass for a measured one.
    The current stays, because it gives the charge.

    Args:
        table: a cleaned partition, ``data.columns.PARTITION_COLUMNS``. Its units and its sign of the current (positive
            charges the cell) are those of the format.
    """
    table = _without_inserted_voltage(table)
    rows = max(table.num_rows, 1)
    names = [name for name in BDF_LABELS if name in BDF_REQUIRED or table.column(name).null_count < rows]
    reset_labels = {name: label for name, label in BDF_RESET_LABELS.items() if _decreases(table.column(name))}
    labels = BDF_LABELS | reset_labels
    return table.select(names).rename_columns([labels[name] for name in names])


def _without_inserted_voltage(table: pa.Table) -> pa.Table:
    """Return a partition in which the voltage of samples without a source row is missing."""
    inserted = pyarrow.compute.equal(table.column(c.SOURCE_ROW), c.NO_SOURCE_ROW)
    if not pyarrow.compute.any(inserted).as_py():
        return table
    voltage = table.column(c.VOLTAGE)
    place = table.schema.get_field_index(c.VOLTAGE)
    nothing = pa.scalar(None, voltage.type)
    return table.set_column(place, c.VOLTAGE, pyarrow.compute.if_else(inserted, nothing, voltage))


def _decreases(column: pa.ChunkedArray) -> bool:
    known = np.asarray(column.drop_null(), dtype=np.float64)
    return bool((known[1:] < known[:-1]).any())


def write_header(file: BinaryIO, names: Sequence[str]) -> None:
    """Write the header line.

    Args:
        file: opened for writing bytes.
        names: names of the columns.
    """
    file.write(_line(names).encode())


def write_rows(file: BinaryIO, table: pa.Table, constants: Mapping[str, str] | None = None) -> None:
    """Write the rows of a table as UTF-8 lines, without a header.

    Args:
        file: opened for writing bytes.
        table: the rows.
        constants: columns with one text in all rows, by name, such as the cell id; they come before those of the table.
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
