"""Run one job of the plan in this process, as for a debugger."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ...data.errors import UsageError
from ...data.names import suggest_or_list
from ...parquet_store.journal import forget_deaths
from ...parquet_store.layout import Store
from ...parquet_store.read import read_receipt
from ..campaign.campaign import Campaign
from ..plan.job import Job, Kept
from ..worker import deaths
from ..worker.inputs import store_set_files
from ..worker.run_job import JobOutcome, run_job
from ..worker.time_limits import without_limits


def find_job(jobs: Sequence[Job], key: Sequence[str]) -> Job:
    """Find a job of the plan.

    Args:
        key: kind (or stage), cell and label; the label may be left out if the cell has one job of the kind.

    Raises:
        UsageError: there is no such job, or there are several.
    """
    if len(key) not in (2, 3):
        raise UsageError(f"{' '.join(key)!r}: give kind, cell and label of a job, as `kilocell failures --each` does")
    of_kind = [job for job in jobs if key[0] in (job.kind, job.stage)]
    if not of_kind:
        raise UsageError(f"the plan has no job of the kind {key[0]!r}{suggest_or_list(key[0], {j.kind for j in jobs})}")
    of_cell = [job for job in of_kind if job.cell_id == key[1]]
    if not of_cell:
        hint = suggest_or_list(key[1], {job.cell_id for job in of_kind})
        raise UsageError(f"the plan has no job {key[0]} of the cell {key[1]!r}{hint}")
    found = [job for job in of_cell if len(key) == 2 or job.label == key[2]]
    if len(found) != 1:
        labels = {job.label for job in of_cell}
        what = f"no job {' '.join(key)}" if not found else f"{len(found)} jobs {' '.join(key)}"
        raise UsageError(f"the plan has {what}{suggest_or_list(key[2] if len(key) == 3 else '', labels)}")
    return found[0]


def check_needs(job: Job, jobs: Sequence[Job]) -> tuple[JobOutcome, ...]:
    """Return outcomes of the needed jobs that are not done, and that a run would not do again.

    Raises:
        UsageError: a needed job has to run first.
    """
    before = []
    for needed in jobs:
        if needed.key not in job.needs:
            continue
        if needed.reason:
            name = f"{needed.kind} {needed.cell_id} {needed.label}"
            raise UsageError(
                f"the job needs {name}, which is not done ({needed.reason}): run `kilocell run`, or that job, first"
            )
        if isinstance(needed.kept, Kept):
            before.append(JobOutcome(needed.key, needed.kept.status, needed.kept.reason, code=needed.kept.code))
    return tuple(before)


def run_here(store: Store, job: Job, before: Sequence[JobOutcome], campaign: Campaign) -> JobOutcome:
    """Run a job in this process, without a time limit that would end the process, and write its receipt.

    Args:
        before: outcomes of needed jobs that are not done.
        campaign: its parameter files are copied into the store first.
    """
    store_set_files(store, campaign.set_files)
    forget_deaths(store.journal(job.cell_id, job.label))
    deaths.forget(store, [job])
    with without_limits():
        return run_job(str(store.root), job, *before)


@contextmanager
def copy_of_store(store: Store, job: Job, jobs: Sequence[Job]) -> Iterator[Store]:
    """Make a store in a temporary folder with what a job needs, which is deleted at the end.

    Args:
        jobs: of the plan; the copy has links to the files of those that the job needs.
    """
    with tempfile.TemporaryDirectory(prefix="kilocell-job-") as folder:
        copy = Store(Path(folder))
        for needed in jobs:
            if needed.key in job.needs:
                _link(store, copy, needed)
        journal = store.journal(job.cell_id, job.label)
        if journal.is_file():  # a copy: the job appends to it
            target = copy.journal(job.cell_id, job.label)
            target.parent.mkdir(parents=True)
            shutil.copy2(journal, target)
        yield copy


def _link(store: Store, copy: Store, needed: Job) -> None:
    path = store.receipt(needed.kind, needed.cell_id, needed.label)
    receipt = read_receipt(path)
    if receipt is None:
        return
    own = [store.relative(path)] if path.is_file() else []  # else it is in one of the outputs
    for relative in (*own, *(output.path for output in receipt.outputs)):
        target = copy.root / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to((store.root / relative).absolute())
