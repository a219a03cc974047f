"""What ``kilocell parameters export`` writes: a parameter set for other programs, and where it is from beside it."""

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
from ...data.fit_settings import FitSettings
from ...data.installed import installed_version, registering_package
from ...data.names import check_known
from ...data.results.fitting import Beginning
from ...data.settings import ModelSettings, ParameterSetSettings
from ...parquet_store.layout import Store
from ...parquet_store.read import read_parameter_set
from ...parquet_store.write import write_text
from ...sqlite import fit_queries, queries
from ..show.parameters import find_set

if TYPE_CHECKING:
    from ..campaign.campaign import Campaign


@dataclass(frozen=True, slots=True)
class ChosenSet:
    """The set to write.

    Args:
        content: of the file that its base is read from; ``None`` = PyBaMM's.
        model, beginning: of a fitted set.
        lineage: where it is from, as plain values.
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
) -> None:
    """Write a set by name, or of a cell's fit, to a file with its lineage beside it, or print it.

    Raises:
        UsageError: there is no such set, cell, fit or version, or it cannot be written in this form.
    """
    chosen = _chosen(name, campaign, root, cell, fit, version)
    print("loading PyBaMM …", file=sys.stderr)
    from ...jobs.export.bpx import convert_to_bpx
    from ...jobs.export.values import CellSet, resolve_cell_values, resolve_set_values, values_to_json
    from ...jobs.parameters.sets import define_set

    try:
        if chosen.content is not None:
            define_set(chosen.settings.key, chosen.content)
        notes: tuple[str, ...] = ()
        if chosen.model is not None and chosen.beginning is not None:
            values, notes = resolve_cell_values(CellSet(chosen.settings, chosen.model, chosen.beginning))
        else:
            values = resolve_set_values(chosen.settings)
        if form == "bpx":
            text, more = convert_to_bpx(values, chosen.settings, chosen.model, chosen.beginning)
            notes += more
        else:
            text = values_to_json(values)
    except JobError as error:
        raise UsageError(str(error)) from error
    if out is None:
        print(text, end="")
    else:
        write_text(out, text)
        beside = out.with_name(f"{out.name.removesuffix('.json')}.lineage.json")
        write_text(beside, json.dumps(_lineage(chosen, notes, form, text), ensure_ascii=False, indent=1) + "\n")
        print(f"wrote {out}, and where it is from to {beside}")
    for note in notes:
        print(f"note  {note}", file=sys.stderr)


def _lineage(chosen: ChosenSet, notes: Sequence[str], form: str, text: str) -> dict[str, Any]:
    return {
        "set": chosen.settings.name,
        "form": "BPX" if form == "bpx" else "pybamm.ParameterValues",
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "written_by": {name: installed_version(name) for name in ("kilocell", "pybamm")},
        "written_unix_second": round(time.time(), 3),
        "notes": list(notes),
        "base": chosen.settings.base,
        "base_from": f"file {chosen.settings.file_digest}"
        if chosen.settings.file_digest
        else registering_package(chosen.settings.base),
        "changed": [dataclasses.asdict(override) for override in chosen.settings.overrides],
        **chosen.lineage,
    }


def _chosen(
    name: str | None, campaign: Campaign | None, root: Path, cell: str | None, fit: str | None, version: int | None
) -> ChosenSet:
    if name is None and fit is None:
        raise UsageError("say which: a set's name, or --cell CELL --fit FIT")
    if fit is None and cell is None and version is None and name is not None:
        try:
            settings, file = find_set(name, campaign)
            return ChosenSet(settings, file.content if file is not None else None, {})
        except UsageError:
            if not _has_fitted(Store(root), name):
                raise
    with closing(queries.connect(Store(root).catalog)) as catalog, queries.snapshot(catalog):
        row = _row(fit_queries.fitted_sets(catalog), name, cell, fit, version)
        found = fit_queries.find_parameter_set(catalog, str(row["parameter_set_digest"]))
    return _fitted(Store(root), row, found)


def _has_fitted(store: Store, name: str) -> bool:
    if not store.catalog.exists():
        return False
    with closing(queries.connect(store.catalog)) as catalog:
        return any(row["parameter_set"] == name for row in fit_queries.fitted_sets(catalog))


def _row(rows: Sequence[sqlite3.Row], name: str | None, cell: str | None, fit: str | None, version: int | None) -> Any:
    """The one version that is meant."""
    asked = (("cell", "cell_id", cell), ("fit", "fit", fit), ("fitted parameter set", "parameter_set", name))
    for word, column, wanted in asked:
        if wanted is not None:
            check_known(
                f"the store has no {word} with a fitted set" if word == "cell" else f"the store has no {word}",
                [wanted],
                {str(row[column]) for row in rows},
            )
            rows = [row for row in rows if row[column] == wanted]
    several = sorted({(str(row["cell_id"]), str(row["fit"])) for row in rows})
    if len(several) > 1:
        some = ", ".join(f"--cell {cell_id} --fit {label}" for cell_id, label in several[:3])
        raise UsageError(f"there are {len(several)} of them; say which, as {some}")
    if version is not None:
        chosen = [row for row in rows if row["version"] == version]
        if not chosen:
            numbers = ", ".join(str(row["version"]) for row in rows)
            raise UsageError(f"the store has no version {version} of it; it has {numbers}")
        return chosen[0]
    return next((row for row in rows if row["current"]), rows[-1])


def _fitted(store: Store, row: Any, found: ParameterSetSettings) -> ChosenSet:
    settings = from_json(FitSettings, row["settings"])
    if row["beginning"] is None:
        told = f"the fit {row['fit']!r} of {row['cell_id']} was made by a kilocell that did not keep its state"
        raise UsageError(f"{told}; make it again: kilocell fit --fit {row['fit']} --cell {row['cell_id']}")
    beginning = from_json(Beginning, row["beginning"])
    content = read_parameter_set(store, found.file_digest) if found.file_digest else None
    plain = {key: row[key] for key in row.keys() if key not in ("settings", "beginning", "current", "label")}  # noqa: SIM118
    lineage = {
        **plain,
        "cycles": json.loads(row["cycles"]),
        "beginning": dataclasses.asdict(beginning),
        "asked": dataclasses.asdict(settings),
    }
    return ChosenSet(found, content, lineage, settings.model, beginning)
