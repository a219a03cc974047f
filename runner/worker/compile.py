"""Which jobs of a run compile their models (where the code is there, or enough jobs will share it), and how."""

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
from ..plan.job import FitWork, Job, ProfileWork, SimulateWork, StartWork
from . import model_cache

Choice = Literal["auto"] | bool
LEAST_SIMULATIONS: Final = (
    200  # simulations: gcc takes 0.4 s (SPM) to 8 s (DFN), and each gains 3 ms (SPM) to 26 ms (DFN), or more
)
COMPILABLE_RESULTS: Final = (
    SimulationResult,
    StartResult,
    ProfileResult,
)  # results that say whether their model was compiled
PER_START: Final = 50  # simulations that a start of a fit, or a profile, stands for


def compiled_model_key(work: object) -> str | None:
    """A digest of the model that a job builds, as far as the plan knows it; ``None`` where it builds none."""
    if not isinstance(work, (SimulateWork, StartWork, FitWork, ProfileWork)):
        return None
    settings = work.settings
    fitted = tuple(sorted(p.name for p in getattr(settings, "parameters", ())))
    model = (settings.model.type, repr(replace(settings.model, name="")))
    return digest("compiled", *model, *_structure(settings.parameter_set), *fitted)[:16]


def _structure(parameter_set: ParameterSetSettings) -> tuple[str, ...]:
    """A parameter set without the numbers of its overrides, which are inputs of the built model."""
    return parameter_set.base, *(f"{o.parameter} {o.kind}" for o in parameter_set.overrides)


def choose_compiled(jobs: Sequence[Job], choice: Choice, known: Callable[[str], bool]) -> tuple[Job, ...]:
    """Say of each job whether it compiles its model.

    Args:
        jobs: those that will run.
        choice: the campaign's; ``auto`` = compile models that ``LEAST_SIMULATIONS`` simulations share, or that are known.
        known: tells whether a kind of model has been compiled before.
    """
    if choice is False:
        return tuple(jobs)
    waiting = Counter[str]()
    for job in jobs:
        kind = compiled_model_key(job.work)
        if kind is not None:
            waiting[kind] += PER_START if isinstance(job.work, (StartWork, ProfileWork)) else 1
    chosen = {kind for kind, number in waiting.items() if choice is True or number >= LEAST_SIMULATIONS or known(kind)}
    return tuple(_compiling(job) if compiled_model_key(job.work) in chosen else job for job in jobs)


@contextmanager
def compile_job_models(work: object) -> Iterator[Callable[[], bool]]:
    """Compile the models that a job builds, if it is to; gives what says afterwards whether they were compiled.

    Where that is not possible they run in CasADi's virtual machine, with the same result.
    """
    kind = compiled_model_key(work) if getattr(work, "compiled", False) else None
    if kind is None or not model_cache.prepare():
        yield lambda: False
        return
    from ...jobs.models.build import compile_models, is_all_compiled

    with compile_models(True):
        yield is_all_compiled
    if is_all_compiled():
        model_cache.note_use(kind)


def _compiling(job: Job) -> Job:
    if isinstance(job.work, (SimulateWork, StartWork, FitWork, ProfileWork)):
        return replace(job, work=replace(job.work, compiled=True))
    return job
