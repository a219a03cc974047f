"""Jobs in tasks: short ones of a cell share one, a task needs no other, and no job runs before what it needs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import distributed
import pytest
from campaigns import PATIENCE_SECOND
from dask.utils import key_split
from distributed.client import FutureCancelledError
from kilocell.runner.cluster.dashboard import count_ended_tasks
from kilocell.runner.plan.job import Job
from kilocell.runner.run.graph import _result, build_graph, make_task
from kilocell.runner.run.job_queue import SHARED_SECOND, TASK_SECOND, JobQueue
from kilocell.runner.worker.run_job import JobOutcome
from test_plan import plan


def campaign(folder: Path, cells: int) -> list[Job]:
    """Jobs of many cells: cleaning, and two models that need it."""
    clean, simulate = (next(job for job in plan(folder) if job.stage == stage) for stage in ("clean", "simulate-SPMe"))
    jobs = []
    for number in range(cells):
        cell = f"C{number:03d}"
        first = replace(clean, cell_id=cell, needs=())
        jobs.append(first)
        for stage in ("simulate-SPM", "simulate-SPMe"):
            jobs.append(replace(simulate, cell_id=cell, stage=stage, needs=(first.key,)))
    return jobs


def end(queue: JobQueue, jobs: Sequence[Job], seconds: float, status: str = "done") -> None:
    for job in jobs:
        queue.end(JobOutcome(job.key, status, seconds=seconds))  # type: ignore[arg-type]


def test_each_job_is_taken_once_and_after_what_it_needs(tmp_path: Path) -> None:
    jobs = list(plan(tmp_path))
    queue = JobQueue(jobs)
    ended: set[tuple[str, ...]] = set()
    while len(queue):
        taken = queue.take(1)
        for job in taken:
            assert set(job.needs) <= ended, job.key
            assert job.key not in ended
            ended.add(job.key)
        end(queue, taken, 0.01)
    assert ended == {job.key for job in jobs}
    assert queue.take(1) == []


def test_jobs_share_a_task_once_they_are_known_to_be_short(tmp_path: Path) -> None:
    queue = JobQueue(campaign(tmp_path, 100))
    alone = queue.take(2)
    assert [job.stage for job in alone] == ["clean"]
    end(queue, alone, 0.05)
    for _ in range(2):  # the models of the first cell, each of which is unknown
        taken = queue.take(2)
        assert len(taken) == 1
        end(queue, taken, 0.05)
    shared = queue.take(2)
    assert len(shared) * 0.05 >= TASK_SECOND
    assert [job.stage for job in shared[:3]] == ["clean", "simulate-SPM", "simulate-SPMe"]
    assert len({job.cell_id for job in shared}) * 3 == len(shared)


def test_long_jobs_have_tasks_of_their_own(tmp_path: Path) -> None:
    queue = JobQueue(campaign(tmp_path, 10))
    for job in campaign(tmp_path, 1):
        assert queue.take(1) == [job]
        end(queue, [job], 2.0 * SHARED_SECOND if job.stage == "simulate-SPMe" else 0.01)
    while len(queue):
        taken = queue.take(1)
        stages = {job.stage for job in taken}
        assert stages in ({"simulate-SPMe"}, {"clean", "simulate-SPM"}), stages
        assert stages != {"simulate-SPMe"} or len(taken) == 1
        end(queue, taken, 2.0 * SHARED_SECOND if "simulate-SPMe" in stages else 0.01)


def test_the_end_of_a_run_is_divided_among_the_threads(tmp_path: Path) -> None:
    queue = JobQueue(campaign(tmp_path, 10))
    for job in campaign(tmp_path, 1):
        queue.take(1)
        end(queue, [job], 0.1)
    sizes = []
    while taken := queue.take(4):
        sizes.append(len(taken))
    assert sum(sizes) == 27
    assert len(sizes) >= 8


def test_jobs_of_a_lost_task_run_one_by_one(tmp_path: Path) -> None:
    queue = JobQueue(campaign(tmp_path, 3))
    for job in campaign(tmp_path, 1):
        queue.take(1)
        end(queue, [job], 0.001)
    lost = queue.take(1)
    assert len(lost) == 3
    queue.put_back(lost)
    keys = [job.key for job in lost]
    again = []
    while len(queue):
        taken = queue.take(1)
        those = [job.key for job in taken if job.key in keys]
        assert not those or len(taken) == 1
        again += those
        end(queue, taken, 0.001)
    assert again == keys


def test_a_larger_record_counts_for_more(tmp_path: Path) -> None:
    jobs = campaign(tmp_path, 20)
    large = jobs[30]
    source = large.work.sources[0]  # type: ignore[union-attr]
    file = replace(source.file, bytes=source.file.bytes * 1000, path="large")
    jobs[30] = replace(large, work=replace(large.work, sources=(replace(source, file=file),)))  # type: ignore[arg-type]
    queue = JobQueue(jobs)
    for job in jobs[:3]:
        queue.take(1)
        end(queue, [job], 0.001)
    tasks = []
    while taken := queue.take(1):
        tasks.append(taken)
        end(queue, taken, 0.001)
    (with_large,) = [task for task in tasks if large.key in {job.key for job in task}]
    assert [job.key for job in with_large] == [large.key]


def test_a_task_says_its_stages_and_cells_and_needs_no_other(tmp_path: Path) -> None:
    jobs = campaign(tmp_path, 3)
    failed = JobOutcome(jobs[0].key, "failed", "why")
    tasks = [make_task(jobs[1:3], {jobs[0].key: failed}, 0), make_task(jobs[3:], {}, 1), make_task(jobs[:1], {}, 2)]
    assert [task.key[:2] for task in tasks] == [
        ("simulate", "C000"),
        ("clean-simulate", "C001 and 1 more"),
        ("clean", "C000"),
    ]
    assert tasks[0].before == {jobs[0].key: failed}
    graph = build_graph(tasks, "store")
    assert set(graph.keys()) == {task.key for task in tasks}
    assert not any(graph.dependencies.values())
    for task in tasks:
        assert key_split(task.key) == task.key[0]
        assert graph.layers[task.key[0]].annotations == {"stage": task.key[0]}


def test_a_task_of_a_lost_scheduler_has_no_outcome() -> None:
    with (
        distributed.LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,  # type: ignore[no-untyped-call]
    ):
        future = client.submit(time.sleep, 0.5)
        client.cancel([future], force=True)
        with pytest.raises(FutureCancelledError):
            _result(future)


def test_the_bars_of_the_dashboard_keep_the_tasks_that_ended() -> None:
    with (
        distributed.LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=1, processes=False, dashboard_address=":0", silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as client,  # type: ignore[no-untyped-call]
    ):
        scheduler = cast(Any, cluster).scheduler

        async def count() -> None:
            count_ended_tasks(scheduler)
            count_ended_tasks(scheduler)

        client.sync(count)
        for number in range(3):
            future = client.submit(int, 1, key=("clean", f"A{number}", str(number)))
            assert future.result() == 1
            future.release()
        failing = client.submit(int, "no number", key=("clean", "B", "3"))
        assert isinstance(failing.exception(), ValueError)
        failing.release()
        until = time.monotonic() + PATIENCE_SECOND
        while scheduler.tasks and time.monotonic() < until:
            time.sleep(0.01)
        bar = scheduler.task_prefixes["clean"].states
        assert {state: number for state, number in bar.items() if number and state != "forgotten"} == {"released": 4}
