"""Users' queries are read-only, and an error suggests the nearest names."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from kilocell.data.errors import UsageError
from kilocell.sqlite import queries
from kilocell.sqlite.catalog import Catalog
from kilocell.sqlite.user_select import select
from sample_receipts import everything


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "catalog.sqlite"
    with Catalog.open(path) as catalog:
        for each in everything("A"):
            catalog.record(each, None)
    return path


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    opened = queries.connect(path)
    yield opened
    opened.close()


def test_columns_and_rows_come_back(connection: sqlite3.Connection) -> None:
    columns, rows = select(connection, "SELECT cell_id, round(rmse_mv) AS rounded FROM simulations WHERE model = 'SPM'")
    assert columns == ["cell_id", "rounded"]
    assert rows == [("A", 55.0)]
    assert select(connection, "SELECT * FROM cells WHERE false")[1] == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM results; ",
        "WITH best AS (SELECT cell_id, min(rmse_mv) AS r FROM simulations GROUP BY cell_id) SELECT * FROM best",
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 5) SELECT x FROM n",
        "SELECT json_extract(value, '$') FROM fits, json_each(cycles)",
        "PRAGMA table_info(results)",
        "SELECT name FROM pragma_table_info('cells')",
        "EXPLAIN QUERY PLAN SELECT * FROM results",
    ],
)
def test_every_way_of_reading_works(connection: sqlite3.Connection, sql: str) -> None:
    assert select(connection, sql)[1]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM cells",
        "UPDATE cells SET cell_id = 'x'",
        "INSERT INTO cells (cell_id) VALUES ('x')",
        "DROP TABLE cells",
        "CREATE TEMP TABLE t (x)",
        "WITH x AS (SELECT 1) DELETE FROM cells",
        "ATTACH 'other.sqlite' AS other",
        "VACUUM INTO 'copy.sqlite'",
        "VACUUM",
        "PRAGMA query_only = OFF",
        "PRAGMA writable_schema = ON",
        "PRAGMA user_version = 9",
        "PRAGMA journal_mode = WAL",
        "BEGIN EXCLUSIVE",
        "REINDEX",
        "ANALYZE",
    ],
)
def test_nothing_is_written_whatever_is_asked(
    path: Path, connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch, sql: str
) -> None:
    monkeypatch.chdir(path.parent)
    before = path.read_bytes()
    with pytest.raises(UsageError, match="only SELECT is allowed"):
        select(connection, sql)
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    assert not connection.in_transaction


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        ("SELECT * FROM simulation", r"no such table: simulation \(did you mean .*simulations"),
        ("SELECT * FROM zzzzzz", r"There are: campaigns, .*simulations"),
        ("SELECT rmse FROM simulations", r"no such column: rmse \(did you mean .*rmse_mv"),
        ("SELECT outputs FROM simulations", r"no such column: outputs\. It is in: current_jobs, jobs"),
        ("SELECT s.modell FROM simulations s", r"no such column: s\.modell \(did you mean .*model"),
        ("SELECT qqqqqq FROM simulations", r"PRAGMA table_info"),
        ("SELEC 1", 'near "SELEC": syntax error'),
        ("SELECT 1; SELECT 2", "one statement at a time"),
        ("", "no SELECT"),
        ("-- nothing", "no SELECT"),
        ("SELECT '\udcff'", "SQLite says"),
        ("SELECT abs(-9223372036854775808)", "integer overflow"),
    ],
)
def test_mistakes_are_answered_with_what_to_do(connection: sqlite3.Connection, sql: str, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        select(connection, sql)
    assert select(connection, "SELECT 1") == (["1"], [(1,)])


def test_a_long_statement_ends_at_ctrl_c(connection: sqlite3.Connection) -> None:
    sqlite3.enable_callback_tracebacks(False)  # Datasette, which another test may have imported, turns them on
    begun = threading.Event()

    def press_ctrl_c() -> None:
        begun.wait()
        os.kill(os.getpid(), signal.SIGINT)

    connection.create_function("press", 0, begun.set)
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    ctrl_c = threading.Thread(target=press_ctrl_c, daemon=True)
    ctrl_c.start()
    with pytest.raises(KeyboardInterrupt):
        select(connection, f"{endless} WHERE x <> 1000 OR press()")
    ctrl_c.join()
    assert select(connection, "SELECT 1")[1] == [(1,)]


def test_an_endless_statement_is_stopped(connection: sqlite3.Connection) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with pytest.raises(UsageError, match=r"longer than 0\.2 s.*--timeout"):
        select(connection, endless, timeout_second=0.2)
    assert select(connection, "SELECT 1 AS one", timeout_second=30.0) == (["one"], [(1,)])
