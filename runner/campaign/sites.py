"""Clusters that a user describes once, in ``~/.config/kilocell/clusters.toml``, for every campaign."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from ...data.errors import UsageError
from ...data.names import quote, suggest_or_list
from . import fields as v
from .errors import campaign_error, describe_problems
from .schema import ClusterTable

KINDS: Final = ("local", "slurm")
"""Clusters that need no table."""


class SiteTable(ClusterTable):
    """A table of clusters.toml: the same keys as ``[cluster]`` of a campaign."""

    kind: v.ClusterKind = "slurm"


def sites_path() -> Path:
    """Return the path of the user's clusters.toml."""
    folder = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(folder).expanduser() / "kilocell" / "clusters.toml"


def is_site(name: str) -> bool:
    """Whether the name of a cluster is to be looked up in clusters.toml."""
    return name not in KINDS and "://" not in name


def load_site(name: str) -> dict[str, Any]:
    """Return the settings of a cluster, as fields of :class:`~kilocell.data.settings.ClusterSettings`.

    Args:
        name: of its table in clusters.toml.

    Returns:
        Those that the table has, and its kind.

    Raises:
        UsageError: there is no such file or table, or a key or value is wrong.
    """
    path = sites_path()
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        known = f"use local, slurm, or the address of a scheduler, tcp://HOST:PORT{suggest_or_list(name, KINDS)}"
        raise UsageError(f"unknown cluster {name!r}: {known}. Your own clusters can have a table in {path}") from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error}") from error
    if name not in document:
        known = suggest_or_list(name, [*document, *KINDS])
        raise UsageError(f"unknown cluster {quote(name)}: {path} has no table of this name{known}")
    if not isinstance(document[name], dict):
        raise UsageError(f"{path}: {name} must be a table, which begins with [{name}]")
    try:
        table = SiteTable.model_validate(document[name])
    except ValidationError as error:
        problems = describe_problems(error, document[name], SiteTable)
        raise campaign_error(path, [f"[{name}] {problem}" for problem in problems]) from None
    return cluster_values(table, {*table.model_fields_set, "kind"})


def cluster_values(table: BaseModel, names: Iterable[str]) -> dict[str, Any]:
    """Return the values of a table of a cluster as fields of :class:`~kilocell.data.settings.ClusterSettings`.

    Args:
        names: of the values.
    """
    values = {name: getattr(table, name) for name in names}
    for name, value in values.items():
        if isinstance(value, list):
            values[name] = tuple(value)
    if "jobs" in values:
        values["jobs"], values["least_jobs"] = v.job_counts(values["jobs"])
    return values
