"""Check whether SQLite's locks work in a folder: some network file systems grant a lock to everybody."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path


def locks_work(path: Path) -> bool:
    """Tell whether a second connection is refused while the first one writes.

    Args:
        path: a file that does not exist; it is made and removed again.

    Raises:
        sqlite3.Error, OSError: the file cannot be made.
    """
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as first:
            first.execute("CREATE TABLE tried (number INTEGER)")
            first.execute("BEGIN EXCLUSIVE")
            with closing(sqlite3.connect(path, timeout=0.0, isolation_level=None)) as second:
                try:
                    second.execute("BEGIN EXCLUSIVE")
                except sqlite3.OperationalError:
                    return True
            return False
    finally:
        with suppress(FileNotFoundError):
            path.unlink()
