"""Where the header of a text table is, and what delimits its fields."""

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
from .file_kinds import check_text
from .neware_layers import flatten_blocks, flatten_lines, is_layered, plain_column_names
from .text_blocks import HEAD_BYTES, TextBlock, is_gzip, split_lines, text_blocks

SPACES: Final = " "
"""The delimiter that stands for any run of spaces and tabs; fields have no spaces in them then, but names may."""

DELIMITERS: Final = (",", ";", "\t", "|", SPACES)
HEADER_LINES: Final = 300
FAR_BYTES: Final = 8 * 1024 * 1024
FAR_LINES: Final = 20_000
TAIL_BYTES: Final = 32 * 1024
SAMPLE_ROWS: Final = 200
_VOLTAGE: Final = re.compile(r"(?i)volt|ecell|ewe|potential|(?<![a-z])[uv](?![a-z])")
_POINT: Final = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")
_COMMA: Final = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
NUMBERED: Final = re.compile(r"#[1-9]\d*")
"""Names of the columns of a table that has no header."""

_RUN: Final = re.compile(rb"[ \t]+")
_EDGES: Final = re.compile(rb"(?m)^ | $")
_WIDE: Final = re.compile(r"[ \t]{2,}")


@dataclass(frozen=True, slots=True)
class Header:
    """A table's first lines: names in the header, lines before the data, delimiter, decimal sign and some rows.

    ``width`` is the usual number of fields in a row: the header's or more, as where each row ends in a delimiter.
    ``units`` are those of a row of units beneath the names, which counts among the lines before the data. ``layers``
    are the lines that name the layers of a file that has such (:mod:`kilocell.data.readers.neware_layers`).
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
        return _number_columns(path)
    found = _header_line(path, asked, HEAD_BYTES, HEADER_LINES)
    if is_layered(found.lines):
        rows = flatten_lines(found.lines)[: SAMPLE_ROWS + 1]
        heads = tuple(found.lines[:3])
        return replace(complete_header(path, ",", plain_column_names(heads), len(heads), rows), layers=heads)
    if not found.certain:  # perhaps the preamble is long
        further = _header_line(path, asked, FAR_BYTES, FAR_LINES)
        found = further if further.certain else found
    lines, at = found.lines, found.at
    names = [name.strip().strip('"').strip() for name in split_names(lines[at], found.delimiter, split_line)]
    while names and not names[-1]:
        names.pop()
    units = unit_row(names, split_line(lines[at + 1], found.delimiter)) if at + 1 < len(lines) else ()
    data_from = at + 1 + bool(units)
    return complete_header(path, found.delimiter, names, data_from, lines[data_from:], units)


def _first_lines(path: Path, most_bytes: int) -> list[str]:
    block = next(text_blocks(path, most_bytes), None)
    return [] if block is None else split_lines(block)


def prepare_blocks(blocks: Iterable[TextBlock], header: Header) -> Iterator[TextBlock]:
    """Turn a file's blocks of lines into those of a plain table: one space for a run of them, one layer for three."""
    if header.delimiter == SPACES:
        return (replace(block, data=collapse_spaces(block.data)) for block in blocks)
    return flatten_blocks(blocks, header.layers) if header.layers else iter(blocks)


def _number_columns(path: Path) -> Header:
    """Take every column by its number; the table begins with the first line of numbers as long as the one after it."""
    lines = _first_lines(path, HEAD_BYTES)
    for at, line in enumerate(lines[:-1]):
        for delimiter in DELIMITERS:
            fields, beneath = split_line(line, delimiter), split_line(lines[at + 1], delimiter)
            if len(fields) == len(beneath) > 1 and value_kind(fields) == "number":
                names = [f"#{place}" for place in range(1, len(fields) + 1)]
                return complete_header(path, delimiter, names, at, lines[at:])
    raise ReadError(f"{path}: no two lines of numbers follow each other, so columns cannot be taken by their number")


@dataclass(frozen=True, slots=True)
class _HeaderLine:
    """A file's first lines and which of them is likely the header; ``certain`` when it has what a record needs."""

    lines: Sequence[str]
    at: int
    delimiter: str
    certain: bool


def _header_line(path: Path, asked: Sequence[str], most_bytes: int, most_lines: int) -> _HeaderLine:
    lines = _first_lines(path, most_bytes)
    filled = [number for number, line in enumerate(lines[:most_lines]) if line.strip()]
    if most_lines > HEADER_LINES:  # of so many lines only those are looked at that name a voltage
        filled = [n for n in filled if _VOLTAGE.search(lines[n]) or any(name in lines[n] for name in asked)] or filled[
            :1
        ]
    if not filled:
        raise ReadError(f"{path}: is empty; export it again, or leave it out of the sources")
    score, at, delimiter = max(
        (
            (header_score(split_names(lines[number], delimiter, split_line), asked), -number, delimiter)
            for number in filled
            for delimiter in DELIMITERS
            if delimiter != SPACES or is_spaced(lines, number)
        ),
        key=lambda place: place[0],
    )
    return _HeaderLine(lines, -at, delimiter, score[0] >= min(3, len(asked)) if asked else score[1] >= 3)


def complete_header(
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


def header_score(fields: Sequence[str], asked: Sequence[str]) -> tuple[int, int, int]:
    """Tell how likely fields are a header's: how many are asked for, how many targets they name, and are there two."""
    names = [field.strip().strip('"').strip() for field in fields]
    known = set().union(*(possible_targets(name) for name in names[:200] if name))
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


def split_names(line: str, delimiter: str, split: Callable[[str, str], list[str]]) -> list[str]:
    """Split the line of names; where spaces delimit, names of several words stand apart by two spaces or more."""
    if delimiter == SPACES:
        wide = _WIDE.split(line.strip())
        return wide if len(wide) > 1 else line.split()
    return split(line, delimiter)


def is_spaced(lines: Sequence[str], number: int) -> bool:
    """Tell whether a line can be the header of a table that spaces delimit.

    Beneath it, or beneath a line of units, as many fields must stand, most of them numbers.
    """
    names = len(split_names(lines[number], SPACES, str.split))
    beneath = [lines[at].split() for at in (number + 1, number + 2) if at < len(lines)]
    return names > 1 and any(len(row) == names and value_kind(row) == "number" for row in beneath)


def collapse_spaces(data: bytes) -> bytes:
    """Turn every run of spaces and tabs into one space, and take those at the ends of lines away."""
    return _EDGES.sub(b"", _RUN.sub(b" ", data))


def unit_row(names: Sequence[str], fields: Sequence[str]) -> tuple[str, ...]:
    """Return the units that the line beneath the names gives, "" for a column without; nothing where it gives none.

    A first row of data with its numbers missing is none: two units must fit their columns' names, or all there is
    must be units, three or more.
    """
    texts = [field.strip().strip("()[]{}").strip() for field in fields]
    units = [parse_unit(text) for text in texts]
    fitting = sum(_unit_fits(name, text) for name, text, unit in zip(names, texts, units, strict=False) if unit)
    only_units = sum(map(bool, units)) > 2 and all(unit is not None for unit in units)
    if any(value_kind([text]) == "number" and text != "1" for text in texts) or (fitting < 2 and not only_units):
        return ()
    return tuple(text if unit else "" for text, unit in zip(texts, units, strict=True))


def _unit_fits(name: str, unit: str) -> bool:
    own = {known for _, known in names_and_units(name) if known}
    return parse_unit(unit) in own if own else bool(possible_targets(f"{name} [{unit}]"))


def append_units(names: Sequence[str], units: Sequence[str]) -> list[str]:
    """Put each unit behind its name, as ``name [unit]``, where the name does not tell a unit itself."""
    padded = [*units, *[""] * (len(names) - len(units))]
    return [
        f"{name} [{unit}]" if unit and not any(own for _, own in names_and_units(name)) else name
        for name, unit in zip(names, padded[: len(names)], strict=True)
    ]
