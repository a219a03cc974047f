"""The catalog as a file: readers during a write, locks, a full disk, a killed run, damaged files."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from kilocell.data.errors import StoreError
from kilocell.sqlite import queries, user_select
from kilocell.sqlite.catalog import Catalog
from sample_receipts import asked, cleaned, simulated


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "catalog.sqlite"
    with Catalog.open(path) as catalog:
        catalog.record(simulated(asked("A"), 10.0), None)
    return path


@pytest.fixture
def reader(path: Path) -> Iterator[sqlite3.Connection]:
    opened = queries.connect(path, busy_timeout_second=0.2)
    yield opened
    opened.close()


def errors_of(connection: sqlite3.Connection) -> list[float]:
    return [row["rmse_mv"] for row in queries.simulations(connection)]


def test_a_reader_sees_the_state_before_until_all_is_committed(path: Path, reader: sqlite3.Connection) -> None:
    with Catalog.open(path) as catalog:
        with catalog.transaction():
            catalog.record(simulated(asked("A"), 99.0), None)
            catalog.record(simulated(asked("B"), 50.0), None)
            assert errors_of(reader) == [10.0]
            assert len(queries.comparisons(reader)) == 3
        assert errors_of(reader) == [99.0, 50.0]
        assert len(queries.comparisons(reader)) == 6


def test_a_snapshot_is_one_state_and_the_writer_waits_for_its_end(path: Path, reader: sqlite3.Connection) -> None:
    with Catalog.open(path, busy_timeout_second=0.1) as catalog:
        with queries.snapshot(reader):
            before = errors_of(reader)
            with pytest.raises(StoreError, match="locked by another program"):
                catalog.record(simulated(asked("B"), 50.0), None)
            assert errors_of(reader) == before == [10.0]
        catalog.record(simulated(asked("B"), 50.0), None)
    assert errors_of(reader) == [10.0, 50.0]


def test_a_locked_catalog_names_the_run_that_holds_it(path: Path) -> None:
    with Catalog.open(path) as first, Catalog.open(path, busy_timeout_second=0.1) as second:
        first.begin_run("kilocell run lab.toml", "node-7", 4242, {})
        with first.transaction(), pytest.raises(StoreError, match=r"`kilocell run lab\.toml` on node-7, process 4242"):
            second.record(cleaned("B"), None)
        second.record(cleaned("B"), None)


def test_a_catalog_locked_for_reading_too_is_a_store_error(path: Path) -> None:
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="locked by another program"):
        queries.connect(path, busy_timeout_second=0.05)
    with pytest.raises(StoreError, match="locked by another program"):
        Catalog.open(path, busy_timeout_second=0.05)
    holder.close()


def test_a_question_that_waits_too_long_is_a_store_error(path: Path, reader: sqlite3.Connection) -> None:
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="locked by another program"):
        queries.results(reader)
    with pytest.raises(StoreError, match="locked by another program"):
        user_select.select(reader, "SELECT 1 FROM cells")
    holder.close()
    assert errors_of(reader) == [10.0]


def test_a_full_disk_says_so_and_loses_nothing(path: Path, reader: sqlite3.Connection) -> None:
    with Catalog.open(path) as catalog:
        pages = catalog._connection.execute("PRAGMA page_count").fetchone()[0]
        catalog._connection.execute(f"PRAGMA max_page_count = {pages}")
        many = [(cleaned(f"C{n}", cycles=50, findings=50), None) for n in range(50)]
        with pytest.raises(StoreError, match=rf"no space left to write .*{path.name}\. Free some"):
            catalog.record_many(many, None)
        assert errors_of(reader) == [10.0]
        assert queries.findings(reader) == []
        catalog._connection.execute("PRAGMA max_page_count = 1000000")
        assert catalog.record_many(many, None) == 50
    assert len(queries.findings(reader)) == 2500


def test_a_full_disk_undoes_nested_transactions(path: Path, reader: sqlite3.Connection) -> None:
    with Catalog.open(path) as catalog:
        catalog._connection.execute("PRAGMA cache_size = 2")
        pages = catalog._connection.execute("PRAGMA page_count").fetchone()[0]
        catalog._connection.execute(f"PRAGMA max_page_count = {pages + 2}")

        def write() -> None:
            with catalog.transaction():
                catalog.record(cleaned("B"), None)
                catalog.record_many([(cleaned(f"C{n}", cycles=200), None) for n in range(20)], None)

        with pytest.raises(StoreError, match="no space left"):
            write()
        assert not catalog._connection.in_transaction
    assert [row["cell_id"] for row in queries.cells(reader)] == ["A"]


def test_a_run_that_is_killed_in_the_middle_of_writing_leaves_the_state_before(path: Path) -> None:
    script = """
        import os, signal, sys
        from pathlib import Path
        sys.path.insert(0, sys.argv[2])
        from sample_receipts import cleaned
        from kilocell.sqlite.catalog import Catalog
        catalog = Catalog.open(Path(sys.argv[1]))
        catalog._connection.execute("PRAGMA cache_size = 1")
        with catalog.transaction():
            for n in range(100):
                catalog.record(cleaned(f"C{n}", cycles=50), None)
            os.kill(os.getpid(), signal.SIGKILL)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(path), str(Path(__file__).parent)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    journal = path.with_name(path.name + "-journal")
    assert journal.stat().st_size > 0
    copy = path.with_name("copy.sqlite")
    shutil.copy(path, copy)
    shutil.copy(journal, copy.with_name(copy.name + "-journal"))

    reader = queries.connect(path)
    assert errors_of(reader) == [10.0]
    assert [row["cell_id"] for row in queries.cells(reader)] == ["A"]
    reader.close()
    with Catalog.open(copy) as catalog:
        catalog.record(simulated(asked("B"), 50.0), None)
    reader = queries.connect(copy)
    assert errors_of(reader) == [10.0, 50.0]
    assert reader.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    reader.close()


@pytest.mark.parametrize("content", [b"cell,voltage\nA,3.7\n" * 100, os.urandom(8192)])
def test_a_file_that_is_no_sqlite_is_refused_untouched(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "catalog.sqlite"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"is not a SQLite file\. Move it away"):
        Catalog.open(path)
    with pytest.raises(StoreError, match="is not a SQLite file"):
        queries.connect(path)
    assert path.read_bytes() == content


def test_a_damaged_catalog_is_a_store_error(path: Path) -> None:
    with path.open("r+b") as stream:
        stream.seek(100)
        stream.write(b"\xff" * 8000)
    with pytest.raises(StoreError, match=r"damaged|not a SQLite file"):
        queries.connect(path)
    with pytest.raises(StoreError, match="Move it away"):
        Catalog.open(path)


def test_a_folder_in_place_of_the_catalog_or_a_file_in_place_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "catalog.sqlite").mkdir()
    with pytest.raises(StoreError, match="is a folder"):
        Catalog.open(tmp_path / "catalog.sqlite")
    with pytest.raises(StoreError, match="is a folder"):
        queries.connect(tmp_path / "catalog.sqlite")
    (tmp_path / "store").write_text("a file")
    with pytest.raises(StoreError, match="cannot be made"):
        Catalog.open(tmp_path / "store" / "catalog.sqlite")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_catalog_that_may_only_be_read(path: Path) -> None:
    path.chmod(0o444)
    with pytest.raises(StoreError, match="cannot be opened or written"), Catalog.open(path) as catalog:
        catalog.record(cleaned("B"), None)
    connection = queries.connect(path)
    assert errors_of(connection) == [10.0]
    connection.close()


def test_a_catalog_left_in_wal_mode_is_brought_back(path: Path) -> None:
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] == "wal"
    connection.close()
    with Catalog.open(path) as catalog:
        assert catalog._connection.execute("PRAGMA journal_mode").fetchone()[0] == "delete"


def test_a_run_waits_for_readers_and_loses_nothing(path: Path) -> None:
    """A reader holds the file while a run commits; the run says so, waits, and its transaction is written whole."""
    waited: list[float] = []
    with Catalog.open(path) as first:
        first.begin_run("first", "host", 1, {})
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM runs").fetchall()  # from now on the file is read

    def end_the_reading(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            reader.execute("COMMIT")

    with Catalog.open(path, busy_timeout_second=0.05, when_locked=end_the_reading) as catalog:
        catalog.begin_run("second", "host", 2, {})
    assert len(waited) == 3
    assert [row[0] for row in reader.execute("SELECT command FROM runs ORDER BY run_id")] == ["first", "second"]
    reader.close()
