"""Plans: the right jobs in the right order, and a digest that decides."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from campaigns import SHORT, campaign_text
from kilocell.data.results.receipt import OutputFile, Receipt
from kilocell.data.settings import SourceFile, SourceSettings
from kilocell.parquet_store.layout import Store
from kilocell.parquet_store.write import write_receipt
from kilocell.runner.campaign.campaign import Campaign, load_campaign
from kilocell.runner.campaign.cell_plan import resolve
from kilocell.runner.plan.job import Job, ScannedSource
from kilocell.runner.plan.plan import list_cells, plan_jobs
from kilocell.runner.plan.scan import check_current_signs
from kilocell.runner.plan.select_jobs import select_cells, select_fits, select_stage

FIT = """
[fit]
name = "diffusion"
model = "SPM"
cells = ["A"]
starts = 2
[fit.parameters]
"Negative particle diffusivity [m2.s-1]" = { bounds = [1e-15, 1e-13], scale = "log" }
"""
CAMPAIGN = campaign_text(SHORT, "column:cell", ("SPM", "SPMe"), FIT)


def campaign_of(folder: Path, text: str = CAMPAIGN) -> Campaign:
    (folder / "one.csv").write_text("cell,t,i,v\nA,0,0,3.7\nB,0,0,3.7\n")
    path = folder / "campaign.toml"
    path.write_text(text)
    return load_campaign(path)


def sources(digest: str = "aa" * 32) -> tuple[ScannedSource, ...]:
    return (ScannedSource(SourceFile("/raw/one.csv", 10, digest, SourceSettings()), ("A", "B")),)


def plan(folder: Path, text: str = CAMPAIGN, digest: str = "aa" * 32) -> tuple[Job, ...]:
    return plan_sources(folder, sources(digest), text)


def plan_sources(folder: Path, scanned: tuple[ScannedSource, ...], text: str = CAMPAIGN) -> tuple[Job, ...]:
    cells = resolve(campaign_of(folder, text), list_cells(scanned))
    return plan_jobs(cells, scanned, Store(folder / "store"))


def by_key(jobs: tuple[Job, ...]) -> dict[tuple[str, ...], Job]:
    return {job.key: job for job in jobs}


def finish(folder: Path, job: Job) -> None:
    """Write the receipt of a job as if a worker had done it."""
    store = Store(folder / "store")
    write_receipt(store, Receipt(job.kind, job.cell_id, job.label, job.digest, "done"))


def test_every_job_comes_after_what_it_needs(tmp_path: Path) -> None:
    jobs = plan(tmp_path)
    seen: set[tuple[str, ...]] = set()
    for job in jobs:
        assert set(job.needs) <= seen, job.key
        seen.add(job.key)
    assert len(seen) == len(jobs)
    kinds = [job.kind for job in jobs]
    assert {kind: kinds.count(kind) for kind in kinds} == {"split": 1, "clean": 2, "simulate": 5, "start": 2, "fit": 1}


def test_keys_read_well_on_the_dashboard(tmp_path: Path) -> None:
    keys = set(by_key(plan(tmp_path)))
    assert {
        ("clean", "A", "clean"),
        ("simulate-SPMe", "A", "SPMe-Chen2020"),
        ("start-diffusion", "A", "diffusion-1"),
        ("fit-diffusion", "A", "diffusion"),
        ("simulate-SPM", "A", "SPM-Chen2020+diffusion"),
    } <= keys


def test_nothing_runs_twice(tmp_path: Path) -> None:
    for job in plan(tmp_path):
        assert job.reason == "never run before"
        finish(tmp_path, job)
    assert [job.reason for job in plan(tmp_path)] == [""] * 11


@pytest.mark.parametrize(
    ("change", "stages"),
    [
        (('name = "small"', '# a comment\nname = "small"'), set()),
        (("[cells.defaults]", "[cluster]\nworkers = 1\n[cells.defaults]"), set()),
        (("starts = 2", "starts = 3"), {"start-diffusion", "fit-diffusion", "simulate-SPM"}),
        (('"SPMe"]', '"SPMe", "DFN"]'), {"simulate-DFN"}),
        (("1e-13]", "1e-12]"), {"start-diffusion", "fit-diffusion", "simulate-SPM"}),
    ],
)
def test_only_what_a_change_touches_runs_again(tmp_path: Path, change: tuple[str, str], stages: set[str]) -> None:
    for job in plan(tmp_path):
        finish(tmp_path, job)
    before = by_key(plan(tmp_path))
    assert change[0] in CAMPAIGN
    changed = plan(tmp_path, CAMPAIGN.replace(*change))
    again = {job.stage for job in changed if job.reason}
    assert again == stages
    if change[0] == "starts = 2":  # starts that are there are not repeated
        assert [job.label for job in changed if job.kind == "start" and job.reason] == ["diffusion-2"]
    assert len(before) == 11


def test_new_bytes_run_all_of_it_again_and_say_why(tmp_path: Path) -> None:
    for job in plan(tmp_path):
        finish(tmp_path, job)
    reasons = {job.kind: job.reason for job in plan(tmp_path, digest="bb" * 32)}
    assert reasons["clean"] in ("settings or input changed", "a job that it needs runs again")
    assert reasons["simulate"] == "a job that it needs runs again"


def test_a_failed_job_and_a_lost_file_run_again(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    jobs = by_key(plan(tmp_path))
    clean = jobs["clean", "A", "clean"]
    write_receipt(store, Receipt("clean", "A", "clean", clean.digest, "failed", reason="no voltage"))
    assert by_key(plan(tmp_path))[clean.key].reason == "failed before: no voltage"
    lost = (OutputFile("cleaned/A.parquet", 10),)
    write_receipt(store, Receipt("clean", "A", "clean", clean.digest, "done", outputs=lost))
    assert by_key(plan(tmp_path))[clean.key].reason == "its output files are missing or were changed"


def test_commands_choose_their_stages(tmp_path: Path) -> None:
    jobs = plan(tmp_path)
    assert {job.kind for job in select_stage(jobs, "clean")} == {"split", "clean"}
    assert len([job for job in select_stage(jobs, "simulate") if job.kind == "simulate"]) == 4
    assert [job.label for job in select_stage(jobs, "fit") if job.kind == "simulate"] == ["SPM-Chen2020+diffusion"]
    assert len(select_stage(jobs, "run")) == len(jobs)


def test_one_cell_brings_the_split_it_needs(tmp_path: Path) -> None:
    chosen = select_cells(plan(tmp_path), ["B"])
    assert {job.kind for job in chosen} == {"split", "clean", "simulate"}
    assert {job.cell_id for job in chosen if job.kind != "split"} == {"B"}


def test_an_unknown_cell_is_named_with_the_nearest(tmp_path: Path) -> None:
    from kilocell.data.errors import UsageError

    jobs = tuple(replace(job, cell_id=job.cell_id.replace("A", "CELL_A")) for job in plan(tmp_path))
    with pytest.raises(UsageError, match='did you mean "CELL_A"'):
        select_cells(jobs, ["CELL_AA"])


def test_a_start_that_runs_again_takes_its_fit_along(tmp_path: Path) -> None:
    for job in plan(tmp_path):
        finish(tmp_path, job)
    store = Store(tmp_path / "store")
    start = by_key(plan(tmp_path))["start-diffusion", "A", "diffusion-1"]
    write_receipt(store, Receipt("start", "A", start.label, start.digest, "failed", reason="no solution"))
    again = [job.key for job in plan(tmp_path) if job.reason]
    assert again == [start.key, ("fit-diffusion", "A", "diffusion"), ("simulate-SPM", "A", "SPM-Chen2020+diffusion")]


def test_profiles_are_jobs_after_their_fit_and_change_nothing_else(tmp_path: Path) -> None:
    before = plan(tmp_path)
    asked = plan(tmp_path, CAMPAIGN.replace("starts = 2", "starts = 2\nprofiles = true"))
    (profile,) = [job for job in asked if job.kind == "profile"]
    assert profile.label == "diffusion-Negative particle diffusivity [m2.s-1]"
    assert ("fit-diffusion", "A", "diffusion") in profile.needs
    digests = {job.key: job.digest for job in asked if job is not profile}
    assert digests == {job.key: job.digest for job in before}
    assert profile in select_fits(select_stage(asked, "fit"), ["diffusion"])
    assert profile not in select_fits(select_stage(asked, "fit"), ["another"])
    for job in asked:
        finish(tmp_path, job)
    more = {
        job.key: job.reason for job in plan(tmp_path, CAMPAIGN.replace("starts = 2", "starts = 3\nprofiles = true"))
    }
    assert more[profile.key], "another best start is another optimum"
    assert not more["start-diffusion", "A", "diffusion-1"]


def test_files_of_one_cell_with_two_signs_are_refused(tmp_path: Path) -> None:
    from kilocell.data.errors import CampaignError

    signed = (SourceSettings(current_sign="charge_positive"), SourceSettings(current_sign="discharge_positive"))
    one, two = (
        ScannedSource(SourceFile(f"/raw/{name}.csv", 10, name * 64, settings), ("A",))
        for name, settings in zip("ab", signed, strict=True)
    )
    with pytest.raises(CampaignError, match="charge_positive and discharge_positive"):
        check_current_signs(tmp_path / "campaign.toml", (one, two))


def test_a_file_that_cannot_be_read_is_a_job_that_will_say_so(tmp_path: Path) -> None:
    broken = ScannedSource(SourceFile("/raw/two.csv", 3, "cc" * 32, SourceSettings()), ())
    jobs = plan_sources(tmp_path, (*sources(), broken))
    assert [job.cell_id for job in jobs if job.kind == "split"] == ["one.csv", "two.csv"]
