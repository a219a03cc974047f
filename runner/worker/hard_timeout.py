"""End a job at its time limit, also one that Python cannot end: a solver that does not return from C.

A simulation checks its time limit between attempts and windows, a start of a fit between evaluations. What does not
return in time is ended with its worker process by a watchdog thread of :mod:`faulthandler`, which needs no lock of the
interpreter. The nanny starts a new worker, Dask gives that one the same job, and the job fails at once because of the
file that the first process left.
"""

from __future__ import annotations

import faulthandler
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ...data.errors import JobError

GRACE_SECOND: Final = 10.0
"""Time after its limit until a job is ended that should end itself: for the solver call that runs at the limit."""

LONGEST_PAUSE_SECOND: Final = 3600.0
"""Longest time that a job may take while its time limit does not count: to build a model, or to write its results."""

_FAULTHANDLER_HEAD: Final = "Timeout ("
"""First words of what faulthandler writes when it ends a process."""


@contextmanager
def hard_timeout(
    path: Path, limit_second: float, reason: str, grace_second: float = GRACE_SECOND
) -> Iterator[Callable[[float], None]]:
    """End this process if the ``with`` block takes longer than its time limit; one block per process at a time.

    Args:
        path: a marker file that exists while the block runs; a process that is ended leaves it behind.
        limit_second: time limit of the block, s.
        reason: why the job failed if it is ended, for people.
        grace_second: time after the limit until the process is ended, s.

    Yields:
        A function that sets the time that is left, in s; infinity while the limit does not count.

    Raises:
        JobError: an earlier process was ended in this block under the same limit (``time_limit``).
    """
    head = f"time limit {limit_second:g} s\n"
    if _read_text(path).startswith(head + _FAULTHANDLER_HEAD):
        path.unlink(missing_ok=True)
        raise JobError(reason, "time_limit")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        file.write(head)
        file.flush()

        def set_left(seconds: float) -> None:
            left = LONGEST_PAUSE_SECOND if math.isinf(seconds) else max(seconds, 0.0)
            faulthandler.dump_traceback_later(left + grace_second, exit=True, file=file)

        set_left(limit_second)
        try:
            yield set_left
        finally:
            faulthandler.cancel_dump_traceback_later()
            path.unlink(missing_ok=True)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
