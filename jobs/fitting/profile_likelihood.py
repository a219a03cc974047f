"""Profile likelihood: the best cost with one parameter held fixed, in steps to both sides of the optimum.

The level is the cost at the ends of the 95 % interval. The root of a step is the square root of its rise of the cost
over the rise to the level: 0 at the optimum, 1 at the level, and a straight line where the cost is a parabola.
"""

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
from .evaluations import Exhausted, Journal
from .fit import estimate_errors
from .objective import make_objective
from .search import Search
from .starts import from_scaled, to_scaled

BETTER_OPTIMUM_SHARE: Final = 0.1
"""Share of the rise to the level: a profile that falls as far below the optimum has found a better optimum."""

EVALUATIONS: Final = 2
"""Evaluations of a whole profile, as a multiple of those of a start."""

TOLERANCE_FACTOR: Final = 0.1
"""Factor of the solver's tolerances: the level is often less than 0.1 mV above the optimum's RMSE."""

COST_SHARE: Final = 1e-3
"""Share of the rise to the level: tolerance of the cost in the fit of the other parameters."""

STEP_TOLERANCE: Final = 1e-5
"""Smallest step of that fit, on the scaled bounds."""

STEP_RISE: Final = 0.4
"""Rise of the root (0 at the optimum, 1 at the level) that a step aims at."""

LAST_STEP_RISE: Final = 1.1
"""Root that the last step aims at."""

MOST_STEP_GROWTH: Final = 3.0
"""Largest ratio of the lengths of a step and the step before, in both directions."""

FIRST_STEP: Final = 0.03
"""First step on the scaled bounds, where no linear interval is known."""

LARGEST_STEP: Final = 0.25
"""Largest step, on the scaled bounds."""

MOST_STEPS: Final = 12
"""Most steps to one side."""

MOST_HALVINGS: Final = 4
"""Times that steps to one side are halved, because the model has no solution at their end."""

MOST_REFINEMENTS: Final = 3
"""Most steps that are added around the crossing of the level."""

CROSSING_DISTANCE: Final = 0.6
"""Difference of the roots of two steps around the level, below which the crossing is interpolated between them."""

DONE: Final = 1e-9
"""Distance to the bound, on the scaled bounds, at which a side has reached it."""


@dataclass(frozen=True, slots=True, eq=False)
class ProfileStep:
    """A point of a profile.

    Args:
        unit: all parameters on the scaled bounds, shape (parameters,).
        cost: mV2.
        tangent: derivative of the best parameters by the held one, shape (parameters,).
        reason: why the model has no solution here; "" = it has one.
    """

    unit: Floats
    cost: float
    rmse_mv: float
    tangent: Floats
    reason: str = ""


Refit = Callable[[float, ProfileStep], ProfileStep | None]
"""Holds the parameter at a place (0 to 1) and fits the others, from a neighbour; ``None`` = no evaluations are left."""


def compute_profile(
    samples: pd.DataFrame, fit: FitResult, name: str, measured_celsius: float | None, journal: Journal | None = None
) -> ProfileResult:
    """Compute the profile likelihood of one parameter of a fit, to both sides of its optimum.

    Args:
        samples: a cleaned partition.
        fit: the result of :func:`kilocell.jobs.fitting.fit.combine_starts`.
        name: of the parameter.
        measured_celsius: the cell's mean measured temperature in °C; ``None`` = nothing was measured.
        journal: records evaluations and returns those of an earlier, interrupted run of this profile; ``None`` =
            nothing is recorded.
    """
    values = np.array([p.value for p in fit.parameters])
    objective = make_objective(samples, fit.settings, measured_celsius).tighten(TOLERANCE_FACTOR)
    objective, _ = objective.refine_outputs(values)
    settings = objective.settings
    place = [p.name for p in settings.parameters].index(name)
    most = EVALUATIONS * settings.max_evaluations
    search = Search(objective, replace(settings, max_evaluations=most), journal)
    unit = np.clip(to_scaled(settings.parameters, values), 0.0, 1.0)
    residuals = search.residuals(unit)
    search.weigh_priors(residuals)
    errors = estimate_errors(objective, search, unit, residuals)
    rise = 0.5 * errors.quantile**2 * float(errors.variance_mv2[place])
    refit = _Refit(search, settings.objective, place, rise)
    begin = refit.find_optimum(unit)
    half_width = errors.quantile * float(errors.standard_error[place])
    lower = step_to_level(refit, begin, place, -1, rise, half_width)
    upper = step_to_level(refit, begin, place, 1, rise, half_width)
    interval = (_crossing_value(settings, place, lower), _crossing_value(settings, place, upper))
    steps = (*reversed(lower.steps), begin, *upper.steps)
    fitted = fit.parameters[place]
    return ProfileResult(
        settings=fit.settings,
        parameter=name,
        unit=fitted.unit,
        value=fitted.value,
        cost=begin.cost,
        level=begin.cost + rise,
        points=tuple(_point(settings, place, step) for step in steps),
        lower_95=interval[0],
        upper_95=interval[1],
        lower_end=lower.end,
        upper_end=upper.end,
        evaluations=search.evaluations,
        verdict=_verdict(fitted.value, interval, (lower, upper), begin, rise),
    )


class _Refit:
    """Fits all parameters but one by least squares, from a neighbour, and returns the step that this ends at.

    Args:
        place: of the held parameter.
        rise: of the cost to the level, mV2.
    """

    def __init__(self, search: Search, objective: FitObjective, place: int, rise: float) -> None:
        self._search = search
        self._objective = objective
        self._place = place
        self._rise = rise

    def __call__(self, at: float, neighbour: ProfileStep) -> ProfileStep | None:
        place = self._place
        along_tangent = np.clip(neighbour.unit + (at - neighbour.unit[place]) * neighbour.tangent, 0.0, 1.0)
        unchanged = neighbour.unit.copy()
        along_tangent[place] = at
        unchanged[place] = at
        try:
            first = along_tangent
            if self._search.residuals(first).reason:
                first = unchanged
            return self.step(self._fit(first, neighbour.cost, np.arange(len(first)) != place))
        except Exhausted:
            return None

    def find_optimum(self, unit: Floats) -> ProfileStep:
        """Find the optimum near the fit's, which tighter tolerances may move a little.

        Args:
            unit: the fit's values, from 0 to 1, shape (parameters,).

        Returns:
            The step at the optimum; at ``unit`` itself where no lower cost is found.
        """
        begin = self.step(unit)
        refitted = self.step(self._fit(unit, begin.cost, np.ones(len(unit), np.bool_)))
        if refitted.reason or refitted.cost > begin.cost:
            return begin
        return refitted

    def step(self, unit: Floats) -> ProfileStep:
        """Make the step at a point, without a fit; ``unit`` is from 0 to 1, shape (parameters,)."""
        evaluation = self._search.residuals(unit)
        rows, slopes = self._search.linearise(unit)
        others = np.arange(len(unit)) != self._place
        others &= (unit > 0.0) & (unit < 1.0)  # a parameter at its bound stays there
        tangent = np.zeros(len(unit))
        tangent[self._place] = 1.0
        slopes = self._search.loss.linearise(rows, slopes)[1]
        tangent[others] = -np.linalg.lstsq(slopes[:, others], slopes[:, self._place], rcond=1e-6)[0]
        cost = self._search.loss.cost(rows)
        return ProfileStep(unit.copy(), cost, evaluation.rmse_mv, tangent, evaluation.reason)

    def _fit(self, first: Floats, cost: float, free: Mask) -> Floats:
        """Fit the free parameters; return all of them, from 0 to 1."""
        if not free.any():
            return first

        def all_parameters(free_values: Floats) -> Floats:
            unit = first.copy()
            unit[free] = free_values
            return unit

        loss = "linear" if self._objective.loss == "linear" else self._search.loss.terms
        solution = least_squares(
            lambda x: self._search.linearise(all_parameters(x))[0],
            first[free],
            jac=lambda x: self._search.linearise(all_parameters(x))[1][:, free],  # pyright: ignore[reportArgumentType]
            bounds=(0.0, 1.0),
            loss=loss,  # pyright: ignore[reportArgumentType] - SciPy takes a function, too
            f_scale=self._objective.loss_mv,
            ftol=float(np.clip(COST_SHARE * self._rise / max(cost, np.finfo(float).tiny), 1e-10, 1e-3)),
            xtol=STEP_TOLERANCE,
            gtol=None,  # pyright: ignore[reportArgumentType] - SciPy takes None for: not used
        )
        return all_parameters(solution.x)


def _crossing_value(settings: FitSettings, place: int, side: ProfileSide) -> float | None:
    """The value at which a side crosses the level, in the parameter's unit; ``None`` = it does not."""
    if side.crossing is None:
        return None
    return float(from_scaled(settings.parameters[place : place + 1], np.array([side.crossing]))[0])


def _point(settings: FitSettings, place: int, step: ProfileStep) -> ProfilePoint:
    return ProfilePoint(float(from_scaled(settings.parameters, step.unit)[place]), step.rmse_mv, step.cost)


def _verdict(
    value: float,
    interval: tuple[float | None, float | None],
    sides: tuple[ProfileSide, ProfileSide],
    begin: ProfileStep,
    rise: float,
) -> str:
    """The profile in words."""
    lower, upper = interval
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
    words = " and ".join(
        _open_side(name, side.end) for name, side in zip(("lower", "upper"), sides, strict=True) if side.end != "level"
    )
    if lower is None and upper is None:
        return words
    limit = "an upper" if lower is None else "a lower"
    return f"{words}: only {limit} limit"


def _open_side(name: str, end: str) -> str:
    """Why one side of an interval is open, in words."""
    if end == "bound":
        return f"flat towards the {name} bound"
    if end == "no_solution":
        direction = "down" if name == "lower" else "up"
        return f"no solution further {direction}, before the cost rises"
    return f"out of evaluations towards the {name} bound (raise max_evaluations)"


@dataclass(frozen=True, slots=True, eq=False)
class ProfileSide:
    """One side of a profile.

    Args:
        steps: outwards, without the optimum.
        end: why it ends.
        crossing: place of the parameter at the level, on the scaled bounds; ``None`` = the level is not reached.
    """

    steps: tuple[ProfileStep, ...]
    end: ProfileEnd
    crossing: float | None = None


def step_to_level(
    refit: Refit, begin: ProfileStep, place: int, direction: int, rise: float, half_width: float
) -> ProfileSide:
    """Step from the optimum to one side until the cost has risen to the level, or to the bound.

    Args:
        refit: makes a step.
        begin: the step at the optimum.
        place: of the held parameter.
        direction: 1 = upwards, -1 = downwards.
        rise: of the cost from the optimum to the level, mV2.
        half_width: of the linear interval on the scaled bounds; infinite or NaN where there is none.
    """

    def root(step: ProfileStep) -> float:
        return float(np.sqrt(max(step.cost - begin.cost, 0.0) / rise))

    bound = 1.0 if direction > 0 else 0.0
    size = FIRST_STEP
    if np.isfinite(half_width) and half_width > 0.0:
        size = min(STEP_RISE * half_width, LARGEST_STEP)
    steps = [begin]
    halvings = 0
    while len(steps) <= MOST_STEPS:
        last = steps[-1]
        distance = abs(bound - last.unit[place])
        if distance < DONE:
            return ProfileSide(tuple(steps[1:]), "bound")
        at = float(last.unit[place]) + direction * size
        if size > 0.9 * distance:
            at = bound
        step = refit(at, last)
        if step is None:
            break
        if step.reason:
            halvings += 1
            size = 0.5 * abs(at - float(last.unit[place]))
            if halvings > MOST_HALVINGS:
                return ProfileSide(tuple(steps[1:]), "no_solution")
            continue
        steps.append(step)
        if root(step) >= 1.0:
            return _refine_crossing(refit, steps, place, root)
        aim = STEP_RISE
        if root(step) + STEP_RISE > 1.0:
            aim = LAST_STEP_RISE - root(step)
        step_rise = max(root(step) - root(last), 1e-12)
        growth = float(np.clip(aim / step_rise, 1.0 / MOST_STEP_GROWTH, MOST_STEP_GROWTH))
        size = min(size * growth, LARGEST_STEP)
    return ProfileSide(tuple(steps[1:]), "evaluations")


def _refine_crossing(
    refit: Refit, steps: list[ProfileStep], place: int, root: Callable[[ProfileStep], float]
) -> ProfileSide:
    """Add steps to a side whose last step is beyond the level, until two steps are close around the level."""
    inside = steps[-2]
    outside = steps[-1]
    added: list[ProfileStep] = []
    while root(outside) - root(inside) > CROSSING_DISTANCE and len(added) < MOST_REFINEMENTS:
        step = refit(_interpolate_crossing(inside, outside, place, root), inside)
        if step is None or step.reason:
            break
        added.append(step)
        if root(step) < 1.0:
            inside = step
        else:
            outside = step
    begin = steps[0]
    ordered = sorted([*steps[1:], *added], key=lambda step: abs(step.unit[place] - begin.unit[place]))
    return ProfileSide(tuple(ordered), "level", _interpolate_crossing(inside, outside, place, root))


def _interpolate_crossing(
    inside: ProfileStep, outside: ProfileStep, place: int, root: Callable[[ProfileStep], float]
) -> float:
    """The place of the level between two steps, by the straight line through their roots."""
    share = (1.0 - root(inside)) / (root(outside) - root(inside))
    return float(inside.unit[place] + share * (outside.unit[place] - inside.unit[place]))
