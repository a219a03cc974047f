"""Remove from a store what no job of the campaign's plan needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from ...data.errors import UsageError
from ...data.results.cleaning import CleanResult
from ...parquet_store.layout import Store
from ...parquet_store.read import read_receipt
from ...parquet_store.written import FOLDERS
from ...sqlite import queries
from ...sqlite.catalog import Catalog
from ...sqlite.standing_queries import last_campaign
from ..campaign.campaign import Campaign
from ..plan.scan import find_gone_files
from ..plan.unneeded import Unneeded, find_unneeded, is_kept
from .lock import lock_store
from .run_campaign import CampaignPlan, find_unread_cells, scan_and_plan


@dataclass(frozen=True, slots=True)
class Pruning:
    """What a store has that no job of the plan needs.

    Args:
        plan: the campaign's plan.
        unneeded: the files, by job.
        gone: cells whose raw file does not exist any more, with its path; their results cannot be made again.
        unread: cells whose raw file cannot be read now.
        kept: cells of which everything stays.
    """

    plan: CampaignPlan
    unneeded: tuple[Unneeded, ...]
    gone: dict[str, str]
    unread: tuple[str, ...]
    kept: frozenset[str]

    @property
    def files(self) -> int:
        """Number of files that can be removed."""
        return sum(len(one.paths) for one in self.unneeded)

    @property
    def size_bytes(self) -> int:
        """Size of the files that can be removed."""
        return sum(one.size_bytes for one in self.unneeded)


def find_pruning(campaign: Campaign, include_gone: bool = False, plan: CampaignPlan | None = None) -> Pruning:
    """Find what no job of a campaign's plan needs; nothing is written.

    Args:
        include_gone: also remove results of cells whose raw file does not exist any more.
        plan: the campaign's plan; ``None`` = scan and plan.
    """
    store = Store(campaign.store)
    plan = plan or scan_and_plan(campaign)
    unread = {cell_id for source in plan.sources for cell_id in source.cells_by_name}
    unread |= find_unread_cells(campaign, plan.sources).keys()
    planned = {job.cell_id for job in plan.jobs if job.kind != "split"}
    unneeded = find_unneeded(store, plan.jobs, plan.sources)
    others = {one.cell_id for one in unneeded if one.kind != "split"} - planned
    asked = sorted(others - unread - {""})
    gone = {**_gone_by_receipt(store, asked), **find_gone_files(store.catalog, asked)}
    kept = frozenset(unread if include_gone else unread | gone.keys())
    if kept and unneeded:
        unneeded = find_unneeded(store, plan.jobs, plan.sources, kept)
    return Pruning(plan, tuple(unneeded), gone, tuple(sorted(unread & others)), kept)


def _gone_by_receipt(store: Store, cell_ids: Iterable[str]) -> dict[str, str]:
    """Return the path of a raw file that each cell was cleaned from and that is gone, also if the catalog is lost."""
    gone = {}
    for cell_id in cell_ids:
        receipt = read_receipt(store.receipt("clean", cell_id, "clean"))
        if receipt is not None and isinstance(receipt.result, CleanResult):
            paths = [source.file.path for source in receipt.result.sources]
            missing = [path for path in paths if not Path(path).exists()]
            if missing:
                gone[cell_id] = missing[0]
    return gone


def other_campaign(campaign: Campaign) -> str:
    """Return the path of the campaign that used the store last if it is another one and still exists; "" = it is not.

    What that one has would be removed.
    """
    path = Store(campaign.store).catalog
    if not path.is_file():
        return ""
    with closing(queries.connect(path)) as catalog:
        last = last_campaign(catalog)
    if last is None or Path(last.path).absolute() == campaign.path.absolute() or not Path(last.path).is_file():
        return ""
    return last.path


def prune(campaign: Campaign, include_gone: bool = False) -> Pruning:
    """Remove from a campaign's store what no job of its plan needs.

    The catalog forgets first, in one transaction; then files go, the receipt of each job last. So no row of the catalog
    ever names a file that is gone; and after a kill in between, the receipts that are left say what is still to remove.

    Args:
        include_gone: also remove results of cells whose raw file does not exist any more.

    Raises:
        UsageError: a run uses the store, or another campaign used it last.
    """
    store = Store(campaign.store)
    other = other_campaign(campaign)
    if other:
        raise UsageError(
            f"{other} used this store last, and its results would be removed: run {campaign.path.name} first, or name "
            "that campaign"
        )
    with lock_store(store.root), Catalog.open(store.catalog) as catalog:
        pruning = find_pruning(campaign, include_gone)
        needed = {(job.kind, job.cell_id, job.label) for job in pruning.plan.jobs}
        catalog.forget_unneeded(
            needed | set(_kept_splits(store, pruning)),
            pruning.kept,
            [source.file.path for source in pruning.plan.sources],
            [model.name for model in campaign.models],
        )
        for one in pruning.unneeded:
            for path in one.paths:
                path.unlink(missing_ok=True)
        _remove_empty_folders(store, (path.parent for one in pruning.unneeded for path in one.paths))
    return pruning


def _kept_splits(store: Store, pruning: Pruning) -> Sequence[tuple[str, str, str]]:
    """Return the splits of kept cells; the name of the job is that of a file, not of a cell."""
    kept = []
    for path in (store.root / "receipts" / "split").glob("*/*.json"):
        receipt = read_receipt(path) if pruning.kept else None
        if receipt is not None and is_kept(receipt, pruning.kept):
            kept.append((receipt.kind, receipt.cell_id, receipt.label))
    return kept


def _remove_empty_folders(store: Store, folders: Iterable[Path]) -> None:
    """Remove folders that are empty now, but never those that every store has."""
    lasting = {store.root, store.root / "logs", *(store.root / name for name in FOLDERS)}
    for folder in sorted(set(folders), key=lambda path: -len(path.parts)):
        while folder not in lasting and folder.is_relative_to(store.root):
            with suppress(OSError):
                folder.rmdir()
            if folder.exists():
                break
            folder = folder.parent
