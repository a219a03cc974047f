"""A SQLite file that stands alone: some cells of a catalog together with their curves."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .connection import store_errors

COPIED: Final[dict[str, str]] = {
    "cells": "cell_id IN (SELECT value FROM json_each(?1))",
    "clean_reports": "cell_id IN (SELECT value FROM json_each(?1))",
    "findings": "cell_id IN (SELECT value FROM json_each(?1))",
    "cycles": "cell_id IN (SELECT value FROM json_each(?1))",
    "record_sources": "cell_id IN (SELECT value FROM json_each(?1))",
    "quarantine_counts": "cell_id IN (SELECT value FROM json_each(?1))",
    "flag_counts": "cell_id IN (SELECT value FROM json_each(?1))",
    "charge_changes": "cell_id IN (SELECT value FROM json_each(?1))",
    "models": "model_digest IN (SELECT model_digest FROM simulations"
    " WHERE cell_id IN (SELECT value FROM json_each(?1)))",
    "parameter_sets": "parameter_set_digest IN (SELECT parameter_set_digest FROM simulations"
    " WHERE cell_id IN (SELECT value FROM json_each(?1)))",
    "parameter_overrides": "parameter_set_digest IN (SELECT parameter_set_digest FROM simulations"
    " WHERE cell_id IN (SELECT value FROM json_each(?1)))",
    "simulations": "cell_id IN (SELECT value FROM json_each(?1))",
    "comparisons": "cell_id IN (SELECT value FROM json_each(?1))",
    "step_comparisons": "cell_id IN (SELECT value FROM json_each(?1))",
    "initial_states": "cell_id IN (SELECT value FROM json_each(?1))",
}
"""The catalog's tables that an export takes over, each with the condition for its rows; parents before children."""

COPIED_VIEWS: Final = (
    *("rules_by_cell", "quarantined_rows", "charge_by_rule"),
    *("errors_by_window", "errors_by_step_type", "errors_by_cycle"),
)
"""The catalog's views that need no other tables than these."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows for one table of the export.

    Args:
        columns: names, in the order of each row's values.
        rows: read once; missing values are ``None``.
    """

    table: str
    columns: tuple[str, ...]
    rows: Iterable[Sequence[Any]]


def catalog_schema(catalog: sqlite3.Connection) -> list[str]:
    """Return the SQL of the tables and views that an export takes over, as this catalog has them."""
    statements: dict[str, str] = dict(
        catalog.execute("SELECT name, sql FROM sqlite_master WHERE type IN ('table', 'view')").fetchall()
    )
    return [statements[name] for name in (*COPIED, *COPIED_VIEWS)]


def catalog_rows(catalog: sqlite3.Connection, cells: Sequence[str]) -> list[Rows]:
    """Return what the catalog knows of some cells, their simulations and the sets and models these used."""
    wanted = json.dumps(list(cells))
    taken: list[Rows] = []
    for table, condition in COPIED.items():
        cursor = catalog.execute(f"SELECT * FROM {table} WHERE {condition}", (wanted,))
        columns = tuple(column[0] for column in cursor.description)
        taken.append(Rows(table, columns, [tuple(row) for row in cursor]))
    return taken


def write_export(path: Path, schema: Iterable[str], filled: Iterable[Rows]) -> None:
    """Make a SQLite file of the catalog's tables, the series' tables and the views on them.

    Args:
        path: a file that is not there yet.
        schema: of :func:`catalog_schema`.
        filled: of :func:`catalog_rows` first, then the tables ``samples`` and ``simulation_samples``.

    Raises:
        StoreError: the file cannot be written, as on a full disk.
    """
    with store_errors(path), closing(sqlite3.connect(path, isolation_level=None)) as connection:
        # Nobody reads the file before it is whole, and a broken one is thrown away: no journal is needed.
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        for statement in schema:
            connection.execute(statement)
        for statement in _statements(Path(__file__).with_name("export.sql").read_text(encoding="utf-8")):
            connection.execute(statement)
        for each in filled:
            marks = ", ".join("?" * len(each.columns))
            names = ", ".join(each.columns)
            connection.executemany(f"INSERT INTO {each.table} ({names}) VALUES ({marks})", each.rows)
        connection.execute("COMMIT")
        connection.execute("ANALYZE")


def _statements(script: str) -> Iterator[str]:
    """Split a script into its statements; ``executescript`` would end the transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
