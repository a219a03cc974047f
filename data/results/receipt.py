"""The receipt that ends a job: what ran, its inputs, how it ended, and which files it wrote."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ..settings import FileRange, SourceFile
from .cleaning import CleanResult
from .fitting import FitResult, ProfileResult, StartResult
from .simulation import Comparison, CycleState, FailedSimulation, SimulationResult, StepComparison, StretchComparison

JobKind = Literal["split", "clean", "simulate", "start", "fit", "profile"]
Status = Literal["pending", "running", "done", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class SplitResult:
    """Result of a split job: the cells of one raw file, or of a part of it."""

    source: SourceFile
    cells: tuple[tuple[str, int], ...]
    """Cell ids with their numbers of rows."""

    whole: bool = True
    """Whether the job read the whole file; ``False`` = a part."""


@dataclass(frozen=True, slots=True)
class RangesFile:
    """The parts of a long raw file, as a store keeps them."""

    parts: tuple[FileRange, ...]


TABULAR = (Comparison, StepComparison, CycleState, StretchComparison)
"""Classes that a receipt stores as columns, because it has many of each; their fields are plain values."""

Result = SplitResult | CleanResult | SimulationResult | FailedSimulation | StartResult | FitResult | ProfileResult


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A file that a job wrote: its path relative to the store, and its size in bytes."""

    path: str
    bytes: int
    digest: str | None = None
    """SHA-256 (hex) of its bytes; ``None`` = an earlier version wrote the file."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The last file that a job writes: which job it was, how it ended, and where its other files are."""

    kind: JobKind
    cell_id: str
    label: str
    """Distinguishes jobs of one kind and cell, such as ``SPMe-Chen2020``."""

    digest: str
    """SHA-256 (hex) of everything on which the result depends."""

    status: Status
    """``done``, ``failed`` (with a reason) or ``skipped`` (an earlier job of the cell failed)."""

    reason: str = ""
    """Why it failed or was skipped, in words."""

    reason_code: str = ""
    """Short stable code of the reason, such as ``diverged``."""

    log: str = ""
    """Path of the log file; "" = there is none."""

    started_unix_second: float = 0.0
    """When the job started (s since 1970-01-01 UTC)."""

    seconds: float = 0.0
    """How long the job took (s)."""

    host: str = ""
    """Name of the machine that ran it."""

    versions: tuple[tuple[str, str], ...] = ()
    """Packages on which the result depends, with their versions."""

    outputs: tuple[OutputFile, ...] = ()
    """Files that must exist with these sizes for the receipt to be valid."""

    result: Result | None = field(default=None)
    """What the job reports; ``None`` unless it is done, or is a simulation that failed after it had started."""
