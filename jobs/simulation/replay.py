"""Replay of a measured current through a built model: the charge as measured, at the speed of the integrator."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from ...data.arrays import Floats, Indices, Mask
from ...data.convert import pybamm_current
from ...data.errors import JobError
from ...data.settings import Override
from ..current_profile.compress import CurrentProfile
from ..current_profile.model_input import KNOT_CURRENTS, KNOT_TIMES, pad_profile, temperature_inputs
from ..current_profile.temperature import Temperature
from ..models.build import DISCHARGE, EXCESS, VOLTAGE, Structure, build_model, has_algebraic
from ..models.initial_state import StartingState
from ..models.outputs import OUTPUT
from ..models.tables import TABLE
from ..parameters.sets import PARALLEL
from .output_points import ROUNDS, add_outputs
from .solver_windows import TimeLimit, WindowSolver, slope_name, split_into_windows
from .stops import Stops, interpolate_outputs, output_samples, solver_stops
from .stops import stop_at_every_knot as stops_at_every_knot

POSSIBLE_VOLT: Final = (-1.0, 10.0)
"""Voltages in V that a simulated cell can have; beyond these the solution diverged."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What one replay adds to the structure of a built model.

    Args:
        state: at the first sample.
        electrodes_in_parallel: electrode pairs of the parameter set that make the cell.
        capacity_ah: A.h, of the cell.
        overrides: of the parameter set.
    """

    state: StartingState
    electrodes_in_parallel: float
    capacity_ah: float
    temperature: Temperature
    overrides: tuple[Override, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Replayed:
    """A replay at the requested times; arrays have the shape (n,) where no other is given.

    Args:
        time_second: s.
        voltage_volt: V, of the model.
        current_ampere: A, as the model got it, positive into the cell.
        charge_ah: A.h since the first sample, positive into the cell.
        excess: distance of the state from its possible range, 0 = inside: sum over the electrodes of how far surface
            stoichiometries are outside 0 to 1, and how far an electrolyte concentration is below zero (mol.L-1).
        outside: what left its range first, such as ``the negative electrode``; "" = nothing.
        voltage_slopes: by the structure's ``slopes``, V per the input's unit, shape (n, slopes).
        excess_slopes: likewise, of ``excess``.
        outputs: indices of the times at which the solver gave the values; at the others they are interpolated.
        stop_second: times of the solver's stops, s.
        more: columns of ``data.outputs.COLUMNS`` that were asked for, shape (n,) each.
        more_slopes: of these, by the structure's ``slopes``, in the column's unit per the input's unit, shape
            (n, slopes) each.
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
    stop_second: Floats | None = None
    more: dict[str, Floats] = field(default_factory=dict)
    more_slopes: dict[str, Floats] = field(default_factory=dict)

    def until_index(self, end: int) -> Replayed:
        """Return the replay at its first ``end`` times."""
        names = ("time_second", "voltage_volt", "current_ampere", "charge_ah", "excess")
        more = {name: values[:end] for name, values in self.more.items()}
        return replace(self, more=more, **{name: getattr(self, name)[:end] for name in names})


class ReplayEndedError(JobError):
    """A replay that gave no result, with its curve up to there.

    Args:
        reason: one line for people.
        code: short stable name of the reason, such as ``diverged``.
        replayed: the good samples, from the first one; ``None`` = there are none.
        attempts: what was tried, one line each.
    """

    def __init__(
        self, reason: str, code: str = "failed", replayed: Replayed | None = None, attempts: tuple[str, ...] = ()
    ) -> None:
        super().__init__(reason, code)
        self.replayed = replayed if replayed is not None and len(replayed.time_second) else None
        self.attempts = attempts

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.code, self.replayed, self.attempts)


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
    """Solve the built model under a current profile.

    The solver stops where it could step over a change of the current. Outputs are requested where the voltage can
    bend (:mod:`kilocell.jobs.simulation.stops`), and a monotone cubic interpolates between them. A profile with more
    knots than the structure's size is solved in windows (:mod:`kilocell.jobs.simulation.solver_windows`).

    Args:
        structure: of the built model, with the tolerances.
        profile: current in A at its knots, positive into the cell.
        time_second: shape (n,), increasing, within the profile: where voltage and charge are wanted.
        every_knot: stop at every knot and request every sample: slower and safer.
        limit: checked before each window; ``None`` = no time limit.
        outputs: indices of the times that are requested first; ``None`` = chosen by the profile.
        refine: judge these by the voltage, and solve again with more outputs where they are too far apart.

    Returns:
        Voltage, current and charge at all of ``time_second``.

    Raises:
        ReplayEndedError: ``did_not_converge``, ``ended_early`` or ``time_limit``, with the curve so far. A curve out
            of the model's range is no error here: :func:`check_range` finds it.
    """
    with limit.pause() if limit else nullcontext():
        algebraic = has_algebraic(build_model(structure))
    if every_knot:
        stops = stops_at_every_knot(profile, conditions.capacity_ah)
        outputs = np.arange(len(time_second))
    else:
        stops = solver_stops(profile, conditions.capacity_ah, algebraic)
        if outputs is None:
            outputs = output_samples(time_second, profile, stops.at_knot, conditions.capacity_ah)
    structure = _set_solver_steps(structure, stops)
    most_rounds = ROUNDS if refine else 0
    values, outputs, failure = _solve_with_enough_outputs(
        structure, conditions, profile, stops.at_knot, time_second, outputs, limit, most_rounds
    )
    replayed: Replayed | None = None
    if len(outputs):
        replayed = _interpolate_to_samples(structure, time_second[: outputs[-1] + 1], profile, outputs, values)
        replayed = replace(replayed, stop_second=profile.time_second[stops.at_knot])
    if failure is not None:
        raise ReplayEndedError(str(failure), failure.code, replayed) from failure
    if replayed is None:
        raise ReplayEndedError("the simulation ended before its first sample", "ended_early")
    return replayed


def _solve_with_enough_outputs(
    structure: Structure,
    conditions: Conditions,
    profile: CurrentProfile,
    at_knot: Mask,
    time_second: Floats,
    outputs: Indices,
    limit: TimeLimit | None,
    most_rounds: int,
) -> tuple[dict[str, Floats], Indices, JobError | None]:
    """Solve, and solve again where outputs are too far apart; in the last round with an output at every sample.

    Returns:
        Each output variable at the outputs, the outputs that were reached, and what ended the replay (``None`` = its
        end).
    """
    built = build_model(structure)  # the solver's steps alone are new, so it takes no time
    rounds = 0
    while True:
        solver = WindowSolver(built, profile.time_second[0], structure.slopes)
        values, failure = _solve(solver, structure, conditions, profile, at_knot, time_second[outputs], limit)
        reached = outputs[: len(values[VOLTAGE])]
        if failure is not None or rounds == most_rounds:
            return values, reached, failure
        more = add_outputs(time_second, reached, values[VOLTAGE], profile.time_second[at_knot])
        if len(more) == len(outputs):
            return values, reached, failure
        rounds += 1
        outputs = more if rounds < most_rounds else np.arange(len(time_second))


def _solve(
    solver: WindowSolver,
    structure: Structure,
    conditions: Conditions,
    profile: CurrentProfile,
    at_knot: Mask,
    wanted_second: Floats,
    limit: TimeLimit | None,
) -> tuple[dict[str, Floats], JobError | None]:
    """Solve window by window: each output variable at the wanted times, shape (wanted,), or up to a failure."""
    by_window: list[dict[str, Floats]] = []
    failure: JobError | None = None
    for window in split_into_windows(profile, at_knot, wanted_second, structure.size - 1):
        knots = slice(window.first, window.last + 1)
        part = CurrentProfile(profile.time_second[knots], profile.current_ampere[knots], profile.noise_ampere)
        stops = at_knot[knots].copy()
        stops[0] = stops[-1] = True
        inputs = _inputs(structure, conditions, part, profile.time_second[0])
        if limit is not None and limit.is_passed:
            failure = limit.error(f"{part.time_second[0]:.0f} s")
            break
        values, failure = solver.solve(part.time_second[stops], wanted_second[window.begin : window.end], inputs)
        by_window.append(values)
        if failure is not None:
            break
    nothing = np.zeros(0)
    joined = {name: np.concatenate([nothing, *(values[name] for values in by_window)]) for name in solver.names}
    return joined, failure


def _interpolate_to_samples(
    structure: Structure,
    time_second: Floats,
    profile: CurrentProfile,
    outputs: Indices,
    values: dict[str, Floats],
) -> Replayed:
    """Make a replay at every sample from the solver's outputs at some of them; takes these out of ``values``."""
    voltage_slopes, excess_slopes, more_slopes = _collect_slopes(structure, values)
    at_outputs = np.stack([values.pop(VOLTAGE), values.pop(DISCHARGE)])
    voltage, discharge = interpolate_outputs(time_second, outputs, at_outputs)
    more = _interpolate_more(time_second, outputs, values)
    distance = np.sum(list(values.values()), axis=0)
    excess = np.zeros(len(time_second))
    if np.any(distance):
        excess = interpolate_outputs(time_second, outputs, distance)
    current = np.interp(time_second, profile.time_second, profile.current_ampere)
    first_outside = {name: int(np.argmax(value > 0.0)) for name, value in values.items() if (value > 0.0).any()}
    outside = ""
    if first_outside:
        outside = min(first_outside, key=lambda name: first_outside[name]).removeprefix(EXCESS)
    replayed = Replayed(
        time_second, voltage, current, pybamm_current(discharge), excess, outside, outputs=outputs, more=more
    )
    if not structure.slopes:
        return replayed
    return replace(
        replayed,
        voltage_slopes=interpolate_outputs(time_second, outputs, voltage_slopes).T,
        excess_slopes=interpolate_outputs(time_second, outputs, excess_slopes).T,
        more_slopes={name: interpolate_outputs(time_second, outputs, rows).T for name, rows in more_slopes.items()},
    )


def _interpolate_more(time_second: Floats, outputs: Indices, values: dict[str, Floats]) -> dict[str, Floats]:
    """Take what was asked for beside the voltage out of ``values``, and interpolate it to every sample."""
    names = [name for name in values if name.startswith(OUTPUT)]
    if not names:
        return {}
    rows = interpolate_outputs(time_second, outputs, np.stack([values.pop(name) for name in names]))
    return {name.removeprefix(OUTPUT): row for name, row in zip(names, rows, strict=True)}


def _collect_slopes(structure: Structure, values: dict[str, Floats]) -> tuple[Floats, Floats, dict[str, Floats]]:
    """Take the slopes out of ``values``: of the voltage, of the sum of all excesses, and of what else was asked for.

    Returns:
        Shape (slopes, outputs) each; the last by the name of its column.
    """
    names = [name for name in build_model(structure).solver.output_variables if name != DISCHARGE]
    slopes = {name: np.array([values.pop(slope_name(name, by)) for by in structure.slopes]) for name in names}
    for by in structure.slopes:
        values.pop(slope_name(DISCHARGE, by))
    voltage = slopes.pop(VOLTAGE)
    more = {name.removeprefix(OUTPUT): slopes.pop(name) for name in names if name.startswith(OUTPUT)}
    if not slopes:
        return voltage, np.zeros_like(voltage), more
    return voltage, np.sum(list(slopes.values()), axis=0), more


def _set_solver_steps(structure: Structure, stops: Stops) -> Structure:
    """Return the structure with the solver steps that these stops need; a given first step is kept."""
    return replace(
        structure,
        longest_step_second=stops.longest_step_second,
        first_step_second=structure.first_step_second or stops.first_step_second,
        rtol=structure.rtol * stops.tighter,
        atol=structure.atol * stops.tighter,
        algebraic_error=structure.algebraic_error and not stops.short,
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
    """Return the numbers that a replay gives to the built model, by name; current and temperature are not among them.

    These are the initial state, the number of electrodes in parallel, and the overrides that the structure left free.
    """
    free = dict(structure.free)
    overrides = {o.parameter: o.value for o in conditions.overrides if o.parameter in free}
    return {**dict(conditions.state.inputs), PARALLEL: conditions.electrodes_in_parallel, **overrides}


def check_range(replayed: Replayed) -> None:
    """Refuse a curve that no cell can have; with the model's cut-offs switched off, the solver does not report it.

    Raises:
        ReplayEndedError: ``diverged`` (voltage not finite or beyond -1 to 10 V) or ``left_range`` (stoichiometry
            outside 0 to 1, electrolyte empty), with the first time it happened and the curve before it.
    """
    voltage = replayed.voltage_volt
    impossible = ~(np.isfinite(voltage) & (voltage > POSSIBLE_VOLT[0]) & (voltage < POSSIBLE_VOLT[1]))
    outside = ~(replayed.excess <= 0.0)
    if not (impossible | outside).any():
        return
    first = int(np.argmax(impossible | outside))
    where = f"at {replayed.time_second[first]:.0f} s, where the model's voltage is {voltage[first]:.3g} V"
    good = replayed.until_index(first)
    if not outside[first]:
        raise ReplayEndedError(f"diverged {where}", "diverged", good)
    reason = f"{replayed.outside or 'the model'} left the range 0 to 1"
    if replayed.outside.startswith(TABLE):
        reason = f"left the range of {replayed.outside}"
    elif replayed.outside.endswith("electrode"):
        reason = f"{replayed.outside}'s surface stoichiometry left the range 0 to 1"
    elif replayed.outside.endswith("the electrolyte"):
        reason = "the electrolyte ran empty"
    charge = replayed.charge_ah[first]
    direction = "into" if charge > 0.0 else "out of"
    moved = f"{abs(charge):.3g} A.h {direction} the cell since its start"
    raise ReplayEndedError(f"{reason} {where}, after {moved}", "left_range", good)
