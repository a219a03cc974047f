"""A record on the bench: what planted defects have in common, whichever they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..arrays import Integers, Mask

MARGIN_ROWS: Final = 3  # untouched rows between two defects
REST_PER_AH: Final = 0.002
CONSTANT_CURRENT_PER_AH: Final = 0.1


@dataclass(frozen=True, slots=True)
class Defect:
    """One planted defect.

    Args:
        rule: code of the rule that should find it.
        rows: rows of the file, 0 = first data row. Of a defect that reaches to the end, its first row; of a power
            cut, the first row after it; of a duplicate, the row that should not be there.
        to_the_end: whether it touches every later row of the cell too.
        column: what it touches; ``""`` = the row as a whole.
        before: what stood there in each row, or in words; defects undone from last to first give the clean record back.
    """

    rule: str
    rows: tuple[int, ...]
    to_the_end: bool
    column: str
    before: tuple[float, ...] | str


@dataclass(slots=True)
class Bench:
    """A record under damage: its columns, which rows are still free, and which defect touched a row (-1 = none)."""

    columns: dict[str, NDArray[Any]]
    free: Mask
    touched: Integers
    nominal_capacity_ah: float
    rng: np.random.Generator
    planted: list[Defect] = field(default_factory=list)

    def claim_free_rows(self, length: int, where: Mask | None = None) -> int | None:
        """Pick at random the first of ``length`` free rows, with a margin, and take them; ``None`` where none is."""
        open_rows = self.free if where is None else self.free & where
        width = length + 2 * MARGIN_ROWS
        if len(open_rows) < width:
            return None
        fits = np.flatnonzero(np.convolve(open_rows, np.ones(width), "valid") > width - 0.5)
        if len(fits) == 0:
            return None
        first = int(self.rng.choice(fits)) + MARGIN_ROWS
        self.free[first : first + length] = False
        return first

    def note(self, rule: str, rows: slice | int, column: str, before: Any, to_the_end: bool = False) -> None:
        """Write a defect down; its file rows are read off at the end, from ``touched``."""
        self.touched[rows] = len(self.planted)
        told = before if isinstance(before, str) else tuple(round(float(value), 5) for value in np.ravel(before))
        self.planted.append(Defect(rule, (), to_the_end, column, told))

    def take(self, order: Integers) -> None:
        """Reorder, repeat or drop rows."""
        self.columns = {name: values[order] for name, values in self.columns.items()}
        self.free, self.touched = self.free[order], self.touched[order]

    def repeat(self, row: int) -> None:
        """Write a row twice."""
        self.take(np.insert(np.arange(len(self.free)), row, row))

    def rows_above_current(self, per_ah: float) -> Mask:
        """Rows whose current is above this many A per A.h."""
        carrying: Mask = np.abs(self.columns["current"]) > per_ah * self.nominal_capacity_ah
        return carrying


Plant = Callable[[Bench, int], None]
"""Plants one kind; the number is its length in rows, how many of a single-row one, or the jump."""
