"""How a worker runs starts: if its workers always die, a start counts with its best point; a stopped one continues."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from campaigns import SHORT, campaign_text
from kilocell.data.results.fitting import FitResult, StartResult
from kilocell.data.results.receipt import Receipt
from kilocell.parquet_store.journal import StartJournal, count_deaths, forget_deaths, read_journal
from kilocell.parquet_store.layout import BEGUN, Store
from kilocell.parquet_store.read import read_receipt
from kilocell.parquet_store.write import write_receipt
from kilocell.runner.campaign.campaign import load_campaign
from kilocell.runner.plan.job import DIED_BEFORE, STOPPED_BEFORE, TIME_LIMIT_RAISED, Job
from kilocell.runner.run.run_campaign import scan_and_plan
from kilocell.runner.worker.fit_tasks import MOST_DEATHS
from kilocell.runner.worker.run_job import run_job

FIT = """
[fit]
name = "two"
model = "SPM"
presets = "diffusion"
starts = 2
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    time = np.arange(0.0, 3600.0, 60.0)
    current = np.where((time > 300.0) & (time < 2400.0), -2.5, 0.0)
    voltage = 4.0 + 0.15 * np.cumsum(current) / 60.0 + 0.02 * current
    rows = [f"{t:.0f},{i:.2f},{v:.4f}" for t, i, v in zip(time, current, voltage, strict=True)]
    (tmp_path / "A.csv").write_text("\n".join(["t,i,v", *rows]) + "\n")
    return tmp_path


def planned(folder: Path, more: str = "") -> dict[str, Job]:
    path = folder / "campaign.toml"
    path.write_text(campaign_text(SHORT, more=f"{FIT}{more}\n"))
    return {f"{job.kind} {job.label}": job for job in scan_and_plan(load_campaign(path))[1]}


def run(folder: Path, job: Job) -> Receipt:
    outcome = run_job(str(folder / "store"), job)
    receipt = read_receipt(Store(folder / "store").receipt(job.kind, job.cell_id, job.label))
    assert receipt is not None
    assert receipt.status == outcome.status
    return receipt


def test_a_start_whose_workers_always_die_counts_with_what_it_has(folder: Path) -> None:
    store, jobs = Store(folder / "store"), planned(folder)
    run(folder, jobs["clean clean"])
    job = jobs["start two-0"]
    whole = run(folder, job).result
    assert isinstance(whole, StartResult)
    path = store.journal("A", "two-0")
    kept = path.read_text().splitlines(keepends=True)
    path.write_text("".join(kept[:4]))
    store.receipt("start", "A", "two-0").unlink()
    for _ in range(MOST_DEATHS):
        StartJournal(store, "A", "two-0", job.digest).begin()
    found = run(folder, job).result
    assert isinstance(found, StartResult)
    best = min(read_journal(path), key=lambda evaluation: evaluation.cost)
    assert (found.stopped, found.values, found.cost, found.evaluations) == ("died", best.values, best.cost, 3)
    assert f"its worker died {MOST_DEATHS} times" in found.message
    assert not path.with_suffix(BEGUN).exists()
    fit = run(folder, jobs["fit two"]).result
    assert isinstance(fit, FitResult)
    assert (fit.starts_done, fit.starts_stopped) == (0, 1)
    again = planned(folder)
    assert again["start two-0"].reason == DIED_BEFORE
    assert run(folder, again["start two-0"]).result == whole, "in another run it goes on, to its own end"


def test_a_start_that_dies_before_it_noted_anything_is_a_failure_that_says_so(folder: Path) -> None:
    store, jobs = Store(folder / "store"), planned(folder)
    run(folder, jobs["clean clean"])
    for _ in range(MOST_DEATHS):
        StartJournal(store, "A", "two-1", jobs["start two-1"].digest).begin()
    receipt = run(folder, jobs["start two-1"])
    assert (receipt.status, receipt.reason_code) == ("failed", "worker_died")


def test_another_run_counts_deaths_anew(tmp_path: Path) -> None:
    store = Store(tmp_path)
    journal = StartJournal(store, "A", "two-0", "d")
    assert [journal.begin(), journal.begin()] == [0, 1]
    assert count_deaths(store.journal("A", "two-0")) == 2
    forget_deaths(store.journal("A", "two-0"))
    assert journal.begin() == 0
    journal.end()
    assert count_deaths(store.journal("A", "two-0")) == 0


def test_what_ended_early_goes_on_when_it_may(folder: Path) -> None:
    limited = planned(folder, "time_limit_second = 1e-9")
    run(folder, limited["clean clean"])
    early = run(folder, limited["start two-1"]).result
    assert isinstance(early, StartResult)
    assert early.stopped == "time_limit"
    assert planned(folder, "time_limit_second = 1e-9")["start two-1"].reason == ""
    assert planned(folder, "time_limit_second = 1e-10")["start two-1"].reason == ""
    raised = planned(folder)["start two-1"]
    assert raised.reason == TIME_LIMIT_RAISED
    whole = run(folder, raised).result
    assert isinstance(whole, StartResult)
    assert whole.stopped == ""
    assert whole.evaluations > early.evaluations


def test_a_start_stops_for_those_of_the_same_fit_alone(folder: Path) -> None:
    store, asked = Store(folder / "store"), "stop_beaten = true"
    jobs = planned(folder, asked)
    run(folder, jobs["clean clean"])
    receipt = run(folder, jobs["start two-0"])
    write_receipt(store, replace(receipt, digest="of other settings"))
    alone = run(folder, planned(folder, asked)["start two-1"]).result
    assert isinstance(alone, StartResult)
    assert alone.stopped == ""
    write_receipt(store, receipt)
    store.receipt("start", "A", "two-1").unlink()
    beside = run(folder, planned(folder, asked)["start two-1"]).result
    assert isinstance(beside, StartResult)
    assert beside.stopped == "on_its_way"
    assert beside.evaluations < alone.evaluations
    assert planned(folder, asked)["start two-1"].reason == ""
    assert planned(folder)["start two-1"].reason == STOPPED_BEFORE


def test_a_job_that_ended_in_this_run_is_not_made_again(folder: Path) -> None:
    """Dask runs a job once more when the worker that held its outcome dies."""
    jobs = planned(folder)
    run(folder, jobs["clean clean"])
    first = run(folder, jobs["start two-0"])
    assert run(folder, jobs["start two-0"]) == first
