"""One run at a time on a store."""

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


@contextmanager
def lock_store(root: Path) -> Iterator[None]:
    """Make the store's folder if needed and hold it for this run alone; the lock ends with the process.

    Raises:
        StoreError: another run holds it (its host and pid are named), or the folder cannot be written.
    """
    path = root / "run.lock"
    try:
        root.mkdir(parents=True, exist_ok=True)
        handle = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise StoreError(f"cannot write the store {root}: {error.strerror}; choose another with --store") from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreError(f"{root} is in use by another run{_holder(path)}; wait for it or stop it") from error
        _sign(handle.fileno(), root)
        yield


def _sign(descriptor: int, root: Path) -> None:
    """Write who holds the lock; also the first write to the store, so that a full disk shows here."""
    holder = {"host": socket.gethostname(), "pid": os.getpid(), "since_unix_second": round(time.time())}
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, (json.dumps(holder) + "\n").encode())
    except OSError as error:
        raise StoreError(f"cannot write the store {root}: {error.strerror}; make room or use --store") from error


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        return f" on {holder['host']} (pid {holder['pid']})"
    except (OSError, ValueError, KeyError):
        return ""
