"""What each kind of job does, in the form that travels to a worker."""

from __future__ import annotations

from dataclasses import dataclass

from ..data.fit_settings import FitSettings
from ..data.settings import CleanSettings, FileRange, SimulateSettings, SourceFile


@dataclass(frozen=True, slots=True)
class CellSource:
    """One file of a cell.

    Args:
        mtime_ns: the file's time when its digest was taken.
        splits: digests of the jobs that split it, where it holds several cells: of those parts that hold this one.
    """

    file: SourceFile
    mtime_ns: int
    splits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SplitWork:
    """Split one raw file of several cells, or a part of it."""

    file: SourceFile
    mtime_ns: int
    part: FileRange | None = None


@dataclass(frozen=True, slots=True)
class CleanWork:
    """Clean one cell from its files."""

    sources: tuple[CellSource, ...]
    settings: CleanSettings


@dataclass(frozen=True, slots=True)
class SimulateWork:
    """Simulate a cell; ``fit_label`` names the fit whose parameter set it takes, if any.

    Whether its model is ``compiled`` is decided when it runs, changes no result, and is no part of the digest.
    """

    settings: SimulateSettings
    fit_label: str = ""
    compiled: bool = False


@dataclass(frozen=True, slots=True)
class StartWork:
    """Run one start of a fit."""

    settings: FitSettings
    start: int
    compiled: bool = False


@dataclass(frozen=True, slots=True)
class FitWork:
    """Take the best of a fit's starts."""

    settings: FitSettings
    compiled: bool = False


@dataclass(frozen=True, slots=True)
class ProfileWork:
    """Compute the profile likelihood of one parameter of a fit."""

    settings: FitSettings
    parameter: str
    compiled: bool = False


Work = SplitWork | CleanWork | SimulateWork | StartWork | FitWork | ProfileWork
