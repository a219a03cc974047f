"""The four questions: as commands, as views, in Python; with the same filters everywhere."""

from __future__ import annotations

import csv
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import kilocell
import pandas as pd
import pytest
from click.testing import CliRunner
from filled_store import ERROR_VOLT, SAMPLES, fill
from kilocell.data.efficiency import efficiency_percent
from kilocell.data.errors import UsageError
from kilocell.runner.cli import cli

VIEWS = {
    "cycles": "cycle_overview",
    "compare": "cycle_comparison",
    "parameter-sets": "model_parameter_sets",
    "curves": "curves",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cells with SPM and DFN with Chen2020, and SPM with the set slow: its particles are half as large."""
    root = tmp_path_factory.mktemp("store")
    fill(root, "B01", "B02", "C01")
    return root


def said(root: Path, *arguments: str) -> str:
    done = CliRunner().invoke(cli, [*arguments, "--store", str(root)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def ask(root: Path, *arguments: str) -> list[dict[str, object]]:
    answer: list[dict[str, object]] = json.loads(said(root, *arguments, "--json"))
    return answer


@pytest.mark.parametrize(("command", "view"), VIEWS.items())
def test_json_keys_are_the_columns_of_the_view(root: Path, command: str, view: str) -> None:
    rows = ask(root, command, *(["*"] if command == "cycles" else []))
    with closing(sqlite3.connect(root / "catalog.sqlite")) as catalog:
        columns = [column[0] for column in catalog.execute(f"SELECT * FROM {view}").description]
    assert rows
    assert list(rows[0]) == columns


@pytest.mark.parametrize(
    ("charge_in_ah", "charge_out_ah", "is_efficiency"),
    [(0.002, 4.97, False), (0.0, 4.97, False), (3.1, 0.0, False), (9.9, 4.8, False), (3.9, 5.0, False),
     (5.0, 3.1, True), (4.9, 5.0, True), (4.0, 5.0, True), (8.0, 4.0, True)],
)  # fmt: skip
def test_a_cycle_that_is_not_closed_has_no_efficiency(
    root: Path, charge_in_ah: float, charge_out_ah: float, is_efficiency: bool
) -> None:
    """A cell that came charged returned 248,623 % in its first cycle."""
    with closing(sqlite3.connect(root / "catalog.sqlite")) as catalog:
        catalog.row_factory = sqlite3.Row
        catalog.execute("UPDATE cycles SET charge_in_ah = ?, charge_out_ah = ?", (charge_in_ah, charge_out_ah))
        row = catalog.execute("SELECT * FROM cycle_overview WHERE cell_id = 'B01' AND cycle_count = 1").fetchone()
        catalog.rollback()
    charges = (row["charge_out_ah"], row["charge_in_ah"])
    coulombic = row["coulombic_efficiency_percent"]
    assert (coulombic is not None, row["energy_efficiency_percent"] is not None) == (is_efficiency, is_efficiency)
    assert coulombic == pytest.approx(efficiency_percent(*charges, *charges))


def test_all_cycles_of_a_cell(root: Path) -> None:
    rows = ask(root, "cycles", "B01")
    assert [(row["cycle_count"], row["charge_out_ah"], row["findings"]) for row in rows] == [(1, 5.0, 3), (2, 5.0, 0)]
    assert rows[0]["coulombic_efficiency_percent"] == pytest.approx(100 * 5.0 / 4.9)
    assert rows[0]["energy_efficiency_percent"] == pytest.approx(100 * 17.9 / 18.1)
    assert rows[0]["mean_discharge_voltage_volt"] == pytest.approx(17.9 / 5.0)
    assert rows[0]["mean_charge_voltage_volt"] == pytest.approx(18.1 / 4.9)
    assert rows[0]["duration_second"] == 29.0
    assert "98.90" in said(root, "cycles", "B01")
    assert {row["cell_id"] for row in ask(root, "cycles", "B*")} == {"B01", "B02"}


def test_simulation_against_experiment(root: Path) -> None:
    rows = ask(root, "compare", "--cell", "B0*", "--model", "SPM", "--parameters", "default")
    assert [(row["cell_id"], row["label"], row["cycle_count"]) for row in rows] == [
        ("B01", "SPM-Chen2020", 0), ("B02", "SPM-Chen2020", 0),
    ]  # fmt: skip
    by_part = ask(root, "compare", "--select", "cycle 2", "--cell", "C01", "--parameters", "slow")
    (row,) = by_part
    assert row["rmse_mv"] == pytest.approx(1000 * ERROR_VOLT)
    assert row["samples"] == 30


def test_a_cycle_that_no_cell_has_is_refused(root: Path) -> None:
    done = CliRunner().invoke(cli, ["compare", "--cycle", "9", "--store", str(root)])
    assert "no cell has a cycle 9; the cycles are 1 to 2" in str(done.exception)


def test_parameter_sets_of_a_model(root: Path) -> None:
    rows = ask(root, "parameter-sets", "--model", "SPM")
    assert [(row["parameter_set"], row["base"], row["cells"], row["is_default"]) for row in rows] == [
        ("Chen2020", "Chen2020", 3, 1), ("slow", "Chen2020", 3, 0),
    ]  # fmt: skip
    assert json.loads(str(rows[1]["overrides"])) == {
        "Negative particle radius [m]": {"kind": "scale", "value": 0.5, "unit": ""}
    }
    assert "Negative particle radius [m] × 0.5" in said(root, "parameter-sets")
    assert len(ask(root, "parameter-sets", "--parameters", "default")) == 2


def test_voltage_curves_with_default_parameters(root: Path, tmp_path: Path) -> None:
    rows = ask(root, "curves", "--model", "SPM", "--parameters", "default")
    assert [row["cell_id"] for row in rows] == ["B01", "B02", "C01"]
    assert all((root / str(row["path"])).is_file() for row in rows)
    path = tmp_path / "samples.csv"
    said(root, "curves", "--model", "SPM", "--parameters", "default", "--select", "cycle 1", "--samples", str(path))
    frame = pd.read_csv(path)
    assert list(frame.columns[:5]) == [
        "cell_id", "model", "parameter_set", "test_time_second", "measured_voltage_volt",
    ]  # fmt: skip
    assert (len(frame), set(frame["cycle_count"])) == (3 * 30, {1})
    error = (frame["simulated_voltage_volt"] - frame["measured_voltage_volt"]).dropna()
    assert error.to_numpy() == pytest.approx(ERROR_VOLT)


def test_order_and_number_of_rows(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    rows = ask(root, "curves", "--sort", "-cell_id", "--limit", "2", "--csv", str(path))
    assert [row["cell_id"] for row in rows] == ["C01", "C01"]
    with path.open(newline="") as stream:
        assert [row["cell_id"] for row in csv.DictReader(stream)] == ["C01", "C01"]
    assert ask(root, "curves", "--status", "failed") == []


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("curves", "--model", "SPN"), 'model "SPN" (did you mean "SPM"'),
        (("curves", "--parameters", "Chen2021"), 'parameter set "Chen2021" (did you mean "Chen2020"'),
        (("curves", "--cell", "C0l"), 'no cell "C0l" (did you mean "C01"'),
        (("compare", "--sort", "rmse"), 'no column to sort by "rmse" (did you mean'),
        (("compare", "--cycle", "2", "--select", "discharge"), "give --cycle or --select"),
        (("curves", "--plot", "x.jpg"), "must end in .png, .pdf or .svg"),
    ],
)
def test_unknown_names_are_answered_with_near_ones(root: Path, arguments: tuple[str, ...], text: str) -> None:
    done = CliRunner().invoke(cli, [*arguments, "--store", str(root)])
    assert isinstance(done.exception, UsageError)
    assert text in str(done.exception)


@pytest.mark.parametrize(
    "arguments",
    [
        ("cycles", "B01"),
        ("cycles", "*"),
        ("compare", "--cell", "B01", "--select", "cycle 2"),
        ("parameter-sets",),
        ("curves", "--parameters", "default"),
    ],
)
def test_figures_are_written_where_they_are_wanted(root: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    path = tmp_path / "answer.png"
    said(root, *arguments, "--plot", str(path))
    assert path.read_bytes().startswith(b"\x89PNG")
    assert not (root / "figures").exists()


def test_several_cells_have_a_figure_each(root: Path, tmp_path: Path) -> None:
    said(root, "compare", "--cell", "B*", "--select", "cycle 1", "--plot", str(tmp_path / "c.svg"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c_B01.svg", "c_B02.svg"]
    drawn = (tmp_path / "c_B01.svg").read_text()  # Matplotlib writes each text as a comment, too
    assert "<!-- B01" in drawn
    assert "cycle 1 -->" in drawn


def test_a_missing_curve_is_named_and_the_rest_is_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    fill(tmp_path / "store", "A", "B")
    (gone,) = [row for row in ask(tmp_path / "store", "curves", "--model", "DFN") if row["cell_id"] == "A"]
    (tmp_path / "store" / str(gone["path"])).unlink()
    path = tmp_path / "s.csv"
    said(tmp_path / "store", "curves", "--model", "DFN", "--samples", str(path))
    assert set(pd.read_csv(path)["cell_id"]) == {"B"}
    assert "left out" in caplog.text


def test_the_same_in_python(root: Path) -> None:
    store = kilocell.open_store(root)
    assert len(store.compare(cell="B*", parameters="default")) == 4
    assert set(store.parameter_sets(model="SPM")["parameter_set"]) == {"Chen2020", "slow"}
    curves = store.curves(model="SPM", parameters="default")
    assert list(curves["cell_id"]) == ["B01", "B02", "C01"]
    samples = store.curve_samples("B01", model="SPM", parameters="default")
    assert len(samples) == SAMPLES
    assert samples["cell_id"].cat.categories.tolist() == ["B01"]
    assert "energy_efficiency_percent" in store.cycles("B01")
    with pytest.raises(UsageError, match="did you mean"):
        store.curves(model="SPN")


def test_questions_import_neither_pybamm_nor_dask(root: Path) -> None:
    code = (
        "import sys; from kilocell.runner.cli import cli\n"
        "for question in (['cycles', '*'], ['compare'], ['parameter-sets'], ['curves', '--plot', sys.argv[2]]):\n"
        "    cli.main([*question, '--store', sys.argv[1]], standalone_mode=False)\n"
        "print(*sorted({'pybamm', 'dask', 'distributed'} & set(sys.modules)), file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, str(root), str(root.parent / "plot.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr.strip() == ""


def test_results_take_the_same_filters(root: Path) -> None:
    rows = ask(root, "results", "--cell", "B*", "--parameters", "default", "--sort", "-model", "--limit", "3")
    assert [(row["cell_id"], row["model"]) for row in rows] == [("B01", "SPM"), ("B02", "SPM"), ("B01", "DFN")]
    assert {row["model"] for row in ask(root, "results", "--by", "cycle", "--model", "DFN")} == {"DFN"}
    rows = ask(root, "results", "--select", "cycle 1", "--parameters", "slow")
    assert {(row["cell_id"], row["parameter_set"]) for row in rows} == {
        (cell, "slow") for cell in ("B01", "B02", "C01")
    }
