"""Write files of a store atomically: a file appears under its name complete, or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ..data import columns as c
from ..data.codec import to_json
from ..data.parameter_files import content_digest
from ..data.results.receipt import OutputFile, RangesFile, Receipt
from ..data.settings import FileRange
from . import embedded
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

COMPUTED_ENCODING: Final = "BYTE_STREAM_SPLIT"
"""Encoding of numbers that a model computed, which have all their digits: three quarters of the size without it, as
measured. For measured numbers, which have few digits, it makes files a third larger."""

STATISTICS: Final = (*c.IDENTITY, c.TEST_TIME, c.UNIX_TIME, c.CYCLE_COUNT, c.STEP_COUNT)
"""Columns whose smallest and largest value each row group has: those by which rows are chosen. Each more costs 60 bytes
and a pass over its values."""

FEW_ROWS: Final = 100
"""Up to so many rows, a file is not compressed, and numbers have dictionaries: 60 rows then take 9 % more space than
compressed, and half the time. Where the two meet is chosen, not measured."""

ROW_GROUP_ROWS: Final = 65_536
"""Rows of a row group. A reader of one cycle reads only the groups that have it.

Measured on a record of a million samples: one cycle takes 10 ms, in one group for the file 90 ms; the file is 16 %
larger. Groups of half the size save 3 ms more.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Unwritten:
    """A Parquet file that its job writes last, with its receipt in it.

    Args:
        path: a path in the store, for which ``layout.holder_of`` is the job's receipt.
        columns: arrays of NumPy or pandas by name, of one length.
        metadata: texts for the file's metadata (digest, versions, ...).
        identity: whose samples they are, as in :func:`write_columns`.
    """

    path: Path
    columns: Mapping[str, Any]
    metadata: Mapping[str, str]
    identity: Mapping[str, str]

    @classmethod
    def of_frame(
        cls, path: Path, frame: pd.DataFrame, metadata: Mapping[str, str], identity: Mapping[str, str]
    ) -> Self:
        """Return the file of a frame; its index is not written."""
        return cls(path, _columns_of(frame), metadata, identity)


def _columns_of(frame: pd.DataFrame) -> dict[str, Any]:
    return {str(name): column.array for name, column in frame.items()}


def write_frame(
    store: Store,
    path: Path,
    frame: pd.DataFrame,
    metadata: Mapping[str, str],
    identity: Mapping[str, str] | None = None,
) -> OutputFile:
    """Write a frame as :func:`write_columns` does; its index is not written."""
    return write_columns(store, path, _columns_of(frame), metadata, identity)


def write_columns(
    store: Store,
    path: Path,
    columns: Mapping[str, Any],
    metadata: Mapping[str, str],
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
    return _write(store, Unwritten(path, columns, metadata, identity or {}), None)


def write_with_receipt(store: Store, file: Unwritten, receipt: Receipt) -> None:
    """Write a file and the receipt of its job at once: after a kill, the store has both or neither.

    Args:
        store: the store.
        file: what is written.
        receipt: of the job, which is done; its outputs are the other files of the job.

    Raises:
        OSError: as :func:`write_columns`.
    """
    _write(store, file, receipt)
    # A file of its own counts first. There is one if the client gave the job up meanwhile.
    store.receipt(receipt.kind, receipt.cell_id, receipt.label).unlink(missing_ok=True)


def _write(store: Store, file: Unwritten, receipt: Receipt | None) -> OutputFile:
    table = to_table(file.columns, file.identity)
    metadata = {**file.metadata, **file.identity}
    cycles = file.columns.get(c.CYCLE_COUNT)
    groups = [table.slice(first, ROW_GROUP_ROWS) for first in range(0, max(len(table), 1), ROW_GROUP_ROWS)]
    return write_table_file(store, TableFile(file.path, metadata, tuple(groups), cycles), receipt)


@dataclass(frozen=True, slots=True, eq=False)
class TableFile:
    """A Parquet file, by its row groups.

    Args:
        path: a path in the store.
        metadata: texts for the file's metadata.
        groups: at least one table.
        cycles: ``cycle_count`` of each row, shape (n,), if the tables have it.
    """

    path: Path
    metadata: Mapping[str, str]
    groups: tuple[pa.Table, ...]
    cycles: Any | None = None

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(map(len, self.groups))

    @property
    def layout(self) -> bytes:
        """The checksum of columns and row groups."""
        return layout_checksum(self.groups[0].schema, self._describe_groups())

    def _describe_groups(self) -> Iterator[tuple[int, int | None, int | None]]:
        """Yield rows, smallest and largest ``cycle_count`` of each row group."""
        first = 0
        for group in self.groups:
            part = np.asarray([] if self.cycles is None else self.cycles[first : first + len(group)])
            if len(part):
                yield len(group), part.min().item(), part.max().item()
            else:
                yield len(group), None, None
            first += len(group)


def write_table_file(store: Store, file: TableFile, receipt: Receipt | None = None) -> OutputFile:
    """Write a Parquet file as :func:`write_columns` does.

    Args:
        receipt: that is written into the file; ``None`` = none.
    """
    added = {key.encode(): value.encode("utf-8", "surrogatepass") for key, value in file.metadata.items()}
    added[LAYOUT] = file.layout
    schema = file.groups[0].schema.with_metadata(added)
    # The result apart from the rest: a plan does not read it.
    rendered = (
        b"" if receipt is None else embedded.render(to_json(replace(receipt, result=None)), to_json(receipt.result))
    )
    written: list[tuple[int, str]] = []

    def write(temporary: Path) -> None:
        with pa.OSFile(str(temporary), "wb") as sink, _writer(sink, schema, file.rows) as writer:
            for group in file.groups:
                writer.write_table(group, ROW_GROUP_ROWS)
            if rendered:
                # Here, and not with the other texts: of these, Arrow keeps a second copy for itself.
                writer.add_key_value_metadata({embedded.KEY: rendered})
        found = pq.read_metadata(temporary).num_rows
        if found != file.rows:
            raise OSError(
                f"{file.path} has {found} rows, but {file.rows} were written. Check the disk, then run again."
            )
        if rendered:
            written.append(embedded.seal(temporary, rendered))
        else:
            written.append((temporary.stat().st_size, file_digest(temporary)))

    write_atomically(file.path, write)
    return OutputFile(store.relative(file.path), *written[0])


def _writer(sink: pa.NativeFile, schema: pa.Schema, rows: int) -> pq.ParquetWriter:
    """Return what writes tables to a file, with the encodings and statistics of its columns."""
    is_short = rows <= FEW_ROWS
    encodings: dict[str, str] = {}
    repeating: list[str] = []
    for field in schema:
        if field.name in ENCODINGS:
            encodings[field.name] = ENCODINGS[field.name]
        elif is_short or not pa.types.is_floating(field.type):
            repeating.append(field.name)
        elif field.name not in c.PARTITION_COLUMNS and field.name not in c.RAW_COLUMNS:
            encodings[field.name] = COMPUTED_ENCODING
    statistics: Any = [name for name in STATISTICS if name in schema.names]
    dictionaries: Any = repeating
    compression: Any = _compression(schema, rows)
    return pq.ParquetWriter(
        sink,
        schema,
        compression=compression,
        use_dictionary=dictionaries,
        column_encoding=encodings,
        write_statistics=statistics,
        write_page_checksum=True,
    )


def _compression(schema: pa.Schema, rows: int) -> dict[str, str]:
    """Return how each column is compressed: not at all where dictionaries make it short already, as in most files."""
    compressed = {
        field.name: rows > FEW_ROWS and (rows > ROW_GROUP_ROWS or pa.types.is_floating(field.type)) for field in schema
    }
    return {name: "zstd" if is_compressed else "none" for name, is_compressed in compressed.items()}


def to_table(columns: Mapping[str, Any], identity: Mapping[str, str]) -> pa.Table:
    """Return columns as Arrow has them; a missing number (NaN) becomes null.

    Args:
        columns: arrays of NumPy or pandas by name, of one length.
        identity: texts by name, for columns before the others.
    """
    if all(_is_plain(column.dtype) for column in columns.values()):
        table = pa.table({name: pa.array(column, from_pandas=True) for name, column in columns.items()})
    else:
        frame = pd.DataFrame(dict(columns), copy=False)
        table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata()
    for place, (name, text) in enumerate(identity.items()):
        table = table.add_column(place, name, _constant(text, len(table)))
    return table


def _is_plain(kind: Any) -> bool:
    """Tell whether Arrow has only one way to take a column of this type."""
    return isinstance(kind, (pd.StringDtype, pd.CategoricalDtype)) or kind.kind in "fiub"


def _constant(text: str, rows: int) -> pa.DictionaryArray:
    """Return a column with the same text in each row, which has one entry in its dictionary."""
    text = text.encode("utf-8", "replace").decode()  # Parquet has no lone surrogates
    return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int8()), rows), pa.array([text], pa.string()))


def file_digest(path: Path) -> str:
    """Return the SHA-256 (hex) of a file's bytes; of one with a receipt, as ``embedded.py`` says."""
    digest = embedded.embedded_digest(path) if path.suffix == ".parquet" else None
    if digest is not None:
        return digest
    with path.open("rb") as handle:
        return embedded.digest_of(handle)


def write_receipt(store: Store, receipt: Receipt) -> Path:
    """Write the receipt of a job into a file of its own, and return its path.

    Call it after all files of the job are written.
    """
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
