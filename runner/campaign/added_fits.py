"""Fits added on the command line: the store keeps them as tables of a campaign file, so that later plans have them."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from ...data.errors import CampaignError
from ...parquet_store.layout import Store
from ...parquet_store.write import write_text
from . import fields as v
from .campaign import Campaign
from .checks import find_fit_problems
from .errors import campaign_error, describe_problems, format_key, quote, value_text
from .fit_schema import FitTable
from .fit_tables import EXTENDABLE_KEYS, is_same_fit, replaced_fits

_HEAD: Final = """\
# Fits added with `kilocell fit --preset … --starts …`. Later runs and plans of this store include them, besides the
# fits of the campaign file. To make a fit permanent, move its table to the campaign file (nothing runs again).
# To drop a fit, delete its table; its results stay in the catalog.
"""


class AddedFitsFile(BaseModel):
    """``fits.toml`` of a store."""

    model_config = v.STRICT

    fit: list[FitTable] = []


def load_added_fits(campaign: Campaign) -> tuple[Campaign, tuple[str, ...]]:
    """Load the fits that the campaign's store keeps.

    Returns:
        The campaign with these fits, and the names of those that a fit of the same name in the campaign file replaces.

    Raises:
        CampaignError: the file is not valid TOML, or a fit in it is not possible (for example, the campaign no longer
            has its model).
    """
    stored = _read(Store(campaign.store).added_fits)
    replaced = replaced_fits(campaign.file.fit, stored)
    remaining = tuple(table for table in stored if table not in replaced)
    return replace_added_fits(campaign, remaining), tuple(table.name for table in replaced)


def replace_added_fits(campaign: Campaign, added: tuple[FitTable, ...]) -> Campaign:
    """Return the campaign with other added fits.

    Args:
        added: all added fits; those that the campaign has until now are dropped.

    Raises:
        CampaignError: a fit names a model or parameter set that does not exist, or two different fits have one name.
    """
    changed = replace(campaign, asked=added)
    named = list(changed.named_fits())[len(campaign.file.fit) :]
    problems = list(find_fit_problems(campaign.file, named))
    first = {table.name: table for table in reversed(added)}
    for where, table in named:
        if not is_same_fit(table, first[table.name]):
            problems.append(f"{where}: two fits have this name; give each its own name")
    if problems:
        raise campaign_error(Store(campaign.store).added_fits, problems)
    return changed


def store_added_fits(store: Store, added: Sequence[FitTable]) -> None:
    """Write the added fits into the store, if they changed.

    Args:
        added: all added fits; when empty, the file stays as it is.
    """
    path = store.added_fits
    if added and _read(path) != tuple(added):
        write_text(path, _HEAD + "".join(f"\n{table_text(table)}" for table in added))


def table_text(table: FitTable) -> str:
    """Write a fit as TOML, as in a campaign file; keys with default values are left out."""
    keys = table.model_dump(exclude_defaults=True)
    keys.pop("parameters", None)
    keys = {"name": table.name, **keys}
    lines = ["[[fit]]"]
    lines += [f"{key} = {_toml_value(value)}" for key, value in keys.items()]
    if table.parameters:
        lines.append("[fit.parameters]")
        for name, entry in table.parameters.items():
            lines.append(f"{format_key(name)} = {_toml_value(entry.model_dump(exclude_defaults=True))}")
    return "\n".join(lines) + "\n"


def describe_differences(one: FitTable, other: FitTable) -> Iterator[str]:
    """Describe each key in which a requested fit differs from an existing one, except cells, starts and profiles.

    Args:
        one: the existing fit.
        other: the requested fit.
    """
    for key in FitTable.model_fields:
        if key in ("name", *EXTENDABLE_KEYS):
            continue
        existing = getattr(one, key)
        requested = getattr(other, key)
        if existing == requested:
            continue
        if isinstance(existing, (dict, BaseModel)):  # too long to print
            yield f"{key}: different"
        else:
            yield f"{key}: the existing fit has {_describe_value(existing)}, you gave {_describe_value(requested)}"


def _read(path: Path) -> tuple[FitTable, ...]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CampaignError(f"{path}: is not valid TOML: {error}") from None
    try:
        return tuple(AddedFitsFile.model_validate(document).fit)
    except ValidationError as error:
        raise campaign_error(path, describe_problems(error, document, AddedFitsFile)) from None


def _toml_value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, Mapping):
        entries = [f"{format_key(key)} = {_toml_value(entry)}" for key, entry in value.items()]
        return "{ " + ", ".join(entries) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml_value(entry) for entry in value) + "]"
    if isinstance(value, (int, float)) and math.isfinite(value):
        return repr(value)
    raise TypeError(f"not a value of a campaign file: {value_text(value)}")


def _describe_value(value: Any) -> str:
    return value_text(value) if value not in (None, []) else "none"
