"""Fits asked on the command line: kept in the store as tables of a campaign file, so that later plans know them."""

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
# Fits asked with `kilocell fit --preset … --starts …`, which every later run and plan of this store does beside the
# campaign's own. Move a table to the campaign file to have it there for good (nothing runs again), or delete it to
# forget the fit; what it found stays in the catalog.
"""


class AddedFitsFile(BaseModel):
    """``fits.toml`` of a store."""

    model_config = v.STRICT

    fit: list[FitTable] = []


def load_added_fits(campaign: Campaign) -> tuple[Campaign, tuple[str, ...]]:
    """The campaign with the fits that its store keeps.

    Returns:
        The campaign, and names of kept fits that gave way to another of that name in the campaign file.

    Raises:
        CampaignError: the file is no TOML, or a fit in it cannot be (its model is gone from the campaign, say).
    """
    kept = _read(Store(campaign.store).added_fits)
    gone = replaced_fits(campaign.file.fit, kept)
    return replace_added_fits(campaign, tuple(table for table in kept if table not in gone)), tuple(
        t.name for t in gone
    )


def replace_added_fits(campaign: Campaign, asked: tuple[FitTable, ...]) -> Campaign:
    """The campaign with these fits beside its own.

    Raises:
        CampaignError: a fit names a model or parameter set that is not there, or two of one name are not the same.
    """
    found = replace(campaign, asked=asked)
    named = list(found.named_fits())[len(campaign.file.fit) :]
    problems = list(find_fit_problems(campaign.file, named))
    first = {table.name: table for table in asked[::-1]}
    problems += [
        f"{where}: two fits have this name; give each a name of its own"
        for where, table in named
        if not is_same_fit(table, first[table.name])
    ]
    if problems:
        raise campaign_error(Store(campaign.store).added_fits, problems)
    return found


def store_added_fits(store: Store, asked: Sequence[FitTable]) -> None:
    """Keep these fits in the store, and no others; without any, the file is left as it is."""
    path = store.added_fits
    if asked and _read(path) != tuple(asked):
        write_text(path, _HEAD + "".join(f"\n{table_text(table)}" for table in asked))


def table_text(table: FitTable) -> str:
    """A fit as it stands in a campaign file: what is not given there is left out."""
    given = {key: value for key, value in table.model_dump(exclude_defaults=True).items() if key != "parameters"}
    given = {"name": table.name, **given}
    lines = ["[[fit]]", *(f"{key} = {_value(value)}" for key, value in given.items())]
    if table.parameters:
        lines.append("[fit.parameters]")
        entries = {name: entry.model_dump(exclude_defaults=True) for name, entry in table.parameters.items()}
        lines += [f"{format_key(name)} = {_value(entry)}" for name, entry in entries.items()]
    return "\n".join(lines) + "\n"


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


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{format_key(key)} = {_value(entry)}" for key, entry in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, (int, float)) and math.isfinite(value):
        return repr(value)
    raise TypeError(f"no value of a campaign file: {value_text(value)}")


def describe_differences(one: FitTable, other: FitTable) -> Iterator[str]:
    """What a fit has and another that is asked has not, in words, but for cells and starts."""
    for key in FitTable.model_fields:
        mine, theirs = getattr(one, key), getattr(other, key)
        if key not in ("name", *EXTENDABLE_KEYS) and mine != theirs:
            plain = not isinstance(mine, (dict, BaseModel))
            yield (
                f"{key}: it has {_describe_value(mine)}, asked is {_describe_value(theirs)}"
                if plain
                else f"other {key}"
            )


def _describe_value(value: Any) -> str:
    return value_text(value) if value not in (None, []) else "none given"
