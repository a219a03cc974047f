"""The SQL that writes: built from column names, or written out where it says more than put and replace."""

from __future__ import annotations

from functools import cache
from typing import Final

DEFINITIONS: Final = {
    "model_digest": ("models", "model_digest"),
    "parameter_set_digest": ("parameter_sets", "parameter_set_digest"),
    "base_parameter_set_digest": ("parameter_sets", "parameter_set_digest"),
}
"""Columns that name a definition: the table where it stands, and its key there."""

COMPLETE_CELL: Final = """
UPDATE cells SET nominal_capacity_ah = :nominal_capacity_ah, initial_state_policy = :initial_state_policy,
    initial_state_value = :initial_state_value, temperature_celsius = :temperature_celsius
WHERE cell_id = :cell_id AND initial_state_policy IS NULL
"""
_OUTDATED = "cell_id = :cell_id AND label = :label AND digest <> :digest AND status = 'done'"
_PENDING_JOB = f"UPDATE jobs SET status = 'pending' WHERE kind = :kind AND {_OUTDATED}"
MARK_PENDING: Final = {
    "clean": (_PENDING_JOB,),
    "simulate": (_PENDING_JOB, f"UPDATE simulations SET status = 'pending' WHERE {_OUTDATED}"),
    "start": (_PENDING_JOB, f"UPDATE fit_starts SET status = 'pending' WHERE {_OUTDATED}"),
    "fit": (_PENDING_JOB, f"UPDATE fits SET status = 'pending' WHERE {_OUTDATED}"),
    "profile": (_PENDING_JOB, f"UPDATE fit_intervals SET status = 'pending' WHERE {_OUTDATED}"),
}
"""Results of another digest than the present one, by the kind of their job."""

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
FORGET_MODELS: Final = """
DELETE FROM models AS old
WHERE EXISTS (SELECT 1 FROM models new WHERE new.model = old.model AND new.rowid > old.rowid)
    AND model_digest NOT IN (
        SELECT model_digest FROM simulations WHERE model_digest IS NOT NULL
        UNION SELECT model_digest FROM fits WHERE model_digest IS NOT NULL)
"""


@cache
def insert(table: str, columns: tuple[str, ...], conflict: str = "") -> str:
    """Return an INSERT with named placeholders; ``conflict`` is such as ``OR IGNORE``."""
    names = ", ".join(f'"{column}"' for column in columns)
    values = ", ".join(f":{column}" for column in columns)
    return f"INSERT {conflict} INTO {table} ({names}) VALUES ({values})"


@cache
def upsert(table: str, columns: tuple[str, ...], key: tuple[str, ...]) -> str:
    """Return an INSERT that updates the row of the same key instead, so that what refers to it stays."""
    updates = ", ".join(f'"{column}" = excluded."{column}"' for column in columns if column not in key)
    return f"{insert(table, columns)} ON CONFLICT ({', '.join(key)}) DO UPDATE SET {updates}"


@cache
def insert_version(columns: tuple[str, ...]) -> str:
    """Return the INSERT of a fitted set as the next version of its fit; known values keep theirs, of newer origin."""
    names, values = ", ".join(columns), ", ".join(f":{column}" for column in columns)
    key = ("cell_id", "label", "parameter_set_digest")
    updates = ", ".join(f"{column} = excluded.{column}" for column in columns if column not in key)
    return (
        f"INSERT INTO fitted_sets ({names}, version) SELECT {values}, coalesce(max(version), 0) + 1 FROM fitted_sets"
        f" WHERE cell_id = :cell_id AND label = :label ON CONFLICT ({', '.join(key)}) DO UPDATE SET {updates}"
    )
