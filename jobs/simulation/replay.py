"""Replay of a measured current through a built model: charge-true, at the integrator's speed."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...data.arrays import Floats, Indices, Mask
from ...data.convert import pybamm_current
from ...data.errors import JobError
from ...data.settings import Override
from ..current_profile.compress import CurrentProfile
from ..current_profile.model_input import KNOT_CURRENTS, KNOT_TIMES, pad_profile, temperature_inputs
from ..current_profile.temperature import Temperature
from ..models.build import DISCHARGE, EXCESS, VOLTAGE, Structure, build_model, has_algebraic
from ..models.initial_state import StartingState
from ..parameters.sets import PARALLEL
from .output_points import ROUNDS, add_outputs
from .solver_windows import TimeLimit, WindowSolver, slope_name, split_into_windows
from .stops import Stops, interpolate_outputs, output_samples, solver_stops
from .stops import stop_at_every_knot as stops_at_every_knot

POSSIBLE_VOLT: Final = (-1.0, 10.0)


@dataclass(frozen=True, slots=True)
class Conditions:
    """What one replay adds to the structure: state, electrodes in parallel, capacity, temperature, overrides."""

    state: StartingState
    electrodes_in_parallel: float
    capacity_ah: float
    temperature: Temperature
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
        voltage_slopes, excess_slopes: by the structure's ``slopes``, shape (n, slopes), V and 1 per the input's unit.
        outputs: the times at which the solver was asked, as indices of these; the others are interpolated.
    """

    time_second: Floats
    voltage_volt: Floats
    current_ampere: Floats
    charge_ah: Floats
    excess: Floats
    outside: str = ""
    voltage_slopes: Floats | None = None
    excess_slopes: Floats | None = None
    outputs: Indices | None = None

    def until_index(self, end: int) -> Replayed:
        """The replay at its first ``end`` times."""
        names = ("time_second", "voltage_volt", "current_ampere", "charge_ah", "excess")
        return replace(self, **{name: getattr(self, name)[:end] for name in names})


class ReplayEndedError(JobError):
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
    limit: TimeLimit | None = None,
    outputs: Indices | None = None,
    refine: bool = True,
) -> Replayed:
    """Solve the built model under a profile.

    The solver stops where it could step over a change of the current. Outputs are requested where the voltage can
    bend (:mod:`kilocell.jobs.simulation.stops`), and a monotone cubic interpolates between them. A profile with more
    knots than the structure's size is solved in windows (:mod:`kilocell.jobs.simulation.solver_windows`).

    Args:
        time_second: shape (n,), increasing, within the profile: where voltage and charge are wanted.
        every_knot: stop at every knot and ask for every sample: slower, and surer still.
        limit: looked at before each window.
        outputs: indices of the times at which the solver is asked first; ``None`` = chosen by the profile.
        refine: judge these by the voltage found, and solve again with more where it needs them.

    Raises:
        EndedError: ``did_not_converge``, ``ended_early`` or ``time_limit``, with the curve so far. A curve that is none
            is found by :func:`check_range`.
    """
    with limit.pause() if limit else nullcontext():
        algebraic = has_algebraic(structure)
    if every_knot:
        stops, outputs = stops_at_every_knot(profile, conditions.capacity_ah), np.arange(len(time_second))
    else:
        stops = solver_stops(profile, conditions.capacity_ah, algebraic)
        if outputs is None:
            outputs = output_samples(time_second, profile, stops.at_knot, conditions.capacity_ah)
    structure = _set_solver_steps(structure, stops)
    values, outputs, ended = _close_enough(
        structure, conditions, profile, stops.at_knot, time_second, outputs, limit, ROUNDS if refine else 0
    )
    slopes = _collect_slopes(structure, values)
    replayed = (
        _interpolate_to_samples(time_second[: outputs[-1] + 1], profile, outputs, values) if len(outputs) else None
    )
    if replayed is not None and structure.slopes:
        by_input = (interpolate_outputs(replayed.time_second, outputs, part).T for part in slopes)
        replayed = replace(replayed, voltage_slopes=next(by_input), excess_slopes=next(by_input))
    if ended is not None:
        raise ReplayEndedError(str(ended), ended.code, replayed) from ended
    if replayed is None:
        raise ReplayEndedError("the simulation has no time to be at", "ended_early")
    return replayed


def _close_enough(
    structure: Structure,
    conditions: Conditions,
    profile: CurrentProfile,
    at_knot: Mask,
    time_second: Floats,
    outputs: Indices,
    limit: TimeLimit | None,
    most: int,
) -> tuple[dict[str, Floats], Indices, JobError | None]:
    """Solve, and solve again (``most`` times) where outputs turn out too far apart, at last with every sample."""
    rounds = 0
    while True:
        with limit.pause() if limit else nullcontext():
            solving = WindowSolver(build_model(structure), profile.time_second[0], structure.slopes)
        values, ended = _solve(solving, structure, conditions, profile, at_knot, time_second[outputs], limit)
        known = outputs[: len(values[VOLTAGE])]
        if ended is not None or rounds == most:
            return values, known, ended
        more = add_outputs(time_second, known, values[VOLTAGE], profile.time_second[at_knot])
        if len(more) == len(outputs):
            return values, known, ended
        rounds += 1
        outputs = more if rounds < most else np.arange(len(time_second))


def _solve(
    solving: WindowSolver,
    structure: Structure,
    conditions: Conditions,
    profile: CurrentProfile,
    at_knot: Mask,
    wanted: Floats,
    limit: TimeLimit | None,
) -> tuple[dict[str, Floats], JobError | None]:
    """Solve window by window: each output variable at the wanted times, shape (wanted,), or up to what ended it."""
    found: list[dict[str, Floats]] = []
    ended: JobError | None = None
    for window in split_into_windows(profile, at_knot, wanted, structure.size - 1):
        knots = slice(window.first, window.last + 1)
        part = CurrentProfile(profile.time_second[knots], profile.current_ampere[knots], profile.noise_ampere)
        stops = at_knot[knots].copy()
        stops[0] = stops[-1] = True
        inputs = _inputs(structure, conditions, part, profile.time_second[0])
        if limit is not None and limit.is_passed:
            ended = limit.error(f"{part.time_second[0]:.0f} s")
            break
        values, ended = solving.solve(part.time_second[stops], wanted[window.begin : window.end], inputs)
        found.append(values)
        if ended is not None:
            break
    return {name: np.concatenate([np.zeros(0), *(values[name] for values in found)]) for name in solving.names}, ended


def _interpolate_to_samples(
    time_second: Floats, profile: CurrentProfile, outputs: NDArray[np.intp], values: dict[str, Floats]
) -> Replayed:
    """A replay at every sample from the solver's outputs at some of them."""
    known = np.stack([values.pop(VOLTAGE), values.pop(DISCHARGE)])
    voltage, discharge = interpolate_outputs(time_second, outputs, known)
    away = np.sum(list(values.values()), axis=0)
    excess = interpolate_outputs(time_second, outputs, away) if np.any(away) else np.zeros(len(time_second))
    current = np.interp(time_second, profile.time_second, profile.current_ampere)
    left = {name: int(np.argmax(value > 0.0)) for name, value in values.items() if (value > 0.0).any()}
    outside = min(left, key=lambda name: left[name]).removeprefix(EXCESS) if left else ""
    return Replayed(time_second, voltage, current, pybamm_current(discharge), excess, outside, outputs=outputs)


def _collect_slopes(structure: Structure, values: dict[str, Floats]) -> tuple[Floats, Floats]:
    """Take the slopes of the voltage and of all excesses together out of a solve's values, shape (slopes, outputs)."""
    names = [name for name in build_model(structure).solver.output_variables if name != DISCHARGE]
    found = {name: np.array([values.pop(slope_name(name, by)) for by in structure.slopes]) for name in names}
    for by in structure.slopes:
        values.pop(slope_name(DISCHARGE, by))
    voltage = found.pop(VOLTAGE)
    return voltage, np.sum(list(found.values()), axis=0) if found else np.zeros_like(voltage)


def _set_solver_steps(structure: Structure, stops: Stops) -> Structure:
    """The structure with the solver that these stops need; a first step that was asked for stays."""
    return replace(
        structure,
        longest_step_second=stops.longest_step_second,
        first_step_second=structure.first_step_second or stops.first_step_second,
        rtol=structure.rtol * stops.tighter,
        atol=structure.atol * stops.tighter,
    )


def _inputs(
    structure: Structure, conditions: Conditions, profile: CurrentProfile, first_second: float
) -> dict[str, Any]:
    times, currents = pad_profile(profile, structure.size, first_second)
    return {
        KNOT_TIMES: times,
        KNOT_CURRENTS: pybamm_current(currents),
        **scalar_inputs(structure, conditions),
        **temperature_inputs(conditions.temperature, structure.temperature_size, float(first_second)),
    }


def scalar_inputs(structure: Structure, conditions: Conditions) -> dict[str, float]:
    """The numbers that a replay gives the built model, beside its profiles."""
    free = dict(structure.free)
    overrides = {o.parameter: o.value for o in conditions.overrides if o.parameter in free}
    return {**dict(conditions.state.inputs), PARALLEL: conditions.electrodes_in_parallel, **overrides}


def check_range(replayed: Replayed) -> None:
    """Refuse a curve that no cell can have; the solver says nothing of it once the cut-offs are off.

    Raises:
        EndedError: ``diverged`` (voltage not finite or beyond -1 to 10 V) or ``left_range`` (stoichiometry outside 0
            to 1, electrolyte empty), with the first time it happened and the curve before it.
    """
    voltage = replayed.voltage_volt
    insane = ~(np.isfinite(voltage) & (voltage > POSSIBLE_VOLT[0]) & (voltage < POSSIBLE_VOLT[1]))
    outside = ~(replayed.excess <= 0.0)
    if not (insane | outside).any():
        return
    first = int(np.argmax(insane | outside))
    where = f"at {replayed.time_second[first]:.0f} s, where the model's voltage is {voltage[first]:.3g} V"
    good = replayed.until_index(first)
    if not outside[first]:
        raise ReplayEndedError(f"diverged {where}", "diverged", good)
    reason = f"{replayed.outside or 'the model'} left the range 0 to 1"
    if replayed.outside.endswith("electrode"):
        reason = f"{replayed.outside}'s surface stoichiometry left the range 0 to 1"
    elif replayed.outside.endswith("electrolyte"):
        reason = "the electrolyte ran empty"
    charge = replayed.charge_ah[first]
    moved = f"{abs(charge):.3g} A.h {'into' if charge > 0.0 else 'out of'} the cell since its start"
    raise ReplayEndedError(f"{reason} {where}, after {moved}", "left_range", good)
