"""The balance of cleaning: rows, charge, energy, time, cycles and steps of a record before and after."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Floats, Integers, Mask
from ...data.results.cleaning import ChargeChange, CleanReport, Finding, FlagCount, QuarantineCount
from ...data.rules import RULES
from ..record.charge import charge_in_out_ah, energy_in_out_wh
from .rule import column_values
from .time_order import has_clock

LEAST_CHANGE: Final = 1e-9
"""Share of the charge throughput below which a change is rounding; it is told with the next one."""


@dataclass(slots=True)
class ChargeLedger:
    """Charge in and out (A.h) of a record as rule after rule changes it, from the raw rows on."""

    charge: tuple[float, float]
    raw_charge: tuple[float, float]
    changes: list[ChargeChange] = field(default_factory=list)

    @classmethod
    def from_record(cls, frame: pd.DataFrame) -> Self:
        """Open the ledger with a raw record (``data.columns.RAW_COLUMNS`` and ``flags``)."""
        charge = record_charge(frame)
        return cls(charge, charge)

    def note(self, rule: str, before: pd.DataFrame, after: pd.DataFrame) -> None:
        """Write down what a rule changed; nothing is counted where it left time, current and rows as they were."""
        if after is before or (rule != "time_gap" and _same_charge(before, after)):
            return
        charge = record_charge(after)
        change = ChargeChange(rule, charge[0] - self.charge[0], charge[1] - self.charge[1])
        if abs(change.charge_in_ah) + abs(change.charge_out_ah) > LEAST_CHANGE * sum(charge):
            self.changes.append(change)
            self.charge = charge


def clean_report(
    cell_id: str,
    raw: pd.DataFrame,
    samples: pd.DataFrame,
    quarantined: pd.DataFrame,
    findings: tuple[Finding, ...],
    ledger: ChargeLedger,
) -> CleanReport:
    """Compare a raw record with what became of it.

    Args:
        raw: ``data.columns.RAW_COLUMNS``; its charge and energy are of the rows as they stand, in the file's own sign.
        samples: ``data.columns.PARTITION_COLUMNS``.
        quarantined: the raw rows that were taken out, and the ``rule`` that took each.
        ledger: after the last rule.
    """
    clock, flags = _clock(raw), np.zeros(len(raw), dtype=np.int64)
    before = (_forward(clock), column_values(raw, c.CURRENT))
    after = (column_values(samples, c.TEST_TIME), column_values(samples, c.CURRENT))
    kept_flags = samples[c.FLAGS].to_numpy(dtype=np.int64)
    charge = ledger.raw_charge, charge_in_out_ah(*after, kept_flags)
    energy = (
        energy_in_out_wh(*before, column_values(raw, c.VOLTAGE), flags),
        energy_in_out_wh(*after, column_values(samples, c.VOLTAGE), kept_flags),
    )
    return CleanReport(
        cell_id=cell_id,
        rows_in=len(raw),
        rows_kept=len(samples),
        rows_quarantined=len(raw) - len(samples),
        time_span_before_second=float(np.nanmax(clock) - np.nanmin(clock)),
        time_span_after_second=float(after[0][-1] - after[0][0]),
        charge_in_before_ah=charge[0][0],
        charge_in_after_ah=charge[1][0],
        charge_out_before_ah=charge[0][1],
        charge_out_after_ah=charge[1][1],
        cycles_before=int(raw[c.CYCLE_ID][_differs_from_previous(raw, c.CYCLE_ID)].nunique()),
        cycles_after=int(samples[c.CYCLE_COUNT].iloc[-1]),
        steps_before=int((_differs_from_previous(raw, c.CYCLE_ID) | _differs_from_previous(raw, c.STEP_ID))[1:].sum())
        + 1,
        steps_after=int(samples[c.STEP_COUNT].iloc[-1]),
        findings=findings,
        energy_in_before_wh=energy[0][0],
        energy_in_after_wh=energy[1][0],
        energy_out_before_wh=energy[0][1],
        energy_out_after_wh=energy[1][1],
        quarantined=quarantine_counts(quarantined),
        flagged=flag_counts(kept_flags, {*quarantined["rule"].unique(), *(finding.rule for finding in findings)}),
        charge_changes=tuple(ledger.changes),
    )


def quarantine_counts(quarantined: pd.DataFrame) -> tuple[QuarantineCount, ...]:
    """Count quarantined rows by rule and source file, in the order of the rules' first rows."""
    counted = quarantined.groupby(["rule", c.SOURCE_INDEX], sort=False).size().reset_index(name="rows")
    columns = (counted[name].tolist() for name in ("rule", c.SOURCE_INDEX, "rows"))
    return tuple(QuarantineCount(rule, source, rows) for rule, source, rows in zip(*columns, strict=True))


def flag_counts(flags: Integers, others: Collection[str]) -> tuple[FlagCount, ...]:
    """Count the samples that carry each rule's flag, in the order of the bits.

    Args:
        flags: shape (samples,).
        others: rules that are named although no sample carries their flag.
    """
    seen = int(np.bitwise_or.reduce(flags, initial=0))
    counts = {rule.code: int(np.count_nonzero(flags >> rule.bit & 1)) for rule in RULES if seen >> rule.bit & 1}
    named = [rule.code for rule in RULES if rule.code in counts or rule.code in others]
    return tuple(FlagCount(code, counts.get(code, 0)) for code in named)


def record_charge(frame: pd.DataFrame) -> tuple[float, float]:
    """Charge in and out (A.h) of a record between two rules; a clock that falls back counts nothing."""
    flags = frame[c.FLAGS].to_numpy(dtype=np.int64)
    return charge_in_out_ah(_forward(_clock(frame)), column_values(frame, c.CURRENT), flags)


def _clock(frame: pd.DataFrame) -> Floats:
    test = column_values(frame, c.TEST_TIME)
    return test if has_clock(test) else column_values(frame, c.UNIX_TIME)


def _forward(clock: Floats) -> Floats:
    return np.concatenate([[0.0], np.cumsum(np.fmax(np.diff(clock), 0.0))])


def _differs_from_previous(raw: pd.DataFrame, column: str) -> Mask:
    """Tell where a number differs from that of the row before; the first one does."""
    numbers = column_values(raw, column)
    missing = np.isnan(numbers)
    changed: Mask = np.concatenate([[True], (numbers[1:] != numbers[:-1]) & ~(missing[1:] & missing[:-1])])
    return changed


def _same_charge(before: pd.DataFrame, after: pd.DataFrame) -> bool:
    """Tell whether time and current are the very same arrays, which frames share when a rule does not touch them."""
    if len(after) != len(before):
        return False
    pairs = (
        (column_values(before, name), column_values(after, name)) for name in (c.TEST_TIME, c.UNIX_TIME, c.CURRENT)
    )
    return all(one.ctypes.data == other.ctypes.data and one.strides == other.strides for one, other in pairs)
