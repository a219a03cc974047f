"""Many files of a store as one table that is read lazily: a pyarrow dataset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import and_
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as pfs
import pyarrow.parquet as pq

from ..data import columns as c
from ..data.outputs import COLUMNS as OUTPUT_COLUMNS
from .parquet_file import damage_errors

_TYPES: Final = {
    "float64": pa.float64(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "str": pa.string(),
    "category": pa.string(),
}


def open_dataset(
    files: Sequence[tuple[Path, Mapping[str, str]]], columns: Mapping[str, str], outputs: Iterable[str] = ()
) -> ds.Dataset:
    """Return files as one dataset. Nothing is read; a filter on the identity leaves files out without opening them.

    Args:
        files: each file with its identity: names of ``data.columns.IDENTITY`` to texts. The columns of the identity are
            made from it, so files of earlier versions have them, too.
        columns: names and types, such as ``data.columns.PARTITION_COLUMNS``. A file without one has nulls.
        outputs: names of more columns, which are numbers.
    """
    names = list(files[0][1]) if files else []
    schema = pa.schema(
        [
            *((name, pa.string()) for name in names),
            *((name, _TYPES[kind]) for name, kind in columns.items()),
            *((name, pa.float64()) for name in outputs),
        ]
    )
    options: Any = ds.ParquetFragmentScanOptions(page_checksum_verification=True)
    file_format = ds.ParquetFileFormat(default_fragment_scan_options=options)
    disk = pfs.LocalFileSystem()
    fragments = [
        file_format.make_fragment(
            str(path), disk, reduce(and_, [ds.field(name) == text for name, text in identity.items()])
        )
        for path, identity in files
    ]
    return ds.FileSystemDataset(fragments, schema, file_format, disk)


def output_columns(paths: Iterable[Path]) -> list[str]:
    """Return which columns simulations have beside ``data.columns.SIMULATION_COLUMNS``, in a fixed order.

    Args:
        paths: of the files; their ends are read, not their rows.
    """
    found: set[str] = set()
    for path in paths:
        with damage_errors(path):
            found.update(pq.read_schema(path).names)
    return [name for name in OUTPUT_COLUMNS if name in found.difference(c.SIMULATION_COLUMNS)]
