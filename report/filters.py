"""Filters that every question takes: cells, models, parameter sets, status, order and number of rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..data.errors import UsageError
from ..data.known_models import check_models
from ..data.names import check_known
from ..sqlite import questions
from .select import DEFAULT, choose_cells

SET_COLUMNS: Final = ("parameter_set", "base_parameter_set")
"""Columns with the name of a parameter set; a fit has that of its result, and that from which it began."""

Row = Mapping[str, Any] | sqlite3.Row


@dataclass(frozen=True, slots=True)
class Filters:
    """Which rows are shown, and how.

    Args:
        cells: ids or patterns such as ``CELL_*``; empty = all.
        models: names of models; empty = all.
        parameters: names of parameter sets, or ``default``; empty = all.
        statuses: done, failed, skipped or pending; empty = all.
        sort: column to sort by; a ``-`` before it = the largest first; "" = the usual order.
        limit: largest number of rows; ``None`` = all.
    """

    cells: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    sort: str = ""
    limit: int | None = None

    def choose_cells(self, catalog: sqlite3.Connection) -> list[str]:
        """Return the cells that are named, or none for all.

        Raises:
            UsageError: there is no such cell; the message has the nearest name.
        """
        return choose_cells(catalog, self.cells)

    def apply(self, rows: Sequence[Row], noun: str = "simulation") -> list[dict[str, Any]]:
        """Return the rows that are wanted, in the wanted order.

        Args:
            rows: all with the same columns. A filter on a column that they do not have is not used.
            noun: what they are about, for messages.

        Raises:
            UsageError: no row has such a model or parameter set, or no such column; the message has the nearest name.
        """
        found: list[dict[str, Any]] = [dict(row) for row in rows]
        if not found:
            return found
        columns = found[0]
        if self.models and "model" in columns:
            check_models(f"there is no {noun} with the model", self.models, _values(found, "model"))
            found = [row for row in found if row["model"] in self.models]
        if self.parameters and found and "parameter_set" in columns:
            found = self._with_parameters(found, noun)
        if self.statuses and "status" in columns:
            found = [row for row in found if row["status"] in self.statuses]
        if self.sort:
            found = _sorted(found, self.sort, list(columns))
        return found[: self.limit]

    def _with_parameters(self, rows: list[dict[str, Any]], noun: str) -> list[dict[str, Any]]:
        names = {name for name in self.parameters if name != DEFAULT}
        columns = [column for column in SET_COLUMNS if column in rows[0]]
        known = set().union(*(_values(rows, column) for column in columns))
        check_known(f"there is no {noun} with the parameter set", sorted(names), [*sorted(known), DEFAULT])
        wants_default = DEFAULT in self.parameters
        return [
            row
            for row in rows
            if any(row[column] in names for column in columns) or (wants_default and row.get("is_default"))
        ]


def add_defaults(catalog: sqlite3.Connection, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return rows about simulations with ``is_default``: 1 = no parameter of the set was changed.

    Args:
        catalog: from ``queries.connect``.
        rows: with cell_id and label.
    """
    if not rows:
        return []
    defaults = {(row["cell_id"], row["label"]): row["is_default"] for row in questions.curves(catalog)}
    return [{**dict(row), "is_default": defaults.get((row["cell_id"], row["label"]))} for row in rows]


def _values(rows: Sequence[Mapping[str, Any]], column: str) -> set[str]:
    return {str(row[column]) for row in rows if row[column] is not None}


def _sorted(rows: list[dict[str, Any]], sort: str, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Return rows sorted by a column; those without a value come last."""
    name = sort.removeprefix("-")
    if name not in columns:
        check_known("there is no column to sort by", [name], columns)
    known = [row for row in rows if row[name] is not None]
    unknown = [row for row in rows if row[name] is None]
    try:
        known.sort(key=lambda row: row[name], reverse=sort.startswith("-"))
    except TypeError as error:
        raise UsageError(f"the column {name!r} holds numbers and texts; sort by another one") from error
    return known + unknown
