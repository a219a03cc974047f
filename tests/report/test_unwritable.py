"""Figures of a store that the reader may not write."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from kilocell.data.errors import StoreError
from kilocell.parquet_store.layout import Store
from kilocell.report.unwritable import says_where_else


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_a_store_that_is_not_writable_says_where_else(tmp_path: Path, number: int) -> None:
    @says_where_else
    def save(store: Store, name: str) -> None:
        raise OSError(number, "refused", str(store.figures / name))

    with pytest.raises(StoreError, match=r"figures/A\.png cannot be written: refused.*--out FILE"):
        save(Store(tmp_path), "A.png")


def test_other_errors_stay_what_they_are(tmp_path: Path) -> None:
    @says_where_else
    def save(store: Store) -> None:
        raise OSError(errno.ENOSPC, "no space left", str(store.figures))

    with pytest.raises(OSError, match="no space left"):
        save(Store(tmp_path))
