"""Frozen values of cleaning: what it found and did in one cell, and what the cell's cycles are."""

from __future__ import annotations

from dataclasses import dataclass

from ..rules import Severity
from ..settings import SourceFile


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
