"""Read parameter sets from file content: BPX, or JSON of PyBaMM's ``ParameterValues``."""

from __future__ import annotations

import functools
import importlib
import inspect
import tempfile
import threading
import types
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pybamm

from ...data.errors import JobError
from ...data.parameter_files import NO_BPX, has_bpx, read_document

LOWER_CUTOFF: Final = "Lower voltage cut-off [V]"
UPPER_CUTOFF: Final = "Upper voltage cut-off [V]"
CAPACITIES: Final = ("Nominal cell capacity [A.h]", "Cell capacity [A.h]")
"""Names of a set's capacity; equivalent circuits use the second."""

SEPARATOR_DUPLICATES: Final = ("Porosity", "Thickness [m]", "Transport efficiency")
"""Names under which PyBaMM stores the separator's fields a second time, without the word "separator"."""

LONGEST_REASON: Final = 300  # characters of another package's error that are quoted
_BPX_LOCK: Final = threading.RLock()


def make_values(content: bytes) -> tuple[pybamm.ParameterValues, tuple[str, ...]]:
    """Make a parameter set from the content of a file.

    Functions become Python functions, as in PyBaMM's own sets, so they are scaled and fitted in the same way.

    Args:
        content: the file's bytes, BPX or JSON of ``ParameterValues``.

    Returns:
        The set, and the warnings that PyBaMM or bpx gave (assumed defaults, limits that disagree), without duplicates.

    Raises:
        JobError: ``bad_parameter_set``: PyBaMM cannot make a set from it, or a parameter that every simulation needs
            is missing.
    """
    try:
        form, document = read_document(content)
        if form == "bpx" and not has_bpx():
            raise ValueError(NO_BPX)
        with _user_warnings() as notes:
            read = _values_from_bpx if form == "bpx" else pybamm.ParameterValues.from_json
            values = read(document)
        for name, value in list(values.items()):
            if isinstance(value, pybamm.ExpressionFunctionParameter):
                values[name] = _make_function(value)
    except Exception as error:  # pydantic, PyBaMM and bpx raise many kinds of errors for a wrong document
        raise JobError(_error_text(error), "bad_parameter_set") from error
    _require_basics(values)
    return values, tuple(dict.fromkeys(notes))


def _values_from_bpx(document: dict[str, Any]) -> pybamm.ParameterValues:
    _remove_unsupported(document["Parameterisation"].get("User-defined"))
    with _temporary_bpx_modules():
        values = pybamm.ParameterValues.create_from_bpx_obj(document)
    for duplicate in SEPARATOR_DUPLICATES:
        values.pop(duplicate, None)
    for name, value in list(values.items()):
        values[name] = _plain_number(value)
    return values


def _remove_unsupported(user_defined: Any) -> None:
    """Remove the entries of BPX's user-defined part that PyBaMM mistakes for parameters: description and groups."""
    if not isinstance(user_defined, dict):
        return
    user_defined.pop("description", None)
    for name, value in list(user_defined.items()):
        is_group = isinstance(value, dict) and not {"x", "y"} <= value.keys()
        if is_group:
            del user_defined[name]
            warnings.warn(f"'User-defined' group {name!r} is ignored: PyBaMM has no groups", stacklevel=2)


def _plain_number(value: Any) -> Any:
    """Return the number behind a constant that PyBaMM has wrapped in a function of temperature.

    PyBaMM wraps a constant even when its activation energy is zero. PyBaMM's own sets hold a number there, and the
    bounds of a fit then apply to the number, not to a factor on a function.
    """
    keywords = getattr(value, "keywords", {})
    if keywords.get("constant") and keywords.get("Ea") == 0.0:
        return keywords.get("D_ref", keywords.get("sigma_ref", value))
    return value


@contextmanager
def _temporary_bpx_modules() -> Iterator[None]:
    """Make bpx write its modules, one for each function, to a temporary folder; bpx itself never deletes them.

    This replaces the name ``tempfile`` in the module ``bpx.function`` of the whole process. The lock keeps threads of
    kilocell apart, but another thread that calls bpx directly meanwhile also writes to the temporary folder.
    """
    bpx_function = importlib.import_module("bpx.function")
    with _BPX_LOCK, tempfile.TemporaryDirectory(prefix="kilocell-bpx-") as folder:
        open_in_folder = functools.partial(tempfile.NamedTemporaryFile, dir=folder)
        bpx_function.tempfile = types.SimpleNamespace(NamedTemporaryFile=open_in_folder)  # type: ignore[attr-defined]
        try:
            yield
        finally:
            bpx_function.tempfile = tempfile  # type: ignore[attr-defined]


def _make_function(parameter: Any) -> Callable[..., Any]:
    """Convert a function that PyBaMM read from JSON, an expression of named placeholders, to a Python function."""
    placeholders = [pybamm.Parameter(name) for name in parameter.func_args]

    def function(*arguments: Any) -> Any:
        argument_of = dict(zip(placeholders, arguments, strict=False))

        def substitute(node: Any, leaves: Any) -> Any:
            if node in argument_of:
                return argument_of[node]
            return pybamm.rebuild(node, leaves)

        return pybamm.tree_map(substitute, parameter.child)

    function.__name__ = parameter.func_name
    named = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in parameter.func_args]
    function.__signature__ = inspect.Signature(named)  # type: ignore[attr-defined]
    return function


def _require_basics(values: pybamm.ParameterValues) -> None:
    for names in ((LOWER_CUTOFF,), (UPPER_CUTOFF,), CAPACITIES):
        if not any(name in values for name in names):
            reason = f"the set has no {names[0]!r}, which every simulation needs; add it to the file"
            raise JobError(reason, "bad_parameter_set")


@contextmanager
def _user_warnings() -> Iterator[list[str]]:
    """Collect warnings meant for users; warnings about deprecated calls are left out.

    Single thread only: ``warnings.catch_warnings`` changes the filters of the whole process.
    """
    notes: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield notes
    for warning in caught:
        if issubclass(warning.category, UserWarning) and not issubclass(warning.category, DeprecationWarning):
            notes.append(" ".join(str(warning.message).split()))


def _error_text(error: Exception) -> str:
    """Return one line that describes an error; for pydantic, the first wrong field and its message."""
    list_details: Any = getattr(error, "errors", None)
    details: Any = ()
    if callable(list_details):
        details = list_details()
    if details:
        first = details[0]
        field = ".".join(str(part) for part in first["loc"])
        return f"{field}: {first['msg']}" if field else str(first["msg"])
    if isinstance(error, KeyError):
        return f"has no {error.args[0]!r}"
    return " ".join(str(error).split())[:LONGEST_REASON] or type(error).__name__
