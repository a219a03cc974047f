"""What an uncertain charge does to a simulated voltage."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from kilocell.data import columns as c
from kilocell.data.cycle_selection import parse_selection
from kilocell.data.results.cleaning import CleanReport, CleanResult, CycleSummary
from kilocell.data.settings import CellSettings, InitialState, ModelSettings, ParameterSetSettings, SimulateSettings
from kilocell.jobs.record.record import make_record
from kilocell.jobs.simulation import charge_effect
from kilocell.jobs.simulation.charge_effect import (
    accumulated_uncertainty_ah,
    carried_uncertainty_ah,
    charge_uncertainty_mv,
    loaded_slope_volt_per_ah,
)
from kilocell.jobs.simulation.simulate import simulate
from records import partition

CAPACITY_AH = 2.0
SLOPE_VOLT_PER_AH = 0.4


def known(*uncertainties_ah: float | None, throughput_ah: float = 1.0, whole_ah: float | None = None) -> CleanResult:
    """What cleaning says: an uncertainty of each cycle, and of the whole record (default: their sum)."""
    cycles = []
    for place, uncertainty in enumerate(uncertainties_ah):
        bounds: tuple[Any, ...] = (None,) * 4
        if uncertainty is not None:
            bounds = (0.0, 0.0, throughput_ah - uncertainty, throughput_ah + uncertainty)
        cycles.append(
            CycleSummary(place + 1, 0.0, 1.0, 9, 1, 0.0, throughput_ah, 0.0, 0.0, 2.5, 4.2, None, "samples", *bounds)
        )
    total = whole_ah if whole_ah is not None else sum(value or 0.0 for value in uncertainties_ah)
    report = CleanReport(
        "A", 9, 9, 0, 1.0, 1.0, 0.0, 0.0, throughput_ah, throughput_ah, 1, 1, 1, 1, charge_in_low_ah=0.0,
        charge_in_high_ah=0.0, charge_out_low_ah=10.0 - total, charge_out_high_ah=10.0 + total,
    )  # fmt: skip
    return CleanResult(report, tuple(cycles))


def discharge(cycles: int = 1) -> Any:
    """A discharge of 1 A.h per cycle at C/2, whose voltage falls by 0.4 V per A.h: a problem and its replay."""
    time = np.arange(0.0, 3600.0 * cycles + 1.0, 10.0)
    samples = partition(time, np.full(len(time), -1.0), np.full(len(time), 3.7))
    samples[c.CYCLE_COUNT] = np.clip(1 + (time - 1e-9) // 3600.0, 1, cycles).astype(np.int32)
    charge = -time / 3600.0
    replayed = SimpleNamespace(charge_ah=charge, voltage_volt=4.0 + SLOPE_VOLT_PER_AH * charge)
    conditions = SimpleNamespace(state=None, temperature=SimpleNamespace(celsius=25.0), capacity_ah=CAPACITY_AH)
    problem = SimpleNamespace(record=make_record(samples), conditions=conditions, case=None)
    return problem, replayed, np.ones(len(time), bool)


@pytest.fixture
def constant_slope(monkeypatch: pytest.MonkeyPatch) -> None:
    """An open-circuit voltage with the slope of the curve."""

    def slope(state: object, charge_ah: np.ndarray[Any, Any], *others: object) -> np.ndarray[Any, Any]:
        return np.full(len(charge_ah), SLOPE_VOLT_PER_AH)

    monkeypatch.setattr(charge_effect, "open_circuit_slope", slope)


@pytest.mark.usefixtures("constant_slope")
def test_a_constant_slope_gives_the_value_calculated_by_hand() -> None:
    """An uncertainty that grows evenly to 0.03 A.h, times 400 mV per A.h: its RMS is 12 mV over the root of 3."""
    effect = charge_uncertainty_mv([discharge()], known(0.03), whole=True)
    assert effect == pytest.approx(12.0 / np.sqrt(3.0), rel=5e-3)


@pytest.mark.usefixtures("constant_slope")
def test_no_uncertainty_has_no_effect_and_the_effect_is_linear() -> None:
    effects = [charge_uncertainty_mv([discharge()], known(value), whole=True) for value in (0.0, 0.01, 0.07)]
    assert effects[0] == 0.0
    assert effects[1] is not None
    assert effects[2] == pytest.approx(7.0 * effects[1])


@pytest.mark.usefixtures("constant_slope")
def test_unknown_bounds_are_no_zero() -> None:
    assert charge_uncertainty_mv([discharge()], None, whole=True) is None
    assert charge_uncertainty_mv([discharge(2)], known(0.01, None)) is None
    problem, replayed, used = discharge()
    assert charge_uncertainty_mv([(problem, replayed, ~used)], known(0.01)) is None


@pytest.mark.usefixtures("constant_slope")
def test_each_cycle_adds_its_own_and_the_whole_record_limits_the_sum() -> None:
    problem, _, _ = discharge(2)
    uncertainty = accumulated_uncertainty_ah(problem.record, known(0.0, 0.02))
    assert uncertainty is not None
    half = len(uncertainty) // 2
    assert uncertainty[half] == pytest.approx(0.0, abs=1e-4)
    assert uncertainty[-1] == pytest.approx(0.02)
    assert (np.diff(uncertainty) >= 0.0).all()
    limited = charge_uncertainty_mv([discharge(2)], known(0.01, 0.02, whole_ah=0.001), whole=True)
    assert limited is not None
    assert limited <= 0.4 * (1.0 + 1e-9)


@pytest.mark.usefixtures("constant_slope")
def test_a_part_with_its_own_state_begins_without_uncertainty() -> None:
    alone = charge_uncertainty_mv([discharge()], known(0.01))
    twice = charge_uncertainty_mv([discharge(), discharge()], known(0.01))
    assert twice == pytest.approx(alone)


@pytest.mark.usefixtures("constant_slope")
def test_a_part_that_carries_on_the_state_carries_on_the_uncertainty_of_what_lies_between() -> None:
    """Cycles 1 and 3 of three: the second part begins with what cycles 1 and 2 add."""
    problem, _, _ = discharge(3)
    starts = np.flatnonzero(np.diff(problem.record.cycle_count, prepend=0))
    cleaned = known(0.01, 0.02, 0.01)
    carried = carried_uncertainty_ah(problem.record, [int(starts[0]), int(starts[2])], cleaned)
    assert carried == pytest.approx([0.0, 0.03], rel=1e-2)
    effect = charge_uncertainty_mv([discharge(), discharge()], cleaned, carried_ah=carried)
    # 4 mV and 12 to 16 mV, evenly along the charge
    assert effect == pytest.approx(np.sqrt((16.0 + (12.0**2 + 12.0 * 16.0 + 16.0**2)) / 6.0), rel=2e-2)
    assert carried_uncertainty_ah(problem.record, [0], None) == []
    assert carried_uncertainty_ah(problem.record, [0], known(0.01, None, 0.01)) == []


def test_a_cycle_without_charge_is_uncertain_from_its_start() -> None:
    problem, _, _ = discharge()
    still = replace(problem.record, current_ampere=np.zeros(len(problem.record.time_second)))
    uncertainty = accumulated_uncertainty_ah(still, known(0.01, throughput_ah=0.0))
    assert uncertainty is not None
    assert uncertainty == pytest.approx(np.full(len(uncertainty), 0.01))


def test_the_slope_of_a_curve_counts_where_it_has_settled_only() -> None:
    """Not at rest, and not right after the current began: there the voltage falls by other causes than charge."""
    time = np.arange(0.0, 3601.0, 10.0)
    current = np.where(time < 1000.0, 0.0, -2.0)
    record = make_record(partition(time, current, np.full(len(time), 3.7)))
    charge = np.concatenate([[0.0], np.cumsum(0.5 * (current[1:] + current[:-1]) * 10.0 / 3600.0)])
    drop = np.where(time < 1000.0, 0.0, -0.2 - 0.05 * (1.0 - np.exp(-(time - 1000.0) / 20.0)))
    replayed: Any = SimpleNamespace(charge_ah=charge, voltage_volt=4.0 + 0.3 * charge + drop)
    slope = loaded_slope_volt_per_ah(record, replayed, CAPACITY_AH)
    assert (slope[time < 1100.0] == 0.0).all()
    assert slope[time > 1250.0] == pytest.approx(0.3, rel=2e-2)


@pytest.mark.parametrize(("base", "soc"), [("Chen2020", 0.97), ("Prada2013", 0.9)])
def test_the_slope_is_the_difference_to_a_cell_with_less_charge(
    base: str, soc: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against the truth: the same record from a state of charge that is 0.2 % lower."""
    seen: list[Any] = []
    monkeypatch.setattr(
        "kilocell.jobs.simulation.simulate.charge_uncertainty_mv", lambda solved, *_, **__: seen.append(solved[0])
    )
    curves = []
    for lower in (0.0, 0.002):
        cell = CellSettings("CELL", 5.0, InitialState("soc", soc - lower), 25.0)
        settings = SimulateSettings(
            cell, ModelSettings("SPM", "SPM"), ParameterSetSettings(base, base), tolerance="tight"
        )
        time = np.arange(0.0, 7200.0, 10.0)
        samples = partition(time, np.where((time > 600.0) & (time < 3600.0), -4.0, 0.0), np.full(len(time), 3.3))
        curves.append(simulate(samples, settings, None).frame["simulated_voltage_volt"].to_numpy())
    problem, replayed, _ = seen[0]
    estimated = 0.002 * CHARGE_HELD[base] * charge_effect.slope_volt_per_ah(problem, replayed)
    true = curves[1] - curves[0]
    ratio = float(np.sqrt(np.mean(estimated**2) / np.mean(true**2)))
    assert 0.9 < ratio < 1.15


CHARGE_HELD = {"Chen2020": 5.09, "Prada2013": 5.0}
"""About the charge in A.h between the cut-offs of a cell with a nominal capacity of 5 A.h."""


def counted_from_a_rest(*uncertainties_ah: float) -> Any:
    """Simulate a part of a discharge from its rest on: its state is counted over the rest of the discharge."""
    time = np.arange(0.0, 7201.0, 20.0)
    current = np.where((time > 1800.0) & (time <= 5400.0), -1.0, 0.0)
    samples = partition(time, current, np.where(time <= 1800.0, 4.0, 3.8 - 2e-5 * time))
    samples[c.CYCLE_COUNT] = np.where(time <= 1800.0, 1, np.where(time <= 4000.0, 2, 3)).astype(np.int32)
    cell = CellSettings("A", nominal_capacity_ah=5.0, initial_state=InitialState("rest_voltage"))
    settings = SimulateSettings(
        cell, ModelSettings("SPM", "SPM"), ParameterSetSettings("Chen2020", "Chen2020"), cycles=parse_selection("3")
    )
    cleaned = known(*uncertainties_ah, throughput_ah=0.61) if uncertainties_ah else None
    return simulate(samples, settings, None, cleaned).result


def test_a_counted_state_is_as_uncertain_as_the_charge_between() -> None:
    plain, sure, unsure = (counted_from_a_rest(*ah) for ah in ((), (0.0, 0.0, 0.0), (0.0, 0.061, 0.0)))
    assert sure.state_uncertainty_soc == pytest.approx(plain.state_uncertainty_soc)
    # All of the cycle's 0.061 A.h, of the 5.09 A.h between the set's cut-offs.
    assert unsure.state_uncertainty_soc == pytest.approx(np.hypot(plain.state_uncertainty_soc, 0.061 / 5.09), rel=0.05)
    assert unsure.initial_soc == sure.initial_soc
    # What is uncertain after the start counts only for the interval of 20 s that leads to it.
    assert counted_from_a_rest(0.0, 0.0, 0.5).state_uncertainty_soc < 1e-3
