"""Figures of all cells: their artists, and the pixels of what has no number."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from figure_bench import Bench, legend_of, record, simulation
from kilocell.report import fleet_data, overview_figures
from kilocell.report.cycle_data import cycles_frame
from kilocell.report.draw.cycles import draw_cycles
from kilocell.report.draw.distributions import draw_budget, draw_distributions
from kilocell.report.draw.fleet_cycles import draw_fleet_cycles
from kilocell.report.draw.overview import MOST_LINES, NAMED_CELLS, draw_rmse
from kilocell.report.draw.style import VERMILLION, house_style
from kilocell.report.figures import plot_overview
from kilocell.report.styles import make_styles
from matplotlib.colors import LogNorm, to_rgb
from matplotlib.figure import Figure
from matplotlib.image import imread
from numpy.typing import NDArray
from test_fleet_data import lives, row


def pixels(figure: Figure) -> NDArray[np.float64]:
    """Draw it; whatever matplotlib warns of is an error. Return red, green and blue, shape (height, width, 3)."""
    stream = io.BytesIO()
    with house_style():
        figure.savefig(stream, format="png", dpi=70)
    stream.seek(0)
    return np.asarray(imread(stream), dtype=np.float64)[:, :, :3]


def share_of(image: NDArray[np.float64], colour: str) -> float:
    return float((np.abs(image - to_rgb(colour)).max(axis=2) < 0.02).mean())


def texts_of(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def many(cells: int, failed: int = 0) -> list[dict[str, Any]]:
    values = 10.0 ** np.random.default_rng(3).normal(1.3, 0.4, cells)
    return [
        row(f"C{n}", model, None if n < failed else factor * values[n], "failed" if n < failed else "done")
        for n in range(cells)
        for model, factor in (("SPM", 1.4), ("DFN", 1.0))
    ]


def test_few_cells_have_their_names_and_numbers() -> None:
    rows = [
        row("CELL_A", "SPMe", 75.94), row("CELL_A", "DFN", None, "failed"), row("CELL_B", "SPMe", 20.0),
        row("CELL_B", "DFN", 130.2), row("CELL_C", "SPMe", None, "pending"), row("CELL_D", None, None, "failed"),
    ]  # fmt: skip
    figure = draw_rmse(rows)
    assert share_of(pixels(figure), VERMILLION) > 0.001
    heat, dots, bar = figure.axes
    assert [label.get_text() for label in heat.get_yticklabels()] == ["CELL_B", "CELL_A", "CELL_C", "CELL_D"]
    assert [label.get_text() for label in heat.get_xticklabels()] == ["SPMe\nChen2020", "DFN\nChen2020"]
    assert [text for text in texts_of(figure) if not text.startswith("median")] == [
        "20.0", "130", "75.9", "×", "…", "–", "–", "–",
    ]  # fmt: skip
    assert legend_of(figure)[-3:] == ["failed: 1 of 8", "pending: 1 of 8", "not simulated: 3 of 8"]
    assert (dots.get_xscale(), dots.get_xlabel(), bar.get_xlabel()) == ("log", "RMSE (mV)", "RMSE (mV)")


@pytest.mark.parametrize("cells", [5, 17, 1000])
def test_the_heatmap_reads_at_any_number_of_cells(cells: int) -> None:
    failed = cells // 5
    figure = draw_rmse(many(cells, failed))
    image = pixels(figure)
    assert image.shape[0] < 500
    heat = figure.axes[0]
    assert len(heat.get_yticks()) == (cells if cells <= NAMED_CELLS else 9)
    mesh = heat.collections[0]
    assert isinstance(mesh.norm, LogNorm)
    drawn: Any = mesh.get_array()
    assert len(np.atleast_2d(drawn)) == min(cells, MOST_LINES)
    assert np.ma.getmaskarray(drawn).any()  # what failed has no colour of the scale
    assert share_of(image, VERMILLION) > 0.003
    ticks = [label.get_position()[1] for label in heat.get_yticklabels()]
    assert max(ticks) == cells - 1


def test_ten_thousand_cells_are_lines_of_several() -> None:
    figure = draw_rmse(many(10_000, 500))
    assert pixels(figure).shape[0] < 500
    mesh = figure.axes[0].collections[0]
    assert np.atleast_2d(np.asarray(mesh.get_array())).shape == (MOST_LINES, 2)
    heights = [patch.get_window_extent().height for patch in figure.axes[0].patches]
    whole = figure.axes[0].get_window_extent().height
    assert heights == pytest.approx([0.05 * whole, 0.05 * whole], rel=0.05)


def test_one_wild_cell_does_not_take_all_colours() -> None:
    rows = [*many(1000), row("WILD", "SPM", 4e7), row("WILD", "DFN", 3e7)]
    figure = draw_rmse(rows)
    pixels(figure)
    norm: Any = figure.axes[0].collections[0].norm
    assert norm.vmax < 2000.0


def test_names_are_text() -> None:
    names = ["<script>alert(1)</script>", "$a_b$ 100 %", "x" * 200, "🔋", "电池"]
    rows = [{**row(name, "SPM", 10.0 + n), "parameter_set": name} for n, name in enumerate(names)]
    pixels(draw_rmse(rows + [{**row("B", "SPM", 12.0), "parameter_set": name} for name in names]))
    pixels(draw_distributions(fleet_data.distributions(rows), make_styles(["SPM"], names)))
    failures = [{"kind": "fit", "status": "failed", "reason_code": name, "count": 3, "cells": 2} for name in names]
    pixels(draw_budget(rows, {}, failures))
    frame = cycles_frame(lives(23, 4))
    worst = dict(zip(("C22", "C21", "C20"), names, strict=False))
    pixels(draw_fleet_cycles(frame.assign(cell_id=frame["cell_id"].replace(worst))))


def test_nothing_simulated_is_said() -> None:
    figure = draw_rmse([row("A", None, None, "pending")])
    pixels(figure)
    assert texts_of(figure) == ["not simulated"]


def test_distributions_say_how_many_and_over_what() -> None:
    rows = many(90, 10)
    figure = draw_distributions(fleet_data.distributions(rows), make_styles(["SPM", "DFN"], ["Chen2020"]))
    pixels(figure)
    by_model, by_set = figure.axes
    assert by_model.get_title(loc="left") == "By model, over the 80 results (cell and set) that all have"
    assert all(text.get_text().endswith("n = 80, 10 failed") for text in by_model.texts)
    assert by_set.get_xlabel() == "RMSE (mV)"
    medians = [float(np.asarray(line.get_xdata())[0]) for line in by_model.get_lines() if line.get_marker() == "|"]
    assert medians[0] / medians[1] == pytest.approx(1.4)


def test_budgets_above_the_limit_are_counted_and_failures_named() -> None:
    rows = [{**row(f"C{n}", "SPM", 5.0), "error_budget_mv": 0.1 * (n + 1)} for n in range(10)]
    failures = [
        {"kind": "simulate", "status": "failed", "reason_code": "left_range", "count": 7, "cells": 4},
        {"kind": "clean", "status": "skipped", "reason_code": "rest_only", "count": 1, "cells": 1},
    ]
    figure = draw_budget(rows, fleet_data.budget_parts(rows), failures)
    pixels(figure)
    parts, budgets, reasons = figure.axes
    assert budgets.get_title(loc="left") == "5 of 10 budgets are too large (above the line)"
    assert [bar.get_width() for bar in parts.patches] == [10.0]  # type: ignore[attr-defined]
    assert [label.get_text() for label in reasons.get_yticklabels()] == [
        "simulation: left range",
        "cleaning: rest only",
    ]
    assert [text.get_text().strip() for text in reasons.texts] == ["7, 4 cells", "1 skipped, 1 cell"]


def test_many_cells_are_bands_with_the_worst_named() -> None:
    figure = draw_fleet_cycles(cycles_frame(lives(60, 12)))
    pixels(figure)
    assert legend_of(figure)[2:4] == ["median", "C59: 51 % of its first capacity"]
    capacity = figure.axes[0]
    assert (len(capacity.collections), len(capacity.get_lines())) == (2, 4)
    assert capacity.get_ylabel() == "Capacity (A h)"
    assert figure.axes[4].get_ylabel() == "Resistance after 10 s (mΩ)"
    assert figure.legends[0].get_title().get_text() == "60 cells, cycles 1 to 12"


def test_few_cells_are_lines_and_one_short_cycle_does_not_set_the_axis() -> None:
    given = lives(12, 30)
    given.loc[40, "charge_out_ah"] = 0.05
    figure = draw_fleet_cycles(cycles_frame(given))
    pixels(figure)
    capacity = figure.axes[0]
    assert len(capacity.get_lines()) == 15
    assert capacity.get_ylim()[0] > 3.0


def overview_rows(cells: Sequence[str], resistance: bool = True) -> list[dict[str, Any]]:
    """Make rows of the view ``cycle_overview``."""
    return [
        {
            "cell_id": cell, "cycle_count": n, "charge_in_ah": 5.0, "charge_out_ah": 4.9 - 0.01 * n,
            "energy_in_wh": 19.0, "energy_out_wh": 17.5, "energy_efficiency_percent": 92.1,
            "coulombic_efficiency_percent": 98.0, "mean_charge_voltage_volt": 3.8, "mean_discharge_voltage_volt": 3.6,
            "temperature_mean_celsius": 25.0 + 0.01 * n, "resistance_ohm": 0.031 if resistance else None,
            "resistance_second": 10.0, "resistance_uncertainty_ohm": 0.001, "resistance_source": "start of discharge",
        }
        for cell in cells
        for n in (1, 2, 3, 4)
    ]  # fmt: skip


def test_a_cell_has_its_resistance_with_its_uncertainty() -> None:
    figure = draw_cycles(overview_rows(["CELL_A"]))
    pixels(figure)
    panel = next(axes for axes in figure.axes if axes.get_ylabel() == "Resistance (mΩ)")
    assert panel.get_title(loc="left") == "10 s after the start of discharge"
    np.testing.assert_allclose(np.asarray(panel.get_lines()[0].get_ydata(), dtype=float), 31.0)
    band = np.asarray(panel.collections[0].get_paths()[0].vertices, dtype=float)[:, 1]
    assert (band.min(), band.max()) == (pytest.approx(30.0), pytest.approx(32.0))
    details = [text.get_text() for text in figure.texts]
    assert any("capacity 4.89 A h in the first, 4.86 A h in the last cycle; 25.0 °C" in text for text in details)
    temperature = figure.axes[-1].get_ylim()
    assert temperature[1] - temperature[0] >= 2.0
    without = draw_cycles(overview_rows(["CELL_A"], resistance=False))
    assert "Resistance (mΩ)" not in [axes.get_ylabel() for axes in without.axes]


def test_a_first_charge_has_no_efficiency() -> None:
    rows = overview_rows(["A"])
    rows[0] |= {"charge_in_ah": 1e-5, "energy_in_wh": 1e-4, "energy_efficiency_percent": 5e7}
    figure = draw_cycles(rows)
    efficiency = next(axes for axes in figure.axes if axes.get_ylabel() == "Efficiency (%)")
    assert efficiency.get_ylim()[1] < 101.0


def test_best_median_and_worst_are_drawn_with_their_simulations(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = record(cycles=2, samples=60)
    with bench.catalog.transaction():
        for number in range(5):
            bench.clean(f"C{number}", measured)
            bench.simulate(f"C{number}", "SPMe", "Chen2020", simulation(measured, 0.01 * (number + 1)))
            bench.simulate(f"C{number}", "DFN", "Chen2020", simulation(measured, 0.02 * (number + 1)))
        bench.fail("C3", "SPM", "Chen2020")
    seen: dict[str, Figure] = {}
    monkeypatch.setattr(overview_figures, "save", lambda _store, figure, name: [seen.setdefault(name, figure)])
    plot_overview(bench.store)
    assert list(seen) == [
        "overview_rmse", "overview_distributions", "overview_cells", "overview_budget", "overview_cycles",
        "overview_voltage",
    ]  # fmt: skip
    pixels(seen["overview_cells"])
    panels = seen["overview_cells"].axes
    assert [axes.get_title(loc="left") for axes in panels] == [
        "Best: C0, smallest RMSE 10.0 mV", "Median: C2, smallest RMSE 30.0 mV (place 3 of 5)",
        "Worst: C4, smallest RMSE 50.0 mV",
    ]  # fmt: skip
    legend = panels[2].get_legend()
    assert legend is not None
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["measured", "SPMe, Chen2020:\nRMSE 50.0 mV", "DFN, Chen2020:\nRMSE 100.0 mV"]
    assert panels[0].texts[0].get_text() == "Chen2020; capacity unknown; 25.0 °C; cycles 1-2"


def test_a_damaged_record_is_left_out_and_the_rest_drawn(
    bench: Bench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = record(cycles=2, samples=60)
    for number in range(3):
        bench.clean(f"C{number}", measured)
        bench.simulate(f"C{number}", "SPMe", "Chen2020", simulation(measured, 0.01 * (number + 1)))
    bench.store.cleaned("C0").write_bytes(b"no parquet")
    monkeypatch.setattr(overview_figures, "save", lambda _store, _figure, name: [name])
    assert {"overview_cells", "overview_voltage"} <= {str(name) for name in plot_overview(bench.store)}
    assert len([message for message in caplog.messages if "left out" in message]) == 2
