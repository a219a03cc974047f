"""Say what changed since a job's earlier result: which raw file, which setting, from what to what."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from ...data.fit_settings import FitSettings
from ...data.installed import installed_version
from ...data.results.cleaning import CleanResult
from ...data.results.receipt import Receipt, SplitResult
from ...data.settings import SimulateSettings, SourceFile
from ...parquet_store.layout import Store
from ...parquet_store.read import read_receipt
from .job import CleanWork, Job, SimulateWork, SplitWork

MOST_CHANGES: Final = 4
"""Changes that are named at most."""

LONGEST_VALUE: Final = 60  # characters
IRRELEVANT: Final = frozenset(
    {"time_limit_second", "parameter_set_source", "capacity_source", "stop_beaten", "current_sign", "is_compiled"}
)
"""Settings that no digest depends on, or that follow from the raw files."""

DIGEST: Final = "file_digest"
_RUNNING: Final = ("pybamm",)
"""Packages on whose version results depend."""


def describe_change(store: Store, job: Job) -> str:
    """Return what changed since the result that a job has, in one line; "" = it has none, or it does not say.

    Args:
        store: where the earlier receipt is; only read.
        job: a job that runs because its settings or input changed.
    """
    receipt = read_receipt(store.receipt(job.kind, job.cell_id, job.label))
    if receipt is None or receipt.digest == job.digest:
        return ""
    changes = list(dict.fromkeys(_changes(receipt, job)))
    if not changes:
        return "kilocell itself" if _version(receipt, "kilocell") != installed_version("kilocell") else ""
    more = [f"and {len(changes) - MOST_CHANGES} more"] if len(changes) > MOST_CHANGES else []
    return ", ".join([*changes[:MOST_CHANGES], *more])


def _changes(receipt: Receipt, job: Job) -> Iterator[str]:
    result = receipt.result
    work = job.work
    if isinstance(work, SplitWork):
        if isinstance(result, SplitResult):
            yield from _file_changes([result.source], [work.file])
        return
    if isinstance(work, CleanWork):
        if isinstance(result, CleanResult):
            yield from _file_changes([source.file for source in result.sources], [one.file for one in work.sources])
            if result.settings is not None:
                yield from _differences(result.settings, work.settings)
        return
    before = getattr(result, "settings", None)
    if isinstance(before, (SimulateSettings, FitSettings)):
        yield from _model_changes(before, work)
    for name in _RUNNING:
        old, new = _version(receipt, name), installed_version(name)
        if old != new:
            yield f"{name} {old or 'of an unknown version'} → {new}"


def _version(receipt: Receipt, package: str) -> str:
    return dict(receipt.versions).get(package, "")


def _file_changes(before: list[SourceFile], now: list[SourceFile]) -> Iterator[str]:
    """Yield the raw files that were added, left out, changed, or are read in another way."""
    old = {file.path: file for file in before}
    new = {file.path: file for file in now}
    moved = {file.digest for file in before} & {file.digest for file in now}
    for path, file in new.items():
        name = Path(path).name
        if path in old and file.digest != old[path].digest:
            size = f"{old[path].bytes} → {file.bytes} bytes"
            yield f"{name} has other content ({size if file.bytes != old[path].bytes else 'of the same size'})"
        elif path in old:
            yield from (f"{name}: {text}" for text in _differences(old[path].settings, file.settings))
        elif file.digest not in moved:
            yield f"{name} is new"
    yield from (
        f"{Path(path).name} is left out" for path, file in old.items() if path not in new and file.digest not in moved
    )


def _model_changes(before: SimulateSettings | FitSettings, work: Any) -> Iterator[str]:
    """Yield the settings of a model's job that changed; what a run fills in itself is left out."""
    now = work.settings
    left_out = set(IRRELEVANT)
    if now.cell.measured_capacity is not None:
        left_out |= {"cell.nominal_capacity_ah", "cell.measured_capacity"}
    if isinstance(work, SimulateWork) and work.fit_label:
        left_out |= {"parameter_set", "cycles", "initial_soc"}  # those of the fit
    yield from _differences(before, now, left_out=frozenset(left_out))


def _differences(before: Any, now: Any, place: str = "", left_out: frozenset[str] = IRRELEVANT) -> Iterator[str]:
    """Yield the fields of two dataclasses that differ, as ``cell.initial_state.value 0.5 → 0.7``."""
    if type(before) is not type(now) or not dataclasses.is_dataclass(now):
        if before != now:
            yield f"{place} {_short(before)} → {_short(now)}"
        return
    for field in dataclasses.fields(now):
        name = f"{place}.{field.name}" if place else field.name
        if field.name in left_out or name in left_out:
            continue
        old, new = getattr(before, field.name), getattr(now, field.name)
        if field.name == DIGEST and old != new:
            yield f"{place} has other content"
        elif isinstance(old, tuple) and isinstance(new, tuple) and len(old) == len(new):
            for number, pair in enumerate(zip(old, new, strict=True), 1):
                yield from _differences(*pair, name if len(old) == 1 else f"{name}#{number}", left_out)
        else:
            yield from _differences(old, new, name, left_out)


def _short(value: Any) -> str:
    text = repr(value) if isinstance(value, str) or value is None else str(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"
