"""The same cell gives the same voltage: whatever was solved before, in whichever process, however it is padded."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import pytest
from kilocell.data.errors import JobError
from kilocell.data.settings import (
    CellSettings,
    InitialState,
    ModelSettings,
    Override,
    ParameterSetSettings,
    SimulateSettings,
)
from kilocell.jobs.current_profile.compress import compress_current
from kilocell.jobs.models.build import make_structure
from kilocell.jobs.models.simulation_case import resolve_simulation
from kilocell.jobs.record.record import make_record
from kilocell.jobs.simulation.conditions import find_conditions
from kilocell.jobs.simulation.replay import replay
from kilocell.jobs.simulation.simulate import simulate
from loads import LOADS
from numpy.typing import NDArray
from records import partition

Floats = NDArray[np.float64]
DIFFUSIVITY = "Negative particle diffusivity [m2.s-1]"
CELLS = ("cccv", "gitt", "pulses", "drive")


def asked(name: str, model: str) -> SimulateSettings:
    """Cells that differ in capacity, state, temperature and a parameter, but share one built model."""
    k = CELLS.index(name)
    return SimulateSettings(
        CellSettings(name, 5.0 + 0.2 * k, InitialState("soc", LOADS[name][1]), 20.0 + 3.0 * k),
        ModelSettings(model, model),
        ParameterSetSettings("v", "Chen2020", (Override(DIFFUSIVITY, "scale", 1.0 + 0.1 * k),)),
    )


def voltage_of(name: str, model: str) -> Floats:
    time, current = LOADS[name][0]()
    time, current = time[:600], current[:600]
    frame = simulate(partition(time, current, np.full(len(time), 3.7)), asked(name, model), None).frame
    voltage: Floats = frame["simulated_voltage_volt"].to_numpy()
    return voltage


@pytest.mark.parametrize("model", ["SPM", *(pytest.param(model, marks=pytest.mark.slow) for model in ("SPMe", "DFN"))])
def test_the_order_of_cells_changes_no_bit(model: str) -> None:
    forward = {name: voltage_of(name, model) for name in CELLS}
    backward = {name: voltage_of(name, model) for name in reversed(CELLS)}
    for name in CELLS:
        np.testing.assert_array_equal(forward[name], backward[name])
        np.testing.assert_array_equal(forward[name], voltage_of(name, model))


@pytest.mark.slow
def test_a_failed_solve_leaves_nothing_behind() -> None:
    """A cell that leaves the range, or a solver that gives up, must not change the next cell's voltage."""
    before = voltage_of("drive", "DFN")
    time, current = LOADS["drive"][0]()
    empty = partition(time, 8.0 * current, np.full(len(time), 3.7))
    with pytest.raises(JobError):
        simulate(empty, replace(asked("drive", "DFN"), cell=CellSettings("X", 5.0, InitialState("soc", 0.02))), None)
    np.testing.assert_array_equal(before, voltage_of("drive", "DFN"))


def test_every_process_gives_the_same_bits() -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other:
        alone = other.submit(voltage_of, "gitt", "SPMe").result()
    voltage_of("cccv", "SPMe")
    np.testing.assert_array_equal(alone, voltage_of("gitt", "SPMe"))


@pytest.mark.parametrize("model", ["SPM", "DFN"])
def test_padding_changes_nothing(model: str) -> None:
    time, current = LOADS["cccv"][0]()
    settings = asked("cccv", model)
    record = make_record(partition(time, current, np.full(len(time), 3.7)))
    profile = compress_current(time, current, record.after_gap, 5.0)
    conditions = find_conditions(record, resolve_simulation(settings, None))
    overrides, knots = settings.parameter_set.overrides, len(profile.time_second)
    structure = make_structure(settings.model, "Chen2020", overrides, knots, settings.rtol, settings.atol)
    voltages = [
        replay(replace(structure, size=size), conditions, profile, time).voltage_volt for size in (64, 256, 1024)
    ]
    assert np.max(np.abs(voltages[1] - voltages[0])) < 1e-9
    assert np.max(np.abs(voltages[2] - voltages[0])) < 1e-9
