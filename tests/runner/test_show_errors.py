"""``kilocell results``, as a user calls it: errors by window, step type and cycle."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from kilocell.data.errors import UsageError
from kilocell.data.results.receipt import Receipt
from kilocell.data.results.simulation import Comparison, SimulationResult, StepComparison
from kilocell.data.settings import CellSettings, ModelSettings, ParameterSetSettings, SimulateSettings
from kilocell.runner.cli import cli
from kilocell.sqlite.catalog import Catalog


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two cells with SPMe and DFN each, of which the second cell's DFN failed."""
    with Catalog.open(tmp_path / "catalog.sqlite") as catalog:
        for model in ("SPMe", "DFN"):
            catalog.put_model(ModelSettings(model, model))
        for number, cell_id in enumerate(("A", "B")):
            for model in ("SPMe", "DFN"):
                base = ParameterSetSettings("Chen2020", "Chen2020")
                settings = SimulateSettings(CellSettings(cell_id), ModelSettings(model, model), base)
                if (cell_id, model) == ("B", "DFN"):
                    failed = Receipt("simulate", cell_id, settings.label, "d", "failed", "left its range", "left_range")
                    catalog.record(failed, None, settings=settings)
                    continue
                windows = (("all", "ohmic", 12.0), ("all", "capacity", 25.0), ("charge", "all", 9.0))
                steps = tuple(
                    StepComparison(0, kind, window, 30, rmse + number, 1.0, 1.0, 0.0, 3.0)
                    for kind, window, rmse in windows
                )
                cycle = (10.0, 11.0, 10.0, 9.0, 1e-5, -0.125, 2.5)
                comparisons = tuple(Comparison(n, 60, 20.0, -3.0, -50.0, 8.0, 18.0, *cycle) for n in (0, 1))
                numbers = (60, 4, 0.9, 4.05, "soc 0.9", 1.0, 25.0, -0.2, -0.2, 0.0, 20.0, -3.0, -50.0, 8.0, 0.8, ())
                result = SimulationResult(settings, *numbers, comparisons, step_comparisons=steps)
                catalog.record(Receipt("simulate", cell_id, settings.label, "d", "done", result=result), None)
    return tmp_path


def shown(store: Path, *arguments: str) -> str:
    done = CliRunner().invoke(cli, ["results", "--store", str(store), *arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_a_line_for_each_finished_simulation_in_the_campaigns_order(store: Path) -> None:
    lines = shown(store, "--by", "window").splitlines()
    assert [line.split()[:2] for line in lines[2:5]] == [["A", "SPMe"], ["A", "DFN"], ["B", "SPMe"]]
    assert lines[2].split()[3:] == ["20.0", "12.0", "(3.0)", "–", "–", "25.0"]
    assert lines[4].split()[3:] == ["20.0", "13.0", "(3.0)", "–", "–", "26.0"]
    assert "1 simulation failed" in lines[-1]
    assert all(len(line) <= 120 for line in lines)


def test_step_types_and_cycles_have_their_own_tables(store: Path) -> None:
    assert shown(store, "--by", "step-type").splitlines()[2].split()[3:] == ["20.0", "9.0", "–", "–", "–", "–"]
    lines = shown(store, "--by", "cycle", "--cell", "A").splitlines()
    assert lines[2].split()[3:] == ["all", "20.0", "-3.0", "-50.0", "+10.00", "-10.00", "-0.125", "2.500"]
    assert [line.split()[3] for line in lines[2:6]] == ["all", "1", "all", "1"]


def test_json_has_the_columns_of_the_catalog(store: Path) -> None:
    rows = json.loads(shown(store, "--by", "window", "--cell", "B", "--json"))
    assert [(row["cell_id"], row["model"], row["ohmic_rmse_mv"], row["kinetic_rmse_mv"]) for row in rows] == [
        ("B", "SPMe", 13.0, None)
    ]
    assert json.loads(shown(store, "--by", "cycle", "--cell", "B", "--json"))[1]["cycle_count"] == 1


def test_without_by_the_table_stays_as_it_was(store: Path) -> None:
    rows = json.loads(shown(store, "--json"))
    assert [(row["cell_id"], row["model"], row["rmse_mv"], row["status"]) for row in rows] == [
        ("A", "SPMe", 20.0, "done"),
        ("A", "DFN", 20.0, "done"),
        ("B", "SPMe", 20.0, "done"),
        ("B", "DFN", None, "failed"),
    ]
    assert len(json.loads(shown(store, "--json", "--cell", "B"))) == 2


def test_an_unknown_cell_is_refused_by_its_nearest_name(store: Path) -> None:
    with pytest.raises(UsageError, match=r'the store has no cell "a" \(did you mean "A"'):
        shown(store, "--cell", "a")
