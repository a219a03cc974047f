"""Find the header line of a text table, and the delimiter of its fields."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ..errors import ReadError
from .column_names import names_and_units, parse_unit, possible_targets
from .csv_values import value_kind
from .file_kinds import check_text, unreadable_error
from .neware_layers import flatten_blocks, flatten_lines, is_layered, plain_column_names
from .number_signs import find_number_signs
from .text_blocks import HEAD_BYTES, TextBlock, is_gzip, split_lines, text_blocks

SPACES: Final = " "
"""Delimiter of a table whose fields are separated by runs of spaces and tabs; its names may contain single spaces."""

DELIMITERS: Final = (",", ";", "\t", "|", SPACES)
HEADER_LINES: Final = 300
"""Lines in which the header is searched first."""

FAR_BYTES: Final = 8 * 1024 * 1024
"""Bytes in which it is searched after that, for a file with a long preamble."""

FAR_LINES: Final = 20_000
"""Lines in which it is searched after that."""

TAIL_BYTES: Final = 32 * 1024
"""Bytes at the end of the file of which the rows are part of the sample."""

SAMPLE_ROWS: Final = 200
"""Rows in the sample, at the beginning and at the end of the file each."""

_VOLTAGE: Final = re.compile(r"(?i)volt|ecell|ewe|potential|(?<![a-z])[uv](?![a-z])")
NUMBERED: Final = re.compile(r"#[1-9]\d*")
"""Names of the columns of a table that has no header."""

_RUN: Final = re.compile(rb"[ \t]+")
_EDGES: Final = re.compile(rb"(?m)^ | $")
_WIDE: Final = re.compile(r"[ \t]{2,}")


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a table, and what its first and last rows show.

    Args:
        path: the file.
        delimiter: between fields; :data:`SPACES` = runs of spaces and tabs.
        decimal: decimal sign, point or comma.
        names: names of the columns.
        lines: number of lines before the data, the header included.
        width: usual number of fields in a row; more than names where each row ends in a delimiter.
        sample: some rows, as texts.
        units: texts of a line of units below the names; it is one of the ``lines``.
        layers: the lines that name the layers of a layered file (:mod:`kilocell.data.readers.neware_layers`).
        thousands: the characters between thousands; "" = the sample has none.
    """

    path: Path
    delimiter: str
    decimal: str
    names: tuple[str, ...]
    lines: int
    width: int
    sample: tuple[tuple[str, ...], ...]
    units: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    thousands: str = ""


def split_line(line: str, delimiter: str) -> list[str]:
    """Split one line into fields; a quoted field ends with its line at the latest.

    Args:
        line: without its line end.
        delimiter: between fields.
    """
    if delimiter == SPACES:
        return line.split()
    if '"' not in line:
        return line.split(delimiter)
    try:
        fields = next(csv.reader([line], delimiter=delimiter), [""])
    except csv.Error:
        return line.split(delimiter)
    is_quoted_as_a_whole = len(fields) == 1 and line.rstrip().endswith('"')  # Novonix
    if is_quoted_as_a_whole:
        return fields[0].split(delimiter)
    return fields


def find_header(path: Path, requested: Sequence[str] = (), *, with_signs: bool = True) -> Header:
    """Find the header among the first lines of a file: the line with most of the requested or known names.

    Args:
        path: the file.
        requested: names that it should have. If all are ``#1``, ``#2`` and so on, the table is read without a header.
        with_signs: find the signs of numbers, for which the end of the file is read, too; without, no number can be
            read with the header, and it is found in a third of the time.

    Raises:
        ReadError: the file is empty, not text, or has no rows below its header.
    """
    check_text(path)
    if requested and all(NUMBERED.fullmatch(name) for name in requested):
        return _number_columns(path)
    header = _header_line(path, requested, HEAD_BYTES, HEADER_LINES)
    if is_layered(header.lines):
        rows = flatten_lines(header.lines)[: SAMPLE_ROWS + 1]
        heads = tuple(header.lines[:3])
        names = plain_column_names(heads)
        return replace(complete_header(path, ",", names, len(heads), rows, with_signs=with_signs), layers=heads)
    if not header.certain:  # The preamble may be long.
        far_header = _header_line(path, requested, FAR_BYTES, FAR_LINES)
        if far_header.certain:
            header = far_header
    lines = header.lines
    names = [_strip_quotes(name) for name in split_names(lines[header.at], header.delimiter, split_line)]
    while names and not names[-1]:
        names.pop()
    data_from = header.at + 1
    units: tuple[str, ...] = ()
    if data_from < len(lines):
        units = unit_row(names, split_line(lines[data_from], header.delimiter))
    if units:
        data_from += 1
    return complete_header(path, header.delimiter, names, data_from, lines[data_from:], units, with_signs=with_signs)


def _strip_quotes(name: str) -> str:
    return name.strip().strip('"').strip()


def _first_lines(path: Path, most_bytes: int) -> list[str]:
    block = next(text_blocks(path, most_bytes), None)
    if block is None:
        return []
    return split_lines(block)


def prepare_blocks(blocks: Iterable[TextBlock], header: Header) -> Iterator[TextBlock]:
    """Turn the lines of a file into those of a plain table: runs of spaces into one space, layers into one table.

    Args:
        blocks: the lines of the file, from the first one.
        header: its header.
    """
    if header.delimiter == SPACES:
        return (replace(block, data=collapse_spaces(block.data)) for block in blocks)
    if header.layers:
        return flatten_blocks(blocks, header.layers)
    return iter(blocks)


def _number_columns(path: Path) -> Header:
    """Name every column by its number; the table starts at the first line of numbers that is as long as the next."""
    lines = _first_lines(path, HEAD_BYTES)
    for at, line in enumerate(lines[:-1]):
        for delimiter in DELIMITERS:
            fields = split_line(line, delimiter)
            next_fields = split_line(lines[at + 1], delimiter)
            if len(fields) == len(next_fields) > 1 and value_kind(fields) == "number":
                names = [f"#{place}" for place in range(1, len(fields) + 1)]
                return complete_header(path, delimiter, names, at, lines[at:])
    raise ReadError(
        f"{path}: columns cannot be numbered (#1, #2, ...), because no two lines of numbers follow each other"
    )


@dataclass(frozen=True, slots=True)
class _HeaderLine:
    """The first lines of a file, and which of them is most likely the header.

    ``certain`` means that it names everything that was requested, or all quantities of a record.
    """

    lines: Sequence[str]
    at: int
    delimiter: str
    certain: bool


def _header_line(path: Path, requested: Sequence[str], most_bytes: int, most_lines: int) -> _HeaderLine:
    lines = _first_lines(path, most_bytes)
    filled = [number for number, line in enumerate(lines[:most_lines]) if line.strip()]
    if most_lines > HEADER_LINES:  # Of so many lines, only those that name a voltage or a requested column are tried.
        likely = [n for n in filled if _VOLTAGE.search(lines[n]) or any(name in lines[n] for name in requested)]
        filled = likely or filled[:1]
    if not filled:
        raise ReadError(f"{path}: the file is empty; export it again, or remove it from the sources")
    (named, known, _), at, delimiter = _likeliest_line(lines, filled, requested)
    certain = named >= min(3, len(requested)) if requested else known >= 3
    return _HeaderLine(lines, at, delimiter, certain)


def _likeliest_line(
    lines: Sequence[str], filled: Sequence[int], requested: Sequence[str]
) -> tuple[tuple[int, int, int], int, str]:
    """Return score, place and delimiter of the line that is most likely the header; of equal ones, the earliest.

    Args:
        lines: the first lines of the file.
        filled: places of those that may be the header, at least one.
        requested: names that it should have.
    """
    best = ((-1, -1, -1), filled[0], DELIMITERS[0])
    others_may_name = True
    for number in filled:
        # Where a line has a requested name, no line without one is better: most lines are rows, and need no score.
        if best[0][0] > 0 and not (others_may_name and _may_name(lines[number], requested)):
            continue
        for delimiter in DELIMITERS:
            if delimiter == SPACES and not is_spaced(lines, number):
                continue
            score = header_score(split_names(lines[number], delimiter, split_line), requested)
            if score > best[0]:
                best = (score, number, delimiter)
                others_may_name = _may_name("\n".join(lines[number + 1 : filled[-1] + 1]), requested)
    return best


def _may_name(text: str, requested: Sequence[str]) -> bool:
    """Tell whether lines may have a requested name; in quotes, the name may be written in another way."""
    return '"' in text or any(name in text for name in requested)


def complete_header(
    path: Path,
    delimiter: str,
    names: Sequence[str],
    lines_before: int,
    lines: Sequence[str],
    units: Sequence[str] = (),
    *,
    with_signs: bool = True,
) -> Header:
    """Complete a header with the decimal sign, the width and a sample of rows.

    Args:
        path: the file; the rows at its end are part of the sample.
        delimiter: between fields.
        names: names of the columns.
        lines_before: number of lines before the data.
        lines: the lines after the header.
        units: texts of the line of units, if there is one.
        with_signs: find the signs of numbers; without, the sample has no rows of the end of the file.

    Raises:
        ReadError: there are no rows.
    """
    rows = [tuple(split_line(line, delimiter)) for line in lines[:SAMPLE_ROWS] if line.strip()]
    if not rows:
        raise ReadError(
            f"{path}: the file has a header (line {lines_before}) but no rows; export it again, "
            "or remove it from the sources"
        )
    fields = Counter(len(row) for row in rows).most_common(1)[0][0]
    sample, decimal, thousands = rows, ".", ""
    if with_signs:
        # Lines of another length at the end of a file are damaged, or part of the preamble.
        last_rows = [tuple(split_line(line, delimiter)) for line in _tail(path)]
        sample = rows + [row for row in last_rows if len(row) == fields]
        decimal, thousands = find_number_signs(sample, lambda: _split_all(lines, delimiter, fields) + sample, delimiter)
    width = max(fields, len(names))
    return Header(
        path,
        delimiter,
        decimal,
        tuple(names),
        lines_before,
        width,
        tuple(sample),
        tuple(units),
        thousands=thousands,
    )


def _split_all(lines: Sequence[str], delimiter: str, fields: int) -> list[tuple[str, ...]]:
    """Split the lines that have the usual number of fields."""
    rows = [tuple(split_line(line, delimiter)) for line in lines]
    return [row for row in rows if len(row) == fields]


def header_score(fields: Sequence[str], requested: Sequence[str]) -> tuple[int, int, int]:
    """Score how likely a line is the header; a larger tuple is more likely.

    Args:
        fields: the fields of the line.
        requested: names that it should have.

    Returns:
        Number of requested names, number of raw columns that the fields may mean, and number of fields (2 at most).
    """
    names = [_strip_quotes(field) for field in fields]
    known: set[str] = set()
    if len(names) > 1:
        known = known.union(*(possible_targets(name) for name in names[:200] if name))
    return len(set(requested).intersection(names)), len(known), min(len(names), 2)


def _tail(path: Path) -> list[str]:
    """Return some of the last complete lines, because the first minutes of a test may not be typical."""
    try:
        size = path.stat().st_size
        if size < 4 * TAIL_BYTES or is_gzip(path):
            return []
        with path.open("rb") as stream:
            stream.seek(size - TAIL_BYTES)
            block = stream.read()
    except OSError as error:
        raise unreadable_error(path, error) from None
    if b"\0" in block:  # UTF-16
        return []
    lines = block.decode("utf-8", "replace").replace("\r", "\n").split("\n")[1:-1]
    return [line for line in lines if line.strip()][:SAMPLE_ROWS]


def split_names(line: str, delimiter: str, split: Callable[[str, str], list[str]]) -> list[str]:
    """Split the line of names.

    Args:
        line: without its line end.
        delimiter: if :data:`SPACES`, names of several words must be separated by two spaces or more.
        split: splits a line at another delimiter.
    """
    if delimiter != SPACES:
        return split(line, delimiter)
    wide = _WIDE.split(line.strip())
    if len(wide) > 1:
        return wide
    return line.split()


def is_spaced(lines: Sequence[str], number: int) -> bool:
    """Tell whether a line can be the header of a table that spaces delimit.

    The line below it, or below a line of units, must have as many fields, most of them numbers.

    Args:
        lines: the first lines of the file.
        number: place of the line among them, from 0.
    """
    names = len(split_names(lines[number], SPACES, str.split))
    if names < 2:
        return False
    following = [lines[at].split() for at in (number + 1, number + 2) if at < len(lines)]
    return any(len(row) == names and value_kind(row) == "number" for row in following)


def collapse_spaces(data: bytes) -> bytes:
    """Turn every run of spaces and tabs into one space, and remove those at both ends of each line."""
    return _EDGES.sub(b"", _RUN.sub(b" ", data))


def unit_row(names: Sequence[str], fields: Sequence[str]) -> tuple[str, ...]:
    """Return the units in the line below the names, if it is a line of units.

    It is one if two units fit the names of their columns, or if all its texts are units, at least three. A first row
    of data without numbers is not.

    Args:
        names: names of the columns.
        fields: fields of the line below.

    Returns:
        Text of each unit, "" for a column without a unit; empty if it is not a line of units.
    """
    texts = [field.strip().strip("()[]{}").strip() for field in fields]
    units = [parse_unit(text) for text in texts]
    fitting = sum(_unit_fits(name, text) for name, text, unit in zip(names, texts, units, strict=False) if unit)
    only_units = sum(map(bool, units)) > 2 and all(unit is not None for unit in units)
    if any(value_kind([text]) == "number" and text != "1" for text in texts) or (fitting < 2 and not only_units):
        return ()
    return tuple(text if unit else "" for text, unit in zip(texts, units, strict=True))


def _unit_fits(name: str, unit: str) -> bool:
    units_in_name = {known for _, known in names_and_units(name) if known}
    if units_in_name:
        return parse_unit(unit) in units_in_name
    return bool(possible_targets(f"{name} [{unit}]"))


def append_units(names: Sequence[str], units: Sequence[str]) -> list[str]:
    """Append each unit to its name, as ``name [unit]``, unless the name has a unit already.

    Args:
        names: names of the columns.
        units: their units in the same order; "" or missing = none.
    """
    padded = [*units, *[""] * (len(names) - len(units))]
    named: list[str] = []
    for name, unit in zip(names, padded[: len(names)], strict=True):
        has_unit = any(known for _, known in names_and_units(name))
        if unit and not has_unit:
            named.append(f"{name} [{unit}]")
        else:
            named.append(name)
    return named
