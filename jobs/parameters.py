"""Parameter sets: PyBaMM's own by name, overrides on top, and the state a cell starts from."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pybamm
from numpy.typing import NDArray
from pybamm.models.full_battery_models.lithium_ion import electrode_soh

from ..data.convert import celsius, kelvin
from ..data.errors import JobError
from ..data.settings import GIVEN_PER_CELL, CellSettings, Override, ParameterSetSettings
from .charge import interval_charge_ah
from .scale import REST_CURRENT_PER_AH

Floats = NDArray[np.float64]

INITIAL_NEGATIVE = "Initial concentration in negative electrode [mol.m-3]"
INITIAL_POSITIVE = "Initial concentration in positive electrode [mol.m-3]"
PARALLEL = "Number of electrodes connected in parallel to make a cell"
AMBIENT = "Ambient temperature [K]"
INITIAL_TEMPERATURE = "Initial temperature [K]"
CAPACITY = "Nominal cell capacity [A.h]"
LOWER_CUTOFF = "Lower voltage cut-off [V]"
UPPER_CUTOFF = "Upper voltage cut-off [V]"
CURRENT_FUNCTION = "Current function [A]"

CLIP_VOLT = 0.15  # a rest voltage outside the set's window by less than this starts at the window's edge
CLIP_SOC = 0.1  # and a counted-back state of charge outside 0 to 1 by less than this
REST_SECOND = 600.0  # a later rest shorter than this is too far from equilibrium to tell a state


@lru_cache(maxsize=32)
def base_set(name: str) -> pybamm.ParameterValues:
    """Load one of PyBaMM's parameter sets; treat it as read-only, it is shared."""
    return pybamm.ParameterValues(name)


def parameter_names(base: str) -> frozenset[str]:
    """Every parameter name of a set."""
    return frozenset(base_set(base).keys())


def is_function(base: str, parameter: str) -> bool:
    """Tell whether the set gives this parameter as a function (of stoichiometry, temperature, ...)."""
    return callable(base_set(base)[parameter])


def scaled(factor: Any, value: Any) -> Any:
    """Multiply a parameter by a factor, function or number."""
    if not callable(value):
        return factor * value

    def product(*arguments: Any) -> Any:
        return factor * value(*arguments)

    return product


def affects_equilibrium(parameter: str) -> bool:
    """Tell whether a parameter moves the state that belongs to a rest voltage."""
    return any(
        word in parameter for word in ("OCP", "active material", "oncentration in", "thickness", "stoichiometry")
    )


def with_overrides(settings: ParameterSetSettings) -> pybamm.ParameterValues:
    """Return a copy of the base set with the overrides applied as numbers.

    Raises:
        JobError: an override names a parameter that the set does not have (``unknown_parameter``).
    """
    values = base_set(settings.base).copy()
    for override in settings.overrides:
        values[override.parameter] = overridden(settings.base, override)
    return values


def overridden(base: str, override: Override, number: Any = None) -> Any:
    """The value that an override gives its parameter; ``number`` stands in for the override's own number."""
    if override.parameter in GIVEN_PER_CELL:
        source = GIVEN_PER_CELL[override.parameter]
        raise JobError(f"{override.parameter!r} cannot be overridden: {source} gives it", "unknown_parameter")
    given = override.value if number is None else number
    names = parameter_names(base)
    if override.parameter not in names:
        near = difflib.get_close_matches(override.parameter, names, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise JobError(f"parameter set {base} has no parameter {override.parameter!r}{hint}", "unknown_parameter")
    if override.kind == "value":
        return given
    return scaled(given, base_set(base)[override.parameter])


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


def nominal_capacity_ah(settings: ParameterSetSettings) -> float:
    """The capacity of the set's own cell in A.h."""
    return float(base_set(settings.base)[CAPACITY])


def electrodes_in_parallel(cell: CellSettings, settings: ParameterSetSettings) -> float:
    """How many of the set's electrode pairs make this cell: the factor that scales capacity and keeps current density.

    Returns:
        The set's own number where no capacity is given for the cell.
    """
    own = float(base_set(settings.base)[PARALLEL])
    if cell.nominal_capacity_ah is None:
        return own
    return own * cell.nominal_capacity_ah / nominal_capacity_ah(settings)


def temperature_celsius(cell: CellSettings, settings: ParameterSetSettings, measured_celsius: float | None) -> float:
    """Temperature of the simulation: the cell's setting, else the measured mean, else the set's own."""
    if cell.temperature_celsius is not None:
        return cell.temperature_celsius
    if measured_celsius is not None:
        return measured_celsius
    return celsius(float(base_set(settings.base)[AMBIENT]))


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
    own_parallel = float(base_set(settings.base)[PARALLEL])
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
    """A parameter set at rest: its solver for stoichiometries, and the window between its cut-offs.

    Args:
        empty, full: stoichiometry of the negative electrode at 0 and 1 state of charge.
        capacity_ah: A.h between them, of the set's own cell.
    """

    solver: electrode_soh.ElectrodeSOHSolver
    negative_maximum: float
    positive_maximum: float
    lower_volt: float
    upper_volt: float
    empty: float
    full: float
    capacity_ah: float


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
        empty, full, _, _ = (float(x) for x in solver.get_min_max_stoichiometries())
        negative = float(values.evaluate(pybamm.LithiumIonParameters().n.Q_init))  # pyright: ignore[reportArgumentType]
    except (KeyError, ValueError, pybamm.SolverError) as error:
        text = str(error).split("\n", 1)[0]
        raise JobError(f"{settings.name}: no equilibrium state found: {text}", "no_initial_state") from error
    return Equilibrium(
        solver,
        float(values["Maximum concentration in negative electrode [mol.m-3]"]),
        float(values["Maximum concentration in positive electrode [mol.m-3]"]),
        float(values[LOWER_CUTOFF]),
        float(values[UPPER_CUTOFF]),
        empty,
        full,
        negative * (full - empty),
    )


def _at_voltage(equilibrium: Equilibrium, voltage: float, words: str) -> StartingState:
    lower, upper = equilibrium.lower_volt, equilibrium.upper_volt
    clipped = min(max(voltage, lower), upper)
    if abs(clipped - voltage) > CLIP_VOLT:
        reason = f"{words} lies outside the set's window of {lower:g} to {upper:g} V"
        raise JobError(f"{reason}; choose another parameter set or give initial_state", "initial_state_out_of_range")
    if clipped != voltage:
        words += f", set to the window's edge {clipped:g} V"
    return _state(equilibrium, f"{clipped} V", words)


def _at_soc(equilibrium: Equilibrium, soc: float, words: str) -> StartingState:
    clipped = min(max(soc, 0.0), 1.0)
    if abs(clipped - soc) > CLIP_SOC:
        raise JobError(f"state of charge {soc:.3f} ({words}) lies outside 0 to 1", "initial_state_out_of_range")
    if clipped != soc:
        words += f", set from {soc:.4f} to {clipped:g}"
    return _state(equilibrium, clipped, words)


def _state(equilibrium: Equilibrium, initial: float | str, words: str) -> StartingState:
    """Let PyBaMM find the stoichiometries of a state of charge (number) or of an open-circuit voltage ("3.7 V")."""
    try:
        # Some sets give numbers, others arrays of one.
        negative, positive = (np.asarray(x).item() for x in equilibrium.solver.get_initial_stoichiometries(initial))
        low, high = (np.asarray(x).item() for x in equilibrium.solver.get_initial_ocps(initial))
    except (ValueError, pybamm.SolverError) as error:
        text = str(error).split("\n", 1)[0]
        raise JobError(f"no state of the parameter set for {words}: {text}", "no_initial_state") from error
    soc = (negative - equilibrium.empty) / (equilibrium.full - equilibrium.empty)
    return StartingState(
        negative * equilibrium.negative_maximum, positive * equilibrium.positive_maximum, soc, high - low, words
    )
