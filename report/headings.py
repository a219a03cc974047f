"""The lines above a figure of a cell: parameter sets, capacity, temperature, and which part of the record it shows."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..data.cycle_selection import format_ranges
from ..data.text import format_count
from .draw.style import displayable_name

Row = Mapping[str, Any] | sqlite3.Row
NAME_SIGNS: Final = 40
"""Largest number of characters of a model's or parameter set's name in a heading."""

PART_SIGNS: Final = 90
"""Largest number of characters of a selection in a heading."""

NAMED_SETS: Final = 3
"""Largest number of parameter sets that a heading names; of more it has the number."""


def cell_details(rows: Sequence[Row], part: str, facts: Row | None = None) -> str:
    """Return ``SPMe with Chen2020; 5 A h; 25.0 °C; cycle 2``. What is not known is called unknown.

    Args:
        rows: of the catalog's ``simulations`` or ``curves`` that the figure shows; may be empty.
        part: of the record, from :func:`describe_cycles` or a selection; "" = the figure does not depend on it.
        facts: of the cell, from ``cell_facts``, where the simulations do not say it.
    """
    sets = list(dict.fromkeys(str(row["parameter_set"]) for row in rows))
    models = list(dict.fromkeys(str(row["model"]) for row in rows))
    names = ", ".join(displayable_name(name, NAME_SIGNS) for name in sets)
    if len(sets) > NAMED_SETS:
        names = format_count(len(sets), "parameter set")
    if len(models) == 1 and names:
        names = f"{displayable_name(models[0], NAME_SIGNS)} with {names}"
    capacities = _known(rows, "capacity_ah", facts)
    temperatures = _known(rows, "temperature_celsius", facts)
    capacity = f"{_format_span(capacities, '.4g')} A h" if capacities else "capacity unknown"
    temperature = f"{_format_span(temperatures, '.1f')} °C" if temperatures else "temperature unknown"
    return "; ".join(filter(None, [names, capacity, temperature, displayable_name(part, PART_SIGNS)]))


def _known(rows: Sequence[Row], column: str, facts: Row | None) -> list[float]:
    """Return the known values of the simulations, else that of the cell."""
    known = [float(row[column]) for row in rows if row[column] is not None]
    if not known and facts is not None and facts[column] is not None:
        known = [float(facts[column])]
    return known


def describe_cycles(cycles: Sequence[int], known: Sequence[int]) -> str:
    """Return ``cycle 2 of 10``, ``cycles 1-3 of 10``, or ``cycles 1-10`` for all.

    Args:
        cycles: of the figure; empty = all.
        known: all cycles of the cell; empty = not known, which gives an empty text.
    """
    if not known:
        return ""
    if not cycles or len(set(cycles)) == len(known):
        return f"{'cycle' if len(known) == 1 else 'cycles'} {format_ranges(known)}"
    return f"{'cycle' if len(cycles) == 1 else 'cycles'} {format_ranges(cycles)} of {len(known)}"


def _format_span(values: Sequence[float], digits: str) -> str:
    low = f"{min(values):{digits}}".replace("-", "−")
    high = f"{max(values):{digits}}".replace("-", "−")
    return low if low == high else f"{low} to {high}"
