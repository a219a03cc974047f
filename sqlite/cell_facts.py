"""What a figure says of its cell. Rows and arguments are as in ``queries.py``."""

from __future__ import annotations

import sqlite3


def cell_facts(connection: sqlite3.Connection, cell_id: str) -> sqlite3.Row | None:
    """Return capacity, temperature and number of cycles of a cell; ``None`` = there is no such cell.

    Returns:
        cell_id, capacity_ah (of the cell, else that to which its simulations are scaled; NULL = unknown),
        temperature_celsius (of the cell, else the measured mean; NULL = unknown), cycles (NULL = not cleaned).
    """
    row: sqlite3.Row | None = connection.execute(
        "SELECT c.cell_id, coalesce(c.nominal_capacity_ah, ("
        "  SELECT min(s.capacity_ah) FROM current_simulations s WHERE s.cell_id = c.cell_id"
        " )) AS capacity_ah, coalesce(c.temperature_celsius, r.temperature_mean_celsius) AS temperature_celsius,"
        " r.cycles_after AS cycles FROM cells c LEFT JOIN clean_reports r ON r.cell_id = c.cell_id"
        " WHERE c.cell_id = ?",
        (cell_id,),
    ).fetchone()
    return row
