"""Open connections to a catalog, and turn SQLite's errors into errors for users.

The journal is a rollback journal, not a write-ahead log (WAL). WAL needs memory that all readers share, and a network
file system (the usual place of a store on a cluster) does not provide it. A reader sees a state between two
transactions of the writer. A reader or writer that finds the file locked waits for ``busy_timeout_second``.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from ..data.errors import StoreError

_REBUILD = "Move it away and run `kilocell run`: it makes a new catalog from the receipts."
_OLDEST_SQLITE = (3, 37, 0)
"""The first version of SQLite with STRICT tables."""


def open_for_writing(path: Path, busy_timeout_second: float) -> sqlite3.Connection:
    """Open or create a catalog file for its only writer. The caller begins and ends transactions.

    Args:
        path: the SQLite file; its folder is made if it is absent.
        busy_timeout_second: how long to wait for a locked file, in s.

    Raises:
        StoreError: SQLite is too old; or the file is not writable, not a SQLite file, or locked.
    """
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise StoreError(
            f"this Python has SQLite {sqlite3.sqlite_version}; the catalog needs 3.37 or newer. "
            "Use another Python, such as one from uv or conda: it has its own SQLite."
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"the store {path.parent} cannot be made ({error.strerror}). Choose another store with --store."
        ) from error
    _make_file(path)
    with store_errors(path):
        connection = sqlite3.connect(path, timeout=busy_timeout_second, isolation_level=None)
        try:
            with store_errors(path, connection):
                connection.execute("PRAGMA foreign_keys = ON")
                connection.execute("PRAGMA journal_mode = DELETE")
                # A large transaction must not need the file before its commit: a reader would break it off.
                connection.execute("PRAGMA cache_spill = OFF")
        except BaseException:
            connection.close()
            raise
    connection.row_factory = sqlite3.Row
    return connection


def _make_file(path: Path) -> None:
    """Make the file with the permissions that the umask allows.

    SQLite makes it without write permission for the group, and gives a journal the permissions of its database. A file
    that SQLite made in a folder of a group is corrected when its owner opens it.
    """
    with suppress(OSError):  # SQLite says what is wrong
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o666))
        folder, file = path.parent.stat().st_mode, path.stat()
        is_shared = folder & stat.S_ISGID and folder & stat.S_IWGRP
        if is_shared and not file.st_mode & stat.S_IWGRP and file.st_uid == os.geteuid():
            path.chmod(stat.S_IMODE(file.st_mode) | stat.S_IRGRP | stat.S_IWGRP)


def open_for_reading(path: Path, busy_timeout_second: float) -> sqlite3.Connection:
    """Open an existing catalog file, read-only.

    If a writer was killed during a transaction, its unfinished transaction is undone first.

    Args:
        path: the SQLite file.
        busy_timeout_second: how long to wait for a locked file, in s.

    Raises:
        StoreError: the file is not readable, not a SQLite file, or locked.
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
    """A connection whose queries raise a StoreError if a run locks the file for too long."""

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

    Errors in a statement (wrong SQL, a broken reference) are not changed.

    Args:
        path: the SQLite file.
        connection: to the file; used to find the run that locks it. ``None`` = do not look for it.
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
            return f"no space left to write {path}. Free some space and run the same command again; it continues."
        case "SQLITE_BUSY" | "SQLITE_LOCKED":
            holder = _describe_other_run(connection) or "another program"
            return (
                f"the catalog {path} is locked by {holder}. "
                "Wait until it ends, or stop it; then run the same command again."
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
                "Check the permissions of the store's folder, or choose another store with --store."
            )
        case "SQLITE_IOERR":
            return f"the disk with {path} has an error ({error}, {name}). Check the disk, then run again."
    return None


def _describe_other_run(connection: sqlite3.Connection | None) -> str:
    """Return command, host and process of a run that is recorded as running; "" = none is known."""
    if connection is None:
        return ""
    import socket

    try:
        row = connection.execute(
            "SELECT command, host, pid FROM runs WHERE status = 'running' AND NOT (host = ? AND pid = ?)"
            " ORDER BY run_id DESC LIMIT 1",
            (socket.gethostname(), os.getpid()),
        ).fetchone()
    except sqlite3.Error:
        return ""
    if row is None:
        return ""
    command, host, pid = row
    return f"`{command}` on {host}, process {pid}"
