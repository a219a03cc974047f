"""Check a store's files and catalog against its receipts, and repair what differs."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ...data.errors import StoreError
from ...data.text import format_count, printable_text
from ...parquet_store.check import Damage, check_files, count_files, set_aside
from ...parquet_store.layout import Store
from ...parquet_store.read import read_all_receipts
from ...sqlite.compare import Difference, compare_with_receipts
from ...sqlite.rebuild import rebuild_catalog
from ..run.lock import lock_store
from .table import table

SHOWN: Final = 20
"""Largest number of damaged files, and of values, that are printed; --json has all."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found.

    Args:
        files: number of files that receipts name.
        damages: what is wrong with files.
        differences: where catalog and receipts differ.
        catalog: why the catalog could not be read; "" = it could.
        moved: damaged files that were set aside, by their path.
    """

    files: int
    damages: tuple[Damage, ...]
    differences: tuple[Difference, ...]
    catalog: str
    moved: dict[Path, Path]

    @property
    def exit_code(self) -> int:
        """1 if anything is wrong."""
        wrong = [damage for damage in self.damages if damage.kind != "unverified"]
        return 1 if wrong or self.differences or self.catalog else 0


def check(root: Path, repair: bool, json_: bool) -> int:
    """Compare files and catalog of a store with its receipts, print what differs, and return the exit code.

    Args:
        root: the store's folder.
        repair: set damaged files aside, and make the catalog again if it differs.
        json_: print JSON.
    """
    store = Store(root)
    if not (root / "receipts").is_dir():
        raise StoreError(f"there are no receipts in {root}: it is no store, or nothing was run in it yet")
    if repair:
        with lock_store(root):
            checked = _check(store, repair)
    else:
        checked = _check(store, repair)
    if json_:
        print(json.dumps(_to_dict(checked, root), ensure_ascii=False, indent=1))
    else:
        _print(checked, root, repair)
    return checked.exit_code


def rebuild(root: Path) -> None:
    """Make the catalog of a store again from its receipts."""
    store = Store(root)
    if not (root / "receipts").is_dir():
        raise StoreError(f"there are no receipts in {root}: there is nothing to make a catalog from")
    with lock_store(root):
        kept = rebuild_catalog(store.catalog, read_all_receipts(store))
    print(f"{store.catalog} was made again from the receipts")
    if not kept:
        print("the old catalog could not be read: `kilocell run` adds campaign and plan, until then all results count")


def _check(store: Store, repair: bool) -> Checked:
    damages = tuple(check_files(store))
    differences: tuple[Difference, ...] = ()
    problem = ""
    try:
        with tempfile.TemporaryDirectory(prefix="kilocell-") as folder:
            made = compare_with_receipts(store.catalog, read_all_receipts(store), Path(folder) / "catalog.sqlite")
            differences = tuple(made)
    except StoreError as error:
        problem = str(error)
    moved: dict[Path, Path] = {}
    if repair:
        moved = {damage.path: set_aside(damage.path) for damage in damages if damage.kind == "damaged"}
        if differences or problem:
            rebuild_catalog(store.catalog, read_all_receipts(store))
    return Checked(count_files(store), damages, differences, problem, moved)


def _print(checked: Checked, root: Path, repair: bool) -> None:
    wrong = [damage for damage in checked.damages if damage.kind != "unverified"]
    unverified = len(checked.damages) - len(wrong)
    intact = checked.files - len([damage for damage in checked.damages if damage.job])
    print(f"files    {intact:,} of {checked.files:,} are as they were written".replace(",", "\u2009"))
    if unverified:
        print(f"         {format_count(unverified, 'file')} of an earlier version, without a digest, can be read")
    for damage in wrong[:SHOWN]:
        print(f"{damage.kind:8} {_name(damage, root)}: {damage.what}{_job(damage)}")
    _say_more(len(wrong), "wrong files")
    if checked.catalog:
        print(f"catalog  {printable_text(checked.catalog)}")
    elif checked.differences:
        count = format_count(len(checked.differences), "value")
        print(f"catalog  {count} differ from the receipts\n")
        print(table(("table", "row", "column", "in the catalog", "by the receipt"), _rows(checked.differences)))
        _say_more(len(checked.differences), "values")
    else:
        print("catalog  as the receipts say")
    _advise(checked, repair, bool(wrong))


def _advise(checked: Checked, repair: bool, are_wrong: bool) -> None:
    if repair:
        for old, new in checked.moved.items():
            print(f"moved    {printable_text(old.name)} to {printable_text(new.name)}")
        if checked.differences or checked.catalog:
            print("catalog  made again from the receipts")
        if are_wrong:
            print("\n`kilocell run` makes the missing files again")
    elif checked.exit_code:
        print(
            "\n`kilocell catalog check --repair` moves damaged files away, so that `kilocell run` makes them again.\n"
            "It also makes the catalog again from the receipts, as `kilocell catalog rebuild` does."
        )


def _say_more(count: int, what: str) -> None:
    if count > SHOWN:
        print(f"… and {count - SHOWN} more {what}: --json has all")


def _rows(differences: Sequence[Difference]) -> list[tuple[str, ...]]:
    return [
        (
            one.table,
            " ".join(printable_text(str(value)) for _, value in one.key),
            one.column or "(row)",
            _shown(one.catalog),
            _shown(one.receipt),
        )
        for one in differences[:SHOWN]
    ]


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    text = f"{value:.7g}" if isinstance(value, float) else printable_text(str(value))
    return text if len(text) <= 40 else f"{text[:39]}…"


def _name(damage: Damage, root: Path) -> str:
    return printable_text(damage.path.relative_to(root).as_posix())


def _job(damage: Damage) -> str:
    return "" if damage.job is None else printable_text(f" ({' '.join(damage.job)})")


def _to_dict(checked: Checked, root: Path) -> dict[str, Any]:
    return {
        "files": checked.files,
        "damages": [
            {
                "path": damage.path.relative_to(root).as_posix(),
                "kind": damage.kind,
                "what": damage.what,
                "job": damage.job,
                "moved_to": checked.moved[damage.path].name if damage.path in checked.moved else None,
            }
            for damage in checked.damages
        ],
        "catalog": checked.catalog,
        "differences": [
            {
                "table": one.table,
                "key": dict(one.key),
                "column": one.column,
                "catalog": one.catalog,
                "receipt": one.receipt,
            }
            for one in checked.differences
        ],
    }
