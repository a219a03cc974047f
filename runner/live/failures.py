"""Failures of a run, grouped by reason, the newest first."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

MAX_GROUPS: Final = 200
"""Reasons that are kept; the oldest is forgotten first."""

MAX_CELLS: Final = 12
"""Newest cells of a group that are named."""

_NUMBER: Final = re.compile(r"[-+]?\d+(?:[.,]\d+)*(?:e[-+]?\d+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Failed jobs that have one reason.

    Args:
        reason: of the newest one, in words.
        code: short stable name of the reason.
        jobs: how many failed.
        stages: theirs, the newest first.
        cells: the newest ones, the newest first.
        cell_count: number of cells.
        varies: whether the reasons differ, in numbers or in the cell's name.
    """

    reason: str
    code: str
    jobs: int
    stages: tuple[str, ...]
    cells: tuple[str, ...]
    cell_count: int
    varies: bool


@dataclass(slots=True)
class _Group:
    reason: str
    code: str
    jobs: int = 0
    stages: dict[str, None] = field(default_factory=dict)
    cells: dict[str, None] = field(default_factory=dict)
    varies: bool = False

    def add(self, stage: str, cell_id: str, reason: str) -> None:
        self.jobs += 1
        self.varies = self.varies or reason != self.reason
        self.reason = reason
        for names, name in ((self.stages, stage), (self.cells, cell_id)):
            names.pop(name, None)
            names[name] = None  # the newest last

    def copy(self) -> FailureGroup:
        stages = tuple(reversed(self.stages))
        cells = tuple(islice(reversed(self.cells), MAX_CELLS))
        return FailureGroup(self.reason, self.code, self.jobs, stages, cells, len(self.cells), self.varies)


class Failures:
    """The failed jobs of a run by reason."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], _Group] = {}

    def add(self, stage: str, cell_id: str, reason: str, code: str) -> None:
        """Count one failed job.

        Two reasons are one if they differ only in numbers and in the cell's name.
        """
        name = (code, _NUMBER.sub("#", reason.replace(cell_id, "CELL")))
        group = self._groups.pop(name, None) or _Group(reason, code)
        group.add(stage, cell_id, reason)
        self._groups[name] = group
        if len(self._groups) > MAX_GROUPS:
            del self._groups[next(iter(self._groups))]

    def newest(self, number: int) -> list[FailureGroup]:
        """Return the groups, the one with the newest failure first.

        Args:
            number: how many at most.
        """
        return [group.copy() for group in islice(reversed(self._groups.values()), number)]

    def __len__(self) -> int:
        return len(self._groups)
