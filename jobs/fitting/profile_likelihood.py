"""Profile likelihood: the best cost with one parameter held fixed, step by step to both sides of the optimum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd
from scipy.optimize import least_squares

from ...data.arrays import Floats, Mask
from ...data.fit_settings import FitObjective, FitSettings
from ...data.results.fitting import FitResult, ProfileEnd, ProfilePoint, ProfileResult
from .fit import estimate_errors
from .objective import make_objective
from .search import Exhausted, Journal, Search
from .starts import from_scaled, to_scaled

BETTER_OPTIMUM_SHARE: Final = (
    0.1  # of the rise to the level: a profile that falls this far below the optimum has found a better one
)
EVALUATIONS: Final = 2  # times those of a start, for a whole profile
TOLERANCE_FACTOR: Final = (
    0.1  # times the solver's tolerances: the level is often less than 0.1 mV above the optimum's RMSE
)
COST_SHARE: Final = 1e-3  # of the rise to the level, to which the others are fitted
STEP_TOLERANCE: Final = 1e-5  # of the scaled bounds
STEP_RISE: Final = 0.4  # of the square root, that a step aims at
LAST_STEP_RISE: Final = 1.1  # where the last step aims at
MOST_STEP_GROWTH: Final = 3.0  # times the step before, at most; it shrinks by no more either
FIRST_STEP: Final = 0.03  # of the bounds, where no linear interval tells
LARGEST_STEP: Final = 0.25  # of the bounds
MOST_STEPS: Final = 12  # to one side, at most
MOST_HALVINGS: Final = 4  # of a step behind which the model has no solution
MOST_REFINEMENTS: Final = 3  # steps between the two around the level, at most
CROSSING_DISTANCE: Final = 0.6  # of the square root: two points around the level that are nearer are near enough


@dataclass(frozen=True, slots=True, eq=False)
class ProfileStep:
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


Refit = Callable[[float, ProfileStep], ProfileStep | None]
"""Holds the parameter at a place (0 to 1) and fits the others from a neighbour; ``None`` = no evaluations left."""


def compute_profile(
    samples: pd.DataFrame, fit: FitResult, name: str, measured_celsius: float | None, journal: Journal | None = None
) -> ProfileResult:
    """Compute the profile likelihood of one parameter of a fit, to both sides of its optimum.

    Args:
        name: of the parameter.
        journal: where evaluations are noted, and recalled from when this profile was begun before.
    """
    values = np.array([p.value for p in fit.parameters])
    objective = make_objective(samples, fit.settings, measured_celsius).tighten(TOLERANCE_FACTOR)
    objective, _ = objective.refine_outputs(values)
    settings = objective.settings
    place = [p.name for p in settings.parameters].index(name)
    most = EVALUATIONS * settings.max_evaluations
    search = Search(objective, replace(settings, max_evaluations=most), journal)
    unit = np.clip(to_scaled(settings.parameters, values), 0.0, 1.0)
    errors = estimate_errors(objective, search, unit, search.residuals(unit))
    refit = _Refit(search, settings.objective, place, 0.5 * errors.quantile**2 * float(errors.variance_mv2[place]))
    begin = refit.find_optimum(unit)
    half = errors.quantile * float(errors.standard_error[place])
    lower, upper = (step_to_level(refit, begin, place, direction, refit.rise, half) for direction in (-1, 1))
    inside = (_value(settings, place, lower), _value(settings, place, upper))
    steps = (*reversed(lower.steps), begin, *upper.steps)
    fitted = fit.parameters[place]
    return ProfileResult(
        settings=fit.settings,
        parameter=name,
        unit=fitted.unit,
        value=fitted.value,
        cost=begin.cost,
        level=begin.cost + refit.rise,
        points=tuple(_point(settings, place, step) for step in steps),
        lower_95=inside[0],
        upper_95=inside[1],
        lower_end=lower.end,
        upper_end=upper.end,
        evaluations=search.evaluations,
        verdict=_verdict(fitted.value, inside, (lower, upper), begin, refit.rise),
    )


class _Refit:
    """Fits all parameters but one, by least squares from a neighbour, and gives the step that it ends at."""

    def __init__(self, search: Search, objective: FitObjective, place: int, rise: float) -> None:
        self._search = search
        self._objective = objective
        self._place = place
        self.rise = rise

    def __call__(self, at: float, neighbour: ProfileStep) -> ProfileStep | None:
        place = self._place
        moved = np.clip(neighbour.unit + (at - neighbour.unit[place]) * neighbour.tangent, 0.0, 1.0)
        stays = neighbour.unit.copy()
        moved[place] = stays[place] = at
        try:
            first = stays if self._search.residuals(moved).reason else moved
            return self.step(self._fitted(first, neighbour.cost, np.arange(len(first)) != place))
        except Exhausted:
            return None

    def find_optimum(self, unit: Floats) -> ProfileStep:
        """The optimum near the fit's, which tighter tolerances may move a little; its own step where it is none."""
        begin = self.step(unit)
        found = self.step(self._fitted(unit, begin.cost, np.ones(len(unit), np.bool_)))
        return begin if found.reason or found.cost > begin.cost else found

    def step(self, unit: Floats) -> ProfileStep:
        """The step at a point as it is."""
        found = self._search.residuals(unit)
        residuals, slopes = self._search.linearise(unit)
        others = np.arange(len(unit)) != self._place
        tangent = np.zeros(len(unit))
        tangent[self._place] = 1.0
        # One at its bound stays there.
        others &= (unit > 0.0) & (unit < 1.0)
        tangent[others] = -np.linalg.lstsq(slopes[:, others], slopes[:, self._place], rcond=1e-6)[0]
        return ProfileStep(unit.copy(), robust_cost(residuals, self._objective), found.rmse_mv, tangent, found.reason)

    def _fitted(self, first: Floats, cost: float, free: Mask) -> Floats:
        if not free.any():
            return first

        def whole(values: Floats) -> Floats:
            unit = first.copy()
            unit[free] = values
            return unit

        found = least_squares(
            lambda x: self._search.linearise(whole(x))[0],
            first[free],
            jac=lambda x: self._search.linearise(whole(x))[1][:, free],  # pyright: ignore[reportArgumentType]
            bounds=(0.0, 1.0),
            loss=self._objective.loss,
            f_scale=self._objective.loss_mv,
            ftol=float(np.clip(COST_SHARE * self.rise / max(cost, np.finfo(float).tiny), 1e-10, 1e-3)),
            xtol=STEP_TOLERANCE,
            gtol=None,  # pyright: ignore[reportArgumentType] - SciPy takes it for: not asked
        )
        return whole(found.x)


def robust_cost(residuals: Floats, objective: FitObjective) -> float:
    """Half the sum of squares in mV2, or what the objective's loss makes of the squares (as SciPy defines them)."""
    if objective.loss == "linear":
        return 0.5 * float(residuals @ residuals)
    square = (residuals / objective.loss_mv) ** 2
    if objective.loss == "soft_l1":
        lost = 2.0 * (np.sqrt(1.0 + square) - 1.0)
    elif objective.loss == "huber":
        lost = np.where(square <= 1.0, square, 2.0 * np.sqrt(square) - 1.0)
    else:
        lost = np.log1p(square) if objective.loss == "cauchy" else np.arctan(square)
    return 0.5 * objective.loss_mv**2 * float(np.sum(lost))


def _value(settings: FitSettings, place: int, side: ProfileSide) -> float | None:
    """The value at which a side crosses the level."""
    if side.crossing is None:
        return None
    return float(from_scaled(settings.parameters[place : place + 1], np.array([side.crossing]))[0])


def _point(settings: FitSettings, place: int, step: ProfileStep) -> ProfilePoint:
    return ProfilePoint(float(from_scaled(settings.parameters, step.unit)[place]), step.rmse_mv, step.cost)


def _verdict(
    value: float,
    inside: tuple[float | None, float | None],
    sides: tuple[ProfileSide, ProfileSide],
    begin: ProfileStep,
    rise: float,
) -> str:
    """The profile in words."""
    lower, upper = inside
    best = min((step for side in sides for step in side.steps), key=lambda step: step.cost, default=begin)
    if best.cost < begin.cost - BETTER_OPTIMUM_SHARE * rise:
        return f"a lower minimum lies beside this one ({best.rmse_mv:.4g} against {begin.rmse_mv:.4g} mV): add starts"
    if (lower is not None and value < lower) or (upper is not None and value > upper):
        return "the fit's own value lies outside: its search ended early, or the solver's tolerances matter"
    if lower is not None and upper is not None:
        size = abs(value) or 1.0
        return f"identifiable, {(lower - value) / size:+.2%} to {(upper - value) / size:+.2%}"
    if all(side.end == "bound" for side in sides):
        return "flat towards both bounds: not identifiable within them"
    only = "" if lower is None and upper is None else f": only {'an upper' if lower is None else 'a lower'} limit"
    words = [_open(name, side.end) for name, side in zip(("lower", "upper"), sides, strict=True) if side.end != "level"]
    return " and ".join(words) + only


def _open(name: str, end: str) -> str:
    """Why one side of an interval is open."""
    if end == "bound":
        return f"flat towards the {name} bound"
    if end == "no_solution":
        return f"no solution further {'down' if name == 'lower' else 'up'}, before the cost rises"
    return f"out of evaluations towards the {name} bound (raise max_evaluations)"


@dataclass(frozen=True, slots=True, eq=False)
class ProfileSide:
    """One side of a profile: its steps, outwards, why it ends, and the place of the level (``None`` = open)."""

    steps: tuple[ProfileStep, ...]
    end: ProfileEnd
    crossing: float | None = None


def step_to_level(
    refit: Refit, begin: ProfileStep, place: int, direction: int, rise: float, half: float
) -> ProfileSide:
    """Step from the optimum to one side until the cost has risen to the level, or to the bound.

    Args:
        place: of the held parameter.
        direction: 1 = upwards, -1 = downwards.
        rise: of the cost, from the optimum to the level.
        half: the linear half interval on the scaled bounds; infinite or NaN where there is none.
    """

    def root(step: ProfileStep) -> float:
        return float(np.sqrt(max(step.cost - begin.cost, 0.0) / rise))

    bound = 1.0 if direction > 0 else 0.0
    size = min(STEP_RISE * half if np.isfinite(half) and half > 0.0 else FIRST_STEP, LARGEST_STEP)
    steps = [begin]
    halved = 0
    while len(steps) <= MOST_STEPS:
        last = steps[-1]
        left = abs(bound - last.unit[place])
        if left < 1e-9:
            return ProfileSide(tuple(steps[1:]), "bound")
        at = bound if size > 0.9 * left else float(last.unit[place]) + direction * size
        found = refit(at, last)
        if found is None:
            break
        if found.reason:
            halved += 1
            size = 0.5 * abs(at - float(last.unit[place]))
            if halved > MOST_HALVINGS:
                return ProfileSide(tuple(steps[1:]), "no_solution")
            continue
        steps.append(found)
        if root(found) >= 1.0:
            return _refined(refit, steps, place, root)
        aim = LAST_STEP_RISE - root(found) if root(found) + STEP_RISE > 1.0 else STEP_RISE
        risen = max(root(found) - root(last), 1e-12)
        size = min(size * float(np.clip(aim / risen, 1.0 / MOST_STEP_GROWTH, MOST_STEP_GROWTH)), LARGEST_STEP)
    return ProfileSide(tuple(steps[1:]), "evaluations")


def _refined(refit: Refit, steps: list[ProfileStep], place: int, root: Callable[[ProfileStep], float]) -> ProfileSide:
    """The side whose last step is beyond the level, with steps put in until the level's place is known well."""
    inside, outside, added = steps[-2], steps[-1], 0
    while root(outside) - root(inside) > CROSSING_DISTANCE and added < MOST_REFINEMENTS:
        found = refit(_interpolate_crossing(inside, outside, place, root), inside)
        if found is None or found.reason:
            break
        steps.append(found)
        inside, outside = (found, outside) if root(found) < 1.0 else (inside, found)
        added += 1
    ordered = sorted(steps[1:], key=lambda step: abs(step.unit[place] - steps[0].unit[place]))
    return ProfileSide(tuple(ordered), "level", _interpolate_crossing(inside, outside, place, root))


def _interpolate_crossing(
    inside: ProfileStep, outside: ProfileStep, place: int, root: Callable[[ProfileStep], float]
) -> float:
    """Where the level lies between two steps, by the straight line between their square roots."""
    share = (1.0 - root(inside)) / (root(outside) - root(inside))
    return float(inside.unit[place] + share * (outside.unit[place] - inside.unit[place]))
