"""Faults on schedule: writes that fail, solves that crash, hang or take all memory. Nothing is lost or left behind."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from campaigns import ask, campaign_text, kilocell, lines
from fault_injection import Fault, count_events, with_faults

pytestmark = pytest.mark.slow

FAULTS = {
    "once": Fault("solve", "SIGKILL", "simulate/once/", last=1),
    "full": Fault("write", "ENOSPC", "/cleaned/full."),
    "worn": Fault("write", "EIO", "/worn/"),
    "crash": Fault("solve", "SIGSEGV", "simulate/crash/"),
    "stuck": Fault("solve", "hang", "simulate/stuck/"),
    "hungry": Fault("solve", "allocate", "simulate/hungry/"),
}
"""What happens to each cell but the first, ``fine``; one death is not a failure."""

CELLS = ("fine", *FAULTS)
CODES = {
    "full": "file_system",
    "worn": "file_system",
    "crash": "worker_died",
    "stuck": "time_limit",
    "hungry": "worker_died",
}
"""How the simulation or cleaning of each cell fails."""

RUN = ("run", "--workers", "2", "--memory-limit", "800MB", "--dashboard-address", "none", "--no-plots")
RESULTS = """
SELECT kind, cell_id, label, status, digest FROM current_jobs
UNION ALL SELECT 'simulate', cell_id, label, rmse_mv, charge_error FROM current_simulations
ORDER BY 1, 2, 3, 4
"""
Outcome = tuple[list[dict[str, object]], dict[str, pa.Table]]


def write_cells(folder: Path, cells: tuple[str, ...]) -> None:
    for cell in cells:
        (folder / f"{cell}.csv").write_text(lines(cell, 0.5))
    limit = "\n[simulate]\ntime_limit_second = 3.0\n"
    (folder / "campaign.toml").write_text(campaign_text() + limit)


def outcome(folder: Path, cells: tuple[str, ...] = CELLS) -> Outcome:
    """Return what the catalog says of all jobs of cells, and their partitions and simulations."""
    files = {path.relative_to(folder): path for path in (folder / "store").rglob("*.parquet")}
    read = {
        str(name): pq.read_table(path) for name, path in files.items() if {name.stem, name.parent.name} & set(cells)
    }
    return [row for row in ask(folder, RESULTS) if row["cell_id"] in cells], read


def check_sound(folder: Path) -> None:
    """The store has neither damaged nor half-written files, and nothing of jobs that no longer run."""
    assert "as the receipts say" in kilocell("catalog", "check", cwd=folder).stdout
    left = [path.name for path in (folder / "store").rglob("*") if re.search(r"\.(tmp-|begun|running)", path.name)]
    assert left == []


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    write_cells(folder, CELLS)
    kilocell(*RUN, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def disturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A run in which every cell but one has a fault of its own."""
    folder = tmp_path_factory.mktemp("disturbed")
    write_cells(folder, CELLS)
    done = kilocell(*RUN, cwd=folder, expect=1, env=with_faults(folder, list(FAULTS.values())))
    assert [count_events(folder, number) > 0 for number in range(len(FAULTS))] == [True] * len(FAULTS)
    return folder, done


def test_each_fault_fails_its_own_cell_and_says_what_helps(
    disturbed: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, done = disturbed
    failed = ask(folder, "SELECT cell_id, reason_code, reason FROM failures")
    assert {row["cell_id"]: row["reason_code"] for row in failed} == CODES
    reasons = {row["cell_id"]: row["reason"] for row in failed}
    assert "No space left on device" in reasons["full"]
    assert reasons["worn"].startswith("Input/output error (")
    assert reasons["worn"].endswith("its receipt could not be written: Input/output error")
    assert re.search(r"died 3 times, the last time by signal 11 \(SIGSEGV\), with 0\.\d+ GB", reasons["crash"])
    assert "compiled code crashed" in reasons["crash"]
    assert "time limit of 3 s" in reasons["stuck"]
    assert re.search(r"because of its memory limit, with 0\.[6-9]\d GB of memory of 0\.80 GB", reasons["hungry"])
    assert reasons["hungry"].endswith("raise --memory-limit, or use fewer --workers")
    assert "5 jobs failed, for 3 reasons" in done.stdout
    assert done.stdout.count("next: ") == 3
    assert "`kilocell job simulate crash SPM-Chen2020 --foreground`" in done.stdout


def test_after_faults_the_store_is_sound_and_the_next_run_ends_as_if_there_were_none(
    disturbed: tuple[Path, subprocess.CompletedProcess[str]], undisturbed: Path
) -> None:
    folder, _ = disturbed
    check_sound(folder)
    again = kilocell(*RUN, cwd=folder)
    assert "kept as failed" not in again.stdout
    assert outcome(folder) == outcome(undisturbed)
    check_sound(folder)


def test_a_catalog_that_cannot_be_written_loses_nothing(tmp_path: Path, undisturbed: Path) -> None:
    cells = ("fine", "full")
    write_cells(tmp_path, cells)
    none_run = kilocell(*RUN, cwd=tmp_path, expect=2, env=with_faults(tmp_path, [Fault("commit", "ENOSPC", first=2)]))
    assert "no space left to write" in none_run.stderr
    assert not (tmp_path / "store" / "receipts").exists()
    late = with_faults(tmp_path, [Fault("commit", "EIO", match="with receipts")])
    some_run = kilocell(*RUN, cwd=tmp_path, expect=1, env=late)
    assert "No result is lost" in some_run.stderr
    assert list((tmp_path / "store" / "cleaned").iterdir())
    kilocell(*RUN, cwd=tmp_path)
    assert outcome(tmp_path) == outcome(undisturbed, cells)
    check_sound(tmp_path)
