"""A campaign that changes between two real runs: what is shown of the first one, also after a kill."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from campaigns import QUICK, ask, campaign_text, kilocell, lines, results, started, wait_until

slow = pytest.mark.slow


@pytest.fixture
def campaign(tmp_path: Path) -> Path:
    """Two cells, simulated with SPM and SPMe."""
    for name in ("one", "two"):
        (tmp_path / f"{name}.csv").write_text(lines(name, 0.5))
    (tmp_path / "campaign.toml").write_text(campaign_text(models=("SPM", "SPMe")))
    kilocell("run", *QUICK, "--no-plots", cwd=tmp_path)
    return tmp_path


def standings(folder: Path) -> dict[tuple[str, str], str]:
    """Standing of each (cell, model), of everything."""
    rows: list[dict[str, Any]] = json.loads(kilocell("results", "--all", "--json", cwd=folder).stdout)
    return {(row["cell_id"], row["model"]): row["standing"] for row in rows}


@slow
def test_a_model_and_a_cell_leave_and_a_capacity_changes(campaign: Path) -> None:
    path = campaign / "campaign.toml"
    changed = campaign_text(models=("SPM",)).replace("nominal_capacity_ah = 5.0", "nominal_capacity_ah = 4.9")
    # A file that is only gone does not take its cell along: raw files are purged from scratch disks.
    path.write_text(changed.replace('"*.csv"', '"one.csv"'))
    before = kilocell("results", cwd=campaign)
    assert "campaign.toml was changed after the last run" in before.stderr
    # A part of the campaign is run; the plan is that of the whole.
    kilocell("clean", "--cell", "one", *QUICK, cwd=campaign)
    assert results(campaign) == {("one", "SPM"): "pending"}
    assert ask(campaign, "SELECT * FROM model_comparison") == []
    kilocell("run", *QUICK, "--no-plots", cwd=campaign)
    assert results(campaign) == {("one", "SPM"): "done"}
    assert [(row["model"], row["cells"]) for row in ask(campaign, "SELECT * FROM model_comparison")] == [("SPM", 1)]
    left = "of an earlier campaign"
    assert standings(campaign) == {
        ("one", "SPM"): "current", ("one", "SPMe"): left, ("two", "SPM"): left, ("two", "SPMe"): left,
    }  # fmt: skip
    path.write_text(campaign_text(models=("SPM", "SPMe")))
    kilocell("run", *QUICK, "--no-plots", cwd=campaign)
    assert set(standings(campaign).values()) == {"current"}


@slow
def test_a_killed_run_shows_nothing_of_the_settings_before(campaign: Path) -> None:
    path = campaign / "campaign.toml"
    path.write_text(path.read_text().replace("nominal_capacity_ah = 5.0", "nominal_capacity_ah = 4.9"))
    catalog = campaign / "store" / "catalog.sqlite"
    written = catalog.stat().st_mtime_ns
    with started("run", *QUICK, "--no-plots", cwd=campaign) as run:
        wait_until(lambda: catalog.stat().st_mtime_ns > written and not Path(f"{catalog}-journal").exists(), run)
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    rows = json.loads(kilocell("results", "--json", cwd=campaign).stdout)
    assert len(rows) == 4
    for row in rows:
        assert (row["status"] == "done") == (row["standing"] == "current")
        if row["status"] == "pending":
            assert row["rmse_mv"] is None
            assert row["standing"].startswith("out of date: ")
    assert any(row["status"] == "pending" for row in rows)
