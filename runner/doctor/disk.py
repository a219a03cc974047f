"""Check the disk of the store: file system, free space, locks, and the time to write safely."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import sqlite3
import statistics
import time
from pathlib import Path
from typing import Final

from ...data.errors import KilocellError
from ...parquet_store.layout import Store
from ...sqlite import queries
from ...sqlite.lock_check import locks_work
from .check import Check

NETWORK: Final = frozenset(
    {"nfs", "nfs4", "lustre", "gpfs", "beegfs", "ceph", "cifs", "smb3", "smbfs", "9p", "afs", "panfs", "fuse.sshfs"}
)
"""File systems that several computers share, as /proc/mounts names them."""

GIB: Final = 2**30
LEAST_BYTES: Final = 1 * GIB
FEW_BYTES: Final = 10 * GIB
"""Free space below which nothing should be run, and below which a campaign of a thousand cells may not fit. Chosen: a
thousand cells of 50 cycles take 1.5 GB."""

SYNCS: Final = 8  # files that are written to measure the time
SLOW_SECOND: Final = 0.1
"""Time to write a small file safely above which a run of short jobs waits for the disk. Chosen, not measured."""


def check_disk(root: Path) -> list[Check]:
    """Check the disk on which a store is, or would be.

    Args:
        root: the store's folder; need not exist.
    """
    folder = root.absolute()
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    checks = [_check_space(folder), _check_file_system(folder)]
    if not os.access(folder, os.W_OK):
        advice = "reading works; to run, choose another store with --store, or ask for the right to write"
        return [*checks, Check("writing", "problem", f"{folder} cannot be written", advice)]
    return [*checks, _check_writing(folder), _check_locks(folder)]


def check_catalog(root: Path) -> Check:
    """Check whether the catalog of a store can be read."""
    path = Store(root).catalog
    if not path.exists():
        return Check("store", "ok", f"no store in {root} yet")
    try:
        queries.connect(path, busy_timeout_second=1.0).close()
    except KilocellError as error:
        text = str(error).split(". ", 1)
        return Check("store", "problem", text[0], text[1] if len(text) > 1 else "")
    return Check("store", "ok", f"{root}: its catalog has the version of this kilocell")


def _check_space(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    found = f"{free / GIB:.1f} GiB free in {folder}"
    if free < LEAST_BYTES:
        return Check("space", "problem", found, "free some space, or choose another store with --store")
    if free < FEW_BYTES:
        return Check("space", "note", found, "a thousand cells of 50 cycles need about 2 GiB")
    return Check("space", "ok", found)


def _check_file_system(folder: Path) -> Check:
    kind, place = find_file_system(folder)
    found = f"{kind} on {place}"
    if kind in NETWORK:
        advice = "a store works here if locks work (below); run only one kilocell at a time in it"
        return Check("file system", "ok", f"{found}, a network file system", advice)
    if kind == "tmpfs":
        return Check("file system", "note", f"{found}: in memory", "what is here is lost when the computer restarts")
    if kind == "overlay":
        return Check(
            "file system", "note", f"{found}: of a container", "mount a folder for the store, so that it stays"
        )
    return Check("file system", "ok", found)


def find_file_system(folder: Path, mounts: str | None = None) -> tuple[str, str]:
    """Return kind and mount point of the file system of a folder; ``unknown`` and the folder if neither is known.

    Args:
        folder: absolute.
        mounts: the text of /proc/mounts; ``None`` = read it.
    """
    if mounts is None:
        try:
            mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return "unknown", str(folder)
    best = ("unknown", "")
    target = os.path.realpath(folder)
    for line in mounts.splitlines():
        _, place, kind, *_ = [*line.split(), "", "", ""]
        place = place.replace("\\040", " ")
        is_inside = target == place or target.startswith(place.rstrip("/") + "/")
        if is_inside and len(place) >= len(best[1]):
            best = (kind, place)
    return best if best[1] else ("unknown", str(folder))


def _check_writing(folder: Path) -> Check:
    """Measure how long it takes until a small file is safely on the disk."""
    path = folder / f".kilocell-doctor-{os.getpid()}-{secrets.token_hex(4)}"
    seconds = []
    try:
        for _ in range(SYNCS):
            began = time.perf_counter()
            with path.open("wb") as stream:
                stream.write(b"0" * 4096)
                stream.flush()
                os.fsync(stream.fileno())
            seconds.append(time.perf_counter() - began)
    except OSError as error:
        advice = "free some space or quota, or choose another store with --store"
        return Check("writing", "problem", f"{folder}: {error.strerror}", advice)
    finally:
        path.unlink(missing_ok=True)
    median = statistics.median(seconds)
    found = f"a small file is safe after {1000 * median:.1f} ms"
    if median > SLOW_SECOND:
        advice = "each job writes two such files; a local disk is faster: choose it with --store"
        return Check("writing", "note", found, advice)
    return Check("writing", "ok", found)


def _check_locks(folder: Path) -> Check:
    """Check whether two runs, and two connections to a catalog, would exclude each other."""
    path = folder / f".kilocell-doctor-{os.getpid()}-{secrets.token_hex(4)}"
    advice = "two runs at the same time would damage the store: use another file system, or mount it with locks"
    try:
        works = _file_locks_work(path) and locks_work(path)
    except (OSError, sqlite3.Error) as error:
        return Check("locks", "problem", f"{folder}: {error}", advice)
    finally:
        path.unlink(missing_ok=True)
    if not works:
        return Check("locks", "problem", f"{folder}: a file can be locked twice", advice)
    return Check("locks", "ok", "a second run, and a second writer of the catalog, have to wait")


def _file_locks_work(path: Path) -> bool:
    """Tell whether a file that is locked cannot be locked again; the file is removed."""
    with path.open("wb") as first, path.open("wb") as second:
        fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            path.unlink(missing_ok=True)
    return False
