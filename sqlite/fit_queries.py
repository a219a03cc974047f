"""The questions users ask of fits beyond their parameters and starts, read-only."""

from __future__ import annotations

import sqlite3

from .queries import Rows


def fit_correlations(connection: sqlite3.Connection, cell_id: str, label: str, least: float = 0.0) -> Rows:
    """How the errors of a fit's parameters move together: parameter, other, value (-1 to 1), largest first.

    Args:
        least: leave out what is closer to 0.
    """
    return connection.execute(
        "SELECT parameter, other, value FROM fit_correlations WHERE cell_id = ? AND label = ? AND abs(value) >= ?"
        " ORDER BY abs(value) DESC, parameter, other",
        (cell_id, label, least),
    ).fetchall()
