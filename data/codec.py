"""Frozen values to JSON and back, and the digest that decides whether a job must run again."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import types
import typing
from functools import cache, partial
from itertools import starmap
from typing import Any, TypeVar

from . import fit_settings, settings
from .results import fitting as fit_values
from .results import receipt as values

T = TypeVar("T")
_CLASSES = {
    name: cls
    for name, cls in {**vars(settings), **vars(fit_settings), **vars(fit_values), **vars(values)}.items()
    if isinstance(cls, type) and dataclasses.is_dataclass(cls)
}


def to_plain(value: Any) -> Any:
    """Turn a frozen value into dicts, lists, numbers and texts; a dataclass carries its name as ``"is"``.

    Non-finite floats become the texts ``"nan"``, ``"inf"``, ``"-inf"``, since JSON has no other way. Several values of
    a class of ``values.TABULAR`` become one dict of columns: a long record has thousands.
    """
    if isinstance(value, tuple) and len(value) > 1 and type(value[0]) in values.TABULAR:
        return _to_columns(type(value[0]), value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        plain = {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"is": type(value).__name__, **plain}
    if isinstance(value, (list, tuple)):
        return [to_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise TypeError(f"cannot turn a {type(value).__name__} into JSON: {value!r}")


def _to_columns(cls: type, rows: tuple[Any, ...]) -> dict[str, Any]:
    if any(type(row) is not cls for row in rows):
        raise TypeError(f"not all of these are of {cls.__name__}")
    columns = {f.name: [getattr(row, f.name) for row in rows] for f in dataclasses.fields(cls)}
    return {"rows_of": cls.__name__, **{name: _to_column(column) for name, column in columns.items()}}


def _to_column(column: list[Any]) -> list[Any]:
    """Values as JSON has them; thousands at once where all are plain."""
    plain = set(map(type, column)) <= {str, bool, int, float, types.NoneType}
    if plain and all(map(math.isfinite, (value for value in column if type(value) is float))):
        return column
    return [to_plain(value) for value in column]


def _from_columns(cls: Any, plain: dict[str, Any]) -> tuple[Any, ...]:
    if plain.get("rows_of") != cls.__name__:
        raise TypeError(f"expected rows of {cls.__name__}")
    hints = _type_hints(cls)
    columns = {name: _from_column(hints[name], column) for name, column in plain.items() if name != "rows_of"}
    make = partial(_row, cls, tuple(columns))
    if tuple(columns) == tuple(f.name for f in dataclasses.fields(cls)):
        make = cls
    return tuple(starmap(make, zip(*columns.values(), strict=True)))


def _row(cls: Any, names: tuple[str, ...], *values: Any) -> Any:
    return cls(**dict(zip(names, values, strict=True)))


def _from_column(hint: Any, column: list[Any]) -> list[Any]:
    kinds = set(map(type, column))
    if hint in (int, str) and kinds == {hint}:
        return column
    if kinds == {float} and (hint is float or hint == float | None):
        return column
    return [_from_plain(hint, value) for value in column]


def to_json(value: Any) -> str:
    """Turn a frozen value into one line of JSON, the same for equal values."""
    return json.dumps(to_plain(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def from_json(cls: type[T], text: str | bytes) -> T:
    """Turn JSON made by :func:`to_json` back into a frozen value of class ``cls``.

    Raises:
        ValueError: the text is not JSON or does not describe a ``cls``.
    """
    try:
        value = _from_plain(cls, json.loads(text))
    except (KeyError, TypeError, UnicodeDecodeError) as error:
        raise ValueError(f"not a {cls.__name__}: {error}") from error
    return typing.cast(T, value)


def digest(*parts: Any) -> str:
    """Return the SHA-256 (hex) of frozen values, texts and numbers, in order."""
    hasher = hashlib.sha256()
    for part in parts:
        hasher.update(to_json(part).encode())
        hasher.update(b"\0")
    return hasher.hexdigest()


@cache
def _type_hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _from_plain(hint: Any, plain: Any) -> Any:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return _from_union(typing.get_args(hint), plain)
    if origin is tuple:
        kinds = typing.get_args(hint)
        if isinstance(plain, dict) and kinds[0] in values.TABULAR:
            return _from_columns(kinds[0], plain)
        if len(kinds) == 2 and kinds[1] is Ellipsis:
            return tuple(_from_plain(kinds[0], entry) for entry in plain)
        if len(kinds) != len(plain):
            raise TypeError(f"expected {len(kinds)} entries, got {plain!r}")
        return tuple(_from_plain(kind, entry) for kind, entry in zip(kinds, plain, strict=True))
    if origin is typing.Literal:
        if plain not in typing.get_args(hint):
            raise TypeError(f"{plain!r} is none of {typing.get_args(hint)}")
        return plain
    if dataclasses.is_dataclass(hint):
        if not isinstance(plain, dict) or plain.get("is") != hint.__name__:  # type: ignore[union-attr]
            raise TypeError(f"expected a {hint.__name__}")  # type: ignore[union-attr]
        hints = _type_hints(typing.cast(type, hint))
        given = {key: _from_plain(hints[key], entry) for key, entry in plain.items() if key != "is"}
        return typing.cast(Any, hint)(**given)
    if hint is float:
        return float(plain)
    if not isinstance(plain, hint) or (hint is int and isinstance(plain, bool)):
        raise TypeError(f"expected {hint.__name__}, got {plain!r}")
    return plain


def _from_union(kinds: tuple[Any, ...], plain: Any) -> Any:
    if plain is None and type(None) in kinds:
        return None
    if isinstance(plain, dict) and plain.get("is") in _CLASSES:
        return _from_plain(_CLASSES[plain["is"]], plain)
    fitting = [kind for kind in kinds if _matches_type(kind, plain)]
    if fitting:
        return _from_plain(fitting[0], plain)
    return _from_plain(next(kind for kind in kinds if kind is not type(None)), plain)


def _matches_type(kind: Any, plain: Any) -> bool:
    """Tell whether JSON's text, whole number or list is what a kind of a union turns into."""
    return isinstance(plain, list) if typing.get_origin(kind) is tuple else kind in (str, int) and type(plain) is kind
