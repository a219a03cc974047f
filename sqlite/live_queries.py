"""What the live page of a run reads once, at the start of the run."""

from __future__ import annotations

import sqlite3


def simulation_errors(connection: sqlite3.Connection) -> list[tuple[str, str, float]]:
    """Return cell, label and RMSE (mV) of every finished simulation that is current."""
    rows = connection.execute(
        "SELECT cell_id, label, rmse_mv FROM current_simulations WHERE status = 'done' AND rmse_mv IS NOT NULL"
    )
    return [(str(row[0]), str(row[1]), float(row[2])) for row in rows]
