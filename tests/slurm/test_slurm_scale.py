"""Jobs of a real Slurm that follow the work, restart, die and are submitted from a batch job."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from campaigns import PATIENCE_SECOND, kilocell, lines, results, write_campaign
from kilocell.data.settings import ClusterSettings
from kilocell.runner.cluster import slurm
from kilocell.runner.cluster.open import open_cluster

Queue = Callable[[], list[str]]

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

ONE_JOB = ClusterSettings(
    kind="slurm", jobs=1, cores=1, memory="1GiB", walltime="00:10:00", partition="main", dashboard_address="none"
)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm, "WATCH_INTERVAL_SECOND", 0.5)


def wait(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECOND
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_jobs_follow_the_work_and_lose_none_of_it(queue: Queue, tmp_path: Path) -> None:
    log = tmp_path / "log"

    def work(number: int) -> int:
        time.sleep(1.0)
        with log.open("a") as file:
            file.write(f"{number}\n")
        return number

    settings = replace(ONE_JOB, jobs=4, least_jobs=1)
    with open_cluster(settings, "run", tmp_path, print) as workers:
        assert workers.description.startswith("1 to 4 Slurm jobs of 1 worker each")
        assert len(queue()) == 1
        futures = workers.client.map(work, range(24))
        wait(lambda: len(queue()) == 4)
        assert workers.client.gather(futures) == list(range(24))
        held = workers.client.submit(work, 99)
        assert held.result() == 99
        del futures
        wait(lambda: len(queue()) == 1)
        assert held.result() == 99
    assert queue() == []
    assert Counter(log.read_text().split()) == Counter(str(number) for number in [*range(24), 99])


def test_a_worker_that_restarts_keeps_its_job_and_a_dead_job_shows_its_log(queue: Queue, tmp_path: Path) -> None:
    said: list[str] = []

    def die_once(marker: Path) -> str:
        if not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return os.environ["SLURM_JOB_ID"]

    def end_the_nanny(marker: Path) -> str:
        if not marker.exists():
            marker.touch()
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)
        return os.environ["SLURM_JOB_ID"]

    def nanny_status(dask_worker: Any) -> str:  # Dask hands the nanny over by this name
        return str(dask_worker.status.name)

    with open_cluster(replace(ONE_JOB, cores=2, memory="none"), "run", tmp_path, said.append) as workers:
        workers.client.wait_for_workers(2, timeout=PATIENCE_SECOND)
        # A worker that dies before its nanny knows it to be up ends the job.
        wait(lambda: set(workers.client.run(nanny_status, nanny=True).values()) == {"running"})
        assert workers.client.submit(die_once, tmp_path / "once").result(timeout=PATIENCE_SECOND)
        (first,) = queue()
        assert said == []
        again = workers.client.submit(end_the_nanny, tmp_path / "twice").result(timeout=PATIENCE_SECOND)
        assert again != first.split()[0]
    assert f"Slurm job {first.split()[0]} ended; another one replaces it" in said
    assert any(line.startswith("  | ") for line in said)


def test_memory_that_only_the_job_knows(queue: Queue, tmp_path: Path) -> None:
    settings = replace(ONE_JOB, memory="none", job_extra=("--mem-per-cpu=900M",), prologue=("export SITE=here",))
    with open_cluster(settings, "run", tmp_path, print) as workers:
        assert workers.client.submit(lambda: os.environ["SITE"]).result(timeout=PATIENCE_SECOND) == "here"
        (info,) = workers.client.scheduler_info()["workers"].values()
        assert info["memory_limit"] == (900 - 256) * 2**20


def test_a_job_that_is_cancelled_while_it_waits_is_replaced(queue: Queue, tmp_path: Path) -> None:
    said: list[str] = []
    with open_cluster(replace(ONE_JOB, jobs=7), "run", tmp_path, said.append):  # six cores
        wait(lambda: sum("PENDING" in line for line in queue()) == 1)
        (waiting,) = [line.split()[0] for line in queue() if "PENDING" in line]
        subprocess.run(["scancel", waiting], check=True)
        wait(lambda: len(queue()) == 7 and not any(line.startswith(f"{waiting} ") for line in queue()))
    assert f"Slurm job {waiting} ended before its worker started" in said
    assert any("left no log: it was cancelled while it waited" in line for line in said)


def test_a_batch_job_runs_a_campaign(queue: Queue, tmp_path: Path) -> None:
    for cell_id in ("A", "B"):
        (tmp_path / f"{cell_id}.csv").write_text(lines(cell_id))
    write_campaign(tmp_path)
    asked = ["submit", "campaign.toml", "--jobs", "2", "--memory", "1GiB", "--walltime", "00:10:00"]
    asked += ["--partition", "main", "--client-walltime", "00:30:00", "--client-memory", "1GiB"]
    shown = kilocell(*asked, "--dry-run", cwd=tmp_path).stdout
    assert shown.count("#!/usr/bin/env bash") == 2
    assert "nothing was submitted; at most 1.5 core hours: (2 jobs × 1 cores + 1) × 00:30:00" in shown
    assert queue() == []
    assert not (tmp_path / "store").exists()

    submitted = kilocell(*asked, cwd=tmp_path).stdout
    found = re.search(r"Slurm job (\d+)", submitted)
    assert found
    wait(lambda: not queue())
    log = (tmp_path / "store" / "logs" / "submit" / f"{found[1]}.log").read_text()
    assert "2 Slurm jobs of 1 worker each in partition main" in log
    assert results(tmp_path) == {("A", "SPM"): "done", ("B", "SPM"): "done"}
