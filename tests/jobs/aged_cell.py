"""A cell that aged in known steps: a check-up, cycling that no fit should look at, the next check-up, and so on."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from kilocell.data import columns as c
from kilocell.data.fit_settings import LITHIUM_INVENTORY, FitParameter, FitSettings
from kilocell.data.settings import (
    CellSettings,
    InitialState,
    ModelSettings,
    Override,
    ParameterSetSettings,
    SimulateSettings,
)
from kilocell.jobs.simulation.simulate import simulate
from records import partition

NEGATIVE: Final = "Negative electrode active material volume fraction"
POSITIVE: Final = "Positive electrode active material volume fraction"
DIFFUSIVITY: Final = "Negative particle diffusivity [m2.s-1]"

CHECK_UPS: Final = (1, 4, 7)
TRUTH: Final[dict[int, dict[str, float]]] = {
    1: {NEGATIVE: 0.75, POSITIVE: 0.665, LITHIUM_INVENTORY: 1.0, DIFFUSIVITY: 3.3e-14},
    4: {NEGATIVE: 0.72, POSITIVE: 0.655, LITHIUM_INVENTORY: 0.97, DIFFUSIVITY: 2.2e-14},
    7: {NEGATIVE: 0.68, POSITIVE: 0.640, LITHIUM_INVENTORY: 0.93, DIFFUSIVITY: 1.2e-14},
}
"""What the cell's parameters really are at each check-up."""

SAMPLE_SECOND: Final = 30.0
CHECK_UP: Final = ((1800.0, 0.0), (8400.0, -1.4), (3600.0, 0.0), (600.0, 2.5), (900.0, 0.0), (5880.0, 1.74))
CYCLING: Final = ((1200.0, -2.0), (300.0, 0.0), (1200.0, 2.0))
GAP_SECOND: Final = 86400.0  # with the power off, before each check-up but the first

FIT: Final = FitSettings(
    name="ageing",
    cell=CellSettings("CELL", 5.0, InitialState(), 25.0),
    model=ModelSettings("SPM", "SPM"),
    parameter_set=ParameterSetSettings("Chen2020", "Chen2020"),
    parameters=(
        FitParameter(NEGATIVE, 0.55, 0.85),
        FitParameter(POSITIVE, 0.55, 0.75),
        FitParameter(LITHIUM_INVENTORY, 0.8, 1.1),
        FitParameter(DIFFUSIVITY, 3e-15, 3e-13, "log"),
    ),
    cycles=(1,),
    starts=1,
    seed=5,
)


def values_of(cycle: int) -> tuple[float, ...]:
    """The truth in the order of ``FIT.parameters``."""
    return tuple(TRUTH[cycle][p.name] for p in FIT.parameters)


def check_up(cycle: int) -> pd.DataFrame:
    """What the cell answers in one check-up, from rest at 4.1 V."""
    overrides = tuple(Override(name, "value", value) for name, value in TRUTH[cycle].items())
    cell = replace(FIT.cell, initial_state=InitialState("voltage", 4.1))
    asked = SimulateSettings(cell, FIT.model, ParameterSetSettings("truth", "Chen2020", overrides))
    record = _steps(CHECK_UP)
    return record.assign(**{c.VOLTAGE: simulate(record, asked, None).frame["simulated_voltage_volt"]})


@lru_cache(maxsize=2)
def aged_cell(noise_volt: float = 0.0) -> pd.DataFrame:
    """Seven cycles, of which 1, 4 and 7 are check-ups; the voltage of the others follows no model."""
    parts: list[pd.DataFrame] = []
    for cycle in range(1, CHECK_UPS[-1] + 1):
        part = check_up(cycle) if cycle in CHECK_UPS else _cycling()
        if parts:
            gap = SAMPLE_SECOND + (GAP_SECOND if cycle in CHECK_UPS else 0.0)
            part[c.TEST_TIME] += float(parts[-1][c.TEST_TIME].iloc[-1]) + gap
            part[c.STEP_COUNT] += int(parts[-1][c.STEP_COUNT].iloc[-1])
        part[c.CYCLE_COUNT] = np.int32(cycle)
        parts.append(part)
    record = pd.concat(parts, ignore_index=True)
    noise = noise_volt * np.random.default_rng(3).standard_normal(len(record))
    record[c.VOLTAGE] += noise
    record[c.SOURCE_ROW] = np.arange(len(record))
    return record


def write_raw(path: Path, noise_volt: float) -> None:
    """Write the cell as a cycler would, in CSV."""
    record = aged_cell(noise_volt)
    raw = pd.DataFrame({"time_s": record[c.TEST_TIME], "cycle": record[c.CYCLE_COUNT], "step": record[c.STEP_COUNT]})
    raw["current_A"], raw["voltage_V"] = record[c.CURRENT].round(4), record[c.VOLTAGE].round(6)
    raw.to_csv(path, index=False)


def _cycling() -> pd.DataFrame:
    record = _steps(CYCLING)
    return record.assign(**{c.VOLTAGE: 4.05 + 0.04 * record[c.CURRENT]})


def _steps(steps: tuple[tuple[float, float], ...]) -> pd.DataFrame:
    counts = [round(second / SAMPLE_SECOND) for second, _ in steps]
    current = np.repeat([ampere for _, ampere in steps], counts)
    time = np.arange(len(current), dtype=np.float64) * SAMPLE_SECOND
    number = np.repeat(np.arange(1, len(steps) + 1), counts).astype(np.int32)
    return partition(time, current, np.full(len(time), 3.7)).assign(**{c.STEP_COUNT: number})
