"""What a simulation stores beside the voltage, and its comparison with a measured surface temperature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ...data.arrays import Floats
from ...data.outputs import CELL_TEMPERATURE, SOC
from ..models.equilibrium import find_equilibrium
from ..models.initial_state import keep_rest_overrides
from ..models.outputs import is_thermal, output_columns
from ..models.simulation_case import SimulationCase
from ..parameters.sets import own_electrodes_in_parallel
from ..record.record import Record
from .replay import Replayed

if TYPE_CHECKING:
    from .attempts import ReplayProblem

TEMPERATURE: Final = "temperature"
"""The output that is compared with the measured surface temperature."""


def outputs_to_solve(problem: ReplayProblem) -> tuple[str, ...]:
    """Return what the model has to calculate beside the voltage: what was asked for, and what is compared."""
    asked = problem.case.settings.outputs
    if problem.slopes:
        return problem.sloped_outputs
    if TEMPERATURE not in asked and compares_temperature(problem.case, problem.record):
        return (*asked, TEMPERATURE)
    return asked


def state_of_charge(problem: ReplayProblem, charge_ah: Floats) -> dict[str, Floats]:
    """Return the state of charge, by the name of its column, if it was asked for.

    It is counted from the starting state, so it says what went through the cell, whatever side reactions consume.

    Args:
        charge_ah: A.h since the first sample, positive into the cell, shape (n,).
    """
    case = problem.case
    if SOC not in {column.name for column in output_columns(case.settings.outputs)}:
        return {}
    at_celsius = float(round(problem.conditions.temperature.celsius))
    equilibrium = find_equilibrium(case.model, keep_rest_overrides(case.parameter_set), at_celsius)
    cells = case.electrodes_in_parallel / own_electrodes_in_parallel(case.parameter_set)
    return {SOC: problem.conditions.state.soc + charge_ah / (cells * equilibrium.capacity_ah)}


def stored_columns(case: SimulationCase, replayed: Replayed) -> dict[str, Floats]:
    """Return the columns that were asked for, those that the model lacks left out."""
    return {
        column.name: replayed.more[column.name]
        for column in output_columns(case.settings.outputs)
        if column.name in replayed.more
    }


def temperature_rmse_kelvin(case: SimulationCase, record: Record, replayed: Replayed) -> float | None:
    """Return the root-mean-square error in K of a thermal model's temperature against the measured surface.

    Returns:
        ``None`` = the model is isothermal, follows the surface temperature itself, or no surface was measured.
    """
    simulated = replayed.more.get(CELL_TEMPERATURE)
    if simulated is None or record.surface_celsius is None or not compares_temperature(case, record):
        return None
    difference = simulated - record.surface_celsius[: len(simulated)]
    known = difference[np.isfinite(difference)]
    if not len(known):
        return None
    return float(np.sqrt(np.mean(known**2)))


def compares_temperature(case: SimulationCase, record: Record) -> bool:
    """Tell whether a thermal model's temperature is compared with a measured surface temperature."""
    if record.surface_celsius is None or not np.isfinite(record.surface_celsius).any():
        return False
    return case.cell.temperature != "surface" and is_thermal(case.model)
