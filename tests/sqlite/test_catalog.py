"""Recorded results are in the catalog once, under the user's names."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kilocell.data.errors import StoreError
from kilocell.data.results.cleaning import CleanResult
from kilocell.data.results.fitting import FitResult
from kilocell.data.results.simulation import SimulationResult
from kilocell.data.settings import CellSettings, ModelSettings, ParameterSetSettings
from kilocell.sqlite import queries
from kilocell.sqlite.catalog import Catalog
from sample_receipts import (
    CHEN,
    DFN,
    DIFFUSIVITY,
    SLOW,
    SPME,
    asked,
    cell,
    cleaned,
    everything,
    failed,
    fit_settings,
    fitted,
    pending,
    receipt,
    simulated,
    source,
    started,
)

QUOTED = 'it\'s "quoted"; DROP TABLE cells;--'
HOSTILE = ["../../x", "a/b", "CON", "<script>alert(1)</script>", "电池一号", QUOTED, "", "x" * 300]
RESULT_TABLES = (
    "cells", "sources", "source_cells", "models", "parameter_sets", "parameter_overrides", "jobs", "clean_reports",
    "findings", "cycles", "simulations", "comparisons", "fits", "fit_parameters", "fit_starts", "fit_start_values",
)  # fmt: skip


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


def content(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that receipts can tell, in an order that does not depend on when it was written."""
    return {table: sorted(rows(path, f"SELECT * FROM {table}"), key=repr) for table in RESULT_TABLES}


def test_clean_receipt_becomes_report_findings_and_cycles(catalog: Catalog, path: Path) -> None:
    catalog.record(cleaned("A", cycles=4, findings=3), None)
    assert rows(path, "SELECT path, rows_in, rows_kept, rows_quarantined, cycles_after FROM clean_reports") == [
        ("cleaned/A.parquet", 730, 720, 10, 4)
    ]
    assert rows(path, "SELECT rule, rows, source_row, before, after, action FROM findings ORDER BY source_row") == [
        ("voltage_missing", 2, 0, "missing", "3.712 V", "filled"),
        ("duplicate_row", 2, 10, "missing", "3.712 V", "filled"),
        ("voltage_missing", 2, 20, "missing", "3.712 V", "filled"),
    ]
    assert rows(path, "SELECT cycle_count, charge_in_ah, voltage_max_volt FROM cycles WHERE cycle_count > 2") == [
        (3, 4.9, 4.2),
        (4, 4.9, 4.2),
    ]


def test_simulation_row_names_model_set_file_and_errors(catalog: Catalog, path: Path) -> None:
    catalog.record(simulated(asked("A", SPME, SLOW), 20.5), None)
    found = rows(
        path,
        "SELECT cell_id, model, parameter_set, label, status, path, initial_soc, rmse_mv, bias_mv, worst_mv,"
        " worst_time_second, charge_model_ah, seconds, attempts FROM simulations",
    )
    attempts = '["tight steps", "loose steps"]'
    assert found == [
        ("A", "SPMe", "slow", "SPMe-slow", "done", "simulations/SPMe-slow.parquet", 0.9, 20.5, -1.5, -80.0, 3600.0,
         -0.2001, 2.5, attempts)
    ]  # fmt: skip
    assert rows(path, "SELECT cycle_count, rmse_mv FROM comparisons") == [(0, 20.5), (1, 21.5), (2, 22.5)]
    assert rows(path, "SELECT type, options FROM models WHERE model = 'SPMe'") == [("SPMe", '{"thermal": "lumped"}')]
    assert rows(path, "SELECT nominal_capacity_ah, initial_state_policy, initial_state_value FROM cells") == [
        (5.0, "soc", 0.9)
    ]


def test_every_override_has_its_unit(catalog: Catalog, path: Path) -> None:
    catalog.put_cell(CellSettings("A"), [SLOW])
    assert rows(path, "SELECT parameter_set, base, parameter, kind, value, unit FROM parameter_values") == [
        ("slow", "Chen2020", DIFFUSIVITY, "value", 1e-15, "m2.s-1"),
        ("slow", "Chen2020", "Positive electrode exchange-current density [A.m-2]", "scale", 0.5, ""),
        ("slow", "Chen2020", "Negative electrode Bruggeman coefficient (electrolyte)", "value", 1.6, ""),
    ]


def test_recording_twice_changes_nothing(catalog: Catalog, path: Path) -> None:
    for each in everything("A"):
        catalog.record(each, None)
    before = content(path)
    for each in everything("A"):
        catalog.record(each, None)
    assert content(path) == before
    assert len(before["jobs"]) == 10


def test_newer_receipt_leaves_nothing_of_the_older(catalog: Catalog, path: Path) -> None:
    catalog.record(cleaned("A", cycles=9, findings=30), None)
    catalog.record(simulated(asked("A"), 20.0, cycles=9), None)
    catalog.record(cleaned("A", cycles=2, findings=1), None)
    catalog.record(simulated(asked("A"), 10.0, cycles=2), None)
    assert rows(path, "SELECT count(*) FROM findings UNION ALL SELECT count(*) FROM cycles") == [(1,), (2,)]
    assert rows(path, "SELECT max(cycle_count), count(*), min(rmse_mv) FROM comparisons") == [(2, 3, 10.0)]
    assert rows(path, "SELECT rmse_mv FROM simulations") == [(10.0,)]


def test_failed_receipt_replaces_the_result_of_a_done_one(catalog: Catalog, path: Path) -> None:
    fit = fit_settings("A")
    done = [cleaned("A"), simulated(asked("A")), started(fit, 0), fitted(fit)]
    catalog.record_many([(each, None) for each in done], None)
    catalog.record_many([(failed(each), None) for each in done], None)
    for table in ("clean_reports", "findings", "cycles", "comparisons", "fit_parameters", "fit_start_values"):
        assert rows(path, f"SELECT count(*) FROM {table}") == [(0,)], table
    for table in ("simulations", "fits", "fit_starts"):
        found = rows(path, f"SELECT status, reason, reason_code, rmse_mv FROM {table}")
        assert found == [("failed", "the solver stopped at 12 s", "diverged", None)], table


def test_pending_receipt_keeps_the_earlier_result(catalog: Catalog, path: Path) -> None:
    done = simulated(asked("A"), 20.5)
    catalog.record(done, None)
    catalog.record(pending(done), None)
    assert rows(path, "SELECT status, digest FROM jobs") == [("pending", "new")]
    assert rows(path, "SELECT status, rmse_mv FROM simulations") == [("done", 20.5)]


def test_failed_simulation_takes_its_names_from_settings_or_label(catalog: Catalog, path: Path) -> None:
    dashed = asked("A", ModelSettings("SPM-lumped", "SPM"), CHEN)
    catalog.record(failed(simulated(dashed)), None, settings=dashed)
    catalog.record(failed(simulated(asked("B", DFN, SLOW))), None)
    assert rows(path, "SELECT cell_id, model, parameter_set, rtol FROM simulations ORDER BY cell_id") == [
        ("A", "SPM-lumped", "Chen2020", dashed.rtol),
        ("B", "DFN", "slow", None),
    ]


def test_failed_simulation_refers_only_to_definitions_that_are_known(catalog: Catalog, path: Path) -> None:
    catalog.put_model(SPME)
    never_fitted = asked("A", SPME, ParameterSetSettings("Chen2020+fit", "Chen2020"))
    catalog.record(failed(simulated(never_fitted)), None, settings=never_fitted)
    assert rows(path, "SELECT count(*) FROM parameter_sets") == [(0,)]
    assert rows(
        path, "SELECT m.model, s.parameter_set_digest FROM simulations s JOIN models m USING (model_digest)"
    ) == [("SPMe", None)]


def test_fit_with_starts_and_parameters(catalog: Catalog, path: Path) -> None:
    fit = fit_settings("A")
    for each in (started(fit, 0), failed(started(fit, 1)), started(fit, 2), fitted(fit)):
        catalog.record(each, None, settings=fit)
    assert rows(path, "SELECT fit, start, status, seed, rmse_first_mv, rmse_mv FROM fit_starts ORDER BY start") == [
        ("diffusivity", 0, "done", 1000, 90.0, 12.0),
        ("diffusivity", 1, "failed", None, None, None),
        ("diffusivity", 2, "done", 1002, 90.0, 14.0),
    ]
    values = "SELECT first_value, value FROM fit_start_values WHERE label = 'diffusivity-2' AND parameter = ?"
    assert rows(path, values, DIFFUSIVITY) == [(1e-14, 3e-14)]
    assert rows(
        path, "SELECT fit, base_parameter_set, parameter_set, cycles, seed, rmse_default_mv, rmse_mv FROM fits"
    ) == [("diffusivity", "Chen2020", "Chen2020+diffusivity", "[1, 2]", 7, 40.0, 12.0)]
    assert rows(
        path, "SELECT parameter, unit, value, default_value, lower, upper, scale, at_bound FROM fit_parameters"
    ) == [
        ("Contact resistance [Ohm]", "Ohm", 0.1, 0.0, 0.0, 0.1, "linear", 1),
        (DIFFUSIVITY, "m2.s-1", 3e-14, 3.3e-14, 1e-16, 1e-12, "log", 0),
    ]
    fitted_set = "SELECT parameter, value FROM parameter_values WHERE parameter_set = 'Chen2020+diffusivity'"
    assert rows(path, fitted_set) == [(DIFFUSIVITY, 3e-14), ("Contact resistance [Ohm]", 0.1)]


def test_fits_of_two_cells_keep_parameter_sets_of_one_name_apart(catalog: Catalog, path: Path) -> None:
    one = fitted(fit_settings("A"))
    other = fitted(fit_settings("B"))
    assert isinstance(other.result, FitResult)
    changed = ParameterSetSettings("Chen2020+diffusivity", "Chen2020", (replace(SLOW.overrides[0], value=9e-15),))
    other = replace(other, result=replace(other.result, parameter_set=changed))
    catalog.record(one, None)
    catalog.record(other, None)
    catalog.end_run(catalog.begin_run("run", "host", 1, {}), 0, "done")
    found = rows(
        path,
        "SELECT f.cell_id, o.value FROM fits f JOIN parameter_overrides o USING (parameter_set_digest)"
        " WHERE o.parameter = ? ORDER BY f.cell_id",
        DIFFUSIVITY,
    )
    assert found == [("A", 3e-14), ("B", 9e-15)]


def test_superseded_definitions_are_forgotten_when_a_run_ends(catalog: Catalog, path: Path) -> None:
    older = ParameterSetSettings("slow", "Chen2020", SLOW.overrides[:1])
    catalog.put_cell(cell("A"), (older,))
    catalog.put_cell(cell("A"), (CHEN, SLOW))
    run_id = catalog.begin_run("run", "host", 1, {})
    assert rows(path, "SELECT count(*) FROM parameter_sets WHERE parameter_set = 'slow'") == [(2,)]
    catalog.end_run(run_id, 0, "done")
    assert rows(path, "SELECT count(*) FROM parameter_values WHERE parameter_set = 'slow'") == [(3,)]
    assert rows(
        path,
        "SELECT p.parameter_set FROM cell_parameter_sets c JOIN parameter_sets p USING (parameter_set_digest)"
        " ORDER BY c.position",
    ) == [("Chen2020",), ("slow",)]


def test_rebuild_from_receipts_equals_the_original(catalog: Catalog, path: Path, tmp_path: Path) -> None:
    receipts = [each for cell_id in ("A", "../../x", "电池") for each in everything(cell_id)]
    run_id = catalog.begin_run("kilocell run", "host", 1, {})
    for each in receipts:
        catalog.record(pending(each), run_id)
    for each in receipts:
        catalog.record(each, None)
    again = tmp_path / "again.sqlite"
    with Catalog.open(again) as rebuilt:
        assert rebuilt.record_many([(each, None) for each in reversed(receipts)], None) == len(receipts)
    assert content(again) == content(path)


@pytest.mark.parametrize("cell_id", HOSTILE)
def test_hostile_cell_ids_stay_as_they_are(catalog: Catalog, path: Path, cell_id: str) -> None:
    catalog.put_source(source(), [cell_id], 1)
    catalog.put_cell(CellSettings(cell_id), (CHEN,))
    for each in everything(cell_id):
        catalog.record(each, None)
    for table in ("cells", "source_cells", "clean_reports", "findings", "cycles", "simulations", "comparisons", "fits",
                  "fit_parameters", "fit_starts", "fit_start_values", "results", "cell_overview"):  # fmt: skip
        assert set(rows(path, f"SELECT cell_id FROM {table}")) == {(cell_id,)}, table


@settings(max_examples=30, deadline=None)
@given(names=st.sets(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=5))
def test_any_texts_are_distinct_cells(tmp_path_factory: pytest.TempPathFactory, names: set[str]) -> None:
    path = tmp_path_factory.mktemp("any") / "catalog.sqlite"
    with Catalog.open(path) as catalog:
        catalog.record_many([(cleaned(name), None) for name in names], None)
    assert {name for (name,) in rows(path, "SELECT cell_id FROM clean_reports")} == names


def test_text_that_is_no_unicode_is_refused_and_undone(catalog: Catalog, path: Path) -> None:
    with pytest.raises(StoreError, match=r"\\udcff"):
        catalog.record_many([(cleaned("A"), None), (cleaned("bad\udcff"), None)], None)
    assert rows(path, "SELECT count(*) FROM jobs") == [(0,)]


def test_nan_is_not_known(catalog: Catalog, path: Path) -> None:
    done = simulated(asked("A"))
    assert isinstance(done.result, SimulationResult)
    empty = replace(done.result, rmse_mv=math.nan, worst_mv=math.inf)
    catalog.record(replace(done, result=empty), None)
    assert rows(path, "SELECT rmse_mv, worst_mv FROM simulations") == [(None, math.inf)]


def test_clean_receipt_without_cycles_or_findings(catalog: Catalog, path: Path) -> None:
    done = cleaned("A", cycles=0, findings=0)
    assert isinstance(done.result, CleanResult)
    catalog.record(receipt("clean", "A", "clean", done.result), None)
    assert rows(path, "SELECT path, cycles_after FROM clean_reports") == [(None, 0)]
    assert rows(path, "SELECT rows, cycles, findings, status FROM results") == [(720, 0, 0, "done")]
