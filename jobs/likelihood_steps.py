"""The steps of a profile likelihood: how far the held parameter moves each time, where to end, and where the level is.

Steps follow the square root of the cost's rise, which goes linearly where the cost is a parabola; 1 at the level.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..data.fit_values import ProfileEnd

Floats = NDArray[np.float64]

RISE: Final = 0.4  # of the square root, that a step aims at
BEYOND: Final = 1.1  # where the last step aims at
GROWTH: Final = 3.0  # times the step before, at most; it shrinks by no more either
FIRST: Final = 0.03  # of the bounds, where no linear interval tells
LARGEST: Final = 0.25  # of the bounds
STEPS: Final = 12  # to one side, at most
HALVINGS: Final = 4  # of a step behind which the model has no solution
REFINED: Final = 3  # steps between the two around the level, at most
APART: Final = 0.6  # of the square root: two points around the level that are nearer are near enough


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """A point of a profile on the scaled bounds.

    Args:
        unit: all parameters, shape (parameters,).
        tangent: how they move with the held one, shape (parameters,).
        reason: why the model has no solution there; "" = it has one.
    """

    unit: Floats
    cost: float
    rmse_mv: float
    tangent: Floats
    reason: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One side of a profile: its steps, outwards, why it ends, and the place of the level (``None`` = open)."""

    steps: tuple[Step, ...]
    end: ProfileEnd
    crossing: float | None = None


Refit = Callable[[float, Step], Step | None]
"""Holds the parameter at a place (0 to 1) and fits the others from a neighbour; ``None`` = no evaluations left."""


def walk(refit: Refit, begin: Step, place: int, direction: int, rise: float, half: float) -> Side:
    """Step from the optimum to one side until the cost has risen to the level, or to the bound.

    Args:
        place: of the held parameter.
        direction: 1 = upwards, -1 = downwards.
        rise: of the cost, from the optimum to the level.
        half: the linear half interval on the scaled bounds; infinite or NaN where there is none.
    """

    def root(step: Step) -> float:
        return float(np.sqrt(max(step.cost - begin.cost, 0.0) / rise))

    bound = 1.0 if direction > 0 else 0.0
    size = min(RISE * half if np.isfinite(half) and half > 0.0 else FIRST, LARGEST)
    steps = [begin]
    halved = 0
    while len(steps) <= STEPS:
        last = steps[-1]
        left = abs(bound - last.unit[place])
        if left < 1e-9:
            return Side(tuple(steps[1:]), "bound")
        at = bound if size > 0.9 * left else float(last.unit[place]) + direction * size
        found = refit(at, last)
        if found is None:
            break
        if found.reason:
            halved += 1
            size = 0.5 * abs(at - float(last.unit[place]))
            if halved > HALVINGS:
                return Side(tuple(steps[1:]), "no_solution")
            continue
        steps.append(found)
        if root(found) >= 1.0:
            return _refined(refit, steps, place, root)
        aim = BEYOND - root(found) if root(found) + RISE > 1.0 else RISE
        risen = max(root(found) - root(last), 1e-12)
        size = min(size * float(np.clip(aim / risen, 1.0 / GROWTH, GROWTH)), LARGEST)
    return Side(tuple(steps[1:]), "evaluations")


def _refined(refit: Refit, steps: list[Step], place: int, root: Callable[[Step], float]) -> Side:
    """The side whose last step is beyond the level, with steps put in until the level's place is known well."""
    inside, outside, added = steps[-2], steps[-1], 0
    while root(outside) - root(inside) > APART and added < REFINED:
        found = refit(_between(inside, outside, place, root), inside)
        if found is None or found.reason:
            break
        steps.append(found)
        inside, outside = (found, outside) if root(found) < 1.0 else (inside, found)
        added += 1
    ordered = sorted(steps[1:], key=lambda step: abs(step.unit[place] - steps[0].unit[place]))
    return Side(tuple(ordered), "level", _between(inside, outside, place, root))


def _between(inside: Step, outside: Step, place: int, root: Callable[[Step], float]) -> float:
    """Where the level lies between two steps, by the straight line between their square roots."""
    share = (1.0 - root(inside)) / (root(outside) - root(inside))
    return float(inside.unit[place] + share * (outside.unit[place] - inside.unit[place]))
