"""What is wrong with a campaign file, in words: the key's path, the value and the nearest right name."""

from __future__ import annotations

import json
import re
import types
import typing
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from ...data.errors import CampaignError
from ...data.names import suggest, suggest_or_list

_QUOTED: Final = re.compile(r"'([^']*)'")
_LONGEST_VALUE: Final = 60
_MUST_BE: Final = {
    "string_type": "must be text in quotes",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "list_type": "must be an array in square brackets",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "finite_number": "must be a finite number",
    "missing": "is missing",
}
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]+")


def campaign_error(path: Path, problems: Sequence[str]) -> CampaignError:
    """Put the problems of one campaign file into one error: on one line, or one below the other."""
    if len(problems) == 1:
        return CampaignError(f"{path}: {problems[0]}")
    return CampaignError(f"{path}: {len(problems)} errors\n" + "\n".join(f"  {problem}" for problem in problems))


def describe_problems(error: ValidationError, document: dict[str, Any], schema: type[BaseModel]) -> list[str]:
    """Turn pydantic's errors into lines such as ``cells.CELL_A.nominal_capacity_ah = "5": must be a number``.

    Args:
        document: what ``tomllib`` read.
        schema: the model that the document was checked by; its fields are the keys that a wrong one is held against.
    """
    return [_problem(dict(detail), document, schema) for detail in error.errors()]


def _problem(detail: dict[str, Any], document: dict[str, Any], schema: type[BaseModel]) -> str:
    loc = tuple(part for part in detail["loc"] if part != "[key]")
    path, kind = key_path(loc, document), detail["type"]
    if kind == "extra_forbidden":
        return f"{path}: unknown key{suggest_or_list(str(loc[-1]), _keys_at(schema, loc[:-1]))}"
    if kind == "missing":
        return f"{path} {_MUST_BE[kind]}"
    return f"{path or 'the file'} = {value_text(detail['input'])}: {_message(detail)}"


def _message(detail: dict[str, Any]) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        allowed = _QUOTED.findall(context["expected"])
        return f"must be one of {', '.join(allowed)}{suggest(str(detail['input']), allowed)}"
    if kind == "model_type" and detail["loc"][0] == "cells":
        return "must be a table: [cells.defaults] holds what is the same for every cell, [cells.ID] the rest"
    return _MUST_BE.get(kind) or str(detail["msg"]).replace("Input should be", "must be")


def key_path(loc: Sequence[int | str], document: Any) -> str:
    """Write where a value stands as the user sees it: ``sources#2.columns.voltage_volt``, entries counted from 1."""
    path = ""
    for part in loc:
        if isinstance(part, int):
            if isinstance(document, list):  # [fit] may be one table or several
                path += f"#{part + 1}"
                document = document[part]
            continue
        if not isinstance(document, dict):  # "SPM" stands for {type = "SPM"}
            break
        path += ("." if path else "") + format_key(part)
        document = document.get(part, {})
    return path


def value_text(value: Any) -> str:
    """Write a value about as it stands in the file, cut to 60 characters."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def _keys_at(schema: Any, loc: Sequence[int | str]) -> Iterable[str]:
    """Return the keys that are known at a place in the file, by following the schema's annotations."""
    annotation = _table_in(schema)
    for part in loc:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            field = annotation.model_fields.get(str(part))
            annotation = _table_in(field.annotation) if field else None
        else:  # a dict's key or a list's index
            annotation = _table_in(typing.get_args(annotation)[-1]) if typing.get_args(annotation) else None
    return annotation.model_fields if isinstance(annotation, type) and issubclass(annotation, BaseModel) else ()


def _table_in(annotation: Any) -> Any:
    """Return the part of a union (``X | None``) that can have keys, or the annotation itself."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        kinds = [kind for kind in typing.get_args(annotation) if kind is not type(None)]
        return kinds[0]
    return annotation


def quote(text: str) -> str:
    """Write any text as a TOML string: quotes, backslashes and control characters are escaped, the rest is kept."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def format_key(key: str) -> str:
    """Write a key: bare where it can be, quoted otherwise."""
    return key if _BARE_KEY.fullmatch(key) else quote(key)


def format_comment(text: str) -> str:
    """Write a text as one comment line; control characters, which TOML forbids there, become spaces."""
    return f"# {_CONTROL.sub(' ', text)}".rstrip()
