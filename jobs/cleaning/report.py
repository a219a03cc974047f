"""Compare a record before and after cleaning: rows, charge, energy, time, cycles and steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np

from ...data import columns as c
from ...data.arrays import Floats, Integers, Mask
from ...data.results.cleaning import ChargeChange, CleanReport, Finding, FlagCount, QuarantineCount
from ...data.rules import RULES
from ..record.charge import Flow, charge_in_out_ah, in_and_out, interval_energy_wh
from ..record.table import Columns, Table
from .rule import column_values, flag_values
from .time_order import has_clock

LEAST_CHANGE: Final = 1e-9
"""Share of the charge throughput. A smaller change is rounding; it is added to the next rule's change. Chosen, not
measured."""


@dataclass(slots=True)
class ChargeLedger:
    """The charge of a record, and how each rule changed it.

    Args:
        charge: charge into and out of the cell in A.h after the last rule that changed it, both positive.
        raw_charge, raw_energy: charge and energy of the raw rows, in A.h and W.h.
        changes: one entry for each rule that changed the charge, in order.
    """

    charge: tuple[float, float]
    raw_charge: tuple[float, float]
    raw_energy: tuple[float, float]
    changes: list[ChargeChange] = field(default_factory=list)

    @classmethod
    def from_record(cls, frame: Table) -> Self:
        """Open the ledger with a raw record (``data.columns.RAW_COLUMNS`` and ``flags``)."""
        clock = _forward(_clock(frame))
        current = column_values(frame, c.CURRENT)
        flags = flag_values(frame)
        charge = charge_in_out_ah(clock, current, flags)
        energy = in_and_out(interval_energy_wh(clock, current, column_values(frame, c.VOLTAGE), flags))
        return cls(charge, charge, energy)

    def note(self, rule: str, before: Table, after: Table) -> None:
        """Write down how a rule changed the charge.

        Args:
            rule: the code under which the change is counted.
            before, after: the record before and after the rule. Nothing is calculated if time, current and rows are
                the same, except for ``time_gap``, whose flag alone changes the charge.
        """
        if after is before or (rule != "time_gap" and _same_charge(before, after)):
            return
        charge = record_charge(after)
        change = ChargeChange(rule, charge[0] - self.charge[0], charge[1] - self.charge[1])
        if abs(change.charge_in_ah) + abs(change.charge_out_ah) > LEAST_CHANGE * sum(charge):
            self.changes.append(change)
            self.charge = charge


def clean_report(
    cell_id: str,
    raw: Table,
    samples: Columns,
    quarantined: Columns,
    findings: tuple[Finding, ...],
    ledger: ChargeLedger,
    flow: Flow,
) -> CleanReport:
    """Compare a raw record with its cleaned samples.

    Args:
        cell_id: names the cell.
        raw: ``data.columns.RAW_COLUMNS``. Its charge and energy are integrated over the unchanged rows, in the file's
            own sign.
        samples: ``data.columns.PARTITION_COLUMNS``.
        quarantined: the raw rows that were taken out, and the ``rule`` that took each.
        findings: of all rules.
        ledger: after the last rule.
        flow: between the samples.
    """
    rows_kept = len(raw) - len(quarantined)
    raw_clock = _clock(raw)
    time = column_values(samples, c.TEST_TIME)
    charge_after = in_and_out(flow.charge_ah)
    energy_after = in_and_out(flow.energy_wh)
    new_cycle = _differs_from_previous(raw, c.CYCLE_ID)
    new_step = new_cycle | _differs_from_previous(raw, c.STEP_ID)
    quarantine = quarantine_counts(quarantined)
    rules_with_events = {*(count.rule for count in quarantine), *(finding.rule for finding in findings)}
    return CleanReport(
        cell_id=cell_id,
        rows_in=len(raw),
        rows_kept=rows_kept,
        rows_quarantined=len(quarantined),
        rows_inserted=len(samples) - rows_kept,
        time_span_before_second=float(np.nanmax(raw_clock) - np.nanmin(raw_clock)),
        time_span_after_second=float(time[-1] - time[0]),
        charge_in_before_ah=ledger.raw_charge[0],
        charge_in_after_ah=charge_after[0],
        charge_out_before_ah=ledger.raw_charge[1],
        charge_out_after_ah=charge_after[1],
        cycles_before=_count_numbers(column_values(raw, c.CYCLE_ID)[new_cycle]),
        cycles_after=int(samples[c.CYCLE_COUNT][-1]),
        steps_before=int(new_step[1:].sum()) + 1,
        steps_after=int(samples[c.STEP_COUNT][-1]),
        findings=findings,
        energy_in_before_wh=ledger.raw_energy[0],
        energy_in_after_wh=energy_after[0],
        energy_out_before_wh=ledger.raw_energy[1],
        energy_out_after_wh=energy_after[1],
        quarantined=quarantine,
        flagged=flag_counts(flag_values(samples), rules_with_events),
        charge_changes=tuple(ledger.changes),
    )


def quarantine_counts(quarantined: Columns) -> tuple[QuarantineCount, ...]:
    """Count quarantined rows by rule and source file, in the order of the rules' first rows.

    Args:
        quarantined: with ``rule`` and ``source_index``.
    """
    counted = Counter(zip(quarantined["rule"].tolist(), quarantined[c.SOURCE_INDEX].tolist(), strict=True))
    return tuple(QuarantineCount(rule, source, rows) for (rule, source), rows in counted.items())


def flag_counts(flags: Integers, others: Collection[str]) -> tuple[FlagCount, ...]:
    """Count the samples that carry each rule's flag, in the order of the bits.

    Args:
        flags: shape (samples,).
        others: rules that are listed even if no sample carries their flag.
    """
    seen = int(np.bitwise_or.reduce(flags, initial=0))
    counts = {rule.code: int(np.count_nonzero(flags >> rule.bit & 1)) for rule in RULES if seen >> rule.bit & 1}
    listed = [rule.code for rule in RULES if rule.code in counts or rule.code in others]
    return tuple(FlagCount(code, counts.get(code, 0)) for code in listed)


def record_charge(frame: Columns) -> tuple[float, float]:
    """Return charge into and out of the cell in A.h, both positive, of a record between two rules.

    An interval in which the clock falls back carries none.
    """
    return charge_in_out_ah(_forward(_clock(frame)), column_values(frame, c.CURRENT), flag_values(frame))


def _clock(frame: Columns) -> Floats:
    """Return the test time in s; if most are missing the wall clock, or else the time within steps."""
    for name in (c.TEST_TIME, c.UNIX_TIME):
        clock = column_values(frame, name)
        if has_clock(clock):
            return clock
    return column_values(frame, c.STEP_TIME)


def _forward(clock: Floats) -> Floats:
    """Return a clock that starts at 0 and does not advance in intervals where the given one falls back."""
    return np.concatenate([[0.0], np.cumsum(np.fmax(np.diff(clock), 0.0))])


def _differs_from_previous(raw: Table, column: str) -> Mask:
    """Tell which rows' numbers differ from that of the row before, shape (n,); the first row's does."""
    numbers = column_values(raw, column)
    missing = np.isnan(numbers)
    changed: Mask = np.concatenate([[True], (numbers[1:] != numbers[:-1]) & ~(missing[1:] & missing[:-1])])
    return changed


def _count_numbers(numbers: Floats) -> int:
    """Return how many different numbers there are, without missing ones."""
    return len(np.unique(numbers[~np.isnan(numbers)]))


def _same_charge(before: Table, after: Table) -> bool:
    """Tell whether times and current are the very same arrays: tables share the columns that a rule does not touch."""
    return all(before[name] is after[name] for name in (c.TEST_TIME, c.UNIX_TIME, c.CURRENT))
