"""Frozen values: what a job reports, down to the receipt that it ends in.

Plain fields, as in :mod:`kilocell.data.settings`: they pickle, hash, print, and turn into JSON and back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from .rules import Severity
from .settings import FileRange, FitSettings, ParameterSetSettings, Scale, SimulateSettings, SourceFile

JobKind = Literal["split", "clean", "simulate", "start", "fit"]
Status = Literal["pending", "running", "done", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule saw in one place (a run of rows, or the whole record) and what it did.

    Args:
        rule: a code of ``data.rules``.
        rows: number of samples concerned.
        source_index, source_row: where the first of them stands in the raw data.
        cycle_count, step_count: of the first of them, corrected; ``None`` where it has none.
        before, after: the value before and after, as text with unit, for example ``"missing"``, ``"3.712 V"``.
        action: what was done: filled, sorted, quarantined, corrected, left, joined, turned, reported.
    """

    rule: str
    severity: Severity
    rows: int
    source_index: int
    source_row: int
    cycle_count: int | None
    step_count: int | None
    before: str
    after: str
    action: str


@dataclass(frozen=True, slots=True)
class QuarantineCount:
    """How many rows of one source file a rule took out."""

    rule: str
    source_index: int
    rows: int


@dataclass(frozen=True, slots=True)
class FlagCount:
    """How many samples that were kept carry a rule's flag; each is counted once, whatever the rule did to it."""

    rule: str
    samples: int


@dataclass(frozen=True, slots=True)
class ChargeChange:
    """By how much one rule, at its turn, changed a record's charge into and out of the cell (A.h)."""

    rule: str
    charge_in_ah: float
    charge_out_ah: float


@dataclass(frozen=True, slots=True)
class CleanReport:
    """What cleaning did to one cell: rows in = rows kept + rows quarantined; charge (A.h) and energy (W.h) positive.

    Args:
        quarantined: rows taken out by rule and file; they add up to ``rows_quarantined``.
        flagged: samples by rule, of every rule that flagged one, took a row out or has a finding.
        charge_changes: from before to after, rule by rule; they add up to the difference of the charges.

    Receipts of versions before these were counted have ``None`` energies and no counts.
    """

    cell_id: str
    rows_in: int
    rows_kept: int
    rows_quarantined: int
    time_span_before_second: float
    time_span_after_second: float
    charge_in_before_ah: float
    charge_in_after_ah: float
    charge_out_before_ah: float
    charge_out_after_ah: float
    cycles_before: int
    cycles_after: int
    steps_before: int
    steps_after: int
    findings: tuple[Finding, ...] = ()
    energy_in_before_wh: float | None = None
    energy_in_after_wh: float | None = None
    energy_out_before_wh: float | None = None
    energy_out_after_wh: float | None = None
    quarantined: tuple[QuarantineCount, ...] = ()
    flagged: tuple[FlagCount, ...] = ()
    charge_changes: tuple[ChargeChange, ...] = ()


@dataclass(frozen=True, slots=True)
class CycleSummary:
    """One cycle of a cleaned record: charge (A.h) and energy (W.h) in and out are positive numbers."""

    cycle_count: int
    first_test_time_second: float
    last_test_time_second: float
    samples: int
    steps: int
    charge_in_ah: float
    charge_out_ah: float
    energy_in_wh: float
    energy_out_wh: float
    voltage_min_volt: float
    voltage_max_volt: float
    temperature_mean_celsius: float | None


@dataclass(frozen=True, slots=True)
class RecordSource:
    """One raw file of a record; ``splits`` are the digests of the jobs that split it, none where it holds one cell."""

    file: SourceFile
    splits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CleanResult:
    """What a clean job reports: the report, the cycles, and the cell's mean measured temperature in °C.

    Args:
        sources: the raw files in time order, so that ``source_index`` is a place in it.
    """

    report: CleanReport
    cycles: tuple[CycleSummary, ...]
    temperature_mean_celsius: float | None = None
    sources: tuple[RecordSource, ...] = ()


@dataclass(frozen=True, slots=True)
class SplitResult:
    """What a split job reports: the cells of one raw file, or of a part of it, with their numbers of rows."""

    source: SourceFile
    cells: tuple[tuple[str, int], ...]
    whole: bool = True


@dataclass(frozen=True, slots=True)
class RangesFile:
    """The parts of a long raw file, as a store keeps them."""

    parts: tuple[FileRange, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Simulated against measured voltage over a cycle (``cycle_count`` 0 = the whole record), in mV.

    ``worst_mv`` is the error (simulated - measured) of the largest magnitude, ``worst_time_second`` where it is.
    """

    cycle_count: int
    samples: int
    rmse_mv: float
    bias_mv: float
    worst_mv: float
    worst_time_second: float


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """What a simulation reports; RMSE in mV over all samples with a measured voltage.

    Args:
        initial_state_source: in words, for example ``"rest voltage 4.1445 V at 0 s"``.
        electrodes_in_parallel: the capacity scaling that was used (with the set's own as 1).
        charge_measured_ah, charge_model_ah: net charge, positive charges the cell.
        charge_error: largest difference of the charges at any sample, over the charge throughput (in + out).
        attempts: what was tried, one line each, the last one being the result.
    """

    settings: SimulateSettings
    samples: int
    knots: int
    initial_soc: float
    initial_voltage_volt: float
    initial_state_source: str
    electrodes_in_parallel: float
    temperature_celsius: float
    charge_measured_ah: float
    charge_model_ah: float
    charge_error: float
    rmse_mv: float
    bias_mv: float
    worst_mv: float
    worst_time_second: float
    solve_seconds: float
    attempts: tuple[str, ...] = ()
    comparisons: tuple[Comparison, ...] = ()


@dataclass(frozen=True, slots=True)
class StartResult:
    """What one start of a fit found: values in the order of ``settings.parameters``; RMSE in mV."""

    settings: FitSettings
    start: int
    seed: int
    first_values: tuple[float, ...]
    values: tuple[float, ...]
    rmse_first_mv: float
    rmse_mv: float
    evaluations: int
    message: str


@dataclass(frozen=True, slots=True)
class FittedParameter:
    """One fitted parameter: value and unit, the value before, its bounds, and whether it ended at one."""

    name: str
    unit: str
    value: float
    default: float
    lower: float
    upper: float
    scale: Scale
    at_bound: bool
    is_factor: bool


@dataclass(frozen=True, slots=True)
class FitResult:
    """What a fit reports: the best start's parameters as a named parameter set, RMSE in mV before and after.

    ``rmse_default_mv`` is ``None`` where the model has no solution with the parameter set's own values.
    """

    settings: FitSettings
    best_start: int
    starts_done: int
    starts_agreeing: int
    rmse_default_mv: float | None
    rmse_mv: float
    parameters: tuple[FittedParameter, ...]
    parameter_set: ParameterSetSettings


Result = SplitResult | CleanResult | SimulationResult | StartResult | FitResult


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A file a job wrote, relative to the store, with its size in bytes."""

    path: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """The last thing a job writes: what it was, how it ended, and where its files are.

    Args:
        kind, cell_id, label: which job (``label`` tells jobs of one kind and cell apart, such as ``SPMe-Chen2020``).
        digest: of everything the result depends on.
        status: ``done``, ``failed`` (with a reason) or ``skipped`` (an earlier job of the cell failed).
        started_unix_second, seconds: when it started and how long it took.
        versions: (package, version) of what the result depends on.
        outputs: files that must exist with these sizes for the receipt to be valid.
        result: what the job reports; ``None`` unless done.
    """

    kind: JobKind
    cell_id: str
    label: str
    digest: str
    status: Status
    reason: str = ""
    reason_code: str = ""
    log: str = ""
    started_unix_second: float = 0.0
    seconds: float = 0.0
    host: str = ""
    versions: tuple[tuple[str, str], ...] = ()
    outputs: tuple[OutputFile, ...] = ()
    result: Result | None = field(default=None)
