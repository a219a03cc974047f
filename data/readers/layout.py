"""How a text table is laid out: delimiter, decimal sign, where its header is and which column is what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import columns as c
from ..errors import ReadError
from ..names import suggest
from ..settings import ColumnMapping, SourceSettings
from .column_names import TYPICAL, guess_columns
from .csv_header import Header, append_units, find_header
from .csv_values import ISO, Kind, find_date_format, value_kind


@dataclass(frozen=True, slots=True)
class Column:
    """One column to read: what it is for, its name and place in the file, unit, and how its values look.

    ``date`` is how dates are written (:data:`kilocell.data.readers.csv_values.DATES` or a ``strptime`` format).
    """

    target: str
    name: str
    index: int
    unit: str = ""
    kind: Kind = "number"
    date: str = ISO


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything needed to turn a file's blocks into raw rows; ``cell`` is the place of the column with cell ids."""

    header: Header
    columns: tuple[Column, ...]
    cell: int | None = None


def guess_header_columns(header: Header) -> tuple[ColumnMapping, ...]:
    """Guess which column is what, from names, some values and the row of units where there is one."""
    named = append_units(header.names, header.units)
    plain = dict(zip(named, header.names, strict=True))
    return tuple(
        ColumnMapping(mapping.target, plain[mapping.column], mapping.unit)
        for mapping in guess_columns(named, header.sample)
    )


def csv_layout(path: Path, settings: SourceSettings) -> Layout:
    """Find out how a CSV file is laid out.

    Raises:
        ReadError: empty, only a header, or a column is missing that is required: voltage, current and a time.
    """
    cell_name = cell_column(settings)
    asked = [mapping.column for mapping in settings.columns] + ([cell_name] if cell_name else [])
    return find_layout(find_header(path, asked), settings)


def find_layout(header: Header, settings: SourceSettings) -> Layout:
    """Find the columns that are asked for, or guessed where none is, in a table whose header is known.

    Raises:
        ReadError: a column is missing that is required.
    """
    cell_name = cell_column(settings)
    mappings = settings.columns or guess_header_columns(header)
    present = [mapping for mapping in mappings if mapping.column in header.names]
    _check_required(header, mappings, present)
    cell = None if cell_name is None else column_index(header, cell_name, c.CELL_ID)
    return Layout(header, tuple(resolve_column(header, mapping) for mapping in present), cell)


def resolve_column(header: Header, mapping: ColumnMapping) -> Column:
    """Find a mapped column in the file and tell from the sample how its values are to be read."""
    index = column_index(header, mapping.column, mapping.target)
    values = [row[index] for row in header.sample if index < len(row)]
    kind, unit, date = value_kind(values), mapping.unit, ISO
    if mapping.target == c.STATE:
        kind = "text"
    elif mapping.target == c.UNIX_TIME and kind != "number":
        kind, unit = "datetime", ""
        date = mapping.unit if "%" in mapping.unit else find_date_format(values)
    elif mapping.target != c.TEST_TIME or kind != "duration":
        kind = "number"
    return Column(mapping.target, mapping.column, index, "" if kind == "duration" else unit, kind, date)


def cell_column(settings: SourceSettings) -> str | None:
    """Return the name of the column with cell ids, or ``None`` when they come from the file's name."""
    source, _, name = settings.cell_id_from.partition(":")
    return name if source == "column" else None


def column_index(header: Header, name: str, target: str) -> int:
    """Return the place of a column.

    Raises:
        ReadError: there is none; names the columns that there are and the nearest.
    """
    if name not in header.names:
        raise _missing_column_error(header, repr(name), target, [name])
    return header.names.index(name)


def _check_required(header: Header, asked: Sequence[ColumnMapping], present: Sequence[ColumnMapping]) -> None:
    there = {mapping.target for mapping in present}
    for targets in ((c.VOLTAGE,), (c.CURRENT,), (c.TEST_TIME, c.UNIX_TIME)):
        if there.isdisjoint(targets):
            names = [mapping.column for mapping in asked if mapping.target in targets]
            typical = [name for target in targets for name in TYPICAL.get(target, ())]
            wanted = " or ".join(map(repr, names)) or f"such as {', '.join(typical)}"
            raise _missing_column_error(header, wanted, " or ".join(targets), names or typical)


def _missing_column_error(header: Header, wanted: str, target: str, names: Sequence[str]) -> ReadError:
    found = ", ".join(repr(name) for name in header.names[:40]) + (" ..." if len(header.names) > 40 else "")
    suggestions = [suggest(name, header.names) for name in names]
    hint = next(filter(None, suggestions), "")
    numbers = sum(value_kind([name]) == "number" for name in header.names)
    hint += (
        "; that line holds numbers: the file seems to have no header, and its columns are #1, #2, ..."
        if 2 * numbers > len(header.names)
        else ""
    )
    where = f"line {header.lines - bool(header.units)}" if header.lines and header.names[0] != "#1" else "the table"
    return ReadError(
        f"{header.path}: no column {wanted} for {target}; {where} has {found}{hint}. "
        "Name the file's columns in the source's settings"
    )
