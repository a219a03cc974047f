"""The search of a start, on parameters scaled to 0 (lower bound) to 1 (upper bound): its cost, and its best point."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Final

import numpy as np

from ...data.arrays import Floats
from ...data.fit_settings import FitSettings
from ...data.results.fitting import Evaluation, Stopped
from .coarse_search import LOOSER, LOOSEST, search_coarsely
from .cost_scale import CostScale, estimate_cost_scale
from .early_stop import EarlyStopping, StoppedEarly
from .evaluations import Best, Exhausted, Journal, LeftRange
from .loss import RowLoss
from .objective import Objective
from .residuals import Residuals
from .search_methods import COST_TOLERANCE, MARGIN, SEARCH_METHODS, Ended, least_squares_search, promised_gain
from .starts import from_scaled

SETTLINGS: Final = 3
"""Times that a search continues with more outputs."""

PRIOR_SETTLINGS: Final = 6
"""Times that a search continues with priors that are weighed anew."""

SAME_SCALE: Final = 0.02
"""Relative change of the deviation that priors are weighed against, below which the weight of the priors is settled."""

SETTLED: Final = 0.01
"""Distance on the scaled bounds: a search that ends as near to its beginning needs the same outputs."""

HALVINGS: Final = 6
"""Times that the distance to the default values is halved, where a start's first point has no solution."""

RETREATS: Final = 6
"""Times that the distance between a point inside and one outside of the model's range is halved."""

EDGE_COST_SHARE: Final = 0.05
"""Share by which the cost may rise on the way back into the range. Chosen, not measured."""

WALL_SHARE: Final = 0.05
"""Gain that a linear model promises, as a share of the cost, from which a search that ended has not come to a minimum.
Chosen: at minima it is below 1e-4, and at the edge of the range 0.2 and more."""

FAILED: Final = "stopped where the model has no solution."
"""Why a search ends where the solver fails."""

LEAST_PRIOR_MV: Final = 0.5
"""Least standard deviation of the voltage in mV that a prior is weighed against."""


class Search:
    """The search of one start: weighs the residuals, counts and records evaluations, and keeps the best point.

    Args:
        objective: replaced during the search by one with more outputs.
        settings: of the fit, with bounds in the parameters' units.
        journal: records evaluations and returns those of an earlier run; ``None`` = nothing is recorded.
        early_stopping: may end the search early; ``None`` = nothing does.
    """

    def __init__(
        self,
        objective: Objective,
        settings: FitSettings,
        journal: Journal | None = None,
        early_stopping: EarlyStopping | None = None,
    ) -> None:
        self.objective = objective
        self.settings = settings
        self._journal = journal
        self._weights = objective.all_weights
        self._root_weights = np.sqrt(self._weights)
        self._measured = len(self._weights) - objective.penalty_rows
        self.loss = RowLoss(settings.objective, self._measured, self._weights[: self._measured])
        self._prior_places = [place for place, p in enumerate(settings.parameters) if p.prior is not None]
        self.prior_mv = np.full(len(self._prior_places), max(objective.noise_mv(), LEAST_PRIOR_MV))
        self._last: tuple[bool, Floats, Residuals] | None = None
        self._early_stopping = early_stopping
        self._running = False
        self._fine: Objective | None = None  # while the objective has coarse tolerances, the fit's own
        self._lender: Residuals | None = None  # whose slopes an evaluation takes over
        self.settled: Best | None = None  # the minimum that a search came to with enough outputs
        self.stopped: Stopped = ""
        self.converged = False
        self.evaluations = 0
        self.best = Best(np.inf, np.zeros(len(settings.parameters)))
        self._left_range = False  # at any point so far
        self._possible = self.best  # the best point at which the model keeps to its range

    def begin_coarse(self) -> None:
        """Use coarse tolerances until the first search is near its minimum, where that is of use."""
        is_differenced = any(part.inputs.mesh_places for part in self.objective.parts)
        if self.settings.method == "least_squares" and not is_differenced:
            self._fine = self.objective
            self.objective = self._fine.loosen(LOOSER, LOOSEST)

    def end_coarse(self) -> None:
        """Use the fit's own tolerances from now on; the best point so far has no cost until it is evaluated again."""
        if self._fine is not None:
            self.objective, self._fine = self._fine, None
            self.forget_costs(self.best)

    def forget_costs(self, point: Best) -> None:
        """Let the next evaluation be the best one, since the cost is another function now; until then it is a point."""
        self._last = None
        self.best = replace(point, cost=np.inf)

    def adopt(self, unit: Floats, residuals: Residuals) -> None:
        """Take over an evaluation of the objective, so that it is not repeated.

        Args:
            unit: from 0 to 1, shape (parameters,).
            residuals: there, with slopes.
        """
        self._last = (True, np.clip(unit, 0.0, 1.0), residuals)

    def lend_slopes(self, lender: Residuals | None) -> None:
        """Evaluate with enough outputs at each point from now on, and with these slopes; ``None`` = as before."""
        self._lender = lender

    def find_solvable_point(self, first: Floats, default: Floats) -> Floats:
        """Find a point at which the model has a solution: the first one, or one nearer to the default point.

        Args:
            first: shape (parameters,), from 0 to 1.
            default: a point that is expected to have a solution, likewise.

        Returns:
            The last point tried, with or without a solution.
        """
        for _ in range(HALVINGS):
            if self.evaluations >= self.settings.max_evaluations or not self.residuals(first).reason:
                return first
            first = default + 0.5 * (first - default)
        return first

    def retreat(self, point: Floats, most_share: float = EDGE_COST_SHARE) -> Floats | None:
        """Return to the range of the model from a point just outside: a penalty leaves a search just beyond the edge.

        Args:
            point: where the search ended, from 0 to 1, shape (parameters,).
            most_share: by which the cost may rise.

        Returns:
            A point just inside, on the way to the best one that was inside; ``None`` = there was none, or its cost is
            much higher.
        """
        inside = self._possible
        outside = point
        if inside.residuals is None:
            return None
        for _ in range(RETREATS):
            if self.evaluations >= self.settings.max_evaluations:
                break
            middle = 0.5 * (inside.unit + outside)
            residuals = self.residuals(middle, slopes=False)
            if residuals.reason:
                outside = middle
            else:
                inside = Best(self.cost(middle, residuals), middle, residuals)
        if inside.cost > (1.0 + most_share) * self.best.cost:
            return None
        self.best = inside
        return inside.unit

    def run(self, first: Floats) -> tuple[Floats, str]:
        """Search from a point with the method of the settings.

        Args:
            first: shape (parameters,), from 0 to 1.

        Returns:
            The best point, from 0 to 1, and why the search ended, in words.
        """
        self.converged = False
        try:
            self._running = True
            ended = self._settled(first)
        except Exhausted:
            self._settle_best()
            words = "at the best point so far; it had not converged: raise max_evaluations"
            return self.best.unit, f"stopped after {self.evaluations} evaluations, {words}"
        except StoppedEarly as end:
            self._settle_best()
            self.stopped = end.stopped
            return self.best.unit, str(end)
        self.converged = ended.converged
        return ended.point, ended.message

    def _settled(self, first: Floats) -> Ended:
        """Search, and continue from there where the voltage at the end needs more outputs, or priors another weight."""
        if self._fine is None:
            ended = SEARCH_METHODS[self.settings.method](self, first)
        else:
            ended = search_coarsely(self, first)
            if ended.converged and not self._prior_places:
                return ended
            if not ended.converged:
                point = np.clip(ended.point, MARGIN, 1.0 - MARGIN)
                if not self.residuals(point).all_slopes_mv.any():
                    return replace(ended, point=point, message=FAILED)  # only the coarse solver has a solution there
                ended = least_squares_search(self, point)
        settlings = 0
        for _ in range(SETTLINGS + PRIOR_SETTLINGS):
            before = self.best
            are_more = settlings < SETTLINGS and self.refine_outputs(ended.point)
            settlings += are_more
            is_other = self._weigh_priors_anew()
            if not are_more and not is_other:
                return ended
            begin = np.clip(ended.point, MARGIN, 1.0 - MARGIN)
            try:
                ended = least_squares_search(self, begin)  # the minimum is near: the range is not searched again
            finally:
                if not np.isfinite(self.best.cost):
                    self.best = before
            if not is_other and np.abs(ended.point - begin).max() < SETTLED:
                return ended
        if not self._prior_places:
            return ended
        return replace(ended, message=f"{ended.message} The weight of the priors did not settle.", converged=False)

    def _settle_best(self) -> None:
        """Give the best point its exact cost, if it only has that of coarse tolerances."""
        unit = self.best.unit
        self.end_coarse()
        if np.isfinite(self.best.cost) or self.best.residuals is None:
            return
        residuals = self.objective.settled_residuals(from_scaled(self.settings.parameters, unit))
        self.best = Best(self.cost(unit, residuals), unit, residuals)

    def refine_outputs(self, point: Floats) -> bool:
        """Take the outputs that a point needs; tell whether they are more, and the cost another function."""
        values = from_scaled(self.settings.parameters, point)
        self.objective, are_more = self.objective.refine_outputs(values)
        if are_more:
            self.forget_costs(replace(self.best, unit=point))
        return are_more

    def _weigh_priors_anew(self) -> bool:
        """Weigh the priors against the residuals of the best point; tell whether that is another weight than before."""
        before = self.prior_mv
        if not len(before) or self.best.residuals is None or self.best.is_without_solution:
            return False
        self.weigh_priors(self.residuals(self.best.unit))
        if np.abs(self.prior_mv / before - 1.0).max() < SAME_SCALE:
            self.prior_mv = before
            return False
        if np.isfinite(self.best.cost):
            self.best = replace(self.best, cost=self.cost(self.best.unit, self.best.residuals))
        return True

    def weigh_priors(self, residuals: Residuals) -> None:
        """Weigh the priors against residuals: one standard deviation of a prior counts as much as that of the data.

        At the end of a search this is the maximum of the posterior density with an unknown variance of the residuals.

        Args:
            residuals: at a point near the optimum, with slopes.
        """
        if len(self.prior_mv):
            scale = np.sqrt(self.cost_scale(residuals).parameter_mv2[self._prior_places])
            self.prior_mv = np.maximum(scale, LEAST_PRIOR_MV)

    def cost_scale(self, residuals: Residuals) -> CostScale:
        """Return what a rise of the cost means.

        Args:
            residuals: at a point near the optimum, with slopes.
        """
        return estimate_cost_scale(self.loss, self.objective.channels(residuals))

    def residuals(self, unit: Floats, *, slopes: bool = True) -> Residuals:
        """Compute the objective's residuals at a point; requests of the same point in a row are evaluated once.

        Args:
            unit: shape (parameters,), from 0 to 1.
            slopes: compute the slopes as well.

        Raises:
            Exhausted: the start has used all of its evaluations.
            StoppedEarly: the start is to end now.
        """
        unit = np.clip(unit, 0.0, 1.0)
        known = self._recall(unit, slopes)
        if known is not None:
            return known
        if self.evaluations >= self.settings.max_evaluations:
            raise Exhausted
        self.evaluations += 1
        residuals = self._evaluate(unit, slopes)
        self._last = (slopes, unit.copy(), residuals)
        cost = self.cost(unit, residuals)
        if cost < self.best.cost:
            self.best = Best(cost, unit.copy(), residuals)
        self._left_range = self._left_range or bool(residuals.reason)
        if cost < self._possible.cost and not residuals.reason:
            self._possible = Best(cost, unit.copy(), residuals)
        if residuals.reason and self._fine is not None and self._possible.residuals is not None:
            raise LeftRange
        if self._early_stopping is not None and self._running:
            self._early_stopping.check(self.best.unit, self.best.cost)
        return residuals

    def _recall(self, unit: Floats, slopes: bool) -> Residuals | None:
        """Return the residuals of the last or of the best point; ``None`` = this is another one, or lacks slopes."""
        if self._last is not None and self._last[0] >= slopes and np.array_equal(self._last[1], unit):
            return self._last[2]
        best = self.best.residuals
        if best is None or not np.isfinite(self.best.cost) or not np.array_equal(self.best.unit, unit):
            return None
        return best if best.slopes_mv.shape[1] >= slopes else None

    def _evaluate(self, unit: Floats, slopes: bool) -> Residuals:
        """Recall an evaluation from the journal, or make and record it."""
        values = from_scaled(self.settings.parameters, unit)
        if self._journal is None:
            return self._solve(values, slopes)
        value_tuple = tuple(float(value) for value in values)
        recorded = self._journal.recall(self.evaluations, value_tuple)
        if recorded is not None:
            return self.objective.make_residuals(*recorded)
        began = time.perf_counter()
        residuals = self._solve(values, slopes)
        seconds = time.perf_counter() - began
        cost = self.cost(unit, residuals)
        evaluation = Evaluation(self.evaluations, value_tuple, cost, residuals.rmse_mv, seconds, residuals.reason)
        self._journal.note(evaluation, residuals.all_error_mv, residuals.all_slopes_mv)
        return residuals

    def _solve(self, values: Floats, slopes: bool) -> Residuals:
        if self._lender is None:
            return self.objective.residuals(values, slopes=slopes)
        return self.objective.settled_residuals(values).with_slopes_of(self._lender)

    def linearise(self, unit: Floats) -> tuple[Floats, Floats]:
        """Linearise the weighted residuals at a point, shape (parameters,), from 0 to 1; the loss is not in them.

        Returns:
            Residuals in mV: those that are measured, then the penalties of the range, then the priors, shape (n,); and
            their slopes by each scaled parameter, shape (n, parameters).
        """
        residuals = self.residuals(unit)
        return self.weighted(unit, residuals), self.weighted_slopes(unit, residuals)

    @property
    def has_priors(self) -> bool:
        """Whether any parameter has a prior."""
        return bool(self._prior_places)

    def data_cost(self, residuals: Residuals) -> float:
        """Compute the cost in mV2 without the priors."""
        return self.loss.cost(self._root_weights * residuals.all_error_mv)

    def prior_squares(self, unit: Floats) -> float:
        """Compute the sum of the squares of the priors' deviations, each over its standard deviation."""
        return float(np.sum((self.prior_residuals(unit)[0] / self.prior_mv) ** 2))

    def cost(self, unit: Floats, residuals: Residuals) -> float:
        """Compute the cost of residuals at a point in mV2, with the loss and the priors.

        Args:
            unit: from 0 to 1, shape (parameters,).
            residuals: there.
        """
        return self.loss.cost(self.weighted(unit, residuals))

    @property
    def rows(self) -> int:
        """Number of residuals without those of the priors."""
        return len(self._weights)

    def weighted(self, unit: Floats, residuals: Residuals) -> Floats:
        """Weigh residuals at a point, from 0 to 1, shape (parameters,): those of the objective, then of the priors."""
        return np.concatenate([self._root_weights * residuals.all_error_mv, self.prior_residuals(unit)[0]])

    def weighted_slopes(self, unit: Floats, residuals: Residuals) -> Floats:
        """Return the slopes of the weighted residuals by each scaled parameter, shape (rows, parameters)."""
        slopes = self._root_weights[:, np.newaxis] * residuals.all_slopes_mv
        return np.vstack([slopes, self.prior_residuals(unit)[1]])

    def prior_residuals(self, unit: Floats) -> tuple[Floats, Floats]:
        """Compute the residuals that the priors add.

        One standard deviation of a prior counts as much as ``prior_mv`` (:meth:`weigh_priors`).

        Args:
            unit: shape (parameters,), from 0 to 1.

        Returns:
            Residuals in mV, shape (priors,), and their slopes by each scaled parameter, shape (priors, parameters).
        """
        parameters = self.settings.parameters
        values = from_scaled(parameters, unit)
        residuals = []
        slopes = []
        for place, scale_mv in zip(self._prior_places, self.prior_mv, strict=True):
            parameter = parameters[place]
            assert parameter.prior is not None
            mean, deviation = parameter.prior
            value = values[place]
            distance = np.log(value / mean) if parameter.scale == "log" else value - mean
            residuals.append(scale_mv * distance / deviation)
            is_place = np.arange(len(parameters)) == place
            slopes.append(np.where(is_place, scale_mv * parameter.span / deviation, 0.0))
        return np.array(residuals), np.array(slopes).reshape(-1, len(parameters))

    def is_minimum(self, unit: Floats, residuals: Residuals, share: float = COST_TOLERANCE) -> bool:
        """Tell whether no step promises to lower the cost by more than a share.

        Args:
            unit: from 0 to 1, shape (parameters,).
            residuals: there, with slopes.
            share: of the cost.
        """
        if residuals.reason:
            return False
        rows, slopes = self.linearise_loss(unit, residuals)
        return promised_gain(unit, rows, slopes) < share * self.cost(unit, residuals)

    def linearise_loss(self, unit: Floats, residuals: Residuals) -> tuple[Floats, Floats]:
        """Return rows and slopes whose linear least squares have the cost's gradient and curvature at a point.

        Args:
            unit: from 0 to 1, shape (parameters,).
            residuals: there, with slopes.
        """
        return self.loss.linearise(self.weighted(unit, residuals), self.weighted_slopes(unit, residuals))

    def is_at_wall(self) -> bool:
        """Tell whether the search ended at the steep edge of the range, no minimum: its steps became too small.

        Beyond the edge the penalty rises so steeply that a search along the edge takes ever smaller steps.
        """
        residuals = self.best.residuals
        if not self.converged or self.stopped or not self._left_range or residuals is None or residuals.reason:
            return False
        if residuals.slopes_mv.shape[1] < len(self.best.unit):
            return False
        return not self.is_minimum(self.best.unit, residuals, WALL_SHARE)

    def cost_only(self, unit: Floats) -> float:
        """Compute the cost at a point, from 0 to 1, shape (parameters,), without slopes."""
        return self.cost(unit, self.residuals(unit, slopes=False))
