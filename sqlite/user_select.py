"""Run a user's SELECT on the catalog. No statement can write or open another file."""

from __future__ import annotations

import math
import re
import sqlite3
import time
from typing import Any, Final

from ..data.errors import UsageError
from ..data.names import suggest
from ..data.standing import CURRENT

_READING: Final = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
_PRAGMAS: Final = {"table_info", "table_xinfo", "table_list", "index_list", "index_info", "foreign_key_list"}
_NO_SUCH: Final = re.compile(r"no such (table|column): (\S+)")
_OPERATIONS_BETWEEN_SIGNALS: Final = 100_000
"""Operations of SQLite's virtual machine between two checks for Ctrl-C."""


def select(
    connection: sqlite3.Connection, sql: str, timeout_second: float = math.inf
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Run one SELECT and return its column names and rows.

    Args:
        connection: from :func:`kilocell.sqlite.queries.connect`.
        sql: the statement.
        timeout_second: longest time of the statement, s. While it runs, a run that writes to the store has to wait.

    Returns:
        The names of the columns, and the values of each row.

    Raises:
        UsageError: the statement writes, is more than one statement, or is wrong; names similar tables or columns. Or
            it took too long.
        KeyboardInterrupt: Ctrl-C stopped a long statement.
    """
    connection.set_authorizer(_authorize)
    end = time.monotonic() + timeout_second
    # Python sees a Ctrl-C only when SQLite calls it back; SQLite then stops the statement as interrupted.
    connection.set_progress_handler(lambda: time.monotonic() > end, _OPERATIONS_BETWEEN_SIGNALS)
    try:
        cursor = connection.execute(sql)
        columns = [column[0] for column in cursor.description or ()]
        rows = [tuple(row) for row in cursor.fetchall()]
    except (sqlite3.Error, sqlite3.Warning, UnicodeEncodeError) as error:
        connection.set_authorizer(None)
        if getattr(error, "sqlite_errorname", "") == "SQLITE_INTERRUPT":
            if time.monotonic() > end:
                raise UsageError(
                    f"the statement took longer than {timeout_second:g} s and was stopped: add a WHERE or LIMIT, or "
                    "give more time with --timeout"
                ) from error
            raise KeyboardInterrupt from error
        raise UsageError(_describe_error(connection, error)) from error
    finally:
        connection.set_authorizer(None)
        connection.set_progress_handler(None, 0)
    if not columns:
        raise UsageError('there is no SELECT in the statement. For example: kilocell sql "SELECT * FROM results"')
    return columns, rows


def tables_with_other_rows(connection: sqlite3.Connection, sql: str) -> list[str]:
    """Return the tables that a SELECT reads itself, not through a view, and that hold rows that are not current.

    Args:
        connection: from :func:`kilocell.sqlite.queries.connect`.
        sql: a statement that :func:`select` has run.

    Returns:
        Their names; none if the statement asks for ``standing`` itself.
    """
    read: dict[str, bool] = {}

    def note(action: int, table: str | None, column: str | None, database: str | None, view: str | None) -> int:
        if action == sqlite3.SQLITE_READ and table and view is None:
            read[table] = read.get(table, False) or column == "standing"
        return sqlite3.SQLITE_OK

    connection.set_authorizer(note)
    try:
        connection.execute(f"EXPLAIN {sql}")
    except (sqlite3.Error, sqlite3.Warning):
        return []  # such as a PRAGMA
    finally:
        connection.set_authorizer(None)
    return [table for table, knows in read.items() if not knows and _has_other_rows(connection, table)]


def _has_other_rows(connection: sqlite3.Connection, table: str) -> bool:
    """Tell whether a table has a standing, and rows that are not current."""
    found = connection.execute(
        "SELECT 1 FROM sqlite_master t, pragma_table_info(t.name) c"
        " WHERE t.type = 'table' AND t.name = ? AND c.name = 'standing'",
        (table,),
    ).fetchone()
    if found is None:
        return False
    return connection.execute(f'SELECT 1 FROM "{table}" WHERE standing <> ? LIMIT 1', (CURRENT,)).fetchone() is not None


def _authorize(action: int, first: str | None, second: str | None, database: str | None, inner: str | None) -> int:
    """Allow reads of this file only: no writes, no ATTACH (which VACUUM needs too), no change of settings."""
    allowed = (
        action in _READING
        or (action == sqlite3.SQLITE_PRAGMA and first in _PRAGMAS)
        # SQLite asks for this before it declares functions such as json_each; the file is open read-only anyway.
        or (action == sqlite3.SQLITE_UPDATE and first == "sqlite_master")
    )
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _describe_error(connection: sqlite3.Connection, error: Exception) -> str:
    if str(error) in {"not authorized", "authorization denied"}:
        return "only SELECT is allowed: this command reads the catalog, it cannot write it or open other files."
    if "one statement at a time" in str(error):
        return "write one statement at a time: remove the text after the first semicolon."
    missing = _NO_SUCH.match(str(error))
    if missing is None:
        return f"SQLite says: {error}"
    kind, name = missing.groups()
    bare = name.rpartition(".")[2].strip(chr(34))
    if kind == "column" and (having := _tables_with_column(connection, bare)):
        return f"SQLite says: {error}. It is in: {', '.join(having)}."
    known = _tables(connection) if kind == "table" else _columns(connection)
    return f"SQLite says: {error}{_suggest(kind, bare, known)}"


def _suggest(kind: str, name: str, known: list[str]) -> str:
    suggestion = suggest(name, known, at_most=1 if kind == "table" else 3)
    if suggestion:
        return suggestion
    if kind == "table":
        return f". There are: {', '.join(known)}."
    return '. The columns of a table are listed by: kilocell sql "PRAGMA table_info(results)"'


def _tables(connection: sqlite3.Connection) -> list[str]:
    """Return the names of all tables and views."""
    lines = connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name")
    return [row[0] for row in lines]


def _tables_with_column(connection: sqlite3.Connection, column: str) -> list[str]:
    """Return the names of the tables and views that have a column of this name."""
    lines = connection.execute(
        "SELECT t.name FROM sqlite_master t, pragma_table_info(t.name) c"
        " WHERE t.type IN ('table', 'view') AND c.name = ? ORDER BY t.name",
        (column,),
    )
    return [row[0] for row in lines]


def _columns(connection: sqlite3.Connection) -> list[str]:
    """Return the names of all columns of all tables and views."""
    lines = connection.execute(
        "SELECT DISTINCT c.name FROM sqlite_master t, pragma_table_info(t.name) c"
        " WHERE t.type IN ('table', 'view') ORDER BY c.name"
    )
    return [row[0] for row in lines]
