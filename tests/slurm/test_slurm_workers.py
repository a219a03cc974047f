"""Workers in jobs of a real Slurm: they compute, are replaced, and never stay behind in the queue."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from campaigns import PATIENCE_SECOND
from kilocell.data.errors import ClusterError, UsageError
from kilocell.data.settings import ClusterSettings
from kilocell.runner.cluster import slurm
from kilocell.runner.cluster.open import open_cluster

Queue = Callable[[], list[str]]

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

ONE_JOB = ClusterSettings(
    kind="slurm", jobs=1, cores=1, memory="1GiB", walltime="00:10:00", partition="main", dashboard_address="none"
)


def test_three_jobs_compute_and_the_queue_ends_empty(
    queue: Queue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_MEM_PER_CPU", "7")  # as in a run that is a Slurm job itself
    handler = signal.getsignal(signal.SIGINT)
    scratch = tmp_path / "a store's logs"
    scratch.mkdir()

    def listening_hosts() -> list[str]:  # of a worker and its nanny
        worker = psutil.Process()
        found = [one.net_connections("tcp") for one in (worker, worker.parent()) if one is not None]
        return [entry.laddr.ip for entries in found for entry in entries if entry.status == "LISTEN"]

    with open_cluster(replace(ONE_JOB, jobs=3), "trial run", scratch, print) as workers:
        assert workers.description == "3 Slurm jobs of 1 worker each in partition main (1GiB, 00:10:00 per job)"
        assert workers.dashboard == ""
        assert signal.getsignal(signal.SIGINT) is handler
        workers.client.wait_for_workers(3, timeout=PATIENCE_SECOND)
        squares = workers.client.gather(workers.client.map(pow, range(30), [2] * 30))
        assert squares == [number**2 for number in range(30)]
        assert all(line.split()[1].startswith("trialrun-") for line in queue())
        assert {entry["memory_limit"] for entry in workers.client.scheduler_info()["workers"].values()} == {768 * 2**20}
        names = ("OMP_NUM_THREADS", "PYBAMM_DISABLE_TELEMETRY", "SLURM_MEM_PER_CPU")
        found = workers.client.run(lambda: [os.environ.get(name) for name in names])
        assert list(found.values()) == [["1", "true", None]] * 3
        assert all(address.startswith("tls://") for address in found)
        listening = [host for hosts in workers.client.run(listening_hosts).values() for host in hosts]
        assert listening
        assert not {"0.0.0.0", "::"} & set(listening)
    assert queue() == []
    assert not list(scratch.rglob("*.pem"))
    assert signal.getsignal(signal.SIGINT) is handler


def test_several_workers_in_a_job(queue: Queue, tmp_path: Path) -> None:
    with open_cluster(replace(ONE_JOB, cores=2), "run", tmp_path, print) as workers:
        workers.client.wait_for_workers(2, timeout=PATIENCE_SECOND)
        info = workers.client.scheduler_info()["workers"].values()
        assert {(entry["nthreads"], entry["memory_limit"]) for entry in info} == {(1, 384 * 2**20)}
        assert len(queue()) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"partition": "shrt"}, 'cluster has no partition "shrt".*did you mean "short"'),
        ({"partition": "short", "walltime": "00:02:00"}, "longer than partition short allows .00:01:00"),
        ({"walltime": "soon"}, "walltime 'soon'"),
        ({"walltime": "infinite"}, "need a time limit"),
        ({"cores": 99}, "would not accept the jobs: .*not available"),
        ({"job_extra": ("--constraint=nonsense",)}, "would not accept the jobs: .*feature"),
    ],
)
def test_refused_before_anything_is_submitted(
    change: dict[str, object], words: str, queue: Queue, tmp_path: Path
) -> None:
    settings = replace(ONE_JOB, **change)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=words), open_cluster(settings, "run", tmp_path, print):
        pytest.fail("opened")
    assert queue() == []
    assert list(tmp_path.iterdir()) == []


def test_an_exception_inside_leaves_the_queue_empty(queue: Queue, tmp_path: Path) -> None:
    def fail_while_a_job_runs() -> None:
        with open_cluster(replace(ONE_JOB, jobs=2), "run", tmp_path, print) as workers:
            held = workers.client.submit(time.sleep, 600)
            workers.client.wait_for_workers(1, timeout=PATIENCE_SECOND)
            assert len(queue()) == 2
            assert not held.done()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_while_a_job_runs()
    assert queue() == []


def test_a_cancelled_job_is_replaced(queue: Queue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm, "WATCH_INTERVAL_SECOND", 0.5)
    said: list[str] = []

    cancelled = tmp_path / "cancelled"

    def job_afterwards() -> str:
        while not cancelled.exists():
            time.sleep(0.05)
        return os.environ["SLURM_JOB_ID"]

    with open_cluster(ONE_JOB, "run", tmp_path, said.append) as workers:
        workers.client.wait_for_workers(1, timeout=PATIENCE_SECOND)
        lost = queue()[0].split()[0]
        work = workers.client.submit(job_afterwards)
        subprocess.run(["scancel", lost], check=True)
        while any(line.startswith(f"{lost} ") for line in queue()):
            time.sleep(0.05)
        cancelled.touch()
        assert work.result(timeout=PATIENCE_SECOND) != lost
    assert f"Slurm job {lost} ended; another one replaces it" in said


def test_jobs_that_die_at_once_stop_the_run_with_their_log(
    queue: Queue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho this node has no such environment\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    monkeypatch.setattr(slurm, "WATCH_INTERVAL_SECOND", 0.5)

    def wait_for_a_result() -> None:
        with open_cluster(ONE_JOB, "run", tmp_path, print) as workers:
            workers.client.submit(pow, 2, 2).result(timeout=PATIENCE_SECOND)

    with pytest.raises(ClusterError, match=r"3 Slurm jobs in a row .*(\n.*)*this node has no such environment"):
        wait_for_a_result()
    assert queue() == []


def test_a_worker_leaves_before_the_walltime_without_losing_work(
    queue: Queue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slurm, "WATCH_INTERVAL_SECOND", 0.5)
    monkeypatch.setattr(slurm, "drain_margin_second", lambda walltime: 50.0)  # leaves 10 s after its job began
    log = tmp_path / "log"

    def work(number: int) -> str:
        time.sleep(1.5)
        with log.open("a") as file:
            file.write(f"{number}\n")
        return os.environ["SLURM_JOB_ID"]

    with open_cluster(replace(ONE_JOB, partition="short", walltime="00:01:00"), "run", tmp_path, print) as workers:
        jobs = workers.client.gather(workers.client.map(work, range(12)))
    assert len(set(jobs)) >= 2
    assert Counter(log.read_text().split()) == Counter(str(number) for number in range(12))


DRIVER = """
import signal, sys, time
from pathlib import Path
from distributed import as_completed
from kilocell.data.settings import ClusterSettings
from kilocell.runner.cluster.open import open_cluster

def terminate(number, frame):
    raise SystemExit(143)

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, terminate)
    settings = ClusterSettings(kind="slurm", jobs=8, memory="1GiB", walltime="00:10:00", dashboard_address="none")
    try:
        with open_cluster(settings, "run", Path(sys.argv[1]), print) as workers:
            results = workers.client.map(time.sleep, range(600, 620))
            workers.client.wait_for_workers(1, timeout=300)
            print("ready", flush=True)
            for future in as_completed(results):
                future.release()
    except KeyboardInterrupt:
        sys.exit(130)
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_to_the_run_leaves_the_queue_empty(
    number: signal.Signals, code: int, queue: Queue, tmp_path: Path
) -> None:
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    with subprocess.Popen(
        [sys.executable, script, tmp_path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
    ) as driver:
        assert driver.stdout is not None
        ready, states = driver.stdout.readline(), {line.split()[2] for line in queue()}
        os.killpg(driver.pid, number)  # as a terminal does: to the driver and all it started
        time.sleep(0.3)
        os.killpg(driver.pid, number)  # and once more, from an impatient person
        try:
            _, said = driver.communicate(timeout=PATIENCE_SECOND)  # its jobs take ten minutes
        except subprocess.TimeoutExpired:
            driver.kill()
            raise
    assert ready == "ready\n"
    assert {"RUNNING", "PENDING"} <= states  # 8 jobs, 6 cores
    assert driver.returncode == code, said
    assert said == ""
    assert queue() == []
