"""What is said of a worker that died: how it ended, with how much memory, and what helps on the cluster in use."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from kilocell.parquet_store.layout import Store
from kilocell.parquet_store.read import read_receipt
from kilocell.runner.cluster.exits import EXITS_FILE, WorkerExit
from kilocell.runner.run import deaths as deaths_module
from kilocell.runner.run.deaths import DeathReports
from kilocell.runner.run.graph import MOST_LOST, _Lost, _put_back, make_task
from kilocell.runner.run.job_queue import JobQueue
from kilocell.runner.worker import deaths
from kilocell.runner.worker.run_job import DIED, JobOutcome
from test_plan import plan

KILLED = WorkerExit(socket.gethostname(), os.getpid(), -9, 1_930_000_000, 4_000_000_000, False, 0.0)


def reason(folder: Path, cluster: str, ended: WorkerExit | None) -> str:
    """Return what is said of a job that began three times in this process."""
    store = Store(folder / "store")
    job = plan(folder)[0]
    for _ in range(3):
        deaths.begin(store, job)
    if ended is not None:
        (folder / EXITS_FILE).write_text(json.dumps(asdict(ended)) + "\n")
    died = JobOutcome(job.key, "failed", "its worker died", code=DIED)
    outcome = DeathReports(store, folder, cluster, 4000.0).finish(job, died)
    receipt = read_receipt(store.receipt(job.kind, job.cell_id, job.label))
    assert receipt is not None
    assert (receipt.reason, receipt.reason_code) == (outcome.reason, DIED)
    assert not deaths.begun_path(store, job).exists()
    return outcome.reason


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        (KILLED, "by signal 9 (SIGKILL), with 1.93 GB of memory of 4.00 GB allowed; something else killed it"),
        (replace(KILLED, exit_code=-15, over_limit=True), "because of its memory limit, with 1.93 GB of memory of"),
        (replace(KILLED, exit_code=-11, limit_bytes=0), "by signal 11 (SIGSEGV), with 1.93 GB of memory, without a"),
        (replace(KILLED, exit_code=3), "with exit code 3, with 1.93 GB of memory of 4.00 GB allowed; a library"),
    ],
)
def test_a_death_says_signal_or_exit_code_and_memory(tmp_path: Path, ended: WorkerExit, words: str) -> None:
    assert f"its worker died 3 times, the last time {words}" in reason(tmp_path, "local", ended)


@pytest.mark.parametrize(
    ("cluster", "options"),
    [
        ("local", ("--memory-limit", "--workers")),
        ("slurm", ("--memory", "--cores")),
        ("tls://10.0.0.1:8786", ("dask worker --memory-limit", "on each machine")),
    ],
)
def test_the_options_are_those_of_the_cluster(tmp_path: Path, cluster: str, options: tuple[str, ...]) -> None:
    said = reason(tmp_path, cluster, replace(KILLED, over_limit=True))
    assert all(option in said for option in options)
    others = {"--memory-limit", "--memory,", "--cores", "--workers"} - set(options) - {"--memory,"}
    if cluster != "local":
        assert not any(option in said.replace("dask worker --memory-limit", "") for option in others)


def test_a_death_that_nobody_saw_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deaths_module, "NOTED_WITHIN_SECOND", 0.1)
    said = reason(tmp_path, "slurm", replace(KILLED, pid=1))
    assert "how is not known" in said
    assert "silent for 4000 s (worker-ttl)" in said
    assert "--cores" in said


def test_what_no_worker_began_is_not_blamed_on_what_needs_it(tmp_path: Path) -> None:
    jobs = [job for job in plan(tmp_path) if job.kind in ("clean", "simulate") and job.cell_id == "B"]
    reports = DeathReports(Store(tmp_path / "store"), tmp_path, "local")
    queue = JobQueue(jobs)
    times: dict[tuple[str, ...], int] = {}
    outcomes: list[JobOutcome] = []
    for number in range(1, MOST_LOST + 1):
        outcomes = _put_back(queue, make_task(jobs, {}, number), _Lost(10, "killed"), reports, times, {})
        assert bool(outcomes) == (number == MOST_LOST)
    statuses = {outcome.key: outcome.status for outcome in outcomes}
    assert statuses == {job.key: "failed" if job.kind == "clean" else "skipped" for job in jobs}
    assert f"its workers died {10 * MOST_LOST} times before the job began" in outcomes[0].reason
