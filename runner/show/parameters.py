"""What ``kilocell parameters`` prints: every parameter set there is, or every parameter of one."""

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
from ...data.installed import parameter_set_names, registering_package
from ...data.names import suggest_or_list
from ...data.parameter_files import read_document
from ...data.settings import ParameterSetSettings
from ..campaign.parameter_sets import SetFile, set_file
from .table import table, table_to_json

if TYPE_CHECKING:
    from ...jobs.parameters.table import ParameterRow, SetSummary
    from ..campaign.campaign import Campaign

LISTED: Final = ("set", "kind", "A.h", "V min", "V max", "models", "from", "about")
_DOI: Final = re.compile(r"\bdoi\s*=\s*[{\"]([^}\"]+)", re.IGNORECASE)


def show_parameter_sets(campaign: Campaign | None, json_: bool) -> None:
    """Print every set by name: PyBaMM's, those of other packages, and a campaign's own."""
    print("loading PyBaMM …", file=sys.stderr)
    rows = [_listed(settings, origin) for settings, origin in _all_sets(campaign)]
    print(table_to_json(LISTED, rows) if json_ else table(LISTED, rows, "g"))
    if not json_:
        print("\nparameters of one: kilocell parameters Chen2020; a file does as well: kilocell parameters FILE.json")


def show_parameter_set(name: str, campaign: Campaign | None, match: str, json_: bool) -> None:
    """Print every parameter of a set, by name.

    Args:
        name: of PyBaMM's, of another package's or of the campaign's sets (with ``+variation`` too), or a file.
        match: only parameters with this text in their names.

    Raises:
        UsageError: there is no such set or file, it cannot be read, or no parameter matches.
    """
    settings, file = find_set(name, campaign)
    print("loading PyBaMM …", file=sys.stderr)
    from ...jobs.parameters.files import make_values
    from ...jobs.parameters.sets import define_set
    from ...jobs.parameters.table import REFERENCE_WORDS, list_parameters, summarise_set

    try:
        notes: tuple[str, ...] = ()
        if file is not None:
            define_set(settings.key, file.content)
            notes = make_values(file.content)[1]
        summary, rows = summarise_set(settings), list_parameters(settings)
    except JobError as error:
        raise UsageError(f"{file.path}: {error}" if file else str(error)) from error
    chosen = [row for row in rows if match.lower() in row.parameter.lower()]
    if not chosen:
        raise UsageError(f"{name} has no parameter with {match!r}{suggest_or_list(match, [r.parameter for r in rows])}")
    if json_:
        print(json.dumps(_set_to_dict(settings, file, summary, notes, chosen), ensure_ascii=False, indent=1))
        return
    print("\n".join(f"{head:9s}  {text}" for head, text in _heading_lines(settings, file, summary, notes)) + "\n")
    print(
        table(("parameter", "value", "unit", "function of"), [_row_texts(row) for row in chosen], widest=90, right=(1,))
    )
    count = f"{len(chosen)} of {len(rows)} parameters" if match else f"{len(rows)} parameters"
    print(f"\n{count}; a function's value is at {REFERENCE_WORDS}")


def _all_sets(campaign: Campaign | None) -> Iterator[tuple[ParameterSetSettings, str]]:
    from ...jobs.parameters.sets import define_set

    for file in campaign.set_files if campaign else ():
        settings = ParameterSetSettings(file.name, file.name, file_digest=file.digest)
        define_set(settings.key, file.content)
        yield settings, file.path.name
    for name in parameter_set_names():
        yield ParameterSetSettings(name, name), registering_package(name)


def _listed(settings: ParameterSetSettings, origin: str) -> tuple[Any, ...]:
    from ...jobs.parameters.table import summarise_set

    try:
        summary = summarise_set(settings)
    except JobError as error:
        return (settings.name, None, None, None, None, None, origin, str(error))
    about = re.split(r",? from |,? based on ", summary.about)[0]
    window = (summary.capacity_ah, summary.lower_volt, summary.upper_volt)
    return (settings.name, summary.kind, *window, summary.models or None, origin, about)


def find_set(name: str, campaign: Campaign | None) -> tuple[ParameterSetSettings, SetFile | None]:
    """The set that a name stands for, and its file where it has one.

    Raises:
        UsageError: there is no such set or file; the nearest is named.
    """
    base = name.partition("+")[0]
    if campaign is not None and (found := campaign.named_set(name)) is not None:
        return found, next((file for file in campaign.set_files if file.name == base), None)
    if name in parameter_set_names():
        return ParameterSetSettings(name, name), None
    path = Path(name)
    if path.is_file():
        try:
            file = set_file(path.name, path)
        except ValueError as error:
            raise UsageError(f"{name}: {error}") from None
        return ParameterSetSettings(path.name, path.name, file_digest=file.digest), file
    own = [file.name for file in campaign.set_files] if campaign else []
    near = suggest_or_list(name, [*own, *parameter_set_names()])
    raise UsageError(f"unknown parameter set {name!r}{near}; it is no file either (BPX or ParameterValues JSON)")


def _heading_lines(
    settings: ParameterSetSettings, file: SetFile | None, summary: SetSummary, notes: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    yield "set", settings.name
    yield "kind", summary.kind
    yield "models", summary.models or "none that kilocell has"
    if file is not None:
        yield "file", f"{file.path} ({'BPX' if file.form == 'bpx' else 'ParameterValues JSON'})"
        yield from ((f"  {key}".lower(), text) for key, text in _bpx_header(file).items())
    else:
        yield "from", registering_package(settings.base)
    if summary.about:
        yield "about", summary.about
    if summary.citations:
        yield "source", ", ".join(_cited(key) for key in summary.citations)
    for override in settings.overrides:
        yield "changed", f"{override.parameter} {'×' if override.kind == 'scale' else '='} {override.value:g}"
    yield from (("note", note) for note in notes)


def _bpx_header(file: SetFile) -> dict[str, str]:
    """Title, description and references of a BPX file."""
    header = read_document(file.content)[1].get("Header", {})
    named = (("title", "Title"), ("about", "Description"), ("source", "References"))
    return {word: str(header[key]) for word, key in named if header.get(key)}


def _row_texts(row: ParameterRow) -> tuple[str, str, str, str]:
    value = f"{row.value:.6g}" if isinstance(row.value, float) else str(row.value if row.value is not None else "–")
    return row.parameter, value, row.unit, row.function_of


def _set_to_dict(
    settings: ParameterSetSettings,
    file: SetFile | None,
    summary: SetSummary,
    notes: tuple[str, ...],
    rows: list[ParameterRow],
) -> dict[str, Any]:
    whole = {"set": settings.name, "from": str(file.path) if file else registering_package(settings.base)}
    parameters = [dataclasses.asdict(row) for row in rows]
    return {**whole, **dataclasses.asdict(summary), "notes": list(notes), "parameters": parameters}


def _cited(key: str) -> str:
    doi = _dois().get(key)
    return f"{key} (doi:{doi})" if doi else key


@cache
def _dois() -> dict[str, str]:
    """DOI of each of PyBaMM's citations that has one, by key."""
    try:
        path = Path(str(distribution("pybamm").locate_file("pybamm/CITATIONS.bib")))
        entries = re.split(r"\n@\w+\{", path.read_text(encoding="utf-8"))
    except (PackageNotFoundError, OSError):
        return {}
    found = ((entry.partition(",")[0].strip(), _DOI.search(entry)) for entry in entries)
    return {key: doi[1].removeprefix("https://doi.org/") for key, doi in found if doi}
