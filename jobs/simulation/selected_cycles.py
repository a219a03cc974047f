"""Selected cycles, each solved on its own: one that fails does not lose the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ...data.cycle_selection import ranges_text
from ...data.errors import JobError
from ...data.results.simulation import CycleState
from ...data.settings import SimulateSettings
from ..current_profile.compression_error import CompressionError, joined_error
from ..current_profile.temperature import Temperature, joined_temperature, temperature_of
from ..parameters.sets import of_cell, without_soc
from ..record.record import Record
from .attempts import Case, charge_true_profile, climb_within_limit
from .replay import Conditions, EndedError, Replayed
from .solver_windows import Limit
from .stretches import (
    Stretch,
    carried_state,
    joined_profile,
    joined_record,
    joined_replay,
    own_state,
    part_of,
    telling_part,
)

FindConditions = Callable[[Record, Record, SimulateSettings], Conditions]
"""Gives the conditions of the first record, with the state that the second one's first sample is in."""

MOST_REASONS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """A stretch that was solved."""

    stretch: Stretch
    case: Case
    replayed: Replayed
    attempts: tuple[str, ...]
    compression: CompressionError


@dataclass(frozen=True, slots=True, eq=False)
class Failure:
    """A stretch that was not; ``attempts`` says what was tried."""

    stretch: Stretch
    error: JobError
    attempts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Selected:
    """What came of the selected cycles, in order."""

    solved: tuple[Solved, ...]
    failures: tuple[Failure, ...]
    attempts: tuple[str, ...]

    @property
    def states(self) -> tuple[CycleState, ...]:
        """The state that each solved stretch began from."""
        starts = ((one.stretch.cycles[0], one.case.conditions.state) for one in self.solved)
        return tuple(CycleState(cycle, state.soc, state.voltage_volt, state.source) for cycle, state in starts)

    @property
    def compression(self) -> CompressionError:
        """What compression did to all that was solved."""
        return joined_error([(one.compression, len(one.replayed.time_second)) for one in self.solved])

    def joined(self, record: Record) -> tuple[Case, Replayed]:
        """What was solved as one case and one replay, over the samples of these cycles alone."""
        first = self.solved[0].case
        rows = joined_record(record, [one.stretch for one in self.solved])
        profile = joined_profile([one.case.profile for one in self.solved])
        temperature = joined_temperature([one.case.conditions.temperature for one in self.solved])
        conditions = replace(first.conditions, temperature=temperature)
        case = replace(first, record=rows, profile=profile, conditions=conditions)
        return case, joined_replay([one.replayed for one in self.solved])

    @property
    def reason(self) -> str:
        """In words: which cycles failed and why, and which are there."""
        cycles = [cycle for failure in self.failures for cycle in failure.stretch.cycles]
        done = [cycle for one in self.solved for cycle in one.stretch.cycles]
        words = f"{len(cycles)} of {len(cycles) + len(done)} cycles failed ({ranges_text(cycles)}): "
        words += "; ".join(f"{f.stretch.name}: {f.error}" for f in self.failures[:MOST_REASONS])
        more = len(self.failures) - MOST_REASONS
        words += f"; and {more} more" if more > 0 else ""
        return words + (f"; the curves of cycles {ranges_text(done)} are kept" if done else "")


def solve_selected(
    record: Record,
    stretches: Sequence[Stretch],
    settings: SimulateSettings,
    conditions_of: FindConditions,
    capacity_ah: float,
    limit: Limit,
) -> Selected:
    """Solve each stretch from its own initial state, or from where the one before ended."""
    solved: list[Solved] = []
    failures: list[Failure] = []
    tried: list[str] = []
    before: Solved | Failure | None = None
    for stretch in stretches:
        try:
            if limit.passed:
                raise limit.error(f"the start of {stretch.name}")
            with limit.paused():  # finding a set's equilibrium takes a while, once
                case = _case(record, stretch, settings, conditions_of, capacity_ah, limit, before)
            case, replayed, attempts, compression = climb_within_limit(case)
        except JobError as error:
            attempts = error.attempts if isinstance(error, EndedError) else ()
            before = Failure(stretch, error, attempts)
            failures.append(before)
            tried += [f"{stretch.name}: {words}" for words in attempts or (str(error),)]
            if error.code == "time_limit":
                failures += [Failure(rest, error) for rest in stretches[stretches.index(stretch) + 1 :]]
                break
            continue
        before = Solved(stretch, case, replayed, attempts, compression)
        solved.append(before)
        tried += [f"{stretch.name}: {words}" for words in attempts]
    return Selected(tuple(solved), tuple(failures), tuple(tried))


def _case(
    record: Record,
    stretch: Stretch,
    settings: SimulateSettings,
    conditions_of: FindConditions,
    capacity_ah: float,
    limit: Limit,
    before: Solved | Failure | None,
) -> Case:
    part = part_of(record, stretch.first, stretch.end)
    if len(part.time_second) < 2:
        raise JobError("it has one sample only", "too_short")
    carried = settings.cell.initial_state.policy == "previous_cycle"
    # A fitted state is that of the first selected cycle; the others have states of their own.
    asked = settings if before is None else without_soc(settings)
    fitted = of_cell(asked)
    if isinstance(before, Solved) and carried:
        conditions = replace(before.case.conditions, temperature=_temperature(part, settings, before))
        charge = float(before.replayed.charge_ah[-1])
        state = carried_state(conditions.state, before.stretch.cycles[-1], charge, fitted, conditions)
    else:
        telling = telling_part(record, stretch.first, stretch.end, capacity_ah)
        conditions = conditions_of(part, part_of(record, telling.start, telling.stop), asked)
        state = own_state(record, stretch.first, telling, conditions.state, fitted, conditions)
        if before is not None and carried:
            state = replace(state, source=f"{before.stretch.name} failed, so its end tells no state; {state.source}")
    return Case(part, settings, replace(conditions, state=state), charge_true_profile(part, capacity_ah), limit)


def _temperature(part: Record, settings: SimulateSettings, before: Solved) -> Temperature:
    """The temperature of a stretch that goes on from the one before."""
    temperature = before.case.conditions.temperature
    if temperature.profile is None:
        return temperature
    return temperature_of(part, settings.cell, settings.model, settings.parameter_set, temperature.celsius)
