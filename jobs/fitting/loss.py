"""The loss of a fit: how much a residual of some size costs, and with which weight it pulls at the parameters.

All searches minimise half the sum of the losses, rank their points by it and end by it. Rows that are not measured (the
range of the model, priors) always cost half their square: a robust loss is about outliers of the measurement. So the
error at which it sets in is that of the voltage itself: a sample of weight 3 counts as three samples with its error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ...data.arrays import Floats
from ...data.fit_settings import FitObjective

LEAST_CURVATURE: Final = 0.01
"""Least curvature of a row, as a share of its weight: beyond the inflection of a loss the curvature is negative.
Chosen, not measured."""


@dataclass(frozen=True, slots=True, eq=False)
class RowLoss:
    """The loss of the rows of a fit's residuals.

    Args:
        objective: with the loss and the residual in mV at which it sets in.
        measured: number of rows that are measured; they come first.
        weights: of their residuals, shape (measured,); ``None`` = 1. A row is a residual times the root of its weight.
    """

    objective: FitObjective
    measured: int
    weights: Floats | None = None

    def terms(self, squares: Floats) -> Floats:
        """Compute the loss as SciPy's ``least_squares`` takes it.

        Args:
            squares: of the rows over ``loss_mv``, shape (rows,).

        Returns:
            The loss, its first and its second derivative by the square, shape (3, rows).
        """
        terms = np.stack([squares, np.ones_like(squares), np.zeros_like(squares)])
        z = squares[: self.measured]
        weights = np.ones(self.measured)
        if self.weights is not None:
            weights = np.where(self.weights > 0.0, self.weights, 1.0)
            z = z / weights  # the square of the error itself
        loss = self.objective.loss
        if loss == "soft_l1":
            root = np.sqrt(1.0 + z)
            robust = (2.0 * (root - 1.0), 1.0 / root, -0.5 / root**3)
        elif loss == "huber":
            size = np.sqrt(np.maximum(z, 1.0))
            outside = z > 1.0
            robust = (
                np.where(outside, 2.0 * size - 1.0, z),
                1.0 / size,
                np.where(outside, -0.5 / size**3, 0.0),
            )
        elif loss == "cauchy":
            robust = (np.log1p(z), 1.0 / (1.0 + z), -1.0 / (1.0 + z) ** 2)
        elif loss == "arctan":
            robust = (np.arctan(z), 1.0 / (1.0 + z**2), -2.0 * z / (1.0 + z**2) ** 2)
        else:
            return terms
        value, first, second = robust
        terms[:, : self.measured] = weights * value, first, second / weights
        return terms

    def cost(self, rows: Floats) -> float:
        """Compute half the sum of the losses in mV2.

        Args:
            rows: weighted residuals in mV, shape (rows,).
        """
        if self.objective.loss == "linear":
            return 0.5 * float(rows @ rows)
        limit = self.objective.loss_mv
        return 0.5 * limit**2 * float(np.sum(self.terms((rows / limit) ** 2)[0]))

    def pull(self, rows: Floats) -> tuple[Floats, Floats]:
        """Compute how each row pulls at the parameters: first and second derivative of the cost by the residual.

        Args:
            rows: weighted residuals in mV, shape (rows,).

        Returns:
            First derivative in mV, and second derivative (at least ``LEAST_CURVATURE`` of the row's weight), shape
            (rows,) each; for squares these are the residuals and ones.
        """
        pull, curvature = self.derivatives(rows)
        weight = self.terms((rows / self.objective.loss_mv) ** 2)[1]
        return pull, np.maximum(curvature, LEAST_CURVATURE * weight)

    def derivatives(self, rows: Floats) -> tuple[Floats, Floats]:
        """Compute first and second derivative of the cost by each residual, as :meth:`pull`, negative ones included."""
        squares = (rows / self.objective.loss_mv) ** 2
        _, first, second = self.terms(squares)
        return first * rows, first + 2.0 * second * squares

    def linearise(self, rows: Floats, slopes: Floats) -> tuple[Floats, Floats]:
        """Return rows and slopes whose squares have the gradient and the curvature of the cost.

        Args:
            rows: weighted residuals in mV, shape (rows,).
            slopes: of these, shape (rows, parameters).
        """
        if self.objective.loss == "linear":
            return rows, slopes
        pull, curvature = self.pull(rows)
        root = np.sqrt(curvature)
        return pull / root, slopes * root[:, np.newaxis]
