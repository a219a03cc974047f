"""Raw tables of one cell's source files, joined in time order."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.convert import SECONDS_PER_HOUR
from ...data.errors import JobError

SEPARATE_CELLS_ADVICE = "give their cells different names (cell_id in [[sources]]) or leave one out"
START_SECOND = 60.0
"""Files whose own clocks all begin within this of zero say nothing of their order."""


def join_sources(tables: Sequence[tuple[str, pd.DataFrame]], order: Sequence[int] | None = None) -> pd.DataFrame:
    """Join the raw tables of one cell's files in time order.

    Args:
        tables: (file name, raw table with ``data.columns.RAW_COLUMNS``), at least one.
        order: of :func:`source_order`; ``None`` = found here.

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

    The wall clock tells the order; where no file has one, test times that run on from file to file; where each file
    starts its test time at zero, the files' names.

    Args:
        tables: (file name, raw table with ``data.columns.RAW_COLUMNS``), at least one.

    Raises:
        JobError: two files hold the same hours or the same rows, or only some have a wall clock (``sources_overlap``).
    """
    if len(tables) == 1:
        return [0]
    spans = [_spans(tables, column) for column in (c.UNIX_TIME, c.TEST_TIME)]
    walled = [np.isfinite(first) for first, _ in spans[0]]
    names = ", ".join(name for name, _ in tables)
    if any(walled) and not all(walled):
        raise JobError(
            f"only some of {names} have a wall clock, so their order is unknown; {SEPARATE_CELLS_ADVICE}",
            "sources_overlap",
        )
    _refuse_copies(tables)
    clock = spans[0] if all(walled) else spans[1]
    if not all(walled) and all(abs(first) <= START_SECOND for first, _ in clock):
        order = sorted(range(len(tables)), key=lambda i: tables[i][0])
    else:
        order = sorted(range(len(tables)), key=lambda i: clock[i])
        for i, j in itertools.pairwise(order):
            _refuse_overlap((tables[i][0], *clock[i]), (tables[j][0], *clock[j]))
    return order


def _refuse_overlap(one: tuple[str, float, float], next_one: tuple[str, float, float]) -> None:
    if next_one[1] >= one[2]:
        return
    hours = (min(one[2], next_one[2]) - next_one[1]) / SECONDS_PER_HOUR
    both = " and ".join(sorted((one[0], next_one[0])))
    raise JobError(f"{both} hold the same cell over the same {hours:.2f} h; {SEPARATE_CELLS_ADVICE}", "sources_overlap")


def _refuse_copies(tables: Sequence[tuple[str, pd.DataFrame]]) -> None:
    columns = [c.UNIX_TIME, c.TEST_TIME, c.CURRENT, c.VOLTAGE]
    for (name, table), (other, copy) in itertools.combinations(tables, 2):
        if len(table) == len(copy) and np.array_equal(table[columns], copy[columns], equal_nan=True):
            raise JobError(f"{name} and {other} hold the same rows; {SEPARATE_CELLS_ADVICE}", "sources_overlap")


def _spans(tables: Sequence[tuple[str, pd.DataFrame]], column: str) -> list[tuple[float, float]]:
    """First and last time of each table by one clock; NaN where it has none."""
    spans = []
    for _, table in tables:
        clock = table[column].to_numpy(float)
        known = clock[np.isfinite(clock)]
        spans.append((float(known.min()), float(known.max())) if len(known) else (np.nan, np.nan))
    return spans
