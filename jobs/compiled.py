"""Models as machine code: the same arithmetic as CasADi's virtual machine, two to three times as fast.

Whether a model is compiled changes no result, not by one bit, so it is no setting of a job but part of its
surroundings: :func:`compiled_models`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import pybamm
from pybamm.codegen.compilation import aot_compile
from pybamm.solvers import idaklu_solver

FLAGS: Final = ("-O3", "-march=native", "-ffp-contract=off", "-fPIC")
"""Without fused multiply-add: with it a drive cycle's voltage (SPM) was 0.15 mV away, without it every bit agrees."""

_asked: ContextVar[bool] = ContextVar("compiled", default=False)
_fell_back: list[str] = []  # models of this process that could not be compiled


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
def compiled_models(asked: bool) -> Iterator[None]:
    """Compile models that are built within, where ``asked``; where the code lies is PyBaMM's matter.

    PyBaMM takes gcc, and keeps the code in the folder that the variable ``PYBAMM_CASADI_AOT_CACHE`` names.
    """
    token = _asked.set(asked)
    try:
        yield
    finally:
        _asked.reset(token)


def compiled_asked() -> bool:
    """Whether models are compiled here and now."""
    return _asked.get()


def all_compiled() -> bool:
    """Whether every model that this process was asked to compile was; else some run in the virtual machine."""
    return not _fell_back
