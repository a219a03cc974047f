"""The charge of each cycle and of the record: its source, its bounds, and what the cycler's counters say."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Final

import numpy as np

from ...data import columns as c
from ...data.arrays import Floats
from ...data.results.cleaning import CleanReport, CycleSummary
from ...data.settings import CleanSettings
from ...data.text import format_count
from ..record.table import Table
from .counted_charge import counted_by_cycle
from .rule import Event
from .step_edges import EdgeEvidence

MOST_CYCLE_EVENTS: Final = 20
"""Number of cycles with an uncertain charge that are named one by one; the record's finding counts the others."""


@dataclass(frozen=True, slots=True)
class ChargeBounds:
    """What is known of a charge, in A.h; the names are those of ``CleanReport`` and ``CycleSummary``."""

    charge_source: str
    charge_in_low_ah: float
    charge_in_high_ah: float
    charge_out_low_ah: float
    charge_out_high_ah: float
    charge_in_counted_ah: float | None
    charge_out_counted_ah: float | None


@dataclass(frozen=True, slots=True, eq=False)
class CycleSlack:
    """By how much less or more charge may have flowed than the record says, in A.h, by cycle number, shape (cycles,).

    Args:
        in_less, in_more, out_less, out_more: of what lies between an earliest and a latest edge.
        in_variance, out_variance: A.h squared, of what is as likely too high as too low.
        in_counted, out_counted: charge by a counter; ``None`` without one.
        source: what the charge is known from.
    """

    in_less: Floats
    in_more: Floats
    out_less: Floats
    out_more: Floats
    in_variance: Floats
    out_variance: Floats
    in_counted: Floats | None
    out_counted: Floats | None
    source: str

    def of_cycle(self, cycle: int, charge_in_ah: float, charge_out_ah: float) -> ChargeBounds:
        """Return the bounds of one cycle's charge."""
        return self._bounds(slice(cycle, cycle + 1), charge_in_ah, charge_out_ah)

    def of_record(self, charge_in_ah: float, charge_out_ah: float) -> ChargeBounds:
        """Return the bounds of the whole record's charge."""
        return self._bounds(slice(None), charge_in_ah, charge_out_ah)

    def _bounds(self, which: slice, charge_in_ah: float, charge_out_ah: float) -> ChargeBounds:
        # Two standard deviations: the bounds hold in 95 % of the cases.
        in_either = 2.0 * float(np.sqrt(self.in_variance[which].sum()))
        out_either = 2.0 * float(np.sqrt(self.out_variance[which].sum()))
        in_low = charge_in_ah - float(self.in_less[which].sum()) - in_either
        out_low = charge_out_ah - float(self.out_less[which].sum()) - out_either
        in_high = charge_in_ah + float(self.in_more[which].sum()) + in_either
        out_high = charge_out_ah + float(self.out_more[which].sum()) + out_either
        in_counted = _sum_or_none(self.in_counted, which)
        out_counted = _sum_or_none(self.out_counted, which)
        # Counters that are believed are evidence as well: what they say is within the bounds.
        if in_counted is not None and out_counted is not None:
            in_low = min(in_low, in_counted)
            in_high = max(in_high, in_counted)
            out_low = min(out_low, out_counted)
            out_high = max(out_high, out_counted)
        return ChargeBounds(
            charge_source=self.source,
            charge_in_low_ah=max(in_low, 0.0),
            charge_in_high_ah=in_high,
            charge_out_low_ah=max(out_low, 0.0),
            charge_out_high_ah=out_high,
            charge_in_counted_ah=in_counted,
            charge_out_counted_ah=out_counted,
        )


def _sum_or_none(amount: Floats | None, which: slice) -> float | None:
    if amount is None:
        return None
    return float(amount[which].sum())


def cycle_slack(frame: Table, evidence: EdgeEvidence) -> CycleSlack:
    """Sum what the evidence leaves open by cycle.

    Args:
        frame: the record before samples were inserted.
        evidence: from ``add_edge_samples``.
    """
    cycle = frame[c.CYCLE_COUNT].astype(np.int64)
    cycles = int(cycle.max(initial=0)) + 1
    left = evidence.open_charge

    def by_cycle(amount: Floats) -> Floats:
        return np.bincount(left.cycle_count, np.clip(amount, 0.0, None), minlength=cycles).astype(np.float64)

    in_counted = out_counted = None
    if evidence.counted is not None:
        in_counted, out_counted = counted_by_cycle(evidence.counted, cycle)
    return CycleSlack(
        by_cycle(left.in_less),
        by_cycle(left.in_more),
        by_cycle(left.out_less),
        by_cycle(left.out_more),
        left.in_variance,
        left.out_variance,
        in_counted,
        out_counted,
        _source(evidence),
    )


def _source(evidence: EdgeEvidence) -> str:
    """Return what the charge is known from, in words."""
    words = ["samples"]
    if evidence.uses_step_time:
        words.append("step time")
    if evidence.uses_counter:
        words.append("counters")
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def with_bounds(report: CleanReport, slack: CycleSlack) -> CleanReport:
    """Return a report with the source, bounds and counters of the record's charge."""
    bounds = slack.of_record(report.charge_in_after_ah, report.charge_out_after_ah)
    return replace(report, **asdict(bounds))


def cycles_with_bounds(cycles: tuple[CycleSummary, ...], slack: CycleSlack) -> tuple[CycleSummary, ...]:
    """Return summaries of cycles with the source, bounds and counters of their charge."""
    return tuple(
        replace(cycle, **asdict(slack.of_cycle(cycle.cycle_count, cycle.charge_in_ah, cycle.charge_out_ah)))
        for cycle in cycles
    )


def charge_events(
    frame: Table,
    evidence: EdgeEvidence,
    slack: CycleSlack,
    cycles: tuple[CycleSummary, ...],
    settings: CleanSettings,
) -> list[Event]:
    """Report inserted samples, an uncertain charge, and where step time and counters contradict each other.

    Args:
        frame: the record before samples were inserted.
        evidence: from ``add_edge_samples``.
        slack: of the same evidence.
        cycles: summaries with the inserted samples.
        settings: with ``charge_tolerance``.
    """
    label = int(frame.labels[0])
    events: list[Event] = []
    inserted = len(evidence.frame) - len(frame)
    charge_in = sum(cycle.charge_in_ah for cycle in cycles)
    charge_out = sum(cycle.charge_out_ah for cycle in cycles)
    if inserted:
        after = f"{charge_in:.6g} A.h in, {charge_out:.6g} A.h out"
        before = f"the current changes between rows; known from {slack.source}"
        event = Event("step_edge", label, inserted, before, after, f"{format_count(inserted, 'sample')} inserted")
        events.append(event)
    if evidence.contradicted and evidence.contradicted_ah > settings.charge_tolerance * (charge_in + charge_out):
        before = (
            f"step time and {evidence.counted.name if evidence.counted else 'counters'} differ at "
            f"{format_count(evidence.contradicted, 'edge')}, by {evidence.contradicted_ah:.4g} A.h together"
        )
        events.append(Event("charge_uncertain", label, len(frame), before, "the counters are used", "reported"))
    bounds = slack.of_record(charge_in, charge_out)
    whole = _uncertain(bounds, charge_in, charge_out, settings)
    if whole:
        before = f"the file does not say what flowed between some rows; known from {slack.source}"
        if evidence.guessed:
            before += f"; {format_count(evidence.guessed, 'edge')} guessed from where the other edges are"
        events.append(Event("charge_uncertain", label, len(frame), before, whole, "reported"))
    events += _cycle_events(frame, slack, cycles, settings)
    return events


def _cycle_events(
    frame: Table, slack: CycleSlack, cycles: tuple[CycleSummary, ...], settings: CleanSettings
) -> list[Event]:
    """Return an event for each cycle whose own charge is uncertain, up to ``MOST_CYCLE_EVENTS``."""
    if len(cycles) < 2:
        return []
    count = frame[c.CYCLE_COUNT]
    labels = frame.labels
    events: list[Event] = []
    for cycle in cycles:
        bounds = slack.of_cycle(cycle.cycle_count, cycle.charge_in_ah, cycle.charge_out_ah)
        text = _uncertain(bounds, cycle.charge_in_ah, cycle.charge_out_ah, settings)
        if not text:
            continue
        rows = np.flatnonzero(count == cycle.cycle_count)
        if len(rows):
            before = f"charge of cycle {cycle.cycle_count}"
            events.append(Event("charge_uncertain", int(labels[rows[0]]), len(rows), before, text, "reported"))
        if len(events) >= MOST_CYCLE_EVENTS:
            break
    return events


def _uncertain(bounds: ChargeBounds, charge_in_ah: float, charge_out_ah: float, settings: CleanSettings) -> str:
    """Return both charges with their bounds if these are wider than the tolerance, otherwise an empty text."""
    width_in = bounds.charge_in_high_ah - bounds.charge_in_low_ah
    width_out = bounds.charge_out_high_ah - bounds.charge_out_low_ah
    if 0.5 * (width_in + width_out) <= settings.charge_tolerance * (charge_in_ah + charge_out_ah):
        return ""
    return (
        f"{charge_in_ah:.5g} A.h in ({bounds.charge_in_low_ah:.5g} to {bounds.charge_in_high_ah:.5g}), "
        f"{charge_out_ah:.5g} A.h out ({bounds.charge_out_low_ah:.5g} to {bounds.charge_out_high_ah:.5g})"
    )
