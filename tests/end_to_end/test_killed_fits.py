"""Fits whose workers, or whose whole run, are killed in the middle of their starts end as if nothing had been."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from campaigns import PATIENCE_SECOND, ask, drive_lines, kilocell, started, wait_until, write_campaign
from kills import without_times
from kilocell.data.codec import to_json
from kilocell.data.results.fitting import Evaluation
from kilocell.parquet_store.journal import read_journal
from kilocell.parquet_store.layout import list_receipts
from kilocell.parquet_store.receipts import read_receipt

pytestmark = pytest.mark.slow

WORKERS = ("--workers", "2", "--dashboard-address", "none", "--no-plots")
STARTS = 3
FIT = f"""
[[fit]]
name = "two"
model = "SPM"
presets = "diffusion"
starts = {STARTS}
max_evaluations = 12
profiles = true
seed = 3
"""
RECEIPTS = ("start", "fit", "profile", "simulate")


def write_record(folder: Path) -> None:
    (folder / "drive.csv").write_text(drive_lines("drive"))
    write_campaign(folder, more=FIT)


def folder_with_record(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    write_record(folder)
    return folder


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = folder_with_record(tmp_path_factory.mktemp("undisturbed"))
    kilocell("run", *WORKERS, cwd=folder)
    return folder


def test_profiles_are_jobs_whose_intervals_stand_beside_the_fitted_values(undisturbed: Path) -> None:
    rows = ask(undisturbed, "SELECT * FROM fitted_parameters")
    found = [receipt["result"] for key, receipt in results(undisturbed).items() if key.startswith("profile ")]
    profiles = {profile["parameter"]: profile for profile in found}
    assert len(rows) == len(profiles) == 2
    for row in rows:
        profile = profiles[row["parameter"]]
        assert row["profile_lower_95"] == profile["lower_95"]
        assert row["profile_upper_95"] == profile["upper_95"]
        assert row["profile_verdict"] == profile["verdict"]
    points = ask(undisturbed, "SELECT * FROM fit_profiles ORDER BY parameter, position")
    assert len(points) == sum(len(profile["points"]) for profile in profiles.values())
    kinds = ask(
        undisturbed, "SELECT kind, count(*) AS number FROM jobs WHERE status = 'done' GROUP BY kind ORDER BY kind"
    )
    assert {row["kind"]: row["number"] for row in kinds}["profile"] == 2


def results(folder: Path) -> dict[str, Any]:
    """Of each start, of the fit, and of the simulation with what was fitted: all that its receipt says came out."""
    paths = [path for path in list_receipts(folder / "store") if path.parts[-3] in RECEIPTS]
    return {f"{path.parts[-3]} {path.stem}": without_times(json.loads(to_json(read_receipt(path)))) for path in paths}


def journals(folder: Path) -> dict[str, list[Evaluation]]:
    return {path.stem: read_journal(path) for path in (folder / "store" / "starts").glob("*/*.jsonl")}


def receipts(folder: Path) -> dict[str, float]:
    """When each finished start began."""
    paths = (folder / "store" / "receipts" / "start").glob("*/*.json")
    return {path.stem: json.loads(path.read_text())["started_unix_second"] for path in paths}


@contextlib.contextmanager
def begun(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a run and wait until one start is done and another has noted some evaluations that took their time."""
    with started("run", *WORKERS, cwd=folder, stderr=subprocess.STDOUT) as run:
        wait_until(lambda: receipts(folder) and in_the_middle(folder), run)
        yield run


def in_the_middle(folder: Path) -> dict[str, list[Evaluation]]:
    """The starts that have noted at least three evaluations and have no receipt."""
    noted = journals(folder)  # before the receipts: a start that ends in between is not in the middle
    done = receipts(folder)
    return {label: found for label, found in noted.items() if label not in done and len(found) >= 3}


def workers_of(run: subprocess.Popen[str]) -> list[psutil.Process]:
    children = psutil.Process(run.pid).children(recursive=True)
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def costly(folder: Path) -> dict[Path, tuple[int, int]]:
    """The kept arrays of evaluations that took long, each with what tells whether it was written again."""
    found = {}
    for path in (folder / "store" / "starts").glob("*/*.partial/*.npz"):
        try:
            status = path.stat()
        except FileNotFoundError:  # its start has just ended
            continue
        found[path] = (status.st_ino, status.st_mtime_ns)
    return found


def watch(folder: Path, run: subprocess.Popen[str], before: dict[Path, tuple[int, int]]) -> set[Path]:
    """Let a run end; return those arrays that were seen written again."""
    again = set()
    while run.poll() is None:
        again |= {path for path, written in costly(folder).items() if before.get(path, written) != written}
        time.sleep(0.01)
    return again


def test_a_worker_killed_in_the_middle_changes_nothing(tmp_path: Path, undisturbed: Path) -> None:
    folder = folder_with_record(tmp_path)
    with begun(folder) as run:
        done = receipts(folder)
        for worker in workers_of(run):
            worker.kill()
        out, _ = run.communicate(timeout=PATIENCE_SECOND)
    assert run.returncode == 0, out
    assert results(folder) == results(undisturbed)
    after = receipts(folder)
    assert {label: after[label] for label in done} == done, "what was done before ran again"


def test_a_run_killed_in_the_middle_goes_on_to_the_same_end(tmp_path: Path, undisturbed: Path) -> None:
    folder = folder_with_record(tmp_path)
    with begun(folder) as run:
        workers = workers_of(run)
        for process in (psutil.Process(run.pid), *workers):
            process.kill()
        run.communicate()
        psutil.wait_procs(workers, timeout=PATIENCE_SECOND)
    done, noted, kept = receipts(folder), journals(folder), costly(folder)
    assert 0 < len(done) < STARTS
    assert any(len(found) for label, found in noted.items() if label not in done)
    with started("run", *WORKERS, cwd=folder, stderr=subprocess.STDOUT) as again:
        written = watch(folder, again, kept)
        out, _ = again.communicate()
    assert again.returncode == 0, out
    assert results(folder) == results(undisturbed)
    after = receipts(folder)
    assert {label: after[label] for label in done} == done, "what was done before ran again"
    assert kept, "no evaluation took longer than it takes to read it: the record is too short for this test"
    assert not written, "evaluations that took long were made again"
    for label, found in noted.items():
        assert journals(folder)[label][: len(found)] == found
