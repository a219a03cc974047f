"""Find the state from which a simulation starts: in equilibrium, from a rest voltage or a state of charge."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, TypeVar

import numpy as np

from ...data.arrays import Floats
from ...data.errors import JobError
from ...data.settings import ModelSettings, ParameterSetSettings
from ...data.state_certainty import BEYOND_LIMIT, OUTSIDE_WINDOW, RANGE_ENDS
from ..parameters.sets import own_electrodes_in_parallel
from ..record.known_states import OpenCircuitSample
from .equilibrium import Equilibrium, find_equilibrium
from .full_cell import FullCell, full_cell
from .pybamm_models import check_set, state_model
from .simulation_case import SimulationCase

CLIP_VOLT: Final = 0.15
"""A rest voltage outside the set's cut-offs by at most this is kept where the set's electrodes allow it, else moved to
the edge, V."""

CLIP_SOC: Final = 0.1
"""A state of charge outside 0 to 1 by at most this is kept where the set's electrodes allow it, else moved to the edge.
"""

COUNTED_CHARGE: Final = 1e-4
"""Smallest charge between a known state and the start that is counted, as a share of the capacity."""

COUNTED_SHARE: Final = 5e-4
"""Uncertainty of counted charge as a share of its throughput: a good cycler's current. Chosen, not measured."""

ROUND_VOLT: Final = 1e-6
"""V by which a voltage may be outside the set's limits without a word: rounding, not a measurement."""

SLOPE_SOC: Final = 0.005  # distance over which the slope of the open-circuit voltage is taken
SLOPES: Final = 250  # most states of charge at which a slope is taken
FLAT_VOLT_PER_SOC: Final = 2e-3  # smallest slope by which a voltage says anything about a state of charge

SAME_KELVIN: Final = 0.5
"""Temperatures closer than this count as one, K: an open-circuit voltage changes by 0.2 mV at most. Chosen."""

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
        uncertainty_mv: of the open-circuit voltage, mV; ``None`` = the user gives the state.
        uncertainty_soc: of the state of charge, from this, the slope of the open-circuit voltage and the counted
            charge; ``None`` = the user gives the state.
    """

    inputs: tuple[tuple[str, float], ...]
    soc: float
    voltage_volt: float
    source: str
    uncertainty_mv: float | None = None
    uncertainty_soc: float | None = None


def find_starting_state(
    case: SimulationCase,
    known: OpenCircuitSample | None,
    charge_ah: float,
    throughput_ah: float,
    at_celsius: float,
    known_celsius: float | None = None,
    *,
    doubt_ah: float = 0.0,
) -> StartingState:
    """Find the state at the first sample by the cell's policy.

    With ``rest_voltage`` and ``previous_cycle`` it is the state at a sample whose open-circuit voltage is known,
    carried on by the charge between the two.

    Args:
        case: the simulation; the cell's ``initial_state`` is the policy, with a value for ``soc`` (0 to 1) or
            ``voltage`` (V), and the model decides which parameters hold the state.
        known: where the open-circuit voltage is known; ``None`` = nowhere.
        charge_ah: charge from that sample to the first one, A.h, positive into the cell.
        throughput_ah: charge in + charge out in between, A.h.
        at_celsius: temperature at the start in °C.
        known_celsius: temperature of the cell at that sample, °C, where its open-circuit voltage was measured; ``None``
            = that at the start.
        doubt_ah: by how much the charge in between may be off by cleaning's bounds, A.h.

    Raises:
        JobError: the record has no voltage (``no_initial_state``), the state is outside the set's window
            (``initial_state_out_of_range``), or the set does not fit the model (``cannot_build``).
    """
    state = case.cell.initial_state
    equilibrium = _find_equilibrium(case.model, case.parameter_set, at_celsius)
    if state.policy == "soc":
        return _state_at_soc(equilibrium, state.value, f"state of charge {state.value:g}, given")
    if state.policy == "voltage":
        given = _state_at_voltage(equilibrium, state.value, 0.0, f"voltage {state.value:.4f} V, given")
        return given if given.uncertainty_mv else replace(given, uncertainty_mv=None, uncertainty_soc=None)
    if known is None:
        reason = "the record has no voltage, so it has no initial state; give initial_state as a state of charge"
        raise JobError(reason, "no_initial_state")
    at_sample = _state_at_known(case, equilibrium, known, at_celsius, known_celsius)
    if throughput_ah < COUNTED_CHARGE * case.capacity_ah:
        return at_sample
    words = f", {charge_ah:+.4f} A.h counted to the start"
    at_start = replace(at_sample, source=f"{at_sample.source}{words}")
    return _carry_on(equilibrium, at_start, charge_ah, throughput_ah, doubt_ah, case)


def _state_at_known(
    case: SimulationCase,
    equilibrium: Equilibrium | FullCell,
    known: OpenCircuitSample,
    at_celsius: float,
    known_celsius: float | None,
) -> StartingState:
    """Return the state at a known open-circuit voltage, which belongs to the temperature at which it was measured."""
    if known_celsius is None or abs(known_celsius - at_celsius) < SAME_KELVIN:
        return _state_at_voltage(equilibrium, known.voltage_volt, known.uncertainty_mv, known.source)
    measured = _find_equilibrium(case.model, case.parameter_set, known_celsius)
    source = f"{known.source}, at {known_celsius:.1f} °C"
    there = _state_at_voltage(measured, known.voltage_volt, known.uncertainty_mv, source)
    here = _state_at_soc(equilibrium, there.soc, there.source)
    millivolt, soc = (
        (one or 0.0) + (other or 0.0)
        for one, other in (
            (there.uncertainty_mv, here.uncertainty_mv),
            (there.uncertainty_soc, here.uncertainty_soc),
        )
    )
    return replace(here, uncertainty_mv=millivolt, uncertainty_soc=soc)


def _carry_on(
    equilibrium: Equilibrium | FullCell,
    state: StartingState,
    charge_ah: float,
    throughput_ah: float,
    doubt_ah: float,
    case: SimulationCase,
) -> StartingState:
    """Return the state after a charge, with the uncertainty of the counted charge added."""
    capacity = _cell_capacity_ah(equilibrium, case)
    after = _state_at_soc(equilibrium, state.soc + charge_ah / capacity, state.source)
    if state.uncertainty_soc is None:
        return after
    clipped = after.uncertainty_soc or 0.0
    counted = max(COUNTED_SHARE * throughput_ah, doubt_ah) / capacity
    uncertainty = float(np.hypot(state.uncertainty_soc, counted)) + clipped
    slope = _slope_volt(equilibrium, after.soc)
    return replace(after, uncertainty_soc=min(uncertainty, 1.0), uncertainty_mv=1e3 * slope * uncertainty)


def state_after_charge(
    state: StartingState,
    charge_ah: float,
    case: SimulationCase,
    at_celsius: float,
    throughput_ah: float | None = None,
    *,
    doubt_ah: float = 0.0,
) -> StartingState:
    """Return the equilibrium state of a cell after a charge has flowed from a known state.

    Args:
        state: the known state; its source is kept.
        charge_ah: in A.h, positive charges the cell.
        case: the simulation, with the cell's capacity.
        at_celsius: temperature in °C.
        throughput_ah: charge in + charge out, A.h; ``None`` = all of it flowed in one direction.
        doubt_ah: by how much the charge may be off by cleaning's bounds, A.h.

    Raises:
        JobError: the state is outside the set's window (``initial_state_out_of_range``).
    """
    equilibrium = _find_equilibrium(case.model, case.parameter_set, at_celsius)
    throughput = abs(charge_ah) if throughput_ah is None else throughput_ah
    return _carry_on(equilibrium, state, charge_ah, throughput, doubt_ah, case)


def spread_uncertainty(
    state: StartingState, low_ah: float, high_ah: float, case: SimulationCase, at_celsius: float
) -> StartingState:
    """Return a state whose uncertainty in mV holds over all of a simulation, not only at its start.

    An uncertain state of charge costs little where the open-circuit voltage is flat, and much where it is steep.

    Args:
        state: at the start.
        low_ah, high_ah: smallest and largest charge since the start, A.h, positive into the cell.
        case: the simulation, with the cell's capacity.
        at_celsius: temperature in °C.
    """
    if state.uncertainty_soc is None or state.uncertainty_mv is None:
        return state
    equilibrium = _find_equilibrium(case.model, case.parameter_set, at_celsius)
    capacity = _cell_capacity_ah(equilibrium, case)
    least, most = equilibrium.possible_soc
    low = min(max(state.soc + low_ah / capacity, least), most)
    high = min(max(state.soc + high_ah / capacity, least), most)
    if high - low < SLOPE_SOC:
        return state
    slope = abs(equilibrium.voltage_at(high) - equilibrium.voltage_at(low)) / (high - low)
    return replace(state, uncertainty_mv=max(state.uncertainty_mv, 1e3 * slope * state.uncertainty_soc))


def open_circuit_slope(state: StartingState, charge_ah: Floats, case: SimulationCase, at_celsius: float) -> Floats:
    """Return the size of the slope of the open-circuit voltage after some charges from a known state, V per A.h.

    Args:
        state: the known state.
        charge_ah: since that state, A.h, positive into the cell, shape (n,).
        case: the simulation, with the cell's capacity.
        at_celsius: temperature in °C.

    Returns:
        Shape (n,), >= 0; beyond the set's range the slope at its end.
    """
    equilibrium = _find_equilibrium(case.model, case.parameter_set, at_celsius)
    capacity = _cell_capacity_ah(equilibrium, case)
    least, most = equilibrium.possible_soc
    soc = np.clip(state.soc + charge_ah / capacity, least, most)
    count = int(np.clip(np.ptp(soc) / SLOPE_SOC, 2, SLOPES))
    nodes = np.linspace(soc.min(), soc.max(), count)
    below = np.maximum(nodes - SLOPE_SOC, least)
    above = np.minimum(nodes + SLOPE_SOC, most)
    slopes = np.abs(equilibrium.voltages_at(above) - equilibrium.voltages_at(below)) / (above - below)
    along: Floats = np.interp(soc, nodes, slopes) / capacity
    return along


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


def _state_at_voltage(
    equilibrium: Equilibrium | FullCell, voltage: float, uncertainty_mv: float, source: str
) -> StartingState:
    """Return the state at an open-circuit voltage, also one outside the cut-offs if the set's electrodes allow it."""
    lower, upper = equilibrium.lower_volt, equilibrium.upper_volt
    low, high = equilibrium.possible_volt
    clipped = min(max(voltage, low), high)
    if max(lower - voltage, voltage - upper) > CLIP_VOLT or abs(clipped - voltage) > CLIP_VOLT:
        reason = f"the initial voltage is outside the set's window of {lower:g} to {upper:g} V ({source})"
        advice = "use another parameter set, or give initial_state as a state of charge"
        raise JobError(f"{reason}; {advice}", "initial_state_out_of_range")
    if max(lower - voltage, voltage - upper) > ROUND_VOLT:
        limit = f"upper limit of {upper:g} V" if voltage > upper else f"lower limit of {lower:g} V"
        source += f", {1e3 * max(lower - voltage, voltage - upper):.3g} mV {BEYOND_LIMIT} {limit}"
    if clipped != voltage:
        off = 1e3 * abs(clipped - voltage)
        source += f", set to {clipped:.4f} V, {RANGE_ENDS} at this temperature ({off:.3g} mV off)"
        uncertainty_mv += off
    soc = equilibrium.soc_at(clipped)
    slope = max(_slope_volt(equilibrium, soc), FLAT_VOLT_PER_SOC)
    uncertainty_soc = min(1e-3 * uncertainty_mv / slope, 1.0)
    state = _state(equilibrium, soc, source)
    return replace(state, uncertainty_mv=uncertainty_mv, uncertainty_soc=uncertainty_soc)


def _slope_volt(equilibrium: Equilibrium | FullCell, soc: float) -> float:
    """Return the size of the slope of the open-circuit voltage at a state of charge, V per state of charge."""
    low, high = equilibrium.possible_soc
    below, above = max(soc - SLOPE_SOC, low), min(soc + SLOPE_SOC, high)
    return abs(equilibrium.voltage_at(above) - equilibrium.voltage_at(below)) / (above - below)


def _state_at_soc(equilibrium: Equilibrium | FullCell, soc: float, source: str) -> StartingState:
    """Return a state of charge; one outside 0 to 1 is kept if the set's electrodes allow it.

    Its uncertainty is by how much it was moved to the edge; ``None`` = it was not.
    """
    low, high = equilibrium.possible_soc
    clipped = min(max(soc, low), high)
    if max(-soc, soc - 1.0) > CLIP_SOC:
        reason = f"the initial state of charge {soc:.3f} ({source}) is outside 0 to 1"
        advice = "check nominal_capacity_ah, the parameter set and initial_state"
        raise JobError(f"{reason}; {advice}", "initial_state_out_of_range")
    if not 0.0 <= soc <= 1.0:
        source += f", a state of charge of {soc:.4f}, {OUTSIDE_WINDOW}"
    if clipped == soc:
        return _state(equilibrium, soc, source)
    moved = abs(clipped - soc)
    state = _state(equilibrium, clipped, f"{source}, set to {clipped:.4f}, {RANGE_ENDS}")
    return replace(state, uncertainty_soc=moved, uncertainty_mv=1e3 * _slope_volt(equilibrium, clipped) * moved)


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
