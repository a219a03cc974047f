"""The table of cleaning rules in docs/cleaning.md, made from the code: ``python tests/jobs/rules_table.py``.

A rule's line has its code, its severity, what ``data/rules.py`` says of it, the first sentence of its function's
docstring, and the settings of the campaign's ``[clean]`` table that it, or any function of jobs/ it calls, reads.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType
from typing import Any, Final

from kilocell.data.rules import RULES_BY_CODE
from kilocell.data.settings import CleanSettings
from kilocell.jobs.cleaning.charge_bounds import charge_events
from kilocell.jobs.cleaning.clean import CAPACITY_RULES, CHARGE_RULES, INDEX_AND_SIGNAL_RULES, TIME_RULES
from kilocell.jobs.cleaning.step_edges import add_edge_samples
from kilocell.jobs.record.join_sources import join_sources

MADE_BETWEEN: Final[dict[str, Callable[..., Any]]] = {
    "step_edge": add_edge_samples,
    "charge_uncertain": charge_events,
}
"""Codes that are no rule of their own, and the function of each: ``clean`` calls them before ``CHARGE_RULES``."""


def functions() -> dict[str, Callable[..., Any]]:
    """The function of each rule by its code, in the order in which they are applied."""
    before = {rule.__name__: rule for rule in (*TIME_RULES, *INDEX_AND_SIGNAL_RULES)}
    after = {rule.__name__: rule for rule in (*CHARGE_RULES, *CAPACITY_RULES)}
    return {"file_order": join_sources} | before | MADE_BETWEEN | after


FIELDS = [field.name for field in dataclasses.fields(CleanSettings)]


def names_in(code: CodeType) -> Iterator[str]:
    """Every global and attribute name in a function's code and in the functions inside it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names_in(constant)


def thresholds(function: Callable[..., Any], seen: set[str] | None = None) -> set[str]:
    """The names of the settings that a function reads, itself or through other functions of jobs/."""
    seen = set() if seen is None else seen
    if not isinstance(function, FunctionType) or function.__qualname__ in seen:
        return set()
    seen.add(function.__qualname__)
    used: set[str] = set()
    for name in set(names_in(function.__code__)):
        if name in FIELDS:
            used.add(name)
        called = function.__globals__.get(name)
        if isinstance(called, FunctionType) and called.__module__.startswith("kilocell.jobs"):
            used |= thresholds(called, seen)
    return used


def sentence(function: Callable[..., Any]) -> str:
    """The first sentence of a function's docstring."""
    text = " ".join((inspect.getdoc(function) or "").split())
    return text.split(". ")[0].rstrip(".") + "."


def rules_table() -> str:
    """The rules in the order in which they are applied, as a Markdown table."""
    lines = ["| rule | severity | means | what it does | settings |", "|---|---|---|---|---|"]
    for code, rule in functions().items():
        known = RULES_BY_CODE.get(code)
        severity, meaning = (known.severity, known.meaning) if known else ("", "part of other rules")
        used = ", ".join(f"`{name}`" for name in FIELDS if name in thresholds(rule))
        lines.append(f"| `{code}` | {severity} | {meaning} | {sentence(rule)} | {used} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(rules_table())
