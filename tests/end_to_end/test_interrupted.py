"""Runs that end in the middle: Ctrl-C, a kill, dead workers, vanished files, a full disk."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from campaigns import (
    KILOCELL,
    PATIENCE_SECOND,
    QUICK,
    ask,
    environment,
    kilocell,
    lines,
    results,
    started,
    wait_until,
    write_campaign,
)

slow = pytest.mark.slow
CELLS = 30


@pytest.fixture
def campaign(tmp_path: Path) -> Path:
    for number in range(CELLS):
        (tmp_path / f"C{number:02d}.csv").write_text(lines("x", 0.5))
    write_campaign(tmp_path)
    return tmp_path


@pytest.fixture
def run(campaign: Path) -> Iterator[subprocess.Popen[str]]:
    """A run of which some cells are done."""
    cleaned = campaign / "store" / "cleaned"
    with started("run", *QUICK, "--no-plots", cwd=campaign) as run:
        wait_until(lambda: len(list(cleaned.glob("*.parquet"))) >= 3, run)
        yield run


def children(run: subprocess.Popen[str]) -> list[psutil.Process]:
    found: list[psutil.Process] = psutil.Process(run.pid).children(recursive=True)
    return found


def gone(processes: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE_SECOND)
    return not alive


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=slow)])
def test_a_signal_stops_workers_and_the_next_run_goes_on(
    campaign: Path, run: subprocess.Popen[str], number: int, code: int
) -> None:
    workers = children(run)
    run.send_signal(number)
    out, err = run.communicate(timeout=PATIENCE_SECOND)
    assert run.returncode == code, out + err
    assert "same command again to continue" in err
    assert "Traceback" not in err
    assert gone(workers)
    assert ask(campaign, "SELECT status FROM runs") == [{"status": "interrupted"}]
    again = kilocell("run", *QUICK, "--no-plots", cwd=campaign)
    assert " were done before" in again.stdout
    assert set(results(campaign).values()) == {"done"}


@slow
def test_a_kill_loses_nothing_that_was_done_and_status_says_it(campaign: Path, run: subprocess.Popen[str]) -> None:
    assert last_run(campaign)["status"] == "running"
    workers = children(run)
    with subprocess.Popen(
        [*KILOCELL, "status", "--watch", "--interval", "0.5"],
        cwd=campaign, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
    ) as watching:  # fmt: skip
        assert watching.stdout is not None
        assert watching.stdout.readline().startswith("run 1 running since ")
        run.kill()
        run.communicate()
        out, err = watching.communicate(timeout=PATIENCE_SECOND)
    assert (watching.returncode, err) == (0, "")
    assert "run 1 ended without a word" in out
    assert last_run(campaign)["status"] == "ended_silently"
    for worker in workers:
        worker.kill()
    store = campaign / "store"
    done = {path: path.stat().st_mtime_ns for path in store.glob("cleaned/*.parquet")}
    assert done
    kilocell("run", *QUICK, "--no-plots", cwd=campaign)
    assert set(results(campaign).values()) == {"done"}
    assert {path: path.stat().st_mtime_ns for path in done} == done  # none of them ran again
    statuses = [row["status"] for row in ask(campaign, "SELECT status FROM runs ORDER BY run_id")]
    assert statuses == ["interrupted", "done"]
    check_record(store, last_run(campaign))


def last_run(folder: Path) -> dict[str, Any]:
    status: dict[str, Any] = json.loads(kilocell("status", "--json", cwd=folder).stdout)["last_run"]
    return status


def check_record(store: Path, run: dict[str, Any]) -> None:
    """Check what a finished run recorded of itself."""
    assert (run["status"], run["workers_peak"]) == ("done", 1)
    assert 0 < run["worker_memory_peak_bytes"] <= run["workers_memory_peak_bytes"] < 2**40
    assert run["client_memory_peak_bytes"] > 10 * 2**20
    assert run["seconds"] == pytest.approx(run["ended_unix_second"] - run["started_unix_second"])
    cluster = json.loads(run["cluster"])
    assert (cluster["workers"], cluster["description"]) == (1, "1 worker process, 1 thread each")
    assert json.loads(run["jobs"])["simulate"] > 0
    assert run["campaign_commit"] is None  # the folder is in no Git repository
    log = (store / run["log"]).read_text().splitlines()
    assert " started    " in log[0]
    assert any(" running    " in line for line in log)
    assert log[-1].endswith(" ended      done, exit code 0")
    samples = ask(store.parent, f"SELECT * FROM run_workers WHERE run_id = {run['run_id']} ORDER BY unix_second")
    assert max(sample["workers"] for sample in samples) == 1
    assert samples[-1]["workers"] == 0


@slow
def test_a_dead_worker_is_replaced(campaign: Path, run: subprocess.Popen[str]) -> None:
    (worker, *_) = [child for child in children(run) if "spawn_main" in " ".join(child.cmdline())]
    worker.kill()
    out, err = run.communicate(timeout=PATIENCE_SECOND)
    assert run.returncode == 0, out + err
    assert set(results(campaign).values()) == {"done"}


@slow
def test_files_that_vanish_fail_their_cells_alone(campaign: Path, run: subprocess.Popen[str]) -> None:
    cleaned = {path.stem for path in (campaign / "store" / "cleaned").glob("*.parquet")}
    waiting = [path for path in sorted(campaign.glob("C*.csv")) if path.stem not in cleaned]
    removed = {path.stem for path in waiting[-5:]}
    for cell_id in removed:
        (campaign / f"{cell_id}.csv").unlink()
    out, err = run.communicate(timeout=PATIENCE_SECOND)
    assert run.returncode == 1, out + err
    failures = {row["cell_id"]: row["reason"] for row in ask(campaign, "SELECT cell_id, reason FROM failures")}
    assert failures
    assert set(failures) <= removed  # one of them may have been read already
    assert all("disappeared" in reason for reason in failures.values())
    statuses = results(campaign)
    assert {statuses[f"C{n:02d}", "SPM"] for n in range(CELLS) if f"C{n:02d}" not in failures} == {"done"}


@slow
def test_jobs_without_enough_memory_fail_and_the_run_ends(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text(lines("one"))
    write_campaign(tmp_path)
    done = kilocell("run", *QUICK, "--memory-limit", "180MB", "--no-plots", cwd=tmp_path, expect=1)
    assert "raise --memory-limit" in done.stdout
    assert "worker died" in done.stdout or "workers died" in done.stdout
    # Which of the two jobs does not fit depends on versions of packages; if it is the first, the other is skipped.
    assert ask(tmp_path, "SELECT reason_code FROM failures") == [{"reason_code": "worker_died"}]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@slow
def test_a_full_disk_is_said_and_nothing_half_written_counts(campaign: Path, small_disk: Path) -> None:
    store = small_disk / "store"
    done = kilocell("run", *QUICK, "--no-plots", "--store", str(store), cwd=campaign, expect=None)
    assert done.returncode in (1, 2)
    assert "No space left" in done.stderr or "disk is full" in done.stderr or "full" in done.stderr
    subprocess.run(["mount", "-o", "remount,size=100m", str(small_disk)], check=True)
    again = kilocell("run", *QUICK, "--no-plots", "--store", str(store), cwd=campaign)
    assert "jobs done" in again.stdout
