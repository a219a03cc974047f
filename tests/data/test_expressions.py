"""Expressions of BPX files: what cannot be evaluated in double precision is refused before anything tries."""

from __future__ import annotations

import pytest
from kilocell.data.expressions import check_expression


@pytest.mark.parametrize(
    "text",
    ["x", "-x", " 1.5e-3 * exp(-2*x) + .5 ", "x**2 - 3**0.5", "tanh(1. - x)/(2+cosh(x))", "9**99", "x**-1.5", "2**x**2",
     "1 +\n2*x", "+3*x"],
)  # fmt: skip
def test_expressions_of_real_files_pass(text: str) -> None:
    check_expression("OCP [V]", text)


@pytest.mark.parametrize(
    "text",
    ["9**9**9", "x + 9**9**9", "x**9**9**9", "((9**999)**999)**999", "7**(8**(9*9))", "1e400", "exp(9**9)", "1/0",
     "2**-9**9**9", "(0-2)**0.5"],
)  # fmt: skip
def test_numbers_that_are_too_large_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"has a number in 'OCP \[V\]' that is too large, or not defined"):
        check_expression("OCP [V]", text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("(" * 60 + "x" + ")" * 60, "more than 50 brackets"),
        ("x+" * 20_000 + "x", "of 40001 characters"),
        ("-" * 15_000 + "x", "no expression"),
        ("x x", "no expression"),
        ("x if x else x", "no expression"),
        ("[x]*9", "no expression"),
        ("exp(x, x)", "no expression"),
        ("x // 2", "no expression"),
        ("", "no expression"),
    ],
)
def test_other_texts_are_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_expression("OCP [V]", text)
