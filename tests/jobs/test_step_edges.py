"""The charge of made-up cells whose current is known at every moment, whatever way they are logged."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.rules import flag_bit
from kilocell.data.settings import CleanSettings
from kilocell.jobs.cleaning.clean import Cleaned, clean
from kilocell.jobs.cleaning.report import record_charge
from kilocell.jobs.record.cycles import summarise_cycles
from logged_cells import PROGRAM, Fine, Logged, Step, logged
from raw_records import file_rows, findings
from test_clean import assert_idempotent

SETTINGS: Final = CleanSettings(nominal_capacity_ah=3.0)
ROUNDING: Final = 1e-5
"""Share of the throughput by which a bound may miss: each step of some logs begins 0.05 s before its first row."""

LOGS: Final[dict[str, tuple[str, float]]] = {
    "last row of each step": ("last", 60.0),
    "first and last row": ("first and last", 60.0),
    "every minute": ("every", 60.0),
    "every 10 min": ("every", 600.0),
    "every 30 min": ("every", 1800.0),
    "every 10 s, no first row": ("no first", 10.0),
    "every minute, no first row": ("no first", 60.0),
    "every 10 min, no first row": ("no first", 600.0),
    "every 30 min, no first row": ("no first", 1800.0),
    "by change of current": ("change", 60.0),
}
NO_FIRST: Final = [name for name in LOGS if "no first" in name or name == "last row of each step"]

Evidence = Callable[[Logged], Logged]
NOTHING: Final[dict[str, Evidence]] = {"nothing": lambda log: log}
STEP_TIME: Final[dict[str, Evidence]] = {
    "step time": lambda log: log.with_step_time(),
    "step time in whole seconds": lambda log: log.with_step_time(resolution=1.0),
    "step time in minutes": lambda log: log.with_step_time(unit_second=60.0),
    "step time in hours": lambda log: log.with_step_time(unit_second=3600.0),
}
COUNTERS: Final[dict[str, Evidence]] = {
    "counters of the test": lambda log: log.with_pair(),
    "counters with 3 digits": lambda log: log.with_pair(digits=3),
    "running counter": lambda log: log.with_net(),
    "step time, counters": lambda log: log.with_step_time().with_pair(),
    "whole seconds, 3 digits": lambda log: log.with_step_time(resolution=1.0).with_pair(digits=3),
    "step time, step counter": lambda log: log.with_step_time().with_step_counter(),
}
OTHERS: Final[dict[str, Evidence]] = {
    "counters of each cycle": lambda log: log.with_pair("cycle"),
    "counters of each step": lambda log: log.with_pair("step"),
    "step counter": lambda log: log.with_step_counter(),
    "step counter, 3 digits": lambda log: log.with_step_counter(digits=3),
    "step counter with sign": lambda log: log.with_step_counter(signed=True),
    "late step counter": lambda log: log.with_step_counter(late=True),
    "step time, late step counter": lambda log: log.with_step_time().with_step_counter(late=True),
    "counters of factor 1.05": lambda log: log.with_pair(factor=1.05),
    "running counter of factor 0.93": lambda log: log.with_net(factor=0.93),
    "step time, counters of factor 1.05": lambda log: log.with_step_time().with_pair(factor=1.05),
}
EVIDENCE: Final[dict[str, Evidence]] = NOTHING | STEP_TIME | COUNTERS | OTHERS


@lru_cache(maxsize=1)
def fine() -> Fine:
    return Fine.of(PROGRAM)


@lru_cache(maxsize=64)
def record(log: str) -> Logged:
    how, second = LOGS[log]
    return logged(fine(), how, second)


def cleaned(record: Logged) -> Cleaned:
    return clean(record.raw, "CELL", SETTINGS)


def errors(record: Logged, result: Cleaned) -> tuple[float, float]:
    """Error of the charge in and out, as a share of the throughput."""
    truth = record.truth(1.0), record.truth(-1.0)
    got = result.report.charge_in_after_ah, result.report.charge_out_after_ah
    return (got[0] - truth[0]) / sum(truth), (got[1] - truth[1]) / sum(truth)


def assert_within_bounds(record: Logged, result: Cleaned) -> None:
    report: Any = result.report  # all bounds are given here
    into, out = record.truth(1.0), record.truth(-1.0)
    slack = ROUNDING * (into + out)
    assert report.charge_in_low_ah - slack <= into <= report.charge_in_high_ah + slack
    assert report.charge_out_low_ah - slack <= out <= report.charge_out_high_ah + slack
    assert report.charge_in_low_ah <= report.charge_in_after_ah <= report.charge_in_high_ah
    assert report.charge_out_low_ah <= report.charge_out_after_ah <= report.charge_out_high_ah


PAIRS: Final = [
    pytest.param(log, evidence, marks=[] if (i + j) % 4 == 0 else pytest.mark.slow)
    for i, log in enumerate(LOGS)
    for j, evidence in enumerate(EVIDENCE)
]
"""Every way to log with all evidence; a quarter of them, in which each is, in the quick tests."""


@pytest.mark.parametrize(("log", "evidence"), PAIRS)
def test_the_truth_is_within_the_bounds_and_rows_stay(log: str, evidence: str) -> None:
    case = EVIDENCE[evidence](record(log))
    result = cleaned(case)
    assert_within_bounds(case, result)
    rows = file_rows(result.samples)
    assert len(rows) == len(case.raw)
    for column in (c.VOLTAGE, c.CURRENT):
        np.testing.assert_array_equal(rows[column], case.raw[column], err_msg=column)
    np.testing.assert_allclose(rows[c.TEST_TIME], case.raw[c.TEST_TIME] - case.raw[c.TEST_TIME][0], atol=1e-9)
    assert result.report.steps_after == len(fine().steps)
    assert_one_definition(result)
    if result.report.rows_inserted:
        assert_idempotent(result, SETTINGS)


def assert_one_definition(result: Cleaned) -> None:
    """The trapezoid over the partition is the report's charge, and that of the cycles together."""
    report, cycles = result.report, summarise_cycles(result.samples)
    assert record_charge(result.samples) == (report.charge_in_after_ah, report.charge_out_after_ah)
    assert sum(cycle.charge_in_ah for cycle in cycles) == pytest.approx(report.charge_in_after_ah, rel=1e-12)
    assert sum(cycle.charge_out_ah for cycle in cycles) == pytest.approx(report.charge_out_after_ah, rel=1e-12)
    assert (np.diff(result.samples[c.TEST_TIME]) > 0.0).all()


@pytest.mark.parametrize("evidence", COUNTERS)
@pytest.mark.parametrize("log", LOGS)
def test_counters_give_the_charge_to_half_a_thousandth(log: str, evidence: str) -> None:
    case = COUNTERS[evidence](record(log))
    result = cleaned(case)
    # A step counter says nothing of a hold's shape where it falls back late or not at all: no more than step time.
    assert np.abs(errors(case, result)).max() < 5e-4
    assert findings(result, "charge_uncertain") == [] or "step counter" in evidence


@pytest.mark.parametrize("evidence", STEP_TIME)
@pytest.mark.parametrize("log", NO_FIRST)
def test_step_time_gives_the_charge_of_constant_currents(log: str, evidence: str) -> None:
    case = STEP_TIME[evidence](record(log))
    into, out = errors(case, cleaned(case))
    assert abs(out) < 2e-4  # the discharges are constant currents
    assert abs(into) < 2e-3  # the charges end with holds


@pytest.mark.parametrize("evidence", ["counters of each cycle", "counters of each step", "step counter, 3 digits"])
@pytest.mark.parametrize("log", [name for name in NO_FIRST if "10 s" not in name])
def test_an_edge_at_which_the_counter_is_set_back_is_guessed_from_the_others(log: str, evidence: str) -> None:
    """All edges that can be placed are at the row before: the cycler wrote the last row of each step."""
    case = EVIDENCE[evidence](record(log))
    result = cleaned(case)
    assert np.abs(errors(case, result)).max() < 5e-4
    assert_within_bounds(case, result)
    if evidence != "counters of each cycle":  # there it is one edge of each cycle, with a small current
        assert "guessed" in findings(result, "charge_uncertain")[0].before


@pytest.mark.parametrize("log", NO_FIRST)
def test_without_evidence_the_charge_is_called_uncertain(log: str) -> None:
    result = cleaned(record(log))
    report: Any = result.report
    share = 0.5 * (
        report.charge_in_high_ah - report.charge_in_low_ah + report.charge_out_high_ah - report.charge_out_low_ah
    )
    throughput = result.report.charge_in_after_ah + result.report.charge_out_after_ah
    assert bool(findings(result, "charge_uncertain")) == (share > SETTINGS.charge_tolerance * throughput)
    assert result.report.charge_source == "samples"
    assert (log == "every 10 s, no first row") != bool(findings(result, "charge_uncertain"))


@pytest.mark.parametrize("evidence", ["nothing", "step time", "counters of the test", "counters with 3 digits"])
def test_a_dense_record_hardly_changes(evidence: str) -> None:
    case = EVIDENCE[evidence](logged(Fine.of(PROGRAM, 1), "every", 1.0))
    result = cleaned(case)
    report: Any = result.report  # all bounds are given here
    throughput = report.charge_in_before_ah + report.charge_out_before_ah
    assert abs(report.charge_in_after_ah - report.charge_in_before_ah) < 1e-4 * throughput
    assert abs(report.charge_out_after_ah - report.charge_out_before_ah) < 1e-4 * throughput
    assert np.abs(errors(case, result)).max() < 1e-4
    assert findings(result, "charge_uncertain") == []
    assert_within_bounds(case, result)


def test_inserted_samples_are_marked_and_belong_to_their_steps() -> None:
    case = record("every 10 min, no first row").with_step_time()
    samples = cleaned(case).samples
    inserted = samples[samples[c.SOURCE_ROW] < 0]
    assert (inserted[c.FLAGS] & flag_bit("step_edge") != 0).all()
    assert (file_rows(samples)[c.FLAGS] & flag_bit("step_edge") == 0).all()
    began = fine().began - case.raw[c.TEST_TIME][0]
    step = inserted[c.STEP_COUNT].to_numpy()
    time = inserted[c.TEST_TIME].to_numpy()
    assert (time > began[step - 1] - 0.01).all()
    assert (time < began[step] + 0.01).all()
    assert inserted[c.STEP_TYPE].notna().all()


def test_signs_do_not_matter() -> None:
    mirror = Fine.of(tuple(Step(one.number, one.second, -one.ampere, one.decay_second) for one in PROGRAM))
    for evidence in ("step time", "counters of the test", "step counter"):
        case = EVIDENCE[evidence](logged(fine(), "no first", 600.0))
        other = EVIDENCE[evidence](logged(mirror, "no first", 600.0))
        asked = CleanSettings(nominal_capacity_ah=3.0, current_sign="charge_positive")
        one, two = (clean(log.raw, "CELL", asked).report for log in (case, other))
        assert one.charge_in_after_ah == pytest.approx(two.charge_out_after_ah, rel=1e-9), evidence
        assert one.charge_out_after_ah == pytest.approx(two.charge_in_after_ah, rel=1e-9), evidence


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_pause_in_which_the_counter_went_on_or_not(goes_on: bool) -> None:
    """The log is interrupted for 30 min of the discharge: the current flowed on by the counter, or did not."""
    program = (Step(1, 600.0, 0.0), Step(2, 5000.0, 1.3), Step(3, 900.0, 0.0), Step(4, 5200.0, -1.25))
    log = logged(Fine.of(program, 1), "every", 10.0).with_pair()
    raw = log.raw
    began = log.fine.began[3]
    gone = raw[c.TEST_TIME].between(began + 1500.0, began + 3300.0)
    kept = raw[~gone].reset_index(drop=True)
    truth = log.truth(-1.0)
    if not goes_on:
        later = kept[c.TEST_TIME] > began + 3300.0
        lost = 1.25 * 1810.0 / 3600.0
        counter = kept[c.DISCHARGING_CAPACITY] - np.where(later, lost, 0.0)
        voltage = kept[c.VOLTAGE] + np.where(later, lost * 0.27, 0.0)
        kept = kept.assign(**{c.DISCHARGING_CAPACITY: counter, c.VOLTAGE: voltage})
        truth -= lost
    result = clean(kept.assign(**{c.SOURCE_ROW: np.arange(len(kept))}), "CELL", SETTINGS)
    assert result.report.charge_out_after_ah == pytest.approx(truth, rel=5e-3)
    assert (result.report.charge_out_low_ah or 0.0) <= truth * (1.0 + 1e-5)
    assert (result.report.charge_out_high_ah or 0.0) >= truth * (1.0 - 1e-5)
    assert len(file_rows(result.samples)) == len(kept)


def test_cycles_have_bounds_of_their_own() -> None:
    case = record("every 10 min, no first row")
    result = cleaned(case)
    assert len(result.cycles) == 3
    cycle: Any
    for cycle in result.cycles:
        assert cycle.charge_in_low_ah <= cycle.charge_in_ah <= cycle.charge_in_high_ah
        assert cycle.charge_out_low_ah <= cycle.charge_out_ah <= cycle.charge_out_high_ah
    frame = pd.DataFrame([(one.charge_out_low_ah, one.charge_out_high_ah) for one in result.cycles])
    whole = fine().charge_until(np.array([len(PROGRAM)]), np.array([0.0]), -1.0)[0]
    assert (frame[0] <= whole).all()
    assert (whole <= frame[1]).all()
