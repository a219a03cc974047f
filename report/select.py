"""What a figure shows: cells, cycles and simulations as users name them, or an error that names what there is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from ..data.cycle_selection import format_ranges, parse_selection
from ..data.errors import UsageError
from ..data.names import check_known, quote
from ..sqlite import fit_queries, queries


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
        raise UsageError(f"cannot read cycles {quote(text)}: {error}; {_list_known(known)}") from error
    if not known:
        raise UsageError(f"cannot select cycles {quote(text)}: {_list_known(known)}")
    for first, last in selection.ranges:
        check_cycles((first, last or max(known)), known)
    present, _ = selection.split_cycles(known)
    return present


def check_cycles(cycles: Sequence[int], known: Sequence[int]) -> None:
    """Raise :class:`UsageError` when one of ``cycles`` is not among ``known``."""
    for number in cycles:
        if number not in known:
            raise UsageError(f"there is no cycle {number}: {_list_known(known)}")


def format_cycles(cycles: Sequence[int]) -> str:
    """Write cycles as short as can be: ``1-3+5`` for 1, 2, 3 and 5."""
    return format_ranges(cycles).replace(", ", "+")


def known_cycles(catalog: sqlite3.Connection, cell_id: str) -> tuple[int, ...]:
    """Return the cycles of a cleaned cell, ascending.

    Raises:
        UsageError: no such cell, or it was not cleaned.
    """
    check_cell(catalog, cell_id)
    known = tuple(sorted(int(row["cycle_count"]) for row in queries.cycles(catalog, cell_id)))
    if not known:
        raise UsageError(f"cell {cell_id!r} has no cleaned record, so nothing to draw: `kilocell status` says why")
    return known


def check_cell(catalog: sqlite3.Connection, cell_id: str) -> None:
    """Raise :class:`UsageError`, with the nearest name, when the catalog has no such cell."""
    names = [str(row["cell_id"]) for row in queries.cells(catalog)]
    if not names:
        raise UsageError(f"the store has no cell {quote(cell_id)}, because it is empty: fill it with `kilocell run`")
    check_known("the store has no cell", [cell_id], names)


def select_simulations(
    catalog: sqlite3.Connection, cell_id: str, models: Sequence[str] = (), parameter_sets: Sequence[str] = ()
) -> list[sqlite3.Row]:
    """Return a cell's simulations, of these models and parameter sets (empty = all): finished, or failed with a curve.

    Raises:
        UsageError: a model or parameter set that is asked for has none; the text names those that have.
    """
    done = [row for row in queries.simulations(catalog, cell_id=cell_id, status=None) if _has_curve(row)]
    for column, wanted in (("model", models), ("parameter_set", parameter_sets)):
        for name in wanted:
            if all(row[column] != name for row in done):
                there = _listed(f"{row['model']} with {row['parameter_set']}" for row in done)
                kind = column.replace("_", " ")
                raise UsageError(f"cell {cell_id!r} has no finished simulation with {kind} {name!r}: there are {there}")
    picked = [
        row
        for row in done
        if (not models or row["model"] in models) and (not parameter_sets or row["parameter_set"] in parameter_sets)
    ]
    if not picked and (models or parameter_sets):
        raise UsageError(f"cell {cell_id!r} has no finished simulation with these models and these parameter sets")
    return picked


def _has_curve(row: sqlite3.Row) -> bool:
    return bool(row["status"] == "done" or (row["status"] == "failed" and row["ended_second"] is not None))


def select_fit(catalog: sqlite3.Connection, fit: str, cell_id: str) -> sqlite3.Row:
    """Return the row of a finished fit.

    Raises:
        UsageError: no such cell or no such finished fit of it; the text names those that there are.
    """
    check_cell(catalog, cell_id)
    rows = [row for row in fit_queries.fits(catalog, cell_id) if row["status"] == "done"]
    for row in rows:
        if row["fit"] == fit:
            return row
    there = _listed(str(row["fit"]) for row in rows)
    raise UsageError(f"cell {cell_id!r} has no finished fit {fit!r}: there are {there}")


def _list_known(known: Sequence[int]) -> str:
    return f"the cell has cycles {format_ranges(known)}" if known else "the cell has no cycles"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(set(names))) or "none"
