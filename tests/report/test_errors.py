"""Figures of errors by window, step type and cycle."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from kilocell.data.columns import STEP_TYPES, WINDOWS
from kilocell.data.errors import UsageError
from kilocell.data.results.receipt import Receipt
from kilocell.data.results.simulation import Comparison, SimulationResult, StepComparison
from kilocell.data.settings import CellSettings, ModelSettings, ParameterSetSettings, SimulateSettings
from kilocell.parquet_store.layout import Store
from kilocell.report.draw.errors import Errors, draw_errors
from kilocell.report.error_figures import plot_errors
from kilocell.sqlite.catalog import Catalog
from matplotlib.figure import Figure

KINDS = ("charge", "rest", "pulse")


def steps(rmse_mv: float) -> tuple[StepComparison, ...]:
    """Errors of three step types; the rest has no ohmic window."""
    parts = [*product(KINDS, WINDOWS), *((kind, "all") for kind in KINDS), *(("all", window) for window in WINDOWS)]
    parts.remove(("rest", "ohmic"))
    return tuple(
        StepComparison(0, kind, window, 10, rmse_mv + place, (-1) ** place * rmse_mv, -80.0, 60.0)
        for place, (kind, window) in enumerate(parts)
    )


def errors(name: str, rmse_mv: float, cycles: int = 1) -> Errors:
    whole = [{"cycle_count": n, "rmse_mv": rmse_mv + n} for n in range(cycles + 1)]
    fields = StepComparison.__dataclass_fields__
    return Errors(name, whole, [{field: getattr(row, field) for field in fields} for row in steps(rmse_mv)])


def bars_of(figure: Figure, panel: int) -> list[float]:
    return [patch.get_height() for patch in figure.axes[panel].patches]  # type: ignore[attr-defined]


def test_bars_have_the_rmse_of_each_window_and_step_type() -> None:
    made = errors("SPMe, Chen2020", 12.0)
    figure = draw_errors("CELL_A", [made])
    for panel, column, parts in ((0, "window", WINDOWS), (1, "step_type", KINDS)):
        other = "step_type" if column == "window" else "window"
        wanted = {row[column]: row["rmse_mv"] for row in made.steps if row[other] == "all"}
        assert bars_of(figure, panel) == [wanted[part] for part in parts]
        labels = [text.get_text().split()[0] for text in figure.axes[panel].get_xticklabels()]
        assert labels == list(parts)
    assert "mV" in figure.axes[0].get_ylabel()


def test_the_map_has_a_number_for_each_pair_that_there_is() -> None:
    made = errors("SPMe, Chen2020", 12.0)
    figure = draw_errors("CELL_A", [made])
    numbers = {text.get_text() for text in figure.axes[2].texts}
    pairs = [row for row in made.steps if "all" not in (row["step_type"], row["window"])]
    assert len(pairs) == len(KINDS) * len(WINDOWS) - 1
    assert numbers == {f"{row['rmse_mv']:.0f}" for row in pairs}
    assert [text.get_text() for text in figure.axes[2].get_yticklabels()] == [k for k in STEP_TYPES if k in KINDS]


def test_cycles_are_drawn_where_there_are_some() -> None:
    few, many = (draw_errors("CELL_A", [errors("SPM, Chen2020", 12.0, cycles)]) for cycles in (2, 50))
    assert "Cycle" not in [axes.get_xlabel() for axes in few.axes]
    (panel,) = [axes for axes in many.axes if axes.get_xlabel() == "Cycle"]
    assert panel.get_lines()[0].get_xdata().tolist() == list(range(1, 51))  # type: ignore[union-attr]


@pytest.mark.parametrize("count", [1, 3, 9])
def test_any_number_of_simulations_is_drawn(count: int, tmp_path: Path) -> None:
    figure = draw_errors("$CELL_A_{$", [errors(f"model {n}, $x_{{$", 10.0 + n, 4) for n in range(count)])
    figure.savefig(tmp_path / "errors.png")
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == [f"model {n}, $x_{{$: RMSE {10 + n:.1f} mV" for n in range(count)]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A cell with one finished simulation, and one from a version that did not store windows."""
    store = Store(tmp_path)
    with Catalog.open(store.catalog) as catalog:
        for cell_id, compared in (("CELL_A", steps(12.0)), ("OLD", ())):
            base = ParameterSetSettings("Chen2020", "Chen2020")
            settings = SimulateSettings(CellSettings(cell_id), ModelSettings("SPMe", "SPMe"), base)
            result = SimulationResult(
                settings, 60, 4, 0.9, 4.05, "soc 0.9", 1.0, 25.0, -0.2, -0.2, 0.0, 12.3, 12.3, 12.3, 3.0, 0.8, (),
                (Comparison(0, 60, 12.3, 12.3, 12.3, 3.0),), step_comparisons=compared,
            )  # fmt: skip
            catalog.record(Receipt("simulate", cell_id, settings.label, "d", "done", result=result), None)
    return store


def test_a_cells_errors_are_written_from_the_catalog_alone(store: Store) -> None:
    assert [path.name for path in plot_errors(store, "CELL_A")] == ["errors_CELL_A.png", "errors_CELL_A.pdf"]
    assert {path.stem for path in plot_errors(store, "CELL_A", ["SPMe"])} == {"errors_CELL_A_SPMe"}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("OLD",), "has no finished simulation with errors by window. `kilocell run`"),
        (("CELL_B",), 'did you mean "CELL_A"'),
        (("CELL_A", ("DFN",)), "no finished simulation with model 'DFN'"),
    ],
)
def test_errors_that_are_not_there_are_refused(store: Store, asked: tuple[str], said: str) -> None:
    with pytest.raises(UsageError) as raised:
        plot_errors(store, *asked)
    assert said in str(raised.value)
