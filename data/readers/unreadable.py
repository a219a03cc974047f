"""Count the unreadable values in the required columns of a file, and refuse a file that has too many."""

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
    """The values of one column that are not missing: how many, how many are unreadable, and the first such."""

    name: str
    given: int = 0
    unreadable: int = 0
    first: str = ""

    @property
    def mostly_unreadable(self) -> bool:
        return 2 * self.unreadable > self.given


@dataclass(slots=True)
class Tally:
    """Counts the values of the required columns of a file, over its blocks."""

    path: Path
    counts: dict[str, _Count] = field(default_factory=dict)

    def add(self, block: RawBlock, rows: Mask | None) -> None:
        """Count the values of a block.

        Args:
            block: rows of the file.
            rows: which of them count, shape (rows,); ``None`` = all.
        """
        for target, (name, bad) in block.unreadable.items():
            if target not in (c.VOLTAGE, c.CURRENT, *_TIMES):
                continue
            count = self.counts.setdefault(target, _Count(name))
            given = ~np.isnan(block.columns[target])
            if rows is not None:
                given &= rows
                bad = bad & rows
            places = np.flatnonzero(bad)
            count.given += int(np.count_nonzero(given)) + len(places)
            count.unreadable += len(places)
            if len(places) and not count.first:
                row = int(places[0])
                count.first = f"the first is in line {block.lines[row]}: {block.columns[c.UNREADABLE][row]}"

    def check(self) -> None:
        """Refuse the file if most values of its voltage, of its current, or of all its times are unreadable.

        Raises:
            ReadError: names the column and the first unreadable value.
        """
        times = [self.counts[time] for time in _TIMES if time in self.counts]
        no_time = all(count.given == 0 or count.mostly_unreadable for count in times)
        required = [count for target, count in self.counts.items() if target not in _TIMES or no_time]
        for count in required:
            if count.mostly_unreadable:
                raise ReadError(
                    f"{self.path}: column {count.name!r}: {count.unreadable} of {count.given} values cannot be read; "
                    f"{count.first}. Check that this is the right column, and check its decimal sign or date format"
                )
