"""The stretches of a record that are solved in one go: all of it, or one for each selected cycle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from ...data.arrays import Floats
from ...data.cycle_selection import format_ranges
from ...data.errors import JobError
from ...data.rules import flag_bit
from ...data.settings import SimulateSettings
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
    """

    first: int
    end: int
    cycles: tuple[int, ...]

    @property
    def name(self) -> str:
        """For people: ``cycle 3``, ``cycles 3-5``."""
        noun = "cycles" if len(self.cycles) > 1 else "cycle"
        return f"{noun} {format_ranges(self.cycles)}"


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
        if last is None or last.end != stretch.first or (may_join is not None and not may_join(last, stretch)):
            joined.append(stretch)
        else:
            joined[-1] = Stretch(last.first, stretch.end, last.cycles + stretch.cycles)
    return joined


def choose_stretches(record: Record, settings: SimulateSettings) -> tuple[tuple[Stretch, ...], str]:
    """Choose the stretches that a simulation solves.

    Cycles that start from the end of the cycle before (``previous_cycle``) are joined with it where they follow at
    once: solved in one go, they get the whole state.

    Returns:
        The stretches in order, and in words which of the selected cycles the record lacks ("" = none).

    Raises:
        JobError: the record has none of the selected cycles (``no_such_cycle``).
    """
    if settings.cycles.whole:
        return (whole_record(record),), ""
    cycles = split_into_cycles(record)
    numbers = [stretch.cycles[0] for stretch in cycles]
    chosen, missing = settings.cycles.split_cycles(numbers)
    if not chosen:
        existing = f"it has {format_ranges(numbers)}" if numbers else "it has none"
        selection = settings.cycles.text
        raise JobError(f"cell {settings.cell.cell_id} has none of the cycles {selection}; {existing}", "no_such_cycle")
    stretches = [stretch for stretch in cycles if stretch.cycles[0] in chosen]
    if settings.cell.initial_state.policy == "previous_cycle":
        stretches = join_neighbours(stretches)
    if not missing:
        return tuple(stretches), ""
    return tuple(stretches), f"not in the record: cycles {format_ranges(missing)}"


def join_records(record: Record, stretches: Sequence[Stretch]) -> Record:
    """Join the samples of some stretches; what is between two of them becomes a gap, in which no charge flows."""
    if len(stretches) == 1 and (stretches[0].first, stretches[0].end) == (0, len(record.time_second)):
        return record
    rows = np.concatenate([np.arange(stretch.first, stretch.end) for stretch in stretches])
    arrays: dict[str, Any] = {field.name: getattr(record, field.name) for field in fields(record)}
    chosen: dict[str, Any] = {name: None if array is None else array[rows] for name, array in arrays.items()}
    joined = Record(**chosen)
    flags = joined.flags.copy()
    flags[np.cumsum([stretch.end - stretch.first for stretch in stretches])[:-1]] |= flag_bit("time_gap")
    return replace(joined, flags=flags)


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
