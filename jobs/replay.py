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
from .build import DISCHARGE, VOLTAGE, Structure, built, has_algebraic
from .compress import CurrentProfile
from .parameters import AMBIENT, INITIAL_TEMPERATURE, PARALLEL
from .profile_input import KNOT_CURRENTS, KNOT_TIMES, padded
from .starting_state import StartingState
from .stops import Stops, between_outputs, output_samples, solver_stops

Floats = NDArray[np.float64]

CIRCUIT_LIMIT: Final = "SoC"  # in the events of a circuit, whose tables end where its state of charge does
SANE_VOLT: Final = (-1.0, 10.0)


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
    """

    time_second: Floats
    voltage_volt: Floats
    current_ampere: Floats
    charge_ah: Floats
    excess: Floats


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
        JobError: ``did_not_converge`` or ``ended_early``. A curve that is none is found by :func:`check_range`.
    """
    stops = Stops(np.ones(len(profile.time_second), dtype=np.bool_))
    outputs = np.arange(len(time_second))
    if not every_knot:
        stops = solver_stops(profile, conditions.capacity_ah, has_algebraic(structure))
        outputs = output_samples(time_second, profile, stops.at_knot, conditions.capacity_ah)
        structure = replace(structure, longest_step_second=stops.longest_step_second)
    first = profile.time_second[0]
    wanted = time_second[outputs] - first
    solution = _solve(
        structure, _inputs(structure, conditions, profile), profile.time_second[stops.at_knot] - first, wanted
    )
    solved = np.asarray(solution.t, float)
    if solved[-1] < wanted[-1]:
        end = float(solved[-1]) + first
        code = "left_range" if CIRCUIT_LIMIT in solution.termination else "ended_early"
        raise JobError(f"the simulation ended early at {end:.1f} s: {solution.termination}", code)
    # The solution also holds the stops that are no samples (the edges of power cuts).
    at = np.searchsorted(solved, wanted)
    values = {name: np.asarray(solution[name].entries, float)[at] for name in built(structure).solver.output_variables}
    voltage = between_outputs(time_second, outputs, values.pop(VOLTAGE))
    charge = pybamm_current(between_outputs(time_second, outputs, values.pop(DISCHARGE)))
    excess = between_outputs(time_second, outputs, np.sum(list(values.values()), axis=0))
    current = np.interp(time_second, profile.time_second, profile.current_ampere)
    return Replayed(time_second, voltage, current, charge, excess)


def _solve(structure: Structure, inputs: dict[str, Any], stops: Floats, wanted: Floats) -> pybamm.Solution:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return built(structure).solve(t_eval=stops, t_interp=wanted, inputs=inputs)
    except (pybamm.SolverError, ValueError, RuntimeError) as error:
        text = " ".join(str(error).split())[:200]
        raise JobError(f"the solver did not converge: {text}", "did_not_converge") from error


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
        JobError: ``diverged`` (voltage not finite or beyond -1 to 10 V) or ``left_range`` (stoichiometry outside 0
            to 1, electrolyte empty), with the first time it happened.
    """
    voltage = replayed.voltage_volt
    insane = ~(np.isfinite(voltage) & (voltage > SANE_VOLT[0]) & (voltage < SANE_VOLT[1]))
    outside = ~(replayed.excess <= 0.0)
    if not (insane | outside).any():
        return
    first = int(np.argmax(insane | outside))
    where = f"at {replayed.time_second[first]:.0f} s, where the model's voltage is {voltage[first]:.3g} V"
    if outside[first]:
        reason = "an electrode's surface stoichiometry left the range 0 to 1, or the electrolyte ran empty,"
        raise JobError(f"{reason} {where}", "left_range")
    raise JobError(f"diverged {where}", "diverged")
