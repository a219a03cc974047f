"""Say why a folder is not a store, and which one near it is."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ..data.names import suggest

MOST_FOLDERS: Final = 200  # folders that are looked through for a store
INNER_FOLDERS: Final = ("cleaned", "simulations", "receipts", "figures", "quarantine", "raw", "logs", "starts")
"""Folders inside a store, which may be given instead of it."""

_FILL: Final = "`kilocell run` fills a store, `kilocell demo` makes one to try."


def explain_absent(catalog: Path) -> str:
    """Say why there is no catalog at a path, and what to give instead.

    Args:
        catalog: of a store, ``Store.catalog``.
    """
    root = catalog.parent
    if catalog.is_dir():
        return f"{catalog} is a folder, not a catalog. Move it away, or choose another store with --store."
    if root.is_file():
        store = root.parent if root.name == catalog.name else None
        advice = f"; give {store}" if store is not None else ""
        return f"{root} is a file, and a store is a folder{advice}."
    if not root.is_dir():
        near = suggest(root.name, _folder_names(root.parent))
        return f"there is no folder {root}{near}. {_FILL}"
    stores = _stores_near(root, catalog.name)
    if stores:
        others = f" ({len(stores)} folders are stores)" if len(stores) > 1 else ""
        return f"{root} is not a store, but {stores[0]} is{others}: give that one with --store."
    if any((root / name).is_dir() for name in ("receipts", "cleaned", "simulations")):
        return (
            f"the store {root} has no catalog.sqlite: it was moved or deleted. "
            "`kilocell run` makes it again from the receipts."
        )
    what = "is empty" if not any(root.iterdir()) else "is not a store: it has no catalog.sqlite"
    return f"{root} {what}, so nothing was run in this store yet. {_FILL} Another store is given with --store."


def _stores_near(root: Path, name: str) -> list[Path]:
    """Return the stores directly in a folder, or the one that the folder is inside of."""
    if root.name in INNER_FOLDERS and (root.parent / name).is_file():
        return [root.parent]
    return [root / folder for folder in _folder_names(root)[:MOST_FOLDERS] if (root / folder / name).is_file()]


def _folder_names(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    except OSError:
        return []
