"""Read the files of a store: partitions, simulations, raw rows and parameter files; receipts by ``receipts.py``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ..data import columns as c
from ..data.codec import from_json
from ..data.errors import JobError, StoreError
from ..data.memory_limit import ROW_BYTES, check_rows
from ..data.outputs import COLUMNS as OUTPUT_COLUMNS
from ..data.parameter_files import content_digest
from ..data.results.receipt import RangesFile
from ..data.settings import FileRange
from .layout import Store
from .parquet_file import open_parquet, read_columns
from .receipts import is_valid as is_valid
from .receipts import read_all_receipts as read_all_receipts
from .receipts import read_receipt as read_receipt
from .receipts import read_receipt_head as read_receipt_head
from .split_rows import find_rows, read_rows

_ROWS_AT_ONCE = 10_000
LATER_COLUMNS = frozenset({c.STEP_TYPE, c.WINDOW})
"""Columns of a simulation that files of earlier versions do not have."""


def read_partition(
    store: Store, cell_id: str, columns: Sequence[str] | None = None, cycles: Sequence[int] = ()
) -> pd.DataFrame:
    """Read the cleaned samples of a cell, in time order.

    Args:
        store: the store.
        cell_id: the cell.
        columns: names from ``data.columns.PARTITION_COLUMNS``; ``None`` = all.
        cycles: only samples with these ``cycle_count``; empty = all.

    Raises:
        StoreError: the cell has no partition, or its file is damaged.
    """
    return _read(store.cleaned(cell_id), columns, cycles, f"cell {cell_id!r} has no cleaned partition")


def read_simulation(
    store: Store, cell_id: str, label: str, columns: Sequence[str] | None = None, cycles: Sequence[int] = ()
) -> pd.DataFrame:
    """Read the time series of a simulation.

    Args:
        store: the store.
        cell_id: the cell.
        label: name of the simulation in its cell.
        columns: names from ``data.columns.SIMULATION_COLUMNS``; ``None`` = all.
        cycles: only samples with these ``cycle_count``; empty = all.

    Raises:
        StoreError: the cell has no such simulation, or its file is damaged.
    """
    return _read(store.simulation(cell_id, label), columns, cycles, f"cell {cell_id!r} has no simulation {label!r}")


def read_parameter_set(store: Store, file_digest: str) -> bytes:
    """Read the store's copy of a parameter file.

    Args:
        store: the store.
        file_digest: SHA-256 of the file's bytes, hex.

    Raises:
        JobError: ``parameter_set_changed``: the copy is missing, or its content has changed.
    """
    path = store.parameter_set(file_digest)
    content = path.read_bytes() if path.is_file() else b""
    if content_digest(content) != file_digest:
        raise JobError(f"the parameter file {path} is gone or changed: run again", "parameter_set_changed")
    return content


def read_quarantine(store: Store, cell_id: str) -> pd.DataFrame:
    """Read the quarantined rows of a cell: raw values, and the ``rule`` that quarantined each row.

    A cell of which no row was quarantined has no file of them.

    Raises:
        StoreError: the cell has not been cleaned, or its file is missing.
    """
    path = store.quarantine(cell_id)
    if not path.is_file():
        receipt = read_receipt_head(store.receipt("clean", cell_id, "clean"))
        outputs = receipt.outputs if receipt is not None and receipt.status == "done" else None
        if outputs is not None and store.relative(path) not in {output.path for output in outputs}:
            return pd.DataFrame({name: pd.Series([], dtype=kind) for name, kind in c.QUARANTINE_COLUMNS.items()})
    return _read(path, None, (), f"cell {cell_id!r} has no file of quarantined rows")


def partition_table(store: Store, cell_id: str) -> pa.Table:
    """Read the cleaned samples of a cell as an Arrow table with ``data.columns.PARTITION_COLUMNS``.

    Missing values are null.

    Raises:
        StoreError: the cell has no partition, or columns are missing in it.
    """
    return _table(store.cleaned(cell_id), c.PARTITION_COLUMNS, f"cell {cell_id!r} has no cleaned partition")


def simulation_table(store: Store, cell_id: str, label: str) -> pa.Table:
    """Read the time series of a simulation as an Arrow table with ``data.columns.SIMULATION_COLUMNS``.

    Missing values are null. So are step types and windows if an earlier version wrote the file.

    Raises:
        StoreError: the cell has no such simulation, or columns are missing in its file.
    """
    absent = f"cell {cell_id!r} has no simulation {label!r}"
    return _table(store.simulation(cell_id, label), c.SIMULATION_COLUMNS, absent, LATER_COLUMNS)


def simulation_outputs(store: Store, cell_id: str, label: str) -> pa.Table:
    """Read what a simulation stores beside ``data.columns.SIMULATION_COLUMNS``; no column = nothing else.

    Raises:
        StoreError: the cell has no such simulation, or its file is damaged.
    """
    with open_parquet(store.simulation(cell_id, label), f"cell {cell_id!r} has no simulation {label!r}") as file:
        names = [name for name in file.schema_arrow.names if name in OUTPUT_COLUMNS]
        return file.read(columns=names).select(names)


def iterate_rows(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    """Yield each row of a table as Python values, in order; a missing value is ``None``."""
    for batch in table.to_batches(max_chunksize=_ROWS_AT_ONCE):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def read_raw_parts(store: Store, split_digests: Sequence[str], cell_id: str) -> pd.DataFrame:
    """Read the raw rows of one cell that split jobs wrote, in file order (``data.columns.RAW_COLUMNS``).

    Columns that files of earlier versions do not have are NaN, or "" for text.

    Args:
        store: the store.
        split_digests: digest of the file's split job; for a file that was split in parts, digests of the jobs of those
            parts that contain the cell, in file order.
        cell_id: the cell.

    Raises:
        StoreError: the rows of one of the jobs are missing.
        ReadError: the rows take too much memory.
    """
    tables: list[pd.DataFrame] = []
    count = 0
    for digest in split_digests:
        ranges = find_rows(store, digest, cell_id)
        if not ranges:
            raise StoreError(
                f"cell {cell_id!r} has no raw rows in {store.raw_index(digest).parent}. Run `kilocell run` again."
            )
        for part in ranges:
            with open_parquet(part.path, f"cell {cell_id!r} has no raw rows") as file:
                count += file.metadata.num_rows if part.rows is None else part.rows
                check_rows(f"cell {cell_id!r}", count * ROW_BYTES)
                tables.append(read_rows(file, part).to_pandas(ignore_metadata=True))
    rows = pd.concat(tables, ignore_index=True)
    for name in set(c.RAW_COLUMNS).difference(rows.columns):
        rows[name] = pd.array([""] * len(rows), dtype="str") if c.RAW_COLUMNS[name] == "str" else np.nan
    return rows[list(c.RAW_COLUMNS)]


def read_ranges(store: Store, split_digest: str) -> tuple[FileRange, ...] | None:
    """Read the ranges in which a long raw file is split.

    Returns:
        The ranges; empty = the file is read as one; ``None`` = no ranges were stored.
    """
    try:
        return from_json(RangesFile, store.ranges(split_digest).read_bytes()).parts
    except (FileNotFoundError, ValueError):
        return None


def _read(path: Path, columns: Sequence[str] | None, cycles: Sequence[int], absent: str) -> pd.DataFrame:
    """Read a Parquet file; ``absent`` begins the error message if there is no file."""
    with open_parquet(path, absent) as file:
        frame: pd.DataFrame = read_columns(file, columns, [int(number) for number in cycles]).to_pandas(
            ignore_metadata=True
        )
    return frame


def _table(path: Path, columns: Iterable[str], absent: str, later: frozenset[str] = frozenset()) -> pa.Table:
    """Read columns of a Parquet file; those in ``later`` become null if the file does not have them."""
    with open_parquet(path, absent) as file:
        absent_columns = later.difference(file.schema_arrow.names)
        table = read_columns(file, [name for name in columns if name not in absent_columns])
        for name in absent_columns:
            table = table.append_column(name, pa.nulls(len(table), pa.string()))
        return table.select(list(columns)).replace_schema_metadata()
