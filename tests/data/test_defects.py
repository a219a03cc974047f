"""Planted defects: each looks like its kind, and the recorded truth is enough to undo it."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kilocell.data.rules import RULES_BY_CODE
from kilocell.data.synthetic import damage
from kilocell.data.synthetic import sample_defects as d
from kilocell.data.synthetic.cycler import UNREADABLE_TEXT, CyclerRecord, calm_rows, csv_table
from kilocell.data.synthetic.planting import MARGIN_ROWS, Defect
from undo_defects import repaired

NOMINAL_AH = 2.0
COLUMNS = [field.name for field in fields(CyclerRecord)]


def clean_record(cycles: int = 2, rest_rows: int = 160) -> CyclerRecord:
    """Cycles of rest, discharge, rest and charge, a row every 30 s; every row differs from its neighbours."""
    lengths, currents = (rest_rows, 100, rest_rows, 120), (0.0, -1.0, 0.0, 0.8)
    step = np.tile(np.repeat([1, 2, 3, 4], lengths), cycles)
    rows = len(step)
    wave = np.arange(rows)
    return CyclerRecord(
        time_ms=1_709_510_400_000 + 30_000 * wave,
        cycle=np.repeat(np.arange(1, cycles + 1), sum(lengths)),
        step=step,
        current=np.round(np.tile(np.repeat(currents, lengths), cycles) + 0.0004 * np.sin(wave), 5),
        voltage=np.round(3.7 + 0.3 * np.sin(wave / 200), 5),
        temperature=np.round(25 + 0.1 * np.sin(wave), 2),
    )


def planted(
    plan: damage.DefectPlan, seed: int = 3, record: CyclerRecord | None = None
) -> tuple[CyclerRecord, tuple[Defect, ...]]:
    return damage.damage(record or clean_record(), plan, NOMINAL_AH, np.random.default_rng(seed))


def same(one: CyclerRecord, other: CyclerRecord) -> bool:
    return all(np.allclose(getattr(one, name), getattr(other, name), rtol=0, atol=1e-9) for name in COLUMNS)


def without_cut(clean: CyclerRecord, repaired_record: CyclerRecord) -> CyclerRecord:
    kept = np.isin(clean.time_ms, repaired_record.time_ms)
    return CyclerRecord(**{name: getattr(clean, name)[kept] for name in COLUMNS})


@settings(deadline=None, max_examples=40)
@given(plan=st.sampled_from(damage.ALL_PLANS), seed=st.integers(0, 2**32))
def test_what_is_written_down_undoes_every_plan(plan: damage.DefectPlan, seed: int) -> None:
    clean = clean_record(rest_rows=160)  # too short a rest for a chamber's drift to be planted
    damaged, defects = planted(plan, seed, clean)
    mended = repaired(damaged, defects)
    assert not same_length_and_values(damaged, clean)
    assert same(mended, without_cut(clean, mended))


def same_length_and_values(one: CyclerRecord, other: CyclerRecord) -> bool:
    return len(one) == len(other) and same(one, other)


@pytest.mark.parametrize("plan", damage.SAMPLE_PLANS)
def test_a_plan_finds_room_for_all_of_its_defects(plan: damage.DefectPlan) -> None:
    _, defects = planted(plan)
    rows = {"duplicate_row", "duplicate_time", "time_order", "voltage_spike"}
    assert len(defects) == sum(length if rule in rows else 1 for rule, length in plan)


def test_every_defect_has_a_cleaning_rule_and_every_kind_is_in_a_plan() -> None:
    assert set(d.SAMPLE_PLANTS) <= set(RULES_BY_CODE)
    assert {rule for plan in damage.ALL_PLANS for rule, _ in plan} == set(d.SAMPLE_PLANTS)


def test_the_same_seed_plants_the_same_and_the_record_stays_as_it_is() -> None:
    clean, kept = clean_record(), clean_record()
    one, first = planted(damage.SAMPLE_PLANS[0], 5, clean)
    two, second = planted(damage.SAMPLE_PLANS[0], 5, clean)
    _, other = planted(damage.SAMPLE_PLANS[0], 6, clean)
    assert first == second != other
    assert all(np.array_equal(getattr(one, name), getattr(two, name), equal_nan=True) for name in COLUMNS[3:])
    assert same(clean, kept)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32))
def test_defects_keep_apart_from_each_other_and_from_edges(seed: int) -> None:
    clean = clean_record()
    _, defects = planted((("voltage_missing", 5), ("voltage_spike", 4), ("step_glitch", 3)), seed, clean)
    rows = [row for defect in defects for row in defect.rows]
    assert len(rows) == len(set(rows)) == 12
    assert calm_rows(clean, NOMINAL_AH)[rows].all()
    starts = sorted(defect.rows[0] for defect in defects)
    ends = sorted(defect.rows[-1] for defect in defects)
    assert all(start - end > MARGIN_ROWS for end, start in zip(ends[:-1], starts[1:], strict=True))


@pytest.mark.parametrize("column", ["voltage", "current", "temperature"])
def test_missing_values_are_missing_in_one_column_only(column: str) -> None:
    damaged, (defect,) = planted(((f"{column}_missing", 6),))
    assert np.flatnonzero(np.isnan(getattr(damaged, column))).tolist() == list(defect.rows)
    assert not any(np.isnan(getattr(damaged, name)).any() for name in COLUMNS[3:] if name != column)
    assert defect.before == tuple(getattr(clean_record(), column)[list(defect.rows)])


def test_current_goes_missing_where_it_flows() -> None:
    _, (defect,) = planted((("current_missing", 4),))
    assert all(abs(before) > 0.5 for before in defect.before)  # type: ignore[arg-type]


def test_a_duplicate_row_repeats_the_row_above_it() -> None:
    damaged, defects = planted((("duplicate_row", 3),))
    for defect in defects:
        (row,) = defect.rows
        assert all(getattr(damaged, name)[row] == getattr(damaged, name)[row - 1] for name in COLUMNS)


def test_a_duplicate_time_has_the_time_of_a_neighbour_and_a_voltage_far_from_it() -> None:
    damaged, defects = planted((("duplicate_time", 6),))
    for defect in defects:
        (row,) = defect.rows
        twin = row - 1 if damaged.time_ms[row - 1] == damaged.time_ms[row] else row + 1
        assert damaged.time_ms[twin] == damaged.time_ms[row]
        assert damaged.voltage[twin] == defect.before[0]
        assert 0.05 <= abs(damaged.voltage[row] - damaged.voltage[twin]) <= 0.2


def test_swapped_rows_go_back_in_time_once() -> None:
    damaged, defects = planted((("time_order", 3),))
    assert np.count_nonzero(np.diff(damaged.time_ms) < 0) == 3
    assert all(np.diff(damaged.time_ms)[defect.rows[0]] == -30_000 for defect in defects)


def test_a_spike_stands_alone_and_far_out() -> None:
    damaged, defects = planted((("voltage_spike", 4),))
    shift = np.abs(damaged.voltage - clean_record().voltage)
    assert sorted(defect.rows[0] for defect in defects) == np.flatnonzero(shift > 0).tolist()
    assert shift[shift > 0].min() >= 0.149


def test_a_lost_contact_reads_nothing_while_current_flows() -> None:
    damaged, (defect,) = planted((("lost_contact", 5),))
    rows = list(defect.rows)
    assert np.abs(damaged.current[rows]).max() < 0.01 * NOMINAL_AH
    assert damaged.voltage[rows].max() < 0.2
    assert np.abs(clean_record().current[rows]).min() > 0.5


def test_a_step_glitch_is_a_number_that_the_step_does_not_have() -> None:
    damaged, (defect,) = planted((("step_glitch", 3),))
    assert len(defect.rows) == 3
    assert damaged.step[list(defect.rows)].min() > clean_record().step.max()


def test_cycles_jump_from_the_second_on() -> None:
    damaged, (defect,) = planted((("cycle_jump", 5),))
    assert defect.to_the_end
    assert set(damaged.cycle[: defect.rows[0]]) == {1}
    assert set(damaged.cycle[defect.rows[0] :]) == {7}


def test_a_restarted_clock_repeats_an_hour_in_a_rest() -> None:
    damaged, (defect,) = planted((("time_restart", 1),))
    (row,) = defect.rows
    assert defect.to_the_end
    assert np.flatnonzero(np.diff(damaged.time_ms) < 0).tolist() == [row - 1]
    assert damaged.time_ms[row] - damaged.time_ms[row - 1] == 30_000 - d.CLOCK_LOST_MS
    assert abs(damaged.current[row]) < 0.01


def test_a_power_cut_takes_forty_minutes_of_a_rest() -> None:
    damaged, (defect,) = planted((("time_gap", 1),))
    (row,) = defect.rows
    gap_ms = damaged.time_ms[row] - damaged.time_ms[row - 1]
    assert d.POWER_CUT_MS <= gap_ms <= d.POWER_CUT_MS + 60_000
    assert damaged.step[row] == damaged.step[row - 1]
    assert np.abs(damaged.current[row - 1 : row + 1]).max() < 0.01
    assert int(str(defect.before).split()[0]) == len(clean_record()) - len(damaged)


def test_an_offset_moves_every_current_by_the_same() -> None:
    damaged, (defect,) = planted((("current_offset", 1),))
    assert np.allclose(damaged.current - clean_record().current, d.OFFSET_PER_AH * NOMINAL_AH)
    assert defect.rows == (0,)
    assert defect.to_the_end


def test_a_defect_without_room_is_left_out() -> None:
    short = clean_record(cycles=1, rest_rows=40)
    damaged, defects = planted((("time_gap", 1), ("cycle_jump", 3), ("voltage_missing", 500)), record=short)
    assert defects == ()
    assert same(damaged, short)


def test_a_chamber_drifts_around_a_long_rest_and_comes_back() -> None:
    record = clean_record(rest_rows=300)
    damaged, (defect,) = planted((("chamber_off", 1),), record=record)
    shift = damaged.temperature - record.temperature
    rows = list(defect.rows)
    assert np.allclose(shift[rows], 6.0, atol=0.01)
    assert np.abs(record.current[rows]).max() < 0.01
    assert shift[-1] == pytest.approx(0.0, abs=0.01)


def test_a_stuck_voltage_passes_charge_at_one_current() -> None:
    damaged, (defect,) = planted((("voltage_stuck", 1),))
    rows = list(defect.rows)
    assert len(set(damaged.voltage[rows])) == 1
    assert np.ptp(damaged.current[rows]) < 0.02
    assert abs(damaged.current[rows].mean()) * 30.0 * len(rows) / 3600.0 > 0.1 * NOMINAL_AH


def test_words_and_missing_times_reach_the_export() -> None:
    damaged, defects = planted((("number_unreadable", 2), ("time_missing", 3)))
    table = csv_table(damaged, "CELL").to_pydict()
    words = [row for row, text in enumerate(table["temperature_C"]) if text == UNREADABLE_TEXT]
    untimed = [row for row, text in enumerate(table["datetime"]) if text is None]
    assert sorted(words) == sorted(row for d in defects if d.rule == "number_unreadable" for row in d.rows)
    assert sorted(untimed) == sorted(row for d in defects if d.rule == "time_missing" for row in d.rows)


def test_impedance_rows_stand_in_a_rest_between_their_neighbours_times() -> None:
    damaged, (defect,) = planted((("impedance_row", 6),))
    rows = list(defect.rows)
    assert len(rows) == 6
    assert len(damaged) == len(clean_record()) + 6
    assert damaged.voltage[rows].max() < -1.0
    assert (np.diff(damaged.time_ms[rows[0] - 1 : rows[-1] + 2]) > 0).all()
    assert damaged.step[rows[0]] not in clean_record().step
