"""Run the jobs on one cell's record: split a raw file, clean, simulate; keep the curve of a failed simulation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from ...data import columns as c
from ...data.charge_certainty import charge_certainty, describe_charge_check
from ...data.errors import FailedSimulationError, JobError, NotARecordError, ReadError
from ...data.file_names import short_names
from ...data.installed import installed_version
from ...data.readers.read import read_by_cell, read_columns
from ...data.results.cleaning import CleanResult, RecordSource
from ...data.results.receipt import OutputFile, Result, SplitResult
from ...data.results.simulation import SimulationResult
from ...data.settings import SimulateSettings, SourceFile
from ...data.step_selection import StepSelection
from ...jobs.record.table import Table
from ...parquet_store.layout import Store
from ...parquet_store.read import read_raw_parts
from ...parquet_store.receipts import forget_job
from ...parquet_store.split_rows import SplitRowsWriter
from ...parquet_store.write import Unwritten, write_columns
from ..plan.job import CellSource, CleanWork, Job, SimulateWork, SplitWork
from .fit_check import check_against_fit
from .inputs import load_cell, read_fit_result
from .time_limits import limited


def run_split_job(store: Store, job: Job, work: SplitWork) -> tuple[SplitResult, tuple[OutputFile, ...]]:
    """Split a raw file, or a part of it, into tables from which each cell is read alone.

    Returns:
        The number of rows of each cell, and the files written.

    Raises:
        JobError: the file changed since it was scanned (``file_changed``).
        ReadError: the file cannot be read, or could not be opened when it was scanned.
    """
    if work.problem:
        raise ReadError(work.problem)
    _check_unchanged(work.file, work.mtime_ns)
    rows: dict[str, int] = {}
    writer = SplitRowsWriter(store, job.digest)
    for cell_id, table in read_by_cell(Path(work.file.path), work.file.settings, part=work.part):
        writer.add(cell_id, table)
        rows[cell_id] = rows.get(cell_id, 0) + len(table)
    is_whole = work.part is None
    return SplitResult(work.file, tuple(rows.items()), is_whole), writer.close()


def run_clean_job(store: Store, job: Job, work: CleanWork) -> tuple[CleanResult, tuple[OutputFile | Unwritten, ...]]:
    """Join a cell's raw files, clean the record, and write the quarantined rows; the partition is written at the end.

    Raises:
        JobError: a raw file changed since it was scanned (``file_changed``).
    """
    from ...jobs.cleaning.clean import clean
    from ...jobs.record.cycles import mean_temperature
    from ...jobs.record.join_sources import join_sources

    sources, tables, left_out = _read_sources(store, job.cell_id, work.sources)
    joined = join_sources(tables, [source.file.digest for source in sources], left_out)
    cleaned = clean(joined.table, job.cell_id, work.settings, joined.notes)
    metadata, identity = {"digest": job.digest}, {c.CELL_ID: job.cell_id}
    forget_job(store, job.kind, job.cell_id, job.label)
    outputs: list[OutputFile | Unwritten] = []
    if len(cleaned.quarantine):
        path = store.quarantine(job.cell_id)
        outputs.append(write_columns(store, path, cleaned.quarantine.columns, metadata, identity))
    outputs.append(Unwritten(store.cleaned(job.cell_id), cleaned.partition.columns, metadata, identity))
    ordered_sources = [sources[i] for i in joined.order]
    result = CleanResult(
        cleaned.report,
        cleaned.cycles,
        mean_temperature(cleaned.partition),
        tuple(RecordSource(source.file, source.splits) for source in ordered_sources),
        work.settings,
    )
    return result, tuple(outputs)


def run_simulate_job(store: Store, job: Job, work: SimulateWork) -> tuple[Result, tuple[Unwritten, ...]]:
    """Simulate a cell, with the parameter set of a fit where the job names one; the series is written at the end."""
    from ...jobs.parameters.sets import remove_initial_soc
    from ...jobs.simulation.simulate import simulate

    settings = work.settings
    fitted = read_fit_result(store, job.cell_id, work.fit_label) if work.fit_label else None
    if fitted is not None:
        settings = replace(settings, parameter_set=fitted.parameter_set)
        is_fitted_part = fitted.settings.select is not None and settings.cycles == fitted.settings.select
        if not fitted.settings.is_state_of_record and not is_fitted_part:
            settings = remove_initial_soc(settings)
    cell = load_cell(store, job.cell_id)
    settings = cell.with_measured_capacity(settings)
    with limited(store, job) as watch:
        simulated = simulate(cell.samples, settings, cell.temperature_mean_celsius, cell.clean_result, watch)
    result = with_charge_certainty(simulated.result, cell.clean_result)
    if fitted is not None:
        result = check_against_fit(result, simulated.frame, cell.samples, fitted)
    return result, (_simulation_file(store, job, simulated.frame, settings),)


def with_charge_certainty(result: SimulationResult, cleaned: CleanResult) -> SimulationResult:
    """Return the result of a simulation with how well the charge of its cycles is known.

    The bounds of a charge are those of whole cycles, also for steps in them.
    """
    selection = result.settings.cycles
    cycles: Sequence[int] | None = None
    if isinstance(selection, StepSelection):
        cycles = [comparison.cycle_count for comparison in result.comparisons if comparison.cycle_count]
    elif not selection.whole:
        cycles, _ = selection.split_cycles(cycle.cycle_count for cycle in cleaned.cycles)
    certainty = charge_certainty(cleaned, cycles)
    return replace(
        result,
        charge_source=certainty.source,
        charge_throughput_ah=certainty.throughput_ah,
        charge_uncertainty_ah=certainty.uncertainty_ah,
        capacity_source=_capacity_source(result, cleaned),
    )


def _capacity_source(result: SimulationResult, cleaned: CleanResult) -> str:
    """Return where the capacity comes from; a measured one is known no better than the charge of its cycle."""
    request = result.settings.cell.measured_capacity
    if request is None or not cleaned.cycles:
        return result.capacity_source
    cycle = request.cycle or cleaned.cycles[-1].cycle_count
    doubt = describe_charge_check(None, charge_certainty(cleaned, (cycle,)))
    return "; ".join(filter(None, (result.capacity_source, doubt)))


def _simulation_file(store: Store, job: Job, frame: pd.DataFrame, settings: SimulateSettings) -> Unwritten:
    """Return the file of a simulation's time series.

    Args:
        store: the store.
        job: the simulation's job.
        frame: the columns ``data.columns.SIMULATION_COLUMNS``, one row per sample.
        settings: of the simulation, with its model and parameter set.
    """
    metadata = {"label": job.label, "digest": job.digest, "pybamm": installed_version("pybamm")}
    identity = {
        c.CELL_ID: job.cell_id,
        c.MODEL: settings.model.name,
        c.PARAMETER_SET: settings.parameter_set.name,
    }
    return Unwritten.of_frame(store.simulation(job.cell_id, job.label), frame, metadata, identity)


def partial_result(store: Store, job: Job, error: Exception) -> tuple[Result | None, tuple[OutputFile, ...]]:
    """Return what a failed simulation has, and write its curve up to where it failed.

    Args:
        error: the exception that ended the job.

    Returns:
        The result and the files written; ``None`` and no file for other errors.
    """
    if not isinstance(error, FailedSimulationError):
        return None, ()
    if error.frame is None:
        return error.result, ()
    try:
        file = _simulation_file(store, job, error.frame, error.result.settings)
        return error.result, (write_columns(store, file.path, file.columns, file.metadata, file.identity),)
    except OSError:  # a full disk, for example; the receipt's reason stays that of the simulation
        return error.result, ()


def _check_unchanged(file: SourceFile, mtime_ns: int) -> None:
    """Refuse a raw file that changed since the plan was made: its digest would not be that of the bytes read."""
    path = Path(file.path)
    status = path.stat()
    if (status.st_size, status.st_mtime_ns) != (file.bytes, mtime_ns):
        raise JobError(f"{path} changed during the run; run again", "file_changed")


def _read_sources(
    store: Store, cell_id: str, sources: Sequence[CellSource]
) -> tuple[list[CellSource], list[tuple[str, Table]], list[tuple[str, str]]]:
    """Read the files of a cell.

    Returns:
        The files that are records, the name and raw table of each, and the name of each file that is no record with the
        reason.

    Raises:
        ReadError: a file cannot be read, or none is a record.
        JobError: a file changed since it was scanned (``file_changed``).
    """
    names = short_names([source.file.path for source in sources])
    records: list[CellSource] = []
    tables: list[tuple[str, Table]] = []
    left_out: list[tuple[str, str]] = []
    for name, source in zip(names, sources, strict=True):
        try:
            tables.append((name, _read_source(store, cell_id, source)))
            records.append(source)
        except NotARecordError as error:
            if len(left_out) + 1 == len(sources):
                raise
            left_out.append((name, str(error).removeprefix(f"{source.file.path}: ")))
    return records, tables, left_out


def _read_source(store: Store, cell_id: str, source: CellSource) -> Table:
    if source.splits:
        return Table.from_frame(read_raw_parts(store, source.splits, cell_id))
    _check_unchanged(source.file, source.mtime_ns)
    return Table.from_columns(read_columns(Path(source.file.path), source.file.settings, cell_id))
