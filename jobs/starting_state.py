"""The state a cell starts from: stoichiometries in equilibrium, from a rest voltage or a state of charge."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import pybamm
from numpy.typing import NDArray
from pybamm.models.full_battery_models.lithium_ion import electrode_soh

from ..data.convert import kelvin
from ..data.errors import JobError
from ..data.settings import CellSettings, ParameterSetSettings
from .charge import interval_charge_ah
from .parameters import (
    AMBIENT,
    INITIAL_TEMPERATURE,
    LOWER_CUTOFF,
    PARALLEL,
    UPPER_CUTOFF,
    base_set,
    electrodes_in_parallel,
    nominal_capacity_ah,
    with_overrides,
)
from .scale import REST_CURRENT_PER_AH

Floats = NDArray[np.float64]

CLIP_VOLT: Final = 0.15  # a rest voltage outside the set's window by less than this starts at the window's edge
CLIP_SOC: Final = 0.1  # and a counted-back state of charge outside 0 to 1 by less than this
REST_SECOND: Final = 600.0  # a later rest shorter than this is too far from equilibrium to tell a state
TABLE_SIZE: Final = 4001  # states of charge at which the open-circuit voltage is tabulated: better than 10 uV between


@dataclass(frozen=True, slots=True)
class StartingState:
    """Where a simulation starts, and how that was found.

    Args:
        negative_concentration, positive_concentration: mol.m-3, uniform in the particles.
        soc: between the set's cut-offs, 0 to 1.
        voltage_volt: open-circuit voltage of that state.
        source: in words.
    """

    negative_concentration: float
    positive_concentration: float
    soc: float
    voltage_volt: float
    source: str


def starting_state(
    cell: CellSettings,
    settings: ParameterSetSettings,
    time_second: Floats,
    current_ampere: Floats,
    voltage_volt: Floats,
    flags: NDArray[np.int64],
    at_celsius: float,
) -> StartingState:
    """Find the state at the first sample, by the cell's policy, at a temperature in °C.

    ``rest_voltage``: the last voltage of the first rest is taken as open-circuit voltage; where that rest is not
    at the record's start, the charge that flowed before it is counted back.

    Raises:
        JobError: no voltage to start from (``no_initial_state``), or one that the set cannot have.
    """
    state = cell.initial_state
    equilibrium = equilibrium_of(settings, round(at_celsius, 2))
    if state.policy == "soc":
        return _at_soc(equilibrium, state.value, f"state of charge {state.value:g}, given")
    if state.policy == "voltage":
        return _at_voltage(equilibrium, state.value, f"voltage {state.value:.4f} V, given")
    capacity = cell.nominal_capacity_ah or nominal_capacity_ah(settings)
    index = rest_index(time_second, current_ampere, voltage_volt, REST_CURRENT_PER_AH * capacity)
    if index is None:
        index = int(np.flatnonzero(np.isfinite(voltage_volt))[0]) if np.isfinite(voltage_volt).any() else -1
        if index < 0:
            raise JobError("no voltage at all, so no state to start from", "no_initial_state")
        words = (
            f"no rest; first voltage {voltage_volt[index]:.4f} V at {time_second[index]:.0f} s taken as open circuit"
        )
    else:
        words = f"rest voltage {voltage_volt[index]:.4f} V at {time_second[index]:.0f} s"
    found = _at_voltage(equilibrium, float(voltage_volt[index]), words)
    charge = interval_charge_ah(time_second, current_ampere, flags)[:index].sum()
    rested = np.all(np.abs(current_ampere[:index]) <= REST_CURRENT_PER_AH * capacity)
    if rested or abs(charge) < 1e-4 * capacity:
        return found
    own_parallel = float(base_set(settings.key)[PARALLEL])
    cell_capacity = equilibrium.capacity_ah * electrodes_in_parallel(cell, settings) / own_parallel
    soc = found.soc - charge / cell_capacity
    return _at_soc(equilibrium, soc, f"{words}, less {charge:.4f} A.h counted back to the start")


def rest_index(time_second: Floats, current_ampere: Floats, voltage_volt: Floats, rest_ampere: float) -> int | None:
    """Index of the last sample, with a voltage, of the first rest that tells a state.

    That is a rest at the record's start, of any length, else the first of at least ``REST_SECOND``: a sample
    without current between two steps is no rest. ``None`` where the record has none.
    """
    resting = np.abs(current_ampere) <= rest_ampere
    edges = np.flatnonzero(np.diff(np.concatenate([[False], resting, [False]]).astype(np.int8)))
    for first, end in zip(edges[::2], edges[1::2], strict=True):
        long = time_second[end - 1] - time_second[first] >= REST_SECOND
        usable = np.flatnonzero(np.isfinite(voltage_volt[first:end]))
        if (first == 0 or long) and len(usable):
            return int(first + usable[-1])
    return None


@dataclass(frozen=True, slots=True, eq=False)
class Equilibrium:
    """A parameter set at rest: its window between the cut-offs, and its open-circuit voltage in it.

    Args:
        negative, positive: stoichiometries at 0 and at 1 state of charge; between them they are linear.
        negative_maximum, positive_maximum: mol.m-3.
        capacity_ah: A.h between the cut-offs, of the set's own cell.
        open_circuit_volt: at ``TABLE_SIZE`` evenly spaced states of charge from 0 to 1.
    """

    negative: tuple[float, float]
    positive: tuple[float, float]
    negative_maximum: float
    positive_maximum: float
    lower_volt: float
    upper_volt: float
    capacity_ah: float
    open_circuit_volt: Floats


@lru_cache(maxsize=64)
def equilibrium_of(settings: ParameterSetSettings, at_celsius: float) -> Equilibrium:
    """Find a parameter set's equilibrium window, with its potentials at a temperature, once in this process.

    Raises:
        JobError: the set has no such window, as with sets of half-cells (``no_initial_state``).
    """
    values = with_overrides(settings)
    values[AMBIENT] = values[INITIAL_TEMPERATURE] = kelvin(at_celsius)
    try:
        solver = electrode_soh.ElectrodeSOHSolver(values)
        # Some sets give numbers, others arrays of one.
        empty, full, lithiated, delithiated = (np.asarray(x).item() for x in solver.get_min_max_stoichiometries())
        negative, positive = (empty, full), (delithiated, lithiated)
        capacity = float(values.evaluate(pybamm.LithiumIonParameters().n.Q_init))  # pyright: ignore[reportArgumentType]
        table = _potential(values, solver.param.p, positive) - _potential(values, solver.param.n, negative)
    except (KeyError, ValueError, pybamm.SolverError) as error:
        text = str(error).split("\n", 1)[0]
        raise JobError(f"{settings.name}: no equilibrium state found: {text}", "no_initial_state") from error
    return Equilibrium(
        negative,
        positive,
        float(values["Maximum concentration in negative electrode [mol.m-3]"]),
        float(values["Maximum concentration in positive electrode [mol.m-3]"]),
        float(values[LOWER_CUTOFF]),
        float(values[UPPER_CUTOFF]),
        capacity * (full - empty),
        table,
    )


def _potential(values: pybamm.ParameterValues, electrode: Any, ends: tuple[float, float]) -> Floats:
    """An electrode's open-circuit potential in V over the window, shape (TABLE_SIZE,)."""
    stoichiometry = pybamm.Vector(np.linspace(*ends, TABLE_SIZE))
    potential = values.process_symbol(electrode.prim.U(stoichiometry, electrode.main_param.T_init)).evaluate()
    column: Floats = np.broadcast_to(np.asarray(potential, float).ravel(), (TABLE_SIZE,))
    return column


def _at_voltage(equilibrium: Equilibrium, voltage: float, words: str) -> StartingState:
    lower, upper = equilibrium.lower_volt, equilibrium.upper_volt
    clipped = min(max(voltage, lower), upper)
    if abs(clipped - voltage) > CLIP_VOLT:
        reason = f"{words} lies outside the set's window of {lower:g} to {upper:g} V"
        raise JobError(f"{reason}; choose another parameter set or give initial_state", "initial_state_out_of_range")
    if clipped != voltage:
        words += f", set to the window's edge {clipped:g} V"
    # A tabulated function may rise by steps that are not all upward: where it passes the voltage for the first time.
    rising = np.maximum.accumulate(equilibrium.open_circuit_volt)
    soc = float(np.interp(clipped, rising, np.linspace(0.0, 1.0, TABLE_SIZE)))
    return _state(equilibrium, soc, words)


def _at_soc(equilibrium: Equilibrium, soc: float, words: str) -> StartingState:
    clipped = min(max(soc, 0.0), 1.0)
    if abs(clipped - soc) > CLIP_SOC:
        raise JobError(f"state of charge {soc:.3f} ({words}) lies outside 0 to 1", "initial_state_out_of_range")
    if clipped != soc:
        words += f", set from {soc:.4f} to {clipped:g}"
    return _state(equilibrium, clipped, words)


def _state(equilibrium: Equilibrium, soc: float, words: str) -> StartingState:
    (empty, full), (delithiated, lithiated) = equilibrium.negative, equilibrium.positive
    voltage = float(np.interp(soc, np.linspace(0.0, 1.0, TABLE_SIZE), equilibrium.open_circuit_volt))
    return StartingState(
        (empty + soc * (full - empty)) * equilibrium.negative_maximum,
        (delithiated + soc * (lithiated - delithiated)) * equilibrium.positive_maximum,
        soc,
        voltage,
        words,
    )
