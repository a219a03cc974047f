"""The receipt that ends a job: what ran, from what, how it ended, and which files it wrote."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ..settings import FileRange, SourceFile
from .cleaning import CleanResult
from .fitting import FitResult, ProfileResult, StartResult
from .simulation import Comparison, CycleState, FailedSimulation, SimulationResult, StepComparison

JobKind = Literal["split", "clean", "simulate", "start", "fit", "profile"]
Status = Literal["pending", "running", "done", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class SplitResult:
    """What a split job reports: the cells of one raw file, or of a part of it, with their numbers of rows."""

    source: SourceFile
    cells: tuple[tuple[str, int], ...]
    whole: bool = True


@dataclass(frozen=True, slots=True)
class RangesFile:
    """The parts of a long raw file, as a store keeps them."""

    parts: tuple[FileRange, ...]


TABULAR = (Comparison, StepComparison, CycleState)
"""Classes of which a receipt keeps many at once, as columns; their fields are plain."""

Result = SplitResult | CleanResult | SimulationResult | FailedSimulation | StartResult | FitResult | ProfileResult


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A file a job wrote, relative to the store, with its size in bytes."""

    path: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """The last thing a job writes: what it was, how it ended, and where its files are.

    Args:
        kind, cell_id, label: which job (``label`` tells jobs of one kind and cell apart, such as ``SPMe-Chen2020``).
        digest: of everything the result depends on.
        status: ``done``, ``failed`` (with a reason) or ``skipped`` (an earlier job of the cell failed).
        started_unix_second, seconds: when it started and how long it took.
        versions: (package, version) of what the result depends on.
        outputs: files that must exist with these sizes for the receipt to be valid.
        result: what the job reports; ``None`` unless done, but for a simulation that failed after it had begun.
    """

    kind: JobKind
    cell_id: str
    label: str
    digest: str
    status: Status
    reason: str = ""
    reason_code: str = ""
    log: str = ""
    started_unix_second: float = 0.0
    seconds: float = 0.0
    host: str = ""
    versions: tuple[tuple[str, str], ...] = ()
    outputs: tuple[OutputFile, ...] = ()
    result: Result | None = field(default=None)
