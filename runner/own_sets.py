"""The campaign's own parameter sets on their way to the workers: a copy in the store, known by its key."""

from __future__ import annotations

from collections.abc import Iterable

from ..parquet_store.layout import Store
from ..parquet_store.read import read_parameter_set
from ..parquet_store.write import write_parameter_set
from .campaign_sets import SetFile
from .work import FitWork, ProfileWork, SimulateWork, StartWork, Work


def keep_copies(store: Store, files: Iterable[SetFile]) -> None:
    """Keep each file in the store, as it was when the campaign was loaded; called by the client before a run."""
    for file in files:
        write_parameter_set(store, file.digest, file.content)


def make_known(store: Store, work: Work) -> None:
    """Make the set that a job is about known in this process, out of the store's copy; nothing to do for PyBaMM's.

    Raises:
        JobError: ``parameter_set_changed``: the copy is gone, or is not what the run put there.
    """
    if not isinstance(work, (SimulateWork, StartWork, FitWork, ProfileWork)):
        return
    settings = work.settings.parameter_set
    if settings.file_digest:
        from ..jobs.parameters import define_set

        define_set(settings.key, read_parameter_set(store, settings.file_digest))
