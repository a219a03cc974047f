"""Check that a folder is a store, before it is read from Python."""

from __future__ import annotations

from pathlib import Path

from ..data.errors import StoreError
from ..parquet_store.layout import Store


def check_is_store(root: Path) -> None:
    """Check that a folder is a store.

    Args:
        root: the folder.

    Raises:
        StoreError: it is a file, does not exist, or has no catalog; the text says what to give instead.
    """
    if root.is_file():
        raise StoreError(f"{root} is a file, and a store is a folder: give {root.parent} if it holds catalog.sqlite.")
    if not root.is_dir():
        raise StoreError(f"there is no folder {root}. Give the folder that `kilocell run` or `kilocell demo` filled.")
    if not Store(root).catalog.is_file():
        raise StoreError(
            f"{root} is not a store of kilocell: it has no catalog.sqlite. "
            "Give the folder that `kilocell run` or `kilocell demo` filled."
        )
