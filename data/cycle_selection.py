"""Selections of cycles, such as ``"1-5, 100, last"``, ``"every 50"`` or ``"all"``: the only parser of this text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

from .names import find_nearest, format_suggestion

_FORMS: Final = 'cycles such as "1-5, 100, last", "every 50" or "all", counted from 1'
_RANGE: Final = re.compile(r"(\d{1,7})(?:\s*(?:-|–|to)\s*(\d{1,7}|last))?")
_EVERY: Final = re.compile(r"every\s+(\d{1,7})")
_WORD: Final = re.compile(r"[a-z]+")


@dataclass(frozen=True, slots=True)
class CycleSelection:
    """The cycles of a record that are simulated, each separately; the default is the whole record in one simulation.

    Args:
        ranges: (first, last), both included; a last of 0 means the last cycle of the record.
        every: selects the cycles 1, 1 + every, 1 + 2 every, ...; 0 = none.
        last: whether the last cycle of the record is selected.
    """

    ranges: tuple[tuple[int, int], ...] = ()
    every: int = 0
    last: bool = False

    @property
    def whole(self) -> bool:
        """Whether the whole record is selected."""
        return not (self.ranges or self.every or self.last)

    @property
    def text(self) -> str:
        """The selection as text, which :func:`parse_selection` reads."""
        parts = [f"{first}-last" if last == 0 else _range_text(first, last) for first, last in self.ranges]
        if self.every:
            parts.append(f"every {self.every}")
        if self.last:
            parts.append("last")
        return ", ".join(parts) or "all"

    def split_cycles(self, present: Iterable[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Split the selected cycles into those that a record has and those that it does not have.

        Args:
            present: the cycle numbers of the record.

        Returns:
            Selected cycles of the record, and selected cycles that it does not have, both ascending.
        """
        existing = sorted(set(present))
        end = existing[-1] if existing else 0
        selected: set[int] = set()
        for first, last in self.ranges:
            selected.update(range(first, (last or max(end, first)) + 1))
        if self.every:
            selected.update(range(1, end + 1, self.every))
        if self.last and existing:
            selected.add(end)
        if self.whole:
            selected.update(existing)
        return tuple(cycle for cycle in existing if cycle in selected), tuple(sorted(selected.difference(existing)))


@dataclass(frozen=True, slots=True)
class MeasuredCapacity:
    """A nominal capacity that is taken from the record: the charge of one of its cycles."""

    cycle: int
    """The cycle, from 1; 0 = the last one."""

    of: Literal["discharge", "charge"] = "discharge"
    """Whether the capacity is the charge out of the cell or into it."""


WHOLE_RECORD: Final = CycleSelection()


def parse_selection(text: str) -> CycleSelection:
    """Parse a selection of cycles.

    Args:
        text: cycle numbers from 1, ranges, ``last`` and ``every N``, separated by commas, or ``all``. Examples:
            ``1-5, 100, last``, ``every 50``, ``10-last``.

    Raises:
        ValueError: the text has another form; the message quotes the invalid part and suggests a valid one.
    """
    if text.strip().lower() == "all":
        return WHOLE_RECORD
    ranges: list[tuple[int, int]] = []
    every = 0
    last = False
    for part in (part.strip().lower() for part in text.split(",")):
        if part == "last":
            last = True
        elif match := _EVERY.fullmatch(part):
            every = _parse_cycle_number(match[1], part)
        elif match := _RANGE.fullmatch(part):
            ranges.append(_parse_range(match[1], match[2] or match[1]))
        else:
            raise ValueError(f'must be {_FORMS}; "{part}" is not valid{_suggest_form(part)}')
    return CycleSelection(tuple(sorted(set(ranges))), every, last)


def format_ranges(cycles: Iterable[int]) -> str:
    """Return cycle numbers as ascending ranges: ``1-3, 7`` for 1, 2, 3 and 7.

    Args:
        cycles: cycle numbers, in any order.
    """
    return ", ".join(_range_text(first, last) for first, last in _runs(sorted(set(cycles))))


def _runs(cycles: list[int]) -> Iterator[tuple[int, int]]:
    if cycles:
        ends = [a for a, b in pairwise(cycles) if b != a + 1] + [cycles[-1]]
        starts = cycles[:1] + [b for a, b in pairwise(cycles) if b != a + 1]
        yield from zip(starts, ends, strict=True)


def _range_text(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _parse_range(first: str, last: str) -> tuple[int, int]:
    begin = _parse_cycle_number(first, first)
    end = 0 if last == "last" else _parse_cycle_number(last, last)
    if end and end < begin:
        suggestion = format_suggestion(f"{last}-{first}")
        raise ValueError(f'must be {_FORMS}; "{first}-{last}" runs backwards{suggestion}')
    return begin, end


def _parse_cycle_number(number: str, part: str) -> int:
    if int(number) < 1:
        raise ValueError(f'must be {_FORMS}; "{part}" is not a cycle number')
    return int(number)


def _suggest_form(part: str) -> str:
    """Suggest the nearest valid form of a part: the right spelling of its word, or its number without the words."""
    number = re.search(r"\d+", part)
    nearest = [name for word in _WORD.findall(part) for name in find_nearest(word, ("all", "last", "every"))]
    if not nearest:
        return format_suggestion(number[0]) if number else ""
    if nearest[0] == "every":
        return format_suggestion(f"every {number[0] if number else 50}")
    if nearest[0] == "all":
        return f'{format_suggestion("all")}; "all" cannot be combined with other cycles'
    return format_suggestion("last")
