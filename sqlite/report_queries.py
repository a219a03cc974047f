"""Read what a report of a store says of its runs: the latest ones, and the versions that its results come from."""

from __future__ import annotations

import sqlite3

from .select_rows import Rows


def recent_runs(connection: sqlite3.Connection, most: int = 10) -> Rows:
    """Return the latest runs, the newest first.

    Args:
        connection: from ``queries.connect``.
        most: number of runs.

    Returns:
        The columns of ``runs``, and campaign, the name.
    """
    return connection.execute(
        "SELECT r.*, c.name AS campaign FROM runs r LEFT JOIN campaigns c ON c.campaign_id = r.campaign_id"
        " ORDER BY r.run_id DESC LIMIT ?",
        (most,),
    ).fetchall()


def used_versions(connection: sqlite3.Connection) -> Rows:
    """Return the versions of packages with which jobs were done, and the number of jobs: versions (JSON), jobs."""
    return connection.execute(
        "SELECT versions, count(*) AS jobs FROM current_jobs WHERE status = 'done' AND versions NOT IN ('', '{}', '[]')"
        " GROUP BY versions ORDER BY jobs DESC"
    ).fetchall()


def job_times(connection: sqlite3.Connection) -> Rows:
    """Return how long the jobs of each kind took in sum: kind, jobs, seconds."""
    return connection.execute(
        "SELECT kind, count(*) AS jobs, sum(seconds) AS seconds FROM current_jobs WHERE seconds IS NOT NULL"
        " GROUP BY kind ORDER BY kind"
    ).fetchall()


def job_logs(connection: sqlite3.Connection) -> Rows:
    """Return the skipped and failed jobs with their reasons: kind, cell_id, label, status, reason_code, reason, log."""
    return connection.execute(
        "SELECT kind, cell_id, label, status, reason_code, reason, log, standing FROM current_jobs"
        " WHERE status IN ('failed', 'skipped') ORDER BY status, kind, cell_id, label"
    ).fetchall()
