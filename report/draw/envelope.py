"""Fewer samples for the same picture: a long record at a figure's resolution, extremes and holes kept."""

from __future__ import annotations

from typing import Final

import numpy as np

from ...data.arrays import Floats, Indices, Integers, Mask

COLUMNS: Final = 2400
"""Pixel columns that a curve is reduced to: more than a page's width has at 300 dpi."""


def envelope(time: Floats, values: Floats, columns: int = COLUMNS) -> tuple[Floats, Floats]:
    """Reduce a curve to the first, last, smallest and largest sample of each pixel column (M4).

    A line drawn through these looks the same, at ``columns`` pixels, as one through all samples. Where values are
    missing (NaN) within a column, one stays missing, so that no line bridges a hole.

    Args:
        time: not decreasing, any unit, shape (n,).
        values: shape (n,).
        columns: number of equal time spans; up to 5 samples stay of each.

    Returns:
        Time and values of the samples that stay, in order; all of them when they are few.

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
    hits = (values == smallest, values == largest, np.isnan(values))
    kept = np.unique(np.concatenate([first, last, *(_first_of_each(column, hit) for hit in hits)]))
    return time[kept], values[kept]


def _first_of_each(column: Integers, hit: Mask) -> Indices:
    """Return the index of the first hit in each column that has one."""
    where = np.flatnonzero(hit)
    return where[np.flatnonzero(np.diff(column[where], prepend=-1))]


def insert_breaks(time: Floats, values: Floats, starts: Mask) -> tuple[Floats, Floats]:
    """Put a missing value before every sample where ``starts`` is true: the line is lifted there."""
    where = np.flatnonzero(starts)
    return np.insert(time, where, time[where]), np.insert(values, where, np.nan)
