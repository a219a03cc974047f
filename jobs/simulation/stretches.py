"""The stretches of a record that are solved in one go: all of it, or one for each selected part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...data.ageing import ageing_options
from ...data.arrays import Floats, Mask
from ...data.cycle_selection import format_ranges
from ...data.errors import JobError
from ...data.rules import flag_bit
from ...data.selected_spans import NothingSelectedError, RecordIndex, Span, describe_missing, find_spans
from ...data.settings import SimulateSettings
from ...data.step_selection import Selection, StepSelection
from ..current_profile.compress import CurrentProfile
from ..record.record import Record, cycle_starts
from .replay import Replayed


@dataclass(frozen=True, slots=True)
class Stretch:
    """Samples of one or several cycles that follow each other.

    Args:
        first: index of the first sample in the record.
        end: index after the last sample.
        cycles: numbers of the cycles, in order.
        spans: the selected parts in it, in order; samples outside of them are solved, but not compared. Empty = all of
            it is selected.
    """

    first: int
    end: int
    cycles: tuple[int, ...]
    spans: tuple[Span, ...] = ()

    @property
    def name(self) -> str:
        """For people: ``cycle 3``, ``cycles 3-5``, ``cycle 2, step 9 (discharge)``."""
        if self.spans and self.first < self.spans[0].lead:
            return f"the record up to {self.spans[-1].name}"
        names = [span.name for span in self.spans]
        if any(", " in name for name in names):
            return " to ".join([names[0], names[-1]] if len(names) > 1 else names)
        noun = "cycles" if len(self.cycles) > 1 else "cycle"
        return f"{noun} {format_ranges(self.cycles)}"

    @property
    def selected_first(self) -> int:
        """Index of the first selected sample in the record."""
        return self.spans[0].first if self.spans else self.first

    @property
    def lead(self) -> int:
        """Number of samples before the first selected one."""
        return self.selected_first - self.first

    @property
    def compared(self) -> Mask:
        """Which of its samples are selected, shape (end - first,)."""
        selected = np.full(self.end - self.first, not self.spans)
        for span in self.spans:
            selected[span.first - self.first : span.end - self.first] = True
        return selected


def split_into_cycles(record: Record) -> tuple[Stretch, ...]:
    """Split a record into its cycles, one stretch each, in order."""
    begins = cycle_starts(record).tolist()
    ends = [*begins[1:], len(record.time_second)]
    numbers = record.cycle_count[begins].tolist()
    return tuple(Stretch(first, end, (number,)) for first, end, number in zip(begins, ends, numbers, strict=True))


def whole_record(record: Record) -> Stretch:
    """Return all cycles of a record as one stretch."""
    numbers = tuple(number for cycle in split_into_cycles(record) for number in cycle.cycles)
    return Stretch(0, len(record.time_second), numbers)


def join_neighbours(
    stretches: Sequence[Stretch], may_join: Callable[[Stretch, Stretch], bool] | None = None
) -> list[Stretch]:
    """Join stretches that follow each other without a sample between them.

    Args:
        stretches: in the record's order.
        may_join: tells whether a stretch may be joined with the one that follows it; ``None`` = always.
    """
    joined: list[Stretch] = []
    for stretch in stretches:
        last = joined[-1] if joined else None
        if last is None or last.end != stretch.selected_first or (may_join is not None and not may_join(last, stretch)):
            joined.append(stretch)
        else:
            cycles = tuple(dict.fromkeys(last.cycles + stretch.cycles))
            joined[-1] = Stretch(last.first, stretch.end, cycles, last.spans + stretch.spans)
    return joined


def choose_stretches(record: Record, settings: SimulateSettings) -> tuple[tuple[Stretch, ...], str]:
    """Choose the stretches that a simulation solves.

    Parts that start from the end of the part before (``previous_cycle``) are joined with it where they follow at once:
    solved in one go, they get the whole state. A model that ages is solved from the record's start to the end of the
    last selected part, since it carries on what the cell lost before.

    Returns:
        The stretches in order, and in words what of the selection the record lacks ("" = nothing).

    Raises:
        JobError: the record has nothing of the selection (``no_such_cycle``, ``nothing_selected``).
    """
    if settings.cycles.whole:
        return (whole_record(record),), ""
    spans, missing = find_selected(record, settings.cycles, settings.cell.cell_id)
    if ageing_options(settings.model):
        return (from_record_start(record, spans),), missing
    stretches = [stretch_of(span) for span in spans]
    if settings.cell.initial_state.policy == "previous_cycle":
        stretches = join_neighbours(stretches)
    return tuple(stretches), missing


def find_selected(record: Record, selection: Selection, cell_id: str) -> tuple[tuple[Span, ...], str]:
    """Find the spans of a selection in a record.

    Returns:
        The spans in order, and in words what of the selection the record lacks ("" = nothing).

    Raises:
        JobError: the record has nothing of it (``no_such_cycle``, ``nothing_selected``); the text says what it has.
    """
    index = record_index(record)
    try:
        spans = find_spans(selection, index)
    except NothingSelectedError as error:
        if isinstance(selection, StepSelection):
            raise JobError(f"cell {cell_id}: {error}", "nothing_selected") from error
        numbers = [stretch.cycles[0] for stretch in split_into_cycles(record)]
        existing = f"it has {format_ranges(numbers)}" if numbers else "it has none"
        reason = f"cell {cell_id} has none of the cycles {selection.text}; {existing}"
        raise JobError(reason, "no_such_cycle") from error
    return spans, describe_missing(selection, index)


def record_index(record: Record) -> RecordIndex:
    """Return the numbers of a record's samples, in which a selection is found."""
    cycle = record.cycle_count.astype(np.int64)
    step = record.step_count.astype(np.int64)
    return RecordIndex(record.time_second, cycle, step, record.step_type, record.step_id, record.flags)


def stretch_of(span: Span) -> Stretch:
    """Return the stretch that solves one span, from the edge at which it begins."""
    return Stretch(span.lead, span.end, span.cycles, (span,))


def from_record_start(record: Record, spans: Sequence[Span]) -> Stretch:
    """Return the stretch from the record's start to the end of the last span."""
    end = spans[-1].end
    return Stretch(0, end, tuple(np.unique(record.cycle_count[:end]).tolist()), tuple(spans))


def join_records(record: Record, stretches: Sequence[Stretch]) -> Record:
    """Join the samples of some stretches; what is between two of them becomes a gap, in which no charge flows.

    The sample before a stretch's first step, from which it is solved, counts to the cycle of that step.
    """
    if len(stretches) == 1 and (stretches[0].first, stretches[0].end) == (0, len(record.time_second)):
        return record
    rows = np.concatenate([np.arange(stretch.first, stretch.end) for stretch in stretches])
    joined = record.take(rows)
    flags = joined.flags
    begins = np.cumsum([0, *(stretch.end - stretch.first for stretch in stretches)])
    flags[begins[1:-1]] |= flag_bit("time_gap")
    cycle = joined.cycle_count.copy()
    for stretch, begin in zip(stretches, begins.tolist(), strict=False):
        if stretch.lead and stretch.first == stretch.spans[0].lead:
            cycle[begin] = cycle[begin + 1]
    return replace(joined, flags=flags, cycle_count=cycle)


def compared_samples(stretches: Sequence[Stretch]) -> Mask:
    """Tell which of the samples of joined stretches are selected, and so compared, shape (samples,)."""
    return np.concatenate([stretch.compared for stretch in stretches])


def slice_record(record: Record, first: int, end: int) -> Record:
    """Return the samples of a record from index ``first`` to before ``end``."""
    return record.until_index(end).from_index(first)


def join_profiles(profiles: Sequence[CurrentProfile]) -> CurrentProfile:
    """Join the knots of the current profiles of all stretches, in order."""
    return CurrentProfile(
        np.concatenate([profile.time_second for profile in profiles]),
        np.concatenate([profile.current_ampere for profile in profiles]),
        max(profile.noise_ampere for profile in profiles),
    )


def join_replays(parts: Sequence[Replayed]) -> Replayed:
    """Join the replays of all stretches, in order; the charge of each continues that of the one before."""
    if len(parts) == 1:
        return parts[0]
    charge_before = np.concatenate([[0.0], np.cumsum([part.charge_ah[-1] for part in parts])])
    shifted = [
        replace(part, charge_ah=part.charge_ah + charge) for part, charge in zip(parts, charge_before, strict=False)
    ]
    return Replayed(
        np.concatenate([part.time_second for part in shifted]),
        np.concatenate([part.voltage_volt for part in shifted]),
        np.concatenate([part.current_ampere for part in shifted]),
        np.concatenate([part.charge_ah for part in shifted]),
        np.concatenate([part.excess for part in shifted]),
        more=_join_more(shifted),
    )


def _join_more(parts: Sequence[Replayed]) -> dict[str, Floats]:
    """Join what was asked for beside the voltage; NaN in a stretch that lacks it."""
    names = dict.fromkeys(name for part in parts for name in part.more)
    joined = {}
    for name in names:
        nothing = [np.full(len(part.time_second), np.nan) for part in parts]
        joined[name] = np.concatenate([part.more.get(name, none) for part, none in zip(parts, nothing, strict=True)])
    return joined
