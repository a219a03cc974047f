"""Select the jobs of a plan: those of a command, of some fits, or of some cells, with the jobs they need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from ...data.errors import UsageError
from ...data.names import quote, suggest_or_list
from ...data.results.receipt import JobKind
from .job import FitWork, Job, Key, ModelWork, ScannedSource, SimulateWork, SplitWork
from .scan import describe_unread, find_unread_files
from .unreadable import find_unreadable

STAGE_KINDS: dict[str, tuple[JobKind, ...]] = {
    "clean": ("split", "clean"),
    "simulate": ("split", "clean", "simulate"),
    "fit": ("split", "clean", "start", "fit", "profile", "simulate"),
    "run": ("split", "clean", "simulate", "start", "fit", "profile"),
}
"""The kinds of jobs that each command runs; ``fit`` simulates only fitted parameter sets."""


def select_stage(jobs: Sequence[Job], command: str) -> tuple[Job, ...]:
    """Select the jobs of a command, with those they need.

    Args:
        command: ``clean``, ``simulate``, ``fit`` or ``run``.
    """
    kinds = STAGE_KINDS[command]
    chosen = [job for job in jobs if job.kind in kinds]
    if command == "simulate":
        chosen = [job for job in chosen if not _simulates_fit(job)]
    if command == "fit":
        chosen = [job for job in chosen if job.kind != "simulate" or _simulates_fit(job)]
    return tuple(chosen)


def select_fits(jobs: Sequence[Job], fits: Sequence[str]) -> tuple[Job, ...]:
    """Select the jobs of some fits, with those they need and the simulations with the fitted sets.

    Args:
        jobs: each after the jobs it needs.
        fits: names of fits; the name of a chain selects the fits of all its check-ups. Empty = all jobs. The jobs of
            raw files that cannot be opened are always selected: the cells of the fits may be in them.
    """
    if not fits:
        return tuple(jobs)
    all_fits = (job.work.settings for job in jobs if isinstance(job.work, FitWork))
    names = {*fits, *(fit.name for fit in all_fits if fit.chain in fits)}
    needed: set[Key] = set()
    for job in reversed(jobs):
        is_of_fits = isinstance(job.work, ModelWork) and job.work.fit_name in names
        if is_of_fits or job.key in needed:
            needed |= {job.key, *job.needs}
    return tuple(job for job in jobs if job.key in needed or _is_unopened(job))


def select_cells(
    jobs: Sequence[Job],
    cells: Sequence[str],
    sources: Sequence[ScannedSource] = (),
    gone: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Job, ...]:
    """Select the jobs of some cells, with the splits of raw files that they need.

    Args:
        cells: cell ids; empty = all jobs.
        sources: all raw files of the campaign. The job of a file that cannot be opened is selected with the cell that
            the file has according to its name: it fails and says why.
        gone: the file that a cell had in an earlier run, if it does not exist any more.

    Raises:
        UsageError: a cell is not in the campaign; the text gives the files that cannot be read and may hold it, and
            the nearest cell.
    """
    if not cells:
        return tuple(jobs)
    unopened = [source for source in sources if not set(cells).isdisjoint(source.cells_by_name)]
    known = {job.cell_id for job in jobs if job.kind == "clean"}
    known |= {cell for source in sources for cell in source.cells_by_name}
    for cell in cells:
        if cell in gone and cell not in known:
            raise UsageError(
                f"the file of the cell {quote(cell)} is gone: {gone[cell]}; put it back, or name other cells"
            )
        if cell not in known:
            unread = find_unread_files(sources, cell)
            where = f" in a readable file; {describe_unread(unread)}" if unread else ""
            text = f"the campaign has no cell {quote(cell)}{where}{suggest_or_list(cell, known)}"
            raise UsageError("\n".join([*find_unreadable(sources).values(), text]))
    chosen = [job for job in jobs if job.cell_id in cells]
    needed = {key for job in chosen for key in job.needs}
    paths = {source.file.path for source in unopened}
    needed |= {job.key for job in jobs if isinstance(job.work, SplitWork) and job.work.file.path in paths}
    return tuple(job for job in jobs if job.cell_id in cells or job.key in needed)


def _is_unopened(job: Job) -> bool:
    return isinstance(job.work, SplitWork) and bool(job.work.problem)


def _simulates_fit(job: Job) -> bool:
    return isinstance(job.work, SimulateWork) and bool(job.work.fit_label)
