"""The error budget in results, findings, fits, Python and figures."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import kilocell
import pytest
from click.testing import CliRunner
from filled_store import fill
from kilocell.runner.cli import cli
from kilocell.runner.show.fits import short_verdict

PARTS = (
    "numerical_error_rmse_mv = 0.02, compression_rmse_mv = 0.05, charge_uncertainty_mv = 0.3,"
    " initial_state_source = 'rest voltage 4.1 V at 0 s'"
)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Cell A with a large, a small and an unknown budget; cell B as an earlier version left it."""
    fill(tmp_path, "A", "B")
    with closing(sqlite3.connect(tmp_path / "catalog.sqlite")) as catalog, catalog:
        catalog.execute("UPDATE simulations SET error_budget_mv = NULL, error_budget_unknown = NULL")
        catalog.execute(
            f"UPDATE simulations SET {PARTS}, state_uncertainty_mv = 4.5, error_budget_mv = 4.51,"
            " error_budget_main = 'state', error_budget_unknown = '', error_budget_too_large = 1"
            " WHERE cell_id = 'A' AND label = 'SPM-Chen2020'"
        )
        catalog.execute(
            f"UPDATE simulations SET {PARTS}, state_uncertainty_mv = 0.1, error_budget_mv = 0.321,"
            " error_budget_main = 'charge', error_budget_unknown = '', error_budget_too_large = 0,"
            " temperature_rmse_kelvin = 0.7 WHERE cell_id = 'A' AND label = 'DFN-Chen2020'"
        )
        catalog.execute(
            f"UPDATE simulations SET {PARTS}, numerical_error_rmse_mv = NULL, state_uncertainty_mv = 0.1,"
            " error_budget_mv = 0.32, error_budget_main = 'charge', error_budget_unknown = 'numerical',"
            " error_budget_too_large = 0 WHERE cell_id = 'A' AND label = 'SPM-slow'"
        )
    return tmp_path


def said(store: Path, *arguments: str) -> str:
    done = CliRunner().invoke(cli, [*arguments, "--store", str(store)], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_results_show_the_budget_beside_the_rmse_and_mark_it(store: Path) -> None:
    lines = said(store, "results").splitlines()
    heading = lines[0].split("  ")
    assert [text.strip() for text in heading if text.strip()][6:9] == ["RMSE mV", "± mV", "status"]
    rows = {(line.split()[0], *line.split()[4:6]): line for line in lines if line.startswith(("A ", "B "))}
    assert "12.30  ! 4.51  done" in rows["A", "SPM", "Chen2020"]
    assert "12.30    0.32  done" in rows["A", "DFN", "Chen2020"]
    assert "12.30  ? 0.32  done" in rows["A", "SPM", "slow"]
    assert "12.30       –  done" in rows["B", "SPM", "Chen2020"]
    assert rows["A", "DFN", "Chen2020"].split()[-1] == "0.70"
    text = "\n".join(lines)
    assert "!  the error budget exceeds 1 mV or a tenth of the RMSE in 1 result; largest part: starting state" in text
    assert "A SPM-Chen2020: starting state 4.50 mV, charge 0.30 mV, compressed current 0.05 mV, numerical" in text
    assert "?  a part of the budget is unknown in 1 result: numerical error" in text


def test_json_has_all_parts(store: Path) -> None:
    (row,) = (row for row in json.loads(said(store, "results", "--json")) if row["error_budget_too_large"])
    assert (row["error_budget_mv"], row["error_budget_main"], row["error_budget_unknown"]) == (4.51, "state", "")
    assert (row["numerical_error_rmse_mv"], row["compression_rmse_mv"]) == (0.02, 0.05)
    assert row["charge_uncertainty_mv"] == 0.3
    assert (row["state_uncertainty_mv"], row["temperature_rmse_kelvin"]) == (4.5, None)


def test_findings_count_the_marked_results(store: Path) -> None:
    assert "tenth of the RMSE in 1 result; largest part: starting state" in said(store, "findings", "--cell", "A")
    assert "error budget" not in said(store, "findings", "--cell", "B")


def test_a_store_of_an_earlier_version_has_no_column_of_budgets(store: Path) -> None:
    assert "± mV" not in said(store, "results", "--cell", "B")


def test_python_has_the_budget(store: Path) -> None:
    frame = kilocell.open_store(store).results("A")
    assert frame["error_budget_too_large"].tolist().count(True) == 1
    assert frame["error_budget_mv"].max() == 4.51
    assert "temperature_rmse_kelvin" in frame
    assert kilocell.open_store(store).fits().columns.isin(["error_budget_mv"]).sum() == 1


def test_a_fit_with_a_large_budget_says_so_in_a_few_words() -> None:
    fit: dict[str, Any] = {"starts_done": 2, "starts_agreeing": 2, "rmse_mv": 2.0, "state_uncertainty_mv": 0.6}
    parameters = [{"verdict": "well determined, within 0.1%"}]
    assert short_verdict(fit, parameters) == "all well determined, ±0.60 mV (starting state)"
    assert short_verdict(fit | {"rmse_mv": 20.0}, parameters) == "all well determined"
