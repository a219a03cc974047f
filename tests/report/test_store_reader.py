"""What ``import kilocell`` gives: a store read as pandas frames."""

from __future__ import annotations

import inspect
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import kilocell
import pandas as pd
import pyarrow.compute as pc
import pytest
from figure_bench import Bench, record, simulation
from kilocell.data import columns as c
from kilocell.data.results import cleaning
from kilocell.data.results.receipt import Receipt
from kilocell.data.settings import CellSettings, Override, ParameterSetSettings
from kilocell.parquet_store.layout import Store
from kilocell.sqlite.catalog import Catalog

SAMPLES = 120
ERROR_VOLT = 0.0123
SLOW = ParameterSetSettings("slow", "Chen2020", (Override("Negative particle radius [m]", "scale", 0.5),))


@pytest.fixture
def filled(bench: Bench) -> tuple[kilocell.StoreReader, dict[str, pd.DataFrame]]:
    """Two cells with three simulations each, of which B has findings, and one cell that was not cleaned."""
    partitions = {"A/1": record(2, SAMPLES), "B": record(2, SAMPLES, offset_volt=0.01)}
    bench.catalog.put_cell(CellSettings("C"), ())
    for cell_id, frame in partitions.items():
        bench.clean(cell_id, frame)
        bench.simulate(cell_id, "SPM", "Chen2020", simulation(frame, ERROR_VOLT))
        bench.simulate(cell_id, "DFN", "Chen2020", simulation(frame, ERROR_VOLT))
        bench.simulate(cell_id, "SPM", SLOW, simulation(frame, ERROR_VOLT))
    _find(bench, "B", "voltage_missing", "duplicate_row")
    return kilocell.open_store(bench.store.root), partitions


def _find(bench: Bench, cell_id: str, *rules: str) -> None:
    """Record the cleaning of a cell again, with a finding of each rule."""
    findings = tuple(cleaning.Finding(rule, "warning", 2, 0, 7, 1, 3, "before", "after", "done") for rule in rules)
    report = cleaning.CleanReport(
        cell_id, SAMPLES + 7, SAMPLES, 7, 3600.0, 7200.0, 9.9, 9.8, 10.1, 10.1, 3, 2, 6, 6, findings,
        rows_inserted=4, charge_source="samples", charge_in_low_ah=9.2, charge_in_high_ah=10.4, charge_out_low_ah=9.9,
        charge_out_high_ah=10.3, charge_in_counted_ah=9.31,
    )  # fmt: skip
    cycles = tuple(
        cleaning.CycleSummary(n, 0.0, 3600.0, SAMPLES, 2, 4.9, 5.0, 18.1, 17.9, 2.5, 4.2, None, "counters", 4.8, 5.1)
        for n in (1, 2)
    )
    result = cleaning.CleanResult(report, cycles)
    bench.catalog.record(Receipt("clean", cell_id, "clean", "d", "done", result=result), None)


Filled = tuple[kilocell.StoreReader, dict[str, pd.DataFrame]]


def test_cells_and_cycles_have_one_row_each(filled: Filled) -> None:
    store, _ = filled
    cells = store.cells()
    assert cells["cell_id"].tolist() == ["A/1", "B", "C"]
    assert cells["status"].tolist() == ["done", "done", "pending"]
    assert cells["rows_in"].tolist()[:2] == [SAMPLES, SAMPLES + 7]
    assert cells["rows_in"].isna().tolist() == [False, False, True]
    assert cells["simulations_done"].tolist() == [3, 3, 0]
    cycles = store.cycles()
    assert list(zip(cycles["cell_id"], cycles["cycle_count"], strict=True)) == [
        ("A/1", 1), ("A/1", 2), ("B", 1), ("B", 2),
    ]  # fmt: skip
    assert store.cycles("B")["charge_out_ah"].tolist() == [5.0, 5.0]
    assert store.cycles("C").empty


def test_frames_say_what_a_charge_is_known_from_and_how_well(filled: Filled) -> None:
    store, _ = filled
    cells = store.cells().set_index("cell_id")
    b: Any = cells.loc["B"]
    assert (b["charge_source"], b["rows_inserted"], b["charge_in_low_ah"]) == ("samples", 4, 9.2)
    assert (b["charge_in_counted_ah"], b["charge_uncertainty_ah"]) == (9.31, pytest.approx(0.8))
    assert b["charge_uncertainty_percent"] == pytest.approx(80 / 19.9)
    assert cells["charge_uncertainty_ah"].isna().tolist() == [True, False, True]
    cycles = store.cycles("B")
    assert cycles["charge_source"].tolist() == ["counters", "counters"]
    assert cycles["charge_in_high_ah"].tolist() == [5.1, 5.1]
    assert cycles["charge_out_low_ah"].isna().all()
    results = store.results("B")
    assert results["charge_uncertainty_percent"].tolist() == pytest.approx([80 / 19.9] * 3)
    assert results["charge_error"].notna().all()


def test_results_and_findings_of_all_cells_or_of_one(filled: Filled) -> None:
    store, _ = filled
    of_b = store.results("B")
    assert list(zip(of_b["model"], of_b["parameter_set"], strict=True)) == [
        ("SPM", "Chen2020"), ("DFN", "Chen2020"), ("SPM", "slow"),
    ]  # fmt: skip
    assert of_b["rmse_mv"].tolist() == pytest.approx([12.3] * 3)
    results = store.results()
    assert len(results) == 7
    assert results.query("cell_id == 'C'")[["status"]].values.tolist() == [["pending"]]
    assert len(store.findings()) == 2
    assert store.findings("B")["rule"].tolist() == ["voltage_missing", "duplicate_row"]


def test_samples_are_the_cleaned_record(filled: Filled) -> None:
    store, partitions = filled
    pd.testing.assert_frame_equal(store.samples("A/1"), partitions["A/1"])
    assert set(store.samples("B", cycles=[2])[c.CYCLE_COUNT]) == {2}


def test_a_simulation_is_found_by_model_and_parameter_set(filled: Filled) -> None:
    store, partitions = filled
    frame = store.simulation("B", "DFN")
    assert list(frame.columns) == list(c.SIMULATION_COLUMNS)
    measured = partitions["B"][c.VOLTAGE]
    assert frame["simulated_voltage_volt"].tolist() == (measured.interpolate() + ERROR_VOLT).tolist()
    assert len(store.simulation("B", "SPM", "slow")) == SAMPLES


def test_other_outputs_follow_the_columns_that_every_simulation_has(filled: Filled) -> None:
    store, _ = filled
    path = Store(store.path).simulation("B", "DFN-Chen2020")
    pd.read_parquet(path).assign(state_of_charge=0.5, unknown=1.0).to_parquet(path)
    frame = store.simulation("B", "DFN")
    assert list(frame.columns) == [*c.SIMULATION_COLUMNS, "state_of_charge"]


def test_columns_that_an_earlier_version_did_not_write_are_missing_values(filled: Filled) -> None:
    store, _ = filled
    path = Store(store.path).simulation("B", "DFN-Chen2020")
    pd.read_parquet(path).drop(columns=[c.STEP_TYPE, c.WINDOW]).to_parquet(path)
    frame = store.simulation("B", "DFN")
    assert list(frame.columns) == list(c.SIMULATION_COLUMNS)
    assert frame[c.WINDOW].isna().all()


@pytest.mark.parametrize(
    ("call", "parts"),
    [
        (lambda store: store.cycles("b"), ('"b"', 'did you mean "B"')),
        (lambda store: store.samples("A/2"), ('"A/2"', 'did you mean "A/1"')),
        (lambda store: store.results("nothing like it"), ('"nothing like it"', "A/1, B, C")),
        (lambda store: store.samples("C"), ("'C'", "no cleaned record", "kilocell status")),
        (lambda store: store.simulation("B", "dfn"), ('"dfn"', 'did you mean "DFN"')),
        (lambda store: store.simulation("B", "DFN", "Chen"), ('"Chen"', 'did you mean "Chen2020"')),
        (lambda store: store.simulation("B", "SPM"), ("parameter_set", "'Chen2020', 'slow'")),
        (lambda store: store.simulation("C", "SPM"), ("'C'", '"SPM"')),
        (lambda store: store.sql("SELECT * FROM result"), ("result", "results")),
        (lambda store: store.sql("DELETE FROM cells"), ("only SELECT",)),
    ],
)
def test_a_wrong_name_is_an_error_that_names_what_there_is(
    filled: Filled, call: Callable[[kilocell.StoreReader], pd.DataFrame], parts: tuple[str, ...]
) -> None:
    with pytest.raises(kilocell.UsageError) as caught:
        call(filled[0])
    for part in parts:
        assert part in str(caught.value)


def test_a_folder_that_is_no_store_is_refused(tmp_path: Path, filled: Filled) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(kilocell.UsageError, match=r"empty is empty, .*kilocell run"):
        kilocell.open_store(tmp_path / "empty")
    with pytest.raises(kilocell.UsageError, match=r"no folder .*absent"):
        kilocell.open_store(str(tmp_path / "absent"))
    with pytest.raises(kilocell.UsageError, match="a store is a folder"):
        kilocell.open_store(filled[0].path / "catalog.sqlite")


def test_frames_keep_their_columns_and_types_when_there_is_nothing(tmp_path: Path) -> None:
    with Catalog.open(Store(tmp_path).catalog) as catalog:
        catalog.put_cell(CellSettings("A"), ())
    store = kilocell.open_store(tmp_path)
    frames = (store.cells(), store.cycles(), store.results(), store.findings(), store.fits(), store.fitted_parameters())
    assert [len(frame) for frame in frames] == [1, 0, 1, 0, 0, 0]
    assert store.results()["rmse_mv"].dtype == "float64"
    assert store.cycles()["cycle_count"].dtype == "int64"
    assert {"fit", "rmse_mv", "verdict"} <= set(store.fits().columns)


def test_fits_and_a_failed_simulation(tmp_path: Path) -> None:
    with Catalog.open(Store(tmp_path).catalog) as catalog:
        bench = Bench(Store(tmp_path), catalog)
        bench.clean("A", record(2))
        bench.end("A", "DFN", simulation(record(1), 0.05))
        bench.fail("A", "SPM", "Chen2020")
        bench.fit("A", "diffusion", [9.0, 8.0])
    store = kilocell.open_store(tmp_path)
    assert store.fits()[["fit", "rmse_mv"]].values.tolist() == [["diffusion", 8.0]]
    (parameter,) = store.fitted_parameters("A").to_dict("records")
    assert (parameter["parameter"], parameter["value"], parameter["at_bound"]) == (
        "Negative particle radius [m]", 0.9, False,
    )  # fmt: skip
    with pytest.raises(kilocell.UsageError, match="failed: no solution"):
        store.simulation("A", "SPM")
    with pytest.raises(kilocell.UsageError, match=r"failed: why.*until it failed.*DFN-Chen2020\.parquet"):
        store.simulation("A", "DFN")


def test_a_reader_neither_writes_nor_holds_the_catalog(filled: Filled) -> None:
    """A run can write between two calls, and the second call sees it."""
    store, _ = filled
    before = store.cells()
    with Catalog.open(Store(store.path).catalog) as catalog:
        catalog.put_cell(CellSettings("D"), ())
    assert len(store.cells()) == len(before) + 1
    with closing(sqlite3.connect(Store(store.path).catalog)) as connection:
        connection.execute("BEGIN EXCLUSIVE")


def test_the_public_names() -> None:
    assert set(kilocell.__all__) == {"KilocellError", "StoreReader", "UsageError", "__version__", "open_store"}
    assert all(hasattr(kilocell, name) for name in kilocell.__all__)
    public = [name for name in dir(kilocell.StoreReader) if not name.startswith("_")]
    assert len(public) == 16
    assert [name for name in public if not getattr(kilocell.StoreReader, name).__doc__] == []


def test_python_m_kilocell_is_the_command_line() -> None:
    command = [sys.executable, "-m", "kilocell", "--version"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    assert shown.stdout == f"kilocell {kilocell.__version__}\n"


def test_frames_say_units_store_and_query(filled: Filled) -> None:
    store, _ = filled
    frame = store.results("B")
    assert frame.attrs["units"]["rmse_mv"] == "mV"
    assert frame.attrs["units"]["charge_uncertainty_percent"] == "%"
    assert "model" not in frame.attrs["units"]
    assert frame.attrs["store"] == str(store.path)
    assert frame.attrs["query"] == "results(cell='B')"
    assert store.samples("B", [2], columns=[c.VOLTAGE]).attrs == {
        "units": {c.VOLTAGE: "V"},
        "store": str(store.path),
        "query": "samples(cell='B', cycles=[2], columns=['voltage_volt'])",
    }
    assert store.sql("SELECT 1 AS energy_wh").attrs["units"] == {"energy_wh": "W.h"}
    for name in (
        "cells",
        "cycles",
        "results",
        "findings",
        "fits",
        "fitted_parameters",
        "runs",
        "compare",
        "parameter_sets",
    ):
        assert getattr(store, name)().attrs["query"] == f"{name}()"
    assert store.curve_samples("B", model="DFN").attrs["units"]["measured_voltage_volt"] == "V"
    assert kilocell.StoreReader.cycles.__doc__ is not None
    assert "cell" in inspect.signature(kilocell.StoreReader.cycles).parameters


def test_a_dataset_is_lazy_and_opens_only_the_files_that_a_filter_needs(filled: Filled) -> None:
    store, partitions = filled
    cleaned = store.dataset("cleaned")
    assert cleaned.schema.names == [c.CELL_ID, *c.PARTITION_COLUMNS]
    table = cleaned.to_table(filter=pc.field(c.CELL_ID) == "A/1").to_pandas()
    assert set(table[c.CELL_ID]) == {"A/1"}
    assert table[c.VOLTAGE].equals(partitions["A/1"][c.VOLTAGE])
    assert cleaned.count_rows() == 2 * SAMPLES
    # Nothing of another cell's file is read: it may even be damaged.
    Store(store.path).cleaned("B").write_bytes(b"no Parquet")
    assert len(store.dataset("cleaned").to_table(filter=pc.field(c.CELL_ID) == "A/1")) == SAMPLES
    assert store.dataset("cleaned", "A*").count_rows() == SAMPLES


def test_a_dataset_of_simulations_has_their_names_also_of_earlier_files(filled: Filled) -> None:
    store, _ = filled
    files = Store(store.path)
    pd.read_parquet(files.simulation("B", "DFN-Chen2020")).assign(state_of_charge=0.5).to_parquet(
        files.simulation("B", "DFN-Chen2020")
    )
    pd.read_parquet(files.simulation("B", "SPM-slow")).drop(columns=[*c.IDENTITY, c.WINDOW]).to_parquet(
        files.simulation("B", "SPM-slow")
    )
    table = store.dataset("simulations").to_table().to_pandas()
    assert list(table.columns) == [*c.IDENTITY, *c.SIMULATION_COLUMNS, "state_of_charge"]
    assert table.groupby(list(c.IDENTITY)).size().to_dict() == {
        (cell, model, name): SAMPLES
        for cell in ("A/1", "B")
        for model, name in (("SPM", "Chen2020"), ("DFN", "Chen2020"), ("SPM", "slow"))
    }
    assert table["state_of_charge"].notna().sum() == SAMPLES
    assert table.loc[table[c.PARAMETER_SET] == "slow", c.WINDOW].isna().sum() == SAMPLES
    assert set(
        store.dataset("simulations", model="SPM", parameters="default").to_table()[c.PARAMETER_SET].to_pylist()
    ) == {"Chen2020"}
    chosen = store.dataset("simulations", "B", model="DFN")
    assert chosen.to_table(columns=["model", "voltage_error_volt"]).num_rows == SAMPLES
    assert duckdb.from_arrow(chosen).aggregate("count(*)").fetchall() == [(SAMPLES,)]
    with pytest.raises(kilocell.UsageError, match="no model"):
        store.dataset("cleaned", model="SPM")
    with pytest.raises(kilocell.UsageError, match='did you mean "simulations"'):
        store.dataset("simulation")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_a_dataset_names_what_is_missing_and_gives_the_rest(filled: Filled, caplog: pytest.LogCaptureFixture) -> None:
    store, _ = filled
    path = Store(store.path).cleaned("B")
    path.unlink()
    assert store.dataset("cleaned").count_rows() == SAMPLES
    assert str(path) in caplog.text
    path.with_name(Store(store.path).cleaned("A/1").name).unlink()
    assert store.dataset("cleaned").count_rows() == 0
