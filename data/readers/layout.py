"""Find the layout of a text table: delimiter, decimal sign, header, and the quantity in each column."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from .. import columns as c
from ..errors import NotARecordError, ReadError
from ..names import suggest
from ..settings import ColumnMapping, SourceSettings
from .column_names import DIFFERENCE, TYPICAL, column_parts, guess_columns
from .csv_header import SAMPLE_ROWS, Header, append_units, find_header
from .csv_values import ISO, Kind, find_date_format, value_kind
from .summary_tables import summary_reason

_FREQUENCY: Final = re.compile(r"(?i)(ac[ _]?)?freq(uency)?[ _]*([(\[/]?\s*hz\s*[)\]]?)?")


@dataclass(frozen=True, slots=True)
class Column:
    """One column to read.

    Args:
        target: the raw column that it becomes.
        name: its name in the file.
        index: its place in the file, from 0.
        unit: unit of its values; "" = the unit of ``target``.
        kind: what its values look like.
        date: date format, one of :data:`kilocell.data.readers.csv_values.DATES` or a ``strptime`` format.
        is_subtracted: it is subtracted from the other column of ``target``: the potential of the counter electrode.
    """

    target: str
    name: str
    index: int
    unit: str = ""
    kind: Kind = "number"
    date: str = ISO
    is_subtracted: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """All that is needed to turn blocks of a file into raw rows.

    Args:
        header: of the file.
        columns: the columns to read.
        cell: place of the column with cell ids; ``None`` = there is none.
        frequency: place of the column with the frequency of an impedance measurement; ``None`` = there is none.
    """

    header: Header
    columns: tuple[Column, ...]
    cell: int | None = None
    frequency: int | None = None

    @property
    def indices(self) -> list[int]:
        """Places of all columns to read."""
        others = [index for index in (self.cell, self.frequency) if index is not None]
        return [column.index for column in self.columns] + others


def guess_header_columns(header: Header) -> tuple[ColumnMapping, ...]:
    """Guess the quantity in each column, from names, some values and the line of units.

    Args:
        header: of the file.

    Raises:
        NotARecordError: the table has one row for each step or cycle, so it is a summary and no record.
    """
    named = append_units(header.names, header.units)
    plain = dict(zip(named, header.names, strict=True))
    columns = tuple(
        ColumnMapping(mapping.target, _plain_name(mapping.column, plain), mapping.unit)
        for mapping in guess_columns(named, header.sample)
    )
    reason = summary_reason(header.path.name, header.names, header.sample[:SAMPLE_ROWS], columns)
    if reason:
        raise NotARecordError(f"{header.path}: {reason}")
    return columns


def _plain_name(name: str, plain: Mapping[str, str]) -> str:
    """Return a column's name without the unit of the line of units; of a difference, both names."""
    return DIFFERENCE.join(plain[part] for part in column_parts(name, tuple(plain)))


def csv_layout(path: Path, settings: SourceSettings) -> Layout:
    """Find the layout of a CSV file.

    Args:
        path: the file.
        settings: how it is read.

    Raises:
        ReadError: as :func:`find_layout`, or the file is empty or has no rows.
    """
    return find_layout(_requested_header(path, settings), settings)


def csv_cell_layout(path: Path, settings: SourceSettings) -> Layout:
    """Find the layout of a CSV file of which only the column of cell ids is read; it has no other columns.

    Raises:
        ReadError: as :func:`csv_layout`.
    """
    is_known = bool(settings.columns)  # else the columns are guessed from their numbers
    header = _requested_header(path, settings, with_signs=not is_known)
    return find_layout(header, settings, only_cell=True)


def _requested_header(path: Path, settings: SourceSettings, *, with_signs: bool = True) -> Header:
    """Find the header of a CSV file by the names in the settings.

    Args:
        with_signs: as in :func:`find_header`.

    Raises:
        ReadError: the file is empty or has no rows.
    """
    cell_name = cell_column(settings)
    requested = [mapping.column for mapping in settings.columns] + ([cell_name] if cell_name else [])
    header = find_header(path, requested, with_signs=with_signs)
    if any(DIFFERENCE in name and name not in header.names for name in requested):
        # A difference is no name of the file; both its names are.
        names = [part for name in requested for part in name.split(DIFFERENCE)]
        header = find_header(path, names, with_signs=with_signs)
    return header


def find_layout(header: Header, settings: SourceSettings, *, only_cell: bool = False) -> Layout:
    """Find the columns of the settings in a table; guess them if the settings have none.

    Args:
        header: of the table.
        settings: how it is read.
        only_cell: return only the column of cell ids; the kinds of the other columns take time to find.

    Raises:
        ReadError: a required column is missing: voltage, current or a time.
    """
    cell_name = cell_column(settings)
    mappings = settings.columns or guess_header_columns(header)
    present = [mapping for mapping in mappings if set(column_parts(mapping.column, header.names)) <= set(header.names)]
    _check_required(header, mappings, present)
    cell = None if cell_name is None else column_index(header, cell_name, c.CELL_ID)
    if only_cell:
        return Layout(header, (), cell)
    columns = tuple(column for mapping in present for column in _resolve_columns(header, mapping))
    used = {column.index for column in columns} | {cell}
    frequencies = [place for place, name in enumerate(header.names) if _FREQUENCY.fullmatch(name.strip())]
    frequency = next((place for place in frequencies if place not in used), None)
    return Layout(header, columns, cell, frequency)


def _resolve_columns(header: Header, mapping: ColumnMapping) -> list[Column]:
    """Find the column of a mapping in the file, or both columns of a difference."""
    first, *others = column_parts(mapping.column, header.names)
    found = [resolve_column(header, replace(mapping, column=first))]
    return found + [replace(resolve_column(header, replace(mapping, column=o)), is_subtracted=True) for o in others]


def resolve_column(header: Header, mapping: ColumnMapping) -> Column:
    """Find a mapped column in the file, and the kind of its values from the sample.

    Args:
        header: of the file.
        mapping: the column's name and unit.

    Raises:
        ReadError: the file has no such column.
    """
    index = column_index(header, mapping.column, mapping.target)
    values = [row[index] for row in header.sample if index < len(row)]
    kind = value_kind(values)
    unit = mapping.unit
    date = ISO
    if mapping.target == c.STATE:
        kind = "text"
    elif mapping.target == c.UNIX_TIME and kind != "number":
        kind = "datetime"
        unit = ""
        date = mapping.unit if "%" in mapping.unit else find_date_format(values)
    elif mapping.target not in (c.TEST_TIME, c.STEP_TIME) or kind != "duration":
        kind = "number"
    if kind == "duration":
        unit = ""
    return Column(mapping.target, mapping.column, index, unit, kind, date)


def cell_column(settings: SourceSettings) -> str | None:
    """Return the name of the column with cell ids; ``None`` if they come from the path of the file.

    Args:
        settings: how the file is read.
    """
    source, _, name = settings.cell_id_from.partition(":")
    if source != "column":
        return None
    return name


def column_index(header: Header, name: str, target: str) -> int:
    """Return the place of a column in the file, from 0.

    Args:
        header: of the file.
        name: name of the column.
        target: the raw column that it becomes, for the message.

    Raises:
        ReadError: the file has no such column; the message lists its columns and suggests the nearest.
    """
    if name not in header.names:
        raise _missing_column_error(header, repr(name), target, [name])
    return header.names.index(name)


def _check_required(header: Header, mappings: Sequence[ColumnMapping], present: Sequence[ColumnMapping]) -> None:
    present_targets = {mapping.target for mapping in present}
    for targets in ((c.VOLTAGE,), (c.CURRENT,), (c.TEST_TIME, c.UNIX_TIME, c.STEP_TIME)):
        if present_targets.isdisjoint(targets):
            names = [mapping.column for mapping in mappings if mapping.target in targets]
            typical = [name for target in targets for name in TYPICAL.get(target, ())]
            wanted = " or ".join(map(repr, names)) or f"such as {', '.join(typical)}"
            raise _missing_column_error(header, wanted, " or ".join(targets), names or typical)


def _missing_column_error(header: Header, wanted: str, target: str, names: Sequence[str]) -> ReadError:
    listed = ", ".join(repr(name) for name in header.names[:40])
    if len(header.names) > 40:
        listed += " ..."
    suggestions = [suggest(name, header.names) for name in names]
    hint = next(filter(None, suggestions), "")
    numbers = sum(value_kind([name]) == "number" for name in header.names)
    if 2 * numbers > len(header.names):
        hint += "; these are numbers, so the file seems to have no header: use #1, #2, ... as column names"
    where = "the table"
    if header.lines and header.names[0] != "#1":
        where = f"line {header.lines - bool(header.units)}"
    return ReadError(
        f"{header.path}: no column {wanted} for {target}; {where} has {listed}{hint}. "
        "Name the columns in the campaign file, in [sources.columns]"
    )
