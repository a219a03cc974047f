"""PyBaMM's expressions of one variable as BPX writes them: numbers, + - * / **, exp, tanh, cosh, and x."""

from __future__ import annotations

import math
from typing import Any, Final

import pybamm

_BINARY: Final = {
    pybamm.Addition: "+",
    pybamm.Subtraction: "-",
    pybamm.Multiplication: "*",
    pybamm.Division: "/",
    pybamm.Power: "**",
}
_FUNCTIONS: Final = {
    pybamm.Exp: "exp({})",
    pybamm.Tanh: "tanh({})",
    pybamm.Cosh: "cosh({})",
    pybamm.Sqrt: "({} ** 0.5)",
}


def expression(symbol: Any) -> str | None:
    """Write an expression of one variable, which becomes ``x``; ``None`` where BPX has no word for a part of it."""
    if isinstance(symbol, pybamm.Scalar):
        value = float(symbol.value)
        return (repr(value) if value >= 0.0 else f"({value!r})") if math.isfinite(value) else None
    if isinstance(symbol, pybamm.Variable):
        return "x"
    parts = [expression(child) for child in symbol.children]
    if not parts or any(part is None for part in parts):
        return None
    if type(symbol) in _BINARY:
        return f"({parts[0]} {_BINARY[type(symbol)]} {parts[1]})"
    if type(symbol) in _FUNCTIONS:
        return _FUNCTIONS[type(symbol)].format(parts[0])
    if isinstance(symbol, pybamm.Negate):
        return f"(-{parts[0]})"
    if isinstance(symbol, pybamm.Sinh):
        return f"((exp({parts[0]}) - exp(-{parts[0]})) / 2)"
    return None
