"""Reads cyclers' own files (Neware .nda and .ndax) and workbooks (.xlsx, .xls) through libraries that are an extra.

``pip install 'kilocell[cyclers]'`` brings them; docs/decisions/0006-cyclers-files.md says why these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa

from .csv_header import Header
from .csv_layout import Layout, layout_of
from .csv_reader import RawBlock
from .errors import ReadError
from .file_kinds import reader_of
from .settings import ColumnMapping, SourceSettings
from .table_blocks import table_blocks, table_cells, table_header, table_settings
from .workbooks import Sheet, extra_library, sheets_of

_EXPORT: Final = "export it as text or CSV with the cycler's own software"
_NEWARE: Final[dict[str, tuple[str, str]]] = {
    "unix_time_second": ("unix_time_s", "s"),
    "test_time_second": ("total_time_s", "s"),
    "cycle_id": ("cycle_count", ""),
    "step_id": ("step_index", ""),
    "current_ampere": ("current_mA", "mA"),
    "voltage_volt": ("voltage_V", "V"),
    "state": ("step_type", ""),
}


@dataclass(frozen=True, slots=True)
class _Content:
    """A file's tables, all with the same columns, and their common header."""

    header: Header
    tables: tuple[pa.Table, ...]


def guess_cycler_file(path: Path) -> SourceSettings:
    """Guess how a cycler's own file is read; Neware's current is positive for charge.

    Raises:
        ReadError: as :func:`raw_blocks`.
    """
    reader = reader_of(path) or ""
    header = _content(path, reader).header
    if reader == "neware":
        return SourceSettings(reader, _neware_columns(header), "stem", "charge_positive")
    return table_settings(reader, header)


def layout_for(reader: str) -> Callable[[Path, SourceSettings], Layout]:
    """Return the function that finds out which of a file's columns is what."""

    def layout(path: Path, settings: SourceSettings) -> Layout:
        return _layout(_content(path, reader), settings)

    return layout


def blocks_for(reader: str) -> Callable[[Path, SourceSettings], Iterator[RawBlock]]:
    """Return the function that reads a file's rows. A file is read whole: such files fit into memory.

    It raises ReadError where the libraries are not installed, the file is damaged, or a column is missing.
    """

    def raw_blocks(path: Path, settings: SourceSettings) -> Iterator[RawBlock]:
        content = _content(path, reader)
        yield from table_blocks(content.tables, _layout(content, settings))

    return raw_blocks


def cells_for(reader: str) -> Callable[[Path, Layout], tuple[str, ...]]:
    """Return the function that lists the cells that a column names."""

    def cells(path: Path, layout: Layout) -> tuple[str, ...]:
        return table_cells(_content(path, reader).tables, layout)

    return cells


def _layout(content: _Content, settings: SourceSettings) -> Layout:
    if settings.reader == "neware" and not settings.columns:
        columns = _neware_columns(content.header)
        settings = SourceSettings(settings.reader, columns, settings.cell_id_from, settings.current_sign)
    return layout_of(content.header, settings)


def _content(path: Path, reader: str) -> _Content:
    if reader == "neware":
        table = _neware(path)
        return _Content(table_header(path, table.column_names, [table]), (table,))
    sheets: tuple[Sheet, ...] = sheets_of(path)
    tables = tuple(sheet.table for sheet in sheets)
    return _Content(table_header(path, tables[0].column_names, tables, sheets[0].units), tables)


def _neware(path: Path) -> pa.Table:
    fastnda = extra_library(path, "fastnda", "Neware's own files need")
    try:
        return fastnda.read(path, cycle_mode="raw").to_arrow()  # the numbers as they stand in the file
    except Exception as error:  # a damaged binary file makes the library raise anything
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ReadError(f"{path}: cannot be read as a Neware file ({reason}); {_EXPORT}") from None


def _neware_columns(header: Header) -> tuple[ColumnMapping, ...]:
    columns = [ColumnMapping(target, name, unit) for target, (name, unit) in _NEWARE.items() if name in header.names]
    thermometers = [name for name in header.names if name.startswith("aux") and name.endswith("_temperature_degC")]
    surface = [ColumnMapping("surface_temperature_celsius", name, "degC") for name in thermometers]
    return (*columns, *surface)
