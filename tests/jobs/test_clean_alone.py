"""Each rule alone does nothing to a good record, and cleaning what was cleaned changes nothing."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pytest
from judge import write_long
from kilocell.data import columns as c
from kilocell.data.readers.read import guess_settings, read_raw
from kilocell.data.settings import CleanSettings
from kilocell.jobs.cleaning.clean import (
    CAPACITY_RULES,
    CHARGE_RULES,
    INDEX_AND_SIGNAL_RULES,
    TIME_RULES,
    CleaningRule,
    clean,
)
from kilocell.jobs.record.charge import capacity_scale_ah
from kilocell.jobs.record.table import Table
from raw_records import file_rows, raw_table
from real_records import Truth, true_records
from seeded_defects import damaged
from test_clean import assert_idempotent, raw_again

RULES: Final = (*TIME_RULES, *INDEX_AND_SIGNAL_RULES, *CHARGE_RULES, *CAPACITY_RULES)
OWN_NATURE: Final = {"step_renumbered", "cycle_jump", "no_discharge", "time_resolution", "current_sign"}
"""Findings that may be true of a good record: its numbers, its content, its clock."""


UNCERTAIN: Final = {"p492-13-raw", "takehome CELL_C"}
"""Records that leave more than 0.5 % of their charge open without step time and counters."""


@lru_cache(maxsize=1)
def records(shared_data: Path) -> list[Truth]:
    return list(true_records(shared_data))


def as_raw(truth: Truth) -> pd.DataFrame:
    """A good record as a reader returns it."""
    rows = truth.rows
    return raw_table(**{
        c.UNIX_TIME: rows["time_ms"] / 1000.0,
        c.TEST_TIME: rows["test_ms"] / 1000.0,
        c.CYCLE_ID: rows["cycle"].astype(float),
        c.STEP_ID: rows["step"].astype(float),
        c.CURRENT: rows["current_A"],
        c.VOLTAGE: rows["voltage_V"],
        c.SURFACE_TEMPERATURE: rows["temperature_C"],
    })  # fmt: skip


@lru_cache(maxsize=1)
def cleaned_records(shared_data: Path) -> list[tuple[str, pd.DataFrame, CleanSettings]]:
    """Good records after cleaning, as the rules see a record between them, with the settings that clean() gives."""
    frames = []
    for truth in records(shared_data):
        samples = clean(as_raw(truth), truth.name, CleanSettings()).samples
        frame = raw_again(samples).assign(**{
            c.FLAGS: np.zeros(len(samples), dtype=np.int64),
            c.CYCLE_COUNT: samples[c.CYCLE_COUNT].to_numpy(dtype=np.float64),
            c.STEP_COUNT: samples[c.STEP_COUNT].to_numpy(dtype=np.int64),
        })  # fmt: skip
        scale = capacity_scale_ah(samples[c.TEST_TIME].to_numpy(), samples[c.CURRENT].to_numpy())
        frames.append((truth.name, frame, CleanSettings(nominal_capacity_ah=scale)))
    return frames


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_rule_alone_leaves_clean_records_byte_identical(rule: CleaningRule, shared_data: Path) -> None:
    for name, frame, settings in cleaned_records(shared_data):
        outcome = rule(Table.from_frame(frame), settings)
        after = outcome.frame.to_frame()
        assert len(outcome.taken) == 0, name
        own = [event for event in outcome.events if event.rule not in OWN_NATURE and event.severity != "info"]
        assert not own, (name, own[:3])
        kept = [column for column in frame if column not in (c.CYCLE_COUNT, c.STEP_COUNT)]
        pd.testing.assert_frame_equal(after[kept], frame[kept], check_exact=True, obj=name)
        for column in (c.CYCLE_COUNT, c.STEP_COUNT):
            np.testing.assert_array_equal(after[column], frame[column], err_msg=f"{name} {column}")


def test_good_records_keep_every_value(shared_data: Path) -> None:
    for truth in records(shared_data):
        result = clean(as_raw(truth), truth.name, CleanSettings())
        samples = file_rows(result.samples)
        assert len(samples) == len(truth.rows), truth.name
        found = {finding.rule for finding in result.report.findings} - {"duplicate_row", "chamber_off", "step_edge"}
        # Here these records have neither step time nor counters, and some had every so many-th row taken.
        assert not found - OWN_NATURE - {"charge_uncertain"}, truth.name
        assert ("charge_uncertain" in found) == (truth.name in UNCERTAIN), truth.name
        columns = {c.VOLTAGE: "voltage_V", c.CURRENT: "current_A", c.SURFACE_TEMPERATURE: "temperature_C"}
        for column, name in columns.items():
            np.testing.assert_array_equal(samples[column], truth.rows[name], err_msg=f"{truth.name} {column}")
        np.testing.assert_array_equal(samples[c.STEP_COUNT], truth.steps, err_msg=truth.name)


@pytest.mark.parametrize("seed", [3, pytest.param(4, marks=pytest.mark.slow)])
def test_cleaning_a_cleaned_record_with_real_defects_changes_nothing(
    seed: int, shared_data: Path, tmp_path: Path
) -> None:
    path = tmp_path / "raw_cycling_data.csv"
    benches = {truth.name: damaged(truth, seed) for truth in records(shared_data)}
    write_long(path, benches)
    settings = guess_settings(path)
    for name in benches:
        result = clean(read_raw(path, settings, name), name, CleanSettings())
        try:
            assert_idempotent(result, CleanSettings())
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from None
