"""Check that a folder is a store, before it is read from Python."""

from __future__ import annotations

from pathlib import Path

from ..data.errors import StoreError
from ..parquet_store.layout import Store
from ..sqlite.absent import explain_absent


def check_is_store(root: Path) -> None:
    """Check that a folder is a store.

    Args:
        root: the folder.

    Raises:
        StoreError: it is a file, does not exist, or has no catalog; the text says what to give instead.
    """
    catalog = Store(root).catalog
    if not catalog.is_file():
        raise StoreError(explain_absent(catalog))
