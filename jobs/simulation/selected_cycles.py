"""Selected cycles, each solved on its own: one that fails does not lose the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ...data.cycle_selection import format_ranges
from ...data.errors import JobError
from ...data.results.simulation import CycleState
from ...data.settings import SimulateSettings
from ..current_profile.compression_error import CompressionError, join_errors
from ..current_profile.temperature import Temperature, find_temperature, join_temperatures
from ..parameters.sets import apply_cell_parameters, remove_initial_soc
from ..record.record import Record
from .attempts import Case, compress_within_charge_limit, try_attempts_within_limit
from .replay import Conditions, Replayed, ReplayEndedError
from .solver_windows import TimeLimit
from .stretches import (
    Stretch,
    find_state_at_cycle_end,
    find_state_at_cycle_start,
    join_profiles,
    join_records,
    join_replays,
    samples_fixing_state,
    slice_record,
)

FindConditions = Callable[[Record, Record, SimulateSettings], Conditions]
"""Gives the conditions of the first record, with the state that the second one's first sample is in."""

MOST_REASONS = 3


@dataclass(frozen=True, slots=True, eq=False)
class SolvedStretch:
    """A stretch that was solved."""

    stretch: Stretch
    case: Case
    replayed: Replayed
    attempts: tuple[str, ...]
    compression: CompressionError


@dataclass(frozen=True, slots=True, eq=False)
class FailedStretch:
    """A stretch that was not; ``attempts`` says what was tried."""

    stretch: Stretch
    error: JobError
    attempts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class SelectedSolutions:
    """What came of the selected cycles, in order."""

    solved: tuple[SolvedStretch, ...]
    failures: tuple[FailedStretch, ...]
    attempts: tuple[str, ...]

    @property
    def states(self) -> tuple[CycleState, ...]:
        """The state that each solved stretch began from."""
        starts = ((one.stretch.cycles[0], one.case.conditions.state) for one in self.solved)
        return tuple(CycleState(cycle, state.soc, state.voltage_volt, state.source) for cycle, state in starts)

    @property
    def compression(self) -> CompressionError:
        """What compression did to all that was solved."""
        return join_errors([(one.compression, len(one.replayed.time_second)) for one in self.solved])

    def joined(self, record: Record) -> tuple[Case, Replayed]:
        """What was solved as one case and one replay, over the samples of these cycles alone."""
        first = self.solved[0].case
        rows = join_records(record, [one.stretch for one in self.solved])
        profile = join_profiles([one.case.profile for one in self.solved])
        temperature = join_temperatures([one.case.conditions.temperature for one in self.solved])
        conditions = replace(first.conditions, temperature=temperature)
        case = replace(first, record=rows, profile=profile, conditions=conditions)
        return case, join_replays([one.replayed for one in self.solved])

    @property
    def reason(self) -> str:
        """In words: which cycles failed and why, and which are there."""
        cycles = [cycle for failure in self.failures for cycle in failure.stretch.cycles]
        done = [cycle for one in self.solved for cycle in one.stretch.cycles]
        words = f"{len(cycles)} of {len(cycles) + len(done)} cycles failed ({format_ranges(cycles)}): "
        words += "; ".join(f"{f.stretch.name}: {f.error}" for f in self.failures[:MOST_REASONS])
        more = len(self.failures) - MOST_REASONS
        words += f"; and {more} more" if more > 0 else ""
        return words + (f"; the curves of cycles {format_ranges(done)} are kept" if done else "")


def solve_selected(
    record: Record,
    stretches: Sequence[Stretch],
    settings: SimulateSettings,
    conditions_of: FindConditions,
    capacity_ah: float,
    limit: TimeLimit,
) -> SelectedSolutions:
    """Solve each stretch from its own initial state, or from where the one before ended."""
    solved: list[SolvedStretch] = []
    failures: list[FailedStretch] = []
    tried: list[str] = []
    before: SolvedStretch | FailedStretch | None = None
    for stretch in stretches:
        try:
            if limit.is_passed:
                raise limit.error(f"the start of {stretch.name}")
            with limit.pause():  # finding a set's equilibrium takes a while, once
                case = _case(record, stretch, settings, conditions_of, capacity_ah, limit, before)
            case, replayed, attempts, compression = try_attempts_within_limit(case)
        except JobError as error:
            attempts = error.attempts if isinstance(error, ReplayEndedError) else ()
            before = FailedStretch(stretch, error, attempts)
            failures.append(before)
            tried += [f"{stretch.name}: {words}" for words in attempts or (str(error),)]
            if error.code == "time_limit":
                failures += [FailedStretch(rest, error) for rest in stretches[stretches.index(stretch) + 1 :]]
                break
            continue
        before = SolvedStretch(stretch, case, replayed, attempts, compression)
        solved.append(before)
        tried += [f"{stretch.name}: {words}" for words in attempts]
    return SelectedSolutions(tuple(solved), tuple(failures), tuple(tried))


def _case(
    record: Record,
    stretch: Stretch,
    settings: SimulateSettings,
    conditions_of: FindConditions,
    capacity_ah: float,
    limit: TimeLimit,
    before: SolvedStretch | FailedStretch | None,
) -> Case:
    part = slice_record(record, stretch.first, stretch.end)
    if len(part.time_second) < 2:
        raise JobError("it has one sample only", "too_short")
    carried = settings.cell.initial_state.policy == "previous_cycle"
    # A fitted state is that of the first selected cycle; the others have states of their own.
    asked = settings if before is None else remove_initial_soc(settings)
    fitted = apply_cell_parameters(asked)
    if isinstance(before, SolvedStretch) and carried:
        conditions = replace(before.case.conditions, temperature=_temperature(part, settings, before))
        charge = float(before.replayed.charge_ah[-1])
        state = find_state_at_cycle_end(conditions.state, before.stretch.cycles[-1], charge, fitted, conditions)
    else:
        telling = samples_fixing_state(record, stretch.first, stretch.end, capacity_ah)
        conditions = conditions_of(part, slice_record(record, telling.start, telling.stop), asked)
        state = find_state_at_cycle_start(record, stretch.first, telling, conditions.state, fitted, conditions)
        if before is not None and carried:
            state = replace(state, source=f"{before.stretch.name} failed, so its end tells no state; {state.source}")
    return Case(
        part, settings, replace(conditions, state=state), compress_within_charge_limit(part, capacity_ah), limit
    )


def _temperature(part: Record, settings: SimulateSettings, before: SolvedStretch) -> Temperature:
    """The temperature of a stretch that goes on from the one before."""
    temperature = before.case.conditions.temperature
    if temperature.profile is None:
        return temperature
    return find_temperature(part, settings.cell, settings.model, settings.parameter_set, temperature.celsius)
