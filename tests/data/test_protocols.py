"""Protocols contain what their text describes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from kilocell.data.synthetic import protocols as p
from kilocell.data.synthetic.sample_defects import POWER_CUT_MS

ALL = (p.RATE_TEST, p.GITT, p.PULSES, p.DRIVING, p.TWO_STAGE)


@pytest.mark.parametrize("protocol", ALL, ids=lambda protocol: protocol.name)
def test_a_protocol_begins_with_a_rest_of_half_an_hour(protocol: p.Protocol) -> None:
    first = protocol.cycles[0][0]
    assert (first.held, first.value) == ("current", 0.0)
    assert first.seconds >= 1800
    assert f"rest {first.seconds / 60:.0f} min" in protocol.words


@pytest.mark.parametrize("protocol", ALL, ids=lambda protocol: protocol.name)
def test_a_protocol_has_cycles_with_charge_and_discharge_and_room_for_a_power_cut(protocol: p.Protocol) -> None:
    segments = [segment for cycle in protocol.cycles for segment in cycle]
    assert 2 <= len(protocol.cycles) <= 3
    assert any(s.held == "current" and s.value > 0 for s in segments)
    assert any(s.held == "current" and s.value < 0 for s in segments)
    assert any(s.held == "voltage" for s in segments)
    assert any(s.value == 0 and s.seconds * 1000 > POWER_CUT_MS + 20 * s.every * 1000 for s in segments)


@pytest.mark.parametrize("protocol", ALL, ids=lambda protocol: protocol.name)
def test_a_hold_follows_a_charge_to_its_voltage_and_every_current_ends(protocol: p.Protocol) -> None:
    for cycle in protocol.cycles:
        assert cycle[0].step == 1
        for before, segment in pairwise(cycle):
            if segment.held == "voltage":
                assert before.until == segment.value
                assert segment.until == pytest.approx(0.05)
                assert before.value > 0
        assert all(s.until is not None or s.seconds <= 2 * 3600 for s in cycle)


def test_signs_and_units_of_the_words_that_protocols_are_made_of() -> None:
    assert p.discharge(2, 0.5, 3.0, 10) == p.Segment(2, "current", -0.5, 600.0, 3.0, 10.0)
    assert p.charge(4, 0.5, 4.2, 10) == p.Segment(4, "current", 0.5, 600.0, 4.2, 20.0)
    assert p.pulse(3, -1.5) == p.Segment(3, "current", -1.5, 10.0, None, 1.0)
    assert [segment.step for segment in p.cccv(4, 0.5, 4.2)] == [4, 5]


def test_a_drive_is_one_step_that_discharges_and_brakes() -> None:
    segments = p.drive(2, 3)
    assert {segment.step for segment in segments} == {2}
    assert len(segments) == 3 * len(p.DRIVE)
    assert sum(s.seconds for s in segments) == pytest.approx(3 * 320)
    assert min(s.value for s in segments) < 0 < max(s.value for s in segments)
    assert sum(s.value * s.seconds for s in segments) < 0


def test_no_two_protocols_are_the_same() -> None:
    assert len({protocol.name for protocol in ALL}) == len({protocol.cycles for protocol in ALL}) == len(ALL)
