"""The page about the catalog: its tables and references as they are, and four questions with the store's answers."""

from __future__ import annotations

import shlex
import sqlite3
from typing import Final

from ...data.text import printable_text
from ...sqlite import describe, questions, slide_queries
from .content import Diagram, Entity, Panel, Slide, Table
from .words import amount, count, median, millivolts

PLACES: Final[dict[str, tuple[int, int]]] = {
    "campaigns": (0, 0), "sources": (1, 0), "clean_reports": (2, 0), "findings": (3, 0), "cycles": (4, 0),
    "runs": (0, 1), "cells": (1, 1), "simulations": (2, 1), "models": (3, 1), "comparisons": (4, 1),
    "jobs": (0, 2), "parameter_sets": (1, 2), "fits": (2, 2), "fit_parameters": (3, 2), "fit_errors": (4, 2),
}  # fmt: skip
"""Tables that the diagram shows, and their places: column from the left, row from the top. References are read."""

CONNECTING: Final = ("source_cells", "cell_parameter_sets")
"""Tables that only connect two others."""

MISSING: Final = "no result yet; run: kilocell run"
PREFERRED_MODELS: Final = ("DFN", "SPMe", "SPM")


def design(catalog: sqlite3.Connection) -> Slide:
    """Return the page."""
    tables = describe.count_rows(catalog)
    described = describe.describe_schema(catalog)
    references = describe.referring_tables(described)
    views = sum(table.is_view for table in described)
    entities = tuple(
        Entity(name, tables[name], column, row) for name, (column, row) in PLACES.items() if name in tables
    )
    shown = {entity.name for entity in entities}
    links = [(child, parent) for child, parent in references if {child, parent} <= shown and child != parent]
    links += _through_others(references, shown, links)
    note = f"The line's dot is at the side of many rows. Also: {len(tables) - len(shown)} tables, {views} views"
    rows = tuple(question(catalog) for question in (_cycles, _compare, _parameter_sets, _curves))
    return Slide(
        f"Catalog: {len(tables)} tables in one file, four questions",
        (
            Panel("", Diagram(entities, tuple(links), note), (0.6, 3.05, 12.13, 3.0)),
            Panel("", Table(("Question", "Command", "Answer"), rows), (0.6, 0.85, 12.13, 2.1)),
        ),
    )


def _through_others(
    references: list[tuple[str, str]], shown: set[str], links: list[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Return the pairs of shown tables that a table which is not shown connects, both ways: many rows to many."""
    parents: dict[str, list[str]] = {}
    for child, parent in references:
        if child in CONNECTING and parent in shown:
            parents.setdefault(child, []).append(parent)
    pairs = [(pair[0], pair[1]) for pair in parents.values() if len(pair) == 2]
    both = [*pairs, *((second, first) for first, second in pairs)]
    return [pair for pair in both if pair not in links]


def _cycles(catalog: sqlite3.Connection) -> tuple[str, str, str]:
    question = "Cycles of a cell"
    cell_id = slide_queries.longest_cell(catalog)
    if cell_id is None:
        return question, "kilocell cycles CELL", "no cell is cleaned yet; run: kilocell clean"
    command = f"kilocell cycles {shlex.quote(printable_text(cell_id))}"
    rows = questions.cycle_overview(catalog, cell_id)
    capacities = [row["charge_out_ah"] for row in rows if row["charge_out_ah"] is not None]
    answer = count(len(rows), "cycle")
    if capacities:
        answer += f", {amount(min(capacities))} to {amount(max(capacities))} A h out"
    return question, command, answer


def _compare(catalog: sqlite3.Connection) -> tuple[str, str, str]:
    question = "Model against test"
    cycle = slide_queries.common_cycle(catalog)
    if cycle is None:
        return question, "kilocell compare --cycle 2", MISSING
    row = slide_queries.errors_of_cycle(catalog, cycle)
    lowest, highest = amount(row["rmse_min_mv"]), millivolts(row["rmse_max_mv"])
    answer = f"{count(row['simulations'], 'curve')}, RMSE {lowest} to {highest}"
    return question, f"kilocell compare --cycle {cycle}", answer


def _parameter_sets(catalog: sqlite3.Connection) -> tuple[str, str, str]:
    question = "Sets of a model"
    model = _a_model(catalog)
    if model is None:
        return question, "kilocell parameter-sets --model DFN", MISSING
    rows = questions.model_parameter_sets(catalog, model)
    means = [row["rmse_mean_mv"] for row in rows if row["rmse_mean_mv"] is not None]
    answer = count(len({row["parameter_set"] for row in rows}), "set")
    if means:
        answer += f", lowest mean RMSE {millivolts(min(means))}"
    return question, f"kilocell parameter-sets --model {shlex.quote(printable_text(model))}", answer


def _curves(catalog: sqlite3.Connection) -> tuple[str, str, str]:
    question = "Default curves"
    model = _a_model(catalog, ("SPMe", "SPM", "DFN"))
    if model is None:
        return question, "kilocell curves --model SPMe --parameters default", MISSING
    rows = [row for row in questions.curves(catalog, model=model) if row["is_default"]]
    cells = len({row["cell_id"] for row in rows})
    answer = f"{count(cells, 'cell')}, median RMSE {millivolts(median([row['rmse_mv'] for row in rows]))}"
    command = f"kilocell curves --model {shlex.quote(printable_text(model))} --parameters default"
    return question, command, answer


def _a_model(catalog: sqlite3.Connection, preferred: tuple[str, ...] = PREFERRED_MODELS) -> str | None:
    """Return the first of these models that has simulations, else any; ``None`` = there are no simulations."""
    names = {str(row["model"]) for row in slide_queries.simulation_totals(catalog)}
    for name in preferred:
        if name in names:
            return name
    return min(names, default=None)
