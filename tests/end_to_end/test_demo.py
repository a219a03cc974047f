"""The demo, as a new user runs it, judged by what is known of its cells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from campaigns import ask, kilocell

pytestmark = pytest.mark.slow
TRUTH = json.loads((Path(__file__).parents[2] / "data" / "ground_truth.json").read_text(encoding="utf-8"))


def test_the_demo_finds_the_truth_of_its_cells(tmp_path: Path) -> None:
    shown = kilocell("demo", "--dashboard-address", "none", cwd=tmp_path)
    assert "26 jobs done" in shown.stdout
    assert "kilocell plot --store kilocell-demo --cell CELL_A" in shown.stdout
    reports = {row["cell_id"]: row for row in ask(tmp_path, "SELECT * FROM clean_reports")}
    for cell in TRUTH["cells"]:
        report = reports[cell["cell_id"]]
        assert (report["cycles_after"], report["steps_after"]) == (cell["true_cycles"], cell["true_steps"])
        assert report["charge_in_after_ah"] == pytest.approx(cell["true_charge_in_ah"], rel=1e-3)
        assert report["charge_out_after_ah"] == pytest.approx(cell["true_charge_out_ah"], rel=1e-3)
        assert report["rows_in"] == report["rows_kept"] + report["rows_quarantined"] == cell["rows"]
    simulations = ask(tmp_path, "SELECT status, charge_error, rmse_mv FROM simulations")
    assert len(simulations) == 16
    assert all(row["status"] == "done" and row["charge_error"] < 5e-4 for row in simulations)
    assert max(row["rmse_mv"] for row in simulations) < 100.0
    figures = tmp_path / "kilocell-demo" / "figures"
    assert len(list(figures.glob("*.png"))) == len(list(figures.glob("*.pdf"))) == 14
    _the_fit_found_the_true_diffusivities(tmp_path)
    again = kilocell("demo", "--dashboard-address", "none", cwd=tmp_path)
    assert "nothing to do: all 26 jobs are up to date" in again.stdout


def _the_fit_found_the_true_diffusivities(folder: Path) -> None:
    (cell,) = [cell for cell in TRUTH["cells"] if cell["cell_id"] == "CELL_A"]
    true_factors = {override["parameter"]: override["value"] for override in cell["overrides"]}
    found = ask(folder, "SELECT parameter, value, default_value, at_bound FROM fitted_parameters")
    assert {row["parameter"] for row in found} == set(true_factors)
    for row in found:
        assert not row["at_bound"]
        # The cell was made with the DFN, so an SPMe's diffusivities are near the truth and not equal to it.
        assert row["value"] / row["default_value"] == pytest.approx(true_factors[row["parameter"]], rel=0.2)
