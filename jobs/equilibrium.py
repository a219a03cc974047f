"""A parameter set at rest: its window of states of charge, and the open-circuit voltage and initial values in it.

Found once for each set, temperature and structure in a process: PyBaMM's own way solves anew for each cell, which takes
longer than the replay. The window's ends are PyBaMM's (at its reference temperature; with hysteresis: charged up, and
discharged down); what lies between is tabulated at the cell's temperature.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import pybamm
from numpy.typing import NDArray
from pybamm.models.full_battery_models.lithium_ion import electrode_soh, electrode_soh_half_cell
from pybamm.models.full_battery_models.lithium_ion.util import get_initial_ocp

from ..data.convert import kelvin
from ..data.errors import JobError
from ..data.settings import ModelSettings, ParameterSetSettings
from .models import CIRCUIT, ELECTRODE, OCP, PHASES, check_set, completed, full_options, state_model, why_not_built
from .parameters import AMBIENT, INITIAL_TEMPERATURE, LOWER_CUTOFF, UPPER_CUTOFF, with_overrides

Floats = NDArray[np.float64]

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


def equilibrium_of(model: ModelSettings, parameter_set: ParameterSetSettings, at_celsius: float) -> Equilibrium:
    """Find a parameter set's equilibrium as far as the model sees it, once in this process.

    Raises:
        JobError: the set is of another kind of cell than the model (``cannot_build``), or has no such window
            (``no_initial_state``).
    """
    check_set(model, parameter_set.key)
    return _tabulated(state_model(model), parameter_set, at_celsius)


def state_inputs(model: ModelSettings) -> tuple[str, ...]:
    """Names of the parameters that hold the initial state of this model."""
    if model.type == CIRCUIT:
        return ("Initial SoC",)
    options = full_options(model)
    sides = ("positive",) if options[ELECTRODE] == "positive" else ("negative", "positive")
    if options[OCP] == "MSMR":
        return tuple(f"Initial voltage in {side} electrode [V]" for side in sides)
    return tuple(_concentration(side, prefix) for side in sides for prefix in _prefixes(options, side))


@lru_cache(maxsize=64)
def _tabulated(model: ModelSettings, parameter_set: ParameterSetSettings, at_celsius: float) -> Equilibrium:
    values = with_overrides(parameter_set)
    values[AMBIENT] = values[INITIAL_TEMPERATURE] = kelvin(at_celsius)
    assumed = "; ".join(completed(values, model))
    try:
        if model.type == CIRCUIT:
            inputs, capacity, table = _circuit(values)
            return Equilibrium(inputs, float(table[0]), float(table[-1]), capacity, table)
        options = full_options(model)
        inputs, capacity, table = _finder(options)(values, options)
    except (KeyError, ValueError, IndexError, pybamm.SolverError, pybamm.OptionError) as error:
        text = why_not_built(error, parameter_set.base)
        raise JobError(f"{parameter_set.name}: no equilibrium state found: {text}", "no_initial_state") from error
    return Equilibrium(inputs, float(values[LOWER_CUTOFF]), float(values[UPPER_CUTOFF]), capacity, table, assumed)


Found = tuple[tuple[StateInput, ...], float, Floats]


def _finder(options: pybamm.BatteryModelOptions) -> Callable[[Any, Any], Found]:
    half = options[ELECTRODE] == "positive"
    if options[OCP] == "MSMR" and not half:
        return _msmr
    if half:
        return _half_cell
    two = any(getattr(options, side)[PHASES] == "2" for side in ("negative", "positive"))
    return _composite if two else _full_cell


def _full_cell(values: pybamm.ParameterValues, options: pybamm.BatteryModelOptions) -> Found:
    solver = electrode_soh.ElectrodeSOHSolver(values, options=options)
    # Some sets give numbers, others arrays of one.
    empty, full, lithiated, delithiated = (np.asarray(x).item() for x in solver.get_min_max_stoichiometries())
    negative, positive = np.array([empty, full]), np.array([delithiated, lithiated])
    electrodes = solver.param.n, solver.param.p
    capacity = float(_number(values, electrodes[0].Q_init)) * (full - empty)
    potentials = [
        _potential(values, electrode.prim, side, options, "primary", np.linspace(*ends, TABLE_SIZE))
        for electrode, side, ends in zip(electrodes, ("negative", "positive"), (negative, positive), strict=True)
    ]
    inputs = _input(values, "negative", "", negative), _input(values, "positive", "", positive)
    return inputs, capacity, potentials[1] - potentials[0]


def _half_cell(values: pybamm.ParameterValues, options: pybamm.BatteryModelOptions) -> Found:
    """A working electrode, which PyBaMM calls positive, against lithium: its potential is the voltage."""
    ends = electrode_soh_half_cell.get_min_max_stoichiometries(values, options=options)
    electrode = pybamm.LithiumIonParameters(options).p
    full = [float(ends[name]) for name in ("x_100", "x_100_2") if name in ends]
    empty = [float(ends[name]) for name in ("x_0", "x_0_2") if name in ends]
    inputs, charge, table = _electrode(values, electrode, "positive", options, empty, full)
    return inputs, charge, table


def _composite(values: pybamm.ParameterValues, options: pybamm.BatteryModelOptions) -> Found:
    middle = f"{(float(values[LOWER_CUTOFF]) + float(values[UPPER_CUTOFF])) / 2} V"
    ends = pybamm.lithium_ion.get_initial_stoichiometries_composite(middle, values, options=options)
    param = pybamm.LithiumIonParameters(options)
    found = []
    for electrode, side, letter in ((param.n, "negative", "x"), (param.p, "positive", "y")):
        numbers = range(1, len(_prefixes(options, side)) + 1)
        empty, full = ([float(ends[f"{letter}_{soc}_{k}"]) for k in numbers] for soc in ("0", "100"))
        found.append(_electrode(values, electrode, side, options, empty, full))
    (negative, charge, low), (positive, _, high) = found
    return negative + positive, charge, high - low


def _electrode(
    values: pybamm.ParameterValues, electrode: Any, side: str, options: Any, empty: list[float], full: list[float]
) -> Found:
    """An electrode of one or two phases, from its stoichiometries at 0 and 1 state of charge.

    The charge in it is linear in the state of charge; two phases share it so that their potentials are the same.

    Returns:
        Inputs, its charge between the ends in A.h, and its potential in V, shape (TABLE_SIZE,).
    """
    prefixes = _prefixes(options, side)
    params = (electrode.prim, electrode.sec)[: len(prefixes)]
    capacities = [float(_number(values, phase.Q_init)) for phase in params]
    first, last = (sum(q * x for q, x in zip(capacities, ends, strict=True)) for ends in (empty, full))
    if len(prefixes) == 1:
        ends = np.array([empty[0], full[0]])
        table = _potential(values, params[0], side, options, "primary", np.linspace(*ends, TABLE_SIZE))
        return (_input(values, side, "", ends),), abs(last - first), table
    fine = np.linspace(1e-6, 1.0 - 1e-6, FINE_SIZE)
    names = ("primary", "secondary")
    # From high to low potential, the lithium in both phases grows.
    potentials = [
        np.minimum.accumulate(_potential(values, p, side, options, n, fine)) for p, n in zip(params, names, strict=True)
    ]
    common = np.unique(np.concatenate(potentials))[::-1]
    shares = [np.interp(-common, -potential, fine) for potential in potentials]
    charge = sum(q * x for q, x in zip(capacities, shares, strict=True))
    wanted = np.linspace(first, last, TABLE_SIZE)
    inputs = tuple(
        _input(values, side, prefix, np.interp(wanted, charge, share))
        for prefix, share in zip(prefixes, shares, strict=True)
    )
    return inputs, abs(last - first), np.interp(wanted, charge, common)


def _msmr(values: pybamm.ParameterValues, options: pybamm.BatteryModelOptions) -> Found:
    """Both electrodes' potentials, whose stoichiometry is a sum over the sites; the model starts from potentials."""
    solver = electrode_soh.ElectrodeSOHSolver(values, options=options)
    empty, full, lithiated, delithiated = (np.asarray(x).item() for x in solver.get_min_max_stoichiometries())
    potentials = []
    fine = np.linspace(-0.5, 5.5, FINE_SIZE)
    for electrode, ends in ((solver.param.n, (empty, full)), (solver.param.p, (delithiated, lithiated))):
        symbol = electrode.prim.x(pybamm.Vector(fine), solver.param.T_init)
        occupied = np.ravel(values.process_symbol(symbol).evaluate())
        potentials.append(np.interp(np.linspace(*ends, TABLE_SIZE), occupied[::-1], fine[::-1]))
    capacity = float(_number(values, solver.param.n.Q_init)) * (full - empty)
    names = (f"Initial voltage in {side} electrode [V]" for side in ("negative", "positive"))
    inputs = tuple(StateInput(name, potential) for name, potential in zip(names, potentials, strict=True))
    return inputs, capacity, potentials[1] - potentials[0]


def _circuit(values: pybamm.ParameterValues) -> Found:
    soc = np.linspace(0.0, 1.0, TABLE_SIZE)
    voltage = values.process_symbol(pybamm.EcmParameters().ocv(pybamm.Vector(soc))).evaluate()
    table: Floats = np.broadcast_to(np.asarray(voltage, float).ravel(), (TABLE_SIZE,))
    return (StateInput("Initial SoC", np.array([0.0, 1.0])),), float(values["Cell capacity [A.h]"]), table


def _potential(
    values: pybamm.ParameterValues, phase: Any, side: str, options: Any, name: str, stoichiometry: Floats
) -> Floats:
    """A phase's open-circuit potential in V, shape of the stoichiometries; with hysteresis at its initial state."""
    symbol = get_initial_ocp(phase, pybamm.Vector(stoichiometry), phase.main_param.T_init, None, side, options, name)
    potential = values.process_symbol(symbol).evaluate()
    column: Floats = np.broadcast_to(np.asarray(potential, float).ravel(), stoichiometry.shape)
    return column


def _number(values: pybamm.ParameterValues, symbol: Any) -> float:
    return float(np.asarray(values.evaluate(symbol)).item())


def _input(values: pybamm.ParameterValues, side: str, prefix: str, at_soc: Floats) -> StateInput:
    maximum = float(values[f"{prefix}Maximum concentration in {side} electrode [mol.m-3]"])
    return StateInput(_concentration(side, prefix), at_soc, maximum)


def _concentration(side: str, prefix: str) -> str:
    return f"{prefix}Initial concentration in {side} electrode [mol.m-3]"


def _prefixes(options: pybamm.BatteryModelOptions, side: str) -> tuple[str, ...]:
    return ("Primary: ", "Secondary: ") if getattr(options, side)[PHASES] == "2" else ("",)
