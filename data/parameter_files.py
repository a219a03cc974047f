"""Files that hold a parameter set: BPX, or JSON of PyBaMM's ParameterValues, told apart by what is in them.

Everything that can be told without PyBaMM is told here. A file is made of numbers and expressions: one that names a
Python object of anything but PyBaMM, or a function that BPX does not know, is refused before PyBaMM reads it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from collections.abc import Iterator
from typing import Any, Final, Literal

Form = Literal["bpx", "pybamm"]
BPX_PARTS: Final = ("Cell", "Electrolyte", "Negative electrode", "Positive electrode", "Separator")
BPX_CELL: Final = ("Reference temperature [K]", "External surface area [m2]", "Volume [m3]")
BPX_FUNCTIONS: Final = ("exp", "tanh", "cosh")
NO_BPX: Final = "is BPX, which needs the package bpx: pip install 'kilocell[bpx]'"
_NUMBER: Final = re.compile(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_WORD: Final = re.compile(r"[^\W\d]\w*")
_TAGS: Final = ("$type", "type", "class", "py/object")  # how PyBaMM names a class, in this version and before
_TRUSTED: Final = ("pybamm.", "numpy.", "builtins.")


def content_digest(content: bytes) -> str:
    """SHA-256 of a file's bytes, hex."""
    return hashlib.sha256(content).hexdigest()


def has_bpx() -> bool:
    """Tell whether the package that reads BPX is installed, without importing it."""
    return importlib.util.find_spec("bpx") is not None


def read_document(content: bytes) -> tuple[Form, dict[str, Any]]:
    """Read a parameter set's file as JSON and tell which of the two it is.

    Raises:
        ValueError: it is neither, or lacks what PyBaMM cannot do without; the text says what, and what to do.
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
        raise ValueError("holds no JSON object; a parameter set is {...}")
    if "Header" in document or "Parameterisation" in document:
        _check_bpx(document)
        return "bpx", document
    _check_pybamm(document)
    return "pybamm", document


def _refuse_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"gives {next(n for n in names if names.count(n) > 1)!r} twice")
    return found


def _refuse_constant(text: str) -> None:
    raise ValueError(f"holds {text}, which is no number")


def _check_bpx(document: dict[str, Any]) -> None:
    header, parts = document.get("Header"), document.get("Parameterisation")
    if not isinstance(header, dict) or "BPX" not in header:
        raise ValueError('looks like BPX, but its "Header" says no "BPX" version')
    if not isinstance(parts, dict):
        raise ValueError('is BPX without "Parameterisation"')
    if missing := [part for part in BPX_PARTS if not isinstance(parts.get(part), dict)]:
        also = "; PyBaMM reads BPX of SPMe and DFN, so one for SPM needs them too" * (header.get("Model") == "SPM")
        raise ValueError(f"is BPX without {' and '.join(map(repr, missing))}{also}")
    if missing := [name for name in BPX_CELL if name not in parts["Cell"]]:
        raise ValueError(f'is BPX whose "Cell" has no {missing[0]!r}, which BPX leaves open but PyBaMM needs')
    for name, text in _texts(parts):
        unknown = sorted(set(_WORD.findall(_NUMBER.sub(" ", text))) - {"x", *BPX_FUNCTIONS})
        if unknown:
            raise ValueError(f"{name!r} uses {unknown[0]!r}; a BPX function is of x, with {', '.join(BPX_FUNCTIONS)}")


def _texts(value: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every text in a BPX parameterisation, with its key: its expressions."""
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
                raise ValueError(f"{name!r} is made of {kind!r}, which is nothing of PyBaMM's")


def _class_names(value: Any) -> Iterator[str]:
    """The classes that a value is to be made of."""
    waiting = [value]
    while waiting:
        entry = waiting.pop()
        if isinstance(entry, dict):
            yield from (entry[tag] for tag in _TAGS if isinstance(entry.get(tag), str))
            waiting += entry.values()
        elif isinstance(entry, list):
            waiting += entry
