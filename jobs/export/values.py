"""Parameter sets for other programs: overrides applied, and the cell's state, size and temperature in them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pybamm
from pybamm.expression_tree.operations.serialise import Serialise

from ...data.convert import celsius_to_kelvin
from ...data.errors import UsageError
from ...data.fit_settings import CELL_CAPACITY, INITIAL_SOC
from ...data.results.fitting import Beginning
from ...data.settings import ModelSettings, ParameterSetSettings
from ..models.pybamm_models import complete_set, scales_current
from ..parameters.sets import AMBIENT, CAPACITY, CURRENT_FUNCTION, INITIAL_TEMPERATURE, PARALLEL, apply_overrides


@dataclass(frozen=True, slots=True)
class CellSet:
    """A parameter set as one cell has it.

    Args:
        model: that it was fitted with, which says what a state and a capacity mean.
        beginning: state, capacity and temperature at the record's start.
    """

    parameter_set: ParameterSetSettings
    model: ModelSettings
    beginning: Beginning


def resolve_set_values(settings: ParameterSetSettings) -> pybamm.ParameterValues:
    """A set with its overrides, without any cell.

    Raises:
        UsageError: an override is of a cell's own.
    """
    own = [o.parameter for o in settings.overrides if o.parameter in (INITIAL_SOC, CELL_CAPACITY)]
    if own:
        raise UsageError(f"{settings.name} holds {' and '.join(own)}, which are of one cell")
    return apply_overrides(settings)


def resolve_cell_values(cell: CellSet) -> tuple[pybamm.ParameterValues, tuple[str, ...]]:
    """A set as a cell has it, in PyBaMM's parameters alone, and what these cannot say, in words.

    kilocell's own names are turned so: ``Initial state of charge`` into the initial concentrations (potentials,
    Thevenin's state of charge) at the record's start; ``Cyclable lithium`` into the same, whose sum it scales;
    ``Capacity of the cell [A.h]``, as any capacity of the cell, into the number of electrodes in parallel and the
    nominal capacity. Ambient and initial temperature are the record's.
    """
    begin, notes = cell.beginning, []
    values = apply_overrides(cell.parameter_set)
    notes += list(complete_set(values, cell.model))
    values.update(dict(begin.inputs))
    temperature = celsius_to_kelvin(begin.temperature_celsius)
    values.update({AMBIENT: temperature, INITIAL_TEMPERATURE: temperature})
    if begin.temperature_varies:
        notes.append(f"the temperature is the record's mean, {begin.temperature_celsius:.2f} °C; it changed over time")
    ratio = begin.electrodes_in_parallel / float(values.get(PARALLEL, 1.0))
    if not scales_current(cell.model):
        values.update({PARALLEL: begin.electrodes_in_parallel, CAPACITY: begin.capacity_ah})
        if isinstance(values.get(CURRENT_FUNCTION), (int, float)):
            values[CURRENT_FUNCTION] = ratio * values[CURRENT_FUNCTION]
    elif ratio != 1.0:
        notes.append(f"the cell is {ratio:.6g} of the set's cells side by side: divide its current by {ratio!r}")
    return values, tuple(notes)


def values_to_json(values: pybamm.ParameterValues) -> str:
    """A set as JSON that ``pybamm.ParameterValues.from_json`` reads; functions are expressions of their arguments.

    Raises:
        UsageError: a function that is no expression.
    """
    try:
        document = values.to_json()
        return json.dumps(document, default=_encoded, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    except Exception as error:  # a user's function may fail in any way
        raise UsageError(f"a function of the set is no expression of PyBaMM's: {error}") from error


def _encoded(value: Any) -> Any:
    return Serialise._json_encoder(value)
