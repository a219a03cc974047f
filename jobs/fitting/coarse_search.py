"""A search that comes near a minimum with coarse tolerances, and to it with the fit's own and the slopes from there.

A solve with slopes takes two and a half times as long as one without, and most of a search is far from the minimum,
where tenths of a millivolt do not matter. At the end the residuals are exact, and the slopes nearly so. The end is a
minimum in the same sense as that of any other search; the slopes only decide by how many steps it is reached.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.optimize import lsq_linear

from ...data.arrays import Floats
from .evaluations import LeftRange
from .residuals import Residuals
from .search_methods import AT_MINIMUM, Ended, least_squares_search

if TYPE_CHECKING:
    from .evaluations import Best
    from .search import Search

LEFT_RANGE: Final = "left the range of the model"
"""Why a search goes on with the fit's own tolerances."""

LOOSER: Final = 20.0
"""Factor of the solver's tolerances on the way to a minimum. With 10 times the tolerances that were asked for, the
voltage of an SPMe (8 h with pulses) is off by 0.1 mV (RMSE) and its slopes by 0.2 %, in 0.65 of the time (DFN: 0.1 mV,
0.13 %, 0.46). With 20 times, a fit of four parameters more often needs exact slopes after all."""

LOOSEST: Final = 20.0
"""Most by which the way is looser than what was asked for. Chosen, not measured."""

NEAR_SHARE: Final = 0.2
"""Share of the cost: with a smaller promised gain, the minimum is near enough for slopes from here."""

LITTLE_SHARE: Final = 0.01
"""Share of the cost: with a smaller promised gain, the search goes on with exact tolerances, however long its steps.
With coarse ones, it ran along a flat valley to a bound."""

MOST_STEPS: Final = 5
"""Steps with slopes from nearby; near a minimum two or three are enough. Chosen, not measured."""

LONGEST_STEP: Final = 0.03
"""Longest way, on the scaled bounds, with slopes from nearby. Chosen, not measured. Starts of two diffusivities go 0.01
and less."""

WORSE_SHARE: Final = 0.1
"""Share by which the exact cost may exceed the coarse one at the point before. Chosen, not measured."""

UPDATE_SHARE: Final = 3e-5
"""Share of the cost: with a smaller promised gain, the solver's own error would spoil the slopes. Chosen: steps between
evaluations that promise 4e-6 and less do."""

SOLVER_SHARE: Final = 1e-5
"""Share by which the cost at a minimum may differ because of the solver's own error. Chosen, not measured."""


def search_coarsely(search: Search, first: Floats) -> Ended:
    """Search from a point with coarse tolerances, then with the fit's own.

    Args:
        search: with coarse tolerances; it has the fit's own afterwards.
        first: from 0 to 1, shape (parameters,).

    Returns:
        How it ended; if it has not converged, the search must go on from its point.
    """
    try:
        came = least_squares_search(search, first, partial(_is_near, search))
    except LeftRange:
        came = Ended(search.best.unit, LEFT_RANGE, False)
    near = search.best
    search.end_coarse()
    residuals = near.residuals
    if not came.converged or residuals is None or residuals.reason or residuals.slopes_mv.shape[1] < len(first):
        return replace(came, point=near.unit, converged=False)
    search.lend_slopes(residuals)
    try:
        settled = _step_to_minimum(search, near)
    finally:
        search.lend_slopes(None)
    if settled is None:
        search.forget_costs(near)
        return replace(came, point=near.unit, converged=False)
    search.settled = search.best = settled
    return Ended(settled.unit, AT_MINIMUM, True)


def _is_near(search: Search, unit: Floats, residuals: Residuals) -> bool:
    """Tell whether a minimum is near, or coarse tolerances cannot tell where it is: a long step promises little."""
    if not search.is_minimum(unit, residuals, NEAR_SHARE):
        return False
    if search.is_minimum(unit, residuals, LITTLE_SHARE):
        return True
    return bool(np.abs(_bounded_step(search, unit, residuals)).max() <= LONGEST_STEP)


def _step_to_minimum(search: Search, near: Best) -> Best | None:
    """Take steps of linear least squares with slopes from nearby, until none promises a gain; ``None`` = not found."""
    assert near.residuals is not None
    unit, residuals = near.unit, near.residuals
    most = (1.0 + WORSE_SHARE) * near.cost
    for number in range(MOST_STEPS):
        step = _bounded_step(search, unit, residuals)
        unit = np.clip(unit + step, 0.0, 1.0)
        if np.abs(unit - near.unit).max() > LONGEST_STEP:
            return None
        if number == 0:
            search.refine_outputs(unit)  # the evaluations from here on need no others
        before, residuals = residuals, search.residuals(unit)
        cost = search.cost(unit, residuals)
        if residuals.reason or cost > most:
            return None
        if search.is_minimum(unit, residuals):
            return replace(near, cost=cost, unit=unit, residuals=residuals)
        if number and not search.is_minimum(unit, residuals, UPDATE_SHARE):
            residuals = _update_slopes(search, residuals, before, step)
        most = (1.0 + SOLVER_SHARE) * cost
    return None


def _update_slopes(search: Search, residuals: Residuals, before: Residuals, step: Floats) -> Residuals:
    """Correct the slopes along the last step by what it changed (Broyden 1965), for this point and those after it."""
    length = float(step @ step)
    if not length:
        return residuals
    slopes = residuals.all_slopes_mv
    missed = residuals.all_error_mv - before.all_error_mv - slopes @ step
    updated = search.objective.make_residuals(residuals.all_error_mv, slopes + np.outer(missed, step) / length, "")
    search.lend_slopes(updated)
    return updated


def _bounded_step(search: Search, unit: Floats, residuals: Residuals) -> Floats:
    """The step to the minimum of linearised least squares within the bounds, shape (parameters,)."""
    rows, slopes = search.linearise_loss(unit, residuals)
    basis, triangle = np.linalg.qr(slopes)
    step: Floats = lsq_linear(triangle, -(basis.T @ rows), bounds=(-unit, 1.0 - unit), method="bvls").x
    return step
