"""Atomic writes: a file appears whole under its name, or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
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
from .layout import Store

ENCODINGS: Final = {
    c.TEST_TIME: "BYTE_STREAM_SPLIT",
    c.UNIX_TIME: "BYTE_STREAM_SPLIT",
    c.SOURCE_ROW: "DELTA_BINARY_PACKED",
}
"""Columns whose values never repeat: a dictionary of them costs time and room (a fifth of the room, as measured)."""


def write_atomically(path: Path, write: Callable[[Path], None]) -> int:
    """Write a file through a temporary neighbour and rename it into place.

    Args:
        write: fills the temporary path it is given.

    Returns:
        The file's size in bytes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.tmp-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        write(temporary)
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        size = temporary.stat().st_size
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return size


def write_frame(store: Store, path: Path, frame: pd.DataFrame, metadata: dict[str, str]) -> OutputFile:
    """Write a frame as Parquet (zstd), read its footer back, and rename it into place.

    Args:
        metadata: texts kept in the file's own metadata (cell_id, digest, versions, ...).
    """
    table = pa.Table.from_pandas(frame, preserve_index=False)
    known = {key.encode(): value.encode() for key, value in metadata.items()}
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), **known})
    encodings = {name: ENCODINGS[name] for name in table.column_names if name in ENCODINGS}
    repeating: Any = [name for name in table.column_names if name not in encodings]

    def write(temporary: Path) -> None:
        pq.write_table(table, temporary, compression="zstd", use_dictionary=repeating, column_encoding=encodings)
        rows = pq.read_metadata(temporary).num_rows
        if rows != len(frame):
            raise OSError(f"{path} has {rows} rows after writing {len(frame)}")

    return OutputFile(store.relative(path), write_atomically(path, write))


def write_receipt(store: Store, receipt: Receipt) -> Path:
    """Write a job's receipt, after all of its files are in place; return its path."""
    path = store.receipt(receipt.kind, receipt.cell_id, receipt.label)
    write_text(path, to_json(receipt) + "\n")
    return path


def write_parameter_set(store: Store, file_digest: str, content: bytes) -> None:
    """Keep a copy of a parameter set's file, unless it is there already, whole."""
    path = store.parameter_set(file_digest)

    def write(temporary: Path) -> None:
        temporary.write_bytes(content)

    if not path.exists() or content_digest(path.read_bytes()) != file_digest:
        write_atomically(path, write)


def write_ranges(store: Store, split_digest: str, parts: tuple[FileRange, ...]) -> None:
    """Write the parts of a long file, for the next run to find them."""
    write_text(store.ranges(split_digest), to_json(RangesFile(parts)) + "\n")


def write_text(path: Path, text: str) -> int:
    """Write a text file (UTF-8) whole; return its size in bytes."""

    def write(temporary: Path) -> None:
        temporary.write_text(text, encoding="utf-8")

    return write_atomically(path, write)
