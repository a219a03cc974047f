"""Describe what is wrong with a campaign file: the key's path, the value and the nearest valid name."""

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
from ...data.text import printable_text

_QUOTED: Final = re.compile(r"'([^']*)'")
_LONGEST_VALUE: Final = 60
MOST_PROBLEMS: Final = 20
"""Problems of a campaign file that are shown: a folder of raw files that moved makes one for each cell."""

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
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def campaign_error(path: Path, problems: Sequence[str]) -> CampaignError:
    """Make one error of all problems of a campaign file.

    Args:
        path: the file, which begins the text.
        problems: one line each, at least one.
    """
    if len(problems) == 1:
        return CampaignError(f"{path}: {problems[0]}")
    lines = [f"{path}: {len(problems)} errors"]
    lines += [f"  {problem}" for problem in problems[:MOST_PROBLEMS]]
    if len(problems) > MOST_PROBLEMS:
        lines.append(f"  and {len(problems) - MOST_PROBLEMS:,} more")
    return CampaignError("\n".join(lines))


def describe_problems(error: ValidationError, document: dict[str, Any], schema: type[BaseModel]) -> list[str]:
    """Turn pydantic's errors into lines such as ``cells.CELL_A.nominal_capacity_ah = "5": must be a number``.

    Args:
        document: what ``tomllib`` read.
        schema: the model that checked the document; its fields give the nearest valid key for an unknown one.
    """
    return [_problem(dict(detail), document, schema) for detail in error.errors()]


def _problem(detail: dict[str, Any], document: dict[str, Any], schema: type[BaseModel]) -> str:
    loc = tuple(part for part in detail["loc"] if part != "[key]")
    path = key_path(loc, document)
    kind = detail["type"]
    if kind == "extra_forbidden":
        return f"{path}: unknown key{suggest_or_list(str(loc[-1]), _keys_at(schema, loc[:-1]))}"
    if kind == "string_too_short" and "columns" in loc:
        return f"{path} is not filled in: write the name of the file's column, or remove the line"
    if kind == "missing":
        return f"{path} {_MUST_BE[kind]}"
    return f"{path or 'the file'} = {value_text(detail['input'])}: {_message(detail)}"


def _message(detail: dict[str, Any]) -> str:
    kind = detail["type"]
    context = detail.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        allowed = _QUOTED.findall(context["expected"])
        return f"must be one of {', '.join(allowed)}{suggest(str(detail['input']), allowed)}"
    if kind == "model_type" and detail["loc"][0] == "cells":
        return "must be a table: [cells.defaults] for what is the same for every cell, [cells.ID] for one cell"
    return _MUST_BE.get(kind) or str(detail["msg"]).replace("Input should be", "must be")


def key_path(loc: Sequence[int | str], document: Any) -> str:
    """Write the place of a value as users see it, such as ``sources#2.columns.voltage_volt``.

    Args:
        loc: keys and indices (from 0), as pydantic gives them.
        document: what ``tomllib`` read.

    Returns:
        Keys with dots between them; entries of arrays are counted from 1.
    """
    path = ""
    for part in loc:
        if isinstance(part, int):
            if isinstance(document, list):  # [fit] may be one table or several
                path += f"#{part + 1}"
                document = document[part]
            continue
        if not isinstance(document, dict):  # "SPM" stands for {type = "SPM"}
            break
        if path:
            path += "."
        path += format_key(part)
        document = document.get(part, {})
    return path


def value_text(value: Any) -> str:
    """Write a value much as in the file, cut to 60 characters."""
    text = printable_text(json.dumps(value, ensure_ascii=False, default=str))
    if len(text) <= _LONGEST_VALUE:
        return text
    return text[: _LONGEST_VALUE - 1] + "…"


def _keys_at(schema: Any, loc: Sequence[int | str]) -> Iterable[str]:
    """Return the valid keys at a place in the file, by following the schema's annotations."""
    annotation = _table_in(schema)
    for part in loc:
        annotation = _annotation_inside(annotation, part)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation.model_fields
    return ()


def _annotation_inside(annotation: Any, part: int | str) -> Any:
    """Return the annotation of a table's key, of a dict's values or of a list's entries; ``None`` = there is none."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get(str(part))
        return _table_in(field.annotation) if field else None
    arguments = typing.get_args(annotation)
    return _table_in(arguments[-1]) if arguments else None


def _table_in(annotation: Any) -> Any:
    """Return the part of a union (``X | None``) that can have keys, or the annotation itself."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        kinds = [kind for kind in typing.get_args(annotation) if kind is not type(None)]
        return kinds[0]
    return annotation


def quote(text: str) -> str:
    """Write any text as a TOML string; quotes, backslashes and all that a terminal may not print are escaped."""
    written = json.dumps(text, ensure_ascii=False)
    if written.isprintable():
        return written
    return "".join(character if character.isprintable() else _toml_escape(character) for character in written)


def _toml_escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def format_key(key: str) -> str:
    """Write a TOML key: bare if possible, quoted otherwise."""
    return key if _BARE_KEY.fullmatch(key) else quote(key)


def format_comment(text: str) -> str:
    """Write a text as one TOML comment line; control characters, which are not allowed there, become spaces."""
    return printable_text(f"# {_CONTROL.sub(' ', text)}".rstrip())
