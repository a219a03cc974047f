"""Build a PyBaMM model once for many profiles: inputs, mesh and solver, interpreted or compiled."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final

import pybamm

from ...data.convert import SECONDS_PER_HOUR
from ...data.errors import JobError
from ...data.fit_settings import CELL_PARAMETERS
from ...data.settings import ModelSettings, Override
from ..current_profile.model_input import PROFILE_SIZES, profile_current, profile_temperature
from ..parameters.sets import AMBIENT, CURRENT_FUNCTION, INITIAL_TEMPERATURE, PARALLEL, load_base_set, override_value
from .equilibrium import state_input_names
from .outputs import add_outputs
from .pybamm_models import (
    check_set,
    complete_set,
    empty_model,
    explain_build_error,
    mesh_points,
    scales_current,
    used_mesh_points,
)
from .replay_solver import ReplaySolver, SolverFunctions, SolverOptions
from .tables import extend_tables, table_excess, table_ranges

MESH_WORDS: Final = ("thickness", "radius")
"""Words in the names of parameters that shape the mesh; PyBaMM cannot take these as inputs."""

IN_PLANE_MESH_WORDS: Final = ("height", "width", "length")
"""Further such words, if the current collectors have a mesh."""

PYBAMM_ERRORS: Final = (pybamm.OptionError, pybamm.ModelError, pybamm.DiscretisationError, pybamm.GeometryError)
VOLTAGE: Final = "Voltage [V]"
DISCHARGE: Final = "Discharge capacity [A.h]"
PHASE_PREFIXES: Final = ("negative primary", "negative secondary", "positive primary", "positive secondary")
ELECTROLYTE_CONCENTRATION: Final = "Electrolyte concentration [mol.m-3]"
EXCESS: Final = "Excess of "
"""Beginning of the names of the outputs that measure how far a quantity is outside its possible range."""

MOST_MODELS: Final = 24
"""Built models that a process keeps; one takes some 10 MB."""

_compilation_on: ContextVar[bool] = ContextVar("compiled", default=False)


@dataclass(frozen=True, slots=True)
class Structure:
    """Everything that a built model depends on; everything else is an input.

    Args:
        model: type, options and mesh.
        base: the parameter set's key.
        free: (parameter, kind) of the overrides that are inputs.
        fixed: the overrides that shape the mesh, whose values are part of the model.
        size: length of the vectors of current knots.
        rtol, atol: relative and absolute tolerance of the solver.
        first_step_second: first step of the solver; 0 = the solver chooses.
        compiled: compile the functions to machine code if there is a compiler; else CasADi's virtual machine runs them.
        longest_step_second: longest step of the solver; 0 = no limit.
        temperature_size: length of the vectors of temperature knots; 0 = the temperature is one number.
        slopes: inputs for which the solver also computes the derivative of the voltage.
        algebraic_error: control the error of algebraic variables; without, a DFN takes fewer and longer steps.
        outputs: what else is calculated, keys of ``data.outputs.OUTPUTS``.
    """

    model: ModelSettings
    base: str
    free: tuple[tuple[str, str], ...]
    fixed: tuple[Override, ...]
    size: int
    rtol: float
    atol: float
    first_step_second: float = 0.0
    compiled: bool = False
    longest_step_second: float = 0.0
    temperature_size: int = 0
    slopes: tuple[str, ...] = ()
    algebraic_error: bool = True
    outputs: tuple[str, ...] = ()


def make_structure(
    model: ModelSettings,
    base: str,
    overrides: tuple[Override, ...],
    knots: int,
    rtol: float,
    atol: float,
    first_step_second: float = 0.0,
    compiled: bool | None = None,
    temperature_size: int = 0,
) -> Structure:
    """Return the structure of the built model that a replay needs.

    Args:
        model: type, options and mesh.
        base: the parameter set's key.
        overrides: of the parameter set; those of the cell (state, capacity) are ignored.
        knots: of the current profile; a profile longer than the largest size is solved in windows.
        rtol, atol: relative and absolute tolerance of the solver.
        first_step_second: first step of the solver; 0 = the solver chooses.
        compiled: compile the functions to machine code; ``None`` = as :func:`compile_models` says.
        temperature_size: length of the vectors of temperature knots; 0 = the temperature is one number.
    """
    size = next((size for size in PROFILE_SIZES if size > knots), PROFILE_SIZES[-1])
    free = []
    fixed = []
    for override in overrides:
        if override.parameter in CELL_PARAMETERS:
            continue
        if shapes_mesh(override.parameter, model):
            fixed.append(override)
        else:
            free.append((override.parameter, override.kind))
    if compiled is None:
        compiled = is_compilation_on()
    return Structure(
        model,
        base,
        tuple(free),
        tuple(fixed),
        size,
        rtol,
        atol,
        first_step_second,
        compiled,
        temperature_size=temperature_size,
    )


def shapes_mesh(parameter: str, model: ModelSettings) -> bool:
    """Tell whether a parameter shapes the model's mesh; each of its values then needs a separate model."""
    words: tuple[str, ...] = MESH_WORDS
    if dict(model.options).get("dimensionality", 0) != 0:
        words += IN_PLANE_MESH_WORDS
    return any(word in parameter for word in words)


def refine_mesh(settings: ModelSettings) -> ModelSettings:
    """Return the model with twice the mesh points in its particles; unchanged if it has no particles."""
    model = empty_model(settings)
    points = {getattr(key, "name", key): number for key, number in model.default_var_pts.items()}
    points |= dict(settings.mesh)
    doubled = {name: 2 * points[name] for name in used_mesh_points(model) & points.keys() if name.startswith("r_")}
    return replace(settings, mesh=tuple(sorted({**dict(settings.mesh), **doubled}.items())))


@dataclass(frozen=True, slots=True)
class BuiltModel:
    """A discretised model, with a solver for the tolerances and steps of one structure.

    Args:
        model: as PyBaMM solves it.
        solver: returns output variables, also up to a failure.
    """

    model: Any  # PyBaMM's annotations of both are not those of what it takes
    solver: Any


@dataclass(frozen=True, slots=True)
class _Equations:
    """A discretised model, and the solvers that were made for it, by their options."""

    model: Any
    outputs: tuple[str, ...]
    functions: SolverFunctions = field(default_factory=SolverFunctions)
    solvers: dict[SolverOptions, ReplaySolver] = field(default_factory=dict)


def build_model(structure: Structure) -> BuiltModel:
    """Return a built model; it is built once in each thread, and so is its solver for each of the solver's options.

    Raises:
        JobError: PyBaMM cannot build this model with this parameter set (``cannot_build``).
    """
    # A solve writes into its model, so two threads must not share one.
    equations = _build_equations(_without_solver_options(structure), threading.get_ident())
    options = SolverOptions(
        structure.rtol,
        structure.atol,
        structure.first_step_second,
        structure.longest_step_second,
        structure.algebraic_error,
        structure.compiled,
    )
    solver = equations.solvers.get(options)
    if solver is None:
        solver = ReplaySolver(options, equations.outputs, equations.functions)
        equations.solvers[options] = solver
    return BuiltModel(equations.model, solver)


def forget_models() -> None:
    """Forget the built models of this process, as a new process would have none."""
    _build_equations.cache_clear()


def _without_solver_options(structure: Structure) -> Structure:
    """Return the structure with the same solver options for all, which change none of the model's equations."""
    return replace(structure, rtol=0.0, atol=0.0, first_step_second=0.0, longest_step_second=0.0, algebraic_error=True)


@lru_cache(maxsize=MOST_MODELS)
def _build_equations(structure: Structure, thread: int) -> _Equations:
    """Build the equations of a structure for one thread."""
    pybamm.set_logging_level("ERROR")
    check_set(structure.model, structure.base)
    values = _values_with_inputs(structure)
    try:
        equations = _discretise(structure, values)
    except (KeyError, ValueError, TypeError, NotImplementedError, *PYBAMM_ERRORS) as error:
        set_name = structure.base.partition("@")[0]
        text = explain_build_error(error, structure.base)
        reason = f"PyBaMM cannot build {structure.model.type} with the parameter set {set_name}: {text}"
        raise JobError(reason, "cannot_build") from error
    _exclude_from_garbage_collection()
    return equations


def _values_with_inputs(structure: Structure) -> pybamm.ParameterValues:
    """Return the parameter set with fixed overrides applied and inputs in place of the free ones."""
    values = load_base_set(structure.base).copy()
    for override in structure.fixed:
        values[override.parameter] = override_value(structure.base, override)
    for name, kind in structure.free:
        placeholder = Override(name, "scale" if kind == "scale" else "value", 1.0)
        values[name] = override_value(structure.base, placeholder, pybamm.InputParameter(name))
    return values


def _discretise(structure: Structure, values: pybamm.ParameterValues) -> _Equations:
    model = empty_model(structure.model)
    complete_set(values, structure.model)
    extend_tables(values)
    for name in (*state_input_names(structure.model), AMBIENT, INITIAL_TEMPERATURE):
        values.update({name: "[input]"})
    if structure.temperature_size:
        values.update({AMBIENT: profile_temperature(structure.temperature_size)})
    _set_current(structure, model, values)
    # The measured current decides when to stop, not the set's cut-offs.
    model.events = [event for event in model.events if "voltage" not in event.name.lower()]
    excesses = {**_range_excesses(model), **_table_excesses(model, values)}
    model.variables.update(excesses)
    own_pairs = float(load_base_set(structure.base).get(PARALLEL, 1.0))
    more = add_outputs(model, structure.model, structure.outputs, own_pairs)
    points = mesh_points(structure.model, model)
    simulation = pybamm.Simulation(model, parameter_values=values, var_pts=points)
    simulation.build()
    return _Equations(simulation.built_model, (VOLTAGE, DISCHARGE, *excesses, *more))


def _exclude_from_garbage_collection() -> None:
    """Exclude everything that exists now from garbage collection.

    A built model is a large graph that is kept. To search it for garbage took 5 ms in every fourth replay. Models of
    before are searched again only when this one may have taken the place of another: that took 0.2 s for each model.
    """
    if _build_equations.cache_info().currsize >= MOST_MODELS:
        gc.unfreeze()
    gc.collect()
    gc.freeze()


def _set_current(structure: Structure, model: pybamm.BaseModel, values: pybamm.ParameterValues) -> None:
    """Make the profile the model's current; divide it by the number of cells if that is how a capacity is scaled."""
    if DISCHARGE not in model.variables:  # an equivalent circuit
        discharged = pybamm.Variable(DISCHARGE)
        model.rhs[discharged] = model.variables["Current [A]"] / SECONDS_PER_HOUR
        model.initial_conditions[discharged] = pybamm.Scalar(0.0)
        model.variables[DISCHARGE] = discharged
    values[CURRENT_FUNCTION] = profile_current(structure.size)
    if not scales_current(structure.model):
        values[PARALLEL] = "[input]"
        return
    cells = pybamm.InputParameter(PARALLEL) / float(values.get(PARALLEL, 1.0))
    values[CURRENT_FUNCTION] = profile_current(structure.size) / cells
    model.variables[DISCHARGE] = model.variables[DISCHARGE] * cells


def has_algebraic(built: BuiltModel) -> bool:
    """Tell whether the model has algebraic equations, as the DFN has."""
    return bool(built.model.algebraic)


def _range_excesses(model: pybamm.BaseModel) -> dict[str, pybamm.Symbol]:
    """Return outputs that measure how far the electrodes and the electrolyte are outside their possible range.

    0 = inside. Surface stoichiometries anywhere in a phase of an electrode, and a circuit's state of charge: distance
    from the range 0 to 1. Electrolyte concentration: amount below zero, in mol.L-1. A model has only some of these.
    """
    excesses = {}
    for side in ("negative", "positive", *PHASE_PREFIXES):
        lowest = f"Minimum {side} particle surface stoichiometry"
        highest = f"Maximum {side} particle surface stoichiometry"
        if lowest in model.variables:
            excesses[f"{EXCESS}the {side} electrode"] = _outside_unit_range(
                model.variables[lowest], model.variables[highest]
            )
    for name in ("SoC", "Surface SoC"):
        if name in model.variables:
            excesses[f"{EXCESS}the {name}"] = _outside_unit_range(model.variables[name], model.variables[name])
    if ELECTROLYTE_CONCENTRATION in model.variables:
        below = -pybamm.min(model.variables[ELECTROLYTE_CONCENTRATION]) / 1000.0
        excesses[f"{EXCESS}the electrolyte"] = pybamm.maximum(below, 0.0)
    return excesses


def _table_excesses(model: pybamm.BaseModel, values: pybamm.ParameterValues) -> dict[str, pybamm.Symbol]:
    """Return outputs that measure how far the model is beyond the ends of each table of the set; 0 = inside."""
    excesses: dict[str, pybamm.Symbol] = {}
    for table in table_ranges(model, values):
        name = f"{EXCESS}{table.words}"
        excess = table_excess(table)
        if name in excesses:  # used in several places, such as each particle and its surface
            excess = pybamm.maximum(excesses[name], excess)
        excesses[name] = excess
    return excesses


def _outside_unit_range(lowest: pybamm.Symbol, highest: pybamm.Symbol) -> pybamm.Symbol:
    return pybamm.maximum(pybamm.maximum(-lowest, highest - 1.0), 0.0)


@contextmanager
def compile_models(on: bool) -> Iterator[None]:
    """Compile the models that are built within this context, in the current thread.

    PyBaMM uses gcc, and stores the code in the folder that the variable ``PYBAMM_CASADI_AOT_CACHE`` names.

    Args:
        on: ``False`` = do not compile.
    """
    token = _compilation_on.set(on)
    try:
        yield
    finally:
        _compilation_on.reset(token)


def is_compilation_on() -> bool:
    """Tell whether models that are built now are compiled."""
    return _compilation_on.get()
