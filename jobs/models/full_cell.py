"""Find PyBaMM's window of states of charge for a full cell with one phase in each electrode, fast and exactly.

PyBaMM's own solver builds a model for each set of values, which takes as long as simulating a cell. Here the overridden
values are inputs of functions that are built once. The equations are PyBaMM's (Mohtat 2019): both ends of the window at
the reference temperature, from the capacities of the electrodes, their lithium and the cut-offs. If these have several
solutions, or none, PyBaMM's own way decides.
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
from .equilibrium import EDGE, StateInput, potential_symbol, state_input_names
from .pybamm_models import CIRCUIT, ELECTRODE, HYSTERESIS, OCP, PHASES, SIDES, complete_set, full_options
from .tables import extend_tables

GRID: Final = np.linspace(EDGE, 1.0 - EDGE, 4001)
"""Stoichiometries at which potentials are tabulated. The table brackets the solution, which is then found exactly."""

EXTENSION: Final = 0.1
"""States of charge beyond 0 and 1 that are looked at; with ``EXTENSION_POINTS`` points on each side."""

EXTENSION_LEAST: Final = 1e-5  # distance of the first of these from the window
EXTENSION_POINTS: Final = 80
MOST_STEP_VOLT: Final = 0.3
"""Largest change of the open-circuit voltage between two of these: a larger one is the end of a table of potentials,
beyond which CasADi evaluates to 0."""

TEMPERATURE: Final = "Temperature at rest [K]"
ROOT_TOLERANCE: Final = 1e-14  # stoichiometry
PYBAMM_ERRORS: Final = (pybamm.OptionError, pybamm.ModelError, pybamm.ShapeError, pybamm.DomainError)


@dataclass(frozen=True, slots=True)
class _Amounts:
    """Quantities that follow from a set's values.

    Args:
        negative_ah, positive_ah: capacities of the electrodes, A.h.
        lithium_ah: lithium in both electrodes, A.h.
        at_0_volt, at_100_volt: open-circuit voltages at states of charge 0 and 1, V.
        lower_volt, upper_volt: cut-offs, V.
        negative_maximum, positive_maximum: maximum concentrations, mol.m-3.
    """

    negative_ah: float
    positive_ah: float
    lithium_ah: float
    at_0_volt: float
    at_100_volt: float
    lower_volt: float
    upper_volt: float
    negative_maximum: float
    positive_maximum: float

    def positive_stoichiometry(self, negative: Any) -> Any:
        """Return the positive electrode's stoichiometry at stoichiometries of the negative one."""
        return (self.lithium_ah - negative * self.negative_ah) / self.positive_ah


@dataclass(frozen=True, slots=True, eq=False)
class _PotentialTable:
    """An electrode's potential in V at ``GRID``, as a symbol, with the names of the inputs that it depends on."""

    symbol: pybamm.Symbol
    inputs: tuple[str, ...]


class _OpenCircuitVoltage:
    """The open-circuit voltage over both stoichiometries: exact at one point, interpolated at many.

    Args:
        values: the set, with inputs in place of the overridden values.
        param: PyBaMM's parameters of the model.
        options: all options of the model.
        names: of the inputs.
        soc: as of :func:`kilocell.jobs.models.equilibrium.potential_symbol`.
    """

    def __init__(
        self, values: pybamm.ParameterValues, param: Any, options: Any, names: tuple[str, ...], soc: str
    ) -> None:
        self._names = names
        self._tables = []
        grid = pybamm.Vector(GRID)
        inputs = casadi.MX.sym("inputs", len(names))
        stoichiometry = {side: casadi.MX.sym(side) for side in SIDES}
        input_by_name = {name: inputs[place] for place, name in enumerate(names)}
        potentials = []
        for phase, side in zip((param.n.prim, param.p.prim), SIDES, strict=True):
            tabulated = values.process_symbol(potential_symbol(phase, grid, side, options, "primary", soc))
            used = {leaf.name for leaf in tabulated.pre_order() if isinstance(leaf, pybamm.InputParameter)}
            self._tables.append(_PotentialTable(tabulated, tuple(name for name in names if name in used)))
            single = potential_symbol(phase, pybamm.InputParameter(side), side, options, "primary", soc)
            symbol = values.process_symbol(single)
            potentials.append(symbol.to_casadi(inputs={**input_by_name, side: stoichiometry[side]}))
        negative, positive = potentials
        function = casadi.Function("voltage", [*stoichiometry.values(), inputs], [casadi.densify(positive - negative)])
        self._bind(_expand(function))

    def _bind(self, function: Any) -> None:
        """Bind a CasADi function to arrays of its arguments and its result, which makes a call much faster."""
        self._point = np.zeros(2)
        self._inputs = np.zeros(len(self._names))
        self._voltage = np.zeros(1)
        self._buffer, self._call = function.buffer()
        for place, array in enumerate((self._point[:1], self._point[1:], self._inputs)):
            self._buffer.set_arg(place, array.data)
        self._buffer.set_res(0, self._voltage.data)

    def exact(self, numbers: Floats) -> Callable[[float, float], float]:
        """Return a function of both stoichiometries that gives the voltage in V.

        Args:
            numbers: values of the inputs. The function is valid until the next call of this method.
        """
        self._inputs[:] = numbers

        def voltage(negative: float, positive: float) -> float:
            self._point[0] = negative
            self._point[1] = positive
            self._call()
            return float(self._voltage[0])

        return voltage

    def interpolated(self, negative: Floats, positive: Floats, numbers: Floats) -> Floats:
        """Return the voltage in V at stoichiometries of both electrodes, shape of these.

        Args:
            negative, positive: stoichiometries.
            numbers: values of the inputs.
        """
        number_by_name = dict(zip(self._names, numbers.tolist(), strict=True))
        negative_volt, positive_volt = (
            _tabulate(table, tuple(number_by_name[name] for name in table.inputs)) for table in self._tables
        )
        return np.interp(positive, GRID, positive_volt) - np.interp(negative, GRID, negative_volt)


@lru_cache(maxsize=64)
def _tabulate(table: _PotentialTable, numbers: tuple[float, ...]) -> Floats:
    """Return an electrode's potential in V at ``GRID`` with these values of its inputs."""
    potential = table.symbol.evaluate(inputs=dict(zip(table.inputs, numbers, strict=True)))
    column: Floats = np.broadcast_to(np.asarray(potential, float).ravel(), GRID.shape)
    return column


def _expand(function: casadi.Function) -> casadi.Function:
    """Expand a CasADi function to scalar operations if possible; a table of measured potentials has no such form."""
    try:
        return function.expand()
    except RuntimeError:
        return function


@dataclass(frozen=True, slots=True, eq=False)
class FullCell:
    """A full cell at rest at one temperature: a :class:`kilocell.jobs.models.equilibrium.Equilibrium` without tables.

    Args:
        inputs: the parameters of the initial state, which are inputs of the built model.
        lower_volt, upper_volt: voltages at the ends of the window, V.
        capacity_ah: charge between the ends, of the cell that the set describes, A.h.
        assumed: what was assumed because the set does not give it, in words; "" = nothing.
        voltage: open-circuit voltage over both stoichiometries.
        numbers: values of the inputs of ``voltage``.
        possible_soc: smallest and largest state of charge at which the open-circuit voltage is known and rises. The
            window is for the reference temperature, so that a full or empty cell at another one is outside of it.
    """

    inputs: tuple[StateInput, ...]
    lower_volt: float
    upper_volt: float
    capacity_ah: float
    assumed: str
    voltage: _OpenCircuitVoltage
    numbers: Floats
    possible_soc: tuple[float, float] = (0.0, 1.0)

    @property
    def possible_volt(self) -> tuple[float, float]:
        """Open-circuit voltages at the ends of ``possible_soc``, at the cell's temperature, V."""
        low, high = self.possible_soc
        return self.voltage_at(low), self.voltage_at(high)

    def extended(self, limits: tuple[tuple[float, float], ...]) -> FullCell:
        """Return the cell with the states of charge outside of its window that it may have.

        Args:
            limits: smallest and largest stoichiometry of the negative and the positive electrode.
        """
        low, high = -EXTENSION, 1.0 + EXTENSION
        for entry, (least, most) in zip(self.inputs, limits, strict=True):
            first, last = float(entry.at_soc[0]), float(entry.at_soc[1])
            ends = sorted((edge - first) / (last - first) for edge in (least, most))
            low, high = max(low, ends[0]), min(high, ends[1])
        inside = np.geomspace(EXTENSION_LEAST, EXTENSION, EXTENSION_POINTS)  # the voltage is steep at an empty end
        below = _rising_part(self, -inside[inside <= max(-low, 0.0)], -1.0)
        above = _rising_part(self, 1.0 + inside[inside <= max(high - 1.0, 0.0)], 1.0)
        return replace(self, possible_soc=(min(below, 0.0), max(above, 1.0)))

    def at(self, soc: Any) -> tuple[Any, Any]:
        """Return the stoichiometries of the negative and the positive electrode at states of charge from 0 to 1."""
        negative, positive = (entry.at_soc[0] + soc * (entry.at_soc[1] - entry.at_soc[0]) for entry in self.inputs)
        return negative, positive

    def voltage_at(self, soc: float) -> float:
        """Return the open-circuit voltage in V at a state of charge from 0 to 1."""
        return self.voltage.exact(self.numbers)(*self.at(soc))

    def voltages_at(self, soc: Floats) -> Floats:
        """Return the open-circuit voltages in V at states of charge from 0 to 1, shape of these."""
        exact = self.voltage.exact(self.numbers)
        negative, positive = self.at(soc)
        return np.array([exact(*both) for both in zip(negative.tolist(), positive.tolist(), strict=True)])

    def soc_at(self, voltage_volt: float) -> float:
        """Return the smallest state of charge at which the open-circuit voltage reaches a voltage in V."""
        socs = np.linspace(*self.possible_soc, len(GRID))
        rising = np.maximum.accumulate(self.voltage.interpolated(*self.at(socs), self.numbers))
        exact = self.voltage.exact(self.numbers)
        place = int(np.searchsorted(rising, voltage_volt))

        def difference(soc: float) -> float:
            return exact(*self.at(soc)) - voltage_volt

        low = float(socs[max(place - 2, 0)])
        high = float(socs[min(place + 1, len(socs) - 1)])
        if difference(low) >= 0.0 or difference(high) <= 0.0:
            # The table is coarse where the voltage is steep, as at an empty end.
            low, high = self.possible_soc
        if difference(low) >= 0.0 or difference(high) <= 0.0:
            # At an end of the possible states.
            return float(np.interp(voltage_volt, rising, socs))
        return _find_root(difference, low, high)


def _rising_part(cell: FullCell, socs: Floats, direction: float) -> float:
    """Return the last of some states of charge up to which the open-circuit voltage keeps its direction.

    Args:
        socs: from an end of the window outwards; a potential may turn back beyond the data that it was fitted to.
        direction: 1.0 = the voltage must rise, -1.0 = it must fall.
    """
    edge = 0.0 if direction < 0.0 else 1.0
    path = np.concatenate([[edge], socs])
    exact = cell.voltage.exact(cell.numbers)
    voltage = np.array([exact(*cell.at(soc)) for soc in path.tolist()])
    steps = direction * np.diff(voltage)
    good = np.isfinite(steps) & (steps > 0.0) & (steps < MOST_STEP_VOLT)
    count = len(steps) if good.all() else int(np.argmin(good))
    return float(path[count])


class _Cell:
    """Functions that are built once for a model, a set and the names of its overrides; the values are inputs.

    Args:
        model: as :func:`kilocell.jobs.models.pybamm_models.state_model` returns it.
        settings: the set; only the names and kinds of its overrides matter.
    """

    def __init__(self, model: ModelSettings, settings: ParameterSetSettings) -> None:
        self._names = (*dict.fromkeys(o.parameter for o in settings.overrides), TEMPERATURE)
        values = apply_overrides(settings, as_inputs=True)
        values[AMBIENT] = values[INITIAL_TEMPERATURE] = pybamm.InputParameter(TEMPERATURE)
        self._assumed = "; ".join(complete_set(values, model))
        extend_tables(values)
        options = full_options(model)
        param = pybamm.LithiumIonParameters(options)
        self._limits = tuple(_data_range(values, side) for side in SIDES)
        # Without hysteresis both ends of the window are on one curve, at the reference temperature.
        self._reference = _OpenCircuitVoltage(values, param, options, self._names, "0")
        self._voltage = _OpenCircuitVoltage(values, param, options, self._names, "")
        self._state_names = state_input_names(model)
        self._amounts = self._build_amounts(values, param)

    def _build_amounts(self, values: pybamm.ParameterValues, param: Any) -> casadi.Function:
        """Build the function from inputs to the fields of :class:`_Amounts`, in their order."""
        symbols: tuple[Any, ...] = (
            param.n.Q_init,
            param.p.Q_init,
            param.Q_Li_particles_init,
            param.ocp_soc_0,
            param.ocp_soc_100,
            pybamm.Parameter(LOWER_CUTOFF),
            pybamm.Parameter(UPPER_CUTOFF),
            *(pybamm.Parameter(f"Maximum concentration in {side} electrode [mol.m-3]") for side in SIDES),
        )
        inputs = casadi.MX.sym("inputs", len(self._names))
        input_by_name = {name: inputs[place] for place, name in enumerate(self._names)}
        processed = [values.process_symbol(symbol).to_casadi(inputs=input_by_name) for symbol in symbols]
        return _expand(casadi.Function("amounts", [inputs], [casadi.vertcat(*processed)]))

    def at_rest(self, settings: ParameterSetSettings, at_celsius: float) -> FullCell | None:
        """Return the cell with the values of these overrides; ``None`` = PyBaMM's own way must decide.

        Args:
            settings: the set with the values of its overrides.
            at_celsius: temperature in °C.
        """
        number_by_name = {o.parameter: o.value for o in settings.overrides}
        number_by_name[TEMPERATURE] = float(celsius_to_kelvin(at_celsius))
        numbers = np.array([number_by_name[name] for name in self._names])
        amounts = _Amounts(*np.asarray(self._amounts(numbers), float).ravel().tolist())
        negative = self._find_window(amounts, numbers)
        if negative is None:
            return None
        positive = amounts.positive_stoichiometry(negative)
        inputs = (
            StateInput(self._state_names[0], negative, amounts.negative_maximum),
            StateInput(self._state_names[1], positive, amounts.positive_maximum),
        )
        capacity = amounts.negative_ah * float(negative[1] - negative[0])
        cell = FullCell(inputs, amounts.lower_volt, amounts.upper_volt, capacity, self._assumed, self._voltage, numbers)
        return cell.extended(self._limits)

    def _find_window(self, amounts: _Amounts, numbers: Floats) -> Floats | None:
        """Return the negative electrode's stoichiometries at states of charge 0 and 1; ``None`` = not exactly one."""
        span = self._possible_span(amounts)
        if span is None:
            return None
        grid = np.linspace(*span, len(GRID))
        voltages = self._reference.interpolated(grid, amounts.positive_stoichiometry(grid), numbers)
        exact = self._reference.exact(numbers)
        ends = []
        for target in (amounts.at_0_volt, amounts.at_100_volt):
            crossings = np.flatnonzero(np.diff(voltages > target))
            if len(crossings) != 1:
                return None
            low = float(grid[max(crossings[0] - 1, 0)])
            high = float(grid[min(crossings[0] + 2, len(grid) - 1)])

            def difference(negative: float, target: float = target) -> float:
                return exact(negative, amounts.positive_stoichiometry(negative)) - target

            if not difference(low) < 0.0 < difference(high):
                return None
            ends.append(_find_root(difference, low, high))
        return np.array(ends)

    def _possible_span(self, amounts: _Amounts) -> tuple[float, float] | None:
        """Return the range of the negative stoichiometry in which both electrodes are in their range."""
        (low, high), (positive_low, positive_high) = self._limits
        if not (amounts.negative_ah > 0.0 and amounts.positive_ah > 0.0):
            return None
        low = max(low, (amounts.lithium_ah - positive_high * amounts.positive_ah) / amounts.negative_ah)
        high = min(high, (amounts.lithium_ah - positive_low * amounts.positive_ah) / amounts.negative_ah)
        return (low, high) if low < high else None


def _find_root(function: Callable[[float], float], low: float, high: float) -> float:
    root: Any = brentq(function, low, high, xtol=ROOT_TOLERANCE)
    return float(root)


def _data_range(values: pybamm.ParameterValues, side: str) -> tuple[float, float]:
    """Return the range of stoichiometries that PyBaMM considers: 0 to 1, or that of a table of potentials."""
    potential = values[f"{side.capitalize()} electrode OCP [V]"]
    if not isinstance(potential, tuple):
        return EDGE, 1.0 - EDGE
    known = potential[1][0]
    return max(float(np.min(known)), 0.0) + EDGE, min(float(np.max(known)), 1.0) - EDGE


@lru_cache(maxsize=64)
def full_cell(model: ModelSettings, settings: ParameterSetSettings, at_celsius: float) -> FullCell | None:
    """Return a full cell at rest; ``None`` = another kind of model or set, or PyBaMM's own way must decide.

    Args:
        model: as :func:`kilocell.jobs.models.pybamm_models.state_model` returns it.
        settings: the base set and its overrides.
        at_celsius: temperature in °C.

    Raises:
        JobError: an override names a parameter that the set does not have (``unknown_parameter``).
    """
    if model.type == CIRCUIT or len({o.parameter for o in settings.overrides}) < len(settings.overrides):
        return None
    names_only = tuple(replace(override, value=1.0) for override in settings.overrides)
    cell = _build_cell(model, replace(settings, name="", overrides=names_only))
    if cell is None:
        return None
    return cell.at_rest(settings, at_celsius)


@lru_cache(maxsize=64)
def _build_cell(model: ModelSettings, settings: ParameterSetSettings) -> _Cell | None:
    """Build the functions for all values of these overrides; ``None`` = another kind of model, or it fails."""
    try:
        if _has_simple_electrodes(full_options(model)):
            return _Cell(model, settings)
        return None
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, NotImplementedError, *PYBAMM_ERRORS):
        return None


def _has_simple_electrodes(options: pybamm.BatteryModelOptions) -> bool:
    """Tell whether both electrodes have one phase and a potential that depends on its stoichiometry only."""
    if options[ELECTRODE] == "positive" or options[OCP] == "MSMR":
        return False
    electrodes = [getattr(options, side) for side in SIDES]
    return not any(electrode[PHASES] == "2" or electrode[OCP] in HYSTERESIS for electrode in electrodes)
