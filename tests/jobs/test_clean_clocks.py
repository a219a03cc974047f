"""Cleaning rules about clocks and numbers, judged by good records of real cyclers that are damaged here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.readers.read import guess_settings, read_raw
from kilocell.data.rules import flag_bit
from kilocell.data.settings import CleanSettings
from kilocell.jobs.cleaning.clean import Cleaned, clean
from numpy.typing import NDArray
from raw_records import file_rows, findings, raw_table, seen
from test_clean import assert_idempotent

FILES = {
    "lgm50": "lgm50_digatron/25degC/Cell785_0p5C_25degC.csv",
    "arbin": "arbin_a123/arbin_example.csv",
    "melasta": "neware_melasta/star-2/raw_data_output_from_cycler.csv",
    "half_cell": "formats_cellpy/data/neware_uio.csv",
}
NAMES = (*FILES, "calce")
RECORDS = pytest.mark.parametrize("name", NAMES)
COUNTED = pytest.mark.parametrize("name", ["arbin", "melasta", "half_cell"])
SECONDS = {"ms": 1e3, "min": 1.0 / 60.0, "h": 1.0 / 3600.0}
PAUSED = {"wall_clock"}  # what the cycler of one record really did


class Case:
    """A good record, and the result of cleaning it undamaged."""

    def __init__(self, raw: pd.DataFrame) -> None:
        self.raw = raw
        self.good = clean(raw, "CELL", CleanSettings())
        self.rows = len(raw)
        self.test, self.wall = (raw[name].to_numpy(dtype=np.float64) for name in (c.TEST_TIME, c.UNIX_TIME))

    def judge(self, damaged: pd.DataFrame, second: float, share: float = 1e-3) -> Cleaned:
        """Clean a damaged record, and check rows, times within so many s, and charge within a share."""
        result = clean(damaged.reset_index(drop=True), "CELL", CleanSettings())
        true = file_rows(self.good.samples).set_index(c.SOURCE_ROW)[c.TEST_TIME]
        mine = file_rows(result.samples).set_index(c.SOURCE_ROW)[c.TEST_TIME]
        assert set(mine.index) <= set(true.index)
        np.testing.assert_allclose(mine, true.loc[mine.index], rtol=0.0, atol=second)
        for field in ("charge_in_after_ah", "charge_out_after_ah"):
            assert getattr(result.report, field) == pytest.approx(getattr(self.good.report, field), rel=share, abs=1e-6)
        return result

    def new(self, result: Cleaned) -> set[str]:
        """The rules that found anything beyond what they find in the good record."""
        return seen(result) - seen(self.good)


@pytest.fixture(scope="module")
def cases(shared_data: Path) -> dict[str, Case]:
    cases = {
        name: Case(read_raw(shared_data / path, guess_settings(shared_data / path))) for name, path in FILES.items()
    }
    truth = pd.read_parquet(shared_data / "takehome_like" / "answer_key_truth.parquet")
    truth = truth[truth["cell_id"] == "CELL_C"]
    time = truth["test_time_s"].to_numpy()
    columns = {c.CYCLE_ID: "cycle", c.STEP_ID: "step", c.CURRENT: "current_A", c.VOLTAGE: "voltage_V"}
    signals = {ours: truth[theirs].to_numpy(dtype=np.float64) for ours, theirs in columns.items()}
    cases["calce"] = Case(raw_table(**{c.TEST_TIME: time, c.UNIX_TIME: 1.28e9 + time, **signals}))
    return cases


def without(raw: pd.DataFrame, *columns: str) -> pd.DataFrame:
    return raw.assign(**dict.fromkeys(columns, np.nan))


def taken(raw: pd.DataFrame, rows: NDArray[np.int64]) -> pd.DataFrame:
    """Some of the rows, or all in another order, each with the number that it has in the good file."""
    frame: pd.DataFrame = raw.take(rows.tolist())
    return frame.reset_index(drop=True)


def wall_of(result: Cleaned) -> np.ndarray:
    return file_rows(result.samples)[c.UNIX_TIME].to_numpy(dtype=np.float64)


@RECORDS
def test_good_records_have_none_of_it(cases: dict[str, Case], name: str) -> None:
    case = cases[name]
    found = {"time_scale", "wall_clock", "step_time", "time_restart", "time_order", "time_gap"} & seen(case.good)
    assert found <= (PAUSED if name == "melasta" else set())
    kept = case.raw.iloc[file_rows(case.good.samples)[c.SOURCE_ROW]]
    np.testing.assert_array_equal(wall_of(case.good), kept[c.UNIX_TIME])
    flags = case.good.samples[c.FLAGS].to_numpy()
    for rule in ("time_scale", "wall_clock", "step_time", "time_restart"):
        assert not (flags & flag_bit(rule)).any()


@RECORDS
@pytest.mark.parametrize("unit", list(SECONDS))
def test_another_unit_is_told_by_the_wall_clock(cases: dict[str, Case], name: str, unit: str) -> None:
    case = cases[name]
    result = case.judge(case.raw.assign(**{c.TEST_TIME: case.test * SECONDS[unit]}), 1e-3)
    (found,) = findings(result, "time_scale")
    assert (found.before, found.after) == (f"test time in {unit}", "in s, by the wall clock")
    rows = file_rows(result.samples)
    assert found.rows >= len(rows)
    assert case.new(result) == {"time_scale"}
    assert (rows[c.FLAGS].to_numpy() & flag_bit("time_scale") != 0).all()
    assert_idempotent(result, CleanSettings())


@COUNTED
@pytest.mark.parametrize("unit", list(SECONDS))
def test_another_unit_is_told_by_the_counters(cases: dict[str, Case], name: str, unit: str) -> None:
    case = cases[name]
    raw = without(case.raw, c.UNIX_TIME).assign(**{c.TEST_TIME: case.test * SECONDS[unit]})
    (found,) = findings(case.judge(raw, 1e-3), "time_scale")
    assert (found.before, found.after) == (f"test time in {unit}", "in s, by the charge counters")


EVIDENCE = (c.UNIX_TIME, c.CHARGING_CAPACITY, c.DISCHARGING_CAPACITY, c.STEP_TIME, c.STEP_CAPACITY, c.NET_CAPACITY)


@pytest.mark.parametrize(("name", "unit", "told"), [("lgm50", "ms", True), ("melasta", "h", True),
                                                    ("lgm50", "h", True), ("lgm50", "min", False)])  # fmt: skip
def test_without_evidence_an_impossible_time_is_uncertain_and_left(
    cases: dict[str, Case], name: str, unit: str, told: bool
) -> None:
    # That the time cannot be in s does not say in which unit it is: it was converted here before.
    raw = without(cases[name].raw, *EVIDENCE)
    scaled = raw.assign(**{c.TEST_TIME: cases[name].test * SECONDS[unit]})
    result = clean(scaled, "CELL", CleanSettings())
    assert findings(result, "time_scale") == []
    assert [(f.action, f.severity) for f in findings(result, "time_uncertain")] == [("left", "warning")] * told
    span = float(np.ptp(scaled[c.TEST_TIME]))
    assert float(np.ptp(result.samples[c.TEST_TIME])) == pytest.approx(span, rel=1e-3)


INVERSES = {"units of 1000 s": 1e-3, "units of 1/60 s": 60.0, "units of 1/3600 s": 3600.0}


@pytest.mark.parametrize("unit", [*SECONDS, *INVERSES])
@pytest.mark.parametrize(
    ("name", "kept", "evidence"),
    [
        ("half_cell", (), "by the wall clock"),
        ("half_cell", (c.CHARGING_CAPACITY, c.DISCHARGING_CAPACITY), "by the charge counters"),
        ("half_cell", (c.STEP_CAPACITY,), "by the charge counters"),
        ("lgm50", (c.NET_CAPACITY,), "by the charge counters"),
    ],
)
def test_every_unit_and_its_inverse_is_told_by_each_evidence(
    cases: dict[str, Case], name: str, kept: tuple[str, ...], evidence: str, unit: str
) -> None:
    case = cases[name]
    raw = case.raw if evidence == "by the wall clock" else without(case.raw, *(set(EVIDENCE) - set(kept)))
    factor = (SECONDS | INVERSES)[unit]
    (found,) = findings(case.judge(raw.assign(**{c.TEST_TIME: case.test * factor}), 1e-3), "time_scale")
    assert (found.before, found.after) == (f"test time in {unit}", f"in s, {evidence}")


@pytest.mark.parametrize("unit", ["h", "units of 1000 s", "ms", "units of 1/3600 s"])
def test_the_time_within_steps_tells_an_impossible_unit(cases: dict[str, Case], unit: str) -> None:
    case = cases["lgm50"]
    raw = without(case.raw, *(set(EVIDENCE) - {c.STEP_TIME}))
    result = case.judge(raw.assign(**{c.TEST_TIME: case.test * (SECONDS | INVERSES)[unit]}), 0.1)
    (found,) = findings(result, "time_scale")
    assert (found.before, found.after) == (f"test time in {unit}", "in s, by the step time")


def test_a_test_time_and_a_step_time_that_may_both_be_right_are_uncertain(cases: dict[str, Case]) -> None:
    case = cases["lgm50"]
    raw = without(case.raw, *(set(EVIDENCE) - {c.STEP_TIME})).assign(**{c.TEST_TIME: case.test / 60.0})
    result = clean(raw, "CELL", CleanSettings())
    assert findings(result, "time_scale") == []
    assert [found.action for found in findings(result, "time_uncertain")] == ["left"]


def test_a_step_time_in_another_unit_than_the_test_time_is_converted(cases: dict[str, Case]) -> None:
    case = cases["melasta"]
    raw = case.raw.assign(**{c.STEP_TIME: case.raw[c.STEP_TIME] / 60.0})
    (found,) = findings(case.judge(raw, 1e-9), "time_scale")
    assert (found.before, found.after) == ("step time in min", "in s, by the test time")


def test_a_wall_clock_in_ms_is_converted(cases: dict[str, Case]) -> None:
    case = cases["arbin"]
    result = case.judge(case.raw.assign(**{c.UNIX_TIME: 1e3 * case.wall}), 1e-9)
    np.testing.assert_allclose(wall_of(result), wall_of(case.good), rtol=0.0, atol=1e-5)
    assert case.new(result) == {"time_scale"}


def test_a_current_in_ma_is_no_time_in_ms(cases: dict[str, Case]) -> None:
    raw = without(cases["arbin"].raw, c.UNIX_TIME)
    result = clean(raw.assign(**{c.CURRENT: 1e3 * raw[c.CURRENT]}), "CELL", CleanSettings())
    assert "time_scale" not in seen(result)


JUMPS = [(-3600.0, "daylight saving"), (3600.0, "daylight saving"), (-3601.4, "daylight saving"),
         (7200.0, "time zone"), (-19800.0, "time zone"), (-437.0, "clock set back")]  # fmt: skip


@RECORDS
@pytest.mark.parametrize(("jump", "kind"), JUMPS)
def test_a_wall_clock_that_jumps_is_corrected(cases: dict[str, Case], name: str, jump: float, kind: str) -> None:
    case = cases[name]
    at = case.rows // 3
    result = case.judge(
        case.raw.assign(**{c.UNIX_TIME: np.where(np.arange(case.rows) >= at, case.wall + jump, case.wall)}), 1e-9
    )
    told = [found for found in findings(result, "wall_clock") if found.action == "corrected"]
    assert [(found.source_row, found.after) for found in told] == [(at, kind)]
    np.testing.assert_allclose(wall_of(result), wall_of(case.good), rtol=0.0, atol=1.5)
    assert (np.diff(wall_of(result)) >= 0.0).all()
    touched = np.flatnonzero(result.samples[c.FLAGS].to_numpy() & flag_bit("wall_clock"))
    assert set(result.samples[c.SOURCE_ROW][touched]) == {row for row in result.samples[c.SOURCE_ROW] if row >= at}
    assert_idempotent(result, CleanSettings())


def test_a_wall_clock_that_jumps_ahead_may_be_a_pause_and_stays(cases: dict[str, Case]) -> None:
    case = cases["lgm50"]
    ahead = np.where(np.arange(case.rows) >= 500, case.wall + 437.0, case.wall)
    result = case.judge(case.raw.assign(**{c.UNIX_TIME: ahead}), 1e-9)
    (found,) = findings(result, "wall_clock")
    assert (found.action, found.severity, found.source_row) == ("left", "info", 500)
    np.testing.assert_array_equal(wall_of(result), ahead[file_rows(result.samples)[c.SOURCE_ROW]])


@pytest.mark.parametrize("name", ["lgm50", "half_cell", "calce", "melasta"])
@pytest.mark.parametrize("drift", [1e-3, -5e-4])
def test_a_drift_is_told_and_left(cases: dict[str, Case], name: str, drift: float) -> None:
    case = cases[name]
    raw = case.raw.assign(**{c.UNIX_TIME: case.wall[0] + (1.0 + drift) * (case.wall - case.wall[0])})
    result = case.judge(raw, 1e-9)
    told = [found.before for found in findings(result, "wall_clock") if "a day" in found.before]
    assert len(told) == 1
    assert float(told[0].split()[4]) == pytest.approx(86400.0 * drift, rel=0.15)


def step_starts(raw: pd.DataFrame) -> np.ndarray:
    """The first row of the step that each row is in."""
    new = raw[[c.CYCLE_ID, c.STEP_ID]].diff().abs().sum(axis=1).to_numpy() > 0
    first: np.ndarray = np.maximum.accumulate(np.where(new, np.arange(len(raw)), 0))
    return first


@RECORDS
@pytest.mark.parametrize("walled", [True, False])
def test_time_within_steps_is_joined_as_one_finding(cases: dict[str, Case], name: str, walled: bool) -> None:
    case = cases[name]
    if name == "melasta" and walled:
        pytest.skip("its wall clock knows of a pause that the test time does not")
    since = case.test - case.test[np.maximum(step_starts(case.raw) - 1, 0)]
    raw = case.raw.assign(**{c.TEST_TIME: since})
    result = case.judge(raw if walled else without(raw, c.UNIX_TIME), 1.5)
    assert len(findings(result, "step_time")) == 1
    assert "time_restart" not in seen(result)
    assert result.report.steps_after == case.good.report.steps_after
    assert_idempotent(result, CleanSettings())


@pytest.mark.parametrize("name", ["lgm50", "melasta", "half_cell"])
@pytest.mark.parametrize("walled", [True, False])
def test_a_zero_in_the_first_row_of_each_step_is_placed(cases: dict[str, Case], name: str, walled: bool) -> None:
    case = cases[name]
    first = step_starts(case.raw)
    raw = case.raw.assign(**{c.TEST_TIME: np.where(first == np.arange(case.rows), 0.0, case.test)})
    result = case.judge(raw if walled else without(raw, c.UNIX_TIME), 1.5 if walled else 60.0)
    zeros = set(np.unique(first)[1:])
    flags = result.samples[c.FLAGS].to_numpy() & flag_bit("step_time")
    assert set(result.samples[c.SOURCE_ROW][flags != 0]) == zeros & set(result.samples[c.SOURCE_ROW])
    assert_idempotent(result, CleanSettings())


def restarted(case: Case, at: int, hole: int) -> pd.DataFrame:
    """The record without a wall clock, with ``hole`` rows lost while the cycler's clock restarted."""
    keep = np.r_[0:at, at + hole : case.rows]
    time = case.test[keep].copy()
    time[at:] -= time[at]
    return taken(without(case.raw, c.UNIX_TIME), keep).assign(**{c.TEST_TIME: time})


@pytest.mark.parametrize(("name", "at"), [("arbin", 428), ("arbin", 1713), ("melasta", 2616), ("melasta", 6542)])
@pytest.mark.parametrize("hole", [0, 30, 150])
def test_a_restart_is_joined_by_the_charge_counter(cases: dict[str, Case], name: str, at: int, hole: int) -> None:
    result = cases[name].judge(restarted(cases[name], at, hole), 0.3)
    (found,) = findings(result, "time_restart")
    assert found.after.endswith("by the charge counter")
    assert_idempotent(result, CleanSettings())


HOLES = [("lgm50", 283, 30), ("lgm50", 283, 150), ("lgm50", 1132, 30), ("melasta", 6542, 150), ("calce", 1229, 150),
         ("calce", 1966, 30)]  # fmt: skip


@pytest.mark.parametrize(("name", "at", "hole"), HOLES)
def test_a_restart_is_joined_by_the_voltage(cases: dict[str, Case], name: str, at: int, hole: int) -> None:
    """A twentieth of the hole is what other steps, or slopes, are good for."""
    case = cases[name]
    raw = without(restarted(case, at, hole), c.CHARGING_CAPACITY, c.DISCHARGING_CAPACITY)
    away = case.test[at + hole] - case.test[at - 1]
    result = case.judge(raw, 0.06 * away, share=3e-3)
    (found,) = findings(result, "time_restart")
    assert "about, by" in found.after
    assert "time_gap" not in seen(result)
    assert_idempotent(result, CleanSettings())


def test_a_restart_that_nothing_tells_of_says_so(cases: dict[str, Case]) -> None:
    case = cases["melasta"]
    raw = without(restarted(case, 2616, 0), c.CHARGING_CAPACITY, c.DISCHARGING_CAPACITY)
    (found,) = findings(case.judge(raw, 1e-6), "time_restart")
    assert found.after.endswith("by the usual interval, nothing says more")


CLOCKS = pytest.mark.parametrize("left_out", [(), (c.UNIX_TIME,), (c.TEST_TIME,)], ids=["both", "test", "wall"])


@pytest.mark.parametrize("name", ["lgm50", "calce"])
@CLOCKS
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_block_written_late_goes_to_its_place(
    cases: dict[str, Case], name: str, left_out: tuple[str, ...], share: float
) -> None:
    case, at = cases[name], int(share * cases[name].rows)
    order = np.r_[0:at, at + 50 : at + 100, at : at + 50, at + 100 : case.rows]
    result = case.judge(taken(without(case.raw, *left_out), order), 1e-6)
    assert len(result.samples) == len(case.good.samples)
    assert case.new(result) == {"time_order"}
    assert (np.diff(file_rows(result.samples)[c.SOURCE_ROW]) > 0).all()


@pytest.mark.parametrize("name", ["lgm50", "calce", "arbin"])
@CLOCKS
@pytest.mark.parametrize("later", [50, 200])
def test_a_block_written_twice_goes(cases: dict[str, Case], name: str, left_out: tuple[str, ...], later: int) -> None:
    case, at = cases[name], cases[name].rows // 2
    order = np.r_[0 : at + later, at : at + 50, at + later : case.rows]
    raw = without(case.raw, *left_out)
    alone = clean(raw, "CELL", CleanSettings())
    result = clean(taken(raw, order), "CELL", CleanSettings())
    pd.testing.assert_frame_equal(
        result.samples.drop(columns=c.FLAGS), alone.samples.drop(columns=c.FLAGS), check_exact=True
    )
    assert len(result.quarantined) == len(alone.quarantined) + 50
    assert "time_restart" not in seen(result)


@pytest.mark.parametrize("name", ["lgm50", "calce", "melasta"])
@pytest.mark.parametrize("seconds", [900.0, 5000.0])
@pytest.mark.parametrize("kind", ["charge", "discharge"])
def test_a_power_cut_shows_with_its_length(cases: dict[str, Case], name: str, seconds: float, kind: str) -> None:
    case = cases[name]
    rows = case.good.samples[c.SOURCE_ROW][case.good.samples[c.STEP_TYPE] == kind].to_numpy()
    at = int(rows[len(rows) // 3])
    later = np.where(np.arange(case.rows) >= at, seconds, 0.0)
    raw = case.raw.assign(**{c.TEST_TIME: case.test + later, c.UNIX_TIME: case.wall + later})
    (found,) = findings(clean(raw, "CELL", CleanSettings()), "time_gap")
    assert found.source_row == at
    assert float(found.before.split()[0]) == pytest.approx(seconds + case.test[at] - case.test[at - 1], abs=1.0)


@pytest.mark.parametrize("name", ["lgm50", "calce"])
@pytest.mark.parametrize("number", [np.nan, 0.0, 1.0, 3.0, 6.283185])
def test_cycles_are_counted_by_the_schedules_loop(cases: dict[str, Case], name: str, number: float) -> None:
    case = cases[name]
    result = case.judge(case.raw.assign(**{c.CYCLE_ID: number}), 0.0)
    for column in (c.CYCLE_COUNT, c.STEP_COUNT):
        np.testing.assert_array_equal(result.samples[column], case.good.samples[column], err_msg=column)
    np.testing.assert_array_equal(result.samples[c.CYCLE_ID], number)
    assert "counted" in {found.action for found in findings(result, "cycle_jump")}
    assert_idempotent(result, CleanSettings())


def test_a_schedule_that_runs_through_once_has_the_one_cycle_that_it_says(cases: dict[str, Case]) -> None:
    assert cases["melasta"].good.report.cycles_after == 1
    assert clean(without(cases["melasta"].raw, c.CYCLE_ID), "CELL", CleanSettings()).report.cycles_after == 5


@pytest.mark.parametrize("name", ["lgm50", "half_cell", "arbin"])
@pytest.mark.parametrize("numbers", [(np.nan, np.nan), (1.0, 1.0), (6.283185, 0.0)])
def test_steps_and_cycles_are_counted_from_the_signal(
    cases: dict[str, Case], name: str, numbers: tuple[float, float]
) -> None:
    raw = cases[name].raw.assign(**{c.CYCLE_ID: numbers[0], c.STEP_ID: numbers[1]})
    result = clean(raw, "CELL", CleanSettings())
    assert abs(result.report.cycles_after - cases[name].good.report.cycles_after) <= 1
    assert abs(result.report.steps_after - cases[name].good.report.steps_after) <= 2
    assert (result.samples.groupby(c.STEP_COUNT)[c.STEP_TYPE].nunique() == 1).all()
    assert_idempotent(result, CleanSettings())


@pytest.mark.parametrize("hours", [0.5, 2.0])
@pytest.mark.parametrize("evidence", ["nothing", "step time", "wall clock"])
def test_a_log_too_sparse_to_be_in_s_is_uncertain(cases: dict[str, Case], hours: float, evidence: str) -> None:
    rows = np.arange(120)
    current = np.where(rows % 40 < 20, 0.02, -0.02)
    voltage = 3.2 + 0.04 * np.where(rows % 40 < 20, rows % 20, 19 - rows % 20)
    time = 3600.0 * hours * rows
    raw = raw_table(**{c.TEST_TIME: time, c.CURRENT: current, c.VOLTAGE: voltage, c.STEP_ID: 1.0 + rows // 20})
    if evidence == "step time":
        raw[c.STEP_TIME] = 3600.0 * hours * (rows % 20)
    if evidence == "wall clock":
        raw[c.UNIX_TIME] = 1.6e9 + time
    result = clean(raw, "CELL", CleanSettings())
    assert ("time_uncertain" in seen(result)) == (evidence == "nothing")
    np.testing.assert_allclose(file_rows(result.samples)[c.TEST_TIME], time)


@pytest.mark.parametrize("evidence", [c.STEP_TIME, c.CHARGING_CAPACITY])
def test_a_test_time_in_us_is_told_by_step_time_or_counters(cases: dict[str, Case], evidence: str) -> None:
    case = cases["arbin"]
    raw = without(case.raw, *(set(EVIDENCE) - {evidence, c.DISCHARGING_CAPACITY}))
    result = clean(raw.assign(**{c.TEST_TIME: 1e6 * case.test}), "CELL", CleanSettings())
    (found,) = findings(result, "time_scale")
    assert found.before == "test time in us"
