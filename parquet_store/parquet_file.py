"""Open Parquet files of a store, read what is wanted of them, and notice damaged ones."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..data import columns as c
from ..data.errors import DamagedFileError, StoreError

_DAMAGE = (pa.ArrowException, OSError, KeyError, ValueError, TypeError, IndexError, OverflowError)
"""What a damaged file makes Arrow raise: a bad checksum, and every nonsense that the end of the file can hold."""


LAYOUT: Final = b"layout"
"""Key in a file's metadata: a checksum of what the end of the file says about columns and row groups.

Pages have checksums of their own, the end of the file has none: one wrong bit there renames a column.
"""


def layout_checksum(schema: pa.Schema, groups: Iterable[tuple[int, int | None, int | None]]) -> bytes:
    """Return the checksum of names and types of columns, and of row groups.

    Args:
        schema: of the file.
        groups: rows, smallest and largest ``cycle_count`` of each row group; ``None`` = it has none.
    """
    columns = [(field.name, str(field.type).replace("large_string", "string")) for field in schema]
    return b"%08x" % zlib.crc32(repr((columns, list(groups))).encode())


@contextmanager
def open_parquet(path: Path, absent: str) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file of a store. The checksum of every page that is read is verified.

    Args:
        path: of the file.
        absent: begins the error message if there is no file.

    Raises:
        StoreError: there is no file.
        DamagedFileError: the file cannot be read, also while the block of the ``with`` statement reads it.
    """
    if not path.is_file():
        raise StoreError(f"{absent} ({path}). `kilocell status` shows why; `kilocell run` computes what is missing.")
    with damage_errors(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
        _check_layout(file)
        yield file


@contextmanager
def damage_errors(path: Path) -> Iterator[None]:
    """Turn an error that a damaged file causes into a DamagedFileError, which names the file and says what to do."""
    try:
        yield
    except StoreError:
        raise
    except PermissionError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror}). Check its permissions.") from error
    except MemoryError as error:
        raise StoreError(
            f"there is not enough memory to read {path}. If there should be, `kilocell catalog check` tells whether "
            "the file is damaged."
        ) from error
    except _DAMAGE as error:
        raise DamagedFileError(path, " ".join(str(error).split()) or type(error).__name__) from error


def _check_layout(file: pq.ParquetFile) -> None:
    """Raise ValueError if columns or row groups are not those that were written; earlier files are not checked."""
    known = (file.schema_arrow.metadata or {}).get(LAYOUT)
    if known is None:
        return
    cycles = _cycle_column(file)
    groups = [
        (file.metadata.row_group(group).num_rows, *_cycles_of_group(file, group, cycles))
        for group in range(file.num_row_groups)
    ]
    if (
        sum(rows for rows, *_ in groups) != file.metadata.num_rows
        or layout_checksum(file.schema_arrow, groups) != known
    ):
        raise ValueError("its columns or row groups are not those that were written")


def read_columns(file: pq.ParquetFile, columns: Sequence[str] | None, cycles: Collection[int] = ()) -> pa.Table:
    """Read columns of a file.

    Args:
        file: from :func:`open_parquet`.
        columns: names, in their order; ``None`` = all but ``data.columns.IDENTITY``.
        cycles: only rows with these ``cycle_count``; empty = all. Row groups without them are not read.
    """
    names = list(columns or [name for name in file.schema_arrow.names if name not in c.IDENTITY])
    unknown = [name for name in names if name not in file.schema_arrow.names]
    if unknown:
        raise KeyError(f"it has no column {unknown[0]!r}")
    if not cycles:
        return file.read(columns=names).select(names)
    numbers = sorted({int(number) for number in cycles})
    column = _cycle_column(file)
    groups = [group for group in range(file.num_row_groups) if _may_have(file, group, column, numbers)]
    table = file.read_row_groups(groups, columns=list(dict.fromkeys([*names, c.CYCLE_COUNT])))
    wanted = pa.array(numbers, table[c.CYCLE_COUNT].type)
    mask: Any = pc.is_in(table[c.CYCLE_COUNT], value_set=wanted)  # pyright: ignore[reportAttributeAccessIssue]
    return table.filter(mask).select(names)


def _cycle_column(file: pq.ParquetFile) -> int | None:
    """Return the place of ``cycle_count`` among the columns, once for all row groups; ``None`` = nowhere."""
    names = file.schema_arrow.names
    return names.index(c.CYCLE_COUNT) if c.CYCLE_COUNT in names else None


def _may_have(file: pq.ParquetFile, group: int, column: int | None, cycles: Sequence[int]) -> bool:
    """Tell whether a row group can hold one of these cycles, by the smallest and the largest of the group."""
    smallest, largest = _cycles_of_group(file, group, column)
    if smallest is None or largest is None:
        return True
    return any(smallest <= number <= largest for number in cycles)


def _cycles_of_group(file: pq.ParquetFile, group: int, column: int | None) -> tuple[int | None, int | None]:
    """Return the smallest and the largest ``cycle_count`` of a row group; ``None`` = the file does not say."""
    if column is None:
        return None, None
    statistics = file.metadata.row_group(group).column(column).statistics
    if statistics is None or not statistics.has_min_max:
        return None, None
    return statistics.min, statistics.max
