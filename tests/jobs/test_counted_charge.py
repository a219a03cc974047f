"""Which counters are believed, and where they are found to be set back to zero."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.settings import CleanSettings
from kilocell.jobs.cleaning.clean import clean
from kilocell.jobs.cleaning.counted_charge import CountedCharge, counted_charge, decimal_place
from kilocell.jobs.cleaning.interval_evidence import believed_step_time
from kilocell.jobs.record.table import Table
from logged_cells import PROGRAM, Fine, Logged, logged
from raw_records import findings, seen

SETTINGS: Final = CleanSettings(nominal_capacity_ah=3.0)
FINE: Final = Fine.of(PROGRAM, 2)
MINUTES: Final = logged(FINE, "every", 60.0)
TEN_MINUTES: Final = logged(FINE, "no first", 600.0)
REST_AMPERE: Final = 0.015


def edges(log: Logged) -> np.ndarray:
    step: np.ndarray = np.diff(log.step) != 0
    return step


def counted(log: Logged) -> CountedCharge | None:
    return counted_charge(Table.from_frame(log.raw), edges(log), REST_AMPERE, log.since)


def true_charge(log: Logged) -> np.ndarray:
    net = log.fine.charge_until(log.step, log.since, 1.0) - log.fine.charge_until(log.step, log.since, -1.0)
    return np.diff(net)


@pytest.mark.parametrize("log", [MINUTES, TEN_MINUTES, logged(FINE, "first and last"), logged(FINE, "last")])
def test_counters_of_the_test_know_every_interval(log: Logged) -> None:
    for kind in (log.with_pair(), log.with_net()):
        found = counted(kind)
        assert found is not None
        np.testing.assert_allclose(found.net_ah, true_charge(log), atol=1e-9)


@pytest.mark.parametrize("reset", ["cycle", "step"])
@pytest.mark.parametrize("log", [MINUTES, TEN_MINUTES])
def test_where_a_counter_was_set_back_it_knows_what_flowed_since(log: Logged, reset: str) -> None:
    found = counted(log.with_pair(reset))
    assert found is not None
    known = np.isfinite(found.net_ah)
    assert known[~edges(log)].all()
    np.testing.assert_allclose(found.net_ah[known], true_charge(log)[known], atol=1e-9)
    since = np.isfinite(found.after_reset_ah)
    assert since.any()
    assert (~known[since]).all()
    assert edges(log)[since].all()
    np.testing.assert_allclose(
        found.after_reset_ah[since], log.fine.charge_within(log.step, log.since)[1:][since], atol=1e-9
    )


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("log", [MINUTES, TEN_MINUTES])
def test_one_counter_for_both_directions(log: Logged, signed: bool) -> None:
    found = counted(log.with_step_counter(signed=signed))
    assert found is not None
    within = ~edges(log)
    np.testing.assert_allclose(found.net_ah[within], true_charge(log)[within], atol=1e-9)


def test_a_late_step_counter_says_nothing_at_edges_and_nothing_wrong() -> None:
    log = MINUTES.with_step_counter(late=True)
    found = counted(log)
    assert found is not None
    known = np.isfinite(found.net_ah)
    several = np.concatenate([edges(log)[1:] | edges(log)[:-1], [True]])  # beside an edge
    assert not known[edges(log) & ~several].any()
    np.testing.assert_allclose(found.net_ah[known], true_charge(log)[known], atol=2e-3)


def test_a_running_sum_that_passes_zero_is_not_set_back() -> None:
    log = TEN_MINUTES
    net = log.counted(1.0, "never") - log.counted(-1.0, "never") - 0.37  # it begins below zero and crosses it
    found = counted(log.with_columns(**{c.NET_CAPACITY: net}))
    assert found is not None
    np.testing.assert_allclose(found.net_ah, true_charge(log), atol=1e-9)


@pytest.mark.parametrize("factor", [1.05, 0.93, 1.5])
def test_a_counter_of_a_wrong_factor_is_not_believed(factor: float) -> None:
    for log in (MINUTES, TEN_MINUTES):
        assert counted(log.with_pair(factor=factor)) is None
        assert counted(log.with_net(factor=factor)) is None


@pytest.mark.parametrize("factor", [1.05, 0.93])
def test_a_counter_of_a_wrong_factor_changes_nothing(factor: float) -> None:
    plain = clean(TEN_MINUTES.with_step_time().raw, "CELL", SETTINGS)
    wrong = clean(TEN_MINUTES.with_step_time().with_pair(factor=factor).raw, "CELL", SETTINGS)
    columns = [c.TEST_TIME, c.CURRENT, c.VOLTAGE, c.STEP_COUNT]
    pd.testing.assert_frame_equal(plain.samples[columns], wrong.samples[columns], check_exact=True)
    assert wrong.report.charge_in_counted_ah is None
    assert findings(wrong, "capacity_counter")
    assert "capacity_counter" not in seen(plain)


def test_a_counter_in_mah_is_believed_as_ah() -> None:
    found = counted(TEN_MINUTES.with_net(factor=1000.0))
    assert found is not None
    np.testing.assert_allclose(found.net_ah, true_charge(TEN_MINUTES), atol=1e-9)


def test_of_two_counters_the_finer_one_counts() -> None:
    log = TEN_MINUTES.with_pair(digits=2).with_net()
    found = counted(log)
    assert found is not None
    assert found.name == "running counter"
    assert found.unsure_ah < 1e-4


@pytest.mark.parametrize(("digits", "place"), [(0, 1.0), (3, 1e-3), (5, 1e-5), (12, 0.0)])
def test_the_last_decimal_place_of_a_column(digits: int, place: float) -> None:
    values = np.round(np.random.default_rng(4).uniform(0.0, 9.0, 500), digits)
    assert decimal_place(np.concatenate([[np.nan, 0.0], values])) == pytest.approx(place)
    assert decimal_place(np.zeros(5)) == 0.0


@pytest.mark.parametrize("log", [MINUTES, TEN_MINUTES, logged(FINE, "last")])
@pytest.mark.parametrize("unit_second", [1.0, 60.0, 3600.0, 1e-3])
def test_step_time_in_another_unit_is_converted(log: Logged, unit_second: float) -> None:
    second, _ = believed_step_time(Table.from_frame(log.with_step_time(unit_second=unit_second).raw), edges(log))
    assert second is not None
    np.testing.assert_allclose(second, log.since, rtol=1e-9)


def test_what_does_not_begin_anew_in_each_step_is_no_step_time() -> None:
    total = TEN_MINUTES.with_columns(**{c.STEP_TIME: TEN_MINUTES.raw[c.TEST_TIME]})
    assert believed_step_time(Table.from_frame(total.raw), edges(total))[0] is None
    noise = np.random.default_rng(5).uniform(0.0, 600.0, len(TEN_MINUTES.raw))
    random = TEN_MINUTES.with_columns(**{c.STEP_TIME: noise})
    assert believed_step_time(Table.from_frame(random.raw), edges(random))[0] is None
