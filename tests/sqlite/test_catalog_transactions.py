"""Runs, sources, and errors in the middle of a transaction: it is written completely or not at all."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from kilocell.data.results.receipt import JobKind, Receipt
from kilocell.sqlite import queries
from kilocell.sqlite.catalog import Catalog
from sample_receipts import (
    DFN,
    SPM,
    SPME,
    asked,
    cell,
    cleaned,
    everything,
    simulated,
    source,
    split,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a store # 100 %" / "catalog.sqlite"


@pytest.fixture
def catalog(path: Path) -> Iterator[Catalog]:
    with Catalog.open(path) as opened:
        yield opened


def rows(path: Path, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    connection = queries.connect(path)
    try:
        return [tuple(row) for row in connection.execute(sql, values)]
    finally:
        connection.close()


def test_runs_are_begun_and_ended(catalog: Catalog, path: Path) -> None:
    campaign = catalog.put_campaign("demo", "campaign.toml", "[x]", "d1")
    assert catalog.put_campaign("demo", "campaign.toml", "[x]", "d1") == campaign
    assert catalog.put_campaign("demo", "campaign.toml", "[y]", "d2") != campaign
    lost = catalog.begin_run("kilocell run", "node-1", 11, {"pybamm": "26.10"}, campaign)
    run_id = catalog.begin_run("kilocell fit", "node-2", 12, {"pybamm": "26.10"})
    catalog.record(cleaned("A"), run_id)
    catalog.end_run(run_id, 1, "failed")
    found = rows(path, "SELECT run_id, campaign_id, command, host, pid, versions, status, exit_code FROM runs")
    versions = json.dumps({"pybamm": "26.10"})
    assert found == [
        (lost, campaign, "kilocell run", "node-1", 11, versions, "interrupted", None),
        (run_id, None, "kilocell fit", "node-2", 12, versions, "failed", 1),
    ]
    assert rows(path, "SELECT run_id FROM jobs") == [(run_id,)]


def test_a_source_keeps_rows_and_time_while_its_bytes_stay(catalog: Catalog, path: Path) -> None:
    catalog.put_source(source("raw/x.csv"), ["A", "B"], 17)
    catalog.record(split("raw/x.csv", "A", "B"), None)
    catalog.put_source(source("raw/x.csv"), ["A", "B"], 17)
    assert rows(path, "SELECT mtime_ns FROM sources") == [(17,)]
    assert rows(path, "SELECT cell_id, rows FROM source_cells ORDER BY cell_id") == [("A", 100), ("B", 101)]
    catalog.put_source(source("raw/x.csv", "cd" * 32), ["B"], 18)
    assert rows(path, "SELECT mtime_ns, digest FROM sources") == [(18, "cd" * 32)]
    assert rows(path, "SELECT cell_id, rows FROM source_cells") == [("B", None)]


def test_an_error_undoes_the_whole_transaction(catalog: Catalog, path: Path) -> None:
    def write() -> None:
        with catalog.transaction():
            catalog.put_cell(cell("A"), ())
            catalog.record(cleaned("B"), run_id=12345)  # no such run

    with pytest.raises(sqlite3.IntegrityError):
        write()
    assert rows(path, "SELECT count(*) FROM cells") == [(0,)]


def test_an_error_in_an_inner_transaction_undoes_that_part_alone(catalog: Catalog, path: Path) -> None:
    boiled = replace(cleaned("C"), kind=cast(JobKind, "boil"))
    with catalog.transaction():
        catalog.put_cell(cell("A"), ())
        with pytest.raises(sqlite3.IntegrityError):
            catalog.record_many([(cleaned("B"), None), (boiled, None)], None)
        catalog.put_cell(cell("D"), ())
    assert rows(path, "SELECT cell_id FROM cells") == [("A",), ("D",)]


def test_records_are_sound_when_a_generator_of_receipts_fails(catalog: Catalog, path: Path) -> None:
    def receipts() -> Iterator[tuple[Receipt, None]]:
        yield cleaned("A"), None
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        catalog.record_many(receipts(), None)
    catalog.record(cleaned("B"), None)
    assert rows(path, "SELECT cell_id FROM clean_reports") == [("B",)]


def test_every_reference_holds(catalog: Catalog, path: Path) -> None:
    for each in (*everything("A"), *everything("B")):
        catalog.record(each, catalog.begin_run("run", "host", 1, {}))
    assert rows(path, "PRAGMA foreign_key_check") == []
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.slow
def test_thousands_of_receipts_take_seconds(catalog: Catalog, path: Path) -> None:
    import time

    models = (SPM, SPME, DFN)
    many = [(simulated(asked(f"C{n:04}", model), 10.0 + n), None) for n in range(1000) for model in models]
    began = time.process_time()
    catalog.record_many(many, None)
    assert time.process_time() - began < 30.0  # 3 s on an idle machine
    assert rows(path, "SELECT count(*) FROM comparisons") == [(9000,)]
