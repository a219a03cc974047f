"""Look at the lock on a store without taking it away from anybody: is a run alive, and where."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from typing import Final

from ..data.run_state import Holder, Lock

LOCK_FILE: Final = "run.lock"


def lock_path(root: Path) -> Path:
    """Return the path of the file that a run locks, and in which it writes who it is."""
    return root / LOCK_FILE


def see_lock(root: Path) -> Lock:
    """Return whether a process holds the lock on a store, as far as this machine knows.

    For a moment this takes a shared lock, which no reader notices; a run that begins meanwhile tries again.

    Args:
        root: folder of the store.
    """
    path = lock_path(root)
    holder = read_holder(path)
    try:
        with path.open("rb") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return Lock(True, holder=read_holder(path) or holder)
    except FileNotFoundError:
        return Lock(None, f"{path} is missing, as in a copy of a store")
    except OSError as error:
        return Lock(None, f"the lock {path} cannot be looked at ({error.strerror})", holder)
    return Lock(False, holder=holder)


def read_holder(path: Path) -> Holder | None:
    """Return who holds the lock, or held it last, by the lock's file; ``None`` = it does not say."""
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
        return Holder(
            str(written["host"]),
            int(written["pid"]),
            float(written["since_unix_second"]),
            str(written.get("machine", "")),
            str(written.get("command", "")),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
