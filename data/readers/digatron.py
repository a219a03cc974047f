"""Reads Digatron MCCD ASCII exports into raw rows.

The file starts with some lines of what was run, ``Start Time`` among them, then comes a header, a row of units and the
samples. Charge is positive. ``AhAccu`` is a net counter that starts anew with each half cycle, so no capacity is
taken from it.

Rows of status ``RANGE`` (the current range is switched) and ``STO`` (the program's end, step 9999) take no time and are
written twice, but each measures a voltage at a time of its own: all are given, the status in ``state``, and
cleaning puts them aside (``data.columns.MARKER_STATES``).
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
_UNITS: Final = {"[ss.xxx]": "s", "[V]": "V", "[mV]": "mV", "[A]": "A", "[mA]": "mA"}
_THERMOMETER: Final = "LogTemp"
_MIDDLE: Final = "LogTempMid"


def is_digatron(lines: Sequence[str]) -> bool:
    """Tell from a file's first lines whether it is a Digatron export."""
    return _header_at(lines) is not None


def raw_blocks(path: Path, settings: SourceSettings) -> Iterator[RawBlock]:
    """Read a Digatron export's rows.

    Test time is the program's; wall-clock time is that plus ``Start Time``, taken as UTC (NaN where the file has
    none). Surface temperature is the thermometer in the middle, or the mean of those that the file has.

    Raises:
        ReadError: as :func:`digatron_layout`, or ``Start Time`` is no date.
    """
    start = _start_time(path, split_lines(head_block(path)))
    for block in layout_blocks(path, digatron_layout(path, settings)):
        frame = block.frame.assign(**{c.UNIX_TIME: start + block.frame[c.TEST_TIME]})
        yield dataclasses.replace(block, frame=frame)


def digatron_layout(path: Path, settings: SourceSettings) -> Layout:
    """Find header, units and the columns that this export has.

    Raises:
        ReadError: this is no Digatron export, it has no samples, or a column is missing.
    """
    lines = split_lines(head_block(path))
    at = _header_at(lines)
    if at is None:
        raise ReadError(
            f"{path}: is no Digatron export: no line has the columns Step, Status and Prog Time; use the reader 'csv'"
            if any(line.strip() for line in lines)
            else f"{path}: is empty; export it again, or leave it out of the sources"
        )
    number, delimiter = at
    names = _fields(lines[number], delimiter)
    units = _fields(lines[number + 1], delimiter) if number + 1 < len(lines) else []
    has_units = any(unit.startswith("[") for unit in units)
    data_from = number + 1 + has_units
    header = complete_header(path, delimiter, names, data_from, lines[data_from:])
    unit_of = dict(zip(names, units, strict=False)) if has_units else {}
    mappings = [
        ColumnMapping(target, name, _UNITS.get(unit_of.get(name, ""), "")) for name, target in TARGETS.items()
    ] + [ColumnMapping(c.SURFACE_TEMPERATURE, name) for name in _thermometers(names)]
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
    """Return the program's start in seconds since 1970, NaN where the file does not say."""
    for line in lines[:100]:
        for delimiter in DELIMITERS:
            name, _, rest = line.partition(delimiter)
            text = rest.strip(delimiter + " ")
            if name.strip() != "Start Time" or not text:
                continue
            seconds = float(parse_datetimes(clean_text(pa.array([text])), find_date_format([text]))[0])
            if np.isnan(seconds):
                raise ReadError(f"{path}: Start Time is {text!r}, which is no date and time that is known")
            return seconds
    return float("nan")


def _thermometers(names: Sequence[str]) -> list[str]:
    if _MIDDLE in names:
        return [_MIDDLE]
    return [name for name in names if name.startswith(_THERMOMETER)]


def _fields(line: str, delimiter: str) -> list[str]:
    fields = [field.strip() for field in split_line(line, delimiter)]
    while fields and not fields[-1]:
        fields.pop()
    return fields
