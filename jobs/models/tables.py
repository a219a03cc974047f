"""The tables of a parameter set: where they end, and how a model behaves beyond.

PyBaMM has no common rule beyond the end of a table: CasADi continues a linear one, and evaluates a cubic one to 0. An
open-circuit potential of 0 V is then a voltage like any other. Here every table continues along its last slope, so that
the solver passes its end, and an output says how far the model is beyond: the table does not describe this cell there.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pybamm

from ...data.settings import GIVEN_PER_CELL

TABLE: Final = "the table of "
"""Beginning of the name of a table, in words."""

END_SHARE: Final = 1e-9
"""Share of a table's range within its end that counts as the end: at a cubic table's end itself, CasADi may give 0."""

SLOPE_SHARE: Final = 1e-4
"""Share of a table's range over which the slope at its end is taken."""


@dataclass(frozen=True, slots=True)
class TableRange:
    """Where a table of a set ends.

    Args:
        parameter: PyBaMM's name.
        low, high: ends, in the unit of the argument: a stoichiometry, a concentration (mol.m-3), a temperature (K).
        argument: the processed argument; without a domain, or over one.
    """

    parameter: str
    low: float
    high: float
    argument: pybamm.Symbol

    @property
    def words(self) -> str:
        """Name and ends; CasADi's names, which follow from it, can have no colon, slash, or sign after a bracket."""
        ends = f"{self.low:.5g} to {self.high:.5g}"
        if ends.startswith("-"):
            ends = f"minus {ends.removeprefix('-')}"
        parameter = self.parameter.replace(":", "").replace("/", " per ")
        return f"{TABLE}{parameter} ({ends})"


def extend_tables(values: pybamm.ParameterValues) -> None:
    """Make every table with one argument continue along its last slope, in place.

    Args:
        values: a set, with its overrides.
    """
    for name in list(values.keys()):
        function = values[name]
        if callable(function) and not isinstance(function, pybamm.Symbol) and not _is_extended(function):
            values[name] = _extended(function)


def _is_extended(function: Any) -> bool:
    return bool(getattr(function, "extends_tables", False))


def _extended(function: Any) -> Any:
    @functools.wraps(function)
    def extended(*arguments: Any, **keywords: Any) -> Any:
        symbol = function(*arguments, **keywords)
        if not isinstance(symbol, pybamm.Symbol):
            return symbol
        if not any(isinstance(node, pybamm.Interpolant) for node in symbol.pre_order()):
            return symbol
        return pybamm.tree_map(_extend_node, symbol)

    extended.extends_tables = True  # type: ignore[attr-defined]
    return extended


def _extend_node(node: pybamm.Symbol, leaves: Any) -> pybamm.Symbol:
    """Rebuild a node; a table of one argument is continued beyond its ends."""
    if not isinstance(node, pybamm.Interpolant):
        return pybamm.rebuild(node, leaves)
    if len(node.x) != 1 or np.ndim(node.y) != 1:
        return _same_table(node, list(leaves))
    known = np.asarray(node.x[0], float)
    width = float(known[-1] - known[0])
    low = float(known[0]) + END_SHARE * width
    high = float(known[-1]) - END_SHARE * width
    argument = leaves[0]
    inside = pybamm.minimum(pybamm.maximum(argument, low), high)
    slopes = _end_slopes(node, low, high, SLOPE_SHARE * width)
    below = pybamm.minimum(argument - low, 0.0) * slopes[0]
    above = pybamm.maximum(argument - high, 0.0) * slopes[1]
    return _same_table(node, [inside]) + below + above


def _same_table(node: pybamm.Interpolant, children: list[pybamm.Symbol]) -> pybamm.Interpolant:
    return pybamm.Interpolant(node.x, node.y, children, node.name, node.interpolator, node.extrapolate)


def _end_slopes(node: pybamm.Interpolant, low: float, high: float, step: float) -> tuple[float, float]:
    at = np.array([low, low + step, high - step, high])
    value = np.asarray(node.function(at), float).ravel()
    return float(value[1] - value[0]) / step, float(value[3] - value[2]) / step


def table_ranges(model: pybamm.BaseModel, values: pybamm.ParameterValues) -> Iterator[TableRange]:
    """Yield the range of each table that a model uses, with the argument that must stay in it.

    Args:
        model: PyBaMM's, not processed yet.
        values: the set; :func:`extend_tables` may have continued its tables.
    """
    raw = _without_extension(values)
    seen = set()
    for node in _function_parameters(model):
        key = (node.name, tuple(child.id for child in node.children))
        if key in seen or node.name in GIVEN_PER_CELL:
            continue
        seen.add(key)
        if not callable(raw.get(node.name)):
            continue
        plain = pybamm.FunctionParameter(node.name, dict(zip(node.input_names, node.children, strict=True)))
        yield from ranges_in(node.name, raw.process_symbol(plain))


def ranges_in(parameter: str, symbol: pybamm.Symbol) -> Iterator[TableRange]:
    """Yield the range of each table in a processed symbol.

    Args:
        parameter: name of the parameter that the symbol is the value of.
    """
    for node in symbol.pre_order():
        if not isinstance(node, pybamm.Interpolant):
            continue
        for known, argument in zip(node.x, node.children, strict=True):
            yield TableRange(parameter, float(np.min(known)), float(np.max(known)), argument)


def _without_extension(values: pybamm.ParameterValues) -> pybamm.ParameterValues:
    raw = values.copy()
    for name in list(raw.keys()):
        function = raw[name]
        if _is_extended(function):
            raw[name] = function.__wrapped__
    return raw


def _function_parameters(model: pybamm.BaseModel) -> Iterator[pybamm.FunctionParameter]:
    """Yield the functions of a set in the equations of a model and in its voltage."""
    roots = [*model.rhs.values(), *model.algebraic.values(), model.variables["Voltage [V]"]]
    for root in roots:
        for node in root.pre_order():
            if isinstance(node, pybamm.FunctionParameter):
                yield node


def table_excess(table: TableRange) -> pybamm.Symbol:
    """Return how far a model is beyond the ends of a table anywhere, as a share of the table's range; 0 = inside."""
    width = table.high - table.low
    lowest = highest = table.argument
    if table.argument.domain:
        lowest = pybamm.min(table.argument)
        highest = pybamm.max(table.argument)
    beyond = pybamm.maximum((table.low - lowest) / width, (highest - table.high) / width)
    return pybamm.maximum(beyond, 0.0)
