"""Run jobs as one Dask graph, and yield their outcomes as they come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dask.highlevelgraph import HighLevelGraph, MaterializedLayer
from distributed import KilledWorker, as_completed

from ..plan.job import Job, Kept, Key
from ..worker.run_job import JobOutcome, record_death, run_job, skip_if_blocked
from .deaths import DeathReports

PRIORITIES = {"split": 0, "clean": 0, "simulate": 1, "start": 1, "fit": 2, "profile": 2}
"""Priority of each kind of job, higher first: jobs that use results run before new cells, so cells finish in turn."""


def build_graph(
    jobs: Sequence[Job], store_root: str, not_done: Mapping[Key, JobOutcome] | None = None
) -> HighLevelGraph:
    """Build the Dask graph of jobs, one layer per stage; keys are (stage, cell_id, label).

    Args:
        jobs: those to run. A needed job that is not among them is done already, and the graph has no edge to it.
        store_root: path of the store.
        not_done: outcomes of needed jobs that are not among the jobs and not done: what needs them is skipped.
    """
    ended = not_done or {}
    stage_of = {job.key: job.stage for job in jobs}
    layers: dict[str, dict[Key, Any]] = {}
    needs: dict[str, set[str]] = {}
    priority = {}
    for job in jobs:
        before = [key for key in job.needs if key in stage_of]
        not_done_before = [ended[key] for key in job.needs if key in ended and key not in stage_of]
        layers.setdefault(job.stage, {})[job.key] = (run_job, store_root, job, *before, *not_done_before)
        needs.setdefault(job.stage, set()).update(stage_of[key] for key in before if stage_of[key] != job.stage)
        priority[job.stage] = PRIORITIES[job.kind]
    materialized = {
        stage: MaterializedLayer(tasks, annotations={"stage": stage, "priority": priority[stage]})
        for stage, tasks in layers.items()
    }
    return HighLevelGraph(materialized, needs)


def run_jobs(
    client: Any, jobs: Sequence[Job], store_root: str, reports: DeathReports, kept: Mapping[Key, Kept] | None = None
) -> Iterator[list[JobOutcome]]:
    """Run jobs on the workers of a cluster and yield outcomes in batches, as soon as they arrive.

    Dask counts the death of a worker against every job that it had been given. Those that had not begun are run again
    after the others. When the caller stops early, jobs that have not begun are cancelled.

    Args:
        client: a ``distributed.Client``.
        jobs: each after the jobs it needs.
        store_root: path of the store.
        reports: writes the receipts of jobs whose workers died.
        kept: how jobs ended before that do not run again.
    """
    not_done = {key: JobOutcome(key, one.status, one.reason, code=one.code) for key, one in (kept or {}).items()}
    waiting = list(jobs)
    while waiting:
        innocent: dict[Key, int] = {}
        has_ended = False
        for batch in _run_once(client, build_graph(waiting, store_root, not_done), waiting, store_root):
            outcomes = []
            for job, outcome, times in batch:
                if outcome is None:
                    innocent[job.key] = times
                else:
                    outcomes.append(reports.finish(job, outcome))
            not_done |= {outcome.key: outcome for outcome in outcomes if outcome.status != "done"}
            if outcomes:
                has_ended = True
                yield outcomes
        waiting = [job for job in waiting if job.key in innocent]
        if waiting and not has_ended:
            outcomes = _give_up(waiting, innocent, store_root, reports, not_done)
            yield outcomes
            not_done |= {outcome.key: outcome for outcome in outcomes}
            waiting = [job for job in waiting if job.key not in not_done]


def _give_up(
    waiting: Sequence[Job],
    times: Mapping[Key, int],
    store_root: str,
    reports: DeathReports,
    not_done: Mapping[Key, JobOutcome],
) -> list[JobOutcome]:
    """Record jobs that no worker lived long enough to begin, and skip those that need one of them.

    Args:
        waiting: each after the jobs it needs.
        times: how often the workers of each died.
        not_done: how needed jobs ended that are not done.

    Returns:
        The outcomes, at least one.
    """
    keys = {job.key for job in waiting}
    ended = dict(not_done)
    outcomes: list[JobOutcome] = []
    for job in waiting:
        skipped = skip_if_blocked(store_root, job, [ended[key] for key in job.needs if key in ended])
        if skipped is None and not keys.isdisjoint(job.needs):
            continue  # a fit, of which a start may be done
        outcome = skipped or reports.record(job, reports.beginnings(job), times[job.key])
        ended[job.key] = outcome
        outcomes.append(outcome)
    return outcomes


def _run_once(
    client: Any, graph: HighLevelGraph, jobs: Sequence[Job], store_root: str
) -> Iterator[list[tuple[Job, JobOutcome | None, int]]]:
    """Run a graph; yield batches of jobs with their outcomes.

    Yields:
        Each job with its outcome and 0; or with ``None`` and how often its worker died, if Dask gave it up for that.
    """
    by_key = {job.key: job for job in jobs}
    futures: list[Any] = client.get(graph, list(by_key), sync=False)
    waiting = set(futures)
    try:
        for batch in as_completed(futures).batches():  # type: ignore[no-untyped-call]
            yield [(by_key[future.key], *_outcome(future, by_key[future.key], store_root)) for future in batch]
            waiting.difference_update(batch)
            for future in batch:
                future.release()
    finally:
        if waiting:
            client.cancel(list(waiting), force=True)


def _outcome(future: Any, job: Job, store_root: str) -> tuple[JobOutcome | None, int]:
    if future.status == "finished":
        outcome: JobOutcome = future.result()
        return outcome, 0
    error = None
    if future.status == "error":
        error = future.exception()
    if isinstance(error, KilledWorker):
        return None, error.allowed_failures + 1
    if error is not None:
        reason = f"{type(error).__name__}: {error}"
    else:
        reason = f"the scheduler reports the job as {future.status}"
    return record_death(store_root, job, reason, "scheduler"), 0
