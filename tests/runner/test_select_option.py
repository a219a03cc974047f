"""``--select`` as a user types it: results, figures and exports of a part of each record."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from filled_store import CHEN, SPM, fill, simulation
from kilocell.data import columns as c
from kilocell.data.errors import UsageError
from kilocell.data.results.receipt import Receipt
from kilocell.data.results.simulation import Comparison, FailedSimulation, StretchComparison
from kilocell.data.settings import CellSettings, SimulateSettings
from kilocell.data.step_selection import parse_select
from kilocell.parquet_store.layout import Store
from kilocell.parquet_store.write import write_frame
from kilocell.runner.cli import cli
from kilocell.sqlite.catalog import Catalog


def call(store: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, [*arguments, "--store", str(store)], catch_exceptions=False)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two cells of six steps in two cycles, and a simulation of steps of which one failed."""
    frames = fill(tmp_path / "store", "A", "B")
    files = Store(tmp_path / "store")
    part = simulation(frames["A"])[frames["A"][c.STEP_COUNT].isin([2, 6])]
    settings = SimulateSettings(CellSettings("A"), replace(SPM, name="part"), CHEN, cycles=parse_select("step 2, 4, 6"))
    output = write_frame(files, files.simulation("A", settings.label), part, {})
    ends = (2, 2, 2, 2, 0.0, 9.0)
    result = FailedSimulation(
        settings, len(part), 9, 0.5, 3.6, "rest", 1.0, 25.0, (), 9.0, 12.3,
        comparisons=tuple(Comparison(n, 10, 12.3, 1.0, 13.0, 8.0) for n in (0, 1, 2)),
        stretches=(
            StretchComparison(1, "cycle 1, step 2", "done", *ends, 10, 12.3, 1.0, 13.0, 8.0, 0.5, 3.6, "rest"),
            StretchComparison(2, "cycle 2, step 4", "failed", *ends, reason="left its range", reason_code="left_range"),
            StretchComparison(3, "cycle 2, step 6", "done", *ends, 10, 12.3, 1.0, 13.0, 8.0, 0.6, 3.7, "rest"),
        ),
    )  # fmt: skip
    receipt = Receipt("simulate", "A", settings.label, "d", "failed", "1 of 3 failed", "left_range", outputs=(output,))
    with Catalog.open(files.catalog) as catalog:
        catalog.record(replace(receipt, result=result), None)
    return tmp_path / "store"


def test_errors_of_a_part_come_from_the_stored_curves(store: Path) -> None:
    rows = json.loads(call(store, "results", "--select", "cycle 2, step 4", "--cell", "A", "--json").output)
    assert {(row["model"], row["status"], row["samples"]) for row in rows} == {
        ("SPM", "done", 10), ("DFN", "done", 10), ("part", "failed", 0),
    }  # fmt: skip
    assert rows[0]["rmse_mv"] == pytest.approx(12.3)
    table = call(store, "results", "--select", "step 6").output
    assert "cycle 2, step 6" in table
    assert "partial" in table


def test_each_stretch_is_shown_with_what_failed(store: Path) -> None:
    shown = call(store, "results", "--by", "stretch").output
    assert [line.split()[-1] for line in shown.splitlines() if "cycle" in line][:3] == ["done", "failed", "done"]
    assert "failed: A, part-Chen2020, cycle 2, step 4: left its range" in shown
    rows = json.loads(call(store, "results", "--by", "cycle", "--json").output)
    assert [(row["cycle_count"], row["status"]) for row in rows if row["model"] == "part"] == [
        (1, "failed"), (2, "failed"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("results", "--select", "cycle 9, rest"), "cycles 1-2; steps 1-6"),
        (("results", "--select", "dischrge"), 'did you mean "discharge"'),
        (("results", "--select", "step 2", "--by", "cycle"), "leave out --by cycle"),
        (("plot", "--cell", "A", "--cycles", "1", "--select", "step 2"), 'is --select "cycle 1, step 2"'),
        (("plot", "--cell", "A", "--select", "step 20"), "steps 1-6"),
        (("plot", "--select", "step 2"), "name the cell"),
        (("plot", "--cell", "A", "--errors", "--select", "step 2"), "leave out --cycles, --select"),
        (("plot", "--cell", "A", "--fit", "f", "--select", "step 2"), "leave out --select"),
        (("plot", "--life", "--select", "step 2"), "no other option"),
        (("export", "--csv", "{tmp}", "--select", "step 20"), "steps 1-6"),
        (("export", "--csv", "{tmp}", "--select", "stp 2"), 'did you mean "step 2"'),
    ],
)
def test_what_cannot_be_is_answered_with_what_there_is(store: Path, arguments: tuple[str, ...], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        call(store, *(word.format(tmp=store.parent / "out") for word in arguments))
    assert words in str(caught.value)


def test_a_figure_of_a_part(store: Path) -> None:
    paths = call(store, "plot", "--cell", "A", "--select", "step 2, 6").output.split()
    assert len(paths) == 2
    assert all("select-step-2-6" in path and Path(path).is_file() for path in paths)


def test_exports_hold_the_part_alone(store: Path) -> None:
    target = store.parent / "part.csv"
    assert call(store, "export", "--csv", str(target), "--select", "step 2, 6").exit_code == 0
    exported = pd.read_csv(target)
    assert set(exported[c.STEP_COUNT]) == {2, 6}
    assert set(exported[c.CELL_ID]) == {"A", "B"}
    sqlite = store.parent / "part.sqlite"
    assert call(store, "export", "--to-sqlite", str(sqlite), "--select", "step 2", "--cell", "A").exit_code == 0
    with closing(sqlite3.connect(sqlite)) as connection:
        samples = connection.execute("SELECT sample, step_count FROM samples").fetchall()
        assert samples == [(number, 2) for number in range(10, 20)]
        simulated = connection.execute(
            "SELECT DISTINCT s.step_count, p.step_count FROM simulation_samples p"
            " JOIN samples s USING (cell_id, sample)"
        ).fetchall()
        assert simulated == [(2, 2)]


def test_a_simulation_of_steps_is_exported_beside_its_samples(store: Path) -> None:
    """Its file has some steps of the cycles that it is in."""
    files = Store(store)
    part = pd.read_parquet(files.simulation("A", "part-Chen2020"))
    with Catalog.open(files.catalog) as catalog, catalog.transaction():
        catalog._execute("UPDATE simulations SET status = 'done' WHERE model = 'part'")
    sqlite = store.parent / "whole.sqlite"
    assert call(store, "export", "--to-sqlite", str(sqlite), "--cell", "A").exit_code == 0
    with closing(sqlite3.connect(sqlite)) as connection:
        rows = connection.execute("SELECT sample FROM simulation_samples WHERE label = 'part-Chen2020'").fetchall()
    assert [number for (number,) in rows] == [*range(10, 20), *range(50, 60)]
    assert len(rows) == len(part)
    assert np.isfinite(part["simulated_voltage_volt"]).all()
