"""Which files a job leaves, in which order they come and go, and that stores of earlier versions are read as before."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from kilocell.data import columns as c
from kilocell.data.errors import JobError, StoreError
from kilocell.data.results.receipt import Receipt
from kilocell.parquet_store import split_rows
from kilocell.parquet_store.layout import Store, list_receipts
from kilocell.parquet_store.read import read_partition, read_quarantine, read_raw_parts, read_receipt
from kilocell.parquet_store.write import Unwritten, write_frame, write_receipt, write_with_receipt
from kilocell.runner.campaign.campaign import load_campaign
from kilocell.runner.campaign.cell_plan import resolve
from kilocell.runner.cli import cli
from kilocell.runner.plan.job import EARLIER_AGAIN, CleanWork, Job, SimulateWork
from kilocell.runner.plan.plan import list_cells, plan_jobs
from kilocell.runner.plan.scan import scan_sources
from kilocell.runner.plan.unneeded import find_unneeded
from kilocell.runner.worker import cell_tasks
from kilocell.runner.worker import run_job as run_job_module
from kilocell.runner.worker.run_job import JobOutcome, run_job

CAMPAIGN = """
name = "test"
store = "store"
models = ["SPM"]
[[sources]]
files = ["many.csv"]
cell_id = "column:cell_id"
[cells.defaults]
parameter_set = "Chen2020"
"""
CELLS = ("A", "B", "C/1")
SPOILT = "B"
"""The cell with a row without a time."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign of three cells in one file, cleaned."""
    folder = tmp_path_factory.mktemp("finished")
    write_cells(folder)
    assert {outcome.status for outcome in run(folder).values()} == {"done"}
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """A copy of the campaign, at another place."""
    os.link(finished / "many.csv", tmp_path / "many.csv")
    (tmp_path / "campaign.toml").write_text(CAMPAIGN)
    for path in (finished / "store").rglob("*.*"):
        if path.is_file():
            target = tmp_path / path.relative_to(finished)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return tmp_path


def write_cells(folder: Path) -> None:
    rows = [
        f"{cell},{second * 60},{1 if second < 50 else -1},{3.5 + second % 50 / 1000}"
        for second in range(100)
        for cell in CELLS
    ]
    rows.insert(200, f"{SPOILT},,1,3.6")
    (folder / "many.csv").write_text("\n".join(["cell_id,test_time_s,current_A,voltage_V", *rows, ""]))
    (folder / "campaign.toml").write_text(CAMPAIGN)


def plan(folder: Path, kinds: tuple[str, ...] = ("split", "clean")) -> tuple[Job, ...]:
    campaign = load_campaign(folder / "campaign.toml")
    sources = scan_sources(campaign.sources, folder / "no-catalog.sqlite")
    planned = plan_jobs(resolve(campaign, list_cells(sources)), sources, Store(folder / "store"))
    return tuple(job for job in planned if job.kind in kinds)


def run(folder: Path) -> dict[tuple[str, ...], JobOutcome]:
    done: dict[tuple[str, ...], JobOutcome] = {}
    for job in plan(folder):
        if job.reason:
            done[job.key] = run_job(str(folder / "store"), job, *(done[key] for key in job.needs if key in done))
    return done


def cleaning(folder: Path, cell_id: str) -> Job:
    return next(job for job in plan(folder) if job.kind == "clean" and job.cell_id == cell_id)


def files(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder / "store").as_posix() for path in (folder / "store").rglob("*") if path.is_file()
    )


def receipt(folder: Path, cell_id: str) -> Receipt | None:
    return read_receipt(Store(folder / "store").receipt("clean", cell_id, "clean"))


def to_old_layout(folder: Path) -> None:
    """Turn a store into what earlier versions wrote: receipts and raw rows in files of their own, and empty files."""
    store = Store(folder / "store")
    written: list[Receipt] = []
    for path in list_receipts(store.root):
        known = read_receipt(path)
        assert known is not None
        if known.kind == "split":
            outputs = []
            for cell_id in CELLS:
                rows = read_raw_parts(store, [known.digest], cell_id)
                metadata = {"cell_id": cell_id, "digest": known.digest}
                part = store.raw(known.digest, cell_id) / "part-000.parquet"
                outputs.append(write_frame(store, part, rows, metadata))
            for output in known.outputs:
                (store.root / output.path).unlink()
        else:
            identity = {c.CELL_ID: known.cell_id}
            frames = [read_partition(store, known.cell_id), read_quarantine(store, known.cell_id)]
            paths = (store.cleaned(known.cell_id), store.quarantine(known.cell_id))
            outputs = [
                write_frame(store, where, frame, {"digest": known.digest}, identity)
                for where, frame in zip(paths, frames, strict=True)
            ]
        written.append(replace(known, outputs=tuple(outputs)))
    for known in written:
        write_receipt(store, known)


def test_a_cleaned_cell_is_one_file_and_its_quarantined_rows_another(finished: Path) -> None:
    split = next(job for job in plan(finished) if job.kind == "split")
    store = Store(finished / "store")
    assert files(finished) == sorted(
        [
            f"receipts/split/many.csv/{split.label}.json",
            f"raw/{split.digest[:16]}/cells.json",
            f"raw/{split.digest[:16]}/part-00000.parquet",
            *(store.relative(store.cleaned(cell_id)) for cell_id in CELLS),
            f"quarantine/{SPOILT}.parquet",
        ]
    )
    assert [job.reason for job in plan(finished)] == [""] * 4


def test_rows_that_were_not_quarantined_are_an_empty_table(finished: Path, tmp_path: Path) -> None:
    store = Store(finished / "store")
    taken = read_quarantine(store, SPOILT)
    assert taken["rule"].tolist() == ["time_missing"]
    none = read_quarantine(store, "A")
    assert none.empty
    assert list(none.columns) == list(c.QUARANTINE_COLUMNS)
    assert none.dtypes.astype(str).to_dict() == c.QUARANTINE_COLUMNS
    with pytest.raises(StoreError, match="no file of quarantined rows"):
        read_quarantine(Store(tmp_path), "A")


def test_a_lost_file_of_quarantined_rows_is_not_an_empty_one(folder: Path) -> None:
    store = Store(folder / "store")
    store.quarantine(SPOILT).unlink()
    with pytest.raises(StoreError, match="no file of quarantined rows"):
        read_quarantine(store, SPOILT)
    assert cleaning(folder, SPOILT).reason == "its output files are missing or were changed"
    run(folder)
    assert len(read_quarantine(store, SPOILT)) == 1


def test_a_cleaning_that_quarantines_nothing_removes_an_earlier_file(folder: Path) -> None:
    store = Store(folder / "store")
    stale = store.quarantine("A")
    stale.write_bytes(store.quarantine(SPOILT).read_bytes())
    assert run_job(str(store.root), cleaning(folder, "A")).status == "done"
    assert not stale.exists()


def test_short_cells_share_a_file_and_each_is_read_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split_rows, "GROUP_ROWS", 150)
    monkeypatch.setattr(split_rows, "FILE_ROWS", 250)
    store, rng = Store(folder / "new"), range(400)
    whole = pd.DataFrame({name: pd.Series(rng, dtype=kind) for name, kind in c.RAW_COLUMNS.items()})
    whole[c.STATE] = ""
    expected: dict[str, list[pd.DataFrame]] = {}
    writer = split_rows.SplitRowsWriter(store, "d" * 64)
    for first, last, cell_id in ((0, 100, "A"), (100, 190, "B"), (190, 200, "A"), (200, 330, "B"), (330, 400, "C")):
        rows = whole[first:last].reset_index(drop=True)
        writer.add(cell_id, rows)
        expected.setdefault(cell_id, []).append(rows)
    outputs = [store.root / output.path for output in writer.close()]
    assert [path.name for path in outputs] == ["part-00000.parquet", "part-00001.parquet", "cells.json"]
    opened = [pq.ParquetFile(path) for path in outputs[:-1]]
    groups = [[file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)] for file in opened]
    assert groups == [[190, 140], [70]]
    assert c.STATE not in opened[0].schema_arrow.names  # no row has one
    read: list[list[int]] = []
    real = pq.ParquetFile.read_row_groups

    def watched(file: pq.ParquetFile, chosen: list[int], columns: list[str]) -> object:
        read.append(chosen)
        return real(file, chosen, columns=columns)

    monkeypatch.setattr(pq.ParquetFile, "read_row_groups", watched)
    for cell_id, parts in expected.items():
        read.clear()
        found = read_raw_parts(store, ["d" * 64], cell_id)
        pd.testing.assert_frame_equal(found, pd.concat(parts, ignore_index=True))
        assert read == {"A": [[0], [1]], "B": [[0], [1]], "C": [[0]]}[cell_id]
    outputs[-1].unlink()
    for cell_id, parts in expected.items():
        pd.testing.assert_frame_equal(read_raw_parts(store, ["d" * 64], cell_id), pd.concat(parts, ignore_index=True))
    with pytest.raises(StoreError, match="'D' has no raw rows"):
        read_raw_parts(store, ["d" * 64], "D")


@pytest.mark.parametrize("content", ["{", "[]", '{"A": 3}', '{"A": [[0]]}'])
def test_a_damaged_index_of_rows_fails_the_job_and_is_moved_away(folder: Path, content: str) -> None:
    store = Store(folder / "store")
    job = cleaning(folder, "A")
    (index,) = store.root.glob("raw/*/cells.json")
    index.write_text(content)
    outcome = run_job(str(store.root), job)
    assert (outcome.status, outcome.code) == ("failed", "damaged_file")
    assert not index.exists()
    assert {outcome.status for outcome in run(folder).values()} == {"done"}


def test_a_store_of_an_earlier_version_is_read_checked_and_kept(folder: Path) -> None:
    store = Store(folder / "store")
    before = {cell_id: (read_partition(store, cell_id), receipt(folder, cell_id)) for cell_id in CELLS}
    to_old_layout(folder)
    assert len([name for name in files(folder) if name.startswith("receipts/")]) == 4
    assert [job.reason for job in plan(folder)] == [""] * 4
    for cell_id, (frame, known) in before.items():
        pd.testing.assert_frame_equal(read_partition(store, cell_id), frame)
        found = receipt(folder, cell_id)
        assert found is not None
        assert known is not None
        assert replace(found, outputs=()) == replace(known, outputs=())
    for command in ("rebuild", "check"):
        shown = CliRunner().invoke(cli, ["catalog", command, "--store", str(store.root)])
        assert shown.exit_code == 0, shown.output
    assert "files    9 of 9 are as they were written" in shown.output


def test_a_cell_of_an_earlier_version_is_cleaned_again_from_its_rows(folder: Path) -> None:
    store = Store(folder / "store")
    frame = read_partition(store, "C/1")
    to_old_layout(folder)
    job = cleaning(folder, "C/1")
    assert isinstance(job.work, CleanWork)
    assert run_job(str(store.root), replace(job, reason="settings changed", digest="e" * 64)).status == "done"
    pd.testing.assert_frame_equal(read_partition(store, "C/1"), frame)
    assert not store.receipt("clean", "C/1", "clean").exists()
    assert not store.quarantine("C/1").exists()
    found = receipt(folder, "C/1")
    assert found is not None
    assert (found.digest, len(found.outputs)) == ("e" * 64, 1)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that a process deletes or puts in place, in order."""
    seen: list[str] = []
    unlink, replace_ = Path.unlink, Path.replace

    def watched_unlink(path: Path, missing_ok: bool = False) -> None:
        if path.exists():
            seen.append(f"- {path.name}")
        unlink(path, missing_ok)

    def watched_replace(path: Path, target: Path) -> Path:
        seen.append(f"+ {target.name}")
        return replace_(path, target)

    monkeypatch.setattr(Path, "unlink", watched_unlink)
    monkeypatch.setattr(Path, "replace", watched_replace)
    return seen


@pytest.mark.parametrize("is_old", [False, True])
def test_no_receipt_vouches_for_files_that_are_about_to_change(folder: Path, steps: list[str], is_old: bool) -> None:
    """At each step the store says that the job is not done, but before the first step and after the last."""
    if is_old:
        to_old_layout(folder)
    store = Store(folder / "store")
    job = cleaning(folder, SPOILT)
    steps.clear()
    assert run_job(str(store.root), job).status == "done"
    own = ["- B.parquet", *(["- clean.json"] if is_old else []), "- B.parquet"]
    assert steps == [*own, "+ B.parquet", "+ B.parquet", "- B~clean.begun"]


def test_a_cleaning_that_fails_leaves_its_reason_and_the_record_of_before(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the raw file is gone: the record of before cannot be made again."""
    store, job = Store(folder / "store"), cleaning(folder, SPOILT)
    before = store.cleaned(SPOILT).read_bytes(), store.quarantine(SPOILT).read_bytes()

    def fail(*_: object) -> None:
        raise JobError("no rows", "no_samples")

    monkeypatch.setattr(cell_tasks, "_read_sources", fail)
    assert run_job(str(store.root), job).code == "no_samples"
    monkeypatch.undo()
    found = receipt(folder, SPOILT)
    assert found is not None
    assert (found.status, found.outputs) == ("failed", ())
    assert (store.cleaned(SPOILT).read_bytes(), store.quarantine(SPOILT).read_bytes()) == before
    assert run_job(str(store.root), job).status == "done"
    assert not store.receipt("clean", SPOILT, "clean").exists()


def test_a_simulation_that_begins_is_not_done_whatever_was_before(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the fit whose set it simulates has changed under the same digest, and the run is killed."""
    store = Store(folder / "store")
    job = next(job for job in plan(folder, ("simulate",)) if job.cell_id == "A")
    path = store.simulation("A", job.label)
    done = Receipt("simulate", "A", job.label, job.digest, "done")
    write_with_receipt(store, Unwritten(path, {c.VOLTAGE: np.zeros(3)}, {}, {}), done)
    assert read_receipt(store.receipt("simulate", "A", job.label)) is not None
    seen: list[Receipt | None] = []

    def killed(*_: object) -> None:
        seen.append(read_receipt(store.receipt("simulate", "A", job.label)))
        raise KeyboardInterrupt

    monkeypatch.setitem(run_job_module._RUN_BY_KIND, SimulateWork, killed)
    with pytest.raises(KeyboardInterrupt):
        run_job(str(store.root), replace(job, reason=EARLIER_AGAIN))
    assert seen == [None]
    assert not path.exists()


def test_a_partition_that_cannot_be_written_is_a_failed_job(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, job, fsync = Store(folder / "store"), cleaning(folder, "A"), os.fsync

    def full(descriptor: int) -> None:
        if "/cleaned/" in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    outcome = run_job(str(store.root), job)
    assert (outcome.status, outcome.code) == ("failed", "file_system")
    assert "No space left" in outcome.reason
    assert [name for name in files(folder) if "A" in name] == ["logs/clean/A/clean.log", "receipts/clean/A/clean.json"]


def test_what_no_job_needs_is_found_by_the_receipt_in_its_file(folder: Path) -> None:
    store = Store(folder / "store")
    jobs = [job for job in plan(folder) if job.cell_id != SPOILT]
    (found,) = find_unneeded(store, jobs, ())
    assert (found.kind, found.cell_id) == ("clean", SPOILT)
    assert found.paths == (store.quarantine(SPOILT), store.cleaned(SPOILT))  # the receipt last
    assert find_unneeded(store, jobs, (), kept_cells={SPOILT}) == []
    to_old_layout(folder)
    (found,) = find_unneeded(store, jobs, ())
    assert found.paths[-1] == store.receipt("clean", SPOILT, "clean")


def test_raw_rows_of_a_split_that_no_job_needs_are_found(folder: Path) -> None:
    store = Store(folder / "store")
    jobs = [job for job in plan(folder) if job.kind != "split"]
    (receipt_path,) = store.root.glob("receipts/split/*/*.json")
    known = json.loads(receipt_path.read_text())
    (folder / "many.csv").write_text("another file")  # else its rows are kept with the cells
    groups = find_unneeded(store, jobs, ())
    assert [(one.kind, len(one.paths)) for one in groups] == [("split", 3)]
    assert {store.root / output["path"] for output in known["outputs"]} == set(groups[0].paths[:2])
    receipt_path.unlink()
    (orphans,) = find_unneeded(store, jobs, ())
    assert set(orphans.paths) == set(groups[0].paths[:2])
    assert find_unneeded(store, jobs, (), kept_cells={"A"}) == []
