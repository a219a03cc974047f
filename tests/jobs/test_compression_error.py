"""What compression does to the voltage is below its estimate, and not far below."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from kilocell.data.readers.read import guess_settings, read_raw
from kilocell.data.settings import (
    CellSettings,
    CleanSettings,
    InitialState,
    ModelSettings,
    Override,
    ParameterSetSettings,
    SimulateSettings,
)
from kilocell.jobs.cleaning.clean import clean
from kilocell.jobs.current_profile.compress import CurrentProfile, compress_record
from kilocell.jobs.current_profile.compression_error import apply_lag, estimate_compression_error
from kilocell.jobs.models.build import make_structure
from kilocell.jobs.models.simulation_case import resolve_simulation
from kilocell.jobs.record.record import Record, make_record
from kilocell.jobs.simulation.conditions import find_conditions
from kilocell.jobs.simulation.replay import check_range, replay
from kilocell.jobs.simulation.simulate import simulate
from loads import LOADS
from numpy.typing import NDArray
from records import partition

Floats = NDArray[np.float64]


def asked(model: str, soc: float = 0.9, base: str = "Chen2020", celsius: float = 25.0) -> SimulateSettings:
    return SimulateSettings(
        CellSettings("CELL", 5.0, InitialState("soc", soc), celsius),
        ModelSettings(model, model),
        ParameterSetSettings(base, base),
    )


def record_under(time: Floats, current: Floats) -> Record:
    return make_record(partition(time, current, np.full(len(time), 3.7)))


def solved(record: Record, settings: SimulateSettings, profile: CurrentProfile, exact: bool) -> Floats:
    """Voltage under a profile: as a simulation does it, or with a stop at every knot and tight tolerances."""
    rtol, atol = (1e-7, 1e-9) if exact else (settings.rtol, settings.atol)
    knots = len(profile.time_second)
    structure = make_structure(settings.model, settings.parameter_set.base, (), knots, rtol, atol)
    structure = replace(structure, algebraic_error=not exact)  # a DFN with a stop at each knot fails its test here
    conditions = find_conditions(record, resolve_simulation(settings, None))
    replayed = replay(structure, conditions, profile, record.time_second, every_knot=exact)
    check_range(replayed)
    return replayed.voltage_volt


def judge(record: Record, settings: SimulateSettings) -> None:
    """Hold the estimate against two exact replays: under the profile, and with every sample a knot."""
    profile = compress_record(record, 5.0)
    every_sample = compress_record(record, 5.0, np.inf)
    away = 1e3 * (solved(record, settings, profile, True) - solved(record, settings, every_sample, True))
    rmse, worst = float(np.sqrt(np.mean(away**2))), float(np.max(np.abs(away)))
    seen = np.interp(record.time_second, profile.time_second, profile.current_ampere)
    voltage = solved(record, settings, profile, False)
    time, current = record.time_second, record.current_ampere
    error = estimate_compression_error(time, current, seen, voltage, record.after_gap, profile.noise_ampere, 5.0)
    assert rmse <= error.rmse_mv <= 5.0 * rmse + 0.05
    assert worst <= error.worst_mv <= 5.0 * worst + 0.05
    assert error.shift_mv <= error.rmse_mv


@pytest.mark.parametrize(
    "name", ["pulses", "drive", *(pytest.param(name, marks=pytest.mark.slow) for name in ("cccv", "gitt"))]
)
def test_the_true_difference_is_below_the_estimate_and_not_far_below(name: str) -> None:
    load, soc = LOADS[name]
    judge(record_under(*load()), asked("SPMe", soc))


def test_the_estimate_holds_in_the_cold_where_small_currents_meet_a_large_resistance() -> None:
    time, current = LOADS["drive"][0]()
    judge(record_under(time, 0.5 * current), asked("SPMe", base="OKane2022", celsius=-5.0))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gitt", "drive"])
def test_the_estimate_holds_for_a_dfn(name: str) -> None:
    load, soc = LOADS[name]
    judge(record_under(*load()), asked("DFN", soc))


@pytest.mark.slow
def test_the_estimate_holds_at_ten_samples_a_second() -> None:
    judge(record_under(*LOADS["drive"][0](10.0, seconds=300.0)), asked("SPM"))


def test_the_estimate_holds_for_a_real_record(shared_data: Path) -> None:
    path = shared_data / "lgm50_digatron" / "25degC" / "Cell785_0p5C_25degC.csv"
    samples = clean(read_raw(path, guess_settings(path)), "785", CleanSettings(nominal_capacity_ah=5.0)).samples
    judge(make_record(samples), asked("SPMe", 0.999))


def test_a_simulation_reports_the_estimate_and_a_record_without_noise_has_none() -> None:
    time, current = LOADS["cccv"][0]()
    noisy = simulate(partition(time, current, np.full(len(time), 3.7)), asked("SPM", 0.05), None).result
    assert noisy.compression_rmse_mv is not None
    assert noisy.compression_worst_mv is not None
    assert 0.05 < noisy.compression_rmse_mv < 0.3
    assert noisy.compression_rmse_mv < noisy.compression_worst_mv < 2.0
    clear = partition(time, np.where(time > 600.0, 1.0, 0.0), np.full(len(time), 3.7))
    result = simulate(clear, asked("SPM", 0.1), None).result
    assert result.compression_rmse_mv == pytest.approx(0.0, abs=1e-6)


def test_where_compression_shifts_the_voltage_too_much_the_knots_are_made_finer() -> None:
    """A contact of 0.4 ohm turns a few mA of a drive cycle's current into millivolts."""
    time, current = LOADS["drive"][0]()
    settings = replace(
        asked("SPM"),
        model=ModelSettings("SPM", "SPM", (("contact resistance", "true"),)),
        parameter_set=ParameterSetSettings("c", "Chen2020", (Override("Contact resistance [Ohm]", "value", 0.4),)),
    )
    result = simulate(partition(time, 0.3 * current, np.full(len(time), 3.7)), settings, None).result
    assert any("shift the voltage by" in line for line in result.attempts)
    assert result.attempts[-1].endswith("done")
    assert result.compression_rmse_mv is not None
    assert result.compression_rmse_mv <= 1.0 + 1e-9 or result.knots == result.samples


def test_a_power_cut_moves_no_charge_in_the_estimate() -> None:
    after_gap = np.array([False, False, True, False])
    step = np.array([1.0, 1e6, 1.0])
    behind = apply_lag(step, np.ones((1, 4)), after_gap, 10.0)[0]
    np.testing.assert_allclose(behind, [0.0, 1.0 - np.exp(-0.1), 0.0, 1.0 - np.exp(-0.1)], atol=1e-12)


def test_a_lag_is_that_of_a_current_that_is_linear_between_samples() -> None:
    rng = np.random.default_rng(1)
    step = rng.choice([0.01, 1.0, 30.0], 50)
    current = rng.standard_normal(51)
    fine = 2000
    slow = np.concatenate([[0.0], np.cumsum(step)])
    dense = np.unique(np.concatenate([np.linspace(a, a + h, fine) for a, h in zip(slow[:-1], step, strict=True)]))
    value = np.interp(dense, slow, current)
    lag = 20.0
    state, found = 0.0, [0.0]
    for h, old, new in zip(np.diff(dense), value[:-1], value[1:], strict=True):
        state += h / lag * ((old + new) / 2.0 - state) / (1.0 + h / (2.0 * lag))  # the midpoint rule
        found.append(state)
    expected = np.array(found)[np.searchsorted(dense, slow)]
    np.testing.assert_allclose(apply_lag(step, current[None], np.zeros(51, bool), lag)[0], expected, atol=1e-6)


@pytest.mark.parametrize("noise_ampere", [1e-3, 6e-3])
def test_noise_in_a_record_of_next_to_no_charge_is_not_taken_for_lost_charge(noise_ampere: float) -> None:
    """Ten minutes of rest with two pulses of one sample: what noise moves to and fro is percents of all charge."""
    time, current = np.arange(0.0, 600.0), np.zeros(600)
    current[300], current[340] = -5.0, 4.0
    current += noise_ampere * np.random.default_rng(1).standard_normal(600)
    result = simulate(partition(time, current, np.full(600, 3.7)), asked("SPM"), None).result
    assert result.charge_error < 5e-4
    assert result.attempts == ("as asked: done",)
    few = len(compress_record(record_under(time, current), 5.0).time_second)
    assert (result.knots > few) == (noise_ampere > 1e-3)
