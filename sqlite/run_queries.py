"""Read the runs of a store: what each one was, its workers over time, and how far it is.

Rows are as in ``queries.py``. The column ``status`` of a run is what the run wrote; whether one that is ``running`` is
alive, its lock knows: :func:`kilocell.data.run_state.current_run`.
"""

from __future__ import annotations

import sqlite3
from typing import Final, NamedTuple

from .select_rows import Rows

WINDOW_SECOND: Final = 60.0
"""The rate is that of the last minute, s. Chosen, not measured."""

LEAST_JOBS: Final = 20
"""With fewer jobs in the last minute, the rate is that of the last jobs. Chosen, not measured."""


class Ends(NamedTuple):
    """The jobs of a run that ended last.

    Args:
        number: how many; those that were skipped do not count.
        first_unix_second: when the first of them ended or, if it is the first of the run, began; s since 1970.
        is_all: whether no other job of the run has ended.
    """

    number: int
    first_unix_second: float
    is_all: bool


def find_run(connection: sqlite3.Connection, run_id: int | None = None) -> sqlite3.Row | None:
    """Return a run; ``None`` = there is none.

    Args:
        run_id: of the run; ``None`` = the latest.

    Returns:
        The columns of ``runs``, and name and path of its campaign as campaign, campaign_path.
    """
    row: sqlite3.Row | None = connection.execute(
        "SELECT r.*, c.name AS campaign, c.path AS campaign_path FROM runs r"
        " LEFT JOIN campaigns c ON c.campaign_id = r.campaign_id"
        " WHERE ? IS NULL OR r.run_id = ? ORDER BY r.run_id DESC LIMIT 1",
        (run_id, run_id),
    ).fetchone()
    return row


def run_ids(connection: sqlite3.Connection) -> list[int]:
    """Return the numbers of all runs, in order."""
    return [int(row[0]) for row in connection.execute("SELECT run_id FROM runs ORDER BY run_id")]


def run_workers(connection: sqlite3.Connection, run_id: int, last: int | None = None) -> Rows:
    """Return the workers of a run over time, as rows of ``run_workers``.

    Args:
        last: only so many, the latest; ``None`` = all.
    """
    rows = connection.execute(
        "SELECT * FROM run_workers WHERE run_id = ? ORDER BY unix_second DESC LIMIT ?",
        (run_id, -1 if last is None else last),
    ).fetchall()
    return rows[::-1]


def jobs_of_run(connection: sqlite3.Connection, run_id: int) -> Rows:
    """Return the number of jobs that a run did, by kind and status: kind, status, count."""
    return connection.execute(
        "SELECT kind, status, count(*) AS count FROM jobs WHERE run_id = ? GROUP BY kind, status", (run_id,)
    ).fetchall()


def last_ends(connection: sqlite3.Connection, run_id: int, now_unix_second: float) -> Ends | None:
    """Return the jobs of a run that ended in the last minute, or the last ones if these are few; ``None`` = none."""
    ended = "FROM jobs WHERE run_id = ? AND status IN ('done', 'failed') AND seconds IS NOT NULL"
    number, first, total, began = connection.execute(
        "SELECT sum(started_unix_second + seconds >= ?),"
        " min(CASE WHEN started_unix_second + seconds >= ? THEN started_unix_second + seconds END),"
        f" count(*), min(started_unix_second) {ended}",
        (now_unix_second - WINDOW_SECOND, now_unix_second - WINDOW_SECOND, run_id),
    ).fetchone()
    if not total:
        return None
    if number < LEAST_JOBS:
        number, first = connection.execute(
            "SELECT count(*), min(ended) FROM (SELECT started_unix_second + seconds AS ended"
            f" {ended} ORDER BY ended DESC LIMIT ?)",
            (run_id, LEAST_JOBS),
        ).fetchone()
    is_all = number == total
    return Ends(int(number), float(began if is_all else first), is_all)


def newest_failures(connection: sqlite3.Connection, run_id: int, most: int) -> Rows:
    """Return the failed jobs of a run, the newest first: kind, cell_id, label, reason_code, reason."""
    return connection.execute(
        "SELECT kind, cell_id, label, reason_code, reason FROM jobs WHERE run_id = ? AND status = 'failed'"
        " ORDER BY started_unix_second + coalesce(seconds, 0) DESC, kind, cell_id, label LIMIT ?",
        (run_id, most),
    ).fetchall()


def worst_simulations(connection: sqlite3.Connection, most: int) -> Rows:
    """Return the current simulations with the largest RMSE, the worst first: cell_id, label, rmse_mv."""
    return connection.execute(
        "SELECT cell_id, label, rmse_mv FROM current_simulations WHERE status = 'done' AND rmse_mv IS NOT NULL"
        " ORDER BY rmse_mv DESC LIMIT ?",
        (most,),
    ).fetchall()
