"""A real Slurm on this machine, for the tests in this folder."""

from __future__ import annotations

import fcntl
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

HERE = Path(__file__).parent
LAB = Path(tempfile.gettempdir()) / "kilocell-test-slurm"


@pytest.fixture(scope="session")
def slurm_lab() -> Iterator[Path]:
    """Three nodes of two cores, partitions main (an hour) and short (a minute); stopped when the session ends."""
    if os.geteuid() != 0:
        give_up("the test's own Slurm needs root")
    LAB.mkdir(exist_ok=True)
    with (LAB / "session.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another test session on this machine would stop our daemons at its end
        environment = {**os.environ, "SLURM_LAB": str(LAB)}
        started = subprocess.run([HERE / "slurm-up"], env=environment, capture_output=True, text=True)
        if started.returncode:
            give_up(started.stderr.strip() or f"slurm-up exited with {started.returncode}")
        yield LAB
        subprocess.run([HERE / "slurm-down"], env=environment, check=True)


def give_up(reason: str) -> NoReturn:
    """Skip, but not in CI: there a test that never runs would go unnoticed."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"no Slurm: {reason}")
    pytest.skip(reason)


@pytest.fixture
def queue(slurm_lab: Path) -> Iterator[Callable[[], list[str]]]:
    """Ask what Slurm's queue holds, as lines ``id name state``; it must be empty before and after each test."""

    def ask() -> list[str]:
        listed = subprocess.run(["squeue", "-h", "-o", "%A %j %T"], check=True, capture_output=True, text=True)
        return listed.stdout.splitlines()

    assert ask() == []
    yield ask
    left = ask()
    for line in left:
        subprocess.run(["scancel", line.split()[0]], check=True)
    assert left == []
