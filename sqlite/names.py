"""The names in a catalog, for the completion of words in a shell: quick also for a thousand cells."""

from __future__ import annotations

import sqlite3
from typing import Final

_STATEMENTS: Final = {
    "cell": "SELECT cell_id FROM cells",
    "model": "SELECT DISTINCT model FROM simulations",
    "parameter_set": "SELECT DISTINCT parameter_set FROM simulations",
    "fit": "SELECT DISTINCT fit FROM fits UNION SELECT DISTINCT chain FROM fits WHERE chain IS NOT NULL",
    "rule": "SELECT DISTINCT rule FROM findings",
}


def list_names(connection: sqlite3.Connection, kind: str) -> list[str]:
    """Return all names of a kind, in alphabetical order.

    Args:
        connection: from ``queries.connect``.
        kind: ``cell``, ``model``, ``parameter_set``, ``fit`` or ``rule``.
    """
    return sorted(str(row[0]) for row in connection.execute(_STATEMENTS[kind]) if row[0])
