"""Which cycles a store has: measured, and simulated."""

from __future__ import annotations

import sqlite3


def measured_cycles(connection: sqlite3.Connection) -> list[int]:
    """Return the numbers of all cycles of cleaned records, ascending.

    Args:
        connection: from ``queries.connect``.
    """
    return [int(row[0]) for row in connection.execute("SELECT DISTINCT cycle_count FROM cycles ORDER BY cycle_count")]


def compared_cycles(connection: sqlite3.Connection) -> list[int]:
    """Return the numbers of all cycles in which simulations are compared with the measurement, ascending.

    Args:
        connection: from ``queries.connect``.
    """
    rows = connection.execute("SELECT DISTINCT cycle_count FROM comparisons WHERE cycle_count > 0 ORDER BY cycle_count")
    return [int(row[0]) for row in rows]
