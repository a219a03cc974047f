"""Describe the schema of a catalog: tables, views, columns, keys and references, with the comments of ``schema.sql``.

Tables and keys are read from an actual catalog; what they mean is in the comments of ``schema.sql``: before each table
and view, after each column, and in its list of words for columns that several tables have.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from typing import Final

from ..data.units import unit_of
from .migrations import schema
from .statements import split_script

_CREATE: Final = re.compile(r"^CREATE (TABLE|VIEW) (\w+)", re.MULTILINE)
_COLUMN: Final = re.compile(r"^ {4}(\w+) +(?:TEXT|INTEGER|REAL)\b[^\n]*?--\s*(.+)$", re.MULTILINE)
_WORD: Final = re.compile(r"^--   (\w+(?:, \w+)*): (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table or view.

    Args:
        name: of the column.
        type: TEXT, INTEGER or REAL; "" = a view calculates it.
        key: its place in the primary key, from 1; 0 = it is not in the key.
        may_be_unknown: whether it can be NULL.
        unit: such as ``mV``; "" = it has none.
        about: what it means.
    """

    name: str
    type: str
    key: int
    may_be_unknown: bool
    unit: str
    about: str


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference to another table.

    Args:
        columns: of this table.
        table: the other table.
        owns: whether the rows of this table are deleted with the row that they refer to.
    """

    columns: tuple[str, ...]
    table: str
    owns: bool


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view.

    Args:
        name: of the table.
        is_view: whether it is a view.
        about: what its rows are.
        columns: in their order.
        references: to other tables.
    """

    name: str
    is_view: bool
    about: str
    columns: tuple[Column, ...]
    references: tuple[Reference, ...] = ()

    @property
    def key(self) -> tuple[str, ...]:
        """Columns of the primary key, in their order."""
        return tuple(column.name for column in sorted(self.columns, key=lambda column: column.key) if column.key)

    @property
    def owner(self) -> str:
        """The table to which the rows belong and with whose rows they are deleted; "" = none."""
        return next((reference.table for reference in self.references if reference.owns), "")


def describe_schema(connection: sqlite3.Connection | None = None) -> tuple[Table, ...]:
    """Return the tables of a catalog in the order of their creation, then its views.

    Args:
        connection: from ``queries.connect``; ``None`` = the schema of a new catalog.
    """
    if connection is not None:
        return _describe(connection)
    with closing(sqlite3.connect(":memory:")) as new:
        new.executescript(schema())
        return _describe(new)


def referring_tables(tables: Iterable[Table]) -> list[tuple[str, str]]:
    """Return which table refers to which other: pairs of names, sorted, each once."""
    return sorted({(table.name, reference.table) for table in tables for reference in table.references})


def count_rows(connection: sqlite3.Connection) -> dict[str, int]:
    """Return the number of rows of each table of a catalog."""
    names = connection.execute(
        "SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
    ).fetchall()
    return {str(row[0]): int(connection.execute(f'SELECT count(*) FROM "{row[0]}"').fetchone()[0]) for row in names}


def _describe(connection: sqlite3.Connection) -> tuple[Table, ...]:
    objects = connection.execute(
        "SELECT name, type = 'view' FROM main.sqlite_master WHERE type IN ('table', 'view')"
        " AND name NOT LIKE 'sqlite_%' ORDER BY type, rowid"
    ).fetchall()
    return tuple(_describe_table(connection, str(name), bool(is_view)) for name, is_view in objects)


def _describe_table(connection: sqlite3.Connection, name: str, is_view: bool) -> Table:
    comments = _comments()
    columns = []
    rows = connection.execute('SELECT name, type, pk, "notnull" FROM pragma_table_info(?) ORDER BY cid', (name,))
    for column, kind, key, not_null in rows.fetchall():
        about = comments.columns.get((name, column)) or comments.words.get(column, "")
        if is_view and not about:
            about = comments.of_any_table.get(column, "")
        columns.append(Column(column, kind, key, not (not_null or key), unit_of(column), about))
    references: dict[int, Reference] = {}
    found = connection.execute(
        'SELECT id, "from", "table", on_delete FROM pragma_foreign_key_list(?) ORDER BY id DESC, seq', (name,)
    )
    for number, column, table, on_delete in found.fetchall():
        earlier = references.get(number)
        before = earlier.columns if earlier else ()
        references[number] = Reference((*before, column), table, on_delete == "CASCADE")
    return Table(name, is_view, comments.tables.get(name, ""), tuple(columns), tuple(references.values()))


@dataclass(frozen=True, slots=True)
class _Comments:
    tables: dict[str, str]
    columns: dict[tuple[str, str], str]
    words: dict[str, str]
    of_any_table: dict[str, str]


@cache
def _comments() -> _Comments:
    """Return the comments of ``schema.sql`` by table, by table and column, and by column."""
    script = schema()
    tables: dict[str, str] = {}
    columns: dict[tuple[str, str], str] = {}
    about = ""
    for statement in split_script(script):
        created = _CREATE.search(statement)
        if created is None:
            continue
        paragraphs = statement[: created.start()].strip().split("\n\n")
        lines = [line.removeprefix("--").strip() for line in paragraphs[-1].splitlines()]
        about = " ".join(lines) or about  # several views in a row share a comment
        tables[created[2]] = about
        columns |= {(created[2], name): text.strip() for name, text in _COLUMN.findall(statement[created.end() :])}
    words = {name: text for names, text in _WORD.findall(script) for name in names.split(", ")}
    return _Comments(tables, columns, words, {name: text for (_, name), text in reversed(columns.items())})
