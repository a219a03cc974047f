"""Long profiles in windows: each is solved from the state that the one before ended in, in bounded memory.

Every evaluation of a built model copies its inputs, the knots among them, so a short vector of knots is also the
faster one: 7,200 knots take half as long in windows of 1,024 as at once.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pybamm

from ...data.arrays import Floats, Mask
from ...data.errors import JobError
from ..current_profile.compress import CurrentProfile

CIRCUIT_LIMIT: Final = "SoC"  # in the events of a circuit, whose tables end where its state of charge does
PARTIAL_SOLUTION_WORDS: Final = ", returning a partial solution."  # how PyBaMM ends its words for a failure on the way
MOST_OUTPUTS: Final = 200_000
"""Outputs of one window, beyond which it is cut at a knot before, so that a solution stays small."""


@dataclass(frozen=True, slots=True)
class SolverWindow:
    """Knots ``first`` to ``last`` of a profile (both included) and outputs from ``begin`` to before ``end``."""

    first: int
    last: int
    begin: int
    end: int


def split_into_windows(
    profile: CurrentProfile, at_knot: Mask, outputs_second: Floats, size: int
) -> Iterator[SolverWindow]:
    """Cut a profile into windows of at most ``size`` knots, at the solver's stops where there is one.

    Args:
        at_knot: where the solver stops, shape (knots,).
        outputs_second: times of the outputs, increasing, within the profile. One at a window's end is of that window.
    """
    end_of = np.searchsorted(outputs_second, profile.time_second, side="right")
    first, begin, n = 0, 0, len(profile.time_second)
    while first < n - 1:
        last = min(first + size - 1, n - 1)
        last = max(min(last, int(np.searchsorted(end_of, begin + MOST_OUTPUTS, side="right")) - 1), first + 1)
        if last < n - 1:
            stops = np.flatnonzero(at_knot[first + 1 : last + 1])
            last = first + 1 + int(stops[-1]) if len(stops) else last
        yield SolverWindow(first, last, begin, int(end_of[last]))
        first, begin = last, int(end_of[last])


class TimeLimit:
    """When a simulation must end: so many seconds after now, not counting what it takes to build models."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def is_passed(self) -> bool:
        """Whether there is no time left."""
        return time.monotonic() > self._end

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Do not count what is done in this ``with`` block."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._end += time.monotonic() - began

    def error(self, reached: str) -> JobError:
        """The error of a simulation that came to this limit (``time_limit``), saying in words what it reached."""
        reason = f"the time limit of {self.seconds:g} s has passed; reached {reached}"
        return JobError(f"{reason}; raise time_limit_second in [simulate], or simulate fewer cycles", "time_limit")


class WindowSolver:
    """The windows of one replay, solved one after another; the state goes from each to the next.

    Args:
        simulation: a built model whose solver gives output variables, and what it has where it fails.
        first_second: where the profile begins; the model's time counts from there.
        slopes: inputs by which the outputs are differentiated as they are solved.
    """

    def __init__(self, simulation: pybamm.Simulation, first_second: float, slopes: tuple[str, ...] = ()) -> None:
        self._simulation = simulation
        self._slopes = slopes
        self._first = first_second
        self._before: pybamm.Solution | None = None

    def solve(
        self, stops_second: Floats, wanted_second: Floats, inputs: dict[str, Any]
    ) -> tuple[dict[str, Floats], JobError | None]:
        """Solve the next window.

        Args:
            stops_second: increasing; the first is the end of the window before.
            wanted_second: increasing, after that end (from it on, in the first window).

        Returns:
            Each output variable at the wanted times, fewer where the model ended early; and what ended it, if anything
            did (``did_not_converge``, ``ended_early``, ``left_range``).
        """
        names = self._simulation.solver.output_variables
        nothing = {name: np.zeros(0) for name in self.names}
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                solution, wanted = self._solved(stops_second - self._first, wanted_second - self._first, inputs)
        except (pybamm.SolverError, ValueError, RuntimeError) as error:
            text = " ".join(str(error).split())[:200]
            return nothing, _convergence_error(f": {text}")
        self._before = solution
        solved = np.asarray(solution.t, float)
        told = [str(warning.message) for warning in caught]
        failure = next((text for text in told if text.endswith(PARTIAL_SOLUTION_WORDS)), "")
        failure = failure.removesuffix(PARTIAL_SOLUTION_WORDS).partition(": ")[2][:200]
        if not len(solved):
            return nothing, _convergence_error(f": {failure}")
        # The solution also holds the stops that are no samples (the edges of power cuts).
        at = np.searchsorted(solved, wanted[wanted <= solved[-1]])
        values = {name: np.asarray(solution[name].entries, float)[at] for name in names}
        for name, by in self._differentiated():
            values[slope_name(name, by)] = np.asarray(solution[name].sensitivities[by], float).ravel()[at]
        if not failure and solution.termination == "final time":
            return values, None
        end = f"at {solved[-1] + self._first:.1f} s"
        if failure or not solution.termination.startswith("event"):
            return values, _convergence_error(f" {end}: {failure}")
        event = solution.termination.removeprefix("event: ")
        code = "left_range" if CIRCUIT_LIMIT in event else "ended_early"
        return values, JobError(f"the simulation ended early {end}: the model's own event {event!r}", code)

    def _solved(self, stops: Floats, wanted: Floats, inputs: dict[str, Any]) -> tuple[pybamm.Solution, Floats]:
        simulation, before = self._simulation, self._before
        if before is None:
            solution = simulation.solver.solve(
                simulation.built_model, stops, inputs, t_interp=wanted, calculate_sensitivities=list(self._slopes)
            )
            return solution, wanted
        # A step counts from where it begins; what rounding that adds must be in the wanted times as well.
        begin = float(before.t[-1])
        stops, since = stops - begin, wanted - begin
        stops[0] = 0.0
        solution = simulation.solver.step(
            before,
            simulation.built_model,
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
        """What a window's values are of: the output variables, and their slopes by each input."""
        slopes = (slope_name(name, by) for name, by in self._differentiated())
        return (*self._simulation.solver.output_variables, *slopes)

    def _differentiated(self) -> Iterator[tuple[str, str]]:
        return ((name, by) for name in self._simulation.solver.output_variables for by in self._slopes)


def slope_name(variable: str, by: str) -> str:
    """What the slope of an output variable by an input is called among a window's values."""
    return f"{variable} by {by}"


def _convergence_error(words: str) -> JobError:
    return JobError(f"the solver did not converge{words}", "did_not_converge")
