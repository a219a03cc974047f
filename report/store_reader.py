"""Read a store from Python: cells, cycles, results and time series as pandas frames.

:func:`kilocell.open_store` is the way in. This module imports pandas, pyarrow and SQLite only when a frame is read.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .answers import Answers
from .reader import describes_itself
from .tables import Tables
from .time_series import TimeSeries

if TYPE_CHECKING:
    import pandas as pd


def open_store(path: str | os.PathLike[str], *, everything: bool = False) -> StoreReader:
    """Open a store for reading.

    Args:
        path: the store's folder, such as ``kilocell-demo``. A run may be writing to it.
        everything: also read what is out of date or of an earlier campaign; else only what the last run's campaign has.

    Returns:
        A reader whose methods return pandas frames. It never writes.

    Raises:
        UsageError: the folder does not exist, holds no catalog, or its catalog cannot be read by this version.

    Example:
        >>> store = kilocell.open_store("kilocell-demo")  # doctest: +SKIP
        >>> store.results("CELL_A")[["model", "parameter_set", "rmse_mv"]]  # doctest: +SKIP
    """
    return StoreReader(path, everything=everything)


class StoreReader(Tables, Answers, TimeSeries):
    """The content of a store as pandas frames.

    Each call opens the catalog, reads, and closes it again, so a reader needs no ``close`` and does not block a run.
    A new call sees what a run has added since the last one.

    Every column's unit ends its name: ``_mv`` is mV, ``_ah`` is A.h, ``_wh`` is W.h, ``_second`` is s. Voltage errors
    are simulated minus measured. Currents are positive when they charge the cell. An unknown number is NaN or NA.

    Every method takes ``columns``, the names of the wanted columns in their order; empty = all. ``select`` is a part of
    the record, such as ``"cycle 2, discharge"`` or ``"step 14-16"`` (see ``docs/selection.md``).

    Frames describe themselves: ``frame.attrs["units"]`` has the unit of each column that has one
    (``frame.attrs["units"]["rmse_mv"] == "mV"``), ``attrs["store"]`` the folder, and ``attrs["query"]`` the call.

    Args:
        path: the store's folder.
        everything: as in :func:`open_store`. The column ``standing`` of cells, results and fits says what each row is.

    Raises:
        UsageError: the folder is not a store; see :func:`open_store`.
    """

    def __repr__(self) -> str:
        return f"StoreReader({str(self._root)!r})"

    @describes_itself
    def sql(self, statement: str) -> pd.DataFrame:
        """Return the answer to a SELECT on the catalog; ``sqlite/schema.sql`` describes its tables.

        Args:
            statement: one SELECT, such as ``SELECT * FROM errors_by_window``. Nothing can be written.

        Raises:
            UsageError: the statement is wrong or writes; the text suggests the nearest table or column.
        """
        import pandas as pd

        from ..sqlite.user_select import select

        with self._catalog() as catalog:
            columns, rows = select(catalog, statement)
        return pd.DataFrame(rows, columns=columns)
