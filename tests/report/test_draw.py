"""What the figures show: units on every axis, the RMSE of what is drawn, holes as holes, names as they are."""

from __future__ import annotations

import io
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.rules import flag_bit
from kilocell.report.draw import style
from kilocell.report.draw.cells import SimulatedCurve, draw_cell, find_holes, rmse_mv
from kilocell.report.draw.overview import draw_records, draw_rmse
from kilocell.report.styles import make_styles
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

Row = Mapping[str, Any]


def measured(samples: int = 400, cycles: int = 4) -> pd.DataFrame:
    time = np.linspace(0, 3600.0 * cycles, samples)
    frame = pd.DataFrame({c.TEST_TIME: time, c.VOLTAGE: 3.7 + 0.4 * np.sin(time / 600), c.CURRENT: np.cos(time / 600)})
    frame[c.CYCLE_COUNT] = 1 + np.arange(samples) * cycles // samples
    frame[c.FLAGS] = 0
    return frame


def simulated(frame: pd.DataFrame, error_volt: float, name: str = "SPMe, Chen2020") -> SimulatedCurve:
    samples = pd.DataFrame({c.TEST_TIME: frame[c.TEST_TIME], "voltage_error_volt": error_volt})
    samples["simulated_voltage_volt"] = frame[c.VOLTAGE] + error_volt
    return SimulatedCurve(name, samples)


def row(cell_id: str, model: str | None, rmse: float | None, status: str = "done") -> Row:
    parameter_set = None if model is None else "Chen2020"
    return {"cell_id": cell_id, "model": model, "parameter_set": parameter_set, "rmse_mv": rmse, "status": status}


def rendered(figure: Figure) -> Figure:
    """Draw it once, as warnings are errors: whatever matplotlib cannot draw shows here."""
    with style.house_style():
        figure.savefig(io.BytesIO(), format="png")
    return figure


def legend_of(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def heading_of(figure: Figure) -> str:
    return figure.legends[0].get_title().get_text()


def labels_of(figure: Figure) -> list[str]:
    return [axes.get_ylabel() for axes in figure.axes] + [axes.get_xlabel() for axes in figure.axes]


def breaks_of(line: Line2D) -> int:
    return int(np.isnan(np.asarray(line.get_ydata(), dtype=float)).sum())


def test_other_outputs_have_panels_of_their_own_and_the_measured_temperature() -> None:
    frame = measured().assign(surface_temperature_celsius=26.0)
    one, other = simulated(frame, 0.01), simulated(frame, 0.02, "DFN, Chen2020")
    one.frame["cell_temperature_celsius"] = 25.0
    other.frame["negative_stoichiometry"] = 0.4
    other.frame["positive_stoichiometry"] = 0.6
    figure = rendered(draw_cell("CELL_A", frame, [one, other]))
    assert [axes.get_ylabel() for axes in figure.axes][3:] == ["Temperature (°C)", "Stoichiometry"]
    temperature, stoichiometry = figure.axes[3:]
    assert [float(np.asarray(line.get_ydata())[0]) for line in temperature.lines] == [26.0, 25.0]
    legend = stoichiometry.get_legend()
    assert legend is not None
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["negative_stoichiometry", "positive_stoichiometry"]
    assert figure.axes[-1].get_xlabel() == "Test time (h)"


def test_a_cell_has_voltage_current_and_error_over_one_time() -> None:
    frame = measured()
    figure = rendered(draw_cell("CELL_A", frame, [simulated(frame, 0.0759), simulated(frame, -0.01, "DFN, Chen2020")]))
    assert [axes.get_ylabel() for axes in figure.axes] == [
        "Voltage (V)",
        "Current (A)\ncharge > 0",
        "Simulated −\nmeasured (mV)",
    ]
    assert figure.axes[-1].get_xlabel() == "Test time (h)"
    assert heading_of(figure) == "CELL_A"
    assert legend_of(figure) == ["measured", "SPMe, Chen2020: RMSE 75.9 mV", "DFN, Chen2020: RMSE 10.0 mV"]
    assert {axes.get_xlim() for axes in figure.axes} == {figure.axes[0].get_xlim()}
    hours = np.asarray(figure.axes[0].get_lines()[0].get_xdata(), dtype=float)
    assert hours[-1] == pytest.approx(4.0)
    error = np.asarray(figure.axes[2].get_lines()[1].get_ydata(), dtype=float)
    np.testing.assert_allclose(error, 75.9)


def test_inserted_samples_show_in_the_current_alone() -> None:
    """Their voltage is no measurement: the lines of voltage and error pass them, without a hole."""
    frame = measured(samples=40, cycles=1)
    inserted = np.isin(np.arange(40), (10, 11, 25))
    flags = np.where(inserted, flag_bit("step_edge"), 0)
    flags[25] |= flag_bit("time_gap")
    frame[c.FLAGS] = flags
    frame[c.VOLTAGE] = frame[c.VOLTAGE].mask(inserted, 99.0)
    curve = simulated(frame, 0.02)
    curve.frame.loc[inserted, "voltage_error_volt"] = np.nan
    figure = rendered(draw_cell("CELL_A", frame, [curve]))
    voltage, current, error = (axes.get_lines() for axes in figure.axes)
    assert np.nanmax(np.asarray(voltage[0].get_ydata(), dtype=float)) < 5.0
    assert np.isfinite(np.asarray(current[0].get_ydata(), dtype=float)).sum() == 40
    assert np.isfinite(np.asarray(error[1].get_ydata(), dtype=float)).sum() == 37
    assert breaks_of(voltage[0]) == breaks_of(error[1]) == breaks_of(current[0]) == 1  # the gap alone
    assert legend_of(figure)[1] == "SPMe, Chen2020: RMSE 20.0 mV"
    overview = rendered(draw_records({"CELL_A": frame}, 1))
    assert np.nanmax(np.asarray(overview.axes[0].get_lines()[0].get_ydata(), dtype=float)) < 5.0


def test_a_cell_without_simulations_has_no_error_panel() -> None:
    figure = rendered(draw_cell("CELL_A", measured()))
    assert len(figure.axes) == 2
    assert legend_of(figure) == ["measured"]


def test_rmse_is_of_the_samples_with_a_measured_voltage() -> None:
    samples = pd.DataFrame({"voltage_error_volt": [0.003, np.nan, -0.004]})
    assert rmse_mv(SimulatedCurve("SPM", samples)) == pytest.approx(np.sqrt(12.5))
    nothing = simulated(measured(), float("nan"))
    assert legend_of(rendered(draw_cell("CELL_A", measured(), [nothing])))[1].endswith("no measured voltage")


def test_no_line_crosses_a_hole() -> None:
    frame = measured(cycles=5)
    frame.loc[10:14, c.VOLTAGE] = np.nan  # missing voltages
    frame.loc[40, c.FLAGS] = flag_bit("time_gap") | flag_bit("voltage_spike")  # power was out before this sample
    frame = frame[frame[c.CYCLE_COUNT].isin([1, 2, 5])].reset_index(drop=True)  # cycles left out
    assert list(np.flatnonzero(find_holes(frame))) == [40, 160]
    figure = draw_cell("CELL_A", frame, [simulated(frame, 0.01)])
    voltage, simulation = figure.axes[0].get_lines()[:2]
    assert (breaks_of(voltage), breaks_of(simulation)) == (5 + 2, 5 + 2)
    assert breaks_of(figure.axes[1].get_lines()[0]) == 2


def test_a_record_that_starts_late_has_no_hole_before_it() -> None:
    frame = measured()
    assert not find_holes(frame[frame[c.CYCLE_COUNT] == 3]).any()


def test_long_records_are_reduced_and_keep_their_extremes() -> None:
    frame = measured(200_000, 50)
    frame.loc[123_456, c.VOLTAGE] = 5.1
    figure = draw_cell("CELL_A", frame, [simulated(frame, 0.01)])
    voltage = np.asarray(figure.axes[0].get_lines()[0].get_ydata(), dtype=float)
    assert len(voltage) < 13_000
    assert (voltage.min(), voltage.max()) == (frame[c.VOLTAGE].min(), 5.1)
    assert legend_of(figure)[1].endswith(": RMSE 10.0 mV")


@pytest.mark.parametrize(("cycles", "shaded"), [(1, 0), (4, 2), (60, 30), (200, 0)])
def test_every_other_cycle_is_shaded_when_they_are_few(cycles: int, shaded: int) -> None:
    axes = rendered(draw_cell("CELL_A", measured(1000, cycles))).axes[0]
    assert len(axes.patches) == shaded
    numbers = [int(text.get_text().removeprefix("cycle ")) for text in axes.texts]
    assert len(numbers) <= 26
    assert numbers[:1] == ([1] if shaded else [])


@pytest.mark.parametrize(
    ("cell_id", "title"),
    [
        ("cost $5 and $6_x", "cost $5 and $6_x"),
        ("<script>", "<script>"),
        ("é µ Ω", "é µ Ω"),
        ("电池一号", "cell-"),
        ("two\nlines", "two-lines-"),
        ("x" * 300, "x" * 59 + "…"),
    ],
)
def test_any_name_is_drawn_as_it_is_or_as_its_file(cell_id: str, title: str) -> None:
    frame = measured()
    figure = rendered(draw_cell(cell_id, frame, [simulated(frame, 0.01, f"SPMe, {cell_id}")]))
    assert heading_of(figure).startswith(title)
    rendered(draw_records({cell_id: frame}, 1))
    assert rendered(draw_rmse([row(cell_id, "SPMe", 10.0)])).axes[0].get_yticklabels()[0].get_text() != ""


def test_simulations_differ_in_more_than_hue() -> None:
    styles = [style.numbered_style(number) for number in range(30)]
    assert len({(s["color"], s["linestyle"]) for s in styles}) == 30
    assert len({s["linestyle"] for s in styles[:5]}) == 5
    models = [f"model {number}" for number in range(30)]
    sets = [f"set {number}" for number in range(42)]
    of_store = make_styles(models, sets, combinations(sets, 2))
    assert len({(of_store.model(name).colour, of_store.model(name).dashes) for name in models}) == 30
    assert len({of_store.model(name).dashes for name in models[:5]}) == 5
    markers = [of_store.parameter_set(name) for name in sets]
    assert len({(s.colour, s.marker) for s in markers}) == 42


@pytest.mark.parametrize(("count", "panels"), [(1, 1), (3, 4), (5, 6), (12, 12)])
def test_small_multiples_share_their_voltage_axis(count: int, panels: int) -> None:
    figure = rendered(draw_records({f"C{n}": measured() for n in range(count)}, 30))
    visible = [axes for axes in figure.axes if axes.get_visible()]
    assert (len(figure.axes), len(visible)) == (panels, count)
    assert {axes.get_ylim() for axes in visible} == {visible[0].get_ylim()}
    assert [axes.get_title() for axes in visible] == [f"C{n}" for n in range(count)]
    assert (figure.get_supxlabel(), figure.get_supylabel()) == ("Test time (h)", "Voltage (V)")
    assert figure.get_suptitle() == f"Measured voltage of {count} of 30 cells"


def test_the_style_ends_with_its_figure() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    draw_cell("CELL_A", measured())
    assert dict(matplotlib.rcParams) == before
