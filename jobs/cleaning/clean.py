"""Cleaning: the rules in the order in which they are applied, and what came of them.

Each rule is a small pure function ``(frame, settings) -> Outcome`` in one of the ``clean_*`` files. Time first, since
every other rule looks at neighbours; then numbers of steps and cycles, since signals are judged within a step; then
the signals; then what is counted from them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Integers
from ...data.errors import JobError
from ...data.results.cleaning import CleanReport
from ...data.settings import CleanSettings
from ...data.text import format_count
from ..record.charge import capacity_scale_ah
from ..record.steps import classify_each_step
from .charge_counters import capacity_counter, capacity_excess
from .clock_restarts import step_time, time_restart
from .clock_units import time_scale, wall_clock
from .current import current_offset, current_sign
from .cycle_numbers import count_from_signal, count_steps, cycle_jump
from .duplicate_times import duplicate_time, time_resolution
from .foreign_rows import impedance_row, marker_row
from .lost_contact import lost_contact
from .missing_values import (
    current_missing,
    number_unreadable,
    temperature_missing,
    temperature_range,
    voltage_missing,
    voltage_range,
)
from .record_end import aborted_test, no_discharge, rest_only
from .report import ChargeLedger, clean_report
from .rule import Event, RuleOutcome, column_values, to_findings
from .spikes import current_spike, voltage_spike
from .step_numbers import step_glitch, step_renumbered
from .temperature import chamber_off, temperature_jump, temperature_noise, temperature_stuck
from .time_gaps import time_gap
from .time_order import duplicate_row, has_clock, time_missing, time_order
from .unit_scale import unit_of_charge, unit_scale
from .voltage_changes import channel_change, voltage_step, voltage_stuck

CleaningRule = Callable[[pd.DataFrame, CleanSettings], RuleOutcome]
TIME_RULES: Final[tuple[CleaningRule, ...]] = (
    number_unreadable,
    unit_scale,
    marker_row,
    impedance_row,
    time_scale,
    time_missing,
    step_time,
    duplicate_row,
    time_order,
    time_restart,
    wall_clock,
    duplicate_time,
    time_resolution,
    unit_of_charge,
)
"""What makes one strictly increasing time of a record; units too, since all thresholds are in them."""

INDEX_AND_SIGNAL_RULES: Final[tuple[CleaningRule, ...]] = (
    current_sign,
    step_glitch,
    cycle_jump,
    step_renumbered,
    lost_contact,
    voltage_spike,
    voltage_range,
    voltage_stuck,
    temperature_range,
    temperature_jump,
    temperature_stuck,
    temperature_noise,
    current_spike,
    voltage_missing,
    count_steps,
    current_missing,
    temperature_missing,
    time_gap,
    count_from_signal,
    current_offset,
    voltage_step,
    channel_change,
    chamber_off,
    capacity_counter,
    no_discharge,
    rest_only,
    aborted_test,
)
"""What needs neighbours in time; these know the cell's capacity, or a scale for it from the record itself."""

CAPACITY_RULES: Final[tuple[CleaningRule, ...]] = (capacity_excess,)
"""What is judged by the nominal capacity that was given, and by no guess at it."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A cell's cleaned record.

    Args:
        samples: ``data.columns.PARTITION_COLUMNS``, in time order.
        quarantined: the raw rows that were taken out, as they stood, and the ``rule`` that took each.
        report: what was done.
    """

    samples: pd.DataFrame
    quarantined: pd.DataFrame
    report: CleanReport


def clean(raw: pd.DataFrame, cell_id: str, settings: CleanSettings) -> Cleaned:
    """Clean one cell's record.

    Args:
        raw: ``data.columns.RAW_COLUMNS``, the rows of one or more source files, one after the other in time order.

    Raises:
        JobError: nothing usable is left: ``no_samples``, ``no_voltage``, ``no_current`` or ``no_time``.
    """
    raw = raw.reset_index(drop=True)
    _require_usable_rows(raw, cell_id)
    frame = raw.assign(**{c.FLAGS: np.zeros(len(raw), dtype=np.int64)})
    ledger = ChargeLedger.from_record(frame)
    frame, events, taken = _apply(TIME_RULES, frame, settings, ledger)
    if len(frame) < 2:
        raise JobError(f"cell {cell_id!r}: fewer than two samples with a time are left of {len(raw)}", "no_samples")
    scale = capacity_scale_ah(
        column_values(frame, c.TEST_TIME), column_values(frame, c.CURRENT), settings.nominal_capacity_ah
    )
    frame, more, also = _apply(INDEX_AND_SIGNAL_RULES, frame, replace(settings, nominal_capacity_ah=scale), ledger)
    frame, last, _ = _apply(CAPACITY_RULES, frame, settings, ledger)
    samples = _partition(frame, scale, settings)
    for column, code in ((c.VOLTAGE, "no_voltage"), (c.CURRENT, "no_current")):
        if samples[column].isna().all():
            raise JobError(f"cell {cell_id!r}: no usable {column} is left of {len(raw)} rows", code)
    quarantined = _quarantined(raw, taken + also)
    findings = to_findings(events + more + last, raw, frame)
    return Cleaned(samples, quarantined, clean_report(cell_id, raw, samples, quarantined, findings, ledger))


def _require_usable_rows(raw: pd.DataFrame, cell_id: str) -> None:
    if len(raw) < 2:
        raise JobError(
            f"cell {cell_id!r}: the record has {format_count(len(raw), 'row')}; at least two are needed", "no_samples"
        )
    for column, code in ((c.VOLTAGE, "no_voltage"), (c.CURRENT, "no_current")):
        if raw[column].isna().all():
            raise JobError(f"cell {cell_id!r}: no row has a {column}; check the source's columns", code)
    if not has_clock(column_values(raw, c.TEST_TIME)) and not has_clock(column_values(raw, c.UNIX_TIME)):
        raise JobError(f"cell {cell_id!r}: most rows have no time; check the source's columns", "no_time")


CODE_BY_PARTIAL_RULE: Final = {
    "unit_of_charge": "unit_scale",
    "count_steps": "step_renumbered",
    "count_from_signal": "step_renumbered",
}
"""What works under another rule's code is counted under it."""

QuarantinedLabels = list[tuple[str, Integers]]


def _apply(
    rules: tuple[CleaningRule, ...], frame: pd.DataFrame, settings: CleanSettings, ledger: ChargeLedger
) -> tuple[pd.DataFrame, list[Event], QuarantinedLabels]:
    """Apply rules in order; collect their events, the labels of the rows that each took out, and charge changed."""
    events: list[Event] = []
    taken: QuarantinedLabels = []
    for rule in rules:
        outcome = rule(frame, settings)
        ledger.note(CODE_BY_PARTIAL_RULE.get(rule.__name__, rule.__name__), frame, outcome.frame)
        frame = outcome.frame
        events.extend(outcome.events)
        if len(outcome.taken):
            taken.append((rule.__name__, outcome.taken))
    return frame, events, taken


def _quarantined(raw: pd.DataFrame, taken: QuarantinedLabels) -> pd.DataFrame:
    """The rows that were taken out, as they stood, in the raw order."""
    labels = np.concatenate([np.empty(0, dtype=np.int64), *(labels for _, labels in taken)])
    rules = [code for code, labels in taken for _ in range(len(labels))]
    order = np.argsort(labels, kind="stable")
    rule = pd.array(np.array(rules, dtype=object)[order], dtype="str")
    quarantined: pd.DataFrame = raw.iloc[labels[order]].assign(rule=rule).reset_index(drop=True)
    return quarantined


def _partition(frame: pd.DataFrame, scale_ah: float, settings: CleanSettings) -> pd.DataFrame:
    number, kinds = classify_each_step(frame, scale_ah, settings.rest_current_per_ah)
    frame = frame.assign(**{c.STEP_TYPE: pd.array(kinds, dtype="str").take(number)})
    return frame[list(c.PARTITION_COLUMNS)].astype(c.PARTITION_COLUMNS).reset_index(drop=True)
