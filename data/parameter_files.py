"""Files with a parameter set: BPX, or JSON of PyBaMM's ParameterValues, distinguished by their content.

All checks that need no PyBaMM are made here. A valid file consists of numbers and expressions: one that names a Python
class from outside PyBaMM, or a function that BPX does not have, is refused before PyBaMM reads it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from collections.abc import Iterator
from typing import Any, Final, Literal

from .expressions import BPX_FUNCTIONS, check_expression

Form = Literal["bpx", "pybamm"]
BPX_PARTS: Final = ("Cell", "Electrolyte", "Negative electrode", "Positive electrode", "Separator")
BPX_CELL: Final = ("Reference temperature [K]", "External surface area [m2]", "Volume [m3]")
NO_BPX: Final = "is BPX, which needs the package bpx: pip install 'kilocell[bpx]'"
_NUMBER: Final = re.compile(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_WORD: Final = re.compile(r"[^\W\d]\w*")
_TAGS: Final = ("$type", "type", "class", "py/object")  # keys of a class name, in this and earlier versions of PyBaMM
_TRUSTED: Final = ("pybamm.", "numpy.", "builtins.")


def content_digest(content: bytes) -> str:
    """Return the SHA-256 (hex) of a file's content.

    Args:
        content: the bytes of the file.
    """
    return hashlib.sha256(content).hexdigest()


def has_bpx() -> bool:
    """Tell whether the package ``bpx`` is installed, without importing it."""
    return importlib.util.find_spec("bpx") is not None


def read_document(content: bytes) -> tuple[Form, dict[str, Any]]:
    """Read the file of a parameter set as JSON, and tell which of the two forms it has.

    Args:
        content: the bytes of the file.

    Returns:
        The form, and the JSON object.

    Raises:
        ValueError: it has neither form, or lacks something that PyBaMM needs. The text completes a sentence that starts
            with the name of the file.
    """
    try:
        document = json.loads(
            content.decode("utf-8-sig"), object_pairs_hook=_refuse_duplicate_keys, parse_constant=_refuse_constant
        )
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 text (byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None
    except RecursionError:
        raise ValueError("is nested too deeply to be a parameter set") from None
    if not isinstance(document, dict):
        raise ValueError("is not a JSON object; a parameter set has the form {...}")
    if "Header" in document or "Parameterisation" in document:
        _check_bpx(document)
        return "bpx", document
    _check_pybamm(document)
    return "pybamm", document


def _refuse_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"has {repeated!r} twice; remove one of them")
    return document


def _refuse_constant(text: str) -> None:
    raise ValueError(f"contains {text}, which is not a number")


def _check_bpx(document: dict[str, Any]) -> None:
    header = document.get("Header")
    parts = document.get("Parameterisation")
    if not isinstance(header, dict) or "BPX" not in header:
        raise ValueError('looks like BPX, but its "Header" has no "BPX" version')
    if not isinstance(parts, dict):
        raise ValueError('is BPX, but has no "Parameterisation"')
    if missing := [part for part in BPX_PARTS if not isinstance(parts.get(part), dict)]:
        reason = ""
        if header.get("Model") == "SPM":
            reason = "; PyBaMM reads BPX as SPMe or DFN, so a file for SPM needs them too"
        raise ValueError(f"is BPX, but has no {' and '.join(map(repr, missing))}{reason}")
    if missing := [name for name in BPX_CELL if name not in parts["Cell"]]:
        raise ValueError(f'is BPX, but its "Cell" has no {missing[0]!r}, which is optional in BPX but needed by PyBaMM')
    for name, text in _texts(parts):
        unknown = sorted(set(_WORD.findall(_NUMBER.sub(" ", text))) - {"x", *BPX_FUNCTIONS})
        if unknown:
            functions = ", ".join(BPX_FUNCTIONS)
            raise ValueError(f"uses {unknown[0]!r} in {name!r}; a BPX expression may contain only x, {functions}")
        check_expression(name, text)


def _texts(value: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield every expression of a BPX parameterisation with its key."""
    for name, entry in value.items():
        if isinstance(entry, dict):
            yield from _texts(entry)
        elif isinstance(entry, str) and name != "description":
            yield name, entry


def _check_pybamm(document: dict[str, Any]) -> None:
    if not any(name.rstrip().endswith("]") for name in document):
        raise ValueError(
            'is neither BPX (no "Header") nor JSON of ParameterValues (no name with a unit); '
            'PyBaMM writes one with ParameterValues.to_json("FILE")'
        )
    for name, value in document.items():
        for kind in _class_names(value):
            if "." in kind and not kind.startswith(_TRUSTED):
                raise ValueError(f"uses the class {kind!r} in {name!r}, which is not one of PyBaMM's")


def _class_names(value: Any) -> Iterator[str]:
    """Yield the names of the classes in a value."""
    waiting = [value]
    while waiting:
        entry = waiting.pop()
        if isinstance(entry, dict):
            yield from (entry[tag] for tag in _TAGS if isinstance(entry.get(tag), str))
            waiting += entry.values()
        elif isinstance(entry, list):
            waiting += entry
