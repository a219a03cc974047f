"""How much of what stands in a file's required columns is unreadable, and when that is too much."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from .. import columns as c
from ..arrays import Mask
from ..errors import ReadError
from .csv_reader import RawBlock

_TIMES: Final = (c.TEST_TIME, c.UNIX_TIME)


@dataclass(slots=True)
class _Count:
    """What stood in one column: values given, those of them that are unreadable, and the first of these."""

    name: str
    given: int = 0
    unreadable: int = 0
    first: str = ""

    @property
    def mostly_unreadable(self) -> bool:
        return 2 * self.unreadable > self.given


@dataclass(slots=True)
class Tally:
    """Counts what a file's required columns held, over its blocks."""

    path: Path
    counts: dict[str, _Count] = field(default_factory=dict)

    def add(self, block: RawBlock, rows: Mask | None) -> None:
        """Count a block's values, or only those of some rows."""
        for target, (name, bad) in block.unreadable.items():
            if target not in (c.VOLTAGE, c.CURRENT, *_TIMES):
                continue
            count = self.counts.setdefault(target, _Count(name))
            chosen = np.ones(len(bad), dtype=np.bool_) if rows is None else rows
            places = np.flatnonzero(bad & chosen)
            count.given += int((block.frame[target].notna().to_numpy() & chosen).sum()) + len(places)
            count.unreadable += len(places)
            if len(places) and not count.first:
                row = int(places[0])
                count.first = f"the first is in line {block.lines[row]}: {block.frame[c.UNREADABLE].iloc[row]}"

    def check(self) -> None:
        """Raise a ReadError when a column without which a record is worth nothing is no column of numbers."""
        times = [self.counts[time] for time in _TIMES if time in self.counts]
        no_time = all(count.given == 0 or count.mostly_unreadable for count in times)
        wrong = [count for target, count in self.counts.items() if target not in _TIMES or no_time]
        for count in wrong:
            if count.mostly_unreadable:
                raise ReadError(
                    f"{self.path}: column {count.name!r}: {count.unreadable} of {count.given} values cannot be read; "
                    f"{count.first}. Is this the right column, with the right decimal sign or date format?"
                )
