"""``kilocell doctor``: what it finds, what it advises, and that it never raises."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from kilocell.runner.cli import cli
from kilocell.runner.doctor import disk, machine, packages, solver


def test_a_healthy_computer_has_no_problem(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["doctor", "--quick", "--json", "--store", str(tmp_path / "new")])
    checks = {check["name"]: check for check in json.loads(done.stdout)}
    assert done.exit_code == int(any(check["state"] == "problem" for check in checks.values()))
    assert {"Python", "packages", "compiler", "store", "space", "file system", "writing", "locks", "cores", "memory",
            "threads", "telemetry", "dashboard", "Slurm"} <= set(checks)  # fmt: skip
    assert checks["locks"]["state"] == "ok"
    assert list(tmp_path.iterdir()) == []


def test_text_has_the_advice_below_what_was_found(tmp_path: Path) -> None:
    (tmp_path / "catalog.sqlite").write_text("no database")
    done = CliRunner().invoke(cli, ["doctor", "--quick", "--store", str(tmp_path)])
    lines = done.stdout.splitlines()
    (number,) = [n for n, line in enumerate(lines) if line.startswith("problem  store")]
    assert "is not a SQLite file" in lines[number]
    assert "→ Move it away" in lines[number + 1]
    assert done.exit_code == 1
    assert "1 problem" in lines[-1]


@pytest.mark.slow
def test_the_solver_solves(tmp_path: Path) -> None:
    found = solver.check_solver()
    assert found.state == "ok", found
    assert "IDAKLU" in found.found


@pytest.mark.parametrize(
    ("returncode", "stdout", "stderr", "expected"),
    [
        (-4, "", "", "SIGILL"),
        (1, "", "Traceback\nImportError: libsundials.so.7: cannot open", "libsundials.so.7"),
        (0, "", "", "no message"),
    ],
)
def test_a_solver_that_crashes_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, returncode: int, stdout: str, stderr: str, expected: str
) -> None:
    ended = subprocess.CompletedProcess([], returncode, stdout, stderr)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: ended)
    found = solver.check_solver()
    assert found.state == "problem"
    assert expected in found.found
    assert "pybamm" in found.advice


def test_without_a_compiler_only_speed_suffers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    found = solver.check_compiler()
    assert found.state == "note"
    assert "only speed" in found.advice
    assert machine.check_slurm().state == "ok"


@pytest.mark.parametrize(
    ("text", "state", "expected"),
    [
        ("debug* up 2 01:00:00\nlong up 40 7-00:00:00\n", "ok", "long up, 40 nodes"),
        ("debug* down 2 01:00:00\n", "note", "no partition is up"),
    ],
)
def test_partitions_of_slurm_are_listed(monkeypatch: pytest.MonkeyPatch, text: str, state: str, expected: str) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0, text, ""))
    found = machine.check_slurm()
    assert found.state == state
    assert expected in found.found


def test_a_full_disk_and_little_memory_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10_000_000))
    (space,) = [check for check in disk.check_disk(tmp_path) if check.name == "space"]
    assert space.state == "problem"
    monkeypatch.setattr(machine, "_memory", lambda: (4.0 * machine.GIB, 3.0 * machine.GIB))
    monkeypatch.setattr(machine, "usable_cores", lambda: 16)
    monkeypatch.setattr(machine, "memory_limit", lambda: None)
    memory = machine.check_memory()
    assert memory.state == "note"
    assert "--workers 4" in memory.advice


def test_limits_of_a_container_are_seen(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    (tmp_path / "memory.max").write_text("2147483648\n")
    assert machine.cpu_quota(tmp_path) == 1.5
    assert machine.memory_limit(tmp_path) == 2 * machine.GIB
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.cpu_quota(tmp_path) is None
    assert machine.memory_limit(tmp_path) is None


def test_the_file_system_of_the_longest_mount_point_counts() -> None:
    mounts = "/dev/sda / ext4 rw 0 0\nserver:/home /home nfs4 rw 0 0\n/dev/sdb /home/me/my\\040disk xfs rw 0 0\n"
    assert disk.find_file_system(Path("/home/you/store"), mounts) == ("nfs4", "/home")
    assert disk.find_file_system(Path("/home/me/my disk/store"), mounts) == ("xfs", "/home/me/my disk")
    assert disk.find_file_system(Path("/homes"), mounts) == ("ext4", "/")


def test_a_file_system_that_locks_twice_is_a_problem(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(disk, "locks_work", lambda path: False)
    (locks,) = [check for check in disk.check_disk(tmp_path) if check.name == "locks"]
    assert locks.state == "problem"
    assert "two runs" in locks.advice


def test_a_busy_port_is_a_note() -> None:
    with socket.socket() as taken:
        with contextlib.suppress(OSError):  # another program has it
            taken.bind(("127.0.0.1", machine.PORT))
        assert machine.check_port().state == "note"


def test_threads_that_were_set_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "OMP_NUM_THREADS", "8")
    (threads,) = [check for check in machine.check_environment() if check.name == "threads"]
    assert (threads.state, threads.found) == ("note", "OMP_NUM_THREADS=8")


@pytest.mark.parametrize(
    ("change", "state", "expected"),
    [
        (lambda name, version: None if name == "pybamm" else version, "problem", "missing: pybamm"),
        (lambda name, version: "25.1" if name == "pybamm" else version, "problem", "pybamm 25.1 (needs"),
    ],
)
def test_missing_and_wrong_packages_are_problems(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[str, str | None], str | None], state: str, expected: str
) -> None:
    installed = packages._installed
    monkeypatch.setattr(packages, "_installed", lambda name: change(name, installed(name)))
    found = next(packages.check_packages())
    assert found.state == state
    assert expected in found.found
    assert found.advice.startswith("pip install 'pybamm")


def test_versions_that_were_not_tested_are_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "_tested_versions", lambda: {"numpy": "1.0", "pandas": packages._installed("pandas")})
    (tested,) = [check for check in packages.check_packages() if check.name == "tested versions"]
    assert tested.state == "note"
    assert "numpy" in tested.found
    assert "pandas" not in tested.found
