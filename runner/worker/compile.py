"""Decide which jobs of a run compile their models, and compile them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Final, Literal

from ...data.codec import digest
from ...data.results.fitting import ProfileResult, StartResult
from ...data.results.simulation import SimulationResult
from ...data.settings import ParameterSetSettings
from ..plan.job import Job, ModelWork, ProfileWork, StartWork, Work
from . import model_cache

Choice = Literal["auto"] | bool

LEAST_SIMULATIONS: Final = 200
"""Simulations that must share a model before ``auto`` compiles it. gcc takes 0.4 s (SPM) to 8 s (DFN), and compiled
code saves 3 ms (SPM) to 26 ms (DFN) or more in each simulation."""

SIMULATIONS_PER_START: Final = 50
"""Simulations that a start of a fit, or a profile likelihood, counts as."""

COMPILABLE_RESULTS: Final = (SimulationResult, StartResult, ProfileResult)
"""Results with a field ``compiled``, which says whether their model was compiled."""


def compiled_model_key(work: Work) -> str | None:
    """Return a name for the model that a job builds, the same for all jobs that can share its compiled code.

    Returns:
        16 hex digits; ``None`` when the job builds no model.
    """
    if not isinstance(work, ModelWork):
        return None
    settings = work.settings
    fitted = tuple(sorted(parameter.name for parameter in getattr(settings, "parameters", ())))
    model = (settings.model.type, repr(replace(settings.model, name="")))
    return digest("compiled", *model, *_structure(settings.parameter_set), *fitted)[:16]


def choose_compiled(jobs: Sequence[Job], choice: Choice, known: Callable[[str], bool]) -> tuple[Job, ...]:
    """Set for each job whether it compiles its model.

    Args:
        jobs: the jobs that will run.
        choice: as in the campaign; ``auto`` = compile models that ``LEAST_SIMULATIONS`` simulations share, or that
            were compiled on this machine before.
        known: whether a model, by its :func:`compiled_model_key`, was compiled before.

    Returns:
        The jobs, in the same order.
    """
    if choice is False:
        return tuple(jobs)
    simulations = Counter[str]()
    for job in jobs:
        key = compiled_model_key(job.work)
        if key is not None:
            simulations[key] += _simulations_of(job.work)
    chosen = {key for key, number in simulations.items() if choice is True or number >= LEAST_SIMULATIONS or known(key)}
    return tuple(_with_compiled(job, compiled_model_key(job.work) in chosen) for job in jobs)


@contextmanager
def compile_job_models(work: Work) -> Iterator[Callable[[], bool]]:
    """Compile the models that a job builds inside the ``with`` block, if the run has chosen so.

    Where models cannot be compiled they run in CasADi's virtual machine, with the same result.

    Yields:
        A function that tells, after the job, whether all its models were compiled.
    """
    key = None
    if isinstance(work, ModelWork) and work.compiled:
        key = compiled_model_key(work)
    if key is None or not model_cache.prepare():
        yield lambda: False
        return
    from ...jobs.models.build import compile_models
    from ...jobs.models.replay_solver import is_all_compiled

    with compile_models(True):
        yield is_all_compiled
    if is_all_compiled():
        model_cache.note_use(key)


def _structure(parameter_set: ParameterSetSettings) -> tuple[str, ...]:
    """Return a parameter set without the numbers of its overrides, which are inputs of the built model."""
    return parameter_set.base, *(f"{override.parameter} {override.kind}" for override in parameter_set.overrides)


def _simulations_of(work: Work) -> int:
    """Return about how many simulations a job runs."""
    if isinstance(work, (StartWork, ProfileWork)):
        return SIMULATIONS_PER_START
    return 1


def _with_compiled(job: Job, compiled: bool) -> Job:
    if compiled and isinstance(job.work, ModelWork):
        return replace(job, work=replace(job.work, compiled=True))
    return job
