"""A capacity measured from a named cycle scales the model, and a cycle that measures none is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.cycle_selection import MeasuredCapacity
from kilocell.data.errors import JobError
from kilocell.data.settings import CellSettings, ModelSettings, ParameterSetSettings, SimulateSettings
from kilocell.jobs.parameters.capacity import fill_measured_capacity, find_capacity
from kilocell.jobs.record.cycles import summarise_cycles
from kilocell.jobs.simulation.simulate import simulate
from records import partition


def record(*cycles: tuple[float, float], voltage: tuple[float, float] = (2.6, 4.15)) -> pd.DataFrame:
    """Cycles of (A.h out, A.h in) at 1 A, a rest before each; the voltage runs through its window."""
    current: list[float] = []
    number: list[int] = []
    for cycle, (out, back) in enumerate(cycles, 1):
        steps = [0.0] * 60 + [-1.0] * round(60 * out) + [0.0] * 60 + [1.0] * round(60 * back)
        current += steps
        number += [cycle] * len(steps)
    time = np.arange(0.0, 60.0 * len(current), 60.0)
    volts = np.mean(voltage) - 0.5 * np.ptp(voltage) * np.cos(time / 900.0)
    return partition(time, np.array(current), volts).assign(**{c.CYCLE_COUNT: np.array(number, np.int32)})


def asked(cycle: int, of: str = "discharge") -> SimulateSettings:
    cell = CellSettings("CELL", measured_capacity=MeasuredCapacity(cycle, of))  # type: ignore[arg-type]
    return SimulateSettings(cell, ModelSettings("SPM", "SPM"), ParameterSetSettings("Chen2020", "Chen2020"))


def measured(samples: pd.DataFrame, settings: SimulateSettings) -> tuple[float, str]:
    resolved = fill_measured_capacity(settings, summarise_cycles(samples), samples)
    return find_capacity(resolved.cell, resolved.parameter_set)


@pytest.mark.parametrize(
    ("cycle", "of", "expected", "words"),
    [
        (2, "discharge", 4.0, "measured in cycle 2: 4 A.h discharged"),
        (2, "charge", 4.1, "measured in cycle 2: 4.1 A.h charged"),
        (0, "discharge", 3.5, "measured in the last cycle: 3.5 A.h discharged"),
    ],
)
def test_the_named_cycles_charge_is_the_capacity(cycle: int, of: str, expected: float, words: str) -> None:
    capacity, source = measured(record((2.5, 4.2), (4.0, 4.1), (3.5, 3.6)), asked(cycle, of))
    assert capacity == pytest.approx(expected, abs=0.02)
    assert source.split(":")[0] == words.split(":")[0]
    assert source.endswith(words.split()[-1])


def test_capacity_given_or_of_the_set_says_so() -> None:
    parameter_set = ParameterSetSettings("Chen2020", "Chen2020")
    assert find_capacity(CellSettings("C", nominal_capacity_ah=3.0), parameter_set) == (3.0, "given")
    assert find_capacity(CellSettings("C"), parameter_set) == (5.0, "nominal capacity of Chen2020")


@pytest.mark.parametrize(
    ("samples", "cycle", "code", "words"),
    [
        (record((4.0, 4.1), (1.0, 1.0)), 2, "no_capacity", "cycle 1 has 4 A.h"),
        (record((4.0, 4.1), (4.0, 4.0)), 3, "no_such_cycle", "it has cycles 1 to 2"),
        (record((1.0, 1.1), (1.0, 1.0), voltage=(3.6, 3.9)), 2, "no_capacity", "no full discharge"),
        (record((4.0, 4.0), (4.0, 4.0)).assign(**{c.CYCLE_COUNT: np.int32(1)}), 1, "no_capacity", "these are several"),
    ],
)
def test_a_cycle_that_measures_no_capacity_is_refused(samples: pd.DataFrame, cycle: int, code: str, words: str) -> None:
    with pytest.raises(JobError, match=words) as caught:
        measured(samples, asked(cycle))
    assert caught.value.code == code


def test_the_measured_capacity_scales_the_model_and_is_told() -> None:
    samples = record((4.0, 4.1), (4.0, 4.0))
    settings = fill_measured_capacity(asked(2), summarise_cycles(samples), samples)
    # The made-up voltage is no cell's, so the state it gives holds for the first part only.
    result = simulate(samples[samples[c.TEST_TIME] < 4000.0], settings, None).result
    assert result.electrodes_in_parallel == pytest.approx(4.0 / 5.0, abs=0.01)
    assert result.capacity_ah == pytest.approx(4.0, abs=0.05)
    assert result.capacity_source.startswith("measured in cycle 2: ")
