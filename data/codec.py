"""Frozen values as JSON and back, and the digest that decides whether a job must run again."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import types
import typing
from collections.abc import Callable
from functools import cache, partial
from itertools import starmap
from json.encoder import encode_basestring as encode_text
from typing import Any, Final, TypeVar

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
_AS_THEY_ARE = frozenset({str, int, bool, types.NoneType})
_KEPT = object()
"""Stands for the default of a field that is never left out."""


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
    kind: type = type(value)
    if kind in _AS_THEY_ARE:
        return value
    if kind is tuple and len(value) > 1 and type(value[0]) in values.TABULAR:
        return _to_columns(type(value[0]), value)
    fields = _fields(kind)
    if fields is not None:
        plain: dict[str, Any] = {"is": kind.__name__}
        for name, default in fields:
            entry = getattr(value, name)
            if default is _KEPT or entry != default:
                plain[name] = to_plain(entry)
        return plain
    if isinstance(value, (list, tuple)):
        return [to_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, (str, bool, int, float)):
        return value
    raise TypeError(f"cannot turn a {kind.__name__} into JSON: {value!r}")


@cache
def _fields(kind: type) -> tuple[tuple[str, Any], ...] | None:
    """Return the fields of a dataclass, each with the default with which it is left out; ``None`` = it is none.

    A field is left out while it has its default if ``fit_settings.LEFT_OUT_BY_DEFAULT`` says so; else it is ``_KEPT``.
    """
    if not dataclasses.is_dataclass(kind):
        return None
    return tuple(
        (f.name, f.default if "left_out_by_default" in f.metadata else _KEPT) for f in dataclasses.fields(kind)
    )


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
    decode = _decoder(hint)
    return [decode(value) for value in column]


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
        return from_plain(cls, json.loads(text))
    except (KeyError, TypeError, UnicodeDecodeError) as error:
        raise ValueError(f"not a {cls.__name__}: {error}") from error


def from_plain(cls: type[T], plain: Any) -> T:
    """Turn what :func:`to_plain` made back into a frozen value.

    Args:
        cls: class of the value.
        plain: dicts, lists, numbers and texts. Fields that it does not have get their defaults.

    Raises:
        KeyError, TypeError, ValueError: it is not of a ``cls``.
    """
    return typing.cast(T, _decoder(typing.cast(type, cls))(plain))


def digest(*parts: Any) -> str:
    """Return the SHA-256 (hex) of values in their order.

    Args:
        parts: frozen values, texts and numbers, as for :func:`to_plain`.
    """
    hasher = hashlib.sha256()
    for part in parts:
        hasher.update(_digested_text(part).encode())
        hasher.update(b"\0")
    return hasher.hexdigest()


_SHARED: Final = (settings.ModelSettings, settings.ParameterSetSettings, settings.SourceSettings)
"""Classes of which the jobs of a plan have few values, and each value many times."""

_MOST_SHARED: Final = 256
"""Values of them whose text is kept."""

_shared_texts: dict[int, tuple[Any, str]] = {}  # by id; each value is kept, too, so that its id stays its own


def _digested_text(value: Any) -> str:
    """Return the same as :func:`to_json`, in less time for settings of a plan.

    Values are known again by their identity: equal ones may have different texts, as 1 and 1.0 have.
    """
    kind: type = type(value)
    if kind is str:
        return encode_text(value)
    if value is None:
        return "null"
    if kind is float:
        return repr(value) if math.isfinite(value) else f'"{value}"'
    fields = _fields(kind)
    if fields is None:
        return to_json(value)
    known = _shared_texts.get(id(value))
    if known is not None:
        return known[1]
    entries = [f'{{"is":"{kind.__name__}"']
    for name, default in fields:
        entry = getattr(value, name)
        if default is _KEPT or entry != default:
            entries.append(f'"{name}":{_digested_text(entry)}')
    text = ",".join(entries) + "}"
    if kind in _SHARED:
        if len(_shared_texts) >= _MOST_SHARED:
            _shared_texts.clear()
        _shared_texts[id(value)] = (value, text)
    return text


@cache
def _type_hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


Decode = Callable[[Any], Any]
"""Turns plain JSON into a value of one type; a ``TypeError`` if it is none."""


@cache
def _decoder(hint: Any) -> Decode:
    """Return the function for a type. It is made once: a receipt has thousands of values of a few types."""
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return _union_decoder(typing.get_args(hint))
    if origin is tuple:
        return _tuple_decoder(typing.get_args(hint))
    if origin is typing.Literal:
        return partial(_one_of, typing.get_args(hint))
    if dataclasses.is_dataclass(hint):
        return _dataclass_decoder(typing.cast(type, hint))
    if hint is float:
        return float
    return partial(_of_type, hint)


def _one_of(allowed: tuple[Any, ...], plain: Any) -> Any:
    if plain not in allowed:
        raise TypeError(f"expected one of {allowed}, got {plain!r}")
    return plain


def _of_type(hint: type, plain: Any) -> Any:
    if not isinstance(plain, hint) or (hint is int and isinstance(plain, bool)):
        raise TypeError(f"expected {hint.__name__}, got {plain!r}")
    return plain


def _dataclass_decoder(cls: type) -> Decode:
    name = cls.__name__
    decoders: dict[str, Decode] = {}

    def decode(plain: Any) -> Any:
        if not isinstance(plain, dict) or plain.get("is") != name:
            raise TypeError(f"expected a {name}")
        if not decoders:  # not before: a class may be used before all that it names is there
            decoders.update({key: _decoder(hint) for key, hint in _type_hints(cls).items()})
        return cls(**{key: decoders[key](entry) for key, entry in plain.items() if key != "is"})

    return decode


def _tuple_decoder(kinds: tuple[Any, ...]) -> Decode:
    is_tabular = kinds[0] in values.TABULAR

    def decode(plain: Any) -> Any:
        if is_tabular and isinstance(plain, dict):
            return _from_columns(kinds[0], plain)
        if len(kinds) == 2 and kinds[1] is Ellipsis:
            return tuple(map(_decoder(kinds[0]), plain))
        if len(kinds) != len(plain):
            raise TypeError(f"expected {len(kinds)} entries, got {plain!r}")
        return tuple(_decoder(kind)(entry) for kind, entry in zip(kinds, plain, strict=True))

    return decode


def _union_decoder(kinds: tuple[Any, ...]) -> Decode:
    may_be_none = types.NoneType in kinds
    first_kind = next(kind for kind in kinds if kind is not types.NoneType)
    tuples = [kind for kind in kinds if typing.get_origin(kind) is tuple]
    # Texts, whole numbers and lists of JSON belong to one type of the union.
    by_type: dict[type, Any] = {kind: kind for kind in (str, int) if kind in kinds}
    if tuples:
        by_type[list] = tuples[0]

    def decode(plain: Any) -> Any:
        if plain is None and may_be_none:
            return None
        if isinstance(plain, dict) and plain.get("is") in _CLASSES:
            return _decoder(_CLASSES[plain["is"]])(plain)
        return _decoder(by_type.get(type(plain), first_kind))(plain)

    return decode
