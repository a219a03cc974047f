"""The memory that the worker of this process may take."""

from __future__ import annotations

import sys


def worker_memory_bytes() -> int | None:
    """Return the memory limit of the Dask worker in which this is called, in bytes; ``None`` = there is none."""
    if "distributed" not in sys.modules:
        return None
    from distributed import get_worker

    try:
        manager = getattr(get_worker(), "memory_manager", None)
    except ValueError:  # this process is no worker
        return None
    return getattr(manager, "memory_limit", None)
