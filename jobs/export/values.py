"""Resolve parameter sets for other programs: overrides applied, with the cell's state, size and temperature."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import pybamm
from pybamm.expression_tree.operations.serialise import Serialise

from ...data.convert import celsius_to_kelvin
from ...data.errors import UsageError
from ...data.fit_settings import CELL_CAPACITY, INITIAL_SOC
from ...data.results.fitting import Beginning
from ...data.settings import ModelSettings, ParameterSetSettings
from ..models.pybamm_models import complete_set, has_current_collectors, scales_current
from ..parameters.extensive import cells_of_set, overrides_of_set, scale_set
from ..parameters.sets import AMBIENT, CAPACITY, INITIAL_TEMPERATURE, apply_overrides, load_base_set


@dataclass(frozen=True, slots=True)
class CellSet:
    """A parameter set fitted to one cell.

    Args:
        parameter_set: the base set and its overrides.
        model: the fitted model, which decides how the state and the capacity are expressed.
        beginning: state, capacity and temperature at the record's start.
    """

    parameter_set: ParameterSetSettings
    model: ModelSettings
    beginning: Beginning


def resolve_set_values(settings: ParameterSetSettings) -> pybamm.ParameterValues:
    """Return a set with its overrides applied, without a cell.

    Raises:
        UsageError: an override belongs to one cell, such as its capacity.
    """
    cell_values = [o.parameter for o in settings.overrides if o.parameter in (INITIAL_SOC, CELL_CAPACITY)]
    if cell_values:
        names = " and ".join(cell_values)
        raise UsageError(f"{settings.name} contains {names} of one cell; export it with --cell CELL --fit FIT")
    return apply_overrides(settings)


def resolve_cell_values(cell: CellSet) -> tuple[pybamm.ParameterValues, tuple[str, ...]]:
    """Return the set of a cell in PyBaMM's parameters only.

    kilocell's own parameters are converted. ``Initial state of charge`` becomes the initial concentrations (or
    potentials, or Thevenin's state of charge) at the record's start. ``Cyclable lithium`` scales the same
    concentrations. ``Capacity of the cell [A.h]``, or another capacity of the cell, becomes the number of electrodes in
    parallel and the nominal capacity; volume, cooled surface, contact resistance and the values of a circuit go with
    it, so that they are those of the user's cell. Ambient and initial temperature are the record's.

    Returns:
        The set, and notes on what PyBaMM's parameters cannot express.
    """
    beginning = cell.beginning
    base = load_base_set(cell.parameter_set.key)
    cells = cells_of_set(beginning.electrodes_in_parallel, base)
    parameter_set = cell.parameter_set
    if scales_current(cell.model):
        parameter_set = replace(parameter_set, overrides=overrides_of_set(parameter_set.overrides, cells))
    values = apply_overrides(parameter_set)
    notes = list(complete_set(values, cell.model))
    values.update(dict(beginning.inputs))
    kelvin = celsius_to_kelvin(beginning.temperature_celsius)
    values.update({AMBIENT: kelvin, INITIAL_TEMPERATURE: kelvin})
    if beginning.temperature_varies:
        mean = f"{beginning.temperature_celsius:.2f} °C"
        notes.append(f"the temperature is the mean over the record, {mean}; the measured one changed over time")
    if has_current_collectors(cell.model):
        if cells != 1.0:
            notes.append(
                f"the cell equals {cells:.6g} of the set's cells in parallel: divide its current by {cells!r}; "
                "extensive values, such as a contact resistance, are those of one of these cells"
            )
        return values, tuple(notes)
    if cells != 1.0:
        scale_set(values, cells)
    if CAPACITY in values:
        values[CAPACITY] = beginning.capacity_ah
    return values, tuple(notes)


def values_to_json(values: pybamm.ParameterValues) -> str:
    """Write a set as JSON that ``pybamm.ParameterValues.from_json`` reads; functions become expressions.

    Raises:
        UsageError: a function of the set cannot be written as an expression.
    """
    try:
        document = values.to_json()
        return json.dumps(document, default=_encode, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    except Exception as error:  # a user's function may fail in any way
        reason = f"the set has a function that PyBaMM cannot write as an expression: {error}"
        raise UsageError(f"{reason}; replace the function, or use expressions of PyBaMM in it") from error


def _encode(value: Any) -> Any:
    return Serialise._json_encoder(value)
