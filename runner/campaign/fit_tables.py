"""Tables of fits, the campaign's and those asked on the command line: which are of a cell, and what they search."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Final

from ...data.fit_settings import PRESETS, FitLink, FitParameter, FitSettings
from .fit_schema import FitTable

EXTENDABLE_KEYS: Final = ("cells", "starts", "profiles")
"""What may be asked more of without its being another fit."""


def fitted_parameters(table: FitTable) -> tuple[FitParameter, ...]:
    """The presets' parameters, and those that the table names itself, which come in the place of a preset's."""
    found = {p.name: p for preset in table.presets for p in PRESETS[preset]}
    for name, entry in table.parameters.items():
        if entry.link is not None:
            found.pop(name, None)
        elif entry.bounds is not None:
            prior = None if entry.prior is None else (entry.prior[0], entry.prior[1])
            low, high = entry.bounds
            found[name] = FitParameter(name, low, high, entry.scale, entry.first, prior, entry.relative)
    return tuple(found.values())


def fit_links(table: FitTable) -> tuple[FitLink, ...]:
    """The parameters that hang on fitted ones."""
    return tuple(FitLink(name, e.link, e.ratio) for name, e in table.parameters.items() if e.link is not None)


def matches_cell(cell_id: str, keys: Iterable[str]) -> bool:
    """Tell whether a cell is among ids and globs."""
    return any(key == cell_id or fnmatchcase(cell_id, key) for key in keys)


def is_same_fit(one: FitTable, other: FitTable) -> bool:
    """Tell whether two tables are of one fit: all is the same but the cells, the number of starts, and profiles."""
    return one.model_dump(exclude=set(EXTENDABLE_KEYS)) == other.model_dump(exclude=set(EXTENDABLE_KEYS))


def fit_tables_for_cell(cell_id: str, own: Sequence[FitTable], asked: Sequence[FitTable]) -> Iterator[FitTable]:
    """The fits of a cell: the campaign's ``own``, then those asked on the command line, each name once.

    A fit that is in both has the cells of both, the larger number of starts, and profiles where one asks for them.
    """
    first = {table.name: table for table in (*asked[::-1], *own[::-1])}
    for name in dict.fromkeys(table.name for table in (*own, *asked)):
        mine = [
            table
            for table in (*own, *asked)
            if table.name == name and matches_cell(cell_id, table.cells) and is_same_fit(table, first[name])
        ]
        if mine:
            most = max(mine, key=lambda table: table.starts)
            yield most.model_copy(update={"profiles": any(table.profiles for table in mine)})


def replaced_fits(own: Sequence[FitTable], asked: Sequence[FitTable]) -> tuple[FitTable, ...]:
    """The asked fits whose name the campaign has given to another fit since: the campaign's counts."""
    by_name = {table.name: table for table in own}
    return tuple(table for table in asked if table.name in by_name and not is_same_fit(table, by_name[table.name]))


def merge_tables(tables: Iterable[FitTable]) -> dict[str, FitTable]:
    """One table for each name: with all cells of that fit, and the starts and profiles that all of them have."""
    found: dict[str, FitTable] = {}
    for table in tables:
        first = found.setdefault(table.name, table)
        if is_same_fit(first, table):
            cells = list(dict.fromkeys(first.cells + table.cells))
            cells = ["*"] if "*" in cells else cells
            both = {"starts": min(first.starts, table.starts), "profiles": first.profiles and table.profiles}
            found[table.name] = first.model_copy(update={"cells": cells, **both})
    return found


def add_fit(asked: Sequence[FitTable], new: FitTable) -> tuple[FitTable, ...]:
    """The asked fits with one more, or with more cells, starts or profiles of one; what was asked before stays."""
    mine = [table for table in asked if is_same_fit(table, new)]
    lacking = [cell for cell in new.cells if not any(covers(table, new, cell) for table in mine)]
    if not lacking:
        return tuple(asked)
    new = new.model_copy(update={"cells": lacking})
    kept = []
    for table in asked:
        cells = [cell for cell in table.cells if table not in mine or not covers(new, table, cell)]
        if cells and table in mine and (table.starts, table.profiles) == (new.starts, new.profiles):
            new = new.model_copy(update={"cells": cells + new.cells})
        elif cells:
            kept.append(table.model_copy(update={"cells": cells}))
    return (*kept, new)


def covers(there: FitTable, asked: FitTable, cell: str) -> bool:
    """Tell whether a table of the same fit has for a cell (or glob) all starts and profiles of another."""
    return there.starts >= asked.starts and there.profiles >= asked.profiles and matches_cell(cell, there.cells)


def expand_chain(table: FitTable, settings: FitSettings) -> tuple[FitSettings, ...]:
    """The fits of a chain, one for each check-up, each of which knows those before it; of another table the one fit."""
    if not table.chain:
        return (settings,)
    names = table.link_names
    return tuple(
        replace(
            settings,
            name=name,
            cycles=tuple(sorted(set(cycles))),
            starts=table.chain_starts if place else settings.starts,
            chain=table.name,
            former=names[:place][::-1],
        )
        for place, (name, cycles) in enumerate(zip(names, table.chain, strict=True))
    )
