"""Write files of a store atomically: a file appears under its name complete, or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

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

ENCODINGS: Final = {
    c.TEST_TIME: "BYTE_STREAM_SPLIT",
    c.UNIX_TIME: "BYTE_STREAM_SPLIT",
    c.SOURCE_ROW: "DELTA_BINARY_PACKED",
}
"""Parquet encodings of columns whose values never repeat.

For them, a dictionary takes more time to write and about a fifth more space, as measured.
"""


def write_frame(store: Store, path: Path, frame: pd.DataFrame, metadata: dict[str, str]) -> OutputFile:
    """Write a frame as Parquet (zstd) atomically, after a check of the number of rows that were written.

    Args:
        store: the store.
        path: a path in the store.
        frame: its columns become columns of the file; its index is not written.
        metadata: texts for the file's metadata (cell_id, digest, versions, ...).

    Returns:
        Path in the store and size of the file, for the receipt.

    Raises:
        OSError: the file cannot be written, or its number of rows is wrong.
    """
    table = pa.Table.from_pandas(frame, preserve_index=False)
    added = {key.encode(): value.encode() for key, value in metadata.items()}
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), **added})
    encodings = {name: ENCODINGS[name] for name in table.column_names if name in ENCODINGS}
    repeating: Any = [name for name in table.column_names if name not in encodings]

    def write(temporary: Path) -> None:
        pq.write_table(table, temporary, compression="zstd", use_dictionary=repeating, column_encoding=encodings)
        rows = pq.read_metadata(temporary).num_rows
        if rows != len(frame):
            raise OSError(
                f"{path} has {rows} rows, but {len(frame)} rows were written. Check the disk, then run again."
            )

    return OutputFile(store.relative(path), write_atomically(path, write))


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
