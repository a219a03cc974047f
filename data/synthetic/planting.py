"""The record in which defects are planted, and what all defects have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..arrays import Integers, Mask

MARGIN_ROWS: Final = 3
"""Unchanged rows on each side of a defect."""

REST_PER_AH: Final = 0.002
"""Largest current at rest (A per A.h of nominal capacity)."""

CONSTANT_CURRENT_PER_AH: Final = 0.1
"""Smallest current of a charge or discharge (A per A.h of nominal capacity)."""


@dataclass(frozen=True, slots=True)
class Defect:
    """One planted defect.

    Args:
        rule: code of the cleaning rule that should find it.
        rows: rows of the file, 0 = first data row. For a defect that extends to the end, its first row; for a power
            cut, the first row after it; for a duplicate, the row that should not exist.
        to_the_end: whether it also affects all later rows of the cell.
        column: the column that it affects; ``""`` = the complete row.
        before: the original value of each row, or a description. Undoing the defects from last to first restores the
            clean record.
    """

    rule: str
    rows: tuple[int, ...]
    to_the_end: bool
    column: str
    before: tuple[float, ...] | str


@dataclass(slots=True)
class Bench:
    """A record in which defects are planted.

    Args:
        columns: the columns of a ``CyclerRecord`` by name, shape (rows,) each.
        free: rows in which a defect may still be planted, shape (rows,).
        touched: place in ``planted`` of the defect of each row, shape (rows,); -1 = none.
        nominal_capacity_ah: of the cell (A.h).
        rng: source of all random choices.
        planted: the defects so far.
    """

    columns: dict[str, NDArray[Any]]
    free: Mask
    touched: Integers
    nominal_capacity_ah: float
    rng: np.random.Generator
    planted: list[Defect] = field(default_factory=list)

    def claim_free_rows(self, length: int, where: Mask | None = None) -> int | None:
        """Claim a random run of free rows, with a margin on both sides.

        Args:
            length: number of rows.
            where: rows that are allowed, shape (rows,); ``None`` = all free rows.

        Returns:
            The first row; ``None`` if there is no such run.
        """
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
        """Record a defect; its rows in the file are found at the end, from ``touched``.

        Args:
            rule: code of the cleaning rule that should find it.
            rows: its rows, at present.
            column: the column that it affects; ``""`` = the complete row.
            before: the original values, or a description.
            to_the_end: whether it also affects all later rows.
        """
        self.touched[rows] = len(self.planted)
        if not isinstance(before, str):
            before = tuple(round(float(value), 5) for value in np.ravel(before))
        self.planted.append(Defect(rule, (), to_the_end, column, before))

    def take(self, order: Integers) -> None:
        """Reorder, repeat or drop rows.

        Args:
            order: the present row that each new row is a copy of, shape (new rows,).
        """
        self.columns = {name: values[order] for name, values in self.columns.items()}
        self.free = self.free[order]
        self.touched = self.touched[order]

    def repeat(self, row: int) -> None:
        """Repeat one row."""
        self.take(np.insert(np.arange(len(self.free)), row, row))

    def rows_above_current(self, per_ah: float) -> Mask:
        """Find the rows whose current exceeds a limit in either direction.

        Args:
            per_ah: the limit, A per A.h of nominal capacity.
        """
        carrying: Mask = np.abs(self.columns["current"]) > per_ah * self.nominal_capacity_ah
        return carrying


Plant = Callable[[Bench, int], None]
"""Plants one kind of defect; the number is its length in rows, the number of single-row defects, or the jump."""


def find_runs(mask: Mask) -> list[tuple[int, int]]:
    """Return the runs of true values of a mask as (first, end), where end is the row after the last one.

    Args:
        mask: shape (rows,).
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(int))).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))
