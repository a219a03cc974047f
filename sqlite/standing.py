"""The standing of results: what the plan of the last run says about each row of the catalog.

A result is ``current`` if the plan has its job with the digest with which it was recorded, ``out of date: WHY`` if the
plan has its job, but does it again, and ``of an earlier campaign`` if the plan has no such job. It is written when the
plan is, in the same transaction, so that a reader never sees results beside a plan that is not theirs.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable
from typing import Final

from ..data.standing import CHANGED, CURRENT, EARLIER, OUT_OF_DATE
from .rows import split_simulation_label

_TABLES: Final = {
    "jobs": "t.kind",
    "simulations": "'simulate'",
    "fits": "'fit'",
    "fit_starts": "'start'",
    "fit_intervals": "'profile'",
}
"""Tables with a digest of their own, and the kind of the job of each row."""

# A job that failed or was skipped under the same digest is no older than its settings, even if a run tries it again.
_OF_TABLE: Final = """
UPDATE {table} SET standing = n.standing FROM (
    SELECT {kind} AS kind, t.cell_id, t.label,
        CASE WHEN p.digest IS NULL THEN '{earlier}'
            WHEN p.digest <> t.digest THEN '{out_of_date}' || coalesce(nullif(p.reason, ''), '{changed}')
            WHEN p.reason <> '' AND t.status IN ('done', 'pending') THEN '{out_of_date}' || p.reason
            ELSE '{current}' END AS standing
    FROM {table} t LEFT JOIN plan p ON p.kind = {kind} AND p.cell_id = t.cell_id AND p.label = t.label) n
WHERE n.cell_id = {table}.cell_id AND n.label = {table}.label AND n.standing <> {table}.standing{more}
"""

SET_STANDINGS: Final = (
    *(
        _OF_TABLE.format(
            table=table, kind=kind, earlier=EARLIER, out_of_date=OUT_OF_DATE, changed=CHANGED, current=CURRENT,
            more=" AND n.kind = jobs.kind" if table == "jobs" else "",
        )
        for table, kind in _TABLES.items()
    ),
    """
    UPDATE clean_reports SET standing = n.standing FROM jobs n
    WHERE n.kind = 'clean' AND n.cell_id = clean_reports.cell_id AND n.standing <> clean_reports.standing
    """,
    f"""
    UPDATE cells SET standing = n.standing FROM (
        SELECT cell_id, CASE WHEN cell_id IN (SELECT cell_id FROM plan WHERE kind <> 'split')
            OR cell_id IN (SELECT value FROM json_each(:unread)) THEN '{CURRENT}' ELSE '{EARLIER}' END AS standing
        FROM cells) n
    WHERE n.cell_id = cells.cell_id AND n.standing <> cells.standing
    """,
    f"""
    UPDATE sources SET standing = n.standing FROM (
        SELECT path, CASE WHEN path IN (SELECT value FROM json_each(:sources)) THEN '{CURRENT}' ELSE '{EARLIER}' END
            AS standing FROM sources) n
    WHERE n.path = sources.path AND n.standing <> sources.standing
    """,
)  # fmt: skip
"""Statements that give every row its standing. They take ``unread`` and ``sources``, each a JSON list."""


PlannedJob = tuple[str, str, str, str, str]
"""Kind, cell_id, label, digest and reason of a job of the plan."""


def replace_plan(
    connection: sqlite3.Connection,
    jobs: Iterable[PlannedJob],
    unread_cells: Collection[str],
    sources: Iterable[str],
    models: Collection[str],
) -> None:
    """Replace the plan of the last run, and give every result its standing. The caller opens a transaction.

    Args:
        connection: to the catalog, for writing.
        jobs: every job of the campaign.
        unread_cells: cells of the campaign whose files cannot be read now. Their results count as before: nothing says
            that they changed.
        sources: paths of the campaign's raw files.
        models: names of the campaign's models.
    """
    kept = _rows_of_unread(connection, unread_cells, models)
    connection.execute("DELETE FROM plan")
    insert = "INSERT OR IGNORE INTO plan (kind, cell_id, label, digest, reason) VALUES (?, ?, ?, ?, ?)"
    connection.executemany(insert, sorted(jobs))
    connection.executemany(insert, kept)
    named = {"unread": json.dumps(sorted(unread_cells)), "sources": json.dumps(list(sources))}
    for statement in SET_STANDINGS:
        connection.execute(statement, {name: value for name, value in named.items() if f":{name}" in statement})


def _rows_of_unread(
    connection: sqlite3.Connection, cells: Collection[str], models: Collection[str]
) -> list[PlannedJob]:
    """Return what the plan until now has of cells whose files cannot be read, without models that are gone."""
    if not cells:
        return []
    planned = connection.execute("SELECT 1 FROM plan LIMIT 1").fetchone() is not None
    columns = "reason FROM plan" if planned else "'' FROM jobs"
    rows: list[PlannedJob] = [
        tuple(row)
        for row in connection.execute(
            f"SELECT kind, cell_id, label, digest, {columns}"
            " WHERE kind <> 'split' AND cell_id IN (SELECT value FROM json_each(?))",
            (json.dumps(sorted(cells)),),
        )
    ]
    return [row for row in rows if row[0] != "simulate" or split_simulation_label(row[2])[0] in models]
