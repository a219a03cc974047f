"""Lock a store, so that only one run at a time uses it."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final

from ...data.errors import StoreError
from ...data.run_state import Holder, machine_id
from ...parquet_store.run_lock import lock_path, read_holder
from ...parquet_store.shared_folder import follow_folder
from .run_facts import command_line

PATIENCE_SECOND: Final = 1.0
"""How long a lock is tried, s: `kilocell status` holds a shared one for less than a millisecond. Chosen."""

AGAIN_SECOND: Final = 0.05


@contextmanager
def lock_store(root: Path) -> Iterator[None]:
    """Create the store's folder if needed and lock it for this run; the lock ends with the process.

    Args:
        root: folder of the store.

    Raises:
        StoreError: another run uses the store (the text names its host and pid), or the folder cannot be written.
    """
    path = lock_path(root)
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
            _lock(handle.fileno())
        except BlockingIOError as error:
            raise StoreError(
                f"{root} is in use by another run{_describe_holder(path)}; wait for it or stop it"
            ) from error
        except OSError as error:
            raise StoreError(
                f"the file system of {root} refuses locks ({error.strerror}), so two runs could damage the store; "
                "choose a store on another one with --store, or ask for a mount with locks (Lustre: flock)"
            ) from error
        _write_holder(handle.fileno(), root)
        yield


def _lock(descriptor: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECOND
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(AGAIN_SECOND)
        else:
            return


def _write_holder(descriptor: int, root: Path) -> None:
    """Write which process holds the lock; this is the first write to the store, so a full disk shows here."""
    command = " ".join(command_line())
    holder = Holder(socket.gethostname(), os.getpid(), round(time.time()), machine_id(), command)
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, (json.dumps(asdict(holder)) + "\n").encode())
    except OSError as error:
        raise StoreError(
            f"cannot write the store {root}: {error.strerror}; free some space, or choose another store with --store"
        ) from error


def _describe_holder(path: Path) -> str:
    holder = read_holder(path)
    return "" if holder is None else f" on {holder.host} (pid {holder.pid})"
