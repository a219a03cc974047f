"""A job of the plan: what it does, its digest, and the jobs it needs, in the form that travels to a worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from ...data.codec import digest
from ...data.fit_settings import FitSettings
from ...data.installed import installed_version, registering_package
from ...data.results.fitting import NESTED_LABEL, NESTED_START
from ...data.results.receipt import JobKind, Status
from ...data.settings import CellSettings, CleanSettings, FileRange, ParameterSetSettings, SimulateSettings, SourceFile

JOB_VERSIONS: Mapping[JobKind, int] = {"split": 3, "clean": 8, "simulate": 7, "start": 8, "fit": 8, "profile": 3}
"""Part of each job's digest: raise a number when the same settings give another result."""

CLEAN_LIMIT_SECOND: Final = 3600.0
"""Longest time to split a raw file, or to clean a cell, unless ``[clean] time_limit_second`` says otherwise."""

EARLIER_AGAIN: Final = "a start or fit that it needs runs again"
TIME_LIMIT_RAISED: Final = "its time limit was raised"
STOPPED_BEFORE: Final = "it was stopped early before, and stop_beaten is now off"
DIED_BEFORE: Final = "its worker died before it was done"
REASONS_WITH_RECEIPT: Final = (EARLIER_AGAIN, TIME_LIMIT_RAISED, STOPPED_BEFORE, DIED_BEFORE)
"""Reasons to run a job again that has a valid receipt."""

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CellSource:
    """One raw file of a cell.

    Args:
        mtime_ns: modification time of the file when its digest was computed, ns since 1970.
        splits: digests of the split jobs whose output holds rows of this cell; empty when the file holds only this
            cell and is read directly.
    """

    file: SourceFile
    mtime_ns: int
    splits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SplitWork:
    """Split a raw file of several cells into one table per cell.

    Args:
        mtime_ns: modification time of the file when its digest was computed, ns since 1970.
        part: the range of bytes to split; ``None`` = the whole file.
        problem: why the file cannot be opened, as the scan found; the job then fails with it. ``""`` = it can.
        time_limit_second: longest time of the job, s; no part of its digest.
    """

    file: SourceFile
    mtime_ns: int
    part: FileRange | None = None
    problem: str = ""
    time_limit_second: float = CLEAN_LIMIT_SECOND


@dataclass(frozen=True, slots=True)
class CleanWork:
    """Clean one cell from its raw files.

    Args:
        time_limit_second: longest time of the job, s; no part of its digest.
    """

    sources: tuple[CellSource, ...]
    settings: CleanSettings
    time_limit_second: float = CLEAN_LIMIT_SECOND


@dataclass(frozen=True, slots=True)
class SimulateWork:
    """Simulate a cell.

    Args:
        fit_label: the fit whose fitted parameter set is simulated; ``""`` = the set in ``settings``.
        compiled: whether the model is compiled. The run decides; it changes no result and is no part of the digest.
    """

    settings: SimulateSettings
    fit_label: str = ""
    compiled: bool = False

    @property
    def fit_name(self) -> str:
        """Name of the fit that the job belongs to; ``""`` = none."""
        return self.fit_label


@dataclass(frozen=True, slots=True)
class StartWork:
    """Run one start of a fit.

    Args:
        start: number of the start, from 0, or ``NESTED_START``.
        compiled: as in :class:`SimulateWork`.
    """

    settings: FitSettings
    start: int
    compiled: bool = False

    @property
    def fit_name(self) -> str:
        """Name of the fit that the job belongs to."""
        return self.settings.name


@dataclass(frozen=True, slots=True)
class FitWork:
    """Combine the starts of a fit and take the best."""

    settings: FitSettings
    compiled: bool = False

    @property
    def fit_name(self) -> str:
        """Name of the fit that the job belongs to."""
        return self.settings.name


@dataclass(frozen=True, slots=True)
class ProfileWork:
    """Compute the profile likelihood of one parameter of a fit.

    Args:
        parameter: name of a fitted parameter.
    """

    settings: FitSettings
    parameter: str
    compiled: bool = False

    @property
    def fit_name(self) -> str:
        """Name of the fit that the job belongs to."""
        return self.settings.name


ModelWork = SimulateWork | StartWork | FitWork | ProfileWork
"""Work that builds a PyBaMM model: each kind has ``settings`` (with ``cell``, ``model`` and ``parameter_set``),
``fit_name`` and ``compiled``."""

Work = SplitWork | CleanWork | ModelWork


@dataclass(frozen=True, slots=True)
class Kept:
    """How a job ended before that does not run again: it would fail, or be skipped, in the same way.

    Args:
        status: ``failed``, or ``skipped`` because a job that it needs is kept as failed.
        code: short stable name of the reason.
    """

    status: Status
    reason: str
    code: str


@dataclass(frozen=True, slots=True)
class Job:
    """One job: what to do, under which digest, and after which other jobs.

    Args:
        stage: group of jobs in the dashboard and the progress bars, such as ``simulate-SPMe``.
        needs: keys of the jobs that must end first.
        reason: why it has to run; ``""`` = it is up to date, or ``kept``.
        kept: how it ended before, if it does not run although it is not done.
        key: name of the job in the Dask graph, as the dashboard shows it: stage, cell, label. It is made once, because
            a run of 100,000 cells keeps each key in several places.
    """

    kind: JobKind
    cell_id: str
    label: str
    stage: str
    digest: str
    work: Work
    needs: tuple[Key, ...] = ()
    reason: str = ""
    kept: Kept | None = None
    key: Key = field(default=(), compare=False, repr=False)

    def __post_init__(self) -> None:
        key = (self.stage, self.cell_id, self.label)
        if self.key != key:
            object.__setattr__(self, "key", key)


@dataclass(frozen=True, slots=True)
class ScannedSource:
    """A raw file with the cells it holds.

    Args:
        cell_ids: in the order of their first rows; empty when the file cannot be read. Its split job reports why.
        mtime_ns: modification time of the file before its digest was computed, ns since 1970.
        parts: byte ranges of a long file, which are split in parallel; empty = the file is split as a whole.
        problem: why the file cannot be opened (missing, a named pipe, no permission); ``""`` = it can.
        cells_by_name: if it cannot be opened, the cells that it has according to its name. They are not cleaned from
            their other files, and results from earlier runs stay.
        is_gone: whether the file does not exist any more, and what an earlier run recorded of it is used.
        unread: why its cells cannot be found; ``""`` = they can.
    """

    file: SourceFile
    cell_ids: tuple[str, ...]
    mtime_ns: int = 0
    parts: tuple[FileRange, ...] = ()
    problem: str = ""
    cells_by_name: tuple[str, ...] = ()
    is_gone: bool = False
    unread: str = ""


def split_digest(file: SourceFile) -> str:
    """Return the digest of the job that splits a whole file.

    The path is no part of it: a file that moved is the same file.
    """
    return digest("split", JOB_VERSIONS["split"], file.digest, file.settings)


def start_label(fit: str, start: int) -> str:
    """Return the label of the job of one start, such as ``diffusion-2``.

    Args:
        fit: name of the fit.
        start: number of the start, from 0, or ``NESTED_START``.
    """
    return f"{fit}-{NESTED_LABEL if start == NESTED_START else start}"


def without_set_source(cell: CellSettings) -> CellSettings:
    """Return the settings of a cell for a digest: whether its parameter set is a guess changes no result."""
    return replace(cell, parameter_set_source="")


def plugin_versions(settings: ParameterSetSettings) -> tuple[str, ...]:
    """Return the package besides PyBaMM that a parameter set comes from.

    Returns:
        One text such as ``my-sets 1.2``; empty for PyBaMM's own sets and for sets from a file.
    """
    if settings.file_digest:
        return ()
    package = registering_package(settings.base)
    if package.partition(" ")[0] in ("", "pybamm"):
        return ()
    return (package,)


def start_digest(settings: FitSettings, start: int, cleaned: str, warm: str = "") -> str:
    """Return the digest of the job that runs one start of a fit.

    Args:
        start: number of the start, from 0, or ``NESTED_START``.
        cleaned: digest of the cell's clean job.
        warm: digest of the fits at one of which the start begins: the previous one in a chain, or the smaller ones;
            ``""`` = none.
    """
    # The number of starts is no part of it: more starts can be added without repeating the old ones. Nor is what stops
    # a start early: starts that ran to the end are the same without it, and the others are known by their results.
    alone = replace(
        settings,
        cell=without_set_source(settings.cell),
        starts=0,
        profiles=False,
        time_limit_second=None,
        stop_beaten=False,
        smaller=(),
    )
    parts: list[object] = [cleaned, alone, start]
    if warm:
        parts.append(warm)
    parts.extend(plugin_versions(settings.parameter_set))
    return digest("start", JOB_VERSIONS["start"], installed_version("pybamm"), *parts)
