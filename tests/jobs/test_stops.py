"""The solver stops where a step could go astray, and outputs are dense where the voltage bends."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from kilocell.data.settings import CellSettings, InitialState, ModelSettings, ParameterSetSettings, SimulateSettings
from kilocell.jobs.current_profile.compress import CurrentProfile, compress_current
from kilocell.jobs.models.build import make_structure
from kilocell.jobs.models.simulation_case import resolve_simulation
from kilocell.jobs.record.record import make_record
from kilocell.jobs.simulation.conditions import find_conditions
from kilocell.jobs.simulation.output_points import ROUNDS, add_outputs
from kilocell.jobs.simulation.replay import replay
from kilocell.jobs.simulation.stops import interpolate_outputs, output_samples, solver_stops, stop_at_every_knot
from numpy.typing import NDArray
from records import partition

Floats = NDArray[np.float64]


def profile(*knots: tuple[float, float]) -> CurrentProfile:
    time, current = np.array(knots).T
    return CurrentProfile(time, current, 0.0)


def test_a_pulse_is_stopped_at_on_its_way_and_on_its_return() -> None:
    pulse = profile((0, 0), (3000, 0), (3010, -5), (3020, 0), (6000, 0))
    assert solver_stops(pulse, 5.0, False).at_knot.all()


def test_a_slow_bump_in_a_rest_cannot_be_stepped_over() -> None:
    """No edge at all: only the knot at which the current turns keeps a step from spanning it."""
    bump = profile((0, 0), (1000, 0), (2000, -2), (3000, 0), (4000, 0))
    assert solver_stops(bump, 5.0, False).at_knot.tolist() == [True, False, True, False, True]


def test_a_decay_needs_no_stops_in_between() -> None:
    time = 1000.0 + 100.0 * np.arange(8)
    hold = profile((0.0, 2.0), *zip(time.tolist(), (2.0 * np.exp(-np.arange(8) / 3.0)).tolist(), strict=True))
    assert solver_stops(hold, 5.0, False).at_knot.tolist() == [True, True, *[False] * 6, True]


@settings(max_examples=50, deadline=None)
@given(arrays(float, st.integers(3, 60), elements=st.floats(-5, 5, width=32)), st.booleans())
def test_between_stops_the_current_only_rises_or_only_falls(current: Floats, follows: bool) -> None:
    time = np.cumsum(np.random.default_rng(len(current)).choice([1.0, 3.0, 1000.0], len(current)))
    stops = solver_stops(CurrentProfile(time, current, 0.0), 5.0, follows)
    if stops.longest_step_second:
        assert stops.longest_step_second <= np.max(np.diff(time))
        return
    at = np.flatnonzero(stops.at_knot)
    for first, last in itertools.pairwise(at):
        rise = np.diff(current[first : last + 1])
        assert (rise >= -5e-3).all() or (rise <= 5e-3).all()


def test_a_drive_cycle_is_guarded_by_a_longest_step() -> None:
    time = np.arange(0.0, 3601.0)
    load = CurrentProfile(time, np.random.default_rng(1).normal(-2.0, 1.0, len(time)), 0.0)
    stops = solver_stops(load, 5.0, False)
    assert stops.longest_step_second == 0.25
    assert stops.tighter < 1.0
    assert stops.at_knot.sum() == 2
    assert solver_stops(load, 5.0, True).at_knot.mean() > 0.9


@pytest.mark.parametrize(("interval", "first"), [(0.5, 0.01), (1.0, 0.1), (10.0, 1.0), (60.0, 1.0)])
def test_the_first_step_is_short_against_an_edge(interval: float, first: float) -> None:
    pulse = profile((0, 0), (3000, 0), (3000 + interval, -5), (4000, -5), (4000 + interval, 0), (6000, 0))
    for follows in (False, True):
        assert solver_stops(pulse, 5.0, follows).first_step_second == pytest.approx(first)
    assert stop_at_every_knot(pulse, 5.0).first_step_second == pytest.approx(first)


def test_a_power_cut_is_no_edge_to_choose_a_first_step_by() -> None:
    cut = profile((0, 0), (10, -5), (500, -5), (500.001, 0), (900.999, 0), (901, -5), (1500, -5), (1510, 0))
    assert solver_stops(cut, 5.0, False).first_step_second == pytest.approx(1.0)
    assert solver_stops(profile((0, -0.1), (7140, -0.1)), 5.0, False).first_step_second == 0.0


def test_samples_taken_out_of_turn_are_outputs() -> None:
    time = np.concatenate([np.arange(0.0, 3600.0, 60.0), 3601.0 + np.arange(5.0), np.arange(3660.0, 7200.0, 60.0)])
    calm = profile((0.0, -0.1), (7140.0, -0.1))
    outputs = output_samples(time, calm, solver_stops(calm, 5.0, False).at_knot, 5.0)
    assert set(np.flatnonzero((time > 3600.0) & (time < 3606.0))) <= set(outputs.tolist())
    assert len(outputs) < 0.7 * len(time)
    assert outputs[0] == 0
    assert outputs[-1] == len(time) - 1


def test_between_outputs_nothing_overshoots() -> None:
    time = np.arange(100.0)
    outputs = np.array([0, 10, 50, 99])
    filled = interpolate_outputs(time, outputs, np.array([4.0, 4.0, 3.0, 3.0]))
    assert filled.min() == 3.0
    assert filled.max() == 4.0
    np.testing.assert_array_equal(filled[outputs], [4.0, 4.0, 3.0, 3.0])


def random_load(seed: int) -> tuple[Floats, Floats]:
    """Rests, constant currents, slow bumps, ramps, trains of pulses and sines, one after the other, within 3 A.h."""
    rng = np.random.default_rng(seed)
    interval = float(rng.choice([1.0, 5.0, 10.0, 30.0]))
    time, current = [0.0], [0.0]
    for _ in range(int(rng.integers(3, 12))):
        began, length, size = time[-1], 10 ** rng.uniform(1.3, 4.0), rng.uniform(-3.0, 3.0)
        pieces: dict[str, tuple[list[float], list[float]]] = {
            "rest": ([interval, interval + length], [0.0, 0.0]),
            "constant": ([interval, interval + length], [size, size]),
            "bump": ([length / 2, length], [current[-1] + size, current[-1]]),
            "ramp": ([length], [size]),
            "train": (
                np.ravel([[k * (interval + length / 20) + s for s in (interval, interval + length / 20)]
                          for k in range(6)]).tolist(),
                np.repeat(size * (np.arange(6) % 2), 2).tolist(),
            ),
            "sine": ((length * np.arange(1, 21) / 20).tolist(),
                     (current[-1] + size * np.sin(np.arange(1, 21) * np.pi / 5)).tolist()),
        }  # fmt: skip
        after, values = pieces[str(rng.choice(list(pieces)))]
        time += [began + t for t in after]
        current += values
    samples = np.arange(0.0, time[-1], interval)
    load = np.interp(samples, time, current)
    charge = np.concatenate([[0.0], np.cumsum((load[1:] + load[:-1]) / 7200.0 * interval)])
    return samples, load * min(1.0, 3.0 / float(np.ptp(charge)))


@pytest.mark.slow
@pytest.mark.parametrize("model", ["SPM", "DFN"])
def test_any_load_is_replayed_as_with_a_stop_at_every_knot(model: str) -> None:
    for seed in range(40 if model == "SPM" else 8):
        time, current = random_load(seed)
        charge = np.cumsum((current[1:] + current[:-1]) / 7200.0 * np.diff(time))
        soc = min(0.17 + max(-float(charge.min()), 0.0) / 5.0, 0.85)
        asked = SimulateSettings(
            CellSettings("CELL", 5.0, InitialState("soc", soc), 25.0),
            ModelSettings(model, model),
            ParameterSetSettings("Chen2020", "Chen2020"),
        )
        knots = compress_current(time, current, np.zeros(len(time), bool), 5.0)
        record = make_record(partition(time, current, np.full(len(time), 3.7)))
        conditions = find_conditions(record, resolve_simulation(asked, None))
        structure = make_structure(asked.model, "Chen2020", (), len(knots.time_second), asked.rtol, asked.atol)
        quick = replay(structure, conditions, knots, time).voltage_volt
        sure = replay(structure, conditions, knots, time, every_knot=True).voltage_volt
        away = 1e3 * np.abs(quick - sure)
        assert away.max() < 5.0, seed
        assert np.sqrt(np.mean(away**2)) < 0.3, seed


@pytest.mark.parametrize("at_celsius", [0.0, 40.0])
@pytest.mark.parametrize("model", ["SPM", "DFN"])
def test_outputs_are_added_where_the_voltage_bends_unforeseen(model: str, at_celsius: float) -> None:
    """The staging of a graphite and the knee at the end of a discharge, which the charge passed does not foretell."""
    time = np.arange(0.0, 6000.0, 10.0)
    current = np.where((time >= 600.0) & (time < 600.0 + 3350.0), -5.0, 0.0)
    asked = SimulateSettings(
        CellSettings("CELL", 5.0, InitialState("soc", 1.0), at_celsius),
        ModelSettings(model, model),
        ParameterSetSettings("OKane2022", "OKane2022"),
    )
    knots = compress_current(time, current, np.zeros(len(time), bool), 5.0)
    record = make_record(partition(time, current, np.full(len(time), 3.7)))
    conditions = find_conditions(record, resolve_simulation(asked, None))
    structure = make_structure(asked.model, "OKane2022", (), len(knots.time_second), asked.rtol, asked.atol)
    away = 1e3 * np.abs(
        replay(structure, conditions, knots, time).voltage_volt
        - replay(structure, conditions, knots, time, every_knot=True).voltage_volt
    )
    assert away.max() < 3.0
    assert np.sqrt(np.mean(away**2)) < 0.2


def test_a_smooth_curve_needs_no_more_outputs_and_a_knee_does() -> None:
    time = np.arange(0.0, 1001.0)
    outputs = np.arange(0, 1001, 50)
    stops = np.array([0.0, 1000.0])
    smooth = 3.7 - 1e-4 * time
    assert len(add_outputs(time, outputs, smooth[outputs], stops)) == len(outputs)
    knee = smooth - 0.3 * np.exp((time - 1000.0) / 60.0)
    more = outputs
    for _ in range(ROUNDS):
        more = add_outputs(time, more, knee[more], stops)
    assert set(outputs) < set(more)
    assert np.sqrt(np.mean((interpolate_outputs(time, more, knee[more]) - knee) ** 2)) < 2e-4


def test_a_pulse_is_seen_as_finely_as_it_was_sampled() -> None:
    """Between two rests at 30 s, ten seconds at 1 s: the record's usual interval would leave one output."""
    time = np.unique(np.concatenate([np.arange(0, 3001, 30.0), 3000 + np.arange(11.0), np.arange(3010, 6001, 30.0)]))
    current = np.where((time > 3000) & (time <= 3010), -5.0, 0.0)
    seen = compress_current(time, current, np.zeros(len(time), dtype=np.bool_), 5.0)
    at_knot = solver_stops(seen, 5.0, False).at_knot
    outputs = time[output_samples(time, seen, at_knot, 5.0)]
    assert np.count_nonzero((outputs > 3000) & (outputs <= 3010)) >= 6
    assert np.count_nonzero(outputs > 3010) < 30
