"""Results that other versions of packages made stay as they are, and plan and status name the versions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from campaigns import lines
from filled_store import fill
from kilocell.data.installed import installed_version
from kilocell.parquet_store.layout import Store
from kilocell.parquet_store.read import read_receipt
from kilocell.parquet_store.write import write_receipt
from kilocell.runner.campaign.campaign import load_campaign
from kilocell.runner.run.record import Recorder
from kilocell.runner.run.run_campaign import scan_and_plan
from kilocell.runner.show.plan import show_plan
from kilocell.runner.show.status import show_status
from kilocell.runner.show.versions import versions_text
from kilocell.runner.worker.run_job import JobOutcome
from kilocell.sqlite.catalog import Catalog
from test_purged_files import clean, write_campaign


def test_a_store_without_results_says_nothing(tmp_path: Path) -> None:
    assert versions_text(tmp_path / "store") == ""
    fill(tmp_path, "A")
    assert versions_text(tmp_path) == ""


def test_an_update_of_numpy_makes_nothing_run_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "one.csv").write_text(lines("ONE"))
    campaign = write_campaign(tmp_path)
    cleaning = next(job for job in clean(campaign).jobs if job.kind == "clean")
    assert versions_text(campaign.store) == ""
    store = Store(campaign.store)
    receipt = read_receipt(store.receipt("clean", "one", "clean"))
    assert receipt is not None
    write_receipt(store, replace(receipt, versions=(*receipt.versions[:2], ("numpy", "1.21.6"), *receipt.versions[3:])))
    with Catalog.open(store.catalog) as catalog:
        Recorder(catalog, store, 1, [cleaning]).add([JobOutcome(cleaning.key, "done")])
    campaign = load_campaign(campaign.path)
    assert not [job for job in scan_and_plan(campaign).jobs if job.kind == "clean" and job.reason]
    expected = f"1 result with numpy 1.21.6 (installed: {installed_version('numpy')}); they stay as they are"
    show_plan(campaign, json_=False, everything=False)
    assert expected in capsys.readouterr().out
    show_status(campaign.store, json_=False)
    assert expected in " ".join(capsys.readouterr().out.split())
