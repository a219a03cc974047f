"""Clean the record of one cell: apply the rules in their order, and report what they did.

Each rule is a small pure function ``(frame, settings) -> RuleOutcome`` in another file here. The order follows from
what a rule needs: units and time come first, because every other rule compares neighbours in time; then the
numbers of steps and cycles, because signals are judged within a step; then the signals; then quantities calculated
from them, such as charge.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...data import columns as c
from ...data.arrays import Integers
from ...data.errors import JobError
from ...data.results.cleaning import CleanReport, CycleSummary
from ...data.settings import CleanSettings
from ...data.text import format_count
from ..record.charge import Flow, capacity_scale_ah
from ..record.cycles import summarise_cycles
from ..record.groups import run_of_each
from ..record.join_sources import JoinNote
from ..record.steps import CLASSIFIED_BY, classify_each_step
from ..record.table import Table, Words
from .charge_balance import charge_balance
from .charge_bounds import charge_events, cycle_slack, cycles_with_bounds, with_bounds
from .charge_counters import capacity_counter, capacity_excess
from .clock_restarts import step_time, time_restart
from .clock_units import time_scale, time_uncertain, wall_clock
from .current import current_offset, current_sign
from .current_sentinels import current_sentinel
from .current_spikes import current_spike
from .cycle_numbers import count_from_signal, count_steps, cycle_jump
from .duplicate_times import duplicate_time, time_resolution
from .first_step import add_first_step
from .foreign_rows import impedance_row, marker_row
from .lone_stamps import time_stamp
from .lost_contact import lost_contact
from .missing_current import current_missing
from .missing_values import (
    number_unreadable,
    temperature_missing,
    temperature_range,
    voltage_missing,
    voltage_range,
)
from .record_end import aborted_test, no_discharge, rest_only
from .report import ChargeLedger, clean_report
from .rule import Event, RuleOutcome, column_values, is_file_row, rest_current, to_findings
from .step_clock import time_from_steps, time_refined
from .step_edges import add_edge_samples
from .step_numbers import step_glitch, step_renumbered
from .temperature import chamber_off, temperature_jump, temperature_noise, temperature_stuck
from .time_gaps import rest_pause, time_gap
from .time_order import duplicate_row, has_clock, time_missing, time_order
from .unit_scale import unit_of_charge, unit_scale
from .voltage_changes import channel_change, voltage_step, voltage_stuck
from .voltage_placeholder import voltage_placeholder
from .voltage_spikes import voltage_spike

CleaningRule = Callable[[Table, CleanSettings], RuleOutcome]
"""A cleaning rule. Its name is the code in ``data.rules``, and is stored in reports.

It takes the record between two rules (``rule.py``) and the settings, and does not change that table. From
``INDEX_AND_SIGNAL_RULES`` on, time increases strictly and the settings hold a capacity.
"""

TIME_RULES: Final[tuple[CleaningRule, ...]] = (
    number_unreadable,
    unit_scale,
    current_sentinel,
    marker_row,
    impedance_row,
    time_from_steps,
    time_scale,
    time_uncertain,
    time_missing,
    step_time,
    duplicate_row,
    time_stamp,
    time_order,
    time_refined,
    time_restart,
    wall_clock,
    duplicate_time,
    time_resolution,
    unit_of_charge,
)
"""Rules that give the record one strictly increasing time, and the units in which all thresholds are given."""

INDEX_AND_SIGNAL_RULES: Final[tuple[CleaningRule, ...]] = (
    voltage_placeholder,
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
    rest_pause,
    voltage_step,
    channel_change,
    chamber_off,
)
"""Rules that compare neighbours in time. Their settings hold the nominal capacity, or a scale from the record."""

CHARGE_RULES: Final[tuple[CleaningRule, ...]] = (
    capacity_counter,
    no_discharge,
    rest_only,
    aborted_test,
)
"""Rules about the charge, after samples were inserted at the edges of steps. Their settings hold a capacity, too."""

CAPACITY_RULES: Final[tuple[CleaningRule, ...]] = (capacity_excess, charge_balance)
"""Rules that need the nominal capacity as the user gave it, and never a scale from the record."""


CODE_BY_PARTIAL_RULE: Final = {
    "time_from_steps": "step_time",
    "time_refined": "step_time",
    "unit_of_charge": "unit_scale",
    "current_sentinel": "current_missing",
    "count_steps": "step_renumbered",
    "count_from_signal": "step_renumbered",
    "rest_pause": "time_gap",
}
"""Rules that are parts of another rule: the charge that they change is counted under that rule's code."""

NO_VALUES_CODE: Final = {c.VOLTAGE: "no_voltage", c.CURRENT: "no_current"}
"""Columns that a record must have, and the code of the error if all their values are missing."""

QuarantinedLabels = list[tuple[str, Integers]]
"""Each rule that took rows out, and the labels of these rows."""


@dataclass(frozen=True)
class Cleaned:
    """A cell's cleaned record.

    Args:
        partition: ``data.columns.PARTITION_COLUMNS``, in time order.
        quarantine: the raw rows that were taken out, unchanged, and the ``rule`` that took each.
        report: what was found and done.
        cycles: a summary of each cycle, with the bounds of its charge.
    """

    partition: Table
    quarantine: Table
    report: CleanReport
    cycles: tuple[CycleSummary, ...]

    @cached_property
    def samples(self) -> pd.DataFrame:
        """The partition as a frame."""
        return pd.DataFrame(dict(self.partition.columns), copy=False)

    @cached_property
    def quarantined(self) -> pd.DataFrame:
        """The quarantine as a frame."""
        return pd.DataFrame(dict(self.quarantine.columns), copy=False)


def clean(raw: pd.DataFrame | Table, cell_id: str, settings: CleanSettings, joins: Sequence[JoinNote] = ()) -> Cleaned:
    """Clean one cell's record.

    Args:
        raw: ``data.columns.RAW_COLUMNS``: the rows of one or more source files, file after file in time order.
        cell_id: names the cell in the report and in errors.
        settings: thresholds that the user can change, the cell's nominal capacity in A.h and its setpoint in °C.
        joins: what was found when the source files were joined.

    Raises:
        JobError: the record holds nothing usable: ``no_samples``, ``no_voltage``, ``no_current`` or ``no_time``.
    """
    table = raw if isinstance(raw, Table) else Table.from_frame(raw)
    rows = Table.from_columns(table.columns)
    _require_usable_rows(rows, cell_id)
    words = {name: Words.from_texts(rows[name]) for name in (c.STATE, c.UNREADABLE)}
    frame = rows.assign(**words, **{c.FLAGS: np.zeros(len(raw), dtype=np.int64)})
    ledger = ChargeLedger.from_record(frame)
    join_events = [Event("file_order", n.row, n.rows, n.before, n.after, n.action, n.severity) for n in joins]
    frame, time_events, time_taken = _apply(TIME_RULES, frame, settings, ledger)
    if len(frame) < 2:
        raise JobError(f"cell {cell_id!r}: fewer than two samples with a time are left of {len(raw)}", "no_samples")
    scale_ah = capacity_scale_ah(
        column_values(frame, c.TEST_TIME), column_values(frame, c.CURRENT), settings.nominal_capacity_ah
    )
    scaled_settings = replace(settings, nominal_capacity_ah=scale_ah)
    frame, signal_events, signal_taken = _apply(INDEX_AND_SIGNAL_RULES, frame, scaled_settings, ledger)
    step, kinds = _classified(frame, scale_ah, settings.rest_current_per_ah)
    before_edges = frame
    evidence = add_edge_samples(frame, step, kinds, rest_current(scaled_settings), scale_ah)
    evidence = add_first_step(evidence, frame, step, rows[c.TEST_TIME], rest_current(scaled_settings))
    frame = evidence.frame
    ledger.note("step_edge", before_edges, frame)
    slack = cycle_slack(before_edges, evidence)
    frame, charge_rule_events, _ = _apply(CHARGE_RULES, frame, scaled_settings, ledger)
    frame, capacity_events, _ = _apply(CAPACITY_RULES, frame, settings, ledger)
    samples = _partition(frame, kinds)
    _require_usable_samples(samples, len(raw), cell_id)
    flow = Flow.of_samples(samples)
    cycles = summarise_cycles(samples, scale_ah, flow)
    events = time_events + signal_events + charge_events(before_edges, evidence, slack, cycles, settings)
    quarantined = _quarantined(rows, time_taken + signal_taken)
    findings = to_findings(join_events + events + charge_rule_events + capacity_events, rows, frame)
    report = with_bounds(clean_report(cell_id, rows, samples, quarantined, findings, ledger, flow), slack)
    return Cleaned(samples, quarantined, report, cycles_with_bounds(cycles, slack))


def _require_usable_rows(raw: Table, cell_id: str) -> None:
    if len(raw) < 2:
        raise JobError(
            f"cell {cell_id!r}: the record has {format_count(len(raw), 'row')}; at least two are needed", "no_samples"
        )
    for column, code in NO_VALUES_CODE.items():
        if np.isnan(column_values(raw, column)).all():
            raise JobError(f"cell {cell_id!r}: no row has a {column}; check the source's columns", code)
    if not any(has_clock(column_values(raw, name)) for name in (c.TEST_TIME, c.UNIX_TIME, c.STEP_TIME)):
        raise JobError(f"cell {cell_id!r}: most rows have no time; check the source's columns", "no_time")


def _require_usable_samples(samples: Table, rows: int, cell_id: str) -> None:
    for column, code in NO_VALUES_CODE.items():
        if np.isnan(column_values(samples, column)).all():
            raise JobError(f"cell {cell_id!r}: no usable {column} is left of {rows} rows", code)


def _apply(
    rules: tuple[CleaningRule, ...], frame: Table, settings: CleanSettings, ledger: ChargeLedger
) -> tuple[Table, list[Event], QuarantinedLabels]:
    """Apply rules in order, and write the charge that each changed into the ledger.

    Returns:
        The frame after the last rule, the events of all rules, and the labels of the rows that each took out.
    """
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


def _quarantined(raw: Table, taken: QuarantinedLabels) -> Table:
    """Return the raw rows that were taken out, unchanged and in the raw order, with the rule that took each."""
    labels = np.concatenate([np.empty(0, dtype=np.int64), *(rule_labels for _, rule_labels in taken)])
    rule = np.repeat(np.arange(len(taken)), [len(rule_labels) for _, rule_labels in taken])
    order = np.argsort(labels, kind="stable")
    codes = Words(rule[order], tuple(code for code, _ in taken))
    return raw.rows(labels[order]).assign(rule=codes.texts())


def _classified(frame: Table, scale_ah: float, rest_current_per_ah: float) -> tuple[Integers, NDArray[Any]]:
    """Return the step of each sample and the type of each step, by the rows of files alone.

    Args:
        frame: the record; it holds inserted samples if it was cleaned before.
        scale_ah, rest_current_per_ah: as in ``classify_each_step``.
    """
    rows = is_file_row(frame)
    if rows.all():
        return frame.once(classify_each_step, CLASSIFIED_BY, scale_ah, rest_current_per_ah)
    of_rows, kinds = classify_each_step(frame.rows(rows), scale_ah, rest_current_per_ah)
    step = _steps_from_zero(frame)
    if step[-1] != of_rows[-1]:
        return classify_each_step(frame, scale_ah, rest_current_per_ah)
    return step, kinds


def _steps_from_zero(frame: Table) -> Integers:
    """Return the step of each sample, 0 to steps - 1, shape (n,)."""
    return run_of_each(frame[c.STEP_COUNT])


def _partition(frame: Table, kinds: NDArray[Any]) -> Table:
    """Return the samples with their step types, in the columns and types of a partition.

    Args:
        frame: the record after the last rule.
        kinds: the type of each step, in order, shape (steps,).
    """
    columns = {c.STEP_TYPE: Words(_steps_from_zero(frame), tuple(kinds)).texts()}
    for name, dtype in c.PARTITION_COLUMNS.items():
        if name != c.STEP_TYPE:
            columns[name] = frame[name].astype(dtype, copy=False)
    return Table({name: columns[name] for name in c.PARTITION_COLUMNS}, np.arange(len(frame)))
