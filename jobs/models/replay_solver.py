"""PyBaMM's IDAKLU solver, whose compiled functions solvers of other tolerances and steps share.

PyBaMM prepares each solver by itself: it derives the Jacobian and the functions of all outputs, which takes 0.1 s to
2 s for a model. These functions do not depend on the solver's options, so the second solver of a model takes them.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any, Final

import pybamm
from pybamm.codegen.compilation import aot_compile
from pybamm.solvers import idaklu_solver

STUCK_STEPS: Final = 10_000
STUCK_SECOND: Final = 0.1
"""A solver that takes ``STUCK_STEPS`` steps within ``STUCK_SECOND`` of simulated time is stuck, and is stopped."""

FLAGS: Final = ("-O3", "-march=native", "-ffp-contract=off", "-fPIC")
"""Compiler flags, without fused multiply-add.

With it, the voltage of a drive cycle (SPM) differed by 0.15 mV from that of CasADi's virtual machine; without it, every
bit agrees.
"""

_not_compiled: list[str] = []  # functions of this process that could not be compiled
_SET_UP_LOCK: Final = threading.RLock()


@dataclass(frozen=True, slots=True)
class SolverOptions:
    """What of a solver does not change the model's equations.

    Args:
        rtol, atol: relative and absolute tolerance.
        first_step_second: first step; 0 = the solver chooses.
        longest_step_second: longest step; 0 = no limit.
        algebraic_error: control the error of algebraic variables.
        compiled: compile the functions to machine code.
    """

    rtol: float
    atol: float
    first_step_second: float
    longest_step_second: float
    algebraic_error: bool
    compiled: bool


@dataclass(slots=True)
class SolverFunctions:
    """What the first solver of a model prepared for the others.

    Args:
        group: arguments of PyBaMM's ``create_casadi_solver_group``; empty = no solver was prepared yet.
        set_up: what PyBaMM's solver keeps of its preparation, with its own solver under ``"solver"``.
    """

    group: dict[str, Any] = field(default_factory=dict)
    set_up: dict[str, Any] = field(default_factory=dict)


class ReplaySolver(pybamm.IDAKLUSolver):  # type: ignore[misc]
    """A solver of one model; what is compiled has ``FLAGS``, the rest runs in CasADi's virtual machine.

    Args:
        options: of this solver.
        outputs: names of the model's variables that are returned.
        functions: of the model, empty for its first solver; solvers of the same model in the same thread share them.
    """

    def __init__(self, options: SolverOptions, outputs: tuple[str, ...], functions: SolverFunctions) -> None:
        # The error of algebraic variables is controlled too. Without this, steps grow where the states change slowly,
        # and the solver interpolates potentials between them that bend: up to 20 mV (RMSE) at C/20 in an NMC cell,
        # 12 mV at worst in Prada2013 (DFN). It costs 1.0 to 1.8 times the time of a DFN, 2.8 in a drive cycle, whose
        # steps are short without it.
        super().__init__(
            rtol=options.rtol,
            atol=options.atol,
            output_variables=list(outputs),
            on_extrapolation="ignore",
            on_failure="warn",  # a failed solve returns what it has solved so far
            options={
                "num_threads": 1,
                "silence_sundials_errors": True,
                "compile": options.compiled,
                "dt_max": options.longest_step_second,
                "dt_init": options.first_step_second,
                "num_steps_no_progress": STUCK_STEPS,
                "t_no_progress": STUCK_SECOND,
                "suppress_algebraic_error": not options.algebraic_error,
            },
        )
        self._functions = functions

    def set_up(self, model: Any, inputs: Any = None, t_eval: Any = None, ics_only: bool = False) -> Any:
        """Prepare the solver for its model; PyBaMM calls this before the first solve."""
        if ics_only or not self._functions.group:
            with _SET_UP_LOCK:
                return self._set_up_first(model, inputs, t_eval, ics_only)
        atol = self._check_atol_type(self.atol, model)
        group = {**self._functions.group, "rtol": self.rtol, "atol": atol, "options": self._options}
        solver = idaklu_solver.idaklu.create_casadi_solver_group(**group)
        self._setup = {**self._functions.set_up, "atol": atol, "solver": solver}
        self._set_initial_conditions(model, 0.0, inputs)
        return None

    def _set_up_first(self, model: Any, inputs: Any, t_eval: Any, ics_only: bool) -> Any:
        """Let PyBaMM prepare the functions, and keep them.

        This replaces two names in PyBaMM's solver module for the whole process, since PyBaMM has no option for the
        compiler's flags and keeps no functions. The lock keeps threads of kilocell apart, but a solver of PyBaMM's own
        that another thread sets up meanwhile would be compiled with these flags too.
        """
        compile_before, library_before = idaklu_solver.aot_compile, idaklu_solver.idaklu
        idaklu_solver.aot_compile = _compile
        idaklu_solver.idaklu = _Library(library_before, self._functions)
        try:
            returned = super().set_up(model, inputs, t_eval, ics_only)
        finally:
            idaklu_solver.aot_compile, idaklu_solver.idaklu = compile_before, library_before
        if not ics_only:
            self._functions.set_up = dict(self._setup)
        return returned


class _Library:
    """PyBaMM's solver library, which keeps the arguments of the solver that it creates."""

    def __init__(self, library: Any, functions: SolverFunctions) -> None:
        self._library = library
        self._functions = functions

    def __getattr__(self, name: str) -> Any:
        return getattr(self._library, name)

    def create_casadi_solver_group(self, **arguments: Any) -> Any:
        created = self._library.create_casadi_solver_group(**arguments)
        self._functions.group = arguments
        return created


def _compile(functions: Any, **keywords: Any) -> Any:
    compiled = aot_compile(functions, **{"flags": FLAGS, **keywords})
    for function in compiled if isinstance(compiled, list) else [compiled]:
        if function.class_name() != "External":  # PyBaMM returns the function as it was
            _not_compiled.append(function.name())
    return compiled


def is_all_compiled() -> bool:
    """Tell whether every function to be compiled in this process was; else CasADi's virtual machine runs some."""
    return not _not_compiled
