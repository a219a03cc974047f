"""Figures of a real store on disk: the right files, what they show, and errors that name what there is."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data import fit_settings, fit_values, values
from kilocell.data import settings as asked
from kilocell.data.errors import StoreError, UsageError
from kilocell.data.settings import CellSettings, ModelSettings, ParameterSetSettings
from kilocell.data.values import Receipt
from kilocell.parquet_store.layout import Store, safe_name
from kilocell.parquet_store.write import write_frame
from kilocell.report import figures
from kilocell.report.figures import plot_all, plot_cell, plot_fit, plot_overview
from kilocell.sqlite import queries
from kilocell.sqlite.catalog import Catalog
from matplotlib.figure import Figure
from matplotlib.image import imread
from numpy.typing import NDArray

CHINESE = "电池/一号"
FITTED = ParameterSetSettings(
    "Chen2020-fitted", "Chen2020", (asked.Override("Negative particle radius [m]", "scale", 0.9),)
)


def record(cycles: int, samples: int = 240, offset_volt: float = 0.0) -> pd.DataFrame:
    """Make a cleaned record: constant-current charge and discharge in turn, an hour a cycle, one hole."""
    phase = np.linspace(0, cycles, samples, endpoint=False)
    charging = phase % 1 < 0.5
    charged = np.where(charging, phase % 1, 1 - phase % 1) * 2
    made: dict[str, object] = {
        c.TEST_TIME: phase * 3600,
        c.VOLTAGE: 3.0 + 1.1 * charged + np.where(charging, 0.05, -0.05) + offset_volt,
        c.CURRENT: np.where(charging, 2.5, -2.5),
        c.CYCLE_COUNT: 1 + np.floor(phase),
        c.STEP_COUNT: 1 + np.floor(2 * phase),
        c.STEP_TYPE: np.where(charging, "charge", "discharge"),
    }
    frame = pd.DataFrame({name: made.get(name, np.zeros(samples)) for name in c.PARTITION_COLUMNS})
    frame.loc[30:34, c.VOLTAGE] = np.nan
    return frame.astype(c.PARTITION_COLUMNS)


def simulation(measured: pd.DataFrame, error_volt: NDArray[np.float64] | float) -> pd.DataFrame:
    """Make a simulation's samples that differ from a record by a known error."""
    frame = measured[[c.TEST_TIME, c.CYCLE_COUNT, c.STEP_COUNT, c.STEP_TYPE]].copy()
    frame[c.WINDOW] = "ohmic"
    frame["voltage_error_volt"] = np.where(measured[c.VOLTAGE].isna(), np.nan, error_volt)
    frame["simulated_voltage_volt"] = measured[c.VOLTAGE].interpolate() + error_volt
    frame["simulated_current_ampere"] = measured[c.CURRENT]
    return frame[list(c.SIMULATION_COLUMNS)].astype(c.SIMULATION_COLUMNS)


@dataclass(frozen=True)
class Bench:
    """A store and its open catalog, filled as a run fills them."""

    store: Store
    catalog: Catalog

    def clean(self, cell_id: str, frame: pd.DataFrame) -> None:
        """Record a cleaned cell."""
        output = write_frame(self.store, self.store.cleaned(cell_id), frame, {})
        span = float(frame[c.TEST_TIME].iloc[-1])
        rows, cycles = len(frame), int(frame[c.CYCLE_COUNT].max())
        report = values.CleanReport(cell_id, rows, rows, 0, span, span, 1, 1, 1, 1, cycles, cycles, 2, 2)
        known = sorted(set(frame[c.CYCLE_COUNT].tolist()))
        summaries = tuple(values.CycleSummary(n, 0.0, span, rows, 2, 1.0, 1.0, 4.0, 4.0, 3.0, 4.2, None) for n in known)
        result = values.CleanResult(report, summaries)
        self.catalog.record(Receipt("clean", cell_id, "clean", "d", "done", outputs=(output,), result=result), None)

    def simulate(
        self, cell_id: str, model: str, parameter_set: ParameterSetSettings | str, frame: pd.DataFrame
    ) -> None:
        """Record a finished simulation."""
        if isinstance(parameter_set, str):
            parameter_set = ParameterSetSettings(parameter_set, parameter_set)
        settings = asked.SimulateSettings(CellSettings(cell_id), ModelSettings(model, model), parameter_set)
        output = write_frame(self.store, self.store.simulation(cell_id, settings.label), frame, {})
        rmse = float(np.sqrt((frame["voltage_error_volt"] ** 2).mean()) * 1000)
        numbers = (len(frame), 9, 0.5, 3.6, "rest voltage", 1.0, 25.0, 0.0, 0.0, 0.0, rmse, 0.0, 0.0, 0.0, 1.0)
        result = values.SimulationResult(settings, *numbers)
        receipt = Receipt("simulate", cell_id, settings.label, "d", "done", outputs=(output,), result=result)
        self.catalog.record(receipt, None)

    def fail(self, cell_id: str, model: str, parameter_set: str) -> None:
        """Record a simulation that failed."""
        base = ParameterSetSettings(parameter_set, parameter_set)
        settings = asked.SimulateSettings(CellSettings(cell_id), ModelSettings(model, model), base)
        receipt = Receipt("simulate", cell_id, settings.label, "d", "failed", reason="no solution")
        self.catalog.record(receipt, None, settings=settings)

    def end(self, cell_id: str, model: str, frame: pd.DataFrame) -> None:
        """Record a simulation that failed and kept its first samples."""
        base = ParameterSetSettings("Chen2020", "Chen2020")
        settings = asked.SimulateSettings(CellSettings(cell_id), ModelSettings(model, model), base)
        output = write_frame(self.store, self.store.simulation(cell_id, settings.label), frame, {})
        last = float(frame[c.TEST_TIME].iloc[-1])
        result = values.FailedSimulation(settings, len(frame), 9, 0.5, 3.6, "soc", 1.0, 25.0, (), last, 50.0)
        receipt = Receipt("simulate", cell_id, settings.label, "d", "failed", "why", "left_range", outputs=(output,))
        self.catalog.record(replace(receipt, result=result), None)

    def fit(self, cell_id: str, name: str, rmse_mv: Sequence[float], cycles: tuple[int, ...] = ()) -> None:
        """Record a finished fit and its starts."""
        radius = fit_settings.FitParameter("Negative particle radius [m]", 0.5, 2.0)
        base = ParameterSetSettings("Chen2020", "Chen2020")
        settings = fit_settings.FitSettings(
            name, CellSettings(cell_id), ModelSettings("SPMe", "SPMe"), base, (radius,), cycles, len(rmse_mv)
        )
        for start, rmse in enumerate(rmse_mv):
            ends = (1.0,), (0.9,), 80.0 + 9 * start, rmse, 20, "converged"
            found = fit_values.StartResult(settings, start, start, *ends)
            self.catalog.record(Receipt("start", cell_id, f"{name}-{start}", "d", "done", result=found), None)
        best = int(np.argmin(rmse_mv))
        parameter = fit_values.FittedParameter(radius.name, "m", 0.9, 1.0, 0.5, 2.0, "linear", False, True)
        result = fit_values.FitResult(settings, best, len(rmse_mv), 1, 75.9, min(rmse_mv), (parameter,), FITTED)
        self.catalog.record(Receipt("fit", cell_id, name, "d", "done", result=result), None)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    store = Store(tmp_path / "store")
    with Catalog.open(store.catalog) as catalog:
        yield Bench(store, catalog)


@pytest.fixture
def two_cells(bench: Bench) -> Bench:
    """Two cells, with SPMe (75.9 mV) and DFN (10 mV in cycle 1, 30 mV in cycle 2) and a fit of the first."""
    for cell_id in ("CELL_A", CHINESE):
        measured = record(cycles=2)
        bench.clean(cell_id, measured)
        bench.simulate(cell_id, "SPMe", "Chen2020", simulation(measured, 0.0759))
        by_cycle = np.where(measured[c.CYCLE_COUNT] == 1, 0.010, 0.030)
        bench.simulate(cell_id, "DFN", "Chen2020", simulation(measured, by_cycle))
        bench.fail(cell_id, "SPM", "Chen2020")
    bench.simulate("CELL_A", "SPMe", FITTED, simulation(record(cycles=2), 0.0213))
    bench.fit("CELL_A", "radius", [21.3, 40.0])
    return bench


def names(paths: Sequence[Path]) -> list[str]:
    return [path.name for path in paths]


def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Collect the figures that are saved from here on; they are saved all the same."""
    seen: list[Figure] = []
    save = figures.save

    def note(store: Store, figure: Figure, name: str) -> list[Path]:
        seen.append(figure)
        return save(store, figure, name)

    monkeypatch.setattr(figures, "save", note)
    return seen


def legend_of(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


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
        [f"DFN, Chen2020: {rmse:.1f} mV"] for rmse in (10.0, 30.0, both)
    ]


def test_only_the_asked_simulations_are_drawn(two_cells: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = drawn(monkeypatch)
    plot_cell(two_cells.store, "CELL_A", models=["SPMe"])
    plot_cell(two_cells.store, "CELL_A", parameter_sets=["Chen2020-fitted"])
    assert legend_of(seen[0])[1:] == ["SPMe, Chen2020: 75.9 mV", "SPMe, Chen2020-fitted: 21.3 mV"]
    assert legend_of(seen[1])[1:] == ["SPMe, Chen2020-fitted: 21.3 mV"]


@pytest.mark.parametrize(
    ("asked_for", "said"),
    [
        (("CELL_B",), "there is no cell 'CELL_B' in this store; did you mean 'CELL_A'?"),
        (("cell_a",), "did you mean 'CELL_A'?"),
        (("xyz",), "there is no cell 'xyz' in this store: it has 'CELL_A', "),
        (("CELL_A", (3,)), "there is no cycle 3: the cell has cycles 1-2"),
        (("CELL_A", (), ("SPM",)), "simulation with model 'SPM': there are DFN with Chen2020, SPMe"),
        (("CELL_A", (), (), ("Mohtat2020",)), "with parameter set 'Mohtat2020': there are DFN with Chen2020"),
        (("CELL_A", (), ("DFN",), ("Chen2020-fitted",)), "no finished simulation with these models and these"),
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
    assert names(list(plot_all(bench.store))) == ["overview_rmse.png", "overview_rmse.pdf"]


def test_a_simulation_of_some_cycles_is_drawn_over_the_whole_record(
    two_cells: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = record(cycles=2)
    second = simulation(measured, 0.020)[measured[c.CYCLE_COUNT] == 2]
    two_cells.simulate("CELL_A", "MPM", "Chen2020", second)
    seen = drawn(monkeypatch)
    plot_cell(two_cells.store, "CELL_A", models=["MPM"])
    assert legend_of(seen[0]) == ["measured", "MPM, Chen2020: 20.0 mV"]
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
    wanted = f"SPM, Chen2020: failed after {hours:.3g} h (left range), 50.0 mV until then"
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
    plot_fit(two_cells.store, "radius", "CELL_A")  # a fit shows finished simulations alone
    assert not any("failed" in text for text in legend_of(seen[2]))


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


def test_a_simulation_of_an_earlier_cleaning_is_not_drawn_over_the_new_one(two_cells: Bench) -> None:
    two_cells.clean("CELL_A", record(cycles=2, samples=200))
    with pytest.raises(StoreError, match=r"of an earlier cleaning.*`kilocell run`"):
        plot_cell(two_cells.store, "CELL_A")


def test_a_fit_is_drawn_over_its_cycles(two_cells: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = drawn(monkeypatch)
    assert names(plot_fit(two_cells.store, "radius", "CELL_A")) == ["fit_radius_CELL_A.png", "fit_radius_CELL_A.pdf"]
    assert legend_of(seen[0]) == ["measured", "SPMe, Chen2020: 75.9 mV", "SPMe, Chen2020-fitted: 21.3 mV"]
    assert seen[0].legends[0].get_title().get_text() == "CELL_A, radius: improved from 75.9 to 21.3 mV"
    two_cells.fit("CELL_A", "first cycle", [21.3], cycles=(1,))
    plot_fit(two_cells.store, "first cycle", "CELL_A")
    assert seen[1].axes[0].get_xlim()[1] < 1.1  # h


def test_fits_that_are_not_there_are_refused(two_cells: Bench) -> None:
    with pytest.raises(UsageError, match="no finished fit 'raduis': there are radius"):
        plot_fit(two_cells.store, "raduis", "CELL_A")
    two_cells.fit(CHINESE, "radius", [21.3])
    with pytest.raises(UsageError, match=r"'Chen2020-fitted'.*was not simulated with SPMe"):
        plot_fit(two_cells.store, "radius", CHINESE)


def test_the_overview_picks_twelve_cells_of_many(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with bench.catalog.transaction():
        for number in range(45):
            bench.clean(f"C{number:02}", record(1, 60))
    seen = drawn(monkeypatch)
    plot_overview(bench.store)
    titles = [axes.get_title() for axes in seen[1].axes]
    assert len(titles) == 12
    assert (titles[0], titles[-1]) == ("C00", "C44")
    assert seen[1].get_suptitle() == "Measured voltage of 12 of 45 cells"


def test_the_end_of_a_run_draws_overview_cells_and_fits(two_cells: Bench) -> None:
    stems = [path.stem for path in plot_all(two_cells.store) if path.suffix == ".png"]
    assert stems == ["overview_rmse", "overview_voltage", "CELL_A", safe_name(CHINESE), "fit_radius_CELL_A"]


def test_what_cannot_be_drawn_is_logged_and_the_others_follow(two_cells: Bench, caplog: Any) -> None:
    two_cells.fit(CHINESE, "radius", [21.3])  # its parameter set was not simulated
    two_cells.store.simulation("CELL_A", "DFN-Chen2020").unlink()
    stems = {path.stem for path in plot_all(two_cells.store)}
    assert stems == {"overview_rmse", "overview_voltage", safe_name(CHINESE), "fit_radius_CELL_A"}
    assert [message.split(":")[0] for message in caplog.messages] == [
        "no figure of cell 'CELL_A'",
        f"no figure of fit 'radius' of cell {CHINESE!r}",
    ]


def test_an_absent_or_empty_store_says_what_to_do(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no catalog"):
        plot_overview(Store(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match=r"has no cells yet: `kilocell run` fills it"):
        plot_overview(bench.store)
    with pytest.raises(UsageError, match="there is no cell 'CELL_A' in this store, which has none yet"):
        plot_cell(bench.store, "CELL_A")


def test_a_million_samples_are_drawn_in_seconds(bench: Bench) -> None:
    measured = record(cycles=50, samples=1_000_000)
    bench.clean("LONG", measured)
    bench.simulate("LONG", "SPMe", "Chen2020", simulation(measured, 0.01))
    started = time.perf_counter()
    pdf = plot_cell(bench.store, "LONG")[1]
    assert time.perf_counter() - started < 15
    assert pdf.stat().st_size < 500_000


def test_drawing_imports_no_solver_no_dask_and_no_window_system() -> None:
    names_them = "import sys, kilocell.report.figures; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", names_them], capture_output=True, text=True, check=True)
    assert not {"pybamm", "dask", "distributed", "matplotlib.pyplot", "kilocell.jobs"} & set(done.stdout.split())
