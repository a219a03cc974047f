"""A full cell of one phase in each electrode at rest: PyBaMM's window of states of charge, found in a moment.

PyBaMM's own solver builds a model for each set of numbers, which takes as long as to simulate a cell; here the
overridden numbers are inputs of functions that are built once. The equations are PyBaMM's (Mohtat 2019): both ends of
the window at the reference temperature, from the electrodes' capacities, the lithium in them and the cut-offs. Where
these have more than one solution, or none, PyBaMM's own way decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

import casadi
import numpy as np
import pybamm
from scipy.optimize import brentq

from ...data.arrays import Floats
from ...data.convert import celsius_to_kelvin
from ...data.settings import ModelSettings, ParameterSetSettings
from ..parameters.files import LOWER_CUTOFF, UPPER_CUTOFF
from ..parameters.sets import AMBIENT, INITIAL_TEMPERATURE, apply_overrides
from .equilibrium import StateInput, potential_symbol, state_input_names
from .pybamm_models import CIRCUIT, ELECTRODE, HYSTERESIS, OCP, PHASES, complete_set, full_options

GRID: Final = np.linspace(1e-6, 1.0 - 1e-6, 4001)
"""Stoichiometries at which potentials are tabulated, to see where the solution is; it is then found exactly."""

TEMPERATURE: Final = "Temperature at rest [K]"
SIDES: Final = ("negative", "positive")
ROOT_TOLERANCE: Final = 1e-14  # stoichiometry
PYBAMM_ERRORS: Final = (pybamm.OptionError, pybamm.ModelError, pybamm.ShapeError, pybamm.DomainError)


@dataclass(frozen=True, slots=True)
class _Amounts:
    """Capacities in A.h, voltages in V and concentrations in mol.m-3 that a set's numbers make."""

    negative_ah: float
    positive_ah: float
    lithium_ah: float
    at_0_volt: float
    at_100_volt: float
    lower_volt: float
    upper_volt: float
    negative_most: float
    positive_most: float


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """An electrode's potential at ``GRID``, with the names of the inputs that it depends on."""

    symbol: pybamm.Symbol
    inputs: tuple[str, ...]


class _Voltage:
    """The open-circuit voltage over both stoichiometries: exact at one point, and interpolated at many."""

    def __init__(self, values: pybamm.ParameterValues, param: Any, options: Any, names: tuple[str, ...], soc: str):
        phases = (param.n.prim, param.p.prim)
        self._names = names
        self._tables = []
        grid, given = pybamm.Vector(GRID), casadi.MX.sym("inputs", len(names))
        at = {side: casadi.MX.sym(side) for side in SIDES}
        by_name = {name: given[place] for place, name in enumerate(names)}
        exact = []
        for phase, side in zip(phases, SIDES, strict=True):
            symbol = values.process_symbol(potential_symbol(phase, grid, side, options, "primary", soc))
            used = {leaf.name for leaf in symbol.pre_order() if isinstance(leaf, pybamm.InputParameter)}
            self._tables.append(_Table(symbol, tuple(name for name in names if name in used)))
            one = potential_symbol(phase, pybamm.InputParameter(side), side, options, "primary", soc)
            exact.append(values.process_symbol(one).to_casadi(inputs={**by_name, side: at[side]}))
        function = casadi.Function("voltage", [*at.values(), given], [casadi.densify(exact[1] - exact[0])])
        self._point, self._given, self._found = np.zeros(2), np.zeros(len(names)), np.zeros(1)
        made: Any = _expanded(function)
        self._buffer, self._call = made.buffer()
        for place, array in enumerate((self._point[:1], self._point[1:], self._given)):
            self._buffer.set_arg(place, array.data)
        self._buffer.set_res(0, self._found.data)

    def exact(self, numbers: Floats) -> Callable[[float, float], float]:
        """The voltage at two stoichiometries with these inputs; good until it is asked for with others."""
        self._given[:] = numbers

        def voltage(negative: float, positive: float) -> float:
            self._point[:] = negative, positive
            self._call()
            return float(self._found[0])

        return voltage

    def interpolated(self, negative: Floats, positive: Floats, numbers: Floats) -> Floats:
        """The voltage at many stoichiometries, shape of these."""
        by_name = dict(zip(self._names, numbers.tolist(), strict=True))
        low, high = (_tabulated(table, tuple(by_name[name] for name in table.inputs)) for table in self._tables)
        return np.interp(positive, GRID, high) - np.interp(negative, GRID, low)


@lru_cache(maxsize=64)
def _tabulated(table: _Table, numbers: tuple[float, ...]) -> Floats:
    potential = table.symbol.evaluate(inputs=dict(zip(table.inputs, numbers, strict=True)))
    column: Floats = np.broadcast_to(np.asarray(potential, float).ravel(), GRID.shape)
    return column


def _expanded(function: casadi.Function) -> casadi.Function:
    try:
        return function.expand()
    except RuntimeError:  # a table of measured potentials has no such form
        return function


@dataclass(frozen=True, slots=True, eq=False)
class FullCell:
    """A full cell at rest at one temperature; as :class:`kilocell.jobs.models.equilibrium.Equilibrium`, without tables.

    Args:
        inputs: the initial state's parameters, which are inputs of the built model.
        lower_volt, upper_volt: the window's ends.
        capacity_ah: A.h between them, of the set's own cell.
        assumed: what the set does not say, in words; "" = nothing.
        voltage: over both stoichiometries.
        numbers: inputs of ``voltage``.
    """

    inputs: tuple[StateInput, ...]
    lower_volt: float
    upper_volt: float
    capacity_ah: float
    assumed: str
    voltage: _Voltage
    numbers: Floats

    def at(self, soc: Any) -> tuple[Any, Any]:
        """Stoichiometries of the negative and positive electrode at states of charge from 0 to 1."""
        negative, positive = (entry.at_soc[0] + soc * (entry.at_soc[1] - entry.at_soc[0]) for entry in self.inputs)
        return negative, positive

    def voltage_at(self, soc: float) -> float:
        """Open-circuit voltage at a state of charge from 0 to 1."""
        return self.voltage.exact(self.numbers)(*self.at(soc))

    def soc_at(self, voltage_volt: float) -> float:
        """The state of charge at which the open-circuit voltage, from 0 on, first passes a voltage."""
        socs = np.linspace(0.0, 1.0, len(GRID))
        rising = np.maximum.accumulate(self.voltage.interpolated(*self.at(socs), self.numbers))
        exact = self.voltage.exact(self.numbers)
        place = int(np.searchsorted(rising, voltage_volt))

        def above(soc: float) -> float:
            return exact(*self.at(soc)) - voltage_volt

        low, high = float(socs[max(place - 2, 0)]), float(socs[min(place + 1, len(socs) - 1)])
        if above(low) >= 0.0 or above(high) <= 0.0:
            # Beyond an end of the window, which is that of the reference temperature, or within a table's rounding.
            return float(np.interp(voltage_volt, rising, socs))
        return _root(above, low, high)


class _Cell:
    """What is built once for a model, a set and the names of its overrides; their numbers are inputs."""

    def __init__(self, model: ModelSettings, settings: ParameterSetSettings) -> None:
        self._names = (*dict.fromkeys(o.parameter for o in settings.overrides), TEMPERATURE)
        values = apply_overrides(settings, as_inputs=True)
        values[AMBIENT] = values[INITIAL_TEMPERATURE] = pybamm.InputParameter(TEMPERATURE)
        self._assumed = "; ".join(complete_set(values, model))
        options = full_options(model)
        param = pybamm.LithiumIonParameters(options)
        self._limits = tuple(_data_range(values, side) for side in SIDES)
        # Without hysteresis both ends of the window are of one curve, at the reference temperature.
        self._reference, self._voltage = (_Voltage(values, param, options, self._names, soc) for soc in ("0", ""))
        self._state = state_input_names(model)
        most = [pybamm.Parameter(f"Maximum concentration in {side} electrode [mol.m-3]") for side in SIDES]
        cutoffs = [pybamm.Parameter(name) for name in (LOWER_CUTOFF, UPPER_CUTOFF)]
        amounts: tuple[Any, ...] = (
            param.n.Q_init,
            param.p.Q_init,
            param.Q_Li_particles_init,
            param.ocp_soc_0,
            param.ocp_soc_100,
        )
        given = casadi.MX.sym("inputs", len(self._names))
        by_name = {name: given[place] for place, name in enumerate(self._names)}
        symbols = [values.process_symbol(symbol).to_casadi(inputs=by_name) for symbol in (*amounts, *cutoffs, *most)]
        self._amounts = _expanded(casadi.Function("amounts", [given], [casadi.vertcat(*symbols)]))

    def at_rest(self, settings: ParameterSetSettings, at_celsius: float) -> FullCell | None:
        """The cell with these overrides; ``None`` where PyBaMM's own way must decide."""
        by_name = {o.parameter: o.value for o in settings.overrides} | {
            TEMPERATURE: float(celsius_to_kelvin(at_celsius))
        }
        numbers = np.array([by_name[name] for name in self._names])
        found = _Amounts(*np.asarray(self._amounts(numbers), float).ravel().tolist())
        ends = self._window(found, numbers)
        if ends is None:
            return None
        negative, positive = ends, (found.lithium_ah - ends * found.negative_ah) / found.positive_ah
        inputs = (
            StateInput(self._state[0], negative, found.negative_most),
            StateInput(self._state[1], positive, found.positive_most),
        )
        capacity = found.negative_ah * float(negative[1] - negative[0])
        edges = found.lower_volt, found.upper_volt
        return FullCell(inputs, *edges, capacity, self._assumed, self._voltage, numbers)

    def _window(self, found: _Amounts, numbers: Floats) -> Floats | None:
        """The negative electrode's stoichiometries at states of charge 0 and 1; ``None`` = none, or not only one."""
        span = self._span(found)
        if span is None:
            return None

        def positive(negative: Any) -> Any:
            return (found.lithium_ah - negative * found.negative_ah) / found.positive_ah

        many = np.linspace(*span, len(GRID))
        voltages, exact = self._reference.interpolated(many, positive(many), numbers), self._reference.exact(numbers)
        ends = []
        for target in (found.at_0_volt, found.at_100_volt):
            crossings = np.flatnonzero(np.diff(voltages > target))
            if len(crossings) != 1:
                return None
            near = many[[max(crossings[0] - 1, 0), min(crossings[0] + 2, len(many) - 1)]]

            def away(of: float, target: float = target) -> float:
                return exact(of, positive(of)) - target

            if not away(near[0]) < 0.0 < away(near[1]):
                return None
            ends.append(_root(away, *near.tolist()))
        return np.array(ends)

    def _span(self, found: _Amounts) -> tuple[float, float] | None:
        """The least and largest stoichiometry of the negative electrode that leave the positive one's in its range."""
        (low, high), (least, most) = self._limits
        if not (found.negative_ah > 0.0 and found.positive_ah > 0.0):
            return None
        low = max(low, (found.lithium_ah - most * found.positive_ah) / found.negative_ah)
        high = min(high, (found.lithium_ah - least * found.positive_ah) / found.negative_ah)
        return (low, high) if low < high else None


def _root(away: Callable[[float], float], low: float, high: float) -> float:
    found: Any = brentq(away, low, high, xtol=ROOT_TOLERANCE)
    return float(found)


def _data_range(values: pybamm.ParameterValues, side: str) -> tuple[float, float]:
    """The stoichiometries that PyBaMM takes for possible: those of the data where a potential is given as such."""
    potential = values[f"{side.capitalize()} electrode OCP [V]"]
    if not isinstance(potential, tuple):
        return 1e-6, 1.0 - 1e-6
    known = potential[1][0]
    return max(float(np.min(known)), 0.0) + 1e-6, min(float(np.max(known)), 1.0) - 1e-6


@lru_cache(maxsize=64)
def full_cell(model: ModelSettings, settings: ParameterSetSettings, at_celsius: float) -> FullCell | None:
    """A full cell at rest; ``None`` where the model or the set is another, or PyBaMM's own way must decide.

    Args:
        model: as :func:`kilocell.jobs.models.pybamm_models.state_model` gives it.

    Raises:
        JobError: an override names a parameter that the set does not have (``unknown_parameter``).
    """
    if model.type == CIRCUIT or len({o.parameter for o in settings.overrides}) < len(settings.overrides):
        return None
    cell = _cell(model, replace(settings, name="", overrides=tuple(replace(o, value=1.0) for o in settings.overrides)))
    return cell.at_rest(settings, at_celsius) if cell else None


@lru_cache(maxsize=64)
def _cell(model: ModelSettings, settings: ParameterSetSettings) -> _Cell | None:
    """What serves all numbers of these overrides; ``None`` where the model is another or inputs cannot make it."""
    try:
        return _Cell(model, settings) if _has_one_phase(full_options(model)) else None
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, NotImplementedError, *PYBAMM_ERRORS):
        return None


def _has_one_phase(options: pybamm.BatteryModelOptions) -> bool:
    """Tell whether both electrodes have one phase with a potential that follows its stoichiometry alone."""
    if options[ELECTRODE] == "positive" or options[OCP] == "MSMR":
        return False
    sides = [getattr(options, side) for side in SIDES]
    return not any(side[PHASES] == "2" or side[OCP] in HYSTERESIS for side in sides)
