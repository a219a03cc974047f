"""The journal of a fit's start: every evaluation as it is made, so that a start that was killed goes on from there.

``starts/CELL/LABEL.jsonl`` holds a line for each evaluation and stays. The arrays of those that took long lie beside it
until the start is done. A search asks for the same points in the same order each time, so one that begins again and
finds its former evaluations ends with the very numbers of one that was never killed.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Final

import numpy as np

from ..data.arrays import Floats
from ..data.codec import from_json, to_json
from ..data.results.fitting import Evaluation
from .layout import Store

WORTH_SECOND: Final = 0.05  # an evaluation that took less is made again as fast as it is read
BEGUN: Final = ".begun"  # a file beside the journal, while the start runs: how often it has begun in this run


class StartJournal:
    """Evaluations of one start, appended as they are made.

    Args:
        digest: of the start's job; the journal of another one is begun anew.
    """

    def __init__(self, store: Store, cell_id: str, label: str, digest: str) -> None:
        self._path = store.journal(cell_id, label)
        self._arrays = self._path.with_suffix(".partial")
        self._begun = self._path.with_suffix(BEGUN)
        head = json.dumps({"digest": digest})
        if not self._path.is_file() or _first_line(self._path) != head:
            shutil.rmtree(self._arrays, ignore_errors=True)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(head + "\n", encoding="utf-8")
        found = read_journal(self._path)
        # A last line that a kill cut off would spoil the one after it.
        self._path.write_text("\n".join([head, *map(to_json, found)]) + "\n", encoding="utf-8")
        self._known = {evaluation.number: evaluation for evaluation in found}

    def begin(self) -> int:
        """Say that the start begins or goes on; return how often it did before, in this run, and never ended."""
        before = count_deaths(self._path)
        self._begun.write_text(str(before + 1), encoding="utf-8")
        return before

    def end(self) -> None:
        """Say that the start has ended, well or not: its process lives."""
        self._begun.unlink(missing_ok=True)

    @property
    def evaluations(self) -> list[Evaluation]:
        """What was noted before, in order."""
        return list(self._known.values())

    def recall(self, number: int, values: tuple[float, ...]) -> tuple[Floats, Floats, str] | None:
        """Return errors and slopes of an evaluation that was made before at these very values, and its reason."""
        before = self._known.get(number)
        if before is None or before.values != values:
            return None
        try:
            with self._file(number).open("rb") as handle, np.load(handle) as arrays:
                return arrays["error_mv"], arrays["slopes_mv"], before.reason
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None  # it was cheap, or half written: then it is made again

    def note(self, evaluation: Evaluation, error_mv: Floats, slopes_mv: Floats) -> None:
        """Append an evaluation, its arrays first."""
        if evaluation.seconds >= WORTH_SECOND:
            self._arrays.mkdir(exist_ok=True)
            temporary = self._file(evaluation.number).with_suffix(".tmp")
            with temporary.open("wb") as handle:
                np.savez(handle, error_mv=error_mv, slopes_mv=slopes_mv)
            temporary.replace(self._file(evaluation.number))
        if evaluation.number not in self._known:
            with self._path.open("a", encoding="utf-8") as journal:
                journal.write(to_json(evaluation) + "\n")

    def done(self) -> None:
        """Drop the arrays, which nothing needs any more; the lines stay."""
        shutil.rmtree(self._arrays, ignore_errors=True)

    def _file(self, number: int) -> Path:
        return self._arrays / f"{number:05d}.npz"


def read_journal(path: Path) -> list[Evaluation]:
    """Read a start's evaluations in order; a last line that was cut off by a kill is left out."""
    if not path.is_file():
        return []
    found = []
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        try:
            found.append(from_json(Evaluation, line))
        except ValueError:
            break
    return found


def _first_line(path: Path) -> str:
    with path.open(encoding="utf-8") as handle:
        return handle.readline().rstrip("\n")


def journal_digest(path: Path) -> str:
    """The digest of the job whose evaluations a journal holds; "" = there is no journal."""
    try:
        return str(json.loads(_first_line(path))["digest"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def count_deaths(path: Path) -> int:
    """How often the start of a journal began, in this run, without an end."""
    try:
        return int(path.with_suffix(BEGUN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0


def forget_deaths(path: Path) -> None:
    """A new run begins: what ended with the one before it says nothing of the start."""
    path.with_suffix(BEGUN).unlink(missing_ok=True)
