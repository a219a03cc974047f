"""What a charge is known from, and how well: in findings, results, status, fits, exports and figures of cleaning."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from filled_store import ERROR_VOLT, fill, simulation
from kilocell.data import columns as c
from kilocell.data.cycle_selection import MeasuredCapacity, parse_selection
from kilocell.data.fit_settings import FitParameter, FitSettings
from kilocell.data.results.cleaning import CleanReport, CleanResult, CycleSummary
from kilocell.data.results.fitting import FitResult
from kilocell.data.results.simulation import SimulationResult
from kilocell.data.rules import flag_bit
from kilocell.data.settings import CellSettings, ModelSettings, ParameterSetSettings, SimulateSettings
from kilocell.parquet_store.layout import Store
from kilocell.parquet_store.write import write_frame
from kilocell.runner.cli import cli
from kilocell.runner.export.cells import export
from kilocell.runner.show.fits import short_verdict
from kilocell.runner.worker.cell_tasks import with_charge_certainty
from kilocell.runner.worker.fit_tasks import with_charge_certainty as fit_with_charge_certainty

BOUNDS = (
    "charge_source = 'samples', charge_in_low_ah = 9.2, charge_in_high_ah = 10.4, charge_out_low_ah = 9.9,"
    " charge_out_high_ah = 10.3, charge_in_counted_ah = 9.31"
)
"""Charge in 9.8 A.h by ±0.6, charge out 10.1 A.h by ±0.2: ±4.0 % of the throughput."""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Cell A with an uncertain charge, cell B with a certain one; A's capacity is a guess."""
    fill(tmp_path, "A", "B")
    with closing(sqlite3.connect(tmp_path / "catalog.sqlite")) as catalog, catalog:
        catalog.execute(f"UPDATE clean_reports SET {BOUNDS}, rows_inserted = 12 WHERE cell_id = 'A'")
        catalog.execute(
            "UPDATE clean_reports SET charge_source = 'step time', charge_in_low_ah = 9.79, charge_in_high_ah = 9.81,"
            " charge_out_low_ah = 10.1, charge_out_high_ah = 10.1 WHERE cell_id = 'B'"
        )
        catalog.execute(
            "UPDATE simulations SET charge_error = 7e-6, charge_source = 'samples', charge_throughput_ah = 19.9,"
            " charge_uncertainty_ah = 0.8 WHERE cell_id = 'A'"
        )
        catalog.execute("UPDATE cells SET capacity_source = 'guess' WHERE cell_id = 'A'")
    return tmp_path


def said(store: Path, *arguments: str) -> str:
    done = CliRunner().invoke(cli, [*arguments, "--store", str(store)], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_findings_show_the_bounds_beside_the_charge(store: Path) -> None:
    lines = said(store, "findings", "--cell", "A").splitlines()
    table = {line[:10].strip(): line.split() for line in lines if line.startswith("charge ") and "A.h" in line}
    assert "from samples  unit  at least  cleaned  at most  counters" in lines
    rows = [line.split()[2:] for line in lines if line.startswith(("charge in ", "charge out "))][-2:]
    assert rows == [["A.h", "9.2", "9.8", "10.4", "9.31"], ["A.h", "9.9", "10.1", "10.3", "–"]]
    assert table
    assert "inserted     12 samples at step edges; no rows of a file" in lines
    assert "  A: in 9.2 to 10.4 A.h, out 9.9 to 10.3 A.h (±4 %, from samples)" in lines


def test_findings_of_several_cells_name_those_with_an_uncertain_charge(store: Path) -> None:
    out = said(store, "findings")
    assert "charge uncertain:\n  A: in 9.2 to 10.4 A.h" in out
    assert "  B: in" not in out


def test_findings_as_json_have_every_bound(store: Path) -> None:
    a, b = json.loads(said(store, "findings", "--json"))["reports"]
    assert (a["charge_source"], a["charge_in_low_ah"], a["charge_out_high_ah"]) == ("samples", 9.2, 10.3)
    assert (a["charge_in_counted_ah"], a["charge_out_counted_ah"], a["rows_inserted"]) == (9.31, None, 12)
    assert a["charge_uncertainty_ah"] == pytest.approx(0.8)
    assert a["charge_uncertainty_percent"] == pytest.approx(80 / 19.9)
    assert b["charge_uncertainty_percent"] == pytest.approx(0.0503, abs=1e-3)


def test_results_do_not_call_a_charge_right_that_nobody_knows(store: Path) -> None:
    out = said(store, "results")
    heading, _, *lines = out.splitlines()
    assert heading.split()[-3:] == ["charge", "±", "%"]
    assert [line.split()[-1] for line in lines[:6]] == ["4.02", "4.02", "4.02", "0.05", "0.05", "0.05"]
    assert (
        "  A: the charge is known only to ±4 % (±0.8 A.h, from samples); that the model agrees with the recorded "
        "current to 7e-06 does not make it right" in out
    )
    assert "  B: the charge" not in out
    assert "the nominal capacity is a guess in: A;" in out


def test_results_of_certain_charges_have_no_such_column(store: Path) -> None:
    out = said(store, "results", "--cell", "B")
    assert "charge" not in out
    assert "guess" not in out


def test_results_as_json_always_have_the_evidence(store: Path) -> None:
    rows = json.loads(said(store, "results", "--json"))
    a, b = rows[0], rows[-1]
    assert (a["charge_source"], a["charge_error"], a["charge_uncertainty_ah"]) == ("samples", 7e-6, 0.8)
    assert a["charge_uncertainty_percent"] == pytest.approx(80 / 19.9)
    assert (a["capacity_source"], b["capacity_source"]) == ("guess", "")
    assert b["charge_uncertainty_percent"] == pytest.approx(0.0503, abs=1e-3)


def test_results_by_cycle_show_the_uncertainty_of_each_cycle(store: Path) -> None:
    with closing(sqlite3.connect(store / "catalog.sqlite")) as catalog, catalog:
        catalog.execute(f"UPDATE cycles SET {BOUNDS} WHERE cell_id = 'A' AND cycle_count = 1")
        catalog.execute(
            "INSERT INTO comparisons (cell_id, label, cycle_count, samples, rmse_mv)"
            " VALUES ('A', 'SPM-Chen2020', 1, 30, 9)"
        )
    lines = said(store, "results", "--by", "cycle", "--cell", "A").splitlines()
    assert lines[0].split()[-3:] == ["charge", "±", "%"]
    assert {line.split()[3]: line.split()[-1] for line in lines[2:4]} == {"all": "4.02", "1": "8.08"}


def test_status_names_the_cells_with_an_uncertain_charge(store: Path) -> None:
    assert "charge uncertain:\n  A: in 9.2 to 10.4 A.h, out 9.9 to 10.3 A.h (±4 %, from samples)" in said(
        store, "status"
    )
    (uncertain,) = json.loads(said(store, "status", "--json"))["uncertain_charge"]
    assert (uncertain["cell_id"], uncertain["charge_source"]) == ("A", "samples")


def test_a_cell_id_with_control_characters_cannot_reach_the_terminal(tmp_path: Path) -> None:
    """An id may come from a file: neither its escape sequences nor its line breaks are printed."""
    cell_id = "A\x1b[2J\x9b31m\nB"
    fill(tmp_path, cell_id, "C", not_cleaned="D\x1b[31m")
    with closing(sqlite3.connect(tmp_path / "catalog.sqlite")) as catalog, catalog:
        catalog.execute(f"UPDATE clean_reports SET {BOUNDS}")
        catalog.execute("UPDATE jobs SET status = 'failed', reason = 'bad'")
        catalog.execute("UPDATE cells SET capacity_source = 'guess'")
    for command in ("findings", "results", "status"):
        out = said(tmp_path, command)
        assert "charge uncertain" in out
        assert not set(out) & {"\x1b", "\x9b"}
        assert "\nB" not in out


def test_a_store_of_certain_charges_says_nothing_of_it(tmp_path: Path) -> None:
    fill(tmp_path, "A")
    for command in ("findings", "results", "status"):
        assert "uncertain" not in said(tmp_path, command)


def test_a_fits_short_verdict_has_an_uncertain_charge() -> None:
    fit = {"starts_done": 2, "starts_agreeing": 2, "charge_throughput_ah": 10.0, "charge_uncertainty_ah": 0.31}
    parameters = [{"verdict": "well determined, within 0.10%"}]
    assert short_verdict(fit, parameters) == "all well determined, charge ±3.1 %"
    assert short_verdict(fit | {"charge_uncertainty_ah": 0.01}, parameters) == "all well determined"


def cleaned() -> CleanResult:
    report = CleanReport(
        "A", 60, 60, 0, 10.0, 10.0, 8.0, 8.0, 8.0, 8.0, 2, 2, 4, 4, charge_source="counters",
        charge_in_low_ah=8.0, charge_in_high_ah=8.0, charge_out_low_ah=8.0, charge_out_high_ah=8.0,
    )  # fmt: skip
    numbers = {"charge_in_low_ah": 3.9, "charge_in_high_ah": 4.1, "charge_out_low_ah": 4.0, "charge_out_high_ah": 4.0}
    bounds: dict[str, Any] = dict(numbers)
    cycles = [
        CycleSummary(n, 0.0, 9.0, 30, 2, 4.0, 4.0, 15.0, 15.0, 3.0, 4.2, None, "samples", **bounds) for n in (1, 2)
    ]
    return CleanResult(report, tuple(cycles))


def test_a_simulation_takes_the_uncertainty_of_the_cycles_that_it_has() -> None:
    """The counters over the whole record fix its charge, but not that of each cycle."""
    settings = SimulateSettings(CellSettings("A"), ModelSettings("SPM", "SPM"), ParameterSetSettings("x", "Chen2020"))
    numbers = (60, 4, 0.9, 4.05, "soc 0.9", 1.0, 25.0, 0.0, 0.0, 7e-6, 12.3, 12.3, 12.3, 3.0, 0.8)
    whole = with_charge_certainty(SimulationResult(settings, *numbers), cleaned())
    assert (whole.charge_source, whole.charge_throughput_ah, whole.charge_uncertainty_ah) == ("counters", 16.0, 0.0)
    second = replace(settings, cycles=parse_selection("2"))
    part = with_charge_certainty(SimulationResult(second, *numbers), cleaned())
    assert (part.charge_source, part.charge_throughput_ah) == ("samples", 8.0)
    assert part.charge_uncertainty_ah == pytest.approx(0.1)


def test_a_fit_says_how_well_the_charge_of_its_cycles_is_known() -> None:
    parameters = (FitParameter("Contact resistance [Ohm]", 0.0, 0.1),)
    base = ParameterSetSettings("x", "Chen2020")
    settings = FitSettings("ohmic", CellSettings("A"), ModelSettings("SPM", "SPM"), base, parameters, (1, 2))
    fit = FitResult(settings, 0, 1, 1, 40.0, 12.0, (), base, verdict="one start alone")
    found = fit_with_charge_certainty(fit, cleaned())
    assert found.charge_throughput_ah == 16.0
    assert found.charge_uncertainty_ah == pytest.approx(0.2)
    assert found.verdict == "one start alone; the charge is known only to ±1.2 % (±0.2 A.h, from samples)"
    whole = fit_with_charge_certainty(replace(fit, settings=replace(settings, cycles=())), cleaned())
    assert (whole.charge_uncertainty_ah, whole.verdict) == (0.0, "one start alone")


def test_a_measured_capacity_is_known_no_better_than_the_charge_of_its_cycle() -> None:
    cell = CellSettings("A", 4.0, measured_capacity=MeasuredCapacity(0))
    settings = SimulateSettings(cell, ModelSettings("SPM", "SPM"), ParameterSetSettings("x", "Chen2020"))
    numbers = (60, 4, 0.9, 4.05, "soc 0.9", 1.0, 25.0, 0.0, 0.0, 7e-6, 12.3, 12.3, 12.3, 3.0, 0.8)
    result = SimulationResult(settings, *numbers, capacity_source="measured in the last cycle: 4 A.h discharged")
    assert with_charge_certainty(result, cleaned()).capacity_source == (
        "measured in the last cycle: 4 A.h discharged; the charge is known only to ±1.2 % (±0.1 A.h, from samples)"
    )
    given = replace(result, settings=replace(settings, cell=CellSettings("A", 4.0)), capacity_source="given")
    assert with_charge_certainty(given, cleaned()).capacity_source == "given"


@pytest.fixture
def with_edges(tmp_path: Path) -> tuple[Path, pd.DataFrame]:
    """A cell whose samples 20 and 21 were inserted, with a simulation."""
    frames = fill(tmp_path / "store", "A")
    frame = frames["A"]
    inserted = np.isin(np.arange(len(frame)), (20, 21))
    frame = frame.assign(
        **{
            c.SOURCE_ROW: np.where(inserted, c.NO_SOURCE_ROW, frame[c.SOURCE_ROW]),
            c.FLAGS: np.where(inserted, flag_bit("step_edge"), 0),
        }
    ).astype(c.PARTITION_COLUMNS)
    store = Store(tmp_path / "store")
    write_frame(store, store.cleaned("A"), frame, {"cell_id": "A"})
    simulated = simulation(frame)
    simulated.loc[inserted, "voltage_error_volt"] = np.nan
    for label in ("SPM-Chen2020", "DFN-Chen2020", "SPM-slow"):
        write_frame(store, store.simulation("A", label), simulated, {})
    return store.root, frame


def test_bdf_leaves_the_voltage_of_inserted_samples_empty(
    tmp_path: Path, with_edges: tuple[Path, pd.DataFrame]
) -> None:
    root, frame = with_edges
    (path,) = export(root, (), tmp_path / "A.bdf.csv", True, None)
    back = pd.read_csv(path)
    np.testing.assert_array_equal(back["Current / A"], frame[c.CURRENT])
    np.testing.assert_array_equal(back["Voltage / V"].isna(), frame[c.VOLTAGE].isna() | (frame[c.SOURCE_ROW] < 0))
    assert frame[c.VOLTAGE][20:22].notna().all()


def test_csv_keeps_inserted_samples_with_their_mark(tmp_path: Path, with_edges: tuple[Path, pd.DataFrame]) -> None:
    root, frame = with_edges
    (path,) = export(root, (), tmp_path / "all.csv", False, None)
    back = pd.read_csv(path)
    assert back.index[back[c.SOURCE_ROW] == c.NO_SOURCE_ROW].tolist() == [20, 21]
    np.testing.assert_array_equal(back[c.CURRENT], frame[c.CURRENT])


def test_sqlite_views_have_no_measured_voltage_at_inserted_samples(
    tmp_path: Path, with_edges: tuple[Path, pd.DataFrame]
) -> None:
    root, frame = with_edges
    (path,) = export(root, (), None, False, tmp_path / "A.sqlite")
    with closing(sqlite3.connect(path)) as exported:
        compared = exported.execute(
            "SELECT measured_voltage_volt, voltage_error_mv, current_ampere FROM simulation_against_experiment"
            " WHERE model = 'DFN'"
        ).fetchall()
        cycles = exported.execute("SELECT voltage_volt, current_ampere FROM cell_cycles").fetchall()
        assert exported.execute("SELECT count(*) FROM charge_uncertainty").fetchone() == (1,)
    for k in (20, 21):
        assert compared[k] == (None, None, frame[c.CURRENT][k])
        assert cycles[k] == (None, frame[c.CURRENT][k])
    assert compared[22][1] == pytest.approx(1e3 * ERROR_VOLT)
