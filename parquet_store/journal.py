"""Journal of a start of a fit: every evaluation as it is made, so that a start that was killed can continue.

``starts/CELL/LABEL.jsonl`` has one line for each evaluation and is kept. The arrays of slow evaluations are in files
beside it until the start is done. A search evaluates the same points in the same order each time. So a search that
continues from its journal gives exactly the same numbers as one that was never killed.
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
from .layout import BEGUN, Store

WORTH_SECOND: Final = 0.05
"""Shortest evaluation whose arrays are stored, in s. To repeat a faster evaluation takes no longer than to read it."""


class StartJournal:
    """Evaluations of one start, appended as they are made.

    Args:
        store: the store.
        cell_id: the cell.
        label: of the start, such as ``diffusion-2``.
        digest: of the start's job. A journal of another digest is deleted first.
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
        evaluations = read_journal(self._path)
        # Write the journal again without an incomplete last line: the next line would continue it.
        lines = [head, *(to_json(evaluation) for evaluation in evaluations)]
        self._path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self._known = {evaluation.number: evaluation for evaluation in evaluations}

    def begin(self) -> int:
        """Record that the start begins or continues; return how often it died in this run before."""
        deaths = count_deaths(self._path)
        self._begun.write_text(str(deaths + 1), encoding="utf-8")
        return deaths

    def end(self) -> None:
        """Record that the start ended, with or without success: its process did not die."""
        self._begun.unlink(missing_ok=True)

    @property
    def evaluations(self) -> list[Evaluation]:
        """Evaluations of the journal, in order."""
        return list(self._known.values())

    def recall(self, number: int, values: tuple[float, ...]) -> tuple[Floats, Floats, str] | None:
        """Return the arrays of an earlier evaluation.

        Args:
            number: of the evaluation, from 1.
            values: parameter values in the fit's order; they must be exactly those of the earlier evaluation.

        Returns:
            Residuals in mV, shape (samples,); Jacobian in mV for each unit of a search variable, shape (samples,
            parameters); and why the model has no solution there ("" = it has one). ``None`` = evaluate again.
        """
        earlier = self._known.get(number)
        if earlier is None or earlier.values != values:
            return None
        try:
            with self._file(number).open("rb") as handle, np.load(handle) as arrays:
                return arrays["error_mv"], arrays["slopes_mv"], earlier.reason
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None  # its arrays were not stored because it was fast, or their file is incomplete

    def note(self, evaluation: Evaluation, error_mv: Floats, slopes_mv: Floats) -> None:
        """Append an evaluation; write its arrays first.

        Args:
            evaluation: number, values, cost and time.
            error_mv: residuals in mV, shape (samples,).
            slopes_mv: Jacobian in mV, shape (samples, parameters).
        """
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
        """Delete the arrays, which nothing needs after the start is done; keep the lines."""
        shutil.rmtree(self._arrays, ignore_errors=True)

    def _file(self, number: int) -> Path:
        return self._arrays / f"{number:05d}.npz"


def read_journal(path: Path) -> list[Evaluation]:
    """Read the evaluations of a start in order. Leave out an incomplete last line of a start that was killed.

    Args:
        path: ``Store.journal``; if there is no file, there are no evaluations.
    """
    if not path.is_file():
        return []
    evaluations = []
    for line in path.read_text(encoding="utf-8", errors="replace").split("\n")[1:]:
        if not line:
            continue
        try:
            evaluations.append(from_json(Evaluation, line))
        except (ValueError, RecursionError):
            break  # whatever follows is made again
    return evaluations


def _first_line(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as handle:
        return handle.readline().rstrip("\n")


def journal_digest(path: Path) -> str:
    """Return the digest of the job that wrote a journal; "" = there is no journal."""
    try:
        return str(json.loads(_first_line(path))["digest"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def count_deaths(path: Path) -> int:
    """Return how often the start of a journal died in this run: how often it began without an end."""
    try:
        return int(path.with_suffix(BEGUN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0


def forget_deaths(path: Path) -> None:
    """Delete the count of deaths when a new run begins: the run before may have been killed with all its starts."""
    path.with_suffix(BEGUN).unlink(missing_ok=True)
