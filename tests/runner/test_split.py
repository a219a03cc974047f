"""A long file of many cells is split in parts, side by side, into what it is split into as a whole."""

from __future__ import annotations

import functools
from pathlib import Path

import pandas as pd
import pytest
from kilocell.data.readers import csv_reader, text_blocks
from kilocell.data.readers import read as readers
from kilocell.data.results.receipt import SplitResult
from kilocell.parquet_store.layout import Store
from kilocell.parquet_store.read import read_partition, read_raw_parts, read_receipt
from kilocell.runner.campaign.campaign import load_campaign
from kilocell.runner.campaign.cell_plan import resolve
from kilocell.runner.plan import scan
from kilocell.runner.plan.job import CleanWork, Job, SplitWork
from kilocell.runner.plan.plan import list_cells, plan_jobs
from kilocell.runner.plan.scan import record_sources, scan_sources
from kilocell.runner.run.record import find_unrecorded
from kilocell.runner.worker.run_job import JobOutcome, run_job
from kilocell.sqlite import queries
from kilocell.sqlite.catalog import Catalog

CAMPAIGN = """
name = "test"
store = "store"
[[sources]]
files = ["*.csv"]
cell_id = "column:cell_id"
[cells.defaults]
parameter_set = "Chen2020"
"""
CELLS = ("A", "B", "C")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three cells, the first one alone and the others row by row, of 300 rows each."""
    hours = [(cell, second) for cell in "A" for second in range(300)]
    hours += [(cell, second) for second in range(300) for cell in "BC"]
    lines = [f"{cell},{second * 60},{1 if second < 150 else -1},{3.5 + second % 150 / 1000}" for cell, second in hours]
    (tmp_path / "long.csv").write_text("\n".join(["cell_id,test_time_s,current_A,voltage_V", *lines, ""]))
    (tmp_path / "campaign.toml").write_text(CAMPAIGN)
    return tmp_path


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let parts begin after 4 kB."""
    monkeypatch.setattr(scan, "RANGE_BYTES", 4000)
    monkeypatch.setattr(readers, "survey", functools.partial(readers.survey, range_bytes=4000))
    blocks = functools.partial(text_blocks.text_blocks, block_bytes=500)
    monkeypatch.setattr(csv_reader, "text_blocks", lambda path, part=None: blocks(path, part=part))


def plan(folder: Path) -> tuple[Job, ...]:
    campaign = load_campaign(folder / "campaign.toml")
    store = Store(folder / "store")
    with Catalog.open(store.catalog) as catalog:
        sources = scan_sources(campaign.sources, store.catalog)
        record_sources(catalog, sources)
        planned = plan_jobs(resolve(campaign, list_cells(sources)), sources, store)
        catalog.record_many(find_unrecorded(catalog.path, store, planned), None)
    return tuple(job for job in planned if job.kind in ("split", "clean"))


def run(folder: Path, jobs: tuple[Job, ...]) -> dict[tuple[str, ...], JobOutcome]:
    done: dict[tuple[str, ...], JobOutcome] = {}
    for job in jobs:
        if job.reason:
            done[job.key] = run_job(str(folder / "store"), job, *(done[key] for key in job.needs if key in done))
    return done


def results(folder: Path, jobs: tuple[Job, ...]) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    store = Store(folder / "store")
    raw = {}
    for job in jobs:
        if isinstance(job.work, CleanWork):
            (source,) = job.work.sources
            raw[job.cell_id] = read_raw_parts(store, source.splits, job.cell_id)
    return {cell: (raw[cell], read_partition(store, cell)) for cell in CELLS}


def test_parts_hold_what_the_whole_holds(folder: Path, request: pytest.FixtureRequest) -> None:
    whole = plan(folder)
    assert [job.kind for job in whole].count("split") == 1
    assert {outcome.status for outcome in run(folder, whole).values()} == {"done"}
    expected = results(folder, whole)
    (folder / "store").rename(folder / "store-of-the-whole")

    request.getfixturevalue("parts")
    jobs = plan(folder)
    splits = [job for job in jobs if job.kind == "split"]
    assert len(splits) > 3
    assert len({job.key for job in splits}) == len({job.digest for job in splits}) == len(splits)
    assert {outcome.status for outcome in run(folder, jobs).values()} == {"done"}
    for cell, frames in results(folder, jobs).items():
        for frame, of_whole in zip(frames, expected[cell], strict=True):
            pd.testing.assert_frame_equal(frame, of_whole)
    # A cell waits for the parts that hold it, and for no other.
    needs = {job.cell_id: set(job.needs) for job in jobs if job.kind == "clean"}
    assert needs["B"] == needs["C"]
    assert len(needs["A"] & needs["B"]) <= 1
    assert needs["A"] | needs["B"] == {job.key for job in splits}


@pytest.mark.usefixtures("parts")
def test_what_was_split_before_a_kill_is_not_split_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = plan(folder)
    run(folder, jobs[:2])
    assert run(folder, jobs[:2])
    monkeypatch.setattr(readers, "survey", None)  # known by now: the file is not read again to find its parts
    again = plan(folder)
    assert [job.key for job in again] == [job.key for job in jobs]
    assert [job.reason for job in again[:3]] == ["", "", "never run before"]
    assert {outcome.status for outcome in run(folder, again).values()} == {"done"}
    assert not any(job.reason for job in plan(folder))


@pytest.mark.usefixtures("parts")
def test_the_catalog_knows_every_cells_rows(folder: Path) -> None:
    jobs = plan(folder)
    run(folder, jobs)
    store = Store(folder / "store")
    with Catalog.open(store.catalog) as catalog:
        catalog.record_many([(read_receipt(store.receipt(j.kind, j.cell_id, j.label)), None) for j in jobs], None)  # type: ignore[misc]
        counts = queries.connect(store.catalog).execute("SELECT cell_id, rows FROM source_cells ORDER BY cell_id")
        assert [tuple(row) for row in counts] == [(cell, 300) for cell in CELLS]
    found = [read_receipt(store.receipt(job.kind, job.cell_id, job.label)) for job in jobs if job.kind == "split"]
    held = [receipt.result for receipt in found if receipt is not None]
    assert sum(rows for part in held if isinstance(part, SplitResult) for _, rows in part.cells) == 900


def test_a_file_that_was_split_as_a_whole_stays_so(folder: Path, request: pytest.FixtureRequest) -> None:
    run(folder, plan(folder))
    request.getfixturevalue("parts")
    again = plan(folder)
    assert [job.reason for job in again] == [""] * len(again)
    assert [job.work.part for job in again if isinstance(job.work, SplitWork)] == [None]


@pytest.mark.usefixtures("parts")
def test_a_part_that_fails_stops_its_own_cells_alone(folder: Path) -> None:
    jobs = plan(folder)
    splits = [job for job in jobs if job.kind == "split"]
    (folder / "store" / "raw").mkdir(parents=True, exist_ok=True)
    Store(folder / "store").raw(splits[0].digest, "A").parent.write_text("in the way")
    outcomes = run(folder, jobs)
    assert outcomes[splits[0].key].status == "failed"
    assert {cell: outcomes["clean", cell, "clean"].status for cell in CELLS} == {
        "A": "skipped",
        "B": "done",
        "C": "done",
    }


def test_the_scan_gives_digest_and_cells_of_one_reading(folder: Path) -> None:
    campaign = load_campaign(folder / "campaign.toml")
    (source,) = scan.scan_sources(campaign.sources, folder / "no-catalog.sqlite")
    path = folder / "long.csv"
    assert source.file.digest == readers.source_file(path, source.file.settings).digest
    assert source.cell_ids == CELLS
