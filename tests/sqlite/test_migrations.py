"""A catalog is brought to the current version as a whole, or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from kilocell.data.errors import StoreError
from kilocell.sqlite import queries
from kilocell.sqlite.catalog import Catalog
from kilocell.sqlite.migrations import APPLICATION_ID, CURRENT_VERSION, STEPS, migrate, read_version, schema
from sample_receipts import DFN, asked, cleaned, ended, simulated

FIRST = "CREATE TABLE cells (cell_id TEXT PRIMARY KEY) STRICT;"
SECOND = (
    "ALTER TABLE cells ADD COLUMN mass_gram REAL;\n-- a comment; with a semicolon\nUPDATE cells SET mass_gram = 68;"
)
THIRD = "CREATE TABLE masses (cell_id TEXT) STRICT; INSERT INTO masses SELECT cell_id FROM cells;"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalog.sqlite"


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(path, isolation_level=None)
    yield opened
    opened.close()


def tables(connection: sqlite3.Connection) -> set[str]:
    return {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_an_empty_file_becomes_a_catalog(path: Path) -> None:
    path.touch()
    Catalog.open(path).close()
    connection = queries.connect(path)
    assert read_version(connection, path) == CURRENT_VERSION
    assert connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
    assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "delete"
    assert {"cells", "simulations", "comparisons", "fits", "runs", "jobs"} <= tables(connection)
    connection.close()


def test_every_table_is_strict_described_and_every_reference_has_an_index(connection: sqlite3.Connection) -> None:
    connection.executescript(schema())
    listed = connection.execute("SELECT name, strict FROM pragma_table_list WHERE type = 'table' AND schema = 'main'")
    names = [(name, strict) for name, strict in listed if not name.startswith("sqlite_")]
    assert len(names) >= 18
    assert [name for name, strict in names if not strict] == []
    lines = schema().splitlines()
    for name, _ in names:
        assert lines[lines.index(f"CREATE TABLE {name} (") - 1].startswith("--"), f"{name} has no comment"
        for reference in connection.execute(f"PRAGMA foreign_key_list({name})"):
            column = reference[3]
            if reference[1] > 0 or column in ("campaign_id",):  # later columns of a key; a handful of rows
                continue
            plan = connection.execute(f"EXPLAIN QUERY PLAN SELECT 1 FROM {name} WHERE {column} = 'x'").fetchall()
            assert plan[0][3].startswith("SEARCH"), f"{name}.{column} has no index"


def test_steps_lead_from_any_version_to_the_current(connection: sqlite3.Connection, path: Path) -> None:
    assert migrate(connection, path, whole=FIRST, steps={}, current=1) == 0
    connection.execute("INSERT INTO cells VALUES ('A')")
    # Views come from the whole script, so it is given here, too.
    assert migrate(connection, path, whole=FIRST, steps={2: SECOND, 3: THIRD}, current=3) == 1
    assert connection.execute("SELECT * FROM cells").fetchall() == [("A", 68.0)]
    assert connection.execute("SELECT * FROM masses").fetchall() == [("A",)]
    assert read_version(connection, path) == 3
    assert migrate(connection, path, steps={2: SECOND, 3: THIRD}, current=3) == 3


def test_a_step_that_fails_leaves_the_catalog_as_it_was(connection: sqlite3.Connection, path: Path) -> None:
    migrate(connection, path, whole=FIRST, steps={}, current=1)
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        migrate(connection, path, steps={2: SECOND, 3: "UPDATE absent SET x = 1;"}, current=3)
    assert read_version(connection, path) == 1
    assert [row[1] for row in connection.execute("PRAGMA table_info(cells)")] == ["cell_id"]
    assert not connection.in_transaction


def test_there_is_a_step_for_each_version_after_the_first() -> None:
    assert sorted(STEPS) == list(range(2, CURRENT_VERSION + 1))


def shape(connection: sqlite3.Connection) -> dict[str, object]:
    """Columns of every table and view, indexes and foreign keys: what a statement can see of a schema."""
    listed = connection.execute("SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall()
    seen: dict[str, object] = {}
    for kind, name in listed:
        columns = connection.execute(f"PRAGMA table_info({name})").fetchall()
        keys = sorted(tuple(row) for row in connection.execute(f"PRAGMA foreign_key_list({name})"))
        seen[f"{kind} {name}"] = ([tuple(column) for column in columns], keys)
    views = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'view'")
    return seen | {name: " ".join(sql.split()) for name, sql in views}


def filled_first_version(path: Path) -> None:
    """Make a catalog of version 1 with a campaign, a run and a cleaned cell, as that version wrote it."""
    connection = sqlite3.connect(path, isolation_level=None)
    migrate(connection, path, whole=Path(__file__).with_name("schema_1.sql").read_text(), steps={}, current=1)
    connection.executescript(
        "INSERT INTO cells (cell_id) VALUES ('A');"
        "INSERT INTO clean_reports VALUES"
        " ('A', 'cleaned/A.parquet', 12, 10, 2, 9, 9, 1.0, 1.1, 2.0, 2.1, 3, 2, 6, 6, 25);"
        "INSERT INTO findings VALUES"
        " ('A', 0, 'time_missing', 'error', 2, 0, 7, NULL, NULL, 'missing', '-', 'quarantined');"
        "INSERT INTO cycles VALUES ('A', 1, 0, 9, 10, 6, 1.1, 2.1, 4, 7, 2.5, 4.2, NULL);"
    )
    connection.close()


def test_a_catalog_of_version_1_becomes_the_present_one_and_keeps_what_it_knew(path: Path, tmp_path: Path) -> None:
    filled_first_version(path)
    with pytest.raises(StoreError, match=r"older version 1. `kilocell run` brings it to version"):
        queries.connect(path)
    Catalog.open(path).close()
    Catalog.open(tmp_path / "new.sqlite").close()
    old, new = queries.connect(path), queries.connect(tmp_path / "new.sqlite")
    assert shape(old) == shape(new)
    (report,) = queries.clean_reports(old, "A")
    assert (report["rows_in"], report["charge_in_after_ah"], report["temperature_mean_celsius"]) == (12, 1.1, 25.0)
    assert report["energy_in_before_wh"] is report["energy_out_after_wh"] is None
    assert len(queries.findings(old, "A")) == len(queries.cycles(old, "A")) == 1
    assert queries.quarantined_rows(old) == queries.charge_by_rule(old) == []
    for connection in (old, new):
        connection.close()


def test_an_older_catalog_takes_new_receipts_after_its_step(path: Path) -> None:
    filled_first_version(path)
    with Catalog.open(path) as catalog:
        catalog.record(cleaned("A"), None)
    reader = queries.connect(path)
    (report,) = queries.clean_reports(reader, "A")
    assert (report["energy_in_before_wh"], report["energy_out_after_wh"]) == (36.6, 36.9)
    assert sum(row["rows"] for row in queries.quarantined_rows(reader)) == report["rows_quarantined"]
    reader.close()


def test_a_newer_catalog_is_refused_by_writer_and_reader(path: Path) -> None:
    Catalog.open(path).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {CURRENT_VERSION + 7}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=rf"version {CURRENT_VERSION + 7}.*Install the newer kilocell"):
        Catalog.open(path)
    with pytest.raises(StoreError, match="Install the newer kilocell"):
        queries.connect(path)
    assert path.read_bytes() == before


def test_another_programs_database_is_refused_untouched(path: Path, connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE bookmarks (url TEXT)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="not a kilocell catalog"):
        Catalog.open(path)
    with pytest.raises(StoreError, match="not a kilocell catalog"):
        queries.connect(path)
    assert path.read_bytes() == before


def test_two_who_open_a_new_store_at_once_both_succeed(path: Path) -> None:
    import threading

    errors: list[BaseException] = []

    def open_it() -> None:
        try:
            Catalog.open(path).close()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_simulation_of_version_2_is_kept_by_the_step_to_version_3(path: Path, tmp_path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    migrate(connection, path, whole=Path(__file__).with_name("schema_1.sql").read_text(), steps={}, current=1)
    migrate(connection, path, current=2)
    connection.executescript(
        "INSERT INTO cells (cell_id) VALUES ('A');"
        "INSERT INTO parameter_sets VALUES ('cafe', 'Chen2020', 'Chen2020');"
        "INSERT INTO simulations (cell_id, label, model, parameter_set, parameter_set_digest, status, digest, rmse_mv,"
        " attempts, reason, reason_code, log)"
        " VALUES ('A', 'SPMe-Chen2020', 'SPMe', 'Chen2020', 'cafe', 'done', 'd', 12.5, '[]', '', '', '');"
        "INSERT INTO comparisons VALUES ('A', 'SPMe-Chen2020', 0, 360, 12.5, -1, -80, 3600);"
    )
    connection.close()
    Catalog.open(path).close()
    Catalog.open(tmp_path / "new.sqlite").close()
    old, new = queries.connect(path), queries.connect(tmp_path / "new.sqlite")
    assert shape(old) == shape(new)
    (simulation,) = queries.simulations(old)
    assert (simulation["rmse_mv"], simulation["compiled"], simulation["ended_second"]) == (12.5, None, None)
    (comparison,) = queries.comparisons(old)
    assert (comparison["samples"], comparison["energy_in_model_wh"]) == (360, None)
    (line,) = old.execute("SELECT * FROM errors_by_window")
    assert (line["rmse_mv"], line["ohmic_rmse_mv"]) == (12.5, None)
    assert old.execute("SELECT file_digest FROM parameter_sets").fetchall()[0][0] is None
    for each in (old, new):
        each.close()


def test_a_catalog_of_version_2_takes_new_receipts(path: Path) -> None:
    filled_first_version(path)
    connection = sqlite3.connect(path, isolation_level=None)
    migrate(connection, path, current=2)
    connection.close()
    with Catalog.open(path) as catalog:
        catalog.record_many([(simulated(asked("A")), None), (ended(asked("A", DFN)), None)], None)
    reader = queries.connect(path)
    done, failed = queries.simulations(reader, status=None)
    assert (done["status"], done["rmse_mv"], done["compiled"], done["ended_second"]) == ("done", 20.5, 1, None)
    assert (failed["status"], failed["rmse_mv"], failed["ended_second"]) == ("failed", None, 2999.0)
    assert len(queries.step_comparisons(reader, "A")) == 9
    assert [row["soc"] for row in queries.initial_states(reader, "A")] == [0.91]
    reader.close()


def test_a_cell_of_version_3_is_kept_by_the_step_to_version_4(path: Path, tmp_path: Path) -> None:
    """What an older version cleaned has no source and no bounds of its charge: not known, not zero."""
    filled_first_version(path)
    connection = sqlite3.connect(path, isolation_level=None)
    migrate(connection, path, current=3)
    connection.executescript(
        "INSERT INTO simulations (cell_id, label, model, parameter_set, status, digest, rmse_mv, charge_error,"
        " attempts, reason, reason_code, log)"
        " VALUES ('A', 'SPMe-Chen2020', 'SPMe', 'Chen2020', 'done', 'd', 12.5, 7e-6, '[]', '', '', '');"
        "INSERT INTO comparisons (cell_id, label, cycle_count, samples, charge_error)"
        " VALUES ('A', 'SPMe-Chen2020', 1, 360, 7e-6);"
    )
    connection.close()
    Catalog.open(path).close()
    Catalog.open(tmp_path / "new.sqlite").close()
    old, new = queries.connect(path), queries.connect(tmp_path / "new.sqlite")
    assert shape(old) == shape(new)
    (report,) = queries.clean_reports(old)
    assert (report["charge_in_after_ah"], report["rows_inserted"], report["charge_source"]) == (1.1, 0, None)
    (uncertainty,) = queries.charge_uncertainty(old)
    assert (uncertainty["charge_out_ah"], uncertainty["charge_uncertainty_ah"]) == (2.1, None)
    (cycle,) = queries.cycles(old)
    assert (cycle["charge_in_ah"], cycle["charge_in_low_ah"]) == (1.1, None)
    (result,) = queries.results(old)
    assert (result["charge_error"], result["charge_uncertainty_percent"], result["capacity_source"]) == (
        7e-6,
        None,
        None,
    )
    (line,) = queries.errors_by(old, "cycle")
    assert (line["charge_error_percent"], line["charge_uncertainty_percent"]) == (7e-4, None)
    for each in (old, new):
        each.close()


def test_a_catalog_of_version_3_takes_new_receipts(path: Path) -> None:
    filled_first_version(path)
    connection = sqlite3.connect(path, isolation_level=None)
    migrate(connection, path, current=3)
    connection.close()
    with Catalog.open(path) as catalog:
        catalog.record_many([(cleaned("A"), None), (simulated(asked("A")), None)], None)
    reader = queries.connect(path)
    (report,) = queries.clean_reports(reader, "A")
    assert (report["rows_inserted"], report["charge_source"], report["charge_in_high_ah"]) == (6, "counters", 9.83)
    (done,) = queries.simulations(reader)
    assert (done["charge_source"], done["charge_throughput_ah"], done["charge_uncertainty_ah"]) == (
        "counters",
        19.8,
        0.08,
    )
    reader.close()


@pytest.mark.parametrize("version", range(1, CURRENT_VERSION))
def test_a_catalog_of_any_version_becomes_the_present_one(version: int, path: Path, tmp_path: Path) -> None:
    """Views are made anew from ``schema.sql``: whatever an older version had under their names is gone."""
    filled_first_version(path)
    connection = sqlite3.connect(path, isolation_level=None)
    migrate(connection, path, current=version)
    connection.executescript("DROP VIEW results; CREATE VIEW results AS SELECT 1 AS one; CREATE VIEW gone AS SELECT 2;")
    connection.close()
    Catalog.open(path).close()
    Catalog.open(tmp_path / "new.sqlite").close()
    old, new = queries.connect(path), queries.connect(tmp_path / "new.sqlite")
    assert shape(old) == shape(new)
    views = [row[0] for row in old.execute("SELECT name FROM sqlite_master WHERE type = 'view'")]
    assert "results" in views
    for view in views:
        old.execute(f"SELECT * FROM {view}").fetchall()
    (result,) = queries.results(old)
    assert (result["cell_id"], result["error_budget_mv"]) == ("A", None)
    for each in (old, new):
        each.close()


def test_steps_have_no_views() -> None:
    assert [version for version, script in STEPS.items() if "VIEW" in script] == []


def test_a_simulation_of_version_5_has_no_budget_until_it_is_done_again(path: Path) -> None:
    filled_first_version(path)
    connection = sqlite3.connect(path, isolation_level=None)
    migrate(connection, path, current=5)
    connection.executescript(
        "INSERT INTO simulations (cell_id, label, model, parameter_set, status, digest, rmse_mv,"
        " numerical_error_rmse_mv, attempts, reason, reason_code, log)"
        " VALUES ('A', 'SPMe-Chen2020', 'SPMe', 'Chen2020', 'done', 'd', 12.5, 0.1, '[]', '', '', '');"
    )
    connection.close()
    with Catalog.open(path) as catalog:
        catalog.record(simulated(asked("A", DFN)), None)
    reader = queries.connect(path)
    rows = {row["label"]: row for row in queries.results(reader)}
    assert (rows["SPMe-Chen2020"]["rmse_mv"], rows["SPMe-Chen2020"]["error_budget_mv"]) == (12.5, None)
    done = rows["DFN-Chen2020"]
    assert (done["error_budget_mv"], done["error_budget_main"]) == (0.1, "compression")
    assert done["error_budget_unknown"] == "numerical, charge, state"
    assert done["error_budget_too_large"] == 0
    reader.close()
