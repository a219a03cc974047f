"""The rows of a cell as they stood before cleaning, out of the store's raw parts or the raw files themselves."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from ..data import columns as c
from ..data.arrays import Floats, Integers, Mask
from ..data.convert import SECONDS_PER_HOUR
from ..data.errors import ReadError, StoreError
from ..data.readers.read import read_raw
from ..data.results.cleaning import CleanResult, RecordSource
from ..parquet_store.layout import Store
from ..parquet_store.read import read_partition, read_quarantine, read_raw_parts, read_receipt
from ..sqlite import queries

_ROWS_OF_A_SOURCE: Final = 1 << 44
_UNITS: Final = (1e-3, 60.0, SECONDS_PER_HOUR)  # s, of clocks in ms, min and h
_SAME_UNIT: Final = 0.05
_AGAIN: Final = "`kilocell run` cleans the cell again"


@dataclass(frozen=True, slots=True, eq=False)
class BeforeAndAfter:
    """A cleaned record beside its raw rows.

    Args:
        samples: ``data.columns.PARTITION_COLUMNS``, in time order.
        raw: ``data.columns.RAW_COLUMNS`` of the same samples as they stood, row by row.
        quarantined: raw rows that were taken out, with the ``rule`` that took each, at the ``test_time_second`` of
            the cleaned record where they stood.
    """

    samples: pd.DataFrame
    raw: pd.DataFrame
    quarantined: pd.DataFrame


def read_before_and_after(store: Store, catalog: sqlite3.Connection, cell_id: str) -> BeforeAndAfter:
    """Read a cell's cleaned record, and the raw row that each of its samples was made of.

    Raises:
        StoreError: the cell was cleaned by a version that did not note its files, or a file is gone or changed.
    """
    samples = read_partition(store, cell_id)
    raw = _raw_rows(store, catalog, cell_id)
    order = np.argsort(_keys(raw), kind="stable")
    keys = _keys(raw)[order]
    place = np.searchsorted(keys, _keys(samples))
    if not np.array_equal(keys[np.minimum(place, len(keys) - 1)], _keys(samples)):
        raise StoreError(f"the raw rows of cell {cell_id!r} are not those it was cleaned from: {_AGAIN}")
    in_file_order = raw.take(order)
    quarantined = _placed(in_file_order, keys, place, samples, read_quarantine(store, cell_id))
    return BeforeAndAfter(samples, in_file_order.take(place).reset_index(drop=True), quarantined)


def _raw_rows(store: Store, catalog: sqlite3.Connection, cell_id: str) -> pd.DataFrame:
    receipt = read_receipt(store.receipt("clean", cell_id, "clean"))
    result = receipt.result if receipt is not None else None
    if not isinstance(result, CleanResult) or not result.sources:
        raise StoreError(f"cell {cell_id!r} was cleaned by a version that did not note its raw files: {_AGAIN}")
    known = {row["digest"]: Path(row["path"]) for row in queries.sources(catalog, cell_id)}
    tables = []
    for index, source in enumerate(result.sources):
        table = _read(store, cell_id, source, known.get(source.file.digest))
        tables.append(table.assign(**{c.SOURCE_INDEX: np.int32(index)}))
    return pd.concat(tables, ignore_index=True)


def _read(store: Store, cell_id: str, source: RecordSource, moved: Path | None) -> pd.DataFrame:
    if source.splits:
        return read_raw_parts(store, source.splits, cell_id)
    path = next((path for path in (Path(source.file.path), moved) if path is not None and path.is_file()), None)
    if path is None:
        raise StoreError(
            f"the raw file {source.file.path} is gone: put it back to see its rows beside the cleaned ones"
        )
    if path.stat().st_size != source.file.bytes:
        raise StoreError(f"the raw file {path} has changed since cell {cell_id!r} was cleaned: {_AGAIN}")
    try:
        return read_raw(path, source.file.settings, cell_id)
    except ReadError as error:
        raise StoreError(str(error)) from error


def _keys(frame: pd.DataFrame) -> Integers:
    """One number for each row that orders rows by file and place in it."""
    source = frame[c.SOURCE_INDEX].to_numpy(dtype=np.int64)
    keys: Integers = source * _ROWS_OF_A_SOURCE + frame[c.SOURCE_ROW].to_numpy(dtype=np.int64)
    return keys


def _placed(
    raw: pd.DataFrame, keys: Integers, place: Integers, samples: pd.DataFrame, taken: pd.DataFrame
) -> pd.DataFrame:
    """Put quarantined rows on the cleaned clock: by their own time from the sample before them in the file.

    Args:
        raw: in the files' order, with ``keys``.
        place: where in ``raw`` each sample stands.
    """
    if taken.empty:
        return taken
    time = samples[c.TEST_TIME].to_numpy(dtype=np.float64)
    last = np.maximum.accumulate(np.where(_is_kept(len(raw), place), np.arange(len(raw)), 0))
    cleaned = np.full(len(raw), np.nan)
    cleaned[place] = time
    at = np.searchsorted(keys, _keys(taken))
    before = last[at]
    base = np.nan_to_num(cleaned[before], nan=0.0)
    clocks = [raw[name].to_numpy(dtype=np.float64) for name in (c.TEST_TIME, c.UNIX_TIME)]
    clocks = [_second(time, clock[place]) * clock for clock in clocks]
    ahead = np.nan_to_num(np.where(np.isfinite(clocks[0][at] - clocks[0][before]), clocks[0][at] - clocks[0][before],
                                   clocks[1][at] - clocks[1][before]))  # fmt: skip
    there = base + ahead
    inside = (there >= 0.0) & (there <= time[-1])
    return taken.assign(**{c.TEST_TIME: np.where(inside, there, base)})


def _second(cleaned: Floats, raw: Floats) -> float:
    """Return how many seconds a unit of a file's clock is: 1, or another unit's where cleaning converted it."""
    steps = np.diff(raw)
    ahead = steps > 0
    ratio = float(np.median(np.diff(cleaned)[ahead] / steps[ahead])) if ahead.any() else 1.0
    return next((unit for unit in _UNITS if abs(ratio / unit - 1.0) < _SAME_UNIT), 1.0)


def _is_kept(rows: int, place: Integers) -> Mask:
    kept = np.zeros(rows, dtype=bool)
    kept[place] = True
    return kept
