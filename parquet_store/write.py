"""Write files of a store atomically: a file appears under its name complete, or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ..data import columns as c
from ..data.codec import to_json
from ..data.parameter_files import content_digest
from ..data.results.receipt import OutputFile, RangesFile, Receipt
from ..data.settings import FileRange
from .atomic import write_atomically as write_atomically
from .layout import Store
from .parquet_file import LAYOUT, layout_checksum

ENCODINGS: Final = {
    c.TEST_TIME: "BYTE_STREAM_SPLIT",
    c.UNIX_TIME: "BYTE_STREAM_SPLIT",
    c.SOURCE_ROW: "DELTA_BINARY_PACKED",
}
"""Parquet encodings of columns whose values never repeat.

For them, a dictionary takes more time to write and about a fifth more space, as measured.
"""

FEW_ROWS: Final = 100
"""Up to so many rows, a file is not compressed: its pages would be no smaller, and each one costs time. Chosen, not
measured."""

ROW_GROUP_ROWS: Final = 65_536
"""Rows of a row group. A reader of one cycle reads only the groups that have it.

Measured on a record of a million samples: one cycle takes 10 ms, in one group for the file 90 ms; the file is 16 %
larger. Groups of half the size save 3 ms more.
"""


def write_frame(
    store: Store,
    path: Path,
    frame: pd.DataFrame,
    metadata: dict[str, str],
    identity: Mapping[str, str] | None = None,
) -> OutputFile:
    """Write a frame as :func:`write_columns` does; its index is not written."""
    columns = {str(name): column.array for name, column in frame.items()}
    return write_columns(store, path, columns, metadata, identity)


def write_columns(
    store: Store,
    path: Path,
    columns: Mapping[str, Any],
    metadata: dict[str, str],
    identity: Mapping[str, str] | None = None,
) -> OutputFile:
    """Write columns as Parquet (zstd) atomically, after a check of the number of rows that were written.

    Every page has a checksum, so a reader notices a damaged one.

    Args:
        store: the store.
        path: a path in the store.
        columns: arrays of NumPy or pandas by name, of one length.
        metadata: texts for the file's metadata (cell_id, digest, versions, ...).
        identity: whose samples they are, by name from ``data.columns.IDENTITY``: the first columns of the file, and in
            its metadata.

    Returns:
        Path in the store, size and digest of the file, for the receipt.

    Raises:
        OSError: the file cannot be written, or its number of rows is wrong.
    """
    identity = dict(identity or {})
    table = _to_table(columns)
    rows = table.num_rows
    added = {key.encode(): value.encode("utf-8", "surrogatepass") for key, value in {**metadata, **identity}.items()}
    for place, (name, text) in enumerate(identity.items()):
        table = table.add_column(place, name, _constant(text, rows))
    added[LAYOUT] = layout_checksum(table.schema, _row_groups(rows, columns.get(c.CYCLE_COUNT)))
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), **added})
    encodings = {name: ENCODINGS[name] for name in table.column_names if name in ENCODINGS}
    repeating: Any = [name for name in table.column_names if name not in encodings]
    digests = []

    def write(temporary: Path) -> None:
        pq.write_table(
            table,
            temporary,
            row_group_size=ROW_GROUP_ROWS,
            compression="zstd" if rows > FEW_ROWS else "none",
            use_dictionary=repeating,
            column_encoding=encodings,
            write_page_checksum=True,
        )
        found = pq.read_metadata(temporary).num_rows
        if found != rows:
            raise OSError(f"{path} has {found} rows, but {rows} rows were written. Check the disk, then run again.")
        digests.append(file_digest(temporary))

    size = write_atomically(path, write)
    return OutputFile(store.relative(path), size, digests[0])


def _to_table(columns: Mapping[str, Any]) -> pa.Table:
    """Return columns as Arrow has them; a missing number (NaN) becomes null."""
    kinds = tuple((name, column.dtype) for name, column in columns.items())
    if not all(isinstance(kind, pd.StringDtype) or kind.kind in "fiub" for _, kind in kinds):
        return pa.Table.from_pandas(pd.DataFrame(dict(columns), copy=False), preserve_index=False)
    schema = _schema(kinds)
    arrays = [
        pa.array(column, field.type, from_pandas=True) for column, field in zip(columns.values(), schema, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


@cache
def _schema(kinds: tuple[tuple[str, Any], ...]) -> pa.Schema:
    """Return the schema, with its metadata, that Arrow gives a frame of columns of these names and types."""
    frame = pd.DataFrame({name: pd.Series([], dtype=kind) for name, kind in kinds})
    return pa.Table.from_pandas(frame, preserve_index=False).schema


def _row_groups(rows: int, cycles: Any | None) -> Iterator[tuple[int, int | None, int | None]]:
    """Yield rows, smallest and largest ``cycle_count`` of each row group that a table will have.

    Args:
        rows: of the table.
        cycles: the ``cycle_count`` of each row, if the table has it.
    """
    for first in range(0, max(rows, 1), ROW_GROUP_ROWS):
        group_rows = min(ROW_GROUP_ROWS, rows - first)
        if cycles is None or not group_rows:
            yield group_rows, None, None
        else:
            part = np.asarray(cycles[first : first + group_rows])
            yield group_rows, part.min().item(), part.max().item()


def _constant(text: str, rows: int) -> pa.DictionaryArray:
    """Return a column with the same text in each row, which has one entry in its dictionary."""
    text = text.encode("utf-8", "replace").decode()  # Parquet has no lone surrogates
    return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int8()), rows), pa.array([text], pa.string()))


def file_digest(path: Path) -> str:
    """Return the SHA-256 (hex) of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def write_receipt(store: Store, receipt: Receipt) -> Path:
    """Write the receipt of a job and return its path. Call it after all files of the job are written."""
    path = store.receipt(receipt.kind, receipt.cell_id, receipt.label)
    write_text(path, to_json(receipt) + "\n")
    return path


def write_parameter_set(store: Store, file_digest: str, content: bytes) -> None:
    """Write a copy of a parameter file, unless the store has an intact copy.

    Args:
        store: the store.
        file_digest: SHA-256 of ``content``, hex.
        content: the bytes of the file.
    """
    path = store.parameter_set(file_digest)

    def write(temporary: Path) -> None:
        temporary.write_bytes(content)

    if not path.exists() or content_digest(path.read_bytes()) != file_digest:
        write_atomically(path, write)


def write_ranges(store: Store, split_digest: str, parts: tuple[FileRange, ...]) -> None:
    """Write the ranges in which a long raw file is split; ``read_ranges`` reads them."""
    write_text(store.ranges(split_digest), to_json(RangesFile(parts)) + "\n")


def write_text(path: Path, text: str) -> int:
    """Write a text file (UTF-8) atomically; return its size in bytes."""

    def write(temporary: Path) -> None:
        temporary.write_text(text, encoding="utf-8")

    return write_atomically(path, write)
