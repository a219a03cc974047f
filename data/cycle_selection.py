"""Cycles as a campaign names them: ``"1-5, 100, last"``, ``"every 50"`` or ``"all"``; and those that a record has."""

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
    """Which cycles of a record are simulated, each on its own; the default = the whole record in one go.

    Args:
        ranges: (first, last), both included; a last of 0 is the record's last cycle.
        every: cycles 1, 1 + every, 1 + 2 every, ...; 0 = none.
        last: the record's last cycle.
    """

    ranges: tuple[tuple[int, int], ...] = ()
    every: int = 0
    last: bool = False

    @property
    def whole(self) -> bool:
        """Whether it is the whole record in one go."""
        return not (self.ranges or self.every or self.last)

    @property
    def text(self) -> str:
        """The selection as a campaign writes it."""
        parts = [f"{a}-last" if b == 0 else _range_text(a, b) for a, b in self.ranges]
        parts += [f"every {self.every}"] if self.every else []
        parts += ["last"] if self.last else []
        return ", ".join(parts) or "all"

    def split_cycles(self, present: Iterable[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The selected cycles that a record has, and those named that it lacks, both in order."""
        there = sorted(set(present))
        end = there[-1] if there else 0
        named: set[int] = set()
        for first, last in self.ranges:
            named.update(range(first, (last or max(end, first)) + 1))
        if self.every:
            named.update(range(1, end + 1, self.every))
        if self.last and there:
            named.add(end)
        if self.whole:
            named.update(there)
        return tuple(cycle for cycle in there if cycle in named), tuple(sorted(named.difference(there)))


@dataclass(frozen=True, slots=True)
class MeasuredCapacity:
    """A capacity to be measured: the charge of a cycle (0 = the last) out of the cell, or into it."""

    cycle: int
    of: Literal["discharge", "charge"] = "discharge"


WHOLE_RECORD: Final = CycleSelection()


def parse_selection(text: str) -> CycleSelection:
    """Turn ``"1-5, 100, last"``, ``"every 50"``, ``"10-last"`` or ``"all"`` into a selection.

    Raises:
        ValueError: the text is something else; it names the part that is wrong and the nearest right form.
    """
    if text.strip().lower() == "all":
        return WHOLE_RECORD
    ranges: list[tuple[int, int]] = []
    every, last = 0, False
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
    """Cycle numbers in order as people write them: ``1-3, 7``."""
    return ", ".join(_range_text(a, b) for a, b in _runs(sorted(set(cycles))))


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
