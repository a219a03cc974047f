"""Which starts of a fit found the same minimum: the data tell neither their costs nor their parameters apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import chi2

from ...data.arrays import Floats
from ...data.results.fitting import StartResult
from .residuals import Residuals
from .search import Search
from .starts import to_scaled

AGREEING_PROBABILITY: Final = 0.95
"""Probability of the chi-square that starts may differ by: parameters inside this joint region are all plausible."""

MOST_COST_SHARE: Final = 0.1
"""Largest share of the cost that agreeing starts may differ by, however little the data can tell: 5 % of the RMSE. With
residuals that are correlated over a tenth of the record, twice the cost would be inside. Chosen, not measured."""

SOLVER_ERROR_MV: Final = 0.02
"""RMSE between two solutions at the same values with other outputs (``choose_attempt.TOLERANCE_FACTOR``): starts cannot
agree better."""


def common_costs(starts: Sequence[StartResult], scale_mv2: float) -> Floats:
    """Return costs that compare between starts which weighed their priors against different residuals.

    They fall as the posterior density of the values does with an unknown variance of the residuals: half the effective
    number of samples times the logarithm of the data's cost, and half the sum of squares of the priors. Without priors
    they rank as the cost does.

    Args:
        starts: of one fit, all with ``data_cost``.
        scale_mv2: cost that is worth 1 in half the chi-square of the data, at the best of the starts.

    Returns:
        Shape (starts,), mV2: near the lowest of the costs they are the cost and the priors at this scale.
    """
    data = np.array([start.data_cost for start in starts], float)
    squares = np.array([start.prior_squares for start in starts])
    lowest = max(float(data.min()), np.finfo(float).tiny)
    costs: Floats = lowest * (1.0 + np.log(np.maximum(data, lowest) / lowest)) + 0.5 * scale_mv2 * squares
    return costs


def find_best_start(starts: Sequence[StartResult], search: Search) -> StartResult:
    """Find the start with the lowest cost; if the fit has priors, by costs that compare between the starts.

    Args:
        search: of the objective; without priors, nothing is evaluated.
    """
    lowest = min(starts, key=lambda start: (start.ranked_by, start.start))
    if not search.has_priors or any(start.data_cost is None for start in starts):
        return lowest
    fewest = min(starts, key=lambda start: (start.data_cost, start.start))
    unit = to_scaled(search.settings.parameters, np.array(fewest.values))
    costs = common_costs(starts, search.cost_scale(search.residuals(unit)).common_mv2)
    return min(zip(costs, starts, strict=True), key=lambda pair: (pair[0], pair[1].start))[1]


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """What a start may differ by from the best one.

    Args:
        search: at the fit's objective, with the priors weighed at the best values.
        best: the best start.
        unit: its values from 0 to 1, shape (parameters,).
        residuals: there, with slopes.
        scale_mv2: cost that is worth 1 in half the chi-square of the data.
    """

    search: Search
    best: StartResult
    unit: Floats
    residuals: Residuals
    scale_mv2: float

    @property
    def most_mv2(self) -> float:
        """Largest difference of the cost in mV2."""
        resolved = 0.5 * self.scale_mv2 * float(chi2.ppf(AGREEING_PROBABILITY, len(self.unit)))
        share = MOST_COST_SHARE * self.search.data_cost(self.residuals)
        return max(min(resolved, share), 0.5 * len(self.residuals.error_mv) * SOLVER_ERROR_MV**2)

    def find_agreeing(self, starts: Sequence[StartResult]) -> list[StartResult]:
        """Find the starts that ended at the minimum of the best one, among those that are done.

        Args:
            starts: of the fit, the best one among them.
        """
        done = [start for start in starts if start.is_done]
        if not done:
            return []
        if any(start.data_cost is None for start in (*done, self.best)):
            higher = np.array([start.ranked_by - self.best.ranked_by for start in done])
        else:
            costs = common_costs([self.best, *done], self.scale_mv2)
            higher = costs[1:] - costs[0]
        most = self.most_mv2
        return [
            start
            for start, difference in zip(done, higher, strict=True)
            if difference <= most and self._distance_mv2(start) <= most
        ]

    def _distance_mv2(self, start: StartResult) -> float:
        """Rise of the cost from the best values to those of a start, if the voltage changes with them in proportion."""
        moved = to_scaled(self.search.settings.parameters, np.array(start.values)) - self.unit
        rows, slopes = self.search.linearise(self.unit)
        change = self.search.loss.linearise(rows, slopes)[1] @ moved
        return 0.5 * float(change @ change)


def find_agreeing(
    search: Search, best: StartResult, unit: Floats, residuals: Residuals, starts: Sequence[StartResult]
) -> list[StartResult]:
    """Find the starts that ended at the minimum of the best one, among those that are done.

    Args:
        search, best, unit, residuals: as in :class:`Agreement`.
        starts: of the fit.
    """
    scale_mv2 = search.cost_scale(residuals).common_mv2
    return Agreement(search, best, unit, residuals, scale_mv2).find_agreeing(starts)
