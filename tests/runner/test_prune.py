"""Pruning removes what no plan needs, never more, and leaves no row of the catalog without its files."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from campaigns import SHORT, campaign_text
from kilocell.data.errors import StoreError, UsageError
from kilocell.data.results.receipt import OutputFile, Receipt, SplitResult
from kilocell.parquet_store.layout import Store
from kilocell.parquet_store.write import write_frame, write_receipt
from kilocell.runner.campaign.campaign import Campaign, load_campaign
from kilocell.runner.campaign.next_command import NextCommand
from kilocell.runner.plan.job import Job, SimulateWork
from kilocell.runner.plan.unneeded import ORPHANS
from kilocell.runner.run import prune as prune_module
from kilocell.runner.run.lock import lock_store
from kilocell.runner.run.prune import Pruning, find_pruning, prune
from kilocell.runner.run.run_campaign import _record_plan, scan_and_plan
from kilocell.runner.show.prune import format_bytes, unneeded_line
from kilocell.sqlite.catalog import Catalog

FRAME = pd.DataFrame({"test_time_second": [0.0, 1.0]})
MODELS = ("SPM", "SPMe")


def campaign(folder: Path, models: Collection[str] = MODELS, files: str = "*.csv") -> Campaign:
    path = folder / "campaign.toml"
    path.write_text(campaign_text(SHORT, "stem", list(models)).replace("*.csv", files))
    return load_campaign(path)


def finish(store: Store, job: Job) -> None:
    """Write the files and the receipt of a job as if a worker had failed after it had written them."""
    own = {"cell_id": job.cell_id, "digest": job.digest}
    outputs: tuple[OutputFile, ...] = ()
    if job.kind == "clean":
        outputs = tuple(
            write_frame(store, path, FRAME, own) for path in (store.cleaned(job.cell_id), store.quarantine(job.cell_id))
        )
    elif isinstance(job.work, SimulateWork):
        path = store.simulation(job.cell_id, job.label)
        outputs = (write_frame(store, path, FRAME, {**own, "label": job.label}),)
    receipt = Receipt(job.kind, job.cell_id, job.label, job.digest, "failed", "why", "left_range", outputs=outputs)
    write_receipt(store, receipt)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store in which two cells and two models were run, as a run leaves it."""
    for cell in ("A", "B"):
        (tmp_path / f"{cell}.csv").write_text("t,i,v\n0,0,3.7\n1,0,3.7\n")
    record(campaign(tmp_path))
    return Store(tmp_path / "store")


def record(asked: Campaign) -> None:
    """Write every job of a campaign, and its plan, as a run does."""
    store = Store(asked.store)
    store.root.mkdir(exist_ok=True)
    plan = scan_and_plan(asked)
    with Catalog.open(store.catalog) as catalog:
        run_id = _record_plan(catalog, asked, plan, (), ["kilocell"])
        for job in plan.jobs:
            finish(store, job)
            settings = job.work.settings if isinstance(job.work, SimulateWork) else None
            receipt = Receipt(job.kind, job.cell_id, job.label, job.digest, "failed", "why", "left_range")
            catalog.record(receipt, run_id, settings=settings)


def files(store: Store) -> set[str]:
    return {store.relative(path) for path in store.root.rglob("*") if path.is_file() and path.name != "run.lock"}


def rows(store: Store, table: str) -> int:
    with closing(sqlite3.connect(store.catalog)) as catalog:
        assert catalog.execute("PRAGMA foreign_key_check").fetchall() == []
        return int(catalog.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_nothing_of_the_plan_is_unneeded(tmp_path: Path, store: Store) -> None:
    before = files(store)
    pruning = prune(campaign(tmp_path))
    assert (pruning.files, unneeded_line(pruning, NextCommand(store.root))) == (0, "")
    assert files(store) == before
    assert rows(store, "jobs") == 6


def test_listing_removes_nothing_and_yes_removes_a_model(tmp_path: Path, store: Store) -> None:
    before = files(store)
    fewer = campaign(tmp_path, ["SPM"])
    found = find_pruning(fewer)
    assert files(store) == before
    assert {(one.kind, one.label) for one in found.unneeded} == {("simulate", "SPMe-Chen2020")}
    assert found.size_bytes > 0
    assert f"{found.files} files" in unneeded_line(found, NextCommand(store.root))
    prune(fewer)
    assert before - files(store) == {name for name in before if "SPMe" in name}
    assert (rows(store, "jobs"), rows(store, "simulations"), rows(store, "plan"), rows(store, "models")) == (4, 2, 4, 1)
    assert find_pruning(fewer).files == 0


def test_a_cell_that_the_campaign_no_longer_has_goes_everywhere(tmp_path: Path, store: Store) -> None:
    prune(campaign(tmp_path, files="A.csv"))
    assert not any("/B" in name for name in files(store))
    assert (rows(store, "cells"), rows(store, "sources"), rows(store, "jobs")) == (1, 1, 3)


def test_results_of_a_cell_whose_file_is_gone_stay(tmp_path: Path, store: Store) -> None:
    (tmp_path / "B.csv").unlink()
    before = files(store)
    pruning = prune(campaign(tmp_path))
    assert set(pruning.gone) == {"B"}
    assert files(store) == before
    assert rows(store, "cells") == 2
    prune(campaign(tmp_path), include_gone=True)
    assert not any("/B" in name for name in files(store))
    assert rows(store, "cells") == 1


def test_what_kilocell_did_not_write_stays(tmp_path: Path, store: Store) -> None:
    mine = [
        store.root / "cleaned" / "notes.txt",
        store.root / "cleaned" / "mine.parquet",
        store.root / "simulations" / "B" / "copy of SPM.parquet",
        store.root / "parameter_sets" / f"{'0' * 64}.json",
        store.root / "receipts" / "clean" / "B" / "other.json",
        store.root / "logs" / "clean" / "B" / "mine.log",
        store.root / "figures" / "B.png",
    ]
    for path in mine:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    FRAME.to_parquet(mine[1])
    mine[2].write_bytes(store.simulation("B", "SPM-Chen2020").read_bytes())
    outside = tmp_path / "outside.parquet"
    outside.write_text("mine")
    traps = tuple(
        OutputFile(path, 4) for path in ("../outside.parquet", str(outside), "catalog.sqlite", "cleaned/A.parquet")
    )
    write_receipt(store, Receipt("simulate", "C", "SPM-Chen2020", "d", "done", outputs=traps))
    prune(campaign(tmp_path, files="A.csv"))
    assert all(path.exists() for path in (*mine, outside, store.catalog, store.cleaned("A")))
    assert not store.cleaned("B").exists()


def test_files_of_a_killed_process_go(tmp_path: Path, store: Store) -> None:
    job = next(job for job in scan_and_plan(campaign(tmp_path)).jobs if job.kind == "clean" and job.cell_id == "A")
    lost = replace(job, cell_id="Z")
    write_frame(store, store.cleaned("Z"), FRAME, {"cell_id": lost.cell_id, "digest": lost.digest})
    unfinished = store.cleaned("A").with_name("A.parquet.tmp-4711-0123abcd")
    unfinished.write_text("half")
    begun = store.receipt("clean", "Z", "clean").with_suffix(".begun")
    begun.parent.mkdir(parents=True)
    begun.write_text('{"host": "node7", "pid": 4711, "unix_second": 1.7e9}\ntime limit 3600 s\n')
    mine = begun.with_name("mine.begun")
    mine.write_text("the notes of someone else")
    old_part = store.raw("ab" * 32, "A") / "part-000.parquet"
    write_frame(store, old_part, FRAME, {"cell_id": "A", "digest": "ab" * 32})
    (group,) = prune(campaign(tmp_path)).unneeded
    assert (group.kind, len(group.paths)) == (ORPHANS, 4)
    assert not any(path.exists() for path in (store.cleaned("Z"), unfinished, begun, old_part))
    assert mine.exists()
    assert store.cleaned("A").exists()


def test_raw_rows_of_a_kept_cell_stay(tmp_path: Path, store: Store) -> None:
    path = store.raw("cd" * 32, "B") / "part-000.parquet"
    output = write_frame(store, path, FRAME, {"cell_id": "B", "digest": "cd" * 32})
    source = scan_and_plan(campaign(tmp_path)).sources[0].file
    result = SplitResult(source, (("B", 2),))
    write_receipt(store, Receipt("split", "all.csv", "x", "cd" * 32, "done", outputs=(output,), result=result))
    (tmp_path / "B.csv").unlink()
    assert prune(campaign(tmp_path)).files == 0
    assert path.exists()


@pytest.mark.parametrize("after", range(4))
def test_a_kill_in_the_middle_leaves_no_row_without_files(
    tmp_path: Path, store: Store, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fewer = campaign(tmp_path, ["SPM"])
    unlink = Path.unlink
    removed: list[Path] = []

    def dying(path: Path, missing_ok: bool = False) -> None:
        if path.suffix != ".lock" and len(removed) == after:
            raise KeyboardInterrupt
        removed.append(path)
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", dying)
    with pytest.raises(KeyboardInterrupt):
        prune(fewer)
    monkeypatch.undo()
    assert rows(store, "jobs") == 4  # the catalog has forgotten all of them, or none
    left = list((store.root / "receipts").rglob("SPMe*.json"))
    for path in left if removed and removed[-1].suffix != ".json" else ():
        assert path.exists()
    prune(fewer)
    assert not any("SPMe" in name for name in files(store))


def test_a_run_or_another_campaign_is_not_disturbed(tmp_path: Path, store: Store) -> None:
    with lock_store(store.root), pytest.raises(StoreError, match="in use"):
        prune(campaign(tmp_path, ["SPM"]))
    other = tmp_path / "other.toml"
    other.write_text((tmp_path / "campaign.toml").read_text())
    before = files(store)
    with pytest.raises(UsageError, match=r"campaign\.toml used this store last"):
        prune(load_campaign(other))
    assert files(store) == before
    (tmp_path / "campaign.toml").unlink()
    assert isinstance(prune_module.prune(load_campaign(other)), Pruning)


def test_sizes_read_well() -> None:
    assert [format_bytes(size) for size in (12, 3_400, 5_600_000, 7_000_000_000)] == [
        "12 B",
        "3.4 kB",
        "5.6 MB",
        "7.0 GB",
    ]
