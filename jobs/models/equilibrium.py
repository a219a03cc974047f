"""Tabulate a parameter set at rest: its window of states of charge, open-circuit voltage and initial values.

Each equilibrium is found once per set, temperature and structure in a process. PyBaMM's own way solves again for each
cell, which takes longer than the replay. The ends of the window are PyBaMM's (at its reference temperature; with
hysteresis the full cell is charged up, the empty one discharged down). The table between them is for the cell's
temperature.
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
    SIDES,
    cell_sides,
    check_set,
    complete_set,
    explain_build_error,
    full_options,
    state_model,
)
from .tables import extend_tables

EDGE: Final = 1e-6  # smallest distance of a tabulated stoichiometry from 0 and 1
NEAR_END: Final = 1e-2
"""Distance from an end within which a grid is graded. Potentials are steep there, up to 1 V within 1e-3 of the
capacity: with even steps of 2.5e-4, tables of composite electrodes were up to 27 mV wrong at 2.52 V."""


def _graded(even: int, near_end: int, edge: float) -> Floats:
    """Return a grid from ``edge`` to 1 - ``edge``: even steps, and steps in proportion to the distance near both ends.

    Args:
        even: number of even steps.
        near_end: number of graded steps near each end.
        edge: 0 = the grid includes the ends.
    """
    near = np.geomspace(max(edge, EDGE), NEAR_END, near_end + 1)
    return np.unique(np.concatenate([np.linspace(edge, 1.0 - edge, even + 1), near, 1.0 - near]))


STATES_OF_CHARGE: Final = _graded(4000, 1000, 0.0)
"""States of charge at which the open-circuit voltage is tabulated; interpolation is then exact to 0.05 mV, in cells
with one phase in each electrode to 10 uV."""

FINE: Final = _graded(40000, 4000, EDGE)
"""Stoichiometries in a table that is inverted."""

FINE_VOLT: Final = np.linspace(-0.5, 5.5, 40001)
"""Potentials in a table that is inverted, V."""


@dataclass(frozen=True, slots=True, eq=False)
class StateInput:
    """A parameter of the initial state as a function of the state of charge.

    Args:
        name: the parameter's name in PyBaMM.
        at_soc: its values at ``STATES_OF_CHARGE``, before multiplication with ``factor``; two values, at 0 and 1, for
            a linear function.
        factor: such as a maximum concentration in mol.m-3.
    """

    name: str
    at_soc: Floats
    factor: float = 1.0

    def value(self, soc: float) -> float:
        """Return the parameter's value at a state of charge from 0 to 1."""
        if len(self.at_soc) == 2:
            first = float(self.at_soc[0])
            last = float(self.at_soc[1])
            return (first + soc * (last - first)) * self.factor
        return float(np.interp(soc, STATES_OF_CHARGE, self.at_soc)) * self.factor


@dataclass(frozen=True, slots=True, eq=False)
class Equilibrium:
    """A parameter set at rest.

    Args:
        inputs: the parameters of the initial state, which are inputs of the built model.
        lower_volt, upper_volt: voltages at the ends of the window, V.
        capacity_ah: charge between the ends, of the cell that the set describes, A.h.
        open_circuit_volt: V, at ``STATES_OF_CHARGE``.
        assumed: what was assumed because the set does not give it, in words; "" = nothing.
    """

    inputs: tuple[StateInput, ...]
    lower_volt: float
    upper_volt: float
    capacity_ah: float
    open_circuit_volt: Floats
    assumed: str = ""

    @property
    def possible_soc(self) -> tuple[float, float]:
        """Smallest and largest state of charge of the table."""
        return 0.0, 1.0

    @property
    def possible_volt(self) -> tuple[float, float]:
        """Open-circuit voltages there, at the cell's temperature, V."""
        return float(self.open_circuit_volt[0]), float(np.max(self.open_circuit_volt))

    def soc_at(self, voltage_volt: float) -> float:
        """Return the smallest state of charge at which the open-circuit voltage reaches a voltage in V."""
        # A tabulated open-circuit function may fall in places.
        rising = np.maximum.accumulate(self.open_circuit_volt)
        return float(np.interp(voltage_volt, rising, STATES_OF_CHARGE))

    def voltage_at(self, soc: float) -> float:
        """Return the open-circuit voltage in V at a state of charge from 0 to 1."""
        return float(np.interp(soc, STATES_OF_CHARGE, self.open_circuit_volt))

    def voltages_at(self, soc: Floats) -> Floats:
        """Return the open-circuit voltages in V at states of charge from 0 to 1, shape of these."""
        return np.interp(soc, STATES_OF_CHARGE, self.open_circuit_volt)


def find_equilibrium(model: ModelSettings, parameter_set: ParameterSetSettings, at_celsius: float) -> Equilibrium:
    """Find the equilibrium of a parameter set in a model, once per process.

    Args:
        model: only the options that change the state at rest matter.
        parameter_set: the base set and its overrides.
        at_celsius: temperature in °C.

    Raises:
        JobError: the set describes another kind of cell than the model (``cannot_build``), or PyBaMM finds no window
            of states of charge (``no_initial_state``).
    """
    check_set(model, parameter_set.key)
    return tabulate_equilibrium(state_model(model), parameter_set, at_celsius)


def state_input_names(model: ModelSettings) -> tuple[str, ...]:
    """Return the names of the parameters that hold the initial state of this model."""
    if model.type == CIRCUIT:
        return ("Initial SoC",)
    options = full_options(model)
    sides = cell_sides(options)
    if options[OCP] == "MSMR":
        return tuple(_initial_voltage_name(side) for side in sides)
    return tuple(_concentration_name(side, prefix) for side in sides for prefix in _prefixes(options, side))


@lru_cache(maxsize=64)
def tabulate_equilibrium(model: ModelSettings, parameter_set: ParameterSetSettings, at_celsius: float) -> Equilibrium:
    """Find an equilibrium as :func:`find_equilibrium` does, without its check of the set, and cache it.

    Args:
        model: as :func:`kilocell.jobs.models.pybamm_models.state_model` returns it, so that models share results.
        parameter_set: the base set and its overrides.
        at_celsius: temperature in °C.

    Raises:
        JobError: a parameter is missing (``cannot_build``), or PyBaMM finds no window (``no_initial_state``).
    """
    values = apply_overrides(parameter_set)
    values[AMBIENT] = values[INITIAL_TEMPERATURE] = celsius_to_kelvin(at_celsius)
    assumed = "; ".join(complete_set(values, model))
    extend_tables(values)
    try:
        if model.type == CIRCUIT:
            inputs, capacity, table = _circuit(values)
            return Equilibrium(inputs, float(table[0]), float(table[-1]), capacity, table)
        options = full_options(model)
        inputs, capacity, table = _choose_method(options)(values, options)
    except (KeyError, ValueError, IndexError, pybamm.SolverError, pybamm.OptionError) as error:
        text = explain_build_error(error, parameter_set.base)
        code = "cannot_build" if isinstance(error, KeyError) else "no_initial_state"
        reason = f"no equilibrium state found for the parameter set {parameter_set.name}: {text}"
        raise JobError(reason, code) from error
    return Equilibrium(inputs, float(values[LOWER_CUTOFF]), float(values[UPPER_CUTOFF]), capacity, table, assumed)


TabulatedState = tuple[tuple[StateInput, ...], float, Floats]
"""Inputs, capacity in A.h, and open-circuit voltage in V at ``STATES_OF_CHARGE``."""


def _choose_method(options: pybamm.BatteryModelOptions) -> Callable[[Any, Any], TabulatedState]:
    if options[ELECTRODE] == "positive":
        return _half_cell
    if options[OCP] == "MSMR":
        return _msmr
    if any(getattr(options, side)[PHASES] == "2" for side in SIDES):
        return _composite
    return _full_cell


def _full_cell(values: pybamm.ParameterValues, options: pybamm.BatteryModelOptions) -> TabulatedState:
    """Tabulate a cell with one phase in each electrode."""
    solver = electrode_soh.ElectrodeSOHSolver(values, options=options)
    empty, full, lithiated, delithiated = _window_stoichiometries(solver)
    negative = np.array([empty, full])
    positive = np.array([delithiated, lithiated])
    param: Any = solver.param
    capacity = _evaluate(values, param.n.Q_init) * (full - empty)
    negative_volt = _potential(values, param.n.prim, "negative", options, "primary", _between(negative))
    positive_volt = _potential(values, param.p.prim, "positive", options, "primary", _between(positive))
    inputs = (
        _concentration_input(values, "negative", "", negative),
        _concentration_input(values, "positive", "", positive),
    )
    return inputs, capacity, positive_volt - negative_volt


def _half_cell(values: pybamm.ParameterValues, options: pybamm.BatteryModelOptions) -> TabulatedState:
    """Tabulate a half-cell; the potential of its working electrode, which PyBaMM calls positive, is the voltage."""
    electrode = pybamm.LithiumIonParameters(options).p
    if options.positive[PHASES] == "2":
        shared = _tabulate_electrode(values, electrode, "positive", options)
        cutoffs = [-float(values[name]) for name in (LOWER_CUTOFF, UPPER_CUTOFF)]
        empty, full = np.interp(cutoffs, np.maximum.accumulate(-shared.potential), shared.charge_ah)
        inputs, table = shared.at(values, _between((empty, full)))
        return inputs, float(empty - full), table
    window = electrode_soh_half_cell.get_min_max_stoichiometries(values, options=options)
    ends = np.array([float(window["x_0"]), float(window["x_100"])])
    table = _potential(values, electrode.prim, "positive", options, "primary", _between(ends))
    capacity = _evaluate(values, electrode.prim.Q_init) * float(ends[0] - ends[1])
    return (_concentration_input(values, "positive", "", ends),), capacity, table


def _composite(values: pybamm.ParameterValues, options: pybamm.BatteryModelOptions) -> TabulatedState:
    """Tabulate a cell with two phases in an electrode; the lithium in both electrodes together is the set's."""
    param = pybamm.LithiumIonParameters(options)
    lithium = _evaluate(values, param.Q_Li_particles_init)
    ends = []
    for soc, cutoff in (("0", LOWER_CUTOFF), ("100", UPPER_CUTOFF)):
        low = _tabulate_electrode(values, param.n, "negative", options, soc)
        high = _tabulate_electrode(values, param.p, "positive", options, soc)
        remaining = lithium - low.charge_ah
        possible = (remaining >= high.charge_ah[0]) & (remaining <= high.charge_ah[-1])
        charge = low.charge_ah[possible]
        voltage = np.interp(lithium - charge, high.charge_ah, high.potential) - low.potential[possible]
        ends.append(float(np.interp(float(values[cutoff]), np.maximum.accumulate(voltage), charge)))
    charge = _between(ends)
    low = _tabulate_electrode(values, param.n, "negative", options)
    high = _tabulate_electrode(values, param.p, "positive", options)
    negative, negative_volt = low.at(values, charge)
    positive, positive_volt = high.at(values, lithium - charge)
    return negative + positive, ends[1] - ends[0], positive_volt - negative_volt


@dataclass(frozen=True, slots=True, eq=False)
class _ElectrodeTable:
    """An electrode with one or two phases, by increasing lithium; two phases have the same potential.

    Args:
        side: "negative" or "positive".
        prefixes: of the names of each phase's parameters.
        charge_ah: lithium in the electrode, A.h.
        potential: V, shape of ``charge_ah``.
        stoichiometries: of each phase, shape of ``charge_ah``.
    """

    side: str
    prefixes: tuple[str, ...]
    charge_ah: Floats
    potential: Floats
    stoichiometries: tuple[Floats, ...]

    def at(self, values: pybamm.ParameterValues, charge_ah: Floats) -> tuple[tuple[StateInput, ...], Floats]:
        """Return the inputs and the potential in V at amounts of lithium in A.h."""
        inputs = tuple(
            _concentration_input(values, self.side, prefix, np.interp(charge_ah, self.charge_ah, stoichiometry))
            for prefix, stoichiometry in zip(self.prefixes, self.stoichiometries, strict=True)
        )
        return inputs, np.interp(charge_ah, self.charge_ah, self.potential)


def _tabulate_electrode(
    values: pybamm.ParameterValues, electrode: Any, side: str, options: Any, soc: str = ""
) -> _ElectrodeTable:
    """Tabulate an electrode.

    Args:
        values: the set.
        electrode: PyBaMM's parameters of the electrode.
        side: "negative" or "positive".
        options: all options of the model.
        soc: "0" or "100" = as at this end of PyBaMM's window; "" = at the set's temperature.
    """
    prefixes = _prefixes(options, side)
    phases = [(electrode.prim, "primary"), (electrode.sec, "secondary")][: len(prefixes)]
    capacities = [_evaluate(values, phase.Q_init) for phase, _ in phases]
    potentials = [_potential(values, phase, side, options, name, FINE, soc) for phase, name in phases]
    if len(phases) == 1:
        return _ElectrodeTable(side, prefixes, capacities[0] * FINE, potentials[0], (FINE,))
    stoichiometries = _share_potential(potentials, capacities)
    charge = capacities[0] * stoichiometries[0] + capacities[1] * stoichiometries[1]
    return _ElectrodeTable(side, prefixes, charge, _at_grid(potentials[0], stoichiometries[0]), stoichiometries)


def _share_potential(potentials: list[Floats], capacities: list[float]) -> tuple[Floats, Floats]:
    """Find the stoichiometries at which two phases have the same potential, by increasing lithium.

    The potential of a phase may rise in places, where its table or its formula bends: by 16 mV in the graphite of
    Chen2020_composite. There, the other phase follows it, as long as the lithium of both together increases.

    Args:
        potentials: of both phases in V at ``FINE``.
        capacities: of both phases, A.h.
    """
    falling = [np.minimum.accumulate(potential) for potential in potentials]
    for one, other in ((0, 1), (1, 0)):
        # Fine where either of both changes.
        leads = np.unique(np.concatenate([FINE, np.interp(-falling[other], -falling[one], FINE)]))
        follows = np.interp(-_at_grid(potentials[one], leads), -falling[other], FINE)
        lithium = capacities[one] * leads + capacities[other] * follows
        if np.all(np.diff(lithium) > 0.0):
            return (leads, follows) if one == 0 else (follows, leads)
    common = np.unique(np.concatenate(falling))[::-1]
    shared = [np.interp(-common, -potential, FINE) for potential in falling]
    return shared[0], shared[1]


def _at_grid(potential: Floats, stoichiometry: Floats) -> Floats:
    """Interpolate a potential at ``FINE``."""
    return np.interp(stoichiometry, FINE, potential)


def _msmr(values: pybamm.ParameterValues, options: pybamm.BatteryModelOptions) -> TabulatedState:
    """Tabulate an MSMR cell, whose stoichiometries are sums over the host sites; it starts from potentials."""
    solver = electrode_soh.ElectrodeSOHSolver(values, options=options)
    empty, full, lithiated, delithiated = _window_stoichiometries(solver)
    param: Any = solver.param
    potentials = []
    for electrode, ends in ((param.n, (empty, full)), (param.p, (delithiated, lithiated))):
        symbol = electrode.prim.x(pybamm.Vector(FINE_VOLT), param.T_init)
        with np.errstate(over="ignore"):  # far from its potential a site is empty
            occupied = np.ravel(values.process_symbol(symbol).evaluate())
        potentials.append(np.interp(_between(ends), occupied[::-1], FINE_VOLT[::-1]))
    capacity = _evaluate(values, param.n.Q_init) * (full - empty)
    names = [_initial_voltage_name(side) for side in SIDES]
    inputs = tuple(StateInput(name, potential) for name, potential in zip(names, potentials, strict=True))
    return inputs, capacity, potentials[1] - potentials[0]


def _circuit(values: pybamm.ParameterValues) -> TabulatedState:
    soc = STATES_OF_CHARGE
    voltage = values.process_symbol(pybamm.EcmParameters().ocv(pybamm.Vector(soc))).evaluate()
    table: Floats = np.broadcast_to(np.asarray(voltage, float).ravel(), soc.shape)
    return (StateInput("Initial SoC", np.array([0.0, 1.0])),), float(values["Cell capacity [A.h]"]), table


def _window_stoichiometries(solver: electrode_soh.ElectrodeSOHSolver) -> tuple[Any, ...]:
    """Return PyBaMM's x_0, x_100, y_100 and y_0: the negative electrode's stoichiometries, then the positive one's."""
    # Depending on the set they are numbers or arrays with one element.
    return tuple(np.asarray(value).item() for value in solver.get_min_max_stoichiometries())


def _potential(
    values: pybamm.ParameterValues, phase: Any, side: str, options: Any, name: str, stoichiometry: Floats, soc: str = ""
) -> Floats:
    """Return a phase's open-circuit potential in V at stoichiometries, as :func:`potential_symbol` defines it."""
    symbol = potential_symbol(phase, pybamm.Vector(stoichiometry), side, options, name, soc)
    potential = values.process_symbol(symbol).evaluate()
    column: Floats = np.broadcast_to(np.asarray(potential, float).ravel(), stoichiometry.shape)
    return column


def potential_symbol(phase: Any, at: pybamm.Symbol, side: str, options: Any, name: str, soc: str = "") -> pybamm.Symbol:
    """Return a phase's open-circuit potential in V at a stoichiometry.

    Args:
        phase: PyBaMM's parameters of the phase.
        at: stoichiometry.
        side: "negative" or "positive".
        options: all options of the model.
        name: "primary" or "secondary".
        soc: "" = at the set's initial temperature and, with hysteresis, at its initial state; "0" or "100" = as at this
            end of PyBaMM's window, at the reference temperature, with hysteresis discharged down or charged up.
    """
    param = phase.main_param
    if not soc:
        return get_initial_ocp(phase, at, param.T_init, None, side, options, name)
    direction = get_equilibrium_direction(soc, side, options, name)
    return phase.U(at, param.T_ref, get_lithiation_delithiation(direction, side, options, name))


def _between(ends: Sequence[float] | Floats) -> Floats:
    first, last = float(ends[0]), float(ends[1])
    return first + STATES_OF_CHARGE * (last - first)


def _evaluate(values: pybamm.ParameterValues, symbol: Any) -> float:
    return float(np.asarray(values.evaluate(symbol)).item())


def _concentration_input(values: pybamm.ParameterValues, side: str, prefix: str, stoichiometry: Floats) -> StateInput:
    maximum = float(values[f"{prefix}Maximum concentration in {side} electrode [mol.m-3]"])
    return StateInput(_concentration_name(side, prefix), stoichiometry, maximum)


def _concentration_name(side: str, prefix: str) -> str:
    return f"{prefix}Initial concentration in {side} electrode [mol.m-3]"


def _initial_voltage_name(side: str) -> str:
    return f"Initial voltage in {side} electrode [V]"


def _prefixes(options: pybamm.BatteryModelOptions, side: str) -> tuple[str, ...]:
    if getattr(options, side)[PHASES] == "2":
        return ("Primary: ", "Secondary: ")
    return ("",)
