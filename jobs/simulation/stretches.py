"""The stretches of a record that are solved in one go: the whole, or one for each selected cycle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from ...data.cycle_selection import format_ranges
from ...data.errors import JobError
from ...data.rules import flag_bit
from ...data.settings import SimulateSettings
from ..current_profile.compress import CurrentProfile
from ..models.initial_state import REST_SECOND, StartingState, state_after_charge
from ..record.charge import REST_CURRENT_PER_AH, interval_charge_ah
from ..record.record import Record
from .replay import Conditions, Replayed

NO_CHARGE = 1e-4  # of the capacity: as little as a rest's noise, not counted


@dataclass(frozen=True, slots=True)
class Stretch:
    """Samples from ``first`` to before ``end``, of one or several cycles."""

    first: int
    end: int
    cycles: tuple[int, ...]

    @property
    def name(self) -> str:
        """For people: ``cycle 3``, ``cycles 3-5``."""
        return f"cycle{'s' if len(self.cycles) > 1 else ''} {format_ranges(self.cycles)}"


def choose_stretches(record: Record, settings: SimulateSettings) -> tuple[tuple[Stretch, ...], str]:
    """Choose what is solved, in order; and in words which of the asked cycles the record lacks.

    Cycles that go on from the one before are joined with it where they follow at once: in one go the whole state is
    handed over.

    Raises:
        JobError: the record has none of the asked cycles (``no_such_cycle``).
    """
    begins = np.flatnonzero(np.diff(record.cycle_count, prepend=record.cycle_count[:1] - 1))
    numbers = [int(record.cycle_count[i]) for i in begins]
    if settings.cycles.whole:
        return (Stretch(0, len(record.time_second), tuple(numbers)),), ""
    chosen, missing = settings.cycles.split_cycles(numbers)
    if not chosen:
        there = f"it has {format_ranges(numbers)}" if numbers else "it has none"
        asked = settings.cycles.text
        raise JobError(f"cell {settings.cell.cell_id} has none of the cycles {asked}; {there}", "no_such_cycle")
    ends = [*begins[1:], len(record.time_second)]
    found = [
        Stretch(int(first), int(end), (number,))
        for first, end, number in zip(begins, ends, numbers, strict=True)
        if number in chosen
    ]
    if settings.cell.initial_state.policy == "previous_cycle":
        found = _joined(found)
    return tuple(found), f"not in the record: cycles {format_ranges(missing)}" if missing else ""


def _joined(stretches: list[Stretch]) -> list[Stretch]:
    joined = stretches[:1]
    for stretch in stretches[1:]:
        if joined[-1].end == stretch.first:
            joined[-1] = Stretch(joined[-1].first, stretch.end, joined[-1].cycles + stretch.cycles)
        else:
            joined.append(stretch)
    return joined


def join_records(record: Record, stretches: Sequence[Stretch]) -> Record:
    """The samples of the stretches alone; what lies between two of them is a gap, in which no charge flows."""
    if len(stretches) == 1 and (stretches[0].first, stretches[0].end) == (0, len(record.time_second)):
        return record
    chosen = np.concatenate([np.arange(stretch.first, stretch.end) for stretch in stretches])
    parts: dict[str, Any] = {field.name: getattr(record, field.name) for field in fields(record)}
    whole: dict[str, Any] = {name: None if part is None else part[chosen] for name, part in parts.items()}
    joined = Record(**whole)
    flags = joined.flags.copy()
    flags[np.cumsum([stretch.end - stretch.first for stretch in stretches])[:-1]] |= flag_bit("time_gap")
    return replace(joined, flags=flags)


def slice_record(record: Record, first: int, end: int) -> Record:
    """The samples from ``first`` to before ``end``."""
    return record.until_index(end).from_index(first)


def join_profiles(profiles: Sequence[CurrentProfile]) -> CurrentProfile:
    """The knots of all stretches, one after another."""
    return CurrentProfile(
        np.concatenate([profile.time_second for profile in profiles]),
        np.concatenate([profile.current_ampere for profile in profiles]),
        max(profile.noise_ampere for profile in profiles),
    )


def join_replays(parts: Sequence[Replayed]) -> Replayed:
    """The replays of all stretches, one after another; the charge goes on from each to the next."""
    if len(parts) == 1:
        return parts[0]
    before = np.concatenate([[0.0], np.cumsum([part.charge_ah[-1] for part in parts])])
    shifted = [replace(part, charge_ah=part.charge_ah + charge) for part, charge in zip(parts, before, strict=False)]
    return Replayed(
        np.concatenate([part.time_second for part in shifted]),
        np.concatenate([part.voltage_volt for part in shifted]),
        np.concatenate([part.current_ampere for part in shifted]),
        np.concatenate([part.charge_ah for part in shifted]),
        np.concatenate([part.excess for part in shifted]),
    )


def samples_fixing_state(record: Record, first: int, end: int, capacity_ah: float) -> slice:
    """The samples that tell the state at sample ``first``, where the cycle up to before ``end`` begins.

    They begin with the rest, in the cycle or the one before it, from which the least charge has flowed to ``first``, or
    flows from there; a rest that tells a state lasts ``REST_SECOND``. Without one they are the cycle's own.
    """
    if first == 0:
        return slice(0, end)
    begin = int(np.searchsorted(record.cycle_count, record.cycle_count[first - 1]))
    part = slice(begin, end)
    time, voltage = record.time_second[part], record.voltage_volt[part]
    resting = np.abs(record.current_ampere[part]) <= REST_CURRENT_PER_AH * capacity_ah
    edges = np.flatnonzero(np.diff(np.concatenate([[False], resting, [False]]).astype(np.int8)))
    steps = np.abs(interval_charge_ah(time, record.current_ampere[part], record.flags[part]))
    passed = np.concatenate([[0.0], np.cumsum(steps)])
    at = first - begin
    found: list[tuple[float, int]] = []
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        if time[stop - 1] - time[start] < REST_SECOND or not np.isfinite(voltage[start:stop]).any():
            continue
        between = 0.0 if start <= at <= stop else float(min(abs(passed[at] - passed[i]) for i in (start, stop - 1)))
        found.append((between, begin + int(start)))
    return slice(min(found)[1], end) if found else slice(first, end)


def find_state_at_cycle_start(
    record: Record, first: int, part: slice, state: StartingState, settings: SimulateSettings, conditions: Conditions
) -> StartingState:
    """The state at sample ``first``, from ``state`` at the first of the samples that tell it.

    Args:
        part: those samples, as :func:`samples_fixing_state` gives them.
    """
    if settings.cell.initial_state.policy in ("soc", "voltage") or part.start == first:
        return state
    low, high = sorted((first, part.start))
    window = slice(low, high + 1)
    charge = interval_charge_ah(record.time_second[window], record.current_ampere[window], record.flags[window]).sum()
    charge *= 1.0 if part.start < first else -1.0
    if abs(charge) < NO_CHARGE * conditions.capacity_ah:
        return state
    words = f"{state.source}, and {charge:+.4f} A.h counted on to the cycle's start"
    return _state_after_charge(state, charge, words, settings, conditions)


def find_state_at_cycle_end(
    before: StartingState, cycle: int, charge_ah: float, settings: SimulateSettings, conditions: Conditions
) -> StartingState:
    """The state in which the selected cycle before ended: its own first state and the charge since.

    The charge alone tells the average stoichiometries, since a model that does not age loses none; what it had not yet
    levelled out within its particles and its electrolyte is not carried on.
    """
    words = f"end of cycle {cycle}: state of charge {before.soc:.4f} and {charge_ah:+.4f} A.h"
    return _state_after_charge(before, charge_ah, words, settings, conditions)


def _state_after_charge(
    state: StartingState, charge_ah: float, words: str, settings: SimulateSettings, conditions: Conditions
) -> StartingState:
    told, celsius = replace(state, source=words), conditions.temperature.celsius
    return state_after_charge(told, charge_ah, settings.cell, settings.model, settings.parameter_set, celsius)
