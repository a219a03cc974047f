"""Parameter sets: PyBaMM's own by name, those of files by name and content, with overrides on top."""

from __future__ import annotations

import functools
import re
from dataclasses import replace
from functools import lru_cache
from typing import Any

import pybamm

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
from .files import make_values

PARALLEL = "Number of electrodes connected in parallel to make a cell"
AMBIENT = "Ambient temperature [K]"
INITIAL_TEMPERATURE = "Initial temperature [K]"
CAPACITY = "Nominal cell capacity [A.h]"
LOWER_CUTOFF = "Lower voltage cut-off [V]"
UPPER_CUTOFF = "Upper voltage cut-off [V]"
CURRENT_FUNCTION = "Current function [A]"
INITIAL_LITHIUM = re.compile(r"Initial concentration in (negative|positive) electrode")
_DEFINED: dict[str, bytes] = {}  # content of files by key, in this process


def define_set(key: str, content: bytes) -> None:
    """Make a file's parameter set known in this process under ``ParameterSetSettings.key``, which names its content."""
    _DEFINED[key] = content


@lru_cache(maxsize=32)
def load_base_set(key: str) -> pybamm.ParameterValues:
    """Load a parameter set, PyBaMM's by name or one that was defined; treat it as read-only, it is shared.

    Raises:
        JobError: ``bad_parameter_set``: its file does not make one.
    """
    return make_values(_DEFINED[key])[0] if key in _DEFINED else pybamm.ParameterValues(key)


def parameter_names(key: str) -> frozenset[str]:
    """Every parameter name of a set."""
    return frozenset(load_base_set(key).keys())


def is_function(key: str, parameter: str) -> bool:
    """Tell whether the set gives this parameter as a function (of stoichiometry, temperature, ...)."""
    return callable(load_base_set(key)[parameter])


def scale_parameter(factor: Any, value: Any) -> Any:
    """Multiply a parameter by a factor, function or number."""
    if not callable(value):
        return factor * value

    @functools.wraps(value)
    def product(*arguments: Any, **named: Any) -> Any:  # by name: when a set is written as JSON
        return factor * value(*arguments, **named)

    return product


def affects_equilibrium(parameter: str) -> bool:
    """Tell whether a parameter moves the state that belongs to a rest voltage."""
    return any(
        word in parameter
        for word in (
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
    )


def apply_overrides(settings: ParameterSetSettings, *, as_inputs: bool = False) -> pybamm.ParameterValues:
    """Return a copy of the base set with the overrides applied as numbers, but for those of the cell itself.

    Args:
        as_inputs: apply inputs of their names in place of the numbers.

    Raises:
        JobError: an override names a parameter that the set does not have (``unknown_parameter``).
    """
    values = load_base_set(settings.key).copy()
    for override in settings.overrides:
        number = pybamm.InputParameter(override.parameter) if as_inputs else override.value
        if override.parameter == LITHIUM_INVENTORY:
            for name in [name for name in values.keys() if INITIAL_LITHIUM.search(name)]:  # noqa: SIM118 - PyBaMM's
                values[name] = number * values[name]
        elif override.parameter not in CELL_PARAMETERS:
            values[override.parameter] = override_value(settings.key, override, number)
    return values


def override_value(key: str, override: Override, number: Any = None) -> Any:
    """The value that an override gives its parameter; ``number`` stands in for the override's own number."""
    if override.parameter in GIVEN_PER_CELL:
        source = GIVEN_PER_CELL[override.parameter]
        raise JobError(f"{override.parameter!r} cannot be overridden: {source} gives it", "unknown_parameter")
    given = override.value if number is None else number
    names = parameter_names(key)
    if override.parameter not in names:
        name = key.partition("@")[0]
        suggestion = suggest(override.parameter, names)
        raise JobError(
            f"parameter set {name} has no parameter {quote(override.parameter)}{suggestion}", "unknown_parameter"
        )
    if override.kind == "value":
        return given
    return scale_parameter(given, load_base_set(key)[override.parameter])


def apply_cell_parameters(settings: SimulateSettings) -> SimulateSettings:
    """Take what a fitted set says of the cell itself, its initial state and capacity, over into the cell."""
    own = {
        o.parameter: o.value for o in settings.parameter_set.overrides if o.parameter in (INITIAL_SOC, CELL_CAPACITY)
    }
    if not own:
        return settings
    cell, parameter_set = settings.cell, settings.parameter_set
    if INITIAL_SOC in own:
        cell = replace(cell, initial_state=InitialState("soc", own[INITIAL_SOC]))
    if CELL_CAPACITY in own:
        cell = replace(cell, nominal_capacity_ah=own[CELL_CAPACITY])
    kept = tuple(o for o in parameter_set.overrides if o.parameter not in own)
    return replace(settings, cell=cell, parameter_set=replace(parameter_set, overrides=kept))


def remove_initial_soc(settings: SimulateSettings) -> SimulateSettings:
    """The settings without a fitted set's initial state of charge, which is that of one moment in the cell's life."""
    own = settings.parameter_set
    kept = tuple(o for o in own.overrides if o.parameter != INITIAL_SOC)
    return settings if kept == own.overrides else replace(settings, parameter_set=replace(own, overrides=kept))


def nominal_capacity_ah(settings: ParameterSetSettings) -> float:
    """The capacity of the set's own cell in A.h."""
    return float(load_base_set(settings.key)[CAPACITY])


def own_electrodes_in_parallel(settings: ParameterSetSettings) -> float:
    """How many electrode pairs make the set's own cell; 1 for a circuit, which has none."""
    return float(load_base_set(settings.key).get(PARALLEL, 1.0))


def electrodes_in_parallel(cell: CellSettings, settings: ParameterSetSettings) -> float:
    """How many of the set's electrode pairs make this cell: the factor that scales capacity and keeps current density.

    It scales half-cells by the set's nominal capacity too, and stands for so many circuits side by side (Thevenin).

    Returns:
        The set's own number where no capacity is given for the cell.
    """
    own = own_electrodes_in_parallel(settings)
    if cell.nominal_capacity_ah is None:
        return own
    return own * cell.nominal_capacity_ah / nominal_capacity_ah(settings)


def cutoffs_volt(settings: ParameterSetSettings) -> tuple[float, float] | None:
    """The set's lower and upper voltage cut-off, which say what it is meant for; ``None`` where it has none."""
    changed = {
        o.parameter: override_value(settings.key, o) for o in settings.overrides if o.parameter not in CELL_PARAMETERS
    }
    values = load_base_set(settings.key)
    if any(name not in changed and name not in values for name in (LOWER_CUTOFF, UPPER_CUTOFF)):
        return None
    lower, upper = (float(changed[name] if name in changed else values[name]) for name in (LOWER_CUTOFF, UPPER_CUTOFF))
    return lower, upper
