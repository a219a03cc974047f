"""Read failed jobs with what their groups need: model, parameter set, fit, and how many such jobs a cell has.

Rows and arguments are as in ``queries.py``.
"""

from __future__ import annotations

import sqlite3

from .select_rows import Names, Rows, build_where


def failed_jobs(connection: sqlite3.Connection, cell_id: Names = None, reason_code: Names = None) -> Rows:
    """Return every failed job, by reason code, cell, kind and label.

    Returns:
        All columns of ``queries.failures``; model and parameter_set of a simulation, fit of a job of a fit (NULL
        otherwise); digest of the job.
    """
    where, values = build_where({"f.cell_id": cell_id, "f.reason_code": reason_code})
    return connection.execute(
        "SELECT f.*, s.model, s.parameter_set, coalesce(t.fit, p.fit, CASE f.kind WHEN 'fit' THEN f.label END) AS fit"
        " FROM failures f"
        " LEFT JOIN simulations s ON f.kind = 'simulate' AND s.cell_id = f.cell_id AND s.label = f.label"
        " LEFT JOIN fit_starts t ON f.kind = 'start' AND t.cell_id = f.cell_id AND t.label = f.label"
        " LEFT JOIN fit_intervals p ON f.kind = 'profile' AND p.cell_id = f.cell_id AND p.label = f.label"
        f" {where} ORDER BY f.reason_code, f.cell_id, f.kind, f.label",
        values,
    ).fetchall()


def simulations_by_cell(connection: sqlite3.Connection) -> dict[str, int]:
    """Return the number of current simulations of each cell, whatever their status."""
    rows = connection.execute("SELECT cell_id, count(*) FROM current_simulations GROUP BY cell_id")
    return {str(cell_id): int(count) for cell_id, count in rows}


def skipped_after(connection: sqlite3.Connection) -> dict[str, int]:
    """Return the number of jobs of each cell that were skipped because a job that they need failed."""
    rows = connection.execute(
        "SELECT cell_id, count(*) FROM current_jobs WHERE status = 'skipped' AND reason_code = 'earlier_job'"
        " GROUP BY cell_id"
    )
    return {str(cell_id): int(count) for cell_id, count in rows}
