"""Find files in a store that no job of the plan needs: those of an earlier campaign, or of a process that was killed.

Only files that kilocell wrote are found: those of a receipt, those whose metadata name a job, and unfinished ones.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...data.results.receipt import Receipt, SplitResult
from ...parquet_store.layout import BEGUN, Store, holder_of, list_receipts, safe_name
from ...parquet_store.read import read_receipt_head
from ...parquet_store.written import (
    FOLDERS,
    RANGES,
    TEMPORARY,
    is_begun_note,
    is_index_of_rows,
    is_inside,
    is_output,
    is_parameter_set_copy,
    is_shared_part,
)
from .job import Job, ModelWork, ScannedSource, split_digest

ORPHANS = "files without a receipt"
"""Kind of a group of files that no receipt names."""


@dataclass(frozen=True, slots=True)
class Unneeded:
    """Files that no job of the plan needs.

    Args:
        kind: of the job that wrote them, or ``ORPHANS``.
        cell_id: of that job; "" = not known.
        label: of that job; "" = not known.
        paths: in the order in which they are to be deleted: the receipt, which says that the others exist, is the last.
        size_bytes: of all together.
    """

    kind: str
    cell_id: str
    label: str
    paths: tuple[Path, ...]
    size_bytes: int


def find_unneeded(
    store: Store, jobs: Sequence[Job], sources: Sequence[ScannedSource], kept_cells: Collection[str] = ()
) -> list[Unneeded]:
    """Find files that no job of a plan needs.

    Args:
        jobs: every job of the plan.
        sources: the raw files of the campaign.
        kept_cells: cells of which everything is kept, although the plan does not have them.
    """
    needed = set(_needed_paths(store, jobs, sources))
    planned = {job.cell_id for job in jobs if job.kind != "split"}
    found = []
    named: set[Path] = set()
    for path in list_receipts(store.root):
        if path in needed:
            continue
        receipt = read_receipt_head(path)
        if receipt is None or path != store.receipt(receipt.kind, receipt.cell_id, receipt.label):
            continue
        paths = [one for one in _paths_of(store, receipt) if one not in needed]
        named.update(paths)
        if not is_kept(receipt, kept_cells) and not _are_only_rows(receipt, planned):
            found.append(_group(store, receipt.kind, receipt.cell_id, receipt.label, paths))
    kept_names = {safe_name(cell_id) for cell_id in kept_cells}
    orphans = [path for path in _orphans(store, bool(kept_cells), needed | named) if not _is_of(path, kept_names)]
    if kept_cells:  # it is not known whose rows are in them
        orphans = [path for path in orphans if not is_shared_part(store, path) and not is_index_of_rows(store, path)]
    if orphans:
        found.append(_group(store, ORPHANS, "", "", orphans))
    return [one for one in found if one.paths]


def is_kept(receipt: Receipt, kept_cells: Collection[str]) -> bool:
    """Tell whether a receipt belongs to a cell of which everything is kept."""
    if isinstance(receipt.result, SplitResult):
        return any(cell_id in kept_cells for cell_id, _ in receipt.result.cells)
    return receipt.cell_id in kept_cells


def _are_only_rows(receipt: Receipt, cells: Collection[str]) -> bool:
    """Tell whether a job split a file that is gone: its raw rows of cells of the plan are the only ones."""
    result = receipt.result
    if not isinstance(result, SplitResult) or Path(result.source.path).exists():
        return False
    return any(cell_id in cells for cell_id, _ in result.cells)


def _needed_paths(store: Store, jobs: Iterable[Job], sources: Iterable[ScannedSource]) -> Iterator[Path]:
    for source in sources:
        yield store.ranges(split_digest(source.file))
    for job in jobs:
        yield from _own_paths(store, job.kind, job.cell_id, job.label)
        if job.kind == "split":
            index = store.raw_index(job.digest)
            yield index
            yield from index.parent.glob("part-*.parquet")
            yield from index.parent.glob("*/part-*.parquet")
        if isinstance(job.work, ModelWork) and job.work.settings.parameter_set.file_digest:
            yield store.parameter_set(job.work.settings.parameter_set.file_digest)


def _paths_of(store: Store, receipt: Receipt) -> list[Path]:
    """Return the files of a job, its receipt last."""
    own = list(_own_paths(store, receipt.kind, receipt.cell_id, receipt.label))
    outputs = [store.root / output.path for output in receipt.outputs if not Path(output.path).is_absolute()]
    path = store.receipt(receipt.kind, receipt.cell_id, receipt.label)
    holder = holder_of(path)
    last = path if holder is None or path.is_file() else holder
    return [one for one in dict.fromkeys([*outputs, *own]) if one != last] + [last]


def _own_paths(store: Store, kind: str, cell_id: str, label: str) -> Iterator[Path]:
    """Yield the paths that a job may write to; the rows of a split depend on its digest."""
    if kind == "clean":
        yield from (store.cleaned(cell_id), store.quarantine(cell_id))
    elif kind == "simulate":
        yield store.simulation(cell_id, label)
    elif kind in ("start", "profile"):
        journal = store.journal(cell_id, label)
        yield from sorted(journal.with_suffix(".partial").glob("*.npz"))
        yield from (journal.with_suffix(BEGUN), journal)
    receipt = store.receipt(kind, cell_id, label)
    # Earlier versions noted beside the receipt that a job has begun.
    begun = (store.begun(kind, cell_id, label), receipt.with_suffix(BEGUN))
    yield from (store.log(kind, cell_id, label), *begun, receipt)


def _orphans(store: Store, keep_parameter_sets: bool, claimed: Collection[Path]) -> Iterator[Path]:
    """Yield files that kilocell wrote and that no receipt names.

    Args:
        claimed: files that a job of the plan or a receipt has.
    """
    for folder in FOLDERS:
        for path in sorted((store.root / folder).rglob("*")):
            is_free = path not in claimed and path.is_file()
            if is_free and _is_ours(store, path, folder) and not (keep_parameter_sets and folder == "parameter_sets"):
                yield path


def _is_ours(store: Store, path: Path, folder: str) -> bool:
    """Tell whether kilocell wrote a file of a folder of the store; journals and receipts are known by receipts only."""
    if TEMPORARY.fullmatch(path.name) or (folder in ("receipts", "starts") and is_begun_note(path)):
        return True
    if folder == "parameter_sets":
        return is_parameter_set_copy(path)
    if folder == "raw" and (RANGES.fullmatch(path.name) or is_index_of_rows(store, path)):
        return True
    return path.suffix == ".parquet" and is_output(store, path)


def _is_of(path: Path, names: Collection[str]) -> bool:
    return path.stem in names or path.parent.name in names


def _group(store: Store, kind: str, cell_id: str, label: str, paths: Iterable[Path]) -> Unneeded:
    there = tuple(path for path in paths if is_inside(store, path))
    return Unneeded(kind, cell_id, label, there, sum(path.stat().st_size for path in there))
