"""Results of cleaning: the findings and counts of one cell, and the cycles of its cleaned record.

Charges and energies into and out of the cell are both positive numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..rules import Severity
from ..settings import CleanSettings, SourceFile


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule found in one place (a run of rows, or the whole record), and what it did there."""

    rule: str
    """Code of the rule, one of ``data.rules.RULES``."""

    severity: Severity
    """How serious it is."""

    rows: int
    """Number of rows concerned."""

    source_index: int
    """Raw file of the first of these rows: its place in ``CleanResult.sources``."""

    source_row: int
    """Row of the first of these rows in that file, 0 = first data row."""

    cycle_count: int | None
    """Cycle of the first row in the cleaned record; ``None`` where it has none."""

    step_count: int | None
    """Step of the first row in the cleaned record; ``None`` where it has none."""

    before: str
    """The value before, as text with its unit, for example ``"missing"``."""

    after: str
    """The value after, as text with its unit, for example ``"3.712 V"``."""

    action: str
    """What the rule did: filled, sorted, quarantined, corrected, left, joined, turned, reported."""


@dataclass(frozen=True, slots=True)
class QuarantineCount:
    """Number of rows of one source file that a rule took out of the record."""

    rule: str
    source_index: int
    rows: int


@dataclass(frozen=True, slots=True)
class FlagCount:
    """Number of samples in the cleaned record that carry the flag of a rule; each sample is counted once."""

    rule: str
    samples: int


@dataclass(frozen=True, slots=True)
class ChargeChange:
    """By how much one rule changed the charge into and out of the cell (A.h), when it was its turn."""

    rule: str
    charge_in_ah: float
    charge_out_ah: float


@dataclass(frozen=True, slots=True)
class CleanReport:
    """What cleaning did to one cell, as sums before and after.

    ``rows_in`` = ``rows_kept`` + ``rows_quarantined``. Receipts of earlier versions have ``None`` energies and no
    counts.
    """

    cell_id: str
    rows_in: int
    """Rows of the raw files."""

    rows_kept: int
    """Rows of the raw files that are samples of the cleaned record."""

    rows_quarantined: int
    """Rows of the raw files that a rule took out."""

    time_span_before_second: float
    """Latest minus earliest time of the raw rows (s)."""

    time_span_after_second: float
    """Duration of the cleaned record (s)."""

    charge_in_before_ah: float
    """Charge into the cell (A.h) by the raw rows, with the sign of the file."""

    charge_in_after_ah: float
    """Charge into the cell (A.h) by the cleaned record."""

    charge_out_before_ah: float
    charge_out_after_ah: float
    cycles_before: int
    """Number of different cycle numbers in the raw files."""

    cycles_after: int
    """Number of cycles of the cleaned record."""

    steps_before: int
    """Number of runs of raw rows with the same cycle and step number."""

    steps_after: int
    """Number of steps of the cleaned record."""

    findings: tuple[Finding, ...] = ()
    energy_in_before_wh: float | None = None
    """Energy into the cell (W.h) by the raw rows."""

    energy_in_after_wh: float | None = None
    energy_out_before_wh: float | None = None
    energy_out_after_wh: float | None = None
    quarantined: tuple[QuarantineCount, ...] = ()
    """Quarantined rows by rule and file; they add up to ``rows_quarantined``."""

    flagged: tuple[FlagCount, ...] = ()
    """Flagged samples of every rule that flagged a sample, took out a row or has a finding."""

    charge_changes: tuple[ChargeChange, ...] = ()
    """Changes of the charge in the order of the rules; they add up to the difference between before and after."""

    rows_inserted: int = 0
    """Samples of the cleaned record that are not rows of a file: step edges (rule ``step_edge``).

    They come in addition to ``rows_kept``: the partition has ``rows_kept`` + ``rows_inserted`` samples.
    """

    charge_source: str = ""
    """What the charge is known from, in words, such as ``counters``, ``step time`` or ``samples``.

    "" = not stated: an older version cleaned the cell.
    """

    charge_in_low_ah: float | None = None
    """Lower bound (A.h) of the charge into the cell: by all evidence, it was no less."""

    charge_in_high_ah: float | None = None
    """Upper bound (A.h) of the charge into the cell: by all evidence, it was no more."""

    charge_out_low_ah: float | None = None
    charge_out_high_ah: float | None = None
    charge_in_counted_ah: float | None = None
    """Charge into the cell (A.h) by the cycler's counters; ``None`` where it has none."""

    charge_out_counted_ah: float | None = None


@dataclass(frozen=True, slots=True)
class CycleSummary:
    """One cycle of a cleaned record."""

    cycle_count: int
    """Number of the cycle, from 1."""

    first_test_time_second: float
    """Test time of its first sample (s)."""

    last_test_time_second: float
    """Test time of its last sample (s)."""

    samples: int
    """Number of its samples that are rows of a file; inserted step edges do not count."""

    steps: int
    charge_in_ah: float
    """Charge into the cell (A.h, positive)."""

    charge_out_ah: float
    """Charge out of the cell (A.h, positive)."""

    energy_in_wh: float
    """Energy into the cell (W.h, positive)."""

    energy_out_wh: float
    """Energy out of the cell (W.h, positive)."""

    voltage_min_volt: float
    voltage_max_volt: float
    temperature_mean_celsius: float | None
    """Mean measured temperature (°C); ``None`` where none was measured."""

    charge_source: str = ""
    """What the charge of the cycle is known from, in words, such as ``counters``, ``step time`` or ``samples``.

    "" = not stated: an older version cleaned the cell.
    """

    charge_in_low_ah: float | None = None
    """Lower bound (A.h) of the charge into the cell: by all evidence, it was no less."""

    charge_in_high_ah: float | None = None
    """Upper bound (A.h) of the charge into the cell: by all evidence, it was no more."""

    charge_out_low_ah: float | None = None
    charge_out_high_ah: float | None = None
    charge_in_counted_ah: float | None = None
    """Charge into the cell (A.h) by the cycler's counters; ``None`` where it has none."""

    charge_out_counted_ah: float | None = None
    resistance_ohm: float | None = None
    """Change of the voltage / change of the current (ohm), some time after it; the median over the cycle's edges.

    ``None`` = the cycle has no edge of the current to take it from, or an older version cleaned the cell.
    """

    resistance_second: float | None = None
    """Time after the edge (s); the same in all cycles of a record."""

    resistance_uncertainty_ohm: float | None = None
    resistance_edges: int | None = None
    """Number of edges."""

    resistance_source: str | None = None
    """Kind of the edges, such as ``start of discharge``; the same in all cycles of a record."""


@dataclass(frozen=True, slots=True)
class RecordSource:
    """One raw file of a record; ``splits`` are the digests of the jobs that split it, none where it holds one cell."""

    file: SourceFile
    splits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CleanResult:
    """Result of a clean job."""

    report: CleanReport
    cycles: tuple[CycleSummary, ...]
    temperature_mean_celsius: float | None = None
    """Mean measured temperature of the record (°C); ``None`` where none was measured."""

    sources: tuple[RecordSource, ...] = ()
    """The raw files in time order; ``source_index`` is a place in this tuple, from 0."""

    settings: CleanSettings | None = None
    """With what it was cleaned; ``None`` = a version of kilocell wrote it that did not say."""
