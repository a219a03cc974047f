"""Select what a figure shows: cells, cycles, simulations and fits as users name them.

An error lists the names that exist.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Final

from ..data.cycle_selection import format_ranges, parse_selection
from ..data.errors import UsageError
from ..data.known_models import models_meant
from ..data.names import check_known, format_suggestion, quote, suggest
from ..data.step_selection import parse_select
from ..sqlite import fit_queries, queries, questions
from ..sqlite.standing_queries import earlier_cells

DEFAULT: Final = "default"
"""In place of the name of a parameter set: every set of which no parameter was changed."""


def parse_known_cycles(text: str, known: Sequence[int]) -> tuple[int, ...]:
    """Turn cycles as users write them (``1-3, 5, last``) into the numbers of a cell's cycles, ascending, each once.

    Args:
        text: a selection of cycles, as :func:`~kilocell.data.cycle_selection.parse_selection` reads it.
        known: the cycles that the cell has.

    Raises:
        UsageError: the text is not a selection, or a number or an end of a range is not a cycle of the cell; the
            message lists the cell's cycles.
    """
    try:
        selection = parse_selection(text)
    except ValueError as error:
        advice = f"{_suggest_select(text)}; {_list_known(known)}"
        raise UsageError(f"cannot read cycles {quote(text)}: {error}{advice}") from error
    if not known:
        raise UsageError(f"cannot select cycles {quote(text)}: {_list_known(known)}")
    for first, last in selection.ranges:
        check_cycles((first, last or max(known)), known)
    present, _ = selection.split_cycles(known)
    return present


def _suggest_select(text: str) -> str:
    """Suggest the option for a text that names steps or windows of time."""
    try:
        parse_select(text)
    except ValueError:
        return ""
    return f"; for this, give --select {quote(text)} instead of --cycles"


def check_cycles(cycles: Sequence[int], known: Sequence[int]) -> None:
    """Check that cycles exist.

    Args:
        cycles: the wanted cycles.
        known: the cycles of the cell.

    Raises:
        UsageError: a cycle does not exist; the message lists the cell's cycles.
    """
    for number in cycles:
        if number not in known:
            raise UsageError(f"there is no cycle {number}: {_list_known(known)}")


def format_cycles(cycles: Sequence[int]) -> str:
    """Write cycles as short as can be: ``1-3+5`` for 1, 2, 3 and 5."""
    return format_ranges(cycles).replace(", ", "+")


def known_cycles(catalog: sqlite3.Connection, cell_id: str) -> tuple[int, ...]:
    """Return the cycles of a cleaned cell, ascending.

    Args:
        catalog: from ``queries.connect``.
        cell_id: the cell.

    Raises:
        UsageError: there is no such cell, or it was not cleaned.
    """
    check_cell(catalog, cell_id)
    cycles = tuple(sorted(int(row["cycle_count"]) for row in queries.cycles(catalog, cell_id)))
    if not cycles:
        raise UsageError(f"cell {cell_id!r} has no cleaned record to plot: `kilocell status` shows why")
    return cycles


def check_cell(catalog: sqlite3.Connection, cell_id: str) -> None:
    """Check that a cell exists.

    Args:
        catalog: from ``queries.connect``.
        cell_id: the cell.

    Raises:
        UsageError: there is no such cell; the message has the nearest name.
    """
    known = queries.cell_ids(catalog)
    if not known:
        raise UsageError(f"the store has no cell {quote(cell_id)}, because it is empty: fill it with `kilocell run`")
    if cell_id not in known:
        _refuse_unknown(catalog, cell_id, known)


def choose_cells(catalog: sqlite3.Connection, patterns: Sequence[str]) -> list[str]:
    """Return the cells that a user names, each once: ids, or patterns such as ``CELL_*`` or ``B0[12]?``.

    Args:
        catalog: from ``queries.connect``.
        patterns: ids and patterns; empty = none.

    Raises:
        UsageError: there is no such cell; the message has the nearest name, or says that the cell left the campaign.
    """
    known = queries.cell_ids(catalog)
    chosen: list[str] = []
    for pattern in patterns:
        found = [pattern] if pattern in known else [name for name in known if fnmatchcase(name, pattern)]
        if not found:
            _refuse_unknown(catalog, pattern, known)
        chosen += found
    return list(dict.fromkeys(chosen))


def _refuse_unknown(catalog: sqlite3.Connection, name: str, known: Sequence[str]) -> None:
    """Raise a UsageError for a cell, or a pattern, that fits no cell."""
    if name in earlier_cells(catalog):
        raise UsageError(f"the campaign has no cell {quote(name)} any more; add --all to see its earlier results")
    check_known("the store has no cell", [name], known)


def select_simulations(
    catalog: sqlite3.Connection,
    cell_id: str,
    models: Sequence[str] = (),
    parameter_sets: Sequence[str] = (),
    statuses: Sequence[str] = (),
) -> list[sqlite3.Row]:
    """Return a cell's simulations that have a curve: finished ones, and failed ones with a first part.

    Args:
        catalog: from ``queries.connect``.
        cell_id: the cell.
        models: names of models; empty = all.
        parameter_sets: names of parameter sets, or ``default``: those without a changed parameter; empty = all.
        statuses: ``done`` or ``failed``; empty = both.

    Raises:
        UsageError: there is no simulation with a model or parameter set; the message lists those that exist.
    """
    rows = [row for row in queries.simulations(catalog, cell_id=cell_id, status=None) if _has_curve(row)]
    _check_simulated(cell_id, rows, "model", models)
    _check_simulated(cell_id, rows, "parameter_set", [name for name in parameter_sets if name != DEFAULT])
    wanted = set(parameter_sets)
    if DEFAULT in wanted:
        wanted |= {str(row["parameter_set"]) for row in questions.curves(catalog, cell_id) if row["is_default"]}
    selected = [
        row
        for row in rows
        if (not models or row["model"] in models)
        and (not wanted or row["parameter_set"] in wanted)
        and (not statuses or row["status"] in statuses)
    ]
    if not selected and (models or parameter_sets or statuses):
        status = f" that is {' or '.join(statuses)}" if statuses else ""
        raise UsageError(
            f"cell {cell_id!r} has no curve of these models and these parameter sets{status} "
            f"(there are: {_list_simulations(rows)})"
        )
    return selected


def _has_curve(row: sqlite3.Row) -> bool:
    return bool(row["status"] == "done" or (row["status"] == "failed" and row["ended_second"] is not None))


def _check_simulated(cell_id: str, rows: Sequence[sqlite3.Row], column: str, names: Sequence[str]) -> None:
    """Check that each model or parameter set (``column``) has a simulation among the rows."""
    known = sorted({str(row[column]) for row in rows})
    for name in names:
        if name not in known:
            kind = column.replace("_", " ")
            meant = models_meant(name, known) if column == "model" else ()
            there_are = format_suggestion(*meant) or suggest(name, known) or f" (there are: {_list_simulations(rows)})"
            raise UsageError(f"cell {cell_id!r} has no finished simulation with {kind} {name!r}{there_are}")


def _list_simulations(rows: Sequence[sqlite3.Row]) -> str:
    return _list_names(f"{row['model']} with {row['parameter_set']}" for row in rows)


def select_fit(catalog: sqlite3.Connection, fit: str, cell_id: str) -> sqlite3.Row:
    """Return the catalog's row of a finished fit.

    Args:
        catalog: from ``queries.connect``.
        fit: name of the fit.
        cell_id: the cell.

    Raises:
        UsageError: there is no such cell, or no such finished fit; the message lists those that exist.
    """
    check_cell(catalog, cell_id)
    rows = [row for row in fit_queries.fits(catalog, cell_id) if row["status"] == "done"]
    for row in rows:
        if row["fit"] == fit:
            return row
    names = _list_names(str(row["fit"]) for row in rows)
    raise UsageError(f"cell {cell_id!r} has no finished fit {fit!r} (there are: {names})")


def _list_known(known: Sequence[int]) -> str:
    return f"the cell has cycles {format_ranges(known)}" if known else "the cell has no cycles"


def _list_names(names: Iterable[str]) -> str:
    return ", ".join(sorted(set(names))) or "none"
