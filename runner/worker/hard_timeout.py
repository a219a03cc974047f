"""The end of a job that Python cannot end: a solver that never returns from C, and holds the interpreter's lock.

A simulation looks at its time limit between attempts and windows. Should one window take for ever, a watchdog thread
of :mod:`faulthandler`, which needs no lock, ends the worker's process; its nanny starts another, and Dask gives that
one the same job again, which then fails at once, by what the first one left behind.
"""

from __future__ import annotations

import faulthandler
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ...data.errors import JobError

GRACE: Final = 2.0  # times the limit, and so many seconds more: the simulation should long have ended itself
GRACE_SECOND: Final = 120.0
_ENDED: Final = "Timeout ("  # how faulthandler begins


@contextmanager
def hard_timeout(path: Path, limit_second: float, grace_second: float = GRACE_SECOND) -> Iterator[None]:
    """End this process when the ``with`` block takes over twice its time limit; one block of a process at a time.

    Args:
        path: a file that is there while the block runs; in it, what a process that was ended so leaves behind.

    Raises:
        JobError: the process that ran this last was ended so, under the same limit (``time_limit``).
    """
    head = f"time limit {limit_second:g} s\n"
    if _text(path).startswith(head + _ENDED):
        path.unlink(missing_ok=True)
        reason = (
            f"the solver did not return within twice the time limit of {limit_second:g} s, and its worker was ended"
        )
        raise JobError(f"{reason}; simulate fewer cycles, or take a simpler model", "time_limit")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        file.write(head)
        file.flush()
        faulthandler.dump_traceback_later(GRACE * limit_second + grace_second, exit=True, file=file)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            path.unlink(missing_ok=True)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
