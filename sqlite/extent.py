"""Show everything that a catalog keeps, not only what is current, for one connection."""

from __future__ import annotations

import sqlite3
from typing import Final

EVERYTHING: Final = "CREATE VIEW extent AS SELECT 1 AS everything"
"""Makes the view of an extent that shows everything."""

_VIEW: Final = "CREATE VIEW"


def show_everything(connection: sqlite3.Connection) -> None:
    """Let the views of a connection show what is out of date or of an earlier campaign, too.

    The catalog's view ``extent`` says what the others show. A temporary view of this name hides it, and temporary
    copies of the others find that one. The file is not written.

    Args:
        connection: from :func:`kilocell.sqlite.connection.open_for_reading`.
    """
    views = connection.execute("SELECT name, sql FROM main.sqlite_master WHERE type = 'view'").fetchall()
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA query_only = OFF")  # temporary views count as a write; the file is open read-only
    for name, sql in views:
        statement = EVERYTHING if name == "extent" else sql
        connection.execute(statement.replace(_VIEW, "CREATE TEMP VIEW", 1))
    connection.execute("PRAGMA query_only = ON")


def shows_everything(connection: sqlite3.Connection) -> bool:
    """Tell whether the views of a connection show everything."""
    return bool(connection.execute("SELECT everything FROM extent").fetchone()[0])
