"""Find what a simulation stores beside the voltage in PyBaMM's variables, and which options it needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pybamm

from ...data.errors import JobError
from ...data.names import quote, suggest_or_list
from ...data.outputs import EXAMPLES, OFF, OUTPUTS, PER_CELL, PER_PAIR, OutputColumn
from ...data.settings import ModelSettings
from ..parameters.sets import PARALLEL
from .pybamm_models import CIRCUIT, empty_model, full_options, scales_current

OUTPUT: Final = "Output "
"""Beginning of the names of these outputs among the variables of a built model."""


def check_outputs(settings: ModelSettings, outputs: tuple[str, ...]) -> None:
    """Refuse outputs that a model does not have.

    Args:
        settings: the model.
        outputs: keys of ``OUTPUTS``.

    Raises:
        JobError: ``cannot_build``; the text names the option that the output needs.
    """
    model = empty_model(settings)
    for name in outputs:
        if name not in OUTPUTS:
            raise JobError(f"there is no output {quote(name)}{suggest_or_list(name, OUTPUTS)}", "cannot_build")
        _refuse_without_option(settings, name)
        columns = OUTPUTS[name].columns
        if not any(not column.variables or _find_variable(model, column) for column in columns):
            raise JobError(f"the model {settings.type} has no output {quote(name)}", "cannot_build")


def add_outputs(
    model: pybamm.BaseModel, settings: ModelSettings, outputs: tuple[str, ...], own_pairs: float
) -> list[str]:
    """Add a variable to a model, in place, for each column of its outputs.

    Args:
        model: as :func:`kilocell.jobs.models.pybamm_models.empty_model` creates it.
        settings: of the model.
        outputs: keys of ``OUTPUTS``.
        own_pairs: electrode pairs of the set's cell; with the input of the pairs, the factor of extensive values.

    Returns:
        The names of the variables: ``OUTPUT`` and the name of the column.
    """
    names = []
    for column in output_columns(outputs):
        variable = _find_variable(model, column)
        if not variable:
            continue
        symbol: Any = model.variables[variable]
        if column.over_space:
            symbol = getattr(pybamm, column.over_space)(symbol)
        if column.extensive:
            symbol = symbol * _size(settings, column, own_pairs)
        name = f"{OUTPUT}{column.name}"
        model.variables[name] = column.factor * symbol + column.offset
        names.append(name)
    return names


def output_columns(outputs: tuple[str, ...]) -> Iterator[OutputColumn]:
    """Yield the columns of outputs, each once."""
    yield from {column.name: column for name in outputs for column in OUTPUTS[name].columns}.values()


def is_thermal(settings: ModelSettings) -> bool:
    """Tell whether a model has a temperature of its own, not only that of its surroundings."""
    if settings.type == CIRCUIT:
        return True
    return str(full_options(settings)["thermal"]) != "isothermal"


def _refuse_without_option(settings: ModelSettings, name: str) -> None:
    needed = OUTPUTS[name].options
    if not needed:
        return
    if settings.type == CIRCUIT:
        raise JobError(f"the model {settings.type} has no output {quote(name)}", "cannot_build")
    options = full_options(settings)
    if any(_is_on(options[option], OFF[option]) for option in needed):
        return
    ways = " or ".join(f'"{option}" = "{EXAMPLES[option]}"' for option in needed)
    raise JobError(f"the output {quote(name)} needs an option of the model, such as {ways}", "cannot_build")


def _is_on(value: Any, off: frozenset[str]) -> bool:
    if isinstance(value, (tuple, list)):
        return any(_is_on(part, off) for part in value)
    return str(value) not in off


def _find_variable(model: pybamm.BaseModel, column: OutputColumn) -> str:
    """Return the name of the first of PyBaMM's variables that the model has; "" = it has none."""
    return next((name for name in column.variables if name in model.variables), "")


def _size(settings: ModelSettings, column: OutputColumn, own_pairs: float) -> Any:
    """Return the factor from PyBaMM's value to that of the user's cell."""
    pairs = pybamm.InputParameter(PARALLEL)
    if column.extensive == PER_PAIR:
        return pairs
    if column.extensive == PER_CELL and scales_current(settings):
        return pairs / own_pairs
    return pybamm.Scalar(1.0)
