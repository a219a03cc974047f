"""Replay of a measured current through a built model: charge-true, at the integrator's speed."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pybamm
from numpy.typing import NDArray

from ..data.convert import kelvin, pybamm_current
from ..data.errors import JobError
from ..data.settings import Override
from .build import DISCHARGE, EXCESS, VOLTAGE, Structure, built, has_algebraic
from .compress import CurrentProfile
from .parameters import AMBIENT, INITIAL_TEMPERATURE, PARALLEL
from .profile_input import KNOT_CURRENTS, KNOT_TIMES, padded
from .starting_state import StartingState
from .stops import Stops, between_outputs, output_samples, solver_stops

Floats = NDArray[np.float64]

SANE_VOLT: Final = (-1.0, 10.0)
PARTIAL: Final = ", returning a partial solution."  # how PyBaMM ends its words for a failure on the way


@dataclass(frozen=True, slots=True)
class Conditions:
    """What one replay adds to the structure: state, electrodes in parallel, capacity, temperature, overrides."""

    state: StartingState
    electrodes_in_parallel: float
    capacity_ah: float
    temperature_celsius: float
    overrides: tuple[Override, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Replayed:
    """A replay at the asked times, shape (n,) each.

    Args:
        current_ampere: what the model saw, positive into the cell.
        charge_ah: since the first sample, positive into the cell.
        excess: how far the state lies outside what can be, 0 = inside: surface stoichiometries anywhere in the
            electrodes outside 0 to 1, and an electrolyte concentration below zero (mol.L-1).
        outside: what first lay outside, in words, such as ``the negative electrode``; "" = nothing.
    """

    time_second: Floats
    voltage_volt: Floats
    current_ampere: Floats
    charge_ah: Floats
    excess: Floats
    outside: str = ""

    def until_index(self, end: int) -> Replayed:
        """The replay at its first ``end`` times."""
        columns = (self.time_second, self.voltage_volt, self.current_ampere, self.charge_ah, self.excess)
        return Replayed(*(column[:end] for column in columns), self.outside)


class EndedError(JobError):
    """A replay that is no result, with its curve up to where it was one.

    Args:
        replayed: the good samples, from the first one; ``None`` = there are none.
        attempts: what was tried, one line each.
    """

    def __init__(
        self, reason: str, code: str = "failed", replayed: Replayed | None = None, attempts: tuple[str, ...] = ()
    ) -> None:
        super().__init__(reason, code)
        self.replayed = replayed if replayed is not None and len(replayed.time_second) else None
        self.attempts = attempts


def replay(
    structure: Structure,
    conditions: Conditions,
    profile: CurrentProfile,
    time_second: Floats,
    every_knot: bool = False,
) -> Replayed:
    """Solve the built model under a profile.

    The solver stops where it could step over a change of the current, and outputs are asked for where the voltage
    can bend (:mod:`kilocell.jobs.stops`); between them a monotone cubic is taken.

    Args:
        time_second: shape (n,), increasing, within the profile: where voltage and charge are wanted.
        every_knot: stop at every knot and ask for every sample: slower, and surer still.

    Raises:
        EndedError: ``did_not_converge`` or ``ended_early``, with the curve so far. A curve that is none is found by
            :func:`check_range`.
    """
    stops = Stops(np.ones(len(profile.time_second), dtype=np.bool_))
    outputs = np.arange(len(time_second))
    if not every_knot:
        stops = solver_stops(profile, conditions.capacity_ah, has_algebraic(structure))
        outputs = output_samples(time_second, profile, stops.at_knot, conditions.capacity_ah)
        structure = replace(structure, longest_step_second=stops.longest_step_second)
    first = profile.time_second[0]
    wanted = time_second[outputs] - first
    inputs = _inputs(structure, conditions, profile)
    solution, failure = _solve(structure, inputs, profile.time_second[stops.at_knot] - first, wanted)
    solved = np.asarray(solution.t, float)
    if not len(solved):
        raise EndedError(f"the solver did not converge: {failure}", "did_not_converge")
    outputs = outputs[wanted <= solved[-1]]
    # The solution also holds the stops that are no samples (the edges of power cuts).
    at = np.searchsorted(solved, wanted[: len(outputs)])
    values = {name: np.asarray(solution[name].entries, float)[at] for name in built(structure).solver.output_variables}
    replayed = _at_samples(time_second[: outputs[-1] + 1], profile, outputs, values)
    if len(outputs) < len(wanted):
        end = f"at {solved[-1] + first:.1f} s"
        if failure or not solution.termination.startswith("event"):
            raise EndedError(f"the solver did not converge {end}: {failure}", "did_not_converge", replayed)
        event = solution.termination.removeprefix("event: ")
        raise EndedError(f"the simulation ended early {end}: the model's own event {event!r}", "ended_early", replayed)
    return replayed


def _at_samples(
    time_second: Floats, profile: CurrentProfile, outputs: NDArray[np.intp], values: dict[str, Floats]
) -> Replayed:
    """A replay at every sample from the solver's outputs at some of them."""
    voltage = between_outputs(time_second, outputs, values.pop(VOLTAGE))
    charge = pybamm_current(between_outputs(time_second, outputs, values.pop(DISCHARGE)))
    excess = between_outputs(time_second, outputs, np.sum(list(values.values()), axis=0))
    current = np.interp(time_second, profile.time_second, profile.current_ampere)
    left = {name: int(np.argmax(value > 0.0)) for name, value in values.items() if (value > 0.0).any()}
    outside = min(left, key=lambda name: left[name]).removeprefix(EXCESS) if left else ""
    return Replayed(time_second, voltage, current, charge, excess, outside)


def _solve(structure: Structure, inputs: dict[str, Any], stops: Floats, wanted: Floats) -> tuple[pybamm.Solution, str]:
    """Solve; return the solution, which ends early where the solver failed, and PyBaMM's words for that failure."""
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            solution = built(structure).solve(t_eval=stops, t_interp=wanted, inputs=inputs)
    except (pybamm.SolverError, ValueError, RuntimeError) as error:
        text = " ".join(str(error).split())[:200]
        raise EndedError(f"the solver did not converge: {text}", "did_not_converge") from error
    told = (str(warning.message) for warning in caught)
    failure = next((text for text in told if text.endswith(PARTIAL)), "")
    return solution, failure.removesuffix(PARTIAL).partition(": ")[2][:200]


def _inputs(structure: Structure, conditions: Conditions, profile: CurrentProfile) -> dict[str, Any]:
    times, currents = padded(profile, structure.size)
    temperature = kelvin(conditions.temperature_celsius)
    inputs = {
        KNOT_TIMES: times,
        KNOT_CURRENTS: pybamm_current(currents),
        **dict(conditions.state.inputs),
        PARALLEL: conditions.electrodes_in_parallel,
        AMBIENT: temperature,
        INITIAL_TEMPERATURE: temperature,
    }
    free = dict(structure.free)
    return inputs | {o.parameter: o.value for o in conditions.overrides if o.parameter in free}


def check_range(replayed: Replayed) -> None:
    """Refuse a curve that no cell can have; the solver says nothing of it once the cut-offs are off.

    Raises:
        EndedError: ``diverged`` (voltage not finite or beyond -1 to 10 V) or ``left_range`` (stoichiometry outside 0
            to 1, electrolyte empty), with the first time it happened and the curve before it.
    """
    voltage = replayed.voltage_volt
    insane = ~(np.isfinite(voltage) & (voltage > SANE_VOLT[0]) & (voltage < SANE_VOLT[1]))
    outside = ~(replayed.excess <= 0.0)
    if not (insane | outside).any():
        return
    first = int(np.argmax(insane | outside))
    where = f"at {replayed.time_second[first]:.0f} s, where the model's voltage is {voltage[first]:.3g} V"
    good = replayed.until_index(first)
    if not outside[first]:
        raise EndedError(f"diverged {where}", "diverged", good)
    reason = f"{replayed.outside or 'an electrode'}'s surface stoichiometry left the range 0 to 1"
    if "electrolyte" in replayed.outside:
        reason = "the electrolyte ran empty"
    charge = replayed.charge_ah[first]
    moved = f"{abs(charge):.3g} A.h {'into' if charge > 0.0 else 'out of'} the cell since its start"
    raise EndedError(f"{reason} {where}, after {moved}", "left_range", good)
