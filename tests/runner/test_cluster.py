"""Local worker processes and schedulers that are there, all real."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import dask
import psutil
import pytest
from distributed.utils import json_load_robust
from kilocell.data.errors import UsageError
from kilocell.data.settings import ClusterSettings
from kilocell.runner.cluster import open as cluster
from kilocell.runner.cluster.open import _quiet, open_cluster
from kilocell.runner.cluster.workers import WORKER_ENVIRONMENT, dashboard_options

LOCAL = ClusterSettings(workers=1, dashboard_address="none")
WAIT_SECOND: Final = 300
"""How long to wait for what an idle machine does in seconds."""


def listening_hosts() -> set[str]:
    me = psutil.Process()
    family = [me, *me.children(recursive=True)]
    return {entry.laddr.ip for one in family for entry in one.net_connections("tcp") if entry.status == "LISTEN"}


def worker_environment() -> dict[str, str | None]:
    return {name: os.environ.get(name) for name in WORKER_ENVIRONMENT}


def test_local_workers_compute_on_loopback_with_one_thread(tmp_path: Path) -> None:
    said: list[str] = []
    with open_cluster(replace(LOCAL, workers=2), "run", tmp_path, said.append) as workers:
        assert workers.description == "2 worker processes, 1 thread each"
        assert workers.dashboard == ""
        assert workers.client.submit(pow, 2, 10).result(timeout=WAIT_SECOND) == 1024
        assert workers.client.submit(os.getpid).result(timeout=WAIT_SECOND) != os.getpid()
        assert workers.client.submit(worker_environment).result(timeout=WAIT_SECOND) == WORKER_ENVIRONMENT
        assert list(workers.client.nthreads().values()) == [1, 1]
        assert listening_hosts() == {"127.0.0.1"}
        assert len(worker_processes()) == 2
    assert said == []
    assert worker_processes() == []


def worker_processes() -> list[str]:
    """Command lines of this process's children that are workers or their nannies' children."""
    commands = []
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            commands.append(" ".join(child.cmdline()))
    return [command for command in commands if "spawn_main" in command]


def sleep_with_the_lock(begun: Path, second: int) -> None:
    """Hold the interpreter's lock, as a solver that does not return; note each beginning."""
    with begun.open("a") as file:
        file.write("begun\n")
    ctypes.PyDLL(None).sleep(second)


@pytest.mark.slow
def test_a_worker_that_is_silent_in_one_long_call_is_not_given_up(tmp_path: Path) -> None:
    """With a worker-ttl of a second, Dask gives up a worker that is silent for five."""
    begun = tmp_path / "begun"
    with (
        dask.config.set({"distributed.scheduler.worker-ttl": "1s"}),
        open_cluster(LOCAL, "run", tmp_path, print, longest_job_second=60.0) as workers,
    ):
        workers.client.submit(sleep_with_the_lock, begun, 12).result(timeout=WAIT_SECOND)
    assert begun.read_text() == "begun\n"


def test_dashboard_moves_to_the_next_free_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = replace(LOCAL, dashboard_address=f"127.0.0.1:{port}")
        with open_cluster(settings, "run", tmp_path, print) as workers:
            host, _, moved = workers.dashboard.removeprefix("http://").removesuffix("/status").partition(":")
            assert host == "127.0.0.1"
            assert port < int(moved) < port + 100
            with socket.create_connection((host, int(moved)), timeout=60):
                pass


def test_dashboard_options() -> None:
    assert dashboard_options("none") == {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
    assert dashboard_options(":0") == {"dashboard": True, "dashboard_address": "127.0.0.1:0"}
    with pytest.raises(UsageError, match="HOST:PORT"):
        dashboard_options("127.0.0.1")
    with pytest.raises(UsageError, match="HOST:PORT"):
        dashboard_options("127.0.0.1:99999")
    with pytest.raises(UsageError, match=r"192\.0\.2\.1:8787"):
        dashboard_options("192.0.2.1:8787")  # an address for documentation, no machine's


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"workers": 0}, "workers = 0, .*at least 1"),
        ({"threads_per_worker": 0}, "threads_per_worker = 0: .*at least 1"),
        ({"memory_limit": "plenty"}, "memory limit 'plenty'"),
        ({"kind": "lokal"}, "unknown cluster 'lokal'"),
        ({"kind": "tcp://127.0.0.1:port"}, "no Dask scheduler answers"),
        ({"kind": "tls://127.0.0.1:1"}, "a scheduler with TLS needs ca-file, client.cert and client.key"),
    ],
)
def test_wrong_settings_are_refused(change: dict[str, object], words: str, tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match=words),
        open_cluster(replace(LOCAL, **change), "run", tmp_path, print),  # type: ignore[arg-type]
    ):
        pytest.fail("opened")


def test_memory_limit_reaches_the_workers(tmp_path: Path) -> None:
    with open_cluster(replace(LOCAL, memory_limit="700MiB"), "run", tmp_path, print) as workers:
        limits = {entry["memory_limit"] for entry in workers.client.scheduler_info()["workers"].values()}
    assert limits == {700 * 2**20}


def test_an_exception_ends_the_workers_quickly(tmp_path: Path) -> None:
    def leave_a_long_job_running() -> None:
        with open_cluster(LOCAL, "run", tmp_path, print) as workers:
            long_job = workers.client.submit(time.sleep, 2 * WAIT_SECOND)
            workers.client.wait_for_workers(1, timeout=WAIT_SECOND)
            while long_job.key not in [key for keys in workers.client.processing().values() for key in keys]:
                time.sleep(0.05)
            raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        leave_a_long_job_running()
    assert time.monotonic() - start < WAIT_SECOND
    assert worker_processes() == []


@pytest.fixture
def scheduler_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of a scheduler with one worker, each in its own process."""
    monkeypatch.setattr(cluster, "CONNECT_TIMEOUT_SECOND", WAIT_SECOND)
    file = tmp_path / "scheduler.json"
    commands = [
        ["dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file)],
        ["dask_worker", "--scheduler-file", str(file), "--nthreads", "1", "--no-nanny"],
    ]
    with (tmp_path / "log").open("w") as log, contextlib.ExitStack() as parts:
        for name, *options in commands:
            part = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{name}", *options, "--dashboard-address", "127.0.0.1:0"],
                stdout=log,
                stderr=log,
                cwd=tmp_path,
            )
            parts.callback(end, part)
        contact: dict[str, str] = json_load_robust(file, timeout=WAIT_SECOND)  # type: ignore[no-untyped-call]
        yield contact["address"]


def end(part: subprocess.Popen[bytes]) -> None:
    part.terminate()
    try:
        part.wait(timeout=30)
    except subprocess.TimeoutExpired:  # it got the signal while it was starting
        part.kill()
        part.wait()


def test_a_scheduler_that_is_there_is_used_and_left_running(scheduler_address: str, tmp_path: Path) -> None:
    said: list[str] = []
    settings = ClusterSettings(kind=scheduler_address)
    with open_cluster(settings, "run", tmp_path, said.append) as workers:
        workers.client.wait_for_workers(1, timeout=WAIT_SECOND)
        assert workers.client.submit(pow, 2, 10).result(timeout=WAIT_SECOND) == 1024
        assert workers.dashboard.startswith("http://127.0.0.1:")
    with open_cluster(settings, "run", tmp_path, said.append) as workers:
        assert workers.description == f"1 worker of the scheduler at {scheduler_address}"
        assert workers.client.submit(pow, 2, 9).result(timeout=WAIT_SECOND) == 512
    assert not [line for line in said if "versions differ" in line]


def test_other_versions_are_reported_in_one_line(
    scheduler_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.python_version", lambda: "3.99.0")
    said: list[str] = []
    with open_cluster(ClusterSettings(kind=scheduler_address), "run", tmp_path, said.append) as workers:
        workers.client.wait_for_workers(1, timeout=WAIT_SECOND)
    here = ".".join(str(part) for part in sys.version_info[:3])
    assert [line for line in said if "versions" in line] == [
        f"versions differ from those of the scheduler or its workers: python 3.99.0 here, {here} there"
    ]


def test_an_address_where_nothing_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CONNECT_TIMEOUT_SECOND", 1)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        silent = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
        with pytest.raises(UsageError, match=silent), open_cluster(ClusterSettings(silent), "run", tmp_path, print):
            pytest.fail("opened")
    with (
        pytest.raises(UsageError, match="check that it runs"),
        open_cluster(ClusterSettings(silent), "run", tmp_path, print),
    ):
        pytest.fail("opened")


def test_streams_that_close_after_the_workers_are_not_told() -> None:
    """Dask tells of a stream to a worker that has left at INFO, with a traceback, when the run is over already."""
    with _quiet(logging.CRITICAL):
        pass
    assert not logging.getLogger("distributed.batched").isEnabledFor(logging.INFO)
    assert logging.getLogger("distributed.batched").isEnabledFor(logging.WARNING)


HOLD_THE_LOCK = "sum(range(3 * 10**8))"
"""Runs for seconds in C with the interpreter's lock, as a solver does: the worker sends no heartbeat meanwhile."""


@pytest.mark.slow
def test_a_worker_in_one_long_call_is_not_given_up(tmp_path: Path) -> None:
    with (
        dask.config.set({"distributed.scheduler.worker-ttl": "1s", "distributed.worker.heartbeat": "100ms"}),
        open_cluster(LOCAL, "run", tmp_path, print, longest_job_second=WAIT_SECOND) as workers,
    ):
        before = workers.client.submit(os.getpid).result(timeout=WAIT_SECOND)
        long_call = workers.client.submit(eval, HOLD_THE_LOCK)
        assert long_call.result(timeout=WAIT_SECOND) == sum(range(3 * 10**8))
        assert workers.client.submit(os.getpid, pure=False).result(timeout=WAIT_SECOND) == before
