"""What is shown of all cells: order, medians over the same cells, cells to name, quantiles along the cycles."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

import numpy as np
import pandas as pd
import pytest
from figure_bench import Bench, record, simulation
from kilocell.data.results.receipt import Receipt
from kilocell.report import cycle_data, fleet_data
from kilocell.sqlite import queries

Row = Mapping[str, Any]
THREE_ROLES = ["best", "median", "worst"]


def row(
    cell: str, model: str | None, rmse: float | None, status: str = "done", parameter_set: str = "Chen2020"
) -> dict[str, Any]:
    base = parameter_set.partition("+")[0]
    return {
        "cell_id": cell, "model": model, "parameter_set": None if model is None else parameter_set, "rmse_mv": rmse,
        "status": status, "base": base, "error_budget_main": "charge" if rmse else None, "error_budget_mv": 0.4,
    }  # fmt: skip


def test_cells_are_ordered_by_their_smallest_rmse_and_those_without_come_last() -> None:
    rows = [
        row("A", "SPM", 40.0), row("A", "DFN", None, "failed"), row("B", "SPM", 90.0), row("B", "DFN", 7.0),
        row("C", "SPM", None, "failed"), row("C", "DFN", None, "pending"), row("D", None, None, "failed"),
    ]  # fmt: skip
    matrix = fleet_data.rmse_matrix(rows)
    assert matrix.cells == ["B", "A", "C", "D"]
    assert matrix.names() == ["SPM, Chen2020", "DFN, Chen2020"]
    np.testing.assert_array_equal(matrix.rmse_mv[0], [90.0, 7.0])
    assert matrix.status.tolist() == [["done", "done"], ["done", "failed"], ["failed", "pending"], ["", ""]]
    assert np.isnan(matrix.rmse_mv[1:, 1]).all()  # what failed is no 0
    assert matrix.count("failed") == [1, 1]


def test_medians_are_of_the_same_cells() -> None:
    """The DFN failed on the hard cells: over its own ones it would look better than the SPM."""
    rows = [row(f"C{n}", "SPM", 10.0 + n) for n in range(8)]
    rows += [row(f"C{n}", "DFN", 12.0 + n if n < 5 else None, "done" if n < 5 else "failed") for n in range(8)]
    rows += [row("C7", "SPM", 1.0, parameter_set="Chen2020+fit")]
    medians = fleet_data.rmse_matrix(rows).medians()
    assert medians == [(12.0, 5, True), (14.0, 5, True), (1.0, 1, False)]
    by_model = {one.name: one for one in fleet_data.distributions(rows) if one.by == "model"}
    assert by_model["DFN"].median_mv - by_model["SPM"].median_mv == 2.0
    assert (by_model["DFN"].results, by_model["DFN"].failed, len(by_model["SPM"].rmse_mv)) == (5, 3, 5)
    by_set = {one.name: one for one in fleet_data.distributions(rows) if one.by == "parameter set"}
    assert not by_set["Chen2020+fit"].is_common
    assert len(by_set["Chen2020"].rmse_mv) == 13


def test_sets_of_other_cells_are_compared_with_their_own() -> None:
    rows = [row(f"A{n}", "SPM", 10.0) for n in range(4)]
    rows += [row(f"B{n}", "SPM", 20.0, parameter_set="Prada2013") for n in range(3)]
    found = fleet_data.distributions(rows)
    assert [(one.by, one.name, len(one.rmse_mv), one.is_common) for one in found] == [
        ("model", "SPM", 7, False), ("parameter set", "Chen2020", 4, False), ("parameter set", "Prada2013", 3, False),
    ]  # fmt: skip
    assert fleet_data.rmse_matrix(rows).names() == ["SPM"]
    rows += [row("A0", "SPM", 3.0, parameter_set="Chen2020+fit")]
    groups = {one.name: len(one.rmse_mv) for one in fleet_data.distributions(rows) if one.by == "group"}
    assert groups == {"Chen2020": 5, "Prada2013": 3}
    matrix = fleet_data.rmse_matrix(rows)
    assert (matrix.names(), matrix.full_sets) == (["SPM", "SPM, +fit"], ["Chen2020", "Chen2020+fit"])


@pytest.mark.parametrize(
    ("cells", "roles"),
    [
        (0, []),
        (1, ["best"]),
        (2, ["best", "worst"]),
        (3, ["best", "median", "worst"]),
        (9, ["best", "median", "worst"]),
    ],
)
def test_best_median_and_worst_are_different_cells(cells: int, roles: list[str]) -> None:
    rows = [row(f"C{n}", "SPM", 5.0 * (1 + n)) for n in range(cells)] + [row("X", "SPM", None, "failed")]
    found = fleet_data.best_median_worst(rows)
    assert [one.role for one in found] == roles
    assert len({one.cell_id for one in found}) == len(roles)
    if cells == 9:
        assert [(one.cell_id, one.place, one.cells) for one in found] == [("C0", 1, 9), ("C4", 5, 9), ("C8", 9, 9)]


def test_the_catalog_gives_errors_failures_and_cycles(bench: Bench) -> None:
    measured = record(cycles=2)
    bench.clean("CELL_A", measured)
    bench.simulate("CELL_A", "SPMe", "Chen2020", simulation(measured, 0.02))
    bench.fail("CELL_A", "DFN", "Chen2020")
    bench.catalog.record(Receipt("clean", "CELL_B", "clean", "d", "failed", "empty file", "no_samples"), None)
    with closing(queries.connect(bench.store.catalog)) as catalog:
        rows = fleet_data.read_errors(catalog)
        failures = fleet_data.failure_reasons(catalog)
        cycles = cycle_data.read_cycles(catalog)
    assert [(r["cell_id"], r["model"], r["status"]) for r in rows] == [
        ("CELL_A", "SPMe", "done"), ("CELL_A", "DFN", "failed"), ("CELL_B", None, "failed"),
    ]  # fmt: skip
    assert rows[0]["rmse_mv"] == pytest.approx(20.0)
    assert {(f["kind"], f["reason_code"], f["count"]) for f in failures} == {
        ("simulate", "", 1), ("clean", "no_samples", 1),
    }  # fmt: skip
    assert cycles["cycle_count"].tolist() == [1, 2]
    assert cycles["capacity_ah"].tolist() == [1.0, 1.0]
    assert cycles["resistance_mohm"].isna().all()


def lives(cells: int, cycles: int) -> pd.DataFrame:
    """Make cells that lose n percent of their capacity over their cycles, n = their number; one number for each."""
    made = [
        {
            "cell_id": f"C{n}", "cycle_count": 1 + k, "charge_in_ah": 4.0, "charge_out_ah": 4.0 - 0.04 * n * k / cycles,
            "energy_in_wh": 16.0, "energy_out_wh": 15.2, "resistance_ohm": 0.02 * (1 + 0.01 * n * k / cycles),
            "resistance_second": 10.0, "nominal_capacity_ah": 4.0,
        }
        for n in range(cells)
        for k in range(cycles)
    ]  # fmt: skip
    return pd.DataFrame(made)


def test_quantiles_are_over_the_cells_of_each_cycle() -> None:
    cycles = cycle_data.cycles_frame(lives(21, 10))
    quantiles = cycle_data.cycle_quantiles(cycles, "capacity_ah")
    last = quantiles.iloc[-1]
    assert (last["cycle_count"], last["cells"]) == (10, 21)
    losses = 0.04 * np.arange(21) * 0.9
    for name, share in (("q05", 5), ("q25", 25), ("median", 50), ("q75", 75), ("q95", 95)):
        assert last[name] == pytest.approx(np.percentile(4.0 - losses, share))
    few = cycle_data.cycle_quantiles(cycles[cycles["cell_id"].isin(["C1", "C2", "C3"])], "capacity_ah")
    assert few["median"].isna().all()
    assert (few["cells"] == 3).all()


def test_the_cells_that_lost_most_are_named() -> None:
    cycles = cycle_data.cycles_frame(lives(21, 30))
    assert [one.cell_id for one in cycle_data.worst_cells(cycles, "capacity_ah")] == ["C20", "C19", "C18"]
    assert cycle_data.worst_cells(cycles, "capacity_ah", 1)[0].why == "81 % of its first"
    assert [one.cell_id for one in cycle_data.worst_cells(cycles, "resistance_mohm", 1)] == ["C20"]
    as_new = cycle_data.cycles_frame(lives(1, 5))
    assert cycle_data.worst_cells(as_new, "capacity_ah") == []


def test_a_cycle_that_does_not_return_its_charge_has_no_efficiency() -> None:
    given = lives(1, 4).assign(charge_in_ah=[4.0, 1e-5, 4.0, 4.0], charge_out_ah=[4.0, 4.0, 0.001, 3.9])
    frame = cycle_data.cycles_frame(given)
    assert frame["energy_efficiency_percent"].round(1).fillna(-1).tolist() == [95.0, -1.0, -1.0, 95.0]
    assert frame["capacity_ah"].isna().tolist() == [False, False, True, False]  # the cell rests


def test_resistances_after_other_times_are_not_mixed() -> None:
    given = lives(4, 3)
    given.loc[given["cell_id"] == "C3", "resistance_second"] = 60.0
    frame, second, left_out = cycle_data.comparable_resistance(cycle_data.cycles_frame(given))
    assert (second, left_out) == (10.0, 1)
    assert frame.loc[frame["cell_id"] == "C3", "resistance_mohm"].isna().all()
    assert frame.loc[frame["cell_id"] != "C3", "resistance_mohm"].notna().all()


def test_of_many_cycles_as_many_are_read_as_are_drawn(bench: Bench) -> None:
    bench.clean("LONG", record(cycles=450, samples=3600))
    with closing(queries.connect(bench.store.catalog)) as catalog:
        cycles = cycle_data.read_cycles(catalog)["cycle_count"]
        assert cycle_data.read_cycles(catalog, [3, 7])["cycle_count"].tolist() == [3, 7]
    assert (len(cycles), cycles.min(), cycles.max()) == (cycle_data.MOST_CYCLES, 1, 450)
