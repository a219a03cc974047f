"""A user's own SELECT: whatever is asked, nothing is written and no other file is opened."""

from __future__ import annotations

import re
import sqlite3
from typing import Any, Final

from ..data.errors import UsageError
from ..data.names import suggest

_READING: Final = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
_PRAGMAS: Final = {"table_info", "table_xinfo", "table_list", "index_list", "index_info", "foreign_key_list"}
_NO_SUCH: Final = re.compile(r"no such (table|column): (\S+)")
_OPERATIONS_BETWEEN_SIGNALS: Final = 100_000


def select(connection: sqlite3.Connection, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Run one reading statement and return its column names and rows.

    Args:
        connection: of :func:`kilocell.sqlite.queries.connect`.

    Raises:
        UsageError: a statement that writes, is several, or is wrong; names the nearest tables or columns.
        KeyboardInterrupt: Ctrl-C ends a long statement too.
    """
    connection.set_authorizer(_authorize)
    # Only when SQLite calls Python back does Python see a Ctrl-C; it then ends the statement as interrupted.
    connection.set_progress_handler(lambda: 0, _OPERATIONS_BETWEEN_SIGNALS)
    try:
        cursor = connection.execute(sql)
        columns = [column[0] for column in cursor.description or ()]
        rows = [tuple(row) for row in cursor.fetchall()]
    except (sqlite3.Error, sqlite3.Warning, UnicodeEncodeError) as error:
        connection.set_authorizer(None)
        if getattr(error, "sqlite_errorname", "") == "SQLITE_INTERRUPT":
            raise KeyboardInterrupt from error
        raise UsageError(_describe_error(connection, error)) from error
    finally:
        connection.set_authorizer(None)
        connection.set_progress_handler(None, 0)
    if not columns:
        raise UsageError('there is no SELECT in the statement. For example: kilocell sql "SELECT * FROM results"')
    return columns, rows


def _authorize(action: int, first: str | None, second: str | None, database: str | None, inner: str | None) -> int:
    """Allow reading of this file only: no writes, no ATTACH (which VACUUM needs too), no settings changed."""
    allowed = (
        action in _READING
        or (action == sqlite3.SQLITE_PRAGMA and first in _PRAGMAS)
        # SQLite asks this before it declares json_each and its like; the file itself is open for reading only.
        or (action == sqlite3.SQLITE_UPDATE and first == "sqlite_master")
    )
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _describe_error(connection: sqlite3.Connection, error: Exception) -> str:
    if str(error) in {"not authorized", "authorization denied"}:
        return "only SELECT is allowed here: the catalog is read, never written, and no other file is opened."
    if "one statement at a time" in str(error):
        return "one statement at a time: leave out what follows the first semicolon."
    absent = _NO_SUCH.match(str(error))
    if absent is None:
        return f"SQLite says: {error}"
    kind, name = absent.groups()
    bare = name.rpartition(".")[2].strip(chr(34))
    if kind == "column" and (having := _tables_with_column(connection, bare)):
        return f"SQLite says: {error}. It is in: {', '.join(having)}."
    known = _tables(connection) if kind == "table" else _columns(connection)
    return f"SQLite says: {error}{_suggest(kind, bare, known)}"


def _suggest(kind: str, name: str, known: list[str]) -> str:
    suggestion = suggest(name, known, at_most=3)
    if suggestion:
        return suggestion
    if kind == "table":
        return f". There are: {', '.join(known)}."
    return '. The columns of a table are listed by: kilocell sql "PRAGMA table_info(results)"'


def _tables(connection: sqlite3.Connection) -> list[str]:
    found = connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name")
    return [row[0] for row in found]


def _tables_with_column(connection: sqlite3.Connection, column: str) -> list[str]:
    """Tables and views that have a column of this name."""
    found = connection.execute(
        "SELECT t.name FROM sqlite_master t, pragma_table_info(t.name) c"
        " WHERE t.type IN ('table', 'view') AND c.name = ? ORDER BY t.name",
        (column,),
    )
    return [row[0] for row in found]


def _columns(connection: sqlite3.Connection) -> list[str]:
    found = connection.execute(
        "SELECT DISTINCT c.name FROM sqlite_master t, pragma_table_info(t.name) c"
        " WHERE t.type IN ('table', 'view') ORDER BY c.name"
    )
    return [row[0] for row in found]
