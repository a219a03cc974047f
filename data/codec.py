"""Frozen values as JSON and back, and the digest that decides whether a job must run again."""

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

from . import cycle_selection, fit_settings, settings, step_selection
from .results import fitting as fit_values
from .results import receipt as values

T = TypeVar("T")
_CLASSES = {
    name: cls
    for name, cls in {
        **vars(cycle_selection),
        **vars(step_selection),
        **vars(settings),
        **vars(fit_settings),
        **vars(fit_values),
        **vars(values),
    }.items()
    if isinstance(cls, type) and dataclasses.is_dataclass(cls)
}


def to_plain(value: Any) -> Any:
    """Turn a frozen value into dicts, lists, numbers and texts, as JSON has them.

    A dataclass becomes a dict with its class name under ``"is"``. Non-finite floats become the texts ``"nan"``,
    ``"inf"`` and ``"-inf"``, because JSON has no numbers for them. A field that was added later may be left out while
    it has its default, so that digests stay. A tuple of several values of a class in ``receipt.TABULAR`` becomes one
    dict of columns, because a long record has thousands of them.

    Args:
        value: a dataclass of ``data``, or a tuple, list, text, number, bool or ``None``.

    Raises:
        TypeError: the value, or one inside it, has no form in JSON.
    """
    if type(value) in (str, int, bool, types.NoneType):  # most of them
        return value
    if isinstance(value, tuple) and len(value) > 1 and type(value[0]) in values.TABULAR:
        return _to_columns(type(value[0]), value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        plain = {"is": type(value).__name__}
        for name, field in _fields(type(value)):
            entry = getattr(value, name)
            if field is None or not _is_left_out(field, entry):
                plain[name] = to_plain(entry)
        return plain
    if isinstance(value, (list, tuple)):
        return [to_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise TypeError(f"cannot turn a {type(value).__name__} into JSON: {value!r}")


@cache
def _fields(cls: type) -> tuple[tuple[str, dataclasses.Field[Any] | None], ...]:
    """Return the fields of a class by name; ``None`` in place of those that are never left out."""
    return tuple((f.name, f if "left_out_by_default" in f.metadata else None) for f in dataclasses.fields(cls))


def _is_left_out(field: dataclasses.Field[Any], entry: Any) -> bool:
    """Tell whether a field is left out because it has its default (``fit_settings.LEFT_OUT_BY_DEFAULT``)."""
    return bool(entry == field.default)


def _to_columns(cls: type, rows: tuple[Any, ...]) -> dict[str, Any]:
    if any(type(row) is not cls for row in rows):
        raise TypeError(f"not all values are of class {cls.__name__}")
    columns = {f.name: [getattr(row, f.name) for row in rows] for f in dataclasses.fields(cls)}
    return {"rows_of": cls.__name__, **{name: _to_column(column) for name, column in columns.items()}}


def _to_column(column: list[Any]) -> list[Any]:
    """Turn one column into values that JSON has; a column of plain finite values is returned as it is, for speed."""
    is_plain = set(map(type, column)) <= {str, bool, int, float, types.NoneType}
    if is_plain and all(map(math.isfinite, (value for value in column if type(value) is float))):
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
    """Turn a frozen value into one line of JSON; equal values give equal text.

    Args:
        value: as for :func:`to_plain`.
    """
    return json.dumps(to_plain(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def from_json(cls: type[T], text: str | bytes) -> T:
    """Turn JSON of :func:`to_json` back into a frozen value.

    Args:
        cls: class of the value.
        text: the JSON. Fields that it does not have get their defaults.

    Raises:
        ValueError: the text is not JSON, or not of a ``cls``.
    """
    try:
        value = _from_plain(cls, json.loads(text))
    except (KeyError, TypeError, UnicodeDecodeError) as error:
        raise ValueError(f"not a {cls.__name__}: {error}") from error
    return typing.cast(T, value)


def digest(*parts: Any) -> str:
    """Return the SHA-256 (hex) of values in their order.

    Args:
        parts: frozen values, texts and numbers, as for :func:`to_plain`.
    """
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
            raise TypeError(f"expected one of {typing.get_args(hint)}, got {plain!r}")
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
    matching = [kind for kind in kinds if _matches_type(kind, plain)]
    if matching:
        return _from_plain(matching[0], plain)
    first_kind = next(kind for kind in kinds if kind is not type(None))
    return _from_plain(first_kind, plain)


def _matches_type(kind: Any, plain: Any) -> bool:
    """Tell whether a text, whole number or list of JSON belongs to one type of a union."""
    if typing.get_origin(kind) is tuple:
        return isinstance(plain, list)
    return kind in (str, int) and type(plain) is kind
