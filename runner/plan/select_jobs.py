"""Select the jobs of a plan: those of a command, of some fits, or of some cells, with the jobs they need."""

from __future__ import annotations

from collections.abc import Sequence

from ...data.names import check_known
from ...data.results.receipt import JobKind
from .job import FitWork, Job, Key, ProfileWork, SimulateWork, StartWork

STAGE_KINDS: dict[str, tuple[JobKind, ...]] = {
    "clean": ("split", "clean"),
    "simulate": ("split", "clean", "simulate"),
    "fit": ("split", "clean", "start", "fit", "profile", "simulate"),
    "run": ("split", "clean", "simulate", "start", "fit", "profile"),
}
"""Which kinds of jobs each command runs; ``fit`` simulates only fitted parameter sets."""


def select_stage(jobs: Sequence[Job], command: str) -> tuple[Job, ...]:
    """The jobs that a command (``clean``, ``simulate``, ``fit``, ``run``) is about, with those they need."""
    kinds = STAGE_KINDS[command]
    chosen = [job for job in jobs if job.kind in kinds]
    if command == "simulate":
        chosen = [job for job in chosen if not _is_fitted(job)]
    if command == "fit":
        chosen = [job for job in chosen if job.kind != "simulate" or _is_fitted(job)]
    return tuple(chosen)


def _is_fitted(job: Job) -> bool:
    return isinstance(job.work, SimulateWork) and bool(job.work.fit_label)


def select_fits(jobs: Sequence[Job], fits: Sequence[str]) -> tuple[Job, ...]:
    """The jobs of some fits, with those they need and the simulations of what they find; all where none is named.

    The name of a chain stands for the fits of all its check-ups.
    """
    if not fits:
        return tuple(jobs)
    links = (job.work.settings for job in jobs if isinstance(job.work, FitWork))
    fits = (*fits, *(link.name for link in links if link.chain in fits))
    needed: set[Key] = set()
    for job in reversed(jobs):  # a job stands before those that need it
        if _fit_name(job) in fits or job.key in needed:
            needed |= {job.key, *job.needs}
    return tuple(job for job in jobs if job.key in needed)


def _fit_name(job: Job) -> str:
    if isinstance(job.work, SimulateWork):
        return job.work.fit_label
    return job.work.settings.name if isinstance(job.work, (StartWork, FitWork, ProfileWork)) else ""


def select_cells(jobs: Sequence[Job], cells: Sequence[str]) -> tuple[Job, ...]:
    """The jobs of some cells, with the splits of files that they need; all where no cell is named.

    Raises:
        UsageError: a cell is not in the campaign; the nearest name is given.
    """
    if not cells:
        return tuple(jobs)
    known = {job.cell_id for job in jobs if job.kind == "clean"}
    check_known("the campaign has no cell", cells, known)
    chosen = [job for job in jobs if job.cell_id in cells]
    needed = {key for job in chosen for key in job.needs}
    return tuple(job for job in jobs if job.cell_id in cells or job.key in needed)
