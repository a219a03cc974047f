"""Whether a run is alive: what its lock says, here and on another machine, and what its signs of life say."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from kilocell.data.run_state import SILENCE_SECOND, Holder, Lock, current_run, find_run_state, machine_id
from kilocell.parquet_store.run_lock import lock_path, see_lock
from kilocell.runner.run.lock import lock_store

HERE = socket.gethostname()
NOW = 1000.0 + SILENCE_SECOND


def run(host: str = HERE, pid: int = 7, seen: float | None = None, status: str = "running") -> dict[str, Any]:
    return {"status": status, "host": host, "pid": pid, "started_unix_second": 900.0, "seen_unix_second": seen}


def holder(host: str = HERE, pid: int = 7, machine: str = "") -> Holder:
    return Holder(host, pid, 899.0, machine)


@pytest.mark.parametrize(
    ("row", "lock", "status", "why"),
    [
        (run(), Lock(True, holder=holder()), "running", "holds the lock"),
        (run("node7"), Lock(True, holder=holder("node7")), "running", "holds the lock"),
        (run(), Lock(True), "running", "holds the lock"),
        (run(), Lock(True, holder=holder(pid=8)), "ended_silently", "process 8"),
        (run(), Lock(False, holder=holder()), "ended_silently", "any more"),
        (run(seen=NOW - 1.0), Lock(False, holder=holder()), "ended_silently", "any more"),
        # A container on this machine has another name, but the same locks.
        (run("box"), Lock(False, holder=holder("box", machine=machine_id() or "x")), "ended_silently", "any more"),
        # This machine was started again since.
        (run(seen=NOW - 5.0), Lock(False, holder=holder(machine="earlier")), "unknown", "5 s old"),
        (run("node7", seen=NOW - 5.0), Lock(False, holder=holder("node7", machine="m")), "unknown", "5 s old"),
        (run("node7", seen=1000.0), Lock(False, holder=holder("node7")), "ended_silently", "no sign of life for 5 min"),
        (run("node7"), Lock(None, "the lock is missing"), "unknown", "the lock is missing"),
        (run(pid=2**22 + 1), Lock(None, "the lock is missing"), "ended_silently", "no process 4194305"),
        (run(pid=os.getpid()), Lock(None, "the lock is missing"), "unknown", "the lock is missing"),
        (run(status="done"), Lock(True, holder=holder(pid=8)), "done", ""),
        (run(status="interrupted"), Lock(False), "interrupted", ""),
    ],
)  # fmt: skip
def test_what_is_said_of_a_run(row: dict[str, Any], lock: Lock, status: str, why: str) -> None:
    if not machine_id() and row["host"] == "box":
        pytest.skip("this machine has no id")
    state = find_run_state(row, lock, NOW)
    assert state.status == status
    assert why in state.why
    shown = current_run(row, lock, NOW)
    assert (shown["status"], shown["recorded_status"]) == (status, row["status"])


HOLD = """
import sys
from pathlib import Path
from kilocell.runner.run.lock import lock_store
with lock_store(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_is_seen_and_a_killed_process_has_none(tmp_path: Path) -> None:
    assert see_lock(tmp_path) == Lock(None, f"{lock_path(tmp_path)} is missing, as in a copy of a store")
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        seen = see_lock(tmp_path)
        assert seen.is_held
        assert seen.holder is not None
        assert (seen.holder.host, seen.holder.pid, seen.holder.machine) == (HERE, first.pid, machine_id())
        first.kill()
    seen = see_lock(tmp_path)
    assert seen.is_held is False
    assert seen.holder is not None
    assert seen.holder.pid == first.pid


def test_a_look_at_the_lock_does_not_refuse_a_run_that_begins(tmp_path: Path) -> None:
    with lock_store(tmp_path):
        pass
    with lock_path(tmp_path).open("rb") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        threading.Timer(0.2, lambda: fcntl.flock(looking, fcntl.LOCK_UN)).start()
        began = time.monotonic()
        with lock_store(tmp_path):
            assert time.monotonic() - began > 0.1  # it waited


def test_a_lock_that_cannot_be_read_is_not_known(tmp_path: Path) -> None:
    lock_path(tmp_path).mkdir()
    seen = see_lock(tmp_path)
    assert seen.is_held is None
    assert "cannot be looked at" in seen.why


def test_an_older_lock_file_is_read(tmp_path: Path) -> None:
    lock_path(tmp_path).write_text('{"host": "node7", "pid": 12, "since_unix_second": 5}\n')
    assert see_lock(tmp_path).holder == Holder("node7", 12, 5.0)
    lock_path(tmp_path).write_text("[]")
    assert see_lock(tmp_path) == Lock(False)
