"""What a plan makes of raw files that are gone: cells that are cleaned already keep all that can be done with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from ...data.file_names import folder_ids
from ...data.names import quote
from ...data.readers.text_blocks import stem
from ...data.settings import CleanSettings, SourceSettings
from ...data.text import format_count
from ...parquet_store.layout import Store
from ...parquet_store.read import is_valid, read_ranges, read_receipt
from ..campaign.campaign import Campaign
from ..campaign.gone_files import GoneFile, select_named
from .job import Job, ScannedSource, split_digest
from .plan import plan_cleaning, plan_splits, sources_by_cell, without_parts_if_split
from .scan import Report, ignore_count, scan_sources

CELLS_NAMED: Final = 5
"""Cells of a gone file that its message names at most."""

CleanSettingsOf = Callable[[str], CleanSettings]
"""Cell id → settings of its cleaning."""


def scan_with_gone(campaign: Campaign, store: Store, report: Report = ignore_count) -> tuple[ScannedSource, ...]:
    """Scan the raw files of a campaign; those that are gone are added with what the last run recorded of them.

    Args:
        store: of the campaign; only read.
        report: is told how many files are scanned.

    Raises:
        UsageError: no file can be read, and none of those that are gone is known.
    """
    gone = select_named(store.root, campaign.file.sources, campaign.path.absolute().parent)
    if not gone:
        return scan_sources(campaign.sources, store.catalog, verify=campaign.verify, report=report)
    paths = {one.known.file.path for one in gone}
    existing = _keep_apart([pair for pair in campaign.sources if str(pair[0]) not in paths], gone)
    scanned = scan_sources(existing, store.catalog, may_be_none=True, verify=campaign.verify, report=report)
    return add_gone_sources(scanned, gone, campaign.clean_settings, store)


def add_gone_sources(
    scanned: Sequence[ScannedSource], gone: Sequence[GoneFile], settings_of: CleanSettingsOf, store: Store
) -> tuple[ScannedSource, ...]:
    """Add the raw files that are gone, with the cells that need not read them again.

    A cell that would have to be cleaned again is not cleaned from its other files: the file's job fails and says so,
    and the cell's results stay. A file that was moved or renamed is not gone.

    Args:
        scanned: the files that exist.
        gone: files of the last run that do not exist any more, and that the campaign still names.
        settings_of: the settings with which each cell is cleaned now.
        store: where earlier results are; only read.

    Returns:
        All files, sorted by path.
    """
    present = {source.file.digest for source in scanned}
    lost = [one for one in gone if one.known.file.digest not in present]
    candidates = {_as_scanned(one, store): one.is_read_alike for one in lost if one.known.cells}
    together = sources_by_cell(_sorted([*scanned, *candidates]))
    kept = list(scanned)
    for source, is_read_alike in candidates.items():
        usable = _usable_cells(source, settings_of, together, store) if is_read_alike else ()
        if usable:
            kept.append(replace(source, cell_ids=usable))
        others = [cell for cell in source.cell_ids if cell not in usable and store.cleaned(cell).exists()]
        if others:
            kept.append(_unreadable(source, others))
    return _sorted(kept)


def _keep_apart(
    files: Sequence[tuple[Path, SourceSettings]], gone: Sequence[GoneFile]
) -> list[tuple[Path, SourceSettings]]:
    """Return files with the cells that they had beside gone files of the same name in other folders.

    Alone, ``b/data.csv`` would be the cell ``data``; beside ``a/data.csv``, it was the cell ``b``.
    """
    rules_of_gone = {one.known.file.path: one.known.file.settings.cell_id_from for one in gone}
    everything = [*dict.fromkeys(str(path) for path, _ in files), *rules_of_gone]
    changed: dict[str, str] = {}
    for name in {stem(Path(path)) for path in rules_of_gone}:
        same = [path for path in everything if stem(Path(path)) == name]
        if len({Path(path).parent for path in same}) < max(len(same), 2):
            continue
        rules = folder_ids(same, [path for path in everything if path not in same])
        if all(rules[path] == rules_of_gone.get(path, rules[path]) for path in same):  # else the user names cells
            changed |= rules
    return [
        (path, replace(settings, cell_id_from=changed.get(str(path), settings.cell_id_from)))
        for path, settings in files
    ]


def describe_gone(sources: Sequence[ScannedSource]) -> str:
    """Return a line about the gone files whose cells stay as they were cleaned; "" = there are none."""
    paths = [source.file.path for source in sources if source.is_gone and not source.problem]
    if not paths:
        return ""
    if len(paths) == 1:
        return f"the raw file {paths[0]} is gone; its cells stay as they were cleaned"
    return f"{format_count(len(paths), 'raw file')} are gone, such as {paths[0]}; their cells stay as they were cleaned"


def _as_scanned(gone: GoneFile, store: Store) -> ScannedSource:
    file = gone.known.file
    cells = tuple(cell for cell, _ in gone.known.cells)
    parts = read_ranges(store, split_digest(file)) or ()
    return without_parts_if_split(store, ScannedSource(file, cells, gone.known.mtime_ns, parts, is_gone=True))


def _usable_cells(
    source: ScannedSource, settings_of: CleanSettingsOf, by_cell: Mapping[str, Sequence[ScannedSource]], store: Store
) -> tuple[str, ...]:
    """Return the cells that are cleaned as they would be now, or can be cleaned from the rows that a split stored.

    Args:
        by_cell: the raw files of each cell.
    """
    if len(source.cell_ids) > 1 and all(_is_done(job, store) for job in plan_splits(source)):
        return source.cell_ids
    jobs = {cell: plan_cleaning(cell, settings_of(cell), by_cell[cell]) for cell in source.cell_ids}
    return tuple(cell for cell, job in jobs.items() if _is_done(job, store))


def _is_done(job: Job, store: Store) -> bool:
    return is_valid(store, read_receipt(store.receipt(job.kind, job.cell_id, job.label)), job.digest)


def _unreadable(source: ScannedSource, cells: Sequence[str]) -> ScannedSource:
    """Return the entry of a gone file some of whose cells have to be cleaned again."""
    named = ", ".join(quote(cell) for cell in cells[:CELLS_NAMED])
    if len(cells) > CELLS_NAMED:
        named += f" and {len(cells) - CELLS_NAMED} more"
    problem = (
        f"{source.file.path}: this file is gone, and {named} must be cleaned again, because settings or other files "
        "changed. Earlier results stay. Put the file back; or, if it no longer belongs to the campaign, name the "
        "other files in [[sources]] one by one"
    )
    return replace(source, cell_ids=(), parts=(), problem=problem, cells_by_name=tuple(cells))


def _sorted(sources: Sequence[ScannedSource]) -> tuple[ScannedSource, ...]:
    return tuple(sorted(sources, key=lambda source: Path(source.file.path)))
