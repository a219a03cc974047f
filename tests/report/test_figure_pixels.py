"""What a reader sees of the figures of a cell: the same colours everywhere, ends of failed curves, spikes, titles."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from figure_bench import Bench, legend_of, record, simulation
from kilocell.data import columns as c
from kilocell.data.error_budget import error_budget
from kilocell.data.errors import UsageError
from kilocell.data.outputs import COLUMNS as OUTPUT_COLUMNS
from kilocell.parquet_store.layout import Store
from kilocell.report import budget_figures, error_figures, figures, save
from kilocell.report.budget_figures import plot_budgets
from kilocell.report.draw.budget import NamedBudget, draw_budgets
from kilocell.report.draw.cells import SimulatedCurve, draw_cell
from kilocell.report.draw.curves import CellCurves, draw_curves
from kilocell.report.draw.errors import Errors, draw_errors
from kilocell.report.draw.style import put_heading, spread_markers
from kilocell.report.error_figures import plot_errors
from kilocell.report.figures import plot_cell
from kilocell.report.headings import cell_details, describe_cycles
from kilocell.report.question_figures import plot_curves
from kilocell.report.save import write_figure, writing_to
from kilocell.report.styles import Style, make_styles, read_styles
from kilocell.report.units import typeset_unit, typeset_units
from kilocell.runner.commands.plot import choose_kind, draw, write_paths
from kilocell.sqlite import queries
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

SPME = "#d55e00"
SPM = "#0072b2"


def drawn(monkeypatch: pytest.MonkeyPatch, module: Any) -> list[Figure]:
    """Collect the figures that a module saves from here on; they are saved all the same."""
    seen: list[Figure] = []

    def note(store: Store, figure: Figure, name: str) -> list[Path]:
        seen.append(figure)
        return save.save(store, figure, name)

    monkeypatch.setattr(module, "save", note)
    return seen


def pixels_of(path: Path, colour: str) -> NDArray[np.bool_]:
    """Return which pixels of a PNG have nearly this colour, shape (height, width)."""
    near: NDArray[np.bool_] = np.abs(imread(path)[:, :, :3] - np.array(to_rgb(colour))).max(axis=2) < 0.08
    return near


def curve(frame: Any, error_volt: Any, name: str = "SPMe, Chen2020", **options: Any) -> SimulatedCurve:
    samples = frame[[c.TEST_TIME]].assign(
        simulated_voltage_volt=frame[c.VOLTAGE] + error_volt, voltage_error_volt=error_volt
    )
    return SimulatedCurve(name, samples, **options)


def test_a_model_has_its_colour_and_dashes_in_every_figure(two_cells: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(queries.connect(two_cells.store.catalog)) as catalog:
        styles = read_styles(catalog)
    assert styles.model("SPMe").colour == SPME
    cells, errors = drawn(monkeypatch, figures), drawn(monkeypatch, error_figures)
    plot_cell(two_cells.store, "CELL_A")
    plot_errors(two_cells.store, "CELL_A")
    voltage, _, error = cells[0].axes
    in_voltage = {line.get_color() for line in voltage.get_lines()} - {"#1a1a1a"}
    in_error = {line.get_color() for line in error.get_lines()} - {"#1a1a1a"}
    assert in_voltage == in_error == {SPME, styles.model("DFN").colour}
    assert {entry.get_color() for entry in errors[0].legends[0].get_lines()} == in_voltage
    bars = {to_hex(bar.get_facecolor()) for bar in errors[0].axes[0].patches}
    assert bars == in_voltage
    markers = [line.get_marker() for line in cells[0].legends[0].get_lines()]
    assert markers == ["None", "None", "None", "o"]  # measured, SPMe, DFN, SPMe with the fitted set
    page = two_cells.store.root / "curves.png"
    with closing(queries.connect(two_cells.store.catalog)) as catalog:
        from kilocell.sqlite import questions

        rows = [dict(row) for row in questions.curves(catalog, ["CELL_A"])]
    plot_curves(two_cells.store, rows, None, page)
    assert pixels_of(page, SPME).sum() > 100


def test_sets_of_one_model_are_compared_by_the_colours_of_the_sets(
    two_cells: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = drawn(monkeypatch, figures)
    plot_cell(two_cells.store, "CELL_A", models=["SPMe"])
    styles = make_styles(["SPMe"], ["a", "b"], [("a", "b")])
    measured, first, second = seen[0].legends[0].get_lines()
    assert (first.get_color(), second.get_color()) == (
        styles.parameter_set("a").colour,
        styles.parameter_set("b").colour,
    )
    assert measured.get_color() == "#1a1a1a"


def test_a_failed_curve_ends_with_a_cross_and_does_not_set_the_axes(tmp_path: Path) -> None:
    frame = record(cycles=2)
    away = np.where(np.arange(len(frame)) < 150, 0.01, np.nan)
    away[140:150] += np.linspace(0.0, 4.0, 10)
    alone = draw_cell("A", frame, [curve(frame, 0.01)])
    failed = curve(frame, away, "SPM, Chen2020", failed="left range", style=Style(SPM))
    figure = draw_cell("A", frame, [curve(frame, 0.01, style=Style(SPME)), failed])
    assert [axes.get_ylim() for axes in figure.axes] == [axes.get_ylim() for axes in alone.axes]
    for axes in (figure.axes[0], figure.axes[2]):
        (cross,) = [line for line in axes.get_lines() if line.get_marker() == "x"]
        (at,), (value,) = (np.asarray(data, float) for data in cross.get_data())
        assert at == pytest.approx(frame[c.TEST_TIME][149] / 3600)
        assert value == axes.get_ylim()[1]  # it ended above the panel
    assert re.fullmatch(r"SPM, Chen2020: stopped at 1\.24 h: left range; .* mV until then", legend_of(figure)[2])
    page = write_figure(figure, tmp_path / "cell.png")
    height, width = pixels_of(page, SPM).shape
    axes = figure.axes[0]
    x, y = axes.transData.transform((frame[c.TEST_TIME][149] / 3600, axes.get_ylim()[1])) * 150 / figure.dpi
    around = pixels_of(page, SPM)[int(height - y) - 8 : int(height - y) + 8, int(x) - 8 : int(x) + 8]
    assert around.sum() > 15
    assert width == 1050


def test_a_spike_of_one_sample_is_visible_in_the_picture(tmp_path: Path) -> None:
    """One of 300,000 samples: thinning keeps it, in the voltage, in the error and in another output."""
    frame = record(cycles=1, samples=300_000)
    spike = np.zeros(len(frame))
    spike[123_456] = 0.4
    slow = 0.001 * np.sin(2.0 * np.pi * frame[c.TEST_TIME] / frame[c.TEST_TIME].iloc[-1])
    one = curve(frame, slow + spike, style=Style(SPME))
    output = next(iter(OUTPUT_COLUMNS))
    one.frame[output] = 0.1 + spike
    figure = draw_cell("A", frame, [one])
    for axes in (figure.axes[0], figure.axes[3]):
        line = next(line for line in axes.get_lines() if line.get_color() == SPME)
        assert len(np.asarray(line.get_ydata())) < 13_000
    heights = np.asarray(figure.axes[2].get_lines()[1].get_ydata(), float)
    assert np.nanmax(heights) == pytest.approx(400.5, abs=0.1)
    page = write_figure(figure, tmp_path / "cell.png")
    seen = pixels_of(page, SPME)
    hours = frame[c.TEST_TIME][123_456] / 3600
    for axes, value in ((figure.axes[0], frame[c.VOLTAGE][123_456] + 0.25), (figure.axes[2], near_top(figure))):
        x, y = axes.transData.transform((hours, value)) * 150 / figure.dpi
        row = seen.shape[0] - int(y)
        assert seen[row - 2 : row + 3, int(x) - 3 : int(x) + 4].any(), axes.get_ylabel()


def near_top(figure: Figure) -> float:
    return 0.8 * figure.axes[2].get_ylim()[1]  # other samples near the spike have half of this


def test_an_error_outside_its_axis_is_marked_and_named() -> None:
    frame = record(cycles=1, samples=3000)
    error = np.full(len(frame), 0.002)
    error[1000] = -0.35
    figure = draw_cell("A", frame, [curve(frame, error, style=Style(SPME))])
    axes = figure.axes[2]
    assert axes.get_ylim()[0] > -50.0
    assert "▼ −350 mV" in [text.get_text() for text in axes.texts]
    assert [line.get_color() for line in axes.get_lines() if line.get_marker() == "v"] == [SPME]


@pytest.mark.parametrize("cell_id", ["<script>alert(1)</script>", "$x_1$ % \\alpha", "🔋" * 5, "n" * 200])
def test_headings_and_legends_stay_inside_the_page(cell_id: str, tmp_path: Path) -> None:
    frame = record(cycles=1)
    many = [curve(frame, 0.001 * n, f"SPMe, {cell_id[:100]}+set{n}", failed="why " * 20 * (n % 2)) for n in range(9)]
    rows = [
        {"model": "SPMe", "parameter_set": f"{cell_id}{n}", "capacity_ah": 5.0, "temperature_celsius": None}
        for n in range(2)
    ]
    figure = draw_cell(cell_id, frame, many, cell_details(rows, "cycle 1, discharge, " * 30))
    write_figure(figure, tmp_path / "cell.png")
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    width, height = figure.bbox.size
    artists = [*figure.texts, figure.legends[0], figure._suptitle]  # type: ignore[attr-defined]
    boxes = [artist.get_window_extent(renderer) for artist in artists]
    assert all(box.x0 >= 0 and box.x1 <= width and box.y0 >= 0 and box.y1 <= height + 1 for box in boxes)
    top_of_panels = figure.axes[0].get_window_extent(renderer).y1
    assert min(box.y0 for box in boxes) >= top_of_panels


def test_details_of_a_cell() -> None:
    one = {"model": "SPMe", "parameter_set": "Chen2020", "capacity_ah": 5.0, "temperature_celsius": 24.96}
    assert cell_details([one], "cycle 2") == "SPMe with Chen2020; 5 A h; 25.0 °C; cycle 2"
    others = [{**one, "model": "DFN", "parameter_set": name, "temperature_celsius": -5.0} for name in "abc"]
    assert cell_details([one, *others], "") == "4 parameter sets; 5 A h; −5.0 to 25.0 °C"
    unknown = {**one, "capacity_ah": None, "temperature_celsius": None}
    assert cell_details([unknown], "") == "SPMe with Chen2020; capacity unknown; temperature unknown"
    facts = {"capacity_ah": 2.9, "temperature_celsius": 40.0}
    assert cell_details([unknown], "", facts) == "SPMe with Chen2020; 2.9 A h; 40.0 °C"
    assert cell_details([], "cycles 1-3", facts) == "2.9 A h; 40.0 °C; cycles 1-3"


@pytest.mark.parametrize(
    ("cycles", "known", "text"),
    [((), (1, 2, 3), "cycles 1-3"), ((2,), (1, 2, 3), "cycle 2 of 3"), ((1, 3), (1, 2, 3), "cycles 1, 3 of 3"),
     ((), (1,), "cycle 1"), ((), (), "")],
)  # fmt: skip
def test_cycles_in_a_heading(cycles: tuple[int, ...], known: tuple[int, ...], text: str) -> None:
    assert describe_cycles(cycles, known) == text


@pytest.mark.parametrize(
    ("unit", "text"),
    [("m2.s-1", "m² s⁻¹"), ("A.h", "A h"), ("mol.m-3", "mol m⁻³"), ("W.m-2.K-1", "W m⁻² K⁻¹"), ("Ohm.m2", "Ω m²"),
     ("V", "V"), ("", ""), ("-", ""), ("(A/m2)(m3/mol)**1.5", "(A/m2)(m3/mol)**1.5"), ("<b>", "<b>"), ("s-1", "s⁻¹")],
)  # fmt: skip
def test_units_are_typeset(unit: str, text: str) -> None:
    assert typeset_unit(unit) == text


def test_units_inside_a_text_are_typeset() -> None:
    text = "Diffusivity [m2.s-1]: precise; [see 1.] and x [A.h]"
    assert typeset_units(text) == "Diffusivity [m² s⁻¹]: precise; [see 1.] and x [A h]"


def test_curves_of_cells_share_their_axis_and_mark_failed_ones() -> None:
    frame = record(cycles=1)
    away = np.where(np.arange(len(frame)) < 100, 5.0, np.nan)
    first = curve(frame, 0.01, style=Style(SPME), model="SPMe", parameter_set="a")
    second = curve(frame, 0.01, "SPMe, b", style=Style(SPME), model="SPMe", parameter_set="b")
    failed = curve(frame, away, "SPM, b", failed="why", style=Style(SPM), parameter_set="b")
    panels = [CellCurves("A", frame, [first], "RMSE 10 mV"), CellCurves("B", frame, [second, failed], "RMSE 10 mV")]
    figure = draw_curves("2 cells", panels)
    assert legend_of(figure) == ["measured", "SPMe", "SPM, b", "stopped early"]
    assert [axes.get_title() for axes in figure.axes] == ["A\na: RMSE 10 mV", "B\nb: RMSE 10 mV"]
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
    assert figure.axes[1].get_ylim()[1] < 4.5
    assert [line.get_marker() for line in figure.axes[1].get_lines()].count("x") == 1


def test_a_bar_far_above_the_others_is_cut_and_has_an_arrow() -> None:
    def of(name: str, rmse: float) -> Errors:
        steps = [
            {"step_type": "all", "window": window, "rmse_mv": rmse, "bias_mv": 0.0} for window in ("ohmic", "kinetic")
        ]
        cycles = [{"cycle_count": 0, "rmse_mv": rmse}]
        return Errors(name, cycles, steps, Style(SPME), error_budget({"rmse_mv": rmse, "charge_uncertainty_mv": 0.2}))

    figure = draw_errors("A", [of("a", 20.0), of("b", 30.0), of("c", 2500.0)], "details")
    axes = figure.axes[0]
    assert axes.get_ylim()[1] < 60.0
    assert [line.get_marker() for line in axes.get_lines()].count("^") == 1
    assert "2500" in [text.get_text() for text in axes.texts]
    assert legend_of(figure) == [
        "a: RMSE 20.0 ± 0.2 mV (?)",
        "b: RMSE 30.0 ± 0.2 mV (?)",
        "c: RMSE 2500.0 ± 0.2 mV (?)",
    ]


def test_a_budget_is_divided_by_the_squares_of_its_parts_and_flagged() -> None:
    values = {
        "rmse_mv": 30.0, "numerical_error_rmse_mv": 0.0, "compression_rmse_mv": 0.0, "charge_uncertainty_mv": 3.0,
        "state_uncertainty_mv": 4.0,
    }  # fmt: skip
    small = {**values, "charge_uncertainty_mv": 0.3, "state_uncertainty_mv": None}
    figure = draw_budgets(
        "A", [NamedBudget("SPMe, a", error_budget(values)), NamedBudget("SPM, a", error_budget(small))], "details"
    )
    axes = figure.axes[0]
    widths = [bar.get_width() for bar in axes.patches if isinstance(bar, Rectangle)]
    np.testing.assert_allclose(widths[2:4], [5.0 * 9 / 25, 5.0 * 16 / 25])
    texts = [text.get_text() for text in axes.texts]
    assert texts[:2] == ["!", "±5.00 mV"]
    assert texts[3] == "?"
    assert "state ?" in texts[5]
    assert legend_of(figure) == ["numerical error", "compressed current", "charge", "starting state", "limit"]


def test_one_huge_budget_does_not_set_the_axis() -> None:
    budgets = [
        NamedBudget(f"m{n}", error_budget({"rmse_mv": 10.0, "charge_uncertainty_mv": value}))
        for n, value in enumerate((0.5, 0.6, 80.0))
    ]
    axes = draw_budgets("A", budgets).axes[0]
    assert axes.get_xlim()[1] < 2.0
    assert [line.get_marker() for line in axes.get_lines()].count(">") == 1
    nothing = draw_budgets("A", [NamedBudget("m", error_budget({}))])
    assert "no part is known" in [text.get_text() for text in nothing.axes[0].texts]


def test_a_budget_figure_says_what_is_missing(two_cells: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    two_cells.end("CELL_A", "SPM", simulation(record(cycles=2), 0.001).iloc[:100])
    seen = drawn(monkeypatch, budget_figures)
    paths = plot_budgets(two_cells.store, "CELL_A")
    assert [path.name for path in paths] == ["budget_CELL_A.png", "budget_CELL_A.pdf"]
    assert "without 1 simulation that failed" in " ".join(text.get_text().replace("\n", " ") for text in seen[0].texts)
    with pytest.raises(UsageError, match="no finished simulation"):
        plot_budgets(two_cells.store, "CELL_A", ["MPM"])


def test_figures_go_where_and_in_which_format_the_user_wants(two_cells: Bench, tmp_path: Path) -> None:
    root = two_cells.store.root

    def plots() -> Any:
        return draw(root, ["CELL_A"], "", [], [], None)

    assert [path.name for path in write_paths(plots(), ["SVG"])] == ["CELL_A.svg"]
    assert list(write_paths(plots(), [], tmp_path / "new" / "mine.pdf")) == [tmp_path / "new" / "mine.pdf"]
    assert (tmp_path / "new" / "mine.pdf").read_bytes().startswith(b"%PDF")
    several = list(write_paths(draw(root, ["*"], "", [], [], None), [], tmp_path / "all.png"))
    assert sorted(path.suffix for path in several) == [".png", ".png"]
    assert (tmp_path / "all_CELL_A.png") in several
    for formats, out, said in (
        ([], Path("x.jpg"), r"must end in \.png"),
        (["png"], Path("x.png"), "--out"),
    ):
        with pytest.raises(UsageError, match=said):
            list(write_paths(plots(), formats, out))
    assert [path.suffix for path in plot_cell(two_cells.store, "CELL_A")] == [".png", ".pdf"]  # as before


def test_an_svg_has_the_same_bytes_each_time_and_no_date(two_cells: Bench) -> None:
    made = []
    for _ in range(2):
        with writing_to(["svg"]):
            (path,) = plot_cell(two_cells.store, "CELL_A")
        made.append(path.read_bytes())
    assert made[0] == made[1]
    assert b"<svg" in made[0]
    assert b"dc:date" not in made[0]


REFUSED: Final[tuple[tuple[dict[str, Any], str], ...]] = (
    ({"kind": "budget", "cycles": "1"}, "leave out --cycles"),
    ({"kind": "errors", "select": "cycle 1"}, "leave out --cycles, --select"),
    ({"kind": "dqdv", "fit_name": "radius"}, "leave out --dqdv"),
    ({"kind": "curves", "smoothing_mv": 2.0}, "--smoothing is of --dqdv"),
    ({"kind": "budget", "statuses": ["failed"]}, "leave out --status"),
)


def test_options_that_a_figure_does_not_use_are_refused(two_cells: Bench) -> None:
    for options, said in REFUSED:
        given = {"cycles": "", "fit_name": None, **options}
        with pytest.raises(UsageError, match=said):
            list(draw(two_cells.store.root, ["CELL_A"], models=[], parameter_sets=[], **given))
    with pytest.raises(UsageError, match="only one of --budget, --dqdv"):
        choose_kind(errors=False, budget=True, dqdv=True)


def test_markers_are_spread_over_the_axis_whatever_the_samples() -> None:
    axes = Figure().subplots()
    crowded = np.concatenate([np.linspace(0.0, 0.1, 5000), np.linspace(0.1, 10.0, 50)])
    (line,) = axes.plot(crowded, crowded, marker="o")
    spread_markers(line)
    at = crowded[np.asarray(line.get_markevery())]
    assert len(at) == 8
    assert np.diff(at).max() < 1.6
    (plain,) = axes.plot(crowded, crowded)
    spread_markers(plain)
    assert plain.get_markevery() is None


def test_a_heading_with_details_leaves_the_panels_their_size() -> None:
    figure = Figure(figsize=(7, 3), layout="constrained")
    figure.subplots()
    put_heading(figure, "CELL", [Line2D([], [], label=f"simulation {n}" * 6) for n in range(12)], "details")
    assert figure.get_size_inches()[1] > 3 + 12 * 0.15
