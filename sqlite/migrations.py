"""Versions of the catalog: ``schema.sql`` creates the current version, steps migrate older catalogs to it.

A catalog has its version in ``PRAGMA user_version``; ``PRAGMA application_id`` marks it as a catalog of kilocell.
To change the schema: edit ``schema.sql``, raise ``CURRENT_VERSION``, and write ``version_N.sql``, which migrates the
tables of the previous version to the new one. Never change the statements of an existing step. Views are in
``schema.sql`` alone: a migration drops all views first, and makes those of ``schema.sql`` at its end.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ..data.errors import StoreError
from .statements import split_script

CURRENT_VERSION: Final = 7
APPLICATION_ID: Final = 0x6B63656C  # "kcel" in ASCII
STEPS: Final[Mapping[int, str]] = {
    version: Path(__file__).with_name(f"version_{version}.sql").read_text(encoding="utf-8")
    for version in range(2, CURRENT_VERSION + 1)
}
"""SQL of each migration: version to the script that migrates the previous version to it."""

_VIEW: Final = re.compile(r"^\s*(--[^\n]*\n\s*)*CREATE VIEW\b")


def schema() -> str:
    """Return the SQL that creates a catalog of the current version in an empty file."""
    return Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")


def read_version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the version of a catalog; 0 = an empty file.

    Args:
        connection: to the file.
        path: of the file, for the error message.

    Raises:
        StoreError: the file belongs to another program.
    """
    # One statement: between two statements, another process may create the catalog.
    version, application, objects = connection.execute(
        "SELECT user_version, application_id, (SELECT count(*) FROM sqlite_master)"
        " FROM pragma_user_version, pragma_application_id"
    ).fetchone()
    if application != APPLICATION_ID and (application or version or objects):
        raise StoreError(f"{path} is a SQLite file, but not a kilocell catalog. Choose another store with --store.")
    return int(version)


def refuse_newer(version: int, path: Path, current: int = CURRENT_VERSION) -> None:
    """Raise a StoreError if a catalog has a newer version than this kilocell knows.

    Args:
        version: of the catalog.
        path: of the catalog, for the error message.
        current: newest version that this kilocell knows.
    """
    if version > current:
        raise StoreError(
            f"the catalog {path} has version {version}; this kilocell knows versions up to {current}. "
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
    """Migrate a catalog to the current version, in one transaction.

    Args:
        connection: to the catalog, in autocommit mode.
        path: of the catalog, for error messages.
        whole: SQL that creates a catalog in an empty file, and has the current views; ``None`` = ``schema.sql``.
        steps: version to the SQL that migrates the previous version to it, without its views.
        current: the version to reach.

    Returns:
        The version before; 0 = an empty file.

    Raises:
        StoreError: the file belongs to another program, or the catalog has a newer version.
    """
    before = read_version(connection, path)
    refuse_newer(before, path, current)
    if before == current:
        return before
    connection.execute("BEGIN IMMEDIATE")
    try:
        before = read_version(connection, path)  # another process may have been first
        statements = list(split_script(schema() if whole is None else whole))
        if before:
            # A step may change columns that a view names, so no view may be there.
            _drop_views(connection)
            scripts = [steps[version] for version in range(before + 1, current + 1)]
            views = [statement for statement in statements if is_view(statement)]
            statements = [statement for script in scripts for statement in split_script(script)] + views
        for statement in statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {current}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return before


def is_view(statement: str) -> bool:
    """Tell whether a statement of a script makes a view."""
    return _VIEW.search(statement) is not None


def _drop_views(connection: sqlite3.Connection) -> None:
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'view'").fetchall():
        connection.execute(f'DROP VIEW "{name}"')
