"""The sample that the package carries, its truth, and how synthetic cells are made."""

from __future__ import annotations

import csv
import json
import time
import tomllib
from pathlib import Path
from typing import Any

import kilocell.data.synthetic.generate as s
import numpy as np
import pytest
from kilocell.data.errors import UsageError
from kilocell.data.rules import RULES_BY_CODE
from kilocell.data.synthetic.cycler import CSV_COLUMNS, csv_table, write_csv
from kilocell.data.synthetic.virtual_cell import CHEMISTRIES, PARALLEL, LibraryRecord, VirtualCell, draw_perturbation

DATA = Path(s.__file__).parents[1]


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((DATA / s.TRUTH_FILE).read_text(encoding="utf-8"))
    return read


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    with (DATA / s.LONG_FILE).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def library() -> LibraryRecord:
    """The one library record that fast tests make their cells of."""
    return dict(s.solve_library({(0, 0)}, 7))[0, 0]


def defects_of(truth: dict[str, Any], rule: str) -> list[dict[str, Any]]:
    return [defect for cell in truth["cells"] for defect in cell["defects"] if defect["rule"] == rule]


def test_the_sample_is_small_and_has_its_columns(rows: list[dict[str, str]]) -> None:
    assert (DATA / s.LONG_FILE).stat().st_size < 3_000_000
    assert (DATA / s.TRUTH_FILE).stat().st_size < 200_000
    assert tuple(rows[0]) == CSV_COLUMNS
    assert list(dict.fromkeys(row["cell_id"] for row in rows)) == [f"CELL_{letter}" for letter in "ABCDE"]


def test_the_sample_has_different_cells_protocols_and_capacities(truth: dict[str, Any]) -> None:
    cells = truth["cells"]
    assert len({cell["parameter_set"] for cell in cells}) == 5
    assert len({cell["protocol"]["name"] for cell in cells}) == 5
    assert len({cell["nominal_capacity_ah"] for cell in cells}) == 5
    assert len({cell["channel"]["start_ms"] for cell in cells}) == 5
    assert {cell["true_temperature_celsius"] for cell in cells} == {15.0, 25.0}
    assert (truth["seed"], truth["layout"]) == (7, "long")


def test_the_truth_counts_the_rows_of_each_cell(truth: dict[str, Any], rows: list[dict[str, str]]) -> None:
    for cell in truth["cells"]:
        part = rows[cell["first_row"] : cell["first_row"] + cell["rows"]]
        assert {row["cell_id"] for row in part} == {cell["cell_id"]}
        inserted = [d for d in cell["defects"] if d["rule"] in ("duplicate_row", "duplicate_time")]
        lost = [int(d["before"].split()[0]) for d in cell["defects"] if d["rule"] == "time_gap"]
        assert cell["rows"] == cell["true_rows"] + len(inserted) - sum(lost)
    assert sum(cell["rows"] for cell in truth["cells"]) == len(rows)


def test_every_kind_of_defect_is_in_the_sample_and_has_a_rule(truth: dict[str, Any]) -> None:
    found = {defect["rule"] for cell in truth["cells"] for defect in cell["defects"]}
    assert found <= set(RULES_BY_CODE)
    assert found == {
        "voltage_missing", "current_missing", "temperature_missing", "duplicate_row", "duplicate_time", "time_order",
        "time_restart", "time_gap", "step_glitch", "cycle_jump", "voltage_spike", "lost_contact", "current_offset",
    }  # fmt: skip
    assert any(len(defect["rows"]) > 10 for defect in defects_of(truth, "voltage_missing"))
    assert any(len(defect["rows"]) == 1 for defect in defects_of(truth, "voltage_missing"))


@pytest.mark.parametrize(
    ("rule", "column"),
    [
        ("voltage_missing", "voltage_V"),
        ("current_missing", "current_A"),
        ("temperature_missing", "temperature_C"),
    ],
)
def test_empty_fields_are_where_the_truth_says(
    truth: dict[str, Any], rows: list[dict[str, str]], rule: str, column: str
) -> None:
    said = sorted(row for defect in defects_of(truth, rule) for row in defect["rows"])
    assert said == [number for number, row in enumerate(rows) if row[column] == ""]


def test_duplicates_are_where_the_truth_says(truth: dict[str, Any], rows: list[dict[str, str]]) -> None:
    for defect in defects_of(truth, "duplicate_row"):
        (row,) = defect["rows"]
        assert rows[row] == rows[row - 1]
    for defect in defects_of(truth, "duplicate_time"):
        (row,) = defect["rows"]
        twins = [other for other in (row - 1, row + 1) if rows[other]["datetime"] == rows[row]["datetime"]]
        assert [float(rows[twin]["voltage_V"]) for twin in twins] == defect["before"]


def test_time_goes_back_only_where_the_truth_says(truth: dict[str, Any], rows: list[dict[str, str]]) -> None:
    back = {
        number
        for number in range(1, len(rows))
        if rows[number]["cell_id"] == rows[number - 1]["cell_id"]
        and rows[number]["datetime"] < rows[number - 1]["datetime"]
    }
    swapped = {defect["rows"][1] for defect in defects_of(truth, "time_order")}
    restarted = {defect["rows"][0] for defect in defects_of(truth, "time_restart")}
    assert back == swapped | restarted


def test_collapsed_voltages_and_spikes_are_where_the_truth_says(
    truth: dict[str, Any], rows: list[dict[str, str]]
) -> None:
    collapsed = [number for number, row in enumerate(rows) if row["voltage_V"] and float(row["voltage_V"]) < 1]
    assert collapsed == defects_of(truth, "lost_contact")[0]["rows"]
    for defect in defects_of(truth, "voltage_spike"):
        (row,) = defect["rows"]
        assert abs(float(rows[row]["voltage_V"]) - defect["before"][0]) > 0.149


def test_the_offset_shows_at_rest_in_one_cell_only(truth: dict[str, Any], rows: list[dict[str, str]]) -> None:
    shown = {}
    for cell in truth["cells"]:
        part = rows[cell["first_row"] : cell["first_row"] + 40]
        shown[cell["cell_id"]] = np.mean([float(row["current_A"]) for row in part]) / cell["nominal_capacity_ah"]
    offsets = {cell_id for cell_id, offset in shown.items() if abs(offset) > 0.001}
    assert offsets == {c["cell_id"] for c in truth["cells"] if any(d["rule"] == "current_offset" for d in c["defects"])}


def test_every_record_begins_at_rest_at_its_voltage(truth: dict[str, Any], rows: list[dict[str, str]]) -> None:
    for cell in truth["cells"]:
        part = rows[cell["first_row"] : cell["first_row"] + 30]
        assert {(row["cycle"], row["step"]) for row in part} == {("1", "1")}
        mean = np.mean([float(row["voltage_V"]) for row in part])
        assert mean == pytest.approx(cell["initial_voltage_volt"], abs=1e-3)


def test_the_campaign_of_the_sample_fits_the_truth(truth: dict[str, Any]) -> None:
    campaign = tomllib.loads((DATA / "campaign.toml").read_text(encoding="utf-8"))
    assert campaign["sources"][0]["files"] == [s.LONG_FILE]
    assert set(campaign["sources"][0]["columns"]) == {
        "unix_time_second", "cycle_id", "step_id", "current_ampere", "voltage_volt", "surface_temperature_celsius",
    }  # fmt: skip
    for cell in truth["cells"]:
        said = campaign["cells"][cell["cell_id"]]
        assert said["parameter_sets"] == [cell["parameter_set"]]
        assert said["nominal_capacity_ah"] == cell["nominal_capacity_ah"]


def test_the_campaigns_fit_can_find_the_truth(truth: dict[str, Any]) -> None:
    import pybamm

    fit = tomllib.loads((DATA / "campaign.toml").read_text(encoding="utf-8"))["fit"]
    cell = next(cell for cell in truth["cells"] if [cell["cell_id"]] == fit["cells"])
    base = pybamm.ParameterValues(fit["parameter_set"])
    assert {override["parameter"] for override in cell["overrides"]} == set(fit["parameters"])
    for override in cell["overrides"]:
        low, high = fit["parameters"][override["parameter"]]["bounds"]
        assert override["kind"] == "scale"
        assert 2 * low < base[override["parameter"]] * override["value"] < high / 2
        assert not 0.75 < override["value"] < 1.35


def test_ids_are_letters_for_the_sample_and_numbers_for_more() -> None:
    assert s.cell_ids(2) == ["CELL_A", "CELL_B"]
    assert s.cell_ids(6)[:2] == ["CELL_0001", "CELL_0002"]
    assert len(set(s.cell_ids(1000))) == 1000


def test_a_library_serves_many_cells_with_few_solves() -> None:
    keys = s.library_keys(1000)
    assert len(set(keys)) == s.DRAWS * len(CHEMISTRIES)
    assert len(set(s.library_keys(5))) == 5
    assert s.library_keys(5) == keys[:5]


def test_generators_of_different_purposes_are_independent() -> None:
    drawn = {s.generator(*key).random() for key in [(7, 0, 0), (7, 0, 1), (7, 1, 0), (8, 0, 0)]}
    assert len(drawn) == 4
    assert s.generator(7, 1, 2).random() == s.generator(7, 1, 2).random()


def test_cells_of_one_library_record_differ_in_all_but_their_chemistry(library: LibraryRecord) -> None:
    one, other = (s.make_cell("x", index, 1000, library, 7) for index in (0, 20))
    assert one.nominal_capacity_ah != other.nominal_capacity_ah
    assert one.channel.start_ms != other.channel.start_ms
    assert not np.array_equal(one.record.voltage[:10], other.record.voltage[:10])
    assert one.defects != other.defects


def test_capacity_scales_the_current_and_nothing_else(library: LibraryRecord) -> None:
    cells = [s.make_cell("x", index, 1000, library, 7) for index in range(40)]
    for cell in cells:
        assert 2.5 <= cell.nominal_capacity_ah <= 10
        truth = s.cell_truth(cell, 0)
        per_ah = library.record.charge_ah(1.0)
        assert truth["true_charge_in_ah"] == pytest.approx(per_ah[0] * cell.nominal_capacity_ah, abs=1e-4)
        assert truth["true_charge_out_ah"] == pytest.approx(per_ah[1] * cell.nominal_capacity_ah, abs=1e-4)
        if {defect.rule for defect in cell.defects} & {"current_spike", "current_sign"}:
            continue
        assert np.nanmin(cell.record.current) == pytest.approx(-cell.nominal_capacity_ah, rel=0.01)


def test_rows_in_the_truth_count_from_the_cells_first(library: LibraryRecord) -> None:
    cell = s.make_cell("x", 0, 5, library, 7)
    near, far = s.cell_truth(cell, 0), s.cell_truth(cell, 1000)
    assert [[row + 1000 for row in defect["rows"]] for defect in near["defects"]] == [
        defect["rows"] for defect in far["defects"]
    ]


def test_more_cells_are_made_fast(library: LibraryRecord, tmp_path: Path) -> None:
    started = time.process_time()
    for index in range(30):
        cell = s.make_cell(f"c{index}", index, 1000, library, 7)
        write_csv(tmp_path / f"c{index}.csv", [csv_table(cell.record, cell.cell_id)])
        s.cell_truth(cell, 0)
    assert (time.process_time() - started) / 30 < 0.5  # 10 ms on an idle machine


def test_fewer_than_one_cell_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        s.synthesize(tmp_path / "none", cells=0)
    assert not (tmp_path / "none").exists()


def test_files_layout_writes_one_file_a_cell_and_counts_rows_in_each(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    paths = s.synthesize(
        tmp_path, cells=1, seed=3, layout="files", progress=lambda done, all_: steps.append((done, all_))
    )
    assert [path.name for path in paths] == ["CELL_A.csv", "ground_truth.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["CELL_A.csv", "ground_truth.json"]
    (cell,) = json.loads(paths[-1].read_text())["cells"]
    assert cell["first_row"] == 0
    assert cell["rows"] == len(paths[0].read_text().splitlines()) - 1
    assert steps == [(1, 2), (2, 2)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", range(5), ids=[chemistry.base for chemistry in CHEMISTRIES])
def test_a_dfn_with_the_true_parameters_gives_the_true_voltage(kind: int, truth: dict[str, Any]) -> None:
    """The truth is enough: PyBaMM's own set with the overrides, under the true current, gives the voltage back."""
    import pybamm

    cell = truth["cells"][kind]
    record = (
        VirtualCell(CHEMISTRIES[kind]).solve(*draw_perturbation(CHEMISTRIES[kind], s.generator(7, 0, kind, 0))).record
    )
    values = pybamm.ParameterValues(cell["parameter_set"])
    kelvin = 273.15 + cell["true_temperature_celsius"]
    values.update({"Ambient temperature [K]": kelvin, "Initial temperature [K]": kelvin})
    for override in cell["overrides"]:
        values[override["parameter"]] = overridden(values[override["parameter"]], override)
    values.set_initial_state(cell["initial_soc"])
    values[PARALLEL] *= cell["nominal_capacity_ah"] / values["Nominal cell capacity [A.h]"]
    current = -record.rate * cell["nominal_capacity_ah"]
    values["Current function [A]"] = pybamm.Interpolant(record.time_second, current, pybamm.t)
    model = pybamm.lithium_ion.DFN(cell["model_options"])
    model.events = []
    solver = pybamm.IDAKLUSolver(rtol=1e-6, atol=1e-6, output_variables=["Voltage [V]"])
    # Stopping at every edge of the current, and often in between where it changes slowly.
    jumps = np.flatnonzero(np.abs(np.diff(record.rate)) > 0.005)
    stops = np.unique(np.concatenate([[0], jumps, jumps + 1, np.arange(0, len(current), 20), [len(current) - 1]]))
    simulation = pybamm.Simulation(model, parameter_values=values, solver=solver)
    solution = simulation.solve(t_eval=record.time_second[stops], t_interp=record.time_second)
    error_volt = solution["Voltage [V]"](record.time_second) - record.voltage
    assert np.sqrt(np.mean(error_volt**2)) < 0.0015
    assert np.abs(error_volt).max() < 0.05


def overridden(value: Any, override: dict[str, Any]) -> Any:
    number = override["value"]
    if override["kind"] == "value":
        return number
    return (lambda *arguments: value(*arguments) * number) if callable(value) else value * number
