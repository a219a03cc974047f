"""The methods of a search: SciPy's, each with its tolerance as a share of the cost, and the evaluations it may use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.optimize import differential_evolution, least_squares, minimize
from scipy.stats import qmc

from ...data.arrays import Floats
from ...data.fit_settings import FitMethod

if TYPE_CHECKING:
    from .residuals import Residuals
    from .search import Search

    IsEnd = Callable[[Floats, Residuals], bool]

COST_TOLERANCE: Final = 1e-6
"""Share of the cost: a step with a smaller gain changes no parameter by a tenth of its standard error."""

AT_MINIMUM: Final = f"the next step would lower the cost by less than {COST_TOLERANCE:g} of it"
"""Why a search by least squares ends."""

STEP_TOLERANCE: Final = 1e-4
"""Smallest step, on the scaled bounds."""

AT_BOUND: Final = 1e-3
"""Distance on the scaled bounds within which a parameter counts as at its bound."""

BLIND: Final = 1e-9
"""Share of the largest diagonal entry of R (QR of the Jacobian) below which a combination of parameters has no effect
on the voltage."""

POPULATION: Final = 10
"""Most points of differential evolution for each parameter."""

LEAST_POPULATION: Final = 5
"""Least points of differential evolution: it combines three others with each."""

LEAST_GENERATIONS: Final = 6
"""Generations for which the points are made fewer, where the evaluations are few. Chosen, not measured."""

POLISH_EVALUATIONS: Final = (15, 5)
"""Evaluations that are kept for the least squares after differential evolution: in all, and for each parameter. Least
squares needs 5 to 25."""

MOST_POLISH_SHARE: Final = 0.5
"""Largest share of all evaluations that is kept for it."""

MARGIN: Final = 1e-6
"""Distance from the scaled bounds at which a search begins at least."""

LEAST_COST: Final = 1e-300
"""Cost below which its logarithm is not taken."""


class AtMinimum(Exception):  # noqa: N818 - ends a search, which is no error
    """No step promises to lower the cost."""

    def __init__(self, unit: Floats) -> None:
        super().__init__()
        self.unit = unit


@dataclass(frozen=True, slots=True)
class Ended:
    """How a search ended.

    Args:
        point: the best point, from 0 to 1, shape (parameters,).
        message: why it ended, in words.
        converged: it came to a minimum within its tolerance; else to its limit, or it ended abnormally.
    """

    point: Floats
    message: str
    converged: bool


def least_squares_search(search: Search, first: Floats, is_end: IsEnd | None = None) -> Ended:
    """Trust region reflective (Branch, Coleman and Li 1999) with the solver's own derivatives.

    Args:
        first: from 0 to 1, shape (parameters,).
        is_end: whether the search ends at a point; ``None`` = where no step promises to lower the cost.
    """
    try:
        return _trust_region(search, first, is_end or search.is_minimum)
    except AtMinimum as reached:
        return Ended(reached.unit, AT_MINIMUM, True)


def _trust_region(search: Search, first: Floats, is_end: IsEnd) -> Ended:
    def jacobian(unit: Floats) -> Floats:
        residuals = search.residuals(unit)
        if is_end(unit, residuals):
            raise AtMinimum(unit)  # saves the evaluation that would only confirm it
        return search.weighted_slopes(unit, residuals)

    is_linear = search.settings.objective.loss == "linear"
    solution = least_squares(
        lambda x: search.weighted(x, search.residuals(x)),
        first,
        jac=jacobian,  # pyright: ignore[reportArgumentType]
        bounds=(0.0, 1.0),
        loss="linear" if is_linear else search.loss.terms,  # pyright: ignore[reportArgumentType]
        f_scale=search.settings.objective.loss_mv,
        x_scale=1.0,
        ftol=COST_TOLERANCE,
        xtol=STEP_TOLERANCE,
        gtol=None,  # pyright: ignore[reportArgumentType] - SciPy takes None for: not used
    )
    return Ended(solution.x, str(solution.message), bool(solution.success))


def _l_bfgs_b(search: Search, first: Floats) -> Ended:
    count = search.rows

    def cost_and_gradient(unit: Floats) -> tuple[float, Floats]:
        residuals = search.residuals(unit)
        weighted = search.weighted(unit, residuals)
        pull, _ = search.loss.pull(weighted)
        return search.loss.cost(weighted) / count, search.weighted_slopes(unit, residuals).T @ pull / count

    bounds = [(0.0, 1.0)] * len(first)
    solution = minimize(cost_and_gradient, first, jac=True, method="L-BFGS-B", bounds=bounds)
    # Near a minimum a line search fails, since the solver's own error is larger than what is left to gain.
    converged = bool(solution.success) or search.is_minimum(solution.x, search.residuals(solution.x))
    return Ended(solution.x, str(solution.message), converged)


def _nelder_mead(search: Search, first: Floats) -> Ended:
    options = {"xatol": STEP_TOLERANCE, "fatol": COST_TOLERANCE, "maxfev": 2 * search.settings.max_evaluations}
    bounds = [(0.0, 1.0)] * len(first)
    # The steps depend on the order of the costs alone; of their logarithm the tolerance is a share.
    solution = minimize(
        lambda unit: np.log(max(search.cost_only(unit), LEAST_COST)),
        first,
        method="Nelder-Mead",
        bounds=bounds,
        options=options,
    )
    return Ended(solution.x, str(solution.message), bool(solution.success))


def _differential_evolution(search: Search, first: Floats) -> Ended:
    """Differential evolution (Storn and Price 1997) with the fit's seed, then least squares from its best.

    Both have their part of the evaluations, so that the least squares are always reached.
    """
    dimensions = len(first)
    left = search.settings.max_evaluations - search.evaluations
    kept = min(POLISH_EVALUATIONS[0] + POLISH_EVALUATIONS[1] * dimensions, int(MOST_POLISH_SHARE * left))
    most = max(left - kept, 1)
    points = int(np.clip(most // (LEAST_GENERATIONS + 1), LEAST_POPULATION, POPULATION * dimensions))
    rng = np.random.default_rng(search.settings.seed)
    spread = qmc.LatinHypercube(dimensions, rng=rng).random(points)
    solution = differential_evolution(
        search.cost_only,
        [(0.0, 1.0)] * dimensions,
        init=spread,  # pyright: ignore[reportArgumentType]
        x0=first,
        maxiter=max(most // points - 1, 0),
        rng=rng,
        polish=False,
    )
    words = "converged" if solution.success else f"used its {solution.nfev} evaluations"
    ended = least_squares_search(search, np.clip(solution.x, MARGIN, 1.0 - MARGIN))
    return replace(ended, message=f"Differential evolution {words}. Then: {ended.message}")


SEARCH_METHODS: Final[dict[FitMethod, Callable[[Search, Floats], Ended]]] = {
    "least_squares": least_squares_search,
    "l_bfgs_b": _l_bfgs_b,
    "nelder_mead": _nelder_mead,
    "differential_evolution": _differential_evolution,
}
"""The method of each name: searches from a point, from 0 to 1, shape (parameters,)."""


def promised_gain(unit: Floats, residuals: Floats, slopes: Floats) -> float:
    """Return by how much linearised least squares promise to lower half the sum of squares, at most.

    A parameter that presses against a bound adds what its remaining distance to the bound allows.

    Args:
        unit: shape (parameters,), from 0 to 1.
        residuals: shape (n,).
        slopes: by each scaled parameter, shape (n, parameters).
    """
    gradient = slopes.T @ residuals
    distance = np.where(gradient > 0.0, unit, 1.0 - unit)
    free = distance > AT_BOUND
    basis, triangle = np.linalg.qr(slopes[:, free])
    has_effect = np.abs(np.diag(triangle)) > BLIND * np.abs(triangle).max(initial=0.0)
    along = basis[:, has_effect].T @ residuals
    return 0.5 * float(along @ along) + float(np.abs(gradient[~free]) @ distance[~free])
