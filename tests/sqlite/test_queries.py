"""The questions users ask, on a catalog with three cells."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from kilocell.data.errors import StoreError
from kilocell.data.settings import CellSettings, SourceSettings
from kilocell.sqlite import fit_queries, queries
from kilocell.sqlite.catalog import Catalog
from sample_receipts import (
    CHEN,
    DFN,
    SLOW,
    SPM,
    SPME,
    asked,
    cell,
    cleaned,
    everything,
    failed,
    fit_settings,
    fitted,
    simulated,
    source,
    started,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "catalog.sqlite"
    with Catalog.open(path) as catalog:
        for model in (SPM, SPME, DFN):
            catalog.put_model(model)
        for cell_id in ("C", "A", "B"):
            catalog.put_cell(cell(cell_id), (CHEN, SLOW))
        run_id = catalog.begin_run("kilocell run", "node-7", 42, {"pybamm": "26.10.1.1"})
        catalog.record_many([(each, None) for each in everything("A")], run_id)
        catalog.record(cleaned("B", cycles=5, findings=0), run_id)
        catalog.record(failed(cleaned("C")), run_id)
        catalog.end_run(run_id, 1, "failed")
    return path


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    opened = queries.connect(path)
    yield opened
    opened.close()


def test_results_have_a_line_for_each_simulation_in_the_campaigns_order(connection: sqlite3.Connection) -> None:
    columns = ("cell_id", "rows", "cycles", "findings", "model", "parameter_set", "rmse_mv", "status")
    assert [tuple(row[name] for name in columns) for row in queries.results(connection)] == [
        ("A", 720, 2, 3, "DFN", "Chen2020", None, "failed"),
        ("A", 720, 2, 3, "SPMe", "Chen2020", 20.5, "done"),
        ("A", 720, 2, 3, "SPMe", "Chen2020+diffusivity", 20.5, "done"),
        ("A", 720, 2, 3, "SPM", "slow", 55.0, "done"),
        ("B", 720, 5, 0, None, None, None, "done"),
        ("C", None, None, None, None, None, None, "failed"),
    ]


def test_models_are_listed_in_the_order_they_were_put(path: Path, connection: sqlite3.Connection) -> None:
    with Catalog.open(path) as catalog:
        for model in (DFN, SPM, SPME):
            catalog.record(simulated(asked("B", model)), None)
    found = queries.simulations(connection, cell_id="B")
    assert [row["model"] for row in found] == ["SPM", "SPMe", "DFN"]
    assert [row["model"] for row in queries.results(connection) if row["cell_id"] == "B"] == ["SPM", "SPMe", "DFN"]


def test_cells_say_what_was_made_of_them(connection: sqlite3.Connection) -> None:
    columns = ("cell_id", "status", "rows_kept", "cycles", "findings", "sources", "simulations_done",
               "simulations_failed", "best_simulation", "best_rmse_mv", "nominal_capacity_ah")  # fmt: skip
    assert [tuple(row[name] for name in columns) for row in queries.cells(connection)] == [
        ("A", "done", 720, 2, 3, 1, 3, 1, "SPMe-Chen2020", 20.5, 5.0),
        ("B", "done", 720, 5, 0, 0, 0, 0, None, None, 5.0),
        ("C", "failed", None, None, None, 0, 0, 0, None, None, 5.0),
    ]


def test_jobs_are_counted_and_failures_named(connection: sqlite3.Connection) -> None:
    assert [tuple(row) for row in queries.job_counts(connection)] == [
        ("clean", "done", 2),
        ("clean", "failed", 1),
        ("fit", "done", 1),
        ("simulate", "done", 3),
        ("simulate", "failed", 1),
        ("split", "done", 1),
        ("start", "done", 2),
        ("start", "failed", 1),
    ]
    assert [(row["kind"], row["cell_id"], row["label"], row["reason"]) for row in queries.failures(connection)] == [
        ("clean", "C", "clean", "the solver stopped at 12 s"),
        ("simulate", "A", "DFN-Chen2020", "the solver stopped at 12 s"),
        ("start", "A", "diffusivity-1", "the solver stopped at 12 s"),
    ]
    recorded = queries.recorded_jobs(connection)
    assert recorded["clean", "C", "clean"] == ("digest of clean clean", "failed")
    assert len(recorded) == 12


def test_simulations_are_picked_by_cell_model_set_and_status(connection: sqlite3.Connection) -> None:
    def labels(**asked_for: object) -> list[str]:
        return [row["label"] for row in queries.simulations(connection, **asked_for)]  # type: ignore[arg-type]

    assert labels() == ["SPMe-Chen2020", "SPMe-Chen2020+diffusivity", "SPM-slow"]
    assert labels(models=["SPM", "DFN"]) == ["SPM-slow"]
    assert labels(parameter_sets=["Chen2020"], status=None) == ["DFN-Chen2020", "SPMe-Chen2020"]
    assert labels(cell_id="A", models=("SPMe",), parameter_sets=("Chen2020",)) == ["SPMe-Chen2020"]
    assert labels(status="failed") == ["DFN-Chen2020"]
    assert labels(cell_id="A' OR '1'='1") == []


def test_cycles_findings_comparisons_and_reports(connection: sqlite3.Connection) -> None:
    assert [row["cycle_count"] for row in queries.cycles(connection, "B")] == [1, 2, 3, 4, 5]
    assert len(queries.cycles(connection)) == 7
    assert [row["source_row"] for row in queries.findings(connection, "A", "voltage_missing")] == [0, 20]
    assert len(queries.findings(connection, rule="duplicate_row")) == 1
    of_one = queries.comparisons(connection, "A", "SPM-slow")
    assert [(row["cycle_count"], row["rmse_mv"]) for row in of_one] == [(0, 55.0), (1, 56.0), (2, 57.0)]
    assert len(queries.comparisons(connection)) == 9
    assert [row["cell_id"] for row in queries.clean_reports(connection)] == ["A", "B"]


def test_fits_with_parameters_and_starts(connection: sqlite3.Connection) -> None:
    assert [(row["fit"], row["rmse_default_mv"], row["rmse_mv"]) for row in fit_queries.fits(connection, "A")] == [
        ("diffusivity", 40.0, 12.0)
    ]
    found = fit_queries.fit_parameters(connection, "A", "diffusivity")
    assert [(row["parameter"], row["unit"], row["at_bound"], row["model"]) for row in found] == [
        ("Contact resistance [Ohm]", "Ohm", 1, "SPMe"),
        ("Negative particle diffusivity [m2.s-1]", "m2.s-1", 0, "SPMe"),
    ]
    assert [(row["start"], row["status"]) for row in fit_queries.fit_starts(connection, "A")] == [
        (0, "done"),
        (1, "failed"),
        (2, "done"),
    ]
    assert fit_queries.fits(connection, "B") == []


def test_starts_of_an_earlier_longer_fit_are_left_out(path: Path, connection: sqlite3.Connection) -> None:
    with Catalog.open(path) as catalog:
        longer = fit_settings("B", starts=5)
        shorter = fit_settings("B", starts=2)
        catalog.record_many([(started(longer, start), None) for start in range(5)], None)
        assert len(fit_queries.fit_starts(connection, "B")) == 5
        catalog.record(fitted(shorter), None)
    assert [row["start"] for row in fit_queries.fit_starts(connection, "B", "diffusivity")] == [0, 1]


def test_models_are_compared_over_cells(path: Path, connection: sqlite3.Connection) -> None:
    with Catalog.open(path) as catalog:
        catalog.record(simulated(asked("B"), 40.5), None)
    lines = connection.execute("SELECT * FROM model_comparison")
    found = {(row["model"], row["parameter_set"]): row for row in lines}
    both = found["SPMe", "Chen2020"]
    assert (both["cells"], both["rmse_mean_mv"], both["rmse_min_mv"], both["rmse_max_mv"]) == (2, 30.5, 20.5, 40.5)
    assert ("DFN", "Chen2020") not in found


def test_parameter_values_by_set(connection: sqlite3.Connection) -> None:
    assert {row["parameter_set"] for row in queries.parameter_values(connection)} == {"slow", "Chen2020+diffusivity"}
    assert [row["unit"] for row in queries.parameter_values(connection, "slow")] == ["m2.s-1", "", ""]


def test_last_run(connection: sqlite3.Connection, tmp_path: Path) -> None:
    run = queries.last_run(connection)
    assert run is not None
    assert (run["command"], run["host"], run["pid"], run["exit_code"]) == ("kilocell run", "node-7", 42, 1)
    assert run["ended_unix_second"] >= run["started_unix_second"] > 1.7e9
    Catalog.open(tmp_path / "new.sqlite").close()
    fresh = queries.connect(tmp_path / "new.sqlite")
    assert queries.last_run(fresh) is None
    fresh.close()


def test_source_cache_knows_what_need_not_be_read_again(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    many, stems = source("raw/many.csv"), source("raw/D.csv", cell_id_from="stem")
    with Catalog.open(path) as catalog:
        catalog.put_source(many, ["B", "A"], 111)
        catalog.put_source(stems, ["D"], 222)
        catalog.record(replace(everything("E")[0]), None)  # a split receipt alone tells no time of change
    connection = queries.connect(path)
    assert queries.source_cache(connection) == {
        ("raw/many.csv", 4321, 111): (many.digest, ("A", "B")),
        ("raw/D.csv", 4321, 222): (stems.digest, ("D",)),
    }
    assert list(queries.source_cache(connection, stems.settings)) == [("raw/D.csv", 4321, 222)]
    assert queries.source_cache(connection, SourceSettings(reader="digatron")) == {}
    assert [(row["cell_id"], row["path"]) for row in queries.sources(connection, "A")] == [("A", "raw/many.csv")]
    connection.close()


def test_a_connection_of_queries_cannot_write(connection: sqlite3.Connection) -> None:
    with pytest.raises(StoreError, match="readonly database"):
        connection.execute("DELETE FROM cells")


def test_absent_and_empty_catalogs_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="kilocell run"):
        queries.connect(tmp_path / "absent.sqlite")
    assert not (tmp_path / "absent.sqlite").exists()
    (tmp_path / "empty.sqlite").touch()
    with pytest.raises(StoreError, match=r"is empty.*kilocell run"):
        queries.connect(tmp_path / "empty.sqlite")


def test_reading_a_catalog_imports_no_large_package() -> None:
    code = "import sys, kilocell.sqlite.queries; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pybamm", "dask", "distributed", "numpy", "pandas", "pyarrow", "kilocell.data.codec"} & set(loaded)


def test_questions_by_name_use_an_index(connection: sqlite3.Connection) -> None:
    for where in ("cell_id = 'A'", "model = 'SPMe'", "parameter_set = 'slow'", "status = 'failed'", "rmse_mv > 50"):
        plan = connection.execute(f"EXPLAIN QUERY PLAN SELECT * FROM simulations WHERE {where}").fetchall()
        assert plan[0]["detail"].startswith("SEARCH"), where


def test_cells_cycles_and_results_say_how_well_the_charge_is_known(path: Path, connection: sqlite3.Connection) -> None:
    """The bounds of charge in are 0.05 A.h apart, those of charge out 0.11 A.h: ±0.08 of 19.8 A.h."""
    (row,) = [row for row in queries.cells(connection) if row["cell_id"] == "A"]
    assert (row["charge_source"], row["charge_in_low_ah"], row["charge_out_high_ah"]) == ("counters", 9.78, 10.06)
    assert (row["charge_in_counted_ah"], row["charge_out_counted_ah"], row["rows_inserted"]) == (9.8, None, 6)
    assert row["charge_uncertainty_ah"] == pytest.approx(0.08)
    assert row["charge_uncertainty_percent"] == pytest.approx(100 * 0.08 / 19.8)
    cycle = queries.cycles(connection, "A")[0]
    assert (cycle["charge_source"], cycle["charge_in_high_ah"]) == ("counters, step time", 4.93)
    (result,) = [row for row in queries.results(connection) if row["label"] == "SPMe-Chen2020"]
    assert (result["charge_source"], result["charge_error"]) == ("counters", 1e-5)
    assert result["charge_uncertainty_percent"] == pytest.approx(100 * 0.08 / 19.8)
    by_cycle = {row["cycle_count"]: row for row in queries.errors_by(connection, "cycle") if row["cell_id"] == "A"}
    assert by_cycle[0]["charge_uncertainty_percent"] == pytest.approx(100 * 0.08 / 19.8)
    assert by_cycle[1]["charge_uncertainty_percent"] == pytest.approx(100 * 0.04 / 9.9)


def test_a_failed_cleaning_leaves_the_charge_unknown(connection: sqlite3.Connection) -> None:
    (row,) = [row for row in queries.results(connection) if row["cell_id"] == "C"]
    assert (row["charge_source"], row["charge_uncertainty_ah"], row["charge_uncertainty_percent"]) == (None, None, None)


def test_who_says_a_capacity_is_kept(path: Path, connection: sqlite3.Connection) -> None:
    guessed = CellSettings("A", 2.0, capacity_source="guess", parameter_set_source="given")
    with Catalog.open(path) as catalog:
        catalog.put_cell(guessed, (CHEN,))
    (row,) = [row for row in queries.cells(connection) if row["cell_id"] == "A"]
    assert (row["capacity_source"], row["parameter_set_source"]) == ("guess", "given")
    assert {row["capacity_source"] for row in queries.results(connection) if row["cell_id"] == "A"} == {"guess"}
