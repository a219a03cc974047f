"""End a job that Python cannot end: a solver that does not return from C and holds the interpreter's lock.

A simulation checks its time limit between attempts and windows. If one window does not return, a watchdog thread of
:mod:`faulthandler`, which needs no lock, ends the worker process. Its nanny starts a new one, Dask gives that one the
same job, and the job fails at once because of the file that the first process left.
"""

from __future__ import annotations

import faulthandler
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ...data.errors import JobError

GRACE_FACTOR: Final = 2.0
"""The process is ended after this many times its limit, plus ``GRACE_SECOND``: long after a job should end itself."""

GRACE_SECOND: Final = 120.0
"""Seconds added to the factor, so that a short limit leaves time to write results."""

_FAULTHANDLER_HEAD: Final = "Timeout ("
"""First words of what faulthandler writes when it ends a process."""


@contextmanager
def hard_timeout(path: Path, limit_second: float, grace_second: float = GRACE_SECOND) -> Iterator[None]:
    """End this process if the ``with`` block takes more than twice its time limit; one block per process at a time.

    Args:
        path: a marker file that exists while the block runs; a process that is ended leaves it behind.
        limit_second: time limit of the block, s.
        grace_second: time after twice the limit until the process is ended, s.

    Raises:
        JobError: an earlier process was ended in this block under the same limit (``time_limit``).
    """
    head = f"time limit {limit_second:g} s\n"
    if _read_text(path).startswith(head + _FAULTHANDLER_HEAD):
        path.unlink(missing_ok=True)
        raise JobError(
            f"the solver did not return within twice the time limit of {limit_second:g} s, and its worker was ended; "
            "simulate fewer cycles, or use a simpler model",
            "time_limit",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        file.write(head)
        file.flush()
        faulthandler.dump_traceback_later(GRACE_FACTOR * limit_second + grace_second, exit=True, file=file)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            path.unlink(missing_ok=True)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
