"""What ``kilocell parameters`` prints: all parameter sets, or the parameters of one."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ...data.errors import JobError, UsageError
from ...data.extensive import describe_scaling
from ...data.installed import parameter_set_names, registering_package
from ...data.names import suggest_or_list
from ...data.parameter_files import read_document
from ...data.settings import ParameterSetSettings
from ..campaign.hints import describe_set
from ..campaign.parameter_sets import SetFile, set_file
from .table import table, table_to_json

if TYPE_CHECKING:
    from ...jobs.parameters.table import ParameterRow, SetSummary
    from ..campaign.campaign import Campaign

LISTED: Final = ("set", "kind", "A.h", "V min", "V max", "models", "from", "about")
LISTED_KEYS: Final = (
    "parameter_set",
    "kind",
    "capacity_ah",
    "voltage_min_volt",
    "voltage_max_volt",
    "models",
    "from",
    "about",
)
"""Keys of the same columns in JSON, as the catalog names them where it has them."""

_DOI: Final = re.compile(r"\bdoi\s*=\s*[{\"]([^}\"]+)", re.IGNORECASE)


def show_parameter_sets(campaign: Campaign | None, json_: bool) -> None:
    """Print all parameter sets by name: a campaign's own, PyBaMM's, and those of other packages.

    Args:
        campaign: whose sets to list, too; ``None`` = no campaign.
        json_: print JSON.
    """
    print("loading PyBaMM …", file=sys.stderr)
    rows = [_set_line(settings, origin) for settings, origin in _all_sets(campaign)]
    if json_:
        print(table_to_json(LISTED_KEYS, rows))
        return
    print(table(LISTED, rows, "g"))
    print("\nto see the parameters of a set or file: kilocell parameters Chen2020, kilocell parameters FILE.json")


def show_parameter_set(name: str, campaign: Campaign | None, match: str, json_: bool) -> None:
    """Print the parameters of a set, by name.

    Args:
        name: a set of PyBaMM, of another package or of the campaign, also with ``+variation``; or the path of a file.
        campaign: whose sets to search, too; ``None`` = no campaign.
        match: only parameters with this text in their names, in any case of letters; empty = all.
        json_: print JSON.

    Raises:
        UsageError: there is no such set or file, it cannot be read, or no parameter matches.
    """
    settings, file = find_set(name, campaign)
    print("loading PyBaMM …", file=sys.stderr)
    from ...data.defined_sets import define_set
    from ...jobs.models.set_checks import check_set_values
    from ...jobs.parameters.files import make_values
    from ...jobs.parameters.table import REFERENCE_WORDS, list_parameters, summarise_set

    notes: tuple[str, ...] = ()
    try:
        if file is not None:
            define_set(settings.key, file.content)
            notes = make_values(file.content)[1]
        summary = summarise_set(settings)
        rows = list_parameters(settings)
        found = check_set_values(settings, thermal=True)
        notes = (*notes, *found.refused, *found.doubts)
    except JobError as error:
        where = f"{file.path}: " if file is not None else ""
        raise UsageError(f"{where}{error}") from error
    chosen = [row for row in rows if match.lower() in row.parameter.lower()]
    if not chosen:
        near = suggest_or_list(match, [row.parameter for row in rows])
        raise UsageError(f"{name} has no parameter with {match!r} in its name{near}")
    if json_:
        print(json.dumps(_set_to_dict(settings, file, summary, notes, chosen), ensure_ascii=False, indent=1))
        return
    for heading, text in _heading_lines(settings, file, summary, notes):
        print(f"{heading:9s}  {text}")
    print()
    headings = ("parameter", "value", "unit", "function of")
    print(table(headings, [_row_texts(row) for row in chosen], right=(1,)))
    count = f"{len(rows)} parameters"
    if match:
        count = f"{len(chosen)} of {count}"
    print(f"\n{count}; functions are evaluated at {REFERENCE_WORDS}")


def _all_sets(campaign: Campaign | None) -> Iterator[tuple[ParameterSetSettings, str]]:
    """Yield each set with the file or package it comes from."""
    from ...data.defined_sets import define_set

    if campaign is not None:
        for file in campaign.set_files:
            settings = ParameterSetSettings(file.name, file.name, file_digest=file.digest)
            define_set(settings.key, file.content)
            yield settings, file.path.name
    for name in parameter_set_names():
        yield ParameterSetSettings(name, name), registering_package(name)


def _set_line(settings: ParameterSetSettings, origin: str) -> tuple[Any, ...]:
    """Return a set's line of the table; a set that cannot be loaded shows the reason."""
    from ...jobs.parameters.table import summarise_set

    try:
        summary = summarise_set(settings)
    except JobError as error:
        return (settings.name, None, None, None, None, None, origin, str(error))
    about = re.split(r",? from |,? based on ", summary.about)[0]
    numbers = (summary.capacity_ah, summary.lower_volt, summary.upper_volt)
    return (settings.name, summary.kind, *numbers, summary.models or None, origin, about)


def find_set(name: str, campaign: Campaign | None) -> tuple[ParameterSetSettings, SetFile | None]:
    """Return the parameter set of a name or path, and its file where it has one.

    Args:
        name: a set of the campaign, of PyBaMM or of another package, or the path of a file.
        campaign: whose sets to search first; ``None`` = no campaign.

    Raises:
        UsageError: there is no such set or file; the text gives the nearest name.
    """
    base = name.partition("+")[0]
    own_files = campaign.set_files if campaign is not None else ()
    if campaign is not None:
        named = campaign.named_set(name)
        if named is not None:
            return named, next((file for file in own_files if file.name == base), None)
    if name in parameter_set_names():
        return ParameterSetSettings(name, name), None
    path = Path(name)
    if path.is_file():
        try:
            file = set_file(path.name, path)
        except ValueError as error:
            raise UsageError(f"{name}: {error}") from None
        return ParameterSetSettings(path.name, path.name, file_digest=file.digest), file
    near = describe_set(name, [file.name for file in own_files])
    raise UsageError(
        f"unknown parameter set {name!r}{near}; there is no file of this name either (BPX, or JSON of ParameterValues)"
    )


def _heading_lines(
    settings: ParameterSetSettings, file: SetFile | None, summary: SetSummary, notes: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    """Yield heading and text of what is known of a set beside its parameters."""
    yield "set", settings.name
    yield "kind", summary.kind
    yield "models", summary.models or "none in kilocell"
    if file is None:
        yield "from", registering_package(settings.base)
    else:
        form = "BPX" if file.form == "bpx" else "JSON of ParameterValues"
        yield "file", f"{file.path} ({form})"
        for key, text in _bpx_header(file).items():
            yield f"  {key}", text
    if summary.about:
        yield "about", summary.about
    if summary.citations:
        yield "source", ", ".join(_citation_text(key) for key in summary.citations)
    for override in settings.overrides:
        sign = "×" if override.kind == "scale" else "="
        scaling = describe_scaling(override.parameter) if override.kind == "value" else ""
        mark = ", of your cell, not of the set's" if scaling else ""
        yield "changed", f"{override.parameter} {sign} {override.value:g}{mark}"
    for note in notes:
        yield "note", note


def _bpx_header(file: SetFile) -> dict[str, str]:
    """Return title, description and references of a BPX file, where it has them."""
    header = read_document(file.content)[1].get("Header", {})
    named = (("title", "Title"), ("about", "Description"), ("source", "References"))
    return {word: str(header[key]) for word, key in named if header.get(key)}


def _row_texts(row: ParameterRow) -> tuple[str, str, str, str]:
    if row.value is None:
        value = "–"
    elif isinstance(row.value, float):
        value = f"{row.value:.6g}"
    else:
        value = str(row.value)
    return row.parameter, value, row.unit, row.function_of


def _set_to_dict(
    settings: ParameterSetSettings,
    file: SetFile | None,
    summary: SetSummary,
    notes: tuple[str, ...],
    rows: list[ParameterRow],
) -> dict[str, Any]:
    origin = str(file.path) if file else registering_package(settings.base)
    return {
        "parameter_set": settings.name,
        "from": origin,
        **dataclasses.asdict(summary),
        "notes": list(notes),
        "parameters": [dataclasses.asdict(row) for row in rows],
    }


def _citation_text(key: str) -> str:
    doi = _dois().get(key)
    if doi is None:
        return key
    return f"{key} (doi:{doi})"


@cache
def _dois() -> dict[str, str]:
    """Return the DOI of each of PyBaMM's citations that has one, by key."""
    try:
        path = Path(str(distribution("pybamm").locate_file("pybamm/CITATIONS.bib")))
        entries = re.split(r"\n@\w+\{", path.read_text(encoding="utf-8"))
    except (PackageNotFoundError, OSError):
        return {}
    dois = {}
    for entry in entries:
        key = entry.partition(",")[0].strip()
        match = _DOI.search(entry)
        if match is not None:
            dois[key] = match[1].removeprefix("https://doi.org/")
    return dois
