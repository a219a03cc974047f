"""Signs of life of a run in the catalog, and what is read of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest
from kilocell.data.results.receipt import Receipt
from kilocell.data.run_sample import Peaks, RunSample, WorkerCounts
from kilocell.sqlite import queries, run_queries
from kilocell.sqlite.catalog import Catalog
from kilocell.sqlite.run_samples import RunSamples

COUNTS = WorkerCounts(3, 6, 900, 400, {"clean": 1, "simulate": 2}, {"node7": 2, "node8": 1})


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(tmp_path / "catalog.sqlite") as opened:
        yield opened


def read(catalog: Catalog, run_id: int) -> tuple[sqlite3.Row, list[tuple[object, ...]]]:
    with closing(queries.connect(catalog.path)) as reader:
        run = run_queries.find_run(reader, run_id)
        assert run is not None
        return run, [tuple(row) for row in run_queries.run_workers(reader, run_id)]


def test_samples_and_peaks_are_written_and_the_end_closes_them(catalog: Catalog) -> None:
    run_id = catalog.begin_run("kilocell run", "node7", 42, {})
    catalog.describe_run(run_id, {"log": "logs/runs/1.log", "kilocell_commit": None})
    samples = RunSamples(catalog.path, run_id)
    assert samples.write([RunSample(5.0, COUNTS, 8.5, left_is_least=True)], [], Peaks(3, 900, 400, 70))
    assert samples.write([RunSample(6.0, WorkerCounts())], [5.0], Peaks(3, 900, 400, 80))
    run, workers = read(catalog, run_id)
    assert workers == [(run_id, 6.0, 0, 0, 0, 0, 0, "{}", None, None)]
    assert (run["workers_peak"], run["worker_memory_peak_bytes"], run["client_memory_peak_bytes"]) == (3, 400, 80)
    assert (run["worker_hosts"], run["seen_unix_second"]) == ('{"node7": 2, "node8": 1}', 6.0)
    assert run["log"] == "logs/runs/1.log"
    catalog.end_run(run_id, 0, "done")
    assert samples.write([RunSample(9.0, COUNTS)], [], Peaks(9, 9, 9, 9))
    samples.close()
    run, workers = read(catalog, run_id)
    assert run["workers_peak"] == 3  # what ended stays as it ended
    assert run["seconds"] == pytest.approx(run["ended_unix_second"] - run["started_unix_second"])
    assert workers[-1] == (run_id, 9.0, 3, 6, 900, 400, 3, '{"clean": 1, "simulate": 2}', None, None)


def test_a_catalog_in_use_is_no_error_and_takes_the_samples_later(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kilocell.sqlite.run_samples.BUSY_SECOND", 0.01)
    run_id = catalog.begin_run("kilocell run", "node7", 42, {})
    samples = RunSamples(catalog.path, run_id)
    with catalog.transaction():
        assert not samples.write([RunSample(5.0, COUNTS)], [], Peaks())
    assert samples.write([RunSample(5.0, COUNTS), RunSample(6.0, COUNTS)], [], Peaks())
    samples.close()
    assert len(read(catalog, run_id)[1]) == 2


def ended(catalog: Catalog, run_id: int, ends: list[float], status: str = "done") -> None:
    receipts = []
    for number, end in enumerate(ends):
        times: dict[str, Any] = {"started_unix_second": end - 2.0, "seconds": 2.0}
        receipts.append(Receipt("clean", f"{status}{number}", "clean", "d", cast(Any, status), "why", **times))
    catalog.record_many([(receipt, None) for receipt in receipts], run_id)


def ends_at(catalog: Catalog, run_id: int, now: float) -> run_queries.Ends | None:
    with closing(queries.connect(catalog.path)) as reader:
        return run_queries.last_ends(reader, run_id, now)


def test_the_rate_is_that_of_the_last_minute_or_of_the_last_jobs(catalog: Catalog) -> None:
    run_id = catalog.begin_run("kilocell run", "node7", 42, {})
    assert ends_at(catalog, run_id, 100.0) is None
    ended(catalog, run_id, [10.0, 20.0])
    assert ends_at(catalog, run_id, 100.0) == run_queries.Ends(2, 8.0, is_all=True)  # since the first one began
    ended(catalog, run_id, [100.0 + number for number in range(30)])
    assert ends_at(catalog, run_id, 400.0) == run_queries.Ends(20, 110.0, is_all=False)
    assert ends_at(catalog, run_id, 161.5) == run_queries.Ends(28, 102.0, is_all=False)
    ended(catalog, run_id, [161.0], "skipped")
    assert ends_at(catalog, run_id, 161.5) == run_queries.Ends(28, 102.0, is_all=False)  # they take no time


def test_the_newest_failures_come_first(catalog: Catalog) -> None:
    run_id = catalog.begin_run("kilocell run", "node7", 42, {})
    ended(catalog, run_id, [30.0, 50.0, 40.0], "failed")
    with closing(queries.connect(catalog.path)) as reader:
        newest = run_queries.newest_failures(reader, run_id, 2)
        counts = [tuple(row) for row in run_queries.jobs_of_run(reader, run_id)]
    assert [row["cell_id"] for row in newest] == ["failed1", "failed2"]
    assert counts == [("clean", "failed", 3)]


def test_runs_are_found_by_their_number(catalog: Catalog) -> None:
    first = catalog.begin_run("one", "node7", 42, {})
    second = catalog.begin_run("two", "node7", 43, {})
    with closing(queries.connect(catalog.path)) as reader:
        found = [run_queries.find_run(reader, number) for number in (first, None, 99)]
        assert run_queries.run_ids(reader) == [first, second]
    assert [row["command"] if row is not None else None for row in found] == ["one", "two", None]
