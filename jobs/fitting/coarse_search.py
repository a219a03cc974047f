"""A search that comes near a minimum with coarse tolerances, and to it with the fit's own, by the slopes of the coarse end.

A solve with slopes takes two and a half times as long as one without, and most of a search is far from the minimum,
where tenths of a millivolt do not matter. At the end the residuals are exact, and the slopes nearly so. The end is a
minimum in the same sense as that of any other search; the slopes only decide by how many steps it is reached.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.optimize import lsq_linear

from ...data.arrays import Floats
from .residuals import Residuals
from .search_methods import AT_MINIMUM, Ended, least_squares_search

if TYPE_CHECKING:
    from .search import Best, Search

LOOSER: Final = 40.0
"""Factor of the solver's tolerances on the way to a minimum. With 20 times the tolerances that were asked for, the
voltage of an SPMe (8 h with pulses) is off by 0.2 mV (RMSE), its slopes by 0.5 %, and an evaluation takes 0.6 of the
time."""

LOOSEST: Final = 20.0
"""Most by which the way is looser than what was asked for. Chosen, not measured."""

NEAR_SHARE: Final = 0.2
"""Share of the cost: with a smaller promised gain, the minimum is near enough for slopes that stay the same."""

MOST_STEPS: Final = 5
"""Steps with the same slopes; near a minimum two are enough. Chosen, not measured."""

LONGEST_STEP: Final = 0.1
"""Longest step, on the scaled bounds, over which slopes may stay the same. Chosen, not measured."""

WORSE_SHARE: Final = 0.1
"""Share by which the exact cost may exceed the coarse one at the point before. Chosen, not measured."""


def search_coarsely(search: Search, first: Floats) -> Ended:
    """Search from a point with coarse tolerances, then with the fit's own.

    Args:
        search: with coarse tolerances; it has the fit's own afterwards.
        first: from 0 to 1, shape (parameters,).

    Returns:
        How it ended; if it has not converged, the search must go on from its point.
    """
    came = least_squares_search(search, first, NEAR_SHARE)
    near = search.best
    search.end_coarse()
    residuals = near.residuals
    if not came.converged or residuals is None or residuals.reason or residuals.slopes_mv.shape[1] < len(first):
        return replace(came, point=near.unit, converged=False)
    with search.borrow_slopes(residuals):
        settled = _step_to_minimum(search, near)
    if settled is None:
        search.forget_costs(near)
        return replace(came, point=near.unit, converged=False)
    search.settled = search.best = settled
    return Ended(settled.unit, AT_MINIMUM, True)


def _step_to_minimum(search: Search, near: Best) -> Best | None:
    """Take the steps of linear least squares with the same slopes, until none promises a gain; ``None`` = they fail."""
    assert near.residuals is not None
    unit, residuals = near.unit, near.residuals
    most = (1.0 + WORSE_SHARE) * near.cost
    for number in range(MOST_STEPS):
        step = _bounded_step(search, unit, residuals)
        if np.abs(step).max() > LONGEST_STEP:
            return None
        unit = np.clip(unit + step, 0.0, 1.0)
        if number == 0:
            search.refine_outputs(unit)  # the evaluations from here on need no others
        residuals = search.residuals(unit)
        cost = search.cost(unit, residuals)
        if residuals.reason or cost > most:
            return None
        if search.is_minimum(unit, residuals):
            return replace(near, cost=cost, unit=unit, residuals=residuals)
        most = cost
    return None


def _bounded_step(search: Search, unit: Floats, residuals: Residuals) -> Floats:
    """The step to the minimum of linearised least squares within the bounds, shape (parameters,)."""
    rows, slopes = search.linearise_loss(unit, residuals)
    basis, triangle = np.linalg.qr(slopes)
    step: Floats = lsq_linear(triangle, -(basis.T @ rows), bounds=(-unit, 1.0 - unit), method="bvls").x
    return step
