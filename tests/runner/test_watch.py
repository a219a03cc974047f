"""``kilocell status`` of a run that is alive, dead or done, and ``--watch``, with real processes that hold the lock."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import kilocell
import pytest
from campaigns import KILOCELL, PATIENCE_SECOND, environment
from click.testing import CliRunner
from kilocell.data.errors import StoreError
from kilocell.data.run_state import Lock
from kilocell.parquet_store.run_lock import see_lock
from kilocell.report.html.content import read_content
from kilocell.runner.cli import cli
from kilocell.runner.show.watch import watch
from kilocell.runner.show.watch_view import View, draw_view, jobs_per_minute, rate_text, read_view, view_lines
from kilocell.sqlite import queries
from kilocell.sqlite.run_queries import Ends

RUN = """
import sys, time
from pathlib import Path
from kilocell.data.results.receipt import Receipt
from kilocell.data.run_sample import Peaks, RunSample, WorkerCounts
from kilocell.parquet_store.layout import Store
from kilocell.runner.run.lock import lock_store
from kilocell.sqlite.catalog import Catalog
from kilocell.sqlite.run_samples import RunSamples
store = Store(Path(sys.argv[1]))
with lock_store(store.root), Catalog.open(store.catalog) as catalog:
    print("locked", flush=True)
    sys.stdin.readline()
    import os, socket
    run_id = catalog.begin_run("kilocell run", socket.gethostname(), os.getpid(), {"kilocell": "0.1.0"})
    catalog.describe_run(run_id, {"jobs": '{"clean": 9}', "log": f"logs/runs/{run_id}.log"})
    now = time.time()
    for number in range(4):
        status = "failed" if number == 3 else "done"
        receipt = Receipt("clean", f"C{number}", "clean", "d", status, "too\\x1bshort", "no_rows",
                          started_unix_second=now - 30.0, seconds=10.0)
        catalog.record(receipt, run_id)
    counts = WorkerCounts(2, 2, 3 * 2**30, 2**30, {"clean": 2}, {"node7": 1, "node8": 1})
    RunSamples(store.catalog, run_id).write([RunSample(now, counts, 3000.0)], [], Peaks(2, 3 * 2**30, 2**30, 5))
    print("begun", flush=True)
    sys.stdin.readline()
    catalog.end_run(run_id, 1, "failed")
"""


@contextmanager
def run_process(root: Path, begun: bool = True) -> Iterator[subprocess.Popen[str]]:
    """Start a process that holds the lock on a store, and that has begun a run if it is to."""
    command = [sys.executable, "-c", RUN, str(root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "locked\n"
            if begun:
                say(process)
                assert process.stdout.readline() == "begun\n"
            yield process
        finally:
            process.kill()


def say(process: subprocess.Popen[str]) -> None:
    """Let a process of :func:`run_process` go on."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.fixture(scope="module")
def dead(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose run was killed; it is only read."""
    root = tmp_path_factory.mktemp("dead")
    with run_process(root):
        pass
    return root


def status(root: Path, *options: str) -> str:
    done = CliRunner().invoke(cli, ["status", "--store", str(root), *options])
    assert done.exit_code == 0, done.output
    return done.stdout


def status_json(root: Path) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(status(root, "--json"))
    return answer


def _interrupted(second: float) -> None:
    raise KeyboardInterrupt


def test_status_of_a_run_alive_dead_and_gone_on_with(tmp_path: Path) -> None:
    with run_process(tmp_path) as process:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("time.sleep", _interrupted)
            ended = CliRunner().invoke(cli, ["status", "--store", str(tmp_path), "--watch"])
        assert (ended.exit_code, ended.stderr) == (130, "")
        assert process.poll() is None  # it was only looked at
        shown = status(tmp_path)
        assert "last run 1: running since " in shown
        assert f"(process {process.pid})" in shown
        assert "2 workers on node7 (1), node8 (1), 3.0 GiB in use, 1.0 GiB the largest" in shown
        answer = status_json(tmp_path)
        assert (answer["last_run"]["status"], answer["lock"]["is_held"]) == ("running", True)
        process.kill()
        process.wait()
    shown = status(tmp_path)
    assert "last run 1: ended without a word" in shown
    assert "does not hold the lock on the store any more. Run again to continue" in shown
    assert "running since" not in shown
    last = status_json(tmp_path)["last_run"]
    assert (last["status"], last["recorded_status"]) == ("ended_silently", "running")
    record = json.loads(status(tmp_path, "--run", "1", "--json"))
    assert record["status"] == "ended_silently"
    assert record["workers"][0]["memory_bytes"] == 3 * 2**30
    assert "0.1.0" in status(tmp_path, "--run", "1")
    missing = CliRunner().invoke(cli, ["status", "--store", str(tmp_path), "--run", "7"])
    assert "it has the runs 1 to 1" in str(missing.exception)
    with run_process(tmp_path, begun=False) as process:  # it scans and plans
        shown = status(tmp_path)
        assert "last run 1: ended without a word" in shown
        assert f"(process {process.pid}) since" in shown


def test_watch_in_a_pipe_ends_with_the_run(tmp_path: Path) -> None:
    with run_process(tmp_path, begun=False) as process:
        command = [*KILOCELL, "status", "--store", str(tmp_path), "--watch", "--interval", "0.5"]
        watching = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
        )
        try:
            assert watching.stdout is not None
            assert watching.stdout.readline().startswith("store in use by ")
            say(process)
            block = ""
            while "too" not in block:
                block += watching.stdout.readline()
            say(process)
            rest, error = watching.communicate(timeout=PATIENCE_SECOND)
        finally:
            watching.kill()
            watching.wait()
    assert (watching.returncode, error) == (0, "")
    assert "run 1 running since " in block
    assert "clean     3       1        0        2        3" in block
    assert re.search(r"\n[\d.]+ jobs per minute, \d+ min \d\d s left\n", block)
    assert "newest failures:\n  clean C3 clean: too\\x1bshort (no_rows)\n" in block
    assert "run 1 failed, started " in rest
    assert "up to 2 workers; peak memory 3.0 GiB of all workers" in rest


def test_watch_ends_when_the_run_was_killed_and_writes_lines_of_json(dead: Path) -> None:
    (line,) = status(dead, "--watch", "--json").splitlines()
    view = json.loads(line)
    assert view["run"]["status"] == "ended_silently"
    assert view["stages"] == [{"stage": "clean", "done": 3, "failed": 1, "skipped": 0, "running": 0, "waiting": 5}]
    assert (view["jobs_per_minute"], view["left_second"]) == (None, None)


def test_python_and_the_report_say_the_same(dead: Path) -> None:
    runs = kilocell.open_store(dead).runs()
    assert runs[["run_id", "status", "workers_peak"]].values.tolist() == [[1, "ended_silently", 2]]
    with closing(queries.connect(dead / "catalog.sqlite")) as catalog:
        (run,) = read_content(catalog, see_lock(dead)).runs
    assert run["status"] == "ended_silently"


def test_watch_outlives_a_catalog_that_is_busy(
    dead: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = read_view(dead)
    running = replace(ended, lock=Lock(True), run={**(ended.run or {}), "status": "running"})
    answers: Iterator[View | StoreError] = iter([running, StoreError("locked"), running, ended])

    def read(root: Path) -> View:
        answer = next(answers)
        if isinstance(answer, StoreError):
            raise answer
        return answer

    monkeypatch.setattr("kilocell.runner.show.watch.read_view", read)
    monkeypatch.setattr("time.sleep", lambda second: None)
    watch(dead, 5.0, json_=False)
    assert capsys.readouterr().out.count("run 1 ") == 2  # what did not change has no block


def test_a_copy_of_a_store_is_not_watched_for_ever() -> None:
    lock = Lock(None, "there is no lock")
    run = {"status": "unknown", "seen_unix_second": 100.0, "started_unix_second": 90.0}
    assert View(150.0, lock, run).goes_on
    assert not View(1000.0, lock, run).goes_on
    assert not View(1000.0, lock).goes_on


def test_rate_and_time_left() -> None:
    assert jobs_per_minute(None, 100.0) is None
    assert jobs_per_minute(Ends(3, 80.0, is_all=True), 100.0) == pytest.approx(9.0)
    assert jobs_per_minute(Ends(21, 60.0, is_all=False), 100.0) == pytest.approx(30.0)
    run = {"status": "running"}
    sample = {"left_second": 90.0, "unix_second": 1000.0, "left_is_least": 1}
    view = View(1000.0, Lock(True), run, sample, jobs_per_minute=30.0)
    assert rate_text(view, 1020.0) == "30 jobs per minute, at least 1 min 10 s left"
    assert rate_text(view, 1090.0) == "30 jobs per minute, time left not known"
    assert view.left_second(1020.0) == 70.0
    assert View(1000.0, Lock(False), {"status": "ended_silently"}, sample).left_second(1000.0) is None


def test_a_terminal_shows_the_same_with_bars(dead: Path) -> None:
    from rich.console import Console

    view = read_view(dead)
    console = Console(width=180, record=True, file=io.StringIO())
    console.print(draw_view(view))
    drawn = console.export_text()
    assert "\x1b" not in drawn
    assert "clean  ━━━━" in drawn
    for line in view_lines(view, ""):
        assert line in drawn
