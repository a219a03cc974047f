"""The searches of a start: SciPy's, on parameters scaled to 0 (lower bound) to 1 (upper bound)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

import numpy as np
from scipy.optimize import differential_evolution, least_squares, minimize

from ...data.arrays import Floats
from ...data.fit_settings import FitSettings
from ...data.results.fitting import Evaluation, Stopped
from .early_stop import EarlyStopping, StoppedEarly
from .objective import Objective
from .residuals import Residuals
from .starts import from_scaled

COST_TOLERANCE: Final = 1e-6
"""Share of the cost: a step with a smaller gain changes no parameter by a tenth of its standard error."""

STEP_TOLERANCE: Final = 1e-4
"""Smallest step, on the scaled bounds."""

AT_BOUND: Final = 1e-3
"""Distance on the scaled bounds within which a parameter counts as at its bound."""

BLIND: Final = 1e-9
"""Share of the largest diagonal entry of R (QR of the Jacobian) below which a combination of parameters has no effect
on the voltage."""

POPULATION: Final = 10
"""Points of differential evolution for each parameter."""

SETTLINGS: Final = 3
"""Times that a search continues with more outputs."""

SETTLED: Final = 0.01
"""Distance on the scaled bounds: a search that ends as near to its beginning needs the same outputs."""

MARGIN: Final = 1e-6
"""Distance from the scaled bounds at which a search begins at least."""

HALVINGS: Final = 6
"""Times that the distance to the default values is halved, where a start's first point has no solution."""

LEAST_PRIOR_MV: Final = 0.5
"""Least standard deviation of the voltage in mV that a prior is weighed against."""


class Journal(Protocol):
    """Record of a start's evaluations, so that a start that was killed continues from its last one."""

    def recall(self, number: int, values: tuple[float, ...]) -> tuple[Floats, Floats, str] | None:
        """Return errors, slopes and reason of an evaluation, if it was recorded at exactly these values.

        Args:
            number: of the evaluation, from 1.
            values: in the parameters' units.
        """

    def note(self, evaluation: Evaluation, error_mv: Floats, slopes_mv: Floats) -> None:
        """Append an evaluation."""


class Exhausted(Exception):  # noqa: N818 - ends a search, which is no error
    """A start has used all of its evaluations."""


class AtMinimum(Exception):  # noqa: N818 - ends a search, which is no error
    """No step promises to lower the cost."""

    def __init__(self, unit: Floats) -> None:
        super().__init__()
        self.unit = unit


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
        self._settings = settings
        self._journal = journal
        self._root_weights = np.sqrt(objective.all_weights)
        self.prior_mv = max(objective.noise_mv(), LEAST_PRIOR_MV)
        self._last: tuple[bool, Floats, Residuals] | None = None
        self._early_stopping = early_stopping
        self._running = False
        self.stopped: Stopped = ""
        self.evaluations = 0
        self.best: tuple[float, Floats] = (np.inf, np.zeros(len(settings.parameters)))
        self.without_solution = False  # at the best point

    def find_solvable_point(self, first: Floats, default: Floats) -> Floats:
        """Find a point at which the model has a solution: the first one, or one nearer to the default point.

        Args:
            first: shape (parameters,), from 0 to 1.
            default: a point that is expected to have a solution, likewise.

        Returns:
            The last point tried, with or without a solution.
        """
        for _ in range(HALVINGS):
            if self.evaluations >= self._settings.max_evaluations or not self.residuals(first).reason:
                return first
            first = default + 0.5 * (first - default)
        return first

    def run(self, first: Floats) -> tuple[Floats, str]:
        """Search from a point with the method of the settings.

        Args:
            first: shape (parameters,), from 0 to 1.

        Returns:
            The best point, from 0 to 1, and why the search ended, in words.
        """
        searches: dict[str, Callable[[Floats], tuple[Floats, str]]] = {
            "least_squares": self._least_squares,
            "l_bfgs_b": self._l_bfgs_b,
            "nelder_mead": self._nelder_mead,
            "differential_evolution": self._differential_evolution,
        }
        try:
            self._running = True
            return self._settled(searches[self._settings.method], first)
        except Exhausted:
            return self.best[1], f"stopped after {self.evaluations} evaluations, at the best point so far"
        except StoppedEarly as end:
            self.stopped = end.stopped
            return self.best[1], str(end)

    def _settled(self, search: Callable[[Floats], tuple[Floats, str]], first: Floats) -> tuple[Floats, str]:
        """Search, and continue from there if the voltage at the end needs more outputs than at the beginning."""
        point, message = search(first)
        for _ in range(SETTLINGS):
            values = from_scaled(self._settings.parameters, point)
            self.objective, are_more = self.objective.refine_outputs(values)
            if not are_more:
                break
            if self._settings.method == "differential_evolution":
                search = self._least_squares  # the whole range is not searched again
            best_before = self.best
            begin = np.clip(point, MARGIN, 1.0 - MARGIN)
            # With other outputs, the cost is a different function.
            self._last = None
            self.best = (np.inf, point)
            try:
                point, message = search(begin)
            finally:
                if not np.isfinite(self.best[0]):
                    self.best = best_before
            if np.abs(point - begin).max() < SETTLED:
                break
        return point, message

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
        if self._last is not None and self._last[0] == slopes and np.array_equal(self._last[1], unit):
            return self._last[2]
        if self.evaluations >= self._settings.max_evaluations:
            raise Exhausted
        self.evaluations += 1
        residuals = self._evaluate(unit, slopes)
        self._last = (slopes, unit.copy(), residuals)
        cost = self._cost(unit, residuals)
        if cost < self.best[0]:
            self.best = (cost, unit.copy())
            self.without_solution = bool(residuals.reason)
        if self._early_stopping is not None and self._running:
            self._early_stopping.check(self.best[1], self.best[0])
        return residuals

    def _evaluate(self, unit: Floats, slopes: bool) -> Residuals:
        """Recall an evaluation from the journal, or make and record it."""
        values = from_scaled(self._settings.parameters, unit)
        if self._journal is None:
            return self.objective.residuals(values, slopes=slopes)
        value_tuple = tuple(float(value) for value in values)
        recorded = self._journal.recall(self.evaluations, value_tuple)
        if recorded is not None:
            return self.objective.make_residuals(*recorded)
        began = time.perf_counter()
        residuals = self.objective.residuals(values, slopes=slopes)
        seconds = time.perf_counter() - began
        cost = self._cost(unit, residuals)
        evaluation = Evaluation(self.evaluations, value_tuple, cost, residuals.rmse_mv, seconds, residuals.reason)
        self._journal.note(evaluation, residuals.all_error_mv, residuals.all_slopes_mv)
        return residuals

    def linearise(self, unit: Floats) -> tuple[Floats, Floats]:
        """Linearise the weighted residuals at a point, shape (parameters,), from 0 to 1.

        Returns:
            Residuals in mV, those of the priors last, shape (n,), and their slopes by each scaled parameter, shape
            (n, parameters).
        """
        residuals = self.residuals(unit)
        return self._weighted(unit, residuals), self._weighted_slopes(unit, residuals)

    def _cost(self, unit: Floats, residuals: Residuals) -> float:
        return 0.5 * float(np.sum(self._weighted(unit, residuals) ** 2))

    def _weighted(self, unit: Floats, residuals: Residuals) -> Floats:
        return np.concatenate([self._root_weights * residuals.all_error_mv, self.prior_residuals(unit)[0]])

    def _weighted_slopes(self, unit: Floats, residuals: Residuals) -> Floats:
        return np.vstack([self._root_weights[:, np.newaxis] * residuals.all_slopes_mv, self.prior_residuals(unit)[1]])

    def prior_residuals(self, unit: Floats) -> tuple[Floats, Floats]:
        """Compute the residuals that the priors add.

        One standard deviation of a prior counts as much as the noise of the voltage.

        Args:
            unit: shape (parameters,), from 0 to 1.

        Returns:
            Residuals in mV, shape (priors,), and their slopes by each scaled parameter, shape (priors, parameters).
        """
        parameters = self._settings.parameters
        values = from_scaled(parameters, unit)
        residuals = []
        slopes = []
        for place, parameter in enumerate(parameters):
            if parameter.prior is None:
                continue
            mean, deviation = parameter.prior
            value = values[place]
            distance = np.log(value / mean) if parameter.scale == "log" else value - mean
            residuals.append(self.prior_mv * distance / deviation)
            is_place = np.arange(len(parameters)) == place
            slopes.append(np.where(is_place, self.prior_mv * parameter.span / deviation, 0.0))
        return np.array(residuals), np.array(slopes).reshape(-1, len(parameters))

    def _least_squares(self, first: Floats) -> tuple[Floats, str]:
        """Trust region reflective (Branch, Coleman and Li 1999) with the solver's own derivatives."""
        try:
            return self._trust_region(first)
        except AtMinimum as reached:
            return reached.unit, f"the next step would lower the cost by less than {COST_TOLERANCE:g} of it"

    def _trust_region(self, first: Floats) -> tuple[Floats, str]:
        objective = self._settings.objective

        def jacobian(unit: Floats) -> Floats:
            residuals = self.residuals(unit)
            slopes = self._weighted_slopes(unit, residuals)
            if objective.loss == "linear" and not residuals.reason:
                promised = promised_gain(unit, self._weighted(unit, residuals), slopes)
                if promised < COST_TOLERANCE * self._cost(unit, residuals):
                    raise AtMinimum(unit)  # saves the evaluation that would only confirm it
            return slopes

        solution = least_squares(
            lambda x: self._weighted(x, self.residuals(x)),
            first,
            jac=jacobian,  # pyright: ignore[reportArgumentType]
            bounds=(0.0, 1.0),
            loss=objective.loss,
            f_scale=objective.loss_mv,
            x_scale=1.0,
            ftol=COST_TOLERANCE,
            xtol=STEP_TOLERANCE,
            gtol=None,  # pyright: ignore[reportArgumentType] - SciPy takes None for: not used
        )
        return solution.x, str(solution.message)

    def _l_bfgs_b(self, first: Floats) -> tuple[Floats, str]:
        count = len(self._root_weights)

        def cost_and_gradient(unit: Floats) -> tuple[float, Floats]:
            residuals = self.residuals(unit)
            weighted = self._weighted(unit, residuals)
            cost = 0.5 * float(weighted @ weighted) / count
            return cost, self._weighted_slopes(unit, residuals).T @ weighted / count

        bounds = [(0.0, 1.0)] * len(first)
        solution = minimize(cost_and_gradient, first, jac=True, method="L-BFGS-B", bounds=bounds)
        return solution.x, str(solution.message)

    def _nelder_mead(self, first: Floats) -> tuple[Floats, str]:
        options = {"xatol": STEP_TOLERANCE, "fatol": COST_TOLERANCE, "maxfev": self._settings.max_evaluations}
        bounds = [(0.0, 1.0)] * len(first)
        solution = minimize(self._mean_cost, first, method="Nelder-Mead", bounds=bounds, options=options)
        return solution.x, str(solution.message)

    def _differential_evolution(self, first: Floats) -> tuple[Floats, str]:
        """Differential evolution (Storn and Price 1997) with the fit's seed, then least squares from its best."""
        solution = differential_evolution(
            self._mean_cost,
            [(0.0, 1.0)] * len(first),
            x0=first,
            popsize=POPULATION,
            rng=np.random.default_rng(self._settings.seed),
            polish=False,
        )
        point, message = self._least_squares(np.clip(solution.x, MARGIN, 1.0 - MARGIN))
        return point, f"{solution.message} Then: {message}"

    def _mean_cost(self, unit: Floats) -> float:
        """The cost for each used sample, without slopes."""
        return self._cost(unit, self.residuals(unit, slopes=False)) / len(self._root_weights)


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
