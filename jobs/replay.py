"""Replay of a measured current: one built model serves every cell, profile, parameter value and fit start.

The current profile is an input of the built model, as two vectors of knots; so are the initial state, the number
of electrodes in parallel, the temperature and every overridden number. A model is built once in a process for each
(model, parameter set, names of overridden parameters, profile size), not once for each cell.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import casadi
import numpy as np
import pybamm
from numpy.typing import NDArray

from ..data.convert import kelvin, pybamm_current
from ..data.errors import JobError
from ..data.settings import ModelSettings, Override
from .compress import CurrentProfile
from .parameters import (
    AMBIENT,
    CURRENT_FUNCTION,
    INITIAL_NEGATIVE,
    INITIAL_POSITIVE,
    INITIAL_TEMPERATURE,
    PARALLEL,
    StartingState,
    base_set,
    overridden,
)

Floats = NDArray[np.float64]

PROFILE_SIZES = (64, 256, 1024, 4096, 16384, 65536, 262144)
KNOT_TIMES = "Profile knot times [s]"
KNOT_CURRENTS = "Profile knot currents [A]"
GEOMETRY = ("thickness", "radius", "height", "width", "length")  # these shape the mesh and cannot be inputs

VOLTAGE = "Voltage [V]"
DISCHARGE = "Discharge capacity [A.h]"
LOWEST_STOICHIOMETRY = tuple(f"Minimum {side} particle surface stoichiometry" for side in ("negative", "positive"))
HIGHEST_STOICHIOMETRY = tuple(f"Maximum {side} particle surface stoichiometry" for side in ("negative", "positive"))
ELECTROLYTE = "Electrolyte concentration [mol.m-3]"
LOWEST_ELECTROLYTE = "Minimum electrolyte concentration [mol.m-3]"
SANE_VOLT = (-1.0, 10.0)


class _ProfileCurrent(pybamm.Function):  # type: ignore[misc]
    """Linear interpolation at time t in two vectors that are inputs of the model."""

    def __init__(self, time: pybamm.Symbol, times: pybamm.Symbol, currents: pybamm.Symbol) -> None:
        super().__init__(_interpolate, time, times, currents, name="current profile")

    def _evaluate_for_shape(self) -> float:
        return float("nan")

    def _casadi_evaluate(self, *children: casadi.MX) -> casadi.MX:
        time, times, currents = children
        i = casadi.low(times, time)
        slope = (currents[i + 1] - currents[i]) / (times[i + 1] - times[i])
        return currents[i] + slope * (time - times[i])

    def create_copy(
        self, new_children: list[pybamm.Symbol] | None = None, perform_simplifications: bool = True
    ) -> _ProfileCurrent:
        return _ProfileCurrent(*self._children_for_copying(new_children))  # pyright: ignore[reportGeneralTypeIssues]

    def _function_new_copy(self, children: list[pybamm.Symbol]) -> _ProfileCurrent:
        return _ProfileCurrent(*children)


def _interpolate(time: Any, times: Floats, currents: Floats) -> Floats:
    return np.interp(np.ravel(time), np.ravel(times), np.ravel(currents)).reshape(-1, 1)


@dataclass(frozen=True, slots=True)
class Structure:
    """Everything that a built model depends on; what is not here is an input.

    Args:
        free: (parameter, kind) of overrides that are inputs.
        fixed: overrides that shape the geometry and so are part of the model.
        size: longest profile, in knots.
    """

    model: ModelSettings
    base: str
    free: tuple[tuple[str, str], ...]
    fixed: tuple[Override, ...]
    size: int
    rtol: float
    atol: float
    first_step_second: float = 0.0


@dataclass(frozen=True, slots=True)
class Conditions:
    """What one replay adds to the structure: state, electrodes in parallel, temperature, overrides."""

    state: StartingState
    electrodes_in_parallel: float
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


def structure_of(
    model: ModelSettings,
    base: str,
    overrides: tuple[Override, ...],
    knots: int,
    rtol: float,
    atol: float,
    first_step_second: float = 0.0,
) -> Structure:
    """Say which built model serves this replay.

    Raises:
        JobError: the profile has more knots than the largest size (``profile_too_long``).
    """
    sizes = [size for size in PROFILE_SIZES if size > knots]
    if not sizes:
        raise JobError(
            f"the current has {knots} knots; at most {PROFILE_SIZES[-1] - 1} are simulated", "profile_too_long"
        )
    fixed = tuple(o for o in overrides if _shapes_geometry(o.parameter))
    free = tuple((o.parameter, o.kind) for o in overrides if not _shapes_geometry(o.parameter))
    return Structure(model, base, free, fixed, sizes[0], rtol, atol, first_step_second)


def _shapes_geometry(parameter: str) -> bool:
    return any(word in parameter for word in GEOMETRY)


def empty_model(settings: ModelSettings) -> pybamm.BaseModel:
    """PyBaMM's model of this type with these options, without parameters.

    Raises:
        JobError: PyBaMM does not have such an option or value (``cannot_build``); the text is PyBaMM's.
    """
    try:
        return getattr(pybamm.lithium_ion, settings.type)(dict(settings.options))
    except (pybamm.OptionError, ValueError, TypeError) as error:
        text = " ".join(str(error).split())
        raise JobError(f"PyBaMM has no such {settings.type}: {text}", "cannot_build") from error


@lru_cache(maxsize=24)
def built(structure: Structure) -> pybamm.Simulation:
    """Build a model once in this process.

    Raises:
        JobError: PyBaMM cannot build this model with this parameter set (``cannot_build``).
    """
    pybamm.set_logging_level("ERROR")
    values = base_set(structure.base).copy()
    for override in structure.fixed:
        values[override.parameter] = overridden(structure.base, override)
    for name, kind in structure.free:
        stand_in = Override(name, "scale" if kind == "scale" else "value", 1.0)
        values[name] = overridden(structure.base, stand_in, pybamm.InputParameter(name))
    for name in (INITIAL_NEGATIVE, INITIAL_POSITIVE, PARALLEL, AMBIENT, INITIAL_TEMPERATURE):
        values[name] = "[input]"
    times = pybamm.InputParameter(KNOT_TIMES, expected_size=structure.size)
    currents = pybamm.InputParameter(KNOT_CURRENTS, expected_size=structure.size)
    values[CURRENT_FUNCTION] = _ProfileCurrent(pybamm.t, times, currents)
    try:
        model = empty_model(structure.model)
        # The measured current decides when to stop, not the set's cut-offs.
        model.events = [event for event in model.events if "voltage" not in event.name.lower()]
        model.variables[LOWEST_ELECTROLYTE] = pybamm.min(model.variables[ELECTROLYTE])
        simulation = pybamm.Simulation(model, parameter_values=values, solver=_solver(structure))
        simulation.build()
    except (KeyError, ValueError, TypeError, pybamm.OptionError, pybamm.ModelError) as error:
        text = str(error).split("\n", 1)[0]
        raise JobError(
            f"PyBaMM cannot build {structure.model.type} with {structure.base}: {text}", "cannot_build"
        ) from error
    return simulation


def _solver(structure: Structure) -> pybamm.IDAKLUSolver:
    options = {"num_threads": 1, "silence_sundials_errors": True, "dt_init": structure.first_step_second}
    return pybamm.IDAKLUSolver(
        rtol=structure.rtol,
        atol=structure.atol,
        output_variables=[VOLTAGE, DISCHARGE, *LOWEST_STOICHIOMETRY, *HIGHEST_STOICHIOMETRY, LOWEST_ELECTROLYTE],
        on_extrapolation="ignore",
        options=options,
    )


def replay(structure: Structure, conditions: Conditions, profile: CurrentProfile, time_second: Floats) -> Replayed:
    """Solve the built model under a profile; the solver stops at every knot, so no pulse is stepped over.

    Args:
        time_second: shape (n,), increasing, within the profile: where voltage and charge are wanted.

    Raises:
        JobError: ``did_not_converge`` or ``ended_early``. A curve that is none is found by :func:`check_range`.
    """
    simulation = built(structure)
    inputs = _inputs(structure, conditions, profile)
    stops = profile.time_second - profile.time_second[0]
    wanted = time_second - profile.time_second[0]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            solution = simulation.solve(t_eval=stops, t_interp=wanted, inputs=inputs)
    except (pybamm.SolverError, ValueError, RuntimeError) as error:
        text = " ".join(str(error).split())[:200]
        raise JobError(f"the solver did not converge: {text}", "did_not_converge") from error
    solved = np.asarray(solution.t, float)
    if solved[-1] < wanted[-1]:
        end = float(solved[-1]) + profile.time_second[0]
        raise JobError(f"the simulation ended early at {end:.1f} s: {solution.termination}", "ended_early")
    # The solution also holds the stops that are no samples (the edges of power cuts).
    at = np.searchsorted(solved, wanted)

    def output(name: str) -> Floats:
        values: Floats = np.asarray(solution[name].entries, float)[at]
        return values

    excess = np.maximum(-output(LOWEST_ELECTROLYTE), 0.0) / 1000.0
    for name in LOWEST_STOICHIOMETRY:
        excess += np.maximum(-output(name), 0.0)
    for name in HIGHEST_STOICHIOMETRY:
        excess += np.maximum(output(name) - 1.0, 0.0)
    current = np.interp(time_second, profile.time_second, profile.current_ampere)
    return Replayed(time_second, output(VOLTAGE), current, pybamm_current(output(DISCHARGE)), excess)


def _inputs(structure: Structure, conditions: Conditions, profile: CurrentProfile) -> dict[str, Any]:
    times, currents = _padded(profile, structure.size)
    temperature = kelvin(conditions.temperature_celsius)
    inputs = {
        KNOT_TIMES: times,
        KNOT_CURRENTS: pybamm_current(currents),
        INITIAL_NEGATIVE: conditions.state.negative_concentration,
        INITIAL_POSITIVE: conditions.state.positive_concentration,
        PARALLEL: conditions.electrodes_in_parallel,
        AMBIENT: temperature,
        INITIAL_TEMPERATURE: temperature,
    }
    free = dict(structure.free)
    return inputs | {o.parameter: o.value for o in conditions.overrides if o.parameter in free}


def _padded(profile: CurrentProfile, size: int) -> tuple[Floats, Floats]:
    """Fill a profile up to the built model's size with rest after its end, a second a knot."""
    missing = size - len(profile.time_second)
    times = profile.time_second - profile.time_second[0]
    times = np.concatenate([times, times[-1] + 1.0 + np.arange(missing)])
    return times, np.concatenate([profile.current_ampere, np.full(missing, profile.current_ampere[-1])])


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
