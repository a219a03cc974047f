"""Run the jobs on one cell's record: split a raw file, clean, simulate; keep the curve of a failed simulation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from ...data.errors import FailedSimulationError, JobError
from ...data.installed import installed_version
from ...data.readers.read import read_by_cell, read_raw
from ...data.results.cleaning import CleanResult, RecordSource
from ...data.results.receipt import OutputFile, Result, SplitResult
from ...data.settings import SourceFile
from ...parquet_store.layout import Store
from ...parquet_store.read import read_partition, read_raw_parts
from ...parquet_store.write import write_frame
from ..plan.job import CellSource, CleanWork, Job, SimulateWork, SplitWork
from .hard_timeout import hard_timeout
from .inputs import read_clean_result, read_fit_result


def write_simulation(store: Store, job: Job, frame: pd.DataFrame) -> OutputFile:
    """Write a simulation's time series."""
    metadata = {"cell_id": job.cell_id, "label": job.label, "digest": job.digest, "pybamm": installed_version("pybamm")}
    return write_frame(store, store.simulation(job.cell_id, job.label), frame, metadata)


def partial_result(store: Store, job: Job, error: Exception) -> tuple[Result | None, tuple[OutputFile, ...]]:
    """Keep what a failed simulation has: how it began, and its curve up to where it failed; of other jobs nothing."""
    if not isinstance(error, FailedSimulationError):
        return None, ()
    try:
        return error.result, () if error.frame is None else (write_simulation(store, job, error.frame),)
    except OSError:  # a full disk, say: what made the simulation fail is still the reason
        return error.result, ()


def _check_source(file: SourceFile, mtime_ns: int) -> None:
    """Refuse a file that changed since the plan was made: its digest would vouch for other bytes."""
    path = Path(file.path)
    status = path.stat()
    if (status.st_size, status.st_mtime_ns) != (file.bytes, mtime_ns):
        raise JobError(f"{path} changed while the run was on; run again", "file_changed")


def _split(store: Store, job: Job, work: SplitWork) -> tuple[SplitResult, tuple[OutputFile, ...]]:
    path = Path(work.file.path)
    _check_source(work.file, work.mtime_ns)
    parts: dict[str, int] = {}
    rows: dict[str, int] = {}
    outputs = []
    for cell_id, table in read_by_cell(path, work.file.settings, part=work.part):
        part = parts.get(cell_id, 0)
        target = store.raw(job.digest, cell_id) / f"part-{part:03d}.parquet"
        outputs.append(write_frame(store, target, table, {"cell_id": cell_id, "digest": job.digest}))
        parts[cell_id] = part + 1
        rows[cell_id] = rows.get(cell_id, 0) + len(table)
    return SplitResult(work.file, tuple(rows.items()), work.part is None), tuple(outputs)


def _clean(store: Store, job: Job, work: CleanWork) -> tuple[CleanResult, tuple[OutputFile, ...]]:
    from ...jobs.cleaning.clean import clean
    from ...jobs.record.cycles import mean_temperature, summarise_cycles
    from ...jobs.record.join_sources import join_sources, source_order

    tables = [(Path(source.file.path).name, _read_source(store, job.cell_id, source)) for source in work.sources]
    order = source_order(tables)
    cleaned = clean(join_sources(tables, order), job.cell_id, work.settings)
    metadata = {"cell_id": job.cell_id, "digest": job.digest}
    outputs = (
        write_frame(store, store.cleaned(job.cell_id), cleaned.samples, metadata),
        write_frame(store, store.quarantine(job.cell_id), cleaned.quarantined, metadata),
    )
    read = [work.sources[i] for i in order]
    sources = tuple(RecordSource(source.file, source.splits) for source in read)
    cycles, celsius = summarise_cycles(cleaned.samples), mean_temperature(cleaned.samples)
    return CleanResult(cleaned.report, cycles, celsius, sources), outputs


def _read_source(store: Store, cell_id: str, source: CellSource) -> pd.DataFrame:
    if source.splits:
        return read_raw_parts(store, source.splits, cell_id)
    _check_source(source.file, source.mtime_ns)
    return read_raw(Path(source.file.path), source.file.settings, cell_id)


def _simulate(store: Store, job: Job, work: SimulateWork) -> tuple[Result, tuple[OutputFile, ...]]:
    from ...jobs.parameters.capacity import fill_measured_capacity
    from ...jobs.simulation.simulate import simulate

    settings = work.settings
    if work.fit_label:
        fitted = read_fit_result(store, job.cell_id, work.fit_label)
        settings = replace(settings, parameter_set=fitted.parameter_set)
    samples, cleaned = read_partition(store, job.cell_id), read_clean_result(store, job.cell_id)
    settings = fill_measured_capacity(settings, cleaned.cycles, samples)
    running = store.receipt(job.kind, job.cell_id, job.label).with_suffix(".running")
    with hard_timeout(running, settings.time_limit_second):
        simulated = simulate(samples, settings, cleaned.temperature_mean_celsius)
    return simulated.result, (write_simulation(store, job, simulated.frame),)
