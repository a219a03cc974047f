"""Versions of the catalog: schema.sql is the current whole, steps bring older catalogs to it.

A catalog says its version in ``PRAGMA user_version`` and that it is one of ours in ``PRAGMA application_id``.
To change the schema: edit schema.sql, raise ``CURRENT_VERSION`` and write ``version_N.sql``, which turns the version
before into the new one. Steps that stand are never edited.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from ..data.errors import StoreError

CURRENT_VERSION: Final = 3
APPLICATION_ID: Final = 0x6B63656C  # "kcel"
STEPS: Final[Mapping[int, str]] = {
    version: Path(__file__).with_name(f"version_{version}.sql").read_text(encoding="utf-8")
    for version in range(2, CURRENT_VERSION + 1)
}
"""For each version after the first: the SQL that makes it out of the version before."""


def schema() -> str:
    """Return the SQL that makes an empty file a catalog of the current version."""
    return Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")


def read_version(connection: sqlite3.Connection, path: Path) -> int:
    """Return a catalog's version; 0 = an empty file.

    Raises:
        StoreError: a SQLite file of something else, or a catalog of a newer kilocell.
    """
    # One statement: between two, another process may make the catalog.
    version, application, filled = connection.execute(
        "SELECT user_version, application_id, (SELECT count(*) FROM sqlite_master)"
        " FROM pragma_user_version, pragma_application_id"
    ).fetchone()
    if application != APPLICATION_ID and (application or version or filled):
        raise StoreError(f"{path} is a SQLite file, but not a kilocell catalog. Choose another store with --store.")
    return int(version)


def refuse_newer(version: int, path: Path, current: int = CURRENT_VERSION) -> None:
    """Raise a StoreError when a catalog is of a newer version than this kilocell knows."""
    if version > current:
        raise StoreError(
            f"the catalog {path} has version {version}, this kilocell knows versions up to {current}. "
            "Install the newer kilocell that wrote it, or choose another store with --store."
        )


def migrate(
    connection: sqlite3.Connection,
    path: Path,
    *,
    whole: str | None = None,
    steps: Mapping[int, str] = STEPS,
    current: int = CURRENT_VERSION,
) -> int:
    """Bring a catalog to the current version in one transaction: all of it, or none.

    Args:
        connection: in autocommit mode.
        whole: SQL for an empty file; ``None`` = schema.sql.
        steps: for each version, the SQL that makes it out of the version before.

    Returns:
        The version it had; 0 = an empty file.

    Raises:
        StoreError: a SQLite file of something else, or a catalog of a newer version.
    """
    found = read_version(connection, path)
    refuse_newer(found, path, current)
    if found == current:
        return found
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = read_version(connection, path)  # another process may have been first
        if found == 0:
            _execute(connection, schema() if whole is None else whole)
        else:
            for version in range(found + 1, current + 1):
                _execute(connection, steps[version])
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {current}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return found


def _execute(connection: sqlite3.Connection, script: str) -> None:
    for statement in _statements(script):
        connection.execute(statement)


def _statements(script: str) -> Iterator[str]:
    """Cut a script into statements (``executescript`` would commit the transaction that is open)."""
    statement = ""
    for piece in script.split(";"):
        statement += piece + ";"
        if sqlite3.complete_statement(statement):  # not so inside a comment or a text
            yield statement
            statement = ""
