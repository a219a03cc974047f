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
from .objective import Objective, Residuals
from .starts import from_scaled

COST_TOLERANCE: Final = (
    1e-6  # share of the cost: a step that lowers it by less moves no parameter by a tenth of its error
)
STEP_TOLERANCE: Final = 1e-4  # of the scaled bounds
AT_BOUND: Final = 1e-3  # of the scaled bounds
BLIND: Final = 1e-9  # of the largest: a combination of parameters that does nothing
POPULATION: Final = 10  # points of differential evolution for each parameter
SETTLINGS: Final = 3  # times that a search goes on with more outputs
SETTLED: Final = 0.01  # of the scaled bounds: so near, the same outputs are needed
MARGIN: Final = 1e-6  # of the scaled bounds, within which a search begins
HALVINGS: Final = 6  # of the way to the default values, where a start's first point has no solution
LEAST_PRIOR_MV: Final = 0.5  # a voltage is never taken for better known than this where a prior stands against it


class Journal(Protocol):
    """Where a start notes its evaluations, so that one that was killed goes on from where it was."""

    def recall(self, number: int, values: tuple[float, ...]) -> tuple[Floats, Floats, str] | None:
        """Return errors, slopes and reason of the evaluation of this number, if it was noted at these very values."""

    def note(self, evaluation: Evaluation, error_mv: Floats, slopes_mv: Floats) -> None:
        """Append an evaluation."""


class Exhausted(Exception):  # noqa: N818 - ends a search, which is no error
    """The evaluations that a start may make are used up."""


class AtMinimum(Exception):  # noqa: N818 - ends a search, which is no error
    """No step promises to lower the cost."""

    def __init__(self, unit: Floats) -> None:
        super().__init__()
        self.unit = unit


class Search:
    """One start's search: weighs the objective's residuals, counts, notes, and keeps the best point.

    Args:
        journal: where evaluations are noted and recalled from; ``None`` = nowhere.
        watch: what may end the search early; ``None`` = nothing.
    """

    def __init__(
        self,
        objective: Objective,
        settings: FitSettings,
        journal: Journal | None = None,
        watch: EarlyStopping | None = None,
    ) -> None:
        self._objective = objective
        self._settings = settings
        self._journal = journal
        self._root = np.sqrt(objective.weights)
        self.prior_mv = max(objective.noise_mv(), LEAST_PRIOR_MV)
        self._last: tuple[bool, Floats, Residuals] | None = None
        self._watch = watch
        self._running = False
        self.stopped: Stopped = ""
        self.evaluations = 0
        self.best: tuple[float, Floats] = (np.inf, np.zeros(len(settings.parameters)))
        self.without_solution = False  # at the best point

    def find_solvable_point(self, first: Floats, default: Floats) -> Floats:
        """A point at which the model has a solution: the first one, or nearer and nearer to the default one."""
        for _ in range(HALVINGS):
            if self.evaluations >= self._settings.max_evaluations or not self.residuals(first).reason:
                return first
            first = default + 0.5 * (first - default)
        return first

    def run(self, first: Floats) -> tuple[Floats, str]:
        """Search from a point; return the point found, from 0 to 1, and the search's own words for its end."""
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
        """Search, and go on from there where the voltage at the end needs more outputs than that at the begin."""
        point, message = search(first)
        for _ in range(SETTLINGS):
            if not self._objective.refine_outputs(from_scaled(self._settings.parameters, point)):
                break
            # A search of the whole range is not made again.
            search = self._least_squares if self._settings.method == "differential_evolution" else search
            before, begin = self.best, np.clip(point, MARGIN, 1.0 - MARGIN)
            self._last, self.best = None, (np.inf, point)  # the cost is another one now
            try:
                point, message = search(begin)
            finally:
                if not np.isfinite(self.best[0]):
                    self.best = before
            if np.abs(point - begin).max() < SETTLED:
                break
        return point, message

    def residuals(self, unit: Floats, *, slopes: bool = True) -> Residuals:
        """The objective's residuals at a point, evaluated once however often they are asked for in a row."""
        unit = np.clip(unit, 0.0, 1.0)
        if self._last is not None and self._last[0] == slopes and np.array_equal(self._last[1], unit):
            return self._last[2]
        if self.evaluations >= self._settings.max_evaluations:
            raise Exhausted
        self.evaluations += 1
        values = from_scaled(self._settings.parameters, unit)
        known = tuple(float(v) for v in values)
        noted = self._journal.recall(self.evaluations, known) if self._journal else None
        if noted is not None:
            found = Residuals(*noted)
        else:
            began = time.perf_counter()
            found = self._objective.residuals(values, slopes=slopes)
            if self._journal:
                evaluation = self._evaluation(known, unit, found, time.perf_counter() - began)
                self._journal.note(evaluation, found.error_mv, found.slopes_mv)
        self._last = (slopes, unit.copy(), found)
        cost = self._cost(unit, found)
        if cost < self.best[0]:
            self.best, self.without_solution = (cost, unit.copy()), bool(found.reason)
        if self._watch is not None and self._running:
            self._watch.check(self.best[1], self.best[0])
        return found

    def linearise(self, unit: Floats) -> tuple[Floats, Floats]:
        """Weighted residuals at a point in mV, those of the priors last, and their slopes by each scaled parameter."""
        found = self.residuals(unit)
        return self._weighted(unit, found), self._slopes(unit, found)

    def _evaluation(self, values: tuple[float, ...], unit: Floats, found: Residuals, seconds: float) -> Evaluation:
        return Evaluation(self.evaluations, values, self._cost(unit, found), found.rmse_mv, seconds, found.reason)

    def _cost(self, unit: Floats, found: Residuals) -> float:
        return 0.5 * float(np.sum(self._weighted(unit, found) ** 2))

    def _weighted(self, unit: Floats, found: Residuals) -> Floats:
        return np.concatenate([self._root * found.error_mv, self.prior_residuals(unit)[0]])

    def _slopes(self, unit: Floats, found: Residuals) -> Floats:
        return np.vstack([self._root[:, np.newaxis] * found.slopes_mv, self.prior_residuals(unit)[1]])

    def prior_residuals(self, unit: Floats) -> tuple[Floats, Floats]:
        """What the priors add: residuals in mV (the voltage's noise for one standard deviation) and their slopes."""
        parameters = self._settings.parameters
        values = from_scaled(parameters, unit)
        residuals, slopes = [], []
        for place, parameter in enumerate(parameters):
            if parameter.prior is None:
                continue
            mean, deviation = parameter.prior
            log = parameter.scale == "log"
            away = np.log(values[place] / mean) if log else values[place] - mean
            residuals.append(self.prior_mv * away / deviation)
            slopes.append(
                np.where(np.arange(len(parameters)) == place, self.prior_mv * parameter.span / deviation, 0.0)
            )
        return np.array(residuals), np.array(slopes).reshape(-1, len(parameters))

    def _least_squares(self, first: Floats) -> tuple[Floats, str]:
        """Trust region reflective (Branch, Coleman and Li 1999) with the solver's own derivatives."""
        try:
            return self._trust_region(first)
        except AtMinimum as reached:
            return reached.unit, f"the next step would lower the cost by less than {COST_TOLERANCE:g} of it"

    def _trust_region(self, first: Floats) -> tuple[Floats, str]:
        objective = self._settings.objective

        def slopes(unit: Floats) -> Floats:
            found = self.residuals(unit)
            by_parameter = self._slopes(unit, found)
            if objective.loss == "linear" and not found.reason:
                promised = promised_gain(unit, self._weighted(unit, found), by_parameter)
                if promised < COST_TOLERANCE * self._cost(unit, found):
                    raise AtMinimum(unit)  # which spares the evaluation that would only show it
            return by_parameter

        found = least_squares(
            lambda x: self._weighted(x, self.residuals(x)),
            first,
            jac=slopes,  # pyright: ignore[reportArgumentType]
            bounds=(0.0, 1.0),
            loss=objective.loss,
            f_scale=objective.loss_mv,
            x_scale=1.0,
            ftol=COST_TOLERANCE,
            xtol=STEP_TOLERANCE,
            gtol=None,  # pyright: ignore[reportArgumentType] - SciPy takes it for: not asked
        )
        return found.x, str(found.message)

    def _l_bfgs_b(self, first: Floats) -> tuple[Floats, str]:
        def cost(unit: Floats) -> tuple[float, Floats]:
            found = self.residuals(unit)
            weighted, count = self._weighted(unit, found), len(self._root)
            return 0.5 * float(weighted @ weighted) / count, self._slopes(unit, found).T @ weighted / count

        found = minimize(cost, first, jac=True, method="L-BFGS-B", bounds=[(0.0, 1.0)] * len(first))
        return found.x, str(found.message)

    def _nelder_mead(self, first: Floats) -> tuple[Floats, str]:
        options = {"xatol": STEP_TOLERANCE, "fatol": COST_TOLERANCE, "maxfev": self._settings.max_evaluations}
        bounds = [(0.0, 1.0)] * len(first)
        found = minimize(self._cost_alone, first, method="Nelder-Mead", bounds=bounds, options=options)
        return found.x, str(found.message)

    def _differential_evolution(self, first: Floats) -> tuple[Floats, str]:
        """Differential evolution (Storn and Price 1997) with the fit's seed, then least squares from its best."""
        found = differential_evolution(
            self._cost_alone,
            [(0.0, 1.0)] * len(first),
            x0=first,
            popsize=POPULATION,
            rng=np.random.default_rng(self._settings.seed),
            polish=False,
        )
        point, message = self._least_squares(np.clip(found.x, MARGIN, 1.0 - MARGIN))
        return point, f"{found.message} Then: {message}"

    def _cost_alone(self, unit: Floats) -> float:
        return self._cost(unit, self.residuals(unit, slopes=False)) / len(self._root)


def promised_gain(unit: Floats, residuals: Floats, slopes: Floats) -> float:
    """What linearised least squares promise to lower half the sum of squares by, at most.

    Parameters that press against a bound add what is left to it.

    Args:
        unit: shape (parameters,), from 0 to 1.
        residuals: shape (n,).
        slopes: shape (n, parameters).
    """
    gradient = slopes.T @ residuals
    left = np.where(gradient > 0.0, unit, 1.0 - unit)
    free = left > AT_BOUND
    basis, triangle = np.linalg.qr(slopes[:, free])
    told = np.abs(np.diag(triangle)) > BLIND * np.abs(triangle).max(initial=0.0)
    along = basis[:, told].T @ residuals
    return 0.5 * float(along @ along) + float(np.abs(gradient[~free]) @ left[~free])
