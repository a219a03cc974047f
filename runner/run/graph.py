"""Jobs as one Dask graph, and their outcomes as they come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dask.highlevelgraph import HighLevelGraph, MaterializedLayer
from distributed import KilledWorker, as_completed

from ..plan.job import Job, Key
from ..worker.run_job import JobOutcome, record_death, run_job

PRIORITIES = {"split": 0, "clean": 0, "simulate": 1, "start": 1, "fit": 2, "profile": 2}
"""Higher first: what needs results goes before new cells, so that cells finish one after another."""


def build_graph(jobs: Sequence[Job], store_root: str) -> HighLevelGraph:
    """Turn jobs into a graph of one layer a stage; keys are (stage, cell_id, label).

    A job that is needed but not among ``jobs`` is done already and no edge is drawn to it.
    """
    here = {job.key for job in jobs}
    stage_of = {job.key: job.stage for job in jobs}
    layers: dict[str, dict[Key, Any]] = {}
    needs: dict[str, set[str]] = {}
    priority = {}
    for job in jobs:
        before = [key for key in job.needs if key in here]
        layers.setdefault(job.stage, {})[job.key] = (run_job, store_root, job, *before)
        needs.setdefault(job.stage, set()).update(stage_of[key] for key in before if stage_of[key] != job.stage)
        priority[job.stage] = PRIORITIES[job.kind]
    made = {
        stage: MaterializedLayer(tasks, annotations={"stage": stage, "priority": priority[stage]})
        for stage, tasks in layers.items()
    }
    return HighLevelGraph(made, needs)


def run_jobs(client: Any, jobs: Sequence[Job], store_root: str) -> Iterator[list[JobOutcome]]:
    """Run jobs on the workers of a ``distributed.Client`` and give outcomes as soon as they are there, in batches.

    A job whose worker died too often becomes a failed outcome with a receipt written here. When the caller stops
    early, jobs that have not begun are cancelled.
    """
    by_key = {job.key: job for job in jobs}
    graph = build_graph(jobs, store_root)
    futures: list[Any] = client.get(graph, list(by_key), sync=False)
    waiting = set(futures)
    try:
        for batch in as_completed(futures).batches():  # type: ignore[no-untyped-call]
            yield [_outcome(future, by_key[future.key], store_root) for future in batch]
            waiting.difference_update(batch)
            for future in batch:
                future.release()
    finally:
        if waiting:
            client.cancel(list(waiting), force=True)


def _outcome(future: Any, job: Job, store_root: str) -> JobOutcome:
    if future.status == "finished":
        outcome: JobOutcome = future.result()
        return outcome
    error = future.exception() if future.status == "error" else None
    if isinstance(error, KilledWorker):
        # A worker that held an earlier job's outcome may die with it; then that job is the one that is named.
        whose = "its worker" if str(error.task) == str(future.key) else f"the worker of {error.task}"
        reason = (
            f"{whose} died {error.allowed_failures + 1} times (out of memory, or a crash in the solver); "
            "raise --memory-limit or use fewer workers"
        )
        return record_death(store_root, job, reason, "worker_died")
    words = f"{type(error).__name__}: {error}" if error is not None else f"the scheduler says {future.status}"
    return record_death(store_root, job, words, "scheduler")
