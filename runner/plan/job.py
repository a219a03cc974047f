"""A job of the plan: what it does, its digest, and what it needs, in the form that travels to a worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from ...data.codec import digest
from ...data.fit_settings import FitSettings
from ...data.installed import installed_version, registering_package
from ...data.results.receipt import JobKind
from ...data.settings import CleanSettings, FileRange, ParameterSetSettings, SimulateSettings, SourceFile

JOB_VERSIONS: Mapping[JobKind, int] = {"split": 2, "clean": 5, "simulate": 4, "start": 5, "fit": 5, "profile": 1}
"""Part of each job's digest: raise one when the same settings give another result."""

EARLIER_AGAIN: Final = "a start or fit before it runs again"
TIME_LIMIT_RAISED: Final = "its time limit was raised"
STOPPED_BEFORE: Final = "it was stopped early before, which it now is not to be"
DIED_BEFORE: Final = "its worker died before its end"
REASONS_WITH_RECEIPT: Final = (EARLIER_AGAIN, TIME_LIMIT_RAISED, STOPPED_BEFORE, DIED_BEFORE)
"""Why jobs run that have a valid receipt."""

Key = tuple[str, ...]


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


@dataclass(frozen=True, slots=True)
class Job:
    """One job: what to do, under which digest, after which others.

    Args:
        stage: what the dashboard and progress bars group by, such as ``simulate-SPMe``.
        needs: keys of the jobs before it.
        reason: why it has to run; ``""`` = it is done.
    """

    kind: JobKind
    cell_id: str
    label: str
    stage: str
    digest: str
    work: Work
    needs: tuple[Key, ...] = ()
    reason: str = ""

    @property
    def key(self) -> Key:
        """The job's name in the graph, as the dashboard shows it: stage, cell, label."""
        return (self.stage, self.cell_id, self.label)


@dataclass(frozen=True, slots=True)
class ScannedSource:
    """A raw file with the cells it holds; none where it could not be read, which its split job will say.

    Args:
        mtime_ns: the file's time before its digest was taken.
        parts: of a long file, which are split side by side; none: it is split as a whole.
    """

    file: SourceFile
    cell_ids: tuple[str, ...]
    mtime_ns: int = 0
    parts: tuple[FileRange, ...] = ()


def split_digest(file: SourceFile) -> str:
    """The digest of the job that splits a file as a whole; its path is no part of it: a file that moved is the same."""
    return digest("split", JOB_VERSIONS["split"], file.digest, file.settings)


def _packages(settings: ParameterSetSettings) -> tuple[str, ...]:
    """What a parameter set depends on besides PyBaMM: the package that it comes from, with its version."""
    package = "" if settings.file_digest else registering_package(settings.base)
    return () if package.partition(" ")[0] in ("", "pybamm") else (package,)


def start_digest(settings: FitSettings, start: int, cleaned: str, warm: str = "") -> str:
    """The digest of one start's job, after the cleaning of this digest and, in a chain, the former fit of that one."""
    # The number of starts is not part of it: more starts can be added without repeating the old ones. Nor is what ends
    # a start early: those that came to their end are the same without, and the others are known by their results.
    alone = replace(settings, starts=0, profiles=False, time_limit_second=None, stop_beaten=False)
    parts = (cleaned, alone, start, *([warm] if warm else []), *_packages(settings.parameter_set))
    return digest("start", JOB_VERSIONS["start"], installed_version("pybamm"), *parts)
