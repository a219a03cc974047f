"""Workers that a job kills: that job fails with what is known of the death, and no other."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from campaigns import KILOCELL, PATIENCE_SECOND, ask, campaign_text, environment, lines, results

pytestmark = pytest.mark.slow

KILLER = """
import multiprocessing, os, time
import pybamm

def get_parameter_values():
    if multiprocessing.parent_process() is not None:
        end()
    return pybamm.ParameterValues("Chen2020")

def end():
    {end}
"""
CELLS = ("one", "two", "three")


def write_killer(folder: Path, end: str) -> dict[str, str]:
    """Write a package with a parameter set that ends its worker; return the environment in which it is installed."""
    package = folder / "site"
    info = package / "killer_sets-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: killer-sets\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[pybamm_parameter_sets]\nKiller = killer_sets:get_parameter_values\n")
    (package / "killer_sets.py").write_text(KILLER.format(end=end))
    known = environment()
    known["PYTHONPATH"] = f"{package}:{known.get('PYTHONPATH', '')}"
    return known


def run(folder: Path, known: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    more = '\n[cells.killer]\nparameter_set = "Killer"\n'
    for cell in (*CELLS, "killer"):
        (folder / f"{cell}.csv").write_text(lines(cell))
    (folder / "campaign.toml").write_text(campaign_text(more=more))
    command = [*KILOCELL, "run", "--dashboard-address", "none", "--no-plots", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_SECOND, env=known)


@pytest.mark.parametrize(
    ("options", "end", "words"),
    [
        (("--workers", "2"), "os._exit(3)", r"with exit code 3, with 0\.\d+ GB of memory"),
        (("--workers", "1", "--threads-per-worker", "3"), "os.kill(os.getpid(), 11)", r"by signal 11 \(SIGSEGV\)"),
    ],
)
def test_a_job_that_kills_its_worker_fails_alone(
    tmp_path: Path, options: tuple[str, ...], end: str, words: str
) -> None:
    done = run(tmp_path, write_killer(tmp_path, end), *options)
    assert done.returncode == 1, done.stdout + done.stderr
    failed = ask(tmp_path, "SELECT cell_id, label, reason_code, reason FROM failures")
    assert {(row["cell_id"], row["reason_code"]) for row in failed} == {("killer", "worker_died")}
    assert len(failed) == 1
    assert re.search(rf"its worker died 3 times, the last time {words}", failed[0]["reason"])
    statuses = results(tmp_path)
    assert {statuses[cell, "SPM"] for cell in CELLS} == {"done"}
    assert list((tmp_path / "store" / "receipts").rglob("*.begun")) == []
