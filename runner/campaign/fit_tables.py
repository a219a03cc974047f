"""Tables of fits, the campaign's own and added ones: which apply to a cell, what they search, and how they merge."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Final

from ...data.cycle_selection import CycleSelection
from ...data.fit_settings import PRESETS, FitLink, FitObjective, FitParameter, FitSettings, SelectionWeight
from ...data.step_selection import SelectedPart, StepSelection, parse_select
from .fit_schema import FitTable

EXTENDABLE_KEYS: Final = ("cells", "starts", "profiles")
"""Keys that can be extended without making another fit."""


def fitted_parameters(table: FitTable) -> tuple[FitParameter, ...]:
    """Return the parameters that a fit searches: those of its presets, and those it names itself, which override."""
    parameters = {parameter.name: parameter for preset in table.presets for parameter in PRESETS[preset]}
    for name, entry in table.parameters.items():
        if entry.link is not None:
            parameters.pop(name, None)
        elif entry.bounds is not None:
            lower, upper = entry.bounds
            prior = None if entry.prior is None else (entry.prior[0], entry.prior[1])
            parameters[name] = FitParameter(name, lower, upper, entry.scale, entry.first, prior, entry.relative)
    return tuple(parameters.values())


def fit_links(table: FitTable) -> tuple[FitLink, ...]:
    """Return the parameters that are a multiple of a fitted one."""
    return tuple(
        FitLink(name, entry.link, entry.ratio) for name, entry in table.parameters.items() if entry.link is not None
    )


@dataclass(frozen=True, slots=True)
class FitPart:
    """What a fit is fitted to, or what it holds out.

    Args:
        cycles: numbers of whole cycles; empty = all, or as ``select`` says.
        select: other parts of the record; ``None`` = whole cycles.
    """

    cycles: tuple[int, ...] = ()
    select: StepSelection | None = None


def selected_parts(table: FitTable) -> tuple[FitPart, FitPart]:
    """Return what a fit is fitted to, and what it holds out.

    A selection of numbered cycles becomes the numbers, so that it is the same fit as with ``cycles``.
    """
    fitted = FitPart(tuple(sorted(set(table.cycles))))
    held_out = FitPart(tuple(sorted(set(table.validation_cycles))))
    if table.select is not None:
        fitted = _read_part(table.select)
    if table.validation_select is not None:
        held_out = _read_part(table.validation_select)
    if fitted.select is not None and held_out.cycles:
        held_out = FitPart((), _cycles_as_parts(held_out.cycles))
    if held_out.select is not None and fitted.cycles:
        fitted = FitPart((), _cycles_as_parts(fitted.cycles))
    return fitted, held_out


def _read_part(text: str) -> FitPart:
    selection = parse_select(text)
    if isinstance(selection, StepSelection):
        return FitPart((), selection)
    if selection.every or selection.last or any(last == 0 for _, last in selection.ranges):
        return FitPart((), StepSelection((SelectedPart(selection),)))  # which cycles these are, the record says
    return FitPart(tuple(sorted({n for first, last in selection.ranges for n in range(first, last + 1)})))


def fit_objective(table: FitTable) -> FitObjective:
    """Return what a fit minimises."""
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in table.objective}
    weights = tuple(SelectionWeight(_any_part(entry.select), entry.weight) for entry in table.objective.weights)
    return replace(FitObjective(**values), weights=weights)


def _any_part(text: str) -> StepSelection:
    selection = parse_select(text)
    if isinstance(selection, StepSelection):
        return selection
    return StepSelection((SelectedPart(selection),))


def _cycles_as_parts(cycles: tuple[int, ...]) -> StepSelection:
    return StepSelection((SelectedPart(CycleSelection(tuple((cycle, cycle) for cycle in cycles))),))


def matches_cell(cell_id: str, keys: Iterable[str]) -> bool:
    """Tell whether a cell is among cell ids and globs."""
    return any(key == cell_id or fnmatchcase(cell_id, key) for key in keys)


def is_same_fit(one: FitTable, other: FitTable) -> bool:
    """Tell whether two tables define the same fit: they differ in nothing but cells, starts and profiles."""
    return one.model_dump(exclude=set(EXTENDABLE_KEYS)) == other.model_dump(exclude=set(EXTENDABLE_KEYS))


def fit_tables_for_cell(cell_id: str, own: Sequence[FitTable], added: Sequence[FitTable]) -> Iterator[FitTable]:
    """Yield the fits of a cell, each name once: first the campaign's, then those added on the command line.

    A fit that several tables define has the largest number of starts, and profiles if one of them has.

    Args:
        own: tables of the campaign file, in its order.
        added: tables added on the command line, in the order of the commands.
    """
    tables = (*own, *added)
    first = {table.name: table for table in (*added[::-1], *own[::-1])}
    for name in dict.fromkeys(table.name for table in tables):
        same = [
            table
            for table in tables
            if table.name == name and matches_cell(cell_id, table.cells) and is_same_fit(table, first[name])
        ]
        if same:
            most_starts = max(same, key=lambda table: table.starts)
            yield most_starts.model_copy(update={"profiles": any(table.profiles for table in same)})


def replaced_fits(own: Sequence[FitTable], added: Sequence[FitTable]) -> tuple[FitTable, ...]:
    """Return the added fits that the campaign file replaces: it has another fit of the same name.

    Args:
        own: tables of the campaign file.
        added: tables added on the command line.
    """
    by_name = {table.name: table for table in own}
    return tuple(table for table in added if table.name in by_name and not is_same_fit(table, by_name[table.name]))


def merge_tables(tables: Iterable[FitTable]) -> dict[str, FitTable]:
    """Merge tables of the same fit.

    Returns:
        One table for each name, with the cells of all its tables, the smallest number of starts, and profiles only if
        all have them. When two fits have the same name, the first counts.
    """
    merged: dict[str, FitTable] = {}
    for table in tables:
        first = merged.setdefault(table.name, table)
        if is_same_fit(first, table):
            cells = list(dict.fromkeys(first.cells + table.cells))
            common = {
                "cells": ["*"] if "*" in cells else cells,
                "starts": min(first.starts, table.starts),
                "profiles": first.profiles and table.profiles,
            }
            merged[table.name] = first.model_copy(update=common)
    return merged


def add_fit(earlier: Sequence[FitTable], new: FitTable) -> tuple[FitTable, ...]:
    """Add a fit to those added before, or extend one of them by cells, starts or profiles; nothing is taken away.

    Args:
        earlier: tables added before.
        new: the fit to add, or the same fit with the cells, starts and profiles to extend it by.

    Returns:
        The tables; each cell is in the one with its largest number of starts.
    """
    same = [table for table in earlier if is_same_fit(table, new)]
    missing_cells = [cell for cell in new.cells if not any(covers(table, new, cell) for table in same)]
    if not missing_cells:
        return tuple(earlier)
    added = new.model_copy(update={"cells": missing_cells})
    others = []
    for table in earlier:
        if table not in same:
            others.append(table)
            continue
        # The new table replaces this one for the cells it covers. What is left of this one stays, inside the new table
        # if both have the same starts and profiles.
        left_cells = [cell for cell in table.cells if not covers(added, table, cell)]
        if not left_cells:
            continue
        if (table.starts, table.profiles) == (added.starts, added.profiles):
            added = added.model_copy(update={"cells": left_cells + added.cells})
        else:
            others.append(table.model_copy(update={"cells": left_cells}))
    return (*others, added)


def covers(there: FitTable, requested: FitTable, cell: str) -> bool:
    """Tell whether a table gives a cell all the starts and profiles that another table of the same fit asks for.

    Args:
        there: the existing table.
        requested: the table to compare with.
        cell: a cell id or glob.
    """
    return there.starts >= requested.starts and there.profiles >= requested.profiles and matches_cell(cell, there.cells)


def expand_chain(table: FitTable, settings: FitSettings) -> tuple[FitSettings, ...]:
    """Return the fits of a chain, one for each check-up, each with the names of those before it.

    Args:
        settings: the fit of the table, without its chain.

    Returns:
        Only ``settings`` when the table is not a chain.
    """
    if not table.chain:
        return (settings,)
    names = table.link_names
    links = []
    for place, (name, cycles) in enumerate(zip(names, table.chain, strict=True)):
        starts = settings.starts if place == 0 else table.chain_starts
        link = replace(
            settings,
            name=name,
            cycles=tuple(sorted(set(cycles))),
            starts=starts,
            chain=table.name,
            former=names[:place][::-1],
        )
        links.append(link)
    return tuple(links)
