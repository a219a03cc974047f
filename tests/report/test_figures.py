"""Figures of a real store on disk: the right files, what they show, and errors that name what there is."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from figure_bench import CHINESE, Bench, legend_of, names, record, simulation
from kilocell.data import columns as c
from kilocell.data.errors import StoreError, UsageError
from kilocell.data.results.receipt import Receipt
from kilocell.parquet_store.layout import Store, safe_name
from kilocell.report import figures, overview_figures, save
from kilocell.report.figures import plot_all, plot_cell, plot_overview
from kilocell.sqlite import queries
from matplotlib.figure import Figure
from matplotlib.image import imread

OVERVIEW = [f"overview_{what}" for what in ("rmse", "distributions", "cells", "budget", "cycles", "voltage")]
RADIUS = [f"fit_radius_CELL_A{page}" for page in ("", "_starts", "_uncertainty")]


def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Collect the figures that are saved from here on; they are saved all the same."""
    seen: list[Figure] = []

    def note(store: Store, figure: Figure, name: str) -> list[Path]:
        seen.append(figure)
        return save.save(store, figure, name)

    monkeypatch.setattr(figures, "save", note)
    return seen


def test_a_cell_is_written_as_png_and_pdf_at_a_pages_width(two_cells: Bench) -> None:
    png, pdf = plot_cell(two_cells.store, "CELL_A")
    assert [png, pdf] == [two_cells.store.figures / "CELL_A.png", two_cells.store.figures / "CELL_A.pdf"]
    assert imread(png).shape[1] == 7 * 150
    assert 600 < imread(png).shape[0] < 1200
    assert pdf.read_bytes().startswith(b"%PDF")
    assert names(sorted(two_cells.store.figures.iterdir())) == ["CELL_A.pdf", "CELL_A.png"]


def test_files_are_named_for_what_they_show(two_cells: Bench) -> None:
    paths = plot_cell(two_cells.store, "CELL_A", (1, 2), ["SPMe", "DFN"], ["Chen2020"])
    assert names(paths) == [f"CELL_A_cycles-1-2_SPMe+DFN_Chen2020.{kind}" for kind in ("png", "pdf")]
    assert names(plot_cell(two_cells.store, CHINESE)) == [f"{safe_name(CHINESE)}.png", f"{safe_name(CHINESE)}.pdf"]


def test_the_same_store_makes_the_same_bytes(two_cells: Bench) -> None:
    first = [path.read_bytes() for path in plot_cell(two_cells.store, "CELL_A")]
    assert [path.read_bytes() for path in plot_cell(two_cells.store, "CELL_A")] == first


def test_the_legend_has_the_rmse_of_the_cycles_shown(two_cells: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = drawn(monkeypatch)
    for cycles in ((1,), (2,), ()):
        plot_cell(two_cells.store, CHINESE, cycles, ["DFN"])
    both = np.sqrt((115 * 10**2 + 120 * 30**2) / 235)  # five samples of the first cycle have no voltage
    assert [legend_of(figure)[1:] for figure in seen] == [
        [f"DFN, Chen2020: RMSE {rmse:.1f} mV"] for rmse in (10.0, 30.0, both)
    ]


def test_the_legend_has_the_error_budget(two_cells: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect(two_cells.store.catalog)) as catalog, catalog:
        catalog.execute(
            "UPDATE simulations SET numerical_error_rmse_mv = 0.2, compression_rmse_mv = 0.1,"
            " charge_uncertainty_mv = CASE parameter_set WHEN 'Chen2020' THEN 0.2 ELSE 3.1 END,"
            " state_uncertainty_mv = 0.0 WHERE cell_id = 'CELL_A'"
        )
    seen = drawn(monkeypatch)
    plot_cell(two_cells.store, "CELL_A", models=["SPMe"])
    assert legend_of(seen[0])[1:] == [
        "SPMe, Chen2020: RMSE 75.9 ± 0.3 mV",
        "SPMe, Chen2020-fitted: RMSE 21.3 ± 3.1 mV (! mostly charge)",
    ]


def test_only_the_asked_simulations_are_drawn(two_cells: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = drawn(monkeypatch)
    plot_cell(two_cells.store, "CELL_A", models=["SPMe"])
    plot_cell(two_cells.store, "CELL_A", parameter_sets=["Chen2020-fitted"])
    assert legend_of(seen[0])[1:] == ["SPMe, Chen2020: RMSE 75.9 mV", "SPMe, Chen2020-fitted: RMSE 21.3 mV"]
    assert legend_of(seen[1])[1:] == ["SPMe, Chen2020-fitted: RMSE 21.3 mV"]


@pytest.mark.parametrize(
    ("asked_for", "said"),
    [
        (("CELL_B",), 'the store has no cell "CELL_B" (did you mean "CELL_A"?'),
        (("cell_a",), 'did you mean "CELL_A"?'),
        (("xyz",), 'the store has no cell "xyz" (there are: CELL_A'),
        (("CELL_A", (3,)), "there is no cycle 3: the cell has cycles 1-2"),
        (
            ("CELL_A", (), ("SPM",)),
            "simulation with model 'SPM' (did you mean \"SPMe\"?)",
        ),
        (("CELL_A", (), (), ("Mohtat2020",)), "with parameter set 'Mohtat2020' (did you mean \"Chen2020\"?)"),
        (("CELL_A", (), ("DFN",), ("Chen2020-fitted",)), "no curve of these models and these parameter sets"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(two_cells: Bench, asked_for: Any, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        plot_cell(two_cells.store, *asked_for)
    assert said in str(raised.value)
    assert not two_cells.store.figures.exists()


def test_a_cell_that_was_not_cleaned_is_refused(bench: Bench) -> None:
    bench.catalog.record(Receipt("clean", "CELL_A", "clean", "d", "failed", reason="empty file"), None)
    with pytest.raises(UsageError, match="'CELL_A' has no cleaned record"):
        plot_cell(bench.store, "CELL_A")
    stems = {path.stem for path in plot_all(bench.store)}
    assert stems == {"overview_rmse", "overview_budget"}  # why it failed is in the second


def test_a_simulation_of_some_cycles_is_drawn_over_the_whole_record(
    two_cells: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = record(cycles=2)
    second = simulation(measured, 0.020)[measured[c.CYCLE_COUNT] == 2]
    two_cells.simulate("CELL_A", "MPM", "Chen2020", second)
    seen = drawn(monkeypatch)
    plot_cell(two_cells.store, "CELL_A", models=["MPM"])
    assert legend_of(seen[0]) == ["measured", "MPM, Chen2020: RMSE 20.0 mV"]
    at = np.asarray(seen[0].axes[0].get_lines()[1].get_data()[0], float)
    values = np.asarray(seen[0].axes[0].get_lines()[1].get_data()[1], float)
    assert at[np.isfinite(values)].min() == pytest.approx(second[c.TEST_TIME].min() / 3600)


def test_a_failed_simulation_is_drawn_up_to_its_end(two_cells: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = record(cycles=2)
    part = simulation(measured, 0.050).iloc[:100]
    two_cells.end("CELL_A", "SPM", part)
    seen = drawn(monkeypatch)
    plot_cell(two_cells.store, "CELL_A", models=["SPM"])
    hours = part[c.TEST_TIME].iloc[-1] / 3600
    wanted = f"SPM, Chen2020: stopped at {hours:.3g} h: left range; RMSE 50.0 mV until then"
    assert legend_of(seen[0]) == ["measured", wanted]
    for axes, column in ((seen[0].axes[0], "simulated_voltage_volt"), (seen[0].axes[2], "voltage_error_volt")):
        cross = next(line for line in axes.get_lines() if line.get_marker() == "x")
        (at,), (value,) = (np.asarray(data, float) for data in cross.get_data())
        assert at == pytest.approx(hours)
        factor = 1000.0 if column == "voltage_error_volt" else 1.0
        assert value == pytest.approx(factor * part[column].iloc[-1])
    plot_cell(
        two_cells.store, "CELL_A", cycles=(2,), models=["SPM"]
    )  # it ended before: nothing to draw, nothing breaks
    assert len(legend_of(seen[1])) == 2


def test_a_failed_simulation_is_no_result_anywhere_else(two_cells: Bench) -> None:
    two_cells.end("CELL_A", "SPM", simulation(record(cycles=2), 0.001).iloc[:100])
    with closing(queries.connect(two_cells.store.catalog)) as catalog:
        rows = {row["model"]: row for row in queries.results(catalog) if row["cell_id"] == "CELL_A"}
        assert (rows["SPM"]["rmse_mv"], rows["SPM"]["status"]) == (None, "failed")
        assert {row["model"] for row in queries.errors_by(catalog, "window", "CELL_A")} == {"SPMe", "DFN"}
        overview = next(row for row in queries.cells(catalog) if row["cell_id"] == "CELL_A")
        assert overview["best_simulation"] != "SPM-Chen2020"
        (failure,) = [row for row in queries.failures(catalog) if row["cell_id"] == "CELL_A"]
        assert (failure["partial_rmse_mv"], failure["path"]) == (50.0, "simulations/CELL_A/SPM-Chen2020.parquet")


def test_a_simulation_of_an_earlier_cleaning_is_not_drawn_over_the_new_one(
    two_cells: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    two_cells.clean("CELL_A", record(cycles=2, samples=200))
    seen = drawn(monkeypatch)
    plot_cell(two_cells.store, "CELL_A")
    assert legend_of(seen[0]) == ["measured"]
    assert "to an earlier cleaning" in caplog.text
    assert "`kilocell run`" in caplog.text


def test_the_overview_picks_twelve_cells_of_many(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with bench.catalog.transaction():
        for number in range(45):
            bench.clean(f"C{number:02}", record(1, 60))
    seen: list[Figure] = []

    def note(_store: Store, figure: Figure, _name: str) -> list[Path]:
        seen.append(figure)
        return []

    monkeypatch.setattr(overview_figures, "save", note)
    plot_overview(bench.store)
    titles = [axes.get_title() for axes in seen[-1].axes]
    assert len(titles) == 12
    assert (titles[0], titles[-1]) == ("C00", "C44")
    assert seen[-1].get_suptitle() == "Measured voltage of 12 of 45 cells"


@pytest.mark.slow
def test_the_end_of_a_run_draws_overview_cells_and_fits(two_cells: Bench) -> None:
    stems = [path.stem for path in plot_all(two_cells.store) if path.suffix == ".png"]
    assert stems == [*OVERVIEW, "CELL_A", safe_name(CHINESE), *RADIUS]


@pytest.mark.slow
def test_what_cannot_be_drawn_is_logged_and_the_others_follow(two_cells: Bench, caplog: Any) -> None:
    two_cells.store.simulation("CELL_A", "DFN-Chen2020").unlink()
    stems = {path.stem for path in plot_all(two_cells.store)}
    assert stems == {*OVERVIEW, "CELL_A", safe_name(CHINESE), *RADIUS}
    assert {message.split(":")[0] for message in caplog.messages} == {"left out"}  # of the figures of CELL_A


def test_an_absent_or_empty_store_says_what_to_do(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"there is no folder .*nowhere"):
        plot_overview(Store(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match=r"has no cells yet: `kilocell run` fills it"):
        plot_overview(bench.store)
    with pytest.raises(UsageError, match='the store has no cell "CELL_A", because it is empty'):
        plot_cell(bench.store, "CELL_A")


@pytest.mark.slow
def test_a_million_samples_are_drawn_in_seconds(bench: Bench) -> None:
    measured = record(cycles=50, samples=1_000_000)
    bench.clean("LONG", measured)
    bench.simulate("LONG", "SPMe", "Chen2020", simulation(measured, 0.01))
    started = time.process_time()
    pdf = plot_cell(bench.store, "LONG")[1]
    assert time.process_time() - started < 60.0  # 2 s on an idle machine
    assert pdf.stat().st_size < 500_000


def test_drawing_imports_no_solver_no_dask_and_no_window_system() -> None:
    names_them = "import sys, kilocell.report.figures; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", names_them], capture_output=True, text=True, check=True)
    assert not {"pybamm", "dask", "distributed", "matplotlib.pyplot", "kilocell.jobs"} & set(done.stdout.split())
