"""Export a parameter set for other programs, with its lineage: ``kilocell parameters export``."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sqlite3
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...data.codec import from_json
from ...data.errors import JobError, UsageError
from ...data.extensive import cell_power
from ...data.fit_settings import FitSettings
from ...data.installed import installed_version, registering_package
from ...data.names import check_known
from ...data.results.fitting import Beginning
from ...data.settings import ModelSettings, ParameterSetSettings
from ...data.standing import CURRENT
from ...parquet_store.layout import Store
from ...parquet_store.read import read_parameter_set
from ...parquet_store.write import write_text
from ...sqlite import fit_queries, queries
from ..show.parameters import find_set

if TYPE_CHECKING:
    from ..campaign.campaign import Campaign


@dataclass(frozen=True, slots=True)
class ChosenSet:
    """The parameter set to write.

    Args:
        settings: the base set and its overrides.
        content: of the file that the base set is read from; ``None`` = PyBaMM's set.
        lineage: the origin of the set as plain values.
        model, beginning: of a fitted set: its model, and how the record of the fit begins.
    """

    settings: ParameterSetSettings
    content: bytes | None
    lineage: dict[str, Any]
    model: ModelSettings | None = None
    beginning: Beginning | None = None


def export_set(
    name: str | None,
    campaign: Campaign | None,
    root: Path,
    cell: str | None,
    fit: str | None,
    version: int | None,
    form: str,
    out: Path | None,
    everything: bool = False,
) -> None:
    """Write a set to a file, with its lineage in a second file, or print it.

    Args:
        name: of the set; ``None`` = the set of a fit.
        campaign: its own sets and variations can be named too; ``None`` = PyBaMM's sets only.
        root: the store, for fitted sets.
        cell, fit: choose a fitted set.
        version: of the fitted set, from 1; ``None`` = the fit's current one.
        form: "json" or "bpx".
        out: the file; the lineage goes to the same path with ``.lineage.json`` at its end. ``None`` = print the set.
        everything: also sets of fits that the campaign has no longer.

    Raises:
        UsageError: there is no such set, cell, fit or version, or the set cannot be written in this form.
    """
    chosen = _choose_set(name, campaign, root, cell, fit, version, everything)
    print("loading PyBaMM …", file=sys.stderr)
    try:
        text, notes = _write_text(chosen, form)
    except JobError as error:
        raise UsageError(str(error)) from error
    if out is None:
        print(text, end="")
    else:
        write_text(out, text)
        lineage_path = out.with_name(f"{out.name.removesuffix('.json')}.lineage.json")
        lineage = _lineage(chosen, notes, form, text)
        write_text(lineage_path, json.dumps(lineage, ensure_ascii=False, indent=1) + "\n")
        print(f"wrote {out}, and its origin to {lineage_path}")
    for note in notes:
        print(f"note  {note}", file=sys.stderr)


def _write_text(chosen: ChosenSet, form: str) -> tuple[str, tuple[str, ...]]:
    """Return the set in this form, and notes on what the form cannot express."""
    from ...data.defined_sets import define_set
    from ...jobs.export.bpx import convert_to_bpx
    from ...jobs.export.values import CellSet, resolve_cell_values, resolve_set_values, values_to_json
    from ...jobs.parameters.sets import nominal_capacity_ah

    if chosen.content is not None:
        define_set(chosen.settings.key, chosen.content)
    notes: tuple[str, ...] = ()
    if chosen.model is not None and chosen.beginning is not None:
        values, notes = resolve_cell_values(CellSet(chosen.settings, chosen.model, chosen.beginning))
    else:
        values = resolve_set_values(chosen.settings)
        notes = tuple(
            f"{override.parameter} is {override.value:g} as given, for the campaign's cell; the set describes "
            f"{nominal_capacity_ah(chosen.settings):g} A.h"
            for override in chosen.settings.overrides
            if override.kind == "value" and cell_power(override.parameter)
        )
    if form == "json":
        return values_to_json(values), notes
    text, form_notes = convert_to_bpx(values, chosen.settings, chosen.model, chosen.beginning)
    return text, notes + form_notes


def _lineage(chosen: ChosenSet, notes: Sequence[str], form: str, text: str) -> dict[str, Any]:
    settings = chosen.settings
    base_from = f"file {settings.file_digest}" if settings.file_digest else registering_package(settings.base)
    return {
        "set": settings.name,
        "form": "BPX" if form == "bpx" else "pybamm.ParameterValues",
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "written_by": {name: installed_version(name) for name in ("kilocell", "pybamm")},
        "written_unix_second": round(time.time(), 3),
        "notes": list(notes),
        "base": settings.base,
        "base_from": base_from,
        "changed": [dataclasses.asdict(override) for override in settings.overrides],
        **chosen.lineage,
    }


def _choose_set(
    name: str | None,
    campaign: Campaign | None,
    root: Path,
    cell: str | None,
    fit: str | None,
    version: int | None,
    everything: bool,
) -> ChosenSet:
    if name is None and fit is None:
        raise UsageError("no parameter set given: name a set, or choose a fitted one with --cell CELL --fit FIT")
    store = Store(root)
    if name is not None and fit is None and cell is None and version is None:
        try:
            settings, file = find_set(name, campaign)
            return ChosenSet(settings, file.content if file is not None else None, {})
        except UsageError:
            if not _has_fitted_set(store, name, everything):
                raise
    with closing(queries.connect(store.catalog, everything=everything)) as catalog, queries.snapshot(catalog):
        row = _choose_version(fit_queries.fitted_sets(catalog), name, cell, fit, version)
        settings = fit_queries.find_parameter_set(catalog, str(row["parameter_set_digest"]))
    if row["standing"] != CURRENT:
        print(f"note       the fit {row['fit']!r} of {row['cell_id']} is {row['standing']}", file=sys.stderr)
    return _fitted_set(store, row, settings)


def _has_fitted_set(store: Store, name: str, everything: bool) -> bool:
    if not store.catalog.exists():
        return False
    with closing(queries.connect(store.catalog, everything=everything)) as catalog:
        return any(row["parameter_set"] == name for row in fit_queries.fitted_sets(catalog))


def _choose_version(
    rows: Sequence[sqlite3.Row], name: str | None, cell: str | None, fit: str | None, version: int | None
) -> Any:
    """Return the one version of a fitted set that the user's choices leave.

    Raises:
        UsageError: an unknown name or version, or the sets of several fits remain.
    """
    choices = (
        ("the store has no cell with a fitted set", "cell_id", cell),
        ("the store has no fit", "fit", fit),
        ("the store has no fitted parameter set", "parameter_set", name),
    )
    for problem, column, wanted in choices:
        if wanted is not None:
            check_known(problem, [wanted], {str(row[column]) for row in rows})
            rows = [row for row in rows if row[column] == wanted]
    fits = sorted({(str(row["cell_id"]), str(row["fit"])) for row in rows})
    if len(fits) > 1:
        examples = ", ".join(f"--cell {cell_id} --fit {label}" for cell_id, label in fits[:3])
        raise UsageError(f"{len(fits)} fitted sets match; choose one, such as {examples}")
    if version is None:
        return next((row for row in rows if row["current"]), rows[-1])
    for row in rows:
        if row["version"] == version:
            return row
    numbers = ", ".join(str(row["version"]) for row in rows)
    raise UsageError(f"the store has no version {version} of this set; it has {numbers}")


def _fitted_set(store: Store, row: Any, parameter_set: ParameterSetSettings) -> ChosenSet:
    settings = from_json(FitSettings, row["settings"])
    if row["beginning"] is None:
        problem = (
            f"an earlier kilocell made the fit {row['fit']!r} of {row['cell_id']} without storing its initial state"
        )
        raise UsageError(f"{problem}; run it again: kilocell fit --fit {row['fit']} --cell {row['cell_id']}")
    beginning = from_json(Beginning, row["beginning"])
    content = None
    if parameter_set.file_digest:
        content = read_parameter_set(store, parameter_set.file_digest)
    internal = ("settings", "beginning", "current", "label")
    columns = {key: row[key] for key in row.keys() if key not in internal}  # noqa: SIM118
    lineage = {
        **columns,
        "cycles": json.loads(row["cycles"]),
        "beginning": dataclasses.asdict(beginning),
        "asked": dataclasses.asdict(settings),
    }
    return ChosenSet(parameter_set, content, lineage, settings.model, beginning)
