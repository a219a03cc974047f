"""Compare a catalog with the receipts of its store, and make it again from them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..data.results.receipt import Receipt
from .catalog import Catalog
from .connection import open_for_writing, store_errors
from .describe import Table, describe_schema
from .queries import connect

_NOT_OF_RECEIPTS: Final = (
    "campaigns",
    "runs",
    "run_workers",
    "plan",
    "cells",
    "cell_parameter_sets",
    "sources",
    "source_cells",
)
"""Tables that hold what a campaign says; receipts do not have it."""

_OF_RUNS: Final = ("standing", "run_id", "version")
"""Columns that a run sets, beside what receipts say."""

_OF_PENDING: Final = ("status", "reason", "reason_code", "log")
"""Columns that differ while a job waits to run again."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A place where a catalog and the receipts differ.

    Args:
        table: of the catalog.
        key: names and values of the row's key.
        column: name of the column; "" = the whole row.
        catalog: value in the catalog; ``None`` = NULL, or there is no such row.
        receipt: value by the receipt; ``None`` = NULL, or there is no such row.
    """

    table: str
    key: tuple[tuple[str, Any], ...]
    column: str
    catalog: Any
    receipt: Any


def has_result(receipt: Receipt) -> bool:
    """Tell whether a receipt alone says what the catalog holds: one of a failed job does not know its settings."""
    return receipt.result is not None and receipt.status not in ("pending", "running")


def compare_with_receipts(path: Path, receipts: Iterable[Receipt], scratch: Path) -> Iterator[Difference]:
    """Yield where a catalog differs from receipts. Jobs that the catalog knows by another digest are left out.

    Args:
        path: the catalog.
        receipts: all of the store.
        scratch: path of a new catalog to make from the receipts; the caller deletes it.

    Raises:
        StoreError: the catalog cannot be read.
    """
    with closing(connect(path)):
        pass  # an older, newer or damaged catalog is refused
    with Catalog.open(scratch) as made:
        made.record_many(((receipt, None) for receipt in receipts if has_result(receipt)), None)
    with closing(open_for_writing(scratch, 10.0)) as connection:
        connection.execute("ATTACH ? AS store", (f"{path.absolute()}",))
        connection.execute("PRAGMA query_only = ON")
        tables = [table for table in describe_schema() if not table.is_view and table.name not in _NOT_OF_RECEIPTS]
        with store_errors(path):
            for table in tables:
                yield from _differences(connection, table)


def _differences(connection: sqlite3.Connection, table: Table) -> Iterator[Difference]:
    key = table.key
    if table.name == "fitted_sets":
        key = ("cell_id", "label", "parameter_set_digest")
    joined = " AND ".join(f'o."{name}" = m."{name}"' for name in key)
    columns = [column.name for column in table.columns if column.name not in (*key, *_OF_RUNS)]
    known = [name for name in columns if _is_used(connection, table.name, name)]
    same_job = _same_job("m", table)
    differ = " OR ".join(f'o."{name}" IS NOT m."{name}"' for name in known) or "0"
    rows = connection.execute(
        f"SELECT m.*, o.* FROM main.{table.name} m LEFT JOIN store.{table.name} o ON {joined}"
        f' WHERE {same_job} AND (o."{key[0]}" IS NULL OR {differ})'
    )
    names = [column.name for column in table.columns]
    for row in rows:
        made, stored = dict(zip(names, row, strict=False)), dict(zip(names, tuple(row)[len(names) :], strict=True))
        of_row = tuple((name, made[name]) for name in key)
        if stored[key[0]] is None:
            yield Difference(table.name, of_row, "", None, "a row")
            continue
        for name in known:
            waits = name in _OF_PENDING and stored.get("status") == "pending"
            if stored[name] != made[name] and not waits:
                yield Difference(table.name, of_row, name, stored[name], made[name])
    if table.owner in ("clean_reports", "simulations", "fits", "fit_starts", "fit_intervals"):
        added = connection.execute(
            f"SELECT o.* FROM store.{table.name} o LEFT JOIN main.{table.name} m ON {joined}"
            f' WHERE m."{key[0]}" IS NULL AND {_same_job("o", table)}'
        )
        for row in added:
            yield Difference(table.name, tuple((name, row[name]) for name in key), "", "a row", None)


def _is_used(connection: sqlite3.Connection, table: str, column: str) -> bool:
    """Tell whether the catalog has any value in a column: an earlier version, which did not know it, left it empty."""
    found = connection.execute(f'SELECT EXISTS (SELECT 1 FROM store.{table} WHERE "{column}" IS NOT NULL)').fetchone()
    return bool(found[0])


_KINDS: Final = {
    "clean_reports": "clean",
    "simulations": "simulate",
    "fits": "fit",
    "fit_starts": "start",
    "fit_intervals": "profile",
    "fitted_sets": "fit",
}


def _same_job(alias: str, table: Table) -> str:
    """Return the condition that catalog and receipts know the job of a row by the same digest."""
    kind = _KINDS.get(table.owner or table.name)
    if table.name == "jobs":
        where = f"a.kind = {alias}.kind AND a.cell_id = {alias}.cell_id AND a.label = {alias}.label"
    elif kind is None:
        return "1"
    elif kind == "clean":
        where = f"a.kind = 'clean' AND a.cell_id = {alias}.cell_id"
    else:
        where = f"a.kind = '{kind}' AND a.cell_id = {alias}.cell_id AND a.label = {alias}.label"
    return (
        "EXISTS (SELECT 1 FROM main.jobs a JOIN store.jobs b ON b.kind = a.kind AND b.cell_id = a.cell_id"
        f" AND b.label = a.label AND b.digest = a.digest WHERE {where})"
    )
