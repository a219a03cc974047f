"""The loss functions of SciPy's ``least_squares``: cost, and how much a residual pulls at the parameters."""

from __future__ import annotations

import numpy as np

from ...data.arrays import Floats
from ...data.fit_settings import FitObjective


def robust_cost(residuals: Floats, objective: FitObjective) -> float:
    """Compute the cost of weighted residuals.

    Args:
        residuals: mV, shape (n,).
        objective: its loss function, as SciPy defines it, and the residual in mV at which that sets in.

    Returns:
        Half the sum of squares in mV2, or of the losses.
    """
    if objective.loss == "linear":
        return 0.5 * float(residuals @ residuals)
    square = (residuals / objective.loss_mv) ** 2
    if objective.loss == "soft_l1":
        loss = 2.0 * (np.sqrt(1.0 + square) - 1.0)
    elif objective.loss == "huber":
        loss = np.where(square <= 1.0, square, 2.0 * np.sqrt(square) - 1.0)
    elif objective.loss == "cauchy":
        loss = np.log1p(square)
    else:
        loss = np.arctan(square)
    return 0.5 * objective.loss_mv**2 * float(np.sum(loss))


def pull(residuals: Floats, objective: FitObjective) -> tuple[Floats, Floats]:
    """Compute the derivative of each residual's cost, and the second derivative.

    Args:
        residuals: weighted, mV, shape (n,).
        objective: as for :func:`robust_cost`.

    Returns:
        In mV, and as a number, shape (n,) each: the residuals themselves and 1 without a loss function.
    """
    square = (residuals / objective.loss_mv) ** 2
    if objective.loss == "linear":
        first = np.ones(len(residuals))
        second = np.zeros(len(residuals))
    elif objective.loss == "soft_l1":
        first = (1.0 + square) ** -0.5
        second = -0.5 * (1.0 + square) ** -1.5
    elif objective.loss == "huber":
        outside = np.maximum(square, 1.0)
        first = outside**-0.5
        second = np.where(square > 1.0, -0.5 * outside**-1.5, 0.0)
    elif objective.loss == "cauchy":
        first = 1.0 / (1.0 + square)
        second = -(first**2)
    else:
        first = 1.0 / (1.0 + square**2)
        second = -2.0 * square * first**2
    return residuals * first, first + 2.0 * square * second
