"""What a figure shows: cells, cycles and simulations as users name them, or an error that names what there is."""

from __future__ import annotations

import difflib
import re
import sqlite3
from collections.abc import Iterable, Sequence

from ..data.errors import UsageError
from ..sqlite import fit_queries, queries

_RANGE = re.compile(r"(\d+|last)(?:\s*-\s*(\d+|last))?")


def parse_known_cycles(text: str, known: Sequence[int]) -> tuple[int, ...]:
    """Turn cycles as users write them (``1-3, 5, last``) into numbers, ascending, each once.

    Args:
        text: numbers, ranges and ``last``, separated by commas.
        known: the cycles that the cell has.

    Raises:
        UsageError: it cannot be read so, or names a cycle that is not there; the text names those that are.
    """
    cycles: set[int] = set()
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip().lower())
        if match is None:
            raise UsageError(
                f"cannot read cycles {text!r} at {part.strip()!r}: write numbers, ranges and 'last', "
                f"such as 1-3,5,last; {_list_known(known)}"
            )
        low, high = (_number(word, known) for word in (match[1], match[2] or match[1]))
        check_cycles((low, high), known)
        if low > high:
            raise UsageError(f"cycles {part.strip()!r} run backwards: write {high}-{low}")
        cycles.update(number for number in known if low <= number <= high)
    return tuple(sorted(cycles))


def check_cycles(cycles: Sequence[int], known: Sequence[int]) -> None:
    """Raise :class:`UsageError` when one of ``cycles`` is not among ``known``."""
    for number in cycles:
        if number not in known:
            raise UsageError(f"there is no cycle {number}: {_list_known(known)}")


def format_cycles(cycles: Sequence[int]) -> str:
    """Write cycles as short as can be: ``1-3+5`` for 1, 2, 3 and 5."""
    runs: list[list[int]] = []
    for number in sorted(cycles):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return "+".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


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
    if cell_id not in names:
        raise UsageError(f"there is no cell {cell_id!r} in this store{_nearest(cell_id, names)}")


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


def _number(word: str, known: Sequence[int]) -> int:
    return max(known, default=0) if word == "last" else int(word)


def _list_known(known: Sequence[int]) -> str:
    return f"the cell has cycles {format_cycles(known).replace('+', ', ')}" if known else "the cell has no cycles"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(set(names))) or "none"


def _nearest(name: str, names: Sequence[str]) -> str:
    if not names:
        return ", which has none yet: `kilocell run` fills it"
    folded = [known for known in names if known.lower() == name.lower()]
    near = folded or difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f": it has {', '.join(map(repr, names[:5]))}{', …' if len(names) > 5 else ''}"
