"""Lines at the head of a text table: fields that runs of spaces separate, and units that stand beneath the names."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from .csv_values import kind_of
from .header_names import names_and_units, targets_of, unit_from

SPACES: Final = " "
"""The delimiter that stands for any run of spaces and tabs; fields have no spaces in them then, but names may."""

NUMBERED: Final = re.compile(r"#[1-9]\d*")
"""Names of the columns of a table that has no header."""

_RUN: Final = re.compile(rb"[ \t]+")
_EDGES: Final = re.compile(rb"(?m)^ | $")
_WIDE: Final = re.compile(r"[ \t]{2,}")


def names_in(line: str, delimiter: str, split: Callable[[str, str], list[str]]) -> list[str]:
    """Split the line of names; where spaces delimit, names of several words stand apart by two spaces or more."""
    if delimiter == SPACES:
        wide = _WIDE.split(line.strip())
        return wide if len(wide) > 1 else line.split()
    return split(line, delimiter)


def is_spaced(lines: Sequence[str], number: int) -> bool:
    """Tell whether a line can be the header of a table that spaces delimit.

    Beneath it, or beneath a line of units, as many fields must stand, most of them numbers.
    """
    names = len(names_in(lines[number], SPACES, str.split))
    beneath = [lines[at].split() for at in (number + 1, number + 2) if at < len(lines)]
    return names > 1 and any(len(row) == names and kind_of(row) == "number" for row in beneath)


def one_space(data: bytes) -> bytes:
    """Turn every run of spaces and tabs into one space, and take those at the ends of lines away."""
    return _EDGES.sub(b"", _RUN.sub(b" ", data))


def unit_row(names: Sequence[str], fields: Sequence[str]) -> tuple[str, ...]:
    """Return the units that the line beneath the names gives, "" for a column without; nothing where it gives none.

    A first row of data with its numbers missing is none: two units must fit their columns' names, or all there is
    must be units, three or more.
    """
    texts = [field.strip().strip("()[]{}").strip() for field in fields]
    units = [unit_from(text) for text in texts]
    fitting = sum(_fits(name, text) for name, text, unit in zip(names, texts, units, strict=False) if unit)
    only_units = sum(map(bool, units)) > 2 and all(unit is not None for unit in units)
    if any(kind_of([text]) == "number" and text != "1" for text in texts) or (fitting < 2 and not only_units):
        return ()
    return tuple(text if unit else "" for text, unit in zip(texts, units, strict=True))


def _fits(name: str, unit: str) -> bool:
    own = {known for _, known in names_and_units(name) if known}
    return unit_from(unit) in own if own else bool(targets_of(f"{name} [{unit}]"))


def with_units(names: Sequence[str], units: Sequence[str]) -> list[str]:
    """Put each unit behind its name, as ``name [unit]``, where the name does not tell a unit itself."""
    padded = [*units, *[""] * (len(names) - len(units))]
    return [
        f"{name} [{unit}]" if unit and not any(own for _, own in names_and_units(name)) else name
        for name, unit in zip(names, padded[: len(names)], strict=True)
    ]
