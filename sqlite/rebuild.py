"""Make a catalog again from the receipts of its store; keep what receipts do not have: campaigns, runs, standings."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from ..data.errors import StoreError
from ..data.results.receipt import Receipt
from .catalog import Catalog
from .compare import Difference, compare_with_receipts, has_result
from .connection import open_for_writing
from .queries import connect

_STANDINGS: Final = {
    "jobs": ("kind", "cell_id", "label"),
    "clean_reports": ("cell_id",),
    "simulations": ("cell_id", "label"),
    "fits": ("cell_id", "label"),
    "fit_starts": ("cell_id", "label"),
    "fit_intervals": ("cell_id", "label"),
}
"""Tables whose rows get a standing from the plan, and the key of each."""

Kept = dict[str, list[tuple[object, ...]]]


def rebuild_catalog(path: Path, receipts: Iterable[Receipt]) -> bool:
    """Make a catalog again. The old one is replaced at the end, in one step.

    Args:
        path: of the catalog. If it cannot be read, a new one is made from the receipts alone.
        receipts: all of the store.

    Returns:
        Whether the old catalog could be read, so that campaigns, runs and standings were kept.
    """
    known = list(receipts)
    made = path.with_name(f"{path.name}.rebuilt")
    scratch = path.with_name(f"{path.name}.compared")
    for leftover in (made, scratch):
        leftover.unlink(missing_ok=True)
    try:
        was_readable = _copy(path, made)
        kept = _standings(made) if was_readable else {}
        with Catalog.open(made) as catalog:
            catalog.record_many(((receipt, None) for receipt in known if has_result(receipt) or not was_readable), None)
        if was_readable:
            _restore(made, kept)
            _correct(made, list(compare_with_receipts(made, known, scratch)))
        made.replace(path)
    finally:
        for leftover in (made, scratch):
            leftover.unlink(missing_ok=True)
    return was_readable


def _copy(path: Path, target: Path) -> bool:
    """Copy a catalog with SQLite's own means; return whether it could be read completely."""
    try:
        with closing(connect(path)) as old, closing(sqlite3.connect(target)) as new:
            old.backup(new)
            is_whole = bool(new.execute("PRAGMA integrity_check").fetchone()[0] == "ok")
    except (StoreError, sqlite3.Error):
        is_whole = False
    if not is_whole:
        target.unlink(missing_ok=True)
    return is_whole


def _standings(path: Path) -> Kept:
    kept: Kept = {}
    with closing(connect(path)) as catalog:
        for table, key in _STANDINGS.items():
            columns = ("standing", "run_id", *key) if table == "jobs" else ("standing", *key)
            kept[table] = [tuple(row) for row in catalog.execute(f"SELECT {', '.join(columns)} FROM {table}")]
    return kept


def _restore(path: Path, kept: Kept) -> None:
    with closing(open_for_writing(path, 10.0)) as catalog:
        catalog.execute("BEGIN IMMEDIATE")
        for table, rows in kept.items():
            set_ = "standing = ?, run_id = ?" if table == "jobs" else "standing = ?"
            where = " AND ".join(f"{name} = ?" for name in _STANDINGS[table])
            catalog.executemany(f"UPDATE {table} SET {set_} WHERE {where}", rows)
        catalog.execute("COMMIT")


def _correct(path: Path, differences: Sequence[Difference]) -> None:
    """Correct values that recording does not replace: definitions of models and parameter sets."""
    with closing(open_for_writing(path, 10.0)) as catalog:
        catalog.execute("BEGIN IMMEDIATE")
        for one in differences:
            where = " AND ".join(f'"{name}" = ?' for name, _ in one.key)
            values = [value for _, value in one.key]
            with suppress(sqlite3.IntegrityError):  # another row refers to it
                if one.column:
                    statement = f'UPDATE {one.table} SET "{one.column}" = ? WHERE {where}'
                    catalog.execute(statement, [one.receipt, *values])
                elif one.receipt is None:
                    catalog.execute(f"DELETE FROM {one.table} WHERE {where}", values)
        catalog.execute("COMMIT")
