"""How well a charge is known: of a record, of some cycles, and in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from kilocell.data.charge_certainty import SHOWN_SHARE, ChargeCertainty, charge_certainty, describe_charge_check
from kilocell.data.codec import from_json, to_json
from kilocell.data.results.cleaning import CleanReport, CleanResult, CycleSummary

REPORT = CleanReport(
    "A", 100, 100, 0, 7200.0, 7200.0, 12.3, 8.8, 7.6, 7.2, 2, 2, 8, 8,
    charge_source="step time",
    charge_in_low_ah=8.7, charge_in_high_ah=8.9, charge_out_low_ah=7.1, charge_out_high_ah=7.5,
)  # fmt: skip
BOUNDS = {"charge_in_low_ah": 4.3, "charge_in_high_ah": 4.5, "charge_out_low_ah": 3.4, "charge_out_high_ah": 3.8}


def cycle(count: int, source: str = "", bounds: Mapping[str, Any] = BOUNDS) -> CycleSummary:
    return CycleSummary(count, 0.0, 3599.0, 50, 4, 4.4, 3.6, 16.0, 12.0, 2.5, 4.2, None, source, **bounds)


def test_a_record_has_half_the_distance_of_its_bounds() -> None:
    """Charge in by ±0.1, charge out by ±0.2: both their sum and their difference by ±0.3 A.h."""
    certainty = charge_certainty(CleanResult(REPORT, ()))
    assert certainty.source == "step time"
    assert certainty.throughput_ah == pytest.approx(16.0)
    assert certainty.uncertainty_ah == pytest.approx(0.3)
    assert certainty.share == pytest.approx(0.3 / 16.0)


def test_the_uncertainties_of_cycles_are_added_up_and_their_sources_named_once() -> None:
    cycles = (cycle(1, "counters"), cycle(2, "samples"), cycle(3, "counters"))
    result = CleanResult(REPORT, cycles)
    some = charge_certainty(result, (1, 3))
    assert some.source == "counters"
    assert some.throughput_ah == pytest.approx(16.0)
    assert some.uncertainty_ah == pytest.approx(0.6)
    assert charge_certainty(result, (1, 2)).source == "counters, samples"


def test_one_cycle_without_bounds_leaves_the_sum_without() -> None:
    result = CleanResult(REPORT, (cycle(1), cycle(2, bounds={"charge_in_low_ah": 4.3})))
    assert charge_certainty(result, (1, 2)).uncertainty_ah is None
    assert charge_certainty(result, (1,)).uncertainty_ah == pytest.approx(0.3)


def test_receipts_of_earlier_versions_have_no_bounds() -> None:
    old = replace(REPORT, charge_source="", charge_in_low_ah=None)
    assert charge_certainty(CleanResult(old, ())) == ChargeCertainty("", 8.8 + 7.2, None)
    assert charge_certainty(CleanResult(old, ())).share is None
    kept = from_json(CleanResult, to_json(CleanResult(REPORT, (cycle(1, "counters"),))))
    assert kept.report == REPORT
    assert kept.cycles[0].charge_out_high_ah == 3.8


def test_a_rest_has_no_share() -> None:
    assert ChargeCertainty("samples", 0.0, 0.0).share is None


@pytest.mark.parametrize("share", [None, 0.0, SHOWN_SHARE])
def test_a_small_or_unknown_uncertainty_is_left_unsaid(share: float | None) -> None:
    uncertainty = None if share is None else 10.0 * share
    assert describe_charge_check(7e-6, ChargeCertainty("samples", 10.0, uncertainty)) == ""


def test_a_check_of_millionths_is_not_called_right_beside_an_unknown_of_percents() -> None:
    words = describe_charge_check(7e-6, ChargeCertainty("samples", 10.0, 0.31))
    assert words == (
        "the charge is known only to ±3.1 % (±0.31 A.h, from samples); that the model agrees with the recorded current "
        "to 7e-06 does not make it right"
    )
    assert describe_charge_check(None, ChargeCertainty("", 10.0, 0.31)) == (
        "the charge is known only to ±3.1 % (±0.31 A.h)"
    )
