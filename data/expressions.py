"""Check expressions of a BPX file before anything evaluates them: a short text can take for ever."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Final

BPX_FUNCTIONS: Final = ("exp", "tanh", "cosh")
LONGEST: Final = 20_000
"""Characters of an expression. The longest in published files have 1,500."""

DEEPEST: Final = 50
"""Brackets inside each other; deeper ones take the parser of bpx for ever."""

_OPERATORS: Final[dict[type[ast.operator], Callable[[float, float], float]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: math.pow,
}
_FUNCTIONS: Final[dict[str, Callable[[float], float]]] = {"exp": math.exp, "tanh": math.tanh, "cosh": math.cosh}


def check_expression(name: str, text: str) -> None:
    """Refuse an expression that is none, or whose constants cannot be evaluated in double precision.

    ``9**9**9`` would be computed with all of its 370 million digits.

    Args:
        name: key of the expression in the file.
        text: the expression, of numbers, x, ``+ - * / **`` and the functions of BPX.

    Raises:
        ValueError: completes a sentence that starts with the name of the file.
    """
    if len(text) > LONGEST:
        raise ValueError(f"has an expression of {len(text)} characters in {name!r}; at most {LONGEST} are read")
    if _depth(text) > DEEPEST:
        raise ValueError(
            f"has more than {DEEPEST} brackets inside each other in {name!r}; write the expression shorter"
        )
    try:
        tree = ast.parse(f"({text.strip()})", mode="eval")
        _value(tree.body)
    except (SyntaxError, RecursionError, MemoryError, _NotAnExpressionError):
        raise ValueError(
            f"has no expression of numbers, x, + - * / ** and functions in {name!r}: {text[:60]!r}"
        ) from None
    except (OverflowError, ZeroDivisionError, ValueError):
        raise ValueError(f"has a number in {name!r} that is too large, or not defined: {text[:60]!r}") from None


class _NotAnExpressionError(Exception):
    """The text has something that a BPX expression cannot have."""


def _depth(text: str) -> int:
    deepest = depth = 0
    for character in text:
        depth += (character == "(") - (character == ")")
        deepest = max(deepest, depth)
    return deepest


def _value(node: ast.expr) -> float | None:
    """Return the value of a part without x, in double precision; ``None`` = it depends on x."""
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return _finite(float(number))
        case ast.Name(id="x"):
            return None
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            value = _value(operand)
            if value is None or isinstance(node.op, ast.UAdd):
                return value
            return -value
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            values = _value(left), _value(right)
            if values[0] is None or values[1] is None:
                return None
            return _finite(_OPERATORS[type(op)](values[0], values[1]))
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in _FUNCTIONS:
            value = _value(argument)
            return None if value is None else _finite(_FUNCTIONS[name](value))
    raise _NotAnExpressionError


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise OverflowError
    return value
