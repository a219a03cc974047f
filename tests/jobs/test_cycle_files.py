"""Cycles counted on over files and runs whose numbers each begin anew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.readers.read import guess_settings, read_raw
from kilocell.data.settings import CleanSettings
from kilocell.jobs.cleaning.clean import clean
from kilocell.jobs.record.cycles import summarise_cycles
from kilocell.jobs.record.join_sources import join_sources
from pairwise import pairwise
from raw_records import cleaned, cycling, findings, seen, with_values

PAUSE_SECOND = 3600.0
ROWS = len(cycling(1))


def cut(
    raw: pd.DataFrame,
    rows: Sequence[int],
    new_numbers: bool = False,
    new_clock: bool = False,
    one_file: bool = False,
    pause_second: float = 0.0,
) -> pd.DataFrame:
    """A record in files that begin at some rows.

    Args:
        new_numbers: each file's cycle numbers begin at 1.
        new_clock: each file's test time begins at zero.
        one_file: the runs are in one file.
        pause_second: between two files, by the wall clock.
    """
    parts = []
    for place, part in enumerate(np.split(np.arange(len(raw)), rows)):
        table = raw.iloc[part].copy()
        table[c.UNIX_TIME] += place * pause_second
        if new_numbers:
            table[c.CYCLE_ID] -= table[c.CYCLE_ID].iloc[0] - 1.0
        if new_clock:
            table[c.TEST_TIME] -= table[c.TEST_TIME].iloc[0]
        if not one_file:
            table[c.SOURCE_INDEX] = np.int32(place)
        parts.append(table)
    joined: pd.DataFrame = pd.concat(parts, ignore_index=True)
    return joined


@pytest.mark.parametrize(
    ("cycles", "clocks", "steps", "one_file"),
    pairwise(
        [(1, 1, 1, 3), (2, 1, 1), (1, 1), (3, 1, 2)],
        ["both", "test", "wall"],
        ["file", "none"],
        [False, True],
        # By the wall clock alone, nothing in one file shows where a run begins.
        allowed=lambda cycles, clocks, steps, one_file: not (one_file and clocks == "wall"),
    ),
)
def test_files_that_each_begin_at_cycle_1_are_counted_on(
    cycles: tuple[int, ...], clocks: str, steps: str, one_file: bool
) -> None:
    raw = cycling(sum(cycles), clocks=clocks)
    if steps == "none":
        raw[c.STEP_ID] = np.nan
    starts = ROWS * np.cumsum(cycles)[:-1]
    result = cleaned(cut(raw, starts.tolist(), True, clocks != "wall", one_file, PAUSE_SECOND))
    assert result.report.cycles_after == sum(cycles)
    np.testing.assert_array_equal(result.samples[c.CYCLE_COUNT], raw[c.CYCLE_ID])


def test_a_new_run_with_the_number_of_the_last_is_said() -> None:
    result = cleaned(cut(cycling(2), [ROWS], True, True))
    (found,) = findings(result, "cycle_jump")
    assert (found.before, found.after) == ("cycle 1 after 1, in a new run", "cycle 2")
    assert (found.source_index, found.source_row) == (1, ROWS)


def test_clocks_of_files_that_begin_anew_are_no_clocks_of_steps() -> None:
    result = cleaned(cut(cycling(5), [k * ROWS for k in range(1, 5)], True, True, pause_second=PAUSE_SECOND))
    assert "step_time" not in seen(result)
    assert [found.severity for found in findings(result, "time_restart")] == ["info"] * 4


@pytest.mark.parametrize(
    ("at", "new_clock", "steps"), pairwise([60, 200, 359, 361, 470, 600, 605, 700], [False, True], ["file", "none"])
)
def test_parts_of_one_export_with_numbers_that_go_on_are_not_counted_twice(
    at: int, new_clock: bool, steps: str
) -> None:
    raw = cycling(3)
    if steps == "none":
        raw[c.STEP_ID] = np.nan
    result = cleaned(cut(raw, [at, ROWS + at, 2 * ROWS + at], new_clock=new_clock))
    np.testing.assert_array_equal(result.samples[c.CYCLE_COUNT], raw[c.CYCLE_ID])


@pytest.mark.parametrize(("at", "new_clock"), pairwise([60, 200, 359, 361, 470, 600, 650], [False, True]))
def test_one_cycle_in_two_files_is_one_cycle(at: int, new_clock: bool) -> None:
    result = cleaned(cut(cycling(1), [at], new_clock=new_clock))
    assert result.report.cycles_after == 1


def test_a_charge_and_its_discharge_in_two_runs_make_one_cycle() -> None:
    raw = cycling(1)
    raw.loc[raw[c.STEP_ID] > 3, c.STEP_ID] -= 3.0
    result = cleaned(cut(raw, [480], True, True, pause_second=PAUSE_SECOND))
    assert result.report.cycles_after == 1


def test_a_run_that_only_rests_is_no_cycle() -> None:
    raw = cycling(2)
    result = cleaned(cut(raw, [100, ROWS, ROWS + 100], True, True, pause_second=PAUSE_SECOND))
    assert result.report.cycles_after == 2


def test_a_short_first_cycle_of_a_file_is_no_slip() -> None:
    """Four rows of cycle 1 at the beginning of a file are no wrong numbers inside cycle 2."""
    raw = cycling(4)
    cycle = raw[c.CYCLE_ID].to_numpy().copy()
    cycle[2 * ROWS :] -= 1.0
    cycle[2 * ROWS : 2 * ROWS + 4] = 1.0
    joined = cut(raw.assign(**{c.CYCLE_ID: cycle}), [2 * ROWS], new_clock=True)
    result = cleaned(joined)
    assert result.samples[c.CYCLE_COUNT].iloc[2 * ROWS + 100] > result.samples[c.CYCLE_COUNT].iloc[2 * ROWS - 1]


def test_a_schedule_with_inner_loops_that_is_cut_stays_one_cycle() -> None:
    """Step numbers that fall back within a cycle, as in pulses, do not begin a run where the clock goes on."""
    raw = cycling(1)
    pulses = with_values(raw, slice(480, 600), c.STEP_ID, 4.0)
    step = pulses[c.STEP_ID].to_numpy().copy()
    step[480:600] = np.where((np.arange(120) // 10) % 2 == 0, 4.0, 3.0)
    result = cleaned(cut(pulses.assign(**{c.STEP_ID: step}), [490, 510, 530]))
    assert result.report.cycles_after == 1


def test_three_real_files_of_one_cycle_each_are_three_cycles(shared_data: Path) -> None:
    """Arbin workbooks of CALCE, each with a cycle 1; the capacities are those of Arbin's counters."""
    pytest.importorskip("python_calamine")
    folder = shared_data / "calce_cs2_35"
    if not folder.is_dir():
        pytest.skip(f"no data in {folder}")
    paths = [folder / f"CS2_35_8_{day}_10.xlsx" for day in (19, 17, 18)]
    joined = join_sources([(path.name, read_raw(path, guess_settings(path))) for path in paths])
    assert joined.order == (1, 2, 0)
    assert [note.severity for note in joined.notes] == ["info"]
    result = clean(joined.table, "CS2_35", CleanSettings(), joined.notes)
    capacity_ah = [cycle.charge_out_ah for cycle in summarise_cycles(result.samples)]
    np.testing.assert_allclose(capacity_ah, [1.1385, 1.1377, 1.1375], atol=2e-3)
