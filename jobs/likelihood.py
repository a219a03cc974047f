"""Profile likelihoods: how the cost rises when one fitted parameter is held and all others are fitted anew.

Raue et al., Bioinformatics 25 (2009) 1923. The 95 % level is that of the linear intervals (:mod:`.uncertainty`), so
that both agree where the cost is a parabola: half the squared quantile, times the variance of the errors as they are
taken there, above the cost of the optimum.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import least_squares

from ..data.fit_settings import FitObjective, FitSettings
from ..data.fit_values import FitResult, ProfilePoint, ProfileResult
from .fit import errors_at
from .likelihood_steps import Side, Step, walk
from .objective import Objective
from .search import Exhausted, Journal, Search
from .starts import from_unit, to_unit

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

LOWER: Final = 0.1  # of the rise to the level: a profile that falls this far below the optimum has found a better one
EVALUATIONS: Final = 2  # times those of a start, for a whole profile
TIGHTER: Final = 0.1  # times the solver's tolerances: the level is often less than 0.1 mV above the optimum's RMSE
COST_SHARE: Final = 1e-3  # of the rise to the level, to which the others are fitted
STEP_TOLERANCE: Final = 1e-5  # of the scaled bounds


def profile_of(
    samples: pd.DataFrame, fit: FitResult, name: str, measured_celsius: float | None, journal: Journal | None = None
) -> ProfileResult:
    """Compute the profile likelihood of one parameter of a fit, to both sides of its optimum.

    Args:
        name: of the parameter.
        journal: where evaluations are noted, and recalled from when this profile was begun before.
    """
    objective = Objective(samples, fit.settings, measured_celsius)
    for part in objective.parts:
        part.attempt = replace(part.attempt, tighter=TIGHTER * part.attempt.tighter)
    settings = objective.settings
    place = [p.name for p in settings.parameters].index(name)
    most = EVALUATIONS * settings.max_evaluations
    search = Search(objective, replace(settings, max_evaluations=most), journal)
    values = np.array([p.value for p in fit.parameters])
    objective.settle(values)
    unit = np.clip(to_unit(settings.parameters, values), 0.0, 1.0)
    errors = errors_at(objective, search, unit, search.residuals(unit))
    refit = _Refit(search, settings.objective, place, 0.5 * errors.quantile**2 * float(errors.variance_mv2[place]))
    begin = refit.optimum(unit)
    half = errors.quantile * float(errors.standard_error[place])
    lower, upper = (walk(refit, begin, place, direction, refit.rise, half) for direction in (-1, 1))
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

    def __call__(self, at: float, neighbour: Step) -> Step | None:
        place = self._place
        moved = np.clip(neighbour.unit + (at - neighbour.unit[place]) * neighbour.tangent, 0.0, 1.0)
        stays = neighbour.unit.copy()
        moved[place] = stays[place] = at
        try:
            first = stays if self._search.residuals(moved).reason else moved
            return self.step(self._fitted(first, neighbour.cost, np.arange(len(first)) != place))
        except Exhausted:
            return None

    def optimum(self, unit: Floats) -> Step:
        """The optimum near the fit's, which tighter tolerances may move a little; its own step where it is none."""
        begin = self.step(unit)
        found = self.step(self._fitted(unit, begin.cost, np.ones(len(unit), np.bool_)))
        return begin if found.reason or found.cost > begin.cost else found

    def step(self, unit: Floats) -> Step:
        """The step at a point as it is."""
        found = self._search.residuals(unit)
        residuals, slopes = self._search.linearised(unit)
        others = np.arange(len(unit)) != self._place
        tangent = np.zeros(len(unit))
        tangent[self._place] = 1.0
        # One at its bound stays there.
        others &= (unit > 0.0) & (unit < 1.0)
        tangent[others] = -np.linalg.lstsq(slopes[:, others], slopes[:, self._place], rcond=1e-6)[0]
        return Step(unit.copy(), cost_of(residuals, self._objective), found.rmse_mv, tangent, found.reason)

    def _fitted(self, first: Floats, cost: float, free: Mask) -> Floats:
        if not free.any():
            return first

        def whole(values: Floats) -> Floats:
            unit = first.copy()
            unit[free] = values
            return unit

        found = least_squares(
            lambda x: self._search.linearised(whole(x))[0],
            first[free],
            jac=lambda x: self._search.linearised(whole(x))[1][:, free],  # pyright: ignore[reportArgumentType]
            bounds=(0.0, 1.0),
            loss=self._objective.loss,
            f_scale=self._objective.loss_mv,
            ftol=float(np.clip(COST_SHARE * self.rise / max(cost, np.finfo(float).tiny), 1e-10, 1e-3)),
            xtol=STEP_TOLERANCE,
            gtol=None,  # pyright: ignore[reportArgumentType] - SciPy takes it for: not asked
        )
        return whole(found.x)


def cost_of(residuals: Floats, objective: FitObjective) -> float:
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


def _value(settings: FitSettings, place: int, side: Side) -> float | None:
    """The value at which a side crosses the level."""
    if side.crossing is None:
        return None
    return float(from_unit(settings.parameters[place : place + 1], np.array([side.crossing]))[0])


def _point(settings: FitSettings, place: int, step: Step) -> ProfilePoint:
    return ProfilePoint(float(from_unit(settings.parameters, step.unit)[place]), step.rmse_mv, step.cost)


def _verdict(
    value: float, inside: tuple[float | None, float | None], sides: tuple[Side, Side], begin: Step, rise: float
) -> str:
    """The profile in words."""
    lower, upper = inside
    best = min((step for side in sides for step in side.steps), key=lambda step: step.cost, default=begin)
    if best.cost < begin.cost - LOWER * rise:
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
