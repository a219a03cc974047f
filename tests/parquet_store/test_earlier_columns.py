"""Raw rows that an earlier version split lack later columns; they are read as missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from kilocell.data import columns as c
from kilocell.parquet_store.layout import Store
from kilocell.parquet_store.read import read_raw_parts


def test_columns_that_earlier_raw_rows_lack_are_missing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    folder = store.raw("digest", "A")
    folder.mkdir(parents=True)
    later = (c.STEP_TIME, c.STEP_CAPACITY, c.NET_CAPACITY)
    values = {"float64": np.arange(3.0), "str": "x", "int32": np.zeros(3), "int64": np.arange(3)}
    rows = pd.DataFrame({name: values[kind] for name, kind in c.RAW_COLUMNS.items()}).astype(c.RAW_COLUMNS)
    rows.drop(columns=list(later)).to_parquet(folder / "part-00000.parquet")
    rows.to_parquet(folder / "part-00001.parquet")
    read = read_raw_parts(store, ["digest"], "A")
    assert list(read.columns) == list(c.RAW_COLUMNS)
    assert read[list(later)].isna().all(axis=1).tolist() == [True] * 3 + [False] * 3
    (folder / "part-00001.parquet").unlink()
    assert read_raw_parts(store, ["digest"], "A")[list(later)].isna().all(axis=None)
