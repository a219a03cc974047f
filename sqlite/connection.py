"""Connections to a catalog, and SQLite's errors in words for people.

The journal is a rollback journal, not WAL: WAL needs memory shared by all who read, which a network file
system (the usual place of a store on a cluster) does not give. A reader sees a state between two
transactions of the writer; whoever finds the file locked waits for ``busy_timeout_second``.
"""

from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from ..data.errors import StoreError

_REBUILD = "Move it away and run `kilocell run`: a new catalog is made from the receipts."
_OLDEST_SQLITE = (3, 37, 0)  # the first one with STRICT tables


def open_for_writing(path: Path, busy_timeout_second: float) -> sqlite3.Connection:
    """Open, or create, a catalog file for its one writer; transactions are begun and ended by the caller.

    Raises:
        StoreError: the file or its folder cannot be written, is no SQLite file, or is locked.
    """
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise StoreError(
            f"this Python's SQLite is {sqlite3.sqlite_version}; the catalog needs 3.37 or newer. "
            "Use another Python (of uv, conda or a newer system), which brings its own SQLite."
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"the store {path.parent} cannot be made ({error.strerror}). Choose another with --store."
        ) from error
    with store_errors(path):
        connection = sqlite3.connect(path, timeout=busy_timeout_second, isolation_level=None)
        try:
            with store_errors(path, connection):
                connection.execute("PRAGMA foreign_keys = ON")
                connection.execute("PRAGMA journal_mode = DELETE")
        except BaseException:
            connection.close()
            raise
    connection.row_factory = sqlite3.Row
    return connection


def open_for_reading(path: Path, busy_timeout_second: float) -> sqlite3.Connection:
    """Open a catalog file that exists, so that nothing can be written through it.

    A writer that was killed in the middle of a transaction leaves a journal, which is rolled back first.

    Raises:
        StoreError: the file cannot be read, is no SQLite file, or is locked.
    """
    with store_errors(path):
        try:
            return _read_only(path, busy_timeout_second)
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorname", "") not in {"SQLITE_READONLY_ROLLBACK", "SQLITE_READONLY_RECOVERY"}:
                raise
        with closing(sqlite3.connect(path, timeout=busy_timeout_second)) as repairing:
            repairing.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return _read_only(path, busy_timeout_second)


class _Reading(sqlite3.Connection):
    """A connection whose questions, too, end in words when a run holds the file for too long."""

    path = Path()

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        with store_errors(self.path):
            return super().execute(*arguments)


def _read_only(path: Path, busy_timeout_second: float) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, timeout=busy_timeout_second, isolation_level=None, factory=_Reading)
    try:
        sqlite3.Connection.execute(connection, "PRAGMA query_only = ON")
        sqlite3.Connection.execute(connection, "SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    connection.path = path
    connection.row_factory = sqlite3.Row
    return connection


@contextmanager
def store_errors(path: Path, connection: sqlite3.Connection | None = None) -> Iterator[None]:
    """Turn SQLite's errors about the file (full, locked, damaged, not writable) into a StoreError.

    Errors in what was asked (a wrong statement, a broken reference) pass through.

    Args:
        connection: through which it is asked, when the file is locked, which run holds it.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        text = _describe_error(error, path, connection)
        if text is None:
            raise
        raise StoreError(text) from error


def _describe_error(error: sqlite3.DatabaseError, path: Path, connection: sqlite3.Connection | None) -> str | None:
    name = getattr(error, "sqlite_errorname", None) or ""
    kind = "_".join(name.split("_")[:2])
    match kind:
        case "SQLITE_FULL":
            return f"no space left to write {path}. Free some and run the same command again: what is done stays done."
        case "SQLITE_BUSY" | "SQLITE_LOCKED":
            holder = _describe_other_run(connection) if connection is not None else ""
            return (
                f"the catalog {path} is locked by {holder or 'another program'}. "
                "Wait until it ends, or stop it, then run the same command again."
            )
        case "SQLITE_NOTADB":
            return f"{path} is not a SQLite file. {_REBUILD}"
        case "SQLITE_CORRUPT":
            return f"the catalog {path} is damaged ({error}). {_REBUILD}"
        case "SQLITE_IOERR" | "SQLITE_CANTOPEN" if path.is_dir():
            return f"{path} is a folder, not a catalog. Move it away, or choose another store with --store."
        case "SQLITE_READONLY" | "SQLITE_CANTOPEN" | "SQLITE_PERM":
            return (
                f"the catalog {path} cannot be opened or written ({error}). "
                "Check who owns the store and its folder, or choose another with --store."
            )
        case "SQLITE_IOERR":
            return (
                f"the disk of {path} does not read or write as it should ({error}, {name}). Check it, then run again."
            )
    return None


def _describe_other_run(connection: sqlite3.Connection) -> str:
    try:
        row = connection.execute(
            "SELECT command, host, pid FROM runs WHERE status = 'running' AND NOT (host = ? AND pid = ?)"
            " ORDER BY run_id DESC LIMIT 1",
            (socket.gethostname(), os.getpid()),
        ).fetchone()
    except sqlite3.Error:
        return ""
    return "" if row is None else f"`{row[0]}` on {row[1]}, process {row[2]}"
