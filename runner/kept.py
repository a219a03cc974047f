"""The file of a simulation, whole or up to where it failed."""

from __future__ import annotations

import pandas as pd

from ..data.errors import FailedSimulationError
from ..data.values import OutputFile, Result
from ..parquet_store.layout import Store
from ..parquet_store.write import write_frame
from .plan import Job, version_of


def write_simulation(store: Store, job: Job, frame: pd.DataFrame) -> OutputFile:
    """Write a simulation's time series."""
    metadata = {"cell_id": job.cell_id, "label": job.label, "digest": job.digest, "pybamm": version_of("pybamm")}
    return write_frame(store, store.simulation(job.cell_id, job.label), frame, metadata)


def keep(store: Store, job: Job, error: Exception) -> tuple[Result | None, tuple[OutputFile, ...]]:
    """Keep what a failed simulation has: how it began, and its curve up to where it failed; of other jobs nothing."""
    if not isinstance(error, FailedSimulationError):
        return None, ()
    try:
        return error.result, () if error.frame is None else (write_simulation(store, job, error.frame),)
    except OSError:  # a full disk, say: what made the simulation fail is still the reason
        return error.result, ()
