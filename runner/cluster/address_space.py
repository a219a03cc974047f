"""Notice at the start that the system gives processes too little address space (``ulimit -v``)."""

from __future__ import annotations

import resource
from typing import Final

from ...data.errors import UsageError

LEAST_BYTES: Final = 4 * 10**9
"""Address space that a worker or scheduler needs, bytes. A process that solves a model with PyBaMM takes 0.65 GB of it,
as measured, and each of about 20 threads 0.14 GB for its stack and its memory pool, whether it uses them or not."""


def check_address_space() -> None:
    """Refuse to start workers whose address space is too small: they would stop without a word.

    Raises:
        UsageError: says what the limit is, and how to raise it.
    """
    limit, hard = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY or limit >= LEAST_BYTES:
        return
    if hard == resource.RLIM_INFINITY or hard >= LEAST_BYTES:
        advice = "run: ulimit -S -v unlimited"
    else:
        advice = "ask the administrators, or run on another machine"
    raise UsageError(
        f"the address space of each process is limited to {limit / 1e9:.2g} GB (ulimit -v), and workers need "
        f"{LEAST_BYTES / 1e9:.0f} GB to start; {advice}. To limit the memory that is used, take --memory-limit"
    )
