"""Figures of the fits of a real store: their files, what they show of catalog and journals, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from figure_bench import CHINESE, Bench, legend_of, names, record, simulation
from kilocell.data.errors import UsageError
from kilocell.data.results.receipt import Receipt
from kilocell.parquet_store.layout import Store
from kilocell.report import fit_figures
from kilocell.report.figures import plot_all
from kilocell.report.fit_figures import plot_fit, plot_fleet
from matplotlib.figure import Figure


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> dict[str, Figure]:
    """The figures that would be written, by name; writing them takes its time."""
    figures: dict[str, Figure] = {}

    def note(_: Store, figure: Figure, name: str) -> list[Path]:
        figures[name] = figure
        return [Path(name)]

    monkeypatch.setattr(fit_figures, "save", note)
    return figures


def test_a_fit_has_three_pages_and_the_same_store_makes_the_same_bytes(two_cells: Bench) -> None:
    paths = plot_fit(two_cells.store, "radius", "CELL_A")
    stems = [f"fit_radius_CELL_A{page}" for page in ("", "_starts", "_uncertainty")]
    assert names(paths) == [f"{stem}.{kind}" for stem in stems for kind in ("png", "pdf")]
    before = [path.read_bytes() for path in paths]
    assert [path.read_bytes() for path in plot_fit(two_cells.store, "radius", "CELL_A")] == before


def test_voltages_are_those_of_the_fitted_cycles(two_cells: Bench, seen: dict[str, Figure]) -> None:
    plot_fit(two_cells.store, "radius", "CELL_A")
    figure = seen["fit_radius_CELL_A"]
    assert legend_of(figure) == ["measured", "SPMe, Chen2020: RMSE 75.9 mV", "SPMe, Chen2020-fitted: RMSE 21.3 mV"]
    assert figure.get_suptitle() == "CELL_A, fit radius: improved from 75.9 to 21.3 mV"
    two_cells.fit("CELL_A", "first cycle", [21.3], cycles=(1,))
    plot_fit(two_cells.store, "first cycle", "CELL_A")
    first = next(figure for name, figure in seen.items() if "first" in name and "_" not in name.rpartition("CELL_A")[2])
    assert first.axes[0].get_xlim()[1] < 1.1  # h


def test_cycles_held_out_are_shown_and_told_apart(two_cells: Bench, seen: dict[str, Figure]) -> None:
    two_cells.fit("CELL_A", "held", [21.3], cycles=(1,), held_out=(2,))
    plot_fit(two_cells.store, "held", "CELL_A")
    figure = seen["fit_held_CELL_A"]
    assert legend_of(figure)[1] == "SPMe, Chen2020: RMSE 75.9 mV, held out 75.9 mV"
    assert figure.axes[0].get_xlim()[1] > 1.9
    bars = {axes.get_xlabel().rsplit(", ", 1)[1]: heights_of(axes) for axes in figure.axes[3:]}
    # The RMSE of a window that the bench records is that of the whole simulation and 1 mV more for each cycle.
    assert bars == {
        "fitted cycles": pytest.approx([76.9, 22.3], abs=0.1),
        "held out": pytest.approx([77.9, 23.3], abs=0.1),
    }


def heights_of(axes: Any) -> list[float]:
    return [float(patch.get_height()) for patch in axes.patches]


def test_errors_of_several_cycles_are_joined_by_their_samples(two_cells: Bench, seen: dict[str, Figure]) -> None:
    two_cells.fit("CELL_A", "both", [21.3], cycles=(1, 2))
    plot_fit(two_cells.store, "both", "CELL_A")
    after = heights_of(seen["fit_both_CELL_A"].axes[3])[1]
    assert after == pytest.approx(np.sqrt((10 * 22.3**2 + 20 * 23.3**2) / 30), abs=0.01)


def test_starts_are_drawn_from_catalog_and_journals(two_cells: Bench, seen: dict[str, Figure]) -> None:
    two_cells.fit("CELL_A", "three", [25.0, float("nan"), 21.3])
    plot_fit(two_cells.store, "three", "CELL_A")
    ended, along, inside = seen["fit_three_CELL_A_starts"].axes
    assert [label.get_text() for label in ended.get_xticklabels()] == ["2", "0", "1"]
    assert "no solution" in {text.get_text() for text in ended.texts}
    curves = [list(np.asarray(line.get_ydata(), float)) for line in along.get_lines() if len(line.get_xdata()) == 2]  # type: ignore[arg-type]
    assert [89.0, 89.0] in curves and [98.0, 21.3] in curves  # noqa: PT018 - the failed one stays at its first point
    assert inside.get_yticklabels()[0].get_text() == "Neg. particle radius"
    legend = legend_of(seen["fit_three_CELL_A_starts"])
    assert {"best start", "ended elsewhere", "failed", "first guess", "default"} <= set(legend)


def test_the_journal_of_another_job_is_not_drawn(two_cells: Bench, seen: dict[str, Figure]) -> None:
    for start in (0, 1):
        path = two_cells.store.journal("CELL_A", f"radius-{start}")
        lines = path.read_text(encoding="utf-8").splitlines()
        path.write_text("\n".join([json.dumps({"digest": "other"}), *lines[1:]]), encoding="utf-8")
    plot_fit(two_cells.store, "radius", "CELL_A")
    along = seen["fit_radius_CELL_A_starts"].axes[1]
    assert [text.get_text() for text in along.texts] == ["no evaluations recorded"]


def test_a_fit_whose_set_was_not_simulated_has_its_other_pages(
    two_cells: Bench, seen: dict[str, Figure], caplog: pytest.LogCaptureFixture
) -> None:
    two_cells.fit(CHINESE, "radius", [21.3])
    plot_fit(two_cells.store, "radius", CHINESE)
    assert [name.rpartition("_")[2] for name in seen] == ["starts", "uncertainty"]
    assert "'Chen2020-fitted' was not simulated with SPMe; `kilocell run` does" in caplog.text


def test_fits_that_are_not_there_are_refused(two_cells: Bench) -> None:
    with pytest.raises(UsageError, match="no finished fit 'raduis' \\(there are: radius"):
        plot_fit(two_cells.store, "raduis", "CELL_A")
    with pytest.raises(UsageError, match="there is no fit 'raduis' in this store \\(there are: radius"):
        plot_fleet(two_cells.store, "raduis")


def test_failed_simulations_are_no_part_of_a_fit(two_cells: Bench, seen: dict[str, Figure]) -> None:
    two_cells.end("CELL_A", "SPM", simulation(record(cycles=2), 0.05).iloc[:100])
    plot_fit(two_cells.store, "radius", "CELL_A")
    assert not any("failed" in text for text in legend_of(seen["fit_radius_CELL_A"]))


def test_profiles_are_drawn_where_they_are_of_this_result(two_cells: Bench, seen: dict[str, Figure]) -> None:
    two_cells.profile("CELL_A", "radius", 0.9)
    plot_fit(two_cells.store, "radius", "CELL_A")
    _, panel = seen["fit_radius_CELL_A_uncertainty"].axes
    curve = next(line for line in panel.get_lines() if line.get_marker() == "o")
    assert list(np.asarray(curve.get_xdata(), float)) == pytest.approx([0.8, 0.9, 1.1])
    assert list(np.asarray(curve.get_ydata(), float)) == pytest.approx([1.0, 0.0, 4.0])  # in heights of the 95 % level
    assert panel.get_title() == "only an upper limit"
    two_cells.profile("CELL_A", "radius", 0.8)  # of an earlier result of the fit
    plot_fit(two_cells.store, "radius", "CELL_A")
    assert len(seen["fit_radius_CELL_A_uncertainty"].axes) == 1


def test_a_fit_of_several_cells_is_drawn_over_them(two_cells: Bench, seen: dict[str, Figure]) -> None:
    two_cells.fit(CHINESE, "radius", [30.0])
    two_cells.catalog.record(Receipt("clean", "CELL_C", "clean", "d", "failed", reason="empty"), None)
    assert plot_fleet(two_cells.store, "radius") == [Path("fit_radius_fleet")]
    rmse, radius = seen["fit_radius_fleet"].axes[:2]
    assert [label.get_text().partition("-")[0] for label in rmse.get_yticklabels()] == ["CELL_A", "cell"]
    assert radius.get_xlabel() == "Neg. particle radius\n(× base value)"
    assert seen["fit_radius_fleet"].legends[0].get_title().get_text() == "radius: 2 cells fitted"
    assert Path("fit_radius_fleet") in list(plot_all(two_cells.store))
