"""Parts of the statements that read the catalog: which rows of a table count, and which of them are wanted."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final

Rows = list[sqlite3.Row]
Names = str | Sequence[str] | None
"""Wanted values of a column: one, several, or all (``None`` or empty)."""

_CLEANING: Final = "EXISTS (SELECT 1 FROM current_clean_reports p WHERE p.cell_id = {0}.cell_id)"
_SIMULATION: Final = (
    "EXISTS (SELECT 1 FROM current_simulations p WHERE p.cell_id = {0}.cell_id AND p.label = {0}.label)"
)
_FIT: Final = "EXISTS (SELECT 1 FROM current_fits p WHERE p.cell_id = {0}.cell_id AND p.label = {0}.label)"
_PROFILE: Final = "EXISTS (SELECT 1 FROM current_fit_intervals p WHERE p.cell_id = {0}.cell_id AND p.label = {0}.label)"
_COUNTS: Final = {
    "record_sources": _CLEANING,
    "initial_states": _SIMULATION,
    "comparisons": _SIMULATION,
    "step_comparisons": _SIMULATION,
    "fit_correlations": _FIT,
    "fit_profiles": _PROFILE,
}
"""Tables without a standing of their own, and the condition under which their rows count."""

_KEPT: Final = ("cell_id", "label", "fit", "model", "base_parameter_set", "chain", "chain_cycle", "digest", "standing")
_REPLACED: Final = {
    "status": "'pending'",
    "reason": "{0}.standing",
    "reason_code": "''",
    "log": "''",
    "attempts": "'[]'",
}


def select_rows(connection: sqlite3.Connection, table: str, wanted: Mapping[str, Names], order: str) -> Rows:
    """Return all columns of the wanted rows of a table or view that count.

    Args:
        connection: from :func:`kilocell.sqlite.queries.connect`.
        table: name of the table or view.
        wanted: column name to its wanted values.
        order: column names for ``ORDER BY``.
    """
    where, values = build_where(wanted, _COUNTS.get(table, "").format(table))
    return connection.execute(f"SELECT * FROM {table} {where} ORDER BY {order}", values).fetchall()


def build_where(wanted: Mapping[str, Names], condition: str = "") -> tuple[str, list[str]]:
    """Return a WHERE clause ("" = all rows) and the values of its placeholders.

    Args:
        wanted: column name to its wanted values.
        condition: one more condition; "" = none.
    """
    conditions = [condition] if condition else []
    values: list[str] = []
    for column, names in wanted.items():
        if isinstance(names, str):
            names = [names]
        if names:
            placeholders = ", ".join("?" * len(names))
            conditions.append(f"{column} IN ({placeholders})")
            values += names
    if not conditions:
        return "", values
    return "WHERE " + " AND ".join(conditions), values


def planned_rows(connection: sqlite3.Connection, table: str, kept: Sequence[str] = ()) -> str:
    """Return a subquery of the rows of the plan: those that are current, and those that are out of date.

    A row that is out of date says what it is and why it is done again; it has the status ``pending``, and no numbers.

    Args:
        connection: from :func:`kilocell.sqlite.queries.connect`.
        table: ``simulations`` or ``fits``.
        kept: columns that a row has also if it is out of date, beside its names.

    Returns:
        ``(SELECT ...)`` with all columns of the table.
    """
    names = [str(row[0]) for row in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))]
    counts = "(t.standing NOT LIKE 'out of date%' OR e.everything)"
    columns = []
    for name in names:
        if name in (*_KEPT, *kept):
            columns.append(f"t.{name}")
        else:
            instead = _REPLACED.get(name, "NULL").format("t")
            columns.append(f"CASE WHEN {counts} THEN t.{name} ELSE {instead} END AS {name}")
    return (
        f"(SELECT {', '.join(columns)} FROM {table} t, extent e"
        " WHERE t.standing <> 'of an earlier campaign' OR e.everything)"
    )
