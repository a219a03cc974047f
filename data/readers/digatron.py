"""Read Digatron MCCD ASCII exports into raw rows.

The file starts with some lines about the program, ``Start Time`` among them. Then come a header, a line of units and
the samples. Charge is positive. ``AhAccu`` is a net counter; most programs reset it with each half cycle.

Rows of status ``RANGE`` (the current range was switched) and ``STO`` (end of the program, step 9999) have no duration
and are written twice, but each has a measured voltage and a separate time. All are read, with the status in ``state``;
cleaning quarantines them (``data.columns.MARKER_STATES``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from .. import columns as c
from ..errors import ReadError
from ..settings import ColumnMapping, SourceSettings
from .csv_header import DELIMITERS, complete_header, split_line
from .csv_reader import RawBlock, layout_blocks
from .csv_values import clean_text, find_date_format, parse_datetimes
from .date_order import find_date_order
from .layout import Layout, cell_column, column_index, resolve_column
from .text_blocks import head_block, split_lines

TARGETS: Final = {
    "Prog Time": c.TEST_TIME,
    "Cycle": c.CYCLE_ID,
    "Step": c.STEP_ID,
    "Current": c.CURRENT,
    "Voltage": c.VOLTAGE,
    "Status": c.STATE,
}
COUNTERS: Final = {
    "Step Time": c.STEP_TIME,
    "AhStep": c.STEP_CAPACITY,
    "AhAccu": c.NET_CAPACITY,
    "AhCha": c.CHARGING_CAPACITY,
    "AhDch": c.DISCHARGING_CAPACITY,
}
"""Columns that not all exports have."""

_UNITS: Final = {"[ss.xxx]": "s", "[V]": "V", "[mV]": "mV", "[A]": "A", "[mA]": "mA", "[Ah]": "Ah", "[mAh]": "mAh"}
_THERMOMETER: Final = "LogTemp"
_MIDDLE: Final = "LogTempMid"


def is_digatron(lines: Sequence[str]) -> bool:
    """Tell whether a file is a Digatron export.

    Args:
        lines: its first lines.
    """
    return _header_at(lines) is not None


def raw_blocks(path: Path, settings: SourceSettings) -> Iterator[RawBlock]:
    """Read the rows of a Digatron export.

    The test time is that of the program. The wall clock is ``Start Time`` plus test time, read as UTC (NaN if the file
    has no ``Start Time``). The surface temperature is that of the middle thermometer, or else the mean of all.

    Args:
        path: the file.
        settings: how it is read.

    Raises:
        ReadError: as :func:`digatron_layout`, or ``Start Time`` is not a date.
    """
    start = _start_time(path, split_lines(head_block(path)))
    for block in layout_blocks(path, digatron_layout(path, settings)):
        wall_clock = {c.UNIX_TIME: start + block.columns[c.TEST_TIME]}
        yield dataclasses.replace(block, columns={**block.columns, **wall_clock})


def digatron_layout(path: Path, settings: SourceSettings) -> Layout:
    """Find header, units and columns of an export.

    Args:
        path: the file.
        settings: how it is read; only ``cell_id_from`` is used.

    Raises:
        ReadError: the file is not a Digatron export, has no samples, or lacks a column.
    """
    lines = split_lines(head_block(path))
    at = _header_at(lines)
    if at is None:
        if not any(line.strip() for line in lines):
            raise ReadError(f"{path}: the file is empty; export it again, or remove it from the sources")
        raise ReadError(
            f"{path}: this is not a Digatron export, because no line has the columns Step, Status and Prog Time; set "
            'reader = "csv" in its [[sources]] table'
        )
    number, delimiter = at
    names = _fields(lines[number], delimiter)
    units = _fields(lines[number + 1], delimiter) if number + 1 < len(lines) else []
    has_units = any(unit.startswith("[") for unit in units)
    data_from = number + 1 + has_units
    header = complete_header(path, delimiter, names, data_from, lines[data_from:])
    unit_of = dict(zip(names, units, strict=False)) if has_units else {}
    targets = TARGETS | {name: target for name, target in COUNTERS.items() if name in names}
    mappings = [ColumnMapping(target, name, _UNITS.get(unit_of.get(name, ""), "")) for name, target in targets.items()]
    mappings += [ColumnMapping(c.SURFACE_TEMPERATURE, name) for name in _thermometers(names)]
    cell_name = cell_column(settings)
    cell = None if cell_name is None else column_index(header, cell_name, c.CELL_ID)
    return Layout(header, tuple(resolve_column(header, mapping) for mapping in mappings), cell)


def _header_at(lines: Sequence[str]) -> tuple[int, str] | None:
    for number, line in enumerate(lines[:100]):
        for delimiter in DELIMITERS:
            if {"Step", "Status", "Prog Time"} <= set(_fields(line, delimiter)):
                return number, delimiter
    return None


def _start_time(path: Path, lines: Sequence[str]) -> float:
    """Return the start of the program in seconds since 1970; NaN if the file does not have it."""
    for line in lines[:100]:
        for delimiter in DELIMITERS:
            name, _, rest = line.partition(delimiter)
            text = rest.strip(delimiter + " ")
            if name.strip() != "Start Time" or not text:
                continue
            date = find_date_format([text])
            orders = find_date_order([[text, _end_time(lines)]], date)
            seconds = float(parse_datetimes(clean_text(pa.array([text])), orders.settled or date)[0])
            if np.isnan(seconds):
                raise ReadError(f"{path}: Start Time {text!r} has an unknown date format; correct it in the file")
            return seconds
    return float("nan")


def _end_time(lines: Sequence[str]) -> str:
    """Return the text of the end of the program; "" if the file does not have it."""
    for line in lines[:100]:
        for delimiter in DELIMITERS:
            name, _, rest = line.partition(delimiter)
            if name.strip() == "End Time":
                return rest.strip(delimiter + " ")
    return ""


def _thermometers(names: Sequence[str]) -> list[str]:
    if _MIDDLE in names:
        return [_MIDDLE]
    return [name for name in names if name.startswith(_THERMOMETER)]


def _fields(line: str, delimiter: str) -> list[str]:
    fields = [field.strip() for field in split_line(line, delimiter)]
    while fields and not fields[-1]:
        fields.pop()
    return fields
