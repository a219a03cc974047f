"""A solver that never returns ends its worker, and the job is not tried again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from kilocell.data.errors import JobError
from kilocell.runner.worker.hard_timeout import hard_timeout

HANGING = """
import sys
from pathlib import Path
from kilocell.runner.worker.hard_timeout import hard_timeout
with hard_timeout(Path(sys.argv[1]), 0.1, grace_second=0.3):
    sum(range(10**13))  # in C, with the interpreter's lock, for days
"""


def test_a_job_that_hangs_in_c_ends_its_process_and_is_not_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "job.running"
    ended = subprocess.run([sys.executable, "-c", HANGING, str(path)], timeout=300, check=False)
    assert ended.returncode == 1
    with pytest.raises(JobError, match=r"twice the time limit of 0\.1 s") as caught, hard_timeout(path, 0.1):
        pytest.fail("it was tried again")
    assert caught.value.code == "time_limit"
    assert not path.exists()  # the next run tries it again


def test_what_another_limit_ended_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "job.running"
    path.write_text("time limit 0.1 s\nTimeout (0:00:00.5)!\n")
    ran = False
    with hard_timeout(path, 5.0):
        ran = path.exists()
    assert ran
    assert not path.exists()


def test_a_worker_that_died_of_something_else_says_nothing_of_time(tmp_path: Path) -> None:
    path = tmp_path / "job.running"
    path.write_text("time limit 5 s\n")
    with hard_timeout(path, 5.0):
        pass
    assert not path.exists()


def test_a_failing_job_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(JobError), hard_timeout(tmp_path / "job.running", 5.0):
        raise JobError("its own failure")
    assert not list(tmp_path.iterdir())
