"""A profile solved in windows is the profile solved at once; a simulation that takes too long ends."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from kilocell.data.errors import JobError
from kilocell.data.settings import CellSettings, InitialState, ModelSettings, ParameterSetSettings, SimulateSettings
from kilocell.jobs.current_profile.compress import CurrentProfile, compress_record
from kilocell.jobs.current_profile.model_input import PROFILE_SIZES
from kilocell.jobs.models.build import Structure, make_structure
from kilocell.jobs.models.simulation_case import resolve_simulation
from kilocell.jobs.record.charge import interval_charge_ah
from kilocell.jobs.record.record import Record, make_record
from kilocell.jobs.simulation.conditions import find_conditions
from kilocell.jobs.simulation.replay import Replayed, replay
from kilocell.jobs.simulation.solver_windows import TimeLimit, split_into_windows
from records import partition

AGEING = (("SEI", "solvent-diffusion limited"), ("thermal", "lumped"))


def asked(model: str, options: tuple[tuple[str, str], ...] = ()) -> SimulateSettings:
    cell = CellSettings("CELL", initial_state=InitialState("soc", 0.6))
    return SimulateSettings(cell, ModelSettings(model, model, options), ParameterSetSettings("Chen2020", "Chen2020"))


@lru_cache(maxsize=1)
def steps() -> Record:
    """A new current every 40 s for an hour: 180 knots."""
    time = np.arange(0.0, 3600.0, 10.0)
    current = np.repeat(np.random.default_rng(0).normal(-0.5, 3.0, 100), 4)[: len(time)]
    return make_record(partition(time, current, np.full(len(time), 3.7)))


def solved(settings: SimulateSettings, record: Record, size: int, every_knot: bool, tolerance: float) -> Replayed:
    structure: Structure = make_structure(settings.model, "Chen2020", (), 1, 1e-5 * tolerance, 1e-7 * tolerance)
    conditions = find_conditions(record, resolve_simulation(settings, None))
    profile = compress_record(record, 5.0)
    # At 1e-8 the solver of a DFN does not converge if it also controls the error of algebraic variables.
    structure = replace(structure, size=size, algebraic_error=False)
    return replay(structure, conditions, profile, record.time_second, every_knot)


@pytest.mark.parametrize("every_knot", [False, True])
@pytest.mark.parametrize(
    ("model", "options"), [("SPM", ()), ("SPMe", AGEING), pytest.param("DFN", (), marks=pytest.mark.slow)]
)
def test_windows_hand_the_whole_state_over(model: str, options: tuple[tuple[str, str], ...], every_knot: bool) -> None:
    """At tight tolerances nothing but the hand-over could differ: the temperature and the SEI included."""
    whole = solved(asked(model, options), steps(), 256, every_knot, 1e-3)
    cut = solved(asked(model, options), steps(), 18, every_knot, 1e-3)
    np.testing.assert_allclose(cut.voltage_volt, whole.voltage_volt, rtol=0.0, atol=1e-6)
    np.testing.assert_allclose(cut.charge_ah, whole.charge_ah, rtol=0.0, atol=1e-6)


def test_charge_goes_on_from_window_to_window_of_a_long_profile() -> None:
    """More knots than the largest built model takes."""
    time = np.arange(0.0, 3 * PROFILE_SIZES[-1], 1.0)
    current = np.random.default_rng(1).normal(-0.2, 2.0, len(time))
    record = make_record(partition(time, current, np.full(len(time), 3.7)))
    assert len(compress_record(record, 5.0).time_second) > 2 * PROFILE_SIZES[-1]
    replayed = solved(asked("SPM"), record, PROFILE_SIZES[-1], True, 1.0)
    measured = np.cumsum(interval_charge_ah(time, current, record.flags))
    np.testing.assert_allclose(replayed.charge_ah[1:], measured, rtol=0.0, atol=2e-3)
    assert abs(replayed.charge_ah[-1] - measured[-1]) < 5e-4 * np.abs(current).mean() * time[-1] / 3600.0


@given(data=st.data())
@hypothesis_settings(max_examples=100, deadline=None)
def test_windows_cover_every_knot_and_output_once(data: st.DataObject) -> None:
    n = data.draw(st.integers(2, 60))
    time = np.cumsum(data.draw(st.lists(st.floats(0.1, 10.0), min_size=n, max_size=n)))
    at_knot = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    outputs = np.unique(data.draw(st.lists(st.floats(time[0], time[-1]), min_size=1)))
    size = data.draw(st.integers(2, 20))
    found = list(split_into_windows(CurrentProfile(time, np.zeros(n), 0.0), at_knot, outputs, size))
    assert (found[0].first, found[0].begin) == (0, 0)
    assert (found[-1].last, found[-1].end) == (n - 1, len(outputs))
    for before, after in pairwise(found):
        assert (before.last, before.end) == (after.first, after.begin)
    for window in found:
        assert 1 <= window.last - window.first < size
        inside = outputs[window.begin : window.end]
        assert (inside <= time[window.last]).all()
        assert (inside > time[window.first]).all() or window.first == 0
        stops_on_the_way = at_knot[window.first + 1 : window.last + 1].any()
        assert at_knot[window.last] or not stops_on_the_way or window.last == n - 1


def test_a_solve_beyond_its_time_limit_ends_between_windows() -> None:
    """A drive cycle through the DFN takes seconds; the limit of a tenth of one ends it, and says where."""
    record, settings = steps(), asked("DFN")
    structure = replace(make_structure(settings.model, "Chen2020", (), 1, 1e-5, 1e-7), size=18)
    conditions, profile = find_conditions(record, resolve_simulation(settings, None)), compress_record(record, 5.0)
    replay(structure, conditions, profile, record.time_second)  # it is built now
    with pytest.raises(JobError, match=r"time limit of 0\.1 s has passed; reached \d+ s") as caught:
        replay(structure, conditions, profile, record.time_second, True, TimeLimit(0.1))
    assert caught.value.code == "time_limit"
