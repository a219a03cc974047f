"""Read the raw row of each cleaned sample, from the store's raw parts or from the raw files."""

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
"""More rows than any raw file has: a row's key is its file's number times this, plus its row number."""

_CLOCK_UNITS: Final = (1e-3, 60.0, SECONDS_PER_HOUR)
"""Units of raw clocks other than the second, in s: ms, min and h."""

_SAME_UNIT: Final = 0.05
"""Largest relative difference between a measured clock rate and a unit."""

_CLEAN_AGAIN: Final = "`kilocell run` cleans the cell again."


@dataclass(frozen=True, slots=True, eq=False)
class BeforeAndAfter:
    """A cleaned record and its raw rows.

    Args:
        samples: ``data.columns.PARTITION_COLUMNS``, in time order.
        raw: ``data.columns.RAW_COLUMNS`` of the same samples before cleaning, row by row; all numbers of an inserted
            sample are missing, since it has no row.
        quarantined: raw rows that were quarantined, each with its ``rule``; ``test_time_second`` is their time in the
            cleaned record.
    """

    samples: pd.DataFrame
    raw: pd.DataFrame
    quarantined: pd.DataFrame

    @property
    def is_row(self) -> Mask:
        """Tell which samples are rows of a file, and not inserted at a step's edge, shape (samples,)."""
        rows: Mask = is_row_of_file(self.samples)
        return rows


def is_row_of_file(samples: pd.DataFrame) -> Mask:
    """Tell which samples of a partition are rows of a file, shape (samples,); the others were inserted.

    Args:
        samples: with ``source_row``.
    """
    rows: Mask = samples[c.SOURCE_ROW].to_numpy() != c.NO_SOURCE_ROW
    return rows


def read_before_and_after(store: Store, catalog: sqlite3.Connection, cell_id: str) -> BeforeAndAfter:
    """Read a cell's cleaned record and the raw row of each of its samples.

    Args:
        store: the store.
        catalog: from ``queries.connect``.
        cell_id: a cleaned cell.

    Raises:
        StoreError: a raw file is missing or has changed, or an old version of kilocell cleaned the cell.
    """
    samples = read_partition(store, cell_id)
    raw = _read_raw_rows(store, catalog, cell_id)
    raw_keys = _row_keys(raw)
    order = np.argsort(raw_keys, kind="stable")
    raw = raw.take(order)
    raw_keys = raw_keys[order]
    is_row = is_row_of_file(samples)
    rows = samples[is_row]
    sample_keys = _row_keys(rows)
    place = np.searchsorted(raw_keys, sample_keys)
    if not np.array_equal(raw_keys[np.minimum(place, len(raw_keys) - 1)], sample_keys):
        raise StoreError(f"the raw rows of cell {cell_id!r} have changed since it was cleaned: {_CLEAN_AGAIN}")
    quarantined = _place_quarantined(raw, raw_keys, place, rows, read_quarantine(store, cell_id))
    return BeforeAndAfter(samples, _with_missing_rows(raw.take(place), is_row), quarantined)


def _with_missing_rows(raw: pd.DataFrame, is_row: Mask) -> pd.DataFrame:
    """Add a row of missing numbers for each inserted sample.

    Args:
        raw: the raw rows of the samples that have one, in the order of the samples.
        is_row: tells which samples have one, shape (samples,).
    """
    if is_row.all():
        return raw.reset_index(drop=True)
    previous_row = np.maximum(np.cumsum(is_row) - 1, 0)
    filled = raw.take(previous_row).reset_index(drop=True)
    numbers = [name for name, kind in c.RAW_COLUMNS.items() if kind == "float64" and name in filled]
    filled.loc[~is_row, numbers] = np.nan
    filled.loc[~is_row, c.SOURCE_ROW] = c.NO_SOURCE_ROW
    return filled


def _read_raw_rows(store: Store, catalog: sqlite3.Connection, cell_id: str) -> pd.DataFrame:
    """Read all raw rows of a cell, with the number of their file as ``source_index``."""
    receipt = read_receipt(store.receipt("clean", cell_id, "clean"))
    result = receipt.result if receipt is not None else None
    if not isinstance(result, CleanResult) or not result.sources:
        raise StoreError(
            f"an old version of kilocell cleaned cell {cell_id!r} and did not record its raw files: {_CLEAN_AGAIN}"
        )
    path_by_digest = {row["digest"]: Path(row["path"]) for row in queries.sources(catalog, cell_id)}
    tables = []
    for index, source in enumerate(result.sources):
        table = _read_source(store, cell_id, source, path_by_digest.get(source.file.digest))
        tables.append(table.assign(**{c.SOURCE_INDEX: np.int32(index)}))
    return pd.concat(tables, ignore_index=True)


def _read_source(store: Store, cell_id: str, source: RecordSource, current_path: Path | None) -> pd.DataFrame:
    """Read the raw rows of a cell from one source.

    Args:
        store: the store.
        cell_id: the cell.
        source: the raw file at the time of cleaning.
        current_path: where the catalog knows a file with the same content; ``None`` = nowhere.
    """
    if source.splits:
        return read_raw_parts(store, source.splits, cell_id)
    path = Path(source.file.path)
    if not path.is_file() and current_path is not None:
        path = current_path
    if not path.is_file():
        raise StoreError(f"the raw file {source.file.path} is gone: put it back to plot its rows.")
    if path.stat().st_size != source.file.bytes:
        raise StoreError(f"the raw file {path} has changed since cell {cell_id!r} was cleaned: {_CLEAN_AGAIN}")
    try:
        return read_raw(path, source.file.settings, cell_id)
    except ReadError as error:
        raise StoreError(str(error)) from error


def _row_keys(frame: pd.DataFrame) -> Integers:
    """Return one number for each row; they have the order of files and of rows in a file."""
    source = frame[c.SOURCE_INDEX].to_numpy(dtype=np.int64)
    keys: Integers = source * _ROWS_OF_A_SOURCE + frame[c.SOURCE_ROW].to_numpy(dtype=np.int64)
    return keys


def _place_quarantined(
    raw: pd.DataFrame,
    raw_keys: Integers,
    place: Integers,
    samples: pd.DataFrame,
    quarantined: pd.DataFrame,
) -> pd.DataFrame:
    """Give quarantined rows a time in the cleaned record: that of the previous sample in the file, and their distance.

    Args:
        raw: raw rows in the order of their keys.
        raw_keys: keys of ``raw``.
        place: index in ``raw`` of each sample.
        samples: the cleaned record.
        quarantined: the quarantined rows.
    """
    if quarantined.empty:
        return quarantined
    sample_time = samples[c.TEST_TIME].to_numpy(dtype=np.float64)
    cleaned_time = np.full(len(raw), np.nan)
    cleaned_time[place] = sample_time
    is_sample = np.zeros(len(raw), dtype=bool)
    is_sample[place] = True
    previous_sample = np.maximum.accumulate(np.where(is_sample, np.arange(len(raw)), 0))
    at = np.searchsorted(raw_keys, _row_keys(quarantined))
    before = previous_sample[at]
    start = np.nan_to_num(cleaned_time[before], nan=0.0)
    test_clock = _clock_in_seconds(raw, c.TEST_TIME, place, sample_time)
    unix_clock = _clock_in_seconds(raw, c.UNIX_TIME, place, sample_time)
    test_distance = test_clock[at] - test_clock[before]
    unix_distance = unix_clock[at] - unix_clock[before]
    distance = np.nan_to_num(np.where(np.isfinite(test_distance), test_distance, unix_distance))
    time = start + distance
    is_inside = (time >= 0.0) & (time <= sample_time[-1])
    return quarantined.assign(**{c.TEST_TIME: np.where(is_inside, time, start)})


def _clock_in_seconds(raw: pd.DataFrame, column: str, place: Integers, sample_time: Floats) -> Floats:
    """Return a raw clock in s, also if the file has it in ms, min or h; ``sample_time`` is the samples' time in s."""
    clock = raw[column].to_numpy(dtype=np.float64)
    raw_steps = np.diff(clock[place])
    runs_forward = raw_steps > 0
    if not runs_forward.any():
        return clock
    seconds_per_unit = float(np.median(np.diff(sample_time)[runs_forward] / raw_steps[runs_forward]))
    for unit in _CLOCK_UNITS:
        if abs(seconds_per_unit / unit - 1.0) < _SAME_UNIT:
            clock = unit * clock
            break
    return clock
