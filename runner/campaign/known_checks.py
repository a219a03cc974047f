"""What PyBaMM said of parameter sets and models before, so that a command that asks again need not import it.

PyBaMM takes longer to import than most commands take in all. An answer depends on the question, on the versions of the
packages, and on kilocell's own code that asks PyBaMM; all are part of the name of the answer's file.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any, Final

from ...data.cache_folder import cache_folder
from ...data.codec import digest
from ...data.installed import installed_version, registering_package
from ...data.settings import ParameterSetSettings
from ...parquet_store.atomic import write_atomically

FOLDER: Final = "checks"
"""Name of the folder in kilocell's cache folder."""

MOST_ANSWERS: Final = 1000
"""Answers that are kept; the oldest go first. Chosen, not measured: each has a few hundred bytes."""

_PACKAGES: Final = ("kilocell", "pybamm", "bpx", "numpy", "scipy")
_CODE: Final = ("jobs/parameters", "jobs/models", "jobs/fitting")
"""Folders of the code that asks PyBaMM."""


def recall(find: Callable[[], Any], question: str, *parts: Any, sets: tuple[ParameterSetSettings, ...] = ()) -> Any:
    """Return the answer to a question that was asked before, or find it and keep it.

    Args:
        find: returns the answer, as JSON can have it (no tuples); what it raises is not kept.
        question: name of the question.
        parts: what else the answer depends on, as for :func:`kilocell.data.codec.digest`.
        sets: the parameter sets that it is about. Sets of packages other than PyBaMM may change while they are
            developed, so nothing is kept of them.
    """
    if not all(_is_fixed(one) for one in sets):
        return find()
    path = cache_folder() / FOLDER / f"{digest(question, *parts, sets, _surroundings())[:32]}.json"
    with suppress(OSError, ValueError):
        return json.loads(path.read_bytes())["answer"]
    answer = find()
    text = json.dumps({"question": question, "answer": answer})
    with suppress(OSError):  # a full or read-only disk: the question is asked again next time
        write_atomically(path, lambda temporary: _write(temporary, text))
        _forget_oldest(path.parent)
    return answer


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _is_fixed(settings: ParameterSetSettings) -> bool:
    """Whether a set is the same as long as its name, or its digest, is."""
    return bool(settings.file_digest) or registering_package(settings.base).partition(" ")[0] == "pybamm"


@cache
def _surroundings() -> str:
    """Return a digest of the versions of packages, and of kilocell's code that asks PyBaMM."""
    found = hashlib.sha256()
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            found.update(f"{name} {installed_version(name)}\n".encode())
    root = Path(__file__).resolve().parents[2]
    for folder in _CODE:
        for path in sorted((root / folder).glob("*.py")):
            with suppress(OSError):
                found.update(path.read_bytes())
    return found.hexdigest()


def _forget_oldest(folder: Path) -> None:
    """Remove the oldest answers if there are too many."""
    entries = sorted((entry.stat().st_mtime, entry.path) for entry in os.scandir(folder) if entry.is_file())
    for _, path in entries[: len(entries) - MOST_ANSWERS]:
        Path(path).unlink(missing_ok=True)
