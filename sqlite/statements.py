"""SQL statements that write the catalog, and a splitter for SQL scripts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from functools import cache
from typing import Final

DEFINITIONS: Final = {
    "model_digest": ("models", "model_digest"),
    "parameter_set_digest": ("parameter_sets", "parameter_set_digest"),
    "base_parameter_set_digest": ("parameter_sets", "parameter_set_digest"),
}
"""Columns that refer to a definition: column name to the table of the definition and its key in that table."""

COMPLETE_CELL: Final = """
UPDATE cells SET nominal_capacity_ah = :nominal_capacity_ah, initial_state_policy = :initial_state_policy,
    initial_state_value = :initial_state_value, temperature_celsius = :temperature_celsius,
    capacity_source = :capacity_source, parameter_set_source = :parameter_set_source
WHERE cell_id = :cell_id AND initial_state_policy IS NULL
"""
"""Give a cell its settings unless it has settings already."""

_OUTDATED = "cell_id = :cell_id AND label = :label AND digest <> :digest AND status = 'done'"
_PENDING_JOB = f"UPDATE jobs SET status = 'pending' WHERE kind = :kind AND {_OUTDATED}"
MARK_PENDING: Final = {
    "clean": (_PENDING_JOB,),
    "simulate": (_PENDING_JOB, f"UPDATE simulations SET status = 'pending' WHERE {_OUTDATED}"),
    "start": (_PENDING_JOB, f"UPDATE fit_starts SET status = 'pending' WHERE {_OUTDATED}"),
    "fit": (_PENDING_JOB, f"UPDATE fits SET status = 'pending' WHERE {_OUTDATED}"),
    "profile": (_PENDING_JOB, f"UPDATE fit_intervals SET status = 'pending' WHERE {_OUTDATED}"),
}
"""Statements that mark results of an older digest as pending: kind of the job to its statements."""

ENDED: Final = "UPDATE plan SET reason = '' WHERE kind = ? AND cell_id = ? AND label = ? AND digest = ?"
"""Note that a job of the plan has ended: it need not run any more."""

FORGET_PARAMETER_SETS: Final = """
DELETE FROM parameter_sets AS old
WHERE EXISTS (SELECT 1 FROM parameter_sets new WHERE new.parameter_set = old.parameter_set AND new.rowid > old.rowid)
    AND parameter_set_digest NOT IN (
        SELECT parameter_set_digest FROM cell_parameter_sets
        UNION SELECT parameter_set_digest FROM simulations WHERE parameter_set_digest IS NOT NULL
        UNION SELECT parameter_set_digest FROM fits WHERE parameter_set_digest IS NOT NULL
        UNION SELECT base_parameter_set_digest FROM fits WHERE base_parameter_set_digest IS NOT NULL
        UNION SELECT parameter_set_digest FROM fitted_sets
        UNION SELECT base_parameter_set_digest FROM fitted_sets)
"""
"""Delete parameter sets that have a newer definition of the same name and that nothing refers to."""

FORGET_MODELS: Final = """
DELETE FROM models AS old
WHERE EXISTS (SELECT 1 FROM models new WHERE new.model = old.model AND new.rowid > old.rowid)
    AND model_digest NOT IN (
        SELECT model_digest FROM simulations WHERE model_digest IS NOT NULL
        UNION SELECT model_digest FROM fits WHERE model_digest IS NOT NULL)
"""
"""Delete models that have a newer definition of the same name and that nothing refers to."""


@cache
def insert(table: str, columns: tuple[str, ...], conflict: str = "") -> str:
    """Return an INSERT with named placeholders.

    Args:
        table: name of the table.
        columns: names of the columns; each is also the name of its placeholder.
        conflict: what to do if the key exists, such as ``OR IGNORE``; "" = fail.
    """
    names = ", ".join(f'"{column}"' for column in columns)
    values = ", ".join(f":{column}" for column in columns)
    return f"INSERT {conflict} INTO {table} ({names}) VALUES ({values})"


@cache
def upsert(table: str, columns: tuple[str, ...], key: tuple[str, ...]) -> str:
    """Return an INSERT that updates the row if its key exists. Rows of other tables that refer to it are kept.

    Args:
        table: name of the table.
        columns: names of all columns, those of the key too.
        key: names of the columns of a unique key.
    """
    updates = ", ".join(f'"{column}" = excluded."{column}"' for column in columns if column not in key)
    return f"{insert(table, columns)} ON CONFLICT ({', '.join(key)}) DO UPDATE SET {updates}"


@cache
def insert_version(columns: tuple[str, ...]) -> str:
    """Return the INSERT of a fitted set as the next version of its fit.

    If the fit had the same values before, their version keeps its number; its other columns are updated.

    Args:
        columns: names of the columns of ``fitted_sets`` without ``version``.
    """
    names = ", ".join(columns)
    values = ", ".join(f":{column}" for column in columns)
    key = ("cell_id", "label", "parameter_set_digest")
    updates = ", ".join(f"{column} = excluded.{column}" for column in columns if column not in key)
    return (
        f"INSERT INTO fitted_sets ({names}, version) SELECT {values}, coalesce(max(version), 0) + 1 FROM fitted_sets"
        f" WHERE cell_id = :cell_id AND label = :label ON CONFLICT ({', '.join(key)}) DO UPDATE SET {updates}"
    )


def split_script(script: str) -> Iterator[str]:
    """Yield the statements of an SQL script. (``executescript`` would commit the open transaction.)"""
    statement = ""
    for piece in script.split(";"):
        statement += piece + ";"
        if sqlite3.complete_statement(statement):  # false inside a comment or a text
            yield statement
            statement = ""
