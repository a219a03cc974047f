"""The catalog follows the receipts, also those that a worker wrote after its run had ended or had given the job up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kilocell.data.results.receipt import Receipt, Status
from kilocell.data.settings import CleanSettings
from kilocell.parquet_store.layout import Store
from kilocell.parquet_store.write import write_receipt
from kilocell.runner.plan.job import CleanWork, Job, Kept
from kilocell.runner.run.record import find_unrecorded
from kilocell.sqlite.catalog import Catalog

JOB = Job("clean", "A", "clean", "clean", "digest", CleanWork((), CleanSettings(), 60.0), reason="")


def found(folder: Path, in_catalog: Status, in_store: Status, job: Job) -> list[str]:
    """Which status of a job is found in the store and not in the catalog."""
    store = Store(folder)
    write_receipt(store, Receipt("clean", "A", "clean", "digest", in_store))
    with Catalog.open(store.catalog) as catalog:
        catalog.record_many([(Receipt("clean", "A", "clean", "digest", in_catalog), None)], None)
        return [receipt.status for receipt, _ in find_unrecorded(store.catalog, store, [job])]


def test_a_job_that_ended_after_its_run_had_given_it_up_is_recorded(tmp_path: Path) -> None:
    """As when the scheduler dies: the client records the job as failed, and the worker goes on to its end."""
    assert found(tmp_path, "failed", "done", JOB) == ["done"]


def test_what_the_catalog_knows_is_not_recorded_again(tmp_path: Path) -> None:
    assert found(tmp_path / "done", "done", "done", JOB) == []
    kept = replace(JOB, kept=Kept("failed", "no voltage", "no_voltage"))
    assert found(tmp_path / "failed", "failed", "failed", kept) == []
