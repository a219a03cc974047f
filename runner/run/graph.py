"""Run jobs as one Dask graph, and yield their outcomes as they come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dask.highlevelgraph import HighLevelGraph, MaterializedLayer
from distributed import KilledWorker, as_completed

from ..plan.job import Job, Key
from ..worker.run_job import JobOutcome, record_death, run_job

PRIORITIES = {"split": 0, "clean": 0, "simulate": 1, "start": 1, "fit": 2, "profile": 2}
"""Priority of each kind of job, higher first: jobs that use results run before new cells, so cells finish in turn."""


def build_graph(jobs: Sequence[Job], store_root: str) -> HighLevelGraph:
    """Build the Dask graph of jobs, one layer per stage; keys are (stage, cell_id, label).

    Args:
        jobs: those to run. A needed job that is not among them is done already, and the graph has no edge to it.
        store_root: path of the store.
    """
    stage_of = {job.key: job.stage for job in jobs}
    layers: dict[str, dict[Key, Any]] = {}
    needs: dict[str, set[str]] = {}
    priority = {}
    for job in jobs:
        before = [key for key in job.needs if key in stage_of]
        layers.setdefault(job.stage, {})[job.key] = (run_job, store_root, job, *before)
        needs.setdefault(job.stage, set()).update(stage_of[key] for key in before if stage_of[key] != job.stage)
        priority[job.stage] = PRIORITIES[job.kind]
    materialized = {
        stage: MaterializedLayer(tasks, annotations={"stage": stage, "priority": priority[stage]})
        for stage, tasks in layers.items()
    }
    return HighLevelGraph(materialized, needs)


def run_jobs(client: Any, jobs: Sequence[Job], store_root: str) -> Iterator[list[JobOutcome]]:
    """Run jobs on the workers of a cluster and yield outcomes in batches, as soon as they arrive.

    A job whose worker died too often becomes a failed outcome; its receipt is written here. When the caller stops
    early, jobs that have not begun are cancelled.

    Args:
        client: a ``distributed.Client``.
        jobs: each after the jobs it needs.
        store_root: path of the store.
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
    error = None
    if future.status == "error":
        error = future.exception()
    if isinstance(error, KilledWorker):
        # When the worker that held an earlier job's outcome died, the error names that job.
        whose = "its worker"
        if str(error.task) != str(future.key):
            whose = f"the worker of {error.task}"
        reason = (
            f"{whose} died {error.allowed_failures + 1} times (out of memory, or a crash in the solver); "
            "raise --memory-limit or use fewer workers"
        )
        return record_death(store_root, job, reason, "worker_died")
    if error is not None:
        reason = f"{type(error).__name__}: {error}"
    else:
        reason = f"the scheduler reports the job as {future.status}"
    return record_death(store_root, job, reason, "scheduler")
