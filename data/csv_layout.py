"""How a text table is laid out: delimiter, decimal sign, where its header is and which column is what."""

from __future__ import annotations

import csv
import difflib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from . import columns as c
from .csv_values import ISO, Kind, date_of, kind_of
from .errors import ReadError
from .file_kinds import check_text
from .header_lines import NUMBERED, SPACES, is_spaced, names_in, unit_row, with_units
from .header_names import TYPICAL, guess_columns, targets_of
from .raw_bytes import is_gzip
from .settings import ColumnMapping, SourceSettings
from .text_blocks import HEAD_BYTES, TextBlock, lines_of, text_blocks

DELIMITERS: Final = (",", ";", "\t", "|", SPACES)
HEADER_LINES: Final = 300
FAR_BYTES: Final = 8 * 1024 * 1024
FAR_LINES: Final = 20_000
TAIL_BYTES: Final = 32 * 1024
SAMPLE_ROWS: Final = 200

_POINT: Final = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")
_COMMA: Final = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")


@dataclass(frozen=True, slots=True)
class Column:
    """One column to read: what it is for, its name and place in the file, unit, and how its values look.

    ``date`` is how dates are written (:data:`kilocell.data.csv_values.DATES` or a ``strptime`` format).
    """

    target: str
    name: str
    index: int
    unit: str = ""
    kind: Kind = "number"
    date: str = ISO


@dataclass(frozen=True, slots=True)
class Header:
    """A table's first lines: names in the header, lines before the data, delimiter, decimal sign and some rows.

    ``width`` is the usual number of fields in a row: the header's or more, as where each row ends in a delimiter.
    ``units`` are those of a row of units beneath the names, which counts among the lines before the data.
    """

    path: Path
    delimiter: str
    decimal: str
    names: tuple[str, ...]
    lines: int
    width: int
    sample: tuple[tuple[str, ...], ...]
    units: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything needed to turn a file's blocks into raw rows; ``cell`` is the place of the column with cell ids."""

    header: Header
    columns: tuple[Column, ...]
    cell: int | None = None


def split_line(line: str, delimiter: str) -> list[str]:
    """Split one line into fields; quotes are honoured, and never reach beyond the line."""
    if delimiter == SPACES:
        return line.split()
    if '"' not in line:
        return line.split(delimiter)
    try:
        fields = next(csv.reader([line], delimiter=delimiter), [""])
    except csv.Error:
        return line.split(delimiter)
    whole = len(fields) == 1 and line.rstrip().endswith('"')  # Novonix quotes whole lines
    return fields[0].split(delimiter) if whole else fields


def find_header(path: Path, asked: Sequence[str] = ()) -> Header:
    """Find the header among a file's first lines: the line with most of the names that are asked for or known.

    A table without a header has the columns ``#1``, ``#2`` and so on, where these are asked for.

    Raises:
        ReadError: the file is empty, no text, or has no rows beneath its header.
    """
    check_text(path)
    if asked and all(NUMBERED.fullmatch(name) for name in asked):
        return _without_header(path)
    found = _header_line(path, asked, HEAD_BYTES, HEADER_LINES)
    if not found.certain:  # perhaps the preamble is long
        further = _header_line(path, asked, FAR_BYTES, FAR_LINES)
        found = further if further.certain else found
    lines, at = found.lines, found.at
    names = [name.strip().strip('"').strip() for name in names_in(lines[at], found.delimiter, split_line)]
    while names and not names[-1]:
        names.pop()
    units = unit_row(split_line(lines[at + 1], found.delimiter)) if at + 1 < len(lines) else ()
    data_from = at + 1 + bool(units)
    return with_rows(path, found.delimiter, names, data_from, lines[data_from:], units)


def _without_header(path: Path) -> Header:
    """Take every column by its number; the table begins with the first line of numbers as long as the one after it."""
    lines = lines_of(next(text_blocks(path, HEAD_BYTES), TextBlock(b"", 1)))
    for at, line in enumerate(lines[:-1]):
        for delimiter in DELIMITERS:
            fields, beneath = split_line(line, delimiter), split_line(lines[at + 1], delimiter)
            if len(fields) == len(beneath) > 1 and kind_of(fields) == "number":
                names = [f"#{place}" for place in range(1, len(fields) + 1)]
                return with_rows(path, delimiter, names, at, lines[at:])
    raise ReadError(f"{path}: no two lines of numbers follow each other, so columns cannot be taken by their number")


@dataclass(frozen=True, slots=True)
class _HeaderLine:
    """A file's first lines and which of them is likely the header; ``certain`` when it has what a record needs."""

    lines: Sequence[str]
    at: int
    delimiter: str
    certain: bool


def _header_line(path: Path, asked: Sequence[str], most_bytes: int, most_lines: int) -> _HeaderLine:
    lines = lines_of(next(text_blocks(path, most_bytes), TextBlock(b"", 1)))
    filled = [number for number, line in enumerate(lines[:most_lines]) if line.strip()]
    if not filled:
        raise ReadError(f"{path}: is empty; export it again, or leave it out of the sources")
    score, at, delimiter = max(
        (
            (header_score(names_in(lines[number], delimiter, split_line), asked), -number, delimiter)
            for number in filled
            for delimiter in DELIMITERS
            if delimiter != SPACES or is_spaced(lines, number)
        ),
        key=lambda place: place[0],
    )
    return _HeaderLine(lines, -at, delimiter, score[0] >= min(3, len(asked)) if asked else score[1] >= 3)


def with_rows(
    path: Path,
    delimiter: str,
    names: Sequence[str],
    lines_before: int,
    lines: Sequence[str],
    units: Sequence[str] = (),
) -> Header:
    """Complete a header from the lines that follow it (and the file's last ones).

    Raises:
        ReadError: there are no rows.
    """
    rows = [tuple(split_line(line, delimiter)) for line in lines[:SAMPLE_ROWS] if line.strip()]
    if not rows:
        raise ReadError(
            f"{path}: has a header (line {lines_before}) but no rows; export it again, or leave it out of the sources"
        )
    fields = Counter(len(row) for row in rows).most_common(1)[0][0]
    # What is shorter at a file's end is damage, or still the preamble.
    sample = rows + [row for row in (tuple(split_line(line, delimiter)) for line in _tail(path)) if len(row) == fields]
    decimal, width = _decimal(sample, delimiter), max(fields, len(names))
    return Header(path, delimiter, decimal, tuple(names), lines_before, width, tuple(sample), tuple(units))


def guessed_columns(header: Header) -> tuple[ColumnMapping, ...]:
    """Guess which column is what, from names, some values and the row of units where there is one."""
    named = with_units(header.names, header.units)
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
    return layout_of(find_header(path, asked), settings)


def layout_of(header: Header, settings: SourceSettings) -> Layout:
    """Find the columns that are asked for, or guessed where none is, in a table whose header is known.

    Raises:
        ReadError: a column is missing that is required.
    """
    cell_name = cell_column(settings)
    mappings = settings.columns or guessed_columns(header)
    present = [mapping for mapping in mappings if mapping.column in header.names]
    _check_required(header, mappings, present)
    cell = None if cell_name is None else index_of(header, cell_name, c.CELL_ID)
    return Layout(header, tuple(resolve(header, mapping) for mapping in present), cell)


def resolve(header: Header, mapping: ColumnMapping) -> Column:
    """Find a mapped column in the file and tell from the sample how its values are to be read."""
    index = index_of(header, mapping.column, mapping.target)
    values = [row[index] for row in header.sample if index < len(row)]
    kind, unit, date = kind_of(values), mapping.unit, ISO
    if mapping.target == c.STATE:
        kind = "text"
    elif mapping.target == c.UNIX_TIME and kind != "number":
        kind, unit = "datetime", ""
        date = mapping.unit if "%" in mapping.unit else date_of(values)
    elif mapping.target != c.TEST_TIME or kind != "duration":
        kind = "number"
    return Column(mapping.target, mapping.column, index, "" if kind == "duration" else unit, kind, date)


def cell_column(settings: SourceSettings) -> str | None:
    """Return the name of the column with cell ids, or ``None`` when they come from the file's name."""
    source, _, name = settings.cell_id_from.partition(":")
    return name if source == "column" else None


def index_of(header: Header, name: str, target: str) -> int:
    """Return the place of a column.

    Raises:
        ReadError: there is none; names the columns that there are and the nearest.
    """
    if name not in header.names:
        raise _missing(header, repr(name), target, [name])
    return header.names.index(name)


def _check_required(header: Header, asked: Sequence[ColumnMapping], present: Sequence[ColumnMapping]) -> None:
    there = {mapping.target for mapping in present}
    for targets in ((c.VOLTAGE,), (c.CURRENT,), (c.TEST_TIME, c.UNIX_TIME)):
        if there.isdisjoint(targets):
            names = [mapping.column for mapping in asked if mapping.target in targets]
            typical = [name for target in targets for name in TYPICAL.get(target, ())]
            wanted = " or ".join(map(repr, names)) or f"such as {', '.join(typical)}"
            raise _missing(header, wanted, " or ".join(targets), names or typical)


def _missing(header: Header, wanted: str, target: str, names: Sequence[str]) -> ReadError:
    found = ", ".join(repr(name) for name in header.names[:40]) + (" ..." if len(header.names) > 40 else "")
    nearest = [near for name in names for near in difflib.get_close_matches(name, header.names, n=1, cutoff=0.5)]
    hint = f"; the nearest is {nearest[0]!r}" if nearest else ""
    numbers = sum(kind_of([name]) == "number" for name in header.names)
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


def header_score(fields: Sequence[str], asked: Sequence[str]) -> tuple[int, int, int]:
    """Tell how likely fields are a header's: how many are asked for, how many targets they name, and are there two."""
    names = [field.strip().strip('"').strip() for field in fields]
    known = set().union(*(targets_of(name) for name in names[:200] if name))
    return len(set(asked).intersection(names)), len(known) if len(names) > 1 else 0, min(len(names), 2)


def _decimal(rows: Sequence[Sequence[str]], delimiter: str) -> str:
    """Return the decimal sign: a comma only where it does not delimit, by what the sample shows."""
    values = [value.strip() for row in rows for value in row]
    points = sum(_POINT.fullmatch(value) is not None for value in values)
    commas = sum(_COMMA.fullmatch(value) is not None for value in values)
    return "," if commas > points or (delimiter == ";" and points == 0) else "."


def _tail(path: Path) -> list[str]:
    """Return some of the last whole lines, so that what the sample shows is not only a test's first minutes."""
    try:
        size = path.stat().st_size
        if size < 4 * TAIL_BYTES or is_gzip(path):
            return []
        with path.open("rb") as stream:
            stream.seek(size - TAIL_BYTES)
            block = stream.read()
    except OSError as error:
        raise ReadError(f"{path}: cannot be read: {error.strerror or error}") from None
    if b"\0" in block:  # UTF-16
        return []
    lines = block.decode("utf-8", "replace").replace("\r", "\n").split("\n")[1:-1]
    return [line for line in lines if line.strip()][:SAMPLE_ROWS]
