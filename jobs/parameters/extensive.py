"""Convert extensive quantities, such as a contact resistance, between the user's cell and the cell of a parameter set.

Some models scale a capacity by dividing the current among copies of the set's cell (``models.pybamm_models``:
``scales_current``). Inside such a model every quantity is that of one copy. Users give and read quantities of their own
cell: n copies in parallel have n times the volume, and the n-th part of the resistance.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pybamm

from ...data.extensive import cell_power
from ...data.settings import Override
from .sets import CURRENT_FUNCTION, PARALLEL, scale_parameter


def overrides_of_set(overrides: tuple[Override, ...], cells: float) -> tuple[Override, ...]:
    """Convert overrides of the user's cell to those of the set's cell.

    A factor (``scale``) is the same for both.

    Args:
        overrides: in the units of their parameters.
        cells: number of the set's cells in parallel that make the user's cell; need not be whole.
    """
    return tuple(
        replace(override, value=override.value / cells ** cell_power(override.parameter))
        if override.kind == "value" and cell_power(override.parameter)
        else override
        for override in overrides
    )


def scale_set(values: pybamm.ParameterValues, cells: float) -> None:
    """Make a set, in place, that of so many of its cells in parallel.

    Args:
        values: numbers and functions; functions of the current get the current of one cell.
        cells: number of cells; need not be whole.
    """
    for name, value in list(values.items()):
        power = cell_power(name)
        if not power or isinstance(value, (str, tuple)) or (name == CURRENT_FUNCTION and callable(value)):
            continue
        if callable(value):
            value = _with_current_of_one(value, cells)
        values[name] = scale_parameter(cells**power, value)


def cells_of_set(electrodes_in_parallel: float, values: pybamm.ParameterValues) -> float:
    """Return the number of the set's cells in parallel that have so many electrode pairs.

    Args:
        electrodes_in_parallel: electrode pairs of the user's cell.
        values: the set; without a number of pairs, as for an equivalent circuit, it has one.
    """
    return electrodes_in_parallel / float(values.get(PARALLEL, 1.0))


def _with_current_of_one(function: Callable[..., Any], cells: float) -> Callable[..., Any]:
    """Return a function with the current of one of several cells in place of its argument ``current``, if any."""
    names = list(inspect.signature(function).parameters)
    if "current" not in names:
        return function
    place = names.index("current")

    @functools.wraps(function)
    def of_one(*arguments: Any, **keywords: Any) -> Any:
        if "current" in keywords:
            keywords["current"] = keywords["current"] / cells
        else:
            arguments = (*arguments[:place], arguments[place] / cells, *arguments[place + 1 :])
        return function(*arguments, **keywords)

    return of_one
