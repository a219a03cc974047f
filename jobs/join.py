"""Raw tables of one cell's source files, joined in time order."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..data import columns as c
from ..data.errors import JobError


def join_sources(tables: Sequence[tuple[str, pd.DataFrame]]) -> pd.DataFrame:
    """Join the raw tables of one cell's files in the order of their first times.

    Args:
        tables: (file name, raw table with ``data.columns.RAW_COLUMNS``), at least one.

    Returns:
        One raw table; ``source_index`` is the file's place in time order.

    Raises:
        JobError: two files hold the same hours (``sources_overlap``), or have no wall clock and both start
            at zero, so that their order is unknown only by name; such files are joined in the order of names.
    """
    if len(tables) == 1:
        return tables[0][1]
    ordered = sorted(tables, key=lambda entry: (_span(entry[1])[0], entry[0]))
    for (name, table), (next_name, next_table) in itertools.pairwise(ordered):
        (_first, last), (next_first, next_last) = _span(table), _span(next_table)
        if next_first < last:
            hours = f"{(min(last, next_last) - next_first) / 3600.0:.2f} h"
            both = f"{name} and {next_name}"
            raise JobError(
                f"{both} hold the same cell over the same {hours}; give their cells different names "
                "(cell_id in [[sources]]) or leave one out",
                "sources_overlap",
            )
    renumbered = [table.assign(**{c.SOURCE_INDEX: np.int32(i)}) for i, (_, table) in enumerate(ordered)]
    return pd.concat(renumbered, ignore_index=True)


def _span(table: pd.DataFrame) -> tuple[float, float]:
    """First and last time: by wall clock, else by a test time that runs on; NaN-free."""
    wall = table[c.UNIX_TIME].to_numpy(float)
    known = wall[np.isfinite(wall)]
    if len(known):
        return float(known.min()), float(known.max())
    return 0.0, 0.0
