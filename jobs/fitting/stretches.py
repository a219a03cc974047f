"""The stretches of a record that a fit solves, each from its own starting state: cycles far apart in a cell's life.

What lies between two check-ups changes the cell, and no set of parameters is right for both it and them: so it is not
solved. Neighbouring cycles are solved in one go, which hands the whole state over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...data.cycle_selection import format_ranges
from ...data.errors import JobError
from ...data.fit_settings import INITIAL_SOC, FitSettings
from ...data.settings import SimulateSettings
from ..current_profile.temperature import Temperature, find_temperature
from ..parameters.sets import apply_cell_parameters, remove_initial_soc
from ..record.charge import interval_charge_ah
from ..record.record import Record
from ..simulation.replay import Conditions
from ..simulation.simulate import find_conditions
from ..simulation.stretches import (
    Stretch,
    find_state_at_cycle_end,
    find_state_at_cycle_start,
    samples_fixing_state,
    slice_record,
)


@dataclass(frozen=True, slots=True, eq=False)
class FitStretch:
    """Samples that a fit solves in one go.

    Args:
        record: the stretch's own samples.
        telling: the samples that tell the state at its start, as :func:`.cycle_states.samples_fixing_state` gives them.
        whole: the cell's record.
        before: the stretch whose end is this one's start (``previous_cycle``); ``None`` = it has a state of its own.
        begins_fitted: whether a fitted initial state of charge is that of its start.
    """

    stretch: Stretch
    record: Record
    telling: slice
    whole: Record
    before: FitStretch | None = None
    begins_fitted: bool = True

    def conditions(
        self, asked: SimulateSettings, measured_celsius: float | None, temperature: Temperature | None = None
    ) -> Conditions:
        """State, capacity, temperature and overrides of a replay of this stretch, the state as simulations find it.

        Args:
            temperature: where it is known; ``None`` = it is found.
        """
        settings = apply_cell_parameters(asked if self.begins_fitted else remove_initial_soc(asked))
        if self.before is not None:
            return self._carried(self.before.conditions(asked, measured_celsius), settings, measured_celsius)
        by = slice_record(self.whole, self.telling.start, self.telling.stop)
        conditions = find_conditions(self.record, settings, measured_celsius, by, temperature=temperature)
        state = find_state_at_cycle_start(
            self.whole, self.stretch.first, self.telling, conditions.state, settings, conditions
        )
        return replace(conditions, state=state)

    def _carried(self, before: Conditions, settings: SimulateSettings, measured_celsius: float | None) -> Conditions:
        assert self.before is not None
        temperature = find_temperature(
            self.record, settings.cell, settings.model, settings.parameter_set, measured_celsius
        )
        conditions, passed = replace(before, temperature=temperature), self.before.record
        charge = interval_charge_ah(passed.time_second, passed.current_ampere, passed.flags).sum()
        cycle = self.before.stretch.cycles[-1]
        return replace(
            conditions, state=find_state_at_cycle_end(before.state, cycle, float(charge), settings, conditions)
        )


def choose_fit_stretches(
    record: Record, settings: FitSettings, cycles: tuple[int, ...], capacity_ah: float
) -> tuple[FitStretch, ...]:
    """Choose what is solved to see the errors in some cycles, in order; the whole record in one go where none is named.

    To judge other cycles than the fit's own, those that follow fitted ones at once are solved in one go with them, the
    others from their own state.

    Raises:
        JobError: the record lacks one of the cycles (``no_such_cycle``), a stretch has one sample (``too_short``), or
            an initial state of charge would be that of several stretches (``many_states``).
    """
    found = _stretches(record, settings, cycles)
    carried = settings.cell.initial_state.policy == "previous_cycle"
    if not carried:
        found = [stretch for stretch in found if not cycles or set(stretch.cycles) & set(cycles)]
    made: list[FitStretch] = []
    for stretch in found:
        part = slice_record(record, stretch.first, stretch.end)
        if len(part.time_second) < 2:
            raise JobError(f"{stretch.name} has one sample only", "too_short")
        telling = samples_fixing_state(record, stretch.first, stretch.end, capacity_ah)
        begins = not settings.cycles or stretch.cycles[0] in settings.cycles
        before = made[-1] if carried and made else None
        made.append(FitStretch(stretch, part, telling, record, before, begins))
    if cycles == settings.cycles:
        _refuse_one_state_for_many(settings, made)
    return tuple(made)


def _stretches(record: Record, settings: FitSettings, cycles: tuple[int, ...]) -> list[Stretch]:
    """Runs of cycles that follow each other at once; where other than the fit's own cycles lead to these, it breaks."""
    begins = np.flatnonzero(np.diff(record.cycle_count, prepend=record.cycle_count[:1] - 1))
    numbers, ends = [int(record.cycle_count[i]) for i in begins], [*begins[1:], len(record.time_second)]
    if not cycles:
        return [Stretch(0, len(record.time_second), tuple(numbers))]
    missing = sorted(set(cycles) - set(numbers))
    if missing:
        there = f"it has {format_ranges(numbers)}"
        reason = f"cell {settings.cell.cell_id} has no cycle {missing[0]} to fit on; {there}"
        raise JobError(reason, "no_such_cycle")
    own, wanted = set(settings.cycles), {*cycles, *settings.cycles}
    carried = settings.cell.initial_state.policy == "previous_cycle"
    found: list[Stretch] = []
    for first, end, number in zip(begins, ends, numbers, strict=True):
        if number not in wanted:
            continue
        last = found[-1] if found and found[-1].end == first else None
        if last is None or (not carried and number in own and last.cycles[-1] not in own):
            found.append(Stretch(int(first), int(end), (number,)))
        else:
            found[-1] = Stretch(last.first, int(end), (*last.cycles, number))
    return found


def _refuse_one_state_for_many(settings: FitSettings, stretches: Sequence[FitStretch]) -> None:
    """A state of charge cannot be that of several rests; a given one, or one that is carried on, can."""
    fitted = any(p.name == INITIAL_SOC for p in settings.parameters)
    if not fitted or len(stretches) < 2 or settings.cell.initial_state.policy != "rest_voltage":
        return
    names = " and ".join(one.stretch.name for one in (stretches[0], stretches[-1]))
    reason = f"{INITIAL_SOC!r} is one number, but {names} each begin from a rest of their own"
    advice = "leave it out, fit cycles that follow each other, or each for itself with chain = [...]"
    raise JobError(f"{reason}; {advice}", "many_states")
