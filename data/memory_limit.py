"""How much memory a raw file may take, so that a file made to fill the memory ends with a reason.

The limit is that of the worker, the process (``ulimit -v``), the control group (Slurm, a container) or the machine,
whichever is smallest. Real files stay far below: a record of ten million rows takes 1.3 GB.
"""

from __future__ import annotations

import os
import resource
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

from .errors import ReadError, TooLargeError

RAW_SHARE: Final = 0.5
"""Share of the memory that the raw rows of one record may take. Cleaning takes 2.1 times as much as the rows, as
measured with a million of them (docs/benchmarks.md), so nothing is refused that could be cleaned."""

ROW_BYTES: Final = 130
"""Memory of one raw row: 13 numbers, two counters, and two texts that are nearly always empty."""

MOST_UNPACKED: Final = 250.0
"""Largest ratio of unpacked to packed bytes of gzip and zip. 43 text files of eight cyclers, packed with gzip -9,
unpack to 3 to 13 times their size, 25 workbooks to 5 times (11 for a part), a made record of one value with time stamps
to 19 times, a constant text to 1000 times. 250 is chosen, not measured: ten times what any record has.

Parquet has no such limit: a column of one value takes almost no space there, also in an honest record. Its rows count
against the memory while they are read.
"""

SMALL_BYTES: Final = 256 * 1024 * 1024
"""Unpacked bytes up to which the ratio does not matter. Chosen, not measured."""

_CGROUPS: Final = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_worker_bytes: int | None = None


def set_worker_limit(limit_bytes: int | None) -> None:
    """Set the memory that this process may take besides what the system says.

    Args:
        limit_bytes: of the worker; ``None`` = the system alone decides.
    """
    global _worker_bytes
    _worker_bytes = limit_bytes or None


def memory_limit_bytes() -> int:
    """Return the memory that this process may take, in bytes."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    if _worker_bytes is not None:
        limits.append(_worker_bytes)
    address_space = resource.getrlimit(resource.RLIMIT_AS)[0]
    if address_space != resource.RLIM_INFINITY:
        limits.append(address_space)
    for path in _control_groups():
        try:
            limits.append(int(path.read_text(encoding="ascii")))
        except (OSError, ValueError):  # there is no such file, or it says "max"
            continue
    return min(limits)


@cache
def _control_groups() -> tuple[Path, ...]:
    """Return the files with the memory limit of this process's control group, in which it stays, and those above it."""
    files = list(map(Path, _CGROUPS))
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            if line.startswith("0::/"):
                group = Path("/sys/fs/cgroup") / line.removeprefix("0::/")
                files += [folder / "memory.max" for folder in (group, *group.parents[:-3])]
    return tuple(files)


def check_rows(what: str, size_bytes: float) -> None:
    """Refuse rows that take too much memory.

    Args:
        what: the file; the error begins with it.
        size_bytes: what its rows take.

    Raises:
        TooLargeError: it is more than :data:`RAW_SHARE` of the memory.
    """
    limit = memory_limit_bytes()
    if size_bytes > RAW_SHARE * limit:
        raise TooLargeError(
            f"{what}: its rows take more than {RAW_SHARE * limit / 1e9:.2g} GB, half of the memory that there is, so "
            "the record cannot be cleaned here. If the file is what it should be, give workers more memory (fewer "
            "workers, --memory-limit or --memory), or split the file"
        )


def limit_unpacking(path: Path, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the unpacked bytes of a file, and refuse to go on when they are implausibly many.

    Args:
        path: the packed file.
        chunks: its unpacked bytes.

    Raises:
        ReadError: more than :data:`MOST_UNPACKED` times the size of the file.
    """
    packed = max(path.stat().st_size, 1)
    unpacked = 0
    for chunk in chunks:
        unpacked += len(chunk)
        if unpacked > SMALL_BYTES and unpacked > MOST_UNPACKED * packed:
            raise _bomb_error(path, packed, unpacked)
        yield chunk


def check_archive(path: Path) -> None:
    """Refuse a zip archive, such as a workbook, whose parts are implausibly large or do not fit into memory.

    Args:
        path: the file; if it is no zip archive, nothing is checked.

    Raises:
        ReadError: its parts unpack to more than :data:`MOST_UNPACKED` times its size, or to too much for the memory.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(part.file_size for part in archive.infolist())
    packed = max(path.stat().st_size, 1)
    if unpacked > SMALL_BYTES and unpacked > MOST_UNPACKED * packed:
        raise _bomb_error(path, packed, unpacked)
    if unpacked > memory_limit_bytes():
        check_rows(str(path), unpacked)


def _bomb_error(path: Path, packed: int, unpacked: int) -> ReadError:
    return ReadError(
        f"{path}: {packed / 1e6:.3g} MB unpack to more than {unpacked / 1e6:.0f} MB, {MOST_UNPACKED:.0f} times as "
        "much. Records of cyclers that we know unpack to less than 20 times their size, so the file is not read; check "
        "where it comes from. If it is what it should be, unpack it"
    )
