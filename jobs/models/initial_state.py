"""The state a cell starts from: in equilibrium, from a rest voltage or a state of charge."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...data.arrays import Floats
from ...data.errors import JobError
from ...data.settings import ModelSettings, ParameterSetSettings
from ..parameters.sets import own_electrodes_in_parallel
from ..record.charge import REST_CURRENT_PER_AH, interval_charge_ah
from .equilibrium import Equilibrium, find_equilibrium
from .full_cell import FullCell, full_cell
from .pybamm_models import check_set, state_model
from .simulation_case import SimulationCase

CLIP_VOLT: Final = 0.15  # a rest voltage outside the set's window by less than this starts at the window's edge
CLIP_SOC: Final = 0.1  # and a counted-back state of charge outside 0 to 1 by less than this
LINE_SAMPLES: Final = 5  # of a rest's last part, from which on a line through them is steadier than one sample
LINE_SHARE: Final = 0.25
REST_SECOND: Final = 600.0  # a later rest shorter than this is too far from equilibrium to tell a state
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
"""Words in the names of parameters that only matter where something flows."""


@dataclass(frozen=True, slots=True)
class StartingState:
    """Where a simulation starts, and how that was found.

    Args:
        inputs: the model's parameters that hold it, with their values: concentrations in mol.m-3, uniform in the
            particles; potentials in V (MSMR); the state of charge (Thevenin).
        soc: between the set's cut-offs, 0 to 1.
        voltage_volt: open-circuit voltage of that state.
        source: in words.
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
    flags: NDArray[np.int64],
    at_celsius: float,
) -> StartingState:
    """Find the state at the first sample, by the cell's policy, at a temperature in °C.

    ``rest_voltage`` and ``previous_cycle``: the voltage at the end of the first rest (:func:`end_of_rest_volt`) is
    taken as open-circuit voltage; if that rest is not at the record's start, the charge before it is counted back.

    Raises:
        JobError: no voltage to start from (``no_initial_state``), or one that the set cannot have.
    """
    state = case.cell.initial_state
    equilibrium = _equilibrium(case.model, case.parameter_set, at_celsius)
    if state.policy == "soc":
        return _state_at_soc(equilibrium, state.value, f"state of charge {state.value:g}, given")
    if state.policy == "voltage":
        return _state_at_voltage(equilibrium, state.value, f"voltage {state.value:.4f} V, given")
    capacity = case.capacity_ah
    rest = find_usable_rest(time_second, current_ampere, voltage_volt, REST_CURRENT_PER_AH * capacity)
    if rest is None:
        index = int(np.flatnonzero(np.isfinite(voltage_volt))[0]) if np.isfinite(voltage_volt).any() else -1
        if index < 0:
            raise JobError("no voltage at all, so no state to start from", "no_initial_state")
        voltage = float(voltage_volt[index])
        words = f"no rest; first voltage {voltage:.4f} V at {time_second[index]:.0f} s taken as open circuit"
    else:
        index, voltage = rest.stop - 1, end_of_rest_volt(time_second[rest], voltage_volt[rest])
        words = f"rest voltage {voltage:.4f} V at {time_second[index]:.0f} s"
    found = _state_at_voltage(equilibrium, voltage, words)
    charge = interval_charge_ah(time_second, current_ampere, flags)[:index].sum()
    rested = np.all(np.abs(current_ampere[:index]) <= REST_CURRENT_PER_AH * capacity)
    if rested or abs(charge) < 1e-4 * capacity:
        return found
    soc = found.soc - charge / _cell_capacity_ah(equilibrium, case)
    return _state_at_soc(equilibrium, soc, f"{words}, less {charge:.4f} A.h counted back to the start")


def state_after_charge(
    state: StartingState, charge_ah: float, case: SimulationCase, at_celsius: float
) -> StartingState:
    """The equilibrium state of a cell after a charge in A.h, positive into the cell, from ``state``, with its words.

    Raises:
        JobError: the state lies outside the set's window (``initial_state_out_of_range``).
    """
    equilibrium = _equilibrium(case.model, case.parameter_set, at_celsius)
    soc = state.soc + charge_ah / _cell_capacity_ah(equilibrium, case)
    return _state_at_soc(equilibrium, soc, state.source)


def _equilibrium(model: ModelSettings, settings: ParameterSetSettings, at_celsius: float) -> Equilibrium | FullCell:
    """The set at rest: exact where a full cell allows that, else from tables."""
    check_set(model, settings.key)
    resting = keep_rest_overrides(settings)
    exact = full_cell(state_model(model), resting, at_celsius)
    return exact or interpolate_degrees(partial(find_equilibrium, model, resting), at_celsius)


def _cell_capacity_ah(equilibrium: Equilibrium | FullCell, case: SimulationCase) -> float:
    """Charge between the set's cut-offs, of this cell."""
    return equilibrium.capacity_ah * case.electrodes_in_parallel / own_electrodes_in_parallel(case.parameter_set)


def find_usable_rest(
    time_second: Floats, current_ampere: Floats, voltage_volt: Floats, rest_ampere: float
) -> slice | None:
    """The first rest that tells a state, up to its last sample with a voltage.

    That is a rest at the record's start, of any length, else the first of at least ``REST_SECOND``: a sample
    without current between two steps is no rest. ``None`` where the record has none.
    """
    resting = np.abs(current_ampere) <= rest_ampere
    edges = np.flatnonzero(np.diff(np.concatenate([[False], resting, [False]]).astype(np.int8)))
    for first, end in zip(edges[::2], edges[1::2], strict=True):
        long = time_second[end - 1] - time_second[first] >= REST_SECOND
        usable = np.flatnonzero(np.isfinite(voltage_volt[first:end]))
        if (first == 0 or long) and len(usable):
            return slice(int(first), int(first + usable[-1]) + 1)
    return None


def end_of_rest_volt(time_second: Floats, voltage_volt: Floats) -> float:
    """Voltage at the end of a rest, without the noise of a single sample.

    Of a rest of ``LINE_SAMPLES`` or more in its last part (``LINE_SHARE`` of its time), the line through these, at the
    last one: a relaxation is nearly straight there. Of a shorter one the last sample.
    """
    known = np.isfinite(voltage_volt)
    since_end, voltage = time_second[known] - time_second[known][-1], voltage_volt[known]
    late = since_end >= LINE_SHARE * since_end[0]
    if np.count_nonzero(late) < LINE_SAMPLES:
        return float(voltage[-1])
    return float(np.polyfit(since_end[late], voltage[late] - voltage[-1], 1)[1] + voltage[-1])


def _state_at_voltage(equilibrium: Equilibrium | FullCell, voltage: float, words: str) -> StartingState:
    lower, upper = equilibrium.lower_volt, equilibrium.upper_volt
    clipped = min(max(voltage, lower), upper)
    if abs(clipped - voltage) > CLIP_VOLT:
        reason = f"{words} lies outside the set's window of {lower:g} to {upper:g} V"
        raise JobError(f"{reason}; choose another parameter set or give initial_state", "initial_state_out_of_range")
    if clipped != voltage:
        words += f", set to the window's edge {clipped:g} V"
    return _state(equilibrium, equilibrium.soc_at(clipped), words)


def _state_at_soc(equilibrium: Equilibrium | FullCell, soc: float, words: str) -> StartingState:
    clipped = min(max(soc, 0.0), 1.0)
    if abs(clipped - soc) > CLIP_SOC:
        raise JobError(f"state of charge {soc:.3f} ({words}) lies outside 0 to 1", "initial_state_out_of_range")
    if clipped != soc:
        words += f", set from {soc:.4f} to {clipped:g}"
    return _state(equilibrium, clipped, words)


def _state(equilibrium: Equilibrium | FullCell, soc: float, words: str) -> StartingState:
    inputs = tuple((entry.name, entry.value(soc)) for entry in equilibrium.inputs)
    source = f"{words} ({equilibrium.assumed})" if equilibrium.assumed else words
    return StartingState(inputs, soc, equilibrium.voltage_at(soc), source)


def keep_rest_overrides(settings: ParameterSetSettings) -> ParameterSetSettings:
    """The parameter set with only those of its overrides that may matter at rest."""
    kept = tuple(o for o in settings.overrides if not any(word in o.parameter for word in TRANSPORT_WORDS))
    return settings if kept == settings.overrides else replace(settings, name=settings.base, overrides=kept)


def interpolate_degrees(tabulate: Callable[[float], T], at_celsius: float) -> T:
    """A frozen table at a temperature, from those at the whole degrees below and above.

    PyBaMM's open-circuit potentials are linear in temperature, and what follows from them bends so little that the
    state of a rest voltage is right to a microvolt.
    """
    below = math.floor(at_celsius)
    share = at_celsius - below
    if share < 1e-9:
        return tabulate(float(below))
    mixed: T = _mixed(tabulate(float(below)), tabulate(below + 1.0), share)
    return mixed


def _mixed(low: Any, high: Any, share: float) -> Any:
    """Linear interpolation of numbers and arrays, and of tuples and frozen values of them; texts stay."""
    if dataclasses.is_dataclass(low) and not isinstance(low, type):
        names = [field.name for field in dataclasses.fields(low)]
        return replace(low, **{name: _mixed(getattr(low, name), getattr(high, name), share) for name in names})
    if isinstance(low, tuple):
        return tuple(_mixed(*pair, share) for pair in zip(low, high, strict=True))
    if isinstance(low, (float, np.ndarray)):
        return low + share * (high - low)
    return low
