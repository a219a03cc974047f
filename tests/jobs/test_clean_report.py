"""The balance of cleaning: nothing is lost between before and after, and each change has its rule."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.rules import RULES, flag_bit
from kilocell.data.settings import CleanSettings
from kilocell.jobs.cleaning.clean import Cleaned, clean
from kilocell.jobs.record.cycles import summarise_cycles
from raw_records import cleaned, cycling, reordered, with_values

RAW = cycling(2, noise_volt=0.0005)
N = len(RAW)


def damaged() -> pd.DataFrame:
    """A record with a hole in its current, a copied row, two rows swapped, a spike and a restarted clock."""
    raw = with_values(RAW, slice(140, 144), c.CURRENT, np.nan)
    raw = with_values(raw, 300, c.VOLTAGE, 9.9999)
    raw = with_values(raw, slice(500, None), c.TEST_TIME, raw[c.TEST_TIME][500:] - 4990.0)
    return reordered(raw, [*range(80), 81, 80, *range(82, 200), 199, *range(200, N)])


def assert_balanced(result: Cleaned) -> None:
    report = result.report
    assert report.rows_in == report.rows_kept + report.rows_quarantined
    counted = Counter({(count.rule, count.source_index): count.rows for count in report.quarantined})
    held = Counter(zip(result.quarantined["rule"], result.quarantined[c.SOURCE_INDEX], strict=True))
    assert counted == held
    assert sum(counted.values()) == report.rows_quarantined
    flags = result.samples[c.FLAGS].to_numpy()
    assert {count.rule: count.samples for count in report.flagged} == {
        rule.code: int((flags & flag_bit(rule.code) != 0).sum())
        for rule in RULES
        if (flags & flag_bit(rule.code)).any()
        or rule.code in {*result.quarantined["rule"], *(finding.rule for finding in report.findings)}
    }
    for before, after, changes in (
        (report.charge_in_before_ah, report.charge_in_after_ah, [x.charge_in_ah for x in report.charge_changes]),
        (report.charge_out_before_ah, report.charge_out_after_ah, [x.charge_out_ah for x in report.charge_changes]),
    ):
        assert before + sum(changes) == pytest.approx(after, abs=1e-8)


def test_a_clean_record_has_the_same_charge_and_energy_before_and_after() -> None:
    report = cleaned(RAW).report
    assert report.charge_changes == ()
    assert report.quarantined == ()
    assert report.energy_in_before_wh == report.energy_in_after_wh
    assert report.energy_out_before_wh == report.energy_out_after_wh
    assert report.energy_in_after_wh is not None
    assert report.energy_in_after_wh / report.charge_in_after_ah == pytest.approx(RAW[c.VOLTAGE].mean(), abs=0.2)


def test_the_energy_of_the_cycles_adds_up_to_the_report() -> None:
    result = cleaned(damaged())
    cycles = summarise_cycles(result.samples)
    assert sum(cycle.energy_in_wh for cycle in cycles) == pytest.approx(result.report.energy_in_after_wh)
    assert sum(cycle.energy_out_wh for cycle in cycles) == pytest.approx(result.report.energy_out_after_wh)


def test_energy_after_cleaning_is_that_of_the_undamaged_record() -> None:
    truth, report = cleaned(RAW).report, cleaned(damaged()).report
    assert report.energy_in_after_wh == pytest.approx(truth.energy_in_after_wh, rel=1e-3)
    assert report.energy_out_after_wh == pytest.approx(truth.energy_out_after_wh, rel=1e-3)
    assert report.energy_in_before_wh != pytest.approx(truth.energy_in_after_wh, rel=1e-3)


def test_each_change_of_charge_has_its_rule() -> None:
    result = cleaned(damaged())
    assert_balanced(result)
    changed = {change.rule: change for change in result.report.charge_changes}
    assert set(changed) == {"current_missing", "time_restart"}
    at, lost = RAW[c.CURRENT][140], 1 + int(damaged()[c.CURRENT].isna().sum())
    assert changed["current_missing"].charge_in_ah == pytest.approx(at * lost * 10.0 / 3600.0, rel=1e-3)
    assert [(count.rule, count.rows) for count in result.report.quarantined] == [("duplicate_row", 1)]


def test_the_charge_of_a_power_cut_is_told_as_lost() -> None:
    raw = reordered(RAW, [*range(40), *range(120, N)])
    result = cleaned(raw)
    assert_balanced(result)
    assert [change.rule for change in result.report.charge_changes] == ["time_gap"]


def test_a_real_file_balances(shared_data: Path) -> None:
    from kilocell.data.readers import read as readers

    path = shared_data / "takehome_like" / "raw_cycling_data.csv"
    settings = readers.guess_settings(path)
    for cell_id, raw in readers.read_by_cell(path, settings):
        result = clean(raw, cell_id, CleanSettings(current_sign="charge_positive"))
        assert_balanced(result)
        assert any(change.rule == "current_missing" for change in result.report.charge_changes)
