"""Build a PyBaMM model once for many profiles: its inputs, mesh and solver, interpreted or compiled."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

import pybamm
from pybamm.codegen.compilation import aot_compile
from pybamm.solvers import idaklu_solver

from ...data.convert import SECONDS_PER_HOUR
from ...data.errors import JobError
from ...data.fit_settings import CELL_PARAMETERS
from ...data.settings import ModelSettings, Override
from ..current_profile.model_input import PROFILE_SIZES, profile_current, profile_temperature
from ..parameters.sets import AMBIENT, CURRENT_FUNCTION, INITIAL_TEMPERATURE, PARALLEL, load_base_set, override_value
from .equilibrium import state_input_names
from .pybamm_models import check_set, complete_set, empty_model, explain_build_error, mesh_points, scales_current

MESH_WORDS: Final = ("thickness", "radius")  # in names of parameters that shape the mesh, which cannot be inputs
IN_PLANE_MESH_WORDS: Final = ("height", "width", "length")  # and of those that do where current collectors have a mesh
PYBAMM_ERRORS: Final = (pybamm.OptionError, pybamm.ModelError, pybamm.DiscretisationError, pybamm.GeometryError)
VOLTAGE: Final = "Voltage [V]"
DISCHARGE: Final = "Discharge capacity [A.h]"
SHORT_STEP_MODELS: Final = ("DFN", "MSMR", "Yang2017")  # models with so many states that these keep the steps short
PHASE_PREFIXES: Final = ("negative primary", "negative secondary", "positive primary", "positive secondary")
ELECTROLYTE_CONCENTRATION: Final = "Electrolyte concentration [mol.m-3]"
EXCESS: Final = "Excess of "
FLAGS: Final = ("-O3", "-march=native", "-ffp-contract=off", "-fPIC")
"""Without fused multiply-add: with it a drive cycle's voltage (SPM) was 0.15 mV away, without it every bit agrees."""

_compilation_on: ContextVar[bool] = ContextVar("compiled", default=False)
_fell_back: list[str] = []  # models of this process that could not be compiled


@dataclass(frozen=True, slots=True)
class Structure:
    """Everything that a built model depends on; what is not here is an input.

    Args:
        base: the parameter set's key.
        free: (parameter, kind) of overrides that are inputs.
        fixed: overrides that shape the geometry and so are part of the model.
        size: of the vectors of knots, in which a window of the profile has its place.
        compiled: turn its functions into machine code, where there is a compiler; else CasADi's virtual machine.
        temperature_size: longest temperature profile, in knots; 0 = the temperature is one number.
        slopes: inputs by which the voltage is differentiated as it is solved.
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
    """Say which built model serves this replay; a profile longer than the largest size is solved in its windows.

    Args:
        compiled: ``None`` = as :func:`kilocell.jobs.models.build.compile_models` says.
    """
    overrides = tuple(
        o for o in overrides if o.parameter not in CELL_PARAMETERS
    )  # which are no parameters of the model
    size = next((size for size in PROFILE_SIZES if size > knots), PROFILE_SIZES[-1])
    fixed = tuple(o for o in overrides if shapes_mesh(o.parameter, model))
    free = tuple((o.parameter, o.kind) for o in overrides if not shapes_mesh(o.parameter, model))
    as_code = is_compilation_on() if compiled is None else compiled
    structure = Structure(model, base, free, fixed, size, rtol, atol, first_step_second, as_code)
    return replace(structure, temperature_size=temperature_size)


def shapes_mesh(parameter: str, model: ModelSettings) -> bool:
    """Tell whether a parameter shapes the model's mesh, so that another value is another model."""
    words = MESH_WORDS + (IN_PLANE_MESH_WORDS if dict(model.options).get("dimensionality", 0) != 0 else ())
    return any(word in parameter for word in words)


def refine_mesh(settings: ModelSettings) -> ModelSettings:
    """The model with twice the points in its particles, where it has any."""
    model = empty_model(settings)
    used = {getattr(key, "name", key) for variables in model.default_geometry.values() for key in variables}
    own = {getattr(key, "name", key): number for key, number in model.default_var_pts.items()}
    points = {**own, **dict(settings.mesh)}
    doubled = {name: 2 * points[name] for name in used & points.keys() if name.startswith("r_")}
    return replace(settings, mesh=tuple(sorted({**dict(settings.mesh), **doubled}.items())))


@lru_cache(maxsize=24)
def build_model(structure: Structure) -> pybamm.Simulation:
    """Build a model once in this process.

    Raises:
        JobError: PyBaMM cannot build this model with this parameter set (``cannot_build``).
    """
    pybamm.set_logging_level("ERROR")
    check_set(structure.model, structure.base)
    values = load_base_set(structure.base).copy()
    for override in structure.fixed:
        values[override.parameter] = override_value(structure.base, override)
    for name, kind in structure.free:
        stand_in = Override(name, "scale" if kind == "scale" else "value", 1.0)
        values[name] = override_value(structure.base, stand_in, pybamm.InputParameter(name))
    try:
        model = empty_model(structure.model)
        complete_set(values, structure.model)
        for name in (*state_input_names(structure.model), AMBIENT, INITIAL_TEMPERATURE):
            values.update({name: "[input]"})
        if structure.temperature_size:
            values.update({AMBIENT: profile_temperature(structure.temperature_size)})
        _set_current(structure, model, values)
        # The measured current decides when to stop, not the set's cut-offs.
        model.events = [event for event in model.events if "voltage" not in event.name.lower()]
        excesses = _excesses(model)
        model.variables.update(excesses)
        solver = _solver(structure, [VOLTAGE, DISCHARGE, *excesses], bool(model.algebraic))
        points = mesh_points(structure.model, model)
        simulation = pybamm.Simulation(model, parameter_values=values, solver=solver, var_pts=points)
        simulation.build()
    except (KeyError, ValueError, TypeError, NotImplementedError, *PYBAMM_ERRORS) as error:
        text = explain_build_error(error, structure.base)
        raise JobError(
            f"PyBaMM cannot build {structure.model.type} with {structure.base.partition('@')[0]}: {text}",
            "cannot_build",
        ) from error
    # A model is a large graph that stays: looking through it for garbage cost 5 ms at every fourth replay.
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    return simulation


def _set_current(structure: Structure, model: pybamm.BaseModel, values: pybamm.ParameterValues) -> None:
    """Make the profile the model's current, scaled to the set's cell where that is how a capacity is scaled."""
    if DISCHARGE not in model.variables:  # a circuit
        discharged = pybamm.Variable(DISCHARGE)
        model.rhs[discharged] = model.variables["Current [A]"] / SECONDS_PER_HOUR
        model.initial_conditions[discharged] = pybamm.Scalar(0.0)
        model.variables[DISCHARGE] = discharged
    values[CURRENT_FUNCTION] = profile_current(structure.size)
    if not scales_current(structure.model):
        values[PARALLEL] = "[input]"
        return
    copies = pybamm.InputParameter(PARALLEL) / float(values.get(PARALLEL, 1.0))
    values[CURRENT_FUNCTION] = profile_current(structure.size) / copies
    model.variables[DISCHARGE] = model.variables[DISCHARGE] * copies


def has_algebraic(structure: Structure) -> bool:
    """Tell whether the model has algebraic equations, as the DFN does."""
    return _algebraic(structure.model)


@lru_cache(maxsize=64)
def _algebraic(settings: ModelSettings) -> bool:
    return bool(empty_model(settings).algebraic)


def _solver(structure: Structure, outputs: list[str], algebraic: bool) -> pybamm.IDAKLUSolver:
    options = {
        "num_threads": 1,
        "silence_sundials_errors": True,
        "compile": structure.compiled,
        "dt_max": structure.longest_step_second,
        "dt_init": structure.first_step_second,
        # So many steps within a tenth of a second: it is stuck, and would be for hours.
        "num_steps_no_progress": 10_000,
        "t_no_progress": 0.1,
        # Algebraic variables follow from the states at once: judging their error too halves a DFN's steps for nothing.
        # The few smooth states of the others let steps grow until what is interpolated in them is off by 1 to 3 mV.
        "suppress_algebraic_error": not algebraic or structure.model.type in SHORT_STEP_MODELS,
    }
    made = CompiledSolver if structure.compiled else pybamm.IDAKLUSolver
    return made(
        rtol=structure.rtol,
        atol=structure.atol,
        output_variables=outputs,
        on_extrapolation="ignore",
        on_failure="warn",  # and return what was solved until then
        options=options,
    )


def _excesses(model: pybamm.BaseModel) -> dict[str, pybamm.Symbol]:
    """How far each electrode and the electrolyte lie outside what can be, 0 = inside, as far as the model has them.

    Surface stoichiometries anywhere in a phase of an electrode, and a circuit's state of charge, outside 0 to 1; an
    electrolyte concentration below zero (mol.L-1).
    """
    found = {}
    for side in ("negative", "positive", *PHASE_PREFIXES):
        lowest, highest = (f"{end} {side} particle surface stoichiometry" for end in ("Minimum", "Maximum"))
        if lowest in model.variables:
            below, above = -model.variables[lowest], model.variables[highest] - 1.0
            found[f"{EXCESS}the {side} electrode"] = pybamm.maximum(pybamm.maximum(below, above), 0.0)
    for name in ("SoC", "Surface SoC"):
        if name in model.variables:
            below, above = -model.variables[name], model.variables[name] - 1.0
            found[f"{EXCESS}the {name}"] = pybamm.maximum(pybamm.maximum(below, above), 0.0)
    if ELECTROLYTE_CONCENTRATION in model.variables:
        below = -pybamm.min(model.variables[ELECTROLYTE_CONCENTRATION]) / 1000.0
        found[f"{EXCESS}the electrolyte"] = pybamm.maximum(below, 0.0)
    return found


class CompiledSolver(pybamm.IDAKLUSolver):  # type: ignore[misc]
    """PyBaMM's IDAKLU solver whose functions are compiled with our flags; where that fails, the virtual machine."""

    def set_up(self, model: Any, *arguments: Any, **named: Any) -> Any:
        """Prepare the solver for a model; PyBaMM does this before its first solve."""
        own = idaklu_solver.aot_compile
        idaklu_solver.aot_compile = _compile
        try:
            return super().set_up(model, *arguments, **named)
        finally:
            idaklu_solver.aot_compile = own


def _compile(functions: Any, **named: Any) -> Any:
    compiled = aot_compile(functions, **{"flags": FLAGS, **named})
    for function in compiled if isinstance(compiled, list) else [compiled]:
        if function.class_name() != "External":  # PyBaMM gives the function back as it was
            _fell_back.append(function.name())
    return compiled


@contextmanager
def compile_models(asked: bool) -> Iterator[None]:
    """Compile models that are built within, where ``asked``; where the code lies is PyBaMM's matter.

    PyBaMM takes gcc, and keeps the code in the folder that the variable ``PYBAMM_CASADI_AOT_CACHE`` names.
    """
    token = _compilation_on.set(asked)
    try:
        yield
    finally:
        _compilation_on.reset(token)


def is_compilation_on() -> bool:
    """Whether models are compiled here and now."""
    return _compilation_on.get()


def is_all_compiled() -> bool:
    """Whether every model that this process was asked to compile was; else some run in the virtual machine."""
    return not _fell_back
