"""Long profiles in windows: each window starts from the state at the end of the one before, in bounded memory.

Every evaluation of a built model copies its inputs, including the knots. A short vector of knots is therefore faster
too: 7,200 knots take half as long in windows of 1,024 as at once.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pybamm

from ...data.arrays import Floats, Mask
from ...data.errors import JobError
from ..current_profile.compress import CurrentProfile
from ..models.build import BuiltModel

CIRCUIT_LIMIT: Final = "SoC"
"""In the names of an equivalent circuit's events: its tables end where its state of charge does."""

PARTIAL_SOLUTION_WORDS: Final = ", returning a partial solution."
"""End of PyBaMM's warning that the solver failed before the end."""

MOST_OUTPUTS: Final = 200_000
"""Most outputs of one window; with more, the window ends at an earlier knot, so that a solution stays small."""


@dataclass(frozen=True, slots=True)
class SolverWindow:
    """A part of a profile that is solved at once.

    Args:
        first, last: indices of its first and last knot, both included.
        begin, end: indices of its outputs, from ``begin`` to before ``end``.
    """

    first: int
    last: int
    begin: int
    end: int


def split_into_windows(
    profile: CurrentProfile, at_knot: Mask, outputs_second: Floats, size: int
) -> Iterator[SolverWindow]:
    """Split a profile into windows, at the solver's stops where possible.

    Args:
        at_knot: whether the solver stops at each knot, shape (knots,).
        outputs_second: times of the outputs, s, increasing, within the profile. An output at the end of a window
            belongs to that window.
        size: most knots of one window, >= 2.

    Yields:
        Windows in order; the last knot of each is the first of the next.
    """
    outputs_until = np.searchsorted(outputs_second, profile.time_second, side="right")
    last_knot = len(profile.time_second) - 1
    first = 0
    begin = 0
    while first < last_knot:
        last = min(first + size - 1, last_knot)
        last_by_outputs = int(np.searchsorted(outputs_until, begin + MOST_OUTPUTS, side="right")) - 1
        last = max(min(last, last_by_outputs), first + 1)
        if last < last_knot:
            stops = np.flatnonzero(at_knot[first + 1 : last + 1])
            if len(stops):
                last = first + 1 + int(stops[-1])
        end = int(outputs_until[last])
        yield SolverWindow(first, last, begin, end)
        first = last
        begin = end


class TimeLimit:
    """The time at which a simulation must end; the time that building models takes does not count.

    Args:
        seconds: from now on.
        watch: called with the seconds left whenever they change other than by the clock; infinity while a model is
            built, and when the limit was noticed and the simulation ends by itself. ``None`` = nobody watches.
    """

    def __init__(self, seconds: float, watch: Callable[[float], None] | None = None) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds
        self._watch = watch or (lambda seconds_left: None)
        self._watch(seconds)

    @property
    def is_passed(self) -> bool:
        """Whether there is no time left."""
        return time.monotonic() > self._end

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Do not count the time that this ``with`` block takes, whether or not it fails."""
        began = time.monotonic()
        self._watch(math.inf)
        try:
            yield
        finally:
            self._end += time.monotonic() - began
            self._watch(self._end - time.monotonic())

    def error(self, reached: str) -> JobError:
        """Make the error of a simulation that reached this limit (``time_limit``).

        Args:
            reached: how far the simulation came, in words.
        """
        self._watch(math.inf)
        reason = f"the time limit of {self.seconds:g} s has passed; reached {reached}"
        return JobError(f"{reason}; raise time_limit_second in [simulate], or simulate fewer cycles", "time_limit")


class WindowSolver:
    """Solves the windows of one replay in order; the state passes from each to the next.

    Args:
        built: a built model.
        first_second: s, start of the profile; the model's time counts from there.
        slopes: names of inputs by which the outputs are differentiated.
    """

    def __init__(self, built: BuiltModel, first_second: float, slopes: tuple[str, ...] = ()) -> None:
        self._built = built
        self._slopes = slopes
        self._first = first_second
        self._before: pybamm.Solution | None = None

    def solve(
        self, stops_second: Floats, wanted_second: Floats, inputs: dict[str, Any]
    ) -> tuple[dict[str, Floats], JobError | None]:
        """Solve the next window.

        Args:
            stops_second: s, increasing; the first is the end of the window before.
            wanted_second: s, increasing, after that end (in the first window: from it on).
            inputs: of the model, by name.

        Returns:
            Each output variable at the wanted times, fewer where the model ended early; and the error that ended it
            (``did_not_converge``, ``ended_early``, ``left_range``), ``None`` = it did not end early.
        """
        nothing = {name: np.zeros(0) for name in self.names}
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                solution, wanted = self._solved(stops_second - self._first, wanted_second - self._first, inputs)
        except (pybamm.SolverError, ValueError, RuntimeError) as error:
            text = " ".join(str(error).split())[:200]
            return nothing, _convergence_error(f": {text}")
        self._before = solution
        solved_second = np.asarray(solution.t, float)
        failure = _partial_failure([str(warning.message) for warning in caught])
        if not len(solved_second):
            return nothing, _convergence_error(f": {failure}")
        return self._values_at(solution, solved_second, wanted), self._early_end(solution, solved_second[-1], failure)

    def _values_at(self, solution: pybamm.Solution, solved_second: Floats, wanted: Floats) -> dict[str, Floats]:
        """Each output variable, and its slopes, at the wanted times up to the end of the solution."""
        # The solution also has times at stops that are no samples (the edges of power cuts).
        at = np.searchsorted(solved_second, wanted[wanted <= solved_second[-1]])
        names = self._built.solver.output_variables
        values = {name: np.asarray(solution[name].entries, float)[at] for name in names}
        for name, by in self._differentiated():
            values[slope_name(name, by)] = np.asarray(solution[name].sensitivities[by], float).ravel()[at]
        return values

    def _early_end(self, solution: pybamm.Solution, end_second: float, failure: str) -> JobError | None:
        """The error of a solution that did not come to its end; ``None`` = it did."""
        if not failure and solution.termination == "final time":
            return None
        end = f"at {end_second + self._first:.1f} s"
        if failure or not solution.termination.startswith("event"):
            return _convergence_error(f" {end}: {failure}")
        event = solution.termination.removeprefix("event: ")
        code = "left_range" if CIRCUIT_LIMIT in event else "ended_early"
        return JobError(f"the simulation ended early {end}: the model's own event {event!r}", code)

    def _solved(self, stops: Floats, wanted: Floats, inputs: dict[str, Any]) -> tuple[pybamm.Solution, Floats]:
        model, solver = self._built.model, self._built.solver
        before = self._before
        if before is None:
            solution = solver.solve(model, stops, inputs, t_interp=wanted, calculate_sensitivities=list(self._slopes))
            return solution, wanted
        # A step counts from where it begins; its rounding must be in the wanted times as well.
        begin = float(before.t[-1])
        stops = stops - begin
        since = wanted - begin
        stops[0] = 0.0
        solution = solver.step(
            before,
            model,
            stops[-1],
            t_eval=stops,
            t_interp=since,
            inputs=inputs,
            save=False,
            calculate_sensitivities=list(self._slopes),
        )
        return solution, begin + since

    @property
    def names(self) -> tuple[str, ...]:
        """Names of a window's values: the output variables and their slopes by each input."""
        slopes = (slope_name(name, by) for name, by in self._differentiated())
        return (*self._built.solver.output_variables, *slopes)

    def _differentiated(self) -> Iterator[tuple[str, str]]:
        return ((name, by) for name in self._built.solver.output_variables for by in self._slopes)


def slope_name(variable: str, by: str) -> str:
    """Return the name of an output variable's slope by an input among a window's values."""
    return f"{variable} by {by}"


def _partial_failure(warning_texts: list[str]) -> str:
    """Why the solver failed before the end, from PyBaMM's warnings; "" = it did not fail."""
    for text in warning_texts:
        if text.endswith(PARTIAL_SOLUTION_WORDS):
            return text.removesuffix(PARTIAL_SOLUTION_WORDS).partition(": ")[2][:200]
    return ""


def _convergence_error(words: str) -> JobError:
    return JobError(f"the solver did not converge{words}", "did_not_converge")
