"""Read what the last run planned, and what of the catalog is not current."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from ..data.standing import EARLIER
from .select_rows import Names, Rows, select_rows


class LastCampaign(NamedTuple):
    """The campaign of the last run.

    Args:
        path: of its file; absolute since version 6 of the catalog.
        text: of its file.
    """

    path: str
    text: str


def last_campaign(connection: sqlite3.Connection) -> LastCampaign | None:
    """Return the campaign of the last run; ``None`` = no run had one."""
    row = connection.execute(
        "SELECT c.path, c.text FROM runs r JOIN campaigns c ON c.campaign_id = r.campaign_id"
        " ORDER BY r.run_id DESC LIMIT 1"
    ).fetchone()
    return None if row is None else LastCampaign(str(row[0]), str(row[1]))


def has_plan(connection: sqlite3.Connection) -> bool:
    """Tell whether a run has recorded its plan; without one, all results count."""
    return connection.execute("SELECT 1 FROM plan LIMIT 1").fetchone() is not None


def has_jobs(connection: sqlite3.Connection) -> bool:
    """Tell whether the catalog has any job."""
    return connection.execute("SELECT 1 FROM jobs LIMIT 1").fetchone() is not None


def waiting_jobs(connection: sqlite3.Connection) -> Rows:
    """Return the jobs of the plan that have to run, by kind and reason: kind, reason, count."""
    return connection.execute(
        "SELECT kind, reason, count(*) AS count FROM plan WHERE reason <> ''"
        " GROUP BY kind, reason ORDER BY kind, reason"
    ).fetchall()


def count_earlier(connection: sqlite3.Connection) -> dict[str, int]:
    """Return the number of cells, simulations and fits of an earlier campaign, by these names."""
    return {
        table: int(connection.execute(f"SELECT count(*) FROM {table} WHERE standing = ?", (EARLIER,)).fetchone()[0])
        for table in ("cells", "simulations", "fits")
    }


def earlier_cells(connection: sqlite3.Connection) -> list[str]:
    """Return the ids of the cells that the campaign has no longer, sorted."""
    rows = connection.execute("SELECT cell_id FROM cells WHERE standing = ? ORDER BY cell_id", (EARLIER,))
    return [str(row[0]) for row in rows]


def standing_of_cell(connection: sqlite3.Connection, cell_id: str) -> str | None:
    """Return the standing of a cell; ``None`` = the catalog has no such cell."""
    row = connection.execute("SELECT standing FROM cells WHERE cell_id = ?", (cell_id,)).fetchone()
    return None if row is None else str(row[0])


def standing_of_record(connection: sqlite3.Connection, cell_id: str) -> str:
    """Return the standing of the cleaned record of a cell, or of the cell if it has not been cleaned."""
    row = connection.execute(
        "SELECT coalesce(j.standing, c.standing) FROM cells c"
        " LEFT JOIN jobs j ON j.kind = 'clean' AND j.cell_id = c.cell_id WHERE c.cell_id = ?",
        (cell_id,),
    ).fetchone()
    return "" if row is None else str(row[0])


def cleaned_records(connection: sqlite3.Connection, cell_id: Names = None) -> Rows:
    """Return the reports of cleaned records, by cell_id, with the path of the Parquet file in the store."""
    return select_rows(connection, "current_clean_reports", {"cell_id": cell_id}, "cell_id")
