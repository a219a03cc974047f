"""Let the nth write, commit or solve of a run fail: kilocell itself knows nothing of it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

from campaigns import environment

HOOKS: Final = Path(__file__).parent / "faults"
"""Folder with the module that Python imports when a process starts."""

ALWAYS: Final = 10**9


@dataclass(frozen=True)
class Fault:
    """An event that fails.

    Args:
        at: ``write`` of a file of the store, ``commit`` of the catalog, or ``solve`` of a model.
        then: ``ENOSPC``, ``EIO``, ``hang``, ``allocate``, or a signal such as ``SIGSEGV``.
        match: a part of the path that is written, such as ``cleaned/CELL``, or of ``KIND/CELL/LABEL`` of the job that
            solves, or of ``with receipts`` or ``without receipts``, as the store is at a commit; only such events are
            counted.
        first: number of the first event that fails, of all processes of the run, from 1.
        last: number of the last one.
    """

    at: Literal["write", "commit", "solve"]
    then: str
    match: str = ""
    first: int = 1
    last: int = ALWAYS


def with_faults(folder: Path, faults: Sequence[Fault]) -> dict[str, str]:
    """Return the environment of a run in which faults happen.

    Args:
        folder: of the campaign; its store is ``store``. Events are counted in ``faults``.
    """
    counters = folder / "faults"
    counters.mkdir(exist_ok=True)
    for old in counters.iterdir():
        old.unlink()
    known = environment()
    known["PYTHONPATH"] = os.pathsep.join([str(HOOKS), known.get("PYTHONPATH", "")])
    known["KILOCELL_FAULTS"] = json.dumps(
        {"store": str(folder / "store"), "counters": str(counters), "faults": [asdict(fault) for fault in faults]}
    )
    return known


def count_events(folder: Path, number: int = 0) -> int:
    """Return how many events of a fault there were, by its place in the list."""
    path = folder / "faults" / str(number)
    return path.stat().st_size if path.is_file() else 0
