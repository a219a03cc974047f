"""Few cases out of many: every two values of two parameters meet in one case at least."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any


def pairwise(*parameters: Sequence[Any], allowed: Callable[..., bool] = lambda *_: True) -> list[tuple[Any, ...]]:
    """Choose cases of a full grid in which every pair of values of two parameters occurs.

    A fault usually depends on one value or on two together, seldom on three. Three or more parameters then need about
    as many cases as the two longest of them have pairs.

    Args:
        allowed: tells of a case's values whether they make sense together.

    Returns:
        Cases in the grid's order, the same ones each time.
    """
    sizes = [range(len(values)) for values in parameters]
    grid = [case for case in itertools.product(*sizes) if allowed(*_values(parameters, case))]
    missing = set().union(*map(_pairs, grid))
    chosen: list[tuple[int, ...]] = []
    while missing:
        best = max(grid, key=lambda case: len(_pairs(case) & missing))
        missing -= _pairs(best)
        chosen.append(best)
    return [_values(parameters, case) for case in sorted(chosen)]


def _values(parameters: Sequence[Sequence[Any]], case: tuple[int, ...]) -> tuple[Any, ...]:
    return tuple(values[at] for values, at in zip(parameters, case, strict=True))


def _pairs(case: tuple[int, ...]) -> set[tuple[tuple[int, int], ...]]:
    """Each two parameters, by their place, with the place of each one's value."""
    return set(itertools.combinations(enumerate(case), 2))
