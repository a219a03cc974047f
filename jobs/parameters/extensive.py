"""Convert extensive quantities, such as a contact resistance, between the user's cell and the cell of a parameter set.

Some models scale a capacity by dividing the current among copies of the set's cell (``models.pybamm_models``:
``scales_current``). Inside such a model every quantity is that of one copy. Users give and read quantities of their own
cell: n copies in parallel have n times the volume, and the n-th part of the resistance.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pybamm

from ...data.settings import Override
from .sets import CURRENT_FUNCTION, PARALLEL, scale_parameter

POWER_BY_UNIT: Final = {
    "Ohm": -1,
    "S": 1,
    "F": 1,
    "J/K": 1,
    "J.K-1": 1,
    "W/K": 1,
    "W.K-1": 1,
    "A": 1,
    "A.h": 1,
    "W": 1,
    "J": 1,
    "kg": 1,
    "m3": 1,
}
"""Units of whole-cell quantities, each with the power of the number of parallel cells that multiplies it.

Other units belong to a material or an area and stay the same, such as Ohm.m and W.m-2.K-1.
"""

POWER_BY_NAME: Final = {"Cell cooling surface area [m2]": 1, PARALLEL: 1}
"""The same for names whose unit does not say it: most other areas belong to one electrode pair."""


def cell_power(parameter: str) -> int:
    """Return the power p: n cells in parallel have n**p times the quantity of one cell; 0 = it stays the same.

    Args:
        parameter: PyBaMM's name with its unit, such as ``Contact resistance [Ohm]``.
    """
    if parameter in POWER_BY_NAME:
        return POWER_BY_NAME[parameter]
    unit = re.search(r"\[([^\]]*)\]$", parameter)
    return POWER_BY_UNIT.get(unit[1], 0) if unit else 0


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
