"""Cleaning judged by real records: seeded defects with a key, and good records that must pass as they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.readers.read import guess_settings, read_raw
from kilocell.data.rules import flag_bit
from kilocell.data.settings import CleanSettings
from kilocell.jobs.cleaning.clean import Cleaned, clean
from raw_records import file_rows

CELLS = pytest.mark.parametrize("cell", ["CELL_A", "CELL_B", "CELL_C", "CELL_D", "CELL_E"])


class Judged:
    """One cell of the file with seeded defects: cleaned, its key, and the true row of each sample."""

    def __init__(self, folder: Path, cell: str) -> None:
        path = folder / "raw_cycling_data.csv"
        self.result: Cleaned = clean(read_raw(path, guess_settings(path), cell), cell, CleanSettings())
        self.key: dict[str, Any] = json.loads((folder / "answer_key.json").read_text())[cell]
        truth = pd.read_parquet(folder / "answer_key_truth.parquet")
        self.truth = truth[truth["cell_id"] == cell].set_index("row_id")
        self.row_ids = pd.read_parquet(folder / "answer_key_row_ids.parquet")["row_id"].to_numpy()
        self.samples = file_rows(self.result.samples)
        self.true_rows = self.row_ids[self.samples[c.SOURCE_ROW]]
        self.true = self.truth.loc[self.true_rows]
        self.flags = self.samples[c.FLAGS].to_numpy()

    def touched(self, rule: str) -> set[int]:
        """True rows that carry a rule's flag or were quarantined by it."""
        out = self.result.quarantined
        quarantined = self.row_ids[out.loc[out["rule"] == rule, c.SOURCE_ROW]]
        return set(self.true_rows[(self.flags & flag_bit(rule)) != 0]) | set(quarantined)


@pytest.fixture(scope="module")
def judged(shared_data: Path) -> dict[str, Judged]:
    names = ("CELL_A", "CELL_B", "CELL_C", "CELL_D", "CELL_E")
    return {cell: Judged(shared_data / "takehome_like", cell) for cell in names}


def rows_of(runs: list[list[int]]) -> set[int]:
    return {first + k for first, length in runs for k in range(length)}


@CELLS
def test_true_cycles_steps_and_charge(judged: dict[str, Judged], cell: str) -> None:
    case = judged[cell]
    report, key = case.result.report, case.key
    assert (report.cycles_after, report.steps_after) == (key["true_cycles"], key["true_steps"])
    assert report.charge_in_after_ah == pytest.approx(key["Ah_charge"], rel=1e-3)
    assert report.charge_out_after_ah == pytest.approx(-key["Ah_discharge"], rel=1e-3)
    true_step = 1 + (case.truth[["cycle", "step"]].diff().abs().sum(axis=1) > 0).cumsum()
    np.testing.assert_array_equal(case.samples[c.STEP_COUNT], true_step.loc[case.true_rows])
    np.testing.assert_array_equal(case.samples[c.CYCLE_COUNT], case.true["cycle"])


@CELLS
def test_undamaged_samples_are_untouched(judged: dict[str, Judged], cell: str) -> None:
    case = judged[cell]
    assert set(case.true_rows) == set(case.truth.index)
    same_time = np.diff(np.round(case.truth["test_time_s"], 3)) == 0.0
    resolution = 0.003 if same_time.any() else 1e-5  # rows at one millisecond are set apart
    begin = case.truth["test_time_s"].iloc[0]
    np.testing.assert_allclose(case.samples[c.TEST_TIME], case.true["test_time_s"] - begin, atol=resolution)
    good = (case.flags & ~(flag_bit("time_resolution") | flag_bit("time_order") | flag_bit("step_glitch"))) == 0
    np.testing.assert_allclose(case.samples[c.VOLTAGE][good], case.true["voltage_V"][good], atol=6e-6)
    np.testing.assert_allclose(case.samples[c.CURRENT][good], case.true["current_A"][good], atol=6e-6)
    filled = np.isfinite(case.samples[c.VOLTAGE].to_numpy())
    np.testing.assert_allclose(case.samples[c.VOLTAGE][filled], case.true["voltage_V"][filled], atol=0.003)


@CELLS
def test_each_class_of_defects_is_found_and_nothing_else(judged: dict[str, Judged], cell: str) -> None:
    case = judged[cell]
    key = case.key
    seeded = {
        "current_missing": set(key["current_nan"]),
        "voltage_spike": set(key["voltage_spikes"]),
        "step_glitch": rows_of(key["step_glitches"]),
        "voltage_missing": rows_of(key["voltage_nan_runs"]) | set(key["voltage_nan_isolated_or_adjacent"]),
    }
    for rule, rows in seeded.items():
        assert case.touched(rule) <= rows, rule
    assert case.touched("voltage_spike") == seeded["voltage_spike"]
    assert case.touched("step_glitch") == seeded["step_glitch"]
    assert case.touched("current_missing") == seeded["current_missing"]
    assert case.touched("voltage_missing") == seeded["voltage_missing"]
    versions = case.touched("duplicate_time")
    twins = set(key["exact_duplicate_rows"]) | set(key["same_timestamp_other_value"])
    assert versions | case.touched("duplicate_row") <= twins
    # A second version of a row whose voltage is missing in both is an exact copy.
    both_missing = set(key["same_timestamp_other_value"]) & seeded["voltage_missing"]
    assert versions == set(key["same_timestamp_other_value"]) - both_missing
    swapped = {row + k for row in key["swapped_neighbour_rows_at_row_id"] for k in (0, 1)}
    assert case.touched("time_order") <= swapped
    assert not case.touched("time_gap") | case.touched("lost_contact") | case.touched("current_spike")


def test_rare_classes(judged: dict[str, Judged]) -> None:
    assert judged["CELL_B"].touched("time_restart") == {judged["CELL_B"].key["test_time_resets_at_row"]}
    (jump,) = judged["CELL_C"].touched("cycle_jump")
    assert judged["CELL_C"].truth["cycle"][jump] == judged["CELL_C"].key["cycle_jump"]["from_true_cycle"]
    assert judged["CELL_D"].samples[c.TEST_TIME].iloc[-1] == pytest.approx(125618.21, abs=0.01)


STEPS_AND_CYCLES = {"Cell781_0p1C_0degC": (4, 2), "Cell796_2C_25degC": (5, 1)}
"""Of the records that are not two cycles of nine steps: one was aborted, one is a single discharge."""


UNCERTAIN = {"Cell781_0p1C_0degC"}
"""An aborted test: 5e-6 A.h flowed, at one edge, and its counter does not show so little."""


def test_records_of_a_good_cycler_pass_as_they_are(shared_data: Path) -> None:
    paths = sorted((shared_data / "lgm50_digatron").glob("*/*.csv"))
    assert len(paths) == 17
    for path in paths:
        raw = read_raw(path, guess_settings(path))
        result = clean(raw, path.stem, CleanSettings())
        samples = file_rows(result.samples)
        # The cycler writes a step's last row twice; one of them is enough. Its markers are no samples.
        assert set(result.quarantined["rule"]) == {"duplicate_row", "marker_row"}, path.stem
        assert set(result.quarantined[c.STATE][result.quarantined["rule"] == "marker_row"]) <= {"RANGE", "STO"}
        kept = raw.iloc[samples[c.SOURCE_ROW]].reset_index(drop=True)
        for column in (c.VOLTAGE, c.CURRENT, c.SURFACE_TEMPERATURE):
            np.testing.assert_array_equal(samples[column], kept[column], err_msg=f"{path.stem} {column}")
        found = {finding.rule for finding in result.report.findings}
        if path.stem in UNCERTAIN:
            found.remove("charge_uncertain")
        assert found <= {
            "duplicate_row", "marker_row", "time_resolution", "cycle_jump", "step_renumbered", "no_discharge",
            "step_edge",
        }, path.stem  # fmt: skip
        counts = (result.report.steps_after, result.report.cycles_after)
        assert counts == STEPS_AND_CYCLES.get(path.stem, (9, 2)), path.stem
        assert result.report.charge_out_after_ah == pytest.approx(
            result.report.charge_out_before_ah, rel=1e-4, abs=1e-6
        )


@pytest.mark.parametrize(
    "name",
    [
        "arbin_a123/arbin_example.csv",
        "neware_melasta/star-2/raw_data_output_from_cycler.csv",
        "formats_cellpy/data/neware_uio.csv",
        "formats_pyprobe/novonix/sample_data_novonix.csv",
    ],
)
def test_records_of_other_cyclers_keep_every_value(shared_data: Path, name: str) -> None:
    raw = read_raw(shared_data / name, guess_settings(shared_data / name))
    result = clean(raw, "CELL", CleanSettings())
    samples = file_rows(result.samples)
    np.testing.assert_array_equal(samples[c.VOLTAGE], raw[c.VOLTAGE])
    np.testing.assert_array_equal(np.abs(samples[c.CURRENT]), np.abs(raw[c.CURRENT]))
