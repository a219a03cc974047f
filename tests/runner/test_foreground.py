"""``kilocell job``: one job in this process, with its log, its exit code and its row in the catalog."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from campaigns import campaign_text, lines
from click.testing import CliRunner, Result
from kilocell.data.errors import UsageError
from kilocell.runner.cli import cli
from kilocell.runner.plan.job import Job
from kilocell.runner.worker import deaths

SIMULATE = ("simulate", "good", "SPM-Chen2020")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("foreground")
    (folder / "good.csv").write_text(lines("good", 0.3))
    (folder / "empty.csv").write_text("")
    (folder / "campaign.toml").write_text(campaign_text())
    return folder


def job(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["job", "--campaign", str(folder / "campaign.toml"), *arguments])


def statuses(folder: Path) -> dict[tuple[str, str], str]:
    with closing(sqlite3.connect(folder / "store" / "catalog.sqlite")) as catalog:
        rows = catalog.execute("SELECT kind, cell_id, status FROM jobs").fetchall()
    return {(kind, cell): status for kind, cell, status in rows}


def test_jobs_run_one_after_the_other_in_this_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = job(folder, *SIMULATE, "--foreground")
    assert isinstance(missing.exception, UsageError)
    assert "the job needs clean good clean, which is not done" in str(missing.exception)
    tried = job(folder, "clean", "good", "--foreground", "--dry-run")
    assert (tried.exit_code, "clean good clean: done" in tried.output) == (0, True)
    assert not (folder / "store" / "receipts").exists()
    here: list[Job] = []
    monkeypatch.setattr(deaths, "begin", lambda store, job: here.append(job))
    cleaned = job(folder, "clean", "good", "--foreground")
    assert cleaned.exit_code == 0
    assert "clean good clean: done after" in cleaned.output
    assert [(job.kind, job.cell_id) for job in here] == [("clean", "good")]  # and not in another process
    monkeypatch.undo()
    simulated = job(folder, *SIMULATE, "--foreground")
    assert simulated.exit_code == 0
    assert "simulate good SPM-Chen2020: done after" in simulated.output
    assert statuses(folder)["simulate", "good"] == "done"
    shown = job(folder, *SIMULATE)
    assert "plan     up to date" in shown.output
    assert list((folder / "store").rglob("*.begun")) == []


def test_a_failing_job_shows_its_log_and_ends_with_1(folder: Path) -> None:
    failed = job(folder, "clean", "empty", "--foreground")
    assert failed.exit_code == 1
    assert "Traceback" in failed.output  # the log, which is what a debugger's user wants
    assert "clean empty clean: failed" in failed.output
    assert "(unreadable)" in failed.output
    assert statuses(folder)["clean", "empty"] == "failed"
    shown = job(folder, "clean", "empty")
    assert shown.exit_code == 0
    assert "status   failed" in shown.output
    assert "plan     kept as it is" in shown.output
    skipped = job(folder, "simulate", "empty", "--foreground")
    assert skipped.exit_code == 1
    assert "skipped" in skipped.output


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        (("simulat", "good"), "simulate"),
        (("clean", "god"), "good"),
        (("simulate", "good", "SPM-Chen2021"), "SPM-Chen2020"),
        (("clean",), "kind, cell and label"),
    ],
)
def test_an_unknown_job_is_refused_with_the_nearest(folder: Path, key: tuple[str, ...], nearest: str) -> None:
    refused = job(folder, *key, "--foreground")
    assert isinstance(refused.exception, UsageError)
    assert nearest in str(refused.exception)
