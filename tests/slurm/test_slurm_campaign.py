"""A campaign on a real Slurm, started and interrupted as a user does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

Queue = Callable[[], list[str]]
KILOCELL = [sys.executable, "-m", "kilocell.runner"]
RUN = [
    *("run", "campaign.toml", "--no-plots", "--dashboard-address", "none", "--cluster", "slurm", "--jobs", "3"),
    *("--cores", "1", "--memory", "1GiB", "--walltime", "00:10:00", "--partition", "main"),
]
CAMPAIGN = """
name = "small"
models = ["SPM"]
[[sources]]
files = ["*.csv"]
cell_id = "stem"
current_sign = "charge_positive"
[sources.columns]
test_time_second = "time_s"
current_ampere = "current_A"
voltage_volt = "voltage_V"
[cells.defaults]
parameter_set = "Chen2020"
nominal_capacity_ah = 5.0
"""


@pytest.fixture
def campaign(tmp_path: Path) -> Path:
    """A folder with a campaign of six cells: rest, half an hour of discharge at C/5, rest."""
    (tmp_path / "campaign.toml").write_text(CAMPAIGN)
    for cell in range(6):
        rows = ["time_s,current_A,voltage_V"]
        for second in range(0, 2400, 10):
            discharging = min(max(second - 300, 0), 1800)
            current = -1.0 if 0 < discharging < 1800 else 0.0
            rows.append(f"{second},{current},{4.0 - 7e-5 * discharging + 0.03 * current + 0.001 * cell:.4f}")
        (tmp_path / f"C{cell}.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def statuses(folder: Path) -> list[str]:
    """Status of each simulation in the folder's store."""
    answer = subprocess.run(
        [*KILOCELL, "results", "--json"], cwd=folder, check=True, capture_output=True, text=True, timeout=60
    )
    return [row["status"] for row in json.loads(answer.stdout)]


def test_a_campaign_runs_in_slurm_jobs(campaign: Path, queue: Queue) -> None:
    done = subprocess.run([*KILOCELL, *RUN], cwd=campaign, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 Slurm jobs of 1 worker each in partition main" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert queue() == []
    assert statuses(campaign) == ["done"] * 6


def test_ctrl_c_leaves_no_job_and_the_next_run_goes_on(campaign: Path, queue: Queue) -> None:
    run = subprocess.Popen(
        [*KILOCELL, *RUN],
        cwd=campaign,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    with run:
        deadline = time.monotonic() + 120
        while not list(campaign.glob("store/receipts/clean/**/*.json")):
            assert run.poll() is None, run.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(run.pid, signal.SIGINT)
        out, err = run.communicate(timeout=60)
    assert run.returncode == 130, out + err
    assert "Traceback" not in out + err
    assert queue() == []
    again = subprocess.run([*KILOCELL, *RUN], cwd=campaign, capture_output=True, text=True, timeout=240)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "were done before" in again.stdout
    assert statuses(campaign) == ["done"] * 6


def test_a_wrong_partition_is_a_usage_error(campaign: Path, queue: Queue) -> None:
    done = subprocess.run([*KILOCELL, *RUN[:-1], "mian"], cwd=campaign, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, done.stdout + done.stderr
    assert 'did you mean "main"?' in done.stderr
    assert queue() == []
