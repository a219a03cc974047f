"""Parameter sets out of files: BPX, or JSON of PyBaMM's ParameterValues, as text that another room has read."""

from __future__ import annotations

import functools
import importlib
import inspect
import tempfile
import types
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pybamm

from ...data.errors import JobError
from ...data.parameter_files import NO_BPX, has_bpx, read_document

LOWER: Final = "Lower voltage cut-off [V]"
UPPER: Final = "Upper voltage cut-off [V]"
CAPACITIES: Final = ("Nominal cell capacity [A.h]", "Cell capacity [A.h]")  # the second of equivalent circuits


def make_values(content: bytes) -> tuple[pybamm.ParameterValues, tuple[str, ...]]:
    """Make a parameter set of a file's content.

    Functions come out as Python functions, as in PyBaMM's own sets, so that they can be scaled and fitted alike.

    Returns:
        The set, and what PyBaMM or bpx said while reading it (defaults that were taken, limits that do not agree).

    Raises:
        JobError: ``bad_parameter_set``: PyBaMM cannot make a set of it, or it lacks what every simulation needs.
    """
    try:
        form, document = read_document(content)
        if form == "bpx" and not has_bpx():
            raise ValueError(NO_BPX)
        with _notes() as notes:
            values = _values_from_bpx(document) if form == "bpx" else pybamm.ParameterValues.from_json(document)
        for name, value in list(values.items()):
            if isinstance(value, pybamm.ExpressionFunctionParameter):
                values[name] = _make_function(value)
    except Exception as error:  # pydantic's, PyBaMM's and what else a wrong document brings about
        raise JobError(_words(error), "bad_parameter_set") from error
    _check(values)
    return values, tuple(dict.fromkeys(notes))


def _values_from_bpx(document: dict[str, Any]) -> pybamm.ParameterValues:
    _leave_out_words(document["Parameterisation"].get("User-defined"))
    with _modules_of_bpx():
        values = pybamm.ParameterValues.create_from_bpx_obj(document)
    # PyBaMM copies the separator's fields a second time, under names that say nothing of the separator.
    for stray in ("Porosity", "Thickness [m]", "Transport efficiency"):
        values.pop(stray, None)
    for name, value in list(values.items()):
        values[name] = _unwrapped(value)
    return values


def _leave_out_words(user_defined: Any) -> None:
    """Take out of BPX's user-defined part what PyBaMM fails on as if it were a parameter: description and groups."""
    if not isinstance(user_defined, dict):
        return
    user_defined.pop("description", None)
    for name, value in list(user_defined.items()):
        if isinstance(value, dict) and not {"x", "y"} <= value.keys():
            del user_defined[name]
            warnings.warn(f"the group {name!r} of 'User-defined' is left out: PyBaMM has no groups", stacklevel=2)


def _unwrapped(value: Any) -> Any:
    """A constant that PyBaMM has made a function of temperature without an activation energy, as the number it is.

    A set of PyBaMM's gives a number there, too: bounds of a fit are of the number then, not of a factor.
    """
    given = getattr(value, "keywords", {})
    if given.get("constant") and given.get("Ea") == 0.0:
        return given.get("D_ref", given.get("sigma_ref", value))
    return value


@contextmanager
def _modules_of_bpx() -> Iterator[None]:
    """Let bpx write the module it makes of each function into a folder that goes away; by itself it leaves them all."""
    functions = importlib.import_module("bpx.function")
    with tempfile.TemporaryDirectory(prefix="kilocell-bpx-") as folder:
        opened = functools.partial(tempfile.NamedTemporaryFile, dir=folder)
        functions.tempfile = types.SimpleNamespace(NamedTemporaryFile=opened)  # type: ignore[attr-defined]
        try:
            yield
        finally:
            functions.tempfile = tempfile  # type: ignore[attr-defined]


def _make_function(parameter: Any) -> Callable[..., Any]:
    """A function as PyBaMM keeps it in JSON, an expression of named placeholders, as a Python function."""
    placeholders = [pybamm.Parameter(name) for name in parameter.func_args]

    def function(*arguments: Any) -> Any:
        given = dict(zip(placeholders, arguments, strict=False))

        def put(node: Any, leaves: Any) -> Any:
            return given[node] if node in given else pybamm.rebuild(node, leaves)

        return pybamm.tree_map(put, parameter.child)

    function.__name__ = parameter.func_name
    named = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in parameter.func_args]
    function.__signature__ = inspect.Signature(named)  # type: ignore[attr-defined]
    return function


def _check(values: pybamm.ParameterValues) -> None:
    for names in ((LOWER,), (UPPER,), CAPACITIES):
        if not any(name in values for name in names):
            raise JobError(f"the set has no {names[0]!r}", "bad_parameter_set")


@contextmanager
def _notes() -> Iterator[list[str]]:
    """Collect the warnings that are meant for people; those about deprecated calls are not."""
    notes: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield notes
    notes += [
        " ".join(str(w.message).split())
        for w in caught
        if issubclass(w.category, UserWarning) and not issubclass(w.category, DeprecationWarning)
    ]


def _words(error: Exception) -> str:
    """One line of an error; of pydantic's, the first place with what is wrong there."""
    details: Any = getattr(error, "errors", None)
    found: Any = details() if callable(details) else ()
    if found:
        where = ".".join(str(part) for part in found[0]["loc"])
        return f"{where}: {found[0]['msg']}" if where else str(found[0]["msg"])
    if isinstance(error, KeyError):
        return f"has no {error.args[0]!r}"
    return " ".join(str(error).split())[:300] or type(error).__name__
