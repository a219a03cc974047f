"""Load parameter sets, PyBaMM's by name and those of files by their content, and apply overrides to them."""

from __future__ import annotations

import functools
import re
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

import pybamm

from ...data.defined_sets import defined_content
from ...data.errors import JobError
from ...data.fit_settings import CELL_CAPACITY, CELL_PARAMETERS, INITIAL_SOC, LITHIUM_INVENTORY
from ...data.names import quote, suggest
from ...data.settings import (
    GIVEN_PER_CELL,
    CellSettings,
    InitialState,
    Override,
    ParameterSetSettings,
    SimulateSettings,
)
from .files import LOWER_CUTOFF, UPPER_CUTOFF, make_values

PARALLEL: Final = "Number of electrodes connected in parallel to make a cell"
AMBIENT: Final = "Ambient temperature [K]"
INITIAL_TEMPERATURE: Final = "Initial temperature [K]"
CAPACITY: Final = "Nominal cell capacity [A.h]"
CURRENT_FUNCTION: Final = "Current function [A]"
INITIAL_LITHIUM: Final = re.compile(r"Initial concentration in (negative|positive) electrode")
EQUILIBRIUM_WORDS: Final = (
    "OCP",
    "active material",
    "oncentration in",
    "thickness",
    "Electrode height",
    "Electrode width",
    "stoichiometry",
    "Open-circuit",
    "Cell capacity",
    "host site",
    "hysteresis state",
    LITHIUM_INVENTORY,
)
"""Words in the names of parameters that change the state at a given rest voltage."""


@lru_cache(maxsize=32)
def load_base_set(key: str) -> pybamm.ParameterValues:
    """Load a parameter set; do not change it, since all callers share it.

    Args:
        key: a name that PyBaMM knows, or the key of a set given to :func:`kilocell.data.defined_sets.define_set`.

    Raises:
        JobError: ``bad_parameter_set``: PyBaMM cannot make a set from the file.
    """
    content = defined_content(key)
    if content is not None:
        return make_values(content)[0]
    return pybamm.ParameterValues(key)


def parameter_names(key: str) -> frozenset[str]:
    """Return the names of all parameters of a set."""
    return frozenset(load_base_set(key).keys())


def is_function(key: str, parameter: str) -> bool:
    """Tell whether the set gives this parameter as a function (of stoichiometry, temperature, ...)."""
    return callable(load_base_set(key)[parameter])


def scale_parameter(factor: Any, value: Any) -> Any:
    """Multiply a parameter by a factor.

    Args:
        factor: a number or a PyBaMM symbol, such as an input.
        value: a number, or a function; a function is wrapped, and the wrapper scales what it returns.
    """
    if not callable(value):
        return factor * value

    @functools.wraps(value)
    def product(*arguments: Any, **keywords: Any) -> Any:  # PyBaMM passes keywords when it writes a set as JSON
        return factor * value(*arguments, **keywords)

    return product


def affects_equilibrium(parameter: str) -> bool:
    """Tell whether a parameter changes the state of the cell at a given rest voltage."""
    return any(word in parameter for word in EQUILIBRIUM_WORDS)


def apply_overrides(settings: ParameterSetSettings, *, as_inputs: bool = False) -> pybamm.ParameterValues:
    """Return a copy of the base set with the overrides applied, except those of the cell (state, capacity).

    Args:
        settings: the base set and its overrides.
        as_inputs: put a PyBaMM input with the parameter's name in place of each number.

    Raises:
        JobError: ``unknown_parameter``: the set has no parameter of an override's name.
    """
    values = load_base_set(settings.key).copy()
    for override in settings.overrides:
        number = pybamm.InputParameter(override.parameter) if as_inputs else override.value
        if override.parameter == LITHIUM_INVENTORY:
            concentrations = [name for name in values.keys() if INITIAL_LITHIUM.search(name)]  # noqa: SIM118 - no dict
            for name in concentrations:
                values[name] = number * values[name]
        elif override.parameter not in CELL_PARAMETERS:
            values[override.parameter] = override_value(settings.key, override, number)
    return values


def override_value(key: str, override: Override, number: Any = None) -> Any:
    """Return the value that an override gives to its parameter: a number, a symbol or a function.

    Args:
        key: the parameter set's key.
        override: its ``kind`` says whether the number replaces the set's value or scales it.
        number: used instead of ``override.value``, such as an input.

    Raises:
        JobError: ``unknown_parameter``: the set has no such parameter, or the cell's settings give it.
    """
    parameter = override.parameter
    set_name = key.partition("@")[0]
    if parameter in GIVEN_PER_CELL:
        source = GIVEN_PER_CELL[parameter]
        reason = f"{parameter!r} cannot be overridden: {source} gives it; remove it from the overrides"
        raise JobError(reason, "unknown_parameter")
    names = parameter_names(key)
    if parameter not in names:
        hint = suggest(parameter, names)
        raise JobError(f"parameter set {set_name} has no parameter {quote(parameter)}{hint}", "unknown_parameter")
    if number is None:
        number = override.value
    if override.kind == "value":
        return number
    return scale_parameter(number, load_base_set(key)[parameter])


def apply_cell_parameters(settings: SimulateSettings) -> SimulateSettings:
    """Move the initial state of charge and the cell capacity of a fitted set from its overrides to the cell."""
    overrides = settings.parameter_set.overrides
    cell_values = {o.parameter: o.value for o in overrides if o.parameter in (INITIAL_SOC, CELL_CAPACITY)}
    if not cell_values:
        return settings
    cell = settings.cell
    if INITIAL_SOC in cell_values:
        cell = replace(cell, initial_state=InitialState("soc", cell_values[INITIAL_SOC]))
    if CELL_CAPACITY in cell_values:
        cell = replace(cell, nominal_capacity_ah=cell_values[CELL_CAPACITY])
    remaining = tuple(o for o in overrides if o.parameter not in cell_values)
    return replace(settings, cell=cell, parameter_set=replace(settings.parameter_set, overrides=remaining))


def remove_initial_soc(settings: SimulateSettings) -> SimulateSettings:
    """Remove the initial state of charge of a fitted set, which holds at one moment of the cell's life only."""
    parameter_set = settings.parameter_set
    remaining = tuple(o for o in parameter_set.overrides if o.parameter != INITIAL_SOC)
    if remaining == parameter_set.overrides:
        return settings
    return replace(settings, parameter_set=replace(parameter_set, overrides=remaining))


def nominal_capacity_ah(settings: ParameterSetSettings) -> float:
    """Return the nominal capacity, in A.h, of the cell that the set describes."""
    return float(load_base_set(settings.key)[CAPACITY])


def own_electrodes_in_parallel(settings: ParameterSetSettings) -> float:
    """Return the number of electrode pairs in the cell that the set describes; 1 for an equivalent circuit."""
    return float(load_base_set(settings.key).get(PARALLEL, 1.0))


def electrodes_in_parallel(cell: CellSettings, settings: ParameterSetSettings) -> float:
    """Return the number of the set's electrode pairs that gives this cell its capacity, at the same current density.

    The number need not be whole. Half-cells are scaled by the set's nominal capacity in the same way. For an
    equivalent circuit it is the number of circuits in parallel.

    Args:
        cell: its nominal capacity in A.h; ``None`` = the set's own number of electrode pairs.
        settings: the parameter set.
    """
    own_pairs = own_electrodes_in_parallel(settings)
    if cell.nominal_capacity_ah is None:
        return own_pairs
    return own_pairs * cell.nominal_capacity_ah / nominal_capacity_ah(settings)


def cutoffs_volt(settings: ParameterSetSettings) -> tuple[float, float] | None:
    """Return the lower and upper voltage cut-off of a set in V, overrides applied; ``None`` = it lacks one of them.

    Raises:
        JobError: ``unknown_parameter``: the set has no parameter of an override's name.
    """
    overridden = {
        o.parameter: override_value(settings.key, o) for o in settings.overrides if o.parameter not in CELL_PARAMETERS
    }
    values = load_base_set(settings.key)
    cutoffs = []
    for name in (LOWER_CUTOFF, UPPER_CUTOFF):
        if name in overridden:
            cutoffs.append(overridden[name])
        elif name in values:
            cutoffs.append(values[name])
        else:
            return None
    lower, upper = cutoffs
    return float(lower), float(upper)
