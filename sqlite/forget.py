"""Forget what no plan needs: jobs, cells, raw files, models and parameter sets that a campaign no longer has."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable
from typing import Final

JobName = tuple[str, str, str]
"""Kind, cell_id and label of a job."""

_UNNEEDED: Final = """
NOT EXISTS (SELECT 1 FROM temp.needed n WHERE n.kind = {kind} AND n.cell_id = t.cell_id AND n.label = {label})
    AND t.cell_id NOT IN (SELECT value FROM json_each(:cells))
"""
_TABLES: Final = {
    "simulations": ("'simulate'", "t.label"),
    "fits": ("'fit'", "t.label"),
    "fit_starts": ("'start'", "t.label"),
    "fit_intervals": ("'profile'", "t.label"),
    "clean_reports": ("'clean'", "'clean'"),
    "jobs": ("t.kind", "t.label"),
    "plan": ("t.kind", "t.label"),
}
"""Tables with a row for each job: kind and label of the job of a row. Rows that belong to these go with them."""

_USED_SETS: Final = """
SELECT parameter_set_digest FROM cell_parameter_sets
UNION SELECT parameter_set_digest FROM simulations WHERE parameter_set_digest IS NOT NULL
UNION SELECT parameter_set_digest FROM fits WHERE parameter_set_digest IS NOT NULL
UNION SELECT base_parameter_set_digest FROM fits WHERE base_parameter_set_digest IS NOT NULL
UNION SELECT parameter_set_digest FROM fitted_sets
UNION SELECT base_parameter_set_digest FROM fitted_sets
"""
_LEFT_CELLS: Final = """
SELECT cell_id FROM cells WHERE cell_id NOT IN (SELECT value FROM json_each(:cells))
    AND cell_id NOT IN (SELECT cell_id FROM temp.needed WHERE kind <> 'split')
    AND cell_id NOT IN (SELECT cell_id FROM clean_reports) AND cell_id NOT IN (SELECT cell_id FROM simulations)
    AND cell_id NOT IN (SELECT cell_id FROM fits) AND cell_id NOT IN (SELECT cell_id FROM fit_starts)
    AND cell_id NOT IN (SELECT cell_id FROM fit_intervals)
"""
FORGET: Final = (
    *(
        f"DELETE FROM {table} AS t WHERE {_UNNEEDED.format(kind=kind, label=label)}"
        for table, (kind, label) in _TABLES.items()
    ),
    """
    DELETE FROM sources WHERE path NOT IN (SELECT value FROM json_each(:sources)) AND path NOT IN (
        SELECT path FROM source_cells WHERE cell_id IN (SELECT value FROM json_each(:cells)))
    """,
    f"DELETE FROM source_cells WHERE cell_id IN ({_LEFT_CELLS})",
    f"DELETE FROM cell_parameter_sets WHERE cell_id IN ({_LEFT_CELLS})",
    f"DELETE FROM cells WHERE cell_id IN ({_LEFT_CELLS})",
    f"DELETE FROM parameter_sets WHERE parameter_set_digest NOT IN ({_USED_SETS})",
    """
    DELETE FROM models WHERE model NOT IN (SELECT value FROM json_each(:models)) AND model_digest NOT IN (
        SELECT model_digest FROM simulations WHERE model_digest IS NOT NULL
        UNION SELECT model_digest FROM fits WHERE model_digest IS NOT NULL)
    """,
)
"""Statements that delete what is not needed. They take ``cells``, ``sources`` and ``models``, each a JSON list."""


def forget_unneeded(
    connection: sqlite3.Connection,
    needed: Iterable[JobName],
    kept_cells: Collection[str],
    sources: Collection[str],
    models: Collection[str],
) -> int:
    """Delete the rows of jobs that are not needed, and of cells, raw files and definitions that nothing refers to.

    The caller opens a transaction.

    Args:
        connection: to the catalog, for writing.
        needed: every job of the plan.
        kept_cells: cells of which everything is kept.
        sources: paths of the campaign's raw files.
        models: names of the campaign's models.

    Returns:
        The number of jobs that are forgotten.
    """
    connection.execute("CREATE TEMP TABLE needed (kind, cell_id, label, PRIMARY KEY (kind, cell_id, label))")
    try:
        connection.executemany("INSERT OR IGNORE INTO temp.needed VALUES (?, ?, ?)", sorted(needed))
        lists = {"cells": kept_cells, "sources": sources, "models": models}
        named = {name: json.dumps(sorted(values)) for name, values in lists.items()}
        before = int(connection.execute("SELECT count(*) FROM jobs").fetchone()[0])
        for statement in FORGET:
            connection.execute(statement, {name: text for name, text in named.items() if f":{name}" in statement})
        return before - int(connection.execute("SELECT count(*) FROM jobs").fetchone()[0])
    finally:
        connection.execute("DROP TABLE temp.needed")
