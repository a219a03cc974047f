"""A campaign on a real Slurm, started and interrupted as a user does."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from campaigns import PATIENCE_SECOND, kilocell, lines, results, started, wait_until, write_campaign

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

Queue = Callable[[], list[str]]
CELLS = [f"C{number}" for number in range(6)]
RUN = [
    *("run", "campaign.toml", "--no-plots", "--dashboard-address", "none", "--cluster", "slurm", "--jobs", "3"),
    *("--cores", "1", "--memory", "1GiB", "--walltime", "00:10:00", "--partition", "main"),
]
ALL_DONE = {(cell_id, "SPM"): "done" for cell_id in CELLS}


@pytest.fixture
def campaign(tmp_path: Path) -> Path:
    """A folder with a campaign of six cells."""
    for cell_id in CELLS:
        (tmp_path / f"{cell_id}.csv").write_text(lines(cell_id))
    write_campaign(tmp_path)
    return tmp_path


def test_a_campaign_runs_in_slurm_jobs(campaign: Path, queue: Queue) -> None:
    done = kilocell(*RUN, cwd=campaign)
    assert "3 Slurm jobs of 1 worker each in partition main" in done.stderr
    assert queue() == []
    assert results(campaign) == ALL_DONE


def test_ctrl_c_leaves_no_job_and_the_next_run_goes_on(campaign: Path, queue: Queue) -> None:
    with started(*RUN, cwd=campaign) as run:
        wait_until(lambda: list(campaign.glob("store/cleaned/*.parquet")), run)
        os.killpg(run.pid, signal.SIGINT)
        out, err = run.communicate(timeout=PATIENCE_SECOND)
    assert run.returncode == 130, out + err
    assert "Traceback" not in out + err
    assert queue() == []
    again = kilocell(*RUN, cwd=campaign)
    assert "were done before" in again.stdout
    assert results(campaign) == ALL_DONE


def test_a_wrong_partition_is_a_usage_error(campaign: Path, queue: Queue) -> None:
    done = kilocell(*RUN[:-1], "mian", cwd=campaign, expect=2)
    assert 'did you mean "main"?' in done.stderr
    assert queue() == []
