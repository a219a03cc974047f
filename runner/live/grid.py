"""Cells × stages: how far the jobs of each cell are in each stage.

A box of the grid is one stage of one cell, or of several neighbouring cells where there are too many for one column
each. It holds every job of that stage and these cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ..plan.job import Job, Key

MAX_COLUMNS: Final = 1000
"""Columns of the grid. With more cells, a column holds several: a screen has not many more pixels."""

EMPTY: Final = 0
WAITING: Final = 1
PARTS: Final = (2, 3, 4)
"""Some jobs of the box ended and others wait: up to a third of them, up to two thirds, more."""

DONE: Final = 5
RUNNING: Final = 6
SKIPPED: Final = 7
FAILED: Final = 8
STATES: Final = ("no job", "waiting", *["partly done"] * len(PARTS), "done", "running", "skipped", "failed")
"""What each number of a box means."""

Codes = npt.NDArray[np.uint8]
"""A state for each box: (stages, columns)."""

_TOTAL, _DONE, _SKIPPED, _FAILED, _RUNNING = range(5)
_COUNTED: Final = {"done": _DONE, "skipped": _SKIPPED, "failed": _FAILED}


@dataclass(frozen=True, slots=True)
class Column:
    """The cells of one column of the grid.

    Args:
        first, last: their ids; the same where the column has one cell.
        cells: how many.
    """

    first: str
    last: str
    cells: int


class Grid:
    """Counts of jobs by stage and column, and the states that follow from them.

    Args:
        jobs: every job of the run, those that are up to date, too. A job without a reason counts as done.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.stages = tuple(dict.fromkeys(job.stage for job in jobs))
        row_of = {stage: row for row, stage in enumerate(self.stages)}
        cells_of = _cells_of_jobs(jobs)
        names = _names(jobs, cells_of)
        per_column = max(1, -(-len(names) // MAX_COLUMNS))
        groups = [names[start : start + per_column] for start in range(0, len(names), per_column)]
        self.cells = len(names)
        self.columns = tuple(Column(group[0], group[-1], len(group)) for group in groups)
        column_of = {cell_id: number // per_column for number, cell_id in enumerate(names)}
        self._boxes: dict[Key, tuple[int, tuple[int, ...]]] = {}
        self._counts = np.zeros((5, len(self.stages), len(self.columns)), dtype=np.int32)
        for job in jobs:
            columns = tuple(dict.fromkeys(column_of[cell_id] for cell_id in cells_of[job.key]))
            self._boxes[job.key] = (row_of[job.stage], columns)
            self._add(job.key, _TOTAL, 1)
            if not job.reason:
                self._add(job.key, _DONE, 1)
        self._running = set[Key]()

    def end(self, key: Key, status: str) -> None:
        """Count a job that ended.

        Args:
            status: ``done``, ``skipped`` or ``failed``.
        """
        if key in self._running:
            self._running.discard(key)
            self._add(key, _RUNNING, -1)
        self._add(key, _COUNTED[status], 1)

    def set_running(self, keys: set[Key]) -> bool:
        """Say which jobs run now; return whether that changed anything."""
        changed = self._running ^ keys
        for key in changed:
            self._add(key, _RUNNING, 1 if key in keys else -1)
        self._running = set(keys)
        return bool(changed)

    def codes(self) -> Codes:
        """Return the state of every box; a failure or a running job is seen in a box of a hundred jobs, too."""
        total, done, skipped, failed, running = self._counts
        ended = done + skipped + failed
        some = np.ceil(len(PARTS) * ended / np.maximum(total, 1)).astype(np.int32)
        codes = np.full(total.shape, WAITING, dtype=np.uint8)
        partly = (ended > 0) & (ended < total)
        codes[partly] = (PARTS[0] - 1 + some)[partly]
        complete = (ended == total) & (total > 0)
        codes[complete] = DONE
        codes[complete & (skipped > 0)] = SKIPPED
        codes[running > 0] = RUNNING
        codes[failed > 0] = FAILED
        codes[total == 0] = EMPTY
        return codes

    def _add(self, key: Key, what: int, number: int) -> None:
        row, columns = self._boxes[key]
        for column in columns:
            self._counts[what, row, column] += number


def _names(jobs: Sequence[Job], cells_of: Mapping[Key, tuple[str, ...]]) -> list[str]:
    """Return the cells in the order of the jobs; files without a cell come last."""
    names = dict.fromkeys(job.cell_id for job in jobs if job.kind != "split")
    names.update(dict.fromkeys(cell_id for cells in cells_of.values() for cell_id in cells))
    return list(names)


def _cells_of_jobs(jobs: Sequence[Job]) -> Mapping[Key, tuple[str, ...]]:
    """Return the cells of each job: its own, or of a split those that are cleaned from its file.

    A file whose split has no cell, as one that cannot be read, counts as a cell of the file's name.
    """
    cells: dict[Key, list[str]] = {job.key: [] if job.kind == "split" else [job.cell_id] for job in jobs}
    for job in jobs:
        if job.kind == "clean":
            for key in job.needs:
                if key in cells:
                    cells[key].append(job.cell_id)
    return {job.key: tuple(cells[job.key]) or (job.cell_id,) for job in jobs}
