"""Reads of a store: partitions, simulations and receipts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ..data import columns as c
from ..data.codec import from_json
from ..data.errors import JobError, StoreError
from ..data.parameter_files import content_digest
from ..data.results.receipt import RangesFile, Receipt
from ..data.settings import FileRange
from .layout import Store

_ROWS_AT_ONCE = 10_000
LATER_COLUMNS = frozenset({c.STEP_TYPE, c.WINDOW})
"""Columns of a simulation that the files of earlier versions lack."""


def read_partition(
    store: Store, cell_id: str, columns: Sequence[str] | None = None, cycles: Sequence[int] = ()
) -> pd.DataFrame:
    """Read a cell's cleaned samples, in time order.

    Args:
        columns: names of ``data.columns.PARTITION_COLUMNS``; ``None`` = all.
        cycles: only these ``cycle_count``; empty = all.

    Raises:
        StoreError: the cell has no partition.
    """
    return _read(store.cleaned(cell_id), columns, cycles, f"cell {cell_id!r} has no cleaned partition")


def read_simulation(
    store: Store, cell_id: str, label: str, columns: Sequence[str] | None = None, cycles: Sequence[int] = ()
) -> pd.DataFrame:
    """Read one simulation's time series (``data.columns.SIMULATION_COLUMNS``), as :func:`read_partition`."""
    return _read(store.simulation(cell_id, label), columns, cycles, f"cell {cell_id!r} has no simulation {label!r}")


def read_parameter_set(store: Store, file_digest: str) -> bytes:
    """Read the copy of a parameter set's file.

    Raises:
        JobError: ``parameter_set_changed``: the copy is gone, or is not what the run put there.
    """
    path = store.parameter_set(file_digest)
    content = path.read_bytes() if path.is_file() else b""
    if content_digest(content) != file_digest:
        raise JobError(f"{path}, the parameter set's file, is gone or changed; run again", "parameter_set_changed")
    return content


def read_quarantine(store: Store, cell_id: str) -> pd.DataFrame:
    """Read the rows that cleaning took out of a cell's record, as they stood, with the ``rule`` that took each."""
    return _read(store.quarantine(cell_id), None, (), f"cell {cell_id!r} has no file of quarantined rows")


def partition_table(store: Store, cell_id: str) -> pa.Table:
    """Read a cell's cleaned samples as an Arrow table (``data.columns.PARTITION_COLUMNS``); missing values are null.

    Raises:
        StoreError: the cell has no partition, or one without all columns.
    """
    return _table(store.cleaned(cell_id), c.PARTITION_COLUMNS, f"cell {cell_id!r} has no cleaned partition")


def simulation_table(store: Store, cell_id: str, label: str) -> pa.Table:
    """Read a simulation's time series as an Arrow table (``SIMULATION_COLUMNS``), as :func:`partition_table`.

    Step types and windows are null in the file of a version that did not write them.
    """
    absent = f"cell {cell_id!r} has no simulation {label!r}"
    return _table(store.simulation(cell_id, label), c.SIMULATION_COLUMNS, absent, LATER_COLUMNS)


def iterate_rows(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    """Every row of a table as Python values, in order; missing ones are ``None``."""
    for batch in table.to_batches(max_chunksize=_ROWS_AT_ONCE):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def read_raw_parts(store: Store, split_digests: Sequence[str], cell_id: str) -> pd.DataFrame:
    """Read the raw rows of one cell (``data.columns.RAW_COLUMNS``) that split jobs put aside, in file order.

    Args:
        split_digests: of the file's split job, or of those of its parts that hold the cell, in file order.

    Raises:
        StoreError: one of them left none.
    """
    tables: list[pd.DataFrame] = []
    for digest in split_digests:
        parts = sorted(store.raw(digest, cell_id).glob("part-*.parquet"))
        if not parts:
            raise StoreError(f"cell {cell_id!r} has no raw rows in {store.raw(digest, cell_id)}; run again")
        tables += [pq.read_table(part).to_pandas() for part in parts]
    return pd.concat(tables, ignore_index=True)


def read_ranges(store: Store, split_digest: str) -> tuple[FileRange, ...] | None:
    """Read the parts of a long file that were found before (none: it is read whole); ``None`` = not known."""
    try:
        return from_json(RangesFile, store.ranges(split_digest).read_bytes()).parts
    except (FileNotFoundError, ValueError):
        return None


def _read(path: Path, columns: Sequence[str] | None, cycles: Sequence[int], absent: str) -> pd.DataFrame:
    if not path.is_file():
        raise StoreError(f"{absent} ({path})")
    filters: Any = [(c.CYCLE_COUNT, "in", [int(n) for n in cycles])] if len(cycles) else None
    frame: pd.DataFrame = pq.read_table(path, columns=list(columns) if columns else None, filters=filters).to_pandas()
    return frame


def _table(path: Path, columns: Iterable[str], absent: str, later: frozenset[str] = frozenset()) -> pa.Table:
    if not path.is_file():
        raise StoreError(f"{absent} ({path})")
    try:
        absent_columns = later.difference(pq.read_schema(path).names)
        table = pq.read_table(path, columns=[name for name in columns if name not in absent_columns])
        for name in absent_columns:
            table = table.append_column(name, pa.nulls(len(table), pa.string()))
        return table.select(list(columns)).replace_schema_metadata()
    except (pa.ArrowInvalid, KeyError) as error:
        raise StoreError(f"{path} cannot be read ({error}). Move it away and run `kilocell run`.") from error


def read_receipt(path: Path) -> Receipt | None:
    """Read a receipt; ``None`` when it is absent or not a whole receipt."""
    try:
        return from_json(Receipt, path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def is_valid(store: Store, receipt: Receipt | None, digest: str) -> bool:
    """Tell whether a job with this digest is done: same digest, status done, every file there at its size."""
    if receipt is None or receipt.digest != digest or receipt.status != "done":
        return False
    for output in receipt.outputs:
        path = store.root / output.path
        if not path.is_file() or path.stat().st_size != output.bytes:
            return False
    return True


def read_all_receipts(store: Store) -> Iterator[Receipt]:
    """Every whole receipt of the store, in a fixed order: enough to build the catalog anew."""
    for path in sorted((store.root / "receipts").glob("*/*/*.json")):
        receipt = read_receipt(path)
        if receipt is not None:
            yield receipt
