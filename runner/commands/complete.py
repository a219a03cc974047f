"""Complete words in a shell: cells, models, parameter sets, fits and rules of the store, and names of kilocell.

Each function has the form that Click's ``shell_complete`` needs. It never raises and never imports PyBaMM: a shell
waits for its answer at each press of the tab key. What only some need is imported inside them: every command imports
this module.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from ..campaign.default_paths import DEFAULT_CAMPAIGN, store_root

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

MOST_NAMES: Final = 200  # that a shell is given at once
LOCKED_SECOND: Final = 0.2  # that a completion waits for a catalog that a run is writing
DEFAULTS: Final = "defaults"  # the table [cells.defaults], which is no cell


def _names_in_store(context: click.Context, kind: str) -> list[str]:
    """Return the names of a kind in the store of the command; empty = there is no store that can be read."""
    import sqlite3

    from ...data.errors import KilocellError
    from ...parquet_store.layout import Store
    from ...sqlite import queries
    from ...sqlite.names import list_names

    try:
        root = store_root(context.params.get("store"))
        catalog = queries.connect(Store(Path(root)).catalog, busy_timeout_second=LOCKED_SECOND)
        with closing(catalog):
            return list_names(catalog, kind)
    except (KilocellError, OSError, sqlite3.Error):
        return []


def _campaign(context: click.Context) -> dict[str, Any]:
    """Return the tables of the campaign file of the command; empty = there is none that can be read."""
    import tomllib

    path = context.params.get("campaign") or DEFAULT_CAMPAIGN
    with suppress(OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))
    return {}


def _table(document: dict[str, Any], name: str) -> Iterable[Any]:
    found = document.get(name)
    return found if isinstance(found, (dict, list)) else ()


def _items(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """Return the names that begin with what was typed, in any case of letters; those in the same case first."""
    from click.shell_completion import CompletionItem

    wanted = incomplete.lower()
    found = [name for name in dict.fromkeys(names) if name.lower().startswith(wanted)]
    found.sort(key=lambda name: not name.startswith(incomplete))
    return [CompletionItem(name) for name in found[:MOST_NAMES]]


def cells(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a cell: of the store, or of the campaign's ``[cells]``."""
    named = [str(name) for name in _table(_campaign(context), "cells") if name != DEFAULTS and "*" not in name]
    return _items([*_names_in_store(context, "cell"), *named], incomplete)


def models(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a model: of the store; without a store, any that a campaign can name."""
    from ...data.settings import MODEL_TYPES

    return _items(_names_in_store(context, "model") or MODEL_TYPES, incomplete)


def model_types(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a model that a campaign can name."""
    from ...data.settings import MODEL_TYPES

    return _items(MODEL_TYPES, incomplete)


def used_sets(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a parameter set of the store, or ``default``."""
    return _items(["default", *_names_in_store(context, "parameter_set")], incomplete)


def known_sets(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete any parameter set: the campaign's, PyBaMM's, those of other packages, and those of the store."""
    from ...data.installed import parameter_set_names

    own = [str(name) for name in _table(_campaign(context), "parameter_sets")]
    return _items([*own, *parameter_set_names(), *_names_in_store(context, "parameter_set")], incomplete)


def fits(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a fit: of the store, or of the campaign."""
    tables = _campaign(context).get("fit", [])
    own = [str(fit["name"]) for fit in (tables if isinstance(tables, list) else [tables]) if _has_name(fit)]
    return _items([*_names_in_store(context, "fit"), *own], incomplete)


def _has_name(fit: Any) -> bool:
    return isinstance(fit, dict) and "name" in fit


def rules(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a cleaning rule that found something in the store."""
    return _items(_names_in_store(context, "rule"), incomplete)


def presets(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a group of parameters to fit."""
    from ...data.fit_settings import PRESETS

    return _items(PRESETS, incomplete)
