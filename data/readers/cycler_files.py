"""Read cyclers' own files (Neware .nda and .ndax) and workbooks (.xlsx, .xls) with optional libraries.

``pip install 'kilocell[cyclers]'`` installs them; docs/decisions/0006-cyclers-files.md says why these were chosen.
"""

from __future__ import annotations

import datetime
import importlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from .. import columns as c
from ..errors import MissingLibraryError, ReadError
from ..memory_limit import check_archive
from ..settings import ColumnMapping, SourceSettings
from .column_names import possible_targets
from .csv_header import HEADER_LINES, Header, header_score, unit_row
from .csv_reader import RawBlock
from .file_kinds import detect_reader
from .layout import Layout, find_layout
from .typed_tables import table_blocks, table_cells, table_header, table_settings

_EXPORT: Final = "export it as text or CSV with the cycler's own software"
_NEWARE: Final[dict[str, tuple[str, str]]] = {
    "unix_time_second": ("unix_time_s", "s"),
    "test_time_second": ("total_time_s", "s"),
    "cycle_id": ("cycle_count", ""),
    "step_id": ("step_index", ""),
    "current_ampere": ("current_mA", "mA"),
    "voltage_volt": ("voltage_V", "V"),
    "step_time_second": ("step_time_s", "s"),
    "step_capacity_ah": ("capacity_mAh", "mAh"),
    "state": ("step_type", ""),
}
CHANNEL: Final = "Channel"
"""Name of the added column with the channel of each row, in a workbook with sheets of several channels."""

_CHANNEL_SHEET: Final = re.compile(r"(?i)channel[_ ]*(\d+(?:-\d+)?)(?:_\d+)?")
_DAY_ZERO: Final = datetime.datetime(1899, 12, 30)
"""Day 0 of the calendar of a workbook."""

_EPOCH: Final = datetime.datetime(1970, 1, 1)
_RECORD: Final = ({c.VOLTAGE}, {c.CURRENT}, {c.TEST_TIME, c.UNIX_TIME})
"""The quantities of a record: voltage, current, and a time of either kind."""


@dataclass(frozen=True, slots=True)
class _Content:
    """The tables of a file, all with the same columns, and their common header."""

    header: Header
    tables: tuple[pa.Table, ...]


def guess_cycler_file(path: Path) -> SourceSettings:
    """Guess how a cycler's own file is read. The current of Neware files is positive for charge.

    Args:
        path: the file.

    Raises:
        ReadError: a library is not installed, the file is damaged, or a required column is missing.
    """
    reader = detect_reader(path) or ""
    header = _content(path, reader).header
    if reader == "neware":
        return SourceSettings(reader, _neware_columns(header), "stem", "charge_positive")
    return table_settings(reader, header)


def make_layout_finder(reader: str) -> Callable[[Path, SourceSettings], Layout]:
    """Return a function that finds the quantity in each column of a file.

    Args:
        reader: ``neware`` or ``xlsx``.
    """

    def layout(path: Path, settings: SourceSettings) -> Layout:
        return _layout(_content(path, reader), settings)

    return layout


def make_block_reader(reader: str) -> Callable[[Path, SourceSettings], Iterator[RawBlock]]:
    """Return a function that reads the rows of a file. It reads the whole file, because such files fit into memory.

    The function raises ReadError if a library is not installed, the file is damaged, or a column is missing.

    Args:
        reader: ``neware`` or ``xlsx``.
    """

    def raw_blocks(path: Path, settings: SourceSettings) -> Iterator[RawBlock]:
        content = _content(path, reader)
        yield from table_blocks(content.tables, _layout(content, settings))

    return raw_blocks


def make_cell_lister(reader: str) -> Callable[[Path, Layout], tuple[str, ...]]:
    """Return a function that lists the cell ids in a column of a file.

    Args:
        reader: ``neware`` or ``xlsx``.
    """

    def cells(path: Path, layout: Layout) -> tuple[str, ...]:
        return table_cells(_content(path, reader).tables, layout)

    return cells


def _layout(content: _Content, settings: SourceSettings) -> Layout:
    if settings.reader == "neware" and not settings.columns:
        columns = _neware_columns(content.header)
        settings = SourceSettings(settings.reader, columns, settings.cell_id_from, settings.current_sign)
    return find_layout(content.header, settings)


def _content(path: Path, reader: str) -> _Content:
    check_archive(path)
    if reader == "neware":
        table = _neware(path)
        return _Content(table_header(path, table.column_names, [table]), (table,))
    sheets: tuple[Sheet, ...] = read_sheets(path)
    tables = tuple(sheet.table for sheet in sheets)
    return _Content(table_header(path, tables[0].column_names, tables, sheets[0].units), tables)


def _neware(path: Path) -> pa.Table:
    fastnda = import_extra(path, "fastnda", "Neware files")
    try:
        return fastnda.read(path, cycle_mode="raw").to_arrow()  # cycle numbers as in the file
    except Exception as error:  # For a damaged file, the library raises errors of any kind.
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ReadError(f"{path}: cannot be read as a Neware file ({reason}); {_EXPORT}") from None


def _neware_columns(header: Header) -> tuple[ColumnMapping, ...]:
    columns = [ColumnMapping(target, name, unit) for target, (name, unit) in _NEWARE.items() if name in header.names]
    thermometers = [name for name in header.names if name.startswith("aux") and name.endswith("_temperature_degC")]
    surface = [ColumnMapping("surface_temperature_celsius", name, "degC") for name in thermometers]
    return (*columns, *surface)


@dataclass(frozen=True, slots=True)
class Sheet:
    """The rows of a sheet below its header; ``units`` are the texts of a line of units, if there is one."""

    name: str
    table: pa.Table
    units: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _SheetWithHeader:
    """The rows of a sheet, the place ``at`` of its header among them, and how likely that is the header."""

    name: str
    rows: list[list[Any]]
    at: int
    names: tuple[str, ...]
    score: tuple[int, int]


def read_sheets(path: Path) -> tuple[Sheet, ...]:
    """Return the sheets of the record: the one whose header has most known names, and all with the same header.

    A cycler continues in another sheet when one is full. Sheets of several channels (Arbin) get a column
    :data:`CHANNEL`.

    Args:
        path: the workbook.

    Raises:
        ReadError: the library is not installed, the workbook is damaged, or no sheet looks like a record.
    """
    sheets = [_find_header(name, rows) for name, rows in _read_rows(path) if any(map(any, rows))]
    if not sheets:
        raise ReadError(f"{path}: all sheets are empty; export the file again, or remove it from the sources")
    best = max(sheets, key=lambda sheet: sheet.score)
    if best.score[0] < len(_RECORD):
        names = ", ".join(repr(sheet.name) for sheet in sheets)
        raise ReadError(
            f"{path}: none of its sheets ({names}) has a header with voltage, current and time; save the sheet of the "
            'record as CSV, and name its columns with "columns" in its [[sources]] table'
        )
    record_sheets = [sheet for sheet in sheets if sheet.names == best.names]
    channels = [_channel(sheet.name) for sheet in record_sheets]
    has_several_channels = len(set(channels)) > 1 and CHANNEL not in best.names
    return tuple(
        _sheet(sheet, channel if has_several_channels else None)
        for sheet, channel in zip(record_sheets, channels, strict=True)
    )


def import_extra(path: Path, name: str, need: str) -> Any:
    """Import a library that only the extra ``cyclers`` installs.

    Args:
        path: the file that needs it.
        name: the module.
        need: what needs it, in plural, such as ``workbooks``.

    Raises:
        MissingLibraryError: it is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        reason = f"{path}: {need} need another library; run: pip install 'kilocell[cyclers]'"
        raise MissingLibraryError(reason) from None


def _read_rows(path: Path) -> list[tuple[str, list[list[Any]]]]:
    calamine = import_extra(path, "python_calamine", "workbooks")
    try:
        book = calamine.CalamineWorkbook.from_path(path)
        return [(name, book.get_sheet_by_name(name).to_python()) for name in book.sheet_names]
    except (calamine.CalamineError, OSError) as error:
        reason = " ".join(str(error).split())
        raise ReadError(f"{path}: cannot be read as a workbook ({reason}); save it again, or save it as CSV") from None


def _find_header(name: str, rows: list[list[Any]]) -> _SheetWithHeader:
    texts = [["" if value is None else str(value) for value in row] for row in rows[:HEADER_LINES]]
    scores = [(_quantities(row), header_score(row, ())[1]) for row in texts]
    score, at = max((score, -number) for number, score in enumerate(scores))
    return _SheetWithHeader(name, rows, -at, tuple(text.strip() for text in texts[-at]), score)


def _quantities(names: Sequence[str]) -> int:
    """Count the quantities of a record in some names; sheets of cycles or steps have other quantities."""
    known = set().union(*(possible_targets(name) for name in names if name))
    return sum(not known.isdisjoint(targets) for targets in _RECORD)


def _sheet(sheet: _SheetWithHeader, channel: str | None) -> Sheet:
    following = sheet.rows[sheet.at + 1 :]
    units: tuple[str, ...] = ()
    if following:
        units = unit_row(sheet.names, ["" if value is None else str(value) for value in following[0]])
    if units:
        following = following[1:]
    body = [row for row in following if any(value not in ("", None) for value in row)]
    columns = list(zip(*body, strict=True)) or [()] * len(sheet.names)
    arrays = {name: _array(values) for name, values in zip(sheet.names, columns, strict=True) if name}
    if channel is not None:
        arrays[CHANNEL] = pa.array([channel] * len(body), pa.string())
    named_units = tuple(unit for name, unit in _units(sheet.names, units) if name)
    return Sheet(sheet.name, pa.table(arrays), named_units)


def _units(names: Sequence[str], units: Sequence[str]) -> list[tuple[str, str]]:
    if not units:
        return []
    padded = [*units, *[""] * (len(names) - len(units))]
    return list(zip(names, padded, strict=True))


def _channel(name: str) -> str:
    match = _CHANNEL_SHEET.search(name)
    if match is None:
        return ""
    return match[1]


def _array(values: Sequence[Any]) -> pa.Array:
    """Return one column: numbers, timestamps, or times of day and durations in s, if all its values are; else text."""
    given = [value for value in values if value not in ("", None)]
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in given):
        return pa.array([None if value in ("", None) else float(value) for value in values], pa.float64())
    if all(isinstance(value, datetime.datetime) and value.year >= 1910 for value in given):
        return pa.array([None if value in ("", None) else value for value in values], pa.timestamp("us"))
    if all(isinstance(value, (datetime.datetime, datetime.time, datetime.timedelta)) for value in given):
        return pa.array([None if value in ("", None) else _seconds(value) for value in values], pa.float64())
    return pa.array([None if value in ("", None) else str(value) for value in values], pa.string())


def _seconds(value: datetime.datetime | datetime.time | datetime.timedelta) -> float:
    """Return a duration in s, which a sheet stores as a time of day or as a date at the start of its calendar."""
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, datetime.datetime):
        start = _DAY_ZERO if value.year < 1910 else _EPOCH
        return (value - start).total_seconds()
    return value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1e6
