"""A parameter set at rest: its window of states of charge, and the open-circuit voltage and initial values in it.

Found once for each set, temperature and structure in a process: PyBaMM's own way solves anew for each cell, which takes
longer than the replay. The window's ends are PyBaMM's (at its reference temperature; with hysteresis: charged up, and
discharged down); what lies between is tabulated at the cell's temperature.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import pybamm
from pybamm.models.full_battery_models.lithium_ion import electrode_soh, electrode_soh_half_cell
from pybamm.models.full_battery_models.lithium_ion.util import (
    get_equilibrium_direction,
    get_initial_ocp,
    get_lithiation_delithiation,
)

from ...data.arrays import Floats
from ...data.convert import celsius_to_kelvin
from ...data.errors import JobError
from ...data.settings import ModelSettings, ParameterSetSettings
from ..parameters.files import LOWER_CUTOFF, UPPER_CUTOFF
from ..parameters.sets import AMBIENT, INITIAL_TEMPERATURE, apply_overrides
from .pybamm_models import (
    CIRCUIT,
    ELECTRODE,
    OCP,
    PHASES,
    check_set,
    complete_set,
    explain_build_error,
    full_options,
    state_model,
)

TABLE_SIZE: Final = 4001  # states of charge at which the open-circuit voltage is tabulated: better than 10 uV between
FINE_SIZE: Final = 40001  # stoichiometries or potentials at which an inverse is tabulated


@dataclass(frozen=True, slots=True, eq=False)
class StateInput:
    """A parameter of the initial state as a function of the state of charge.

    Args:
        name: PyBaMM's.
        at_soc: at evenly spaced states of charge from 0 to 1; two where it is linear.
        factor: what these are multiplied by, such as a maximum concentration in mol.m-3.
    """

    name: str
    at_soc: Floats
    factor: float = 1.0

    def value(self, soc: float) -> float:
        """The parameter's value at a state of charge from 0 to 1."""
        if len(self.at_soc) == 2:
            first, last = (float(end) for end in self.at_soc)
            return (first + soc * (last - first)) * self.factor
        return float(np.interp(soc, np.linspace(0.0, 1.0, len(self.at_soc)), self.at_soc)) * self.factor


@dataclass(frozen=True, slots=True, eq=False)
class Equilibrium:
    """A parameter set at rest.

    Args:
        inputs: the initial state's parameters, which are inputs of the built model.
        lower_volt, upper_volt: the window's ends.
        capacity_ah: A.h between them, of the set's own cell.
        open_circuit_volt: at ``TABLE_SIZE`` evenly spaced states of charge from 0 to 1.
        assumed: what the set does not say, in words; "" = nothing.
    """

    inputs: tuple[StateInput, ...]
    lower_volt: float
    upper_volt: float
    capacity_ah: float
    open_circuit_volt: Floats
    assumed: str = ""

    def soc_at(self, voltage_volt: float) -> float:
        """The state of charge at which the open-circuit voltage, from 0 on, first passes a voltage."""
        # A tabulated function may rise by steps that are not all upward.
        rising = np.maximum.accumulate(self.open_circuit_volt)
        return float(np.interp(voltage_volt, rising, np.linspace(0.0, 1.0, TABLE_SIZE)))

    def voltage_at(self, soc: float) -> float:
        """Open-circuit voltage at a state of charge from 0 to 1."""
        return float(np.interp(soc, np.linspace(0.0, 1.0, TABLE_SIZE), self.open_circuit_volt))


def find_equilibrium(model: ModelSettings, parameter_set: ParameterSetSettings, at_celsius: float) -> Equilibrium:
    """Find a parameter set's equilibrium as far as the model sees it, once in this process.

    Raises:
        JobError: the set is of another kind of cell than the model (``cannot_build``), or has no such window
            (``no_initial_state``).
    """
    check_set(model, parameter_set.key)
    return tabulate_equilibrium(state_model(model), parameter_set, at_celsius)


def state_input_names(model: ModelSettings) -> tuple[str, ...]:
    """Names of the parameters that hold the initial state of this model."""
    if model.type == CIRCUIT:
        return ("Initial SoC",)
    options = full_options(model)
    sides = ("positive",) if options[ELECTRODE] == "positive" else ("negative", "positive")
    if options[OCP] == "MSMR":
        return tuple(f"Initial voltage in {side} electrode [V]" for side in sides)
    return tuple(_concentration(side, prefix) for side in sides for prefix in _prefixes(options, side))


@lru_cache(maxsize=64)
def tabulate_equilibrium(model: ModelSettings, parameter_set: ParameterSetSettings, at_celsius: float) -> Equilibrium:
    """As :func:`find_equilibrium`, which calls it for all models that are alike at rest; it keeps its results."""
    values = apply_overrides(parameter_set)
    values[AMBIENT] = values[INITIAL_TEMPERATURE] = celsius_to_kelvin(at_celsius)
    assumed = "; ".join(complete_set(values, model))
    try:
        if model.type == CIRCUIT:
            inputs, capacity, table = _circuit(values)
            return Equilibrium(inputs, float(table[0]), float(table[-1]), capacity, table)
        options = full_options(model)
        inputs, capacity, table = _finder(options)(values, options)
    except (KeyError, ValueError, IndexError, pybamm.SolverError, pybamm.OptionError) as error:
        text = explain_build_error(error, parameter_set.base)
        code = "cannot_build" if isinstance(error, KeyError) else "no_initial_state"
        raise JobError(f"{parameter_set.name}: no equilibrium state found: {text}", code) from error
    return Equilibrium(inputs, float(values[LOWER_CUTOFF]), float(values[UPPER_CUTOFF]), capacity, table, assumed)


TabulatedState = tuple[tuple[StateInput, ...], float, Floats]


def _finder(options: pybamm.BatteryModelOptions) -> Callable[[Any, Any], TabulatedState]:
    half = options[ELECTRODE] == "positive"
    if options[OCP] == "MSMR" and not half:
        return _msmr
    if half:
        return _half_cell
    two = any(getattr(options, side)[PHASES] == "2" for side in ("negative", "positive"))
    return _composite if two else _full_cell


def _full_cell(values: pybamm.ParameterValues, options: pybamm.BatteryModelOptions) -> TabulatedState:
    solver = electrode_soh.ElectrodeSOHSolver(values, options=options)
    # Some sets give numbers, others arrays of one.
    empty, full, lithiated, delithiated = (np.asarray(x).item() for x in solver.get_min_max_stoichiometries())
    negative, positive = np.array([empty, full]), np.array([delithiated, lithiated])
    electrodes = solver.param.n, solver.param.p
    capacity = _number(values, electrodes[0].Q_init) * (full - empty)
    potentials = [
        _potential(values, electrode.prim, side, options, "primary", _evenly(ends))
        for electrode, side, ends in zip(electrodes, ("negative", "positive"), (negative, positive), strict=True)
    ]
    inputs = _input(values, "negative", "", negative), _input(values, "positive", "", positive)
    return inputs, capacity, potentials[1] - potentials[0]


def _half_cell(values: pybamm.ParameterValues, options: pybamm.BatteryModelOptions) -> TabulatedState:
    """A working electrode, which PyBaMM calls positive, against lithium: its potential is the voltage."""
    electrode = pybamm.LithiumIonParameters(options).p
    if options.positive[PHASES] == "2":
        shared = _shared(values, electrode, "positive", options)
        cutoffs = [-float(values[name]) for name in (LOWER_CUTOFF, UPPER_CUTOFF)]
        empty, full = np.interp(cutoffs, -shared.potential, shared.charge_ah)
        inputs, table = shared.at(values, _evenly((empty, full)))
        return inputs, float(empty - full), table
    found = electrode_soh_half_cell.get_min_max_stoichiometries(values, options=options)
    ends = np.array([float(found["x_0"]), float(found["x_100"])])
    table = _potential(values, electrode.prim, "positive", options, "primary", _evenly(ends))
    capacity = _number(values, electrode.prim.Q_init) * float(ends[0] - ends[1])
    return (_input(values, "positive", "", ends),), capacity, table


def _composite(values: pybamm.ParameterValues, options: pybamm.BatteryModelOptions) -> TabulatedState:
    """Two phases in an electrode; the lithium in both electrodes together stays what the set gives."""
    param = pybamm.LithiumIonParameters(options)
    lithium = _number(values, param.Q_Li_particles_init)
    electrodes = ((param.n, "negative"), (param.p, "positive"))
    ends = []
    for soc, cutoff in (("0", LOWER_CUTOFF), ("100", UPPER_CUTOFF)):
        low, high = (_shared(values, electrode, side, options, soc) for electrode, side in electrodes)
        inside = (lithium - low.charge_ah >= high.charge_ah[0]) & (lithium - low.charge_ah <= high.charge_ah[-1])
        charge = low.charge_ah[inside]
        voltage = np.interp(lithium - charge, high.charge_ah, high.potential) - low.potential[inside]
        ends.append(float(np.interp(float(values[cutoff]), np.maximum.accumulate(voltage), charge)))
    charge = _evenly(ends)
    low, high = (_shared(values, electrode, side, options) for electrode, side in electrodes)
    negative, low_volt = low.at(values, charge)
    positive, high_volt = high.at(values, lithium - charge)
    return negative + positive, ends[1] - ends[0], high_volt - low_volt


@dataclass(frozen=True, slots=True, eq=False)
class _ElectrodeTable:
    """An electrode of one or two phases, by rising lithium in it; two share it so that their potentials are the same.

    Args:
        charge_ah: lithium, A.h.
        potential: V.
        stoichiometries: of each phase.
    """

    side: str
    prefixes: tuple[str, ...]
    charge_ah: Floats
    potential: Floats
    stoichiometries: tuple[Floats, ...]

    def at(self, values: pybamm.ParameterValues, charge_ah: Floats) -> tuple[tuple[StateInput, ...], Floats]:
        """Inputs and potential at these amounts of lithium."""
        inputs = tuple(
            _input(values, self.side, prefix, np.interp(charge_ah, self.charge_ah, share))
            for prefix, share in zip(self.prefixes, self.stoichiometries, strict=True)
        )
        return inputs, np.interp(charge_ah, self.charge_ah, self.potential)


def _shared(values: pybamm.ParameterValues, electrode: Any, side: str, options: Any, soc: str = "") -> _ElectrodeTable:
    """Tabulate an electrode; with ``soc`` ("0", "100") as at that end of PyBaMM's window, else at the temperature."""
    prefixes = _prefixes(options, side)
    found = list(zip((electrode.prim, electrode.sec), ("primary", "secondary"), strict=True))[: len(prefixes)]
    fine = np.linspace(1e-6, 1.0 - 1e-6, FINE_SIZE)
    capacities = [_number(values, phase.Q_init) for phase, _ in found]
    # From high to low potential, the lithium in both phases grows.
    potentials = [
        np.minimum.accumulate(_potential(values, phase, side, options, name, fine, soc)) for phase, name in found
    ]
    common = potentials[0] if len(found) == 1 else np.unique(np.concatenate(potentials))[::-1]
    shares = tuple(fine if len(found) == 1 else np.interp(-common, -potential, fine) for potential in potentials)
    charge = np.sum([capacity * share for capacity, share in zip(capacities, shares, strict=True)], axis=0)
    return _ElectrodeTable(side, prefixes, charge, common, shares)


def _msmr(values: pybamm.ParameterValues, options: pybamm.BatteryModelOptions) -> TabulatedState:
    """Both electrodes' potentials, whose stoichiometry is a sum over the sites; the model starts from potentials."""
    solver = electrode_soh.ElectrodeSOHSolver(values, options=options)
    empty, full, lithiated, delithiated = (np.asarray(x).item() for x in solver.get_min_max_stoichiometries())
    potentials = []
    fine = np.linspace(-0.5, 5.5, FINE_SIZE)
    param: Any = solver.param
    for electrode, ends in ((param.n, (empty, full)), (param.p, (delithiated, lithiated))):
        symbol = electrode.prim.x(pybamm.Vector(fine), param.T_init)
        with np.errstate(over="ignore"):  # far away from a site's potential it is empty
            occupied = np.ravel(values.process_symbol(symbol).evaluate())
        potentials.append(np.interp(_evenly(ends), occupied[::-1], fine[::-1]))
    capacity = _number(values, param.n.Q_init) * (full - empty)
    names = (f"Initial voltage in {side} electrode [V]" for side in ("negative", "positive"))
    inputs = tuple(StateInput(name, potential) for name, potential in zip(names, potentials, strict=True))
    return inputs, capacity, potentials[1] - potentials[0]


def _circuit(values: pybamm.ParameterValues) -> TabulatedState:
    soc = np.linspace(0.0, 1.0, TABLE_SIZE)
    voltage = values.process_symbol(pybamm.EcmParameters().ocv(pybamm.Vector(soc))).evaluate()
    table: Floats = np.broadcast_to(np.asarray(voltage, float).ravel(), (TABLE_SIZE,))
    return (StateInput("Initial SoC", np.array([0.0, 1.0])),), float(values["Cell capacity [A.h]"]), table


def _potential(
    values: pybamm.ParameterValues, phase: Any, side: str, options: Any, name: str, stoichiometry: Floats, soc: str = ""
) -> Floats:
    """A phase's open-circuit potential in V, shape of the stoichiometries, as :func:`potential_symbol` gives it."""
    potential = values.process_symbol(
        potential_symbol(phase, pybamm.Vector(stoichiometry), side, options, name, soc)
    ).evaluate()
    column: Floats = np.broadcast_to(np.asarray(potential, float).ravel(), stoichiometry.shape)
    return column


def potential_symbol(phase: Any, at: pybamm.Symbol, side: str, options: Any, name: str, soc: str = "") -> pybamm.Symbol:
    """A phase's open-circuit potential in V at a stoichiometry; with hysteresis at its initial state.

    With ``soc`` ("0", "100") it is that of an end of PyBaMM's window: charged up, discharged down, at 25 °C or so.
    """
    param = phase.main_param
    if not soc:
        return get_initial_ocp(phase, at, param.T_init, None, side, options, name)
    direction = get_equilibrium_direction(soc, side, options, name)
    return phase.U(at, param.T_ref, get_lithiation_delithiation(direction, side, options, name))


def _evenly(ends: Sequence[float] | Floats) -> Floats:
    return np.linspace(float(ends[0]), float(ends[1]), TABLE_SIZE)


def _number(values: pybamm.ParameterValues, symbol: Any) -> float:
    return float(np.asarray(values.evaluate(symbol)).item())


def _input(values: pybamm.ParameterValues, side: str, prefix: str, at_soc: Floats) -> StateInput:
    maximum = float(values[f"{prefix}Maximum concentration in {side} electrode [mol.m-3]"])
    return StateInput(_concentration(side, prefix), at_soc, maximum)


def _concentration(side: str, prefix: str) -> str:
    return f"{prefix}Initial concentration in {side} electrode [mol.m-3]"


def _prefixes(options: pybamm.BatteryModelOptions, side: str) -> tuple[str, ...]:
    return ("Primary: ", "Secondary: ") if getattr(options, side)[PHASES] == "2" else ("",)
