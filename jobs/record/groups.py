"""Medians of groups of samples, such as steps, without the frames that pandas makes for it."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...data.arrays import Floats, Indices, Integers

LONG_GROUP: Final = 64
"""Mean number of values of a group, from which on each group is partitioned for itself; many short groups are sorted
together instead. Chosen, not measured."""


def group_medians(group: Integers, values: Floats, groups: int) -> Floats:
    """Return the median of each group's values.

    Args:
        group: the group of each value, 0 to groups - 1, in any order, shape (n,).
        values: shape (n,); missing ones (NaN) do not count.
        groups: number of groups.

    Returns:
        Shape (groups,); NaN for a group without values.
    """
    known = ~np.isnan(values)
    if not known.all():
        group = group[known]
        values = values[known]
    if (group[1:] < group[:-1]).any():
        order = np.argsort(group, kind="stable")
        group = group[order]
        values = values[order]
    count = np.bincount(group, minlength=groups)
    medians = np.full(groups, np.nan)
    filled = np.flatnonzero(count)
    first = (np.cumsum(count) - count)[filled]
    size = count[filled]
    if len(values) >= LONG_GROUP * groups:
        for place, start, rows in zip(filled.tolist(), first.tolist(), size.tolist(), strict=True):
            middle = np.partition(values[start : start + rows], ((rows - 1) // 2, rows // 2))
            medians[place] = (middle[(rows - 1) // 2] + middle[rows // 2]) / 2.0
    else:
        values = values[np.lexsort((values, group))]
        medians[filled] = (values[first + (size - 1) // 2] + values[first + size // 2]) / 2.0
    return medians


def medians_around(values: Floats, rows: Integers, width: int, least: int = 1) -> Floats:
    """Return the median of the known values around each of some rows.

    Args:
        values: shape (n,); missing ones (NaN) do not count.
        rows: positions, shape (m,).
        width: number of rows around each, itself included; odd. At the ends of the record there are fewer.
        least: number of known values that a median needs.

    Returns:
        Shape (m,); NaN where fewer values are known.
    """
    half = width // 2
    place = rows[:, None] + np.arange(-half, half + 1)
    inside = (place >= 0) & (place < len(values))
    near = np.where(inside, values[np.clip(place, 0, len(values) - 1)], np.nan)
    near.sort(axis=1)  # missing values last
    known = width - np.count_nonzero(np.isnan(near), axis=1)
    row = np.arange(len(rows))
    median = (near[row, np.maximum(known - 1, 0) // 2] + near[row, np.minimum(known, width - 1) // 2]) / 2.0
    return np.where(known >= max(least, 1), median, np.nan)


def first_of_runs(column: NDArray[Any]) -> Indices:
    """Return the positions at which the runs of one value begin, the first row among them, shape (runs,).

    Args:
        column: shape (n,).
    """
    begins: Indices = np.flatnonzero(np.concatenate([[True], column[1:] != column[:-1]])[: len(column)])
    return begins


def run_of_each(column: NDArray[Any]) -> Integers:
    """Return the number of each row's run of one value, from 0, shape (n,)."""
    first = first_of_runs(column)
    return np.repeat(np.arange(len(first)), np.diff(np.append(first, len(column))))


def count_numbers(column: Integers | Floats) -> int:
    """Return how many different numbers there are.

    Args:
        column: shape (n,), none missing; in order, as counts of steps are, it is faster.
    """
    if (column[1:] >= column[:-1]).all():
        return len(first_of_runs(column))
    return len(np.unique(column))


def number_groups(key: Integers | Floats) -> Integers:
    """Number the groups of equal keys, 0 to groups - 1, in the order of the keys.

    Args:
        key: shape (n,), none missing.

    Returns:
        The group of each key, shape (n,).
    """
    if (key[1:] >= key[:-1]).all():
        return run_of_each(key)
    group: Integers = np.unique(key, return_inverse=True)[1]
    return group
