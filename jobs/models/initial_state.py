"""Find the state from which a simulation starts: in equilibrium, from a rest voltage or a state of charge."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, TypeVar

import numpy as np

from ...data.arrays import Floats, Integers
from ...data.errors import JobError
from ...data.settings import ModelSettings, ParameterSetSettings
from ..parameters.sets import own_electrodes_in_parallel
from ..record.charge import REST_CURRENT_PER_AH, interval_charge_ah
from .equilibrium import Equilibrium, find_equilibrium
from .full_cell import FullCell, full_cell
from .pybamm_models import check_set, state_model
from .simulation_case import SimulationCase

CLIP_VOLT: Final = 0.15
"""A rest voltage outside the set's window by at most this is moved to the edge of the window, V."""

CLIP_SOC: Final = 0.1
"""A state of charge outside 0 to 1 by at most this is moved to 0 or 1."""

LINE_SHARE: Final = 0.25
"""Last part of a rest through which a line is fitted, as a share of the rest's duration."""

LINE_SAMPLES: Final = 5
"""Smallest number of samples in that part; with fewer, a line is no steadier than the last sample."""

REST_SECOND: Final = 600.0
"""Shortest rest, other than at the record's start, that is close enough to equilibrium to give a state, s."""

COUNTED_CHARGE: Final = 1e-4
"""Smallest charge before the rest that is counted back to the start, as a share of the capacity."""

WHOLE_DEGREE: Final = 1e-9  # a temperature closer to a whole degree needs no interpolation, K
T = TypeVar("T")
TRANSPORT_WORDS: Final = (
    "diffusivity",
    "conductivity",
    "exchange-current",
    "Bruggeman",
    "transference",
    "charge transfer",
    "Contact resistance",
    "heat transfer",
    "heat capacity",
    "particle radius",
)
"""Words in the names of parameters that have no effect at rest."""


@dataclass(frozen=True, slots=True)
class StartingState:
    """The state from which a simulation starts, and its source.

    Args:
        inputs: (name, value) of the parameters that hold the state: concentrations in mol.m-3, uniform in the
            particles; potentials in V (MSMR); the state of charge (Thevenin).
        soc: state of charge between the set's cut-offs, 0 to 1.
        voltage_volt: open-circuit voltage of the state, V.
        source: its source in words.
    """

    inputs: tuple[tuple[str, float], ...]
    soc: float
    voltage_volt: float
    source: str


def find_starting_state(
    case: SimulationCase,
    time_second: Floats,
    current_ampere: Floats,
    voltage_volt: Floats,
    flags: Integers,
    at_celsius: float,
) -> StartingState:
    """Find the state at the first sample by the cell's policy.

    With ``rest_voltage`` and ``previous_cycle``, the voltage at the end of the first usable rest
    (:func:`end_of_rest_volt`) is taken as the open-circuit voltage. If that rest is not at the record's start, the
    charge before it is subtracted.

    Args:
        case: the simulation; the cell's ``initial_state`` is the policy, with a value for ``soc`` (0 to 1) or
            ``voltage`` (V), and the model decides which parameters hold the state.
        time_second, current_ampere, voltage_volt: shape (n,), cleaned; positive current charges the cell.
        flags: shape (n,), cleaned; they mark gaps.
        at_celsius: temperature at the start in °C.

    Raises:
        JobError: the record has no voltage (``no_initial_state``), the state is outside the set's window
            (``initial_state_out_of_range``), or the set does not fit the model (``cannot_build``).
    """
    state = case.cell.initial_state
    equilibrium = _find_equilibrium(case.model, case.parameter_set, at_celsius)
    if state.policy == "soc":
        return _state_at_soc(equilibrium, state.value, f"state of charge {state.value:g}, given")
    if state.policy == "voltage":
        return _state_at_voltage(equilibrium, state.value, f"voltage {state.value:.4f} V, given")
    rest_ampere = REST_CURRENT_PER_AH * case.capacity_ah
    index, voltage, words = _open_circuit_sample(time_second, current_ampere, voltage_volt, rest_ampere)
    at_sample = _state_at_voltage(equilibrium, voltage, words)
    charge = interval_charge_ah(time_second, current_ampere, flags)[:index].sum()
    rested = np.all(np.abs(current_ampere[:index]) <= rest_ampere)
    if rested or abs(charge) < COUNTED_CHARGE * case.capacity_ah:
        return at_sample
    soc = at_sample.soc - charge / _cell_capacity_ah(equilibrium, case)
    return _state_at_soc(equilibrium, soc, f"{words}, less {charge:.4f} A.h counted back to the start")


def _open_circuit_sample(
    time_second: Floats, current_ampere: Floats, voltage_volt: Floats, rest_ampere: float
) -> tuple[int, float, str]:
    """Return the index of the sample whose state is known, its open-circuit voltage in V, and the source in words.

    Args:
        time_second, current_ampere, voltage_volt: shape (n,).
        rest_ampere: largest current of a rest, A.

    Raises:
        JobError: the record has no voltage (``no_initial_state``).
    """
    rest = find_usable_rest(time_second, current_ampere, voltage_volt, rest_ampere)
    if rest is not None:
        index = rest.stop - 1
        voltage = end_of_rest_volt(time_second[rest], voltage_volt[rest])
        return index, voltage, f"rest voltage {voltage:.4f} V at {time_second[index]:.0f} s"
    known = np.flatnonzero(np.isfinite(voltage_volt))
    if not len(known):
        reason = "the record has no voltage, so it has no initial state; give initial_state as a state of charge"
        raise JobError(reason, "no_initial_state")
    index = int(known[0])
    voltage = float(voltage_volt[index])
    return index, voltage, f"no rest; first voltage {voltage:.4f} V at {time_second[index]:.0f} s taken as open circuit"


def state_after_charge(
    state: StartingState, charge_ah: float, case: SimulationCase, at_celsius: float
) -> StartingState:
    """Return the equilibrium state of a cell after a charge has flowed from a known state.

    Args:
        state: the known state; its source is kept.
        charge_ah: in A.h, positive charges the cell.
        case: the simulation, with the cell's capacity.
        at_celsius: temperature in °C.

    Raises:
        JobError: the state is outside the set's window (``initial_state_out_of_range``).
    """
    equilibrium = _find_equilibrium(case.model, case.parameter_set, at_celsius)
    soc = state.soc + charge_ah / _cell_capacity_ah(equilibrium, case)
    return _state_at_soc(equilibrium, soc, state.source)


def _find_equilibrium(
    model: ModelSettings, settings: ParameterSetSettings, at_celsius: float
) -> Equilibrium | FullCell:
    """Return the set at rest: an exact full cell if possible, else from tables."""
    check_set(model, settings.key)
    resting = keep_rest_overrides(settings)
    exact = full_cell(state_model(model), resting, at_celsius)
    return exact or interpolate_degrees(partial(find_equilibrium, model, resting), at_celsius)


def _cell_capacity_ah(equilibrium: Equilibrium | FullCell, case: SimulationCase) -> float:
    """Return the charge between the set's cut-offs for this cell, in A.h."""
    return equilibrium.capacity_ah * case.electrodes_in_parallel / own_electrodes_in_parallel(case.parameter_set)


def find_usable_rest(
    time_second: Floats, current_ampere: Floats, voltage_volt: Floats, rest_ampere: float
) -> slice | None:
    """Find the first rest that gives a state; it ends at its last sample with a voltage.

    A rest at the record's start may be of any length; a later one must last ``REST_SECOND``, since a single sample
    without current between two steps is not a rest.

    Args:
        time_second, current_ampere, voltage_volt: shape (n,).
        rest_ampere: largest current of a rest, A.

    Returns:
        The rest's samples; ``None`` = the record has no such rest.
    """
    resting = np.abs(current_ampere) <= rest_ampere
    edges = np.flatnonzero(np.diff(np.concatenate([[False], resting, [False]]).astype(np.int8)))
    for first, end in zip(edges[::2], edges[1::2], strict=True):
        is_long = time_second[end - 1] - time_second[first] >= REST_SECOND
        known = np.flatnonzero(np.isfinite(voltage_volt[first:end]))
        if (first == 0 or is_long) and len(known):
            return slice(int(first), int(first + known[-1]) + 1)
    return None


def end_of_rest_volt(time_second: Floats, voltage_volt: Floats) -> float:
    """Estimate the voltage at the end of a rest in V, without the noise of a single sample.

    It is the value, at the last sample, of a line through the last part of the rest (``LINE_SHARE`` of its duration),
    where a relaxation is nearly straight; with fewer than ``LINE_SAMPLES`` samples there, the last voltage.

    Args:
        time_second, voltage_volt: shape (n,), of the rest; at least one voltage is not NaN.
    """
    known = np.isfinite(voltage_volt)
    since_end = time_second[known] - time_second[known][-1]
    voltage = voltage_volt[known]
    late = since_end >= LINE_SHARE * since_end[0]
    if np.count_nonzero(late) < LINE_SAMPLES:
        return float(voltage[-1])
    line = np.polyfit(since_end[late], voltage[late] - voltage[-1], 1)
    return float(line[1] + voltage[-1])


def _state_at_voltage(equilibrium: Equilibrium | FullCell, voltage: float, source: str) -> StartingState:
    lower = equilibrium.lower_volt
    upper = equilibrium.upper_volt
    clipped = min(max(voltage, lower), upper)
    if abs(clipped - voltage) > CLIP_VOLT:
        reason = f"the initial voltage is outside the set's window of {lower:g} to {upper:g} V ({source})"
        advice = "use another parameter set, or give initial_state as a state of charge"
        raise JobError(f"{reason}; {advice}", "initial_state_out_of_range")
    if clipped != voltage:
        source += f", set to the window's edge {clipped:g} V"
    return _state(equilibrium, equilibrium.soc_at(clipped), source)


def _state_at_soc(equilibrium: Equilibrium | FullCell, soc: float, source: str) -> StartingState:
    clipped = min(max(soc, 0.0), 1.0)
    if abs(clipped - soc) > CLIP_SOC:
        reason = f"the initial state of charge {soc:.3f} ({source}) is outside 0 to 1"
        advice = "check nominal_capacity_ah, the parameter set and initial_state"
        raise JobError(f"{reason}; {advice}", "initial_state_out_of_range")
    if clipped != soc:
        source += f", set from {soc:.4f} to {clipped:g}"
    return _state(equilibrium, clipped, source)


def _state(equilibrium: Equilibrium | FullCell, soc: float, source: str) -> StartingState:
    inputs = tuple((entry.name, entry.value(soc)) for entry in equilibrium.inputs)
    if equilibrium.assumed:
        source = f"{source} ({equilibrium.assumed})"
    return StartingState(inputs, soc, equilibrium.voltage_at(soc), source)


def keep_rest_overrides(settings: ParameterSetSettings) -> ParameterSetSettings:
    """Return the parameter set with only those overrides that may have an effect at rest."""
    relevant = tuple(o for o in settings.overrides if not any(word in o.parameter for word in TRANSPORT_WORDS))
    if relevant == settings.overrides:
        return settings
    return replace(settings, name=settings.base, overrides=relevant)


def interpolate_degrees(tabulate: Callable[[float], T], at_celsius: float) -> T:
    """Interpolate a table to a temperature between those at the whole degrees below and above.

    PyBaMM's open-circuit potentials are linear in temperature. What follows from them is so nearly linear that the
    state at a rest voltage is right to a microvolt.

    Args:
        tabulate: makes the table, a frozen dataclass of numbers and arrays, at a temperature in °C.
        at_celsius: temperature in °C.
    """
    below = math.floor(at_celsius)
    share = at_celsius - below
    if share < WHOLE_DEGREE:
        return tabulate(float(below))
    mixed: T = _interpolate(tabulate(float(below)), tabulate(below + 1.0), share)
    return mixed


def _interpolate(low: Any, high: Any, share: float) -> Any:
    """Interpolate numbers and arrays linearly, also inside tuples and frozen dataclasses; texts stay as in ``low``."""
    if dataclasses.is_dataclass(low) and not isinstance(low, type):
        names = [field.name for field in dataclasses.fields(low)]
        return replace(low, **{name: _interpolate(getattr(low, name), getattr(high, name), share) for name in names})
    if isinstance(low, tuple):
        return tuple(_interpolate(first, second, share) for first, second in zip(low, high, strict=True))
    if isinstance(low, (float, np.ndarray)):
        return low + share * (high - low)
    return low
