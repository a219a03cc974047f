"""A solver that never returns ends its worker, and the job is not tried again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from kilocell.data.errors import JobError
from kilocell.data.settings import CleanSettings, SourceFile, SourceSettings
from kilocell.parquet_store.layout import Store
from kilocell.runner.plan.job import CleanWork, Job, SplitWork
from kilocell.runner.worker import deaths
from kilocell.runner.worker.deaths import begun_path
from kilocell.runner.worker.hard_timeout import hard_timeout
from kilocell.runner.worker.run_job import _RUN_BY_KIND, JobOutput, run_job
from kilocell.runner.worker.time_limits import limit_of, limited, longest_job_second

HANGING = """
import sys
from pathlib import Path
from kilocell.runner.worker.hard_timeout import hard_timeout
with hard_timeout(Path(sys.argv[1]), 0.1, "it hung", grace_second=0.3):
    sum(range(10**13))  # in C, with the interpreter's lock, for days
"""


def test_a_job_that_hangs_in_c_ends_its_process_and_is_not_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "job.begun"
    ended = subprocess.run([sys.executable, "-c", HANGING, str(path)], timeout=300, check=False)
    assert ended.returncode == 1
    with pytest.raises(JobError, match="it hung") as caught, hard_timeout(path, 0.1, "it hung"):
        pytest.fail("it was tried again")
    assert caught.value.code == "time_limit"


PAUSED = """
import sys, time
from pathlib import Path
from kilocell.jobs.simulation.solver_windows import TimeLimit
from kilocell.runner.worker.hard_timeout import hard_timeout
with hard_timeout(Path(sys.argv[1]), 1.0, "it hung", grace_second=0.5) as watch:
    limit = TimeLimit(1.0, watch)
    with limit.pause():
        time.sleep(3.0)  # builds a model, which does not count
    assert not limit.is_passed
    print("built", flush=True)
    if sys.argv[2] == "late":
        time.sleep(1.1)
        limit.error("the first window")
        time.sleep(2.0)  # it noticed the limit, and writes what it has
        print("ended by itself", flush=True)
    else:
        sum(range(10**13))
"""


@pytest.mark.parametrize(("how", "said"), [("late", ["built", "ended by itself"]), ("never", ["built"])])
def test_building_a_model_and_writing_results_do_not_count(how: str, said: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-c", PAUSED, str(tmp_path / "job.begun"), how]
    ended = subprocess.run(command, timeout=300, check=False, capture_output=True, text=True)
    assert ended.stdout.split("\n")[:-1] == said, ended.stderr
    assert ended.returncode == (0 if how == "late" else 1)


def test_every_kind_of_job_has_a_limit(tmp_path: Path) -> None:
    source = SourceFile("a.csv", 9, "d" * 64, SourceSettings())
    work = CleanWork((), CleanSettings(), 60.0)
    jobs = [
        Job("split", "a.csv", "d", "split", "d1", SplitWork(source, 0, time_limit_second=60.0)),
        Job("clean", "A", "clean", "clean", "d2", work),
    ]
    assert [limit_of(job.work) for job in jobs] == [60.0, 60.0]
    assert longest_job_second(jobs) > 60.0
    for job in jobs:
        deaths.begin(Store(tmp_path), job)
        with deaths.begun_path(Store(tmp_path), job).open("a") as file:
            file.write("time limit 60 s\nTimeout (0:01:10)!\n")
        deaths.begin(Store(tmp_path), job)  # in the process after that one
        assert deaths.count(Store(tmp_path), job) == 2
        with (
            pytest.raises(JobError, match=r"60 s.*raise time_limit_second in .clean.") as caught,
            limited(Store(tmp_path), job),
        ):
            pytest.fail("it was tried again")
        assert caught.value.code == "time_limit"


@pytest.mark.parametrize("before", ["time limit 0.1 s\nTimeout (0:00:00.5)!\n", "time limit 5 s\n"])
def test_what_ended_for_another_reason_is_tried_again(before: str, tmp_path: Path) -> None:
    path = tmp_path / "job.begun"
    path.write_text(before)
    ran = False
    with hard_timeout(path, 5.0, "it hung"):
        ran = True
    assert ran


THREADS = """
import sys, threading, time
from pathlib import Path
from kilocell.runner.worker.hard_timeout import hard_timeout
def brief():
    with hard_timeout(Path(sys.argv[1], "brief.begun"), 60.0, "it hung"):
        pass
with hard_timeout(Path(sys.argv[1], "hung.begun"), 1.0, "it hung", grace_second=0.5):
    with hard_timeout(Path(sys.argv[1], "other.begun"), 60.0, "it hung"):
        thread = threading.Thread(target=brief)
        thread.start()
        thread.join()  # its end must not end the watch over the others
        time.sleep(600)
"""


def test_a_job_beside_others_in_its_process_is_ended_in_time(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", THREADS, str(tmp_path)], timeout=300, check=False)
    assert ended.returncode == 1
    assert {path.name for path in tmp_path.iterdir() if "Timeout (" in path.read_text()} == {"hung.begun"}


def test_a_job_that_ends_leaves_no_file(tmp_path: Path) -> None:
    """Neither a job that succeeds nor one that fails; its notes are one file."""
    store = Store(tmp_path)
    job = Job("split", "a.csv", "d", "split", "d1", SplitWork(SourceFile("a.csv", 9, "d" * 64, SourceSettings()), 0))
    seen: list[list[str]] = []

    def run(one: Store, other: Job, work: SplitWork) -> JobOutput:
        seen.append([path.name for path in begun_path(store, job).parent.iterdir()])
        raise JobError("its own failure")

    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(_RUN_BY_KIND, SplitWork, run)
        assert run_job(str(tmp_path), job).status == "failed"
    assert seen == [["a.csv~d.begun"]]
    assert [path.name for path in (tmp_path / "receipts").rglob("*.*") if path.is_file()] == ["d.json"]
