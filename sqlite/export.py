"""Write a self-contained SQLite file: some cells of a catalog together with their time series."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .connection import store_errors
from .extent import EVERYTHING, shows_everything
from .statements import split_script

_CELLS: Final = "cell_id IN (SELECT value FROM json_each(?1))"
_OF_SIMULATIONS: Final = "(SELECT {} FROM current_simulations WHERE cell_id IN (SELECT value FROM json_each(?1)))"
_SETS: Final = (
    f"({_OF_SIMULATIONS.format('parameter_set_digest')[1:-1]} UNION SELECT base_parameter_set_digest FROM fitted_sets"
    f" WHERE {_CELLS})"
)
COPIED: Final[dict[str, tuple[str, str]]] = {
    "cells": ("current_cells", _CELLS),
    "clean_reports": ("current_clean_reports", _CELLS),
    "findings": ("current_findings", _CELLS),
    "cycles": ("current_cycles", _CELLS),
    **dict.fromkeys(("record_sources", "quarantine_counts", "flag_counts", "charge_changes"), ("", _CELLS)),
    "models": ("", f"model_digest IN {_OF_SIMULATIONS.format('model_digest')}"),
    **dict.fromkeys(("parameter_sets", "parameter_overrides"), ("", f"parameter_set_digest IN {_SETS}")),
    "fitted_sets": ("", f"{_CELLS} AND parameter_set_digest IN {_OF_SIMULATIONS.format('parameter_set_digest')}"),
    "simulations": ("current_simulations", _CELLS),
    **dict.fromkeys(
        ("comparisons", "step_comparisons", "initial_states", "stretches"),
        ("", f"(cell_id, label) IN {_OF_SIMULATIONS.format('cell_id, label')}"),
    ),
}
"""Tables of the catalog that an export copies: the view with the rows to copy ("" = the table itself), and the
condition for them; ?1 is the JSON list of the cells. What the connection does not show is not copied.

A table comes after the tables that it refers to.
"""

COPIED_VIEWS: Final = (
    *("extent", "current_clean_reports", "current_simulations", "current_cycles", "current_findings"),
    "finished_simulations",
    *("rules_by_cell", "quarantined_rows", "charge_by_rule", "charge_uncertainty"),
    *("errors_by_window", "errors_by_step_type", "errors_by_cycle", "errors_by_stretch"),
    *("cycle_overview", "cycle_comparison", "model_parameter_sets", "curves"),
)
"""Views of the catalog that an export copies: those that need only the copied tables."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows for one table of the export.

    Args:
        table: name of the table.
        columns: names of the columns, in the order of each row's values.
        rows: iterated once; missing values are ``None``.
    """

    table: str
    columns: tuple[str, ...]
    rows: Iterable[Sequence[Any]]


def catalog_schema(catalog: sqlite3.Connection) -> list[str]:
    """Return the statements that create the tables and views that an export copies, as they are in this catalog."""
    statements: dict[str, str] = dict(
        catalog.execute("SELECT name, sql FROM sqlite_master WHERE type IN ('table', 'view')").fetchall()
    )
    if shows_everything(catalog):
        statements["extent"] = EVERYTHING
    return [statements[name] for name in (*COPIED, *COPIED_VIEWS)]


def catalog_rows(catalog: sqlite3.Connection, cells: Sequence[str]) -> list[Rows]:
    """Return the rows of some cells, of their simulations, and of the models and parameter sets of these.

    Args:
        catalog: from ``queries.connect``.
        cells: ids of the cells.
    """
    wanted = json.dumps(list(cells))
    copied: list[Rows] = []
    for table, (view, condition) in COPIED.items():
        cursor = catalog.execute(f"SELECT * FROM {view or table} WHERE {condition}", (wanted,))
        columns = tuple(column[0] for column in cursor.description)
        copied.append(Rows(table, columns, [tuple(row) for row in cursor]))
    return copied


def write_export(path: Path, schema: Iterable[str], filled: Iterable[Rows]) -> None:
    """Write a SQLite file with the catalog's tables, the time series, and the views of both.

    Args:
        path: a file that does not exist yet.
        schema: from :func:`catalog_schema`.
        filled: rows from :func:`catalog_rows`, then those of the tables ``samples`` and ``simulation_samples``.

    Raises:
        StoreError: the file cannot be written, for example because the disk is full.
    """
    with store_errors(path), closing(sqlite3.connect(path, isolation_level=None)) as connection:
        # No journal is needed: nobody reads the file before it is complete, and an incomplete file is deleted.
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        for statement in schema:
            connection.execute(statement)
        for statement in split_script(Path(__file__).with_name("export.sql").read_text(encoding="utf-8")):
            connection.execute(statement)
        for table in filled:
            names = ", ".join(table.columns)
            placeholders = ", ".join("?" * len(table.columns))
            connection.executemany(f"INSERT INTO {table.table} ({names}) VALUES ({placeholders})", table.rows)
        connection.execute("COMMIT")
        connection.execute("ANALYZE")
