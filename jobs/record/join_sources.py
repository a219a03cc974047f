"""Join the raw tables of one cell's source files in time order."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.convert import SECONDS_PER_HOUR
from ...data.errors import JobError

SEPARATE_CELLS_ADVICE: Final = "give their cells different names (cell_id in [[sources]]) or leave one out"
START_SECOND: Final = 60.0
"""s: if the test times of all files begin this close to zero, they do not show the order of the files. Chosen, not
measured."""


def join_sources(tables: Sequence[tuple[str, pd.DataFrame]], order: Sequence[int] | None = None) -> pd.DataFrame:
    """Join the raw tables of one cell's files in time order.

    Args:
        tables: file name and raw table (``data.columns.RAW_COLUMNS``) of each file, at least one.
        order: as :func:`source_order` returns it; ``None`` = call it here.

    Returns:
        One raw table; ``source_index`` is the file's place in time order.

    Raises:
        JobError: as :func:`source_order`.
    """
    if len(tables) == 1:
        return tables[0][1]
    order = source_order(tables) if order is None else order
    renumbered = [tables[i][1].assign(**{c.SOURCE_INDEX: np.int32(place)}) for place, i in enumerate(order)]
    return pd.concat(renumbered, ignore_index=True)


def source_order(tables: Sequence[tuple[str, pd.DataFrame]]) -> list[int]:
    """Return the places of one cell's files in time order.

    The wall clock decides. If no file has one, test times decide that continue from file to file. If each file starts
    its test time at zero, the files' names decide.

    Args:
        tables: file name and raw table (``data.columns.RAW_COLUMNS``) of each file, at least one.

    Raises:
        JobError: two files hold the same hours or the same rows, or only some have a wall clock (``sources_overlap``).
    """
    if len(tables) == 1:
        return [0]
    by_wall_clock = _spans(tables, c.UNIX_TIME)
    with_wall_clock = [bool(np.isfinite(span.first)) for span in by_wall_clock]
    names = ", ".join(name for name, _ in tables)
    if any(with_wall_clock) and not all(with_wall_clock):
        raise JobError(
            f"only some of {names} have a wall clock, so their order is unknown; {SEPARATE_CELLS_ADVICE}",
            "sources_overlap",
        )
    _refuse_copies(tables)
    spans = by_wall_clock if all(with_wall_clock) else _spans(tables, c.TEST_TIME)
    if not all(with_wall_clock) and all(abs(span.first) <= START_SECOND for span in spans):
        return sorted(range(len(tables)), key=lambda i: tables[i][0])
    order = sorted(range(len(tables)), key=lambda i: (spans[i].first, spans[i].last))
    for i, j in itertools.pairwise(order):
        _refuse_overlap(spans[i], spans[j])
    return order


class _Span(NamedTuple):
    """The name of a file, and the first and last time of its table by one clock in s, NaN without that clock."""

    file: str
    first: float
    last: float


def _spans(tables: Sequence[tuple[str, pd.DataFrame]], column: str) -> list[_Span]:
    spans = []
    for name, table in tables:
        clock = table[column].to_numpy(float)
        known = clock[np.isfinite(clock)]
        if len(known):
            spans.append(_Span(name, float(known.min()), float(known.max())))
        else:
            spans.append(_Span(name, np.nan, np.nan))
    return spans


def _refuse_overlap(earlier: _Span, later: _Span) -> None:
    if later.first >= earlier.last:
        return
    hours = (min(earlier.last, later.last) - later.first) / SECONDS_PER_HOUR
    files = " and ".join(sorted((earlier.file, later.file)))
    raise JobError(
        f"{files} hold the same cell over the same {hours:.2f} h; {SEPARATE_CELLS_ADVICE}", "sources_overlap"
    )


def _refuse_copies(tables: Sequence[tuple[str, pd.DataFrame]]) -> None:
    columns = [c.UNIX_TIME, c.TEST_TIME, c.CURRENT, c.VOLTAGE]
    for (name, table), (other, copy) in itertools.combinations(tables, 2):
        if len(table) == len(copy) and np.array_equal(table[columns], copy[columns], equal_nan=True):
            raise JobError(f"{name} and {other} hold the same rows; {SEPARATE_CELLS_ADVICE}", "sources_overlap")
