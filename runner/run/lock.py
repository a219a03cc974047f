"""Lock a store, so that only one run at a time uses it."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...data.errors import StoreError
from ...parquet_store.shared_folder import follow_folder


@contextmanager
def lock_store(root: Path) -> Iterator[None]:
    """Create the store's folder if needed and lock it for this run; the lock ends with the process.

    Args:
        root: folder of the store.

    Raises:
        StoreError: another run uses the store (the text names its host and pid), or the folder cannot be written.
    """
    path = root / "run.lock"
    follow_folder(root)
    try:
        root.mkdir(parents=True, exist_ok=True)
        handle = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise StoreError(
            f"cannot write the store {root}: {error.strerror}; choose another store with --store"
        ) from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreError(
                f"{root} is in use by another run{_describe_holder(path)}; wait for it or stop it"
            ) from error
        _write_holder(handle.fileno(), root)
        yield


def _write_holder(descriptor: int, root: Path) -> None:
    """Write which process holds the lock; this is the first write to the store, so a full disk shows here."""
    holder = {"host": socket.gethostname(), "pid": os.getpid(), "since_unix_second": round(time.time())}
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, (json.dumps(holder) + "\n").encode())
    except OSError as error:
        raise StoreError(
            f"cannot write the store {root}: {error.strerror}; free some space, or choose another store with --store"
        ) from error


def _describe_holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        return f" on {holder['host']} (pid {holder['pid']})"
    except (OSError, ValueError, KeyError):
        return ""
