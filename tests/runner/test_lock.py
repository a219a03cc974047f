"""One run at a time on a store."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from kilocell.data.errors import StoreError
from kilocell.runner.run.lock import lock_store

HOLD = """
import sys, time
from pathlib import Path
from kilocell.runner.run.lock import lock_store
with lock_store(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_second_run_is_refused_with_host_and_pid_of_the_first(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        with (
            pytest.raises(StoreError, match=rf"in use by another run on \S+ \(pid {first.pid}\)"),
            lock_store(tmp_path),
        ):
            pass
        first.kill()
    with lock_store(tmp_path):  # a killed run holds nothing
        pass


def test_a_store_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write the store"), lock_store(tmp_path / "file" / "store"):
        pass


def test_a_file_system_without_locks_is_not_another_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, how: int) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(StoreError, match="refuses locks"), lock_store(tmp_path):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_store_without_permission_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="Permission denied"), lock_store(tmp_path / "store"):
        pass
