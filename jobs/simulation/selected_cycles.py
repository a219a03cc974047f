"""Selected parts of a record: each stretch is solved by itself, so that a failure of one does not lose the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from ...data.arrays import Mask
from ...data.cycle_selection import format_ranges
from ...data.errors import JobError
from ...data.results.simulation import CycleState
from ...data.selected_spans import Span
from ...data.step_selection import StepSelection
from ..current_profile.compression_error import CompressionError, join_errors
from ..current_profile.temperature import join_temperatures
from ..models.simulation_case import SimulationCase, resolve_without_fitted_soc
from ..record.charge import interval_charge_ah
from ..record.known_states import find_known_state
from ..record.record import Record
from .attempts import ReplayProblem, compress_within_charge_limit
from .conditions import (
    GIVEN,
    KnownStart,
    conditions_after_lead,
    continue_conditions,
    find_case_temperature,
    find_known_start,
    find_stretch_conditions,
    spread_over,
)
from .replay import Conditions, Replayed, ReplayEndedError
from .settled_state import settle_start
from .solver_windows import TimeLimit
from .stretches import Stretch, compared_samples, join_profiles, join_records, join_replays, slice_record
from .within_limits import try_attempts_within_limit

MOST_REASONS: Final = 3
"""Failed stretches whose reasons an error gives in full."""


@dataclass(frozen=True, slots=True, eq=False)
class SolvedStretch:
    """A stretch that was solved.

    Args:
        problem: as it was solved in the end.
        attempts: what was tried, one line each.
        compression: effect of the compressed current on the voltage.
    """

    stretch: Stretch
    problem: ReplayProblem
    replayed: Replayed
    attempts: tuple[str, ...]
    compression: CompressionError


@dataclass(frozen=True, slots=True, eq=False)
class FailedStretch:
    """A stretch without a solution; ``attempts`` says what was tried, one line each."""

    stretch: Stretch
    error: JobError
    attempts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class SelectedSolutions:
    """The solutions of the selected parts, in order.

    Args:
        attempts: what was tried in all stretches, one line each.
    """

    solved: tuple[SolvedStretch, ...]
    failures: tuple[FailedStretch, ...]
    attempts: tuple[str, ...]

    @property
    def states(self) -> tuple[CycleState, ...]:
        """The state that each solved stretch began from; of several in one cycle, the first."""
        states: dict[int, CycleState] = {}
        for one in self.solved:
            state = one.problem.conditions.state
            cycle = one.stretch.cycles[0]
            found = (state.soc, state.voltage_volt, state.source, state.uncertainty_mv, state.uncertainty_soc)
            states.setdefault(cycle, CycleState(cycle, *found))
        return tuple(states.values())

    @property
    def least_known(self) -> dict[str, Any]:
        """The largest uncertainties of the stretches' states, as fields of a result; ``None`` = all are given.

        The source is that of the first stretch's state, and of the state with the largest uncertainty.
        """
        states = [one.problem.conditions.state for one in self.solved]
        millivolts = [state.uncertainty_mv for state in states if state.uncertainty_mv is not None]
        socs = [state.uncertainty_soc for state in states if state.uncertainty_soc is not None]
        source = states[0].source
        if millivolts:
            place = max(range(len(states)), key=lambda at: states[at].uncertainty_mv or 0.0)
            if states[place].source != source:
                source += f"; least known at the start of {self.solved[place].stretch.name}: {states[place].source}"
        return {
            "initial_state_source": source,
            "state_uncertainty_mv": max(millivolts, default=None),
            "state_uncertainty_soc": max(socs, default=None),
        }

    @property
    def compared(self) -> Mask:
        """Which samples of the joined replay are selected, shape (samples,)."""
        return compared_samples([one.stretch for one in self.solved])

    @property
    def compression(self) -> CompressionError:
        """Effect of the compressed current on the voltage of all solved stretches."""
        return join_errors([(one.compression, len(one.replayed.time_second)) for one in self.solved])

    def joined(self, record: Record) -> tuple[ReplayProblem, Replayed]:
        """Join the solved stretches into one problem and one replay, over the samples of these stretches alone."""
        first = self.solved[0].problem
        rows = join_records(record, [one.stretch for one in self.solved])
        profile = join_profiles([one.problem.profile for one in self.solved])
        temperature = join_temperatures([one.problem.conditions.temperature for one in self.solved])
        conditions = replace(first.conditions, temperature=temperature)
        problem = replace(first, record=rows, profile=profile, conditions=conditions)
        return problem, join_replays([one.replayed for one in self.solved])

    @property
    def reason(self) -> str:
        """In words: which parts failed and why, and which were solved."""
        words = f"{self._describe_counts()}: "
        words += "; ".join(f"{failure.stretch.name}: {failure.error}" for failure in self.failures[:MOST_REASONS])
        more = len(self.failures) - MOST_REASONS
        if more > 0:
            words += f"; and {more} more"
        if not self.solved:
            return words
        if self._are_cycles:
            solved = [cycle for one in self.solved for cycle in one.stretch.cycles]
            return f"{words}; the curves of cycles {format_ranges(solved)} are kept"
        kept = "one" if len(self.solved) == 1 else len(self.solved)
        return f"{words}; curves and errors of the other {kept} are kept"

    @property
    def _are_cycles(self) -> bool:
        """Whether all stretches are whole cycles."""
        stretches = [one.stretch for one in self.solved] + [one.stretch for one in self.failures]
        names = {span.name for stretch in stretches for span in stretch.spans}
        return not any(", " in name for name in names)

    def _describe_counts(self) -> str:
        if self._are_cycles:
            failed = [cycle for failure in self.failures for cycle in failure.stretch.cycles]
            solved = [cycle for one in self.solved for cycle in one.stretch.cycles]
            return f"{len(failed)} of {len(failed) + len(solved)} cycles failed ({format_ranges(failed)})"
        return f"{len(self.failures)} of {len(self.failures) + len(self.solved)} stretches failed"


def solve_selected(
    record: Record, stretches: Sequence[Stretch], case: SimulationCase, limit: TimeLimit
) -> SelectedSolutions:
    """Solve each stretch from its own initial state, or from the end of the stretch before.

    Args:
        record: the whole record.
        limit: for all stretches together; those that it leaves out fail with ``time_limit``.
    """
    solved: list[SolvedStretch] = []
    failures: list[FailedStretch] = []
    tried: list[str] = []
    before: SolvedStretch | FailedStretch | None = None
    for place, stretch in enumerate(stretches):
        try:
            if limit.is_passed:
                raise limit.error(f"the start of {stretch.name}")
            before = _solve_stretch(record, stretch, case, limit, before, stretches[0].first)
        except JobError as error:
            attempts = error.attempts if isinstance(error, ReplayEndedError) else ()
            good, rest = _split_at_failure(record, stretch, error)
            if good is not None:
                solved.append(_solve_stretch(record, good, case, limit, before, stretches[0].first))
            before = FailedStretch(rest, error, attempts)
            failures.append(before)
            tried += [f"{stretch.name}: {words}" for words in attempts or (str(error),)]
            if error.code == "time_limit":
                failures += [FailedStretch(rest, error) for rest in stretches[place + 1 :]]
                break
            continue
        solved.append(before)
        tried += [f"{stretch.name}: {words}" for words in before.attempts]
    return SelectedSolutions(tuple(solved), tuple(failures), tuple(tried))


def _split_at_failure(record: Record, stretch: Stretch, error: JobError) -> tuple[Stretch | None, Stretch]:
    """Split a stretch of several selected parts into those before its failure and the others.

    Returns:
        The stretch up to the last part that was solved completely (``None`` = there is none), and that of the others.
    """
    if not isinstance(error, ReplayEndedError) or error.replayed is None or error.code == "time_limit":
        return None, stretch
    ended = float(error.replayed.time_second[-1])
    good = [span for span in stretch.spans if record.time_second[span.end - 1] <= ended]
    others = stretch.spans[len(good) :]
    if not good or not others:
        return None, stretch
    rest = Stretch(others[0].lead, stretch.end, _cycles_of(others), others)
    return Stretch(stretch.first, good[-1].end, _cycles_of(good), tuple(good)), rest


def _cycles_of(spans: Sequence[Span]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(cycle for span in spans for cycle in span.cycles))


def _solve_stretch(
    record: Record,
    stretch: Stretch,
    case: SimulationCase,
    limit: TimeLimit,
    before: SolvedStretch | FailedStretch | None,
    given_at: int,
) -> SolvedStretch:
    """Solve a stretch, from before its start if the cell did not rest there; what is before is then cut off.

    Args:
        given_at: index of the sample at which a state that the user gives holds.

    Raises:
        JobError: it has no solution.
    """
    start = _find_start(record, stretch, case, limit, before, given_at)
    start, problem = _begin_stretch(record, stretch, case, limit, before, start)
    try:
        problem, replayed, attempts, compression = try_attempts_within_limit(problem)
    except ReplayEndedError as error:
        if start.lead == stretch.first or error.code == "time_limit":
            raise
        failed = f"from {record.time_second[start.lead]:.0f} s on, before its start, there is no solution: {error}"
        start = replace(start, lead=stretch.first)
        start, problem = _begin_stretch(record, stretch, case, limit, before, start)
        problem, replayed, attempts, compression = try_attempts_within_limit(problem)
        attempts = (failed, *attempts)
    problem, replayed = _without_lead(problem, replayed, stretch.first - start.lead)
    problem = replace(problem, conditions=spread_over(problem.conditions, problem.record, problem.case))
    return SolvedStretch(stretch, problem, replayed, attempts, compression)


def _find_start(
    record: Record,
    stretch: Stretch,
    case: SimulationCase,
    limit: TimeLimit,
    before: SolvedStretch | FailedStretch | None,
    given_at: int,
) -> KnownStart:
    """Find what the record says about the state at a stretch's start; nothing is needed where the user gives it."""
    policy = case.settings.cell.initial_state.policy
    continued = isinstance(before, SolvedStretch) and policy == "previous_cycle"
    case_here = case if before is None else resolve_without_fitted_soc(case)
    is_given = continued or case_here.cell.initial_state.policy in GIVEN
    start = find_known_start(
        record,
        stretch.first,
        stretch.end,
        case.capacity_ah,
        is_given=is_given,
        given_at=None if continued else given_at,  # the stretch before gives the state right at the start
    )
    return settle_start(start, record, case_here, limit)


def _begin_stretch(
    record: Record,
    stretch: Stretch,
    case: SimulationCase,
    limit: TimeLimit,
    before: SolvedStretch | FailedStretch | None,
    start: KnownStart,
) -> tuple[KnownStart, ReplayProblem]:
    """Make the problem of a stretch, from another rest where the counted charge leads out of the set's range."""
    with limit.pause():  # the equilibrium of a parameter set takes seconds, once
        try:
            return start, _make_problem(record, stretch, case, limit, before, start)
        except JobError as error:
            start = _find_nearest_start(record, stretch, case, limit, start, error)
            return start, _make_problem(record, stretch, case, limit, before, start)


def _find_nearest_start(
    record: Record, stretch: Stretch, case: SimulationCase, limit: TimeLimit, start: KnownStart, error: JobError
) -> KnownStart:
    """Return what the nearest rest says, where the charge counted from a better known one leads out of the range.

    Raises:
        JobError: the given one, where the failure has another cause, or there is no other rest.
    """
    if error.code != "initial_state_out_of_range" or start.known is None:
        raise error
    nearest = find_known_state(record, start.lead, stretch.end, case.capacity_ah, nearest=True)
    if nearest is None or not nearest.is_rest or nearest.index == start.known.index:
        raise error
    found = settle_start(replace(start, known=nearest), record, case, limit)
    if found.known is None:
        raise error
    words = (
        f"{found.known.source}, since the charge counted from another rest ({start.known.source}) leads out of range"
    )
    return replace(found, known=replace(found.known, source=words))


def _without_lead(problem: ReplayProblem, replayed: Replayed, lead: int) -> tuple[ReplayProblem, Replayed]:
    """Return a solved problem and its replay without the first ``lead`` samples."""
    if not lead:
        return problem, replayed
    conditions = conditions_after_lead(problem.conditions, problem.record.until_index(lead + 1), problem.case)
    rest = slice(lead, None)
    replayed = Replayed(
        replayed.time_second[rest],
        replayed.voltage_volt[rest],
        replayed.current_ampere[rest],
        replayed.charge_ah[rest] - replayed.charge_ah[lead],
        replayed.excess[rest],
        more={name: values[rest] for name, values in replayed.more.items()},
    )
    return replace(problem, record=problem.record.from_index(lead), conditions=conditions), replayed


def _make_problem(
    record: Record,
    stretch: Stretch,
    case: SimulationCase,
    limit: TimeLimit,
    before: SolvedStretch | FailedStretch | None,
    start: KnownStart,
) -> ReplayProblem:
    if stretch.end - stretch.first < 2:
        raise JobError("it has only one sample", "too_short")
    part = slice_record(record, start.lead, stretch.end)
    conditions = _find_conditions(record, stretch, part, case, before, start)
    return ReplayProblem(part, case, conditions, compress_within_charge_limit(part, case.capacity_ah), limit)


def _find_conditions(
    record: Record,
    stretch: Stretch,
    part: Record,
    case: SimulationCase,
    before: SolvedStretch | FailedStretch | None,
    start: KnownStart,
) -> Conditions:
    continues = case.settings.cell.initial_state.policy == "previous_cycle"
    # A fitted initial state is the one of the first selected cycle; the others have their own initial states.
    case_here = case if before is None else resolve_without_fitted_soc(case)
    if isinstance(before, SolvedStretch) and continues:
        charge = float(before.replayed.charge_ah[-1])
        if isinstance(case.settings.cycles, StepSelection):
            charge += _charge_between_ah(record, before.stretch.end - 1, stretch.first)
        temperature = find_case_temperature(part, case, record, stretch.first)
        cycle = before.stretch.cycles[-1]
        return continue_conditions(before.problem.conditions, cycle, charge, case_here, temperature)
    conditions = find_stretch_conditions(record, part, stretch.first, start, case_here)
    if before is not None and continues:
        source = f"{before.stretch.name} failed, so its end tells no state; {conditions.state.source}"
        conditions = replace(conditions, state=replace(conditions.state, source=source))
    return conditions


def _charge_between_ah(record: Record, last: int, first: int) -> float:
    """Return the charge between two samples in A.h: the steps that are left out charge or discharge the cell."""
    passed = slice_record(record, last, max(first, last) + 1)
    return float(interval_charge_ah(passed.time_second, passed.current_ampere, passed.flags).sum())
