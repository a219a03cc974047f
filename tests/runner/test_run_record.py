"""The record of a run beside its jobs: commits, log, samples; and nothing of it ever ends a run."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from campaigns import PATIENCE_SECOND
from kilocell.data.run_sample import WorkerCounts
from kilocell.data.settings import ClusterSettings
from kilocell.parquet_store.layout import Store
from kilocell.runner.plan.job import Job
from kilocell.runner.run import run_facts
from kilocell.runner.run.run_facts import cluster_json, git_commit, kilocell_commit
from kilocell.runner.run.run_record import RunRecord, memory_peak_bytes
from kilocell.runner.worker.run_job import record_death
from kilocell.sqlite import queries, run_queries
from kilocell.sqlite.catalog import Catalog


@pytest.fixture
def record(tmp_path: Path) -> Iterator[RunRecord]:
    store = Store(tmp_path)
    with Catalog.open(store.catalog) as catalog:
        yield RunRecord(catalog, store, catalog.begin_run("kilocell run", "node7", 42, {}))


def samples(root: Path) -> list[dict[str, Any]]:
    with closing(queries.connect(Store(root).catalog)) as catalog:
        return [dict(row) for row in run_queries.run_workers(catalog, 1)]


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECOND
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Looked:
    """Stands for workers, their counter and the progress of a run."""

    def __init__(self, *answers: WorkerCounts | Exception) -> None:
        self.answers = list(answers)

    def count(self) -> WorkerCounts:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def time_left(self) -> tuple[float | None, bool]:
        return 12.5, True


def watch(record: RunRecord, looked: Looked, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("kilocell.runner.cluster.worker_counts.WorkerCounter", lambda workers: looked)
    return record.watching(None, looked)  # type: ignore[arg-type]


def test_workers_are_sampled_when_their_number_changes(
    record: RunRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two, three = WorkerCounts(2, 2, 50, 30, {"clean": 2}), WorkerCounts(3, 3, 90, 40)
    looked = Looked(two, two, two, three)
    with record.sampling(look_second=0.01, write_second=3600.0):
        wait_for(lambda: samples(tmp_path))
        with watch(record, looked, monkeypatch):
            wait_for(lambda: samples(tmp_path)[-1]["workers"] == 3)
    rows = samples(tmp_path)
    numbers = [row["workers"] for row in rows]
    assert [number for number, _ in groupby(numbers)] == [0, 2, 3, 0]
    assert numbers.count(2) == 2  # of three looks: the first, and the last before the number changed
    (first, *_) = (row for row in rows if row["workers"] == 2)
    assert first["running"] == '{"clean": 2}'
    assert (first["left_second"], first["left_is_least"]) == (12.5, 1)


def test_workers_that_cannot_be_asked_end_nothing(
    record: RunRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = Looked(OSError("the scheduler is gone"), WorkerCounts(1, 1, 5, 5))
    with record.sampling(look_second=0.01, write_second=0.0), watch(record, looked, monkeypatch):
        wait_for(lambda: any(row["workers"] == 1 for row in samples(tmp_path)))


def test_a_log_that_cannot_be_written_ends_nothing(record: RunRecord, tmp_path: Path) -> None:
    said: list[str] = []
    say = record.log.beside(said.append)
    say("failed     one\x1b[2J")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d failed     one\\x1b\[2J\n", (tmp_path / record.log.name).read_text()
    )
    (tmp_path / record.log.name).unlink()
    (tmp_path / record.log.name).mkdir()
    say("failed     two")
    assert said == ["failed     one\x1b[2J", "failed     two"]


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def test_the_commit_of_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert git_commit(tmp_path / "missing") is None
    folder = tmp_path / "campaign"
    folder.mkdir()
    git(folder, "init")
    assert git_commit(folder) is None  # no commit yet
    (folder / "campaign.toml").write_text("a")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "first")
    commit = git_commit(folder)
    assert re.fullmatch("[0-9a-f]{40}", commit or "")
    git(folder, "tag", "-a", "v1", "-m", "a tag does not replace the commit")
    assert git_commit(folder) == commit
    (folder / "campaign.toml").write_text("b")
    assert git_commit(folder) == f"{commit}-dirty"
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))  # as in a hook of another repository
    assert git_commit(folder) == f"{commit}-dirty"
    monkeypatch.setenv("PATH", "")
    assert git_commit(folder) is None  # Git is missing


def test_a_git_that_hangs_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "git"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(run_facts, "GIT_SECOND", 0.2)
    assert git_commit(tmp_path) is None


def test_an_installed_kilocell_has_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(tmp_path, "init")
    package = tmp_path / "lib" / "kilocell"
    package.mkdir(parents=True)
    monkeypatch.setattr(run_facts, "PACKAGE", package)  # in a repository of somebody else
    monkeypatch.setattr(run_facts, "git_commit", lambda folder: "c0ffee")
    assert kilocell_commit() is None
    (package / ".git").mkdir()
    assert kilocell_commit() == "c0ffee"


def test_a_cluster_is_described_by_what_counts_for_it() -> None:
    assert cluster_json(ClusterSettings(workers=2)) == (
        '{"kind": "local", "workers": 2, "threads_per_worker": 1, "memory_limit": "auto", '
        '"dashboard_address": "127.0.0.1:8787"}'
    )
    assert '"partition": "long"' in cluster_json(ClusterSettings(kind="slurm", partition="long"))
    assert "partition" not in cluster_json(ClusterSettings(kind="tcp://node7:8786"))


def test_the_memory_of_this_process_is_known() -> None:
    assert 10 * 2**20 < (memory_peak_bytes() or 0) < 2**40


@pytest.mark.parametrize("kind", ["split", "clean", "simulate", "start", "fit", "profile"])
def test_a_job_whose_process_died_has_a_log(tmp_path: Path, kind: Any) -> None:
    job = Job(kind, "A", "one", kind, "d", None)  # type: ignore[arg-type]
    record_death(str(tmp_path), job, "its worker died 3 times by signal 9 (SIGKILL)", "worker_died")
    assert "SIGKILL" in Store(tmp_path).log(kind, "A", "one").read_text(encoding="utf-8")
    assert f'"log":"logs/{kind}/A/one.log"' in Store(tmp_path).receipt(kind, "A", "one").read_text().replace(" ", "")
