"""Reduce a long time series to the resolution of a figure; extremes and holes are kept."""

from __future__ import annotations

from typing import Final

import numpy as np

from ...data.arrays import Floats, Indices, Integers, Mask

COLUMNS: Final = 2400
"""Number of pixel columns to which a curve is reduced: more than the width of a page at 300 dpi."""


def envelope(time: Floats, values: Floats, columns: int = COLUMNS) -> tuple[Floats, Floats]:
    """Reduce a curve to the first, last, smallest and largest sample of each pixel column (M4).

    On ``columns`` pixels, a line through these samples looks the same as a line through all samples. If values are
    missing (NaN) in a column, one of them is kept, so no line crosses a hole.

    Args:
        time: not decreasing, any unit, shape (n,).
        values: shape (n,).
        columns: number of equal time spans; up to 5 samples of each are kept.

    Returns:
        Time and values of the kept samples, in order; all samples if there are few.

    Source:
        Jugel et al., M4: a visualization-oriented time series data aggregation, VLDB 2014, doi:10.14778/2732951.2732953
    """
    if len(time) <= 4 * columns or time[-1] <= time[0]:
        return time, values
    column = np.minimum(((time - time[0]) * (columns / (time[-1] - time[0]))).astype(np.int64), columns - 1)
    first = np.flatnonzero(np.diff(column, prepend=-1))
    last = np.append(first[1:], len(time)) - 1
    counts = last - first + 1
    smallest = np.repeat(np.fmin.reduceat(values, first), counts)
    largest = np.repeat(np.fmax.reduceat(values, first), counts)
    special = (values == smallest, values == largest, np.isnan(values))
    places = np.unique(np.concatenate([first, last, *(_first_of_each(column, hit) for hit in special)]))
    return time[places], values[places]


def _first_of_each(column: Integers, hit: Mask) -> Indices:
    """Return the index of the first hit in each column that has one."""
    where = np.flatnonzero(hit)
    return where[np.flatnonzero(np.diff(column[where], prepend=-1))]


def insert_breaks(time: Floats, values: Floats, starts: Mask) -> tuple[Floats, Floats]:
    """Insert a missing value before each sample where ``starts`` is true, so that no line is drawn to this sample.

    Args:
        time: shape (n,).
        values: shape (n,).
        starts: shape (n,).

    Returns:
        Time and values, shape (n + inserted,).
    """
    where = np.flatnonzero(starts)
    return np.insert(time, where, time[where]), np.insert(values, where, np.nan)
